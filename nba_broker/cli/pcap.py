"""``nba-broker pcap``: runs Zeek with the package, and a worker, over a capture."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nba_broker.archive import (
    captures,
    packets,
    results,
    site_log,
    zeek_log,
    zeek_process,
)
from nba_broker.cli import options, summary, terminal
from nba_broker.cli.build import build_pipeline
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ZeekError
from nba_broker.verdicts import annotation_file
from nba_broker.wire import connection
from nba_broker.wire.connection import Link
from nba_broker.wire.reorder import Reorder
from nba_broker.worker.settings import Settings
from nba_broker.worker.worker import Worker, worker_name

LOG = logging.getLogger(__name__)

_JOIN_LIMIT = 60.0  # seconds for Zeek to start listening; Zeek itself waits without a limit


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "pcap",
        parents=[options.model_and_pools(), options.annotation_file(), options.output()],
        help="run Zeek and a worker over a capture",
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="capture, compressed or not, or - for stdin"
    )
    parser.set_defaults(action=pcap)


def pcap(arguments: argparse.Namespace, settings: Settings) -> int:
    """Exit status 1 if the capture is damaged; what lies before the damage is read."""
    results.require_apart(arguments.out, "--out", settings.model)
    with results.folder(arguments.out) as folder:
        written = arguments.out / options.DEVICE_LOG
        status, lines = _pcap(arguments.file, settings, folder, written)
    terminal.say(*lines)
    return status


def _pcap(file: Path, settings: Settings, folder: Path, written: Path) -> tuple[int, list[str]]:
    """Write Zeek's logs into the folder, from where they go to that of ``written``; the exit
    status, and the lines for standard output."""
    capture = captures.whole(file, folder)
    if capture.damage:
        why = capture.damage
        LOG.warning("%s: %s; only what lies before is read", captures.named(file), why)
    with _expected_to_come_and_go(connection.LOG):
        pipeline = asyncio.run(_run_zeek(capture.path, folder, settings))
    log = folder / options.DEVICE_LOG
    if log.exists():
        events = site_log.read(folder / options.SITE_LOG)
        lines = summary.lines(pipeline, log, events, captures.named(file), written)
    else:
        lines = [f"no host in this capture: {_contents(capture, folder / 'conn.log')}"]
    return 1 if capture.damage else 0, lines


def _contents(capture: captures.Capture, log: Path) -> str:
    """What a capture without a host contains; ``log`` is Zeek's conn log of it."""
    kinds = captures.contents(capture)
    connections = sum(1 for _ in zeek_log.rows(log)) if log.exists() else 0
    if connections:
        found = (
            f"; no host with a private address begins any of the {connections} connections: name "
            "the networks of the hosts (--local), and capture both directions"
        )
    else:
        found = ", and no connection in them" if kinds else ""
    more = packets.advice(kinds)
    return f"{packets.described(kinds)}{found}{'; ' if more else ''}{more}"


@contextlib.contextmanager
def _expected_to_come_and_go(log: logging.Logger) -> Iterator[None]:
    """Log nothing of a connection that begins and ends."""
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


async def _run_zeek(capture: Path, folder: Path, settings: Settings) -> Pipeline:
    """Run Zeek over a capture with a worker, and return the worker's pipeline; raises ZeekError if
    Zeek fails or is interrupted."""
    name = worker_name()
    # A single node may pause for any time: no other node waits for it.
    reorder = Reorder(settings.reorder, silence=float("inf"), settle=0)
    pipeline = build_pipeline(settings, worker=name, reorder=reorder)
    if settings.annotations:
        pipeline.annotate(annotation_file.read(settings.annotations))
    port = zeek_process.free_port()
    # A file, not a pipe: Zeek never waits for a reader.
    with tempfile.TemporaryFile(dir=folder) as messages:
        zeek = await zeek_process.start(
            capture, folder, port, messages, settings.local, settings.zeek
        )
        worker = Worker(
            Link(f"ws://127.0.0.1:{port}/v1/messages/json", pause=0.05),
            pipeline,
            name=name,
            verdict_rate=1e9,  # the manager limits live traffic only
        )
        await _until_ended(worker, zeek)
        _report(zeek, messages, pipeline)
    return pipeline


async def _until_ended(worker: Worker, zeek: asyncio.subprocess.Process) -> None:
    """Run the worker until Zeek has ended."""
    working = asyncio.create_task(worker.run())
    ending = asyncio.create_task(zeek.wait())
    late = asyncio.create_task(asyncio.sleep(_JOIN_LIMIT))
    try:
        await asyncio.wait([working, ending, late], return_when=asyncio.FIRST_COMPLETED)
        if late.done() and not worker.joined:
            raise ZeekError(f"zeek does not listen after {_JOIN_LIMIT:.0f} s")
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        worker.stop()
        await working
        if not ending.done():
            raise ZeekError("interrupted before the capture ended")
    finally:
        late.cancel()
        if zeek.returncode is None:
            zeek.kill()
            await ending


def _report(zeek: asyncio.subprocess.Process, messages: BinaryIO, pipeline: Pipeline) -> None:
    """Log the warnings of Zeek and of the pipeline; raises ZeekError if Zeek failed."""
    messages.seek(0)
    lines = messages.read().decode(errors="replace").strip().splitlines()
    if zeek.returncode:
        last = lines[-1] if lines else "it printed nothing"
        raise ZeekError(f"zeek failed with status {zeek.returncode}: {last}")
    for line in pipeline.wider.hints("start again with --lans {lan}"):
        LOG.warning("%s", line)
    for line in lines:
        # Zeek also reports every pause that the worker asked for.
        if "warning" in line or "error" in line:
            LOG.warning("zeek: %s", line)
