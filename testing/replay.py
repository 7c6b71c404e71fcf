"""Sends a capture's frames into network interfaces once, each at its time or a multiple sooner.

    python -m testing.replay CAPTURE SPEED START INTERFACE...

The first frame goes out at START, in seconds since the epoch. A flow keeps its interface.
CAPTURE is as in :mod:`testing.frames`. The last line printed says how late the latest frame was.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from testing.frames import flow, opened, packets


def replay(capture: Path, speed: float, start: float, interfaces: list[str]) -> float:
    """Send all frames; returns by how many seconds the latest frame was late."""
    sockets = opened(interfaces)
    day = list(packets(capture))
    first, late = day[0][0], 0.0
    for when, frame in day:
        ahead = start + (when - first) / speed - time.time()
        if ahead > 0:
            time.sleep(ahead)
        late = max(late, -ahead)
        sockets[flow(frame) % len(sockets)].send(frame)
    return late


if __name__ == "__main__":
    latest = replay(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
    print(f"{latest:.3f}")
