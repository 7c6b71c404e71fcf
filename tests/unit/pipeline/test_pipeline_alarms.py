from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.sessions import Sessions, part_of
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, MAC, host, pipeline, sessions

DAY = 86_400.0
BEGIN = 1_600_000_000.0
ATTACK = BEGIN + 4 * DAY


BASELINE = [
    {"span": 200.0, "pairs": [["none", "443/tcp", 190.0, 250.0, 400.0]]},
    {"span": 200.0, "pairs": []},
]
"""Lamps, and no lenses, call what is in no autonomous system, a few times in every hour."""


@pytest.fixture
def lamp(model_folder: Callable[..., Path]) -> Callable[[], Pipeline]:
    folder = model_folder()
    return lambda: pipeline(folder)


def scan() -> Sessions:
    """Five days of a lamp that calls its cloud, and a minute of a scan on the last."""
    own = host(7, times=np.arange(BEGIN, BEGIN + 5 * DAY, 600).tolist(), dst=LAMP_CLOUD)
    odd = [
        (ATTACK + second / 10, "192.168.1.7", MAC.format(7), f"9.0.{second // 250}.{second % 250}")
        for second in range(600)
    ]
    return sessions(sorted(own + odd))


def misbehaving(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if one.state == "misbehaving" and one.reason != "reminder"]


def test_a_flood_of_new_sessions_is_a_line_with_its_reasons(
    lamp: Callable[[], Pipeline],
) -> None:
    (line,) = misbehaving(lamp().process(scan()))
    assert ATTACK < line.ts < ATTACK + 60
    assert (line.device, line.previous, line.reason) == ("Lamp", "identified", "change")
    assert line.evidence[0].text.startswith("sessions unlike this host: ")
    assert "443/tcp none at " in line.evidence[1].text
    assert 1 <= len(line.uids) <= 5


def test_a_lamp_that_does_as_always_is_left_alone(lamp: Callable[[], Pipeline]) -> None:
    own = host(7, times=np.arange(BEGIN, BEGIN + 9 * DAY, 600).tolist(), dst=LAMP_CLOUD)
    assert misbehaving(lamp().process(sessions(own))) == []


def test_calm_ends_it(lamp: Callable[[], Pipeline]) -> None:
    own = host(7, times=np.arange(ATTACK + DAY, ATTACK + 3 * DAY, 600).tolist(), dst=LAMP_CLOUD)
    one = lamp()
    one.process(scan())
    last = [line for line in one.process(sessions(own)) if line.reason == "change"][-1]
    assert (last.state, last.previous, last.device) == ("identified", "misbehaving", "Lamp")


def test_a_destination_that_an_analyst_ignores_raises_no_alarm(
    lamp: Callable[[], Pipeline],
) -> None:
    one = lamp()
    one.annotate([Annotation(at=BEGIN, host="", action="ignore", pool="none")])
    assert misbehaving(one.process(scan())) == []


def test_what_lamps_do_is_no_alarm_of_a_lamp_that_begins_with_it(
    model_folder: Callable[..., Path],
) -> None:
    own = host(7, times=np.arange(BEGIN, BEGIN + 6 * DAY, 600).tolist(), dst=LAMP_CLOUD)
    new = host(7, times=np.arange(ATTACK, BEGIN + 6 * DAY, 1200).tolist(), dst="9.0.0.1")
    batch = sessions(sorted(own + new))
    known = pipeline(model_folder(baseline=BASELINE))
    assert misbehaving(known.process(batch)) == []
    assert len(misbehaving(pipeline(model_folder()).process(batch))) == 1


@pytest.mark.parametrize("size", [1, 100, 977])
def test_lines_do_not_depend_on_how_sessions_are_cut(
    model_folder: Callable[..., Path], size: int
) -> None:
    folder, everything = model_folder(baseline=BASELINE), scan()
    whole = pipeline(folder).process(everything)
    parts = pipeline(folder)
    found: list[Verdict] = []
    for start in range(0, len(everything), size):
        found += parts.process(part_of(everything, start, start + size))
    assert misbehaving(found) == misbehaving(whole)


def test_a_restart_keeps_the_baseline(lamp: Callable[[], Pipeline], tmp_path: Path) -> None:
    everything = scan()
    cut = int(np.searchsorted(everything.ts, ATTACK)) + 20
    before, after = lamp(), lamp()
    before.process(part_of(everything, 0, cut))
    path = snapshot_file.path_in(tmp_path)
    snapshot_file.write(path, snapshot.parts(before, {}))
    snapshot.restore(path, after)
    rest = part_of(everything, cut, len(everything))
    assert misbehaving(after.process(rest)) == misbehaving(before.process(rest)) != []
