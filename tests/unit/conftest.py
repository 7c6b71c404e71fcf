"""A model small enough to see through: each pool votes for one class."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nba_broker.model.features import FEATURE_VERSION

POOLS = ["as:1", "as:2", "lan", "gw"]
CLASSES = [("Lamp", "bulb"), ("Lens", "camera")]
# Rows: padding, never seen, then POOLS. as:1 speaks for Lamp, as:2 for Lens, the rest for nobody.
VOTES = np.array([[0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [0, 0]], np.float32)


def voting_model() -> bytes:
    """probability = softmax of the votes; attention = equal shares of the sessions there are;
    known = whether any of them is to a place that speaks for a class."""
    nodes = [
        helper.make_node("Gather", ["votes", "pool"], ["vote"]),
        helper.make_node("ReduceSum", ["vote", "axis"], ["context"], keepdims=0),
        helper.make_node("Softmax", ["context"], ["probability"], axis=-1),
        helper.make_node("Greater", ["pool", "zero"], ["there"]),
        helper.make_node("Cast", ["there"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["mask", "axis"], ["number"], keepdims=1),
        helper.make_node("Mul", ["interval", "nought"], ["nothing"]),
        helper.make_node("Add", ["mask", "nothing"], ["masked"]),
        helper.make_node("Div", ["masked", "number"], ["attention"]),
        helper.make_node("ReduceMax", ["vote"], ["known"], axes=[1, 2], keepdims=0),
    ]
    initializers = [
        numpy_helper.from_array(VOTES, "votes"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array(0, np.int64), "zero"),
        numpy_helper.from_array(np.array(0, np.float32), "nought"),
    ]
    graph = helper.make_graph(
        nodes,
        "votes",
        [
            helper.make_tensor_value_info("pool", TensorProto.INT64, ["B", "N"]),
            helper.make_tensor_value_info("interval", TensorProto.FLOAT, ["B", "N"]),
        ],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["B", len(CLASSES)]),
            helper.make_tensor_value_info("attention", TensorProto.FLOAT, ["B", "N"]),
            helper.make_tensor_value_info("context", TensorProto.FLOAT, ["B", len(CLASSES)]),
            helper.make_tensor_value_info("known", TensorProto.FLOAT, ["B"]),
        ],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def model_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes the voting model with a manifest; keyword arguments change the manifest."""

    def write(**changes: object) -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        content = voting_model()
        (folder / "model.onnx").write_bytes(content)
        manifest = {
            "format": 1,
            "feature_version": FEATURE_VERSION,
            "name": "votes",
            "window": 8,
            "min_sessions": 4,
            "stride": 2,
            "pool_scheme": "asn",
            "pools": POOLS,
            "services": ["443/tcp"],
            "interval": {"unit": 1e-3, "cap": 86400.0},
            "classes": [{"device": d, "category": c} for d, c in CLASSES],
            "thresholds": {
                "known": 0.5,
                "support": [0.5, 0.5],
                "possible": [0.5, 0.5],
                "exponent": 1.0,
                "error_rate": 0.1,
            },
            "background": {
                "devices": 4,
                "services": ["443/tcp"],
                "pools": POOLS[:3],
                "pairs": [0, 0, 0, 1, 0, 2],
                "shares": [0.25, 0.25, 0.5],
                "classes": [
                    {"sessions": 1000, "shares": [0, 1.0]},
                    {"sessions": 1000, "shares": [1, 1.0]},
                ],
            },
            "databases": [],
            "onnx": {"sha256": hashlib.sha256(content).hexdigest()},
        } | changes
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    onnx.checker.check_model(onnx.load_from_string(voting_model()))
    return write
