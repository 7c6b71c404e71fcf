"""Sessions in, verdicts out: reorder, identity, pools, sequences, scorer and policy in a row.

It opens no socket and reads no clock, so the live worker, the offline scorer and the training
read the same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import HOUR, HostBaseline
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.hosts.routers import Bond, Router
from nba_broker.hosts.vendor import vendor
from nba_broker.model.drift import Drift
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import HostWindows, Schedule, Windows
from nba_broker.pipeline.event_time import Batch, Door
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.addresses import canonical
from nba_broker.records.classes import Class
from nba_broker.records.columns import Memo
from nba_broker.records.errors import ModelError
from nba_broker.records.evidence import Evidence, MissingSessions, NamedByAnalyst, uids
from nba_broker.records.sessions import Lease, Sessions, part_of, segment_parts
from nba_broker.records.uids import texts
from nba_broker.records.verdicts import STATES, Alarm, Alternative, UnknownHosts, Verdict
from nba_broker.verdicts import evidence, groups
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.applied_annotations import Applied, AppliedAnnotations
from nba_broker.verdicts.decision import (
    IMPOSTOR,
    LEARNING,
    NOTHING,
    SINCE,
    UNKNOWN,
    Decision,
    Policy,
    PolicySettings,
)
from nba_broker.verdicts.shadow import Shadow
from nba_broker.wire.duplicates import Duplicates
from nba_broker.wire.reorder import Reorder

_CHUNK = 8192  # sessions per step: enough for numpy to pay, few enough for memory to stay flat
_NAMED = 3  # alternatives and pieces of evidence in a verdict: what an analyst reads at a glance
_LEASES = 65_536  # that wait for their time: a clock may be years ahead
_DIGITS = 4  # of a probability: more would be noise, and would differ between machines
_MENTIONED = 0.01  # a less probable alternative is none
_DAY = 86_400.0
_SUMMARIES = 8  # kept for whoever reads them; an archive's are read by nobody


@dataclass(slots=True)
class Counters:
    """What happened so far; all only ever grow."""

    sessions: int = 0
    scored: int = 0
    verdicts: int = 0
    evicted: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """Sessions with the host slot and pool index of each: what every feature is made from.

    ``ended``: what the last of them gave away as no host of its own; it ends here.
    """

    sessions: Sessions
    slot: np.ndarray
    pool: np.ndarray
    ended: Router | Bond | None = None

    def part(self, start: int, stop: int) -> Tracked:
        """The sessions from ``start`` up to ``stop``."""
        rows = slice(start, stop)
        return Tracked(part_of(self.sessions, start, stop), self.slot[rows], self.pool[rows])

    def segment(self, row: int) -> str:
        """The segment of the network that a session comes from, "" where nothing tells."""
        return "" if self.sessions.segment is None else self.sessions.segment[row]


class Tracker:
    """Assigns sessions in time order to hosts and pools, with the leases that fall between them."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.identity = Identity()
        self.wider = WiderLans(pools, self.identity)
        self.leases: deque[Lease] = deque()  # those whose time has not come

    def lease(self, lease: Lease) -> None:
        """Note a lease; it holds for sessions from its time on."""
        self.leases.append(lease)
        if len(self.leases) > 1 and lease.ts < self.leases[-2].ts:
            self.leases = deque(sorted(self.leases, key=lambda one: one.ts))
        if len(self.leases) > _LEASES:
            self.identity.lease(self.leases.popleft())

    def track(self, sessions: Sessions) -> Iterator[Tracked]:
        """Slots and pools of sessions that are in time order, in one or more parts.

        A part ends where a lease or a MAC says more of a host, or a MAC proves to be none of its
        own, so that what is said of a host while the part is worked on is what was known then.
        """
        at = 0
        while at < len(sessions):
            while self.leases and self.leases[0].ts <= sessions.ts[at]:
                self.identity.lease(self.leases.popleft())
            stop = len(sessions)
            if self.leases:
                stop = int(np.searchsorted(sessions.ts, self.leases[0].ts))
            slot = self.identity.slots(
                sessions.ts[at:stop],
                sessions.host[at:stop],
                sessions.mac[at:stop],
                None if sessions.segment is None else sessions.segment[at:stop],
                sessions.dport[at:stop],
            )
            part = part_of(sessions, at, at + len(slot))
            pool = self.pools.ids(part.host, part.dst)
            self.wider.see(part, slot, pool)
            yield Tracked(part, slot, pool, self.identity.ended)
            at += len(slot)


class Pipeline:
    """The main job. Every method returns the verdicts it led to, in event-time order.

    max_hosts: hosts kept at most; the longest idle leave first. worker: a name for the log. shadow:
    a candidate that is asked, too, and has no say.
    """

    def __init__(
        self,
        pools: Pools,
        scorer: Scorer,
        *,
        settings: PolicySettings,
        reorder: Reorder,
        max_hosts: int = 1_000_000,
        worker: str = "",
        shadow: Shadow | None = None,
    ) -> None:
        manifest = scorer.manifest
        self.pools = pools
        self.scorer = scorer
        self.reorder = reorder
        # A single node that may be silent for ever reads a capture.
        self.door = Door(live=bool(np.isfinite(reorder.silence)))
        self.duplicates = Duplicates()
        self._tickets = 0
        self.counters = Counters()
        self.shadow = shadow
        self._know()
        self.drift = Drift(manifest.raw.get("usual"))
        self.tracker = Tracker(pools)
        self.sequences = HostWindows(manifest.schedule)
        self.surprise = HostBaseline(classes=ClassBaseline.of_model(manifest))
        self.sightings = FirstSeen()
        self.policy = Policy(len(manifest.classes), settings)
        self.inventory = AppliedAnnotations(
            manifest.classes,
            pools,
            self.tracker.identity,
            self.sequences,
            self.policy,
            self.surprise,
            self.sightings,
        )
        self._max_hosts = max_hosts
        self._worker = worker
        self._clock = -np.inf  # the latest event time
        self._day_ends = np.nan
        self.summaries: deque[UnknownHosts] = deque(maxlen=_SUMMARIES)
        """What kinds of hosts were unknown as each day, in UTC, ended; whoever reads them removes
        them."""
        self._packed = Memo(_Packed().of, np.void(bytes(16)))
        # All at once: growing later would stop the work and need the memory twice.
        self.reserve(max_hosts)

    @property
    def hosts(self) -> int:
        """Hosts tracked now."""
        return len(self.tracker.identity)

    @property
    def routers(self) -> dict[str, float]:
        """MACs that stand for several hosts, with when each gave itself away."""
        return self.tracker.identity.routers()

    def use(self, scorer: Scorer) -> None:
        """Go on with another model; what hosts did stays, and so do names that both models know.

        Raises ModelError, and keeps the old one, when pools have other names in it.
        """
        manifest = scorer.manifest
        if manifest.pool_scheme != self.pools.scheme:
            raise ModelError(
                f"model {manifest.id} names pools by {manifest.pool_scheme}, this worker by "
                f"{self.pools.scheme}: restart it to change that"
            )
        settings = replace(
            self.policy.settings, identified=manifest.identified, known=manifest.known
        )
        self.reshape(
            manifest.schedule, manifest.classes, settings, ClassBaseline.of_model(manifest)
        )
        self.scorer = scorer
        self._know()
        self.drift.use(manifest.raw.get("usual"))
        if self.shadow is not None:
            self.shadow.restart()

    def _know(self) -> None:
        """Pools that a model knows by name stay what they are."""
        names = set(self.scorer.manifest.pools)
        self.pools.know(
            names if self.shadow is None else names.union(self.shadow.scorer.manifest.pools)
        )

    def reshape(
        self,
        schedule: Schedule,
        classes: Sequence[Class],
        settings: PolicySettings,
        baseline: ClassBaseline,
    ) -> None:
        """Bring what is known of the hosts into the form that a model wants."""
        self.sequences.use(schedule)
        number = self.inventory.use(classes)
        self.surprise.use(baseline, number)
        slots = len(self.policy.columns()["state"])
        self.sequences.reserve(slots)
        self.policy.use(len(classes), settings, number, self.sequences.last_ts[:slots])

    def columns(self) -> dict[str, np.ndarray]:
        """What is known of every host, whatever the model: the state itself, by slot."""
        return {
            **self.sequences.columns(),
            **self.sightings.columns(),
            **{f"baseline_{name}": column for name, column in self.surprise.columns().items()},
        }

    def standing(self) -> Iterator[Verdict]:
        """What is said of every host now; ``ts`` is its latest session's."""
        for slot in self.tracker.identity.names(0, self.tracker.identity.capacity):
            if self.sightings.announced[slot]:
                ts = float(self.sequences.last_ts[slot])
                yield self._reply(Applied(self.policy.standing(slot), ts, ()))

    def unknown_hosts(
        self,
        ts: float | None = None,
        since: float = -np.inf,
        said: Mapping[str, str] | None = None,
    ) -> UnknownHosts:
        """What kinds of hosts are unknown at ``ts``, or now, of those that have a session from
        ``since`` on and that no analyst ignores; ``said`` as in
        :mod:`nba_broker.verdicts.groups`."""
        ts = self._clock if ts is None else ts
        policy = self.policy.columns()
        meant = (policy["state"] == UNKNOWN) & (policy["ignored"] <= ts)
        meant &= self.sequences.last_ts[: len(meant)] >= since
        slots = np.flatnonzero(meant)
        return groups.unknown_hosts(
            ts, slots, self.tracker.identity, self.sequences, self.pools, said or {}
        )

    def lease(self, lease: Lease) -> None:
        """An address was lent to a MAC."""
        self.tracker.lease(self.door.lease(lease))

    def answer(self, answers: Sequence[Annotation]) -> list[Verdict]:
        """These answers, in the order of their time, are all there are from now on."""
        last = self.sequences.last_ts.max(initial=-np.inf)
        return self._answered(self.inventory.take_over(answers, max(float(last), self._clock)))

    def add(self, node: str, clock: float, sessions: Sessions, now: float) -> int:
        """Take a batch as :meth:`push` does, but work on it at the next :meth:`flush`; returns its
        number, see :attr:`first`."""
        self._tickets += 1
        self._enter(self.door.enter(Batch(node, clock, sessions, now, self._tickets)))
        return self._tickets

    def push(self, node: str, clock: float, sessions: Sessions, now: float) -> list[Verdict]:
        """Take a sensor node's batch; ``clock`` is its network time, ``now`` a monotonic time."""
        self.add(node, clock, sessions, now)
        return self._release(now)

    def flush(self, now: float) -> list[Verdict]:
        """Go on with what silent nodes no longer hold back."""
        self._enter(self.door.due(now))
        return self._release(now)

    def finish(self) -> list[Verdict]:
        """Go on with everything: no session will follow."""
        self._enter(self.door.finish())
        verdicts = self._work(self.reorder.flush())
        for sessions in self.door.finish_in_order():
            verdicts += self._work(sessions)
        return verdicts

    @property
    def first(self) -> float:
        """The lowest number of a batch of which sessions wait; infinity if none does."""
        return min(self.reorder.first, *(batch.ticket for batch in self.door.waiting()), np.inf)

    @property
    def since(self) -> float:
        """When the first of the batches came that wait, a monotonic time; infinity if none does."""
        return min(self.reorder.since, *(batch.now for batch in self.door.waiting()), np.inf)

    def process(self, sessions: Sessions) -> list[Verdict]:
        """Take sessions that are in order already, as an archive's are; :meth:`finish` tells that
        there are no more."""
        return [
            verdict for part in self.door.pass_in_order(sessions) for verdict in self._work(part)
        ]

    def _enter(self, batches: Sequence[Batch]) -> None:
        """Hand what the door lets in to the reordering, each session once."""
        self._look_back()
        while self.door.moved:
            self.reorder.move(*self.door.moved.popitem())
        for batch in batches:
            sessions = self.duplicates.once(batch.node, batch.sessions)
            self.reorder.add(batch.node, batch.clock, sessions, batch.now, batch.ticket)

    def _work(self, sessions: Sessions) -> list[Verdict]:
        """Take sessions in order, whose times can be."""
        self._look_back()
        verdicts = []
        chunk = min(_CHUNK, self._max_hosts)
        for start in range(0, len(sessions), chunk):
            part = part_of(sessions, start, start + chunk)
            self._make_room(part)
            at = 0
            while at < len(part):
                verdicts += self._due(float(part.ts[at]))
                # What is said while a part is worked on is what was answered at that time, and
                # what a host was taken for as an hour began.
                hour_ends = (part.ts[at] // HOUR + 1) * HOUR
                then = min(self.inventory.next_at, self._day_ends, hour_ends)
                stop = max(at + 1, int(np.searchsorted(part.ts, then)))
                for tracked in self.tracker.track(part_of(part, at, stop)):
                    verdicts += self._step(tracked)
                    if tracked.ended is not None:
                        verdicts.append(self._end(tracked, tracked.ended))
                at = stop
        return verdicts

    def _look_back(self) -> None:
        """Where a clock begins or was set back, nothing can have been seen from some time on: what
        claims it, of an earlier run or of before it was set, was seen by now."""
        began = self.door.gone_back()
        if began is None:
            return
        now, limit = began
        self.reorder.go_back(now, limit)
        last = self.sequences.last_ts
        wrong = np.flatnonzero(last > limit)
        if self._clock > limit:
            self._clock, self._day_ends = now, np.nan
        if not len(wrong):
            return
        for times in (
            last,
            self.sequences.columns()["ts"],
            self.sightings.first_seen,
            self.surprise.columns()["since"],
            *map(self.policy.columns().__getitem__, SINCE),
        ):
            there = times[wrong]
            times[wrong] = np.where(there > limit, now, there)
        baseline = self.surprise.columns()
        # Its hour is over, and the host stays as old.
        ahead = np.maximum(baseline["hour"][wrong] - int(now // HOUR) + 1, 0)
        for name in ("hour", "first"):
            baseline[name][wrong] -= ahead
        for came in (one for both in self.tracker.identity.turns().values() for one in both):
            came |= {address: min(ts, now) for address, ts in came.items() if ts > limit}
        if self.shadow is not None:
            self.shadow.restart()

    def _release(self, now: float) -> list[Verdict]:
        """Take what may go on, and the answers that became due in a silence."""
        if self.door.is_undecided(now):
            return []
        return self._work(self.reorder.release(now)) + self._due(self.reorder.passed)

    def _due(self, now: float) -> list[Verdict]:
        """The lines of the answers that are due when event time has come to ``now``."""
        self._clock = max(self._clock, now)
        if now >= self._day_ends:
            found = self.unknown_hosts(self._day_ends, self._day_ends - _DAY)
            self.summaries += [found] if found.hosts else []
        # A sensor's clock may have been wrong by years, in either direction.
        if np.isfinite(now) and not now < self._day_ends <= now + 2 * _DAY:
            self._day_ends = (now // _DAY + 1) * _DAY
        return self._answered(self.inventory.due(now))

    def _answered(self, said: Sequence[Applied]) -> list[Verdict]:
        verdicts = [self._reply(one) for one in said]
        self.counters.verdicts += len(verdicts)
        return verdicts

    def _reply(self, said: Applied) -> Verdict:
        """The line of an answer."""
        slot = said.decision.slot
        return self._verdict(
            said.decision,
            ts=said.ts,
            at=(self.tracker.identity.address(slot), self.tracker.identity.segment(slot)),
            sessions=int(self.sequences.count[slot]),
            evidence=said.evidence,
            uids=(),
        )

    def _step(self, tracked: Tracked) -> list[Verdict]:
        verdicts = self._announce(tracked)
        news = self._news(tracked)
        # An answer must not touch what was before it, so the sessions are cut there. Not at its
        # host's first: nothing before concerns it, and new hosts may be many.
        for row in [row for row in news if self._begins(tracked, row)]:
            verdicts += self._meet(tracked, row, news.pop(row))
        start = 0
        for stop in [*news, len(tracked.slot)]:
            verdicts += self._taught(tracked.part(start, stop))
            if stop in news:
                verdicts += self._meet(tracked, stop, news[stop])
            start = stop
        verdicts.sort(key=lambda verdict: verdict.ts)
        self.counters.verdicts += len(verdicts)
        return verdicts

    def _taught(self, tracked: Tracked) -> list[Verdict]:
        """The lines of sessions while which no answer is brought to a host."""
        verdicts = []
        start = 0
        for stop in [*self._teaching(tracked.slot), len(tracked.slot)]:
            if stop > start:
                verdicts += self._push(tracked.part(start, stop))
                start = stop
        return verdicts

    def _teaching(self, slot: np.ndarray) -> list[int]:
        """Behind which of these sessions a host that was named may become a prototype: hosts are
        compared with it as they are then, whatever follows in the batch."""
        manifest = self.scorer.manifest
        rows = np.flatnonzero(self.policy.columns()["given"][slot] != NOTHING)
        count = self.sequences.numbers(slot[rows])
        due = np.flatnonzero(manifest.schedule.due(count))
        grown = due[self.inventory.grows(slot[rows[due]], count[due], manifest.stride)]
        stops: list[int] = (rows[grown] + 1).tolist()
        return stops

    def _push(self, tracked: Tracked) -> list[Verdict]:
        sessions, slot = tracked.sessions, tracked.slot
        columns = {
            "pool": tracked.pool,
            "dst": self._packed(sessions.dst),
            "dport": sessions.dport,
            "uid": texts(sessions.uid),
        }
        windows = self.sequences.push(slot, sessions.ts, **columns)
        alarms = self._alarms(slot, sessions.ts, columns)
        self.counters.sessions += len(sessions)
        self.counters.scored += len(windows)
        verdicts = self._judge(tracked, windows, alarms)
        if self.shadow is not None:
            self.shadow.see(
                slot,
                sessions.ts,
                columns,
                windows,
                self.sequences,
                self.inventory,
                self.policy,
                self.tracker.identity,
                self.pools.table,
            )
        return verdicts

    def _judge(self, tracked: Tracked, windows: Windows, alarms: Sequence[Alarm]) -> list[Verdict]:
        """The lines that a step's windows and alarms, both in order, give rise to."""
        if not len(windows) and not alarms:
            return []
        verdicts = []
        scores = self.scorer(windows, self.pools.table) if len(windows) else None
        if scores is not None:
            self._note(tracked, windows, scores)
        stride = self.scorer.manifest.stride
        grown = self.inventory.grows(windows.slot, windows.count, stride).tolist()
        # Alarms come after the window of the same session. Neither they nor new prototypes may be
        # known to what was before.
        cuts: list[tuple[int, Alarm | None]] = [(place + 1, None) for place in grown]
        cuts += [
            (int(np.searchsorted(windows.index, alarm.index, side="right")), alarm)
            for alarm in alarms
        ]
        start = 0
        for stop, cause in [*sorted(cuts, key=lambda cut: cut[0]), (len(windows), None)]:
            if scores is not None and stop > start:
                verdicts += self._windows(tracked, windows, scores, start, stop)
                if stop - 1 in grown:
                    verdicts += self._teach(tracked, windows, stop - 1)
            start = stop
            if cause is not None:
                verdicts += self._alarm(tracked, cause)
        return verdicts

    def _note(self, tracked: Tracked, windows: Windows, scores: Scores) -> None:
        """Let the drift know what the model makes of hosts that had a name before this step."""
        named = self.policy.columns()["name"][windows.slot] != NOTHING
        if named.any():
            self.drift.scores(
                float(tracked.sessions.ts[windows.index[-1]]),
                int(named.sum()),
                int((scores.known[named] >= self.policy.settings.known).sum()),
                float(scores.probability[named].max(1).sum()),
            )

    def _teach(self, tracked: Tracked, windows: Windows, row: int) -> list[Verdict]:
        """The lines of hosts that are like one that an analyst named, and now is a prototype."""
        ts = float(tracked.sessions.ts[windows.index[row]])
        taught = self.inventory.teach(int(windows.slot[row]), ts, windows.part(row, row + 1))
        return [self._reply(one) for one in taught]

    def _missing(self, sessions: int) -> MissingSessions:
        """How far a host with so many sessions is from its first verdict."""
        manifest = self.scorer.manifest
        needed = manifest.min_sessions + (self.policy.settings.agree - 1) * manifest.early_stride
        return MissingSessions(max(needed - sessions, 0))

    def _windows(
        self, tracked: Tracked, windows: Windows, scores: Scores, start: int, stop: int
    ) -> list[Verdict]:
        """The lines of the windows from ``start`` up to ``stop``."""
        rows = slice(start, stop)
        part = windows.part(start, stop)
        ts = tracked.sessions.ts[part.index]
        prototypes = self.inventory.prototypes
        verdicts = []
        for decision in self.policy.update(
            part.slot,
            ts,
            scores.probability[rows],
            scores.known[rows],
            likeness=prototypes.likeness(part, self.pools.table) if len(prototypes) else None,
            devices=prototypes.devices,
            muted=self.inventory.muted(part, scores.attention[rows], ts),
        ):
            row = start + decision.window
            index = int(windows.index[row])
            why = evidence.of_window(windows, row, scores.attention[row], self.pools)
            if decision.state == IMPOSTOR:
                named = self.inventory.devices[decision.given].device
                why = (NamedByAnalyst(named), *why)
            verdicts.append(
                self._verdict(
                    decision,
                    ts=float(tracked.sessions.ts[index]),
                    at=self._at(tracked, index),
                    sessions=int(windows.count[row]),
                    evidence=why,
                    uids=uids(why),
                )
            )
        return verdicts

    def _alarms(
        self, slot: np.ndarray, ts: np.ndarray, columns: dict[str, np.ndarray]
    ) -> list[Alarm]:
        """What a step's sessions are against their hosts' own baselines, but for destinations that
        an analyst lets them go to as they like."""
        counted = ~self.inventory.ignored(slot, ts, columns["pool"], columns["dst"])
        surprise, excesses = self.surprise.push(
            slot,
            ts,
            table=self.pools.table,
            kind=self.policy.kinds(slot),
            counted=counted,
            **columns,
        )
        self._note_sessions(slot[counted], ts[counted], columns["pool"][counted], surprise[counted])
        return [evidence.of_alarm(excess, self.pools) for excess in excesses]

    def _note_sessions(
        self, slot: np.ndarray, ts: np.ndarray, pool: np.ndarray, surprise: np.ndarray
    ) -> None:
        """Let the drift know where hosts go that have a name."""
        named = np.flatnonzero(self.policy.columns()["name"][slot] != NOTHING)
        if len(named):
            never = self.scorer.never_seen(pool[named], self.pools.table)
            self.drift.sessions(
                float(ts[-1]), len(named), int(never.sum()), float(surprise[named].sum())
            )

    def _alarm(self, tracked: Tracked, alarm: Alarm) -> list[Verdict]:
        """The line of an alarm, unless the host misbehaved already."""
        slot, ts = int(tracked.slot[alarm.index]), float(tracked.sessions.ts[alarm.index])
        decision = self.policy.alarm(slot, ts)
        if decision is None:
            return []
        later = int(np.count_nonzero(tracked.slot[alarm.index + 1 :] == slot))
        return [
            self._verdict(
                decision,
                ts=ts,
                at=self._at(tracked, alarm.index),
                sessions=int(self.sequences.count[slot]) - later,
                evidence=alarm.evidence,
                uids=alarm.uids,
            )
        ]

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``."""
        self.sightings.reserve(slots)
        self.sequences.reserve(slots)
        self.surprise.reserve(slots)
        self.policy.reserve(slots)

    def _make_room(self, sessions: Sessions) -> None:
        """Let the longest idle hosts go before these sessions' hosts need their slots."""
        identity = self.tracker.identity
        room = self._max_hosts - len(identity)
        if room >= len(sessions):
            return
        excess = identity.newcomers(sessions.host, sessions.mac, sessions.segment) - room
        if excess <= 0:
            return
        last = self.sequences.last_ts[: identity.capacity].copy()
        last[identity.present(sessions.host, sessions.mac, sessions.segment)] = np.inf
        active = np.flatnonzero(np.isfinite(last))
        # A few more than needed, so that a flood of new hosts does not make every batch search.
        number = min(max(excess, self._max_hosts // 64), len(active))
        idle = active[np.argpartition(last[active], number - 1)[:number]]
        self._forget(idle)
        self.counters.evicted += len(idle)

    def _forget(self, slots: np.ndarray) -> None:
        """Give up these hosts with all that is known of them."""
        self.tracker.identity.release(slots.tolist())
        self.sequences.reset(slots)
        self.surprise.reset(slots)
        self.policy.reset(slots)
        self.inventory.forget(slots)
        if self.shadow is not None:
            self.shadow.forget(slots)
        self.sightings.reset(slots)

    def _end(self, tracked: Tracked, ended: Router | Bond) -> Verdict:
        """The line that ends what was taken for a host, and with it its history."""
        slot, policy = ended.slot, self.policy.columns()
        device = int(policy["device"][slot])
        line = self._line(
            slot,
            ts=ended.ts,
            at=(tracked.sessions.host[-1], tracked.segment(-1)),
            state=LEARNING,
            previous=(
                STATES[policy["state"][slot]]
                if device == NOTHING
                else self.inventory.devices[device].device
            ),
            since=ended.ts,
            sessions=int(self.sequences.count[slot]),
            reason="change",
            evidence=ended.evidence,
            uids=(tracked.sessions.uid[-1],),
        )
        self._forget(np.array([slot]))
        self.counters.verdicts += 1
        return line

    def _announce(self, tracked: Tracked) -> list[Verdict]:
        """One ``learning`` line for each new host, from its first session with an address on."""
        slot, sessions = tracked.slot, tracked.sessions
        fresh = np.flatnonzero(~self.sightings.announced[slot])
        lines, rows = [], []
        for row, number in zip(fresh.tolist(), slot[fresh].tolist(), strict=True):
            ts = float(sessions.ts[row])
            first = np.isnan(self.sightings.first_seen[number])
            if first:
                self.sightings.first_seen[number] = ts
            if self.sightings.announced[number] or sessions.host[row] in UNSPECIFIED:
                continue
            self.sightings.announced[number] = True
            rows.append(row)
            before = 0 if first else int(np.count_nonzero(slot[:row] == number))
            count = int(self.sequences.count[number]) + before + 1
            lines.append(
                self._line(
                    number,
                    ts=ts,
                    at=(sessions.host[row], tracked.segment(row)),
                    state=LEARNING,
                    since=ts,
                    sessions=count,
                    reason="new",
                    evidence=(self._missing(count),),
                    uids=(sessions.uid[row],),
                )
            )
        self.policy.begin(slot[rows], sessions.ts[rows])
        return lines

    def _news(self, tracked: Tracked) -> dict[int, list[Annotation]]:
        """The answers that say something new of the hosts of these sessions, by the session that
        each host is told them at, in order."""
        if not len(self.inventory):
            return {}
        # A host without an address has not been announced, and an answer is no host's first line.
        first: dict[tuple[int, str], int] = {}
        for row, who in enumerate(zip(tracked.slot.tolist(), tracked.sessions.host, strict=True)):
            if who[1] not in UNSPECIFIED:
                first.setdefault(who, row)
        found = {
            row: self.inventory.news(slot, address, float(tracked.sessions.ts[row]))
            for (slot, address), row in first.items()
        }
        return {row: answers for row, answers in found.items() if answers}

    def _begins(self, tracked: Tracked, row: int) -> bool:
        """Whether a session is its host's very first."""
        slot = tracked.slot[row]
        return not self.sequences.count[slot] and slot not in tracked.slot[:row]

    def _meet(self, tracked: Tracked, row: int, news: Sequence[Annotation]) -> list[Verdict]:
        """What answers say of the host of a session, which is about to be looked at."""
        slot = int(tracked.slot[row])
        verdicts = []
        for one in self.inventory.meet(slot, float(tracked.sessions.ts[row]), news):
            line = self._reply(one)
            if one.decision.slot == slot:
                # Its address may be another at the end of the batch.
                site, vlan = segment_parts(tracked.segment(row))
                line = replace(
                    line,
                    host=tracked.sessions.host[row],
                    sessions=line.sessions + 1,
                    vlan=vlan,
                    site=site,
                )
            verdicts.append(line)
        return verdicts

    def _verdict(
        self,
        decision: Decision,
        *,
        ts: float,
        at: tuple[str, str],
        sessions: int,
        evidence: tuple[Evidence, ...],
        uids: tuple[str, ...],
    ) -> Verdict:
        """A decision as a line."""
        # The classes come first. A snapshot that is only shown has others than the scorer's model.
        devices = self.inventory.devices
        order = np.argsort(-decision.probability, kind="stable").tolist()
        others = [k for k in order if k != decision.device][:_NAMED]
        was, named = decision.was_device, decision.device != NOTHING
        return self._line(
            decision.slot,
            ts=ts,
            at=at,
            state=decision.state,
            previous=(
                devices[was].device
                if was not in (NOTHING, decision.device)
                else STATES[decision.was_state]
            ),
            device=devices[decision.device].device if named else "",
            category=devices[decision.device].category if named else "",
            confidence=round(float(decision.confidence), _DIGITS),
            alternatives=tuple(
                Alternative(devices[k].device, float(decision.probability[k]))
                for k in others
                if decision.probability[k] >= _MENTIONED
            ),
            since=decision.since,
            sessions=sessions,
            reason=decision.reason,
            evidence=evidence,
            uids=uids,
        )

    def _line(
        self,
        slot: int,
        *,
        ts: float,
        at: tuple[str, str],
        state: int,
        since: float,
        sessions: int,
        reason: str,
        uids: tuple[str, ...],
        previous: str = "",
        device: str = "",
        category: str = "",
        confidence: float = 0.0,
        alternatives: tuple[Alternative, ...] = (),
        evidence: tuple[Evidence, ...] = (),
    ) -> Verdict:
        identity = self.tracker.identity
        host, segment = at
        site, vlan = segment_parts(segment)
        return Verdict(
            ts=ts,
            host=host,
            mac=identity.mac(slot),
            hostname=identity.hostname(slot),
            vendor=vendor(identity.mac(slot)),
            state=STATES[state],
            previous=previous,
            device=device,
            category=category,
            confidence=confidence,
            alternatives=alternatives,
            sessions=sessions,
            since=since,
            first_seen=float(self.sightings.first_seen[slot]),
            reason=reason,
            evidence=evidence,
            uids=uids,
            model=self.scorer.manifest.id,
            worker=self._worker,
            vlan=vlan,
            site=site,
        )

    def _at(self, tracked: Tracked, index: int) -> tuple[str, str]:
        """The host's address and its segment at this session, or those before when it asked for a
        lease."""
        host = tracked.sessions.host
        if host[index] not in UNSPECIFIED:
            return host[index], tracked.segment(index)
        slot = int(tracked.slot[index])
        for row in reversed(np.flatnonzero(tracked.slot[:index] == slot).tolist()):
            if host[row] not in UNSPECIFIED:
                return host[row], tracked.segment(row)
        identity = self.tracker.identity
        if identity.address(slot):
            return identity.address(slot), identity.segment(slot)
        return host[index], tracked.segment(index)


class _Packed(dict[str, bytes]):
    """Addresses as the 16 bytes of an IPv6 address, remembered: destinations come again."""

    def __missing__(self, address: str) -> bytes:
        if len(self) >= 16 * _CHUNK:
            self.clear()
        _, packed = canonical(address)
        self[address] = packed
        return packed

    def of(self, addresses: Sequence[str]) -> np.ndarray:
        """Many at once, "V16" [n]."""
        return np.frombuffer(b"".join(map(self.__getitem__, addresses)), "V16")
