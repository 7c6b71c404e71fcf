"""For which share of each host's public sessions a name is known, and from when on.

    python -m tools.names ARCHIVE... [--labels L.csv]

ARCHIVE holds dns logs beside its conn logs. A session counts as public if its pool is an autonomous
system. Hosts are printed by their device where labels say it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.cli import config
from nba_broker.destinations.databases import Database
from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.names import NO_NAME, NameTable
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.pipeline.tracker import Tracker
from nba_broker.records.errors import NBAError
from nba_broker.records.slots import Slots
from nba_broker.records.times import HOUR
from training.data import labels


@dataclass(slots=True)
class Coverage:
    """Of a host's public sessions: their number, that of those with a name, the names, and hours
    from the host's first session to the first with a name."""

    began: float
    sessions: int = 0
    named: int = 0
    names: set[str] = field(default_factory=set)
    first: float = np.nan


def coverage(archive: conn_log.Archive, pools: Pools) -> dict[str, Coverage]:
    """The coverage of each host, by MAC or address."""
    tracker, slots = Tracker(), Slots()
    table = NameTable(slots)
    lookup = Lookup(pools, table)
    found: dict[int, Coverage] = {}
    for lease in archive.leases:
        tracker.lease(lease)
    for batch, names in archive.batches_with_names():
        tracker.askers.hear(names)
        for part in tracker.track(batch):
            slots.reserve(tracker.identity.capacity)
            to = lookup(part.sessions, part.slot, part.answers)
            public = np.array([of_database(one) for one in pools.table], bool)[to.address_pool]
            for slot in np.unique(part.slot).tolist():
                rows = np.flatnonzero(part.slot == slot)
                one = found.setdefault(slot, Coverage(float(part.sessions.ts[rows[0]])))
                rows = rows[public[rows]]
                with_name = rows[to.name[rows] != NO_NAME]
                one.sessions += len(rows)
                one.named += len(with_name)
                one.names |= set(map(table.text, np.unique(to.name[with_name]).tolist()))
                if len(with_name) and np.isnan(one.first):
                    one.first = (float(part.sessions.ts[with_name[0]]) - one.began) / HOUR
    identity = tracker.identity
    return {
        identity.mac(slot) or identity.address(slot): one
        for slot, one in found.items()
        if one.sessions
    }


def lines(found: dict[str, Coverage], devices: dict[str, str]) -> list[str]:
    """A table for people: a line for each host, then one for all."""
    total = sum(one.sessions for one in found.values())
    named = sum(one.named for one in found.values())
    rows = [f"{'host':<24}{'public':>8}{'named':>8}{'share':>8}{'names':>7}{'first, h':>10}"]
    for host, one in sorted(found.items(), key=lambda item: -item[1].sessions):
        share = f"{one.named / one.sessions:.1%}"
        first = "-" if np.isnan(one.first) else f"{one.first:.2f}"
        rows.append(
            f"{devices.get(host, host):<24}{one.sessions:>8}{one.named:>8}{share:>8}"
            f"{len(one.names):>7}{first:>10}"
        )
    return [*rows, f"{'all':<24}{total:>8}{named:>8}{named / max(total, 1):>8.1%}"]


def main() -> int:
    """Exit status 1 after one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", nargs="+", help="conn logs with dns logs, or folders of them")
    parser.add_argument("--labels", type=Path, action="append", default=[], metavar="L.csv")
    arguments = parser.parse_args()
    try:
        devices = labels.devices_of(labels.read(arguments.labels))
        archive = conn_log.read(arguments.archive, names=True)
        pools = Pools([Database(config.shipped("asn.mmdb.xz"))])
        print(*lines(coverage(archive, pools), devices), sep="\n")
    except NBAError as error:
        print(f"names: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
