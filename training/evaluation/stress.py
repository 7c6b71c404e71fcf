"""What a worker makes of labelled hosts when something disturbs their traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.times import DAY
from training.data.disturbances.registry import DISTURBANCES, disturbed
from training.data.disturbances.traffic import POOLS, Traffic
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.followed import Followed, stream_of
from training.evaluation.notices import raised, wrong
from training.evaluation.verdicts import Change, Replay, at_the_end, replay
from training.metrics.intervals import poisson_bounds, share_bounds
from training.metrics.outcomes import OUTCOMES, outcome

UNDISTURBED = "undisturbed"
"""The name of the sessions as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What is counted: host-days on which a judged host had sessions before any was changed, so
    that every disturbance has the same ones.

    series, day: int64 [host-days], day in UTC since the epoch. hosts: series that are judged,
    int64 [hosts], ascending. weeks: device-weeks.
    """

    followed: Followed
    scorer: Scorer
    series: np.ndarray
    day: np.ndarray
    hosts: np.ndarray
    weeks: float

    @property
    def days(self) -> np.ndarray:
        """Number of host-days of each host, int64 [hosts]."""
        return np.unique(self.series, return_counts=True)[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Figures:
    """Sums over the seeds with which the sessions were disturbed.

    outcomes: host-days, int64 [hosts, 3], see OUTCOMES. site_events: that began. missing: lines
    about regular destinations that a host no longer uses. ended: the verdict about each host at the
    end, one list per seed.
    """

    seeds: int
    outcomes: np.ndarray
    notices: int
    site_events: int
    missing: int
    changes: int
    wrong_changes: int
    mistaken: Counter[tuple[str, str]]
    ended: list[list[str]]


def stress(
    followed: Followed,
    scorer: Scorer,
    *,
    seed: int = 0,
    seeds: int = 3,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The verdicts and notices in the judged parts, undisturbed and under each disturbance.

    A disturbance with a random draw is made ``seeds`` times, and its numbers are means.
    """
    sessions = followed.sessions
    # The scorer remembers the table, so a disturbance may only add pools that no model has.
    known = list(dict.fromkeys([*sessions.table, *scorer.manifest.pools, *POOLS]))
    sessions = replace(sessions, table=known)
    traffic = Traffic(sessions, followed.since, followed.until)
    judged = _judged(followed, scorer, traffic)
    say(
        f"{len(judged.series)} host-days of {len(judged.hosts)} hosts, "
        f"{judged.weeks:.2f} device-weeks"
    )
    for line in _HEAD:
        say(line)
    quiet = _figures(judged, [sessions])
    rows = {UNDISTURBED: _row(judged, quiet, quiet, seed)}
    say(_line(UNDISTURBED, rows[UNDISTURBED]))
    for name, one in DISTURBANCES.items():
        turns = range(seed, seed + (seeds if one.random else 1))
        found = _figures(judged, (disturbed(traffic, name, turn) for turn in turns))
        rows[name] = _row(judged, found, quiet, seed)
        say(_line(name, rows[name]))
    say(worst(rows))
    return {
        "model": scorer.manifest.id,
        "seed": seed,
        "seeds": seeds,
        "hosts": len(judged.hosts),
        "device_weeks": judged.weeks,
        "host_days": len(judged.series),
        "disturbances": rows,
        "worst": worst(rows),
    }


def _judged(followed: Followed, scorer: Scorer, traffic: Traffic) -> _Judged:
    """The host-days that are counted."""
    inside = traffic.judged()
    pairs = np.stack([traffic.sessions.series[inside], traffic.sessions.ts[inside] // DAY])
    series, day = np.unique(pairs.astype(np.int64), axis=1)
    return _Judged(followed, scorer, series, day, np.unique(series), followed.weeks(followed.since))


def _figures(judged: _Judged, each: Iterable[LabelledSessions]) -> _Figures:
    """What a worker makes of these sessions, once for each seed."""
    followed, manifest = judged.followed, judged.scorer.manifest
    names = [one.device for one in manifest.classes]
    device = [followed.sessions.labels[number].device for number in judged.series.tolist()]
    truth = followed.sessions.class_of_series(manifest.classes)
    place = np.searchsorted(judged.hosts, judged.series)
    total = np.zeros((len(judged.hosts), len(OUTCOMES)), np.int64)
    mistaken: Counter[tuple[str, str]] = Counter()
    ended: list[list[str]] = []
    notices = site_events = missing = changes = wrong_changes = 0
    for sessions in each:
        seen = _seen(judged, sessions)
        found, alerts = seen.changes, _alerts(judged, seen, sessions)
        verdicts = at_the_end(found, names, judged.series, (judged.day + 1) * DAY)
        for host, own, called in zip(place.tolist(), device, verdicts, strict=True):
            kind = outcome(own, called, named=called in names, known=own in names)
            total[host, OUTCOMES.index(kind)] += 1
            if kind == "wrong":
                mistaken[own, called] += 1
        notices += len(alerts)
        begin = float(np.nanmin(followed.since))
        site_events += sum(ts >= begin and one.state == "begun" for ts, one in seen.site_events)
        missing += sum(followed.since[one.slot] <= ts and not one.back for ts, one in seen.regular)
        moved = [one for one in found if followed.since[one.slot] <= one.ts]
        changes += len(moved)
        wrong_changes += sum(wrong(one, int(truth[one.slot])) for one in moved)
        ended.append(at_the_end(found, names, judged.hosts, np.full(len(judged.hosts), np.inf)))
    return _Figures(
        len(ended), total, notices, site_events, missing, changes, wrong_changes, mistaken, ended
    )


def _seen(judged: _Judged, sessions: LabelledSessions) -> Replay:
    """What a worker makes of these sessions; a disturbance may leave none."""
    if not len(sessions):
        return Replay([], [], [])
    return replay(stream_of(sessions), judged.scorer, BaselineSettings())


def _alerts(judged: _Judged, seen: Replay, sessions: LabelledSessions) -> list[Change]:
    """The changes with a notice in the judged parts."""
    if not len(sessions):
        return []
    first, since = stream_of(sessions).first_seen(), judged.followed.since
    return [one for one in raised(seen.changes, first) if since[one.slot] <= one.ts]


def _row(judged: _Judged, found: _Figures, quiet: _Figures, seed: int) -> dict[str, Any]:
    """The figures of a disturbance as JSON has them: means over its seeds, and intervals. ``seed``:
    of the bootstrap."""
    seeds, names = found.seeds, [one.device for one in judged.scorer.manifest.classes]
    host_days = found.outcomes / seeds
    number = host_days.sum(0).tolist()
    devices = [judged.followed.sessions.labels[number].device for number in judged.hosts.tolist()]
    gone = [
        device
        for verdicts in found.ended
        for device, before, after in zip(devices, quiet.ended[0], verdicts, strict=True)
        if before == device and after not in names
    ]
    notices = found.notices / seeds
    bounds = {
        name: share_bounds(host_days[:, place], judged.days, seed)
        for place, name in enumerate(OUTCOMES)
    }
    return {
        "seeds": seeds,
        **dict(zip(OUTCOMES, number, strict=True)),
        "shares": {
            name: one / len(judged.series) for name, one in zip(OUTCOMES, number, strict=True)
        },
        "bounds": bounds,
        "mistaken": [[*pair, number / seeds] for pair, number in found.mistaken.most_common()],
        "notices": notices,
        "rate": notices / judged.weeks,
        "site_events": found.site_events / seeds,
        "missing": found.missing / seeds,
        "rate_bounds": [one / judged.weeks for one in poisson_bounds(round(notices))],
        "changes": found.changes / seeds,
        "wrong_changes": found.wrong_changes / seeds,
        "lost": [[device, number / seeds] for device, number in Counter(gone).most_common()],
    }


_HEAD = (
    "| disturbance | right | no name | wrong | notices a device-week | site events | "
    "missing | changes, wrong | names lost |",
    "| --- | --- | --- | --- | --- | --: | --: | --: | --: |",
)


def _line(name: str, row: dict[str, Any]) -> str:
    """A row of the table for a person."""
    shares = [
        f"{row['shares'][what]:.1%} ({low:.1%} to {high:.1%})"
        for what, (low, high) in row["bounds"].items()
    ]
    low, high = row["rate_bounds"]
    cells = [
        name,
        *shares,
        f"{row['rate']:.2f} ({low:.2f} to {high:.2f})",
        f"{row['site_events']:.3g}",
        f"{row['missing']:.3g}",
        f"{row['changes']:.3g}, {row['wrong_changes']:.3g}",
        f"{sum(number for _, number in row['lost']):.3g}",
    ]
    return f"| {' | '.join(cells)} |"


def worst(rows: dict[str, dict[str, Any]]) -> str:
    """A line that names the disturbance that does most harm in each respect, if it does more than
    there is without any."""
    harms = []
    for respect, harm, shown in _RESPECTS:
        name = max(rows, key=lambda one: harm(rows[one]))
        if harm(rows[name]) > harm(rows[UNDISTURBED]):
            harms.append(f"{respect}: {name} ({shown(rows[name])})")
    return f"Worst by {'; by '.join(harms)}." if harms else "No disturbance does harm."


_RESPECTS: tuple[
    tuple[str, Callable[[dict[str, Any]], float], Callable[[dict[str, Any]], str]], ...
] = (
    (
        "wrong names",
        lambda row: row["wrong"],
        lambda row: f"{row['shares']['wrong']:.1%} of host-days",
    ),
    (
        "right names",
        lambda row: -row["right"],
        lambda row: f"{row['shares']['right']:.1%} of host-days",
    ),
    (
        "notices",
        lambda row: row["notices"],
        lambda row: f"{row['rate']:.2f} a device-week",
    ),
    (
        "names lost for good",
        lambda row: sum(number for _, number in row["lost"]),
        lambda row: ", ".join(device for device, _ in row["lost"]),
    ),
)
