"""Proposes labels for the hosts of an archive, for a person to correct.

Hosts of one group get one name, so that one correction labels many.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from nba_broker.hosts.hint_table import NON_IOT, table
from nba_broker.records.announcements import MODEL_KEYS
from nba_broker.records.errors import ArchiveError
from training.data.announced import by_frequency
from training.data.hosts import Found, Host
from training.data.labels import UNKNOWN

COLUMNS = ("host", "device", "category", "group", "evidence")

ENOUGH = 60
"""Sessions that one host of a group needs: training sets its last 15 % apart, and a model needs 8
of them."""

_NO_NAME = frozenset({"", "localhost", "none", "null", "unknown"})
_LONGEST = 60  # characters of a proposed name


def labels_file(found: Found) -> tuple[str, list[str]]:
    """The text of a labels file for a person to edit, and lines to print about it. The category of
    a device is that which the hints say, else unknown.

    Raises ArchiveError when no group has enough sessions.
    """
    members = found.members()
    kept = [
        number
        for number in sorted(members)
        if max(one.sessions for one in members[number]) >= ENOUGH
    ]
    if not kept:
        raise ArchiveError(
            f"the archive has no host with the {ENOUGH} sessions that training needs"
        )
    names = _distinct([proposed_name(members[number]) for number in kept])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, (number, name) in enumerate(zip(kept, names, strict=True), 1):
        category = proposed_category(members[number])
        for one in members[number]:
            writer.writerow((one.host, name, category, place, evidence(one, found.mostly[number])))
    hosts = sum(len(members[number]) for number in kept)
    lines = [f"{hosts} hosts in {len(kept)} groups of similar behaviour"]
    if left := len(found.hosts) - hosts:
        lines.append(f"left out: {left} hosts of groups without a host of {ENOUGH} sessions")
    lines += [
        "edit device and category; all hosts of a group have the same proposed name",
        "delete the rows that you cannot name: fit learns every name in the file",
    ]
    return text.getvalue(), lines


def evidence(host: Host, mostly: str) -> str:
    """The evidence for a row, for a person to read."""
    parts = [
        f"vendor {host.vendor}" if host.vendor else "",
        f"hostname {host.hostname}" if host.hostname else "",
        f"mDNS {', '.join((*host.models, *host.names)[:4])}" if host.models or host.names else "",
        f"hint {host.hint.text}" if host.hint.says_more else "",
        f"{host.address} {host.sessions} sessions {_day(host.first)} to {_day(host.last)}",
        f"group mostly {mostly}",
    ]
    return "; ".join("".join(c if c.isprintable() else "?" for c in part) for part in parts if part)


def _day(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")


def proposed_name(hosts: Sequence[Host]) -> str:
    """A name for the device of these hosts: the most frequent one of the best kind of evidence that
    any of them has."""
    for proposals in (
        [_model(one) for one in hosts],
        [_without_mac(one.hostname, one.host) for one in hosts],
        [_without_mac(one.names[0], one.host) for one in hosts if one.names],
        [f"{one.hint.maker} {one.hint.kind}" for one in hosts if one.hint.maker and one.hint.kind],
        [one.vendor for one in hosts],
    ):
        counted = Counter(name for name in map(_plain, proposals) if name.lower() not in _NO_NAME)
        if counted:
            return by_frequency(counted)[0]
    return "Device"


def proposed_category(hosts: Sequence[Host]) -> str:
    """The category of these hosts: the kind that all their hints say, else UNKNOWN."""
    kinds = {one.hint.kind for one in hosts} - {""}
    if len(kinds) != 1:
        return UNKNOWN
    *_, general = chain = table().kinds(kinds.pop())
    return general if general == NON_IOT else chain[0]


def _model(host: Host) -> str:
    pairs = [text.partition("=") for text in host.models]
    return next((value for key, _, value in pairs if key.lower() in MODEL_KEYS), "")


def _without_mac(name: str, host: str) -> str:
    """A name without digits of the host's own MAC, which differ between units."""
    digits = host.replace(":", "")
    words = re.split(r"[^0-9A-Za-z]+", name)
    return "_".join(word for word in words if len(word) < 4 or word.lower() not in digits)


def _plain(text: str) -> str:
    """Letters, digits and underscores, which log lines, file names and spreadsheets all accept."""
    return re.sub(r"[^0-9A-Za-z]+", "_", text)[:_LONGEST].strip("_")


def _distinct(names: Sequence[str]) -> list[str]:
    """The same names, numbered when several groups have the same."""
    times, met = Counter(names), Counter[str]()
    distinct = []
    for name in names:
        met[name] += 1
        distinct.append(f"{name}_{met[name]}" if times[name] > 1 else name)
    return distinct
