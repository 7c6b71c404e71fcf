"""A tunnel's outer flow is no host's session, whatever the log's form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from nba_broker.archive import conn_log
from tests.unit.archive.conn_rows import FIELDS, jsonl, row, save, tsv

Form = Callable[[Path, list[dict[str, Any]]], Path]


def as_tsv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return save(folder, tsv(rows, (*FIELDS, "service")))


def as_json(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return save(folder, jsonl(rows))


def as_parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "conn.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


FORMS = pytest.mark.parametrize("form", [as_tsv, as_json, as_parquet])


@FORMS
@pytest.mark.parametrize("port", [4789, 6081, 4754, 2152, 3544, 5072])
def test_a_session_to_a_tunnels_port_is_no_hosts(tmp_path: Path, form: Form, port: int) -> None:
    udp, tcp = row(1.0, id__resp_p=port), row(2.0, id__resp_p=port, proto="tcp")
    report = conn_log.read([form(tmp_path, [udp, tcp])]).report
    assert (report.sessions, report.not_hosts) == (1, 1)


@FORMS
@pytest.mark.parametrize("service", ["vxlan", "geneve", "gtpv1", "teredo", "ayiya", "ssl,vxlan"])
def test_a_tunnel_at_a_port_of_the_sites_own_is_told_by_its_service(
    tmp_path: Path, form: Form, service: str
) -> None:
    rows = [row(1.0, id__resp_p=8472, service=service), row(2.0, service="dns")]
    report = conn_log.read([form(tmp_path, rows)]).report
    assert (report.sessions, report.not_hosts) == (1, 1)


def test_a_list_of_services_costs_no_session(tmp_path: Path) -> None:
    rows = [row(1.0, service=["dns", "quic"]), row(2.0, service=[])]
    for form in (as_json, as_parquet):
        assert conn_log.read([form(tmp_path, rows)]).report.sessions == 2
