"""Labelled sessions and their windows, by the runtime's own archive, pool and sequence code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nba_broker import conn_log
from nba_broker.errors import ArchiveError
from nba_broker.identity import Identity
from nba_broker.pipeline import Tracker
from nba_broker.pools import Pools
from nba_broker.scorer import Class
from nba_broker.sequences import Sequences, Windows
from training.labels import Label


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSessions:
    """The sessions of labelled hosts in time order, as parallel columns.

    ts: float64 [n], seconds since the epoch. series: int64 [n] into ``labels``, one series of
    sessions per row of labels. pool: int32 [n] into ``table``. dport: int32 [n], see
    messages.port_code.
    """

    ts: np.ndarray
    series: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    labels: tuple[Label, ...]
    table: list[str]

    def __len__(self) -> int:
        return len(self.ts)

    def select(self, keep: np.ndarray) -> LabelledSessions:
        """The sessions where ``keep``, bool [n], is true."""
        return replace(
            self,
            ts=self.ts[keep],
            series=self.series[keep],
            pool=self.pool[keep],
            dport=self.dport[keep],
        )

    def lives(self, length: int) -> LabelledSessions:
        """The same sessions as of hosts that are met anew every ``length`` sessions."""
        order = np.argsort(self.series, kind="stable")
        series = self.series[order]
        place = np.arange(len(order)) - np.searchsorted(series, series)
        began = np.flatnonzero(place % length == 0)
        life = np.empty(len(order), np.int64)
        life[order] = np.repeat(np.arange(len(began)), np.diff(np.append(began, len(order))))
        labels = tuple(self.labels[number] for number in series[began])
        return replace(self, series=life, labels=labels)

    def classes(self) -> tuple[Class, ...]:
        """What these sessions' hosts are, ordered by device."""
        present = {self.labels[number] for number in np.unique(self.series)}
        return tuple(
            Class(*pair) for pair in sorted({(one.device, one.category) for one in present})
        )

    def class_of_series(self, classes: Sequence[Class]) -> np.ndarray:
        """Index into ``classes`` of each label, int64; -1 for a device that is not among them."""
        number = {one.device: place for place, one in enumerate(classes)}
        return np.array([number.get(label.device, -1) for label in self.labels], np.int64)

    def windows(self, length: int, min_sessions: int, stride: int = 1) -> Windows:
        """The windows due as in the runtime; ``slot`` is the series, ``index`` the session.

        Every series starts empty here, so windows of disjoint selections share no session.
        """
        sequences = Sequences(length, min_sessions, stride, evidence=False)
        return sequences.push(self.series, self.ts, pool=self.pool, dport=self.dport)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where labelled sessions come from: what a manifest records, and what a person is told.

    since, until: as asked for. logs: conn logs read. fingerprint: SHA-256 of all sessions read,
    whatever files they lay in. unlabelled_*: what no label names, and is left out.
    """

    since: float | None
    until: float | None
    logs: int
    fingerprint: str
    unlabelled_sessions: int
    unlabelled_hosts: int
    warnings: tuple[str, ...]


def load(
    paths: Iterable[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
) -> tuple[LabelledSessions, Origin]:
    """Read an archive's sessions with since <= ts < until and keep those of labelled hosts.

    Raises ArchiveError when none is left.
    """
    sessions, origin, _, _ = load_rows(paths, labels, pools, since=since, until=until)
    return sessions, origin


def load_rows(
    paths: Iterable[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
) -> tuple[LabelledSessions, Origin, conn_log.Archive, np.ndarray]:
    """As :func:`load`, with the archive and each session's row in it, int64 [n]."""
    archive = conn_log.read(paths, since=since, until=until)
    tracker = Tracker(pools)
    for lease in archive.leases:
        tracker.lease(lease)
    parts = [part for batch in archive.batches() for part in tracker.track(batch)]
    slot = np.concatenate([np.zeros(0, np.int64), *(part.slot for part in parts)])
    pool = np.concatenate([np.zeros(0, np.int32), *(part.pool for part in parts)])

    series = _series(archive, slot, tracker.identity, labels)
    labelled = series >= 0
    warnings = [*archive.report.errors, *_absent(labels, series)]
    if not labelled.any():
        raise ArchiveError("no session of a labelled host in the archive; check labels and times")
    sessions = LabelledSessions(
        ts=archive.ts[labelled],
        series=series[labelled],
        pool=pool[labelled],
        dport=archive.dport[labelled],
        labels=tuple(labels),
        table=pools.table,
    )
    origin = Origin(
        since=since,
        until=until,
        logs=archive.report.files,
        fingerprint=_fingerprint(archive),
        unlabelled_sessions=int(np.count_nonzero(~labelled)),
        unlabelled_hosts=len(np.unique(slot[~labelled])),
        warnings=tuple(warnings),
    )
    return sessions, origin, archive, np.flatnonzero(labelled)


def _series(
    archive: conn_log.Archive, slot: np.ndarray, identity: Identity, labels: Sequence[Label]
) -> np.ndarray:
    """The label of each session, int64 [n], -1 for none; a MAC's row goes before an address's."""
    series = np.full(len(slot), -1)
    slot_of_mac = {identity.mac(number): number for number in range(identity.capacity)}
    code_of_address = {address: code for code, address in enumerate(archive.addresses.tolist())}
    for number, label in sorted(enumerate(labels), key=lambda pair: _is_mac(pair[1].host)):
        if _is_mac(label.host):
            meant = slot == slot_of_mac.get(label.host, -1)
        else:
            meant = archive.host == code_of_address.get(label.host, -1)
        meant &= (archive.ts >= label.since) & (archive.ts < label.until)
        if label.log:
            logs = [place for place, name in enumerate(archive.logs) if name == label.log]
            meant &= np.isin(archive.log, logs)
        series[meant] = number
    return series


def _is_mac(host: str) -> bool:
    return len(host) == 17 and host[2::3] == ":::::"


def _absent(labels: Sequence[Label], series: np.ndarray) -> list[str]:
    """A warning when some labels name nothing that occurs."""
    occurring = np.zeros(len(labels), bool)
    occurring[series[series >= 0]] = True
    absent = [
        f"{one.host} ({one.device})"
        for one, is_in in zip(labels, occurring, strict=True)
        if not is_in
    ]
    if not absent:
        return []
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return [f"no sessions here of {', '.join(absent[:5])}{more}, which labels name"]


def _fingerprint(archive: conn_log.Archive) -> str:
    digest = hashlib.sha256()
    for column in (archive.ts, archive.host, archive.dst, archive.dport):
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update("\n".join(archive.addresses.tolist()).encode())
    return digest.hexdigest()
