"""Attacks spliced among the sessions of labelled hosts, and which of them a worker notices."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.states import ALARMING
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.attacks import ATTACKS, HORIZON, Attack, NoVictimError, Victim
from training.evaluation.followed import Followed
from training.evaluation.notices import raised
from training.evaluation.verdicts import Stream, replay
from training.metrics.intervals import binomial_bounds

SWAPS = ("device-swapped", "addresses-swapped")
"""Trials with a second device: it takes a host's place, or both exchange their addresses."""


@dataclass(frozen=True, slots=True)
class Trials:
    """Hosts with an attack each, in one ``stream``.

    trial: the trial of a slot, int64 [slots]. begin: of its attack, seconds, float64 [slots].
    foreign: whether a session is of an attack, bool [n].
    """

    stream: Stream
    foreign: np.ndarray
    trial: np.ndarray
    begin: np.ndarray


def trials(followed: Followed, name: str, number: int, seed: int) -> Trials:
    """``number`` trials of an attack; fewer when too few hosts are judged for long enough."""
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    sessions = followed.sessions
    # A host without a baseline of its own cannot notice anything.
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
            # At the same time of day, since devices have daily rhythms.
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
        none = nothing.astype(int)
        parts = [(none, nothing, none, none, none, nothing)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[1], kind="stable")
    slot, ts, pool, dport, names, foreign = (column[order] for column in columns)
    named = (names, sessions.names, sessions.of_name)
    whole = Stream(slot, ts, pool, dport, sessions.table, *named)
    return Trials(whole, foreign.astype(bool), np.array(trial, int), np.array(begins))


def _device(sessions: LabelledSessions, number: int) -> str:
    return sessions.labels[number].device


def _attacked(
    followed: Followed, name: str, number: int, begin: float, draw: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """A host's sessions with an attack among them: ts, pool, dport, name, foreign. The
    attack asks for no names."""
    sessions = followed.sessions
    own = sessions.series == number
    before = own & (sessions.ts < begin)
    victim = Victim(followed.dst[before].tolist(), sessions.dport[before], followed.pools)
    attack: Attack = ATTACKS[name](victim, begin, draw)
    host = followed.host[before][-1]
    rows = np.flatnonzero(own & (sessions.ts < begin + HORIZON))
    pool = followed.pools.ids([host] * len(attack.ts), attack.dst)
    return _merged(sessions, rows, attack.ts, pool, attack.dport, np.zeros(len(pool), np.int32))


def _swapped(
    followed: Followed, number: int, begin: float, other: int, there: float
) -> tuple[np.ndarray, ...]:
    """A host's sessions until ``begin``, then those of another device from ``there`` on."""
    sessions = followed.sessions
    rows = np.flatnonzero((sessions.series == number) & (sessions.ts < begin))
    new = (sessions.series == other) & (sessions.ts >= there) & (sessions.ts < there + HORIZON)
    columns = (sessions.pool[new], sessions.dport[new], sessions.name[new])
    return _merged(sessions, rows, sessions.ts[new] - there + begin, *columns)


def _merged(
    sessions: LabelledSessions,
    rows: np.ndarray,
    ts: np.ndarray,
    pool: np.ndarray,
    dport: np.ndarray,
    name: np.ndarray,
) -> tuple[np.ndarray, ...]:
    foreign = np.arange(len(rows) + len(ts)) >= len(rows)
    columns = (
        np.append(sessions.ts[rows], ts),
        np.append(sessions.pool[rows], pool),
        np.append(sessions.dport[rows], dport),
        np.append(sessions.name[rows], name),
        foreign,
    )
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


def detected(made: Trials, scorer: Scorer, settings: BaselineSettings) -> dict[str, Any]:
    """How many trials raised a notice, of which states, after how many minutes and foreign
    sessions.

    ``open``: trials without a notice whose host already had a state to look at before the attack.
    """
    number = len(np.unique(made.trial))
    if not number:
        return {"trials": 0, "noticed": 0}
    stream = made.stream
    # The trials are not of one site: a host takes part in many of them.
    changes = replay(stream, scorer, settings, one_site=False).changes
    before = {one.slot: one for one in changes if one.ts < made.begin[one.slot]}
    open_ = {
        int(made.trial[slot]) for slot, one in before.items() if one.decision.state in ALARMING
    }
    first: dict[int, tuple[float, int, str]] = {}
    for one in raised(changes, stream.first_seen()):
        if one.ts < made.begin[one.slot]:
            continue
        so_far = slice(one.index + 1)
        foreign = made.foreign[so_far] & (stream.slot[so_far] == one.slot)
        found = (
            (one.ts - made.begin[one.slot]) / 60,
            int(foreign.sum()),
            STATES[one.decision.state],
        )
        trial = int(made.trial[one.slot])
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
