"""nba_device.log, written as Zeek would, and shown as a readable table."""

from __future__ import annotations

import csv
import ipaddress
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nba_broker.archive.log_writer import Form, Log, LogWriter, json_line
from nba_broker.records.evidence import NamedDestinations, brief_name
from nba_broker.records.segments import Hosts
from nba_broker.records.sessions import segment_name
from nba_broker.records.verdicts import Row, SessionCount, Verdict

_TIMES = ("ts", "since", "first_seen")
_TEXTS = ("alternatives", "evidence", "uids")  # never unset
_TYPES = (
    dict.fromkeys(_TIMES, "time")
    | dict.fromkeys(_TEXTS, "vector[string]")
    | {"host": "addr", "confidence": "double", "sessions": "count", "similar_host": "addr"}
    | {"evidence_dst": "vector[addr]", "evidence_port": "vector[port]"}
    | {"evidence_ts": "vector[time]", "evidence_sessions": "vector[count]"}
    | dict.fromkeys(
        ("evidence_proto", "evidence_pool", "evidence_org", "evidence_name"), "vector[string]"
    )
    | dict.fromkeys(("evidence_weight", "evidence_surprise"), "vector[double]")
    | {"alternative_device": "vector[string]", "alternative_confidence": "vector[double]"}
    | {"hints": "vector[string]", "alternative_possible": "vector[bool]"}
)
COLUMNS = {f.name: _TYPES.get(f.name, "string") for f in fields(Row)}
"""The log's columns in order, each with its Zeek type."""

LOG = Log("nba_device", COLUMNS, frozenset(_TEXTS))

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
    "goes to",
)


class Writer(LogWriter):
    """Writes verdicts to a log file. Raises OSError."""

    def __init__(self, path: str | Path, form: Form = "tsv") -> None:
        super().__init__(path, LOG, form)

    def write(self, verdict: Verdict) -> None:
        """Append one verdict."""
        self.write_row(verdict.row())

    def write_row(self, row: Row) -> None:
        """Append one verdict that is a row already."""
        self.write_cells(row.items())


def table(rows: Iterable[Mapping[str, Any]], counts: Iterable[SessionCount] = ()) -> str:
    """The latest verdict of each host as aligned text, one line each under a line of titles.

    ``rows`` are a log's rows as dictionaries, in any order; unset columns may be missing. ``goes
    to`` may be among them: names, as text. ``counts``: sessions of hosts until now; those of the
    latest verdict are counted until that.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    hosts = Hosts()

    def host_of(row: Mapping[str, Any]) -> str:
        segment = segment_name(row.get("site") or "", row.get("vlan") or "")
        first_seen = round(row.get("first_seen") or 0.0, 6)  # as a log has it
        return row.get("mac") or hosts.of(row["host"], segment, first_seen)

    for row in rows:
        key = host_of(row)
        if key not in latest or latest[key]["ts"] <= row["ts"]:
            # How sure one is of the nearest device, where none is named, misleads at a glance.
            latest[key] = row if row.get("device") else {**row, "confidence": ""}
    for count in counts:
        known = count._asdict()
        if (key := host_of(known)) in latest:
            latest[key] = {**latest[key], "sessions": count.sessions}
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
        goes = [_goes_to(verdict) for verdict in verdicts]
        shown = zip(rows, goes, strict=True)
        print(table([dict(row.items()) | {"goes to": names} for row, names in shown]))
    elif form == "json":
        for row in rows:
            print(_in_charset(json_line(LOG, row.items()), sys.stdout.encoding))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(_csv_value(COLUMNS[name], value) for name, value in row.items())


def _goes_to(verdict: Verdict) -> str:
    """The names to which a host goes."""
    found = [one for one in verdict.evidence if isinstance(one, NamedDestinations)]
    return ", ".join(brief_name(name) for one in found for name in one.names)


def _in_charset(line: str, charset: str) -> str:
    """A line of JSON, with its own escapes for what the character set lacks."""
    try:
        line.encode(charset)
    except UnicodeEncodeError:
        return re.sub("[^\0-\x7f]+", lambda found: json.dumps(found[0])[1:-1], line)
    return line


def _csv_value(kind: str, value: Any) -> str:
    # A spreadsheet takes what begins so for a formula, and names come from the network.
    if kind.startswith("vector["):
        text = "; ".join(map(str, value))
    else:
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
