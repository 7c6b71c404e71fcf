"""Finds Zeek and its NBA package, and starts Zeek on a capture."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nba_broker.records.errors import ZeekError

INSTALL = "run: zkg install zeek-nba (in a checkout: zkg install .)"
_PORTS = range(20000, 32768)
_TRIES = 100
_USUAL = (Path("/opt/zeek/bin/zeek"), Path("/usr/local/zeek/bin/zeek"))


def find_zeek(chosen: Path | None = None) -> Path | None:
    """The executable of Zeek: of ``chosen``, an executable, its folder or a prefix; else on PATH,
    else where Zeek's packages install it. None if there is none.

    Raises ZeekError if ``chosen`` is not a Zeek.
    """
    if chosen is not None:
        for path in (chosen, chosen / "zeek", chosen / "bin/zeek"):
            if path.is_file() and os.access(path, os.X_OK):
                return path.absolute()
        raise ZeekError(
            f"zeek: no Zeek at {chosen}; set NBA_ZEEK to its prefix, bin folder or executable"
        )
    found = shutil.which("zeek")
    if found:
        return Path(found)
    return next((path for path in _USUAL if os.access(path, os.X_OK)), None)


def find_scripts(chosen: Path | None = None) -> Path:
    """The folder of the Zeek package's scripts: this checkout's, else where ``zkg`` installed them
    for the Zeek of :func:`find_zeek`.

    Raises ZeekError if they are in neither.
    """
    checkout = Path(__file__).resolve().parents[2] / "zeek-scripts"
    if (checkout / "__load__.zeek").exists():
        return checkout
    zeek = find_zeek(chosen)
    installed = installed_scripts(zeek) if zeek else None
    if installed is None:
        raise ZeekError(f"the Zeek package is not installed; {INSTALL}")
    return installed


def installed_scripts(zeek: Path) -> Path | None:
    """The folder where ``zkg`` installed the package's scripts for a Zeek; None if it did not."""
    site = zeek.resolve().parent.parent / "share/zeek/site"
    # The folder in packages/ has the name of the installed checkout; the link beside it, which is
    # zkg's alias, always has the package's name.
    for name in ("zeek-nba", "packages/zeek-nba"):
        if (site / name / "__load__.zeek").exists():
            return site / name
    return None


def free_port() -> int:
    """A TCP port on the loopback interface that is free now.

    It is none of those that systems give to connections, from 32768 on. There a client that waits
    for a server could take the server's port, and would even be connected to itself. Raises
    ZeekError if none can be had.
    """
    for port in secrets.SystemRandom().sample(_PORTS, _TRIES):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                failure = error
            else:
                return port
    raise ZeekError(f"zeek: no free port on 127.0.0.1 ({failure})")


async def start(
    capture: Path,
    out: Path,
    port: int,
    messages: IO[bytes],
    local: Sequence[object] = (),
    chosen: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start Zeek, see :func:`find_zeek`, on a capture in the folder ``out``. It waits for a worker
    at ``port``, and exits after the capture.

    local: networks whose addresses are hosts, besides those that Zeek calls local. messages: gets
    Zeek's standard error. Raises ZeekError if there is no Zeek.
    """
    zeek = find_zeek(chosen)
    if zeek is None:
        raise ZeekError(
            "no zeek on PATH or in /opt/zeek/bin; set NBA_ZEEK to its prefix, or score its "
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
        "policy/protocols/conn/mac-logging",  # labels by MAC, and score, need its conn.log
        "NBA::pcap_mode=T",
        f"NBA::listen_port={port}/tcp",
        *([f"Site::local_nets={{{','.join(map(str, local))}}}"] if local else []),
        cwd=out,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=messages,
    )
