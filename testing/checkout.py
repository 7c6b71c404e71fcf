"""The checkout, and a repository of what it holds now, which zkg can install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]


def run(*command: str | Path, **settings: Any) -> str:
    """Run a command that has to succeed; returns what it prints."""
    result: subprocess.CompletedProcess[str] = subprocess.run(
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
