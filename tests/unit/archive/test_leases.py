"""dhcp rows lend what the server said yes to, in every form that logs have had; and sites and
VLANs tell hosts apart where there are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nba_broker.archive import conn_log
from nba_broker.records.sessions import site_of
from tests.unit.archive.conn_rows import MAC, jsonl, keep, row, save, tsv

LEASE = {"ts": 1.5, "mac": MAC, "assigned_addr": "10.0.0.2", "host_name": "lamp"}


def leases(folder: Path, *rows: dict[str, Any], form: str = "json") -> list[tuple[Any, ...]]:
    save(folder, tsv([row()]))
    if form == "parquet":
        keep(folder, pa.Table.from_pylist(list(rows)), "dhcp.parquet")
    else:
        names = tuple(dict.fromkeys(name for one in rows for name in one))
        flat = [
            {k: ",".join(v) if isinstance(v, list) else v for k, v in one.items()} for one in rows
        ]
        content = jsonl(list(rows)) if form == "json" else tsv(flat, names, path="dhcp")
        save(folder, content, "dhcp.log")
    archive = conn_log.read([folder])
    assert archive.errors == []
    return [(one.ts, one.ip, one.mac, one.hostname) for one in archive.leases]


FORMS = pytest.mark.parametrize("form", ["json", "tsv", "parquet"])


@FORMS
def test_an_old_log_calls_the_address_by_another_name(tmp_path: Path, form: str) -> None:
    old = {"ts": 1.5, "uid": "C1", "id.orig_h": "0.0.0.0", "id.orig_p": 68}
    old |= {"id.resp_h": "255.255.255.255", "id.resp_p": 67, "mac": MAC, "assigned_ip": "10.0.0.2"}
    assert leases(tmp_path, old, form=form) == [(1.5, "10.0.0.2", MAC, "")]


@FORMS
@pytest.mark.parametrize(
    ("messages", "lends"),
    [
        (["DISCOVER", "OFFER", "REQUEST", "ACK"], True),
        (["REQUEST", "ACK"], True),
        (["DISCOVER", "OFFER"], False),
        (["DISCOVER"], False),
        (["REQUEST", "NAK"], False),
        (["DISCOVER", "OFFER", "REQUEST"], False),
        (["RELEASE"], False),
    ],
)
def test_only_what_the_server_acknowledged_is_lent(
    tmp_path: Path, form: str, messages: list[str], lends: bool
) -> None:
    assert len(leases(tmp_path, LEASE | {"msg_types": messages}, form=form)) == lends


@FORMS
@pytest.mark.parametrize("written", ["02-00-00-00-00-01", "0200.0000.0001", "020000000001"])
def test_a_lease_takes_a_mac_in_any_notation(tmp_path: Path, form: str, written: str) -> None:
    assert leases(tmp_path, LEASE | {"mac": written}, form=form)[0][2] == MAC


@pytest.mark.parametrize("byte", [b"\xe9", b"\\ud800"])
def test_an_odd_byte_in_a_row_costs_no_lease(tmp_path: Path, byte: bytes) -> None:
    save(tmp_path, tsv([row()]))
    save(tmp_path, jsonl([LEASE | {"host_name": "XX"}, LEASE]).replace(b"XX", byte), "dhcp.log")
    found = conn_log.read([tmp_path]).leases
    assert [(one.ip, one.mac) for one in found] == [("10.0.0.2", MAC)] * 2
    assert {one.hostname for one in found} <= {"lamp", "\ufffd", "?"}


def test_leases_have_the_unit_of_their_times(tmp_path: Path) -> None:
    late = 1_767_571_200
    rows = [LEASE | {"ts": ts * 1000} for ts in (5, late, late + 1)]
    assert [one[0] for one in leases(tmp_path, *rows)] == [5, late, late + 1]


def test_nobodys_address_and_everybodys_mac_are_not_lent(tmp_path: Path) -> None:
    rows = [LEASE | {"assigned_addr": "0.0.0.0"}, LEASE | {"mac": "ff:ff:ff:ff:ff:ff"}]
    assert leases(tmp_path, *rows) == []


# Segments


def segments(folder: Path, *rows: dict[str, Any], form: str = "json") -> list[str]:
    if form == "parquet":
        names = list(dict.fromkeys(name for one in rows for name in one))
        table = pa.table({name: pa.array([one.get(name) for one in rows]) for name in names})
        path = keep(folder, table, "conn.parquet")
    else:
        names = tuple(dict.fromkeys(name for one in rows for name in one))
        path = save(folder, jsonl(list(rows)) if form == "json" else tsv(list(rows), names))
    batches = list(conn_log.read([path]).batches())
    if all(batch.segment is None for batch in batches):
        return [""] * sum(map(len, batches))
    return [one for batch in batches for one in batch.segment or ()]


def seen(at: float, **more: Any) -> dict[str, Any]:
    return row(at, uid=f"CUidOfThis{at}") | {k.replace("__", "."): v for k, v in more.items()}


@FORMS
def test_vlans_tell_hosts_apart_where_there_are_several(tmp_path: Path, form: str) -> None:
    rows = [seen(1.0, vlan=10), seen(2.0, vlan=20), seen(3.0, vlan=10, inner_vlan=7)]
    assert segments(tmp_path, *rows, form=form) == ["/10", "/20", "/10.7"]


@FORMS
def test_a_vlan_that_all_have_is_told_as_a_sensor_tells_it(tmp_path: Path, form: str) -> None:
    assert segments(tmp_path, seen(1.0, vlan=10), seen(2.0, vlan=10), form=form) == ["/10", "/10"]


@FORMS
def test_frames_without_a_tag_are_in_a_network_of_their_own(tmp_path: Path, form: str) -> None:
    rows = [seen(1.0, vlan=10), seen(2.0), seen(3.0, vlan=0)]
    assert segments(tmp_path, *rows, form=form) == ["/10", "", ""]


def test_an_archive_that_tells_no_vlans_and_no_sites_has_no_segments(tmp_path: Path) -> None:
    save(tmp_path, jsonl([seen(1.0), seen(2.0)]))
    assert all(batch.segment is None for batch in conn_log.read([tmp_path]).batches())


@FORMS
def test_zeeks_own_keys_of_connections_tell_vlans_and_more(tmp_path: Path, form: str) -> None:
    rows = [seen(1.0, id__ctx__vlan=10, vlan=10), seen(2.0, id__ctx__vlan=10, id__ctx__vni=9)]
    assert segments(tmp_path, *rows, form=form) == ["/10", "/10.vni=9"]


def test_a_nested_key_of_connections_is_read(tmp_path: Path) -> None:
    def nested(at: float, vlan: int) -> dict[str, Any]:
        one = seen(at)
        inner = {k[3:]: one.pop(k) for k in list(one) if k.startswith("id.")}
        return one | {"id": inner | {"ctx": {"vlan": vlan}}}

    for folder, form in (("a", "json"), ("b", "parquet")):
        found = segments(tmp_path / folder, nested(1.0, 10), nested(2.0, 20), form=form)
        assert found == ["/10", "/20"]


@FORMS
def test_sites_tell_hosts_apart(tmp_path: Path, form: str) -> None:
    rows = [seen(1.0, _system_name="berlin", vlan=3), seen(2.0, _system_name="paris", vlan=3)]
    assert segments(tmp_path, *rows, form=form) == ["berlin/3", "paris/3"]


def test_the_workers_of_one_cluster_are_at_one_site(tmp_path: Path) -> None:
    rows = [seen(at, _node_name=f"worker-{at:.0f}") for at in (1.0, 2.0)]
    assert segments(tmp_path / "one", *rows) == ["", ""]
    rows = [seen(at, _node_name=f"{site}-worker-1") for at, site in ((1.0, "paris"), (2.0, "rome"))]
    assert segments(tmp_path / "two", *rows) == ["paris/", "rome/"]


@pytest.mark.parametrize(
    ("node", "site"),
    [
        *((name, "") for name in ("worker-1", "worker-1-2", "zeek", "logger-2", "manager", "")),
        *((name, "") for name in ("proxy-1", "standalone", "worker1", "worker-eth0", "bro")),
        *(("berlin-worker-3", "berlin"), ("branch-7", "branch-7"), ("paris.zeek", "paris")),
        *(("zeekhouse", "zeekhouse"), ("a-b-manager", "a-b")),
    ],
)
def test_a_nodes_name_tells_its_site(node: str, site: str) -> None:
    assert site_of(node) == site


def test_leases_are_of_the_segment_that_their_rows_tell(tmp_path: Path) -> None:
    save(tmp_path, jsonl([seen(1.0, vlan=10), seen(2.0, vlan=20)]))
    save(tmp_path, jsonl([LEASE | {"vlan": 20}, LEASE | {"ts": 2.0}]), "dhcp.log")
    assert [one.segment for one in conn_log.read([tmp_path]).leases] == ["/20", ""]


def test_the_vendor_class_is_read_where_zeek_logs_it(tmp_path: Path) -> None:
    save(tmp_path, tsv([row()]))
    save(tmp_path, jsonl([LEASE | {"client_software": "MSFT 5.0"}]), "dhcp.log")
    (lease,) = conn_log.read([tmp_path]).leases
    assert (lease.vendor_class, lease.params) == ("MSFT 5.0", ())
