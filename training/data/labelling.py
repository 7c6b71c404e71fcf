"""Which label each session of an archive has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.recfunctions import repack_fields

from nba_broker.archive.conn_log import Archive, Report
from nba_broker.archive.elsewhere import Each
from nba_broker.hosts.identity import Identity
from nba_broker.records.macs import is_mac
from nba_broker.records.segments import bare
from nba_broker.records.times import print_second
from training.data.labels import Label

_LOOKED_AT = ["ts", "host", "log"]  # beside the host's slot
_AT_ONCE = 16_384  # sessions
_NAMED = 3  # hosts in a message


class Labelling:
    """Finds the label of each session: a row of a MAC has precedence over one of an address, a
    later row over an earlier one."""

    def __init__(self, labels: Sequence[Label], archive: Archive) -> None:
        self._labels = labels
        self._logs = archive.logs
        code = {address: code for code, address in enumerate(archive.addresses.tolist())}
        self._code = {one.host: code.get(one.host, -1) for one in labels if not is_mac(one.host)}
        self._macs = {one.host for one in labels if is_mac(one.host)}

    def possibly(self, rows: np.ndarray, slot: np.ndarray, identity: Identity) -> np.ndarray:
        """Whether these sessions may have a label once the archive is read, bool [n]: the MAC of a
        host without one may follow, and be a labelled one."""
        slots, place = np.unique(slot, return_inverse=True)
        labelled = {number for mac in self._macs for number in identity.slots_of(mac)}
        by_mac = np.array(
            [number in labelled or not identity.mac(number) for number in slots.tolist()], bool
        )[place]
        keep: np.ndarray = by_mac | np.isin(rows["host"], list(self._code.values()))
        return keep

    def series(
        self, rows: np.ndarray, slot: np.ndarray, identity: Identity, each: Each
    ) -> np.ndarray:
        """The label of each session, int64 [n], -1 for none, once the archive is read."""
        rules = []
        for number, label in enumerate(self._labels):
            by_mac = is_mac(label.host)
            codes = identity.slots_of(label.host) if by_mac else [self._code[label.host]]
            logs = [place for place, name in enumerate(self._logs) if name == label.log]
            rules.append(
                _Rule(number, by_mac, codes, label.since, label.until, logs if label.log else None)
            )
        rules.sort(key=lambda rule: rule.by_mac)
        looked_at = rows[_LOOKED_AT]
        parts = (
            (repack_fields(looked_at[at : at + _AT_ONCE]), slot[at : at + _AT_ONCE])
            for at in range(0, len(rows), _AT_ONCE)
        )
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *each(partial(_labelled, rules), parts)])


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the labels in numbers: ``hosts`` are slots, or an address of the archive, ``logs``
    are indices into its list of logs."""

    number: int
    by_mac: bool
    hosts: list[int]
    since: float
    until: float
    logs: list[int] | None


def _labelled(rules: Sequence[_Rule], sessions: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The number of the last rule that matches each session, int64 [n], -1 for none; ``sessions``
    are rows and slots."""
    rows, slot = sessions
    series = np.full(len(slot), -1)
    for rule in rules:
        matches = np.isin(slot if rule.by_mac else rows["host"], rule.hosts)
        matches &= (rows["ts"] >= rule.since) & (rows["ts"] < rule.until)
        if rule.logs is not None:
            matches &= np.isin(rows["log"], rule.logs)
        series[matches] = rule.number
    return series


def split_by_segment(
    labels: Sequence[Label], series: np.ndarray, slot: np.ndarray, segment_of: dict[int, str]
) -> list[Label]:
    """Give each host with a labelled address in several segments of the network a series of its
    own, in place; returns the labels of the added series."""
    more: list[Label] = []
    for number, label in enumerate(labels):
        if not segment_of or is_mac(label.host):
            continue
        rows = np.flatnonzero(series == number)
        hosts, place = np.unique(slot[rows], return_inverse=True)
        segments = [segment_of.get(host, "") for host in hosts.tolist()]
        for segment in sorted(set(segments))[1:]:
            of_host = np.array([one == segment for one in segments], bool)
            series[rows[of_host[place]]] = len(labels) + len(more)
            more.append(label)
    return more


def absent(labels: Sequence[Label], series: np.ndarray) -> list[str]:
    """A warning when some labels match no session."""
    occurring = np.zeros(len(labels), bool)
    occurring[series[series >= 0]] = True
    missing = [
        f"{one.host} ({one.device})"
        for one, is_in in zip(labels, occurring, strict=True)
        if not is_in
    ]
    if not missing:
        return []
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return [f"labels without sessions in the archive: {', '.join(missing[:5])}{more}"]


def unmatched(
    labels: Sequence[Label],
    report: Report,
    span: tuple[float, float],
    hosts: Sequence[tuple[str, str]],
) -> str:
    """Why no session has a label: what the archive has, and what the labels name.

    span: the times of the archive's first and last session. hosts: the MAC, or else the address,
    and the latest address of each of its hosts.
    """
    what = "the archive has no session of a labelled host"
    if not report.sessions:
        if report.outside:
            return f"{what}: its {report.outside} sessions are outside --since and --until"
        return f"{what}: none of its {report.rows} rows is a session of a local host"
    known = {name for pair in hosts for name in (*pair, bare(pair[1]))}
    nearest = sorted(labels, key=lambda one: one.host not in known)
    first, last = map(print_second, span)
    found = [name if name == at else f"{name} ({at})" for name, at in hosts]
    return (
        f"{what}: its {report.sessions} sessions from {first} to {last} are of {_some(found)}; the "
        f"labels name {_some(list(dict.fromkeys(map(_extent, nearest))))}"
    )


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return f"{', '.join(texts[:_NAMED])}{more}"


def _extent(label: Label) -> str:
    """The host of a label, with the times and the log that the label is limited to."""
    since = f" from {print_second(label.since)}" if label.since > -math.inf else ""
    until = f" until {print_second(label.until)}" if label.until < math.inf else ""
    return f"{label.host}{since}{until}{f' in {label.log}' if label.log else ''}"
