"""A cluster that zeekctl runs, with the package and a worker, as docs/deploy.md says."""

from __future__ import annotations

from collections.abc import Iterator
from operator import gt
from pathlib import Path

import pytest

from testing.checkout import clone_of_checkout, commit
from testing.installed import BROKER, LOCAL
from testing.zeek import has_broker, wait_until
from testing.zeekctl import SENSORS, Zeekctl
from tests.zeek.helpers import started


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout, of which a test makes a newer version."""
    return clone_of_checkout(tmp_path_factory.mktemp("clone") / "nba-broker")


@pytest.fixture(scope="module")
def cluster(zeek: Path, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zeekctl]:
    """A cluster that runs, and a worker; tests leave both running, but for the last one."""
    if not zeek.with_name("zeekctl").exists():
        pytest.skip("no zeekctl beside this Zeek")
    with started(Zeekctl(tmp_path_factory.mktemp("zeekctl"), zeek)) as cluster:
        cluster.install(clone)
        cluster.deploy()
        with cluster.worker():
            yield cluster


def received(cluster: Zeekctl) -> list[int]:
    """Sessions that the worker has received, of each sensor."""
    found = cluster.metrics("nba_received_sessions_total")
    return [found.get(name, 0) for name in SENSORS]


def wait_until_more_is_received(cluster: Zeekctl) -> None:
    """Return as soon as more sessions have come from both sensors."""
    before = received(cluster)
    wait_until(lambda: all(map(gt, received(cluster), before)))


def test_every_session_of_both_sensors_is_accounted_for(
    zeek: Path, cluster: Zeekctl, household: Path
) -> None:
    with cluster.traffic(household):
        wait_until(lambda: min(received(cluster)) > 100)
        findings = cluster.well()
    wait_until(cluster.accounted)
    assert "heard 2 sensors: worker-1, worker-2" in findings
    assert f"cluster backend: {'broker' if has_broker(zeek) else 'zeromq'}" in findings
    losses = cluster.metrics("nba_lost_sessions_total", "nba_missed_sessions_total")
    assert set(losses.values()) == {0}
    wait_until(cluster.all_verdicts_are_logged)


def test_an_upgrade_deployed_under_load_loses_no_session_that_is_not_counted(
    cluster: Zeekctl, clone: Path, household: Path
) -> None:
    with (clone / "zeek-scripts/__load__.zeek").open("a") as script:
        script.write('\nevent zeek_init() { Reporter::info("NBA: the next version"); }\n')
    commit(clone)
    rows = len(cluster.rows("nba_device"))
    cluster.do("zkg", "refresh")
    assert "Upgraded" in cluster.do("zkg", "upgrade", "--force", "--skiptests")
    with cluster.traffic(household):
        cluster.do("zeekctl", "deploy")
        wait_until_more_is_received(cluster)
    wait_until(cluster.accounted)
    wait_until(lambda: any("next version" in row["message"] for row in cluster.rows("reporter")))
    wait_until(cluster.skips_are_logged)
    assert any(path.suffix == ".gz" for path in cluster.files("nba_device"))
    assert len(cluster.rows("nba_device")) >= rows
    archive = cluster.do(*BROKER, "score", cluster.prefix / "logs", "--out", cluster.folder / "out")
    assert "0 rows skipped" in archive


def test_a_sensor_that_crashes_is_named_and_counted_when_zeekctl_has_started_it_again(
    cluster: Zeekctl, household: Path
) -> None:
    with cluster.traffic(household):
        crashed = cluster.pid("worker-1")
        cluster.do("kill", "-9", crashed)
        silent = cluster.doctor()
        assert silent.returncode == 1
        assert "needs attention  worker-1 is not heard" in silent.stdout
        cluster.do("zeekctl", "cron")
        assert cluster.pid("worker-1") != crashed
        wait_until_more_is_received(cluster)
    wait_until(lambda: cluster.sensors("seen")["worker-2"] == cluster.accounts()["worker-2"])
    wait_until(cluster.skips_are_logged)
    assert set(cluster.metrics("nba_lost_sessions_total").values()) == {0}


def test_zeek_runs_on_after_the_package_is_removed(cluster: Zeekctl, clone: Path) -> None:
    running = cluster.pid("manager")
    cluster.do("zkg", "remove", "--force", clone.name)
    refused = cluster.machine.run("zeekctl", "deploy")
    assert refused.returncode == 1
    assert "can't find zeek-nba" in refused.stdout + refused.stderr
    cluster.do("kill", "-0", cluster.pid("manager"))
    assert cluster.pid("manager") == running
    local = cluster.path("share/zeek/site/local.zeek")
    local.write_text(local.read_text().replace(LOCAL, ""))
    cluster.do("zeekctl", "deploy")
    cluster.do("zeekctl", "status")
    assert not list(cluster.path("spool/logger-1").glob("nba*"))
    wait_until(lambda: "no connection to Zeek" in cluster.said().splitlines()[-1])
