"""Fits the model to all sessions, calibrated by a first fit without each host's last sessions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nba_broker.archive.elsewhere import Each
from nba_broker.model.background import Background
from nba_broker.model.features import NEVER_SEEN, PADDING
from nba_broker.records.classes import Class
from nba_broker.records.errors import ArchiveError
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.data.public_counts import Pairs
from training.metrics.classification import summary
from training.model.background import background, ratios, typical, without_own
from training.model.calibrate import (
    HeldOut,
    Thresholds,
    blend,
    calibrate,
    changed,
    describe,
    moments,
    probabilities,
    tolerance,
)
from training.model.examples import Examples
from training.model.network import NBA
from training.model.predict import Predictions, predict
from training.model.settings import DEFAULT, Settings
from training.model.train import learn


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A calibrated model on the CPU, with what its manifest records of it.

    pools, services: its vocabularies. thresholds: the temperature and the decision's numbers,
    chosen with the first model on each host's last sessions, which it had not seen; metrics: of the
    first model on these. calibration: windows of them, at the sessions at which a worker scores;
    predicted: the first model's predictions for these; held_out: the same with their ratios.
    windows: what the kept model was trained on. background: what its classes are compared with.
    usual: the usual figures of sessions that a model has not seen, see docs/model.md.
    """

    model: NBA
    pools: tuple[str, ...]
    services: tuple[str, ...]
    classes: tuple[Class, ...]
    settings: Settings
    seed: int
    thresholds: Thresholds
    metrics: dict[str, Any]
    windows: Examples
    calibration: Examples
    predicted: Predictions
    held_out: HeldOut
    background: Background
    usual: dict[str, float]


def fit(
    sessions: LabelledSessions,
    settings: Settings = DEFAULT,
    *,
    public: Sequence[Pairs] = (),
    unlabelled: Sequence[Pairs] = (),
    seed: int = 0,
    say: Callable[[str], None] = print,
    each: Each = map,
) -> Fitted:
    """Fit to labelled sessions; ``say`` gets lines of progress.

    public: counts of devices of other networks, unlabelled: of the archive's other hosts; both make
    the background that classes are compared with.

    ``each`` makes the windows, for example on a cluster. The same sessions, settings and seed give
    the same model, bit by bit, on the same machine. Raises ArchiveError when there is too little to
    learn from.
    """
    device, rng = _deterministic(seed, settings.threads)
    classes = sessions.classes()
    _require(classes, sessions, settings)
    early, late = split(sessions, settings.held_out)
    first = learn(early, late, classes, settings, device, rng, say, each)
    check = first.examples(late, each)
    _require_late(classes, check, say)
    # A worker scores every few sessions, and often hosts that are new: the thresholds are chosen
    # on such windows.
    episodes = late.episodes(settings.window)
    calibration = first.examples(episodes, each, settings.schedule)
    left_out, blended = _blend(first.model, check, settings.likelihood_weights)
    _calibrate_familiarity(first.model, calibration, left_out, settings.kept)
    predicted = predict(first.model, calibration)
    others = [*public, *_strangers(sessions, classes, public, unlabelled, say)]
    compared = _background(early, classes, others)
    held_out = HeldOut(
        predicted.logits,
        predicted.known,
        *ratios(episodes, compared, settings.schedule, each)[1:],
        calibration.truth,
        _hosts(episodes.labels)[calibration.series],
    )
    thresholds = calibrate(blended, held_out, typical(compared), settings.kept, left_out)
    say(describe(thresholds, classes))
    probability = probabilities(predict(first.model, check).logits)
    names = [one.device for one in classes]

    say("training again, on all sessions")
    last = learn(sessions, None, classes, settings, device, rng, say, each)
    model = last.model.to("cpu").eval()
    model.set_usual(first.model.usual)
    model.set_tolerance(*first.model.tolerance.tolist())
    model.set_blend(*blended)
    return Fitted(
        model=model,
        pools=tuple(last.vocabulary.names),
        services=last.services.names,
        classes=classes,
        settings=settings,
        seed=seed,
        thresholds=thresholds,
        metrics=summary(names, probability, check.truth, check.series, check.ts),
        windows=last.windows,
        calibration=calibration,
        predicted=predicted,
        held_out=held_out,
        background=_background(sessions, classes, others),
        usual={
            "never_seen_pools": float((check.pool[:, -1] == NEVER_SEEN).mean()),
            "known": float((predicted.known >= thresholds.known).mean()),
            "confidence": float(probabilities(predicted.logits).max(1).mean()),
        },
    )


def _background(
    sessions: LabelledSessions, classes: Sequence[Class], others: Sequence[Pairs]
) -> Background:
    truth = sessions.class_of_series(classes)[sessions.series]
    return background(sessions, truth, len(classes), others)


def _strangers(
    sessions: LabelledSessions,
    classes: Sequence[Class],
    public: Sequence[Pairs],
    unlabelled: Sequence[Pairs],
    say: Callable[[str], None],
) -> list[Pairs]:
    """The unlabelled hosts that look like no class."""
    if not unlabelled:
        return []
    first = _background(sessions, classes, [*public, *unlabelled])
    found = without_own(first, unlabelled)
    say(
        f"background: {len(found)} unlabelled hosts, and without "
        f"{len(unlabelled) - len(found)} that look like a class"
    )
    return found


def _deterministic(seed: int, threads: int) -> tuple[str, np.random.Generator]:
    """Make torch deterministic; the device to train on, and a generator for what numpy draws."""
    # CUDA sums in a fixed order only with this variable, which it reads at its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    return "cuda" if torch.cuda.is_available() else "cpu", np.random.default_rng(seed)


def _require_late(classes: Sequence[Class], check: Examples, say: Callable[[str], None]) -> None:
    """Raise ArchiveError when fewer than two classes have late windows."""
    too_few = np.setdiff1d(np.arange(len(classes)), check.truth)
    text = f"too few late sessions to calibrate by: {_names(classes, too_few)}"
    if len(classes) - len(too_few) < 2:
        raise ArchiveError(text)
    if len(too_few):
        say(text)


def _blend(
    model: NBA, check: Examples, choices: Sequence[float]
) -> tuple[np.ndarray, tuple[float, float]]:
    """Set the weights of network and class likelihoods by held-out windows; returns the classes
    that have changed, int64, and temperature and weight."""
    found = predict(model, check)
    likelihoods = found.likely * np.sqrt((check.pool != PADDING).sum(1, keepdims=True))
    stays = np.ones(len(check), bool)
    for _ in range(2):  # the second time without the classes that have changed
        weights = blend(found.logits[stays], likelihoods[stays], check.truth[stays], choices)
        logits = found.logits / weights[0] + weights[1] * likelihoods
        left_out = changed(logits, check.truth)
        stays = ~np.isin(check.truth, left_out)
    model.set_blend(*weights)
    return left_out, weights


def _calibrate_familiarity(
    model: NBA, calibration: Examples, left_out: np.ndarray, kept: float
) -> None:
    """Set the scale of familiarity by known hosts' windows, of which ``kept`` shall pass."""
    usual = calibration.select(np.flatnonzero(~np.isin(calibration.truth, left_out)))
    found = predict(model, usual)
    moments_of_class = [*moments(found.likely, usual.truth), *moments(found.near, usual.truth)]
    model.set_usual(torch.from_numpy(np.stack(moments_of_class)))
    near, likely = torch.from_numpy(found.near), torch.from_numpy(found.likely)
    device = model.usual.device
    typical = model.typical(likely.to(device), near.to(device)).cpu().numpy()
    model.set_tolerance(*tolerance(found.seen, typical, usual.truth, kept))


def split(sessions: LabelledSessions, share: float) -> tuple[LabelledSessions, LabelledSessions]:
    """Each host's sessions before, and among, the last ``share`` of its own.

    The share is of sessions and not of time, so that a host that talks less and less has late ones.
    """
    host = _hosts(sessions.labels)[sessions.series]
    late = np.zeros(len(sessions), bool)
    for one in np.unique(host):
        rows = np.flatnonzero(host == one)
        late[rows[int(len(rows) * (1 - share)) :]] = True
    return sessions.select(~late), sessions.select(late)


def _hosts(labels: Sequence[Label]) -> np.ndarray:
    """The number of each label's host, int64."""
    hosts: dict[tuple[str, str, str], int] = {}
    number = [hosts.setdefault((one.host, one.device, one.log), len(hosts)) for one in labels]
    return np.array(number, np.int64)


def _require(classes: Sequence[Class], sessions: LabelledSessions, settings: Settings) -> None:
    if len(classes) < 2:
        raise ArchiveError("a model needs sessions of at least two devices")
    of_series = np.bincount(sessions.series, minlength=len(sessions.labels))
    able = sessions.class_of_series(classes)[of_series >= settings.min_sessions]
    if len(lacking := np.setdiff1d(np.arange(len(classes)), able)):
        raise ArchiveError(
            f"no host with {settings.min_sessions} sessions of {_names(classes, lacking)}: "
            "bring more of them, or leave them out of the labels"
        )


def _names(classes: Sequence[Class], numbers: np.ndarray) -> str:
    return ", ".join(classes[number].device for number in numbers.tolist())
