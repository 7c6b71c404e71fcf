"""The command ``nba-broker``: the only place that reads configuration and builds objects."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import ssl
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nba_broker import (
    __version__,
    config,
    device_log,
    doctor,
    metrics,
    overrides,
    snapshot,
    zeek_log,
    zeek_process,
)
from nba_broker.config import Config
from nba_broker.errors import ConfigError, NBAError, SnapshotError, ZeekError
from nba_broker.link import Link, Position
from nba_broker.pipeline import Pipeline
from nba_broker.policy import PolicySettings
from nba_broker.pools import Database, Pools
from nba_broker.reorder import Reorder
from nba_broker.scorer import Scorer
from nba_broker.worker import Worker, worker_name

LOG = logging.getLogger("nba_broker")

_JOIN_LIMIT = 60.0  # seconds for Zeek to start listening; it waits for a worker without end


def build_pools(settings: Config, scheme: str) -> Pools:
    """Pools as configured; raises ConfigError or DatabaseError."""
    rules = overrides.read(settings.overrides) if settings.overrides else []
    return Pools(
        [Database(path) for path in settings.pools],
        scheme=scheme,
        lans=settings.lans,
        local=settings.local,
        overrides=rules,
    )


def build_pipeline(
    settings: Config,
    *,
    worker: str,
    reorder: Reorder | None = None,
    scorer: Scorer | None = None,
) -> Pipeline:
    """Model, pools and policy put together; raises NBAError with what to do."""
    scorer = scorer or Scorer(settings.model)
    manifest = scorer.manifest
    pools = build_pools(settings, manifest.pool_scheme)
    trained = {entry.get("sha256") for entry in manifest.databases}
    if not {database.fingerprint for database in pools.databases} & trained:
        LOG.warning(
            "the model was trained with another edition of the IP database; pools keep their "
            "names, but networks that moved since then look new"
        )
    return Pipeline(
        pools,
        scorer,
        settings=PolicySettings(
            identified=manifest.identified, known=manifest.known, reminder=settings.reminder
        ),
        reorder=Reorder(settings.reorder) if reorder is None else reorder,
        max_hosts=settings.max_hosts,
        worker=worker,
    )


def _tls(settings: Config) -> ssl.SSLContext | None:
    if not settings.url.startswith("wss:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.cert:
            context.load_cert_chain(settings.cert, settings.key)
    except OSError as error:
        raise ConfigError(f"TLS files ca, cert or key: {error}") from error
    return context


def run(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker run``: the live worker."""
    name = worker_name()
    state = snapshot.path_in(settings.state) if settings.state else None
    scorer = metrics.TimedScorer(settings.model)
    pipeline = build_pipeline(settings, worker=name, scorer=scorer)
    positions: dict[str, Position] = {}
    LOG.info("model %s, worker %s", pipeline.scorer.manifest.id, name)
    if state is not None and state.exists():
        try:
            positions = snapshot.restore(state, pipeline)
            LOG.info("%d hosts taken up from %s", pipeline.hosts, state)
        except SnapshotError as error:
            LOG.error("%s; moved to %s, starting empty", error, snapshot.set_aside(state))
            pipeline = build_pipeline(settings, worker=name, scorer=scorer)
    worker = Worker(
        Link(settings.url, tls=_tls(settings)),
        pipeline,
        name=name,
        databases=settings.pools,
        state=state,
        snapshot_interval=settings.snapshot_interval,
        positions=positions,
    )
    if settings.metrics:
        metrics.serve(settings.metrics, worker, scorer)
        LOG.info("metrics at http://%s/metrics", settings.metrics)
    asyncio.run(worker.run())
    LOG.info("stopped after %d sessions", pipeline.counters.sessions)
    return 0


def score(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker score``: conn.log archives to nba_device.log."""
    from nba_broker import conn_log  # pandas takes a second to load, and the live worker has none

    archive = conn_log.read(arguments.paths, local=[str(network) for network in settings.local])
    report = archive.report
    for line in report.errors:
        LOG.error("%s", line)
    pipeline = build_pipeline(settings, worker="")
    for lease in archive.leases:
        pipeline.lease(lease)
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with device_log.Writer(out / "nba_device.log", arguments.format) as writer:
        for batch in archive.batches():
            for verdict in pipeline.process(batch):
                writer.write(verdict)
    print(device_log.table(zeek_log.read(out / "nba_device.log")))
    print(
        f"\n{report.sessions} sessions of {pipeline.hosts} hosts in {report.files} conn logs "
        f"({report.not_hosts} of no host, {report.skipped} rows skipped) -> {out}/nba_device.log"
    )
    return 1 if report.errors else 0


def pcap(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker pcap``: the real Zeek with the package and a worker over a capture."""
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    log = out / "nba_device.log"
    # Beside the logs that are there, so that a run which fails leaves them alone.
    with (
        zeek_process.uncompressed(arguments.file) as capture,
        tempfile.TemporaryDirectory(prefix=".zeek-", dir=out) as folder,
    ):
        asyncio.run(_pcap(capture, Path(folder), settings))
        log.unlink(missing_ok=True)
        for written in sorted(Path(folder).glob("*.log")):
            written.replace(out / written.name)
    print(device_log.table(zeek_log.read(log)) if log.exists() else "no host in this capture")
    return 0


async def _pcap(capture: Path, folder: Path, settings: Config) -> None:
    # Here Zeek comes and goes as it should.
    logging.getLogger("nba_broker.link").setLevel(logging.ERROR)
    name = worker_name()
    # A single node that may pause for as long as it likes: there is nobody to wait for.
    reorder = Reorder(settings.reorder, silence=float("inf"), settle=0)
    pipeline = build_pipeline(settings, worker=name, reorder=reorder)
    port = zeek_process.free_port()
    # A file, not a pipe: nothing here has to read it for Zeek to go on.
    with tempfile.TemporaryFile() as messages:
        zeek = await zeek_process.start(capture, folder, port, messages)
        worker = Worker(
            Link(f"ws://127.0.0.1:{port}/v1/messages/json", pause=0.05),
            pipeline,
            name=name,
            verdict_rate=1e9,  # the manager limits live traffic only
        )
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
        messages.seek(0)
        said = messages.read().decode(errors="replace").strip().splitlines()
        if zeek.returncode:
            last = said[-1] if said else "it said nothing"
            raise ZeekError(f"zeek failed with status {zeek.returncode}: {last}")
        for line in said:
            # It also tells of every pause that the worker asked for.
            if "warning" in line or "error" in line:
                LOG.warning("zeek: %s", line)


def examine(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker doctor``: exit status 1 when there is something to do."""
    link = Link(settings.url, tls=_tls(settings))
    status = 0
    for finding in doctor.examine(settings, link):
        print(finding, flush=True)
        status |= bool(finding.advice)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nba-broker",
        description="Passive IoT identification for Zeek: names hosts by where and when they talk.",
    )
    parser.add_argument("--version", action="version", version=f"nba-broker {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="F.toml", help="settings file")
    common.add_argument("--model", metavar="DIR", help="model folder (default: the shipped one)")
    common.add_argument(
        "--pools",
        action="append",
        metavar="F.mmdb",
        help="ASN or country database in MaxMind format; may be repeated (default: embedded)",
    )
    common.add_argument(
        "--local", action="append", metavar="CIDR", help="own public network; may be repeated"
    )

    zeek = argparse.ArgumentParser(add_help=False)
    zeek.add_argument("--url", help=f"Zeek's WebSocket API (default {Config.url})")
    zeek.add_argument("--ca", metavar="F", help="certificate authority for wss://")
    zeek.add_argument("--cert", metavar="F", help="client certificate")
    zeek.add_argument("--key", metavar="F", help="its key")
    zeek.add_argument("--state", metavar="DIR", help="keep the hosts' state over restarts here")

    live = commands.add_parser("run", parents=[common, zeek], help="work for a running Zeek")
    live.add_argument("--metrics", metavar="HOST:PORT", help="answer Prometheus there")
    live.set_defaults(action=run)

    check = commands.add_parser(
        "doctor", parents=[common, zeek], help="look for what is wrong, and say what to do"
    )
    check.set_defaults(action=examine)

    offline = commands.add_parser("score", parents=[common], help="score conn.log archives")
    offline.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or - for stdin")
    offline.add_argument("--format", choices=("tsv", "json"), default="tsv")
    offline.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    offline.set_defaults(action=score)

    capture = commands.add_parser("pcap", parents=[common], help="run Zeek over a capture")
    capture.add_argument("file", type=Path, metavar="FILE", help="capture, also gzipped")
    capture.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    capture.set_defaults(action=pcap)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 done, 1 a failed run with one clear line on stderr, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = config.load(arguments.config, os.environ, vars(arguments))
        return int(arguments.action(arguments, settings))
    except NBAError as error:
        complaint = str(error)
    except BrokenPipeError:
        # Whoever read the table has seen enough; nothing may complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = error.filename or getattr(arguments, "out", "")
        complaint = f"{where}: {error.strerror or error}"
    except MemoryError:
        complaint = "not enough memory; lower max_hosts, or score fewer logs at once"
    except KeyboardInterrupt:
        complaint = "interrupted"
    print(f"nba-broker: {complaint}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
