"""A real Zeek, without which these tests are skipped, and captures to give it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from testing.frames import ethernet
from testing.zeek import zeek_path
from tests.zeek.helpers import sample_sessions
from tools import capture


@pytest.fixture(scope="session")
def zeek() -> Path:
    """The zeek executable."""
    path = zeek_path()
    if path is None:
        pytest.skip("no Zeek on PATH, in /usr/local/zeek or /opt/zeek (or set NBA_ZEEK)")
    return path


@pytest.fixture(scope="session")
def lsif_day(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole day of seven devices, as a plain pcap file."""
    packed = next((data / "lsif" / "pcap").glob("*.pcap.gz"))
    plain = tmp_path_factory.mktemp("lsif") / "day.pcap"
    with gzip.open(packed) as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target)
    return plain


@pytest.fixture(scope="session")
def sample_capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample as a capture."""
    path = tmp_path_factory.mktemp("sample") / "sample.pcap"
    capture.write(path, sample_sessions())
    return path


@pytest.fixture(scope="session")
def household(
    request: pytest.FixtureRequest, zeek: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A day of a household as a pcap file of Ethernet frames: a real one, else the sample's."""
    try:
        day: Path = request.getfixturevalue("lsif_day")
    except pytest.skip.Exception:
        return Path(request.getfixturevalue("sample_capture"))
    return ethernet(zeek, day, tmp_path_factory.mktemp("household"))
