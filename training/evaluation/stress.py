"""What a worker makes of labelled hosts when something disturbs their traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from training.evaluation.disturbances import DISTURBANCES, Traffic, disturbed
from training.evaluation.followed import DAY, Followed
from training.evaluation.notices import raised
from training.evaluation.verdicts import Replay, Stream, at_the_end, replay
from training.metrics.outcomes import outcomes

UNDISTURBED = "undisturbed"
"""The name of the sessions as they are."""


def stress(
    followed: Followed,
    scorer: Scorer,
    *,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The verdicts and notices in the judged parts, undisturbed and under each disturbance.

    The host-days are always those on which a judged host had sessions before any was changed, so
    that all rows count the same ones.
    """
    stream = followed.stream
    # The scorer remembers the table, so a disturbance may only add pools that no model has.
    known = dict.fromkeys([*stream.table, *scorer.manifest.pools, "gw"])
    traffic = Traffic(replace(stream, table=list(known)), followed.since, followed.until)
    series, day = _host_days(traffic)
    weeks = followed.weeks(followed.since)
    rows: dict[str, dict[str, Any]] = {}
    say("| disturbance | right | no name | wrong | notices a device-week | site events |")
    say("| --- | --: | --: | --: | --: | --- |")
    for name in (UNDISTURBED, *DISTURBANCES):
        stream = traffic.stream if name == UNDISTURBED else disturbed(traffic, name, seed)
        row = _figures(followed, scorer, stream, series, day)
        rows[name] = row | {"rate": row["notices"] / weeks}
        say(_line(name, rows[name], len(series)))
    return {
        "model": scorer.manifest.id,
        "seed": seed,
        "hosts": int((followed.until > followed.since).sum()),
        "device_weeks": weeks,
        "host_days": len(series),
        "disturbances": rows,
    }


def _host_days(traffic: Traffic) -> tuple[np.ndarray, np.ndarray]:
    """Series and UTC day, since the epoch, of each host-day in the judged parts; int64."""
    judged = traffic.judged()
    slot, day = traffic.stream.slot[judged], traffic.stream.ts[judged] // DAY
    series, days = np.unique(np.stack([slot, day.astype(np.int64)]), axis=1)
    return series, days


def _figures(
    followed: Followed, scorer: Scorer, stream: Stream, series: np.ndarray, day: np.ndarray
) -> dict[str, Any]:
    """Outcomes of the host-days and number of notices of a worker that sees these sessions."""
    # A disturbance may leave no session at all.
    nothing = Replay([], [], [])
    seen = replay(stream, scorer, BaselineSettings()) if len(stream.ts) else nothing
    found = seen.changes
    known = [one.device for one in scorer.manifest.classes]
    devices = [followed.sessions.labels[number].device for number in series.tolist()]
    verdicts = at_the_end(found, known, series, (day + 1) * DAY)
    outside = set(devices) - set(known)
    counted = outcomes(zip(devices, verdicts, strict=True), known, outside)
    notices = [
        one for one in raised(found, stream.first_seen()) if followed.since[one.slot] <= one.ts
    ]
    return {
        "right": counted.right,
        "no_name": counted.no_name,
        "wrong": counted.wrong,
        "mistaken": [[*pair, number] for pair, number in counted.mistaken.items()],
        "notices": len(notices),
        "missing": sum(
            not one.back and bool(followed.since[one.slot] <= ts) for ts, one in seen.regular
        ),
        "site_events": [
            {
                "kind": change.event.kind,
                "state": change.state,
                "ts": ts,
                "since": change.event.since,
                "hosts": len(change.slots),
                "watched": change.watched,
            }
            for ts, change in seen.site_events
        ],
    }


def _line(name: str, row: dict[str, Any], host_days: int) -> str:
    """A row of the table for a person."""
    counts = " | ".join(
        f"{row[what]} ({row[what] / host_days:.1%})" for what in ("right", "no_name", "wrong")
    )
    begun = Counter(one["kind"] for one in row["site_events"] if one["state"] == "begun")
    events = ", ".join(f"{number} {kind}" for kind, number in begun.items())
    return f"| {name} | {counts} | {row['rate']:.2f} | {events} |"
