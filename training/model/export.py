"""Writes a fitted model as a folder for a worker: ONNX file, manifest and model card."""

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
from training.data.dataset import Origin
from training.data.labelled_sessions import LabelledSessions
from training.model import calibrate, card, onnx_graph
from training.model.calibrate import Thresholds
from training.model.class_baseline import class_baselines
from training.model.examples import Examples, tensors
from training.model.fit import Fitted
from training.model.network import NBA
from training.model.settings import Settings

FORMAT = 2
"""Version of the manifest's layout."""

TOLERANCE = 1e-4
"""Largest difference of ONNX Runtime from PyTorch in any output, relative to outputs over 1. Sums
and tanh differ in their last digits by processor, and familiarity multiplies that."""

_CHECKED = 2048  # windows

# Names of fields in the manifest, whose layout stays.
_FIELDS = {"likelihood_weight": "habits", "likelihood_weights": "habits"}


def write(
    out: Path,
    fitted: Fitted,
    sessions: LabelledSessions,
    origin: Origin,
    pools: Pools,
    *,
    left_out: Mapping[str, int] | None = None,
    rolling: Mapping[str, Any] | None = None,
    gate: Callable[[Path], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write the model folder ``out`` as a whole and return its manifest.

    The folder appears at the very end; a failure changes nothing, and only an empty folder is
    replaced. ``left_out``: labelled devices with too few sessions, each with the most sessions of
    one of its hosts. ``rolling``: figures of the recipe on later days, or the ``reason`` why there
    are none, see card.later_days().
    ``gate`` takes the finished folder before it is moved to ``out``, and raises an NBAError to
    refuse it; the manifest's ``gate`` is what it returns. Raises ModelError when ``out`` cannot be
    written or the ONNX file deviates from PyTorch.
    """
    with _new(out) as work:
        content = to_onnx(fitted.model)
        deviation = check(content, fitted.model, fitted.windows)
        manifest = _manifest(out.name, fitted, sessions, origin, pools)
        manifest["training"]["left_out"] = dict(left_out or {})
        if rolling is not None:
            manifest["rolling"] = dict(rolling)
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
    """Write the manifest for people to read, but the background, which is long, in one line."""
    mark = f"background of {manifest['onnx']['sha256']}"
    text = json.dumps(manifest | {"background": mark}, indent=1, ensure_ascii=False)
    text = text.replace(f'"{mark}"', json.dumps(manifest["background"], ensure_ascii=False), 1)
    (folder / MANIFEST_FILE).write_text(text + "\n", "utf-8")


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
    found = session.run(OUTPUTS, feeds)
    with torch.no_grad():
        wanted = model(*tensors(given, "cpu"))
    deviation = max(
        float((np.abs(one - want.numpy()) / np.maximum(np.abs(want.numpy()), 1)).max())
        for one, want in zip(found, wanted, strict=True)
    )
    if not deviation <= TOLERANCE:
        raise ModelError(
            f"the ONNX file deviates from PyTorch by {deviation:.2g} (allowed {TOLERANCE:g}); "
            "install the library versions of the extra 'train'"
        )
    return deviation


@contextmanager
def _new(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that is renamed to it when the block ends without an error."""
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
    """Now, or the time of SOURCE_DATE_EPOCH, with which a folder can be made again byte for
    byte."""
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
            **_fields(fitted.thresholds),
            "left_out": [fitted.classes[k].device for k in fitted.thresholds.left_out],
            "calibration": calibrate.DESCRIPTION,
        },
        "background": fitted.background.as_dict(),
        "metrics": fitted.metrics,
        "usual": fitted.usual,
        "baseline": class_baselines(sessions, fitted.classes),
        "training": {
            "since": origin.since,
            "until": origin.until,
            "logs": origin.logs,
            "fingerprint": origin.fingerprint,
            "sessions": len(sessions),
            "hosts": _hosts(sessions),
            "seed": fitted.seed,
            "settings": _fields(settings),
        },
        "databases": [database.describe() for database in pools.databases],
        "overrides": pools.overrides,
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


def _fields(record: Thresholds | Settings) -> dict[str, Any]:
    return {_FIELDS.get(name, name): value for name, value in asdict(record).items()}


def _hosts(sessions: LabelledSessions) -> list[dict[str, Any]]:
    """The hosts of the training part, without addresses: a model may leave the site."""
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
