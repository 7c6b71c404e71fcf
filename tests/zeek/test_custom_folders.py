"""The package in the folders of Malcolm and of Security Onion, which know no zkg."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nba_broker.archive.zeek_process import free_port
from testing.checkout import run
from testing.worker import broker, running_worker
from testing.zeek import PACKAGE, Cluster, ZeekProcess, listens, replay, wait_until


def wait_until_heard(sensors: str, port: int, state: Path) -> None:
    """Return as soon as a doctor hears these sensors of the Zeek at a port."""
    url = f"ws://127.0.0.1:{port}/v1/messages/json"
    wait_until(lambda: listens(port))
    with running_worker(url, "--state", str(state)):
        doctor = ("doctor", "--url", url, "--state", state)
        wait_until(lambda: f"heard {sensors}\n" in broker(*doctor).stdout)


@pytest.mark.usefixtures("zeek")
@pytest.mark.parametrize("load", ["custom", "custom/zeek-nba"], ids=["malcolm", "security-onion"])
def test_both_sensors_of_a_cluster_are_heard(load: str, tmp_path: Path) -> None:
    folder, port = tmp_path / "cluster", free_port()  # Zeek looks there for scripts, too
    shutil.copytree(PACKAGE, folder / "custom/zeek-nba")
    if load == "custom":
        (folder / "custom/__load__.zeek").write_text("@load ./zeek-nba\n")
    settings = (load, f"NBA::listen_port={port}/tcp")
    with Cluster(folder, package=False, settings=settings):
        wait_until_heard("2 sensors: worker-1, worker-2", port, tmp_path / "state")


def test_a_single_zeek_of_security_onion_is_heard(
    zeek: Path, sample_capture: Path, tmp_path: Path
) -> None:
    port = free_port()
    shutil.copytree(PACKAGE, tmp_path / "custom/zeek-nba")
    scripts = run(zeek.with_name("zeek-config"), "--zeekpath").strip()
    single = ZeekProcess(
        tmp_path / "zeek",
        ("custom/zeek-nba/standalone", f"NBA::listen_port={port}/tcp", *replay(sample_capture)),
        {"ZEEKPATH": f"{tmp_path}:{scripts}"},
    )
    try:
        single.start()
        wait_until_heard("1 sensors: standalone", port, tmp_path / "state")
    finally:
        single.stop()
