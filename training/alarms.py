"""How often a host's baseline raises a false alarm, and which attacks it finds at that rate.

Every host is followed from its first session on, and judged from a time on: what is judged was
never learned from before. Attacks begin at random times of random hosts' judged part.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.stats import beta, chi2

from nba_broker.conn_log import Archive
from nba_broker.errors import ArchiveError
from nba_broker.messages import port_name
from nba_broker.policy import PolicySettings
from nba_broker.pools import Pools
from nba_broker.surprise import HOUR, Surprise, SurpriseSettings
from training.attacks import ATTACKS, HORIZON, Attack, NoVictimError, Victim
from training.dataset import LabelledSessions

WEEK = 604_800.0
CONFIDENCE = 0.95
SWAPS = ("device-swapped", "addresses-swapped")
"""Trials that need a second device: it takes a host's place, or both take each other's."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Labelled sessions with their addresses, and each series' judged part.

    host, dst: addresses, [n], parallel to ``sessions``. since, until: float64 [series], seconds;
    nan where a series has no session.
    """

    sessions: LabelledSessions
    host: np.ndarray
    dst: np.ndarray
    pools: Pools
    since: np.ndarray
    until: np.ndarray


def follow(
    sessions: LabelledSessions,
    archive: Archive,
    rows: np.ndarray,
    pools: Pools,
    *,
    judged: float | None = None,
    last: float = 1.0,
) -> Followed:
    """Judge each host from ``judged`` on, or the ``last`` share of its time; never while it is
    learned. Raises ArchiveError when nothing is left to judge."""
    since, until = np.full((2, len(sessions.labels)), np.nan)
    learning = SurpriseSettings().learning * HOUR
    for number in np.unique(sessions.series):
        ts = sessions.ts[sessions.series == number]
        start = ts[-1] - last * (ts[-1] - ts[0]) if judged is None else judged
        # A baseline is learned for whole hours.
        since[number] = max(start, (ts[0] // HOUR) * HOUR + learning)
        until[number] = ts[-1]
    if not (until > since).any():
        raise ArchiveError(
            f"no host is there for longer than the {learning / HOUR:.0f} hours that it is learned"
        )
    return Followed(
        sessions,
        archive.addresses[rows["host"]],
        archive.addresses[rows["dst"]],
        pools,
        since,
        until,
    )


def alarms(
    followed: Followed,
    thresholds: Sequence[float],
    *,
    trials: int = 100,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Rates and detections at each threshold; the last one's notices are listed one by one."""
    result: dict[str, Any] = {
        "device_weeks": float(np.nansum(np.maximum(followed.until - followed.since, 0)) / WEEK),
        "hosts": int((followed.until > followed.since).sum()),
        "trials": trials,
        "thresholds": {},
    }
    made = {name: _trials(followed, name, trials, seed) for name in (*ATTACKS, *SWAPS)}
    for threshold in thresholds:
        settings = SurpriseSettings(threshold=threshold)
        notices = false_alarms(followed, settings)
        weeks = result["device_weeks"]
        low, high = poisson_bounds(len(notices))
        row = {
            "notices": notices,
            "rate": len(notices) / weeks,
            "rate_bounds": [low / weeks, high / weeks],
            "attacks": {name: _detected(trial, settings) for name, trial in made.items()},
        }
        result["thresholds"][f"{threshold:g}"] = row
        say(
            f"threshold {threshold:g}: {len(notices)} notices in {weeks:.2f} device-weeks of "
            f"{result['hosts']} hosts: {row['rate']:.2f} a device-week "
            f"({row['rate_bounds'][0]:.2f} to {row['rate_bounds'][1]:.2f})"
        )
        for notice in notices:
            say(f"  {notice['device']} {notice['when']}: {'; '.join(notice['evidence'])}")
    return result


def table(result: dict[str, Any]) -> list[str]:
    """The detections as lines of Markdown, one table per threshold."""
    lines: list[str] = []
    for threshold, row in result["thresholds"].items():
        lines += [
            "",
            f"Threshold {threshold}, {row['rate']:.2f} notices a device-week "
            f"({row['rate_bounds'][0]:.2f} to {row['rate_bounds'][1]:.2f})",
            "",
            "| attack | noticed | 95 % interval | minutes, median (90 %) | sessions, median |",
            "| --- | --: | --: | --: | --: |",
        ]
        for name, one in row["attacks"].items():
            if not one["trials"]:
                continue
            low, high = one["bounds"]
            minutes, sessions = "", ""
            if one["noticed"]:
                minutes = f"{one['minutes'][0]:.0f} ({one['minutes'][1]:.0f})"
                sessions = f"{one['sessions'][0]:.0f}"
            lines.append(
                f"| {name} | {one['noticed']} of {one['trials']} | {low:.0%} to {high:.0%} | "
                f"{minutes} | {sessions} |"
            )
    return lines[1:]


def poisson_bounds(number: int) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which ``number`` events were seen (Garwood, 1936);
    one-sided where there were none."""
    rest = 1 - CONFIDENCE
    if not number:
        return 0.0, float(chi2.ppf(CONFIDENCE, 2) / 2)
    low, high = chi2.ppf([rest / 2, 1 - rest / 2], [2 * number, 2 * number + 2]) / 2
    return float(low), float(high)


def binomial_bounds(hits: int, trials: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson, 1934)."""
    rest = (1 - CONFIDENCE) / 2
    low = beta.ppf(rest, hits, trials - hits + 1) if hits else 0.0
    high = beta.ppf(1 - rest, hits + 1, trials - hits) if hits < trials else 1.0
    return float(low), float(high)


def false_alarms(followed: Followed, settings: SurpriseSettings) -> list[dict[str, Any]]:
    """The notices of the judged parts: an alarm while a host misbehaves is no second one."""
    sessions = followed.sessions
    _, excesses = Surprise(settings).push(
        sessions.series, sessions.ts, sessions.pool, sessions.dport, sessions.table
    )
    notices = []
    latest: dict[int, float] = {}
    for excess in excesses:
        number, ts = int(sessions.series[excess.index]), float(sessions.ts[excess.index])
        if ts < followed.since[number]:
            continue
        if ts - latest.get(number, -np.inf) >= PolicySettings().calm:
            label = sessions.labels[number]
            notices.append(
                {
                    "device": label.unit or label.device,
                    "when": datetime.fromtimestamp(ts, UTC).isoformat(" ", "seconds"),
                    "sessions": excess.sessions,
                    "since": excess.since,
                    "evidence": [
                        f"{sessions.table[one['pool']]} {port_name(one['dport'])} at "
                        f"{datetime.fromtimestamp(one['ts'], UTC):%H:%M:%S}: {one['surprise']:.1f}"
                        for one in excess.evidence
                    ],
                }
            )
        latest[number] = ts
    return notices


@dataclass(frozen=True, slots=True)
class Trials:
    """Hosts with an attack each, as sessions [n] of slots that are hosts of their own.

    trial: which trial a slot belongs to, int64 [slots]; begin: float64 [slots]; foreign: bool [n].
    """

    slot: np.ndarray
    ts: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    foreign: np.ndarray
    trial: np.ndarray
    begin: np.ndarray
    table: list[str]


def _trials(followed: Followed, name: str, number: int, seed: int) -> Trials:
    """``number`` trials of an attack, fewer where too few hosts are judged for long enough."""
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    sessions = followed.sessions
    hosts = np.flatnonzero(followed.until - followed.since >= HORIZON)
    parts: list[tuple[np.ndarray, ...]] = []
    trial: list[int] = []
    begins: list[float] = []
    for turn in range(number if len(hosts) else 0):
        victim = int(draw.choice(hosts))
        begin = float(draw.uniform(followed.since[victim], followed.until[victim] - HORIZON))
        if name in SWAPS:
            others = [k for k in hosts if sessions.labels[k].device != _device(sessions, victim)]
            if not others:
                break
            other = int(draw.choice(others))
            there = float(draw.uniform(followed.since[other], followed.until[other] - HORIZON))
            # At the same time of day: the new device keeps its hours.
            there -= (there - begin + 43_200) % 86_400 - 43_200
            swapped = [(victim, begin, other, there)]
            if name == "addresses-swapped":
                swapped.append((other, there, victim, begin))
            streams = [(_swapped(followed, *one), one[1]) for one in swapped]
        else:
            try:
                streams = [(_attacked(followed, name, victim, begin, draw), begin)]
            except NoVictimError:
                continue
        for stream, start in streams:
            parts.append((np.full(len(stream[0]), len(begins)), *stream))
            trial.append(turn)
            begins.append(start)
    if not parts:
        nothing = np.zeros(0)
        parts = [(nothing.astype(int), nothing, nothing.astype(int), nothing.astype(int), nothing)]
    slot, ts, pool, dport, foreign = map(np.concatenate, zip(*parts, strict=True))
    return Trials(
        slot, ts, pool, dport, foreign, np.array(trial, int), np.array(begins), sessions.table
    )


def _device(sessions: LabelledSessions, number: int) -> str:
    return sessions.labels[number].device


def _attacked(
    followed: Followed, name: str, number: int, begin: float, draw: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """A host's sessions with an attack among them: ts, pool, dport, and whether it is foreign."""
    sessions = followed.sessions
    own = sessions.series == number
    before = own & (sessions.ts < begin)
    victim = Victim(followed.dst[before].tolist(), sessions.dport[before], followed.pools)
    attack: Attack = ATTACKS[name](victim, begin, draw)
    host = followed.host[before][-1]
    rows = np.flatnonzero(own & (sessions.ts < begin + HORIZON))
    pool = followed.pools.ids([host] * len(attack.ts), attack.dst)
    return _merged(sessions, rows, attack.ts, pool, attack.dport)


def _swapped(
    followed: Followed, number: int, begin: float, other: int, there: float
) -> tuple[np.ndarray, ...]:
    """A host's sessions until ``begin``, and after it another device's from ``there`` on."""
    sessions = followed.sessions
    rows = np.flatnonzero((sessions.series == number) & (sessions.ts < begin))
    new = (sessions.series == other) & (sessions.ts >= there) & (sessions.ts < there + HORIZON)
    return _merged(
        sessions, rows, sessions.ts[new] - there + begin, sessions.pool[new], sessions.dport[new]
    )


def _merged(
    sessions: LabelledSessions,
    rows: np.ndarray,
    ts: np.ndarray,
    pool: np.ndarray,
    dport: np.ndarray,
) -> tuple[np.ndarray, ...]:
    foreign = np.arange(len(rows) + len(ts)) >= len(rows)
    columns = (
        np.append(sessions.ts[rows], ts),
        np.append(sessions.pool[rows], pool),
        np.append(sessions.dport[rows], dport),
        foreign,
    )
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


def _detected(trials: Trials, settings: SurpriseSettings) -> dict[str, Any]:
    """How many trials were noticed, after how many minutes and foreign sessions."""
    number = len(np.unique(trials.trial))
    if not number:
        return {"trials": 0, "noticed": 0}
    _, excesses = Surprise(settings).push(
        trials.slot, trials.ts, trials.pool, trials.dport, trials.table
    )
    first: dict[int, tuple[float, int]] = {}
    for excess in excesses:
        slot, ts = int(trials.slot[excess.index]), float(trials.ts[excess.index])
        if ts < trials.begin[slot]:
            continue
        start = int(np.searchsorted(trials.slot, slot))
        found = (
            (ts - trials.begin[slot]) / 60,
            int(trials.foreign[start : excess.index + 1].sum()),
        )
        trial = int(trials.trial[slot])
        first[trial] = min(first.get(trial, found), found)
    minutes, sessions = np.array(list(first.values())).reshape(-1, 2).T
    return {
        "trials": number,
        "noticed": len(first),
        "bounds": binomial_bounds(len(first), number),
        "minutes": np.percentile(minutes, [50, 90]).tolist() if len(first) else [],
        "sessions": np.percentile(sessions, [50, 90]).tolist() if len(first) else [],
    }
