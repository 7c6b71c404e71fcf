"""The embedded sample, and what Zeek and the worker make of traffic."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from nba_broker.archive import conn_log, zeek_log
from nba_broker.records.sessions import Sessions
from testing.checkout import CHECKOUT
from testing.installed import Installed
from testing.zeek import Cluster, Standalone, zeek_path

SAMPLE = CHECKOUT / "models" / "sample" / "conn.log.gz"
"""The conn.log of the embedded sample."""

Machine = TypeVar("Machine", bound=Installed)

APART = ("uids", "worker")  # columns in which two runs over the same traffic may differ


def sample_sessions() -> Sessions:
    """The sessions of the embedded sample."""
    archive = conn_log.read([SAMPLE])
    (sessions,) = archive.batches(len(archive))
    return sessions


def speed(seconds: float) -> float:
    """How much faster to replay the sample so that it takes this long."""
    sessions = sample_sessions()
    return float(sessions.ts[-1] - sessions.ts[0]) / seconds


def verdicts(log: Path) -> list[dict[str, Any]]:
    """The rows of nba_device.log without the columns in ``APART``, in order of event time."""
    rows = [{k: v for k, v in row.items() if k not in APART} for row in zeek_log.read(log)]
    return sorted(rows, key=lambda row: (row["ts"], row["host"], row["state"]))


def zeek_logs(pcap: Path, folder: Path) -> Path:
    """conn.log and dhcp.log of a capture, as a plain Zeek writes them."""
    folder.mkdir()
    zeek = zeek_path()
    assert zeek is not None
    subprocess.run(
        [zeek, "-C", "-r", pcap, "policy/protocols/conn/mac-logging"], cwd=folder, check=True
    )
    return folder


def identified(zeek: Standalone | Cluster) -> set[str]:
    """The hosts that nba_device.log has called identified."""
    return {row["host"] for row in zeek.rows("nba_device") if row["state"] == "identified"}


@contextlib.contextmanager
def started(installed: Machine) -> Iterator[Machine]:
    """An installation on its machine; the test is skipped where there can be none."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(installed)
        except OSError as error:
            pytest.skip(f"this user may have no machine of its own: {error}")
        yield installed
