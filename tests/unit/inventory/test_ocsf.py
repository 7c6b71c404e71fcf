"""Events follow the published OCSF schema, and say what the verdict says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.cli.main import main
from nba_broker.hosts import hint_table
from nba_broker.inventory import ocsf
from nba_broker.records.evidence import (
    AlarmSum,
    Attended,
    NamedByAnalyst,
    NamedDestinations,
    Surprising,
    WindowExtent,
)
from nba_broker.records.hints import Hint
from nba_broker.records.verdicts import STATES, Verdict
from nba_broker.verdicts import state_evidence
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, MAC, host, sessions
from tests.unit.inventory.verdicts import verdict

INVENTORY, FINDING = 5001, 2004
ALERTS = {"changed", "misbehaving", "impostor"}
NOW = 1_800_000_000.25


@cache
def schema() -> OcsfJsonSchemaEmbedded:
    """The schema that was published, as the package ocsf-json-schema carries it."""
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))


@cache
def validator(class_uid: int) -> jsonschema.Draft202012Validator:
    name = schema().lookup_class_name_from_uid(class_uid=class_uid)
    return jsonschema.Draft202012Validator(schema().get_class_schema(class_name=name))


def complaints(event: Mapping[str, Any]) -> list[str]:
    return [error.message for error in validator(event["class_uid"]).iter_errors(event)]


def events(one: Verdict) -> list[ocsf.Event]:
    """As a reader of the printed JSON has them."""
    return [json.loads(json.dumps(event)) for event in ocsf.events(one, NOW)]


def test_the_schema_refuses_an_event_that_lacks_something_or_has_something_unknown() -> None:
    (event,) = events(verdict())
    assert complaints(event) == []
    for required in ("device", "metadata", "severity_id", "time", "type_uid"):
        assert complaints({name: event[name] for name in event if name != required})
    assert complaints(event | {"surprise": 1})
    assert complaints(event | {"time": 1.5})
    assert complaints(event | {"device": event["device"] | {"type_id": 16}})


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_an_inventory_and_an_alert_is_a_finding_too(state: str) -> None:
    found = events(verdict(state=state, previous="Ring_Doorbell"))
    classes = [INVENTORY, FINDING] if state in ALERTS else [INVENTORY]
    assert [event["class_uid"] for event in found] == classes
    for event in found:
        assert complaints(event) == []
        assert event["type_uid"] == 100 * event["class_uid"] + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["unmapped"]["state"] == state


def test_the_inventory_says_what_is_known_of_the_host_and_leaves_out_what_is_not() -> None:
    (event,) = events(verdict(vlan="20", site="Hamburg", category="camera"))
    assert event["device"] == {
        "type_id": 7,
        "type": "IOT",
        "uid": "02:00:00:00:00:01",
        "ip": "10.0.0.2",
        "mac": "02:00:00:00:00:01",
        "hostname": "cam",
        "mac_vendor": "Maker Ltd",
        "model": "Tenvis_Cam",
        "vlan_uid": "20",
        "zone": "Hamburg",
        "first_seen_time": 1_561_793_000_000,
        "last_seen_time": 1_561_793_774_743,
    }
    assert event["time"] == 1_800_000_000_250
    bare = dict.fromkeys(("mac", "hostname", "vendor", "device", "category"), "")
    (event,) = events(verdict(vlan="20", site="Hamburg", **bare))
    assert complaints(event) == []
    assert event["device"]["uid"] == "10.0.0.2%Hamburg/20"
    assert event["device"]["type"] == "Unknown"
    assert not bare.keys() & event["device"].keys()


def test_a_finding_keeps_its_uid_and_its_time_while_the_state_lasts() -> None:
    found = [
        events(verdict(state="misbehaving", since=since, ts=ts))[1]
        for since, ts in ((100.0, 110.0), (100.0, 900.0), (800.0, 900.0))
    ]
    uids = [event["finding_info"]["uid"] for event in found]
    assert uids[0] == uids[1] != uids[2]
    assert [event["time"] for event in found] == [100_000, 100_000, 800_000]


ATTENDED = Attended(
    "2.0.0.7", 443, "tcp", "as:2", "Amazon", 100.0, "C1", name="fw.ring.com", sessions=3, weight=0.5
)
EVIDENCE = (NamedByAnalyst("Ring_Doorbell"), ATTENDED, WindowExtent(8, 50.0))


def test_a_finding_has_the_evidence_as_text_and_as_data() -> None:
    goes = NamedDestinations(("time.example",))
    inventory, finding = events(verdict(state="impostor", evidence=(*EVIDENCE, goes)))
    assert complaints(finding) == []
    assert finding["evidences"] == [
        {"name": "NamedByAnalyst", "data": {"device": "Ring_Doorbell"}},
        {
            "name": "Attended",
            "dst_endpoint": {"ip": "2.0.0.7", "port": 443, "hostname": "fw.ring.com"},
            "connection_info": {"uid": "C1", "protocol_name": "tcp", "direction_id": 0},
            "data": {
                "pool": "as:2",
                "organisation": "Amazon",
                "ts": 100.0,
                "sessions": 3,
                "weight": 0.5,
            },
        },
        {"name": "WindowExtent", "data": {"sessions": 8, "since": 50.0}},
    ]
    texts = "; ".join(one.text for one in EVIDENCE)
    assert finding["finding_info"]["desc"] == f"{finding['message']}; {texts}"
    assert "evidences" not in inventory


def test_a_finding_without_known_evidence_has_none() -> None:
    _, finding = events(verdict(state="changed", evidence=(NamedDestinations(("a.example",)),)))
    assert complaints(finding) == []
    assert "evidences" not in finding
    assert finding["finding_info"]["desc"] == finding["message"]


def test_every_state_with_a_finding_has_its_evidence_kept() -> None:
    assert {STATES[state] for state in state_evidence.KEPT} == ALERTS


def test_a_hint_gives_the_type_and_the_maker_of_a_host_without_a_device() -> None:
    hint = Hint(maker="HP", kind="printer")
    (event,) = events(verdict(state="unknown", device="", category="", hint=hint))
    assert (event["device"]["type"], event["device"]["vendor_name"]) == ("IOT", "HP")
    (event,) = events(verdict(category="camera", hint=Hint(kind="tablet")))
    assert event["device"]["type"] == "IOT"


def is_iot(kind: str) -> bool:
    """Of a kind that hints give."""
    if kind in ("", "router", "access-point", "nas", hint_table.NON_IOT):
        return False
    of = hint_table.table().kind_of[kind]
    return not of or is_iot(of)


def test_every_kind_of_the_hints_has_a_type_whose_caption_is_the_schemas() -> None:
    device = get_ocsf_schema(version=ocsf.VERSION)["objects"]["device"]
    captions = {
        int(n): one["caption"] for n, one in device["attributes"]["type_id"]["enum"].items()
    }
    for kind in ["", *hint_table.table().kind_of]:
        (event,) = events(verdict(category=kind))
        number, caption = event["device"]["type_id"], event["device"]["type"]
        assert caption == (kind if captions[number] == "Other" else captions[number])
        assert (caption == "IOT") is is_iot(kind)


text = st.text(max_size=12)
number = st.floats(0, 4e9)
destination = (
    st.ip_addresses().map(str),
    st.integers(0, 65535),
    text,
    text,
    text,
    number,
    text,
)
evidence = st.one_of(
    st.builds(Attended, *destination, name=text, sessions=st.integers(0, 64), weight=number),
    st.builds(Surprising, *destination, name=text, surprise=number),
    st.builds(AlarmSum, st.integers(0, 99), number, number),
    st.builds(WindowExtent, st.integers(0, 99), number),
    st.builds(NamedByAnalyst, text),
    st.builds(NamedDestinations, st.tuples(text)),
)


@given(
    st.builds(
        lambda **changes: dataclasses.replace(verdict(), **changes),
        state=st.sampled_from(STATES),
        host=st.ip_addresses().map(str),
        mac=st.sampled_from(["", "02:00:00:00:00:01"]),
        previous=text,
        hostname=text,
        vendor=text,
        device=text,
        category=text,
        vlan=text,
        site=text,
        confidence=st.floats(0, 1),
        since=st.floats(0, 4e9),
        evidence=st.lists(evidence, max_size=4).map(tuple),
    )
)
def test_whatever_a_host_calls_itself_its_events_follow_the_schema(one: Verdict) -> None:
    for event in events(one):
        assert complaints(event) == []


def test_hosts_prints_an_event_a_line(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", "--state", str(state), "--format", "ocsf"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["device"]["ip"] for event in printed] == ["192.168.1.7", "192.168.1.9"]
    for event in printed:
        assert complaints(event) == []


def test_a_host_that_misbehaves_is_printed_with_the_evidence_that_the_log_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = build_pipeline(config.load(None, {}, {}), worker="w")
    made.annotate([Annotation(5.0, MAC.format(7), "label", "Hall_Lamp", "bulb")])
    begin, day = 1_600_000_000, 86_400
    odd = [
        (begin + 4 * day + n / 10, "192.168.1.7", MAC.format(7), f"9.0.{n // 250}.{n % 250}")
        for n in range(600)
    ]
    own = host(7, times=list(range(begin, begin + 5 * day, 1200)), dst=LAMP_CLOUD)
    lines = made.process(sessions(sorted(own + odd)))
    snapshot_file.write(tmp_path / "hosts.snapshot", snapshot.parts(made, {}))
    assert main(["hosts", "--state", str(tmp_path), "--format", "ocsf"]) == 0
    _, finding = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert complaints(finding) == []
    (logged,) = [one.row() for one in lines if one.state == "misbehaving" and one.ts == one.since]
    shown = [one["dst_endpoint"]["ip"] for one in finding["evidences"] if "dst_endpoint" in one]
    uids = [one["connection_info"]["uid"] for one in finding["evidences"] if "dst_endpoint" in one]
    assert (tuple(shown), tuple(uids)) == (logged.evidence_dst, logged.uids)
    assert len(shown) == 3
    assert all(text in finding["finding_info"]["desc"] for text in logged.evidence)
