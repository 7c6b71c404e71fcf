"""Another model takes over while hosts are followed: what they did stays, and so do their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import NO_POOL, HostWindows, Schedule
from nba_broker.records.errors import ModelError
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.states import NO_DEVICE
from tests.unit.conftest import BACKGROUND
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]


def classes(*names: str) -> list[dict[str, str]]:
    return [{"device": name, "category": "c"} for name in names]


# The voting model's second class speaks for what goes to the second cloud, whatever it is called.
SAME = {"classes": classes("Lamp", "Lens"), "name": "newer"}
SWAPPED = {
    "classes": classes("Lens", "Lamp"),
    "pools": ["as:2", "as:1", "lan", "gw"],
    "background": BACKGROUND | {"classes": BACKGROUND["classes"][::-1]},
}
WITHOUT_LENS = {"classes": classes("Lamp", "Plug")}


def two_hosts(start: int, number: int = 40) -> list[tuple[float, str, str, str]]:
    times = list(range(start, start + number))
    return sorted(host(7, times=times, dst=LAMP_CLOUD) + host(8, times=times, dst=LENS_CLOUD))


@pytest.mark.parametrize("changes", [SAME, SWAPPED, SAME | {"window": 16}, SAME | {"window": 4}])
def test_a_switch_announces_no_host_again(
    changes: dict[str, object], model_folder: ModelFolder
) -> None:
    made = pipeline(model_folder())
    made.process(sessions(two_hosts(0)))
    before = [(v.host, v.device, v.since, v.first_seen) for v in made.standing()]
    made.use(Scorer(model_folder(**changes)))
    assert [(v.host, v.device, v.since, v.first_seen) for v in made.standing()] == before
    assert made.process(sessions(two_hosts(40))) == []
    assert [(v.device, v.sessions) for v in made.standing()] == [("Lamp", 80), ("Lens", 80)]
    assert made.counters.sessions == 160


def test_there_and_back_leaves_all_as_it_was(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    made.process(sessions(two_hosts(0)))
    before = list(made.standing())
    first = made.scorer
    made.use(Scorer(model_folder(**SWAPPED)))
    made.use(first)
    assert list(made.standing()) == before


def test_hosts_of_a_class_that_is_gone_are_learned_anew_without_an_alarm(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    made.process(sessions(two_hosts(0)))
    made.use(Scorer(model_folder(**WITHOUT_LENS)))
    assert [(v.device, v.state) for v in made.standing()] == [
        ("Lamp", "identified"),
        ("", "learning"),
    ]
    lines = made.process(sessions(two_hosts(40)))
    assert [(v.device, v.state, v.previous) for v in lines] == [("Plug", "identified", "learning")]


def test_another_name_right_after_a_switch_is_a_correction_and_no_change(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    day = 86_400
    times = list(range(0, 3 * day, day // 20))
    made.process(sessions(host(7, times=times, dst=LAMP_CLOUD)))
    # What used to speak for Lamp speaks for Lens.
    made.use(Scorer(model_folder(classes=classes("Lens", "Lamp"))))
    later = [3 * day + n * 60 for n in range(60)]
    lines = made.process(sessions(host(7, times=later, dst=LAMP_CLOUD)))
    assert [(v.state, v.device, v.previous) for v in lines] == [("identified", "Lens", "Lamp")]


def test_names_that_analysts_gave_outlive_every_model(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    made.process(sessions(two_hosts(0)))
    made.annotate(
        [
            Annotation(39.0, MAC.format(7), "label", "Hall_Lamp", "bulb"),
            Annotation(39.0, MAC.format(8), "label", "Lens"),
        ]
    )
    named = [(v.device, v.confidence) for v in made.standing()]
    assert named == [("Hall_Lamp", 1.0), ("Lens", 1.0)]
    for changes in (WITHOUT_LENS, SWAPPED, {"classes": classes("Hall_Lamp", "Plug")}):
        made.use(Scorer(model_folder(**changes)))
        assert [(v.device, v.confidence) for v in made.standing()] == named
    assert {one.device for one in made.annotations.added_devices} == {"Lens"}
    assert [made.annotations.devices[one.device].device for one in made.annotations.prototypes] == [
        "Hall_Lamp"
    ]


def test_a_model_that_names_pools_otherwise_is_refused(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    before = made.scorer
    with pytest.raises(ModelError, match="names pools by cc, this worker by asn: restart"):
        made.use(Scorer(model_folder(pool_scheme="cc")))
    assert made.scorer is before


def test_an_impostor_whose_other_device_is_gone_is_what_the_analyst_said(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    made.annotate([Annotation(5.0, MAC.format(8), "label", "Lamp")])
    made.process(sessions(host(8, times=list(range(0, 6000, 100)), dst=LENS_CLOUD)))
    assert [v.state for v in made.standing()] == ["impostor"]
    made.use(Scorer(model_folder(**WITHOUT_LENS)))
    assert [(v.state, v.device) for v in made.standing()] == [("identified", "Lamp")]
    assert (made.decider.columns["underlying"][:1] >= 0).all()
    assert made.decider.host(0).lookalike == NO_DEVICE


@settings(max_examples=60)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(0, 60),
)
def test_after_a_change_of_window_the_last_sessions_are_those_that_both_had_room_for(
    before: int, after: int, slots: list[int], cut: int
) -> None:
    slot, ts = np.array(slots), np.arange(len(slots), dtype=float)
    pool = np.arange(len(slots), dtype=np.int32)

    def push(sequences: HostWindows, rows: slice) -> None:
        sequences.push(slot[rows], ts[rows], pool=pool[rows], dport=pool[rows])

    changed = HostWindows(Schedule(before, before), evidence=False)
    push(changed, slice(cut))
    changed.use(Schedule(after, after))
    push(changed, slice(cut, None))
    whole = HostWindows(Schedule(after, after), evidence=False)
    push(whole, slice(None))
    hosts = np.unique(slot)
    found, wanted = changed.latest(hosts), whole.latest(hosts)
    assert (found.count == wanted.count).all()
    for row, number in enumerate(hosts.tolist()):
        early = int((slot[:cut] == number).sum())
        known = min(early, before) + int((slot[cut:] == number).sum())
        place = slice(max(after - known, 0), None)
        for name in ("pool", "interval", "dport"):
            assert (found.columns[name][row, place] == wanted.columns[name][row, place]).all()
        assert (found.pool[row, : max(after - known, 0)] == NO_POOL).all()
