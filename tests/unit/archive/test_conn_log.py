"""conn_log reads every form Zeek writes, and says clearly what it cannot read."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from tests.unit.archive.conn_rows import FIELDS, MAC, ONE, jsonl, row, save, sessions, times, tsv

# Forms


def test_tsv_rows_become_sessions(tmp_path: Path) -> None:
    assert sessions(save(tmp_path, tsv([row()]))) == ONE


def test_json_rows_become_the_same_sessions(tmp_path: Path) -> None:
    assert sessions(save(tmp_path, jsonl([row()]))) == ONE


@pytest.mark.parametrize("ts", ["1970-01-01T00:00:01.500000Z", 1.5])
def test_json_times_are_epochs_or_iso(tmp_path: Path, ts: Any) -> None:
    assert sessions(save(tmp_path, jsonl([row(ts)]))) == ONE


def test_json_times_may_be_in_milliseconds(tmp_path: Path) -> None:
    path = save(tmp_path, jsonl([row(1561793774742)]))
    assert sessions(path)[0][0] == 1561793774.742


@pytest.mark.parametrize("separator", ["\t", ",", "|", " ", "||", "\x01", "é"])
def test_any_separator(tmp_path: Path, separator: str) -> None:
    assert sessions(save(tmp_path, tsv([row()], separator=separator))) == ONE


@pytest.mark.parametrize("unset", ["-", "", "(none)", "NA"])
def test_any_unset_field(tmp_path: Path, unset: str) -> None:
    path = save(tmp_path, tsv([row(uid=None, orig_l2_addr=None, local_orig=None)], unset=unset))
    assert sessions(path) == [(1.5, "10.0.0.2", "", "", "8.8.8.8", "53/udp")]


def test_a_single_line_of_names_is_a_header(tmp_path: Path) -> None:
    content = b"ts\tid.orig_h\tid.resp_h\n1.5\t10.0.0.2\t8.8.8.8\n"
    assert sessions(save(tmp_path, content)) == [(1.5, "10.0.0.2", "", "", "8.8.8.8", "0/unknown")]


def test_concatenated_logs_each_have_their_header(tmp_path: Path) -> None:
    content = tsv([row()]) + tsv([row(2.5)], tuple(reversed(FIELDS)), separator="|", unset="?")
    assert [s[0] for s in sessions(save(tmp_path, content))] == [1.5, 2.5]


def test_windows_line_ends_are_taken(tmp_path: Path) -> None:
    assert sessions(save(tmp_path, tsv([row()]).replace(b"\n", b"\r\n"))) == ONE


@pytest.mark.parametrize("content", [tsv([row()]), jsonl([row()])])
def test_gzip_is_told_by_its_content(tmp_path: Path, content: bytes) -> None:
    assert sessions(save(tmp_path, gzip.compress(content), "conn.log")) == ONE


def test_gzip_members_one_after_another_are_one_file(tmp_path: Path) -> None:
    content = gzip.compress(tsv([row()])) + gzip.compress(tsv([row(2.5)]))
    assert len(sessions(save(tmp_path, content, "conn.log.gz"))) == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("content", [tsv([row()]), jsonl([row()])])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes, pack: Any) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(pack(content))))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert sessions("-") == ONE


def test_rows_across_block_borders_stay_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, tsv([row(float(i)) for i in range(200)]))
    monkeypatch.setattr("nba_broker.archive.zeek_log._BLOCK", 100)
    assert [s[0] for s in sessions(path)] == list(range(200))


def test_a_log_of_a_quiet_hour_is_no_error(tmp_path: Path) -> None:
    archive = conn_log.read([save(tmp_path, tsv([]))])
    assert (len(archive), archive.report.errors, archive.report.files) == (0, [], 1)
    assert list(archive.batches()) == []


# Folders


def test_a_folder_is_walked_for_conn_logs_by_name(tmp_path: Path) -> None:
    good = ["conn.log", "conn.00:00:00-01:00:00.log.gz", "d/x.conn.log.labeled", "conn.log.labeled"]
    for number, name in enumerate(good):
        save(tmp_path, tsv([row(float(number))]), name)
    junk = ["conn-summary.log", "open_conn.log", "a.pcap", "conn.pcap", "conn.csv", "dns.log"]
    for name in (*junk, "known_conn.log", "notes.txt", "setups.csv", "y.dns.log.gz"):
        save(tmp_path, b"\xff\x00 not a log", name)
    archive = conn_log.read([tmp_path])
    assert len(archive) == 4
    assert sorted(archive.logs) == sorted(Path(name).name for name in good)
    assert archive.report.errors == []


def test_a_file_is_read_once_however_often_it_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, tsv([row()]))
    (tmp_path / "current").symlink_to(tmp_path)
    assert sessions(tmp_path, path, tmp_path / "." / "conn.log") == ONE


def test_links_in_a_folder_are_followed(tmp_path: Path) -> None:
    save(tmp_path / "spool", tsv([row()]))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "current").symlink_to(tmp_path / "spool")
    assert sessions(tmp_path / "logs") == ONE


def test_a_named_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert sessions(save(tmp_path, tsv([row()]), "what.txt")) == ONE


def test_sessions_say_which_log_they_are_from(tmp_path: Path) -> None:
    a = save(tmp_path, tsv([row(2.0)]), "a.conn.log")
    b = save(tmp_path, tsv([row(1.0)]), "b.conn.log")
    archive = conn_log.read([a, b])
    (batch,) = archive.batches()
    assert batch.log is not None
    assert [archive.logs[at] for at in batch.log] == ["b.conn.log", "a.conn.log"]


DHCP = ("ts", "mac", "assigned_addr", "host_name")


@pytest.mark.parametrize("explicit", [True, False])
def test_leases_come_from_the_dhcp_log_beside(tmp_path: Path, explicit: bool) -> None:
    path = save(tmp_path, tsv([row()]))
    lease = {"ts": 3.0, "mac": MAC.upper(), "assigned_addr": "10.0.0.2", "host_name": "cam"}
    rows = [lease, {"ts": 2.0, "mac": MAC}, lease | {"ts": 1.0, "host_name": None}]
    content = tsv(rows, DHCP, path="dhcp").replace(b"#types\tstring", b"#types\ttime")
    save(tmp_path, content, "dhcp.log")
    leases = conn_log.read([path if explicit else tmp_path]).leases
    assert [(x.ts, x.ip, x.mac, x.hostname) for x in leases] == [
        (1.0, "10.0.0.2", MAC, ""),
        (3.0, "10.0.0.2", MAC, "cam"),
    ]


def test_a_bad_dhcp_log_is_named_and_the_sessions_are_read(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]))
    save(tmp_path, b"nothing of Zeek's\n", "dhcp.log")
    archive = conn_log.read([tmp_path])
    assert len(archive) == 1
    (error,) = archive.report.errors
    assert "dhcp.log" in error


# Order and columns


def test_the_archive_is_ordered_as_a_whole(tmp_path: Path) -> None:
    keys = [(2.0, "10.0.0.9", "1.1.1.1", 53), (2.0, "10.0.0.10", "1.1.1.1", 53)]
    keys += [(2.0, "10.0.0.10", "1.1.1.1", 22), (2.0, "10.0.0.10", "1.0.0.1", 99)]
    keys += [(1.0, "10.0.0.9", "9.9.9.9", 1)]
    for number, (ts, host, dst, port) in enumerate(keys):
        content = tsv([row(ts, host, id__resp_h=dst, id__resp_p=port)])
        save(tmp_path, content, f"conn.{number}.log")
    (batch,) = conn_log.read([tmp_path]).batches()
    got = list(zip(batch.ts, batch.host, batch.dst, batch.dport & 0xFFFF, strict=True))
    assert got == sorted(keys)


@settings(max_examples=40)
@given(
    files=st.lists(
        st.lists(
            st.builds(
                row,
                ts=st.integers(0, 3).map(float),
                host=st.sampled_from(["10.0.0.9", "10.0.0.10", "fe80::1"]),
                uid=st.text("AB", min_size=1, max_size=3),
                id__resp_h=st.sampled_from(["1.1.1.1", "1.0.0.1", "10.0.0.9"]),
                id__resp_p=st.integers(1, 3),
            ),
            max_size=9,
        ),
        min_size=1,
        max_size=4,
    ),
    memory=st.integers(1, 2000),
)
def test_the_order_does_not_depend_on_the_memory(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[dict[str, Any]]], memory: int
) -> None:
    folder = tmp_path_factory.mktemp("memory")
    for number, rows in enumerate(files):
        save(folder, tsv(rows), f"conn.{number}.log")
    assert sessions(folder, memory=memory) == sessions(folder)


def test_times_are_the_doubles_nearest_to_what_zeek_wrote(tmp_path: Path) -> None:
    texts = [f"{1561793774 + i}.{(i * 7919) % 1000000:06d}" for i in range(500)]
    path = save(tmp_path, tsv([row(text) for text in texts]))
    assert [s[0] for s in sessions(path)] == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.2", "10.0.0.2"),
        ("::1.2.3.4", "::1.2.3.4"),
    ],
)
def test_addresses_are_as_zeek_prints_them(tmp_path: Path, written: str, meant: str) -> None:
    assert sessions(save(tmp_path, tsv([row(id__resp_h=written)])))[0][4] == meant


@pytest.mark.parametrize(
    ("proto", "port", "meant"),
    [
        ("tcp", 443, "443/tcp"),
        ("icmp", 3, "3/icmp"),
        ("unknown_transport", 7, "7/unknown"),
        (None, 7, "7/unknown"),
        ("tcp", None, "0/tcp"),
        ("udp", 65535, "65535/udp"),
    ],
)
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_ports_carry_their_protocol(
    tmp_path: Path, form: Any, proto: Any, port: Any, meant: str
) -> None:
    path = save(tmp_path, form([row(proto=proto, id__resp_p=port)]))
    assert sessions(path)[0][5] == meant
    (batch,) = conn_log.read([path]).batches()
    assert batch.dport[0] == port_code(port or 0, proto or "unknown")


def test_since_and_until_bound_the_time(tmp_path: Path) -> None:
    path = save(tmp_path, tsv([row(float(i)) for i in range(6)]))
    archive = conn_log.read([path], since=2.0, until=4.0)
    assert times(archive) == [2.0, 3.0]
    assert archive.report.outside == 4


def test_batches_are_at_most_as_long_as_asked(tmp_path: Path) -> None:
    archive = conn_log.read([save(tmp_path, tsv([row(float(i)) for i in range(5)]))])
    assert [len(batch) for batch in archive.batches(2)] == [2, 2, 1]


# Which hosts


@pytest.mark.parametrize(
    ("host", "local", "mac", "is_host"),
    [
        ("10.0.0.1", True, MAC, True),
        ("8.8.4.4", True, MAC, True),
        ("10.0.0.1", False, MAC, False),
        ("8.8.4.4", False, MAC, False),
        ("10.0.0.1", None, MAC, True),
        ("172.31.0.1", None, None, True),
        ("192.168.0.1", None, MAC, True),
        ("100.64.0.1", None, MAC, True),
        ("169.254.0.1", None, MAC, True),
        ("fe80::1", None, MAC, True),
        ("fd00::1", None, MAC, True),
        ("2002:a00::1", None, MAC, True),
        ("172.32.0.1", None, MAC, False),
        ("2a00::1", None, MAC, False),
        ("0.0.0.0", False, MAC, True),
        ("::", None, MAC, True),
        ("0.0.0.0", True, None, False),
        ("::", True, None, False),
        ("224.0.0.1", True, MAC, False),
        ("ff02::1", True, MAC, False),
        ("127.0.0.1", True, MAC, False),
        ("::1", True, MAC, False),
    ],
)
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_which_originators_are_hosts(
    tmp_path: Path, form: Any, host: str, local: Any, mac: Any, is_host: bool
) -> None:
    path = save(tmp_path, form([row(1.0, host, local_orig=local, orig_l2_addr=mac)]))
    report = conn_log.read([path]).report
    assert (report.sessions, report.not_hosts) == (int(is_host), int(not is_host))


def test_local_networks_make_hosts_of_public_addresses(tmp_path: Path) -> None:
    rows = [row(1.0, "147.32.83.234", local_orig=False), row(2.0, "147.33.0.1", local_orig=False)]
    assert len(sessions(save(tmp_path, tsv(rows)), local=["147.32.0.0/16", "2a00::/32"])) == 1


def test_a_local_network_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="fritz"):
        conn_log.read([save(tmp_path, tsv([row()]))], local=["fritz"])


# Bad input

BAD_ROWS = [
    {"ts": "NaN"},
    {"ts": "inf"},
    {"ts": "-1.0"},
    {"ts": "1e300"},
    {"ts": "soon"},
    {"ts": None},
    {"id.orig_h": "fritz.box"},
    {"id.orig_h": "10.0.0"},
    {"id.orig_h": None},
    {"id.resp_h": "1.2.3.4.5"},
    {"id.resp_h": "fe80::1%eth0"},
    {"id.resp_p": 65536},
    {"id.resp_p": -1},
    {"id.resp_p": "http"},
    {"id.resp_p": 1.5},
]


@pytest.mark.parametrize("bad", BAD_ROWS, ids=str)
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_a_row_that_does_not_parse_is_skipped_and_counted(
    tmp_path: Path, form: Any, bad: dict[str, Any]
) -> None:
    path = save(tmp_path, form([row(), row(2.0) | bad, row(3.0)]))
    archive = conn_log.read([path])
    assert times(archive) == [1.5, 3.0]
    assert archive.report.skipped == 1
    assert archive.report.skipped_in == {"conn.log": 1}
    assert archive.report.errors == []


@pytest.mark.parametrize("line", ["2.5\t10.0.0.1", "\t".join("2" * 30), "x", "2.5\t" * 9 + "\t"])
def test_a_row_of_another_length_than_its_header_is_skipped(tmp_path: Path, line: str) -> None:
    content = tsv([row()]).replace(b"#close", line.encode() + b"\n#close")
    content += tsv([row(9.0)]).split(b"\n")[-3] + b"\n"
    archive = conn_log.read([save(tmp_path, content)])
    assert times(archive) == [1.5, 9.0]
    assert archive.report.skipped == 1


def test_a_short_and_a_long_row_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    good = tsv([row()]).split(b"\n")[-3]
    content = tsv([row()]).replace(b"#close", good + b"\tmore\n" + good[:-20] + b"\n#close")
    archive = conn_log.read([save(tmp_path, content.replace(b"\t02:00:00:00\n", b"\n"))])
    assert (len(archive), archive.report.skipped) == (1, 2)


@pytest.mark.parametrize("line", ['{"ts": 1', "[1, 2]", "null", "junk"])
def test_a_json_line_that_is_no_object_is_skipped(tmp_path: Path, line: str) -> None:
    archive = conn_log.read([save(tmp_path, jsonl([row()]) + line.encode())])
    assert (len(archive), archive.report.skipped) == (1, 1)


def test_a_log_cut_in_mid_row_loses_that_row(tmp_path: Path) -> None:
    content = tsv([row(float(i)) for i in range(9)]).split(b"#close")[0]
    archive = conn_log.read([save(tmp_path, content[:-25])])
    assert (len(archive), archive.report.skipped) == (8, 1)


def test_counts_add_up(tmp_path: Path) -> None:
    rows = [row(), row("x"), row(2.0, "8.8.4.4", local_orig=False), row(90.0), row("NaN", "?")]
    report = conn_log.read([save(tmp_path, tsv(rows))], until=50.0).report
    counts = (report.rows, report.sessions, report.skipped, report.not_hosts, report.outside)
    assert counts == (5, 1, 2, 1, 1)


def bad_files() -> list[tuple[str, bytes, str]]:
    without = {name: tuple(f for f in FIELDS if f != name) for name in FIELDS}
    files = [
        (f"no-{name}", tsv([row()], without[name]), f"no column {name}")
        for name in ("ts", "id.orig_h", "id.resp_h")
    ]
    files += [
        (f"json-no-{name}", jsonl([{k: v for k, v in row().items() if k != name}]), name)
        for name in ("ts", "id.orig_h", "id.resp_h")
    ]
    other = row(query="a.b", conn_state=None)
    return [
        *files,
        ("dns", tsv([row()], path="dns"), "a dns log, not a conn log"),
        ("json dns", jsonl([other | {"_path": "dns"}]), "a dns log, not a conn log"),
        ("dns.json", jsonl([other]), "a dns log, not a conn log"),
        ("no header", b"1.5\tCUid\t10.0.0.1\t99\t8.8.8.8\t53\n", "no Zeek header"),
        ("prose", b"Lorem ipsum dolor sit amet\n\nconsectetur", "not a Zeek log"),
        ("binary", bytes(range(256)) * 9, "not a Zeek log"),
        ("pcap", b"\xd4\xc3\xb2\xa1" + bytes(20), "packet capture"),
        ("empty", b"", "empty"),
        ("blank", b"\n\n", "empty"),
        ("empty gzip", gzip.compress(b""), "empty"),
    ]


@pytest.mark.parametrize(("name", "content", "says"), bad_files(), ids=[b[0] for b in bad_files()])
def test_a_bad_file_has_one_clear_error_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    bad = save(tmp_path, content, name)
    archive = conn_log.read([bad, save(tmp_path, tsv([row()]))])
    assert len(archive) == 1
    (error,) = archive.report.errors
    assert error.startswith(f"{bad}: ")
    assert says in error
    assert "\n" not in error
    with pytest.raises(ArchiveError, match=name):
        conn_log.read([bad])


@pytest.mark.parametrize("cut", [0.5, 0.95])
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_truncated_gzip_keeps_what_is_readable(tmp_path: Path, form: Any, cut: float) -> None:
    rng = np.random.default_rng(0)
    content = form([row(float(t), uid=f"C{rng.integers(1 << 60):x}") for t in range(3000)])
    packed = gzip.compress(content)
    path = save(tmp_path, packed[: int(len(packed) * cut)], "conn.log.gz")
    archive = conn_log.read([path, save(tmp_path, tsv([row(1e6)]), "other.log")])
    assert times(archive)[:-1] == list(range(len(archive) - 1))
    assert len(archive) > 3000 * (cut - 0.1)
    (error,) = archive.report.errors
    assert str(path) in error
    assert "gzip" in error


def test_gzip_with_garbage_behind_it_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(tsv([row()])) + b"garbage", "conn.log.gz")
    archive = conn_log.read([path])
    assert len(archive) == 1
    assert len(archive.report.errors) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"nowhere\.log: no such file"):
        conn_log.read([tmp_path / "nowhere.log"])


def test_a_folder_without_conn_logs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no conn logs"):
        conn_log.read([tmp_path])


def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, tsv([row()]), "open/conn.log")
    closed = save(tmp_path, tsv([row()]), "closed/conn.log").parent
    listed = save(tmp_path, tsv([row()]), "listed/conn.log")
    refuse(monkeypatch, closed, listed)
    archive = conn_log.read([tmp_path])
    assert len(archive) == 1
    assert archive.report.errors == [f"{one}: Permission denied" for one in (closed, listed)]
    for path in (closed, listed):
        with pytest.raises(ArchiveError, match=f"^{path}: Permission denied$"):
            conn_log.read([path])


def refuse(monkeypatch: pytest.MonkeyPatch, closed: Path, listed: Path) -> None:
    """As for somebody who may not list ``closed``, and not look at ``listed``; tests may be root's,
    who may do all."""

    def refusing(real: Any, refused: Path) -> Any:
        def call(path: Any, *more: Any, **options: Any) -> Any:
            if str(path) == str(refused):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *more, **options)

        return call

    monkeypatch.setattr("os.scandir", refusing(os.scandir, closed))
    monkeypatch.setattr("pathlib.Path.stat", refusing(Path.stat, listed))


def test_progress_is_told_after_each_file(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]), "conn.1.log")
    save(tmp_path, tsv([row(), row()]), "conn.2.log")
    told: list[tuple[int, int, int]] = []
    conn_log.read([tmp_path], progress=lambda *now: told.append(now))
    assert told == [(1, 2, 1), (2, 2, 3)]


# Any form gives the same sessions

_names = st.text("abcdefgh_", min_size=3, max_size=9).filter(lambda name: name not in FIELDS)
_address = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
_row = st.builds(
    row,
    ts=st.integers(0, 4_000_000_000_000_000).map(lambda micro: micro / 1e6),
    host=_address,
    uid=st.none() | st.text("ABCxyz019", min_size=1, max_size=19),
    id__resp_h=_address,
    id__resp_p=st.integers(0, 65535),
    proto=st.sampled_from(["tcp", "udp", "icmp", "unknown_transport"]),
    local_orig=st.sampled_from([True, False, None]),
    orig_l2_addr=st.none() | st.sampled_from([MAC, "AA:bb:cc:dd:ee:ff"]),
)


@settings(max_examples=60)
@given(rows=st.lists(_row, min_size=1, max_size=8), data=st.data())
def test_tsv_of_any_layout_and_json_give_equal_sessions(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    extra = data.draw(st.lists(_names, unique=True, max_size=4))
    fields = tuple(data.draw(st.permutations([*FIELDS, *extra])))
    separator = data.draw(st.sampled_from(["\t", ",", "|", "~~", " "]))
    unset = data.draw(st.sampled_from(["-", "(null)", "_"]))
    text = save(folder, tsv(rows, fields, separator, unset), "a.conn.log")
    lines = save(folder, jsonl([r | dict.fromkeys(extra, "v") for r in rows]), "b.conn.log")
    assert sessions(text) == sessions(lines)
    assert conn_log.read([text]).report.rows == len(rows)


@settings(max_examples=100)
@given(content=st.binary(max_size=300), header=st.booleans())
def test_arbitrary_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bool
) -> None:
    content = tsv([row()]) + content if header else content
    path = save(tmp_path_factory.mktemp("bytes"), content)
    with contextlib.suppress(ArchiveError):
        conn_log.read([path])


def test_everybody_is_no_host(tmp_path: Path) -> None:
    flipped = row(host="10.0.0.255", orig_l2_addr="ff:ff:ff:ff:ff:ff")
    report = conn_log.read([save(tmp_path, tsv([flipped, row()]))]).report
    assert (report.sessions, report.not_hosts) == (1, 1)


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "01:00:5e:00:00:fb"])
def test_what_is_no_interfaces_mac_is_none(tmp_path: Path, mac: str) -> None:
    (batch,) = conn_log.read([save(tmp_path, tsv([row(orig_l2_addr=mac)]))]).batches()
    assert list(batch.mac) == [""]
