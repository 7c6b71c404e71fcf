"""A device that no model knows is recognised after an analyst named one unit: on real traffic."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import training.model.fit
import training.model.settings
from nba_broker.archive import conn_log
from nba_broker.cli.config import shipped
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.times import parse_time
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.wire.reorder import Reorder
from training.cli.main import main

CAMERA = "Blink_Indoor"
EARLY, LATER = "2019-07-0*", "2019-07-1*"  # days of the site that the model is of
LABELLED = "2021-03-10"  # two days after the cameras came


@pytest.fixture(scope="module")
def lsif_model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one site, fitted in a hurry: prototypes do not rest on it."""
    out = tmp_path_factory.mktemp("models") / "lsif"
    real = training.model.fit.fit
    quick = replace(training.model.settings.DEFAULT, window=32, hidden=16, epochs=2, per_class=1024)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training.model.fit, "fit", lambda sessions, **more: real(sessions, quick, **more)
        )
        days = [str(day) for day in sorted((data / "lsif").glob(EARLY))]
        labels = str(data / "lsif" / "labels.csv")
        line = ["fit", *days, "--labels", labels, "--out", str(out), "--rolling-days", "0"]
        assert main(line) == 0
    return out


def verdicts(folder: Path, model: Path, answers: list[Annotation], *paths: Path) -> list[Verdict]:
    """The verdicts on archives that follow the cameras' own, in one run."""
    scorer = Scorer(model)
    manifest = scorer.manifest
    made = Pipeline(
        Pools([Database(shipped("asn.mmdb.xz"))], scheme=manifest.pool_scheme),
        scorer,
        settings=DecisionSettings.of_model(manifest),
        reorder=Reorder(),
    )
    made.annotate(answers)
    said: list[Verdict] = []
    for path in (folder, *paths):
        archive = conn_log.read([path])
        for lease in archive.leases:
            made.lease(lease)
        for batch in archive.batches():
            said += made.process(batch)
    return said


@pytest.fixture(scope="module")
def cameras(data: Path) -> list[str]:
    with (data / "fit" / "labels.csv").open(newline="") as stream:
        return [row["host"] for row in csv.DictReader(stream) if row["device"] == CAMERA]


@pytest.mark.parametrize("unit", range(3))
def test_the_other_units_of_a_named_device_are_recognised_and_nothing_else(
    unit: int, data: Path, lsif_model: Path, cameras: list[str]
) -> None:
    label = Annotation(parse_time(LABELLED), cameras[unit], "label", CAMERA, "camera")
    others = [
        *sorted((data / "lsif").glob(LATER)),
        data / "non_iot",
        *sorted((data / "sentinel").glob("*.conn.log*")),
    ]
    said = verdicts(data / "fit", lsif_model, [label], *others)
    assert len({verdict.mac or verdict.host for verdict in said}) > 40
    assert {verdict.mac for verdict in said if verdict.device == CAMERA} == set(cameras)
    last = {verdict.mac: verdict for verdict in said}
    assert {last[mac].device for mac in cameras} == {CAMERA}
    assert {last[mac].state for mac in cameras} == {"identified"}
