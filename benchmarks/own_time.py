"""A worker for traffic that is sent faster than it was: it sees the times that the traffic had.

    python -m benchmarks.own_time FIRST START SPEED RECEIVED run ...

The packet of the time FIRST is sent at START, and later ones SPEED times sooner. What follows
RECEIVED are arguments of ``nba-broker``, which runs as it is, but for the times in what Zeek sends.
To the file RECEIVED it appends sensor, time, host and uid of each session that it receives.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from nba_broker.cli.main import main as nba_broker
from nba_broker.records.sessions import Lease
from nba_broker.wire.codec import Announced, Message, NameBatch, SessionBatch, decode


@dataclass(frozen=True)
class OwnTime:
    """The clock of traffic that is sent at another speed.

    first: the time of the first packet, which is sent at ``start``; in seconds since the epoch.
    """

    first: float
    start: float
    speed: float

    def at(self, now: float) -> float:
        """The time of what is sent now."""
        return self.first + (now - self.start) * self.speed

    def sent(self, time: float) -> float:
        """When what had this time is sent."""
        return self.start + (time - self.first) / self.speed

    def message(self, message: Message) -> Message:
        """A message as it would be at the traffic's own speed."""
        if isinstance(message, SessionBatch):
            times = self.first + (message.sessions.ts - self.start) * self.speed
            sessions = replace(message.sessions, ts=times)
            return replace(message, now=self.at(message.now), sessions=sessions)
        if isinstance(message, NameBatch):
            times = self.first + (message.names.ts - self.start) * self.speed
            names = replace(message.names, ts=times)
            return replace(message, now=self.at(message.now), names=names)
        if isinstance(message, Announced):
            rows = [replace(row, ts=self.at(row.ts)) for row in message.announcements]
            return replace(message, announcements=rows)
        if isinstance(message, Lease):
            return replace(message, ts=self.at(message.ts))
        return message


def main() -> int:
    """The command line."""
    clock = OwnTime(*map(float, sys.argv[1:4]))
    # Line by line, since the worker may be killed.
    with Path(sys.argv[4]).open("a", buffering=1) as received:

        def decoded(frame: bytes | str) -> Message:
            message = decode(frame)
            if isinstance(message, SessionBatch):
                sessions = message.sessions
                for at, host, uid in zip(sessions.ts, sessions.host, sessions.uid, strict=True):
                    print(message.node, f"{at:.6f}", host, uid, file=received)
            return clock.message(message)

        with patch("nba_broker.worker.worker.decode", decoded):
            return nba_broker(sys.argv[5:])


if __name__ == "__main__":
    sys.exit(main())
