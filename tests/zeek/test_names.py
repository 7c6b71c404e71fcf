"""The names that hosts ask for, as a real Zeek reports them: all of them, and those of dns.log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nba_broker.cli import main
from nba_broker.cli.options import DEVICE_LOG as LOG
from nba_broker.pipeline.askers import Askers
from nba_broker.records.addresses import printed
from nba_broker.records.names import Answers
from testing.worker import running_worker
from testing.zeek import Cluster, Standalone, read, read_rows, replay, wait_until
from tests.zeek.helpers import zeek_logs

pytestmark = pytest.mark.usefixtures("zeek")

NAMES = Path(__file__).parent / "btest" / "Traces" / "names.pcap"
"""A capture of DNS queries."""

Row = tuple[float, str, str, str, float]
"""When the answer came, the host that asked, the name, the address, and the TTL."""


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """What pipelines of this process learn from now on."""
    rows: list[Row] = []
    of_hosts = Askers._answers

    def note(self: Askers, *arguments: Any) -> Answers:
        answers = of_hosts(self, *arguments)
        hosts = self._identity.names(0, self._identity.capacity)
        of = answers.names
        names = [hosts[slot][0] for slot in answers.slot.tolist()]
        addresses = map(printed, of.address.tolist())
        columns = of.ts.tolist(), names, of.name.tolist(), addresses, of.ttl.tolist()
        rows.extend(zip(*columns, strict=True))
        return answers

    monkeypatch.setattr(Askers, "_answers", note)
    return rows


@pytest.mark.parametrize("capture", ["names", "lsif"])
def test_hosts_learn_the_same_names_live_and_from_dns_log(
    capture: str, request: pytest.FixtureRequest, tmp_path: Path, learned: list[Row]
) -> None:
    pcap = NAMES if capture == "names" else request.getfixturevalue("lsif_day")
    assert main.main(["pcap", str(pcap), "--out", str(tmp_path / "live")]) == 0
    live = learned.copy()
    learned.clear()
    logs = zeek_logs(pcap, tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline")]) == 0
    assert len(live) >= 9
    assert live == learned
    ours, theirs = (
        [
            (row["host"], row["ts"], row["hints"], row["evidence"])
            for row in read_rows(tmp_path / way / LOG)
        ]
        for way in ("live", "offline")
    )
    assert ours == theirs
    if capture == "lsif":
        assert any("pool.ntp.org (" in str(evidence) for *_, evidence in ours)


def test_an_override_of_a_name_gives_the_same_pools_live_and_from_dns_log(
    lsif_day: Path, tmp_path: Path
) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text("name,pool\n*.ntp.org,time\n*.ring.com,doorbells\n")
    overrides = ["--overrides", str(path)]
    assert main.main(["pcap", str(lsif_day), "--out", str(tmp_path / "live"), *overrides]) == 0
    logs = zeek_logs(lsif_day, tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline"), *overrides]) == 0
    columns = ("host", "ts", "state", "device", "evidence", "evidence_pool")
    live, offline = (
        [tuple(row[name] for name in columns) for row in read_rows(tmp_path / way / LOG)]
        for way in ("live", "offline")
    )
    assert live == offline
    assert {"time", "doorbells"} <= {pool for row in live for pool in row[-1].split(",")}


def last(zeek: Standalone | Cluster, kind: str) -> list[dict[str, str]]:
    """The last row of each node of this kind in nba_stats.log."""
    rows = {row["node"]: row for row in zeek.rows("nba_stats") if row["kind"] == kind}
    return list(rows.values())


def total(rows: list[dict[str, Any]], column: str) -> int:
    return sum(int(row[column]) for row in rows)


def test_a_cluster_counts_every_name_and_loses_none(lsif_day: Path, tmp_path: Path) -> None:
    captures = [read(NAMES), read(lsif_day)]
    with Cluster(tmp_path / "cluster", captures) as zeek, running_worker(zeek.url):
        for name in zeek.sensors:
            assert zeek.nodes[name].wait(300) == 0
        wait_until(
            lambda: (
                total(last(zeek, "worker"), "names_received")
                == total(last(zeek, "sensor"), "names_seen")
                > 1000
            ),
            60,
        )
    sensors, workers = last(zeek, "sensor"), last(zeek, "worker")
    assert total(sensors, "names_sent") == total(sensors, "names_seen")
    assert total(sensors, "names_invalid") == 5
    assert total(workers, "names_lost") == total(sensors, "names_skipped") == 0
    assert total(workers, "invalid") == total(workers, "late") == 0


def test_without_a_worker_names_are_skipped_and_counted(tmp_path: Path) -> None:
    with Standalone(tmp_path, replay(NAMES, 20)) as zeek:
        wait_until(lambda: total(last(zeek, "sensor"), "names_seen") > 0)
        zeek.stop()
    (sensor,) = last(zeek, "sensor")
    assert sensor["names_seen"] == sensor["names_skipped"] == "9"
    assert sensor["names_sent"] == "0"


def test_a_sensor_that_reports_no_names_is_as_before(tmp_path: Path) -> None:
    arguments = (*replay(NAMES, 20), "NBA::report_names=F")
    with Standalone(tmp_path, arguments) as zeek, running_worker(zeek.url):
        wait_until(lambda: total(last(zeek, "worker"), "received") > 0)
    (worker,) = last(zeek, "worker")
    assert (worker["names_received"], worker["invalid"]) == ("0", "0")
