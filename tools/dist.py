"""Builds the sdist, the wheel from it, and tries the wheel on every supported Python that is here.

    python -m tools.dist [--out dist] [--python 3.11 ...]

Each Python gets a clean environment outside the checkout, into which pip installs the wheel and
nothing but what it asks for. Its ``nba-broker`` then scores the sample that the wheel carries. All
Pythons must give the same log.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons that a release is tried on."""

_SAMPLE = "import nba_broker as n; print(n.__path__[0] + '/models/sample')"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 1 if a Python that is here does not run the demo, or if there is none."""
    parser = argparse.ArgumentParser(prog="python -m tools.dist", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--python", nargs="+", choices=SUPPORTED, default=SUPPORTED)
    arguments = parser.parse_args(argv)

    found = pythons(os.environ)
    wheel = build(arguments.out)
    logs = {}
    for version in arguments.python:
        if version not in found:
            print(f"Python {version}: not here, so not tried")
            continue
        with tempfile.TemporaryDirectory() as folder:
            logs[version] = demo(found[version], wheel, Path(folder))
        named = sum(1 for line in logs[version].splitlines() if '"identified"' in line)
        print(f"Python {version}: {wheel.name} runs the demo; {named} lines name a device")
    if not logs:
        print("no supported Python is here; put one on PATH or in pyenv", file=sys.stderr)
    if len(set(logs.values())) > 1:
        print(f"the logs of Python {', '.join(logs)} differ", file=sys.stderr)
    return 0 if len(set(logs.values())) == 1 else 1


def pythons(environment: Mapping[str, str]) -> dict[str, Path]:
    """The supported Pythons on PATH and in pyenv (PYENV_ROOT, or ~/.pyenv), by version."""
    root = Path(environment.get("PYENV_ROOT", Path(environment.get("HOME", "/")) / ".pyenv"))
    found = {}
    for version in SUPPORTED:
        on_path = shutil.which(f"python{version}", path=environment.get("PATH", ""))
        inside = sorted(root.glob(f"versions/{version}.*/bin/python"))
        for candidate in [*inside, *([Path(on_path)] if on_path else [])]:
            # A shim of pyenv is there for versions that are switched off, too.
            if _answers(candidate, version):
                found[version] = candidate
    return found


def build(out: Path) -> Path:
    """Write the sdist and the wheel made from it into ``out``, in place of those of other versions,
    and return the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        # The front end is no dependency of anything else.
        _run(sys.executable, "-m", "venv", folder)
        _pip(Path(folder), "build")
        _run(f"{folder}/bin/python", "-m", "build", "--outdir", f"{folder}/dist", str(ROOT))
        out.mkdir(parents=True, exist_ok=True)
        remove_built(out)
        for made in sorted(Path(folder, "dist").iterdir()):
            shutil.copy(made, out)
            print(f"{out / made.name}: {made.stat().st_size / 1e6:.1f} MB")
            if made.suffix == ".whl":
                wheel = out / made.name
    return wheel


def remove_built(out: Path) -> None:
    """Remove the sdists and wheels of the project: the Containerfile takes the only wheel."""
    for pattern in ("nba_broker-*.whl", "nba_broker-*.tar.gz"):
        for old in out.glob(pattern):
            old.unlink()


def demo(python: Path, wheel: Path, folder: Path) -> str:
    """The log of the wheel's sample, by the wheel alone, in a clean environment in ``folder``."""
    _run(str(python), "-m", "venv", str(folder / "venv"))
    _pip(folder / "venv", str(wheel))
    sample = _run(f"{folder}/venv/bin/python", "-c", _SAMPLE, cwd=folder).strip()
    # JSON, since the other form says when it was written.
    words = ("score", sample, "--format", "json", "--out", "demo")
    _run(f"{folder}/venv/bin/nba-broker", *words, cwd=folder)
    return (folder / "demo" / "nba_device.log").read_text()


def _answers(python: Path, version: str) -> bool:
    ask = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def _pip(environment: Path, what: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"))
    _run(f"{environment}/bin/pip", "install", *options, what)


def _run(*command: str, cwd: Path | None = None) -> str:
    """What a command prints; a command that fails ends the program, with all that it printed."""
    # A checkout on the path would hide what the wheel lacks.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
