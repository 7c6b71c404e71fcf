"""How often a worker raises a false alarm, and which attacks it finds at that rate.

Every host is followed from its first session on, and judged from a time on: what is judged was
never learned from before. Attacks begin at random times of random hosts' judged part.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.stats import beta, chi2

from nba_broker.archive.conn_log import Archive
from nba_broker.baseline.host_baseline import HOUR, BaselineSettings
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.states import ALARMING, NO_DEVICE
from training.data.dataset import LabelledSessions
from training.evaluation.attacks import ATTACKS, HORIZON, Attack, NoVictimError, Victim
from training.evaluation.notices import Stream, Turn, raised, told, wrong

DAY = 86_400.0
WEEK = 7 * DAY
CONFIDENCE = 0.95
SWAPS = ("device-swapped", "addresses-swapped")
"""Trials that need a second device: it takes a host's place, or both take each other's."""

_SUMS = ("device_weeks", "device_weeks_with_baseline", "host_days", "changes")


@dataclass(frozen=True, slots=True)
class Followed:
    """Labelled sessions with their addresses, and each series' judged part.

    host, dst: addresses, [n], parallel to ``sessions``. since, until: float64 [series], seconds;
    nan where a series has no session. learned: when its own baseline begins to count, likewise.
    """

    sessions: LabelledSessions
    host: np.ndarray
    dst: np.ndarray
    pools: Pools
    since: np.ndarray
    until: np.ndarray
    learned: np.ndarray

    @property
    def stream(self) -> Stream:
        """The sessions with their series as hosts."""
        one = self.sessions
        return Stream(one.series, one.ts, one.pool, one.dport, one.table)

    def weeks(self, since: np.ndarray) -> float:
        """Device-weeks that are judged, from ``since`` [series] on."""
        span = np.maximum(self.until - np.fmax(since, self.since), 0)
        return float(np.nansum(span) / WEEK)


def follow(
    sessions: LabelledSessions,
    archive: Archive,
    rows: np.ndarray,
    pools: Pools,
    *,
    judged: float | None = None,
    last: float = 1.0,
) -> Followed:
    """Judge each host from ``judged`` on, or the ``last`` share of its time. Raises ArchiveError
    when nothing is left to judge."""
    since, until, learned = np.full((3, len(sessions.labels)), np.nan)
    learning = BaselineSettings().learning * HOUR
    for number in np.unique(sessions.series):
        ts = sessions.ts[sessions.series == number]
        since[number] = ts[-1] - last * (ts[-1] - ts[0]) if judged is None else max(judged, ts[0])
        until[number] = ts[-1]
        learned[number] = (ts[0] // HOUR) * HOUR + learning  # for whole hours
    if not (until > since).any():
        raise ArchiveError("no labelled host has a session in what is to be judged")
    return Followed(
        sessions,
        archive.addresses[rows["host"]],
        archive.addresses[rows["dst"]],
        pools,
        since,
        until,
        learned,
    )


def between(followed: Followed, since: float, until: float) -> Followed:
    """The same hosts up to ``until``, judged from ``since`` on."""
    keep = followed.sessions.ts < until
    return replace(
        followed,
        sessions=followed.sessions.select(keep),
        host=followed.host[keep],
        dst=followed.dst[keep],
        since=np.fmax(followed.since, since),
        until=np.fmin(followed.until, until),
    )


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
    made = {name: _trials(followed, name, trials, seed) for name in (*ATTACKS, *SWAPS) if trials}
    for threshold in thresholds:
        settings = BaselineSettings(threshold=threshold)
        row = rated([judged(followed, scorer, settings)])
        say(f"threshold {threshold:g}:")
        for line in printed(row):
            say(line)
        row["attacks"] = {}
        for name, trial in made.items():
            row["attacks"][name] = _detected(trial, scorer, settings)
            say(f"  {name}: {row['attacks'][name]['noticed']} of {row['attacks'][name]['trials']}")
        result["thresholds"][f"{threshold:g}"] = row
    return result


def judged(followed: Followed, scorer: Scorer, settings: BaselineSettings) -> dict[str, Any]:
    """What a worker with this model would have said in the judged parts.

    ``changes`` of state, how many of them were ``wrong``, ``host_days`` on which a judged host had
    sessions, and the ``notices``.
    """
    sessions, stream = followed.sessions, followed.stream
    classes = scorer.manifest.classes
    truth = sessions.class_of_series(classes)
    turns = stream.turns(scorer, settings)

    def within(moment: float, slot: int) -> bool:
        return bool(followed.since[slot] <= moment)

    counted = [one for one in turns if within(one.ts, one.slot)]
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
            for one in raised(turns, stream.first_seen())
            if within(one.ts, one.slot)
        ],
    }


def _described(followed: Followed, turn: Turn, names: Sequence[str]) -> dict[str, Any]:
    label, decision = followed.sessions.labels[turn.slot], turn.decision
    return {
        "host": label.host,
        "device": label.unit or label.device,
        "when": datetime.fromtimestamp(turn.ts, UTC).isoformat(" ", "seconds"),
        "state": STATES[decision.state],
        "name": names[decision.device] if decision.device != NO_DEVICE else "",
        "why": told(turn, names, followed.sessions.table),
    }


def rated(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judged parts together, with their rates and the exact bounds of these."""
    row: dict[str, Any] = {name: sum(part[name] for part in parts) for name in _SUMS}
    row |= {name: [one for part in parts for one in part[name]] for name in ("wrong", "notices")}
    row["hosts"] = max(part["hosts"] for part in parts)
    bounds = poisson_bounds(len(row["notices"]))
    row["rate"] = len(row["notices"]) / row["device_weeks"]
    row["rate_bounds"] = [bound / row["device_weeks"] for bound in bounds]
    row["wrong_per_host_day"] = len(row["wrong"]) / row["host_days"]
    return row


def printed(row: dict[str, Any]) -> list[str]:
    """What :func:`rated` found, in lines to be read."""
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


@dataclass(frozen=True, slots=True)
class Trials:
    """Hosts with an attack each, in one ``stream``.

    trial: which trial a slot belongs to, int64 [slots]; begin: float64 [slots]; foreign: bool [n],
    which sessions are the attack's.
    """

    stream: Stream
    foreign: np.ndarray
    trial: np.ndarray
    begin: np.ndarray


def _trials(followed: Followed, name: str, number: int, seed: int) -> Trials:
    """``number`` trials of an attack, fewer where too few hosts are judged for long enough."""
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    sessions = followed.sessions
    # A host that is still learned has no baseline to notice anything by.
    since = np.fmax(followed.since, followed.learned)
    hosts = np.flatnonzero(followed.until - since >= HORIZON)
    parts: list[tuple[np.ndarray, ...]] = []
    trial: list[int] = []
    begins: list[float] = []
    for turn in range(number if len(hosts) else 0):
        victim = int(draw.choice(hosts))
        begin = float(draw.uniform(since[victim], followed.until[victim] - HORIZON))
        if name in SWAPS:
            others = [k for k in hosts if sessions.labels[k].device != _device(sessions, victim)]
            if not others:
                break
            other = int(draw.choice(others))
            there = float(draw.uniform(since[other], followed.until[other] - HORIZON))
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
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[1], kind="stable")
    slot, ts, pool, dport, foreign = (column[order] for column in columns)
    whole = Stream(slot, ts, pool, dport, sessions.table)
    return Trials(whole, foreign.astype(bool), np.array(trial, int), np.array(begins))


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


def _detected(trials: Trials, scorer: Scorer, settings: BaselineSettings) -> dict[str, Any]:
    """How many trials were noticed, as what, after how many minutes and foreign sessions; and how
    many were not whose host was one to look at before the attack (``open``): that is no news."""
    number = len(np.unique(trials.trial))
    if not number:
        return {"trials": 0, "noticed": 0}
    stream = trials.stream
    turns = stream.turns(scorer, settings)
    before = {turn.slot: turn for turn in turns if turn.ts < trials.begin[turn.slot]}
    open_ = {
        int(trials.trial[slot]) for slot, turn in before.items() if turn.decision.state in ALARMING
    }
    first: dict[int, tuple[float, int, str]] = {}
    for turn in raised(turns, stream.first_seen()):
        if turn.ts < trials.begin[turn.slot]:
            continue
        so_far = slice(turn.index + 1)
        foreign = trials.foreign[so_far] & (stream.slot[so_far] == turn.slot)
        found = (
            (turn.ts - trials.begin[turn.slot]) / 60,
            int(foreign.sum()),
            STATES[turn.decision.state],
        )
        trial = int(trials.trial[turn.slot])
        first[trial] = min(first.get(trial, found), found)
    minutes, sessions, states = zip(*first.values(), strict=True) if first else ((), (), ())
    return {
        "trials": number,
        "noticed": len(first),
        "open": len(open_ - first.keys()),
        "bounds": binomial_bounds(len(first), number),
        "as": dict(Counter(states)),
        "minutes": np.percentile(minutes, [50, 90]).tolist() if first else [],
        "sessions": np.percentile(sessions, [50, 90]).tolist() if first else [],
    }
