"""Reads what only an archive has of a session: addresses, volumes, durations and DNS queries.

This is for comparisons: some baselines need more than the start of a session, which is all that the
shipped model sees.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nba_broker.archive import json_lines, log_rows, log_values, parquet, zeek_log
from nba_broker.archive.elsewhere import Each
from nba_broker.archive.external_sort import MEMORY
from nba_broker.archive.log_columns import flat, kind
from nba_broker.archive.tsv_blocks import named
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ArchiveError
from nba_broker.records.uids import shown
from training.data.dataset import Origin, load_rows
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label

_VOLUMES = ("orig_ip_bytes", "resp_ip_bytes")
_PAYLOADS = ("orig_bytes", "resp_bytes")
_PACKETS = ("orig_pkts", "resp_pkts")
_NUMBERS = ("ts", "duration", *_VOLUMES, *_PAYLOADS, *_PACKETS)
_COLUMNS = ("uid", "_path", *_NUMBERS)


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Labelled sessions with the rest of their conn.log rows and their DNS queries.

    All columns are [n], parallel to ``sessions``. host, dst: int32 into ``addresses``. log: int32
    into ``logs``, the conn logs' names. duration in seconds, size in bytes (IP headers
    included if the log has them), packets: float64, 0 if the log has none. queries:
    ``session`` (number), ``query``. answers: ``session``, ``ts``, ``query``, ``address``, a row per
    address in a DNS answer.
    """

    sessions: LabelledSessions
    host: np.ndarray
    dst: np.ndarray
    log: np.ndarray
    addresses: np.ndarray
    logs: tuple[str, ...]
    duration: np.ndarray
    size: np.ndarray
    packets: np.ndarray
    queries: pd.DataFrame
    answers: pd.DataFrame

    def __len__(self) -> int:
        return len(self.sessions)


def load(
    paths: Sequence[str | Path],
    labels: Sequence[Label],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    memory: int = MEMORY,
    each: Each | None = None,
) -> tuple[Traffic, Origin]:
    """Read as training.data.dataset does, then read the same files again for the other columns.

    Raises ArchiveError when there is no labelled session.
    """
    sessions, origin, archive, rows = load_rows(
        paths, labels, pools, since=since, until=until, memory=memory, each=each
    )
    uid = shown(rows["uid"]).astype("U")
    volumes = _volumes(archive.paths, rows["log"], sessions.ts, uid)
    queries, answers = _dns(archive.dns_logs, uid)
    traffic = Traffic(
        sessions=sessions,
        host=rows["host"],
        dst=rows["dst"],
        log=rows["log"],
        addresses=archive.addresses,
        logs=archive.logs,
        duration=volumes["duration"].to_numpy(),
        size=volumes["size"].to_numpy(),
        packets=volumes["packets"].to_numpy(),
        queries=queries,
        answers=answers,
    )
    return traffic, origin


def _volumes(
    conn_logs: Sequence[str | Path], log: np.ndarray, ts: np.ndarray, uid: np.ndarray
) -> pd.DataFrame:
    """``duration``, ``size`` and ``packets`` of each session, matched by log, time and uid."""
    keys = ["log", "at", "uid"]
    wanted = pd.DataFrame({"log": log, "at": _at(ts), "uid": uid})
    parts = []
    for number in np.unique(log).tolist():
        for frame in _conn_rows(conn_logs[number]):
            size = frame[list(_VOLUMES)].sum(axis=1)
            parts.append(
                pd.DataFrame(
                    {
                        "log": number,
                        "at": _at(frame["ts"].fillna(-1).to_numpy()),
                        "uid": frame["uid"].astype(str),
                        "duration": frame["duration"].fillna(0.0),
                        "size": size.where(size > 0, frame[list(_PAYLOADS)].sum(axis=1)),
                        "packets": frame[list(_PACKETS)].sum(axis=1),
                    }
                )
            )
    known = pd.concat(parts).drop_duplicates(keys)
    return wanted.merge(known, on=keys, how="left").fillna({"duration": 0, "size": 0, "packets": 0})


def _at(ts: np.ndarray) -> np.ndarray:
    """Times as whole microseconds, the resolution of Zeek."""
    return np.rint(ts * 1e6).astype(np.int64)


def _conn_rows(path: str | Path) -> Iterator[pd.DataFrame]:
    """``uid`` and the number columns of a conn log, NaN where unset or absent.

    An unreadable part ends the file, as in nba_broker.archive.conn_log, which has warned about it.
    """
    try:
        for frame in _frames(path):
            frame["ts"] = log_values.times(frame["ts"])[0]
            for name in _NUMBERS[1:]:
                frame[name] = pd.to_numeric(
                    frame.get(name, pd.Series(np.nan, frame.index)), errors="coerce"
                )
            yield frame
    except (ArchiveError, OSError):
        return


def _frames(path: str | Path) -> Iterator[pd.DataFrame]:
    if parquet.is_parquet(path):
        for table in parquet.batches(path, {*_COLUMNS}):
            yield _of_conn(table.to_pandas().reindex(columns=list(_COLUMNS)))
        return
    for _, stream in zeek_log.streams(path):
        for header, body in zeek_log.segments(stream):
            if not header.fields:
                yield _of_conn(_json(body))
            elif not header.path or kind(header.path) == "conn":
                yield _of_conn(_tsv(named(header), body))


def _of_conn(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a conn log, when rows name their log: rows of other logs have the same uids."""
    if "_path" not in frame:
        return frame
    path = frame["_path"].fillna("conn").astype(str)
    return frame[path.map(kind) == "conn"].copy()


def _tsv(header: zeek_log.Header, body: bytes) -> pd.DataFrame:
    separator = header.separator.decode("latin-1")
    return pd.read_csv(
        io.BytesIO(body),
        sep=separator,
        header=None,
        names=list(header.fields),
        usecols=[name for name in header.fields if name in _COLUMNS],
        dtype={"uid": str},
        na_values={name: header.unset_field.decode("latin-1") for name in _NUMBERS},
        keep_default_na=False,
        quoting=3,
        encoding_errors="replace",
        on_bad_lines="skip",
        low_memory=False,
    )


def _json(body: bytes) -> pd.DataFrame:
    rows = [flat(row) for row in json_lines.rows(body) if row is not None]
    return pd.DataFrame(
        [{name: row.get(name) for name in _COLUMNS} for row in rows], columns=list(_COLUMNS)
    )


def _dns(paths: Iterable[str | Path], uid: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """DNS queries, and answers with an address, of these sessions, by the uid in dns.log."""
    session_of = {name: number for number, name in enumerate(uid.tolist()) if name}
    queries: list[tuple[int, str]] = []
    answers: list[tuple[int, float, str, str]] = []
    for path in paths:
        try:
            rows = log_rows.read(path, "dns")
        except (ArchiveError, OSError):
            continue
        times, _ = log_values.times(row.get("ts") for row in rows)
        for row, ts in zip(rows, times.tolist(), strict=True):
            session, query = session_of.get(str(row.get("uid"))), str(row.get("query", ""))
            if session is None or not query:
                continue
            queries.append((session, query))
            # An alias or a text never equals a destination, so all answers may stay.
            answers += [
                (session, ts, query, answer) for answer in log_rows.texts(row.get("answers"))
            ]
    return (
        pd.DataFrame(queries, columns=["session", "query"]),
        pd.DataFrame(answers, columns=["session", "ts", "query", "address"]),
    )
