"""False alarms of a worker on labelled hosts, and the attacks that it notices at that rate.

Every host is followed from its first session on, and judged from a later time on. Attacks begin at
random times in the judged part of random hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.times import DAY
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.states import NO_DEVICE
from training.evaluation.attacks import ATTACKS
from training.evaluation.followed import Followed
from training.evaluation.notices import raised, reason, wrong
from training.evaluation.trials import SWAPS, detected
from training.evaluation.trials import trials as trials_of
from training.evaluation.verdicts import Change, of_stream
from training.metrics.intervals import poisson_bounds

_SUMS = ("device_weeks", "device_weeks_with_baseline", "host_days", "changes")


def alarms(
    followed: Followed,
    scorer: Scorer,
    thresholds: Sequence[float],
    *,
    trials: int = 100,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Rates and detections at each threshold of the baseline."""
    result: dict[str, Any] = {"model": scorer.manifest.id, "trials": trials, "thresholds": {}}
    made = {name: trials_of(followed, name, trials, seed) for name in (*ATTACKS, *SWAPS) if trials}
    for threshold in thresholds:
        settings = BaselineSettings(threshold=threshold)
        row = rated([judged(followed, scorer, settings)])
        say(f"threshold {threshold:g}:")
        for line in printed(row):
            say(line)
        row["attacks"] = {}
        for name, trial in made.items():
            row["attacks"][name] = detected(trial, scorer, settings)
            say(f"  {name}: {row['attacks'][name]['noticed']} of {row['attacks'][name]['trials']}")
        result["thresholds"][f"{threshold:g}"] = row
    return result


def judged(followed: Followed, scorer: Scorer, settings: BaselineSettings) -> dict[str, Any]:
    """The verdicts of a worker with this model in the judged parts.

    ``changes``: number of changes of verdict. ``wrong``: those that are wrong. ``host_days``: days
    on which a judged host had sessions. ``notices``: those that Zeek raises.
    """
    sessions, stream = followed.sessions, followed.stream
    classes = scorer.manifest.classes
    truth = sessions.class_of_series(classes)
    found = of_stream(stream, scorer, settings)

    def within(moment: float, slot: int) -> bool:
        return bool(followed.since[slot] <= moment)

    counted = [one for one in found if within(one.ts, one.slot)]
    names = [one.device for one in classes]
    in_part = sessions.ts >= followed.since[sessions.series]
    days = np.stack([sessions.series[in_part], sessions.ts[in_part] // DAY])
    return {
        "device_weeks": followed.weeks(followed.since),
        "device_weeks_with_baseline": followed.weeks(followed.learned),
        "hosts": int((followed.until > followed.since).sum()),
        "host_days": int(np.unique(days, axis=1).shape[1]),
        "changes": len(counted),
        "wrong": [
            _described(followed, one, names) for one in counted if wrong(one, int(truth[one.slot]))
        ],
        "notices": [
            _described(followed, one, names)
            for one in raised(found, stream.first_seen())
            if within(one.ts, one.slot)
        ],
    }


def _described(followed: Followed, change: Change, names: Sequence[str]) -> dict[str, Any]:
    label, decision = followed.sessions.labels[change.slot], change.decision
    return {
        "host": label.host,
        "device": label.unit or label.device,
        "when": datetime.fromtimestamp(change.ts, UTC).isoformat(" ", "seconds"),
        "state": STATES[decision.state],
        "name": names[decision.device] if decision.device != NO_DEVICE else "",
        "why": reason(change, names, followed.sessions.table),
    }


def rated(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judged parts together, with their rates and the exact intervals of these."""
    row: dict[str, Any] = {name: sum(part[name] for part in parts) for name in _SUMS}
    row |= {name: [one for part in parts for one in part[name]] for name in ("wrong", "notices")}
    row["hosts"] = max(part["hosts"] for part in parts)
    bounds = poisson_bounds(len(row["notices"]))
    row["rate"] = len(row["notices"]) / row["device_weeks"]
    row["rate_bounds"] = [bound / row["device_weeks"] for bound in bounds]
    row["wrong_per_host_day"] = len(row["wrong"]) / row["host_days"]
    return row


def printed(row: dict[str, Any]) -> list[str]:
    """The figures of :func:`rated` as lines for a person."""
    low, high = row["rate_bounds"]
    kinds = Counter(one["state"] for one in row["notices"])
    lines = [
        f"{len(row['notices'])} notices in {row['device_weeks']:.2f} device-weeks of "
        f"{row['hosts']} hosts, {row['device_weeks_with_baseline']:.2f} of them with a baseline: "
        f"{row['rate']:.2f} a device-week ({low:.2f} to {high:.2f})"
        f"{': ' if kinds else ''}{', '.join(f'{n} {kind}' for kind, n in kinds.items())}",
        *(f"  {_line(one)}" for one in row["notices"]),
        f"{row['changes']} changes of verdict on {row['host_days']} host-days, "
        f"{len(row['wrong'])} wrong: {row['wrong_per_host_day']:.3f} a host-day",
        *(f"  {_line(one)}" for one in row["wrong"]),
    ]
    return lines


def _line(one: dict[str, Any]) -> str:
    return f"{one['when']} {one['device']} {one['state']} {one['name'] or '-'}: {one['why']}"


def table(result: dict[str, Any]) -> list[str]:
    """The detections as lines of Markdown, one table per threshold."""
    lines: list[str] = []
    for threshold, row in result["thresholds"].items():
        lines += [
            "",
            f"Threshold {threshold}, {row['rate']:.2f} notices a device-week "
            f"({row['rate_bounds'][0]:.2f} to {row['rate_bounds'][1]:.2f})",
            "",
            "| attack | noticed | 95 % interval | open before | as | minutes, median (90 %) | "
            "sessions, median |",
            "| --- | --: | --: | --: | --- | --: | --: |",
        ]
        for name, one in row["attacks"].items():
            if not one["trials"]:
                continue
            low, high = one["bounds"]
            minutes, sessions = "", ""
            states = ", ".join(f"{n} {state}" for state, n in one["as"].items())
            if one["noticed"]:
                minutes = f"{one['minutes'][0]:.0f} ({one['minutes'][1]:.0f})"
                sessions = f"{one['sessions'][0]:.0f}"
            lines.append(
                f"| {name} | {one['noticed']} of {one['trials']} | {low:.0%} to {high:.0%} | "
                f"{one['open'] or ''} | {states} | {minutes} | {sessions} |"
            )
    return lines[1:]
