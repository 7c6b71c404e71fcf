"""Annotations are applied to the hosts that match them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nba_broker.archive import zeek_log
from nba_broker.cli.main import main
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.evidence import AnnotationApplied
from nba_broker.records.sessions import Lease, part_of, take
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, ROOT, host, pipeline, sessions

ModelFolder = Callable[..., Path]
NOWHERE = "9.9.9.9"
STRICT = {"established": 10.0, "persistence": 0.0}


def process(made: Pipeline, rows: list[tuple[float, str, str, str]]) -> list[Verdict]:
    return made.process(sessions(sorted(rows)))


def annotated(verdicts: list[Verdict]) -> list[tuple[float, str, str, str, str]]:
    lines = (v for v in verdicts if v.reason == "annotation")
    return [(v.ts, v.host, v.state, v.previous, v.device) for v in lines]


def test_a_label_names_a_host_from_its_time_on(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(
        [Annotation(4.5, MAC.format(7), "label", "Hall_Camera", "camera", reason="seen it")]
    )
    verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
    (line,) = [v for v in verdicts if v.reason == "annotation"]
    assert (line.ts, line.state, line.previous) == (4.5, "identified", "learning")
    assert (line.device, line.category, line.confidence) == ("Hall_Camera", "camera", 1.0)
    assert line.evidence == (AnnotationApplied("label", 4.5, "seen it"),)
    assert verdicts[-1] == line


@pytest.mark.parametrize("at", ["00:10", "00:30", "01:00", "02:00", "04:00", "10:00"])
def test_a_name_of_ones_own_makes_no_impostor_of_the_shipped_samples_hosts(
    at: str, tmp_path: Path
) -> None:
    rows = [f"2026-01-05T{at}Z,02:4e:42:41:01:{k:02x},label,Mine_{k}" for k in range(9)]
    (tmp_path / "annotations.csv").write_text("at,host,action,device\n" + "\n".join(rows))
    sample = str(ROOT / "models/sample")
    annotations = ["--annotations", str(tmp_path / "annotations.csv")]
    assert main(["score", sample, *annotations, "--format", "json", "--out", str(tmp_path)]) == 0
    lines = list(zeek_log.rows(tmp_path / "nba_device.log"))
    assert [line["state"] for line in lines].count("learning") == 9
    named = [line["device"] for line in lines if line["reason"] == "annotation"]
    assert sorted(named) == [f"Mine_{k}" for k in range(9)]
    assert not [line for line in lines if line["state"] in ("impostor", "changed", "misbehaving")]


def test_a_late_label_applies_to_present_hosts_at_once(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    process(made, host(7, times=list(range(30)), dst=NOWHERE))
    label = Annotation(4.5, MAC.format(7), "label", "Lens")
    assert annotated(made.annotate([label])) == [
        (29.0, "192.168.1.7", "identified", "unknown", "Lens")
    ]
    assert made.annotate([label]) == []


def test_a_label_by_address_network_or_hostname_names_hosts_that_appear_later(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(
        [
            Annotation(0.0, "192.168.1.1", "label", "By_Address"),
            Annotation(0.0, "192.168.1.128/25", "label", "By_Network"),
            Annotation(0.0, "lamp", "label", "By_Name"),
        ]
    )
    made.lease(Lease(2.5, "192.168.1.3", MAC.format(3), "Lamp"))
    verdicts = process(
        made, [row for n in (1, 3, 200) for row in host(n, times=[1.0, 2.0, 3.0], dst=NOWHERE)]
    )
    assert [(ts, device) for ts, _, _, _, device in annotated(verdicts)] == [
        (1.0, "By_Address"),
        (1.0, "By_Network"),
        (3.0, "By_Name"),
    ]


def test_a_label_by_address_applies_to_a_host_that_leaves_the_address_in_the_same_batch(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, "192.168.1.7", "label", "Hall_Camera")])
    mac = MAC.format(7)
    rows = [(1.0, "192.168.1.7", mac, NOWHERE), (2.0, "192.168.1.9", mac, NOWHERE)]
    assert [line[1:] for line in annotated(process(made, rows))] == [
        ("192.168.1.7", "identified", "learning", "Hall_Camera")
    ]


def test_a_corrected_row_no_longer_names_its_former_host(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    row = Annotation(4.5, MAC.format(7), "label", "Hall_Camera")
    other = replace(row, host=MAC.format(9))
    made.annotate([row, other])
    process(made, [one for n in (7, 8, 9) for one in host(n, times=list(range(9)), dst=NOWHERE)])
    slots = np.arange(3)
    assert made.decider.is_labelled(slots).tolist() == [True, False, True]
    made.annotate([replace(row, host=MAC.format(8)), other])
    assert made.decider.is_labelled(slots).tolist() == [False, True, True]


def named(made: Pipeline) -> dict[str, str]:
    """What analysts called the hosts, by MAC."""
    devices = made.annotations.devices
    known = made.identity.names(0, made.identity.capacity)
    labels = {mac: made.decider.host(slot).label for slot, (mac, _) in known.items()}
    return {mac: devices[label].device for mac, label in labels.items() if label >= 0}


def again(made: Pipeline, folder: Path, file: Path) -> Pipeline:
    """The pipeline after a restart."""
    snapshot_file.write(file, snapshot.parts(made, {}))
    second = pipeline(folder, decision=STRICT)
    snapshot.restore(file, second)
    return second


MOVED = [
    *host(7, times=[1.0, 2.0], dst=NOWHERE),
    *[(ts, "192.168.1.50", MAC.format(7), NOWHERE) for ts in (3.0, 4.0)],
    *[(ts, "192.168.1.7", MAC.format(8), NOWHERE) for ts in (5.0, 6.0)],
]
"""A host that left its address, and the one that has it now."""

BY_ADDRESS = [Annotation(0.5, f"192.168.1.{n}", "label", "Hall_Camera") for n in (7, 9)]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("left", [[0], [0, 1]], ids=["row removed", "reason corrected"])
def test_a_host_keeps_its_name_when_another_hosts_row_changes(
    left: list[int], restart: bool, model_folder: ModelFolder, tmp_path: Path
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(BY_ADDRESS)
    process(made, MOVED)
    both = {MAC.format(7): "Hall_Camera", MAC.format(8): "Hall_Camera"}
    assert named(made) == both
    if restart:
        made = again(made, model_folder(), tmp_path / "s")
    rows = [BY_ADDRESS[0], replace(BY_ADDRESS[1], reason="seen it")]
    assert made.annotate([rows[n] for n in left]) == []
    assert named(made) == both


@pytest.mark.parametrize("restart", [False, True])
def test_a_host_loses_its_name_with_its_row_though_another_host_has_the_same_label(
    restart: bool, model_folder: ModelFolder, tmp_path: Path
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(BY_ADDRESS)
    process(made, [*MOVED, *host(9, times=[7.0], dst=NOWHERE)])
    if restart:
        made = again(made, model_folder(), tmp_path / "s")
    made.annotate(BY_ADDRESS[1:])
    assert named(made) == {MAC.format(9): "Hall_Camera"}


def test_a_host_with_two_equal_labels_keeps_its_name_until_both_rows_are_removed(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    rows = [Annotation(0.5, name, "label", "Lamp") for name in ("192.168.1.7", MAC.format(7))]
    made.annotate(rows)
    process(made, host(7, times=[1.0, 2.0], dst=NOWHERE))
    for left in (rows[1:], rows[:1], [replace(rows[0], host="192.168.1.0/24")]):
        assert made.annotate(left) == []
        assert named(made) == {MAC.format(7): "Lamp"}
    made.annotate([])
    assert named(made) == {}


def test_a_row_is_looked_up_as_often_for_many_hosts_as_for_one(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for hosts in (1, 40):
        made = pipeline(model_folder(), decision=STRICT)
        row = Annotation(0.5, "192.168.1.0/24", "label", "Lamp")
        made.annotate([row])
        process(made, [(1.0, f"192.168.1.{n}", MAC.format(n), NOWHERE) for n in range(hosts)])
        identity = made.identity
        calls: list[None] = []

        def present(
            *names: list[str],
            look_up: Callable[..., np.ndarray] = identity.present,
            calls: list[None] = calls,
        ) -> np.ndarray:
            calls.append(None)
            return look_up(*names)

        monkeypatch.setattr(identity, "present", present)
        made.annotate([replace(row, host="192.168.1.0/25", reason="half of them")])
        asked.append(len(calls))
        assert len(named(made)) == hosts
    assert asked[0] == asked[1] > 0


def test_the_latest_label_counts(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    mac = MAC.format(7)
    process(made, host(7, times=[1.0], dst=NOWHERE))
    made.annotate([Annotation(2.0, mac, "label", "First"), Annotation(3.0, mac, "label", "Second")])
    verdicts = process(made, host(7, times=[2.5, 4.0], dst=NOWHERE))
    assert [line[-1] for line in annotated(verdicts)] == ["First", "Second"]


def test_a_label_whose_row_is_removed_no_longer_applies(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, MAC.format(7), "label", "Lamp")])
    process(made, host(7, times=list(range(40)), dst=LENS_CLOUD))
    (line,) = annotated(made.annotate([]))
    assert line == (39.0, "192.168.1.7", "identified", "impostor", "Lens")


def test_a_confirmation_accepts_the_states_before_it(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    process(made, host(7, times=list(range(30)), dst=LAMP_CLOUD))
    changed = process(made, host(7, times=list(range(30, 90)), dst=LENS_CLOUD))
    assert [v.state for v in changed] == ["changed"]
    confirm = Annotation(95.0, MAC.format(7), "confirm")
    assert annotated(made.annotate([confirm])) == []
    assert annotated(process(made, host(7, times=[96.0], dst=LENS_CLOUD))) == [
        (95.0, "192.168.1.7", "identified", "changed", "Lens")
    ]


def test_a_confirmed_misbehaviour_becomes_part_of_the_baseline(
    model_folder: ModelFolder,
) -> None:
    times = [1e6 + 600.0 * n for n in range(7 * 144)]
    beacon = host(7, times=[1e6 + 5 * 86400 + 60.0 * n for n in range(2880)], dst="2.9.9.9")
    rows = host(7, times=times, dst=LAMP_CLOUD) + beacon
    made = pipeline(model_folder(), decision=STRICT | {"established": 1e9, "recovery": 3600.0})
    verdicts = process(made, rows)
    alarms = [v for v in verdicts if v.state == "misbehaving"]
    assert alarms
    made = pipeline(model_folder(), decision=STRICT | {"established": 1e9, "recovery": 3600.0})
    made.annotate([Annotation(alarms[0].ts + 3600, MAC.format(7), "confirm")])
    verdicts = process(made, rows)
    assert [v for v in verdicts if v.state == "misbehaving"] == alarms[:1]
    (line,) = [v for v in verdicts if v.reason == "annotation"]
    assert line.previous == "misbehaving"


def test_a_confirmation_of_before_a_hosts_first_session_does_not_apply(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(5.0, MAC.format(7), "confirm")])
    assert annotated(process(made, host(7, times=[6.0], dst=LAMP_CLOUD))) == []


def test_no_line_of_a_host_has_the_reason_change_while_it_is_ignored(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, "192.168.1.0/24", "ignore", expires=200.0)])
    process(made, host(7, times=list(range(30)), dst=LAMP_CLOUD))
    verdicts = process(made, host(7, times=list(range(30, 90)), dst=LENS_CLOUD))
    assert [(v.state, v.reason) for v in verdicts] == [("changed", "annotation")]
    verdicts = process(made, host(7, times=[200.0, 201.0], dst=LENS_CLOUD))
    assert [(v.state, v.reason) for v in verdicts] == [("changed", "change")]


def test_a_withdrawn_ignore_ends(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, MAC.format(7), "ignore")])
    verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
    assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "annotation")]
    assert made.annotate([]) == []
    verdicts = process(made, host(7, times=[30.0, 31.0], dst=NOWHERE))
    assert [(v.state, v.reason) for v in verdicts] == [("unknown", "change")]


def test_sessions_to_an_ignored_destination_raise_no_alarm(model_folder: ModelFolder) -> None:
    for annotation in (
        Annotation(0.0, "", "ignore", pool="none"),
        Annotation(0.0, MAC.format(7), "ignore", pool="9.9.9.0/24"),
        Annotation(0.0, "192.168.1.0/24", "ignore", pool=NOWHERE),
    ):
        made = pipeline(model_folder(), decision=STRICT)
        made.annotate([annotation])
        verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
        assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "annotation")], (
            annotation
        )


@pytest.mark.parametrize(
    ("dst", "pool"),
    [
        ("64:ff9b::909:909", "9.9.9.0/24"),  # behind a NAT64
        ("64:ff9b::909:909", "64:ff9b::/96"),
        ("ff02::1:ff00:7", "mcast:ff02::1:ff00:7"),  # of which only all together are a pool
        ("ff02::1:ff00:7", "mcast:ff02::1:ff00:0/104"),
    ],
)
def test_an_ignored_destination_may_be_named_by_translation_prefix_or_group(
    model_folder: ModelFolder, dst: str, pool: str
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, "", "ignore", pool=pool)])
    verdicts = process(made, host(7, times=list(range(30)), dst=dst))
    assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "annotation")]


class Unsearched(list[str]):
    """A table of pools of which nobody may look at every name."""

    def index(self, *_: object) -> int:
        raise AssertionError("the whole table was searched")

    __contains__ = __iter__ = index  # type: ignore[assignment]


def test_no_batch_searches_the_table_of_pools(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(
        [
            Annotation(0.0, "", "ignore", pool="none"),
            Annotation(0.0, "", "ignore", pool="as:77"),
            Annotation(0.0, MAC.format(7), "label", "Hall_Camera", "camera"),
        ]
    )
    process(made, host(7, times=list(range(90)), dst=NOWHERE))  # which makes it a prototype
    made.pools.table = Unsearched(made.pools.table)
    verdicts = process(made, host(8, times=list(range(100, 190)), dst=NOWHERE))
    assert [(v.state, v.device) for v in verdicts][-1] == ("identified", "Hall_Camera")


def test_an_alarm_with_half_its_weight_on_an_ignored_destination_is_raised(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, "", "ignore", pool=NOWHERE)])
    verdicts = process(made, like(7, 0.25))
    assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "change")]


def test_an_ignored_destination_of_another_host_or_time_changes_nothing(
    model_folder: ModelFolder,
) -> None:
    for annotation in (
        Annotation(0.0, MAC.format(8), "ignore", pool="none"),
        Annotation(0.0, "", "ignore", pool="as:1"),
        Annotation(0.0, "", "ignore", pool="8.0.0.0/8"),
        Annotation(0.0, "", "ignore", pool="none", expires=1.0),
        Annotation(1e6, "", "ignore", pool="none"),
    ):
        made = pipeline(model_folder(), decision=STRICT)
        made.annotate([annotation])
        verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
        assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "change")], annotation


def like(number: int, start: float, count: int = 40) -> list[tuple[float, str, str, str]]:
    """A host of a kind that the model does not know: it asks, then goes to two places in turn."""
    places = ("192.168.1.1", NOWHERE, "224.0.0.251", NOWHERE)
    return [
        (start + n, f"192.168.1.{number}", MAC.format(number), places[n % 4]) for n in range(count)
    ]


def test_a_second_unit_of_a_named_device_is_recognised_and_nothing_else(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    label = Annotation(50.0, MAC.format(7), "label", "Hall_Camera", "camera")
    made.annotate([label])
    process(made, like(7, 0.25) + like(8, 0.5) + host(9, times=list(range(40)), dst=LENS_CLOUD))
    verdicts = process(made, like(30, 60.0) + host(31, times=list(range(60, 99)), dst=NOWHERE))
    # The one that was there, then, in its own time, the one that came.
    (_, _, _, _, first), (ts, name, *_, second) = annotated(verdicts)
    assert (first, second, ts, name) == ("Hall_Camera", "Hall_Camera", 50.0, "192.168.1.8")
    found = {v.host: v for v in verdicts if v.state != "learning"}
    assert (found["192.168.1.30"].device, found["192.168.1.30"].category) == (
        "Hall_Camera",
        "camera",
    )
    assert found["192.168.1.30"].confidence > 0.95
    assert found["192.168.1.31"].state == "unknown"
    assert "192.168.1.9" not in found


def test_a_host_that_is_named_early_becomes_a_prototype_after_enough_sessions(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, MAC.format(7), "label", "Hall_Camera")])
    process(made, like(7, 0.0, count=7))
    assert not len(made.annotations.prototypes)
    process(made, like(7, 20.0, count=5))
    assert len(made.annotations.prototypes) == 1
    made.annotate([])
    assert not len(made.annotations.prototypes)


@pytest.mark.parametrize("labelled", [0.0, 55.5], ids=["grows into a prototype", "is one at once"])
def test_lines_do_not_depend_on_how_sessions_were_cut_into_batches(
    model_folder: ModelFolder, labelled: float
) -> None:
    rows = sorted(like(7, 40.25, 200) + like(8, 0.5, 150) + like(30, 60.0, 100))
    rows += host(9, times=[300.0 + n for n in range(60)], dst=LENS_CLOUD)
    table = sessions(rows)
    given = [
        Annotation(0.0, MAC.format(9), "label", "Lamp"),
        Annotation(20.0, MAC.format(8), "ignore", expires=90.0),
        Annotation(labelled, MAC.format(7), "label", "Hall_Camera"),
        Annotation(330.0, MAC.format(9), "confirm"),
    ]
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(given)
    whole = made.process(table)
    assert {"identified", "impostor", "learning"} <= {v.state for v in whole}
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate(given)
    parts: list[Verdict] = []
    for start in range(0, len(rows), 7):
        parts += made.process(take(table, np.arange(start, min(start + 7, len(rows)))))
    assert parts == whole


def test_an_annotation_of_an_address_applies_when_the_host_gets_it_in_any_batch(
    model_folder: ModelFolder,
) -> None:
    rows = host(7, times=[20.0 * n for n in range(60)], dst=LAMP_CLOUD)
    rows += [(20.0 * n, "fd00::7", MAC.format(7), LAMP_CLOUD) for n in range(60, 120)]
    made = pipeline(model_folder())
    made.annotate([Annotation(0.0, "fd00::7", "label", "Lens")])
    verdicts = process(made, rows)
    found = [(v.ts, v.state, v.device, v.sessions) for v in verdicts if v.state != "learning"]
    assert [line[1:3] for line in found] == [("identified", "Lamp"), ("identified", "Lens")]
    assert found[1][0] == 1200.0
    assert found[1][3] == 61


ADDRESSES = ("192.168.1.{}", "fd00::{}", "fd00:1::{}")
ANNOTATIONS = st.builds(
    lambda at, who, action, device: Annotation(
        at, who, action, device if action == "label" else "", expires=FOREVER[action]
    ),
    st.sampled_from([0.0, 40.5, 150.5]),
    st.sampled_from(
        [a.format(n) for a in ADDRESSES for n in (1, 2, 3)]
        + [MAC.format(1), "two", "fd00:1::/64", "192.168.1.0/24"]
    ),
    st.sampled_from(["label", "label", "confirm", "ignore"]),
    st.sampled_from(["Lamp", "Lens", "Hall_Camera", "Gate"]),
)
FOREVER = {"label": np.inf, "confirm": np.inf, "ignore": 200.25}


@given(
    # Who has sessions, from which of its addresses on, to where: each for a while.
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from([1, 2, 9])),
        min_size=1,
        max_size=6,
    ),
    st.lists(ANNOTATIONS, min_size=1, max_size=5),
)
@example([(1, 0, 1)] * 2 + [(1, 1, 1)] * 3, [Annotation(0.0, "fd00::1", "label", "Lens")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_lines_do_not_depend_on_batches_when_hosts_come_to_annotated_addresses(
    model_folder: ModelFolder, spells: list[tuple[int, int, int]], annotations: list[Annotation]
) -> None:
    rows: list[tuple[float, str, str, str]] = [
        (float(n), ADDRESSES[0].format(n), MAC.format(n), NOWHERE) for n in (1, 2, 3)
    ]
    for who, which, cloud in spells:
        at, address = rows[-1][0] + 1, ADDRESSES[which].format(who)
        rows += [(at + n, address, MAC.format(who), f"{cloud}.0.0.7") for n in range(24)]
    table = sessions(rows)
    lines = []
    for size in (len(rows), 1):
        made = pipeline(model_folder(), decision=STRICT, max_hosts=512)
        made.lease(Lease(100.5, "192.168.1.2", MAC.format(2), "two"))
        made.annotate(sorted(annotations, key=lambda one: one.at))
        lines.append(
            [
                line
                for start in range(0, len(rows), size)
                for line in made.process(part_of(table, start, start + size))
            ]
        )
    assert lines[0] == lines[1]


def test_annotations_that_are_applied_already_cut_no_steps(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, "192.168.1.0/24", "label", "Hall_Camera")])
    pushed: list[int] = []
    push = made.windows.push

    def counted(slot: np.ndarray, *args: object, **columns: np.ndarray) -> object:
        pushed.append(len(slot))
        return push(slot, *args, **columns)  # type: ignore[arg-type]

    monkeypatch.setattr(made.windows, "push", counted)
    # New hosts, and then their other addresses.
    process(made, [(1.0 + n / 64, f"192.168.1.{n}", MAC.format(n), NOWHERE) for n in range(32)])
    process(made, [(2.0 + n / 64, f"fd00::{n + 1:x}", MAC.format(n), NOWHERE) for n in range(32)])
    assert pushed == [32, 32]


def test_an_annotation_becomes_due_without_sessions(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(50.0, MAC.format(7), "label", "Hall_Camera")])
    made.push("one", 20.0, sessions(host(7, times=[1.0], dst=NOWHERE)), now=0.0)
    assert [v.reason for v in made.flush(now=1.0)] == ["new"]
    made.push("one", 49.0, sessions([]), now=1.1)
    assert annotated(made.push("one", 51.0, sessions([]), now=1.2)) == [
        (50.0, "192.168.1.7", "identified", "learning", "Hall_Camera")
    ]


def test_a_labelled_host_that_first_asks_for_a_lease_is_logged_as_new_before_its_label(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, MAC.format(7), "label", "Hall_Lamp", "bulb")])
    asking = (10.0, "0.0.0.0", MAC.format(7), "255.255.255.255")
    verdicts = process(made, [asking, *host(7, times=[11.0, 12.0], dst=NOWHERE)])
    assert [(v.reason, v.ts, v.sessions) for v in verdicts] == [
        ("new", 11.0, 2),
        ("annotation", 11.0, 2),
    ]


def test_an_earlier_expiry_applies(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    process(made, host(7, times=list(range(9)), dst=LAMP_CLOUD))
    made.annotate([Annotation(1.0, MAC.format(7), "ignore")])
    made.annotate([Annotation(1.0, MAC.format(7), "ignore", expires=50.0)])
    assert made.decider.host(0).ignored_until == 50.0


@pytest.mark.parametrize("wanted", ["192.168.1.7", "192.168.1.0/24"])
def test_an_annotation_by_address_applies_to_the_hosts_of_every_vlan(
    model_folder: ModelFolder, wanted: str
) -> None:
    rows = [(float(n), "192.168.1.7", "", NOWHERE) for n in range(40)]
    table = replace(sessions(rows), segment=[("/10", "/20")[n % 2] for n in range(40)])
    annotation = Annotation(0.0, wanted, "label", "Hall_Camera")
    before, after = (pipeline(model_folder(), decision=STRICT) for _ in range(2))
    before.annotate([annotation])
    early = before.process(table)
    after.process(table)
    late = after.annotate([annotation])
    for verdicts in (early, late):
        lines = [v for v in verdicts if v.reason == "annotation"]
        assert {(v.host, v.vlan, v.device) for v in lines} == {
            ("192.168.1.7", "10", "Hall_Camera"),
            ("192.168.1.7", "20", "Hall_Camera"),
        }


@pytest.mark.parametrize("which", [7, 8])
def test_a_label_of_any_mac_of_a_bond_applies_to_its_host(
    model_folder: ModelFolder, which: int
) -> None:
    made = pipeline(model_folder(), decision=STRICT)
    made.annotate([Annotation(0.0, MAC.format(which), "label", "Server")])
    rows = [(n * 60.0, "192.168.1.7", MAC.format(7 + n % 2), NOWHERE) for n in range(40)]
    process(made, rows)
    assert named(made) == {MAC.format(7): "Server"}
