"""Verdicts as events of the Open Cybersecurity Schema Framework (OCSF, https://schema.ocsf.io).

A host is a Device Inventory Info (class 5001). A host that needs attention is a Detection Finding
(class 2004) too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from nba_broker import __version__
from nba_broker.records.evidence import Destination, Evidence, NamedDestinations
from nba_broker.records.segments import zoned
from nba_broker.records.sessions import segment_name
from nba_broker.records.verdicts import Verdict

VERSION = "1.8.0"
"""The version of the schema that events follow."""

Event = dict[str, Any]

_INVENTORY, _FINDING = 5001, 2004
_COLLECT, _CREATE = 2, 1  # activity_id of the one and the other
_INFORMATIONAL, _MEDIUM, _HIGH = 1, 3, 4
_BEHAVIORAL = 2  # type_id of an analytic
_NEW = 1  # status_id of a finding

# The states of a host that Zeek raises a notice for, whatever the host's age: severity, notice,
# title. An impostor is worse, since an analyst had said what the host is.
_ALERTS = {
    "changed": (_MEDIUM, "NBA::Changed_Device", "A host behaves as another device than before"),
    "misbehaving": (_MEDIUM, "NBA::Misbehaving_Device", "A host behaves unusually"),
    "impostor": (_HIGH, "NBA::Impostor_Device", "A host is not the device that it was named"),
}

# Kinds that the schema has a type for, and those that are no IoT devices; all others are IOT.
_UNKNOWN, _IOT, _OTHER = 0, 7, 99
_TYPES = {
    "": (_UNKNOWN, "Unknown"),
    "tablet": (4, "Tablet"),
    "router": (12, "Router"),
} | dict.fromkeys(("mobile", "phone", "watch"), (5, "Mobile"))
_TYPES |= {kind: (_OTHER, kind) for kind in ("access-point", "nas", "non-iot", "pc")}

# Fields of a destination that the schema has attributes for.
_ENDPOINT = {"address": "ip", "port": "port", "name": "hostname"}
_CONNECTION = {"transport": "protocol_name", "uid": "uid"}

# What the schema has no attribute for, by the names of the log's columns.
_UNMAPPED = ("state", "previous", "category", "confidence", "sessions", "hints", "worker")


def events(verdict: Verdict, now: float) -> Iterator[Event]:
    """The events of one host: its inventory, then a finding if its state is an alert.

    ``now`` is the time of the inventory, in seconds since the epoch. A finding has the time at
    which the state began, and the same ``finding_info.uid`` as long as the state lasts.
    """
    device = _device(verdict)
    yield _event(_INVENTORY, _COLLECT, _INFORMATIONAL, now, verdict) | {
        "device": device,
        "message": f"{_name(verdict)} is {_state(verdict)}",
    }
    if verdict.state in _ALERTS:
        yield _finding(verdict) | {"device": device}


def _finding(verdict: Verdict) -> Event:
    severity, notice, title = _ALERTS[verdict.state]
    before = f"; it was {verdict.previous} before" if verdict.previous else ""
    message = f"{_name(verdict)} is {_state(verdict)}{before}"
    since = _milliseconds(verdict.since)
    # Where a host goes today is no evidence of a state that began before.
    why = [one for one in verdict.evidence if not isinstance(one, NamedDestinations)]
    event = _event(_FINDING, _CREATE, severity, verdict.since, verdict) | {
        "message": message,
        "is_alert": True,
        "status_id": _NEW,
        "finding_info": {
            "uid": f"{_uid(verdict)} {verdict.state} {since}",
            "title": title,
            "desc": "; ".join([message, *(one.text for one in why)]),
            "analytic": {"name": notice, "type_id": _BEHAVIORAL, "version": verdict.model},
            "first_seen_time": since,
            "last_seen_time": _milliseconds(verdict.ts),
        },
    }
    return event | ({"evidences": [_artifact(one) for one in why]} if why else {})


def _artifact(evidence: Evidence) -> Event:
    """A piece of evidence: an end of a connection by the schema's names, all else by ours."""
    values = {name: value for name, value in asdict(evidence).items() if value != ""}

    def taken(names: Mapping[str, str]) -> Event:
        return {theirs: values.pop(ours) for ours, theirs in names.items() if ours in values}

    artifact: Event = {"name": type(evidence).__name__, "data": values}
    if isinstance(evidence, Destination):
        artifact["dst_endpoint"] = taken(_ENDPOINT)
        artifact["connection_info"] = {"direction_id": _UNKNOWN} | taken(_CONNECTION)
    return artifact


def _event(kind: int, activity: int, severity: int, time: float, verdict: Verdict) -> Event:
    """What every event has."""
    row = dict(verdict.row().items())
    return {
        "activity_id": activity,
        "category_uid": kind // 1000,
        "class_uid": kind,
        "type_uid": 100 * kind + activity,
        "severity_id": severity,
        "time": _milliseconds(time),
        "metadata": {
            "version": VERSION,
            "product": {"name": "nba-broker", "vendor_name": "zeek-nba", "version": __version__},
            "log_name": "nba_device",
        },
        "unmapped": {name: row[name] for name in _UNMAPPED if row[name]},
    }


def _device(verdict: Verdict) -> Event:
    type_id, caption = _type(verdict.category or verdict.hint.kind)
    attributes = {
        "uid": _uid(verdict),
        "ip": verdict.host,
        "mac": verdict.mac,
        "hostname": verdict.hostname,
        "mac_vendor": verdict.vendor,
        "vendor_name": verdict.hint.maker,
        "model": verdict.device,
        "vlan_uid": verdict.vlan,
        "zone": verdict.site,
        "first_seen_time": _milliseconds(verdict.first_seen),
        "last_seen_time": _milliseconds(verdict.ts),
    }
    given = {name: value for name, value in attributes.items() if value}
    return {"type_id": type_id, "type": caption} | given


def _type(kind: str) -> tuple[int, str]:
    return _TYPES.get(kind, (_IOT, "IOT"))


def _uid(verdict: Verdict) -> str:
    """The MAC, or else the address with its segment: what the host is counted by."""
    return verdict.mac or zoned(verdict.host, segment_name(verdict.site, verdict.vlan))


def _name(verdict: Verdict) -> str:
    return f"{verdict.host} {verdict.hostname}".rstrip()


def _state(verdict: Verdict) -> str:
    return f"{verdict.state} {verdict.device}".rstrip()


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
