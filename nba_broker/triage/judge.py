"""Which hosts need attention, in which order, and what the annotations say of them."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nba_broker.destinations.pools import in_networks
from nba_broker.records.addresses import Network
from nba_broker.records.errors import AnnotationError
from nba_broker.records.verdicts import Row
from nba_broker.triage.store import ALARMS, Host
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation

BASELINE = 7 * 86_400.0
"""Seconds after its first session for which an unknown host is less urgent: NBA::baseline."""

# A host that looks attacked comes before one that may be an error, and that before a new one.
_RANKS = {state: rank for rank, state in enumerate(("misbehaving", "impostor", "changed"))}


@dataclass(frozen=True, slots=True)
class Judged:
    """A host and whether it needs attention.

    ``ignored``: the annotation that ignores it. ``waiting``: its latest annotation, while no line
    of the log is later. ``young``: whether it is in its first week.
    """

    host: Host
    latest: Row
    attention: bool
    ignored: Annotation | None = None
    waiting: Annotation | None = None
    young: bool = False

    @property
    def urgency(self) -> tuple[bool, int, float]:
        """The sort key: hosts without a waiting annotation first, then the worst state, then the
        latest."""
        rank = _RANKS.get(self.latest.state, 4 if self.young else 3)
        return (self.waiting is not None, rank, -self.latest.since)


class Annotations:
    """The annotations file, read again when it has changed."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.error = ""
        """Why the file is not valid; "" if it is."""
        self._all: tuple[Annotation, ...] = ()
        self._read: tuple[int, int, int] | None = None
        self._named: dict[str, list[Annotation]] = {}
        self._networks: list[tuple[Network, Annotation]] = []

    def poll(self) -> None:
        """Read the file if it has changed; one that is not valid leaves the annotations as they
        were."""
        if self.path is None:
            return
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._take(())
            self._read, self.error = None, ""
            return
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        if mark == self._read:
            return
        self._read = mark
        try:
            self._take(annotation_file.read(self.path) if status.st_size else ())
            self.error = ""
        except AnnotationError as error:
            self.error = str(error)

    def _take(self, given: tuple[Annotation, ...]) -> None:
        self._all, self._named, self._networks = given, {}, []
        for one in given:
            network = one.hosts
            if network is not None and network.num_addresses > 1:
                self._networks.append((network, one))
            elif one.host:
                self._named.setdefault(one.host, []).append(one)

    def about(self, latest: Row) -> list[Annotation]:
        """The annotations of this verdict's host, in the order of their time."""
        if not self._all:
            return []
        names = {latest.mac.lower(), latest.host, latest.hostname.lower()} - {""}
        found = [one for name in names for one in self._named.get(name, ())]
        if self._networks:
            with contextlib.suppress(ValueError):  # a log may have any text here
                address = ipaddress.ip_address(latest.host)
                found += [one for net, one in self._networks if in_networks(address, (net,))]
        return sorted(found, key=lambda one: one.at)

    def about_all(self) -> list[Annotation]:
        """The annotations of all hosts, which ignore destinations."""
        return [one for one in self._all if not one.host]

    def names(self) -> set[tuple[str, str]]:
        """Devices that analysts have named, with their categories."""
        return {(one.device, one.category) for one in self._all if one.action == "label"}


def judge(hosts: Iterable[Host], given: Annotations, newest: float) -> list[Judged]:
    """All hosts, as of ``newest``, the time of the log's latest line."""
    return [_judge(host, given.about(host.latest), newest) for host in hosts]


def _judge(host: Host, given: Sequence[Annotation], newest: float) -> Judged:
    latest = host.latest
    alarming = latest.state in ALARMS
    if not given and not alarming:
        return Judged(host, latest, False)
    # While the log grows, ``newest`` is a moment ago: an annotation of now counts already.
    ignores = (one for one in given if one.action == "ignore" and not one.of_destinations)
    ignored = next((one for one in ignores if newest < one.expires), None)
    # To ignore a host or a pool writes no line, so such an annotation never waits for one.
    waiting = [one for one in given if one.action != "ignore" and one.at > latest.ts]
    return Judged(
        host,
        latest,
        attention=alarming and not host.quiet and ignored is None,
        ignored=ignored,
        waiting=waiting[-1] if waiting else None,
        young=newest - latest.first_seen < BASELINE,
    )
