"""Counts of devices' sessions, and the background that is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nba_broker.model.windows import Schedule
from nba_broker.records.errors import ArchiveError, ModelError
from nba_broker.records.ports import port_code
from tests.unit.helpers import ROOT
from training.data import public_counts
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.data.public_counts import Device
from training.model.background import background, ratios, typical, without_own

TABLE = ["as:1", "as:2", "gw"]


def made(pool: list[int], series: list[int]) -> LabelledSessions:
    """Sessions to 443/tcp, one a second."""
    number = len(pool)
    labels = (Label("h0", "Lamp", "bulb"), Label("h1", "Lens", "camera"))
    return LabelledSessions(
        np.arange(number, dtype=float),
        np.array(series, np.int64),
        np.array(pool, np.int32),
        np.full(number, port_code(443, "tcp"), np.int32),
        labels,
        TABLE,
    )


SESSIONS = made([0] * 40 + [1] * 40 + [2] * 9, [0] * 40 + [1] * 49)
TRUTH = SESSIONS.series


def test_counts_are_read_as_they_were_written(tmp_path: Path) -> None:
    devices = [
        Device("Lamp", "here", {("443/tcp", "as:1", "a.lamp.com"): 40, ("high/udp", "lan", ""): 2})
    ]
    public_counts.write(tmp_path / "c.json", "asn", devices)
    assert public_counts.read(tmp_path / "c.json", "asn") == devices


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"pool_scheme": "asn", "devices": [{}]}',
        '{"pool_scheme": "asn", "devices": [{"device": "x", "source": "y", '
        '"pairs": [["1", "2", 3]]}]}',
        '{"pool_scheme": "asn", "devices": [{"device": "x", "source": "y", '
        '"pairs": [["1/tcp", "as:2", 0]]}]}',
    ],
)
def test_a_file_that_has_no_counts_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ModelError, match="nba-train background writes them"):
        public_counts.read(tmp_path / "c.json", "asn")


def test_counts_of_other_pools_are_refused(tmp_path: Path) -> None:
    public_counts.write(tmp_path / "c.json", "cc", [])
    with pytest.raises(ModelError, match="names pools by cc, this archive by asn"):
        public_counts.read(tmp_path / "c.json", "asn")


def test_the_shipped_counts_are_of_48_devices_and_name_their_sources() -> None:
    shipped = public_counts.read(ROOT / "models/background/counts.json", "asn")
    assert len(shipped) == 48
    readme = (ROOT / "models/background/README.md").read_text()
    assert all(source in readme for source in {one.source for one in shipped})


def test_devices_with_few_telling_sessions_are_not_counted() -> None:
    few = made([0] * 40 + [2] * 60, [0] * 40 + [1] * 60)
    assert [one.name for one in public_counts.by_device(few, "here")] == ["Lamp"]


def test_a_host_that_looks_like_a_class_is_left_out_of_the_background() -> None:
    lamp_like, other = {("443/tcp", "as:1", ""): 50}, {("443/tcp", "as:7", ""): 50}
    first = background(SESSIONS, TRUTH, 2, [lamp_like, other])
    assert without_own(first, [lamp_like, other]) == [other]


def test_the_usual_ratio_of_a_class_is_that_of_its_own_windows() -> None:
    shares = background(SESSIONS, TRUTH, 2)
    windows, ratio, telling = ratios(SESSIONS, shares, Schedule(8, 8, 8))
    lamp = windows.slot == 0
    assert ratio[lamp, 0] == pytest.approx(typical(shares)[0], abs=1e-5)
    assert telling[lamp].tolist() == [8] * int(lamp.sum())


def test_a_class_without_telling_sessions_has_no_usual_ratio() -> None:
    silent = made([0] * 40 + [2] * 40, [0] * 40 + [1] * 40)
    assert np.isinf(typical(background(silent, TRUTH[:80], 2))).tolist() == [False, True]


def test_sessions_that_tell_nothing_make_no_background() -> None:
    silent = made([2] * 8, [0, 1] * 4)
    with pytest.raises(ArchiveError, match="no background"):
        background(silent, silent.series, 2)
