"""Splice an attack into a device's traffic, to see whether a detector notices it.

    python -m tools.splice CONN_LOG... --device MAC --attack NAME --at T --out DIR [--seed N]

writes DIR/conn.log, the archive's sessions with those of the attack among them, each of the latter
with a uid that begins with "Cattack", and prints how many there are. ``nba-broker score DIR`` and
``nba-train alarms`` read it as any archive, ``tools.capture`` makes a capture of it.

Attacks: those of training.evaluation.attacks, and device-swapped (from T on the device's place is
taken by --other) and addresses-swapped (from T on the two have each other's addresses).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.cli.config import shipped
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import NBAError
from nba_broker.records.ports import port_name
from nba_broker.records.sessions import Sessions, part_of
from nba_broker.records.times import parse_time
from tools import generate
from training.evaluation.attacks import ATTACKS, Victim

SWAPS = ("device-swapped", "addresses-swapped")
UID = "Cattack"

# fmt: off
COLUMNS = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr",
    "id.resp_p": "port", "proto": "enum", "orig_l2_addr": "string",
}
# fmt: on


def splice(
    sessions: Sessions, device: str, attack: str, at: float, pools: Pools, seed: int = 0
) -> Sessions:
    """The sessions in time order, with the attack from ``at`` on among those of the device with
    this MAC. Raises ValueError where the device has no session before."""
    before = [row for row in _rows(sessions, device) if sessions.ts[row] < at]
    if not before:
        raise ValueError(f"{device} has no session before that time")
    victim = Victim([sessions.dst[row] for row in before], sessions.dport[before], pools)
    made = ATTACKS[attack](victim, at, np.random.default_rng(seed))
    number, host = len(made.ts), sessions.host[before[-1]]
    return _ordered(
        Sessions(
            np.append(sessions.ts, made.ts),
            [*sessions.host, *[host] * number],
            [*sessions.uid, *(f"{UID}{row}" for row in range(number))],
            [*sessions.mac, *[device] * number],
            [*sessions.dst, *made.dst],
            np.append(sessions.dport, made.dport),
        )
    )


def swap(sessions: Sessions, device: str, other: str, at: float, *, both: bool) -> Sessions:
    """From ``at`` on ``other`` stands behind the device's MAC and address, and its own go silent;
    or, with ``both``, the two have each other's addresses and each keeps its MAC. Raises ValueError
    where one of them has no session before."""
    host, mac, keep = list(sessions.host), list(sessions.mac), np.ones(len(sessions), bool)
    address = {}
    for one in (device, other):
        before = [row for row in _rows(sessions, one) if sessions.ts[row] < at]
        if not before:
            raise ValueError(f"{one} has no session before that time")
        address[one] = host[before[-1]]
    for one, new in ((device, other), (other, device)):
        for row in _rows(sessions, one):
            if sessions.ts[row] < at:
                continue
            if both:
                host[row] = address[new]
            elif one == device:
                keep[row] = False
            else:
                host[row], mac[row] = address[device], device
    rows = np.flatnonzero(keep).tolist()
    return _ordered(
        Sessions(
            sessions.ts[rows],
            [host[row] for row in rows],
            [sessions.uid[row] for row in rows],
            [mac[row] for row in rows],
            [sessions.dst[row] for row in rows],
            sessions.dport[rows],
        )
    )


def write(path: Path, sessions: Sessions) -> None:
    """Write a conn.log with the columns that are known when sessions start."""
    rows = []
    for row in range(len(sessions)):
        port, _, protocol = port_name(int(sessions.dport[row])).partition("/")
        rows.append(
            [
                f"{sessions.ts[row]:.6f}",
                sessions.uid[row] or "-",
                sessions.host[row],
                str(1024 + row % 64512),
                sessions.dst[row],
                port,
                "unknown_transport" if protocol == "unknown" else protocol,
                sessions.mac[row] or "-",
            ]
        )
    path.write_bytes(generate.zeek_log("conn", COLUMNS, rows, float(sessions.ts[0])))


def _rows(sessions: Sessions, mac: str) -> list[int]:
    return [row for row, one in enumerate(sessions.mac) if one == mac]


def _ordered(sessions: Sessions) -> Sessions:
    order = np.argsort(sessions.ts, kind="stable").tolist()
    return Sessions(
        sessions.ts[order],
        [sessions.host[row] for row in order],
        [sessions.uid[row] for row in order],
        [sessions.mac[row] for row in order],
        [sessions.dst[row] for row in order],
        sessions.dport[order],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="CONN_LOG")
    parser.add_argument("--device", required=True, type=str.lower, metavar="MAC")
    parser.add_argument("--other", type=str.lower, metavar="MAC", help="the second one of a swap")
    parser.add_argument("--attack", required=True, choices=(*ATTACKS, *SWAPS))
    parser.add_argument("--at", required=True, type=parse_time, metavar="T")
    parser.add_argument("--since", type=parse_time, metavar="T", help="leave out what lies before")
    parser.add_argument("--until", type=parse_time, metavar="T", help="and from T on")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same attack (default 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args(argv)
    if (arguments.attack in SWAPS) != (arguments.other is not None):
        parser.error(f"--other goes with {' and '.join(SWAPS)}")
    try:
        archive = conn_log.read(arguments.paths, since=arguments.since, until=arguments.until)
        (sessions,) = archive.batches(size=max(len(archive), 1))
        if arguments.attack in SWAPS:
            both = arguments.attack == "addresses-swapped"
            spliced = swap(sessions, arguments.device, arguments.other, arguments.at, both=both)
        else:
            pools = Pools([Database(shipped("asn.mmdb.xz"))], scheme="asn")
            spliced = splice(
                sessions, arguments.device, arguments.attack, arguments.at, pools, arguments.seed
            )
            if arguments.until is not None:
                inside = int(np.searchsorted(spliced.ts, arguments.until))
                spliced = part_of(spliced, 0, inside)
    except (NBAError, ValueError) as error:
        print(f"splice: {error}", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(arguments.out / "conn.log", spliced)
    foreign = sum(uid.startswith(UID) for uid in spliced.uid)
    print(f"{len(spliced)} sessions, {foreign} of the attack -> {arguments.out / 'conn.log'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
