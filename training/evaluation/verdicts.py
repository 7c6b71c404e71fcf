"""From the sessions of labelled hosts to verdicts: the one place in training that decides.

It does what the pipeline does of a worker, without identity, annotations and evidence, which
labelled sessions do not have. Everything that replays verdicts calls :func:`decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import (
    Anomaly,
    BaselineSettings,
    HostBaseline,
    HostSessions,
)
from nba_broker.baseline.missing import Regular
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.slots import Slots
from nba_broker.records.times import HOUR
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts import decide as step
from nba_broker.verdicts.decision import NO_ROW, Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.site_changes import Change as SiteChange
from nba_broker.verdicts.site_changes import SiteSessions
from nba_broker.verdicts.site_events import SiteEvents
from nba_broker.verdicts.states import LEARNING, NO_DEVICE
from training.data.labelled_sessions import named_pools

_CHUNK = 65_536  # sessions per step, so that windows take little memory


@dataclass(frozen=True, slots=True)
class Change:
    """A host's verdict changed at the session ``index``, at ``ts``.

    row: the window that changed it, as the caller numbers windows, or NO_ROW for an alarm.
    anomaly: the alarm, or None for a window.
    """

    index: int
    ts: float
    row: int
    decision: Decision
    anomaly: Anomaly | None = None

    @property
    def slot(self) -> int:
        """The host."""
        return self.decision.slot


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """B scored windows in the order of their sessions.

    row: the caller's number of each. index: its last session. slot: its host. All int64 [B]. ts:
    seconds, float64 [B]. probability: float32 or float64 [B, K]. known: familiarity, float32 [B].
    ratio float32 [B, K], telling float32 [B]: see nba_broker.model.scorer.Scores.
    """

    row: np.ndarray
    index: np.ndarray
    slot: np.ndarray
    ts: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    ratio: np.ndarray
    telling: np.ndarray


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of a host's baseline at the session ``index``, at ``ts``."""

    index: int
    slot: int
    ts: float
    anomaly: Anomaly


def decide(decider: Decider, scored: Scored, alarms: Sequence[Alarm] = ()) -> list[Change]:
    """The changes of verdict by windows and alarms, both in the order of their sessions.

    ``decider`` keeps the hosts' states and has room for every slot; later calls continue from
    there. See :func:`nba_broker.verdicts.decide.decide`.
    """
    windows = ScoredWindows(
        scored.slot,
        scored.index,
        scored.ts,
        scored.probability,
        scored.known,
        scored.ratio,
        scored.telling,
    )
    raised = step.Alarms(
        np.array([one.slot for one in alarms], np.int64),
        np.array([one.index for one in alarms], np.int64),
        np.array([one.ts for one in alarms]),
    )
    found: list[Change] = []
    for one in step.decide(decider, windows, raised):
        if one.alarm == NO_ROW:
            at = one.window
            index, ts, row = int(scored.index[at]), float(scored.ts[at]), int(scored.row[at])
            found.append(Change(index, ts, row, one))
        else:
            alarm = alarms[one.alarm]
            found.append(Change(alarm.index, alarm.ts, NO_ROW, one, alarm.anomaly))
    return found


def decider_of(manifest: Manifest, hosts: int, reminder: float = 0.0) -> Decider:
    """The decider of a worker with this model, with room for ``hosts`` slots. It logs an unchanged
    host again after ``reminder`` seconds; 0 for never."""
    settings = DecisionSettings.of_model(manifest, reminder)
    return decider_with(settings, len(manifest.classes), hosts)


def decider_with(settings: DecisionSettings, classes: int, hosts: int) -> Decider:
    """A decider of ``classes`` classes with room for ``hosts`` slots."""
    decider = Decider(classes, settings)
    decider.slots.reserve(hosts)
    return decider


def of_windows(
    manifest: Manifest,
    windows: Windows,
    ts: np.ndarray,
    scores: Scores,
    reminder: float = 0.0,
) -> list[Change]:
    """The changes of verdict by B windows, one at every session, and their scores; ts: float64 [B].

    Only the windows of the manifest's schedule count, as for a worker. The row of a change is a row
    of ``windows``. Alarms of the hosts' baselines take no part. ``reminder``: see
    :func:`decider_of`.
    """
    due = np.flatnonzero(manifest.schedule.due(windows.count))
    scored = Scored(
        row=due,
        index=windows.index[due],
        slot=windows.slot[due],
        ts=ts[due],
        probability=scores.probability[due],
        known=scores.known[due],
        ratio=scores.ratio[due],
        telling=scores.telling[due],
    )
    hosts = int(windows.slot.max(initial=-1)) + 1
    return decide(decider_of(manifest, hosts, reminder), scored)


def latest(changes: Iterable[Change], slot: np.ndarray, end: np.ndarray) -> list[Decision | None]:
    """The latest decision about each host, slot int64 [n], before ``end``, float64 [n] seconds;
    None where there is none. The changes are in order."""
    of_host: dict[int, list[Change]] = {}
    for one in changes:
        of_host.setdefault(one.slot, []).append(one)
    found: list[Decision | None] = []
    for host, until in zip(slot.tolist(), end.tolist(), strict=True):
        before = None
        for one in of_host.get(host, ()):
            if one.ts < until:
                before = one.decision
        found.append(before)
    return found


def verdict(decision: Decision | None, names: Sequence[str]) -> str:
    """A device of ``names``, or the state of a host without one."""
    if decision is None:
        return STATES[LEARNING]
    return STATES[decision.state] if decision.device == NO_DEVICE else names[decision.device]


def at_the_end(
    changes: Iterable[Change], names: Sequence[str], slot: np.ndarray, end: np.ndarray
) -> list[str]:
    """The verdict about each host, slot int64 [n], just before ``end``, float64 [n] seconds: a
    device of ``names``, or a state without one. The changes are in order."""
    return [verdict(one, names) for one in latest(changes, slot, end)]


@dataclass(frozen=True, slots=True)
class Stream:
    """Sessions of hosts, in time order: slot int64 [n], ts float64 [n], pool int32 [n] into
    ``table``, dport int32 [n], name int32 [n] into ``names``, by default the number of none.
    of_name: see LabelledSessions."""

    slot: np.ndarray
    ts: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    table: list[str]
    name: np.ndarray | None = None
    names: Sequence[str] = ("",)
    of_name: np.ndarray | None = None

    def first_seen(self) -> np.ndarray:
        """Each host's first session, float64 [slots]; infinity for one without any."""
        first = np.full(int(self.slot.max(initial=-1)) + 1, np.inf)
        np.minimum.at(first, self.slot, self.ts)
        return first


@dataclass(frozen=True, slots=True)
class Replay:
    """What a worker makes of a stream, in the order of the sessions: all changes of verdict; the
    events of the site that begin or are over; and the regular destinations that are missing or
    back. The latter two have the time of the session that led to each."""

    changes: list[Change]
    site_events: list[tuple[float, SiteChange]]
    regular: list[tuple[float, Regular]]


def of_stream(
    stream: Stream, scorer: Scorer, settings: BaselineSettings, reminder: float = 0.0
) -> list[Change]:
    """All changes of verdict of a worker with this model; see :func:`replay`."""
    return replay(stream, scorer, settings, reminder=reminder).changes


def replay(
    stream: Stream,
    scorer: Scorer,
    settings: BaselineSettings,
    *,
    one_site: bool = True,
    reminder: float = 0.0,
) -> Replay:
    """What a worker with this model makes of these sessions: by windows, by the hosts' baselines,
    and by events of the site, unless the hosts are not of ``one_site``. ``reminder``: see
    :func:`decider_of`."""
    manifest, table = scorer.manifest, stream.table
    host_windows = HostWindows(manifest.schedule, evidence=False)
    baseline = HostBaseline(settings, ClassBaseline.of_model(manifest))
    site = SiteEvents(Slots())
    decider = decider_of(manifest, int(stream.slot.max(initial=-1)) + 1, reminder)
    found = Replay([], [], [])
    for whole in _parts(stream.ts):
        for start, stop, changes in _site_parts(site if one_site else None, stream, *whole):
            for one in changes:
                one.explain(baseline, table)
                found.site_events.append((float(stream.ts[start]), one))
            row = start + np.arange(stop - start)
            explained = site.explains(_sessions(stream, start, stop), table)
            row = row if explained is None else row[~explained]
            slot, ts = stream.slot[row], stream.ts[row]
            columns = {"pool": stream.pool[row], "dport": stream.dport[row]}
            columns["address_pool"] = columns["pool"]
            if stream.name is not None:
                columns["name"] = stream.name[row]
            if stream.name is not None and stream.of_name is not None:
                named = named_pools(columns["pool"], columns["name"], stream.of_name)
                columns["pool"] = named
            windows = host_windows.push(slot, ts, **columns)
            held = site.held(windows, ts[windows.index], table)
            windows = windows if held is None else windows.take(~held)
            sessions = HostSessions(
                slot,
                ts,
                device_class=decider.class_of(slot),
                paused=site.affects(slot, ts),
                **columns,
            )
            _, anomalies = baseline.push(sessions, table, stream.names.__getitem__)
            regular = baseline.take_regular()
            found.regular.extend((float(ts[one.index]), one) for one in regular)
            alarms = [
                Alarm(int(row[one.index]), int(slot[one.index]), float(ts[one.index]), one)
                for one in anomalies
            ]
            scored = _scored(windows, ts, row, scorer, stream)
            found.changes.extend(decide(decider, scored, alarms))
    return found


def _sessions(stream: Stream, start: int, stop: int) -> SiteSessions:
    """The sessions from ``start`` up to ``stop``."""
    rows = slice(start, stop)
    return SiteSessions(stream.slot[rows], stream.ts[rows], stream.pool[rows], stream.dport[rows])


def _site_parts(
    site: SiteEvents | None, stream: Stream, start: int, stop: int
) -> Iterator[tuple[int, int, tuple[SiteChange, ...]]]:
    """Begin and end of the parts in which no event of the site begins or ends, and what changes
    right before each."""
    if site is None:
        yield start, stop, ()
        return
    for part in site.parts(_sessions(stream, start, stop), stream.table):
        yield start + part.start, start + part.stop, part.changes


def _scored(
    windows: Windows, ts: np.ndarray, row: np.ndarray, scorer: Scorer, stream: Stream
) -> Scored:
    """The windows of a part, with their scores; row: its sessions' places in the stream."""
    if not len(windows):
        none, classes = np.zeros(0, np.int64), len(scorer.manifest.classes)
        scores, each = np.zeros((0, classes), np.float32), np.zeros(0, np.float32)
        return Scored(none, none, none, np.zeros(0), scores, each, scores, each)
    scores_of_part = scorer(windows, stream.table, stream.names.__getitem__)
    index = row[windows.index]
    return Scored(
        row=index,
        index=index,
        slot=windows.slot,
        ts=ts[windows.index],
        probability=scores_of_part.probability,
        known=scores_of_part.known,
        ratio=scores_of_part.ratio,
        telling=scores_of_part.telling,
    )


def _parts(ts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Begin and end of parts. None crosses the end of an hour, as in the pipeline: a host's class
    at the beginning of an hour applies to the whole hour."""
    hours = np.flatnonzero(np.diff(ts // HOUR)) + 1
    ends = np.union1d(hours, np.arange(_CHUNK, len(ts) + _CHUNK, _CHUNK))
    ends = np.minimum(ends, len(ts)).tolist()
    yield from zip([0, *ends[:-1]], ends, strict=True)
