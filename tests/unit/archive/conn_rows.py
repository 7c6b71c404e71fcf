"""Rows of a conn log as files in every form, and the sessions that are read from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from nba_broker.archive import conn_log
from nba_broker.records.ports import port_name
from nba_broker.records.sessions import Sessions

Rows = list[dict[str, Any]]

MAC = "02:00:00:00:00:01"
FIELDS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"),
    *("conn_state", "local_orig", "orig_l2_addr"),
)


def row(ts: float | str = 1.5, host: str = "10.0.0.2", **more: Any) -> dict[str, Any]:
    values = dict(zip(FIELDS, (ts, "CUid1", host, 4000, "8.8.8.8", 53), strict=False))
    values |= {"proto": "udp", "conn_state": "SF", "local_orig": True, "orig_l2_addr": MAC}
    values |= {name.replace("__", "."): value for name, value in more.items()}
    return {name: value for name, value in values.items() if value is not None}


def tsv(
    rows: list[dict[str, Any]],
    fields: tuple[str, ...] = FIELDS,
    separator: str = "\t",
    unset: str = "-",
    path: str = "conn",
) -> bytes:
    def text(value: Any) -> str:
        if value is None:
            return unset
        if isinstance(value, bool):
            return "T" if value else "F"
        return f"{value:.6f}" if isinstance(value, float) else str(value)

    name = "".join(f"\\x{byte:02x}" for byte in separator.encode())
    lines = [f"#separator {name}"]
    lines += [f"#{key}{separator}{value}" for key, value in (("set_separator", ","),)]
    lines += [f"#empty_field{separator}(empty)", f"#unset_field{separator}{unset}"]
    lines += [f"#path{separator}{path}", f"#open{separator}2026-01-01-00-00-00"]
    lines += [separator.join(("#fields", *fields))]
    lines += [separator.join(("#types", *("string" for _ in fields)))]
    lines += [separator.join(text(r.get(name)) for name in fields) for r in rows]
    return ("\n".join([*lines, f"#close{separator}2026-01-01-01-00-00"]) + "\n").encode()


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def save(folder: Path, content: bytes, name: str = "conn.log") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sessions(*paths: str | Path, **options: Any) -> list[tuple[Any, ...]]:
    return flat(conn_log.read(paths, **options).batches())


def flat(batches: Any) -> list[tuple[Any, ...]]:
    def columns(batch: Sessions) -> Any:
        ports = [port_name(code) for code in batch.dport]
        return zip(batch.ts, batch.host, batch.uid, batch.mac, batch.dst, ports, strict=True)

    return [one for batch in batches for one in columns(batch)]


def times(archive: conn_log.Archive) -> list[float]:
    return [one[0] for one in flat(archive.batches())]


ONE = [(1.5, "10.0.0.2", "CUid1", MAC, "8.8.8.8", "53/udp")]


def micro(ts: float) -> int:
    return round(ts * 1e6)


TIMES: dict[str, Callable[[list[float]], pa.Array]] = {
    "double": lambda ts: pa.array(ts, pa.float64()),
    "milliseconds": lambda ts: pa.array([round(one * 1e3) for one in ts], pa.int64()),
    "timestamp[us, UTC]": lambda ts: pa.array(map(micro, ts), pa.timestamp("us", "UTC")),
    "timestamp[us]": lambda ts: pa.array(map(micro, ts), pa.timestamp("us")),
    # As pandas makes them of doubles: off by some nanoseconds.
    "timestamp[ns]": lambda ts: pa.array([micro(t) * 1000 - 200 for t in ts], pa.timestamp("ns")),
    "text": lambda ts: pa.array([datetime.fromtimestamp(one, UTC).isoformat() for one in ts]),
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "dots": lambda name: name,
    "underscores": lambda name: name.replace(".", "_"),
}


def lake(rows: Rows, times: str = "double", spelling: str = "dots") -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name in FIELDS:
        values = [one.get(name) for one in rows]
        columns[SPELLINGS[spelling](name)] = TIMES[times](values) if name == "ts" else values
    return pa.table(columns)


def keep(folder: Path, table: pa.Table, name: str = "part-0.parquet", **options: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, **options)
    return path
