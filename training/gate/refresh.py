"""Whether a candidate may take a running model's place: a gate on labels, then on later days.

Labels are looked at before anything is trained, because a candidate that was taught wrong labels
does well on later days that are labelled as wrongly. Then both models are asked about the same
moments of days that the candidate has not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import Schedule, Windows
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import print_time
from nba_broker.verdicts.decision import Decision
from nba_broker.verdicts.states import CHANGED, LEARNING, NO_DEVICE, UNKNOWN
from training.data.dataset import LabelledSessions
from training.evaluation.alarms import CONFIDENCE, binomial_bounds
from training.evaluation.evaluate import verdicts
from training.model.metrics import confusion, macro_f1, per_class, precision_recall_f1

MARGIN = 0.02
"""By how much the candidate's macro-F1 may be below the running model's, unless told otherwise."""

CONTRADICTED = 0.2
"""Share of hosts that may be labelled as another device than the running model calls them. Some are
corrections, and twins are mistaken; of labels that slipped by a row it is nearly all."""

FEWER = 0.75
"""Of the hosts that taught the running model, the share of which there must be labels."""

LEAST = 0.5
"""A macro-F1 below which labels and behaviour have too little to do with each other."""

CLASS_MARGIN = 0.2
"""By how much the F1 of one class may fall, where that is no chance."""

UNKNOWN_MARGIN = 0.05
"""By how much more of the known devices' time may be spent as unknown."""

CHECKS = ("labels", "hosts", "classes", "behaviour", "macro_f1", "named", "unknown", "lines")
"""What the gate looks at, by the names that ``--accept`` takes."""

_DAY = 86_400.0
_NONE = "no name"
_DRAWS = 1000
_LISTED = 5  # names in one line, before it says how many more


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the gate. ``reason``: a line for a person, whether it passed or not."""

    name: str
    passed: bool
    reason: str


def cut(sessions: LabelledSessions, later: float) -> float:
    """When the later days begin: a share of the archive's time, its last, or a time, as given.

    Raises ArchiveError when one of the two parts would be empty.
    """
    first, last = float(sessions.ts[0]), float(sessions.ts[-1])
    when = last - later * (last - first) if 0 < later < 1 else later
    if not first < when <= last:
        raise ArchiveError(
            f"the later days would begin at {print_time(round(when))}, but the archive has "
            f"sessions from {print_time(round(first))} to {print_time(round(last))}; see --later"
        )
    return when


def before(
    running: Scorer,
    sessions: LabelledSessions,
    *,
    settled: Collection[str] = (),
    dropped: Collection[str] = (),
) -> list[Check]:
    """What can be said of labels without a candidate, by what the running model learned and says.

    settled: hosts, as labels name them, that an analyst named; whoever looked knows better.
    dropped: classes that are to go.
    """
    return [
        _contradictions(running, sessions, settled),
        _hosts(running.manifest, sessions, dropped),
        _classes(running.manifest, sessions, dropped),
    ]


def _contradictions(running: Scorer, sessions: LabelledSessions, settled: Collection[str]) -> Check:
    """Hosts that the running model calls, most of their time, another device than their label."""
    manifest = running.manifest
    names = [one.device for one in manifest.classes]
    windows = sessions.windows(manifest.schedule)
    ts = sessions.ts[windows.index]
    decisions = verdicts(manifest, windows, ts, running(windows, sessions.table))
    _, device = _standing(windows, decisions)
    compared, against = 0, []
    for number in np.unique(windows.slot).tolist():
        label = sessions.labels[number]
        said = device[windows.slot == number]
        if label.device not in names or label.host in settled or (said == NO_DEVICE).mean() > 0.5:
            continue
        compared += 1
        called = names[int(np.bincount(said[said != NO_DEVICE]).argmax())]
        if called != label.device:
            against.append(f"{label.host} is labelled {label.device} and acts as {called}")
    if not against:
        return Check("labels", True, f"all of {compared} hosts act as they are labelled")
    return Check(
        "labels",
        len(against) <= CONTRADICTED * compared,
        f"{len(against)} of {compared} hosts are labelled as another device than the running model "
        f"calls them (at most {CONTRADICTED:.0%} may be): {_some(against, '; ')}",
    )


def _hosts(manifest: Manifest, sessions: LabelledSessions, dropped: Collection[str]) -> Check:
    """Whether about as many hosts teach as taught the running model."""
    try:
        taught = Counter(str(one["device"]) for one in manifest.raw["training"]["hosts"])
    except (KeyError, TypeError):
        return Check("hosts", True, "the running model does not say how many hosts taught it")
    number = np.bincount(sessions.series, minlength=len(sessions.labels))
    have = Counter(
        label.device
        for label, own in zip(sessions.labels, number, strict=True)
        if own >= manifest.min_sessions
    )
    known = {name: count for name, count in taught.items() if name not in dropped}
    there = {name: min(have[name], count) for name, count in known.items()}
    total, left = sum(known.values()), sum(there.values())
    fewer = [
        f"{name} {there[name]} of {known[name]}" for name in known if there[name] < known[name]
    ]
    return Check(
        "hosts",
        left >= FEWER * total,
        f"{left} of as many hosts as the {total} that taught the running model are labelled here "
        f"(at least {FEWER:.0%} must be){f'; fewer: {_some(fewer)}' if fewer else ''}",
    )


def _classes(manifest: Manifest, sessions: LabelledSessions, dropped: Collection[str]) -> Check:
    """Whether every class of the running model is learned again."""
    here = {one.device for one in sessions.classes()}
    missing = [
        one.device
        for one in manifest.classes
        if one.device not in here and one.device not in dropped
    ]
    if not missing:
        return Check("classes", True, "every class of the running model is learned again")
    return Check(
        "classes",
        False,
        f"the running model knows {_some(missing)}, of which no host is labelled here that has the "
        f"{manifest.min_sessions} sessions which teaching needs; label one, or give --drop for "
        "each that is to go",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What a model says at B moments, in classes common to both models.

    device: what a worker calls the host, or NO_DEVICE, int64 [B]. state: int8 [B]. lines: of the B
    moments, those at which a worker writes a wrong line.
    """

    device: np.ndarray
    state: np.ndarray
    lines: int


def after(
    running: Scorer, candidate: Scorer, later: LabelledSessions, *, margin: float = MARGIN
) -> tuple[list[Check], dict[str, Any]]:
    """The checks on later days, and all figures.

    Both are asked at every session of each labelled host from the larger ``min_sessions`` on, and
    what counts is what a worker then calls the host: single windows err, and nobody sees it. Only
    devices that both know decide. Raises ArchiveError when there is no such session.
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
    said = [_ask(scorer, later, number, truth_of, common, least) for scorer in (running, candidate)]
    size = len(names) + 1  # the last one is no name
    _, cluster = np.unique(
        np.stack([series, (ts // _DAY).astype(np.int64)]), axis=1, return_inverse=True
    )
    called = [np.where(one.device == NO_DEVICE, size - 1, one.device)[both] for one in said]
    compared = _paired(truth[both], called[0], called[1], cluster.ravel()[both], size)
    tables = [per_class(confusion(truth[both], one, size), [*names, _NONE]) for one in called]
    shares = [_shares(truth[both], one, both, names) for one in said]
    host_days = len(np.unique(cluster.ravel()[both]))
    figures = {
        "moments": int(both.sum()),
        "host_days": host_days,
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
        "lines": [one.lines for one in said],
        "new_classes": _new(truth, said[1], devices[1] - devices[0], number),
        "confusion": _confusion(truth[both], called[1], [*names, _NONE]),
    }
    return _judged(figures, margin), figures


def _judged(figures: dict[str, Any], margin: float) -> list[Check]:
    old, new, (low, high) = (
        figures["macro_f1"][name] for name in ("running", "candidate", "interval")
    )
    unsure = ""
    if new - old >= -margin and low < -margin:
        unsure = "; the later days are too few to be sure"
    lost, worse = [], []
    for name, one in figures["classes"].items():
        before, now = one["named"]
        if before >= 0.1 and now < before / 2:
            lost.append(f"{name} (right name {before:.0%} of its time before, now {now:.0%})")
        fall, (_, most) = one["candidate"] - one["running"], one["difference"]
        if fall < -CLASS_MARGIN and most < 0:
            worse.append(f"{name} (F1 {one['running']:.3f}, now {one['candidate']:.3f})")
    named = "every class that the running model names is named"
    if lost or worse:
        named = "; ".join(
            f"{what} {_some(some)}" for what, some in (("lost", lost), ("worse", worse)) if some
        )
    unknown, lines = figures["unknown"], figures["lines"]
    more = binomial_bounds(lines[1], sum(lines))[0] > 0.5 if sum(lines) else False
    return [
        Check(
            "behaviour",
            new >= LEAST,
            f"what the earlier days teach holds on later ones with a macro-F1 of {new:.3f} "
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
            f"known devices are called unknown {unknown[1]:.1%} of the time, by the running model "
            f"{unknown[0]:.1%} (at most {UNKNOWN_MARGIN:.0%} more)",
        ),
        Check(
            "lines",
            not more,
            f"{lines[1]} wrong lines (a wrong name, unknown or changed) in {figures['host_days']} "
            f"host-days, running {lines[0]}{'; more than by chance' if more else ''}",
        ),
    ]


def _ask(
    scorer: Scorer,
    later: LabelledSessions,
    number: dict[str, int],
    truth_of: np.ndarray,
    common: np.ndarray,
    least: int,
) -> _Said:
    manifest = scorer.manifest
    windows = later.windows(Schedule(manifest.window, manifest.min_sessions))
    scores = scorer(windows, later.table)
    ts = later.ts[windows.index]
    decisions = verdicts(manifest, windows, ts, scores)
    state, device = _standing(windows, decisions)
    # One more than there are, for NO_DEVICE.
    of_class = np.array([number[one.device] for one in manifest.classes] + [NO_DEVICE])
    wrong = [
        one
        for one in decisions
        if common[one.slot]
        and windows.count[one.window] >= least
        and (
            one.state in (UNKNOWN, CHANGED)
            or (one.device != NO_DEVICE and of_class[one.device] != truth_of[one.slot])
        )
    ]
    asked = windows.count >= least
    return _Said(of_class[device[asked]], state[asked], len(wrong))


def _standing(windows: Windows, decisions: Sequence[Decision]) -> tuple[np.ndarray, np.ndarray]:
    """State int8 [B] and device int64 [B] that a worker's lines have left each host in at each of B
    windows."""
    last = np.full(len(windows), -1)
    for place, one in enumerate(decisions):
        last[one.window] = place
    order = np.argsort(windows.slot, kind="stable")
    slot = windows.slot[order]
    start = np.searchsorted(slot, slot)
    row = np.maximum.accumulate(np.where(last[order] >= 0, np.arange(len(order)), -1))
    there = row >= start
    state = np.full(len(windows), LEARNING, np.int8)
    device = np.full(len(windows), NO_DEVICE)
    which = last[order][row[there]]
    state[order[there]] = np.array([one.state for one in decisions], np.int8)[which]
    device[order[there]] = np.array([one.device for one in decisions], np.int64)[which]
    return state, device


def _shares(
    truth: np.ndarray, said: _Said, both: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    device, state = said.device[both], said.state[both]
    return {
        "unknown": float((state == UNKNOWN).mean()),
        "wrong": float(((device != NO_DEVICE) & (device != truth)).mean()),
        "named": {
            names[k]: float((device[truth == k] == k).mean()) for k in np.unique(truth).tolist()
        },
    }


def _new(
    truth: np.ndarray, said: _Said, fresh: Collection[str], number: dict[str, int]
) -> dict[str, Any]:
    """How often hosts of classes that only the candidate knows have their right name."""
    found = {}
    for name in sorted(fresh):
        own = truth == number[name]
        if own.any():
            found[name] = float((said.device[own] == number[name]).mean())
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
    """Macro-F1 of both, and intervals of the differences by a bootstrap over host-days: the same
    ones are drawn for both, so what is hard about a day counts in neither's favour."""
    clusters, place = np.unique(cluster, return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(
        len(clusters), np.full(len(clusters), 1 / len(clusters)), _DRAWS
    )
    whole, samples = [], []
    for called in (old, new):
        cells = (place * size + truth) * size + called
        of_cluster = np.bincount(cells, minlength=len(clusters) * size * size)
        matrices = of_cluster.reshape(len(clusters), size, size)
        whole.append(matrices.sum(0))
        samples.append(np.tensordot(drawn, matrices, 1))
    f1 = [np.array([precision_recall_f1(one)[2] for one in some]) for some in samples]
    difference = f1[1] - f1[0]
    difference[samples[0].sum(2) == 0] = np.nan  # a class that was not drawn has none
    rest = (1 - CONFIDENCE) / 2
    there = np.flatnonzero(whole[0].sum(1)).tolist()
    return {
        "macro_f1": {
            "running": macro_f1(whole[0]),
            "candidate": macro_f1(whole[1]),
            "interval": np.quantile(np.nanmean(difference, 1), (rest, 1 - rest)).tolist(),
        },
        "classes": {k: np.nanquantile(difference[:, k], (rest, 1 - rest)).tolist() for k in there},
    }


def report(
    checks: Sequence[Check],
    figures: dict[str, Any] | None,
    *,
    accepted: Collection[str],
    **more: Any,
) -> dict[str, Any]:
    """All that the JSON and the page say; ``passed`` when each check did, or was accepted.

    figures: None where the labels alone were enough to refuse, and nothing was trained.
    """
    passed = all(one.passed or one.name in accepted for one in checks)
    return {
        "passed": passed and figures is not None,
        "checks": [asdict(one) | {"accepted": one.name in accepted} for one in checks],
        "later_days": figures,
        **more,
    }


def refused(result: dict[str, Any]) -> str:
    """One line that says why a candidate did not pass."""
    reasons = [
        f"{one['name']}: {one['reason']}"
        for one in result["checks"]
        if not (one["passed"] or one["accepted"])
    ]
    return f"refused; {'; '.join(reasons)}"


def table(result: dict[str, Any]) -> list[str]:
    """The report as lines for a person."""
    lines = []
    for one in result["checks"]:
        verdict = "passed" if one["passed"] else "accepted" if one["accepted"] else "REFUSED"
        lines.append(f"{verdict:8} {one['name']:9} {one['reason']}")
    figures = result["later_days"]
    if figures is None:
        return [*lines, "", "nothing was trained"]
    width = max(len("device"), *map(len, figures["classes"]))
    lines += [
        "",
        f"Later days, from {result['cut']} on: {figures['moments']} sessions asked about",
        "",
        f"| {'device':{width}} | F1 running | candidate | 95 % of the difference | right name "
        "| before | sessions |",
        f"| {'-' * width} | ---------: | --------: | ---------------------: | ---------: "
        "| -----: | -------: |",
    ]
    for name, one in figures["classes"].items():
        low, high = one["difference"]
        before, now = one["named"]
        lines.append(
            f"| {name:{width}} | {one['running']:10.3f} | {one['candidate']:9.3f} "
            f"| {low:+11.3f} to {high:+.3f} | {now:10.0%} | {before:6.0%} | {one['support']:8d} |"
        )
    for name, share in figures["new_classes"].items():
        lines.append(f"new: {name} has its right name {share:.0%} of the time")
    return lines


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return between.join(names[:_LISTED]) + more
