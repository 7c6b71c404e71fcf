"""Are hosts of devices that a model never met called unknown? One device in turn is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nba_broker.model.features import PADDING, Services, Vocabulary
from nba_broker.records.errors import ArchiveError
from nba_broker.verdicts.decide import decide
from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import LEARNING, NO_DEVICE, UNKNOWN
from training.data.dataset import LabelledSessions
from training.data.enough import enough
from training.evaluation.protocols import leave_one_device_out
from training.model.calibrate import class_weights, quantile, smooth, softmax
from training.model.fit import (
    DEFAULT,
    Answers,
    Examples,
    Fitted,
    Settings,
    answers,
    examples,
    fit,
    split,
)

SESSIONS = 20
"""Within so many sessions a stranger shall be called unknown."""

FALSE_ALARMS = (
    *np.linspace(0, 0.1, 21).round(3).tolist(),
    *np.linspace(0.15, 1, 18).round(3).tolist(),
)
"""Shares of known windows called unknown at which a ROC curve is read, most where it matters."""

LATER = 0.4
"""Share of each host's sessions, its last, that show what is kept of the known."""

QUICK = replace(DEFAULT, epochs=5, per_class=2048)
"""One fit per device: a shorter one tells scores apart as well."""


def unknowns(
    sessions: LabelledSessions,
    settings: Settings | None = None,
    *,
    strangers: LabelledSessions | None = None,
    twins: Sequence[str] = (),
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Figures of every device left out in turn, and their means.

    settings: of the fits, QUICK unless given. strangers: sessions of another site, all of whose
    devices the models do not know. twins: devices for which another labelled one speaks; they take
    no part in the means. Raises ArchiveError when no device can be left out.
    """
    settings = settings or QUICK
    rows: dict[str, dict[str, Any]] = {}
    foreign: list[dict[str, Any]] = []
    for device, others, own in leave_one_device_out(sessions):
        early, later = split(others, LATER)
        try:
            early, _ = enough(early, settings.min_sessions, lambda line: None)
            fitted = fit(early, settings, seed=seed, say=lambda line: None)
            rows[device] = _figures(fitted, later, own)
        except ArchiveError as error:
            say(f"{device}: {error}")
            continue
        rows[device]["twin"] = device in twins
        say(f"{device}: {_line(rows[device])}")
        if strangers is not None:
            foreign.append(_figures(fitted, later, strangers))
    if not rows:
        raise ArchiveError("no device has enough sessions to be left out")
    alone = [row for row in rows.values() if not row["twin"]] or list(rows.values())
    result: dict[str, Any] = {
        "sessions": SESSIONS,
        "false_alarms": FALSE_ALARMS,
        "devices": rows,
        "mean": _mean(alone),
    }
    say(f"mean{' without twins' if twins else ''}: {_line(result['mean'])}")
    if foreign:
        result["strangers"] = _mean(foreign)
        say(f"strangers of another site: {_line(result['strangers'])}")
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


def scores(said: Answers) -> dict[str, np.ndarray]:
    """Every score by name, [B] each; higher means more like the training part."""
    logits = said.logits.astype(np.float64)
    return {
        "softmax": softmax(logits).max(1),
        "energy": np.logaddexp.reduce(logits, 1),
        "distance": said.near.max(1),
        "pools": said.seen,
        "known": said.known,
    }


def auroc(inside: np.ndarray, weight: np.ndarray, outside: np.ndarray) -> float:
    """The chance that a value from ``inside`` [B], drawn by ``weight`` [B], is above one from
    ``outside`` [C]; equal ones count half."""
    outside = np.sort(outside)
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float((weight * below).sum() / weight.sum() / 2 / len(outside))


def roc(inside: np.ndarray, weight: np.ndarray, outside: np.ndarray) -> list[float]:
    """The share of ``outside`` [C] that is caught at each of FALSE_ALARMS of ``inside`` [B], drawn
    by ``weight`` [B]; between the thresholds there are, on a straight line."""
    threshold = np.append(np.unique(np.concatenate([inside, outside])), np.inf)
    order = np.argsort(inside)
    total = np.append(0.0, np.cumsum(weight[order])) / weight.sum()
    alarms = total[np.searchsorted(inside[order], threshold)]
    caught = np.searchsorted(np.sort(outside), threshold) / len(outside)
    last = np.append(np.diff(alarms) > 0, True)  # of thresholds that cost the same, the best
    found: list[float] = np.interp(FALSE_ALARMS, alarms[last], caught[last]).tolist()
    return found


def _figures(
    fitted: Fitted, later: LabelledSessions, strangers: LabelledSessions
) -> dict[str, Any]:
    """What a model makes of known hosts' later sessions, and of hosts that it does not know."""
    settings = fitted.settings
    staying = ~np.isin(fitted.asked.truth, fitted.thresholds.left_out)
    known = _windows(fitted, later.lives(settings.window))
    lives = strangers.lives(SESSIONS)
    met = _windows(fitted, lives)
    if not len(met) or not len(known):
        raise ArchiveError("no host has enough sessions")
    now, strange = answers(fitted.model, known), answers(fitted.model, met)
    last = np.append(np.diff(met.series) != 0, True)
    figures = {}
    columns = [scores(one) for one in (fitted.said, now, strange)]
    kept: dict[str, float] = {}  # by the last score, the one that is used
    for name in columns[0]:
        held_out, later_on, stranger = (
            smooth(column[name], part.series, DecisionSettings().known_weight)
            for column, part in zip(columns, (fitted.asked, known, met), strict=True)
        )
        weight = class_weights(fitted.asked.truth[staying])
        threshold = quantile(held_out[staying], weight, 1 - settings.kept)
        weight = class_weights(known.truth)
        figures[name] = {
            "caught": float((stranger[last] < threshold).mean()),
            "kept": float(weight[later_on >= threshold].sum()),
            "auroc": auroc(later_on, weight, stranger[last]),
            "roc": roc(later_on, weight, stranger[last]),
        }
        kept = {
            fitted.classes[k].device: float((later_on >= threshold)[known.truth == k].mean())
            for k in np.unique(known.truth)
        }
    state, waited, ever_named = _states(fitted, met, strange)
    return {
        "lives": int(last.sum()),
        "too_short": len(lives.labels) - int(last.sum()),
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
    """Windows as the policy is asked, host after host."""
    vocabulary, services = Vocabulary(list(fitted.pools)), Services(fitted.services)
    # Strangers are of no class: a class of their own keeps their windows.
    others = [one for one in sessions.classes() if one not in fitted.classes]
    settings = fitted.settings
    part = examples(
        sessions, [*fitted.classes, *others], vocabulary, services, settings, settings.schedule
    )
    return part.select(np.argsort(part.series, kind="stable"))


def _states(
    fitted: Fitted, met: Examples, said: Answers
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the policy says of each host after its last window (see messages.STATES), after how many
    sessions it was first called unknown, infinity for never, and whether it ever had a name."""
    thresholds = fitted.thresholds
    decider = Decider(
        len(fitted.classes),
        DecisionSettings(identified=thresholds.identified, known=thresholds.known),
    )
    hosts, slot = np.unique(met.series, return_inverse=True)
    decider.slots.reserve(len(hosts))
    state = np.full(len(hosts), LEARNING)
    waited, named = np.full(len(hosts), np.inf), np.zeros(len(hosts), bool)
    place = np.arange(len(slot))
    scored = ScoredWindows(slot, place, met.ts, softmax(said.logits), said.known)
    for decision in decide(decider, scored):
        state[decision.slot] = decision.state
        named[decision.slot] |= decision.device != NO_DEVICE
        if decision.state == UNKNOWN:
            sessions = int((met.pool[decision.window] != PADDING).sum())
            waited[decision.slot] = min(waited[decision.slot], sessions)
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
        f"the policy says unknown {row['unknown']:.0%}{wait}, a name {row['named']:.0%}, and "
        f"had said one of {row['ever_named']:.0%}"
    )
