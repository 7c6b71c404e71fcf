"""A model at a new site: the notices and names of the first week.

    python -m tools.day_one ARCHIVE --model DIR --truth L.csv [--truth L2.csv]...

Prints the notices that zeek-scripts/notice.zeek raises for these verdicts with its default options,
the share of labelled hosts that ever had, and at the end have, a wrong name, and how the groups of
hosts that are unknown at the archive's end compare with their devices.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import NBAError
from nba_broker.records.times import DAY
from nba_broker.records.verdicts import STATES, Verdict
from nba_broker.verdicts import groups
from training.data import agreement, labels
from training.evaluation.notices import BASELINE, Manager


def first_week(archive: conn_log.Archive, pipeline: Pipeline) -> list[Verdict]:
    """The verdicts on all hosts in the week after each one's first session."""
    for lease in archive.leases:
        pipeline.lease(lease)
    verdicts = [one for batch in archive.batches() for one in pipeline.process(batch)]
    return [one for one in verdicts if one.ts - one.first_seen < BASELINE]


def notices(verdicts: list[Verdict]) -> tuple[Counter[str], int]:
    """How many there are of each state, but for unknown ones, and on how many days a summary of
    these is raised."""
    manager = Manager()
    raised = Counter(
        one.state
        for one in verdicts
        if manager.raises(
            one.ts, one.host, STATES.index(one.state), one.device, one.reason, one.first_seen
        )
    )
    days = {one.ts // DAY for one in verdicts if one.state == "unknown" and one.reason == "change"}
    return raised, len(days)


def report(path: str, model: Path, truth: list[labels.Label]) -> list[str]:
    """The figures of one site, in lines to be printed."""
    archive = conn_log.read([path])
    settings = config.load(None, {}, {"model": str(model)})
    pipeline = build_pipeline(settings, worker="")
    verdicts = first_week(archive, pipeline)
    identity = pipeline.identity
    devices = labels.devices_of(truth)
    known = {one.mac or one.host: one for one in verdicts}  # the latest of each host
    hosts = {host: devices[host] for host in known if host in devices}
    ever = {
        one.mac or one.host
        for one in verdicts
        if one.device and one.device != hosts.get(one.mac or one.host, one.device)
    }
    wrong = [host for host, device in hosts.items() if known[host].device not in ("", device)]
    states = Counter(known[host].state for host in hosts)
    raised, summaries = notices(verdicts)
    lines = [
        f"{path}: {len(known)} hosts, {len(hosts)} labelled",
        f"first week: {sum(raised.values())} notices of single hosts "
        f"({', '.join(f'{n} {state}' for state, n in raised.items()) or 'none'}), "
        f"{sum(raised.values()) / max(len(known), 1):.2f} a host; {summaries} summaries",
        f"labelled hosts wrongly named: ever {len(ever)}, at last {len(wrong)} of {len(hosts)} "
        f"({len(wrong) / max(len(hosts), 1):.0%}); at last "
        + ", ".join(f"{n} {state}" for state, n in states.items()),
    ]
    slots = pipeline.decider.unknown(np.inf)
    found = groups.compare(slots, identity, pipeline.windows, pipeline.pools)
    rows = [
        (devices[host], group)
        for slot, group in zip(found.slot.tolist(), found.group.tolist(), strict=True)
        if (host := identity.mac(slot) or identity.address(slot)) in devices
    ]
    lines += (
        [f"unknown at the archive's end: {line}" for line in agreement.compared(rows)]
        if rows
        else []
    )
    return lines


def main() -> int:
    """Exit status 1 after one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", nargs="+", help="conn logs of a site each, or folders of them")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--truth", type=Path, action="append", required=True, metavar="L.csv")
    arguments = parser.parse_args()
    try:
        truth = labels.read(arguments.truth)
        for path in arguments.archive:
            print(*report(path, arguments.model, truth), "", sep="\n")
    except NBAError as error:
        print(f"day_one: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
