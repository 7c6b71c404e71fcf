"""Overrides of names in the pipeline: what they change, and what they leave alone."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import Anomaly, HostBaseline
from nba_broker.destinations.overrides import Override
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.names import Names, order, take
from nba_broker.records.sessions import Sessions, concatenate
from nba_broker.records.sessions import take as take_sessions
from nba_broker.records.times import DAY
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from tests.unit.helpers import LAMP_CLOUD, MAC, names, pipeline, sessions
from tests.unit.pipeline.test_live_offline import SECONDS, START, traffic

ModelFolder = Callable[..., Path]

HOST = "192.168.1.10"
TIME: list[Override] = [("*.ntp.org", "time")]
EVERY = 600.0


def usual(days: float, begin: float = START, dst: str = LAMP_CLOUD) -> Sessions:
    """A session every ten minutes."""
    number = int(days * DAY / EVERY)
    return sessions([(begin + n * EVERY, HOST, MAC.format(1), dst) for n in range(number)])


def asked(*rows: tuple[float, str]) -> Names:
    """What the host asks for LAMP_CLOUD, days after the start."""
    return names([(START + days * DAY, HOST, name, LAMP_CLOUD) for days, name in rows])


def made(folder: Path, rows: list[Override]) -> Pipeline:
    one = pipeline(folder)
    one.pools.override(rows)
    return one


def pool_of(one: Pipeline, slot: int = 0) -> list[str]:
    """The pools in the window of a host."""
    windows = one.windows.latest(np.array([slot]))
    return [one.pools.table[number] for number in windows.pool[0].tolist() if number >= 0]


def misbehaves(verdicts: list[Verdict]) -> bool:
    return any(one.state == "misbehaving" for one in verdicts)


FLIPS = asked((6, "pool.ntp.org"), (8, "maker.example"), (10, "0.pool.ntp.org"))
"""The name of a destination that a host has used for long comes late, goes and comes back."""


def test_an_address_that_is_used_before_its_question_is_seen_raises_no_alarm(
    model_folder: ModelFolder,
) -> None:
    one = made(model_folder(), TIME)
    verdicts = one.process(usual(12), FLIPS) + one.finish()
    assert set(pool_of(one)) == {"time"}
    assert not misbehaves(verdicts)
    assert not any(line.reason == "missing" for line in verdicts)
    assert not one.baseline.columns["surprising_sessions"].any()


def test_a_network_row_that_comes_late_is_a_new_destination(model_folder: ModelFolder) -> None:
    """What the test above would find if the baseline took the pool of the name."""
    one = made(model_folder(), [])
    verdicts = one.process(usual(6))
    one.pools.override([(ipaddress.ip_network("1.0.0.0/8"), "time")])
    verdicts += one.process(usual(2, START + 6 * DAY)) + one.finish()
    assert misbehaves(verdicts)


def test_an_override_of_a_name_changes_no_baseline(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is new otherwise: a beacon is as surprising as without the override."""
    found: list[list[np.ndarray]] = []
    push = HostBaseline.push

    def note(self: HostBaseline, *arguments: Any) -> tuple[np.ndarray, list[Anomaly]]:
        surprise, alarms = push(self, *arguments)
        found[-1].append(surprise)
        return surprise, alarms

    monkeypatch.setattr(HostBaseline, "push", note)
    beacon = usual(2, START + 10 * DAY + 7, "9.9.9.9")
    whole = concatenate([usual(12), beacon])
    baselines = []
    for rows in (TIME, []):
        found.append([])
        one = made(model_folder(), rows)
        one.process(take_sessions(whole, np.argsort(whole.ts, kind="stable")), FLIPS)
        baselines.append(one.baseline.columns)
        assert ("time" in one.pools.table) is (rows == TIME)
    with_row, without = map(np.concatenate, found)
    np.testing.assert_array_equal(with_row, without)
    assert without.sum() > 50
    for name, column in baselines[1].items():
        if name != "pair":  # of numbers of pools, whose order differs
            np.testing.assert_array_equal(baselines[0][name], column, err_msg=name)


def test_new_overrides_of_names_raise_no_alarm_and_move_the_next_sessions(
    model_folder: ModelFolder,
) -> None:
    one = made(model_folder(), [])
    verdicts = one.process(usual(6), asked((0.1, "pool.ntp.org")))
    assert set(pool_of(one)) == {"as:1"}
    one.pools.override(TIME)
    verdicts += one.process(usual(2, START + 6 * DAY)) + one.finish()
    assert set(pool_of(one)) == {"time"}
    assert not misbehaves(verdicts)


def test_who_ignores_a_pool_of_a_name_ignores_the_sessions_that_have_it(
    model_folder: ModelFolder,
) -> None:
    one = made(model_folder(), TIME)
    one.process(sessions([(START + n, HOST, MAC.format(1), LAMP_CLOUD) for n in range(8)]),
                names([(START + 3.5, HOST, "pool.ntp.org", LAMP_CLOUD)]))  # fmt: skip
    window = one.windows.latest(np.array([0]))
    for pool, number in (("time", 4), ("as:1", 4)):
        one.annotate([Annotation(0.0, "", "ignore", pool=pool)])
        columns = (window.columns[name][0, -8:] for name in ("ts", "pool", "dst", "name"))
        ignored = one.annotations.ignored_destinations.ignored(np.zeros(8, np.int64), *columns)
        assert ignored.sum() == number


def test_a_pool_that_no_destination_can_be_in_is_warned_of_once(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    one = made(model_folder(), TIME)
    for _ in range(2):
        one.annotate([Annotation(0.0, "", "ignore", pool=pool) for pool in ("time", "google")])
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "annotations: ignore: no destination can be in the pool 'google'"
    ]


def answers(table: Sessions, rng: random.Random) -> Names:
    """Answers about destinations to the hosts of some of these sessions, shortly after them."""
    rows = sorted(rng.sample(range(len(table)), len(table) // 2))
    found = names(
        [
            (
                float(table.ts[row]) + rng.choice([0.001, 0.1, 3.0]),
                table.host[row],
                rng.choice(["1.example", "2.example", "maker.test"]),
                rng.choice(table.dst),
            )
            for row in rows
        ]
    )
    assert table.segment is not None
    found = replace(found, segment=[table.segment[row] for row in rows])
    return take(found, order(found))


def live(one: Pipeline, table: Sessions, heard: Names, rng: random.Random, nodes: int) -> None:
    """Each session and answer by one of these nodes, four batches a second of each."""
    node = np.array([rng.randrange(nodes) for _ in range(len(table))])
    by = np.array([rng.randrange(nodes) for _ in range(len(heard))])
    for step in range(int(SECONDS * 4) + 80):
        since, until = START + step / 4, START + (step + 1) / 4
        for number in rng.sample(range(nodes), nodes):
            there = (table.ts >= since) & (table.ts < until) & (node == number)
            said = (heard.ts >= since) & (heard.ts < until) & (by == number)
            batch = take_sessions(table, np.flatnonzero(there))
            one.push(f"n{number}", until, batch, until - START, take(heard, np.flatnonzero(said)))
    one.finish()


def pools_by_host(one: Pipeline) -> dict[tuple[str, str], list[str]]:
    hosts = one.identity.names(0, one.identity.capacity)
    return {host: pool_of(one, slot) for slot, host in hosts.items()}


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_however_nodes_split_them_sessions_have_the_pools_of_an_archive(
    model_folder: ModelFolder, seed: int, nodes: int
) -> None:
    rng = random.Random(seed)
    table = traffic(rng)
    heard = answers(table, rng)
    rows: list[Override] = [("1.example", "one"), ("*.example", "others")]
    whole, nearby = made(model_folder(), rows), made(model_folder(), rows)
    whole.process(table, heard)
    whole.finish()
    live(nearby, table, heard, rng, nodes)
    found = pools_by_host(whole)
    assert {"one", "others", "as:1"} <= {pool for of_host in found.values() for pool in of_host}
    assert pools_by_host(nearby) == found
