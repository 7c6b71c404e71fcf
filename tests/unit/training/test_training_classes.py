"""The classes of a comparison, and its caveat about separate recordings."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.records.errors import ConfigError
from training.data.classes import by_kind, merged, renamed
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.data.recordings import caveat, recordings

LABELS = [
    Label("10.0.0.1", "Hue_Bridge", "hub"),
    Label("10.0.0.2", "Hue_Switch", "switch"),
    Label("10.0.0.3", "PC", "non-iot"),
]


def sessions(*spans: tuple[float, float]) -> LabelledSessions:
    """The hosts of LABELS with a session at the beginning and one at the end of their span."""
    rows = sorted((ts, series) for series, span in enumerate(spans) for ts in span)
    zeros = np.zeros(len(rows), np.int32)
    ts, series = (np.array(column) for column in zip(*rows, strict=True))
    return LabelledSessions(ts, series, zeros, zeros, tuple(LABELS), ["as:1"])


def test_classes_are_categories_or_iot_and_the_rest() -> None:
    assert by_kind(LABELS, "category")["Hue_Switch"] == "switch"
    assert by_kind(LABELS, "iot") == {"Hue_Bridge": "IoT", "Hue_Switch": "IoT", "PC": "non-IoT"}


def test_merged_devices_are_one_class_whatever_their_categories() -> None:
    class_of = merged(LABELS, ["Hue=Hue_Bridge,Hue_Switch"])
    given = sessions((0, 1), (0, 1), (0, 1))
    assert [one.device for one in renamed(given, class_of).classes()] == ["Hue", "PC"]


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        (["Hue"], "not NAME=DEVICE"),
        (["Hue=Hue_Bridge"], "not NAME=DEVICE"),
        (["Hue=Hue_Bridge,Toaster"], "no label of Toaster"),
        (["A=Hue_Bridge,PC", "B=Hue_Switch,PC"], "no label of PC, or merged already"),
        (["PC=Hue_Bridge,Hue_Switch"], "there is another device PC"),
    ],
)
def test_a_merge_that_cannot_be_meant_is_one_clear_error(merges: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        merged(LABELS, merges)


def test_hosts_that_were_recorded_together_need_no_caveat() -> None:
    together = sessions((0, 10), (5, 20), (15, 30))
    assert recordings(together) == [(0, 30, ["Hue_Bridge", "Hue_Switch", "PC"])]
    assert caveat(together) == ""


def test_a_recording_of_another_time_is_named_in_a_caveat() -> None:
    text = caveat(sessions((0, 86_400), (5, 20), (200_000, 300_000)))
    assert "1970-01-03 to 1970-01-04: PC" in text
    assert "2 recordings" in text
