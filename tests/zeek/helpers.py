"""The embedded sample, and what Zeek and the worker make of traffic."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from nba_broker.archive import conn_log, zeek_log
from nba_broker.records.sessions import Sessions
from testing.zeek import Cluster, Standalone, zeek_path

CHECKOUT = Path(__file__).parents[2]

SAMPLE = CHECKOUT / "models" / "sample" / "conn.log.gz"
"""The conn.log of the embedded sample."""

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


def run(*command: str | Path, **settings: Any) -> str:
    """Run a command that has to succeed; returns what it prints."""
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **settings
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def commit(clone: Path) -> None:
    """Commit all files of a repository."""
    run("git", "-C", clone, "add", "-A")
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    run("git", "-C", clone, *author, "commit", "-qm", "as it is")


def clone_of_checkout(folder: Path) -> Path:
    """A repository with what the checkout holds now, committed or not."""
    listed = run("git", "-C", CHECKOUT, "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    run("git", "init", "-q", folder)
    commit(folder)
    return folder
