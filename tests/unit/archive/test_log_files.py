"""An archive's logs are found by any usual name or by what they hold, and none is left out without
a word."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import pyarrow as pa
import pytest

from nba_broker.archive import conn_log, discover, log_columns
from nba_broker.cli.main import main
from nba_broker.records.errors import ArchiveError
from tests.unit.archive.conn_rows import FIELDS, MAC, jsonl, keep, lake, row, save, times, tsv

LEASE = {"ts": 0.5, "mac": MAC, "assigned_addr": "10.0.0.2", "host_name": "lamp"}
QUERY = {"ts": 2.5, "uid": "CUid1", "id.orig_h": "10.0.0.2", "id.orig_p": 4000}
QUERY |= {"id.resp_h": "8.8.8.8", "id.resp_p": 53, "proto": "udp", "query": "a.b", "qtype": 1}


def of(path: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"_path": path} | one for one in rows]


CONN_NAMES = [
    "conn.log",
    "CONN.LOG",
    "conn.00:00:00-01:00:00.log.gz",
    "conn_20260105_00:00:00-06:00:00+0000.log.gz",
    "conn-20260105.log",
    "conn.log-20260105.gz",
    "conn.log-20260105-1767571200",
    "conn.log.1",
    "conn.log.2.gz",
    "conn.2026-01-05-00-00-00.log.zst",
    "json_streaming_conn.log",
    "json_streaming_conn.log.1",
    "2026-01-05-conn.log",
    "2026-01-05_conn.json.bz2",
    "sensor.conn.log.labeled",
    "conn.json",
    "conn.ndjson",
    "corelight_conn.jsonl.xz",
    "zeek_conn_red.log",
    "conn_long.log",
    "conn.log.zip",
    "conn_20260105.tar.gz",
    "conn",
    "2026-01-05-conn",
]
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": lambda data: bz2.compress(data, 1),  # in blocks that are short
    ".xz": lzma.compress,
    ".lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("name", CONN_NAMES)
def test_a_conn_log_is_found_by_every_usual_name(tmp_path: Path, name: str) -> None:
    save(tmp_path, tsv([row()]), name)
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.errors, archive.warnings) == ([1.5], [], [])


@pytest.mark.parametrize("path", ["conn_long", "conn_red", "json_streaming_conn"])
def test_packages_that_write_sessions_again_are_read(tmp_path: Path, path: str) -> None:
    save(tmp_path, tsv([row()], path=path), f"{path}.log")
    assert times(conn_log.read([tmp_path])) == [1.5]


@pytest.mark.parametrize("path", ["known_conn", "open_conn", "conn_agg", "ssl", "x509", "dns"])
@pytest.mark.parametrize("name", ["{}.log", "{}_20260105_00:00:00-06:00:00+0000.log", "a-{}.json"])
def test_other_logs_are_left_alone_without_a_word(tmp_path: Path, path: str, name: str) -> None:
    save(tmp_path, tsv([row()]))
    content = jsonl(of(path, row(9.0))) if "json" in name else tsv([row(9.0)], path=path)
    save(tmp_path, content, name.format(path))
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.errors, archive.warnings) == ([1.5], [], [])


@pytest.mark.parametrize(
    "name", ["notes.txt", "stdout.log", "conn-summary.log", "eve.json", "a.gz"]
)
def test_what_is_no_log_of_zeeks_is_left_alone_without_a_word(tmp_path: Path, name: str) -> None:
    save(tmp_path, tsv([row()]))
    save(tmp_path, b'{"event_type": "flow"}\n' if "json" in name else b">== Total\n", name)
    archive = conn_log.read([tmp_path])
    assert (archive.errors, archive.warnings) == ([], [])


@pytest.mark.parametrize(
    "name", ["export.json", "zeek.log", "2026-01-05.log.gz", "all.tar.gz", "05.gz"]
)
def test_a_conn_log_without_its_name_is_read_for_what_it_holds(tmp_path: Path, name: str) -> None:
    save(tmp_path, jsonl(of("conn", row())) if "json" in name else tsv([row()]), name)
    archive = conn_log.read([tmp_path])
    assert times(archive) == [1.5]
    assert archive.warnings == [f"read as conn logs by their content, not their names: {name}"]


def test_what_may_have_been_meant_and_is_not_read_is_named_in_one_line(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]))
    for name in ("conn.csv", "old_conn.csv.gz"):
        save(tmp_path, b"ts,uid\n", name)
    save(tmp_path, b"7z\xbc\xaf\x27\x1c" + bytes(30), "rest.tar")
    save(tmp_path, jsonl([row(conn_state=None, service="dns")]), "export.json")
    (tmp_path / "conn.1.log").symlink_to(tmp_path / "nowhere")
    archive = conn_log.read([tmp_path])
    (line,) = archive.warnings
    assert line.startswith("5 files look like logs and are not read: ")
    assert line.endswith(" and 2 more")
    assert archive.errors == []


def test_an_archive_of_nothing_but_such_files_says_so(tmp_path: Path) -> None:
    save(tmp_path, b"ts,uid\n", "conn.csv")
    with pytest.raises(
        ArchiveError, match=r"no conn logs found .*conn\.csv \(values between comma"
    ):
        conn_log.read([tmp_path])


def test_the_dhcp_log_beside_is_found_however_it_is_packed(tmp_path: Path) -> None:
    path = save(tmp_path, tsv([row()]), "conn_20260105.log.gz")
    save(tmp_path, lz4.frame.compress(jsonl([LEASE])), "dhcp_20260105.log.lz4")
    assert [lease.hostname for lease in conn_log.read([path]).leases] == ["lamp"]


# Rows of several logs in one file


def streams() -> dict[str, bytes]:
    rows = [*of("dns", QUERY), *of("ssl", row(9.0)), *of("conn", row()), *of("dhcp", LEASE)]
    plain = [{k: v for k, v in one.items() if k != "_path"} for one in rows]
    del plain[1]["conn_state"]
    fields = ("_path", *tuple(row()), "mac", "assigned_addr", "host_name")
    both = tsv(rows, fields, path="all")
    heads = tsv([QUERY], tuple(QUERY), path="dns") + tsv([row(9.0)], path="ssl")
    heads += tsv([LEASE], tuple(LEASE), path="dhcp") + tsv([row()])
    return {
        "with _path": jsonl(rows),
        "conn first": jsonl(rows[::-1]),
        "without _path": jsonl(plain),
        "an array": json.dumps(rows, indent=2).encode(),
        "with a column _path": both,
        "with several headers": heads,
    }


@pytest.mark.parametrize("content", streams().values(), ids=streams())
@pytest.mark.parametrize("name", ["conn.log", "zeek.log"])
def test_rows_of_several_logs_are_told_apart(tmp_path: Path, content: bytes, name: str) -> None:
    path = save(tmp_path, content, name)
    for given in (tmp_path, path):
        archive = conn_log.read([given])
        assert times(archive) == [1.5]
        assert [(lease.ip, lease.hostname) for lease in archive.leases] == [("10.0.0.2", "lamp")]
        assert archive.report.rows == 1
        assert sum(archive.report.others.values()) == 2
        assert archive.dns_logs == (path,)
        assert archive.errors == []


def test_rows_of_several_logs_in_parquet_are_told_apart(tmp_path: Path) -> None:
    rows = [row(9.0), row(1.5), row(8.0)]
    table = lake(rows).append_column("_path", [["ssl", "conn", "dns"]])
    lease = lake([row()]).append_column("_path", [["dhcp"]])
    lease = lease.append_column("mac", [[MAC]]).append_column("assigned_addr", [["10.0.0.2"]])
    keep(tmp_path, pa.concat_tables([table, lease], promote_options="default"))
    archive = conn_log.read([tmp_path])
    assert (times(archive), len(archive.leases)) == ([1.5], 1)
    assert archive.report.others == {"ssl": 1, "dns": 1}


def test_folders_that_name_their_log_are_told_by_that(tmp_path: Path) -> None:
    for log in ("conn", "ssl"):
        keep(tmp_path, lake([row(1.5 if log == "conn" else 9.0)]), f"_path={log}/0.parquet")
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.report.others) == ([1.5], {})


# Names of columns


NESTED = {k: v for k, v in row().items() if not k.startswith("id.")}
SPELT = {
    "nested": NESTED | {"id": {k[3:]: v for k, v in row().items() if k.startswith("id.")}},
    "underscores": {k.replace(".", "_"): v for k, v in row().items()},
    "capitals": {k.replace(".", "_").upper(): v for k, v in row().items()},
    "without id": {k.removeprefix("id."): v for k, v in row().items()},
}


@pytest.mark.parametrize("spelt", SPELT.values(), ids=SPELT)
@pytest.mark.parametrize("form", ["json", "tsv", "parquet"])
def test_columns_mean_the_same_however_they_are_spelt(
    tmp_path: Path, spelt: dict[str, Any], form: str
) -> None:
    if form == "json":
        save(tmp_path, jsonl([spelt]))
    elif form == "parquet":
        keep(tmp_path, pa.Table.from_pylist([spelt]))
    else:
        spelt = {k: v for k, v in spelt.items() if k != "id"} | spelt.get("id", {})
        save(tmp_path, tsv([spelt], tuple(spelt)))
    archive = conn_log.read([tmp_path])
    (batch,) = archive.batches()
    assert (list(batch.host), list(batch.mac), list(batch.uid)) == (["10.0.0.2"], [MAC], ["CUid1"])
    assert batch.dport.tolist() == [53 + 2 * 65536]


def test_zeeks_own_spelling_of_a_column_goes_first() -> None:
    assert log_columns.flat({"TS": 1, "ts": 2, "Ts": 3}) == {"ts": 2}
    assert log_columns.zeek_names(["ID_ORIG_H", "id.orig_h"]) == {"id.orig_h": "id.orig_h"}


# Texts and packing


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_texts_of_any_unicode(tmp_path: Path, encoding: str, form: Any) -> None:
    content = form([row(), row(2.5)]).decode().replace("\n", "\r\n").encode(encoding)
    assert times(conn_log.read([save(tmp_path, content)])) == [1.5, 2.5]


def several(kind: str, files: dict[str, bytes] | None = None) -> bytes:
    files = files or {
        "2026-01-05/conn.log": tsv([row()]),
        "2026-01-06/conn.log.gz": gzip.compress(tsv([row(2.5)])),
        "2026-01-06/dhcp.log": jsonl([LEASE]),
        "2026-01-06/ssl.log": tsv([row(9.0)], path="ssl"),
    }
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=made, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["zip", "", "gz", "xz"])
@pytest.mark.parametrize("given_by_hand", [True, False])
def test_the_logs_of_a_zip_or_tar_file_are_read_each(
    tmp_path: Path, kind: str, given_by_hand: bool
) -> None:
    path = save(tmp_path, several(kind), "logs.zip" if kind == "zip" else "logs.tar")
    archive = conn_log.read([path if given_by_hand else tmp_path])
    assert (times(archive), len(archive.leases), archive.errors) == ([1.5, 2.5], 1, [])


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_what_lies_beside_the_logs_of_a_zip_or_tar_file_costs_nothing(
    tmp_path: Path, kind: str
) -> None:
    others = {"README.txt": b"hello", "a.pcap": b"\xd4\xc3\xb2\xa1" + bytes(40), "x.csv": b"1,2"}
    others |= {"conn-summary.log.gz": gzip.compress(b">== Total\n"), "stdout.log": b""}
    files = others | {"conn.log": tsv([row()]), "dhcp.log": jsonl([LEASE])}
    files["connections/ssl.json"] = jsonl([row(9.0, conn_state=None, service="ssl")])
    save(tmp_path, several(kind, files), "day.zip")
    archive = conn_log.read([tmp_path])
    assert (times(archive), len(archive.leases), archive.errors) == ([1.5], 1, [])


@pytest.mark.parametrize("kind", ["zip", "gz"])
@pytest.mark.parametrize("name", ["conn.1.log", "part-0.parquet", "conn.csv"])
def test_a_log_in_a_zip_or_tar_file_that_is_not_read_is_named_and_the_others_are_read(
    tmp_path: Path, kind: str, name: str
) -> None:
    bad = b"PAR1" if "parquet" in name else b"a,b\n"
    files = {"conn.0.log": tsv([row()]), name: bad, "conn.2.log": tsv([row(2.5)])}
    save(tmp_path, several(kind, files | {"dhcp.log": jsonl([LEASE])}), "day.zip")
    archive = conn_log.read([tmp_path])
    assert (times(archive), len(archive.leases)) == ([1.5, 2.5], 1)
    (line,) = archive.errors
    assert f"day.zip: {name}: " in line


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK)
@pytest.mark.parametrize("log", ["conn", "dhcp"])
def test_packed_logs_that_end_early_give_all_before(
    tmp_path: Path, pack: Callable[[bytes], bytes], log: str
) -> None:
    rows = [row(float(t), uid=f"C{hash((t, t)) % 10**15}x{t}") for t in range(3000)]
    leases = [LEASE | {"ts": float(t), "host_name": str(hash((t, t)))} for t in range(3000)]
    whole = pack(jsonl(rows if log == "conn" else leases))
    save(tmp_path, whole[: len(whole) * 9 // 10], f"{log}.log")
    save(tmp_path, tsv([row(1e6)]), "other.conn.log")
    archive = conn_log.read([tmp_path])
    got = len(archive) if log == "conn" else len(archive.leases)
    assert 1000 < got < 3001
    (error,) = archive.errors
    assert f"{log}.log: damaged" in error
    assert "only the rows before the damage count" in error


# Tables of lakes


def commit(table: Path, version: int, *actions: dict[str, Any]) -> None:
    log = table / "_delta_log"
    log.mkdir(exist_ok=True)
    (log / f"{version:020}.json").write_bytes(jsonl(list(actions)))


def added(name: str, **more: Any) -> dict[str, Any]:
    return {"add": {"path": name, "partitionValues": {}} | more}


def test_files_that_a_delta_table_has_removed_are_not_read(tmp_path: Path) -> None:
    for at in range(3):
        keep(tmp_path, lake([row(float(at))]), f"day={at}/part a.parquet")
    paths = [f"day%3D{at}/part%20a.parquet" for at in range(3)]
    commit(tmp_path, 0, {"protocol": {}}, {"metaData": {"configuration": {}}}, added(paths[0]))
    commit(tmp_path, 1, {"remove": {"path": paths[0]}}, added(paths[1]))
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.errors) == ([1.0], [])


def test_a_delta_tables_checkpoint_stands_for_the_commits_before(tmp_path: Path) -> None:
    for at in range(2):
        keep(tmp_path, lake([row(float(at))]), f"{at}.parquet")
    rows = [{"add": {"path": "1.parquet", "deletionVector": None}}]
    keep(tmp_path / "_delta_log", pa.Table.from_pylist(rows), f"{7:020}.checkpoint.parquet")
    commit(tmp_path, 8, {"commitInfo": {}})
    assert times(conn_log.read([tmp_path])) == [1.0]


@pytest.mark.parametrize(
    "action",
    [
        added("0.parquet", deletionVector={"storageType": "u"}),
        {"metaData": {"configuration": {"delta.columnMapping.mode": "name"}}},
        added("s3://bucket/0.parquet"),
        {"add": 7},
    ],
)
def test_a_delta_log_that_is_not_understood_is_named(
    tmp_path: Path, action: dict[str, Any]
) -> None:
    keep(tmp_path, lake([row()]), "0.parquet")
    commit(tmp_path, 0, action)
    archive = conn_log.read([tmp_path])
    assert len(archive) == 1
    (error,) = archive.errors
    assert error.startswith(f"{tmp_path / '_delta_log'}: not understood")


def test_an_iceberg_tables_metadata_is_no_data_and_what_it_removed_is_said(tmp_path: Path) -> None:
    keep(tmp_path, lake([row()]), "data/0.parquet")
    save(tmp_path, b"{}", "metadata/v1.metadata.json")
    keep(tmp_path, lake([row(9.0)]), "metadata/stats.parquet")
    archive = conn_log.read([tmp_path])
    assert times(archive) == [1.5]
    assert "Iceberg" in archive.warnings[0]


# What is not understood


ODD = {
    "ts": "last week",
    "id.orig_h": "cam.local",
    "id.resp_h": "host-7",
    "id.resp_p": "https",
    "proto": "web",
    "local_orig": "maybe",
    "orig_l2_addr": "Intel",
}


@pytest.mark.parametrize("column", ODD)
@pytest.mark.parametrize("form", ["json", "tsv", "parquet"])
def test_a_column_that_is_not_understood_fails_with_its_name_and_a_value(
    tmp_path: Path, column: str, form: str
) -> None:
    rows = [row(float(at)) | {column: ODD[column]} for at in range(1, 9)]
    if form == "parquet":
        keep(tmp_path, pa.Table.from_pylist(rows), "conn.parquet")
    else:
        save(tmp_path, jsonl(rows) if form == "json" else tsv(rows))
    (error,) = conn_log.read([tmp_path]).errors
    assert f"column {column}: its value {ODD[column]!r} is not understood" in error
    assert main(["score", str(tmp_path), "--out", str(tmp_path / "out")]) == 1


def test_a_few_rows_that_are_not_understood_fail_nothing(tmp_path: Path) -> None:
    save(tmp_path, tsv([row(float(at)) for at in range(1, 9)] + [row("x"), row(proto="web")]))
    archive = conn_log.read([tmp_path])
    assert (archive.errors, archive.report.skipped) == ([], 1)
    assert main(["score", str(tmp_path), "--out", str(tmp_path / "out")]) == 0


def test_found_files_are_each_there_once(tmp_path: Path) -> None:
    path = save(tmp_path, jsonl(of("conn", row())), "export.json")
    found = discover.find([tmp_path, path, tmp_path])
    assert found.conn == [path]


@pytest.mark.parametrize("column", ["ts", "id.orig_h", "id.resp_p", "proto", "orig_l2_addr"])
@pytest.mark.parametrize("form", ["json", "tsv", "parquet"])
def test_what_is_not_understood_of_some_rows_is_said_with_a_value(
    tmp_path: Path, column: str, form: str
) -> None:
    rows = [row(float(at)) | ({column: ODD[column]} if at % 3 == 0 else {}) for at in range(1, 31)]
    if form == "parquet":
        rows = [{name: str(value) for name, value in one.items()} for one in rows]
        keep(tmp_path, pa.Table.from_pylist(rows), "conn.parquet")
    else:
        save(tmp_path, jsonl(rows) if form == "json" else tsv(rows))
    archive = conn_log.read([tmp_path])
    assert archive.errors == []
    (line,) = archive.warnings
    assert "10 of 30 rows" in line
    assert f"column {column}: its value {ODD[column]!r} is not understood" in line


@pytest.mark.parametrize("column", ["proto", "id.resp_p"])
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_services_that_no_row_tells_fail_with_the_column(
    tmp_path: Path, column: str, form: Any
) -> None:
    rows = [row(float(at)) | {column: None} for at in range(1, 9)]
    save(tmp_path, tsv(rows) if form is tsv else jsonl([one | {column: ""} for one in rows]))
    archive = conn_log.read([tmp_path])
    assert len(archive) == 8
    (line,) = archive.errors
    assert line.endswith(f"column {column}: it is empty, so services are unknown")


@pytest.mark.parametrize("column", ["proto", "id.resp_p"])
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_a_column_of_services_that_was_left_out_is_a_warning(
    tmp_path: Path, column: str, form: Any
) -> None:
    rows = [row(float(at)) for at in range(1, 9)]
    rows = [{name: one[name] for name in one if name != column} for one in rows]
    fields = tuple(name for name in FIELDS if name != column)
    save(tmp_path, tsv(rows, fields) if form is tsv else jsonl(rows))
    archive = conn_log.read([tmp_path])
    assert len(archive) == 8
    assert archive.errors == []
    (line,) = archive.warnings
    assert line.endswith(f"there is no column {column}, so services are unknown")


def test_a_time_that_is_an_object_is_shown(tmp_path: Path) -> None:
    save(tmp_path, jsonl([row() | {"ts": {"$date": year}} for year in ("2026", "2027")]))
    (line,) = conn_log.read([tmp_path]).errors
    assert "column ts: its value \"{'$date': '2026'}\" is not understood" in line


def test_rows_of_a_stream_in_tsv_are_told_apart_in_a_folder(tmp_path: Path) -> None:
    rows = [*of("ssl", row(9.0)), *of("conn", row())]
    save(tmp_path, tsv(rows, (*FIELDS, "_path"), path="all"), "all.log")
    assert times(conn_log.read([tmp_path])) == [1.5]


def test_rows_that_lack_what_only_conn_logs_have_are_sessions_beside_others(tmp_path: Path) -> None:
    rows = [row(1.0, conn_state=None, orig_bytes=9), row(2.0, conn_state=None)]
    save(tmp_path, jsonl([*rows, row(9.0, conn_state=None, version="TLSv13")]))
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.report.others) == ([1.0, 2.0], {"conn": 1})


@pytest.mark.parametrize("name", ["Id", "ID"])
def test_a_nested_id_in_any_letters(tmp_path: Path, name: str) -> None:
    nested = {key.removeprefix("id."): value for key, value in row().items() if "id." in key}
    rest = {key: value for key, value in row().items() if "id." not in key}
    save(tmp_path, jsonl([rest | {name: nested}]))
    assert times(conn_log.read([tmp_path])) == [1.5]


def test_rows_that_are_no_json_at_all_fail(tmp_path: Path) -> None:
    save(tmp_path, b"{'ts': 1.5}\n{'ts': 2.5}\n")
    archive = conn_log.read([tmp_path])
    assert (len(archive), archive.report.skipped) == (0, 2)
    assert "2 of 2 rows cannot be used" in archive.errors[0]


def test_a_table_that_may_be_a_conn_log_is_named(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]))
    rows = [row(9.0, conn_state=None, service="ssl")]
    keep(tmp_path, pa.Table.from_pylist(rows), "part-0.parquet")
    keep(tmp_path, pa.Table.from_pylist([rows[0] | {"version": "TLSv13"}]), "ssl.parquet")
    (line,) = conn_log.read([tmp_path]).warnings
    assert line.startswith("1 file looks like a log and is not read: part-0.parquet (nothing in it")


def test_rows_in_another_row_are_said_to_lack_columns(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"conn\.json: no row has the columns of a conn log"):
        conn_log.read([save(tmp_path, jsonl([{"conn": row()}]), "conn.json")])
    path = save(tmp_path, jsonl([row(conn_state=None, service="ssl")]), "export.json")
    with pytest.raises(ArchiveError, match=r"call it conn\.log if it is one"):
        conn_log.read([path])


def test_rows_of_a_table_that_lack_what_only_conn_logs_have_are_no_sessions(tmp_path: Path) -> None:
    other = row(9.0, conn_state=None, proto=None, uid="CUid2") | {"version": "TLSv13"}
    keep(tmp_path, pa.Table.from_pylist([row(), other, row(2.5)]), "export.parquet")
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.errors) == ([1.5, 2.5], [])
    assert archive.report.others == {"export": 1}


def test_a_table_with_the_columns_of_all_logs_is_what_its_rows_are(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]))
    other = row(9.0, conn_state=None) | {"version": "TLSv13"}
    table = pa.Table.from_pylist([other]).append_column("conn_state", pa.array([None], pa.string()))
    keep(tmp_path, table, "ssl.parquet")
    archive = conn_log.read([tmp_path])
    assert (times(archive), archive.errors, archive.warnings) == ([1.5], [], [])


@pytest.mark.parametrize(
    ("column", "value"), [("mac", "Intel"), ("assigned_addr", "10.0.0.2/24"), ("ts", "Monday")]
)
@pytest.mark.parametrize("name", ["dhcp.log", "stream.json"])
def test_leases_that_are_not_understood_fail_with_the_column_and_a_value(
    tmp_path: Path, column: str, value: str, name: str
) -> None:
    save(tmp_path, tsv([row()]))
    save(tmp_path, jsonl([*of("dhcp", LEASE | {column: value}), *of("conn", row(2.5))]), name)
    archive = conn_log.read([tmp_path])
    assert archive.leases == ()
    (error,) = archive.errors
    assert f"{name}: column {column}: its value {value!r} is not understood, so the lea" in error


@pytest.mark.parametrize("ts", ["0.5", "Monday"])
def test_a_lease_needs_no_more_than_its_time_address_and_mac(tmp_path: Path, ts: str) -> None:
    lease = LEASE | {"ts": ts, "lease_time": "1 day"}
    content = tsv([lease], tuple(lease), path="dhcp").splitlines(True)
    types = b"#types\ttime\tstring\taddr\tstring\tinterval\n"
    content = [types if line.startswith(b"#types") else line for line in content]
    save(tmp_path, b"".join(content), "dhcp.log")
    save(tmp_path, tsv([row()]))
    archive = conn_log.read([tmp_path])
    assert len(archive.leases) == (ts == "0.5")
    assert [("column ts: its value 'Monday'" in line) for line in archive.errors] == (
        [] if ts == "0.5" else [True]
    )
