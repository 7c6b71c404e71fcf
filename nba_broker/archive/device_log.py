"""nba_device.log, written as Zeek would, and shown as a readable table."""

from __future__ import annotations

import csv
import ipaddress
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from nba_broker.records.segments import Hosts
from nba_broker.records.sessions import segment_name
from nba_broker.records.verdicts import Row, Verdict

_TIMES = ("ts", "since", "first_seen")
_TEXTS = ("alternatives", "evidence", "uids")  # never unset
_TYPES = (
    dict.fromkeys(_TIMES, "time")
    | dict.fromkeys(_TEXTS, "vector[string]")
    | {"host": "addr", "confidence": "double", "sessions": "count", "similar_host": "addr"}
    | {"evidence_dst": "vector[addr]", "evidence_port": "vector[port]"}
    | {"evidence_ts": "vector[time]", "evidence_sessions": "vector[count]"}
    | dict.fromkeys(("evidence_proto", "evidence_pool", "evidence_org"), "vector[string]")
    | dict.fromkeys(("evidence_weight", "evidence_surprise"), "vector[double]")
    | {"alternative_device": "vector[string]", "alternative_confidence": "vector[double]"}
    | {"hints": "vector[string]"}
)
COLUMNS = {f.name: _TYPES.get(f.name, "string") for f in fields(Row)}
"""The log's columns in order, each with its Zeek type."""

# What stands alone in Zeek's escaping: a backslash and the separators around the value.
_SPECIAL = re.compile(r"([\\\t])")
_SPECIAL_IN_VECTOR = re.compile(r"([\\\t,])")

_TABLE = (
    "host",
    "mac",
    "hostname",
    "vlan",
    "site",
    "state",
    "device",
    "category",
    "confidence",
    "hint_kind",
    "hint_maker",
    "sessions",
    "since",
)


class Writer:
    """Writes verdicts to a log file; a context manager, because the last line is ``#close``.

    Unset columns, "-" in TSV and left out in JSON, are the empty strings, and the empty vectors
    but for alternatives, evidence and uids. Raises OSError.
    """

    def __init__(self, path: str | Path, form: Literal["tsv", "json"] = "tsv") -> None:
        self._json = form == "json"
        self._file = open(path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        if not self._json:
            self._file.write(
                "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
                f"#path\tnba_device\n#open\t{_now()}\n"
                + "\t".join(["#fields", *COLUMNS])
                + "\n"
                + "\t".join(["#types", *COLUMNS.values()])
                + "\n"
            )

    def write(self, verdict: Verdict) -> None:
        """Append one verdict."""
        self.write_row(verdict.row())

    def write_row(self, row: Row) -> None:
        """Append one verdict that is a row already."""
        self._file.write((_json_line if self._json else _tsv_line)(row) + "\n")

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._json and kind is None:
            self._file.write(f"#close\t{_now()}\n")
        self._file.close()


def _now() -> str:
    return time.strftime("%Y-%m-%d-%H-%M-%S")


def _is_unset(name: str, value: object) -> bool:
    return value == "" or (value == () and name not in _TEXTS)


def _tsv_line(row: Row) -> str:
    return "\t".join(
        "-" if _is_unset(name, value) else _tsv_value(COLUMNS[name], value, _SPECIAL)
        for name, value in row.items()
    )


def _tsv_value(kind: str, value: Any, special: re.Pattern[str]) -> str:
    if kind.startswith("vector["):
        inner = kind[7:-1]
        return ",".join(_tsv_value(inner, item, _SPECIAL_IN_VECTOR) for item in value) or "(empty)"
    if kind == "time":
        return f"{value:.6f}"
    if kind == "double":
        return _tsv_double(value)
    if kind in ("count", "port"):
        return str(value)
    return _tsv_text(value, special)


def _tsv_double(value: float) -> str:
    """A double as Zeek prints it: six decimals without trailing zeros, ``1.0`` for an integer."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text + ".0" if abs(value - round(value)) < 1e-9 else text


def _tsv_text(text: str, special: re.Pattern[str]) -> str:
    if not text:
        return "(empty)"
    if text in ("-", "(empty)"):
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    parts = special.split(text)
    # Every second part is a special character; Zeek escapes the stretches between on their own.
    parts[::2] = [_printable(part, "") for part in parts[::2]]
    parts[1::2] = ["\\\\" if part == "\\" else f"\\x{ord(part):02x}" for part in parts[1::2]]
    return "".join(parts)


def _printable(text: str, controls: str) -> str:
    """UTF-8 stays as it is unless there is a control character: then all but ASCII is escaped.

    ``controls`` are the control characters that do no harm.
    """
    if all(char in controls or (char >= " " and char != "\x7f") for char in text):
        return text.encode("utf-8", "replace").decode()
    return "".join(char if " " <= char <= "~" or char in controls else _hex(char) for char in text)


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "replace"))


def _json_line(row: Row) -> str:
    return (
        "{"
        + ",".join(
            f'"{name}":{_json_value(COLUMNS[name], value)}'
            for name, value in row.items()
            if not _is_unset(name, value)
        )
        + "}"
    )


def _json_value(kind: str, value: Any) -> str:
    if kind.startswith("vector["):
        return "[" + ",".join(_json_value(kind[7:-1], item) for item in value) + "]"
    if kind in ("time", "double"):
        return str(np.format_float_positional(value, trim="0"))
    if kind in ("count", "port"):
        return str(value)
    return json.dumps(_printable(value, "\b\f\n\r\t"), ensure_ascii=False)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The latest verdict of each host as aligned text, one line each under a line of titles.

    ``rows`` are a log's rows as dictionaries, in any order; unset columns may be missing.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    hosts = Hosts()
    for row in rows:
        segment = segment_name(row.get("site") or "", row.get("vlan") or "")
        key = row.get("mac") or hosts.of(row["host"], segment, row.get("first_seen") or 0.0)
        if key not in latest or latest[key]["ts"] <= row["ts"]:
            # How sure one is of the nearest device, where none is named, misleads at a glance.
            latest[key] = row if row.get("device") else {**row, "confidence": ""}
    lines = [[name.replace("_", " ").upper() for name in _TABLE]]
    ordered = sorted(
        latest.values(),
        key=lambda row: (order(row["host"]), row.get("site") or "", row.get("vlan") or ""),
    )
    lines += [[_cell(name, row.get(name, "")) for name in _TABLE] for row in ordered]
    # A column that says nothing only makes the lines long.
    shown = [at for at in range(len(_TABLE)) if len(lines) == 1 or any(x[at] for x in lines[1:])]
    widths = {at: max(len(line[at]) for line in lines) for at in shown}
    return "\n".join(
        "  ".join(line[at].ljust(widths[at]) for at in shown).rstrip() for line in lines
    )


def show(verdicts: Sequence[Verdict], form: Literal["table", "csv", "json"]) -> None:
    """Print verdicts: as a readable table, as CSV with all columns, or as the log's JSON."""
    rows = [verdict.row() for verdict in verdicts]
    if form == "table":
        print(table([dict(row.items()) for row in rows]))
    elif form == "json":
        for row in rows:
            print(_in_charset(_json_line(row), sys.stdout.encoding))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(_csv_value(COLUMNS[name], value) for name, value in row.items())


def _in_charset(line: str, charset: str) -> str:
    """A line of JSON, with its own escapes for what the character set lacks."""
    try:
        line.encode(charset)
    except UnicodeEncodeError:
        return re.sub("[^\0-\x7f]+", lambda found: json.dumps(found[0])[1:-1], line)
    return line


def _csv_value(kind: str, value: Any) -> str:
    if kind.startswith("vector["):
        return "; ".join(map(str, value))
    # A spreadsheet takes what begins so for a formula, and host names come from the network.
    text = f"{value:.6f}" if kind == "time" else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def order(text: str) -> tuple[int, int, str]:
    """What to sort addresses by."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return (9, 0, text)
    return (address.version, int(address), text)


def _cell(name: str, value: Any) -> str:
    if value == "":
        return ""
    if name in _TIMES:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if name == "confidence":
        return f"{value:.2f}"
    # Host names come from the network: nothing in them may reach the terminal's control.
    return "".join(char if char.isprintable() else "?" for char in str(value))
