"""Model folders."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nba_broker.cli.config import shipped
from nba_broker.model.features import NEVER_SEEN, IntervalScale, Services, Vocabulary
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import HostWindows, Schedule
from nba_broker.records.errors import ModelError
from nba_broker.records.ports import HIGH, port_code
from tests.unit.conftest import BACKGROUND

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
    sequences = HostWindows(Schedule(8, 4), evidence=False)
    zeros = np.zeros(5, np.int32)
    windows = sequences.push(zeros, np.arange(5.0), pool=zeros, dport=zeros)
    scores = scorer(windows, ["as:1"])
    assert scores.probability.shape == (2, 2)
    assert scores.attention.sum(1) == pytest.approx([1, 1])
    assert (scores.attention[0, :4] == 0).all()


def test_scores_do_not_depend_on_the_number_of_threads(model_folder: ModelFolder) -> None:
    folder = model_folder()
    rng = np.random.default_rng(0)
    sequences = HostWindows(Schedule(8, 1), evidence=False)
    pool, dport = np.zeros((2, 200), np.int32)
    windows = sequences.push(
        np.zeros(200, np.int64), np.cumsum(rng.exponential(9, 200)), pool=pool, dport=dport
    )
    one, three = (Scorer(folder, threads)(windows, ["as:1"]) for threads in (1, 3))
    assert np.array_equal(one.probability, three.probability)
    assert np.array_equal(one.attention, three.attention)
    assert np.array_equal(one.known, three.known)


def test_the_scores_of_a_window_do_not_depend_on_the_windows_beside_it() -> None:
    scorer = Scorer(shipped("default"))
    window, table = scorer.manifest.window, list(scorer.manifest.pools)
    rng = np.random.default_rng(0)
    number, hosts = 400, 12  # most windows are full, those of the last hosts are not
    slot = np.sort(rng.choice(hosts, number, p=[0.4, 0.4, *[0.02] * 10]))
    pool = rng.integers(0, len(table), number).astype(np.int32)
    dport = rng.choice([port_code(443, "tcp"), port_code(53, "udp")], number).astype(np.int32)
    ts = np.cumsum(rng.exponential(9, number))
    windows = HostWindows(Schedule(window, 1), evidence=False).push(
        slot, ts, pool=pool, dport=dport
    )
    assert {1, window}.issubset(windows.count.tolist())
    together = scorer(windows, table)
    for size in (1, 2, 3, 47, 49, 97):
        for rows in np.split(rng.permutation(len(windows)), range(size, len(windows), size)):
            apart = scorer(windows.take(rows), table)
            for field in fields(together):
                one, other = (getattr(scores, field.name) for scores in (together, apart))
                assert np.array_equal(one[rows], other), (field.name, size)


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
        ({"classes": [{"device": "x", "category": "y"}]}, "not as many thresholds as classes"),
        (
            {
                "classes": [{"device": "x", "category": "y"}],
                "thresholds": {"support": [1.0], "possible": [0.5]},
                "background": BACKGROUND | {"classes": BACKGROUND["classes"][:1]},
            },
            "do not have the shapes",
        ),
        ({"pools": [f"as:{n}" for n in range(99)]}, "does not take what the manifest says"),
        ({"thresholds": {"known": float("nan")}}, "out of range"),
        ({"thresholds": {"support": [1.0, float("inf")]}}, "out of range"),
        ({"thresholds": {"possible": [0.5, 2.0]}}, "out of range"),
        ({"thresholds": {"exponent": 0.0}}, "out of range"),
        ({"thresholds": {"error_rate": 1.0}}, "out of range"),
        ({"thresholds": {"support": None}}, "incomplete or malformed"),
        ({"background": BACKGROUND | {"pairs": [0, 9, 0, 1, 0, 2]}}, "incomplete or malformed"),
        ({"background": BACKGROUND | {"shares": [0.5, 0.5]}}, "incomplete or malformed"),
        ({"background": BACKGROUND | {"shares": [-1, 1, 1]}}, "incomplete or malformed"),
        ({"background": BACKGROUND | {"services": ["443/tls"]}}, "incomplete or malformed"),
        ({"services": ["443/tls"]}, "not a service"),
        ({"services": ["65536/tcp"]}, "not a service"),
        ({"services": ["-1/tcp"]}, "not a service"),
    ],
)
def test_a_manifest_that_does_not_fit_stops_the_start(
    model_folder: ModelFolder, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        Scorer(model_folder(**changes))


def test_a_model_of_an_older_release_says_that_it_must_be_trained_again(
    model_folder: ModelFolder,
) -> None:
    folder = model_folder()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["background"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="train the model again with this release"):
        Manifest.load(folder)


def test_a_missing_model_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not found; a model is a folder"):
        Manifest.load(tmp_path)


def test_a_manifest_that_is_not_json_is_one_clear_error(model_folder: ModelFolder) -> None:
    folder = model_folder()
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="not readable as JSON"):
        Scorer(folder)


def test_a_model_file_that_is_no_onnx_is_one_clear_error(model_folder: ModelFolder) -> None:
    folder = model_folder()
    content = b"not onnx"
    (folder / "model.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["onnx"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="cannot be used: not an ONNX file"):
        Scorer(folder)


def hostile(folder: Path, *nodes: onnx.NodeProto, **changes: Any) -> Path:
    """The folder with its model changed, and a manifest that fits it."""
    path = folder / "model.onnx"
    model = onnx.load_from_string(path.read_bytes())
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(changes.get("tensors", ()))
    model.functions.extend(changes.get("functions", ()))
    path.write_bytes(model.SerializeToString())
    sign(folder)
    return folder


def sign(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / "model.onnx").read_bytes()
    manifest["onnx"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("location", ["beside.bin", "../beside.bin", "/etc/passwd"])
def test_a_model_cannot_read_another_file_as_a_tensor(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    (tmp_path / "beside.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)  # where the runtime looks for what a model from memory names
    tensor = onnx.TensorProto(name="stolen", data_type=onnx.TensorProto.UINT8, dims=[16])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    within = onnx.helper.make_node("Constant", [], ["stolen"], value=tensor)
    for folder in (
        hostile(model_folder(), tensors=[tensor]),
        hostile(model_folder(), within),
    ):
        with pytest.raises(ModelError, match="data lie in another file"):
            Scorer(folder)


def test_a_model_cannot_loop_or_branch(model_folder: ModelFolder) -> None:
    body = onnx.helper.make_graph([], "body", [], [])
    loop = onnx.helper.make_node("Loop", ["axis", ""], ["forever"], body=body)
    branch = onnx.helper.make_node("If", ["axis"], ["x"], then_branch=body, else_branch=body)
    for node in (loop, branch):
        with pytest.raises(ModelError, match=f"operator {node.op_type} holds a graph"):
            Scorer(hostile(model_folder(), node))


def test_a_model_cannot_bring_operators_or_functions_of_its_own(model_folder: ModelFolder) -> None:
    node = onnx.helper.make_node("BeamSearch", ["pool"], ["x"], domain="com.microsoft")
    with pytest.raises(ModelError, match=r"BeamSearch is not .* of com\.microsoft"):
        Scorer(hostile(model_folder(), node))
    function = onnx.helper.make_function("own", "F", [], [], [], [onnx.helper.make_opsetid("", 17)])
    with pytest.raises(ModelError, match="functions of its own"):
        Scorer(hostile(model_folder(), functions=[function]))


def test_a_model_in_another_format_or_of_two_graphs_is_refused(model_folder: ModelFolder) -> None:
    folder = model_folder()
    path = folder / "model.onnx"
    good = path.read_bytes()
    for content in (good + good, good[:-1], b"", b"\x1c\0\0\0ORTM" + good):
        path.write_bytes(content)
        sign(folder)
        with pytest.raises(ModelError, match="cannot be used"):
            Scorer(folder)


def test_a_tensor_of_impossible_size_is_one_clear_error(model_folder: ModelFolder) -> None:
    tensor = onnx.TensorProto(name="huge", data_type=onnx.TensorProto.FLOAT, dims=[2**20] * 3)
    with pytest.raises(ModelError, match="more elements than it has data"):
        Scorer(hostile(model_folder(), tensors=[tensor]))


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
@pytest.mark.parametrize("aim", ["/dev/zero", "../elsewhere", "/etc/passwd", "itself"])
def test_a_link_does_not_lead_out_of_the_folder(
    model_folder: ModelFolder, tmp_path: Path, name: str, aim: str
) -> None:
    folder = model_folder()
    (tmp_path / "elsewhere").write_bytes((folder / name).read_bytes())
    (folder / name).unlink()
    (folder / name).symlink_to(name if aim == "itself" else aim)
    with pytest.raises(ModelError, match=name):
        Scorer(folder)


def test_a_link_within_the_folder_or_to_it_is_followed(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    folder = model_folder()
    (folder / "data").mkdir()
    (folder / "model.onnx").rename(folder / "data/model.onnx")
    (folder / "model.onnx").symlink_to("data/model.onnx")
    (tmp_path / "current").symlink_to(folder)
    assert Scorer(tmp_path / "current").manifest.name == "votes"


def test_a_fifo_in_place_of_a_model_does_not_make_the_start_wait(
    model_folder: ModelFolder,
) -> None:
    folder = model_folder()
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(ModelError, match="not a file"):
        Scorer(folder)
