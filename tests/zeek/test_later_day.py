"""A model that learned earlier days only names every device of a later day, on a real Zeek."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from nba_broker.archive import zeek_log
from nba_broker.cli import main

pytestmark = pytest.mark.usefixtures("zeek")
pytest.importorskip("torch")

DAY = "2019-07-12"


@pytest.fixture(scope="module")
def earlier_model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the days before the captured one, fitted in a quarter of the usual time."""
    from training.cli import main as training_cli
    from training.model import fit as training_fit
    from training.model.settings import DEFAULT

    real, quick = training_fit.fit, replace(DEFAULT, epochs=4)
    out = tmp_path_factory.mktemp("models") / "earlier"
    lsif = data / "lsif"
    days = [str(day) for day in sorted(lsif.glob("2019-*")) if day.name < DAY]
    labels = ["--labels", str(lsif / "labels.csv")]
    arguments = ["fit", *days, *labels, "--until", DAY, "--out", str(out)]
    arguments += ["--rolling-days", "0"]  # the card's figures take the longest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_fit, "fit", lambda sessions, **more: real(sessions, quick, **more))
        assert training_cli.main(arguments) == 0
    return out


def test_no_device_is_named_wrongly_at_the_end_of_the_day_and_most_are_named(
    data: Path, earlier_model: Path, tmp_path: Path
) -> None:
    capture = data / "lsif" / "pcap" / f"{DAY}.pcap.gz"
    arguments = ["pcap", str(capture), "--model", str(earlier_model), "--out", str(tmp_path)]
    assert main.main(arguments) == 0
    with (data / "lsif" / "labels.csv").open(newline="") as stream:
        truth = {row["host"]: row["device"] for row in csv.DictReader(stream)}
    last = {row["mac"]: row for row in zeek_log.read(tmp_path / "nba_device.log")}
    named = {mac: last[mac]["device"] for mac in truth if last[mac].get("device")}
    assert named.items() <= truth.items()
    # A doorbell that uses a common cloud alone, and one of two confusable devices, may have none.
    assert len(named) >= 5
