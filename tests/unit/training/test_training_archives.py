"""Training reads what score reads, and its exit status says what it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nba_broker.cli import config
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from tests.unit.archive.conn_rows import MAC, jsonl, row, save, tsv
from training.cli.main import main
from training.data import hosts, traffic
from training.data.labels import Label

QUERY = {"ts": 1.0, "uid": "C0", "query": "lamp.local", "qtype": 255, "id.orig_h": "10.0.0.2"}
QUERY |= {"id.orig_p": 5353, "id.resp_h": "224.0.0.251", "id.resp_p": 5353}
QUERY |= {"answers": ["TXT 7 md=Lamp"]}


def rows(number: int = 40) -> list[dict[str, Any]]:
    mdns = {"id__resp_h": "224.0.0.251", "id__resp_p": 5353, "orig_bytes": 100, "orig_pkts": 2}
    return [row(1.0 + at, uid=f"C{at}", **mdns) for at in range(number)]


def stream() -> bytes:
    conn = [{"_path": "conn"} | one for one in rows()]
    return jsonl([{"_path": "dns"} | QUERY, *conn])


def pools() -> Pools:
    return Pools([Database(config.shipped("asn.mmdb.xz"))])


@pytest.mark.parametrize("name", ["conn.log", "export.json"])
def test_names_that_hosts_announce_are_found_in_a_stream_of_all_logs(
    tmp_path: Path, name: str
) -> None:
    save(tmp_path, stream(), name)
    (host,) = hosts.find([tmp_path], pools()).hosts
    assert (host.host, host.names, host.models) == (MAC, ("lamp",), ("md=Lamp",))


def test_volumes_and_queries_are_found_in_a_stream_of_all_logs(tmp_path: Path) -> None:
    save(tmp_path, stream())
    loaded, _ = traffic.load([tmp_path], [Label(MAC, "Lamp", "bulb")], pools())
    assert loaded.packets.tolist() == [2.0] * 40
    assert loaded.size.tolist() == [100.0] * 40
    assert loaded.queries["query"].tolist() == ["lamp.local"]


def test_labels_of_an_archive_that_is_not_understood_end_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, tsv(rows(150)), "conn.1.log")
    save(tmp_path, tsv([one | {"ts": "last week"} for one in rows()]), "conn.2.log")
    assert main(["labels", str(tmp_path), "--out", str(tmp_path / "labels.csv")]) == 1
    said = capsys.readouterr().err
    assert "conn.2.log: 40 of 40 rows cannot be used: column ts: its value 'last week'" in said
    assert MAC in (tmp_path / "labels.csv").read_text()
