"""Installed by the real zkg: its tests pass, it loads by name, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from testing.checkout import clone_of_checkout, run

ZKG = Path(sys.executable).with_name("zkg")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of what the checkout holds now, committed or not."""
    return clone_of_checkout(tmp_path / "clone")


def test_zkg_installs_tests_loads_and_removes_it(zeek: Path, clone: Path, tmp_path: Path) -> None:
    scripts, plugins, state = tmp_path / "scripts", tmp_path / "plugins", tmp_path / "state"
    binaries = tmp_path / "bin"
    config = tmp_path / "zkg.config"
    path = f"{zeek.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    config.write_text(
        f"[sources]\n[paths]\nstate_dir = {state}\nscript_dir = {scripts}\n"
        f"plugin_dir = {plugins}\nbin_dir = {binaries}\nzeek_dist =\n"
    )
    environment = os.environ | {"PATH": path}
    zkg = (ZKG, "--configfile", config)
    for folder in (scripts, plugins, state, binaries):
        folder.mkdir()

    said = run(*zkg, "install", "--force", clone, env=environment)  # runs the package's tests
    assert "Installed" in said

    zeekpath = run(zeek.with_name("zeek-config"), "--zeekpath").strip()
    search = environment | {"ZEEKPATH": f"{scripts}:{scripts}/packages:{zeekpath}"}
    for name in ("zeek-nba", "nba"):
        assert run(zeek, "-e", f"@load {name}", env=search) == ""
    assert run(zeek, "-e", "@load packages", env=search) == ""

    name = clone.name
    run(*zkg, "remove", "--force", name, env=environment)
    left = [p for p in scripts.rglob("*") if "nba" in p.name or p.name == name]
    assert left == []
    assert not any(binaries.iterdir())
