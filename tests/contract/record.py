"""Records the frames that a real Zeek sends over its WebSocket, for the contract tests.

Run ``python -m tests.contract.record`` in the root of a checkout, with NBA_ZEEK for another Zeek;
each file in ``frames/<its version>`` holds one frame as it came, but for names of the machine and
the process, which would differ in each run.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from testing.client import Client, decode
from testing.zeek import Standalone, read, zeek_path

FRAMES = Path(__file__).parent / "frames"
TRACES = Path(__file__).parents[1] / "zeek" / "btest" / "Traces"
EVERYTHING = ("zeek/nba/",)
_BROKER = "00000000-0000-5000-8000-000000000000"


def folder() -> Path:
    """That of this Zeek's frames, by the two first numbers of its version."""
    zeek = zeek_path()
    assert zeek is not None
    said = subprocess.run([zeek, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+", said)
    assert found is not None
    return FRAMES / found[0]


def keep(name: str, frame: str) -> None:
    """Write one frame."""
    frame = re.sub(r"zeromq__[^\"]*", "zeromq__host_1_N1-websocket-1", frame)
    frame = re.sub(r"[0-9a-f-]{36}-websocket-\w*", f"{_BROKER}-websocket-1", frame)
    frame = re.sub(r"\"R[0-9A-Za-z]+-\d+-[\d.]+\"", '"Rrun-1-1700000000.000000"', frame)
    (folder() / f"{name}.json").write_text(frame + "\n")
    print(f"{name}: {len(frame)} bytes")


def record_capture(names: dict[str, str], capture: str) -> None:
    """Read a capture with Zeek and keep, by event and whether it has sessions, the first frame."""
    with (
        tempfile.TemporaryDirectory() as place,
        Standalone(Path(place), read(TRACES / capture)) as zeek,
        Client(zeek.url, EVERYTHING) as client,
    ):
        client.hello()
        while zeek.zeek.running and names:
            frame = client.receive()
            event, arguments = decode(frame)
            kind = event
            if event == "NBA::sessions":
                client.ack(*arguments[:3])
                kind += "" if arguments[6] else " empty"
            if kind in names:
                keep(names.pop(kind), frame)


def record_conversation() -> None:
    """Keep what Zeek says first, what it says of nonsense, and one client's events at another."""
    with (
        tempfile.TemporaryDirectory() as place,
        Standalone(Path(place)) as zeek,
        Client(zeek.url, ()) as worker,
        Client(zeek.url, EVERYTHING) as other,
    ):
        keep("handshake_ack", worker.greeting)

        worker.send_text("no JSON")
        keep("error_no_json", worker.receive())
        worker.send("zeek/nba/hello/", "NBA::no_such_event")
        keep("error_no_such_event", worker.receive())
        worker.send("zeek/nba/ack/a/", "NBA::ack", ("string", "a"))
        keep("error_arguments", worker.receive())

        worker.hello()
        keep("hello", other.receive())
        other.receive()  # the sensor answers a hello with an empty batch
        worker.verdict("10.0.0.1", "acme-camera")
        worker.status()
        worker.unknown_hosts()
        worker.site_event()
        worker.ack("worker-1", "Rrun-1-1700000000.000000", 7)
        wanted = {
            "NBA::verdict": "verdict",
            "NBA::worker_status": "status",
            "NBA::unknown_hosts": "unknown_hosts",
            "NBA::site_event": "site_event",
            "NBA::ack": "ack",
        }
        while wanted:
            frame = other.receive()
            name = wanted.pop(decode(frame)[0], None)
            if name:
                keep(name, frame)


def main() -> None:
    """Record all frames."""
    folder().mkdir(exist_ok=True)
    record_capture({"NBA::sessions": "sessions", "NBA::sessions empty": "heartbeat"}, "kinds.pcap")
    record_capture({"NBA::sessions": "vlans"}, "vlans.pcap")
    record_capture({"NBA::names": "names"}, "names.pcap")
    record_capture({"NBA::announced": "announced"}, "announcements.pcap")
    record_capture({"NBA::lease": "lease"}, "lease.pcap")
    record_conversation()


if __name__ == "__main__":
    main()
