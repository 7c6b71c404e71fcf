"""What other tools are given, against a real Zeek: its logs, and the ports that it takes itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nba_broker.archive import zeek_log
from nba_broker.cli import main
from tests.unit.helpers import scripts
from tests.unit.test_packaging import LOGS, ingested, mapping, misfits

EIGHT = Path(__file__).parent / "btest/Traces/eight.pcap"


@pytest.mark.usefixtures("zeek")
def test_what_a_real_zeek_logs_fits_the_index_templates(tmp_path: Path) -> None:
    assert main.main(["pcap", str(EIGHT), "--out", str(tmp_path)]) == 0
    for log in LOGS:
        path = tmp_path / f"{log}.log"
        if log == "nba_site" and not path.exists():
            continue  # nothing happened to many hosts at once
        rows = zeek_log.read(path)
        assert rows
        for row in rows:
            assert misfits(ingested(log, row), mapping(log)) == set()


def test_the_systemd_generator_gives_no_node_the_port_that_the_package_takes(zeek: Path) -> None:
    generator = zeek.parent / "zeek-cluster-layout-generator"
    if not generator.exists():
        pytest.skip("no zeek-cluster-layout-generator beside this Zeek")
    made = subprocess.run([generator, "-W", "4"], capture_output=True, text=True, check=True)
    taken = set(re.findall(r"(\d+)/tcp", made.stdout))
    own = re.search(r"const listen_port = (\d+)/tcp", scripts())
    assert own is not None
    assert "27761" in taken
    assert own[1] not in taken
