"""Training counts the notices that a worker and Zeek's manager would make of the sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import Decision
from nba_broker.verdicts.states import CHANGED, MISBEHAVING, NO_DEVICE, UNKNOWN
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions
from training.evaluation import verdicts
from training.evaluation.notices import BASELINE, SUPPRESSION, raised, wrong
from training.evaluation.verdicts import Change, Stream, of_stream

DAY = 86_400.0
BEGIN = 1_600_000_000.0
ZEEK = Path(__file__).parents[3] / "zeek-scripts" / "notice.zeek"


@pytest.mark.parametrize("chunk", [7, 65_536])
def test_changes_are_the_lines_of_the_pipeline(
    model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(verdicts, "_CHUNK", chunk)
    attack = BEGIN + 4 * DAY
    rows = host(7, times=np.arange(BEGIN, BEGIN + 6 * DAY, 600).tolist(), dst=LAMP_CLOUD)
    rows += [
        (attack + second / 10, "192.168.1.7", MAC.format(7), f"9.0.{second // 250}.{second % 250}")
        for second in range(600)
    ]
    rows += host(8, times=np.arange(BEGIN, BEGIN + 2 * DAY, 600).tolist(), dst=LENS_CLOUD)
    rows += host(8, times=np.arange(BEGIN + 2 * DAY, attack, 600).tolist(), dst=LAMP_CLOUD)
    batch = sessions(sorted(rows))
    baseline = [{"span": 100.0, "pairs": [["none", "443/tcp", 2.0, 1.0, 1.0]]}] * 2
    as_shipped = {"windows_for": 4, "windows_against": 8}
    whole = pipeline(model_folder(baseline=baseline), decision=as_shipped)
    lines = [one for one in whole.process(batch) if one.reason == "change"]
    slot = np.array([{"192.168.1.7": 0, "192.168.1.8": 1}[one] for one in batch.host])
    pool = whole.pools.ids(batch.host, batch.dst)
    stream = Stream(slot, batch.ts, pool, batch.dport, whole.pools.table)
    changes = of_stream(stream, whole.scorer, BaselineSettings())
    names = [one.device for one in whole.scorer.manifest.classes]
    found = [
        (
            one.ts,
            f"192.168.1.{7 + one.slot}",
            STATES[one.decision.state],
            names[one.decision.device] if one.decision.device != NO_DEVICE else "",
        )
        for one in changes
    ]
    assert sorted(found) == sorted((one.ts, one.host, one.state, one.device) for one in lines)
    assert {"misbehaving", "changed"} <= {state for _, _, state, _ in found}


def change(ts: float, state: int, device: int = 0, slot: int = 0) -> Change:
    decision = Decision(
        window=0,
        slot=slot,
        state=state,
        device=device,
        was_state=1,
        was_device=0,
        label=NO_DEVICE,
        confidence=0.9,
        probability=np.array([0.9, 0.1]),
        possible=np.array([True, False]),
        since=ts,
        reason="change",
    )
    return Change(0, ts, 0, decision)


def test_notices_are_those_of_the_package() -> None:
    text = ZEEK.read_text()
    days = {
        name: DAY * int(number) for name, number in re.findall(r"option (\w+) = (\d+)days?;", text)
    }
    assert days == {"baseline": BASELINE, "notice_suppression": SUPPRESSION}


def test_an_unknown_host_is_noticed_after_its_baseline_only() -> None:
    first_seen = np.array([0.0])
    early, late = change(BASELINE - 1, UNKNOWN, NO_DEVICE), change(BASELINE, UNKNOWN, NO_DEVICE)
    assert list(raised([early, late], first_seen)) == [late]


def test_the_same_notice_is_raised_once_a_day() -> None:
    first_seen = np.zeros(2)
    again = [change(hour * 3600.0, MISBEHAVING) for hour in (1, 2, 26)]
    other = change(2 * 3600.0, MISBEHAVING, slot=1)
    changed = change(3 * 3600.0, CHANGED, 1)
    every = [again[0], again[1], other, changed, again[2]]
    assert list(raised(every, first_seen)) == [again[0], other, changed, again[2]]


@pytest.mark.parametrize(
    ("state", "device", "truth", "expected"),
    [
        (1, 0, 0, False),
        (1, 1, 0, True),
        (1, 0, -1, True),
        (UNKNOWN, NO_DEVICE, 0, True),
        (UNKNOWN, NO_DEVICE, -1, False),
        (MISBEHAVING, 0, 0, True),
        (CHANGED, 0, 0, True),
    ],
)
def test_which_changes_of_a_benign_host_are_wrong(
    state: int, device: int, truth: int, expected: bool
) -> None:
    said = change(0.0, state)
    said = replace(said, decision=replace(said.decision, device=device))
    assert wrong(said, truth) is expected
