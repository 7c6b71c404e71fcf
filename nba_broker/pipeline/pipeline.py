"""The pipeline: sessions in, verdicts out. Each step of sessions passes all stages in turn.

It opens no socket and reads no clock, so that the live worker, ``score`` and the training run the
same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import Anomaly, HostBaseline, HostSessions
from nba_broker.destinations.lookup import Destinations, Lookup
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.facts import Facts
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.listening import Listening
from nba_broker.hosts.routers import Router
from nba_broker.model.drift import Drift
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import HostWindows, Schedule, Windows
from nba_broker.pipeline.counters import Counters
from nba_broker.pipeline.intake import Intake
from nba_broker.pipeline.lines import Lines
from nba_broker.pipeline.site import Site
from nba_broker.pipeline.step_lines import StepLines
from nba_broker.pipeline.timeline import DayEnd, Due, Event, Eviction, Step, Timeline
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.announcements import Announcement
from nba_broker.records.classes import Class
from nba_broker.records.errors import ModelError
from nba_broker.records.names import NO_NAMES, Answers, Names
from nba_broker.records.sessions import Lease, Sessions
from nba_broker.records.slots import Slots
from nba_broker.records.times import DAY
from nba_broker.records.uids import texts
from nba_broker.records.verdicts import SessionCount, UnknownHosts, Verdict
from nba_broker.verdicts import groups
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.applied_annotations import Applied, AppliedAnnotations
from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.shadow import Shadow, Watched
from nba_broker.verdicts.stage import Context, Verdicts
from nba_broker.verdicts.state_evidence import StateEvidence
from nba_broker.wire.reorder import Reorder

_SUMMARIES = 8  # kept until they are read; nothing reads an archive's


class Pipeline:
    """The list of stages. Methods that take sessions or annotations return the verdicts that these
    lead to, in event-time order.

    max_hosts: hosts kept at most; the longest idle leave first. worker: a name for the log. shadow:
    compares a candidate model on the same sessions. secret: of the baseline's keys, see
    :mod:`nba_broker.baseline.keys`.
    """

    def __init__(
        self,
        pools: Pools,
        scorer: Scorer,
        *,
        settings: DecisionSettings,
        reorder: Reorder,
        max_hosts: int = 1_000_000,
        worker: str = "",
        shadow: Shadow | None = None,
        secret: bytes = b"",
    ) -> None:
        manifest = scorer.manifest
        self.pools = pools
        self.scorer = scorer
        self.shadow = shadow
        self.counters = Counters()
        self.summaries: deque[UnknownHosts] = deque(maxlen=_SUMMARIES)
        """The unknown hosts at the end of each day, in UTC; the reader removes them."""
        self.slots = Slots()
        self.intake = Intake(reorder)
        self.identity = Identity()
        self.listening = Listening(self.identity)
        self.first_seen = FirstSeen(self.slots)
        self.wider = WiderLans(pools, self.identity, self.slots)
        self.names = NameTable(self.slots)
        self.windows = HostWindows(manifest.schedule, slots=self.slots)
        self.drift = Drift(manifest.raw.get("usual"))
        classes = ClassBaseline.of_model(manifest)
        self.baseline = HostBaseline(classes=classes, slots=self.slots, secret=secret)
        self.site = Site(self.slots, self.identity, pools, self.baseline, worker)
        self.site_events = self.site.records
        self.decider = Decider(len(manifest.classes), settings, self.slots)
        self.state_evidence = StateEvidence()
        self.annotations = AppliedAnnotations(
            manifest.classes,
            pools,
            self.names,
            self.identity,
            self.windows,
            self.decider,
            self.baseline,
            self.first_seen,
        )
        self.timeline = Timeline(
            self.identity, self.first_seen, self.windows, self.annotations, max_hosts
        )
        self.announced = self.timeline.tracker.announced
        self.facts = Facts(self.identity, self.announced, self.listening)
        """What is known of the host in a slot beside its sessions."""
        self._destinations = Lookup(pools, self.names)
        self._verdicts = Verdicts(self.decider, self.annotations, pools)
        self._lines = StepLines(
            Lines(
                self.identity, self.facts, self.first_seen, self.annotations, manifest.id, worker
            ),
            self.windows,
            self.annotations,
            self.decider,
            pools,
            self.names,
            self._destinations,
            self.state_evidence,
        )
        if shadow is not None:
            shadow.watch(
                Watched(
                    self.windows, self.annotations, self.decider, self.identity, pools, self.names
                )
            )
        self._know_pools()
        # All at once: later growth would delay verdicts and need the memory twice.
        self.slots.reserve(max_hosts)

    # Sessions in.

    def push(
        self, node: str, clock: float, sessions: Sessions, now: float, names: Names = NO_NAMES
    ) -> list[Verdict]:
        """Take a sensor node's batch, see :meth:`Intake.add`."""
        self.intake.add(node, clock, sessions, now, names)
        return self._release(now)

    def flush(self, now: float) -> list[Verdict]:
        """Process the sessions that may pass at ``now``, after :meth:`Intake.add` or without it."""
        self.intake.due(now)
        return self._release(now)

    def process(self, sessions: Sessions, names: Names = NO_NAMES) -> list[Verdict]:
        """Take sessions that are in order already, as an archive's are, and the DNS answers until
        the last of them, in order, too; call :meth:`finish` after the last."""
        self.timeline.hear(names)
        return [verdict for part in self.intake.in_order(sessions) for verdict in self._work(part)]

    def finish(self) -> list[Verdict]:
        """Process all waiting sessions; none will follow."""
        verdicts = [verdict for part in self.intake.finish() for verdict in self._work(part)]
        return verdicts + self._take(self.timeline.rest())

    def lease(self, lease: Lease) -> None:
        """Take a lease, a DHCP server's grant of an address to a MAC."""
        self.timeline.tracker.lease(self.intake.door.lease(lease))

    def announce(self, announcements: Sequence[Announcement], node: str = "") -> None:
        """Take what hosts announced of themselves, as the sensor ``node`` saw it."""
        self.timeline.tracker.announce(self.intake.door.announced(node, announcements))

    def annotate(self, annotations: Sequence[Annotation]) -> list[Verdict]:
        """Replace all annotations by these, which are in the order of their time."""
        last = max(float(self.windows.last_ts.max(initial=-np.inf)), self.timeline.clock)
        return self._applied(self.annotations.take_over(annotations, last))

    # Events in order of their time.

    def _release(self, now: float) -> list[Verdict]:
        """Process the sessions that may pass, and the annotations that are due without them."""
        self._look_back()
        sessions = self.intake.release(now)
        if sessions is None:
            return []
        return self._work(sessions) + self._take(self.timeline.pass_to(self.intake.passed))

    def _work(self, sessions: Sessions) -> list[Verdict]:
        """Process sessions in order, at plausible times, and the answers that passed with them."""
        self._look_back()
        self.timeline.hear(self.intake.names())
        return self._take(self.timeline.events(sessions))

    def _take(self, events: Iterable[Event]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for event in events:
            match event:
                case Step():
                    verdicts += self._step(event)
                case Answers():
                    self.names.learn(event)
                    self.counters.answers += len(event)
                case Due(ts):
                    verdicts += self._applied(self.annotations.due(ts))
                case DayEnd(ts):
                    found = self.unknown_hosts(ts, ts - DAY)
                    self.summaries += [found] if found.hosts else []
                case Eviction(slots):
                    self._forget(slots)
                    self.counters.evicted += len(slots)
        return verdicts

    def _step(self, step: Step) -> list[Verdict]:
        """Take a step through the stages; the first one, hosts, is part of the timeline."""
        lines = self._announce(step) + self._annotate(step)
        to = self._destinations(step.sessions, step.slot, step.answers)
        self.counters.answers += len(step.answers)
        self.wider.see(step.sessions, step.slot, to.address_pool)
        self.listening.see(step.sessions, step.slot, self.first_seen.first_seen)
        for part, to_part in self.site.parts(step, to):
            lines += self._part(part, to_part)
        lines.sort(key=lambda line: line.ts)
        self.counters.sessions += len(step.sessions)
        self.counters.verdicts += len(lines)
        if step.ended is not None:
            lines.append(self._end(step, step.ended))
        return lines

    def _part(self, step: Step, to: Destinations) -> list[Verdict]:
        """Take sessions that no event of the site explains, and in which none begins or ends."""
        sessions, slot = step.sessions, step.slot
        columns = to._asdict() | {"dport": sessions.dport, "uid": texts(sessions.uid)}
        windows = self.windows.push(slot, sessions.ts, **columns)
        windows = self.site.decisive(step, windows)
        context = self._verdicts.context(slot, sessions.ts, to.pool, to.dst, to.name)
        scores = self._score(step, windows, context)
        anomalies = self._judge(step, columns, context)
        # Before the verdicts: a host's first session of an hour is its first in this step, too.
        regular = [self._lines.regular(step, one) for one in self.baseline.take_regular()]
        alarms = [anomaly.index for anomaly in anomalies]
        changes = self._verdicts.decide(slot, sessions.ts, windows, scores, alarms)
        lines = self._lines.decided(step, windows, scores, anomalies, changes)
        lines += regular
        if self.shadow is not None:
            self.shadow.see(slot, sessions.ts, columns, windows)
        self.counters.scored += len(windows)
        return lines

    def _announce(self, step: Step) -> list[Verdict]:
        """The first line of each new host."""
        lines = self._lines.new(step, self.scorer.manifest)
        if len(step.new):
            self.decider.begin(step.slot[step.new], step.sessions.ts[step.new])
        return lines

    def _annotate(self, step: Step) -> list[Verdict]:
        """The lines of annotations that are first applied to a host at a session of this step."""
        lines = []
        for row, some in step.annotations.items():
            slot, ts = int(step.slot[row]), float(step.sessions.ts[row])
            lines += self._lines.annotated(step, row, self.annotations.apply(slot, ts, some))
        return lines

    def _applied(self, applied: Sequence[Applied]) -> list[Verdict]:
        """The lines of annotations that were applied to hosts."""
        self.counters.verdicts += len(applied)
        return [self._lines.applied(one) for one in applied]

    def _judge(self, step: Step, columns: dict[str, np.ndarray], context: Context) -> list[Anomaly]:
        """The alarms that a step's sessions raise against their hosts' baselines."""
        slot, ts = step.slot, step.sessions.ts
        surprise, anomalies = self.baseline.push(
            HostSessions(
                slot,
                ts,
                device_class=context.device_class,
                counted=context.counted,
                paused=self.site.events.affects(slot, ts),
                **columns,
            ),
            self.pools.table,
            self.names.text,
        )
        named = np.flatnonzero(context.named & context.counted)
        if len(named):
            never = self.scorer.never_seen(columns["pool"][named], self.pools.table)
            self.drift.sessions(
                float(ts[named[-1]]), len(named), int(never.sum()), float(surprise[named].sum())
            )
        return anomalies

    def _score(self, step: Step, windows: Windows, context: Context) -> Scores | None:
        """The scores of a step's windows, None where there are none."""
        if not len(windows):
            return None
        scores = self.scorer(windows, self.pools.table, self.names.text)
        named = context.named[windows.index]
        if named.any():
            self.drift.scores(
                float(step.sessions.ts[windows.index[-1]]),
                int(named.sum()),
                int((scores.known[named] >= self.scorer.manifest.thresholds.known).sum()),
                float(scores.probability[named].max(1).sum()),
            )
        return scores

    def _end(self, step: Step, ended: Router | Bond) -> Verdict:
        """The last line of a host that turned out to be a router, or part of a bond; its state is
        removed."""
        line = self._lines.ended(step, ended)
        self._forget(np.array([ended.slot]))
        self.counters.verdicts += 1
        return line

    # State.

    @property
    def hosts(self) -> int:
        """The number of hosts."""
        return len(self.identity)

    @property
    def routers(self) -> dict[str, float]:
        """The MACs of routers, each with the time of its recognition."""
        return self.identity.routers()

    def standing(self) -> Iterator[Verdict]:
        """The present verdict of every host, as of its latest session, with the evidence with which
        a state that needs attention began, and with where it goes."""
        announced = self.first_seen.announced
        slots = self.identity.names(0, self.identity.capacity)
        return self._lines.standing([slot for slot in slots if announced[slot]])

    def session_counts(self) -> Iterator[SessionCount]:
        """How many sessions each host has had, without those that an event of the site explains."""
        slots = self.identity.names(0, self.identity.capacity)
        return self._lines.session_counts([slot for slot in slots if self.windows.count[slot]])

    def unknown_hosts(
        self,
        ts: float | None = None,
        since: float = -np.inf,
        logged: Mapping[str, str] | None = None,
    ) -> UnknownHosts:
        """The groups of hosts that are unknown at ``ts``, or now, that have a session from
        ``since`` on, and that no analyst ignores; ``logged`` as in
        :mod:`nba_broker.verdicts.groups`."""
        ts = self.timeline.clock if ts is None else ts
        slots = self.decider.unknown(ts)
        slots = slots[self.windows.last_ts[slots] >= since]
        return groups.unknown_hosts(
            ts, slots, self.identity, self.facts, self.windows, self.pools, self.names, logged or {}
        )

    def use(self, scorer: Scorer) -> None:
        """Switch to another model. Hosts keep their sessions and the names that both models know.

        Raises ModelError, and keeps the old model, if the new one has another pool scheme.
        """
        manifest = scorer.manifest
        if manifest.pool_scheme != self.pools.scheme:
            raise ModelError(
                f"model {manifest.id} names pools by {manifest.pool_scheme}, this worker by "
                f"{self.pools.scheme}: restart it to change that"
            )
        settings = replace(self.decider.settings, thresholds=manifest.thresholds)
        baseline = ClassBaseline.of_model(manifest)
        self.reshape(manifest.schedule, manifest.classes, settings, baseline)
        self.scorer = scorer
        self._lines.use(manifest.id)
        self._know_pools()
        self.drift.use(manifest.raw.get("usual"))
        if self.shadow is not None:
            self.shadow.restart()

    def reshape(
        self,
        schedule: Schedule,
        classes: Sequence[Class],
        settings: DecisionSettings,
        baseline: ClassBaseline,
    ) -> None:
        """Change the hosts' state to the schedule, classes and settings of a model."""
        self.windows.use(schedule)
        number = self.annotations.use(classes)
        self.baseline.use(baseline, number)
        self.decider.use(len(classes), settings, number, self.windows.last_ts)

    def _know_pools(self) -> None:
        """Keep the names of pools that a model was trained on."""
        names = set(self.scorer.manifest.pools)
        if self.shadow is not None:
            names.update(self.shadow.scorer.manifest.pools)
        self.pools.know(names)

    def _look_back(self) -> None:
        """Correct what claims to be later than a clock that began or was set back allows."""
        for now, limit in self.intake.restarts():
            self._go_back(limit, now)

    def _go_back(self, limit: float, now: float) -> None:
        """Times after ``limit``, of an earlier run or from before the change, become ``now``."""
        self.timeline.look_back(limit, now)
        self.identity.look_back(limit, now)
        self.site.events.look_back(limit, now)
        self.names.look_back(limit, now)
        self.listening.look_back(limit, now)
        self.state_evidence.look_back(limit, now)
        slots = np.flatnonzero(self.windows.last_ts > limit)
        if len(slots):
            for stage in (self.windows, self.first_seen, self.baseline, self.decider):
                stage.look_back(slots, limit, now)
            if self.shadow is not None:
                self.shadow.restart()

    def _forget(self, slots: np.ndarray) -> None:
        """Remove these hosts, int64 [n], and all their state."""
        self.identity.release(slots.tolist())
        self.annotations.forget(slots)
        self.baseline.forget(slots)
        self.names.forget(slots)
        self.announced.forget(slots.tolist())
        self.listening.forget(slots.tolist())
        self.state_evidence.forget(slots.tolist())
        self.slots.reset(slots)
        if self.shadow is not None:
            self.shadow.forget(slots)
