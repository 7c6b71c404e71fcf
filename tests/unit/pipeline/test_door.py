"""Clocks that are wrong, jump, stand still, or come back: what the pipeline sees of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.clock import Batch
from nba_broker.pipeline.door import Door
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.sessions import Lease, Sessions
from nba_broker.records.times import DAY, YEAR
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, host, pipeline, sessions

ModelFolder = Callable[..., Path]
Row = tuple[float, str, str, str]

START = 1_750_000_000.0
LATER = START + 5 * YEAR
FUTURE = host(7, times=[LATER], dst=LAMP_CLOUD)


def lamp(first: float, number: int, step: float = 60.0, unit: int = 7) -> list[Row]:
    return host(unit, times=[first + n * step for n in range(number)], dst=LAMP_CLOUD)


def beaconing(times: list[float]) -> list[Row]:
    return [(ts, "192.168.1.7", "02:00:00:00:00:07", "9.9.9.9") for ts in times]


def facts(verdicts: list[Verdict]) -> list[tuple[float, str, str, str]]:
    return [(one.ts, one.host, one.state, one.device) for one in verdicts]


class Live:
    """Pushes sessions as sensors do, four batches a second, and collects the verdicts.

    Every node has a clock that is off by so much; ``batch`` may have another clock.
    """

    def __init__(self, made: Pipeline, **off: float) -> None:
        self.made = made
        self.off = off
        self.at = 0.0
        self.verdicts: list[Verdict] = []
        self.when: list[float] = []

    def batch(self, node: str, rows: list[Row], clock: float | None = None) -> None:
        off = self.off[node]
        table = sessions([(ts + off, *rest) for ts, *rest in rows])  # type: ignore[misc]
        clock = START + self.at + off if clock is None else clock
        self._note(self.made.push(node, clock, table, self.at))

    def run(self, seconds: float, **rows: list[Row]) -> None:
        """Times of the rows are true ones."""
        end = self.at + seconds
        while self.at < end:
            self.at += 0.25
            for node in self.off:
                now = START + self.at
                self.batch(node, [row for row in rows.get(node, []) if now - 0.25 <= row[0] < now])

    def finish(self) -> None:
        self._note(self.made.finish())

    def _note(self, verdicts: list[Verdict]) -> None:
        self.verdicts += verdicts
        self.when += [self.at] * len(verdicts)


def made(folder: Path) -> Pipeline:
    return pipeline(folder, reorder=Reorder())


def seconds(number: int, unit: int, first: float = 10.0, step: float = 0.5) -> list[Row]:
    return host(unit, times=[START + first + n * step for n in range(number)], dst=LAMP_CLOUD)


# In order, as an archive's.


def test_one_session_years_ahead_leaves_no_trace(model_folder: ModelFolder) -> None:
    folder = model_folder()
    rows = lamp(START, 400)
    right, wrong = pipeline(folder), pipeline(folder)
    expected = right.process(sessions(rows))
    found = wrong.process(sessions([*rows[:200], *FUTURE]))
    found += wrong.process(sessions(rows[200:]))
    assert facts(found) == facts(expected)
    assert wrong.intake.door.restamped == 1
    assert wrong.windows.last_ts.max() == right.windows.last_ts.max()
    assert "at 2030-" in wrong.intake.door.lines.popleft()


@pytest.mark.parametrize("place", [0, 1, 150, 399])
@pytest.mark.parametrize("size", [7, 1000])
def test_no_line_is_from_the_future_at_any_place_of_the_session(
    model_folder: ModelFolder, place: int, size: int
) -> None:
    rows = lamp(START, 400)
    rows[place:place] = FUTURE
    one = pipeline(model_folder())
    found = [
        verdict
        for at in range(0, len(rows), size)
        for verdict in one.process(sessions(rows[at : at + size]))
    ]
    found += one.finish()
    assert [verdict.device for verdict in found if verdict.device] == ["Lamp"]
    if place:
        assert max(verdict.ts for verdict in found) < START + DAY
    assert one.counters.sessions == 401
    assert one.windows.last_ts.max() == rows[-1][0] or place == 399


def test_a_beacon_is_found_though_one_session_was_years_ahead(model_folder: ModelFolder) -> None:
    # Half a minute past each half hour, after three weeks of a lamp's own.
    days = lamp(START, 21 * 24, 3600.0)
    begins = days[-1][0] + 3600
    beacon = beaconing([begins + n * 1800 for n in range(96)])
    rest = sorted([*beacon, *lamp(begins, 48, 3600.0)])
    folder = model_folder()
    alarms = []
    for strays in ([], FUTURE):
        one = pipeline(folder)
        found = one.process(sessions([*days, *strays])) + one.process(sessions(rest))
        alarms.append([verdict.ts for verdict in found if verdict.state == "misbehaving"])
    assert alarms[0] == alarms[1] != []


def test_a_gap_of_years_is_accepted(model_folder: ModelFolder) -> None:
    one = pipeline(model_folder())
    rows = lamp(START, 100) + lamp(LATER, 100, unit=8)
    found = one.process(sessions(rows)) + one.finish()
    assert [verdict.ts > LATER - 1 for verdict in found] == [False, False, True, True]
    assert one.intake.door.restamped == 0


def test_few_sessions_a_month_later_keep_their_times(model_folder: ModelFolder) -> None:
    one = pipeline(model_folder())
    late = host(8, times=[START + 40 * DAY], dst=LAMP_CLOUD)
    found = one.process(sessions([*lamp(START, 400), *late]))
    assert found[-1].ts == START + 40 * DAY


# Live.


def test_a_future_packet_after_which_zeeks_clock_stands_still(model_folder: ModelFolder) -> None:
    folder = model_folder()
    before, after = seconds(10, 7), seconds(30, 7, first=16)
    right = Live(made(folder), a=0.0)
    right.run(15, a=before)
    right.run(20, a=after)
    wrong = Live(made(folder), a=0.0)
    wrong.run(15, a=before)
    wrong.batch("a", [(LATER, "192.168.1.9", "", LENS_CLOUD)], clock=LATER)
    for n in range(15):  # only full batches, and the clock is that of the one packet
        wrong.at += 1.0
        wrong.batch("a", after[2 * n : 2 * n + 2], clock=LATER)
    for live in (right, wrong):
        live.finish()
    assert facts([v for v in wrong.verdicts if v.host.endswith(".7")]) == facts(right.verdicts)
    (line,) = [verdict for verdict in wrong.verdicts if verdict.host.endswith(".9")]
    assert START + 14 <= line.ts <= START + 20
    assert wrong.made.intake.door.restamped == 1
    assert wrong.made.intake.reorder.late == 0


def test_a_session_that_contradicts_its_nodes_clock_gets_the_time_of_arrival(
    model_folder: ModelFolder,
) -> None:
    live = Live(made(model_folder()), a=0.0)
    live.run(10)
    live.batch("a", [*FUTURE, (3.0, "192.168.1.8", "", LAMP_CLOUD)])
    live.run(3)
    assert [verdict.ts for verdict in live.verdicts] == [START + 10, START + 10]
    assert live.made.intake.door.restamped == 2


def test_a_clock_that_jumps_and_comes_back_leaves_no_trace(model_folder: ModelFolder) -> None:
    folder = model_folder()
    rows = seconds(60, 7)
    right = Live(made(folder), a=0.0)
    right.run(60, a=rows)
    wrong = Live(made(folder), a=0.0)
    wrong.run(20, a=rows)
    wrong.off["a"] = 10 * 3600.0
    wrong.run(3, a=rows)
    wrong.off["a"] = 0.0
    wrong.run(37, a=rows)
    assert facts(wrong.verdicts) == facts(right.verdicts)
    assert wrong.made.intake.reorder.late == 0
    assert wrong.made.counters.sessions == right.made.counters.sessions == 60
    assert wrong.made.windows.last_ts.max() == right.made.windows.last_ts.max()


@pytest.mark.parametrize("jump", [2 * 3600.0, 3 * YEAR, -3 * YEAR])
def test_a_clock_that_is_set_for_good_is_accepted(model_folder: ModelFolder, jump: float) -> None:
    live = Live(made(model_folder()), a=0.0)
    rows = seconds(200, 7)
    live.run(30, a=rows)
    live.off["a"] = jump
    live.run(90, a=rows)
    live.finish()
    assert live.made.counters.sessions == 200
    assert live.made.intake.door.restamped == 0
    assert live.made.windows.last_ts.max() == rows[-1][0] + jump
    assert live.made.intake.reorder.late <= (jump < 0)


@pytest.mark.parametrize("behind", [-3600.0, -4 * YEAR, 3600.0, 4 * YEAR])
def test_a_node_whose_clock_is_wrong_stalls_no_other_and_is_named(
    model_folder: ModelFolder, behind: float
) -> None:
    folder = model_folder()
    rows = {"a": seconds(60, 7), "b": seconds(60, 8), "c": seconds(60, 9)}
    right, wrong = Live(made(folder), a=0.0, b=0.0, c=0.0), Live(made(folder), a=0.0, b=behind, c=0)
    for live in (right, wrong):
        live.run(60, **rows)
    times, rest = zip(*((v.ts, (v.host, v.state, v.device)) for v in wrong.verdicts), strict=True)
    assert sorted(rest) == sorted((v.host, v.state, v.device) for v in right.verdicts)
    assert sorted(times) == pytest.approx(sorted(v.ts for v in right.verdicts), abs=1e-3, rel=0)
    assert max(wrong.when) == max(right.when)  # as soon as without it
    where = "behind" if behind < 0 else "ahead of"
    (line,) = wrong.made.intake.door.lines
    assert line == (
        f"b's clock is {abs(behind):.0f} s {where} the others; its sessions are corrected by that. "
        "Set its clock (NTP)."
    )
    assert wrong.made.intake.reorder.late == 0


def test_this_machines_clock_decides_between_two_nodes(model_folder: ModelFolder) -> None:
    live = Live(made(model_folder()), a=0.0, b=3600.0)
    live.made.intake.door.machine = START
    live.run(20, a=seconds(20, 7), b=seconds(20, 8))
    assert [line.split("'")[0] for line in live.made.intake.door.lines] == ["b"]
    assert max(verdict.ts for verdict in live.verdicts) < START + 60


def test_a_host_behind_two_nodes_is_seen_in_order_though_one_is_an_hour_behind(
    model_folder: ModelFolder,
) -> None:
    folder = model_folder()
    rows = seconds(80, 7)
    right, wrong = Live(made(folder), a=0.0, b=0.0), Live(made(folder), a=0.0, b=-3600.0)
    for live in (right, wrong):
        live.made.intake.door.machine = START
        live.run(60, a=rows[::2], b=rows[1::2])
    assert facts(wrong.verdicts) == facts(right.verdicts)
    slots = slice(0, 1)
    for name in ("ts", "pool", "dport"):
        found, expected = (one.made.windows.columns["ring"][name][slots] for one in (wrong, right))
        np.testing.assert_allclose(found, expected)


def test_a_corrected_clock_is_reported_once(model_folder: ModelFolder) -> None:
    live = Live(made(model_folder()), a=0.0, b=-3600.0)
    live.made.intake.door.machine = START
    rows = {"a": seconds(300, 7), "b": seconds(300, 8)}
    live.run(60, **rows)
    live.off["b"] = 0.0
    live.run(120, **rows)
    live.finish()
    first, second = live.made.intake.door.lines
    assert "b's clock is 3600 s behind" in first
    assert second == "b's clock agrees with the others again"
    assert live.made.windows.last_ts.max() < START + 200
    assert live.made.counters.sessions == 600


def test_replays_at_another_speed_are_left_alone(model_folder: ModelFolder) -> None:
    one = made(model_folder())
    for n in range(200):
        now = n * 0.25
        for node, start in (("a", 0.0), ("b", 2.0)):  # one started two seconds later
            clock = START + 40 * (now - start)
            one.push(node, clock, sessions([(clock, "192.168.1.7", "", LAMP_CLOUD)]), now)
    one.finish()
    assert list(one.intake.door.lines) == []
    assert one.intake.door.restamped == one.intake.reorder.late == 0


# Captures: one node, without a clock of its own.


def capture(folder: Path) -> Pipeline:
    return pipeline(folder, reorder=Reorder(silence=np.inf, settle=0))


def test_a_capture_with_a_gap_of_days_is_read_as_it_is(model_folder: ModelFolder) -> None:
    one = capture(model_folder())
    one.push("s", 0.0, sessions([]), 0.0)  # before the first packet
    rows = lamp(START, 100) + lamp(START + 9 * DAY, 5, unit=8)
    one.push("s", rows[99][0], sessions(rows[:100]), 0.1)
    one.push("s", rows[-1][0], sessions(rows[100:]), 0.1)
    found = one.push("s", rows[-1][0] + 3600, sessions([]), 0.1)  # the end
    assert (one.counters.sessions, one.intake.door.restamped) == (105, 0)
    assert one.windows.last_ts.max() == rows[-1][0]
    assert found[-1].ts == START + 9 * DAY


def test_a_capture_with_one_future_packet_is_read_as_without(model_folder: ModelFolder) -> None:
    folder = model_folder()
    rows = lamp(START, 300)
    lines = []
    for strays in ([], [(LATER, "192.168.1.9", "", LENS_CLOUD)]):
        one = capture(folder)
        clock, found = 0.0, one.push("s", 0.0, sessions([]), 0.0)
        for at in range(0, 300, 50):
            batch = [*rows[at : at + 50], *(strays if at == 100 else [])]
            clock = max(clock, *(row[0] for row in batch))
            found += one.push("s", clock, sessions(batch), at / 50)
        found += one.push("s", clock + 3600, sessions([]), 9.0)
        lines.append(facts([verdict for verdict in found if verdict.host.endswith(".7")]))
        assert one.intake.reorder.late == 0
        assert max(verdict.ts for verdict in found) < START + DAY
    assert lines[0] == lines[1]


# What was written before.


def test_a_snapshot_that_holds_a_future_time_is_healed(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    folder = model_folder()
    right = pipeline(folder)
    days = lamp(START, 21 * 24, 3600.0)
    right.process(sessions(days))
    snapshot_file.write(tmp_path / "right", snapshot.parts(right, {}))
    wrong = pipeline(folder)
    snapshot.restore(tmp_path / "right", wrong)
    wrong.windows.last_ts[0] = wrong.decider.columns["since"][0] = LATER
    wrong.baseline.columns["first_hour"][0] += 5 * 8766
    wrong.baseline.columns["hour"][0] += 5 * 8766
    snapshot_file.write(tmp_path / "wrong", snapshot.parts(wrong, {}))
    begins = days[-1][0] + 3600
    rest = beaconing([begins + n * 1800 for n in range(96)])
    alarms = []
    for name in ("right", "wrong"):
        made = pipeline(folder)
        snapshot.restore(tmp_path / name, made)
        found = made.process(sessions(sorted([*rest, *lamp(begins, 48, 3600.0)])))
        alarms.append([verdict.ts for verdict in found if verdict.state == "misbehaving"])
        assert all(verdict.since < LATER for verdict in found)
        assert made.windows.last_ts.max() < START + 60 * DAY
    assert alarms[0] == alarms[1] != []


def test_a_lease_from_the_future_does_not_wait_for_years(model_folder: ModelFolder) -> None:
    live = Live(made(model_folder()), a=0.0)
    live.run(2)
    live.made.lease(Lease(LATER, "192.168.1.7", "02:00:00:00:00:07", "lamp"))
    live.run(10, a=[(START + 5, "192.168.1.7", "", LAMP_CLOUD)])
    assert [verdict.hostname for verdict in live.verdicts] == ["lamp"]


def test_held_batches_count_as_waiting() -> None:
    door = Door()
    for n in range(20):
        door.enter(Batch("a", START + n, Sessions(np.zeros(0), [], [], [], [], np.zeros(0)), n, n))
    door.enter(Batch("a", LATER, sessions(FUTURE), 20.0, 21))
    assert [batch.ticket for batch in door.waiting()] == [21]
    assert len(door.due(26.0)) == 1
    assert list(door.waiting()) == []


def test_annotations_are_applied_by_the_right_time_while_clocks_are_compared(
    model_folder: ModelFolder,
) -> None:
    one = made(model_folder())
    one.process(sessions(lamp(START - DAY, 30)))
    one.windows.last_ts[0] = LATER
    now = START + 60
    one.intake.add("a", now, sessions(lamp(now - 1, 1, unit=8)), 0.0)
    assert one.push("b", now + DAY, sessions(lamp(now - 1 + DAY, 1, unit=9)), 0.1) == []
    assert one.intake.door.is_undecided(0.1)
    label = Annotation(START + 3 * DAY, "02:00:00:00:00:07", "label", "Lens")
    assert one.annotate([label]) == []
    assert one.annotations.waiting == 1
