"""Checks of a candidate on later days, beside the running model.

Both models predict at the same moments of days that the candidate was not trained on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import Schedule
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY
from nba_broker.verdicts.states import CHANGED, NO_DEVICE, UNKNOWN
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.host_days import HostDay, host_days
from training.evaluation.verdicts import of_windows
from training.gate.checks import Check, some
from training.gate.standing import standing
from training.metrics.classification import confusion, macro_f1, per_class, precision_recall_f1
from training.metrics.intervals import binomial_bounds, drawn, percentiles
from training.metrics.outcomes import OUTCOMES

MARGIN = 0.02
"""Default of how far the candidate's macro-F1 may lie below the running model's."""

LEAST = 0.5
"""Macro-F1 below which labels and behaviour have too little to do with each other."""

CLASS_MARGIN = 0.2
"""How far the F1 of one class may fall, when the fall is not by chance."""

UNKNOWN_MARGIN = 0.05
"""How much larger the share of the known devices' time as unknown may be."""

WRONG_DAYS = 0.01
"""Largest share of host-days that may end with a wrong name, beyond chance: one of a hundred hosts.
An analyst who meets more of them stops believing the names."""

_NONE = "no name"


@dataclass(frozen=True, slots=True, eq=False)
class _Verdicts:
    """A worker's verdicts with one model at B moments, in the classes of both models.

    device: the name of the host, or NO_DEVICE, int64 [B]. state: int8 [B]. lines: number of moments
    at which the worker writes a wrong line. days: of the hosts whose device both models know.
    """

    device: np.ndarray
    state: np.ndarray
    lines: int
    days: list[HostDay]


def check_later_days(
    running: Scorer, candidate: Scorer, later: LabelledSessions, *, margin: float = MARGIN
) -> tuple[list[Check], dict[str, Any]]:
    """The checks on later days, and all figures.

    The moments are the sessions of each labelled host from the larger ``min_sessions`` on. The
    worker's verdict at a moment counts, and not the prediction for a single window, which does not
    show. Only devices that both models know decide. Raises ArchiveError when there is no moment.
    """
    old, new = running.manifest, candidate.manifest
    devices = [{one.device for one in manifest.classes} for manifest in (old, new)]
    names = sorted(devices[0] | devices[1] | {one.device for one in later.classes()})
    number = {name: place for place, name in enumerate(names)}
    least = max(old.min_sessions, new.min_sessions)
    truth_of = np.array([number.get(one.device, -1) for one in later.labels])
    common = np.isin(truth_of, [number[name] for name in devices[0] & devices[1]])
    rows = later.windows(Schedule(1, least))
    if not common[rows.slot].any():
        raise ArchiveError(
            f"no host of a device that both models know has {least} sessions in the later days; "
            "begin them earlier (--later)"
        )
    both = common[rows.slot]
    truth, series, ts = truth_of[rows.slot], rows.slot, later.ts[rows.index]
    found = [
        _verdicts(scorer, later, number, truth_of, common, least) for scorer in (running, candidate)
    ]
    size = len(names) + 1  # the last one is no name
    _, cluster = np.unique(
        np.stack([series, (ts // DAY).astype(np.int64)]), axis=1, return_inverse=True
    )
    called = [np.where(one.device == NO_DEVICE, size - 1, one.device)[both] for one in found]
    compared = _paired(truth[both], called[0], called[1], cluster.ravel()[both], size)
    tables = [per_class(confusion(truth[both], one, size), [*names, _NONE]) for one in called]
    shares = [_shares(truth[both], one, both, names) for one in found]
    figures = {
        "moments": int(both.sum()),
        "host_days": len(found[0].days),
        "verdicts": _days(found[0].days, found[1].days),
        "macro_f1": compared["macro_f1"],
        "classes": {
            name: {
                "support": tables[1][name]["support"],
                "running": tables[0][name]["f1"],
                "candidate": tables[1][name]["f1"],
                "difference": compared["classes"][number[name]],
                "named": [share["named"][name] for share in shares],
            }
            for name in tables[1]
        },
        "unknown": [share["unknown"] for share in shares],
        "wrong": [share["wrong"] for share in shares],
        "lines": [one.lines for one in found],
        "new_classes": _new(truth, found[1], devices[1] - devices[0], number),
        "confusion": _confusion(truth[both], called[1], [*names, _NONE]),
    }
    return _checks(figures, margin), figures


def _checks(figures: dict[str, Any], margin: float) -> list[Check]:
    old, new, (low, high) = (
        figures["macro_f1"][name] for name in ("running", "candidate", "interval")
    )
    unsure = ""
    if new - old >= -margin and low < -margin:
        unsure = "; the later days are too few to be certain"
    lost, worse = [], []
    for name, one in figures["classes"].items():
        before, now = one["named"]
        if before >= 0.1 and now < before / 2:
            lost.append(f"{name} (right name for {before:.0%} of its time before, now {now:.0%})")
        fall, (_, most) = one["candidate"] - one["running"], one["difference"]
        if fall < -CLASS_MARGIN and most < 0:
            worse.append(f"{name} (F1 {one['running']:.3f}, now {one['candidate']:.3f})")
    named = "the candidate names every class that the running model names"
    if lost or worse:
        named = "; ".join(
            f"{what} {some(classes)}"
            for what, classes in (("lost", lost), ("worse", worse))
            if classes
        )
    unknown, lines = figures["unknown"], figures["lines"]
    more = binomial_bounds(lines[1], sum(lines))[0] > 0.5 if sum(lines) else False
    return [
        Check(
            "behaviour",
            new >= LEAST,
            f"training on the earlier days gives a macro-F1 of {new:.3f} on the later days "
            f"(at least {LEAST:g})",
        ),
        Check(
            "macro_f1",
            new - old >= -margin,
            f"macro-F1 {new:.4f}, running {old:.4f}: {new - old:+.4f} ({low:+.4f} to {high:+.4f}; "
            f"at least {-margin:+g}){unsure}",
        ),
        Check("named", not (lost or worse), named),
        Check(
            "unknown",
            unknown[1] <= unknown[0] + UNKNOWN_MARGIN,
            f"known devices are unknown for {unknown[1]:.1%} of the time, with the running model "
            f"{unknown[0]:.1%} (at most {UNKNOWN_MARGIN:.0%} more)",
        ),
        Check(
            "lines",
            not more,
            f"{lines[1]} wrong lines (a wrong name, unknown or changed) in {figures['host_days']} "
            f"host-days, running {lines[0]}{'; more than by chance' if more else ''}",
        ),
        _host_days(figures["verdicts"], figures["host_days"]),
    ]


def _host_days(verdicts: dict[str, Any], total: int) -> Check:
    """Whether hosts have a wrong name at the end of a day no more often than with the running
    model, and seldom at all."""
    old, new = verdicts["running"], verdicts["candidate"]
    one_sided = verdicts["wrong_only_with_candidate"], verdicts["wrong_only_with_running"]
    # The same host-days with both models: those on which they differ decide (McNemar's exact test).
    more = sum(one_sided) > 0 and binomial_bounds(one_sided[0], sum(one_sided))[0] > 0.5
    often = total > 0 and binomial_bounds(new["wrong"], total)[0] > WRONG_DAYS
    reason = (
        f"at the end of the day, {new['wrong']} of {total} host-days have a wrong name, running "
        f"{old['wrong']}; {new['no_name']} have none, running {old['no_name']}"
    )
    if more:
        reason += "; more wrong names than by chance"
    if often:
        reason += f"; that is more than {WRONG_DAYS:.0%}, not by chance"
    return Check("host_days", not (more or often), reason)


def _days(running: Sequence[HostDay], candidate: Sequence[HostDay]) -> dict[str, Any]:
    """The outcomes of the same host-days with both models."""
    wrong = np.array(
        [[one.outcome == "wrong" for one in days] for days in (running, candidate)], bool
    )
    counted = [Counter(one.outcome for one in days) for days in (running, candidate)]
    return {
        "running": {kind: counted[0][kind] for kind in OUTCOMES},
        "candidate": {kind: counted[1][kind] for kind in OUTCOMES},
        "wrong_only_with_running": int((wrong[0] & ~wrong[1]).sum()),
        "wrong_only_with_candidate": int((wrong[1] & ~wrong[0]).sum()),
    }


def _verdicts(
    scorer: Scorer,
    later: LabelledSessions,
    number: dict[str, int],
    truth_of: np.ndarray,
    common: np.ndarray,
    least: int,
) -> _Verdicts:
    manifest = scorer.manifest
    windows = later.windows(Schedule(manifest.window, manifest.min_sessions))
    scores = scorer(windows, later.table, later.text)
    ts = later.ts[windows.index]
    changes = of_windows(manifest, windows, ts, scores)
    state, device = standing(windows, changes)
    # One more entry, for NO_DEVICE.
    of_class = np.array([number[one.device] for one in manifest.classes] + [NO_DEVICE])
    wrong = [
        one
        for one in changes
        if common[one.slot]
        and windows.count[one.row] >= least
        and (
            one.decision.state in (UNKNOWN, CHANGED)
            or (
                one.decision.device != NO_DEVICE
                and of_class[one.decision.device] != truth_of[one.slot]
            )
        )
    ]
    moments = windows.count >= least
    judged = common[later.series]
    days = np.stack([later.series[judged], (later.ts[judged] // DAY).astype(np.int64)])
    series, day = np.unique(days, axis=1)
    names = [one.device for one in manifest.classes]
    return _Verdicts(
        of_class[device[moments]],
        state[moments],
        len(wrong),
        host_days(changes, names, later.labels, series, day),
    )


def _shares(
    truth: np.ndarray, found: _Verdicts, both: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    device, state = found.device[both], found.state[both]
    return {
        "unknown": float((state == UNKNOWN).mean()),
        "wrong": float(((device != NO_DEVICE) & (device != truth)).mean()),
        "named": {
            names[k]: float((device[truth == k] == k).mean()) for k in np.unique(truth).tolist()
        },
    }


def _new(
    truth: np.ndarray, verdicts: _Verdicts, fresh: Collection[str], number: dict[str, int]
) -> dict[str, Any]:
    """The share of time for which hosts of classes that only the candidate knows have the right
    name."""
    found = {}
    for name in sorted(fresh):
        own = truth == number[name]
        if own.any():
            found[name] = float((verdicts.device[own] == number[name]).mean())
    return found


def _confusion(
    truth: np.ndarray, called: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, int]]:
    matrix = confusion(truth, called, len(names))
    return {
        name: {names[j]: int(matrix[k, j]) for j in np.flatnonzero(matrix[k]).tolist()}
        for k, name in enumerate(names)
        if matrix[k].any()
    }


def _paired(
    truth: np.ndarray, old: np.ndarray, new: np.ndarray, cluster: np.ndarray, size: int
) -> dict[str, Any]:
    """Macro-F1 of both models, and intervals of the differences by a bootstrap over host-days. The
    same host-days are drawn for both, so a hard day favours neither."""
    clusters, place = np.unique(cluster, return_inverse=True)
    whole, draws = [], []
    for called in (old, new):
        cells = (place * size + truth) * size + called
        of_cluster = np.bincount(cells, minlength=len(clusters) * size * size)
        matrices = of_cluster.reshape(len(clusters), size, size)
        whole.append(matrices.sum(0))
        draws.append(drawn(matrices, 0))
    f1 = [np.array([precision_recall_f1(one)[2] for one in some]) for some in draws]
    difference = f1[1] - f1[0]
    difference[draws[0].sum(2) == 0] = np.nan  # a class that was not drawn has none
    there = np.flatnonzero(whole[0].sum(1)).tolist()
    return {
        "macro_f1": {
            "running": macro_f1(whole[0]),
            "candidate": macro_f1(whole[1]),
            "interval": percentiles(np.nanmean(difference, 1)),
        },
        "classes": {k: percentiles(difference[:, k]) for k in there},
    }
