"""Reads and checks a model's manifest, the file that a worker reads before it uses the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.destinations.databases import SCHEMES
from nba_broker.model.background import Background
from nba_broker.model.features import FEATURE_VERSION, IntervalScale
from nba_broker.model.windows import Schedule
from nba_broker.records.classes import Class
from nba_broker.records.errors import ModelError

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
OUTPUTS = ("probability", "attention", "context", "known")

WINDOW_LIMIT = 4096
"""The longest window that a model may have, in sessions."""

_LARGEST = 1 << 28  # bytes of a file of the folder: far above any model that makes sense


@dataclass(frozen=True, slots=True)
class Thresholds:
    """By which windows support a class, with an error rate of ``error_rate``; K classes.

    known: the familiarity that all but the error rate of known devices' windows reach. support: the
    mean log likelihood ratio from which a window supports each class, nats, [K]. possible: the
    smoothed probability, as a share of the most probable class's, that all but the error rate of
    each class's own windows reach, [K]. exponent: of the smoothed probability, which makes it a
    calibrated one.
    """

    known: float
    support: tuple[float, ...]
    possible: tuple[float, ...]
    exponent: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``manifest.json``, see docs/model.md."""

    name: str
    window: int
    min_sessions: int
    stride: int
    early_stride: int
    pool_scheme: str
    pools: tuple[str, ...]
    services: tuple[str, ...]
    interval: IntervalScale
    classes: tuple[Class, ...]
    thresholds: Thresholds
    background: Background
    sha256: str
    databases: tuple[dict[str, str], ...]
    class_baseline: tuple[dict[str, Any], ...]
    raw: dict[str, Any]

    @property
    def schedule(self) -> Schedule:
        """When a host is scored."""
        return Schedule(self.window, self.min_sessions, self.stride, self.early_stride)

    @property
    def id(self) -> str:
        """The name with the first digits of the file's hash, as in the log's column ``model``."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def created(self) -> datetime | None:
        """The time of training, None if the manifest has no valid one."""
        try:
            created = datetime.fromisoformat(str(self.raw.get("created")))
        except ValueError:
            return None
        return created if created.tzinfo else created.replace(tzinfo=UTC)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check ``folder/manifest.json``; raises ModelError, which names the remedy."""
        path = folder / MANIFEST_FILE
        try:
            raw = json.loads(read_file(folder, MANIFEST_FILE))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: not readable as JSON ({error})") from error
        if not isinstance(raw, dict):
            raise ModelError(f"{path}: not a manifest")
        version = raw.get("feature_version")
        if version != FEATURE_VERSION:
            raise ModelError(
                f"{path}: made for feature version {version}, this nba-broker computes version "
                f"{FEATURE_VERSION}; train the model again with this release"
            )
        if "background" not in raw:
            raise ModelError(
                f"{path}: made by an older nba-train, without a background to compare with; train "
                "the model again with this release"
            )
        try:
            manifest = cls(
                name=str(raw["name"]),
                window=int(raw["window"]),
                min_sessions=int(raw["min_sessions"]),
                stride=int(raw["stride"]),
                early_stride=int(raw.get("early_stride") or raw["stride"]),
                pool_scheme=str(raw["pool_scheme"]),
                pools=tuple(map(str, raw["pools"])),
                services=tuple(map(str, raw["services"])),
                interval=IntervalScale(
                    float(raw["interval"]["unit"]), float(raw["interval"]["cap"])
                ),
                classes=tuple(
                    Class(str(one["device"]), str(one["category"])) for one in raw["classes"]
                ),
                thresholds=_thresholds(raw["thresholds"]),
                background=Background.of_dict(raw["background"]),
                sha256=str(raw["onnx"]["sha256"]),
                databases=tuple(dict(one) for one in raw["databases"]),
                class_baseline=tuple(dict(one) for one in raw.get("baseline") or ()),
                raw=raw,
            )
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"{path}: incomplete or malformed ({error!r})") from error
        classes, thresholds = len(manifest.classes), manifest.thresholds
        if not (
            1 <= manifest.min_sessions <= manifest.window <= WINDOW_LIMIT
            and 1 <= manifest.early_stride <= manifest.stride <= manifest.window
            and manifest.classes
            and np.isfinite((thresholds.known, *thresholds.support)).all()
            and all(0 < one <= 1 for one in thresholds.possible)
            and 0 < thresholds.exponent < float("inf")
            and 0 < thresholds.error_rate < 1
            and 0 < manifest.interval.unit < manifest.interval.cap < float("inf")
        ):
            raise ModelError(f"{path}: window, stride, classes, threshold or interval out of range")
        if len(manifest.class_baseline) not in (0, classes):
            raise ModelError(f"{path}: not as many baselines as classes")
        if not (
            classes
            == len(thresholds.support)
            == len(thresholds.possible)
            == len(manifest.background.sessions)
        ):
            raise ModelError(f"{path}: not as many thresholds as classes")
        if manifest.pool_scheme not in SCHEMES:
            raise ModelError(
                f"{path}: pool scheme {manifest.pool_scheme!r}, this nba-broker knows "
                f"{', '.join(SCHEMES)}"
            )
        return manifest


def _thresholds(raw: dict[str, Any]) -> Thresholds:
    return Thresholds(
        known=float(raw["known"]),
        support=tuple(map(float, raw["support"])),
        possible=tuple(map(float, raw["possible"])),
        exponent=float(raw["exponent"]),
        error_rate=float(raw["error_rate"]),
    )


def read_file(folder: Path, name: str) -> bytes:
    """The content of a file in the folder; raises ModelError, also if the file is a link to a place
    outside the folder, or too large."""
    path = folder / name
    try:
        # Links within the folder are allowed, because some deployments use them.
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise ModelError(f"{path}: a link out of its folder; copy the file there")
        if not real.is_file() or real.stat().st_size > _LARGEST:
            raise ModelError(f"{path}: not a file, or larger than {_LARGEST >> 20} MB")
        return real.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model is a folder that nba-train wrote") from None
    except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError
        raise ModelError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
