"""Events of the site and missing destinations, from sessions to records and lines."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions, order, take
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Verdict
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import MAC, pipeline

ModelFolder = Callable[..., Path]
Rows = list[tuple[float, int, str, str]]

START = 1_750_000_200.0
HOUR, DAY = 3600.0, 86_400.0
BEGIN = START + 3.5 * DAY
CLOUDS = ("1.0.0.7", "2.0.0.7", "3.0.0.7")
GATEWAY = "192.168.1.1"
SLOWLY = 1200.0  # seconds between a host's sessions while it is learned


def home(days: float = 4.0, hosts: int = 4) -> Rows:
    """Hosts that ask the gateway and start sessions with two clouds, in turn, and DNS before."""
    rows: Rows = []
    for host in range(hosts):
        for ts in np.arange(START + 13 * host, START + days * DAY, SLOWLY / 2).tolist():
            rows += [(ts, host, GATEWAY, "53/udp"), (ts + 1, host, CLOUDS[0], "443/tcp")]
            rows += [(ts + 2, host, CLOUDS[1], "443/tcp"), (ts + 3, host, CLOUDS[2], "443/tcp")]
    return rows


def outage(rows: Rows, hours: float = 4.0) -> Rows:
    """For some hours from BEGIN on each host only tries one cloud again, every minute."""
    end = BEGIN + hours * HOUR
    kept = [row for row in rows if not (BEGIN <= row[0] < end and row[3] == "443/tcp")]
    again = np.arange(BEGIN + 30, end, 60).tolist()
    return kept + [(ts + host, host, CLOUDS[0], "443/tcp") for host in range(4) for ts in again]


def table(rows: Rows) -> Sessions:
    ports = [service.partition("/") for *_, service in rows]
    made = Sessions(
        np.array([row[0] for row in rows]),
        [f"192.168.1.{10 + row[1]}" for row in rows],
        [f"C{number}" for number in range(len(rows))],
        [MAC.format(row[1]) for row in rows],
        [row[2] for row in rows],
        np.array([port_code(int(port), name) for port, _, name in ports], np.int32),
    )
    return take(made, order(made))


def run(made: Pipeline, rows: Rows) -> list[Verdict]:
    return made.process(table(rows)) + made.finish()


def told(made: Pipeline) -> list[tuple[str, str, int, tuple[str, ...]]]:
    return [(one.kind, one.state, one.hosts, one.examples) for one in made.site.records]


def test_an_outage_gives_one_record_as_it_begins_and_one_as_it_is_over(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    run(made, outage(home()))
    hosts = tuple(f"192.168.1.{10 + host}" for host in range(4))
    assert told(made) == [("internet", "begun", 4, hosts), ("internet", "over", 4, hosts)]
    begun, over = made.site.records
    assert begun.since == over.since == BEGIN // 600 * 600
    assert BEGIN < begun.ts < BEGIN + HOUR
    assert (begun.watched, begun.where, begun.worker) == (4, "", "w")


def test_the_retries_of_an_outage_reach_neither_windows_nor_baselines(
    model_folder: ModelFolder,
) -> None:
    made, quiet = pipeline(model_folder()), pipeline(model_folder())
    run(made, outage(home()))
    run(quiet, home())
    assert made.counters.sessions > quiet.counters.sessions
    assert (made.windows.count < quiet.windows.count).any()
    assert not made.baseline.columns["surprising_sessions"].any()


def test_a_router_that_probes_every_host_is_named_by_its_address(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    probes = [
        (ts + host, host, GATEWAY, "3/icmp")
        for host in range(4)
        for ts in np.arange(BEGIN, BEGIN + 6 * HOUR, 60).tolist()
    ]
    lines = run(made, home() + probes)
    assert [(one.kind, one.state, one.where) for one in made.site.records] == [
        ("probe", "begun", f"{GATEWAY} 3/icmp"),
        ("probe", "over", f"{GATEWAY} 3/icmp"),
    ]
    assert not [one for one in lines if one.state == "misbehaving"]


@pytest.mark.parametrize("address", ["8.8.8.8", "192.168.1.66"])
def test_another_resolver_is_named_by_its_address(model_folder: ModelFolder, address: str) -> None:
    made = pipeline(model_folder())
    run(
        made,
        [
            (*row[:2], address, row[3]) if row[0] > BEGIN and row[3] == "53/udp" else row
            for row in home()
        ],
    )
    assert [(one.kind, one.where) for one in made.site.records] == [
        ("resolver", f"{address} 53/udp")
    ]


def live(made: Pipeline, some: Sessions, rng: random.Random) -> list[Verdict]:
    """The sessions in batches of any length."""
    verdicts, at = [], 0
    while at < len(some):
        stop = min(at + rng.choice([1, 7, 60, 400]), len(some))
        now = float(some.ts[stop - 1])
        verdicts += made.push("n", now, take(some, np.arange(at, stop)), now - START)
        at = stop
    return verdicts + made.finish()


@pytest.mark.parametrize("seed", range(2))
def test_live_batches_give_the_events_and_lines_of_the_archive(
    model_folder: ModelFolder, seed: int
) -> None:
    some = table(outage(home()))
    whole, made = pipeline(model_folder()), pipeline(model_folder(), reorder=Reorder())
    expected = whole.process(some) + whole.finish()
    assert live(made, some, random.Random(seed)) == expected
    assert list(made.site.records) == list(whole.site.records)
    assert len(whole.site.records) == 2


def test_an_outage_goes_on_after_a_restart(model_folder: ModelFolder, tmp_path: Path) -> None:
    some = table(outage(home()))
    half = int(np.searchsorted(some.ts, BEGIN + 2 * HOUR))
    made = pipeline(model_folder())
    made.process(take(some, np.arange(half)))
    records: list[SiteEvent] = list(made.site.records)
    path = tmp_path / "hosts.snapshot"
    snapshot_file.write(path, snapshot.parts(made, {}))
    again = pipeline(model_folder())
    snapshot.restore(path, again)
    again.process(take(some, np.arange(half, len(some))))
    again.finish()
    records += again.site.records
    assert [(one.kind, one.state) for one in records] == [
        ("internet", "begun"),
        ("internet", "over"),
    ]


def test_a_lost_server_has_one_line_and_the_host_keeps_its_state(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    lost = [row for row in home(days=5) if not (row[0] > BEGIN and row[1:3] == (2, CLOUDS[0]))]
    lines = run(made, lost)
    (number,) = (n for n, one in enumerate(lines) if one.reason == "missing")
    line = lines[number]
    before = [one for one in lines[:number] if one.host == line.host][-1]
    assert line.host == "192.168.1.12"
    assert (line.state, line.device, line.since) == (before.state, before.device, before.since)
    (text,) = line.row().evidence
    assert text.startswith(f"missing: {CLOUDS[0]} 443/tcp as:1 (Organisation 1) last=")
    assert line.row().evidence_dst == (CLOUDS[0],)
    assert not made.site.records
