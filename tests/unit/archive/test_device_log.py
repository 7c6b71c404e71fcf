"""nba_device.log comes out as Zeek would have written it, and reads back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import device_log, zeek_log
from nba_broker.records.evidence import Attended, NamedDestinations
from nba_broker.records.verdicts import STATES, Alternative, Row, SessionCount, Verdict

VERDICT = Row(
    ts=1561793774.742619,
    host="10.0.0.2",
    mac="02:00:00:00:00:01",
    hostname="cam",
    vendor="",
    state="identified",
    previous="learning",
    device="Tenvis_Cam",
    category="camera",
    confidence=0.97,
    alternatives=("Ring_Doorbell=0.02",),
    sessions=8,
    since=1561793774.742619,
    first_seen=1561793000.0,
    reason="new",
    evidence=("as:16509 every 60 s", "ntp"),
    uids=(),
    model="default",
)
PLUG = Alternative("acme-plug", 0.05)


def as_verdict(**changes: Any) -> Verdict:
    """VERDICT as data, without evidence and alternatives but for those in the changes."""
    shared = {f.name for f in dataclasses.fields(Verdict)} & device_log.COLUMNS.keys()
    common = {name: getattr(VERDICT, name) for name in shared}
    return Verdict(**common | {"evidence": (), "alternatives": ()} | changes)


def written(path: Path, *verdicts: Row, form: Any = "tsv") -> list[str]:
    with device_log.Writer(path, form) as log:
        for verdict in verdicts:
            log.write_row(verdict)
    return path.read_text().splitlines()


def value(path: Path, **change: Any) -> str:
    """How Zeek's TSV shows one changed column."""
    (name,) = change
    line = written(path, dataclasses.replace(VERDICT, **change))[8]
    return line.split("\t")[list(device_log.COLUMNS).index(name)]


def test_the_tsv_header_is_zeeks(tmp_path: Path) -> None:
    lines = written(tmp_path / "nba_device.log")
    assert lines[0] == r"#separator \x09"
    assert lines[1:3] == ["#set_separator\t,", "#empty_field\t(empty)"]
    assert lines[3:5] == ["#unset_field\t-", "#path\tnba_device"]
    assert lines[5].startswith("#open\t")
    assert lines[6].split("\t")[:4] == ["#fields", "ts", "host", "mac"]
    assert lines[7].split("\t")[:4] == ["#types", "time", "addr", "string"]
    assert lines[-1].startswith("#close\t")


def test_a_tsv_row_is_zeeks(tmp_path: Path) -> None:
    assert written(tmp_path / "l", VERDICT)[8].split("\t") == [
        *("1561793774.742619", "10.0.0.2", "02:00:00:00:00:01", "cam", "-", "identified"),
        *("learning", "Tenvis_Cam", "camera", "0.97", "Ring_Doorbell=0.02", "8"),
        *("1561793774.742619", "1561793000.000000", "new", "as:16509 every 60 s,ntp", "(empty)"),
        *("default", "-", "-", "-"),
        *["-"] * 17,
    ]


def test_a_json_row_is_zeeks(tmp_path: Path) -> None:
    (line,) = written(tmp_path / "l", VERDICT, form="json")
    assert line == (
        '{"ts":1561793774.742619,"host":"10.0.0.2","mac":"02:00:00:00:00:01","hostname":"cam",'
        '"state":"identified","previous":"learning","device":"Tenvis_Cam","category":"camera",'
        '"confidence":0.97,"alternatives":["Ring_Doorbell=0.02"],"sessions":8,'
        '"since":1561793774.742619,"first_seen":1561793000.0,"reason":"new",'
        '"evidence":["as:16509 every 60 s","ntp"],"uids":[],"model":"default"}'
    )


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (
            "tsv",
            "192.0.2.7,2001:db8::7\t443,53\ttcp,udp\tas:64500,gw\tExample\\x2c Inc.,(empty)\t"
            "1700000030.000000,1700000060.000000\t5,3\t0.75,0.25\t-\tacme-plug\t0.05\t-\tfw.ring.com,(empty)"
            "\t-\t-\t-\tF",
        ),
        (
            "json",
            '"evidence_dst":["192.0.2.7","2001:db8::7"],"evidence_port":[443,53],'
            '"evidence_proto":["tcp","udp"],"evidence_pool":["as:64500","gw"],'
            '"evidence_org":["Example, Inc.",""],"evidence_ts":[1700000030.0,1700000060.0],'
            '"evidence_sessions":[5,3],"evidence_weight":[0.75,0.25],'
            '"alternative_device":["acme-plug"],"alternative_confidence":[0.05],'
            '"evidence_name":["fw.ring.com",""],"alternative_possible":[false]}',
        ),
    ],
)
def test_columns_of_evidence_are_zeeks(tmp_path: Path, form: str, shown: str) -> None:
    found = (
        Attended(
            "192.0.2.7",
            443,
            "tcp",
            "as:64500",
            "Example, Inc.",
            1.70000003e9,
            "C1",
            5,
            0.75,
            name="fw.ring.com",
        ),
        Attended("2001:db8::7", 53, "udp", "gw", "", 1.70000006e9, "C2", 3, 0.25),
    )
    verdict = as_verdict(evidence=found, alternatives=(PLUG,))
    with device_log.Writer(tmp_path / "l", form) as log:  # type: ignore[arg-type]
        log.write(verdict)
    lines = [line for line in (tmp_path / "l").read_text().splitlines() if line[0] != "#"]
    assert lines[0].endswith(shown)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1.0"),
        (0.0, "0.0"),
        (0.5, "0.5"),
        (1 / 3, "0.333333"),
        (0.9999999, "1"),
        (1e-7, "0"),
        (0.9999999999, "1.0"),
    ],
)
def test_doubles_have_at_most_six_decimals(tmp_path: Path, number: float, text: str) -> None:
    assert value(tmp_path / "l", confidence=number) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "-"),
        ("-", r"\x2d"),
        ("(empty)", r"\x28empty)"),
        ("a\tb", r"a\x09b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\x0ab"),
        ("a,b", "a,b"),
        ("Küche", "Küche"),
        ("Kü\x01che", r"K\xc3\xbc\x01che"),
        ("ü\\\x7f", r"ü\\\x7f"),
    ],
)
def test_strings_are_escaped_as_zeek_does(tmp_path: Path, text: str, shown: str) -> None:
    assert value(tmp_path / "l", hostname=text) == shown


@pytest.mark.parametrize(
    ("items", "shown"),
    [((), "(empty)"), (("a", ""), "a,(empty)"), (("a,b", "-"), r"a\x2cb,\x2d")],
)
def test_vectors_are_escaped_as_zeek_does(tmp_path: Path, items: Any, shown: str) -> None:
    assert value(tmp_path / "l", evidence=items) == shown


_text = st.text(max_size=12).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
_plain = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=12)
_time = st.integers(0, 4 * 10**15).map(lambda micro: micro / 1e6)


def _vector(text: Any) -> Any:
    # A vector of one empty string looks like an empty vector in Zeek's TSV.
    return st.lists(text.filter(bool), max_size=4).map(tuple)


def verdicts(text: Any) -> Any:
    return st.builds(
        Row,
        **dict.fromkeys(("hostname", "vendor", "device", "category", "model", "worker"), text),
        **dict.fromkeys(("alternatives", "evidence", "evidence_name", "hints"), _vector(text)),
        **dict.fromkeys(("ts", "since", "first_seen"), _time),
        uids=st.just(()),
        host=st.ip_addresses().map(str),
        mac=st.just(""),
        state=st.sampled_from(STATES),
        previous=st.just(""),
        reason=st.just("new"),
        confidence=st.integers(0, 10**6).map(lambda n: n / 10**6),
        sessions=st.integers(0, 2**40),
    )


@settings(max_examples=100)
@given(verdict=verdicts(_plain), form=st.sampled_from(["tsv", "json"]))
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, verdict: Row, form: Any
) -> None:
    path = tmp_path_factory.mktemp("log") / "nba_device.log"
    written(path, verdict, form=form)
    expected = {
        name: list(item) if isinstance(item, tuple) else item
        for name, item in verdict.items()
        if item != ""
        and not (item == () and name.startswith(("evidence_", "alternative_", "hint")))
    }
    assert zeek_log.read(path) == [expected]


@settings(max_examples=100)
@given(verdict=verdicts(_text))
def test_any_text_stays_on_its_line(tmp_path_factory: pytest.TempPathFactory, verdict: Row) -> None:
    path = tmp_path_factory.mktemp("log") / "nba_device.log"
    with device_log.Writer(path, "json") as log:
        log.write_row(verdict)
    assert len(path.read_bytes().splitlines()) == 1
    assert json.loads(path.read_bytes())["host"] == verdict.host
    with device_log.Writer(path) as log:
        log.write_row(verdict)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 8 + 1 + 1 + 1
    assert lines[8].count(b"\t") == len(device_log.COLUMNS) - 1


def test_a_run_that_fails_leaves_no_close_line(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with pytest.raises(AttributeError), device_log.Writer(path) as log:
        log.write(None)  # type: ignore[arg-type]
    assert "#close" not in path.read_text()


def rows(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(dataclasses.replace(VERDICT, **change).items()) for change in changes]


def test_the_table_has_the_latest_verdict_of_each_host() -> None:
    text = device_log.table(
        rows(
            {"ts": 2.0, "device": "new"},
            {"ts": 1.0, "device": "old"},
            {"mac": "", "host": "10.0.0.10", "device": "other"},
        )
    )
    titles, first, second = text.splitlines()
    assert titles.split()[:3] == ["HOST", "MAC", "HOSTNAME"]
    assert ("new" in first, "other" in second, "old" in text) == (True, True, False)
    assert first.index("identified") == second.index("identified") == titles.index("STATE")


def test_the_table_counts_the_sessions_of_each_host_until_now() -> None:
    """Two hosts have the same address, in two VLANs; a third has left."""
    shared = {"mac": "", "host": "10.0.0.7", "sessions": 4}
    text = device_log.table(
        rows(
            {"mac": VERDICT.mac, "sessions": 4},
            {**shared, "vlan": "10", "first_seen": 5.0000004},
            {**shared, "vlan": "20", "first_seen": 5.0},
            {"mac": "", "host": "10.0.0.9", "sessions": 99},
        ),
        [
            SessionCount(7, "10.0.0.1", VERDICT.mac, "", "", 1.0),
            SessionCount(8, "10.0.0.7", "", "10", "", 5.0),
            SessionCount(9, "10.0.0.7", "", "20", "", 5.0),
            SessionCount(100, "10.0.0.10", "", "", "", 1.0),
        ],
    )
    at = text.index("SESSIONS")
    assert [line[at:].split()[0] for line in text.splitlines()[1:]] == ["7", "8", "9", "99"]


def test_the_table_lets_no_control_character_through() -> None:
    assert "\x1b" not in device_log.table(rows({"hostname": "\x1b[2Jevil"}))


def test_a_table_of_nothing_is_its_titles() -> None:
    assert device_log.table([]).startswith("HOST")


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp437", "ascii"])
def test_json_says_the_same_in_every_character_set(
    charset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), charset)
    monkeypatch.setattr(sys, "stdout", shown)
    verdict = as_verdict(hostname="Tür-玄関-\U0001f514\n")
    device_log.show([verdict], "json")
    shown.flush()
    line = shown.buffer.getvalue().decode(charset)  # type: ignore[attr-defined]
    assert json.loads(line)["hostname"] == verdict.hostname


def test_the_table_shows_hosts_of_two_vlans_apart_and_one_of_them_once() -> None:
    shared = {"mac": "", "host": "10.0.0.7", "first_seen": 5.0}
    rows = [
        {**dict(VERDICT.items()), **shared, "vlan": vlan, "device": device, "ts": ts}
        for vlan, device, ts in (("20", "Lens", 1.0), ("10", "Plug", 2.0), ("", "Lamp", 3.0))
    ]
    head, *lines = device_log.table(rows).splitlines()
    assert "VLAN" in head
    assert len(lines) == 2
    assert [line.split()[0] for line in lines] == ["10.0.0.7"] * 2


HOSTILE = "=cmd|'/c_calc'!a1"


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_hosts_show_where_they_go_and_no_name_is_a_formula(
    form: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Attended("1.2.3.4", 1, "tcp", "as:1", "", 1.5e9, "", 1, 1.0, name=HOSTILE)
    goes = NamedDestinations((HOSTILE, "b.example"))
    device_log.show([as_verdict(evidence=(goes, where))], form)
    said = capsys.readouterr().out
    assert f"{HOSTILE}, b.example" in said
    if form == "table":
        assert "GOES TO" in said
    if form == "csv":
        assert next(csv.DictReader(io.StringIO(said)))["evidence_name"] == f"'{HOSTILE}"
