"""A device with too few sessions costs itself a place in the model, and no other device."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.records.errors import ArchiveError
from training.data.enough import enough, lacking
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label


def sessions(*numbers: tuple[str, int]) -> LabelledSessions:
    """A series of so many sessions for each host of a device."""
    series = np.repeat(np.arange(len(numbers)), [number for _, number in numbers])
    size = len(series)
    return LabelledSessions(
        ts=np.arange(size, dtype=float),
        series=series,
        pool=np.zeros(size, np.int32),
        dport=np.zeros(size, np.int32),
        labels=tuple(Label(f"10.0.0.{n}", one, "thing") for n, (one, _) in enumerate(numbers)),
        table=["lan"],
    )


def test_devices_without_a_host_that_has_enough_are_left_out_with_a_line_each() -> None:
    lines: list[str] = []
    whole = sessions(("Lamp", 8), ("Lens", 7), ("Plug", 3), ("Plug", 20), ("Hub", 0), ("Lens", 2))
    kept, left_out = enough(whole, 8, lines.append)
    assert left_out == lacking(whole, 8) == {"Hub": 0, "Lens": 7}
    assert [one.device for one in kept.classes()] == ["Lamp", "Plug"]
    assert len(kept) == 8 + 3 + 20
    assert lines == [
        "left out: Hub has no host with 8 sessions (the most: 0)",
        "left out: Lens has no host with 8 sessions (the most: 7)",
    ]


def test_with_enough_sessions_no_device_is_left_out() -> None:
    lines: list[str] = []
    whole = sessions(("Lamp", 8), ("Lens", 9))
    kept, left_out = enough(whole, 8, lines.append, strict=True)
    assert (len(kept), left_out, lines) == (17, {}, [])


def test_strict_refuses_what_would_be_left_out() -> None:
    whole = sessions(("Lamp", 8), ("Lens", 9), ("Plug", 7))
    with pytest.raises(ArchiveError, match="no host with 8 sessions of Plug: add sessions"):
        enough(whole, 8, print, strict=True)


def test_fewer_than_two_devices_are_one_clear_error() -> None:
    with pytest.raises(ArchiveError, match="a host of 8 sessions; of 3 labelled devices 1 has"):
        enough(sessions(("Lamp", 8), ("Lens", 7), ("Plug", 7)), 8, print)
