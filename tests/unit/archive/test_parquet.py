"""Parquet folders, as security lakes keep conn logs, give the sessions of the same rows as TSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log, zeek_log
from nba_broker.cli.main import main
from nba_broker.records.errors import ArchiveError
from tests.unit.archive.conn_rows import (
    MAC,
    ONE,
    SPELLINGS,
    TIMES,
    flat,
    keep,
    lake,
    row,
    save,
    sessions,
    tsv,
)

Rows = list[dict[str, Any]]


ROWS = st.builds(
    row,
    # Whole milliseconds: what every kind of time can hold.
    st.integers(1, 2_000_000_000_000).map(lambda ms: ms / 1000),
    st.sampled_from(["10.0.0.2", "10.0.0.3", "fe80::1", "8.8.4.4", "224.0.0.1", "0.0.0.0"]),
    uid=st.sampled_from(["CUid1", "CUid2", None]),
    id__resp_h=st.sampled_from(["8.8.8.8", "2001:db8::1", "10.0.0.2", "nowhere", None]),
    id__resp_p=st.sampled_from([0, 53, 65535, 70000, None]),
    proto=st.sampled_from(["tcp", "udp", "icmp", None]),
    local_orig=st.sampled_from([True, False, None]),
    orig_l2_addr=st.sampled_from([MAC, MAC.upper().replace("1", "A"), "ff:ff:ff:ff:ff:ff", None]),
)


@settings(max_examples=60)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=12),
    times=st.sampled_from([name for name in TIMES if name != "milliseconds"]),
    spelling=st.sampled_from(list(SPELLINGS)),
    group=st.integers(1, 5),
    dictionary=st.booleans(),
)
def test_the_same_rows_as_tsv_and_as_parquet_are_the_same_sessions(
    tmp_path_factory: pytest.TempPathFactory,
    rows: Rows,
    times: str,
    spelling: str,
    group: int,
    dictionary: bool,
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    table = lake(rows, times, spelling)
    if dictionary:
        texts = [n for n in table.column_names if pa.types.is_string(table[n].type) and n != "ts"]
        for name in texts:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].dictionary_encode())
    plain = conn_log.read([save(folder, tsv(rows))])
    parquet = conn_log.read([keep(folder, table, row_group_size=group)])
    assert flat(plain.batches()) == flat(parquet.batches())
    assert plain.report.skipped == parquet.report.skipped
    assert plain.report.not_hosts == parquet.report.not_hosts


@pytest.mark.parametrize("times", list(TIMES))
@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_every_kind_of_time_and_spelling(tmp_path: Path, times: str, spelling: str) -> None:
    rows = [row(1561793774.742)]
    assert sessions(keep(tmp_path, lake(rows, times, spelling))) == sessions(
        save(tmp_path, tsv(rows))
    )


def test_the_tuple_of_a_connection_may_be_a_structure(tmp_path: Path) -> None:
    table = lake([row()])
    inner = [name for name in table.column_names if name.startswith("id.")]
    tuples = pa.StructArray.from_arrays(
        [table[name].combine_chunks() for name in inner], [name[3:] for name in inner]
    )
    assert sessions(keep(tmp_path, table.drop_columns(inner).append_column("id", tuples))) == ONE


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.uint16(), pa.decimal128(38, 0)])
def test_a_port_may_be_of_any_type(tmp_path: Path, kind: pa.DataType) -> None:
    table = lake([row()])
    place = table.column_names.index("id.resp_p")
    ports = table["id.resp_p"].cast(kind)
    assert sessions(keep(tmp_path, table.set_column(place, "id.resp_p", ports))) == ONE


def test_a_dash_is_unset_as_in_the_log_that_it_came_from(tmp_path: Path) -> None:
    rows = [row(uid="-", orig_l2_addr="-", proto="-")]
    assert sessions(keep(tmp_path, lake(rows))) == [
        (1.5, "10.0.0.2", "", "", "8.8.8.8", "53/unknown")
    ]


def test_partitioned_folders_are_walked_and_their_names_are_columns(tmp_path: Path) -> None:
    keep(
        tmp_path, lake([row(1.5)]).drop_columns("proto"), "conn/day=1970-01-01/proto=udp/0.parquet"
    )
    keep(
        tmp_path, lake([row(2.5)]).drop_columns("proto"), "conn/day=1970-01-02/proto=tcp/0.parquet"
    )
    found = sessions(tmp_path / "conn")
    assert [(one[0], one[-1]) for one in found] == [(1.5, "53/udp"), (2.5, "53/tcp")]


def test_what_is_no_conn_log_or_not_finished_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, lake([row()]), "conn/part-0.parquet")
    keep(tmp_path, lake([row(2.5)]), "conn/_temporary/part-1.parquet")
    keep(tmp_path, lake([row(3.5)]), "conn/.part-1.parquet")
    keep(tmp_path, pa.table({"ts": [1.0], "fuid": ["F1"]}), "files/part-0.parquet")
    ssl = lake([row(4.5)]).drop_columns("conn_state").append_column("cipher", [["x"]])
    keep(tmp_path, ssl, "ssl/part-0.parquet")
    archive = conn_log.read([tmp_path])
    assert (len(archive), archive.report.errors) == (1, [])


def test_leases_come_from_parquet_too(tmp_path: Path) -> None:
    keep(tmp_path, lake([row(orig_l2_addr=None)]), "conn/0.parquet")
    lease = {"ts": [0.5], "mac": [MAC], "assigned_addr": ["10.0.0.2"], "host_name": ["lamp"]}
    path = keep(tmp_path, pa.table(lease), "dhcp/0.parquet")
    (found,) = conn_log.read([tmp_path]).leases
    assert (found.ts, found.ip, found.mac, found.hostname) == (0.5, "10.0.0.2", MAC, "lamp")
    assert zeek_log.read(path)[0]["host_name"] == "lamp"


def test_another_log_named_by_hand_is_refused_by_name(tmp_path: Path) -> None:
    path = keep(tmp_path, pa.table({"ts": [1.0], "cipher": ["x"]}), "ssl.parquet")
    with pytest.raises(ArchiveError, match=r"ssl\.parquet: a ssl log, not a conn log"):
        conn_log.read([path])


@pytest.mark.parametrize("cut", [8, -8])
def test_a_file_that_is_cut_off_is_named_and_the_others_are_read(tmp_path: Path, cut: int) -> None:
    whole = keep(tmp_path, lake([row()]), "conn/0.parquet")
    (tmp_path / "conn" / "1.parquet").write_bytes(whole.read_bytes()[:cut])
    archive = conn_log.read([tmp_path])
    assert len(archive) == 1
    (error,) = archive.report.errors
    assert "1.parquet: damaged Parquet data" in error
    assert "\n" not in error


def test_damage_inside_a_file_costs_only_what_lies_behind_it(tmp_path: Path) -> None:
    path = keep(
        tmp_path,
        lake([row(float(at)) for at in range(1, 9)]),
        row_group_size=4,
        use_dictionary=False,
        compression="none",
    )
    metadata = pyarrow.parquet.read_metadata(path)
    start = metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(content)
    archive = conn_log.read([path])
    assert [one[0] for one in sessions(path)] == [1, 2, 3, 4]
    assert len(archive.report.errors) == 1


def test_text_that_is_not_utf_8_costs_its_row_alone(tmp_path: Path) -> None:
    table = lake([row(1.5), row(2.5)])
    place = table.column_names.index("id.resp_h")
    hosts = pa.array([b"8.8.8.8", b"\xff"], pa.binary()).view(pa.string())
    path = keep(tmp_path, table.set_column(place, "id.resp_h", hosts))
    assert sessions(path) == ONE
    assert conn_log.read([path]).report.skipped == 1


def test_a_column_of_another_type_is_one_clear_error(tmp_path: Path) -> None:
    table = lake([row()])
    place = table.column_names.index("uid")
    path = keep(tmp_path, table.set_column(place, "uid", [[{"a": [1]}]]))
    with pytest.raises(ArchiveError, match=r"part-0\.parquet: a column has a type") as error:
        conn_log.read([path])
    assert "\n" not in str(error.value)


def test_rows_may_come_in_groups_of_which_some_are_empty(tmp_path: Path) -> None:
    table = lake([row()]).append_column("_path", [["conn"]])
    path = tmp_path / "conn.parquet"
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        for group in (table.slice(0, 0), table, table.slice(0, 0)):
            writer.write_table(group)
    assert sessions(path) == ONE
    assert conn_log.read([path]).report.errors == []


@pytest.mark.parametrize("groups", [0, 1])
def test_a_file_without_rows_counts_as_read(tmp_path: Path, groups: int) -> None:
    table = lake([row()]).append_column("_path", [["conn"]])
    with pyarrow.parquet.ParquetWriter(tmp_path / "conn.parquet", table.schema) as writer:
        for _ in range(groups):
            writer.write_table(table.slice(0, 0))
    report = conn_log.read([tmp_path]).report
    assert (report.files, report.rows, report.errors) == (1, 0, [])


NOT_UTF_8 = pa.array([b"\xff"]).view(pa.string())
BEYOND_ALL_DATES = pa.array([2**31 - 1], pa.int32()).view(pa.date32())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("ts", NOT_UTF_8), ("_path", NOT_UTF_8)),
        *(("ts", BEYOND_ALL_DATES), ("id.resp_h", BEYOND_ALL_DATES)),
    ],
)
def test_a_value_that_cannot_be_read_costs_its_file_alone(
    tmp_path: Path, name: str, value: pa.Array
) -> None:
    keep(tmp_path, lake([row()]), "0.parquet")
    table = lake([row()]).append_column("_path", [["conn"]])
    keep(tmp_path, table.set_column(table.column_names.index(name), name, value), "1.parquet")
    archive = conn_log.read([tmp_path])
    assert len(archive) == 1
    (error,) = archive.report.errors
    assert "1.parquet: a column has a type that Zeek does not use" in error
    assert "\n" not in error


def test_leases_that_cannot_be_read_cost_no_session(tmp_path: Path) -> None:
    keep(tmp_path, lake([row()]), "conn/0.parquet")
    lease = {"ts": [0.5], "mac": [MAC], "assigned_addr": ["10.0.0.2"]}
    lease["host_name"] = BEYOND_ALL_DATES
    keep(tmp_path, pa.table(lease), "dhcp/0.parquet")
    archive = conn_log.read([tmp_path])
    assert (len(archive), archive.leases) == (1, ())
    assert "dhcp/0.parquet" in archive.report.errors[0]


def test_an_odd_byte_in_a_hosts_name_costs_no_lease(tmp_path: Path) -> None:
    keep(tmp_path, lake([row()]), "conn/0.parquet")
    lease = {"ts": [0.5], "mac": [MAC], "assigned_addr": ["10.0.0.2"], "host_name": NOT_UTF_8}
    keep(tmp_path, pa.table(lease), "dhcp/0.parquet")
    archive = conn_log.read([tmp_path])
    assert [(lease.mac, lease.hostname) for lease in archive.leases] == [(MAC, "\ufffd")]
    assert archive.report.errors == []


def test_score_takes_a_lake_as_it_takes_logs(tmp_path: Path) -> None:
    rows = [row(float(at), id__resp_h=f"8.8.8.{at % 7}") for at in range(1, 80)]
    save(tmp_path / "logs", tsv(rows))
    keep(tmp_path / "lake", lake(rows, "timestamp[us]", "underscores"))
    for form in ("logs", "lake"):
        out = str(tmp_path / "out" / form)
        assert main(["score", str(tmp_path / form), "--out", out]) == 0
    one, other = (
        [line for line in path.read_text().splitlines() if not line.startswith("#")]
        for path in sorted((tmp_path / "out").rglob("nba_device.log"))
    )
    assert one == other != []
