"""The command ``nba-broker``: the only place that reads configuration and builds objects."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import functools
import gc
import logging
import os
import signal
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nba_broker import __version__
from nba_broker.archive import captures, device_log, packets, results, zeek_log, zeek_process
from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.cli import terminal
from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.model import store
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ConfigError, ModelError, SnapshotError, ZeekError
from nba_broker.records.times import print_time
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.shadow import Shadow, fits
from nba_broker.verdicts.states import NO_DEVICE
from nba_broker.wire.connection import Link, Position
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import config, doctor, lock, metrics, snapshot
from nba_broker.worker.config import Config
from nba_broker.worker.worker import Worker, worker_name

LOG = logging.getLogger("nba_broker")

_DEVICE_LOG = "nba_device.log"
_SNAPSHOT_LIMIT = 10.0  # seconds for a worker to write its snapshot; an older one has to do then
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
        nat64=settings.nat64,
    )


def build_pipeline(
    settings: Config,
    *,
    worker: str,
    reorder: Reorder | None = None,
    scorer: Scorer | None = None,
    shadow: Shadow | None = None,
) -> Pipeline:
    """Model, pools and policy put together; raises NBAError with what to do."""
    scorer = scorer or Scorer(settings.model)
    manifest = scorer.manifest
    if shadow is not None:
        fits(shadow.scorer, manifest.pool_scheme)
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
        settings=DecisionSettings.of_model(manifest, settings.reminder),
        reorder=Reorder(settings.reorder) if reorder is None else reorder,
        max_hosts=settings.max_hosts,
        worker=worker,
        shadow=shadow,
    )


def _shadow(settings: Config) -> Shadow | None:
    try:
        return Shadow(Scorer(settings.shadow)) if settings.shadow else None
    except ModelError as error:
        raise ModelError(f"--shadow: {error}") from error


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
    name = worker_name(settings.partition)
    state = snapshot.path_in(settings.state) if settings.state else None
    scorer = metrics.TimedScorer(settings.model)
    pipeline = build_pipeline(settings, worker=name, scorer=scorer, shadow=_shadow(settings))
    LOG.info("model %s, worker %s", pipeline.scorer.manifest.id, name)
    if pipeline.shadow is not None:
        LOG.info("shadow %s", pipeline.shadow.scorer.manifest.id)
    # `hosts` may ask for a snapshot before there is one; the worker listens once it runs.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with lock.held(state.parent) if state else contextlib.nullcontext():
        positions: dict[str, Position] = {}
        if state is not None and state.exists():
            try:
                positions = snapshot.restore(state, pipeline, settings.partition)
                LOG.info("%d hosts taken up from %s", pipeline.hosts, state)
            except SnapshotError as error:
                LOG.error("%s; moved to %s, starting empty", error, snapshot.set_aside(state))
                pipeline = build_pipeline(
                    settings, worker=name, scorer=scorer, shadow=_shadow(settings)
                )
        worker = Worker(
            Link(settings.url, partition=settings.partition, tls=_tls(settings)),
            pipeline,
            name=name,
            databases=settings.pools,
            answers=settings.answers,
            model=settings.model,
            load=functools.partial(metrics.TimedScorer, seconds=scorer.seconds),
            state=state,
            snapshot_interval=settings.snapshot_interval,
            positions=positions,
        )
        if settings.metrics:
            metrics.serve(settings.metrics, worker, scorer)
            LOG.info("metrics at http://%s/metrics", settings.metrics)
        # A frame decodes to thousands of objects without a cycle: to search for some every 700 of
        # them, as is usual, took a tenth of the socket's thread.
        gc.set_threshold(50_000)
        asyncio.run(worker.run())
    LOG.info("stopped after %d sessions", pipeline.counters.sessions)
    return 0


def score(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker score``: conn.log archives to nba_device.log."""
    with results.folder(arguments.out, [_DEVICE_LOG]) as folder:
        status, said = _score(arguments, settings, folder / _DEVICE_LOG)
    terminal.say(*said)
    return status


def _score(arguments: argparse.Namespace, settings: Config, log: Path) -> tuple[int, list[str]]:
    """The exit status, and what to say on standard output."""
    from nba_broker.archive import conn_log

    archive = conn_log.read(arguments.paths, local=[str(network) for network in settings.local])
    for line in archive.errors:
        LOG.error("%s", line)
    for line in archive.warnings:
        LOG.warning("%s", line)
    scorer = Scorer(settings.model, threads=len(os.sched_getaffinity(0)))
    pipeline = build_pipeline(settings, worker="", scorer=scorer)
    for lease in archive.leases:
        pipeline.lease(lease)
    if settings.answers:
        pipeline.annotate(annotation_file.read(settings.answers))
    said: dict[str, str] = {}
    with device_log.Writer(log, arguments.format) as writer:
        for batch in archive.batches():
            for verdict in pipeline.process(batch):
                writer.write(verdict)
                said[verdict.mac or verdict.host] = verdict.host
        for verdict in pipeline.finish():
            writer.write(verdict)
            said[verdict.mac or verdict.host] = verdict.host
    for line in pipeline.intake.door.lines:
        LOG.warning("%s", line)
    report = archive.report  # whole once the sessions were given out
    if pipeline.annotations.waiting and report.sessions:
        LOG.warning(
            "%d of %d answers are later than the archive's last session and changed nothing; give "
            "them an earlier time (at, or --at)",
            pipeline.annotations.waiting,
            pipeline.annotations.total,
        )
    lines = [device_log.table(zeek_log.rows(log))]
    unknown = pipeline.unknown_hosts(said=said)
    if unknown.kinds:
        hosts = "host" if unknown.hosts == 1 else "hosts"
        lines += ["", f"{unknown.hosts} unknown {hosts}, by what they do:"]
        lines += [f"  {kind}" for kind in unknown.kinds]
    for line in pipeline.wider.hints("score again with --lans {lan}"):
        LOG.warning("%s", line)
    lines += [
        "",
        f"{report.sessions} sessions of {pipeline.hosts} hosts in {report.files} conn logs "
        f"({report.not_hosts} of no host, {report.skipped} rows skipped{report.more}) -> "
        f"{arguments.out}/{_DEVICE_LOG}",
    ]
    return 1 if report.errors else 0, lines


def pcap(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker pcap``: the real Zeek with the package and a worker over a capture."""
    with results.folder(arguments.out) as folder:
        status, said = _pcap(arguments.file, settings, folder)
    terminal.say(said)
    return status


def _pcap(file: Path, settings: Config, folder: Path) -> tuple[int, str]:
    """The exit status, and what to say on standard output."""
    capture = captures.whole(file, folder)
    if capture.damage:
        why = capture.damage
        LOG.warning("%s: %s; only what lies before is read", captures.named(file), why)
    asyncio.run(_run_zeek(capture.path, folder, settings))
    log = folder / _DEVICE_LOG
    if log.exists():
        said = device_log.table(zeek_log.read(log))
    else:
        said = f"no host in this capture: {_why_none(capture, folder / 'conn.log')}"
    return 1 if capture.damage else 0, said


def _why_none(capture: captures.Capture, log: Path) -> str:
    """What there is in a capture, and in Zeek's conn log of it, without a host."""
    kinds = captures.contents(capture)
    connections = sum(1 for _ in zeek_log.rows(log)) if log.exists() else 0
    if connections:
        found = (
            f"; of {connections} connections none is begun by a host of private addresses: name "
            "other networks of hosts (--local), and capture both directions"
        )
    else:
        found = ", and no connection in them" if kinds else ""
    more = packets.advice(kinds)
    return f"{packets.described(kinds)}{found}{'; ' if more else ''}{more}"


async def _run_zeek(capture: Path, folder: Path, settings: Config) -> None:
    # Here Zeek comes and goes as it should.
    logging.getLogger("nba_broker.wire.connection").setLevel(logging.ERROR)
    name = worker_name()
    # A single node that may pause for as long as it likes: there is nobody to wait for.
    reorder = Reorder(settings.reorder, silence=float("inf"), settle=0)
    pipeline = build_pipeline(settings, worker=name, reorder=reorder)
    if settings.answers:
        pipeline.annotate(annotation_file.read(settings.answers))
    port = zeek_process.free_port()
    # A file, not a pipe: nothing here has to read it for Zeek to go on.
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
        for line in pipeline.wider.hints("start again with --lans {lan}"):
            LOG.warning("%s", line)
        for line in said:
            # It also tells of every pause that the worker asked for.
            if "warning" in line or "error" in line:
                LOG.warning("zeek: %s", line)


def hosts(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker hosts``: what a worker's snapshot says of every host."""
    pipeline, path = _snapshot(settings)
    model = snapshot.model_id(path)
    rows = [dataclasses.replace(verdict, model=model) for verdict in pipeline.standing()]
    rows.sort(key=lambda one: (device_log.order(one.host), one.site, one.vlan))
    device_log.show(rows, arguments.format)
    written = path.stat().st_mtime
    latest = max((verdict.ts for verdict in rows), default=0.0)
    print(
        f"{len(rows)} hosts as of {print_time(round(written))}, "
        f"{time.time() - written:.0f} s ago; latest session {print_time(latest) or 'none'}",
        file=sys.stderr,
    )
    return 0


def _snapshot(settings: Config) -> tuple[Pipeline, Path]:
    """The state that a worker wrote, just now if it lives and may be asked."""
    if settings.state is None:
        raise ConfigError("state: give the folder of the worker's snapshots (--state DIR)")
    path = settings.state / snapshot.FILE
    before = _written(path)
    if lock.wake(settings.state):
        patience = time.monotonic() + _SNAPSHOT_LIMIT
        while _written(path) == before and time.monotonic() < patience:
            time.sleep(0.05)
    if _written(path) is None:
        raise ConfigError(f"state: no {path}; is this the worker's folder?")
    pipeline = build_pipeline(settings, worker="")
    snapshot.restore(path, pipeline, only_shown=True)
    return pipeline, path


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def reply(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker label``, ``confirm`` and ``ignore``: one more row of the answers."""
    if settings.answers is None:
        raise ConfigError("answers: give the worker's file of answers (--answers F.csv)")
    row = {
        name: str(getattr(arguments, name, None) or "")
        for name in ("at", "host", "device", "category", "pool", "reason", "expires")
    }
    row["at"] = row["at"] or print_time(round(time.time(), 3))
    answer = annotation_file.answer(row | {"action": arguments.command}, arguments.command)
    known: list[str] = []
    if settings.state:
        try:
            pipeline, _ = _snapshot(settings)
        except (ConfigError, SnapshotError) as error:
            if answer.one_address:  # whose MAC is wanted
                raise
            LOG.warning("%s; so the answer is not compared with what is known there", error)
        else:
            answer = _met(answer, pipeline)
            known = [one.device for one in pipeline.annotations.devices]
    else:
        with contextlib.suppress(ModelError):  # which need not be where answers are written
            known = [one.device for one in Manifest.load(settings.model).classes]
    if other := annotation_file.misspelt(answer.device, known):
        LOG.warning("the model's class is spelt %s; %s is another name", other, answer.device)
    annotation_file.append(settings.answers, answer)
    # A hostname and a pool may be any word, a typing error too: say what it was taken for.
    host = f"hostname {answer.host}" if answer.hostname else answer.host
    pool = f"pool {answer.pool}" if answer.pool else ""
    if of_database(answer.pool) and not annotation_file.is_database_name(answer.pool):
        LOG.warning(
            "%s: no database names one so, as as:15169 or cc:de; only an override may", pool
        )
    meant = " ".join(filter(None, (host, pool, answer.device)))
    print(f"{settings.answers}: {arguments.command} {meant}, from {row['at']} on")
    return 0


def _met(answer: Annotation, pipeline: Pipeline) -> Annotation:
    """The answer about a host that a worker has met, by its MAC; tells what may be a slip."""
    slots = pipeline.annotations.meant(answer)
    if answer.host and not slots:
        LOG.warning("the worker has met no host %s so far", answer.host)
    identity = pipeline.identity
    if answer.action == "label":
        devices = pipeline.annotations.devices
        number = Counter(
            devices[host.device].device
            for host in map(pipeline.policy.host, slots)
            if host.device not in (NO_DEVICE, host.label)
        )
        del number[answer.device]
        for name, hosts in number.items():
            who = (
                identity.address(slots[0]) if len(slots) == 1 else f"{hosts} of {len(slots)} hosts"
            )
            LOG.warning(
                "%s is %s now: it may go on looking like that, and is no impostor for it", who, name
            )
    if answer.one_address and len(slots) > 1:
        LOG.warning(
            "%d hosts have the address %s, in different VLANs or at different sites; the answer "
            "means all of them",
            len(slots),
            answer.host,
        )
    elif answer.one_address:
        for mac in filter(None, map(identity.mac, slots)):
            # The address may be another host's tomorrow.
            LOG.info("%s has the MAC %s, which is what the answer names", answer.host, mac)
            answer = dataclasses.replace(answer, host=mac)
    return answer


def triage(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker triage``: the logs as a page, served until interrupted or written to a file."""
    try:
        from nba_broker.triage import app  # an extra, as a sensor has no use for a web server
        from nba_broker.triage.view import Views
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"triage needs {error.name}: install the extra with pip install 'nba-broker[triage]'"
        ) from error

    if arguments.filter and not arguments.html:
        raise ConfigError(
            "--filter: only for --html; the served page has its filters in its address"
        )
    views = Views(arguments.logs, settings.answers)
    if arguments.html:
        shown = app.write(views, arguments.html, arguments.filter)
        print(f"{shown} of {len(views.store.hosts)} hosts in {arguments.logs} -> {arguments.html}")
        for line in views.store.errors:
            print(f"nba-broker: {line}", file=sys.stderr)
        return 1 if views.store.errors else 0
    with contextlib.suppress(KeyboardInterrupt):
        app.serve(views, arguments.listen)
    return 0


def model(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker model``: which model workers use, another one, or the one before."""
    into = settings.model
    if into == config.shipped("default"):
        raise ConfigError("model: give the folder that workers use (--model DIR, or NBA_MODEL)")
    if arguments.step == "show":
        for mark, manifest in store.versions(into):
            made = f"{manifest.created:%Y-%m-%d %H:%M}" if manifest.created else "?"
            print(f"{mark or '-':8}  {manifest.id}  made {made}  {len(manifest.classes)} devices")
        return 0
    if arguments.step == "install":
        ClassBaseline.of_model(Manifest.load(arguments.candidate))
        switched = store.install(arguments.candidate, into)
    else:
        switched = store.rollback(into)
    before = f", was {switched.before.id}" if switched.before else ""
    if switched.before and switched.before.id == switched.now.id:
        before = " already"
    print(f"{into}: {switched.now.id}{before}")
    if switched.gone:
        print(f"no longer known: {', '.join(switched.gone)}")
    return 0


def examine(arguments: argparse.Namespace, settings: Config) -> int:
    """``nba-broker doctor``: exit status 1 when there is something to do."""
    link = Link(settings.url, partition=settings.partition, tls=_tls(settings))
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
    common.add_argument(
        "--lans",
        action="append",
        metavar="CIDR",
        help="LAN that is not the /24 or /64 around its hosts; may be repeated",
    )
    common.add_argument(
        "--nat64",
        action="append",
        metavar="CIDR",
        help="the network's own NAT64 prefix, beside 64:ff9b::/96; may be repeated",
    )

    zeek = argparse.ArgumentParser(add_help=False)
    zeek.add_argument("--url", help=f"Zeek's WebSocket API (default {Config.url})")
    zeek.add_argument("--ca", metavar="F", help="certificate authority for wss://")
    zeek.add_argument("--cert", metavar="F", help="client certificate")
    zeek.add_argument("--key", metavar="F", help="its key")
    zeek.add_argument("--state", metavar="DIR", help="keep the hosts' state over restarts here")
    zeek.add_argument(
        "--partition", metavar="N", help="take the hosts of this one of NBA::partitions (default 0)"
    )

    replies = argparse.ArgumentParser(add_help=False)
    replies.add_argument("--answers", metavar="F.csv", help="the analysts' answers")

    live = commands.add_parser(
        "run", parents=[common, zeek, replies], help="work for a running Zeek"
    )
    live.add_argument("--metrics", metavar="HOST:PORT", help="answer Prometheus there")
    live.add_argument(
        "--shadow", metavar="DIR", help="also ask this model, and tell where it differs"
    )
    live.set_defaults(action=run)

    renewing = commands.add_parser("model", help="install another model, or go back to the last")
    steps = renewing.add_subparsers(dest="step", required=True, metavar="STEP")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--config", type=Path, metavar="F.toml", help="settings file")
    where.add_argument("--model", metavar="DIR", help="what workers use (NBA_MODEL)")
    installing = steps.add_parser("install", parents=[where], help="use this model from now on")
    installing.add_argument("candidate", type=Path, metavar="CANDIDATE", help="model folder")
    steps.add_parser("rollback", parents=[where], help="use the model before this one")
    steps.add_parser("show", parents=[where], help="list what was installed")
    renewing.set_defaults(action=model)

    check = commands.add_parser(
        "doctor", parents=[common, zeek], help="look for what is wrong, and say what to do"
    )
    check.set_defaults(action=examine)

    offline = commands.add_parser(
        "score", parents=[common, replies], help="score conn.log archives"
    )
    offline.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or - for stdin")
    offline.add_argument("--format", choices=("tsv", "json"), default="tsv")
    offline.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    offline.set_defaults(action=score)

    capture = commands.add_parser("pcap", parents=[common, replies], help="run Zeek over a capture")
    capture.add_argument(
        "file", type=Path, metavar="FILE", help="capture, packed or not, or - for stdin"
    )
    capture.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    capture.set_defaults(action=pcap)

    page = commands.add_parser(
        "triage", parents=[replies], help="serve a page of the hosts to look at, and answer there"
    )
    page.add_argument("logs", type=Path, metavar="LOGDIR", help="folder with Zeek's logs")
    page.add_argument("--config", type=Path, metavar="F.toml", help="settings file")
    page.add_argument(
        "--listen",
        default="127.0.0.1:27780",
        metavar="HOST:PORT",
        help="where (default: %(default)s; whoever reaches it can read and answer)",
    )
    page.add_argument("--html", type=Path, metavar="FILE", help="write one static page instead")
    page.add_argument(
        "--filter", default="", metavar="QUERY", help="its hosts, as in the page's address"
    )
    page.set_defaults(action=triage)

    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument("--state", metavar="DIR", help="the worker's folder of snapshots")

    listing = commands.add_parser("hosts", parents=[common, kept], help="show every host as it is")
    listing.add_argument("--format", choices=("table", "csv", "json"), default="table")
    listing.set_defaults(action=hosts)

    row = argparse.ArgumentParser(add_help=False)
    row.add_argument("--reason", metavar="TEXT", help="for whoever reads it later")
    row.add_argument("--at", metavar="T", help="date (UTC) or epoch from which on (default: now)")
    answering = [common, kept, replies, row]
    target = "MAC, address, network or DHCP hostname"

    naming = commands.add_parser("label", parents=answering, help="say what a host is")
    naming.add_argument("host", metavar="HOST", help=target)
    naming.add_argument("device", metavar="DEVICE", help="its name, a known one or a new one")
    naming.add_argument("--category", metavar="C", help="of a new one: camera, plug, ...")

    accepting = commands.add_parser("confirm", parents=answering, help="say that a host is right")
    accepting.add_argument("host", metavar="HOST", help=target)

    silencing = commands.add_parser("ignore", parents=answering, help="want no more notices")
    silencing.add_argument("host", nargs="?", metavar="HOST", help=f"{target} (default: any)")
    silencing.add_argument("--pool", metavar="P", help="only of this pool, address or network")
    silencing.add_argument("--expires", metavar="T", help="until then (default: for good)")
    for one in (naming, accepting, silencing):
        one.set_defaults(action=reply)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 done, 1 a failed or incomplete run, which stderr explains, 2 wrong usage."""
    terminal.prepare()
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)

    def command() -> int:
        settings = config.load(arguments.config, os.environ, vars(arguments))
        return int(arguments.action(arguments, settings))

    # A worker ends in its own time.
    ending = contextlib.nullcontext() if arguments.action is run else terminal.ended_cleanly()
    with ending:
        return terminal.run("nba-broker", command, getattr(arguments, "out", ""))


if __name__ == "__main__":
    sys.exit(main())
