"""The steps of the Containerfile give a worker that starts, without a container daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from nba_broker.cli.main import parser
from tests.unit.helpers import ROOT
from tools import dist

FILE = ROOT / "packaging/Containerfile"
# What the steps may name in the image; everything else that begins with a slash is a mistake.
PLACES = re.compile(r"(?<![\w.])/(?=opt/|var/lib/nba)")


def steps() -> list[tuple[str, str]]:
    """Instructions with their arguments."""
    lines = FILE.read_text().splitlines()
    return [(line.split()[0], line.split(None, 1)[1]) for line in lines if line[:1].isalpha()]


def wheel(folder: Path) -> Path:
    """A wheel with the project's name and program that needs nothing, so no network either."""
    path = folder / "nba_broker-9.9-py3-none-any.whl"
    info = "nba_broker-9.9.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("stub.py", "import sys\n\ndef main():\n    print(*sys.argv[1:])\n")
        made.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nba-broker\nVersion: 9.9\n")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/entry_points.txt", "[console_scripts]\nnba-broker = stub:main\n")
        made.writestr(f"{info}/RECORD", "")
    return path


def test_the_steps_make_a_worker_in_a_clean_root(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("the steps of an image are root's")
    context, root = tmp_path / "context", tmp_path / "root"
    (context / "dist").mkdir(parents=True)
    wheel(context / "dist")
    shutil.copy(ROOT / "constraints.txt", context)
    entry: list[str] = []
    for step, rest in steps():
        if step == "COPY":
            *sources, target = rest.split()
            into = Path(PLACES.sub(f"{root}/", target))
            into.mkdir(parents=True)
            for source in sources:
                (found,) = context.glob(source)
                shutil.copy(found, into)
        elif step == "RUN":
            settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
            command = ["sh", "-c", PLACES.sub(f"{root}/", rest)]
            done = subprocess.run(
                command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        elif step in ("ENTRYPOINT", "CMD"):
            entry += json.loads(rest)
    assert (root / "var/lib/nba").stat().st_uid == 65532
    program = [PLACES.sub(f"{root}/", entry[0]), *entry[1:]]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "run --state /var/lib/nba"


def test_what_the_image_runs_is_a_command_of_ours_as_a_user_without_rights() -> None:
    found = dict(steps())
    arguments = parser().parse_args(json.loads(found["CMD"]))
    assert (arguments.command, arguments.state) == ("run", found["VOLUME"])
    assert found["USER"] == "65532:65532"
    names = re.findall(r"(?<![\w.])/\S+", " ".join(rest for step, rest in steps() if step == "RUN"))
    assert names
    assert all(PLACES.match(name) for name in names)


def test_the_image_has_a_python_that_a_release_is_tried_on() -> None:
    python = re.search(r"python:(\d+\.\d+)-slim", dict(steps())["FROM"])
    assert python is not None
    assert python[1] in dist.SUPPORTED
