"""A fitted model as a folder that a worker takes: ONNX file, manifest and model card."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

import nba_broker
from nba_broker.destinations.pools import Pools
from nba_broker.model.features import FEATURE_VERSION, INPUTS
from nba_broker.model.manifest import MANIFEST_FILE, MODEL_FILE, OUTPUTS
from nba_broker.records.errors import ModelError
from training.data.dataset import LabelledSessions, Origin
from training.model import calibrate, card, onnx_graph
from training.model.class_baseline import peers
from training.model.fit import Examples, Fitted, tensors
from training.model.network import NBA

FORMAT = 1
"""Version of the manifest's layout."""

TOLERANCE = 1e-4
"""How far ONNX Runtime may be from PyTorch in any output, as a share of it where it is over 1: sums
and tanh differ in their last digits, by processor, and familiarity multiplies that."""

_CHECKED = 2048  # windows that both compute


def write(
    out: Path,
    fitted: Fitted,
    sessions: LabelledSessions,
    origin: Origin,
    pools: Pools,
    *,
    left_out: Mapping[str, int] | None = None,
    gate: Callable[[Path], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write the model folder ``out`` as a whole and return its manifest.

    It is there at the very end only; a failure leaves everything as it was, and nothing but an
    empty folder is replaced. ``left_out``: labelled devices that had too few sessions to teach,
    each with the most that a host of it had.
    ``gate`` is shown the folder before it is there, and raises an NBAError to refuse it; what it
    returns is the manifest's ``gate``. Raises ModelError when ``out`` cannot be written or the ONNX
    file does not answer as PyTorch.
    """
    with _new(out) as work:
        content = to_onnx(fitted.model)
        deviation = check(content, fitted.model, fitted.learned)
        manifest = _manifest(out.name, fitted, sessions, origin, pools)
        manifest["training"]["left_out"] = dict(left_out or {})
        manifest["onnx"] = {
            "file": MODEL_FILE,
            "sha256": hashlib.sha256(content).hexdigest(),
            "opset": onnx_graph.OPSET,
            "deviation": deviation,
        }
        (work / MODEL_FILE).write_bytes(content)
        (work / card.CARD_FILE).write_text(card.render(manifest), "utf-8")
        _write_manifest(work, manifest)
        if gate is not None:
            manifest["gate"] = gate(work)
            _write_manifest(work, manifest)
    return manifest


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST_FILE).write_text(text, "utf-8")


def to_onnx(model: NBA) -> bytes:
    """The model as an ONNX file for any number of windows at once."""
    content: bytes = onnx_graph.build(model.eval()).SerializeToString(deterministic=True)
    return content


def check(content: bytes, model: NBA, examples: Examples) -> float:
    """The largest deviation of ONNX Runtime from PyTorch on real windows.

    Raises ModelError when it is over TOLERANCE, or the file is not valid ONNX.
    """
    onnx.checker.check_model(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = examples.inputs(slice(-_CHECKED, None))
    taken = {one.name for one in session.get_inputs()}
    feeds = {name: one for name, one in zip(INPUTS, given, strict=True) if name in taken}
    answers = session.run(OUTPUTS, feeds)
    with torch.no_grad():
        wanted = model(*tensors(given, "cpu"))
    deviation = max(
        float((np.abs(answer - want.numpy()) / np.maximum(np.abs(want.numpy()), 1)).max())
        for answer, want in zip(answers, wanted, strict=True)
    )
    if not deviation <= TOLERANCE:
        raise ModelError(
            f"the ONNX file deviates from PyTorch by {deviation:.2g} (allowed {TOLERANCE:g}); "
            "this is a fault of the library versions in use, see the extra 'train'"
        )
    return deviation


@contextmanager
def _new(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when the block ends without an error."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
            work = Path(name, "new")
            work.mkdir()
            yield work
            work.rename(out)  # which fails where anything but an empty folder is
    except OSError as error:
        raise ModelError(f"{out}: {error.strerror or error}") from error


def created() -> datetime:
    """Now, or what SOURCE_DATE_EPOCH says, for a folder that is the same each time it is made."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)


def _manifest(
    name: str, fitted: Fitted, sessions: LabelledSessions, origin: Origin, pools: Pools
) -> dict[str, Any]:
    settings = fitted.settings
    return {
        "format": FORMAT,
        "name": name,
        "created": created().isoformat(timespec="seconds"),
        "feature_version": FEATURE_VERSION,
        "window": settings.window,
        "min_sessions": settings.min_sessions,
        "stride": settings.stride,
        "early_stride": settings.early_stride,
        "interval": settings.scale.as_dict(),
        "pool_scheme": pools.scheme,
        "classes": [asdict(one) for one in fitted.classes],
        "thresholds": {
            **asdict(fitted.thresholds),
            "left_out": [fitted.classes[k].device for k in fitted.thresholds.left_out],
            "calibration": calibrate.DESCRIPTION,
        },
        "metrics": fitted.metrics,
        "usual": fitted.usual,
        "baseline": peers(sessions, fitted.classes),
        "training": {
            "since": origin.since,
            "until": origin.until,
            "logs": origin.logs,
            "fingerprint": origin.fingerprint,
            "sessions": len(sessions),
            "hosts": _hosts(sessions),
            "seed": fitted.seed,
            "settings": asdict(settings),
        },
        "databases": [database.describe() for database in pools.databases],
        "versions": {
            "nba_broker": nba_broker.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
        },
        "services": list(fitted.services),
        "pools": list(fitted.pools),
    }


def _hosts(sessions: LabelledSessions) -> list[dict[str, Any]]:
    """What was learned from, without the addresses: they are nobody's business where it goes."""
    hosts = []
    for number in np.unique(sessions.series):
        label = sessions.labels[number]
        ts = sessions.ts[sessions.series == number]
        hosts.append(
            {
                "device": label.device,
                "unit": label.unit,
                "sessions": len(ts),
                "first": float(ts[0]),
                "last": float(ts[-1]),
            }
        )
    return hosts
