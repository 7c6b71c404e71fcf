"""Checks an installation; each finding is one line, with the remedy if something is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from nba_broker.archive import zeek_process
from nba_broker.destinations.databases import Database
from nba_broker.hosts.identity import Identity
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import (
    ConfigError,
    LinkError,
    MessageError,
    NBAError,
    SnapshotError,
    ZeekError,
)
from nba_broker.records.ports import port_code
from nba_broker.wire.codec import Hello, Message, NameBatch, SessionBatch, decode
from nba_broker.wire.connection import Link
from nba_broker.wire.partitions import partition_of
from nba_broker.worker import lock, snapshot, snapshot_file
from nba_broker.worker.settings import Settings

LISTEN = 6.0  # seconds: a worker says hello every five, a sensor sends four batches a second
OLD = 90  # days after which too many networks of an IP database have moved
SKEW = 5.0  # seconds that a sensor's clock may differ from this machine's
QUERIES = 10  # DNS queries of hosts without any answer, from which on answers must be missing
_DNS_PORTS = (port_code(53, "udp"), port_code(53, "tcp"))
_BYTES_PER_SESSION, _BYTES_PER_HOST = 51, 2_200  # of a snapshot, see docs/operations.md


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; an empty ``advice`` means that all is well."""

    text: str
    advice: str = ""

    def __str__(self) -> str:
        if self.advice:
            return f"needs attention  {self.text}: {self.advice}"
        return f"ok               {self.text}"


@dataclass(slots=True)
class Heard:
    """What a few seconds of listening say about one partition."""

    partition: int = 0
    workers: set[str] = field(default_factory=set)
    # By node:
    clocks: dict[str, float] = field(default_factory=dict)  # seconds ahead of this machine's clock
    seen: dict[str, int] = field(default_factory=dict)  # sessions since its start
    skipped: dict[str, list[int]] = field(default_factory=dict)  # first and last count
    queries: int = 0  # sessions to DNS servers
    names: int = 0  # answers to them
    identity: Identity = field(default_factory=Identity)

    def hear(self, frame: bytes) -> None:
        """Note what one frame says."""
        with contextlib.suppress(MessageError):
            self.note(decode(frame))

    def note(self, message: Message) -> None:
        """Note what one message says."""
        if isinstance(message, Hello):
            if partition_of(message.worker) == self.partition:
                self.workers.add(message.worker)
        elif isinstance(message, NameBatch):
            self.names += len(message)
        elif isinstance(message, SessionBatch):
            self.queries += int(np.isin(message.sessions.dport, _DNS_PORTS).sum())
            self.clocks[message.node] = message.now - time.time()
            self.seen[message.node] = message.sent + message.skipped
            counts = self.skipped.setdefault(message.node, [message.skipped, message.skipped])
            counts[1] = message.skipped
            sessions, at = message.sessions, 0
            while at < len(sessions):
                segment = None if sessions.segment is None else sessions.segment[at:]
                columns = sessions.ts[at:], sessions.host[at:], sessions.mac[at:]
                at += self.identity.slots(*columns, segment, sessions.dport[at:]).covered


def examine(settings: Settings, link: Link) -> Iterator[Finding]:
    """Every finding; those about sensors and workers come after ``LISTEN`` seconds. Sends nothing
    to Zeek."""
    yield from model_and_databases(settings)
    yield from state(settings)
    yield from port(settings.url, settings.ca is not None)
    heard = Heard(settings.partition)
    try:
        asyncio.run(link.listen(LISTEN, heard.hear))
    except LinkError as error:
        yield from installed_zeek(settings.zeek)
        yield Finding(
            str(error), "start Zeek with the package loaded, or give its address with --url"
        )
        return
    yield version(link.version)
    yield backend(link.endpoint)
    holder = lock.holder(settings.state) if settings.state else ""
    yield from sensors(heard, expected_sensors(settings.zeek), holder)


def model_and_databases(settings: Settings) -> Iterator[Finding]:
    """Whether the worker can start, and with which model and databases."""
    try:
        manifest = Scorer(settings.model).manifest
        yield Finding(_model(manifest))
    except NBAError as error:
        yield Finding("the model cannot be used", str(error))
    for path in settings.pools:
        try:
            database = Database(path)
        except NBAError as error:
            yield Finding("an IP database cannot be used", str(error))
            continue
        days = (time.time() - database.built.timestamp()) / 86400
        text = f"{path.name}: {database.kind} of {database.built:%Y-%m-%d}, {int(days)} days old"
        yield Finding(
            text, "fetch a newer edition; a running worker takes it over" if days > OLD else ""
        )


def _model(manifest: Manifest) -> str:
    made = f", made {manifest.created:%Y-%m-%d}" if manifest.created else ""
    return (
        f"model {manifest.id}{made}: {len(manifest.classes)} devices, window {manifest.window}, "
        f"feature version {manifest.raw['feature_version']}"
    )


def state(settings: Settings) -> Iterator[Finding]:
    """Whether a restart keeps the hosts' state, and whether there is room for it."""
    if settings.state is None:
        yield Finding(
            "without a folder for snapshots a restart forgets all hosts",
            "give the worker and the doctor the same --state",
        )
        return
    if not settings.state.is_dir():
        yield Finding(
            f"no folder {settings.state}",
            "start the worker with this --state, or give its own",
        )
        return
    try:
        path = snapshot_file.path_in(settings.state)
    except ConfigError as error:
        yield Finding("no snapshot can be written", str(error))
        return
    text = f"state in {settings.state}"
    if path.exists():
        text += f", last written {time.time() - path.stat().st_mtime:.0f} s ago"
    yield Finding(text)
    for bad in sorted(settings.state.glob(f"{snapshot_file.FILE}.bad-*")):
        yield Finding(f"a worker could not read {bad.name} when it started", "delete or report it")
    try:
        manifest = Manifest.load(settings.model)
    except NBAError:
        return
    try:
        used = snapshot.model_id(path) if path.exists() else ""
    except (SnapshotError, OSError) as error:
        yield Finding("the last snapshot cannot be read", str(error))
        used = ""
    if used not in ("", manifest.id):
        yield Finding(
            f"the worker of {settings.state} uses model {used}, not {manifest.id}",
            "give the doctor the worker's --model, --config or NBA_MODEL; if the model was just "
            "switched, repeat this after the next snapshot",
        )
    need = disk_needed(manifest.window, settings.max_hosts)
    free = shutil.disk_usage(settings.state).free
    text = (
        f"{free / 1e9:.1f} GB free there, {need / 1e9:.1f} GB needed for {settings.max_hosts} hosts"
    )
    yield Finding(text, "make room, or lower max_hosts" if free < need else "")


def disk_needed(window: int, hosts: int) -> int:
    """Bytes for the snapshots of so many hosts: the old one stays until the new one is complete."""
    return 2 * hosts * (_BYTES_PER_SESSION * window + _BYTES_PER_HOST)


def port(url: str, authority: bool) -> Iterator[Finding]:
    """Who can reach Zeek's port. Zeek trusts every client, and accepts verdicts from it."""
    parts = urlsplit(url)
    host, number = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    if parts.scheme == "wss":
        yield Finding(
            f"{url} is encrypted",
            "" if authority else "set --ca, so that no other server can pretend to be this Zeek",
        )
    elif _is_loopback(host):
        yield Finding(f"{url} stays on this machine")
    else:
        yield Finding(
            f"{url} crosses the network in the clear",
            "use TLS with client certificates (NBA::tls_options; wss:// with --ca, --cert, --key)",
        )
    if parts.scheme != "wss":
        for address in listening(number):
            if _is_loopback(host) and not _is_loopback(address):
                yield Finding(
                    f"port {number} is open at {address} without TLS",
                    "set NBA::listen_addr to 127.0.0.1, or NBA::tls_options",
                )


def listening(number: int) -> list[str]:
    """The addresses at which this machine listens on a TCP port; none if that is unknown."""
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            local, _, status = row.split()[1:4]
            address, _, port = local.partition(":")
            if status == "0A" and int(port, 16) == number:  # 0A: listening
                words = bytes.fromhex(address)
                # Each group of four bytes is in the byte order of the machine.
                packed = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.append(str(ipaddress.ip_address(packed)))
    return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def installed_zeek(chosen: Path | None = None) -> Iterator[Finding]:
    """What is known about a Zeek that does not answer."""
    try:
        zeek = zeek_process.find_zeek(chosen)
    except ZeekError as error:
        yield Finding("the Zeek of NBA_ZEEK is missing", str(error))
        return
    if zeek is None:
        yield Finding(
            "no zeek on PATH or in /opt/zeek/bin", "run the doctor on the machine that runs Zeek"
        )
        return
    said = subprocess.run([zeek, "--version"], capture_output=True, text=True, check=False).stdout
    yield version(said.split()[-1] if said.split() else "")
    scripts = zeek_process.installed_scripts(zeek)
    if scripts is None:
        yield Finding(f"the package is not installed for {zeek}", zeek_process.INSTALL)
    else:
        yield Finding(f"package in {scripts}")


def version(text: str) -> Finding:
    """Whether one client that stops reading can stall the others in this version of Zeek."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        return Finding(f"Zeek's version is unknown ({text!r})", "check that it is 8.0 or later")
    number = tuple(int(part or 0) for part in found.groups())
    if number < (8, 0, 0):
        return Finding(f"Zeek {text} is too old", "install Zeek 8.0.9, or 8.2.1 or later")
    if number < (8, 0, 9) or (8, 1, 0) <= number < (8, 2, 1):
        return Finding(
            f"Zeek {text} waits without limit for a WebSocket client that stops reading",
            "keep NBA::listen_port for the worker alone until Zeek is 8.0.9, 8.2.1 or later",
        )
    return Finding(f"Zeek {text}")


def backend(endpoint: str) -> Finding:
    """Whether Zeek's nodes and the worker can exchange events."""
    # Other backends begin with their name; Broker's endpoints are numbers of 128 bits.
    name = "broker" if _BROKER_ID.match(endpoint) else endpoint.partition("_")[0].lower()
    if name.startswith("none"):
        return Finding(
            "Zeek has no cluster backend, so it delivers no events",
            "load zeek-nba/standalone, or policy/frameworks/cluster/backend/zeromq",
        )
    return Finding(f"cluster backend: {name or 'unknown'}")


_BROKER_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def sensors(heard: Heard, expected: set[str], holder: str = "") -> Iterator[Finding]:
    """Whether the package runs on every sensor, by its heartbeats.

    expected: the sensors of the cluster's layout. holder: the process id of the worker that uses
    the state folder, "" if there is none.
    """
    where = option = shared = ""
    if heard.partition:
        where, option = f" in partition {heard.partition}", f" --partition {heard.partition}"
        shared = f"check that NBA::partitions is {heard.partition + 1} or more; "
    if not heard.workers and holder:
        yield Finding(
            f"worker {holder} runs, but is not connected to this Zeek{where}",
            f"{shared}wait a minute if Zeek has just started; else check the worker's --url and "
            "its log",
        )
        return
    if not heard.workers:
        yield Finding(
            f"no worker is running{where}, so sensors are silent",
            f"{shared}start nba-broker run{option}, then repeat this",
        )
        return
    yield Finding(f"worker {', '.join(sorted(heard.workers))}")
    if len(heard.workers) > 1:
        yield Finding(f"more than one worker{where}", "stop all but one")
    if not heard.clocks:
        yield Finding(
            f"no sensor is heard{where}",
            f"{shared}load the package on all nodes (@load zeek-nba in local.zeek, then deploy)",
        )
        return
    yield Finding(f"heard {len(heard.clocks)} sensors: {', '.join(sorted(heard.clocks))}")
    if not any(heard.seen.values()):
        yield Finding(
            f"no session of a local host{where} yet since the sensors started",
            "wait if they started just now; else check the interface, and that NBA::hosts (if "
            "empty, Site::local_nets) contains your networks",
        )
    yield names(heard)
    for node in sorted(expected - heard.clocks.keys()):
        yield Finding(
            f"{node} is not heard", "check that it runs and has the package; deploy it again"
        )
    for node, skew in sorted(heard.clocks.items()):
        if abs(skew) > SKEW:
            yield Finding(
                f"the clock of {node} differs from this machine's by {skew:.1f} s",
                "set both by NTP; ignore this for a sensor that reads a capture",
            )
    for mac in sorted(heard.identity.routers()):
        yield Finding(f"{mac} stands for several hosts; they are told apart by lease or address")
    for node, (first, last) in sorted(heard.skipped.items()):
        if last > first:
            yield Finding(
                f"{node} skipped {last - first} sessions meanwhile",
                "the worker does not keep up; see the section on capacity in docs/operations.md",
            )


def names(heard: Heard) -> Finding:
    """Whether sensors report the names that hosts ask for."""
    if heard.names:
        return Finding(f"heard {heard.names} names that hosts asked for")
    if heard.queries < QUERIES:
        return Finding(f"heard no name that a host asked for, and {heard.queries} DNS queries")
    return Finding(
        f"heard {heard.queries} DNS queries of hosts, but no answer",
        "check that NBA::report_names is T, that Zeek writes dns.log with answers, and that the "
        "sensors see both directions",
    )


def expected_sensors(chosen: Path | None = None) -> set[str]:
    """The sensors of the cluster layout that zeekctl or Zeek's systemd generator wrote, if any."""
    try:
        zeek = zeek_process.find_zeek(chosen)
    except ZeekError:
        zeek = None
    if zeek is None:
        return set()
    names: set[str] = set()
    for top in ("spool", "var"):
        for layout in (zeek.parent.parent / top).glob("**/cluster-layout.zeek"):
            text = layout.read_text("utf-8", "replace")
            names.update(re.findall(r'\["([^"]+)"\]\s*=\s*\[\$node_type=Cluster::WORKER', text))
    return names
