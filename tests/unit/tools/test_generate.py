"""The generator makes logs that look like Zeek's, and the same ones every time."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nba_broker.archive import conn_log
from tools import generate

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "models" / "sample"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    generate.main(["--days", "0.5", "--out", str(folder)])
    return folder


def test_every_device_has_a_lease_and_sessions(home: Path) -> None:
    archive = conn_log.read([home])
    assert archive.report.errors == []
    assert archive.report.rows == archive.report.sessions == len(archive)
    assert len(archive.leases) == len(generate.load())
    (batch,) = archive.batches()
    assert {lease.mac for lease in archive.leases} == set(batch.mac)


def test_the_same_seed_gives_the_same_bytes(home: Path, tmp_path: Path) -> None:
    generate.main(["--days", "0.5", "--out", str(tmp_path)])
    assert (tmp_path / "conn.log").read_bytes() == (home / "conn.log").read_bytes()
    generate.main(["--days", "0.5", "--seed", "2", "--out", str(tmp_path)])
    assert (tmp_path / "conn.log").read_bytes() != (home / "conn.log").read_bytes()


def test_sessions_lie_within_the_days_asked_for(tmp_path: Path) -> None:
    generate.main(f"--days 2 --start 2025-03-01T12:00 --device TV --out {tmp_path}".split())
    archive = conn_log.read([tmp_path])
    (batch,) = archive.batches()
    assert batch.ts[0] >= 1740830400.0
    assert 1740830400.0 + 86400 < batch.ts[-1] < 1740830400.0 + 2 * 86400


def test_a_device_behaves_the_same_whoever_else_is_there(tmp_path: Path) -> None:
    times = []
    for others in ([], ["--device", "Speaker"]):
        generate.main(["--device", "Wemo_SmartPlug", *others, "--out", str(tmp_path)])
        (batch,) = conn_log.read([tmp_path]).batches()
        pairs = zip(batch.ts, batch.mac, strict=True)
        times.append([ts for ts, mac in pairs if mac == "02:4e:42:41:01:00"])
    assert times[0] == times[1]


def test_an_unknown_device_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate.main(["--device", "Toaster", "--out", str(tmp_path)])
    assert "no profile of Toaster" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.0, 1e-6), (0.25, 1e-3), (0.5, 1.0), (0.75, 10.0), (1.0, 100.0)]
)
def test_intervals_follow_the_quantiles(share: float, seconds: float) -> None:
    assert generate.interval([0.0, 0.5, 1.0], [0.0, 1.0, 100.0], share) == pytest.approx(seconds)


def test_the_sample_is_what_its_command_makes(tmp_path: Path) -> None:
    lines = (SAMPLE / "README").read_text().splitlines()
    (command,) = (line for line in lines if line.startswith("python -m tools.generate "))
    generate.main([*command.split()[3:-1], str(tmp_path)])
    for name in ("conn.log.gz", "dhcp.log.gz"):
        made = gzip.decompress((tmp_path / name).read_bytes())
        assert made == gzip.decompress((SAMPLE / name).read_bytes())


def test_the_sample_is_small() -> None:
    assert (SAMPLE / "conn.log.gz").stat().st_size < 300_000


def test_what_is_evaluated_shares_no_code_with_the_generator() -> None:
    modules = [*(ROOT / "training").glob("*.py"), *(ROOT / "nba_broker").glob("*.py")]
    assert modules
    assert not [path for path in modules if re.search(r"(from|import) tools\b", path.read_text())]


def test_the_generator_needs_nothing_but_python() -> None:
    code = (
        "import sys, tools.generate; "
        "print({'numpy', 'pandas', 'torch', 'training', 'nba_broker'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
