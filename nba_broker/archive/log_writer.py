"""Rows of a log of ours, written as Zeek would write them: in TSV or JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

Form = Literal["tsv", "json"]

Cells = Iterable[tuple[str, object]]
"""A row: the names of its columns with their values, in order."""

# What stands alone in Zeek's escaping: a backslash and the separators around the value.
_SPECIAL = re.compile(r"([\\\t])")
_SPECIAL_IN_VECTOR = re.compile(r"([\\\t,])")


@dataclass(frozen=True, slots=True)
class Log:
    """A log: its name, its columns in order, each with its Zeek type, and the vectors among them
    that are never unset."""

    name: str
    columns: Mapping[str, str]
    never_unset: frozenset[str]

    def is_unset(self, column: str, value: object) -> bool:
        """Whether a value is unset, "-" in TSV and left out in JSON: an empty string or vector."""
        return value == "" or (value == () and column not in self.never_unset)


class LogWriter:
    """Writes rows to a log file; a context manager, because the last line of TSV is ``#close``.

    Raises OSError.
    """

    def __init__(self, path: str | Path, log: Log, form: Form = "tsv") -> None:
        self._log = log
        self._line = json_line if form == "json" else _tsv_line
        self._is_tsv = form == "tsv"
        self._file = open(path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        if self._is_tsv:
            self._file.write(
                "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
                f"#path\t{log.name}\n#open\t{_now()}\n"
                + "\t".join(["#fields", *log.columns])
                + "\n"
                + "\t".join(["#types", *log.columns.values()])
                + "\n"
            )

    def write_cells(self, row: Cells) -> None:
        """Append one row."""
        self._file.write(self._line(self._log, row) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_tsv and kind is None:
            self._file.write(f"#close\t{_now()}\n")
        self._file.close()


def json_line(log: Log, row: Cells) -> str:
    """A row as one line of JSON."""
    return (
        "{"
        + ",".join(
            f'"{name}":{_json_value(log.columns[name], value)}'
            for name, value in row
            if not log.is_unset(name, value)
        )
        + "}"
    )


def _now() -> str:
    return time.strftime("%Y-%m-%d-%H-%M-%S")


def _tsv_line(log: Log, row: Cells) -> str:
    return "\t".join(
        "-" if log.is_unset(name, value) else _tsv_value(log.columns[name], value, _SPECIAL)
        for name, value in row
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
    if kind == "bool":
        return "T" if value else "F"
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


def _json_value(kind: str, value: Any) -> str:
    if kind.startswith("vector["):
        return "[" + ",".join(_json_value(kind[7:-1], item) for item in value) + "]"
    if kind in ("time", "double"):
        return str(np.format_float_positional(value, trim="0"))
    if kind in ("count", "port"):
        return str(value)
    if kind == "bool":
        return "true" if value else "false"
    return json.dumps(_printable(value, "\b\f\n\r\t"), ensure_ascii=False)
