"""What analysts answered, brought to the hosts that there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.answers import Answer
from nba_broker.messages import Lease, Verdict
from nba_broker.pipeline import Pipeline
from nba_broker.policy import PolicySettings
from nba_broker.reorder import take
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]
NOWHERE = "9.9.9.9"
STRICT = PolicySettings(
    known=0.5, torn=6, settled=10, lasting=0
)  # NOWHERE alone is not familiar then


def process(made: Pipeline, rows: list[tuple[float, str, str, str]]) -> list[Verdict]:
    return made.process(sessions(sorted(rows)))


def answered(verdicts: list[Verdict]) -> list[tuple[float, str, str, str, str]]:
    return [(v.ts, v.host, v.state, v.previous, v.device) for v in verdicts if v.reason == "answer"]


def test_a_label_names_a_host_from_its_time_on(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(4.5, MAC.format(7), "label", "Hall_Camera", "camera", reason="seen it")])
    verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
    (line,) = [v for v in verdicts if v.reason == "answer"]
    assert (line.ts, line.state, line.previous) == (4.5, "identified", "learning")
    assert (line.device, line.category, line.confidence) == ("Hall_Camera", "camera", 1.0)
    assert line.evidence == ("label of 1970-01-01T00:00:04.500000Z: seen it",)
    assert verdicts[-1] == line


def test_a_label_that_is_late_applies_to_what_is_open_at_once(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    process(made, host(7, times=list(range(30)), dst=NOWHERE))
    label = Answer(4.5, MAC.format(7), "label", "Lens")
    assert answered(made.answer([label])) == [
        (29.0, "192.168.1.7", "identified", "unknown", "Lens")
    ]
    assert made.answer([label]) == []


def test_a_label_by_address_network_or_hostname_names_the_hosts_that_come(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer(
        [
            Answer(0.0, "192.168.1.1", "label", "By_Address"),
            Answer(0.0, "192.168.1.128/25", "label", "By_Network"),
            Answer(0.0, "lamp", "label", "By_Name"),
        ]
    )
    made.lease(Lease(2.5, "192.168.1.3", MAC.format(3), "Lamp"))
    verdicts = process(
        made, [row for n in (1, 3, 200) for row in host(n, times=[1.0, 2.0, 3.0], dst=NOWHERE)]
    )
    assert [(ts, device) for ts, _, _, _, device in answered(verdicts)] == [
        (1.0, "By_Address"),
        (1.0, "By_Network"),
        (3.0, "By_Name"),
    ]


def test_a_label_by_address_is_brought_to_a_host_that_leaves_the_address_in_the_same_batch(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, "192.168.1.7", "label", "Hall_Camera")])
    mac = MAC.format(7)
    rows = [(1.0, "192.168.1.7", mac, NOWHERE), (2.0, "192.168.1.9", mac, NOWHERE)]
    assert [line[1:] for line in answered(process(made, rows))] == [
        ("192.168.1.9", "identified", "learning", "Hall_Camera")
    ]


def test_a_row_that_was_corrected_no_longer_names_the_host_that_it_meant(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    row = Answer(4.5, MAC.format(7), "label", "Hall_Camera")
    other = replace(row, host=MAC.format(9))
    made.answer([row, other])
    process(made, [one for n in (7, 8, 9) for one in host(n, times=list(range(9)), dst=NOWHERE)])
    named = made.policy.columns()["given"]
    assert [int(one) >= 0 for one in named[:3]] == [True, False, True]
    made.answer([replace(row, host=MAC.format(8)), other])
    assert [int(one) >= 0 for one in named[:3]] == [False, True, True]


def test_the_latest_label_counts(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    mac = MAC.format(7)
    process(made, host(7, times=[1.0], dst=NOWHERE))
    made.answer([Answer(2.0, mac, "label", "First"), Answer(3.0, mac, "label", "Second")])
    verdicts = process(made, host(7, times=[2.5, 4.0], dst=NOWHERE))
    assert [line[-1] for line in answered(verdicts)] == ["First", "Second"]


def test_a_label_whose_row_is_gone_no_longer_holds(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, MAC.format(7), "label", "Lamp")])
    process(made, host(7, times=list(range(40)), dst=LENS_CLOUD))
    (line,) = answered(made.answer([]))
    assert line == (39.0, "192.168.1.7", "identified", "impostor", "Lens")


def test_a_confirmation_settles_what_was_said_before_it(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    process(made, host(7, times=list(range(30)), dst=LAMP_CLOUD))
    changed = process(made, host(7, times=list(range(30, 90)), dst=LENS_CLOUD))
    assert [v.state for v in changed] == ["changed"]
    confirm = Answer(95.0, MAC.format(7), "confirm")
    assert answered(made.answer([confirm])) == []
    assert answered(process(made, host(7, times=[96.0], dst=LENS_CLOUD))) == [
        (95.0, "192.168.1.7", "identified", "changed", "Lens")
    ]


def test_a_confirmed_misbehaviour_is_what_the_host_does_from_now_on(
    model_folder: ModelFolder,
) -> None:
    times = [1e6 + 600.0 * n for n in range(7 * 144)]
    beacon = host(7, times=[1e6 + 5 * 86400 + 60.0 * n for n in range(2880)], dst="2.9.9.9")
    rows = host(7, times=times, dst=LAMP_CLOUD) + beacon
    made = pipeline(model_folder(), settings=replace(STRICT, settled=1e9, calm=3600))
    verdicts = process(made, rows)
    alarms = [v for v in verdicts if v.state == "misbehaving"]
    assert alarms
    made = pipeline(model_folder(), settings=replace(STRICT, settled=1e9, calm=3600))
    made.answer([Answer(alarms[0].ts + 3600, MAC.format(7), "confirm")])
    verdicts = process(made, rows)
    assert [v for v in verdicts if v.state == "misbehaving"] == alarms[:1]
    (line,) = [v for v in verdicts if v.reason == "answer"]
    assert line.previous == "misbehaving"


def test_a_confirmation_from_before_a_host_was_there_says_nothing_of_it(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(5.0, MAC.format(7), "confirm")])
    assert answered(process(made, host(7, times=[6.0], dst=LAMP_CLOUD))) == []


def test_no_line_of_an_ignored_host_has_the_reason_change_until_that_is_over(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, "192.168.1.0/24", "ignore", expires=200.0)])
    process(made, host(7, times=list(range(30)), dst=LAMP_CLOUD))
    verdicts = process(made, host(7, times=list(range(30, 90)), dst=LENS_CLOUD))
    assert [(v.state, v.reason) for v in verdicts] == [("changed", "answer")]
    verdicts = process(made, host(7, times=[200.0, 201.0], dst=LENS_CLOUD))
    assert [(v.state, v.reason) for v in verdicts] == [("changed", "change")]


def test_an_ignore_that_is_withdrawn_is_over(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, MAC.format(7), "ignore")])
    verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
    assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "answer")]
    assert made.answer([]) == []
    verdicts = process(made, host(7, times=[30.0, 31.0], dst=NOWHERE))
    assert [(v.state, v.reason) for v in verdicts] == [("unknown", "change")]


def test_what_rests_on_an_ignored_destination_is_no_alarm(model_folder: ModelFolder) -> None:
    for answer in (
        Answer(0.0, "", "ignore", pool="none"),
        Answer(0.0, MAC.format(7), "ignore", pool="9.9.9.0/24"),
        Answer(0.0, "192.168.1.0/24", "ignore", pool=NOWHERE),
    ):
        made = pipeline(model_folder(), settings=STRICT)
        made.answer([answer])
        verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
        assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "answer")], answer


def test_an_ignored_destination_of_another_host_or_time_changes_nothing(
    model_folder: ModelFolder,
) -> None:
    for answer in (
        Answer(0.0, MAC.format(8), "ignore", pool="none"),
        Answer(0.0, "", "ignore", pool="as:1"),
        Answer(0.0, "", "ignore", pool="8.0.0.0/8"),
        Answer(0.0, "", "ignore", pool="none", expires=1.0),
        Answer(1e6, "", "ignore", pool="none"),
    ):
        made = pipeline(model_folder(), settings=STRICT)
        made.answer([answer])
        verdicts = process(made, host(7, times=list(range(30)), dst=NOWHERE))
        assert [(v.state, v.reason) for v in verdicts][1:] == [("unknown", "change")], answer


def like(number: int, start: float, count: int = 40) -> list[tuple[float, str, str, str]]:
    """A host of a kind that the model does not know: it asks, then goes to two places in turn."""
    places = ("192.168.1.1", NOWHERE, "224.0.0.251", NOWHERE)
    return [
        (start + n, f"192.168.1.{number}", MAC.format(number), places[n % 4]) for n in range(count)
    ]


def test_a_second_unit_of_a_named_device_is_recognised_and_nothing_else(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    label = Answer(50.0, MAC.format(7), "label", "Hall_Camera", "camera")
    made.answer([label])
    process(made, like(7, 0.25) + like(8, 0.5) + host(9, times=list(range(40)), dst=LENS_CLOUD))
    verdicts = process(made, like(30, 60.0) + host(31, times=list(range(60, 99)), dst=NOWHERE))
    # The one that was there, then, in its own time, the one that came.
    (_, _, _, _, first), (ts, name, *_, second) = answered(verdicts)
    assert (first, second, ts, name) == ("Hall_Camera", "Hall_Camera", 50.0, "192.168.1.8")
    found = {v.host: v for v in verdicts if v.state != "learning"}
    assert (found["192.168.1.30"].device, found["192.168.1.30"].category) == (
        "Hall_Camera",
        "camera",
    )
    assert found["192.168.1.30"].confidence > 0.95
    assert found["192.168.1.31"].state == "unknown"
    assert "192.168.1.9" not in found


def test_a_host_that_is_named_early_becomes_a_prototype_when_it_has_done_enough(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, MAC.format(7), "label", "Hall_Camera")])
    process(made, like(7, 0.0, count=7))
    assert not len(made.inventory.prototypes)
    process(made, like(7, 20.0, count=5))
    assert len(made.inventory.prototypes) == 1
    made.answer([])
    assert not len(made.inventory.prototypes)


@pytest.mark.parametrize("labelled", [0.0, 55.5], ids=["grows into a prototype", "is one at once"])
def test_lines_do_not_depend_on_how_sessions_were_cut_into_batches(
    model_folder: ModelFolder, labelled: float
) -> None:
    rows = sorted(like(7, 40.25, 200) + like(8, 0.5, 150) + like(30, 60.0, 100))
    rows += host(9, times=[300.0 + n for n in range(60)], dst=LENS_CLOUD)
    table = sessions(rows)
    given = [
        Answer(0.0, MAC.format(9), "label", "Lamp"),
        Answer(20.0, MAC.format(8), "ignore", expires=90.0),
        Answer(labelled, MAC.format(7), "label", "Hall_Camera"),
        Answer(330.0, MAC.format(9), "confirm"),
    ]
    made = pipeline(model_folder(), settings=STRICT)
    made.answer(given)
    whole = made.process(table)
    assert {"identified", "impostor", "learning"} <= {v.state for v in whole}
    made = pipeline(model_folder(), settings=STRICT)
    made.answer(given)
    parts: list[Verdict] = []
    for start in range(0, len(rows), 7):
        parts += made.process(take(table, np.arange(start, min(start + 7, len(rows)))))
    assert parts == whole


def test_an_answer_becomes_due_in_a_silence(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(50.0, MAC.format(7), "label", "Hall_Camera")])
    made.push("one", 20.0, sessions(host(7, times=[1.0], dst=NOWHERE)), now=0.0)
    assert [v.reason for v in made.flush(now=1.0)] == ["new"]
    made.push("one", 49.0, sessions([]), now=1.1)
    assert answered(made.push("one", 51.0, sessions([]), now=1.2)) == [
        (50.0, "192.168.1.7", "identified", "learning", "Hall_Camera")
    ]


def test_a_labelled_host_that_first_asks_for_a_lease_is_announced_before_the_answer(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    made.answer([Answer(0.0, MAC.format(7), "label", "Hall_Lamp", "bulb")])
    asking = (10.0, "0.0.0.0", MAC.format(7), "255.255.255.255")
    verdicts = process(made, [asking, *host(7, times=[11.0, 12.0], dst=NOWHERE)])
    assert [(v.reason, v.ts, v.sessions) for v in verdicts] == [
        ("new", 11.0, 2),
        ("answer", 11.0, 2),
    ]


def test_an_end_that_is_drawn_nearer_counts(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), settings=STRICT)
    process(made, host(7, times=list(range(9)), dst=LAMP_CLOUD))
    made.answer([Answer(1.0, MAC.format(7), "ignore")])
    made.answer([Answer(1.0, MAC.format(7), "ignore", expires=50.0)])
    assert made.policy.columns()["ignored"][0] == 50.0
