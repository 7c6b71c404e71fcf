"""The steps for a sensor without Internet access install the worker and the package there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.commands import shown
from tests.unit.helpers import ROOT
from tests.unit.test_containerfile import wheel


def test_what_is_carried_to_a_sensor_is_all_that_it_needs(tmp_path: Path) -> None:
    text = (ROOT / "docs/deploy.md").read_text()
    section = text.split("## A sensor without Internet access\n")[1].split("\n## ")[0]
    made, pack, *steps = shown(section)
    assert made.startswith("pip wheel ")
    assert [step.split()[0] for step in (pack, *steps)] == ["tar", "tar", "python3", "cp"]
    checkout, sensor = tmp_path / "checkout", tmp_path / "sensor"
    (checkout / "wheels").mkdir(parents=True)
    wheel(checkout / "wheels")
    for name in ("zeek-scripts", "packaging"):
        shutil.copytree(ROOT / name, checkout / name)
    site = sensor / "opt/zeek/share/zeek/site"
    site.mkdir(parents=True)

    subprocess.run(pack, shell=True, cwd=checkout, check=True)
    shutil.move(checkout / "nba.tar.gz", sensor)
    shutil.rmtree(checkout)
    settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for step in steps:
        command = step.replace("/opt/", f"{sensor}/opt/")
        subprocess.run(command, shell=True, cwd=sensor, env=settings, check=True)

    assert (site / "zeek-nba/__load__.zeek").is_file()
    run = [sensor / "opt/nba/bin/nba-broker", "run"]
    assert subprocess.run(run, capture_output=True, check=True).stdout == b"run\n"
