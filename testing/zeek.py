"""Starts real Zeek processes with the package: a single one, or a cluster on this machine."""

from __future__ import annotations

import functools
import gzip
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from nba_broker.archive.zeek_process import find_zeek, free_port
from nba_broker.cli import config

PACKAGE = Path(__file__).parents[1] / "zeek-scripts"

Argument = str | Path


def zeek_path() -> Path | None:
    """The Zeek to test with: that of NBA_ZEEK, else the one that nba-broker finds."""
    return find_zeek(config.load(None, os.environ, {}).zeek)


@functools.cache
def has_broker(zeek: Path | None) -> bool:
    """Whether Broker is this Zeek's own cluster backend, as until 8.0; later ones have none and
    are tested with ZeroMQ."""
    assert zeek is not None
    said = subprocess.run(
        [zeek, "-e", "print Cluster::backend;"], capture_output=True, text=True, check=True
    ).stdout
    return "BROKER" in said


def wait_until(condition: Callable[[], object], timeout: float = 240.0, what: str = "") -> None:
    """Return as soon as ``condition()`` holds; raise TimeoutError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what or getattr(condition, "__name__", "condition"))
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of loopback."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def read_rows(log: Path) -> list[dict[str, str]]:
    """The complete lines of a log in Zeek's TSV format, by column; none if it is not there, or is
    still being packed."""
    try:
        content = gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes()
    except (FileNotFoundError, EOFError):
        return []
    rows, columns = [], []
    for line in content.decode().splitlines(keepends=True):
        if line.startswith("#fields\t"):
            columns = line.rstrip("\n").split("\t")[1:]
        elif not line.startswith("#") and line.endswith("\n"):
            rows.append(dict(zip(columns, line.rstrip("\n").split("\t"), strict=True)))
    return rows


def replay(capture: Path, speed: float = 1.0) -> tuple[Argument, ...]:
    """Arguments that make Zeek see a capture as live traffic and stay when it is over.

    Times are shifted to now. At a higher speed Zeek's clock runs ahead of the wall's.
    """
    return (f"--pseudo-realtime={speed}", "-r", capture, "exit_only_after_terminate=T")


def read(capture: Path) -> tuple[Argument, ...]:
    """Arguments that make Zeek wait for a worker, read a capture without loss, and end."""
    return ("-r", capture, "NBA::pcap_mode=T")


class ZeekProcess:
    """One Zeek in its own folder, where the file ``output`` has what it prints."""

    def __init__(
        self, folder: Path, arguments: Sequence[Argument], environment: dict[str, str] | None = None
    ) -> None:
        path = zeek_path()
        if path is None:
            raise FileNotFoundError("zeek")
        self.folder = folder
        # Without -C a capture of the machine's own traffic has bad checksums.
        self.command = [str(path), "-C", *map(str, arguments)]
        self.environment = os.environ | (environment or {})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, once more if it has ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def running(self) -> bool:
        """Whether it has been started and not ended since."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "output").read_text()

    def wait(self, timeout: float = 120.0) -> int:
        """Its exit status, once it has ended by itself; raises TimeoutExpired after ``timeout``."""
        assert self.process is not None
        return self.process.wait(timeout)

    def kill(self) -> None:
        """End it without letting it clean up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout: float = 15.0) -> None:
        """Terminate it, so that it writes its last rows; kill it after ``timeout`` seconds."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()


class _Listening:
    """What a single Zeek and a cluster have in common: a port for the worker, and logs."""

    port: int
    logs: Path

    @property
    def url(self) -> str:
        """Where the worker joins."""
        return f"ws://127.0.0.1:{self.port}/v1/messages/json"

    def rows(self, log: str) -> list[dict[str, str]]:
        """The rows of a log such as ``nba_device`` so far, each by column."""
        return read_rows(self.logs / f"{log}.log")

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class Standalone(_Listening):
    """A single Zeek with the package, listening for a worker.

    ``arguments`` go to Zeek, see :func:`replay` and :func:`read`; without any it sees no traffic.
    """

    def __init__(
        self, folder: Path, arguments: Sequence[Argument] = (), port: int | None = None
    ) -> None:
        self.port = port or free_port()
        self.logs = folder
        package = (PACKAGE / "standalone.zeek", f"NBA::listen_port={self.port}/tcp")
        # Over Broker a Zeek without traffic would end at once.
        stay = () if "-r" in arguments else ("exit_only_after_terminate=T",)
        self.zeek = ZeekProcess(folder, (*package, *arguments, *stay))

    def start(self) -> None:
        """Start it; returns when it listens or has ended."""
        self.zeek.start()
        wait_until(lambda: listens(self.port) or not self.zeek.running, what="Zeek to listen")

    def stop(self) -> None:
        """End it, letting it write its last rows."""
        self.zeek.stop()


class Cluster(_Listening):
    """Manager, logger, proxy and workers with the package, each in its own folder; over ZeroMQ, or
    over Broker where that is Zeek's own backend.

    There is a worker (a sensor, named worker-1, worker-2, ...) for each element of ``sensors``:
    its arguments to Zeek, see :func:`replay` and :func:`read`; ``()`` sees no traffic. Without
    ``package`` it is a cluster of Zeek's alone; ``settings`` are for all its nodes.
    """

    def __init__(
        self,
        folder: Path,
        sensors: Sequence[Sequence[Argument]] = ((), ()),
        port: int | None = None,
        package: bool = True,
        settings: Sequence[Argument] = (),
    ) -> None:
        self.folder = folder
        self.package = package
        self.settings = settings
        self.port = port or free_port()
        self.logs = folder / "logger"
        self.sensors = [f"worker-{i}" for i in range(1, len(sensors) + 1)]
        path = zeek_path()
        if path is None:
            raise FileNotFoundError("zeek")
        self.zeek = path
        self.broker = has_broker(path)
        self.nodes = {
            name: self._node(name, arguments)
            for name, arguments in (
                ("manager", ()),
                ("logger", ()),
                ("proxy", ()),
                *zip(self.sensors, sensors, strict=True),
            )
        }

    def _node(self, name: str, arguments: Sequence[Argument]) -> ZeekProcess:
        zeekpath = subprocess.run(
            [self.zeek.with_name("zeek-config"), "--zeekpath"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        return ZeekProcess(
            self.folder / name,
            (
                *(() if self.broker else ("policy/frameworks/cluster/backend/zeromq",)),
                "policy/frameworks/cluster/experimental",
                *((PACKAGE, f"NBA::listen_port={self.port}/tcp") if self.package else ()),
                "test-cluster",
                *self.settings,
                *arguments,
            ),
            {"CLUSTER_NODE": name, "ZEEKPATH": f"{self.folder}:{zeekpath}"},
        )

    def _write_layout(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        kinds = {"manager": "MANAGER", "logger": "LOGGER", "proxy": "PROXY"}
        # Over ZeroMQ one endpoint for logs only: a second one would get half of all lines. Over
        # Broker sensors connect to the others.
        listening = set(kinds) if self.broker else {"logger"}
        layout = ["redef Cluster::manager_is_logger = F;", "redef Cluster::nodes = {"]
        for name in self.nodes:
            kind = kinds.get(name, "WORKER")
            port = f"{free_port()}/tcp" if name in listening else "0/unknown"
            manager = "" if name == "manager" else ', $manager="manager"'
            layout.append(
                f'["{name}"] = [$node_type=Cluster::{kind}, $ip=127.0.0.1, $p={port}{manager}],'
            )
        (self.folder / "cluster-layout.zeek").write_text("\n".join([*layout, "};", ""]))
        settings = ["redef Log::default_rotation_interval = 0secs;"]
        if not self.broker:
            # Sockets in the common folder, relative as their names must be short.
            settings += [
                f'redef Cluster::Backend::ZeroMQ::{end}_endpoint = "ipc://../{socket}";'
                for end, socket in (
                    ("listen_xpub", "xpub"),
                    ("listen_xsub", "xsub"),
                    ("connect_xpub", "xsub"),
                    ("connect_xsub", "xpub"),
                )
            ]
        (self.folder / "test-cluster.zeek").write_text("\n".join([*settings, ""]))

    def start(self) -> None:
        """Start all nodes; returns when they know each other and the manager listens."""
        self._write_layout()
        for node in self.nodes.values():
            node.start()
        if self.package:
            wait_until(lambda: listens(self.port), what="the manager to listen")
        wait_until(
            lambda: any(row["message"] == "cluster connected" for row in self.rows("cluster")),
            what="the cluster to connect",
        )

    def stop(self) -> None:
        """End all nodes, sensors first, so that their last rows still reach the logger."""
        for name in (*self.sensors, "proxy", "manager", "logger"):
            self.nodes[name].stop()
