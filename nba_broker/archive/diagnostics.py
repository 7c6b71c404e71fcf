"""Collects the values of one file that are invalid, and words them as errors and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# A file with more invalid rows than the first share is an error. Up to the second share, they are
# no more than damage here and there, which needs no warning.
_UNUSABLE, _ODDITIES = 0.5, 0.01

_NO_LEASE = "the leases are not known"
CONSEQUENCES = {
    "id.resp_p": "services are unknown",
    "proto": "services are unknown",
    "local_orig": "local hosts are known by their addresses alone",
    "orig_l2_addr": "hosts have no MACs",
    "mac": _NO_LEASE,
    "assigned_addr": _NO_LEASE,
    "ts": _NO_LEASE,
}


class Diagnostics:
    """Rows of one file with an invalid value, by column, and an example of each.

    rows: all rows of the file; skipped: those that are left out. consequences: by column, what
    follows from an invalid value.
    """

    def __init__(self, consequences: Mapping[str, str] = CONSEQUENCES) -> None:
        self._consequences = consequences
        self.rows = self.skipped = 0
        self._lost: dict[str, tuple[int, str]] = {}
        self._invalid: dict[str, tuple[int, str]] = {}
        self._absent: dict[str, tuple[int, str]] = {}
        self._units: set[float] = set()

    def lose(self, column: str, rows: int, value: str) -> None:
        """Count rows that are left out for their value of a column."""
        self._note(self._lost, column, rows, value)

    def miss(self, column: str, rows: int, value: str, is_there: bool = True) -> None:
        """Count rows that are read without their value of a column: it is invalid, or the file has
        no such column (not ``is_there``), which is never an error."""
        self._note(self._invalid if is_there else self._absent, column, rows, value)

    @staticmethod
    def _note(noted: dict[str, tuple[int, str]], column: str, rows: int, value: str) -> None:
        if rows:
            number, first = noted.get(column, (0, ""))
            noted[column] = number + rows, first or value

    def unit(self, unit: float) -> None:
        """Note the unit that the times of some rows have, see log_values.in_seconds."""
        self._units.add(unit)

    def errors(self) -> Iterator[str]:
        """What makes the result for this file wrong."""
        if self._are_many(self.skipped):
            yield self._left_out("cannot be used")
        for column, (number, value) in self._invalid.items():
            if self._are_many(number):
                yield f"{_found(column, value)}, so {self._consequences[column]}"
        if len(self._units - {0.0}) > 1:
            yield (
                "the times in column ts change their unit within the file, so the result may be "
                "wrong; split it into files with one unit each"
            )

    def warnings(self) -> Iterator[str]:
        """What is odd about a file that can be used."""
        if self._are_some(self.skipped):
            yield self._left_out("are left out")
        for column in self._absent:
            yield f"there is no column {column}, so {self._consequences[column]}"
        for column, (number, value) in self._invalid.items():
            if self._are_some(number):
                consequence = self._consequences[column]
                yield f"in {number} of {self.rows} rows: {_found(column, value)}, so {consequence}"

    def _are_many(self, rows: int) -> bool:
        return rows > _UNUSABLE * self.rows

    def _are_some(self, rows: int) -> bool:
        return rows > max(1, _ODDITIES * self.rows) and not self._are_many(rows)

    def _left_out(self, what: str) -> str:
        rows = f"{self.skipped} of {self.rows} rows {what}"
        if not self._lost:
            return f"{rows}: they do not have the header's fields, or are not JSON"
        column, (_, value) = max(self._lost.items(), key=lambda item: item[1][0])
        return f"{rows}: {_found(column, value)}"


def _found(column: str, value: str) -> str:
    value = value if len(value) <= 60 else f"{value[:57]}..."
    problem = f"its value {value!r} is not understood" if value else "it is empty"
    return f"column {column}: {problem}"
