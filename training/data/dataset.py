"""Reads the sessions of labelled hosts from an archive, by the runtime's own code."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.recfunctions import repack_fields

from nba_broker.archive import conn_log
from nba_broker.archive.cluster import workers
from nba_broker.archive.elsewhere import Each
from nba_broker.archive.external_sort import MEMORY
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ArchiveError
from training.data.labelled_sessions import LabelledSessions
from training.data.labelling import Labelling, absent, split_by_segment, unmatched
from training.data.labels import Label
from training.data.public_counts import LEAST, Key, Pairs, pairs
from training.data.tracking import NameList, Tracking

# What labelling looks at, and what remains of a session.
_COLUMNS = ("ts", "host", "dport", "log")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where labelled sessions come from, for a manifest and for messages.

    since, until: seconds, as given. logs: number of conn logs. fingerprint: SHA-256 of all
    sessions, whatever their files. unlabelled_*: sessions and hosts without a label, which are left
    out. unlabelled: of each of these hosts, its sessions that tell devices apart, by service,
    pool and name. incomplete: whether a part of the archive could not be read; the warnings name
    it.
    """

    since: float | None
    until: float | None
    logs: int
    fingerprint: str
    unlabelled_sessions: int
    unlabelled_hosts: int
    warnings: tuple[str, ...]
    incomplete: bool = False
    unlabelled: tuple[Pairs, ...] = ()


def load(
    paths: Iterable[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    memory: int = MEMORY,
    each: Each | None = None,
) -> tuple[LabelledSessions, Origin]:
    """Read an archive's sessions with since <= ts < until and keep those of labelled hosts.

    ``memory``, bytes, is for sorting the archive; a larger archive is sorted on disk, with the same
    result. ``each`` reads and labels, for example on a cluster. Raises ArchiveError when no session
    is left.
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
    each: Each | None = None,
    columns: Sequence[str] = conn_log.ROW.names or (),
) -> tuple[LabelledSessions, Origin, conn_log.Archive, np.ndarray]:
    """As :func:`load`, with the archive and each session's row of it, conn_log.ROW [n]: only these
    ``columns`` of it, which are kept in memory. ts, host, dport and log must be among them."""
    archive = conn_log.read(
        paths, since=since, until=until, memory=memory, others=workers(each), names=True
    )
    tracker = Tracking(pools)
    for lease in archive.leases:
        tracker.lease(lease)
    labelling = Labelling(labels, archive)
    read = _read(archive, tracker, labelling, pools, columns)
    series = labelling.series(read.rows, read.slot, tracker.identity, each or map)
    labelled = series >= 0
    others = read.others.union(np.unique(read.slot[~labelled]).tolist())
    wider = tracker.wider.hints("run again with --lans {lan}")
    warnings = [*archive.errors, *archive.warnings, *absent(labels, series), *wider]
    labels = [*labels, *split_by_segment(labels, series, read.slot, read.segment_of)]
    if not labelled.any():
        hosts = tracker.identity.names(0, tracker.identity.capacity).values()
        raise ArchiveError(unmatched(labels, archive.report, read.span, [*hosts]))
    rows = read.rows[labelled]
    sessions = LabelledSessions(
        ts=np.ascontiguousarray(rows["ts"]),
        series=series[labelled],
        pool=read.pool[labelled],
        dport=np.ascontiguousarray(rows["dport"]),
        labels=tuple(labels),
        table=pools.table,
        name=read.name[labelled],
        names=read.names,
        of_name=pools.of_names(read.names),
    )
    origin = Origin(
        since=since,
        until=until,
        logs=archive.report.files,
        fingerprint=read.fingerprint,
        unlabelled_sessions=len(archive) - len(sessions),
        unlabelled_hosts=len(others),
        warnings=tuple(warnings),
        incomplete=bool(archive.errors),
        unlabelled=tuple(
            of_host for of_host in read.unlabelled.values() if of_host.total() >= LEAST
        ),
    )
    return sessions, origin, archive, rows


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Sessions that may have a label: rows [n], slot int64 [n], pool of the address int32 [n], name
    int32 [n] into ``names``.

    span: the times of the first and of the last session, of all; infinite without any. others:
    slots of sessions that have none; unlabelled: of each of these, its sessions that tell
    devices apart, by service, pool and name. segment_of: the network's segment of a slot.
    fingerprint: of all sessions.
    """

    rows: np.ndarray
    slot: np.ndarray
    pool: np.ndarray
    name: np.ndarray
    names: list[str]
    others: set[int]
    unlabelled: dict[int, Counter[Key]]
    segment_of: dict[int, str]
    fingerprint: str
    span: tuple[float, float]


def _read(
    archive: conn_log.Archive,
    tracker: Tracking,
    labelling: Labelling,
    pools: Pools,
    columns: Sequence[str],
) -> _Read:
    digest = hashlib.sha256()
    none = repack_fields(np.zeros(0, conn_log.ROW)[list(columns)])
    kept = [(none, np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))]
    others: set[int] = set()
    unlabelled: dict[int, Counter[Key]] = defaultdict(Counter)
    segment_of: dict[int, str] = {}
    until, named = archive.names.reader(), NameList(tracker.names)
    first, last = np.inf, -np.inf
    for rows in archive.rows():
        batch = archive.sessions(rows)
        first, last = min(first, float(batch.ts[0])), float(batch.ts[-1])
        digest.update(batch.ts.tobytes() + batch.dport.tobytes())
        digest.update("\n".join([*batch.host, *batch.dst]).encode())
        answers = until(float(batch.ts[-1]))
        parts = [
            (part.slot, part.to.address_pool, part.to.pool, named.places(part.to.name))
            for part in tracker.track(batch, answers)
        ]
        slot, pool, named_pool, name = map(np.concatenate, zip(*parts, strict=True))
        if batch.segment is not None:
            for number, segment in zip(slot.tolist(), batch.segment, strict=True):
                if segment:
                    segment_of.setdefault(number, segment)
        keep = labelling.possibly(rows, slot, tracker.identity)
        others.update(np.unique(slot[~keep]).tolist())
        columns_of_others = (rows["dport"][~keep], named_pool[~keep], pools.table)
        more = pairs(slot[~keep], *columns_of_others, name[~keep], named.texts)
        for number, of_host in more.items():
            unlabelled[number].update(of_host)
        kept.append((repack_fields(rows[list(columns)][keep]), slot[keep], pool[keep], name[keep]))
    rows, slot, pool, name = map(np.concatenate, zip(*kept, strict=True))
    return _Read(
        rows,
        slot,
        pool,
        name,
        named.texts,
        others,
        unlabelled,
        segment_of,
        digest.hexdigest(),
        (first, last),
    )
