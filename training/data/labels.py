"""Labels: the device of each host, from a CSV file that a person wrote."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nba_broker.records.addresses import canonical, canonical_mac
from nba_broker.records.errors import NBAError
from nba_broker.records.times import parse_time
from nba_broker.verdicts.annotation_file import Annotation

REQUIRED = ("host", "device")
OPTIONAL = ("category", "since", "until", "log", "unit")

UNKNOWN = "unknown"
"""The category of a device without one in any row or annotation."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
# A name must fit into the 256 bytes of a log line, with "=0.12".
_LONGEST = 200


class LabelsError(NBAError):
    """Unusable labels; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Label:
    """One row: ``host`` (MAC or IP) is ``device`` from ``since`` until before ``until``.

    ``log`` limits the row to conn logs of that file name, "" means all; ``unit`` tells several
    units of one device apart. Times are seconds since the epoch.
    """

    host: str
    device: str
    category: str
    since: float = -math.inf
    until: float = math.inf
    log: str = ""
    unit: str = ""

    def overlaps(self, other: Label) -> bool:
        """Whether both rows can match the same session."""
        return (
            self.host == other.host
            and self.since < other.until
            and other.since < self.until
            and (not self.log or not other.log or self.log == other.log)
        )


def read(paths: Iterable[Path]) -> list[Label]:
    """All rows of the files, in order; raises LabelsError at the first unusable one.

    A row without a category gets that of other rows of its device, or UNKNOWN.
    """
    labels: list[Label] = []
    where: list[str] = []
    of_host: dict[str, list[int]] = defaultdict(list)
    category_of: dict[str, tuple[str, str]] = {}  # with file and line
    for path in paths:
        for line, row in _rows(path):
            place = f"{path}:{line}"
            label = _label(row, place)
            for known in of_host[label.host]:
                if label.overlaps(labels[known]):
                    kind = "again" if label.device == labels[known].device else "as another device"
                    raise LabelsError(f"{place}: labels {label.host} {kind}, after {where[known]}")
            if label.category:
                category, first = category_of.setdefault(label.device, (label.category, place))
                if category != label.category:
                    raise LabelsError(
                        f"{place}: {label.device} has category {label.category!r}, "
                        f"but {category!r} at {first}"
                    )
            of_host[label.host].append(len(labels))
            labels.append(label)
            where.append(place)
    none = (UNKNOWN, "")
    return [
        one if one.category else replace(one, category=category_of.get(one.device, none)[0])
        for one in labels
    ]


def annotated(
    labels: Sequence[Label], annotations: Iterable[Annotation]
) -> tuple[list[Label], list[Annotation]]:
    """The labels together with annotations, and the annotations that cannot be used.

    From its ``at`` on, an annotation has precedence over labels and earlier annotations. Without
    any of these it applies to all sessions of its host: an analyst looked at the host's behaviour,
    and the archive is older than the annotation.
    """
    rows = list(labels)
    category_of = {row.device: row.category for row in rows}
    unused = []
    for one in sorted(annotations, key=lambda one: one.at):
        if one.action != "label":
            continue
        category = category_of.get(one.device) or one.category or UNKNOWN
        host = one.mac or (one.host if one.one_address else "")
        if not host:
            unused.append(one)
            continue
        category_of[one.device] = category
        known = [row for row in rows if row.host == host]
        if any(row.device == one.device and row.until == math.inf for row in known):
            continue
        before = [row for row in known if row.since < one.at] if one.at else []
        rows = [row for row in rows if row.host != host]
        rows += [replace(row, until=min(row.until, one.at)) for row in before]
        since = one.at if before else -math.inf
        rows.append(Label(host, one.device, category, since=since))
    return rows, unused


def _rows(path: Path) -> Iterable[tuple[int, Mapping[str, str]]]:
    """Each row with its line number; the file has at least one."""
    try:
        text = _text(path.read_bytes())
        # The separator of a spreadsheet depends on its language.
        separator = max(",;\t", key=text.partition("\n")[0].count)
        lines = io.StringIO(text, newline="")
        reader = csv.DictReader(lines, delimiter=separator, strict=True)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in REQUIRED if name not in reader.fieldnames]
        if missing:
            raise LabelsError(
                f"{path}:1: no column {', '.join(missing)}; the first line must name "
                f"{','.join(REQUIRED)}[,{'][,'.join(OPTIONAL)}]"
            )
        for name in reader.fieldnames:
            _check_column(name, f"{path}:1")
        empty = True
        for row in reader:
            if None in row or None in row.values():
                raise LabelsError(
                    f"{path}:{reader.line_num}: the number of fields differs from the first line"
                )
            empty = False
            yield reader.line_num, {name: value.strip() for name, value in row.items()}
        if empty:
            raise LabelsError(f"{path}:1: no labels below the first line")
    except OSError as error:
        raise LabelsError(f"{path}: {error.strerror or error}") from error
    except (UnicodeError, csv.Error) as error:
        raise LabelsError(f"{path}: not a CSV file in UTF-8 ({error})") from error


def _check_column(name: str, place: str) -> None:
    """Other columns are for people, but a misspelt one would be left out without a word. Raises
    LabelsError for a name that resembles a known one."""
    known = (*REQUIRED, *OPTIONAL)
    meant = difflib.get_close_matches(name, known, 1, 0.75)
    if meant and name not in known:
        raise LabelsError(f"{place}: unknown column {name!r}; is it {meant[0]!r}?")


def _text(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, as spreadsheets write it."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def _label(row: Mapping[str, str], place: str) -> Label:
    device, category = row["device"], row.get("category", "")
    if not device:
        raise LabelsError(f"{place}: no device; name one, or delete the row")
    for name, text in (("device", device), ("category", category)):
        if not text.isprintable() or len(text.encode()) > _LONGEST:
            raise LabelsError(f"{place}: {name} {text!r} is too long or not printable")
    times = {"since": -math.inf, "until": math.inf}
    for name in times:
        if text := row.get(name, ""):
            try:
                times[name] = parse_time(text)
            except ValueError as error:
                raise LabelsError(f"{place}: {name} {error}") from None
    if times["since"] >= times["until"]:
        raise LabelsError(f"{place}: since is not before until")
    return Label(
        host=_host(row["host"], place),
        device=device,
        category=category,
        log=row.get("log", ""),
        unit=row.get("unit", ""),
        **times,
    )


def _host(text: str, place: str) -> str:
    """A MAC in lower case or an address as Zeek prints it."""
    mac = canonical_mac(text)
    if _MAC.fullmatch(mac):
        return mac
    try:
        return canonical(text)[0]
    except (OSError, ValueError):
        raise LabelsError(f"{place}: host {text!r} is neither a MAC nor an IP address") from None


def devices_of(labels: Sequence[Label]) -> dict[str, str]:
    """The device of each labelled host, without hosts that were several devices in turn: these
    belong to no single group."""
    devices: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        devices[label.host].add(label.device)
    return {host: min(own) for host, own in devices.items() if len(own) == 1}
