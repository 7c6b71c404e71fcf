"""Model folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.errors import ModelError
from nba_broker.features import HIGH, NEVER_SEEN, IntervalScale, Services, Vocabulary
from nba_broker.messages import port_code
from nba_broker.scorer import Manifest, Scorer
from nba_broker.sequences import Schedule, Sequences

ModelFolder = Callable[..., Path]


def test_padding_never_seen_and_known_pools_keep_apart() -> None:
    vocabulary = Vocabulary(["lan", "gw"])
    table = ["gw", "as:9"]
    assert vocabulary.ids(np.array([-1, 0, 1]), table).tolist() == [0, 3, 1]
    table.append("lan")  # the table grows while the worker runs
    assert vocabulary.ids(np.array([2, 0]), table).tolist() == [2, 3]


def test_services_keep_port_and_transport_apart_but_not_random_ports() -> None:
    codes = [
        port_code(port, protocol)
        for port, protocol in ((53, "udp"), (53, "tcp"), (HIGH, "udp"), (65535, "udp"))
    ]
    services = Services.of(codes)
    assert set(services.names) == {"53/udp", "53/tcp", "high/udp"}
    assert Services(services.names).ids(np.array(codes)).tolist() == [3, 2, 4, 4]
    unknown = [port_code(HIGH, "tcp"), port_code(HIGH - 1, "udp"), port_code(443, "tcp")]
    assert (services.ids(np.array(unknown)) == NEVER_SEEN).all()


def test_the_interval_scale_keeps_milliseconds_apart_from_seconds() -> None:
    scaled = IntervalScale()(np.array([-1, 0, 0.01, 0.1, 1, 10, 86400, np.inf]))
    assert scaled[:2].tolist() == [0, 0]
    assert np.diff(scaled[1:-1]).min() > 0.1
    assert scaled[-2:].tolist() == [1, 1]


def test_attention_is_zero_on_padding_and_sums_to_one(model_folder: ModelFolder) -> None:
    scorer = Scorer(model_folder())
    sequences = Sequences(Schedule(8, 4), evidence=False)
    zeros = np.zeros(5, np.int32)
    windows = sequences.push(zeros, np.arange(5.0), pool=zeros, dport=zeros)
    scores = scorer(windows, ["as:1"])
    assert scores.probability.shape == (2, 2)
    assert scores.attention.sum(1) == pytest.approx([1, 1])
    assert (scores.attention[0, :4] == 0).all()


def test_scores_do_not_depend_on_the_number_of_threads(model_folder: ModelFolder) -> None:
    folder = model_folder()
    rng = np.random.default_rng(0)
    sequences = Sequences(Schedule(8, 1), evidence=False)
    pool, dport = np.zeros((2, 200), np.int32)
    windows = sequences.push(
        np.zeros(200, np.int64), np.cumsum(rng.exponential(9, 200)), pool=pool, dport=dport
    )
    one, three = (Scorer(folder, threads)(windows, ["as:1"]) for threads in (1, 3))
    assert np.array_equal(one.probability, three.probability)
    assert np.array_equal(one.attention, three.attention)
    assert np.array_equal(one.known, three.known)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"feature_version": 99}, "feature version 99.*train the model again"),
        ({"window": 0}, "out of range"),
        ({"stride": 0}, "out of range"),
        ({"stride": 2, "early_stride": 4}, "out of range"),
        ({"classes": []}, "out of range"),
        ({"pools": None}, "incomplete or malformed"),
        ({"classes": [{"device": "x"}]}, "incomplete or malformed"),
        ({"onnx": {"sha256": "0" * 64}}, "does not match the SHA-256"),
        ({"pool_scheme": "street"}, "pool scheme 'street'"),
        ({"databases": ["x"]}, "incomplete or malformed"),
        ({"window": float("inf")}, "incomplete or malformed"),
        ({"classes": [{"device": "x", "category": "y"}]}, "do not have the shapes"),
        ({"pools": [f"as:{n}" for n in range(99)]}, "does not take what the manifest says"),
        ({"thresholds": {"identified": 2, "known": 0}}, "out of range"),
        ({"thresholds": {"identified": 0.7, "known": float("nan")}}, "out of range"),
        ({"thresholds": {"identified": 0.7}}, "incomplete or malformed"),
        ({"services": ["443/tls"]}, "not a service"),
    ],
)
def test_a_manifest_that_does_not_fit_stops_the_start(
    model_folder: ModelFolder, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        Scorer(model_folder(**changes))


def test_a_missing_model_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not found; --model takes a folder"):
        Manifest.load(tmp_path)


def test_a_manifest_that_is_not_json_is_one_clear_error(model_folder: ModelFolder) -> None:
    folder = model_folder()
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="not readable as JSON"):
        Scorer(folder)


def test_a_model_file_that_is_no_onnx_is_one_clear_error(model_folder: ModelFolder) -> None:
    folder = model_folder()
    content = b"not onnx"
    import hashlib

    (folder / "model.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["onnx"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="cannot be used: not an ONNX file"):
        Scorer(folder)
