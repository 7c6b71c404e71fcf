"""Labelled sessions and their windows, by the runtime's own archive, pool and sequence code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.recfunctions import repack_fields

from nba_broker.archive import conn_log
from nba_broker.archive.external_sort import MEMORY
from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.model import features
from nba_broker.model.features import IntervalScale, Services, Vocabulary
from nba_broker.model.windows import HostWindows, Schedule, Windows
from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.classes import Class
from nba_broker.records.errors import ArchiveError
from nba_broker.records.macs import is_mac
from training.data.labels import Label

# What labelling looks at, and what remains of a session.
_COLUMNS = ("ts", "host", "dport", "log")
_LOOKED_AT = ["ts", "host", "log"]  # beside the host's slot
_TOGETHER = 16_384  # sessions: their windows at every session take 13 MB


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSessions:
    """The sessions of labelled hosts in time order, as parallel columns.

    ts: float64 [n], seconds since the epoch. series: int64 [n] into ``labels``, one series of
    sessions per row of labels, and one more for each further segment of the network in which a
    host has the row's address. pool: int32 [n] into ``table``. dport: int32 [n], see
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

    def windows(self, schedule: Schedule) -> Windows:
        """The windows due as in the runtime; ``slot`` is the series, ``index`` the session.

        Every series starts empty here, so windows of disjoint selections share no session.
        """
        sequences = HostWindows(schedule, evidence=False)
        return sequences.push(self.series, self.ts, pool=self.pool, dport=self.dport)

    def apart(
        self,
        function: Callable[[LabelledSessions], tuple[Windows, *tuple[np.ndarray, ...]]],
        each: conn_log.Each = map,
    ) -> tuple[Windows, *tuple[np.ndarray, ...]]:
        """What ``function`` makes of some series, windows and arrays [B, ...] beside them, for all.

        ``each`` does the work, some series at a time and always the same ones together, so that
        nothing depends on where it is done. They come without ``labels``, of which there may be as
        many as windows. The windows come in the order of :meth:`windows`.
        """
        groups = self._groups()
        nameless = replace(self, labels=())
        found = list(each(function, (nameless.select(rows) for rows in groups)))
        parts = [part for part, *_ in found]
        index = np.concatenate([rows[part.index] for rows, part in zip(groups, parts, strict=True)])
        order = np.argsort(index)
        places = np.split(np.argsort(order), np.cumsum([len(part) for part in parts])[:-1])

        def whole(columns: Iterable[np.ndarray]) -> np.ndarray:
            found = list(columns)
            ordered = np.empty((len(order), *found[0].shape[1:]), found[0].dtype)
            for place, column in zip(places, found, strict=True):
                ordered[place] = column  # once: a window takes a kilobyte
            return ordered

        windows = Windows(
            whole(part.slot for part in parts),
            index[order],
            whole(part.count for part in parts),
            {name: whole(part.columns[name] for part in parts) for name in parts[0].columns},
        )
        return windows, *map(whole, zip(*(arrays for _, *arrays in found), strict=True))

    def _groups(self) -> list[np.ndarray]:
        """Which sessions are of the same few series, or of one that is long; int64, ascending."""
        sizes = np.bincount(self.series)
        group = ((np.cumsum(sizes) - sizes) // _TOGETHER)[self.series]
        order = np.argsort(group, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def inputs(
    sessions: LabelledSessions,
    *,
    schedule: Schedule,
    pools: Sequence[str],
    services: Sequence[str],
    scale: IntervalScale,
) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The windows due, without their columns, and what a model with these vocabularies is given for
    them (features.inputs)."""
    windows = sessions.windows(schedule)
    arrays = features.inputs(
        windows, sessions.table, Vocabulary(list(pools)), scale, Services(services)
    )
    return replace(windows, columns={}), *arrays


@dataclass(frozen=True, slots=True)
class Origin:
    """Where labelled sessions come from: what a manifest records, and what a person is told.

    since, until: as asked for. logs: conn logs read. fingerprint: SHA-256 of all sessions read,
    whatever files they lay in. unlabelled_*: what no label names, and is left out. incomplete:
    whether a part of the archive could not be read, as warnings say.
    """

    since: float | None
    until: float | None
    logs: int
    fingerprint: str
    unlabelled_sessions: int
    unlabelled_hosts: int
    warnings: tuple[str, ...]
    incomplete: bool = False


def load(
    paths: Iterable[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    memory: int = MEMORY,
    each: conn_log.Each | None = None,
) -> tuple[LabelledSessions, Origin]:
    """Read an archive's sessions with since <= ts < until and keep those of labelled hosts.

    ``memory``, bytes, is for sorting the archive; what does not fit is sorted on disk, with the
    same result. ``each`` reads and labels elsewhere. Raises ArchiveError when none is left.
    """
    sessions, origin, _, _ = load_rows(
        paths,
        labels,
        pools,
        since=since,
        until=until,
        memory=memory,
        each=each,
        columns=_COLUMNS,
    )
    return sessions, origin


def load_rows(
    paths: Iterable[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    memory: int = MEMORY,
    each: conn_log.Each | None = None,
    columns: Sequence[str] = conn_log.ROW.names or (),
) -> tuple[LabelledSessions, Origin, conn_log.Archive, np.ndarray]:
    """As :func:`load`, with the archive and each session's row of it, conn_log.ROW [n], or those
    ``columns`` of it, ts, host, dport and log among them: all are kept in memory."""
    archive = conn_log.read(paths, since=since, until=until, memory=memory, each=each)
    tracker, lookup = Tracker(), Lookup(pools)
    wider = WiderLans(pools, tracker.identity)
    for lease in archive.leases:
        tracker.lease(lease)
    digest = hashlib.sha256()
    meant = _Meant(labels, archive)
    none = repack_fields(np.zeros(0, conn_log.ROW)[list(columns)])
    kept = [(none, np.zeros(0, np.int64), np.zeros(0, np.int32))]
    others: set[int] = set()  # slots of sessions that are left out
    segment_of: dict[int, str] = {}  # by slot
    for rows in archive.rows():
        batch = archive.sessions(rows)
        digest.update(batch.ts.tobytes() + batch.dport.tobytes())
        digest.update("\n".join([*batch.host, *batch.dst]).encode())
        parts = [(part, lookup(part.sessions).pool) for part in tracker.track(batch)]
        for part, pool in parts:
            wider.see(part.sessions, part.slot, pool)
        slot = np.concatenate([part.slot for part, _ in parts])
        pool = np.concatenate([pool for _, pool in parts])
        if batch.segment is not None:
            for number, segment in zip(slot.tolist(), batch.segment, strict=True):
                if segment:
                    segment_of.setdefault(number, segment)
        keep = meant.possibly(rows, slot, tracker.identity)
        others.update(np.unique(slot[~keep]).tolist())
        kept.append((repack_fields(rows[list(columns)][keep]), slot[keep], pool[keep]))
    rows, slot, pool = map(np.concatenate, zip(*kept, strict=True))
    kept.clear()  # as large as what was made of it

    series = meant.series(rows, slot, tracker.identity, each or map)
    labelled = series >= 0
    others.update(np.unique(slot[~labelled]).tolist())
    hints = wider.hints("run again with --lans {lan}")
    warnings = [*archive.errors, *archive.warnings, *_absent(labels, series), *hints]
    labels = [*labels, *_part(labels, series, slot, segment_of)]
    if not labelled.any():
        raise ArchiveError("no session of a labelled host in the archive; check labels and times")
    rows = rows[labelled]
    sessions = LabelledSessions(
        ts=np.ascontiguousarray(rows["ts"]),
        series=series[labelled],
        pool=pool[labelled],
        dport=np.ascontiguousarray(rows["dport"]),
        labels=tuple(labels),
        table=pools.table,
    )
    origin = Origin(
        since=since,
        until=until,
        logs=archive.report.files,
        fingerprint=digest.hexdigest(),
        unlabelled_sessions=len(archive) - len(sessions),
        unlabelled_hosts=len(others),
        warnings=tuple(warnings),
        incomplete=bool(archive.errors),
    )
    return sessions, origin, archive, rows


class _Meant:
    """Which label a session has: a MAC's row goes before an address's, a later row before an
    earlier one."""

    def __init__(self, labels: Sequence[Label], archive: conn_log.Archive) -> None:
        self._labels = labels
        self._logs = archive.logs
        code = {address: code for code, address in enumerate(archive.addresses.tolist())}
        self._code = {one.host: code.get(one.host, -1) for one in labels if not is_mac(one.host)}
        self._macs = {one.host for one in labels if is_mac(one.host)}

    def possibly(self, rows: np.ndarray, slot: np.ndarray, identity: Identity) -> np.ndarray:
        """Whether these sessions can have a label once all is read, bool [n]: as long as a host is
        known by its address alone, its MAC may still turn out to be a labelled one."""
        slots, place = np.unique(slot, return_inverse=True)
        meant = {number for mac in self._macs for number in identity.slots_of(mac)}
        by_mac = np.array(
            [number in meant or not identity.mac(number) for number in slots.tolist()], bool
        )[place]
        keep: np.ndarray = by_mac | np.isin(rows["host"], list(self._code.values()))
        return keep

    def series(
        self, rows: np.ndarray, slot: np.ndarray, identity: Identity, each: conn_log.Each
    ) -> np.ndarray:
        """The label of each session, int64 [n], -1 for none, once all is read."""
        rules = []
        for number, label in enumerate(self._labels):
            by_mac = is_mac(label.host)
            codes = identity.slots_of(label.host) if by_mac else [self._code[label.host]]
            logs = [place for place, name in enumerate(self._logs) if name == label.log]
            rules.append(
                _Rule(number, by_mac, codes, label.since, label.until, logs if label.log else None)
            )
        rules.sort(key=lambda rule: rule.by_mac)
        looked_at = rows[_LOOKED_AT]
        parts = (
            (repack_fields(looked_at[at : at + _TOGETHER]), slot[at : at + _TOGETHER])
            for at in range(0, len(rows), _TOGETHER)
        )
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *each(partial(_labelled, rules), parts)])


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the labels as sessions know it: ``hosts`` are slots, or an address of the archive,
    ``logs`` are places in its list of logs."""

    number: int
    by_mac: bool
    hosts: list[int]
    since: float
    until: float
    logs: list[int] | None


def _labelled(rules: Sequence[_Rule], sessions: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The number of the last rule that each session meets, int64 [n], -1 for none; ``sessions`` are
    rows and slots."""
    rows, slot = sessions
    series = np.full(len(slot), -1)
    for rule in rules:
        meant = np.isin(slot if rule.by_mac else rows["host"], rule.hosts)
        meant &= (rows["ts"] >= rule.since) & (rows["ts"] < rule.until)
        if rule.logs is not None:
            meant &= np.isin(rows["log"], rule.logs)
        series[meant] = rule.number
    return series


def _part(
    labels: Sequence[Label], series: np.ndarray, slot: np.ndarray, segment_of: dict[int, str]
) -> list[Label]:
    """Give the hosts that have a labelled address in several segments of the network a series each,
    in place; returns the labels of those that are added."""
    more: list[Label] = []
    for number, label in enumerate(labels):
        if not segment_of or is_mac(label.host):
            continue
        rows = np.flatnonzero(series == number)
        hosts, place = np.unique(slot[rows], return_inverse=True)
        segments = [segment_of.get(host, "") for host in hosts.tolist()]
        for segment in sorted(set(segments))[1:]:
            of_host = np.array([one == segment for one in segments], bool)
            series[rows[of_host[place]]] = len(labels) + len(more)
            more.append(label)
    return more


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
