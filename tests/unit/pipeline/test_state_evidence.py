"""A host that needs attention keeps the evidence with which its state began."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import SnapshotError
from nba_broker.records.evidence import AlarmSum, Attended, Evidence, NamedByAnalyst, Surprising
from nba_broker.records.sessions import Sessions
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.state_evidence import StateEvidence
from nba_broker.verdicts.states import MISBEHAVING
from nba_broker.worker import snapshot, snapshot_evidence, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]
DAY = 86_400.0
BEGIN = 1_600_000_000.0
ATTACK = BEGIN + 4 * DAY
TIMES = np.arange(BEGIN, BEGIN + 5 * DAY, 1200)
ANNOTATIONS = [Annotation(5.0, MAC.format(8), "label", "Lamp")]
STATES = ["misbehaving", "impostor", "changed"]


def scanner() -> list[tuple[float, str, str, str]]:
    """Five days of a lamp that scans for a minute on the last."""
    scan = [
        (ATTACK + n / 10, "192.168.1.7", MAC.format(7), f"9.0.{n // 250}.{n % 250}")
        for n in range(600)
    ]
    return sorted(host(7, times=TIMES.tolist(), dst=LAMP_CLOUD) + scan)


def traffic() -> Sessions:
    """A lamp that scans, one that an analyst named so and is none, one that becomes another
    device, and one that stays a lamp."""
    times = TIMES
    early, late = times[times < ATTACK].tolist(), times[times >= ATTACK].tolist()
    rows = scanner()
    rows += host(8, times=times.tolist(), dst=LENS_CLOUD)
    rows += host(9, times=early, dst=LAMP_CLOUD) + host(9, times=late, dst=LENS_CLOUD)
    rows += host(10, times=times.tolist(), dst=LAMP_CLOUD)
    return sessions(sorted(rows))


def attentive(folder: Path) -> Pipeline:
    made = pipeline(folder, {"established": DAY, "reminder": DAY / 8})
    made.annotate(ANNOTATIONS)
    return made


def began(lines: list[Verdict]) -> dict[str, tuple[tuple[Evidence, ...], tuple[str, ...]]]:
    """The evidence of the last line with which each of the states began, as the log has it."""
    lines = [one for one in lines if one.state in STATES and one.since == one.ts]
    return {one.state: (one.evidence, one.uids) for one in lines}


def standing(made: Pipeline) -> dict[str, tuple[tuple[Evidence, ...], tuple[str, ...]]]:
    return {one.state: (one.evidence, one.uids) for one in made.standing()}


def restarted(made: Pipeline, path: Path, new: Pipeline) -> Pipeline:
    snapshot_file.write(path, snapshot.parts(made, {}))
    snapshot.restore(path, new)
    return new


def test_it_is_that_of_the_line_and_outlives_reminders_and_a_restart(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    folder = model_folder()
    made = attentive(folder)
    lines = made.process(traffic())
    assert {one.state for one in lines if one.reason == "reminder"} >= {"impostor", "changed"}
    logged = began(lines)
    assert set(logged) == set(STATES)
    assert standing(made) == logged | {"identified": ((), ())}
    assert isinstance(logged["misbehaving"][0][0], AlarmSum)
    assert isinstance(logged["misbehaving"][0][1], Surprising)
    assert isinstance(logged["impostor"][0][0], NamedByAnalyst)
    assert isinstance(logged["changed"][0][0], Attended)
    new = restarted(made, tmp_path / "s", pipeline(folder))
    assert standing(new) == standing(made)
    again = restarted(new, tmp_path / "s", pipeline(folder))
    assert standing(again) == standing(made)


def test_it_ends_with_the_state(model_folder: ModelFolder) -> None:
    made = attentive(model_folder())
    made.process(traffic())
    (slot,) = made.identity.present(["192.168.1.7"], [MAC.format(7)])
    assert made.state_evidence.of(slot, MISBEHAVING)
    made.annotate([*ANNOTATIONS, Annotation(TIMES[-1], MAC.format(9), "confirm")])
    assert [one.evidence for one in made.standing() if one.mac == MAC.format(9)] == [()]
    times = np.arange(BEGIN + 5 * DAY, BEGIN + 8 * DAY, 1200).tolist()
    made.process(sessions(sorted(host(7, times=times, dst=LAMP_CLOUD))))
    assert standing(made)["identified"] == ((), ())
    assert {one.state for one in made.standing()} == {"identified", "impostor"}
    assert made.state_evidence.of(slot, MISBEHAVING) == ()


def test_it_leaves_with_its_host(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), max_hosts=99)
    made.process(sessions(scanner()))
    (slot,) = made.identity.present(["192.168.1.7"], [MAC.format(7)])
    assert made.state_evidence.of(slot, MISBEHAVING)
    others = [row for n in range(99) for row in host(n + 100, times=[BEGIN + 6 * DAY], dst="::")]
    made.process(sessions(others))
    assert made.state_evidence.of(slot, MISBEHAVING) == ()


def lines_of(made: Pipeline) -> tuple[bytes, dict[str, Any], bytes]:
    """A snapshot's header, the line of its hosts, and the rest."""
    first, hosts, rest = b"".join(snapshot.parts(made, {})).split(b"\n", 2)
    return first, orjson.loads(hosts), rest


BROKEN = [
    [["Attended", {}]],
    [["Nothing", {}]],
    [["NamedByAnalyst", {"device": 7}]],
    [["NamedByAnalyst", {"device": "Lamp", "more": 1}]],
    [["AlarmSum", {"sessions": 1, "since": 1e300, "surprise": 1.0}]],
    [["AlarmSum", {"sessions": True, "since": 1.0, "surprise": 1.0}]],
    {"AlarmSum": 1},
    7,
]


def test_a_snapshot_with_evidence_that_is_none_is_refused(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    folder = model_folder()
    made = pipeline(folder)
    made.process(sessions(scanner()))
    first, line, rest = lines_of(made)
    ((row, good),) = line["evidence"]
    kind, session = good[1]
    wrong = [[[kind, session | {"port": 65536}]], [[kind, session | {"address": "x"}]]]
    for what in [good, *BROKEN, *wrong]:
        line["evidence"] = [[row, what]]
        snapshot_file.write(tmp_path / "s", [b"\n".join([first, orjson.dumps(line), rest])])
        with contextlib.nullcontext() if what is good else pytest.raises(SnapshotError):
            snapshot.restore(tmp_path / "s", pipeline(folder))


def test_a_snapshot_of_0_2_0_has_none_and_is_read(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    folder = model_folder()
    made = pipeline(folder)
    made.process(sessions(scanner()))
    first, line, rest = lines_of(made)
    del line["evidence"]
    snapshot_file.write(tmp_path / "s", [b"\n".join([first, orjson.dumps(line), rest])])
    new = pipeline(folder)
    snapshot.restore(tmp_path / "s", new)
    assert [replace(one, evidence=(), uids=()) for one in made.standing()] == list(new.standing())


def test_a_clock_that_was_set_back_leaves_no_evidence_of_the_future() -> None:
    kept = StateEvidence()
    pieces = (AlarmSum(20, 5000.0, 30.0), NamedByAnalyst("Lamp"))
    kept.take(3, MISBEHAVING, pieces, began=True)
    kept.look_back(limit=2000.0, now=1000.0)
    assert kept.of(3, MISBEHAVING) == (replace(pieces[0], since=1000.0), pieces[1])
    kept.look_back(limit=2000.0, now=500.0)
    assert kept.of(3, MISBEHAVING)[0] == replace(pieces[0], since=1000.0)


def test_a_piece_that_cannot_be_read_again_is_not_written() -> None:
    good = AlarmSum(20, 5000.0, 30.0)
    there = Attended("1.2.3.4", 443, "tcp", "as:1", "", 1.0, "C1", sessions=1, weight=0.5)
    bad = [replace(good, since=np.nan), replace(there, address="x"), replace(there, weight=-1.0)]
    assert snapshot_evidence.read(snapshot_evidence.written([*bad, good])) == (good,)
