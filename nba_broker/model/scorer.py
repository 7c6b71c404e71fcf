"""A model folder (ONNX file with manifest) as a function from windows to probabilities."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from nba_broker.model import features, onnx_check
from nba_broker.model.background import LikelihoodRatios
from nba_broker.model.features import INPUTS, Services, Vocabulary
from nba_broker.model.manifest import MANIFEST_FILE, MODEL_FILE, OUTPUTS, Manifest, read_file
from nba_broker.model.windows import Windows
from nba_broker.records.errors import ModelError

_BATCH = 48  # windows per inference; a thread is about fastest with this number

# onnxruntime adds up in another order for a single window, and for lengths that do not fill the
# processor's registers. So with these a window's scores do not depend on the windows beside it.
_LEAST = 2  # windows per inference
_ALIGNED = 16  # sessions: the numbers that the widest register holds


@dataclass(frozen=True, slots=True)
class Scores:
    """The model's scores of B windows.

    probability: of each class, float32 [B, K]. attention: float32 [B, N]; each row sums to 1, and
    is exactly 0 on padding. context: float32 [B, M]. known: the familiarity, float32 [B]; the
    higher, the more similar a window is to the training data. ratio: for each class the mean log
    likelihood ratio to the background of the sessions that tell, nats, float32 [B, K]. telling:
    the number of these sessions, float32 [B].
    """

    probability: np.ndarray
    attention: np.ndarray
    context: np.ndarray
    known: np.ndarray
    ratio: np.ndarray
    telling: np.ndarray


class Scorer:
    """Scores windows in the model's own vocabulary and interval scale.

    The scores of a window are the same, bit by bit on one machine, whichever windows are scored
    with it. threads: the number of batches that are scored at once. A sensor uses one thread,
    because Zeek uses the other cores. Raises ModelError if the folder's files are missing, damaged
    or do not belong together.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = folder
        self.manifest = Manifest.load(folder)
        self._vocabulary = Vocabulary(list(self.manifest.pools))
        try:
            self._services = Services(self.manifest.services)
        except ValueError as error:
            raise ModelError(f"{folder / MANIFEST_FILE}: {error}") from error
        self._ratios = LikelihoodRatios(self.manifest.background)
        path = folder / MODEL_FILE
        content = read_file(folder, MODEL_FILE)
        if hashlib.sha256(content).hexdigest() != self.manifest.sha256:
            raise ModelError(
                f"{path}: does not match the SHA-256 in {MANIFEST_FILE}; copy it again"
            )
        try:
            onnx_check.check(content)
        except ValueError as error:
            raise ModelError(f"{path}: cannot be used: {error}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Else onnxruntime guesses the format, perhaps another one than the checked one.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises exceptions of many classes
            raise ModelError(f"{path}: onnxruntime cannot load it ({error})") from error
        names = {output.name for output in self._session.get_outputs()}
        if not names.issuperset(OUTPUTS):
            raise ModelError(f"{path}: outputs {sorted(names)}, expected {sorted(OUTPUTS)}")
        self._inputs = [feature.name for feature in self._session.get_inputs()]
        if not set(self._inputs).issubset(INPUTS):
            raise ModelError(f"{path}: inputs {self._inputs}, expected some of {list(INPUTS)}")
        # A model that takes any length gives the same scores without the padding.
        self._any_length = self.manifest.window % _ALIGNED == 0 and not any(
            isinstance(one.shape[1], int) for one in self._session.get_inputs()
        )
        self._try(path)
        self._threads = ThreadPoolExecutor(threads, "score") if threads > 1 else None

    def _try(self, path: Path) -> None:
        """Score one window of the highest ids, so that a file of another manifest fails now, and
        not at the first host."""
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
        """Which pools, indices int [n] into ``table``, were in no training session, bool [n]."""
        ids = self._vocabulary.ids(pools, table)
        return np.asarray(ids == features.NEVER_SEEN)

    def inputs(self, windows: Windows, table: list[str]) -> tuple[np.ndarray, ...]:
        """All inputs that a model can have, each [B, N], in the order of features.INPUTS."""
        return features.inputs(
            windows, table, self._vocabulary, self.manifest.interval, self._services
        )

    def __call__(
        self, windows: Windows, table: list[str], text: Callable[[int], str] | None = None
    ) -> Scores:
        """Score B windows whose pools are indices into ``table``; ``text`` gives the names of
        destinations by number, without it none has one."""
        window = self.manifest.window
        length = np.full(len(windows), window)
        if self._any_length:
            length = np.minimum(length, windows.count)
        # The windows of new hosts are mostly padding. Windows of equal length form a batch.
        order = np.argsort(length, kind="stable")
        length = length[order]
        inputs = dict(zip(INPUTS, self.inputs(windows, table), strict=True))
        arrays = {name: inputs[name][order] for name in self._inputs}
        ratio, telling = self._ratios(windows.pool, windows.dport, table, windows.name, text)
        scores = Scores(
            probability=np.empty((len(windows), len(self.manifest.classes)), np.float32),
            attention=np.zeros((len(windows), window), np.float32),
            context=np.empty((len(windows), self._context_size), np.float32),
            known=np.empty(len(windows), np.float32),
            ratio=ratio,
            telling=telling,
        )

        def score(at: int) -> None:
            rows = slice(at, at + _BATCH)
            places = order[rows]
            padding = (window - int(length[rows][-1])) // _ALIGNED * _ALIGNED
            batch = {name: array[rows, padding:] for name, array in arrays.items()}
            if len(places) < _LEAST:
                batch = {name: np.repeat(array, _LEAST, 0) for name, array in batch.items()}
            probability, attention, context, known = self._session.run(OUTPUTS, batch)
            scores.probability[places] = probability[: len(places)]
            scores.attention[places, padding:] = attention[: len(places)]
            scores.context[places] = context[: len(places)]
            scores.known[places] = known[: len(places)]

        each = self._threads.map if self._threads else map
        list(each(score, range(0, len(windows), _BATCH)))
        return scores
