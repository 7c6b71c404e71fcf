"""An evaluation says of an archive what ``nba-broker score`` writes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Windows
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.decision_settings import DecisionSettings
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, pipeline, pools
from training.data import dataset
from training.data.labels import Label
from training.evaluation.evaluate import evaluate

LABELS = [
    Label(MAC.format(number), device, "thing")
    for number, device in enumerate(("Lamp", "Lens", "Stranger"))
]
SESSION = st.tuples(
    st.integers(0, len(LABELS) - 1),
    st.sampled_from([LAMP_CLOUD, LENS_CLOUD, "192.168.1.1", "9.9.9.9"]),
    st.floats(0.0, 30_000.0),
)


class Recorder(Scorer):
    """A scorer that remembers, by host and number of sessions, what it was asked and answered."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.answers: dict[tuple[str, int], tuple[list[float], float]] = {}
        self.host_of_slot = [label.host for label in LABELS]

    def __call__(
        self, windows: Windows, table: list[str], text: Callable[[int], str] | None = None
    ) -> Scores:
        scores = super().__call__(windows, table, text)
        rows = zip(windows.slot, windows.count, scores.probability, scores.known, strict=True)
        for slot, count, probability, known in rows:
            host = self.host_of_slot[slot]
            self.answers[host, int(count)] = (probability.tolist(), float(known))
        return scores


def write(path: Path, sessions: list[tuple[int, str, float]]) -> None:
    lines = ["#separator \\x09", "#path\tconn"]
    lines.append("#fields\tts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\tproto\torig_l2_addr")
    ts = 1e9
    for number, (host, dst, gap) in enumerate(sessions):
        ts += gap
        name = f"192.168.1.{host + 10}"
        lines.append(f"{ts:.6f}\tC{number}\t{name}\t{dst}\t443\ttcp\t{MAC.format(host)}")
    path.write_text("\n".join(lines) + "\n")


def called(verdicts: list[Verdict], mac: str, before: float) -> str:
    """What a reader of the log calls a host at a time: its device, or the state it is in."""
    latest = [one for one in verdicts if one.mac == mac and one.ts < before][-1]
    return latest.device or latest.state


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sessions=st.lists(SESSION, min_size=12, max_size=120))
def test_a_workers_scores_and_verdicts_are_those_of_the_evaluation(model_folder, sessions) -> None:
    folder = model_folder()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "conn.log"
        write(path, sessions)
        labelled, _ = dataset.load([path], LABELS, pools())
        archive = conn_log.read([path])
        evaluating = Recorder(folder)
        figures = evaluate(evaluating, labelled)
        manifest = evaluating.manifest
        made = pipeline(
            folder,
            settings=DecisionSettings.of_model(manifest),
        )
        made.scorer = working = Recorder(folder)
        working.host_of_slot = list(
            dict.fromkeys(mac for batch in archive.batches() for mac in batch.mac)
        )
        verdicts = [one for batch in archive.batches() for one in made.process(batch)]

    assert set(working.answers) == {
        (host, count)
        for host, count in evaluating.answers
        if manifest.schedule.due(np.array(count))
    }
    for key, (probability, known) in working.answers.items():
        np.testing.assert_allclose(probability, evaluating.answers[key][0], atol=1e-6)
        assert known == evaluating.answers[key][1]

    assert figures["by_day"]
    for row in figures["by_day"]:
        midnight = float(np.datetime64(row["day"], "s").astype(np.int64)) + 86_400
        assert called(verdicts, row["host"], midnight) == row["verdict"]
