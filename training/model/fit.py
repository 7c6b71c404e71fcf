"""Fits the model to all sessions, calibrated by a fit that has not seen each host's last ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nba_broker.archive.conn_log import Each
from nba_broker.model.features import (
    FIRST_ID,
    NEVER_SEEN,
    PADDING,
    IntervalScale,
    Services,
    Vocabulary,
)
from nba_broker.model.windows import NO_INTERVAL, Schedule
from nba_broker.records.classes import Class
from nba_broker.records.errors import ArchiveError
from training.data.dataset import LabelledSessions, inputs
from training.model.calibrate import (
    Thresholds,
    blend,
    calibrate,
    changed,
    cross_entropy,
    describe,
    moments,
    softmax,
    tolerance,
)
from training.model.class_likelihoods import habits
from training.model.metrics import confusion, macro_f1, summary
from training.model.network import FEATURES, NBA


@dataclass(frozen=True, slots=True)
class Settings:
    """What was found best on later days inside a training part.

    window, min_sessions, stride, early_stride, scale: as in the manifest. features: what the
    network sees of a session. hidden: size of the LSTM's state. stacked: sessions in one of its
    steps, which saves time (Sak et al., "Fast and Accurate Recurrent Neural Network Acoustic Models
    for Speech Recognition", 2015).
    held_out: share of each host's sessions, its last, that choose the thresholds before they teach.
    habits: weights to choose from for what is counted beside the network.
    kept: share of held-out decisions that the threshold for unknown hosts lets pass.
    epochs: of ``per_class`` windows of each class, with a line of progress after each; the
    learning rate falls to nothing over all of them. That is better than to keep the epoch that the
    held-out sessions like best: they are too few to say.
    shortened: share of windows cut to a random length.
    pool_dropout: chance of each pool in a window to be taken for never seen. threads: fixed,
    because sums depend on their number; these matrices are too small for more to help.
    """

    window: int = 64
    min_sessions: int = 8
    stride: int = 8
    early_stride: int = 4
    scale: IntervalScale = field(default_factory=IntervalScale)
    features: tuple[str, ...] = FEATURES
    hidden: int = 24
    stacked: int = 2
    held_out: float = 0.15
    habits: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
    kept: float = 0.99
    epochs: int = 16
    per_class: int = 4096
    batch: int = 256
    learning_rate: float = 3e-3
    shortened: float = 0.3
    pool_dropout: float = 0.02
    threads: int = 1

    @property
    def schedule(self) -> Schedule:
        """When a worker asks the model."""
        return Schedule(self.window, self.min_sessions, self.stride, self.early_stride)


DEFAULT = Settings()

_AT_ONCE = 4096  # windows per prediction: memory stays flat
_REMEMBERED = 16_384  # windows of the training part whose contexts the model compares with


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """B windows as the model takes them, with their answer.

    pool, service: int64 [B, N]. interval: float32 [B, N]. truth: class, series: whose window it is,
    both int64 [B]. ts: of the deciding session, float64 [B].
    """

    pool: np.ndarray
    interval: np.ndarray
    service: np.ndarray
    truth: np.ndarray
    series: np.ndarray
    ts: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def select(self, rows: np.ndarray) -> Examples:
        """The windows with these numbers, int64 [b]."""
        return Examples(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def inputs(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Some of the windows, in the order of features.INPUTS."""
        return self.pool[rows], self.interval[rows], self.service[rows]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model says of B windows: logits, blended, float32 [B, K], context float32 [B, M], what
    NBA.resemblance() and NBA.familiarity() say: seen and known float32 [B], likely and near float32
    [B, K]."""

    logits: np.ndarray
    context: np.ndarray
    known: np.ndarray
    seen: np.ndarray
    likely: np.ndarray
    near: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model on the CPU, already calibrated, with what its manifest says of it.

    pools, services: its vocabularies. thresholds: what its logits were divided by, and the policy's
    numbers, as a model chose them that had not seen each host's last sessions; metrics: of that
    model on these. ``said`` is what it said of ``asked``, windows of them as a policy sees them.
    learned: what the model that is kept was trained on. usual: what is usual of sessions that a
    model has not seen, see docs/model.md.
    """

    model: NBA
    pools: tuple[str, ...]
    services: tuple[str, ...]
    classes: tuple[Class, ...]
    settings: Settings
    seed: int
    thresholds: Thresholds
    metrics: dict[str, Any]
    learned: Examples
    asked: Examples
    said: Answers
    usual: dict[str, float]


def fit(
    sessions: LabelledSessions,
    settings: Settings = DEFAULT,
    *,
    seed: int = 0,
    say: Callable[[str], None] = print,
    each: Each = map,
) -> Fitted:
    """Fit to labelled sessions; ``say`` gets a line whenever there is something to tell.

    ``each`` makes the windows elsewhere. The same sessions, settings and seed give the same model,
    bit by bit, on the same machine. Raises ArchiveError when there is too little to learn from.
    """
    # CUDA sums in a fixed order only with this, which it reads when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(settings.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rng = np.random.default_rng(seed)

    classes = sessions.classes()
    _require(classes, sessions, settings)
    early, late = split(sessions, settings.held_out)
    first = _learn(early, late, classes, settings, device, rng, say, each)
    check = first.examples(late, each)
    too_few = np.setdiff1d(np.arange(len(classes)), check.truth)
    if len(classes) - len(too_few) < 2:
        raise ArchiveError(f"too few late sessions to calibrate by: {_names(classes, too_few)}")
    if len(too_few):
        say(f"too few late sessions to calibrate by: {_names(classes, too_few)}")
    # The policy sees a window every few sessions, and often hosts that it has just met: so its
    # thresholds are chosen on such.
    asked = first.examples(late.lives(settings.window), each, settings.schedule)
    left_out, blended = _blend(first.model, check, settings.habits)
    _get_used_to(first.model, asked, left_out, settings.kept)
    said = answers(first.model, asked)
    thresholds = calibrate(
        blended, said.logits, said.known, asked.truth, asked.series, settings.kept, left_out
    )
    say(describe(thresholds, classes))
    probability = softmax(predict(first.model, check))
    names = [one.device for one in classes]
    metrics = summary(names, probability, check.truth, check.series, check.ts)

    say("once more, from all sessions")
    last = _learn(sessions, None, classes, settings, device, rng, say, each)
    model = last.model.to("cpu").eval()
    model.expect(first.model.usual)
    model.tolerate(*first.model.tolerance.tolist())
    model.weigh(*blended)
    return Fitted(
        model=model,
        pools=tuple(last.vocabulary.names),
        services=last.services.names,
        classes=classes,
        settings=settings,
        seed=seed,
        thresholds=thresholds,
        metrics=metrics,
        learned=last.learned,
        asked=asked,
        said=said,
        usual={
            "never_seen_pools": float((check.pool[:, -1] == NEVER_SEEN).mean()),
            "known": float((said.known >= thresholds.known).mean()),
            "confidence": float(softmax(said.logits).max(1).mean()),
        },
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """A trained network with its vocabularies and the windows that taught it."""

    model: NBA
    vocabulary: Vocabulary
    services: Services
    classes: Sequence[Class]
    settings: Settings
    learned: Examples

    def examples(
        self, sessions: LabelledSessions, each: Each, schedule: Schedule | None = None
    ) -> Examples:
        return examples(
            sessions, self.classes, self.vocabulary, self.services, self.settings, schedule, each
        )


def _learn(
    sessions: LabelledSessions,
    later: LabelledSessions | None,
    classes: Sequence[Class],
    settings: Settings,
    device: str,
    rng: np.random.Generator,
    say: Callable[[str], None],
    each: Each,
) -> _Learned:
    """Train on sessions, and say how it goes, also on ``later`` ones.

    Raises ArchiveError when one of them has no window at all.
    """
    vocabulary, services = _vocabularies(sessions)
    learn = examples(sessions, classes, vocabulary, services, settings, each=each)
    check = examples(later, classes, vocabulary, services, settings, each=each) if later else None
    if not len(learn) or (check is not None and not len(check)):
        raise ArchiveError("too few sessions of every device: no window is left to hold out")
    say(
        f"learning {len(classes)} devices from {len(learn)} windows on {device}; "
        f"{len(vocabulary.names)} pools, {len(services.names)} services"
    )
    model = NBA(
        len(vocabulary),
        len(services),
        len(classes),
        settings.hidden,
        settings.stacked,
        settings.features,
    ).to(device)
    for line in train(model, learn, check, settings, rng):
        say(line)
    drawn = learn.select(rng.choice(len(learn), _REMEMBERED, p=balanced(learn)))
    model.remember(
        habits(
            sessions,
            sessions.class_of_series(classes)[sessions.series],
            len(classes),
            vocabulary,
            services,
            settings.scale,
        ),
        torch.from_numpy(answers(model, drawn).context),
        torch.from_numpy(drawn.truth),
    )
    return _Learned(model, vocabulary, services, classes, settings, learn)


def _blend(
    model: NBA, check: Examples, choices: Sequence[float]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Let the model weigh network and habits by held-out windows; returns the classes that have
    changed, int64, and the weights."""
    said = answers(model, check)
    habits = said.likely * np.sqrt((check.pool != PADDING).sum(1, keepdims=True))
    stays = np.ones(len(check), bool)
    for _ in range(2):  # the second time without the classes that have changed
        weights = blend(said.logits[stays], habits[stays], check.truth[stays], choices)
        logits = said.logits / weights[0] + weights[1] * habits
        left_out = changed(logits, check.truth)
        stays = ~np.isin(check.truth, left_out)
    model.weigh(*weights)
    return left_out, weights


def _get_used_to(model: NBA, asked: Examples, left_out: np.ndarray, kept: float) -> None:
    """Let the model measure familiarity by known hosts' windows, of which ``kept`` shall pass."""
    usual = asked.select(np.flatnonzero(~np.isin(asked.truth, left_out)))
    said = answers(model, usual)
    expected = [*moments(said.likely, usual.truth), *moments(said.near, usual.truth)]
    model.expect(torch.from_numpy(np.stack(expected)))
    near, likely = torch.from_numpy(said.near), torch.from_numpy(said.likely)
    device = model.usual.device
    typical = model.typical(likely.to(device), near.to(device)).cpu().numpy()
    model.tolerate(*tolerance(said.seen, typical, usual.truth, kept))


def train(
    model: NBA,
    learn: Examples,
    check: Examples | None,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[str]:
    """Train a model where it lies; gives a line after each epoch, with how it does on ``check``."""
    device = next(model.parameters()).device
    batches = max(1, settings.per_class * len(np.unique(learn.truth)) // settings.batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs * batches)
    chance = balanced(learn)
    began = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = 0.0
        for rows in rng.choice(len(learn), (batches, settings.batch), p=chance):
            logits = model.logits(*tensors(augment(*learn.inputs(rows), settings, rng), device))
            truth = torch.from_numpy(learn.truth[rows]).to(device)
            loss = nn.functional.cross_entropy(logits, truth)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        later = ""
        if check is not None:
            answer = predict(model, check)
            f1 = macro_f1(confusion(check.truth, answer.argmax(1), answer.shape[1]))
            later = f"later: loss {cross_entropy(answer, check.truth):.4f}, macro-F1 {f1:.4f}  "
        spent = time.monotonic() - began
        yield f"epoch {epoch:2d}  loss {total / batches:.4f}  {later}{spent:.0f} s"


def _vocabularies(sessions: LabelledSessions) -> tuple[Vocabulary, Services]:
    pools = sorted({sessions.table[pool] for pool in np.unique(sessions.pool)})
    return Vocabulary(pools), Services.of(np.unique(sessions.dport))


def split(sessions: LabelledSessions, share: float) -> tuple[LabelledSessions, LabelledSessions]:
    """Each host's sessions before, and among, the last ``share`` of its own.

    Counted in sessions and not in time, so that a host that talks less and less has late ones.
    """
    hosts: dict[tuple[str, str, str], int] = {}
    number = [
        hosts.setdefault((one.host, one.device, one.log), len(hosts)) for one in sessions.labels
    ]
    host = np.array(number)[sessions.series]
    late = np.zeros(len(sessions), bool)
    for one in np.unique(host):
        rows = np.flatnonzero(host == one)
        late[rows[int(len(rows) * (1 - share)) :]] = True
    return sessions.select(~late), sessions.select(late)


def examples(
    sessions: LabelledSessions,
    classes: Sequence[Class],
    vocabulary: Vocabulary,
    services: Services,
    settings: Settings,
    schedule: Schedule | None = None,
    each: Each = map,
) -> Examples:
    """The windows due, else one at every session, of hosts that are one of ``classes``."""
    made = partial(
        inputs,
        schedule=schedule or Schedule(settings.window, settings.min_sessions),
        pools=vocabulary.names,
        services=services.names,
        scale=settings.scale,
    )
    class_of_series = sessions.class_of_series(classes)
    # No series shares a session with another, so the others' windows need not be made.
    known = sessions.select(class_of_series[sessions.series] >= 0)
    windows, *arrays = known.apart(made, each)
    pool, interval, service = arrays
    return Examples(
        pool=pool,
        interval=interval,
        service=service,
        truth=class_of_series[windows.slot],
        series=windows.slot,
        ts=known.ts[windows.index],
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
    pool: np.ndarray,
    interval: np.ndarray,
    service: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies of [B, N] inputs: some cut short, as of a host just met, some with unknown pools."""
    size, length = pool.shape
    pool, interval, service = pool.copy(), interval.copy(), service.copy()
    kept = np.where(
        rng.random(size) < settings.shortened,
        rng.integers(settings.min_sessions, length + 1, size),
        length,
    )
    place = np.arange(length)
    start = (length - kept)[:, None]
    before = place < start
    pool[before], interval[before], service[before] = PADDING, 0, PADDING
    # What is left begins as every host's life does: after a silence without an end.
    interval[(place == start) & (pool != PADDING)] = settings.scale(np.array(NO_INTERVAL))
    # A pool goes from a window as a whole, as one does that training never met.
    dropped = rng.random((size, int(pool.max()) + 1)) < settings.pool_dropout
    pool[(pool >= FIRST_ID) & np.take_along_axis(dropped, pool, 1)] = NEVER_SEEN
    return pool, interval, service


def tensors(inputs: Sequence[np.ndarray], device: str | torch.device) -> list[Tensor]:
    """The same numbers where the model is."""
    return [torch.from_numpy(one).to(device) for one in inputs]


@torch.no_grad()
def answers(model: NBA, part: Examples) -> Answers:
    """All that the model says of windows."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for at in range(0, len(part), _AT_ONCE):
        pool, interval, service = tensors(part.inputs(slice(at, at + _AT_ONCE)), device)
        _, context = model.encode(pool, interval, service)
        resemblance = model.resemblance(pool, interval, service, context)
        known = model.familiarity(*resemblance)
        logits = model.blended(pool, context, resemblance[1])
        parts.append((logits, context, known, *resemblance))
    return Answers(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))


def predict(model: NBA, part: Examples) -> np.ndarray:
    """Logits float32 [B, K] of windows."""
    return answers(model, part).logits


def _require(classes: Sequence[Class], sessions: LabelledSessions, settings: Settings) -> None:
    if len(classes) < 2:
        raise ArchiveError("a model needs sessions of at least two devices to tell apart")
    of_series = np.bincount(sessions.series, minlength=len(sessions.labels))
    able = sessions.class_of_series(classes)[of_series >= settings.min_sessions]
    if len(lacking := np.setdiff1d(np.arange(len(classes)), able)):
        raise ArchiveError(
            f"no host with {settings.min_sessions} sessions of {_names(classes, lacking)}: "
            "bring more of them, or leave them out of the labels"
        )


def _names(classes: Sequence[Class], numbers: np.ndarray) -> str:
    return ", ".join(classes[number].device for number in numbers.tolist())
