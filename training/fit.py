"""Fits the model to the early sessions of every host, stopped and calibrated by its late ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from nba_broker import features
from nba_broker.errors import ArchiveError
from nba_broker.features import FIRST_POOL, NEVER_SEEN, PADDING, IntervalScale, Vocabulary
from nba_broker.scorer import Class
from nba_broker.sequences import NO_INTERVAL
from training.calibrate import cross_entropy, identified_threshold, softmax, temperature_of
from training.dataset import LabelledSessions
from training.metrics import confusion, macro_f1, summary
from training.model import NBA


@dataclass(frozen=True, slots=True)
class Settings:
    """What was found best on later days inside a training part.

    window, min_sessions, stride, scale: as in the manifest. hidden: size of the LSTM's state.
    held_out: share of each host's sessions, its last, that choose the epoch and the thresholds.
    epochs: at most. patience: epochs without a better one before the end. per_epoch: windows
    drawn in each. shortened: share of windows cut to a random length. pool_dropout:
    chance of each pool in a window to be taken for never seen. threads: fixed, because sums
    depend on their number; these matrices are too small for more to help.
    """

    window: int = 64
    min_sessions: int = 8
    stride: int = 4
    scale: IntervalScale = field(default_factory=IntervalScale)
    hidden: int = 32
    held_out: float = 0.15
    epochs: int = 12
    patience: int = 5
    per_epoch: int = 32_768
    batch: int = 256
    learning_rate: float = 3e-3
    shortened: float = 0.3
    pool_dropout: float = 0.02
    threads: int = 1


DEFAULT = Settings()

_AT_ONCE = 4096  # windows per prediction: memory stays flat


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """B windows as the model takes them, with their answer.

    pool: int64 [B, N]. interval: float32 [B, N]. truth: class, series: whose window it is, both
    int64 [B]. ts: of the deciding session, float64 [B].
    """

    pool: np.ndarray
    interval: np.ndarray
    truth: np.ndarray
    series: np.ndarray
    ts: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model on the CPU, already calibrated, with what its manifest says of it.

    epoch: the one that was kept. temperature: what its logits were divided by. identified: the
    policy's threshold, at which ``precision`` of the ``named`` share of decisions was true.
    metrics: on ``held_out``, the sessions that chose all of these.
    """

    model: NBA
    pools: tuple[str, ...]
    classes: tuple[Class, ...]
    settings: Settings
    seed: int
    epoch: int
    temperature: float
    identified: float
    precision: float
    named: float
    metrics: dict[str, Any]
    held_out: Examples


def fit(
    sessions: LabelledSessions,
    settings: Settings = DEFAULT,
    *,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Fitted:
    """Fit to labelled sessions; ``say`` gets a line whenever there is something to tell.

    The same sessions, settings and seed give the same model, bit by bit, on the same machine.
    Raises ArchiveError when there is too little to learn from.
    """
    # CUDA sums in a fixed order only with this, which it reads when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(settings.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rng = np.random.default_rng(seed)

    early, late = split(sessions, settings.held_out)
    classes = early.classes()
    vocabulary = Vocabulary(sorted({early.table[pool] for pool in np.unique(early.pool)}))
    learn = examples(early, classes, vocabulary, settings)
    check = examples(late, classes, vocabulary, settings)
    _require_enough(classes, learn, check)
    say(
        f"learning {len(classes)} devices from {len(learn)} windows, stopping by {len(check)} "
        f"later ones; {len(vocabulary.names)} pools, on {device}"
    )

    model = NBA(len(vocabulary), len(classes), settings.hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
    batches = settings.per_epoch // settings.batch
    chance = balanced(learn)
    best, best_f1, best_epoch = model.state_dict(), -1.0, 0
    began = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = 0.0
        for rows in rng.choice(len(learn), (batches, settings.batch), p=chance):
            pool, interval = augment(learn.pool[rows], learn.interval[rows], settings, rng)
            logits = model.logits(
                torch.from_numpy(pool).to(device), torch.from_numpy(interval).to(device)
            )
            truth = torch.from_numpy(learn.truth[rows]).to(device)
            loss = nn.functional.cross_entropy(logits, truth)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        schedule.step()

        answers = predict(model, check)
        f1 = macro_f1(confusion(check.truth, answers.argmax(1), len(classes)))
        say(
            f"epoch {epoch:2d}  loss {total / batches:.4f}  "
            f"later: loss {cross_entropy(answers, check.truth):.4f}, macro-F1 {f1:.4f}  "
            f"{time.monotonic() - began:.0f} s"
        )
        if f1 > best_f1:
            best_f1, best_epoch = f1, epoch
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break

    model.load_state_dict(best)
    model = model.to("cpu").eval()
    temperature = temperature_of(predict(model, check), check.truth)
    model.cool(temperature)
    # The policy sees a window every few sessions, so its threshold is chosen on those.
    asked = examples(late, classes, vocabulary, settings, settings.stride)
    identified, precision, named = identified_threshold(
        softmax(predict(model, asked)), asked.truth, asked.series
    )
    say(
        f"kept epoch {best_epoch}; temperature {temperature:.2f}; from {identified:.2f} on "
        f"{named:.0%} of the later windows are named, {precision:.1%} of these correctly"
    )
    names = [one.device for one in classes]
    probability = softmax(predict(model, check))
    return Fitted(
        model=model,
        pools=tuple(vocabulary.names),
        classes=classes,
        settings=settings,
        seed=seed,
        epoch=best_epoch,
        temperature=temperature,
        identified=identified,
        precision=precision,
        named=named,
        metrics=summary(names, probability, check.truth, check.series, check.ts),
        held_out=check,
    )


def split(sessions: LabelledSessions, share: float) -> tuple[LabelledSessions, LabelledSessions]:
    """Each series' sessions before, and among, the last ``share`` of its own.

    Counted in sessions and not in time, so that a host that talks less and less has late ones.
    """
    late = np.zeros(len(sessions), bool)
    for number in np.unique(sessions.series):
        rows = np.flatnonzero(sessions.series == number)
        late[rows[int(len(rows) * (1 - share)) :]] = True
    return sessions.select(~late), sessions.select(late)


def examples(
    sessions: LabelledSessions,
    classes: Sequence[Class],
    vocabulary: Vocabulary,
    settings: Settings,
    stride: int = 1,
) -> Examples:
    """The windows due, of hosts that are one of ``classes``."""
    windows = sessions.windows(settings.window, settings.min_sessions, stride)
    truth = sessions.class_of_series(classes)[windows.slot]
    known = truth >= 0
    pool, interval = features.inputs(windows, sessions.table, vocabulary, settings.scale)
    return Examples(
        pool=pool[known],
        interval=interval[known],
        truth=truth[known],
        series=windows.slot[known],
        ts=sessions.ts[windows.index[known]],
    )


def balanced(part: Examples) -> np.ndarray:
    """Each window's chance to be drawn, float64 [B]: classes, and hosts of a class, weigh alike."""
    hosts, place, windows = np.unique(part.series, return_inverse=True, return_counts=True)
    class_of_host = np.zeros(len(hosts), np.int64)
    class_of_host[place] = part.truth
    hosts_of_class = np.bincount(class_of_host)
    classes = np.count_nonzero(hosts_of_class)
    chance: np.ndarray = 1 / (classes * hosts_of_class[part.truth] * windows[place])
    return chance


def augment(
    pool: np.ndarray, interval: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of [B, N] inputs: some cut short, as of a host just met, some with unknown pools."""
    size, length = pool.shape
    pool, interval = pool.copy(), interval.copy()
    kept = np.where(
        rng.random(size) < settings.shortened,
        rng.integers(settings.min_sessions, length + 1, size),
        length,
    )
    place = np.arange(length)
    start = (length - kept)[:, None]
    pool[place < start], interval[place < start] = PADDING, 0
    # What is left begins as every host's life does: after a silence without an end.
    interval[(place == start) & (pool != PADDING)] = settings.scale(np.array(NO_INTERVAL))
    # A pool goes from a window as a whole, as one does that training never met.
    dropped = rng.random((size, int(pool.max()) + 1)) < settings.pool_dropout
    pool[(pool >= FIRST_POOL) & np.take_along_axis(dropped, pool, 1)] = NEVER_SEEN
    return pool, interval


@torch.no_grad()
def predict(model: NBA, part: Examples) -> np.ndarray:
    """Logits float32 [B, K] of all windows."""
    model.eval()
    device = next(model.parameters()).device
    return np.concatenate(
        [
            model.logits(
                torch.from_numpy(part.pool[at : at + _AT_ONCE]).to(device),
                torch.from_numpy(part.interval[at : at + _AT_ONCE]).to(device),
            )
            .cpu()
            .numpy()
            for at in range(0, len(part), _AT_ONCE)
        ]
    )


def _require_enough(classes: Sequence[Class], learn: Examples, check: Examples) -> None:
    if len(classes) < 2:
        raise ArchiveError("a model needs sessions of at least two devices to tell apart")
    for when, part in (("early", learn), ("late", check)):
        windows = np.bincount(part.truth, minlength=len(classes))
        if lacking := [one.device for one, n in zip(classes, windows, strict=True) if not n]:
            raise ArchiveError(
                f"too few {when} sessions of {', '.join(lacking)}: "
                "bring more of them, or leave them out of the labels"
            )
