"""Counts what became of the rows of an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Report:
    """What became of an archive's rows.

    files: those that were read as conn logs. rows: the sum of ``sessions``, ``skipped`` (do not
    parse), ``not_hosts`` (the originator is no local host), ``outside`` (of the span from ``since``
    to ``until``) and ``repeated`` (the archive has the session already). others: rows of other
    logs beside them, by name. skipped_in: skipped rows by file. errors: a line for each bad file;
    warnings: a line for each oddity.
    """

    files: int = 0
    rows: int = 0
    sessions: int = 0
    skipped: int = 0
    not_hosts: int = 0
    outside: int = 0
    repeated: int = 0
    others: dict[str, int] = field(default_factory=dict)
    skipped_in: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def more(self) -> str:
        """The rare counts, as the end of a summary line; "" if all are 0."""
        repeated = f", {self.repeated} repeated" if self.repeated else ""
        outside = f", {self.outside} outside --since and --until" if self.outside else ""
        others = sum(self.others.values())
        return repeated + outside + (f", {others} rows of other logs" if others else "")

    def leave_out(self, log: str, number: int) -> None:
        """Count sessions of a log as skipped after all."""
        self.sessions -= number
        self.skipped += number
        self.skipped_in[log] = self.skipped_in.get(log, 0) + number

    def add(self, other: Report) -> None:
        """Add the counts and lines of further rows."""
        self.files += other.files
        self.rows += other.rows
        self.sessions += other.sessions
        self.skipped += other.skipped
        self.not_hosts += other.not_hosts
        self.outside += other.outside
        self.repeated += other.repeated
        for mine, more in ((self.others, other.others), (self.skipped_in, other.skipped_in)):
            for name, number in more.items():
                mine[name] = mine.get(name, 0) + number
        self.errors += other.errors
        self.warnings += other.warnings


def failure(path: str | Path, error: Exception) -> str:
    """One line about a file that cannot be read."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{'standard input' if str(path) == '-' else path}: {text}"
