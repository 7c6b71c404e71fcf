"""DNS answers from dns logs in all forms."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.archive.answers import answers
from nba_broker.archive.conn_log import Archive
from nba_broker.records.addresses import printed
from nba_broker.records.names import is_name

START = 1_750_000_000.0

TSV = """#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tdns
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\trtt\tquery\tqtype\tqtype_name\trcode\trcode_name\tanswers\tTTLs\trejected
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tinterval\tstring\tcount\tstring\tcount\tstring\tvector[string]\tvector[interval]\tbool
"""


def row(**changes: Any) -> dict[str, Any]:
    return {
        "ts": START + 1,
        "uid": "CabC1",
        "id.orig_h": "192.168.1.2",
        "id.orig_p": 5000,
        "id.resp_h": "192.168.1.1",
        "id.resp_p": 53,
        "proto": "udp",
        "trans_id": 7,
        "rtt": 0.25,
        "query": "Fw.Ring.com",
        "qtype": 1,
        "qtype_name": "A",
        "rcode": 0,
        "rcode_name": "NOERROR",
        "answers": ["edge.ring.com", "52.0.123.153", "52.0.123.154"],
        "TTLs": [300.0, 60.0, 61.0],
        "rejected": False,
    } | changes


def tsv(*rows: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return "T" if value else "F"
        if isinstance(value, list):
            return ",".join(map(text, value)) or "(empty)"
        return "-" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)

    return TSV + "".join("\t".join(map(text, one.values())) + "\n" for one in rows)


def conn(folder: Path) -> None:
    session = {"ts": START, "uid": "CabC1", "id.orig_h": "192.168.1.2", "id.resp_h": "192.168.1.1"}
    more = {"id.orig_p": 5000, "id.resp_p": 53, "proto": "udp", "conn_state": "SF"}
    (folder / "conn.log").write_text(json.dumps(session | more) + "\n")


def read(*paths: Path, **settings: Any) -> Archive:
    return conn_log.read(paths, names=True, **settings)


def listed(archive: Archive) -> list[tuple[Any, ...]]:
    found = []
    for names in archive.names.parts():
        hosts, addresses = (map(printed, of.tolist()) for of in (names.host, names.address))
        columns = names.ts.tolist(), hosts, names.name.tolist(), addresses, names.ttl.tolist()
        found += zip(*columns, strict=True)
    return found


ANSWERS = [
    (START + 1.25, "192.168.1.2", "fw.ring.com", "52.0.123.153", 60.0),
    (START + 1.25, "192.168.1.2", "fw.ring.com", "52.0.123.154", 61.0),
]


@pytest.mark.parametrize("form", ["tsv", "json", "gz", "parquet", "mixed"])
def test_an_answer_has_a_row_for_each_address_under_the_name_that_was_asked_for(
    tmp_path: Path, form: str
) -> None:
    conn(tmp_path)
    line = json.dumps({"_path": "dns"} | row()) + "\n"
    if form == "tsv":
        (tmp_path / "dns.log").write_text(tsv(row()))
    elif form == "json":
        (tmp_path / "dns.log").write_text(line)
    elif form == "gz":
        packed = gzip.compress(tsv(row()).encode())
        (tmp_path / "dns.2026-01-01-00-00-00.log.gz").write_bytes(packed)
    elif form == "parquet":
        pa.parquet.write_table(pa.Table.from_pylist([row()]), tmp_path / "dns.parquet")
    else:
        path = tmp_path / "conn.log"
        whole = json.dumps({"_path": "conn"} | json.loads(path.read_text())) + "\n"
        path.write_text(whole + line)
    archive = read(tmp_path)
    assert (archive.errors, archive.warnings) == ([], [])
    assert listed(archive) == ANSWERS


def test_the_dns_log_beside_a_conn_log_is_read_too(tmp_path: Path) -> None:
    conn(tmp_path)
    (tmp_path / "dns.log").write_text(tsv(row()))
    assert listed(read(tmp_path / "conn.log")) == ANSWERS


NONE = {
    "a failed query": {"rcode": 3, "rcode_name": "NXDOMAIN"},
    "a rejected query": {"rejected": True},
    "no answer": {"answers": []},
    "only a CNAME": {"answers": ["edge.ring.com"]},
    "an mDNS answer": {"id.resp_p": 5353},
    "an mDNS answer to a port of its own": {"id.orig_p": 5353},
    "an LLMNR answer": {"id.resp_p": 5355},
    "a NetBIOS answer": {"id.resp_p": 137},
    "a PTR record that looks like an address": {"qtype": 12, "answers": ["10.0.0.1"]},
    "the root": {"query": "."},
    "a name with a space": {"query": "a b"},
    "a name with a control character": {"query": "a\x01b"},
    "a name that is not ASCII": {"query": "münchen.de"},
    "a name without end": {"query": "a" * 256},
}


@pytest.mark.parametrize("changes", NONE.values(), ids=NONE.keys())
def test_no_names_come_of(changes: dict[str, Any]) -> None:
    assert list(answers([row(**changes)])) == []


def test_hostile_names_stay_text() -> None:
    for name in ("=cmd|'/c'!a1", "<script>", "127.0.0.1", "xn--mnchen-3ya.de", "%s%n", "a\\x01b"):
        assert [one[4] for one in answers([row(query=name)])] == [name] * 2


def test_a_log_without_ttl_rtt_and_code_gives_what_it_has() -> None:
    bare = {name: value for name, value in row().items() if name not in ("TTLs", "rtt", "rcode")}
    assert [(one[0], one[3]) for one in answers([bare])] == [(START + 1, 0.0)] * 2


def test_the_vlan_and_site_of_a_row_are_its_segment() -> None:
    assert {one[5] for one in answers([row(vlan=10, _system_name="berlin")])} == {"berlin/10"}


def test_rows_come_in_time_order_with_the_batch_that_they_precede(tmp_path: Path) -> None:
    sessions = [
        {"ts": START + n, "uid": f"C{n}xxxxxxxx", "id.orig_h": "192.168.1.2", "proto": "tcp"}
        | {"id.resp_h": "1.0.0.7", "id.resp_p": 443, "conn_state": "SF"}
        for n in range(10)
    ]
    (tmp_path / "conn.log").write_text("\n".join(map(json.dumps, sessions)))
    rows = [row(ts=START + n, query=f"{n}.example", answers=["1.0.0.7"]) for n in (8, 3, 2, 20)]
    (tmp_path / "dns.log").write_text("\n".join(map(json.dumps, rows)))
    archive = read(tmp_path)
    pairs = [(len(batch), names.name.tolist()) for batch, names in archive.batches_with_names(4)]
    assert pairs == [(4, ["2.example"]), (4, ["3.example"]), (2, ["8.example"])]


def test_rows_beyond_the_memory_come_in_the_same_order(tmp_path: Path) -> None:
    conn(tmp_path)
    rng = np.random.default_rng(1)
    rows = [
        row(ts=START + int(rng.integers(50)), query=f"{rng.integers(9)}.example")
        for _ in range(500)
    ]
    (tmp_path / "dns.log").write_text("\n".join(map(json.dumps, rows)))
    assert listed(read(tmp_path, memory=10_000)) == listed(read(tmp_path))


def test_answers_outside_of_the_span_are_left_out(tmp_path: Path) -> None:
    conn(tmp_path)
    (tmp_path / "dns.log").write_text(tsv(row(), row(ts=START + 9)))
    assert len(read(tmp_path, until=START + 5).names) == 2


def test_a_missing_dns_log_is_no_error(tmp_path: Path) -> None:
    conn(tmp_path)
    archive = read(tmp_path)
    assert (len(archive.names), archive.errors, archive.warnings) == (0, [], [])


def test_a_dns_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    conn(tmp_path)
    (tmp_path / "dns.log.gz").write_bytes(gzip.compress(tsv(row()).encode())[:-20])
    archive = read(tmp_path)
    assert len(archive.errors) == 1
    assert "dns.log.gz: damaged gzip data" in archive.errors[0]


def test_values_that_are_not_understood_are_said_once_for_the_log(tmp_path: Path) -> None:
    conn(tmp_path)
    rows = [row(), row(**{"id.orig_h": "camera"}), row(**{"id.orig_h": "lamp"})]
    (tmp_path / "dns.log").write_text(tsv(*rows))
    (error,) = read(tmp_path).errors
    assert error == (
        f"{tmp_path}/dns.log: column id.orig_h: its value 'camera' is not understood, so the names "
        "that hosts asked for are not known"
    )


VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)


@given(
    st.dictionaries(
        st.sampled_from([*row(), "vlan", "extra"]),
        VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES),
    )
)
def test_no_values_of_a_row_stop_the_reader(changes: dict[str, Any]) -> None:
    for ts, host, address, ttl, name, segment in answers([row() | changes]):
        assert np.isfinite(ts)
        assert len(host) == len(address) == 16
        assert 0 <= ttl < 2**32
        assert is_name(name)
        assert isinstance(segment, str)
