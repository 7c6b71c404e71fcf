"""Turns decisions into verdicts, the lines of nba_device.log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from nba_broker.hosts.facts import Facts
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.hints import hint
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.pipeline.timeline import Step
from nba_broker.records.evidence import Evidence
from nba_broker.records.hints import NO_HINT
from nba_broker.records.sessions import segment_parts
from nba_broker.records.verdicts import STATES, Alternative, SessionCount, Verdict
from nba_broker.verdicts.applied_annotations import AppliedAnnotations
from nba_broker.verdicts.decision import Decision
from nba_broker.verdicts.states import LEARNING, NO_DEVICE

_ALTERNATIVES = 3  # in a line, so that an analyst can read it at a glance
_DIGITS = 4  # of a probability: more would be noise, and would differ between machines
_MENTIONED = 0.01  # probability of an alternative, at least

NO_NAMES: Mapping[str, int] = MappingProxyType({})
"""No names that a host asked for."""


class At(NamedTuple):
    """The session that a line is about: its time, the host's address and segment then, and the
    number of the host's sessions until then."""

    ts: float
    host: str
    segment: str
    sessions: int


class Lines:
    """Makes lines from decisions and from the host's identity. facts: what is known of the host in
    a slot. model: the id of the running model. worker: a name for the log."""

    def __init__(
        self,
        identity: Identity,
        facts: Facts,
        first_seen: FirstSeen,
        annotations: AppliedAnnotations,
        model: str,
        worker: str,
    ) -> None:
        self.model = model
        self._worker = worker
        self._identity = identity
        self._facts = facts
        self._first_seen = first_seen
        self._annotations = annotations

    def at(self, step: Step, row: int, sessions: int) -> At:
        """A host at a session of a step, its ``sessions``-th. While a host asks for a lease, its
        previous address counts."""
        host = step.sessions.host
        ts = float(step.sessions.ts[row])
        slot = int(step.slot[row])
        if host[row] not in UNSPECIFIED:
            return At(ts, host[row], step.segment(row), sessions)
        for place in reversed(np.flatnonzero(step.slot[:row] == slot).tolist()):
            if host[place] not in UNSPECIFIED:
                return At(ts, host[place], step.segment(place), sessions)
        latest = self._identity.address(slot)
        if latest:
            return At(ts, latest, self._identity.segment(slot), sessions)
        return At(ts, host[row], step.segment(row), sessions)

    def latest(self, slot: int, ts: float, sessions: int) -> At:
        """A host at its latest address."""
        identity = self._identity
        return At(ts, identity.address(slot), identity.segment(slot), sessions)

    def session_count(self, slot: int, sessions: int) -> SessionCount:
        """How many sessions a host has had."""
        identity = self._identity
        site, vlan = segment_parts(identity.segment(slot))
        first_seen = float(self._first_seen.first_seen[slot])
        address, mac = identity.address(slot), identity.mac(slot)
        return SessionCount(sessions, address, mac, vlan, site, first_seen)

    def new(self, slot: int, at: At, evidence: tuple[Evidence, ...], uid: str) -> Verdict:
        """The first line of a host."""
        return self._line(
            slot,
            at,
            state=LEARNING,
            since=at.ts,
            reason="new",
            evidence=evidence,
            uids=(uid,),
        )

    def ended(
        self, slot: int, at: At, previous: str, evidence: tuple[Evidence, ...], uid: str
    ) -> Verdict:
        """The last line of a host that turned out to be a router, or part of a bond."""
        return self._line(
            slot,
            at,
            state=LEARNING,
            previous=previous,
            since=at.ts,
            reason="change",
            evidence=evidence,
            uids=(uid,),
        )

    def decided(
        self,
        decision: Decision,
        at: At,
        evidence: tuple[Evidence, ...] = (),
        uids: tuple[str, ...] = (),
        asked: Mapping[str, int] = NO_NAMES,
        before: float | None = None,
    ) -> Verdict:
        """A decision as a line; ``asked``: the names that the host asked for, each with its number
        of sessions, where they are known as of this line. ``before``: the time until which other
        facts count, by default that of the line."""
        # ``devices`` begins with the classes. The scorer's model may have other classes, if a
        # snapshot is only shown.
        devices = self._annotations.devices
        order = np.argsort(-decision.probability, kind="stable").tolist()
        others = [k for k in order if k != decision.device][:_ALTERNATIVES]
        was, named = decision.was_device, decision.device != NO_DEVICE
        return self._line(
            decision.slot,
            at,
            state=decision.state,
            previous=(
                devices[was].device
                if was not in (NO_DEVICE, decision.device)
                else STATES[decision.was_state]
            ),
            device=devices[decision.device].device if named else "",
            category=devices[decision.device].category if named else "",
            confidence=round(float(decision.confidence), _DIGITS),
            alternatives=tuple(
                Alternative(
                    devices[k].device,
                    float(decision.probability[k]),
                    bool(decision.possible[k]),
                )
                for k in others
                if decision.probability[k] >= _MENTIONED or decision.possible[k]
            ),
            since=decision.since,
            reason=decision.reason,
            evidence=evidence,
            uids=uids,
            asked=asked,
            before=before,
        )

    def _line(
        self,
        slot: int,
        at: At,
        *,
        state: int,
        since: float,
        reason: str,
        evidence: tuple[Evidence, ...],
        uids: tuple[str, ...],
        previous: str = "",
        device: str = "",
        category: str = "",
        confidence: float = 0.0,
        alternatives: tuple[Alternative, ...] = (),
        asked: Mapping[str, int] = NO_NAMES,
        before: float | None = None,
    ) -> Verdict:
        facts = self._facts(slot, at.ts if before is None else before)
        site, vlan = segment_parts(at.segment)
        return Verdict(
            ts=at.ts,
            host=at.host,
            mac=self._identity.mac(slot),
            hostname=facts.hostname,
            vendor=facts.vendor,
            state=STATES[state],
            previous=previous,
            device=device,
            category=category,
            confidence=confidence,
            alternatives=alternatives,
            sessions=at.sessions,
            since=since,
            first_seen=float(self._first_seen.first_seen[slot]),
            reason=reason,
            evidence=evidence,
            uids=uids,
            model=self.model,
            worker=self._worker,
            vlan=vlan,
            site=site,
            hint=NO_HINT if device else hint(replace(facts, names=asked)),
        )
