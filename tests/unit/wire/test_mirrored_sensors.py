"""Sensors that see the same packets, and clusters that only look like it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from nba_broker.wire.mirrored_sensors import FIRST, MirroredSensors
from nba_broker.wire.reorder import Reorder
from tests.unit.helpers import LAMP_CLOUD, pipeline, sessions

ModelFolder = Callable[..., Path]
Row = tuple[float, str, str, str]


def traffic(number: int, seed: int = 1, start: float = 1000.0) -> list[Row]:
    """Twenty hosts' sessions; every third begins with one more to the same place at once."""
    chance = random.Random(seed)
    rows: list[Row] = []
    while len(rows) < number:
        start += chance.expovariate(20.0)
        host, place = chance.randrange(20), chance.randrange(30)
        several = 2 if chance.random() < 0.33 else 1
        rows += [
            (start + n * 1e-3, f"192.168.1.{host}", "", f"9.9.{place}.9") for n in range(several)
        ]
    return rows[:number]


def shifted(rows: Iterable[Row], seconds: float) -> list[Row]:
    return [(ts + seconds, *rest) for ts, *rest in rows]  # type: ignore[misc]


def feed(sensors: MirroredSensors, **nodes: list[Row]) -> dict[str, int]:
    """Batches of all nodes in turn, two seconds each; how many sessions of each are left."""
    left = dict.fromkeys(nodes, 0)
    at = min(rows[0][0] for rows in nodes.values())
    while at <= max(rows[-1][0] for rows in nodes.values()):
        for node, rows in nodes.items():
            if part := [row for row in rows if at <= row[0] < at + 2]:
                left[node] += len(sensors.once(node, sessions(part)))
        at += 2
    return left


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_what_several_nodes_see_is_counted_once_from_the_recognition_on(
    names: tuple[str, ...],
) -> None:
    rows = traffic(3000)
    sensors = MirroredSensors()
    left = feed(sensors, **{name: shifted(rows, 2e-3 * n) for n, name in enumerate(names)})
    assert 3000 <= sum(left.values()) < 3000 + 200 * len(names)
    assert sensors.dropped == 3000 * len(names) - sum(left.values())
    lines = list(sensors.lines)
    assert len(lines) == len(names) * (len(names) - 1) / 2
    first = [line for line in lines if line.startswith("b and a see the same packets:")]
    assert "a also reported 100% of the sessions of b" in first[0]
    assert "Give each sensor packets of its own" in lines[0]


def test_a_node_that_sees_a_part_of_what_another_sees_is_recognised() -> None:
    rows = traffic(4000)
    left = feed(MirroredSensors(), all=rows, part=[row for row in rows if row[1].endswith("3")])
    assert left["all"] >= 3800
    assert left["part"] <= 250


def test_it_is_recognised_when_it_begins_later() -> None:
    rows = traffic(16_000)
    sensors = MirroredSensors()
    feed(sensors, a=rows[: 3 * FIRST : 2], b=rows[1 : 3 * FIRST : 2])
    assert sensors.dropped == 0
    left = feed(sensors, a=rows[3 * FIRST :], b=rows[3 * FIRST :])
    assert left["a"] + left["b"] < 1.7 * (16_000 - 3 * FIRST)


def test_parallel_sessions_of_one_node_are_all_kept() -> None:
    rows = [row for row in traffic(2000) for _ in range(3)]
    assert feed(MirroredSensors(), a=rows) == {"a": 6000}


def test_each_of_parallel_sessions_that_two_nodes_see_is_kept_once() -> None:
    rows = [row for row in traffic(1000) for _ in range(3)]
    left = feed(MirroredSensors(), a=rows, b=rows)
    assert 3000 <= left["a"] + left["b"] <= 3400


def test_load_balancing_with_parallel_connections_is_not_taken_for_it() -> None:
    chance = random.Random(2)
    nodes: dict[str, list[Row]] = {"a": [], "b": []}
    for row in traffic(8000):
        nodes[chance.choice("ab")].append(row)
    sensors = MirroredSensors()
    left = feed(sensors, **nodes)
    assert left == {name: len(rows) for name, rows in nodes.items()}
    assert (sensors.dropped, list(sensors.lines)) == (0, [])


def test_it_is_told_when_it_ends_and_nothing_is_dropped_any_more() -> None:
    rows = traffic(6000)
    sensors = MirroredSensors()
    feed(sensors, a=rows[:2000], b=rows[:2000])
    feed(sensors, a=rows[2000:4000:2], b=rows[2001:4000:2])
    before = sensors.dropped
    feed(sensors, a=rows[4000::2], b=rows[4001::2])
    assert sensors.dropped == before
    assert sensors.lines[-1].endswith("no longer see the same packets")
    assert sensors.nodes == []


def test_what_is_remembered_is_bounded() -> None:
    sensors = MirroredSensors()
    rows = traffic(20_000)
    feed(sensors, a=rows, b=rows)
    assert len(sensors._order) < 600  # of ten seconds


def test_a_host_that_two_nodes_see_has_its_sessions_once(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), reorder=Reorder(settle=0))
    rows = [(1000.0 + n * 0.25, "192.168.1.7", "", LAMP_CLOUD) for n in range(400)]
    for n, row in enumerate(rows):
        for node, late in (("a", 0.0), ("b", 3e-3)):
            made.push(node, row[0] + 0.01, sessions(shifted([row], late)), n * 0.25)
    made.finish()
    assert made.counters.sessions + made.intake.mirrored.dropped == 800
    assert made.counters.sessions < 520
    assert made.intake.first == float("inf")
