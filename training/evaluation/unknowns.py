"""Leaves out one device in turn, and shows whether its hosts are called unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from nba_broker.model.features import PADDING, Services, Vocabulary
from nba_broker.records.errors import ArchiveError
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import LEARNING, NO_DEVICE, UNKNOWN
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions
from training.data.public_counts import Pairs
from training.evaluation.protocols import leave_one_device_out
from training.evaluation.verdicts import Scored, decide, decider_with
from training.metrics.curves import auroc, roc
from training.model.background import ratios
from training.model.calibrate import class_weights, probabilities, quantile, smooth
from training.model.examples import Examples, examples
from training.model.fit import Fitted, fit, split
from training.model.predict import Predictions, predict
from training.model.settings import DEFAULT, Settings

SESSIONS = 20
"""Sessions within which an out-of-distribution host should be called unknown."""

KNOWN_WEIGHT = 0.15
"""Share of the newest window in the smoothed scores."""

FALSE_ALARMS = (
    *np.linspace(0, 0.1, 21).round(3).tolist(),
    *np.linspace(0.15, 1, 18).round(3).tolist(),
)
"""Shares of known windows called unknown at which a ROC curve is read, most of them small."""

LATER = 0.4
"""Share of each host's sessions, its last, that show how many known windows are kept."""

QUICK = replace(DEFAULT, epochs=5, per_class=2048)
"""Shorter fits, one per device: they separate the scores as well."""


def unknowns(
    sessions: LabelledSessions,
    settings: Settings | None = None,
    *,
    ood: LabelledSessions | None = None,
    confusable: Sequence[str] = (),
    public: Sequence[Pairs] = (),
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Figures of every device left out in turn, and their means.

    settings: of the fits, QUICK unless given. ood: sessions of another site, whose devices are all
    out of distribution. confusable: devices that another labelled device resembles; they take no
    part in the means. public: counts of devices of other networks. Raises ArchiveError when no
    device can be left out.
    """
    settings = settings or QUICK
    rows: dict[str, dict[str, Any]] = {}
    foreign: list[dict[str, Any]] = []
    for device, others, own in leave_one_device_out(sessions):
        early, later = split(others, LATER)
        try:
            early, _ = enough(early, settings.min_sessions, lambda line: None)
            fitted = fit(early, settings, public=public, seed=seed, say=lambda line: None)
            rows[device] = _figures(fitted, later, own)
        except ArchiveError as error:
            say(f"{device}: {error}")
            continue
        rows[device]["confusable"] = device in confusable
        say(f"{device}: {_line(rows[device])}")
        if ood is not None:
            foreign.append(_figures(fitted, later, ood))
    if not rows:
        raise ArchiveError("no device has enough sessions to be left out")
    alone = [row for row in rows.values() if not row["confusable"]] or list(rows.values())
    result: dict[str, Any] = {
        "sessions": SESSIONS,
        "false_alarms": FALSE_ALARMS,
        "devices": rows,
        "mean": _mean(alone),
    }
    say(f"mean{' without confusable devices' if confusable else ''}: {_line(result['mean'])}")
    if foreign:
        result["out_of_distribution"] = _mean(foreign)
        say(f"hosts of another site: {_line(result['out_of_distribution'])}")
    return result


def table(result: dict[str, Any]) -> list[str]:
    """The scores' means as lines of Markdown."""
    lines = [
        f"| score    | caught in {SESSIONS} | known kept | AUROC |",
        "| -------- | -----------: | ---------: | ----: |",
    ]
    lines += [
        f"| {name:8} | {one['caught']:12.1%} | {one['kept']:10.1%} | {one['auroc']:5.3f} |"
        for name, one in result["mean"]["scores"].items()
    ]
    return lines


def scores(found: Predictions) -> dict[str, np.ndarray]:
    """Every score by name, [B] each; higher is more similar to the training part."""
    logits = found.logits.astype(np.float64)
    return {
        "softmax": probabilities(logits).max(1),
        "energy": logsumexp(logits, axis=1),
        "distance": found.near.max(1),
        "pools": found.seen,
        "known": found.known,
    }


def _figures(fitted: Fitted, later: LabelledSessions, ood: LabelledSessions) -> dict[str, Any]:
    """Figures of a model on known hosts' later sessions, and on out-of-distribution hosts."""
    settings = fitted.settings
    staying = ~np.isin(fitted.calibration.truth, fitted.thresholds.left_out)
    known = _windows(fitted, later.episodes(settings.window))
    episodes = ood.episodes(SESSIONS)
    outside = _windows(fitted, episodes)
    if not len(outside) or not len(known):
        raise ArchiveError("no host has enough sessions")
    of_known, of_outside = predict(fitted.model, known), predict(fitted.model, outside)
    last = np.append(np.diff(outside.series) != 0, True)
    figures = {}
    columns = [scores(one) for one in (fitted.predicted, of_known, of_outside)]
    kept: dict[str, float] = {}  # by the last score, which decides
    for name in columns[0]:
        held_out, inside, unfamiliar = (
            smooth(column[name], part.series, KNOWN_WEIGHT)
            for column, part in zip(columns, (fitted.calibration, known, outside), strict=True)
        )
        weight = class_weights(fitted.calibration.truth[staying])
        threshold = quantile(held_out[staying], weight, 1 - settings.kept)
        weight = class_weights(known.truth)
        figures[name] = {
            "caught": float((unfamiliar[last] < threshold).mean()),
            "kept": float(weight[inside >= threshold].sum()),
            "auroc": auroc(inside, weight, unfamiliar[last]),
            "roc": roc(inside, weight, unfamiliar[last], FALSE_ALARMS),
        }
        kept = {
            fitted.classes[k].device: float((inside >= threshold)[known.truth == k].mean())
            for k in np.unique(known.truth)
        }
    state, waited, ever_named = _states(fitted, outside, of_outside, episodes)
    return {
        "episodes": int(last.sum()),
        "too_short": len(episodes.labels) - int(last.sum()),
        "scores": figures,
        "kept": kept,
        "changed": [fitted.classes[k].device for k in fitted.thresholds.left_out],
        "unknown": float((state == UNKNOWN).mean()),
        "learning": float((state == LEARNING).mean()),
        "named": float((~np.isin(state, (UNKNOWN, LEARNING))).mean()),
        "ever_named": float(ever_named.mean()),
        "sessions_to_unknown": float(np.median(waited)) if np.isfinite(np.median(waited)) else None,
    }


def _windows(fitted: Fitted, sessions: LabelledSessions) -> Examples:
    """The windows at which a worker scores, host after host."""
    vocabulary, services = Vocabulary(list(fitted.pools)), Services(fitted.services)
    # Out-of-distribution hosts are of no class of the model: further classes keep their windows.
    others = [one for one in sessions.classes() if one not in fitted.classes]
    settings = fitted.settings
    part = examples(
        sessions, [*fitted.classes, *others], vocabulary, services, settings, settings.schedule
    )
    return part.select(np.argsort(part.series, kind="stable"))


def _states(
    fitted: Fitted, part: Examples, predicted: Predictions, sessions: LabelledSessions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the hosts of these windows: the state after the last one, int64 [hosts]; after how many
    sessions it was first unknown, infinity for never, float64 [hosts]; whether it ever had a name,
    bool [hosts]."""
    settings = DecisionSettings(fitted.thresholds.of_worker())
    hosts, slot = np.unique(part.series, return_inverse=True)
    row = np.arange(len(part))
    probability = probabilities(predicted.logits)
    windows, *compared = ratios(sessions, fitted.background, fitted.settings.schedule)
    by_host = np.argsort(windows.slot, kind="stable")
    compared = [one[by_host] for one in compared]
    scored = Scored(row, row, slot, part.ts, probability, predicted.known, *compared)
    state = np.full(len(hosts), LEARNING)
    waited, named = np.full(len(hosts), np.inf), np.zeros(len(hosts), bool)
    for one in decide(decider_with(settings, len(fitted.classes), len(hosts)), scored):
        state[one.slot] = one.decision.state
        named[one.slot] |= one.decision.device != NO_DEVICE
        if one.decision.state == UNKNOWN:
            number = int((part.pool[one.row] != PADDING).sum())
            waited[one.slot] = min(waited[one.slot], number)
    return state, waited, named


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = rows[0]["scores"]
    return {
        "scores": {
            name: {
                key: np.mean([row["scores"][name][key] for row in rows], axis=0).tolist()
                for key in names[name]
            }
            for name in names
        },
        **{
            key: float(np.mean([row[key] for row in rows]))
            for key in ("unknown", "learning", "named", "ever_named")
        },
    }


def _line(row: dict[str, Any]) -> str:
    caught = "  ".join(f"{name} {one['caught']:.0%}" for name, one in row["scores"].items())
    known, sessions = row["scores"]["known"], row.get("sessions_to_unknown")
    wait = f" after {sessions:.0f} sessions (median)" if sessions else ""
    return (
        f"caught by {caught}; known: kept {known['kept']:.1%}, AUROC {known['auroc']:.3f}; "
        f"verdicts: unknown {row['unknown']:.0%}{wait}, named {row['named']:.0%}, "
        f"ever named {row['ever_named']:.0%}"
    )
