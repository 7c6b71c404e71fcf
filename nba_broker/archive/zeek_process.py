"""The real Zeek as a child process: finds it, and runs it over a capture with the package."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nba_broker.records.errors import ZeekError

INSTALL = "run: zkg install zeek-nba (in a checkout: zkg install .)"
_USUAL = (Path("/opt/zeek/bin/zeek"), Path("/usr/local/zeek/bin/zeek"))


def find_zeek(chosen: Path | None = None) -> Path | None:
    """The chosen Zeek, its executable or its prefix; else that on PATH or where its own packages
    put it.

    Raises ZeekError when what was chosen is none.
    """
    if chosen is not None:
        for path in (chosen, chosen / "bin/zeek"):
            if path.is_file() and os.access(path, os.X_OK):
                return path.absolute()
        raise ZeekError(f"zeek: no Zeek at {chosen}; give its executable or its prefix (NBA_ZEEK)")
    found = shutil.which("zeek")
    if found:
        return Path(found)
    return next((path for path in _USUAL if os.access(path, os.X_OK)), None)


def find_scripts(chosen: Path | None = None) -> Path:
    """The Zeek package's scripts: this checkout's, else as ``zkg`` installed them for the Zeek of
    :func:`find_zeek`.

    Raises ZeekError when they are in neither place.
    """
    checkout = Path(__file__).resolve().parents[2] / "zeek-scripts"
    if (checkout / "__load__.zeek").exists():
        return checkout
    zeek = find_zeek(chosen)
    installed = installed_scripts(zeek) if zeek else None
    if installed is None:
        raise ZeekError(f"no Zeek package is installed; {INSTALL}")
    return installed


def installed_scripts(zeek: Path) -> Path | None:
    """The package's scripts as ``zkg`` installed them for this Zeek."""
    site = zeek.resolve().parent.parent / "share/zeek/site"
    # The folder below packages/ has the name of the checkout that was installed; the link beside it
    # is zkg's alias, and always has the package's.
    for name in ("zeek-nba", "packages/zeek-nba"):
        if (site / name / "__load__.zeek").exists():
            return site / name
    return None


def free_port() -> int:
    """A TCP port on the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start(
    capture: Path,
    out: Path,
    port: int,
    messages: IO[bytes],
    local: Sequence[object] = (),
    chosen: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start Zeek, see :func:`find_zeek`, over a capture in ``out``; it waits for a worker at
    ``port`` and ends by itself.

    ``local`` are networks whose addresses are hosts, besides those that Zeek calls local. What it
    has to say goes to ``messages``. Raises ZeekError when there is no Zeek.
    """
    zeek = find_zeek(chosen)
    if zeek is None:
        raise ZeekError(
            "no zeek on PATH or in /opt/zeek/bin; set NBA_ZEEK to its folder, or score its "
            "conn.log with: nba-broker score PATH"
        )
    scripts = find_scripts(chosen)
    return await asyncio.create_subprocess_exec(
        str(zeek),
        "-C",
        "-r",
        str(capture.resolve()),
        str(scripts),
        str(scripts / "standalone.zeek"),
        "NBA::pcap_mode=T",
        f"NBA::listen_port={port}/tcp",
        *([f"Site::local_nets={{{','.join(map(str, local))}}}"] if local else []),
        cwd=out,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=messages,
    )
