"""The units of Zeek's systemd generator, started without systemd, with the package and a worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.checkout import CHECKOUT, clone_of_checkout
from testing.installed import Installed
from testing.zeek import wait_until
from tests.zeek.helpers import started

DOCUMENT = CHECKOUT / "docs/deploy.md"


@pytest.fixture
def units(zeek: Path, tmp_path: Path) -> Iterator[tuple[Installed, Path]]:
    """A Zeek with the package, and the units for the documented configuration."""
    generator = zeek.with_name("zeek-systemd-generator")
    if not generator.exists():
        pytest.skip("no zeek-systemd-generator beside this Zeek")
    block = re.search(r"`zeek.conf` stays as it is:\n\n((?:    .*\n)+)", DOCUMENT.read_text())
    assert block is not None
    configuration = block[1].replace("    ", "").replace("eth1", "tap1")
    (tmp_path / "zeek.conf").write_text(f"{configuration}user = root\ngroup = root\n")
    folder = tmp_path / "units"
    folder.mkdir()
    with started(Installed(tmp_path, zeek, ("var/spool/zeek/logger-1",))) as installed:
        installed.install(clone_of_checkout(tmp_path / "nba-broker"))
        installed.do(generator, "--config", tmp_path / "zeek.conf", folder)
        yield installed, folder


def start(installed: Installed, units: Path, name: str) -> None:
    """Start a unit such as ``zeek-worker@1`` as systemd would."""
    kind, at, instance = name.partition("@")
    files = [units / f"{kind}{at}.service", *(units / f"{name}.service.d").glob("*.conf")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    pairs = [line.replace("%i", instance).split("=", 1) for line in lines if "=" in line]
    environment = dict(value.split("=", 1) for key, value in pairs if key == "Environment")
    commands = [value for key, value in pairs if key == "ExecStart"]
    if dict(pairs)["Type"] == "oneshot":
        for command in commands:
            installed.do(*command.split())
        return
    (command,) = commands
    for variable, value in environment.items():
        command = command.replace(f"${{{variable}}}", value)
    installed.machine.start(
        *command.split(),
        output=installed.folder / name,
        folder=Path(dict(pairs)["WorkingDirectory"]),
        environment=environment,
    )


def test_a_worker_hears_the_sensors_of_the_units_that_the_generator_writes(
    units: tuple[Installed, Path], household: Path
) -> None:
    zeek, folder = units
    wanted = {path.name.removesuffix(".service") for path in folder.glob("zeek.target.wants/*")}
    nodes = {"zeek-manager", "zeek-logger@1", "zeek-proxy@1", "zeek-worker@1", "zeek-worker@2"}
    assert wanted == nodes | {"zeek-setup", "zeek-archiver"}
    start(zeek, folder, "zeek-setup")
    for name in sorted(nodes):
        start(zeek, folder, name)
    with zeek.worker():
        with zeek.traffic(household, ("tap1",)):
            wait_until(lambda: sum(zeek.metrics("nba_received_sessions_total").values()) > 200)
            assert "heard 2 sensors: worker-1, worker-2" in zeek.well()
        wait_until(zeek.accounted)
        wait_until(zeek.all_verdicts_are_logged)
    assert "NBA: cannot listen" not in (zeek.folder / "zeek-manager").read_text()
    layout = zeek.path("var/spool/zeek/generated-scripts/cluster-layout.zeek").read_text()
    assert re.search(r'"manager"\].*\$p=27760/tcp', layout)
    assert re.search(r'"logger-1"\].*\$p=27761/tcp', layout)
    sockets = zeek.do("ss", "-ltn")
    assert {"127.0.0.1:27758", "127.0.0.1:5555", "127.0.0.1:5556"} <= set(sockets.split())
