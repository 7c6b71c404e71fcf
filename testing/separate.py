"""A machine of its own within this one, for what needs fixed ports, fixed paths or interfaces."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from testing.zeek import Argument, wait_until

PATIENCE = 300.0  # seconds that a command may take, and half of what a test may

_TAP = """ip link add {0} mtu 9000 type veth peer name {0}in mtu 9000
ip link set {0} up
ip link set {0}in up"""


class SeparateMachine:
    """Its processes, its network and its changes to the folder ``prefix`` are seen by nobody else,
    and end with it.

    It has loopback, and an interface for each name in ``taps``: what is sent into ``NAMEin``
    arrives at ``NAME``. folder: a folder for its own use, which is made. Entering it raises OSError
    where the kernel does not let this user have one.
    """

    def __init__(
        self,
        folder: Path,
        prefix: Path,
        taps: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.environment = os.environ | environment
        self._folder = folder
        self._root = os.geteuid() == 0
        self._script = "\n".join(
            (
                "set -e",
                f"mount -t tmpfs none {folder}",  # not every file system can hold the changes
                f"mkdir {folder}/changes {folder}/work",
                f"mount -t overlay -o lowerdir={prefix},upperdir={folder}/changes,"
                f"workdir={folder}/work none {prefix}",
                # With IPv6 the interfaces would have traffic of their own.
                "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
                "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
                "ip link set lo up",
                *map(_TAP.format, taps),
                "echo ready",
                "sleep infinity & wait",  # the first process has to see to orphans
            )
        )
        self._first: subprocess.Popen[str] | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        self._folder.mkdir()
        user = [] if self._root else ["--user", "--map-root-user"]
        spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._first = first = subprocess.Popen(
            ["unshare", *user, *spaces, "sh", "-c", self._script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert first.stdout is not None
        assert first.stderr is not None
        if first.stdout.readline() != "ready\n":
            first.wait()
            raise OSError(first.stderr.read().strip())
        self._pid = child(first.pid)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._first is not None
        self._first.kill()  # and with it every process
        self._first.wait()

    def path(self, path: Path) -> Path:
        """Where this machine finds a file of that one."""
        return Path(f"/proc/{self._pid}/root{path}")

    def run(self, *command: Argument) -> subprocess.CompletedProcess[str]:
        """Run a command on it to its end; raises TimeoutExpired after ``PATIENCE`` seconds."""
        return subprocess.run(
            self._line(command),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def start(
        self,
        *command: Argument,
        output: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command on it, in a folder of it; its messages are appended to ``output``."""
        with output.open("ab") as file:
            return subprocess.Popen(
                self._line(command, folder),
                env={**self.environment, **(environment or {})},
                stdout=file,
                stderr=file,
            )

    def _line(self, command: Sequence[Argument], folder: Path | None = None) -> list[str]:
        user = [] if self._root else ["--user", "--preserve-credentials"]
        spaces = ["--net", "--mount", "--pid", f"--target={self._pid}"]
        there = ["env", f"--chdir={folder or Path.cwd()}"]
        return ["nsenter", *user, *spaces, *there, *map(str, command)]


def terminate(process: subprocess.Popen[bytes]) -> int:
    """Terminate a command of :meth:`SeparateMachine.start`; returns its exit status.

    Raises TimeoutExpired for one that does not end within a minute, and kills it.
    """
    if process.poll() is None:
        os.kill(child(process.pid), signal.SIGTERM)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def child(pid: int) -> int:
    """The only child of a process, as soon as there is one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: children.read_text().split(), what=f"a child of process {pid}")
    return int(children.read_text().split()[0])
