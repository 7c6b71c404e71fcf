"""Units start; dashboards, alert rules and index templates name only what a real log has."""

from __future__ import annotations

import configparser
import copy
import ipaddress
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from nba_broker.archive import zeek_log
from nba_broker.cli.main import main, parser
from nba_broker.model.drift import LEAST
from nba_broker.model.scorer import Scorer
from nba_broker.records.site_events import KINDS
from nba_broker.records.site_events import STATES as SITE_STATES
from nba_broker.records.verdicts import REASONS, STATES
from nba_broker.verdicts.shadow import Shadow
from nba_broker.wire.connection import Link
from nba_broker.worker.metrics import TimedScorer, WorkerCollector
from nba_broker.worker.worker import Worker
from tests.unit import ingest
from tests.unit.helpers import ROOT, columns, pipeline
from tests.unit.ingest import Document

PACKAGING = ROOT / "packaging"
LOGS = {"nba_device": "DeviceInfo", "nba_site": "SiteInfo", "nba_stats": "StatsInfo"}
ZEEK_TYPES = {
    "time": "date",
    "addr": "ip",
    "string": "keyword",
    "double": "double",
    "interval": "double",
    "count": "long",
    "vector of string": "keyword",
    "vector of addr": "ip",
    "vector of port": "long",
    "vector of time": "date",
    "vector of count": "long",
    "vector of double": "double",
    "vector of bool": "boolean",
}
TEMPLATE = {  # of a composable index template, as far as ours goes
    "type": "object",
    "required": ["index_patterns", "data_stream", "priority", "template"],
    "additionalProperties": False,
    "properties": {
        "index_patterns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "data_stream": {"type": "object", "maxProperties": 0},
        # Above the one that Elasticsearch has for logs-*-*.
        "priority": {"type": "integer", "exclusiveMinimum": 100},
        "_meta": {"type": "object"},
        "template": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "settings": {"type": "object"},
                "mappings": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "dynamic_templates": {"type": "array"},
                        "properties": {"$ref": "#/$defs/fields"},
                    },
                },
            },
        },
    },
    "$defs": {
        "fields": {"type": "object", "additionalProperties": {"$ref": "#/$defs/field"}},
        "field": {
            "type": "object",
            "oneOf": [{"required": ["type"]}, {"required": ["properties"]}],
            "additionalProperties": False,
            "properties": {
                "properties": {"$ref": "#/$defs/fields"},
                "type": {"enum": ["boolean", "date", "double", "ip", "keyword", "long", "text"]},
                "ignore_above": {"type": "integer"},
                "index": {"type": "boolean"},
                "doc_values": {"type": "boolean"},
            },
        },
    },
}
# What ECS 8.11 allows in event.type for the categories that occur.
ECS_TYPES = {
    "host": {"access", "change", "end", "info", "start"},
    "intrusion_detection": {"allowed", "denied", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
}
ECS_KINDS = {"alert", "event", "metric", "pipeline_error"}


UNIT = "nba-broker.service"
PARTITION = "nba-broker@.service.d/partition.conf"


def installed(folder: Path) -> Path:
    """The worker's unit, as itself and as that of partitions, with a program that is there."""
    for name, source in {UNIT: UNIT, "nba-broker@.service": UNIT, PARTITION: PARTITION}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        text = (PACKAGING / source).read_text()
        path.write_text(text.replace("/opt/nba/bin/nba-broker", sys.executable))
    return folder


def verify(folder: Path, unit: str) -> str:
    """What systemd has to say of a unit."""
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(
        [systemd, "verify", folder / unit],
        capture_output=True,
        text=True,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:"},
        check=False,
    )
    return done.stderr


def test_systemd_has_nothing_to_say_of_the_units_unless_they_are_spoilt(tmp_path: Path) -> None:
    folder = installed(tmp_path)
    assert verify(folder, UNIT) == verify(folder, "nba-broker@1.service") == ""
    for name in (UNIT, PARTITION):
        path = folder / name
        path.write_text(path.read_text().replace("StateDirectory=nba", "StateFolder=nba"))
    assert "StateFolder" in verify(folder, UNIT)
    assert "StateFolder" in verify(folder, "nba-broker@1.service")


def test_each_partition_is_a_service_with_its_number_and_a_state_folder_of_its_own() -> None:
    found = {}
    for name in (UNIT, PARTITION):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(PACKAGING / name)
        service = unit["Service"]
        line = service["ExecStart"].replace("%i", "7").replace("${STATE_DIRECTORY}", "S")
        arguments = parser().parse_args(shlex.split(line)[1:])
        assert (arguments.command, arguments.state) == ("run", "S")
        found[name] = arguments.partition, service["StateDirectory"]
    assert found == {UNIT: (None, "nba"), PARTITION: ("7", "nba%i")}


def load(path: str) -> Any:
    return json.loads((PACKAGING / path).read_text())


def mapping(log: str) -> dict[str, str]:
    """Field types by dotted names."""
    fields = load(f"opensearch/{log}.index-template.json")["template"]["mappings"]["properties"]

    def flat(fields: Document, prefix: str) -> Iterator[tuple[str, str]]:
        for name, field in fields.items():
            if "properties" in field:
                yield from flat(field["properties"], f"{prefix}{name}.")
            else:
                yield prefix + name, field["type"]

    return dict(flat(fields, ""))


def ingested(log: str, line: Document, **shipped: Any) -> Document:
    """A log line as a shipper sends it, after the pipeline."""
    document = {"@timestamp": ingest.NOW, "message": json.dumps(line), **shipped}
    return ingest.run(load(f"opensearch/{log}.pipeline.json"), document)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """nba_device.log of the embedded sample, in JSON."""
    out = tmp_path_factory.mktemp("scored")
    assert main(["score", str(ROOT / "models/sample"), "--format", "json", "--out", str(out)]) == 0
    return list(zeek_log.rows(out / "nba_device.log"))


def test_the_first_lines_of_the_readme_have_a_line_of_the_sample(lines: list[Document]) -> None:
    text = (ROOT / "README.md").read_text()
    shown = json.loads(" ".join(text[text.index("{") : text.index("}") + 1].split()))
    assert shown in [{name: line[name] for name in shown if name in line} for line in lines]


def device_line(**changes: Any) -> Document:
    """A line with every column set."""
    return {
        "ts": 1767571434.258788,
        "host": "192.168.77.20",
        "mac": "02:4e:42:41:01:0a",
        "hostname": "door",
        "vendor": "Maker",
        "state": "identified",
        "previous": "learning",
        "device": "Door_Bell",
        "category": "doorbell",
        "confidence": 0.97,
        "alternatives": ["Lamp=0.02"],
        "sessions": 16,
        "since": 1767571434.258788,
        "first_seen": 1767571259.131119,
        "reason": "change",
        "evidence": ["52.0.123.153 443/tcp as:16509"],
        "uids": ["CqdTfxFRzZ3uUGI8T9", "CaPLYMxqMHVI3gtxwX"],
        "model": "default-33407097",
        "worker": "sensor-1",
        "vlan": "20",
        "site": "Hamburg",
        "evidence_dst": ["52.0.123.153"],
        "evidence_port": [443],
        "evidence_proto": ["tcp"],
        "evidence_pool": ["as:16509"],
        "evidence_org": ["Amazon.com, Inc."],
        "evidence_ts": [1767571430.0],
        "evidence_sessions": [3],
        "evidence_weight": [0.6],
        "evidence_surprise": [9.5],
        "alternative_device": ["Lamp"],
        "alternative_confidence": [0.02],
        "similar_host": "192.168.77.21",
        "evidence_name": ["fw.ring.com"],
        "hints": ["doorbell? Maker", "OUI Maker"],
        "hint_maker": "Maker",
        "hint_kind": "doorbell",
        "alternative_possible": [True],
    } | changes


def stats_line() -> Document:
    """A row with every column set, as none is in reality."""
    samples = {"time": 1767571434.25, "string": "x", "count": 7, "interval": 0.25}
    return {name: samples[kind] for name, kind in columns("StatsInfo").items()}


def site_line(**changes: Any) -> Document:
    """A line with every column set."""
    return {
        "ts": 1767571434.258788,
        "kind": "dns",
        "state": "begun",
        "since": 1767571380.0,
        "hosts": 7,
        "watched": 9,
        "where": "192.168.77.1 53/udp",
        "examples": ["192.168.77.20", "192.168.77.21"],
        "worker": "sensor-1",
    } | changes


# A line of each log, with every column set.
LINES = {"nba_device": device_line, "nba_site": site_line, "nba_stats": stats_line}


def fits(kind: str, value: Any) -> bool:
    """Whether OpenSearch would take the value for a field of that type."""
    if isinstance(value, list):
        return all(fits(kind, item) for item in value)
    try:
        if kind == "ip":
            ipaddress.ip_address(value)
        elif kind == "date":
            datetime.fromisoformat(value)
        elif kind == "boolean":
            return isinstance(value, bool)
        elif kind in ("long", "double"):
            return isinstance(value, int if kind == "long" else float | int)
        else:
            return isinstance(value, str)
    except (TypeError, ValueError):
        return False
    return True


def misfits(document: Document, fields: dict[str, str]) -> set[str]:
    """The names of values that have no field, or one of another type."""
    return {
        name
        for name, value in ingest.leaves(document).items()
        if name not in fields or not fits(fields[name], value)
    }


@pytest.mark.parametrize("log", LOGS)
def test_an_index_template_is_one_and_a_spoilt_one_is_not(log: str) -> None:
    template = load(f"opensearch/{log}.index-template.json")
    jsonschema.validate(template, TEMPLATE)
    assert template["template"]["settings"]["index.default_pipeline"] == log
    template["template"]["mappings"]["properties"]["@timestamp"]["type"] = "dat"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(template, TEMPLATE)


@pytest.mark.parametrize("log", LOGS)
def test_an_index_template_has_every_column_of_the_log_with_its_type(log: str) -> None:
    expected = {
        f"zeek.{log}.{name}": "text" if name == "evidence" else ZEEK_TYPES[kind]
        for name, kind in columns(LOGS[log]).items()
    }
    found = {name: kind for name, kind in mapping(log).items() if name.startswith(f"zeek.{log}.")}
    assert list(found.items()) == list(expected.items())


def test_every_line_of_a_real_run_becomes_a_document_that_fits(lines: list[Document]) -> None:
    assert {line["state"] for line in lines} >= {"learning", "identified", "unknown"}
    fields = mapping("nba_device")
    for line in lines:
        document = ingested("nba_device", line)
        assert misfits(document, fields) == set()
        assert document["event"]["kind"] == "event"
        assert document["event"]["original"] == json.dumps(line)
        for name, value in line.items():
            if name not in ("ts", "since", "first_seen", "evidence_ts"):
                assert document["zeek"]["nba_device"][name] == value


def test_a_value_without_a_field_or_of_another_type_is_found() -> None:
    document = ingested("nba_device", device_line(sessions="many", surprise=1))
    assert misfits(document, mapping("nba_device")) == {
        "zeek.nba_device.sessions",
        "zeek.nba_device.surprise",
    }


def test_a_line_of_the_device_log_in_the_common_schema() -> None:
    shipper = {"host": {"name": "zeek-manager", "ip": ["10.0.0.1"]}}
    document = ingested("nba_device", device_line(), **shipper)
    assert misfits(document, mapping("nba_device")) == set()
    expected = {
        "@timestamp": "2026-01-05T00:03:54.258Z",
        "event.created": ingest.NOW,
        "event.start": "2026-01-05T00:03:54.258Z",
        "event.action": "device-identified",
        "event.reason": "change",
        "event.category": ["host"],
        "event.type": ["change"],
        "host.id": "02-4E-42-41-01-0A",
        "host.mac": ["02-4E-42-41-01-0A"],
        "host.ip": ["192.168.77.20"],
        "host.name": "door",
        "host.hostname": "door",
        "host.type": "doorbell",
        "device.model.name": "Door_Bell",
        "device.manufacturer": "Maker",
        "observer.hostname": "zeek-manager",
        "observer.name": "sensor-1",
        "related.ip": ["192.168.77.20"],
        "related.hosts": ["door"],
        "zeek.session_id": ["CqdTfxFRzZ3uUGI8T9", "CaPLYMxqMHVI3gtxwX"],
        "message": "192.168.77.20 door: learning -> identified Door_Bell",
    }
    found = ingest.leaves(document)
    assert {name: found.get(name) for name in expected} == expected


def test_a_host_without_mac_and_name_is_its_address() -> None:
    line = device_line()
    for column in ("mac", "hostname", "vendor", "device", "category", "worker", "vlan", "site"):
        del line[column]
    host = ingested("nba_device", line)["host"]
    assert host == {"id": "192.168.77.20", "ip": ["192.168.77.20"], "name": "192.168.77.20"}


def test_hosts_with_one_address_in_two_vlans_are_counted_as_two() -> None:
    ids = set()
    for vlan in ("10", "20"):
        line = device_line(vlan=vlan)
        del line["mac"]
        ids.add(ingested("nba_device", line)["host"]["id"])
    assert ids == {"192.168.77.20%Hamburg/10", "192.168.77.20%Hamburg/20"}
    assert ingested("nba_device", device_line())["host"]["id"] == "02-4E-42-41-01-0A"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("reason", REASONS)
def test_an_alert_is_what_zeek_raises_a_notice_about_one_host_for(state: str, reason: str) -> None:
    document = ingested("nba_device", device_line(state=state, reason=reason))
    event = document["event"]
    notice = f"NBA::{state.capitalize()}_Device"
    # Of an unknown host only Zeek knows whether its first week is over.
    alarming = reason == "change" and state in ("changed", "misbehaving", "impostor")
    assert event["kind"] == ("alert" if alarming else "event")
    assert document.get("rule", {}).get("name") == (notice if alarming else None)
    if alarming:
        assert notice.removeprefix("NBA::") in (ROOT / "zeek-scripts/notice.zeek").read_text()
    allowed = set().union(*(ECS_TYPES[category] for category in event["category"]))
    assert event["kind"] in ECS_KINDS
    assert set(event["type"]) <= allowed


def test_a_row_of_the_stats_log_in_the_common_schema() -> None:
    document = ingested("nba_stats", stats_line() | {"node": "worker-1", "kind": "sensor"})
    assert misfits(document, mapping("nba_stats")) == set()
    assert document["@timestamp"] == "2026-01-05T00:03:54.250Z"
    assert document["event"]["kind"] == "metric"
    assert set(document["event"]["type"]) <= ECS_TYPES["network"]
    assert (document["observer"]["name"], document["observer"]["type"]) == ("worker-1", "sensor")


def test_a_line_of_the_site_log_in_the_common_schema() -> None:
    document = ingested("nba_site", site_line())
    assert misfits(document, mapping("nba_site")) == set()
    expected = {
        "@timestamp": "2026-01-05T00:03:54.258Z",
        "event.start": "2026-01-05T00:03:00.000Z",
        "event.end": None,
        "event.kind": "alert",
        "event.action": "site-dns-begun",
        "event.category": ["network"],
        "event.type": ["start"],
        "rule.name": "NBA::Site_Event",
        "observer.name": "sensor-1",
        "related.ip": ["192.168.77.20", "192.168.77.21"],
        "message": "dns 192.168.77.1 53/udp begun: 7 of 9 hosts",
    }
    found = ingest.leaves(document)
    assert {name: found.get(name) for name in expected} == expected


def test_the_end_of_an_event_is_no_alert_and_has_its_beginning() -> None:
    line = site_line(state="over", examples=[])
    for column in ("where", "worker"):
        del line[column]
    document = ingested("nba_site", line)
    assert misfits(document, mapping("nba_site")) == set()
    event = document["event"]
    assert (event["kind"], event["type"]) == ("event", ["end"])
    assert (event["start"], event["end"]) == ("2026-01-05T00:03:00.000Z", document["@timestamp"])
    assert "rule" not in document
    assert set(event["type"]) <= ECS_TYPES["network"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", SITE_STATES)
def test_every_event_of_the_site_is_a_document_that_fits(kind: str, state: str) -> None:
    document = ingested("nba_site", site_line(kind=kind, state=state))
    assert misfits(document, mapping("nba_site")) == set()
    assert document["event"]["action"] == f"site-{kind}-{state}"


@pytest.mark.parametrize("log", LOGS)
def test_a_line_that_is_none_is_kept_and_says_why(log: str) -> None:
    document = ingest.run(
        load(f"opensearch/{log}.pipeline.json"), {"@timestamp": ingest.NOW, "message": '{"ts": 1'}
    )
    assert document["event"]["kind"] == "pipeline_error"
    assert document["@timestamp"] == ingest.NOW
    assert document["error"]["message"]
    without_time = ingested(log, {"state": "learning"})
    assert without_time["event"]["kind"] == "pipeline_error"
    assert without_time["@timestamp"] == ingest.NOW


@pytest.mark.parametrize("log", LOGS)
def test_times_may_be_text_as_iso_8601(log: str) -> None:
    since = {} if log == "nba_stats" else {"since": "2026-01-05T00:00:00Z"}
    line = LINES[log]() | since
    document = ingested(log, line | {"ts": "2026-01-05T00:03:54.258788Z"})
    assert document["@timestamp"] == "2026-01-05T00:03:54.258Z"


def saved_objects() -> list[Document]:
    text = (PACKAGING / "opensearch/dashboard.ndjson").read_text()
    return [json.loads(line) for line in text.splitlines()]


def unknown_fields(objects: list[Document], fields: dict[str, set[str]]) -> set[str]:
    """What saved objects ask for that no document of their index has."""
    unknown = set()
    titles = {one["id"]: one["attributes"].get("title") for one in objects}
    for one in objects:
        attributes = one["attributes"]
        pattern = next((r["id"] for r in one["references"] if r["type"] == "index-pattern"), None)
        if pattern is None:
            continue
        search = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
        asked = set(re.findall(r"([\w.@]+)\s*:", search["query"]["query"]))
        asked |= set(attributes.get("columns", ())) | {by for by, _ in attributes.get("sort", ())}
        for aggregation in json.loads(attributes.get("visState", '{"aggs": []}'))["aggs"]:
            parameters = aggregation["params"]
            asked |= {parameters[key] for key in ("field", "sortField") if key in parameters}
        unknown |= asked - fields[titles[pattern]]
    return unknown


def test_a_dashboard_asks_only_for_fields_that_documents_have(lines: list[Document]) -> None:
    device = set(ingest.leaves(ingested("nba_device", device_line(state="impostor"))))
    for line in lines:
        device |= set(ingest.leaves(ingested("nba_device", line)))
    fields = {
        f"logs-zeek.{log}-*": set(ingest.leaves(ingested(log, line())))
        for log, line in LINES.items()
    }
    fields["logs-zeek.nba_device-*"] |= device
    objects = saved_objects()
    assert unknown_fields(objects, fields) == set()

    spoilt = json.dumps(objects).replace("zeek.nba_device.vendor", "zeek.nba_device.maker")
    assert unknown_fields(json.loads(spoilt), fields) == {"zeek.nba_device.maker"}


def test_a_dashboard_is_complete_and_counts_only_what_can_be_counted() -> None:
    objects = saved_objects()
    present = {(one["type"], one["id"]) for one in objects}
    for one in objects:
        assert {(ref["type"], ref["id"]) for ref in one["references"]} <= present
    patterns = {one["attributes"]["title"] for one in objects if one["type"] == "index-pattern"}
    assert patterns == {
        load(f"opensearch/{log}.index-template.json")["index_patterns"][0] for log in LOGS
    }
    types = {name: kind for log in LOGS for name, kind in mapping(log).items()}
    for one in objects:
        for aggregation in json.loads(one["attributes"].get("visState", '{"aggs": []}'))["aggs"]:
            # A text has no doc values to count by.
            assert types.get(aggregation["params"].get("field"), "") != "text"
    [board] = [one for one in objects if one["type"] == "dashboard"]
    panels = json.loads(board["attributes"]["panelsJSON"])
    assert [panel["panelRefName"] for panel in panels] == [r["name"] for r in board["references"]]
    shown = {ref["id"] for ref in board["references"]}
    assert shown == {one["id"] for one in objects if one["type"] in ("visualization", "search")}


@pytest.fixture
def metrics(model_folder: Callable[..., Path]) -> set[str]:
    """The names of all series that a worker answers with."""
    folder = model_folder(created="2026-01-01T00:00:00+00:00")
    registry = CollectorRegistry()
    link = Link("ws://127.0.0.1:1/")
    made = pipeline(folder, shadow=Shadow(Scorer(folder)))
    made.drift.sessions(0.0, LEAST, 0, 0.0)
    made.drift.scores(0.0, LEAST, LEAST, float(LEAST))
    registry.register(WorkerCollector(Worker(link, made, name="w")))
    registry.register(TimedScorer(folder).seconds)
    return {name for family in registry.collect() for name in series(family)}


def series(family: Metric) -> set[str]:
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {family.name + suffix for suffix in suffixes.get(family.type, ("",))}


def selected(expression: Any) -> set[str]:
    """The names of the metrics that a parsed expression selects."""
    if isinstance(expression, promql_parser.VectorSelector):
        return {expression.name}
    if isinstance(expression, list):
        return set().union(*map(selected, expression))
    inner = ("lhs", "rhs", "expr", "args", "vector_selector", "param")
    parts = (getattr(expression, name, None) for name in inner)
    return set().union(*(selected(part) for part in parts if part is not None))


def asked(expressions: list[str]) -> set[str]:
    """The names of the metrics in PromQL, with Grafana's intervals or without."""
    plain = (re.sub(r"\$__\w+", "5m", expression) for expression in expressions)
    return set().union(*(selected(promql_parser.parse(expression)) for expression in plain))


def grafana_queries(board: Document) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def alerts() -> list[Document]:
    groups = yaml.safe_load((PACKAGING / "prometheus/nba.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_grafana_asks_only_for_metrics_that_there_are(metrics: set[str]) -> None:
    board = load("grafana/nba.json")
    names = asked(grafana_queries(board))
    assert names
    assert names <= metrics
    spoilt = copy.deepcopy(board)
    spoilt["panels"][0]["targets"][0]["expr"] = "sum(rate(nba_lots_total[$__rate_interval]))"
    assert asked(grafana_queries(spoilt)) - metrics == {"nba_lots_total"}


def test_grafana_shows_every_metric_that_there_is(metrics: set[str]) -> None:
    shown = asked(grafana_queries(load("grafana/nba.json")))
    assert metrics - shown == {"nba_scoring_seconds_sum", "nba_scoring_seconds_count"}


def unknown_to_grafana(value: Any, read: Any, path: str = "") -> set[str]:
    """What Grafana's own model of a dashboard has lost on the way through it."""
    if isinstance(value, dict) and isinstance(read, dict):
        pairs = {f"{path}/{key}": (inner, read.get(key)) for key, inner in value.items()}
    elif isinstance(value, list) and isinstance(read, list) and len(value) == len(read):
        pairs = {f"{path}/{at}": pair for at, pair in enumerate(zip(value, read, strict=True))}
    else:
        return set() if value == read else {path}
    return set().union(*(unknown_to_grafana(*pair, inner) for inner, pair in pairs.items()))


def test_grafana_knows_every_property_of_its_dashboard() -> None:
    plugins.register_default_plugins()

    def through(board: Document) -> Any:
        return json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(board)), cls=JSONEncoder))

    board = load("grafana/nba.json")
    assert unknown_to_grafana(board, through(board)) == set()
    board["panels"][0]["titel"] = "Zeek"
    assert unknown_to_grafana(board, through(board)) == {"/panels/0/titel"}


def test_alerts_ask_only_for_metrics_that_there_are(metrics: set[str]) -> None:
    names = asked([rule["expr"] for rule in alerts()])
    assert names
    assert names <= metrics
    assert asked(["increase(nba_lots_total[5m]) > 0"]) - metrics == {"nba_lots_total"}


def test_every_alert_is_documented() -> None:
    text = (ROOT / "docs/siem.md").read_text()
    assert set(re.findall(r"^\| `(NBA\w+)`", text, re.M)) == {rule["alert"] for rule in alerts()}


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here (Debian: prometheus)")
    return subprocess.run(
        [found, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_prometheus_takes_the_rules_and_they_fire_when_they_should(tmp_path: Path) -> None:
    shutil.copytree(PACKAGING / "prometheus", tmp_path, dirs_exist_ok=True)
    checked = promtool("check", "rules", "nba.rules.yml", folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", "nba.rules.test.yml", folder=tmp_path)
    assert tested.returncode == 0, tested.stderr

    rules = tmp_path / "nba.rules.yml"
    rules.write_text(rules.read_text().replace("nba_lag_seconds > 5", "nba_lag_seconds > 500"))
    assert promtool("test", "rules", "nba.rules.test.yml", folder=tmp_path).returncode != 0


def test_salt_would_not_take_the_scripts_for_templates_of_its_own() -> None:
    """Security Onion renders Zeek scripts with Jinja."""
    own = re.compile(r"\{\{|\{%|\{#")
    assert own.search("redef x = {{ y }};")
    assert not [path for path in (ROOT / "zeek-scripts").iterdir() if own.search(path.read_text())]


def test_the_field_reference_names_every_field_where_a_column_goes(lines: list[Document]) -> None:
    text = (ROOT / "docs/logs.md").read_text()
    made = {log: ingested(log, line()) for log, line in LINES.items()}
    for log, document in made.items():
        section = text.split(f"## {log}.log", 1)[1].split("\n## ", 1)[0]
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("| `") and line.count("|") > 4
        ]
        documented = {row[0].strip("`"): row for row in cells}
        assert {name: row[1] for name, row in documented.items()} == columns(LOGS[log])
        present = ingest.leaves(document)
        for row in documented.values():
            fields = row[-1].split(": ")[0]
            assert set(re.findall(r"`([^`]+)`", fields)) <= set(present)


def test_what_the_documents_say_to_search_for_is_what_a_document_holds() -> None:
    line = device_line(state="unknown")
    found = ingest.leaves(ingested("nba_device", line))
    siem = (ROOT / "docs/siem.md").read_text()
    same = f'`zeek.nba_device.mac: "{line["mac"]}"`'
    assert f'`host.mac: "{found["host.id"]}"` finds the same hosts as {same}' in siem
    assert f"| `event.action` | `device-` and the state, such as `{found['event.action']}`;" in siem
    assert f"`zeek.nba_device.state: {found['zeek.nba_device.state']}`" in siem
    logs = (ROOT / "docs/logs.md").read_text()
    assert f"`host.id`: `{found['host.id']}` for `{line['mac']}` |" in logs
    assert [found["host.id"]] == found["host.mac"]
    action = ingested("nba_device", device_line())["event"]["action"]
    assert f"`event.action`: `{action}` for `identified` |" in logs
