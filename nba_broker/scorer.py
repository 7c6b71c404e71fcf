"""A model folder (ONNX file with manifest) as a function from windows to probabilities."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from nba_broker import features, onnx_file
from nba_broker.errors import ModelError
from nba_broker.features import FEATURE_VERSION, INPUTS, IntervalScale, Services, Vocabulary
from nba_broker.peers import Peers
from nba_broker.pools import SCHEMES
from nba_broker.sequences import Schedule, Windows

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
OUTPUTS = ("probability", "attention", "context", "known")

WINDOW_LIMIT = 4096
"""Sessions of a host that a model may ask for at most."""

_LARGEST = 1 << 28  # bytes of a file of the folder: far above any model that makes sense
_BATCH = 48  # windows per inference: a thread is fastest around there


@dataclass(frozen=True, slots=True)
class Class:
    """One thing a host can be: a device with the category it belongs to."""

    device: str
    category: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a worker must know of a model before it may use it; see docs/model.md."""

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
    identified: float
    known: float
    sha256: str
    databases: tuple[dict[str, str], ...]
    peers: Peers
    raw: dict[str, Any]

    @property
    def schedule(self) -> Schedule:
        """When a host is scored."""
        return Schedule(self.window, self.min_sessions, self.stride, self.early_stride)

    @property
    def id(self) -> str:
        """The name with the first digits of the file's hash: what the log's ``model`` says."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def created(self) -> datetime | None:
        """When the model was made, where the manifest says it."""
        try:
            created = datetime.fromisoformat(str(self.raw.get("created")))
        except ValueError:
            return None
        return created if created.tzinfo else created.replace(tzinfo=UTC)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check ``folder/manifest.json``; raises ModelError with what to do."""
        path = folder / MANIFEST_FILE
        try:
            raw = json.loads(_read(folder, MANIFEST_FILE))
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
                identified=float(raw["thresholds"]["identified"]),
                known=float(raw["thresholds"]["known"]),
                sha256=str(raw["onnx"]["sha256"]),
                databases=tuple(dict(one) for one in raw["databases"]),
                peers=Peers(raw.get("baseline") or ()),
                raw=raw,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"{path}: incomplete or malformed ({error!r})") from error
        if not (
            1 <= manifest.min_sessions <= manifest.window <= WINDOW_LIMIT
            and 1 <= manifest.early_stride <= manifest.stride <= manifest.window
            and manifest.classes
            and 0 < manifest.identified <= 1
            and abs(manifest.known) < float("inf")
            and 0 < manifest.interval.unit < manifest.interval.cap < float("inf")
        ):
            raise ModelError(f"{path}: window, stride, classes, threshold or interval out of range")
        if len(manifest.peers) not in (0, len(manifest.classes)):
            raise ModelError(f"{path}: not as many baselines as classes")
        if manifest.pool_scheme not in SCHEMES:
            raise ModelError(
                f"{path}: pool scheme {manifest.pool_scheme!r}, this nba-broker knows "
                f"{', '.join(SCHEMES)}"
            )
        return manifest


def _read(folder: Path, name: str) -> bytes:
    """A file of the folder; raises ModelError, also when it lies elsewhere or is none of ours."""
    path = folder / name
    try:
        # Links within the folder are fine: that is how some deploy.
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


@dataclass(frozen=True, slots=True)
class Scores:
    """The model's answer to B windows: probability float32 [B, K], attention float32 [B, N]
    (each row sums to 1, exactly 0 on padding), context float32 [B, M], and known float32 [B]: the
    higher, the more a window is like those the model was trained on."""

    probability: np.ndarray
    attention: np.ndarray
    context: np.ndarray
    known: np.ndarray


class Scorer:
    """Scores windows in the model's own vocabulary and interval scale.

    threads: how many batches are scored at once; the scores do not depend on it. One is for a
    sensor, whose other cores are Zeek's. Raises ModelError when the folder's parts do not belong
    together.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = folder
        self.manifest = Manifest.load(folder)
        self._vocabulary = Vocabulary(list(self.manifest.pools))
        try:
            self._services = Services(self.manifest.services)
        except ValueError as error:
            raise ModelError(f"{folder / MANIFEST_FILE}: {error}") from error
        path = folder / MODEL_FILE
        content = _read(folder, MODEL_FILE)
        if hashlib.sha256(content).hexdigest() != self.manifest.sha256:
            raise ModelError(
                f"{path}: does not match the SHA-256 in {MANIFEST_FILE}; copy it again"
            )
        try:
            onnx_file.check(content)
        except ValueError as error:
            raise ModelError(f"{path}: cannot be used: {error}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The runtime would else guess the format, and may guess another than was checked.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own, all meaning this
            raise ModelError(f"{path}: onnxruntime cannot load it ({error})") from error
        names = {output.name for output in self._session.get_outputs()}
        if not names.issuperset(OUTPUTS):
            raise ModelError(f"{path}: outputs {sorted(names)}, expected {sorted(OUTPUTS)}")
        self._inputs = [feature.name for feature in self._session.get_inputs()]
        if not set(self._inputs).issubset(INPUTS):
            raise ModelError(f"{path}: inputs {self._inputs}, expected some of {list(INPUTS)}")
        # A model that takes any length answers the same without the padding.
        self._any_length = not any(
            isinstance(one.shape[1], int) for one in self._session.get_inputs()
        )
        self._try(path)
        self._threads = ThreadPoolExecutor(threads, "score") if threads > 1 else None

    def _try(self, path: Path) -> None:
        """One window of the highest ids: else another manifest's file fails at the first host."""
        manifest = self.manifest
        shape = (1, manifest.window)
        arrays = {
            "pool": np.full(shape, len(self._vocabulary) - 1, np.int64),
            "interval": np.zeros(shape, np.float32),
            "service": np.full(shape, len(self._services) - 1, np.int64),
        }
        try:
            outputs = self._session.run(OUTPUTS, {name: arrays[name] for name in self._inputs})
        except Exception as error:
            raise ModelError(f"{path}: does not take what the manifest says ({error})") from error
        probability, attention, context, known = (output.shape for output in outputs)
        if (
            probability != (1, len(manifest.classes))
            or attention != shape
            or len(context) != 2
            or known != (1,)
        ):
            raise ModelError(f"{path}: its outputs do not have the shapes that the manifest says")
        self._context_size = context[1]

    def never_seen(self, pools: np.ndarray, table: list[str]) -> np.ndarray:
        """Whether pools, indices into ``table``, were in no training session, bool."""
        ids = self._vocabulary.ids(pools, table)
        return np.asarray(ids == features.NEVER_SEEN)

    def inputs(self, windows: Windows, table: list[str]) -> tuple[np.ndarray, ...]:
        """The arrays that can reach the model, each [B, N], in the order of features.INPUTS."""
        return features.inputs(
            windows, table, self._vocabulary, self.manifest.interval, self._services
        )

    def __call__(self, windows: Windows, table: list[str]) -> Scores:
        """Score B windows whose pools are indices into ``table``."""
        window = self.manifest.window
        length = np.full(len(windows), window)
        if self._any_length:
            length = np.minimum(length, windows.count)
        # Windows of hosts that are new are mostly padding: those of a length go together.
        order = np.argsort(length, kind="stable")
        length = length[order]
        inputs = dict(zip(INPUTS, self.inputs(windows, table), strict=True))
        arrays = {name: inputs[name][order] for name in self._inputs}
        scores = Scores(
            probability=np.empty((len(windows), len(self.manifest.classes)), np.float32),
            attention=np.zeros((len(windows), window), np.float32),
            context=np.empty((len(windows), self._context_size), np.float32),
            known=np.empty(len(windows), np.float32),
        )

        def score(at: int) -> None:
            rows = slice(at, at + _BATCH)
            padding = window - int(length[rows][-1])
            batch = {name: array[rows, padding:] for name, array in arrays.items()}
            probability, attention, context, known = self._session.run(OUTPUTS, batch)
            places = order[rows]
            scores.probability[places] = probability
            scores.attention[places, padding:] = attention
            scores.context[places] = context
            scores.known[places] = known

        # Every batch is one thread's work, so that sums do not depend on the number of threads.
        each = self._threads.map if self._threads else map
        list(each(score, range(0, len(windows), _BATCH)))
        return scores
