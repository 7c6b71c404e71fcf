"""The command ``nba-train``: its flags, what it prints, and its exit status."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import results
from nba_broker.archive.external_sort import MEMORY
from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.cli import config, terminal
from nba_broker.destinations.databases import SCHEMES, Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError, ConfigError
from nba_broker.records.times import parse_time, print_time
from nba_broker.verdicts.annotation_file import read as read_answers
from training.data import cluster, dataset, labels, output
from training.data.enough import enough, lacking, told
from training.model import card


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 after one line on standard error, also where a part of the
    archive could not be read (argparse exits with 2)."""
    terminal.prepare()
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(
        words, argparse.Namespace(line=shlex.join(["nba-train", *words]))
    )

    def command() -> int:
        _require_places(arguments)
        with cluster.connected(arguments.scheduler, _say) as arguments.each:
            arguments.command(arguments)
        return int(getattr(arguments, "incomplete", False))

    with terminal.ended_cleanly():
        return terminal.run("nba-train", command)


def _require_places(arguments: argparse.Namespace) -> None:
    """Raise NBAError unless all that the command is to write has its place."""
    for name in ("json", "html"):
        if (path := getattr(arguments, name, None)) is not None:
            results.require(path, _made_by(arguments))
    if getattr(arguments, "card", None) is not None:
        results.require(arguments.card)
        card.require(arguments.card)
    if arguments.command is propose:
        output.require_new_file(arguments.out)
    elif "out" in arguments:
        output.require_new_folder(arguments.out)


def _made_by(arguments: argparse.Namespace) -> str:
    return f"nba-train {arguments.command.__name__}"


@contextlib.contextmanager
def _extra(command: str) -> Iterator[None]:
    """Imports of what only the extra ``train`` installs; a sensor has none of it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{command} needs {error.name}: install the extra with pip install 'nba-broker[train]'"
        ) from error


def fit(arguments: argparse.Namespace) -> None:
    """``nba-train fit``: an archive and labels to a model folder."""
    # Here and not above: torch takes seconds to load, and evaluating does without it.
    with _extra("fit"):
        from training.model.export import write
        from training.model.fit import DEFAULT
        from training.model.fit import fit as fit_model

    pools = _pools(arguments, SCHEMES[0])
    labelled, origin = _load(arguments, pools, arguments.answers)
    sessions, left_out = enough(labelled, DEFAULT.min_sessions, _say, strict=arguments.strict)
    fitted = fit_model(sessions, seed=arguments.seed, say=_say, each=arguments.each or map)
    manifest = write(arguments.out, fitted, sessions, origin, pools, left_out=left_out)
    print()
    print(*card.table(manifest["metrics"]), sep="\n")
    print(f"\nmodel {Manifest.load(arguments.out).id} -> {arguments.out}")


def refresh(arguments: argparse.Namespace) -> None:
    """``nba-train refresh``: a candidate that may take a running model's place, or why not."""
    with _extra("refresh"):
        from training.gate import refresh as module
        from training.model.export import write
        from training.model.fit import DEFAULT
        from training.model.fit import fit as fit_model
        from training.reports import report

    if wrong := set(arguments.accept) - set(module.CHECKS):
        raise ConfigError(
            f"--accept: no check {', '.join(sorted(wrong))}; there are {', '.join(module.CHECKS)}"
        )
    running = Scorer(arguments.model)
    if unmet := set(arguments.drop) - {one.device for one in running.manifest.classes}:
        raise ConfigError(f"--drop: the running model has no class {', '.join(sorted(unmet))}")
    pools = _pools(arguments, running.manifest.pool_scheme, running.manifest.pools)
    sessions, origin = _load(arguments, pools, arguments.answers)
    when = module.cut(sessions, arguments.later)
    earlier, left_out = enough(
        sessions.select(sessions.ts < when), DEFAULT.min_sessions, _say, strict=arguments.strict
    )
    later = sessions.select(sessions.ts >= when)
    settled = set()
    if arguments.answers is not None:
        named = (one for one in read_answers(arguments.answers) if one.action == "label")
        settled = {one.mac or one.host for one in named}
    about = {
        "running": running.manifest.id,
        "command": arguments.line,
        "since": origin.since,
        "until": origin.until,
        "cut": print_time(round(when)),
        "fingerprint": origin.fingerprint,
        "margin": arguments.margin,
        "dropped": arguments.drop,
    }
    checks = module.before(running, earlier, settled=settled, dropped=arguments.drop)
    accepted = set(arguments.accept)
    result = module.report(checks, None, accepted=accepted, **about)

    def gate(folder: Path) -> dict[str, Any]:
        nonlocal result
        candidate = Scorer(folder)
        found, figures = module.after(running, candidate, later, margin=arguments.margin)
        result = module.report(
            [*checks, *found],
            figures,
            accepted=accepted,
            candidate=candidate.manifest.sha256,
            **about,
        )
        if not result["passed"]:
            raise ArchiveError(module.refused(result))
        return result

    try:
        if any(not (one.passed or one.name in accepted) for one in checks):
            raise ArchiveError(module.refused(result))
        fitted = fit_model(earlier, seed=arguments.seed, say=_say, each=arguments.each or map)
        origin = replace(origin, until=when)
        write(arguments.out, fitted, earlier, origin, pools, left_out=left_out, gate=gate)
    finally:
        _write_json(arguments, result)
        if arguments.html:
            results.write(arguments.html, report.render_refresh(result))
        print()
        print(*module.table(result), sep="\n", flush=True)
    print(f"\npassed: model {Manifest.load(arguments.out).id} -> {arguments.out}")


def evaluate(arguments: argparse.Namespace) -> None:
    """``nba-train evaluate``: what a model folder is worth on labelled sessions."""
    from training.evaluation.evaluate import evaluate as evaluate_model

    scorer = Scorer(arguments.model)
    pools = _pools(arguments, scorer.manifest.pool_scheme, scorer.manifest.pools)
    sessions, origin = _load(arguments, pools)
    least = scorer.manifest.min_sessions
    for line in told(lacking(sessions, least), least):
        _say(f"not asked about: {line}")
    result = {
        **evaluate_model(scorer, sessions, arguments.each),
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
    }
    _write_json(arguments, result)
    print(*card.table(result), sep="\n")
    if arguments.card:
        card.add(arguments.card, arguments.line, result)


def compare(arguments: argparse.Namespace) -> None:
    """``nba-train compare``: many systems on the same labelled sessions."""
    # Here and not above, as in fit.
    with _extra("compare"):
        from training.data import classes, traffic
        from training.evaluation import protocols
        from training.evaluation.baselines.baseline import Settings
        from training.evaluation.baselines.registry import choose
        from training.evaluation.compare import run
        from training.reports import report

    pools = _pools(arguments, SCHEMES[0])
    systems = choose(arguments.systems, arguments.protocol, pools.databases)
    rows = labels.read(arguments.labels)
    class_of = (
        classes.by_kind(rows, arguments.by)
        if arguments.by
        else classes.merged(rows, arguments.merge)
    )
    unknown = _read_json(arguments.unknowns) if arguments.unknowns else None
    began = time.monotonic()
    loaded, origin = traffic.load(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    _tell(arguments, loaded.sessions, origin, began)
    groups = protocols.read_groups(arguments.groups, loaded) if arguments.groups else None
    settings = Settings(
        window=arguments.window,
        min_sessions=arguments.min_sessions,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    result = {
        **run(
            loaded,
            arguments.protocol,
            systems,
            settings,
            groups=groups,
            class_of=class_of,
            say=_say,
        ),
        "command": arguments.line,
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
        "databases": [one.describe() for one in pools.databases],
    }
    _write_json(arguments, result)
    print(*report.table(result), sep="\n")
    if arguments.html:
        results.write(arguments.html, report.render(result, unknown))


def ablate(arguments: argparse.Namespace) -> None:
    """``nba-train ablate``: what each part of the recipe is worth."""
    with _extra("ablate"):
        from training.evaluation import ablate as module

    sessions, origin = _load(arguments, _pools(arguments, SCHEMES[0]))
    result = module.ablate(sessions, arguments.seed or [0], say=_say)
    _write_json(arguments, {"variants": result, "fingerprint": origin.fingerprint})


def unknowns(arguments: argparse.Namespace) -> None:
    """``nba-train unknowns``: whether hosts of devices never met are called unknown."""
    with _extra("unknowns"):
        from training.evaluation import unknowns as module
        from training.reports import report

    pools = _pools(arguments, SCHEMES[0])
    sessions, origin = _load(arguments, pools)
    strangers = None
    if missing := set(arguments.twin) - {label.device for label in sessions.labels}:
        raise ConfigError(f"--twin: no label of {', '.join(sorted(missing))}")
    if bool(arguments.strangers) != bool(arguments.strangers_labels):
        raise ConfigError("--strangers and --strangers-labels go together")
    if arguments.strangers:
        rows = labels.read(arguments.strangers_labels or [])
        strangers, _ = dataset.load(
            arguments.strangers, rows, pools, memory=arguments.memory, each=arguments.each
        )
    result = {
        **module.unknowns(
            sessions, strangers=strangers, twins=arguments.twin, seed=arguments.seed, say=_say
        ),
        "command": arguments.line,
        "fingerprint": origin.fingerprint,
    }
    _write_json(arguments, result)
    if arguments.html:
        results.write(arguments.html, report.render_unknowns(result))
    print()
    print(*module.table(result), sep="\n")


def propose(arguments: argparse.Namespace) -> None:
    """``nba-train labels``: a labels file for a person to edit."""
    from training.data import propose as module

    truth = labels.read(arguments.truth or [])
    found = module.find(
        arguments.archive,
        _pools(arguments, SCHEMES[0]),
        since=arguments.since,
        until=arguments.until,
        each=arguments.each,
    )
    arguments.incomplete = found.incomplete
    for warning in found.warnings:
        print(f"nba-train: warning: {warning}", file=sys.stderr)
    print(*module.write(arguments.out, found), sep="\n")
    if truth:
        print(*module.agreement(found, truth), sep="\n")


def alarms(arguments: argparse.Namespace) -> None:
    """``nba-train alarms``: a worker's false alarms on labelled hosts, and what it detects."""
    with _extra("alarms"):
        from training.evaluation import alarms as module

        if arguments.rolling is not None:
            from training.evaluation import rolling

    thresholds = arguments.threshold or [BaselineSettings().threshold]
    scorer = Scorer(arguments.model, os.cpu_count() or 1) if arguments.model else None
    if scorer:
        pools = _pools(arguments, scorer.manifest.pool_scheme, scorer.manifest.pools)
    else:
        pools = _pools(arguments, SCHEMES[0])
    rows = labels.read(arguments.labels)
    began = time.monotonic()
    sessions, origin, archive, kept = dataset.load_rows(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    _tell(arguments, sessions, origin, began)
    judged = arguments.judged if scorer else arguments.rolling
    followed = module.follow(sessions, archive, kept, pools, judged=judged, last=arguments.last)
    if scorer:
        result = module.alarms(
            followed, scorer, thresholds, trials=arguments.trials, seed=arguments.seed, say=_say
        )
    else:
        result = rolling.rolling(
            followed,
            origin,
            thresholds,
            every=arguments.every * module.DAY,
            seed=arguments.seed,
            say=_say,
        )
    _write_json(arguments, result | {"command": arguments.line, "fingerprint": origin.fingerprint})
    if scorer and arguments.trials:
        print()
        print(*module.table(result), sep="\n")


def _load(
    arguments: argparse.Namespace, pools: Pools, answers: Path | None = None
) -> tuple[dataset.LabelledSessions, dataset.Origin]:
    rows = labels.read(arguments.labels)
    if answers is not None:
        rows, unused = labels.answered(rows, read_answers(answers))
        for answer in unused:
            _say(f"not used, for want of a MAC or address: {answer.host}")
    began = time.monotonic()
    sessions, origin = dataset.load(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    _tell(arguments, sessions, origin, began)
    return sessions, origin


def _tell(
    arguments: argparse.Namespace,
    sessions: dataset.LabelledSessions,
    origin: dataset.Origin,
    began: float,
) -> None:
    arguments.incomplete = origin.incomplete
    for warning in origin.warnings:
        print(f"nba-train: warning: {warning}", file=sys.stderr)
    _say(
        f"{len(sessions)} sessions of {len(np.unique(sessions.series))} labelled hosts from "
        f"{origin.logs} conn logs in {time.monotonic() - began:.1f} s; left out: "
        f"{origin.unlabelled_sessions} sessions of {origin.unlabelled_hosts} hosts without a label"
    )


def _pools(arguments: argparse.Namespace, scheme: str, known: Sequence[str] = ()) -> Pools:
    """The pools of an archive; a model knows ``known`` by their names."""
    names = "pools", "lans", "nat64"
    settings = config.load(None, {}, {name: getattr(arguments, name) for name in names})
    pools = Pools(
        [Database(path) for path in settings.pools],
        scheme=scheme,
        lans=settings.lans,
        nat64=settings.nat64,
    )
    pools.know(known)
    return pools


def _say(line: str) -> None:
    print(line, flush=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not what nba-train wrote ({error})") from error


def _write_json(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    results.write_json(arguments.json, _made_by(arguments), result)


def _time(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0.01 <= days <= 3650:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return days


_EPOCHS = 1e6  # what is less was meant as a share, or a percentage


def _share_or_time(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return _time(text)
    if 0 < number < 1:
        return number
    if number >= _EPOCHS:
        return _time(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1, and no time")


def _margin(text: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = -1.0
    if not 0 <= margin <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1, as an F1 is")
    return margin


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    factor = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(unit, 0)
    # Below this, what is sorted on disk is cut into so many runs that merging them takes long.
    if not (number.isascii() and number.isdigit() and int(number) * factor >= 1 << 20):
        raise argparse.ArgumentTypeError(f"{text!r} is no size of at least 1M, such as 512M or 2G")
    return int(number) * factor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nba-train", description="Train and evaluate models on labelled conn.log archives."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    logs = argparse.ArgumentParser(add_help=False)
    logs.add_argument("archive", nargs="+", metavar="ARCHIVE", help="conn logs, or folders of them")
    logs.add_argument(
        "--pools",
        action="append",
        type=Path,
        metavar="F.mmdb",
        help="IP database in MaxMind format (default: the embedded one)",
    )
    logs.add_argument(
        "--lans",
        action="append",
        metavar="CIDR",
        help="LAN that is not the /24 or /64 around its hosts; may be given several times",
    )
    logs.add_argument(
        "--nat64",
        action="append",
        metavar="CIDR",
        help="the network's own NAT64 prefix, beside 64:ff9b::/96; may be given several times",
    )
    logs.add_argument(
        "--scheduler",
        metavar="URL",
        help="work on the archive with a Dask cluster's workers (tcp://HOST:8786; default: here)",
    )
    logs.add_argument("--since", type=_time, metavar="T", help="use sessions from T on")
    logs.add_argument("--until", type=_time, metavar="T", help="use sessions before T")
    shared = argparse.ArgumentParser(add_help=False, parents=[logs])
    shared.add_argument(
        "--labels",
        action="append",
        type=Path,
        required=True,
        metavar="L.csv",
        help="host,device[,category][,since,until][,log][,unit]; may be given several times",
    )

    command = commands.add_parser(
        "labels", parents=[logs], help="propose labels from what the archive says itself"
    )
    command.add_argument(
        "--out", type=Path, default=Path("labels.csv"), metavar="L.csv", help="default: labels.csv"
    )
    command.add_argument(
        "--truth",
        action="append",
        type=Path,
        metavar="L.csv",
        help="labels that are known: also say how the groups compare with them",
    )
    command.set_defaults(command=propose)
    shared.add_argument(
        "--memory",
        type=_size,
        default=MEMORY,
        metavar="SIZE",
        help="for sorting the archive, such as 2G; what does not fit is sorted on disk, in TMPDIR, "
        f"with the same result (default {MEMORY >> 20}M)",
    )

    teaching = argparse.ArgumentParser(add_help=False)
    teaching.add_argument(
        "--strict",
        action="store_true",
        help="refuse, instead of leaving devices with too few sessions out",
    )

    command = commands.add_parser("fit", parents=[shared, teaching], help="train a model")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument(
        "--answers", type=Path, metavar="F.csv", help="also use what analysts named"
    )
    command.add_argument("--seed", type=int, default=0, help="same seed, same model (default 0)")
    command.set_defaults(command=fit)

    command = commands.add_parser(
        "refresh",
        parents=[shared, teaching],
        help="train a candidate, and see whether it may replace a model",
    )
    command.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="the running model's folder"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the candidate, if it passes"
    )
    command.add_argument(
        "--answers", type=Path, metavar="F.csv", help="also use what analysts named"
    )
    command.add_argument(
        "--later",
        type=_share_or_time,
        default=0.25,
        metavar="SHARE|T",
        help="judge by this last share of the archive's time, or from T on (default 0.25)",
    )
    command.add_argument(
        "--margin",
        type=_margin,
        default=0.02,
        help="by how much the macro-F1 may be below the running model's (default 0.02)",
    )
    command.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="CLASS",
        help="a class of the running model that is to go; may be given several times",
    )
    command.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CHECK",
        help="pass although this check, by its name in the report, refuses; may be given several "
        "times",
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="the report")
    command.add_argument("--html", type=Path, metavar="F", help="the report as a page")
    command.add_argument("--seed", type=int, default=0, help="same seed, same model (default 0)")
    command.set_defaults(command=refresh)

    command = commands.add_parser("evaluate", parents=[shared], help="measure a model")
    command.add_argument("--model", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--card", type=Path, metavar="F.md", help="also add the table to this model card"
    )
    command.set_defaults(command=evaluate)

    command = commands.add_parser(
        "compare", parents=[shared], help="measure many systems against each other"
    )
    command.add_argument(
        "--protocol",
        required=True,
        choices=("paper", "paper-overlap", "blocked", "temporal", "unit"),
        help="which sessions teach and which are asked about, see docs/evaluation.md",
    )
    command.add_argument(
        "--systems",
        default="",
        metavar="NAME,...",
        help="'all', or names (default: all in temporal, else those that are no variants)",
    )
    command.add_argument(
        "--groups",
        type=Path,
        metavar="F.csv",
        help="log,setup,since,until: no such group is on both sides of blocked or unit",
    )
    kind = command.add_mutually_exclusive_group()
    kind.add_argument(
        "--by",
        choices=("category", "iot"),
        help="classes are categories, or IoT and non-IoT (default: devices)",
    )
    kind.add_argument(
        "--merge",
        action="append",
        default=[],
        metavar="NAME=DEVICE,...",
        help="devices that count as one class; may be given several times",
    )
    command.add_argument("--window", type=int, default=20, metavar="N", help="sessions (20)")
    command.add_argument(
        "--min-sessions", type=int, default=8, metavar="N", help="the first to be asked at (8)"
    )
    command.add_argument("--epochs", type=int, default=10, metavar="N", help="of networks (10)")
    command.add_argument("--seed", type=int, default=0, help="same seed, same figures (default 0)")
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--html", type=Path, metavar="F", help="a page to look at, without network"
    )
    command.add_argument(
        "--unknowns",
        type=Path,
        metavar="F",
        help="figures of nba-train unknowns (its --json), to be shown on the page",
    )
    command.set_defaults(command=compare)

    command = commands.add_parser(
        "ablate", parents=[shared], help="measure what each part of the recipe is worth"
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--seed", action="append", type=int, help="may be given several times (default 0)"
    )
    command.set_defaults(command=ablate)

    command = commands.add_parser(
        "unknowns", parents=[shared], help="leave each device out and see whether it is missed"
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--html", type=Path, metavar="F", help="a page to look at, without network"
    )
    command.add_argument("--seed", type=int, default=0, help="of the fits (default 0)")
    command.add_argument(
        "--twin",
        action="append",
        default=[],
        metavar="DEVICE",
        help="a device for which another one speaks; left out of the means",
    )
    command.add_argument(
        "--strangers",
        action="append",
        type=Path,
        metavar="ARCHIVE",
        help="conn logs of another site",
    )
    command.add_argument(
        "--strangers-labels", action="append", type=Path, metavar="L.csv", help="and their labels"
    )
    command.set_defaults(command=unknowns)

    command = commands.add_parser(
        "alarms", parents=[shared], help="measure false alarms and detection of spliced attacks"
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    models = command.add_mutually_exclusive_group(required=True)
    models.add_argument(
        "--model", type=Path, metavar="DIR", help="model folder, not trained on what is judged"
    )
    models.add_argument(
        "--rolling",
        type=_time,
        metavar="T",
        help="judge each day from T on, with a model that is fit on what lies before it",
    )
    command.add_argument(
        "--every",
        type=_days,
        default=1.0,
        metavar="DAYS",
        help="with --rolling: fit a model anew only every so many days (1)",
    )
    command.add_argument(
        "--judged", type=_time, metavar="T", help="judge from T on; before, hosts are only learned"
    )
    command.add_argument(
        "--last",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="without --judged: judge this last share of each host's time (1)",
    )
    command.add_argument(
        "--threshold", action="append", type=float, help="nats; may be given several times"
    )
    command.add_argument("--trials", type=int, default=100, help="of each attack (100)")
    command.add_argument("--seed", type=int, default=0, help="same seed, same trials (default 0)")
    command.set_defaults(command=alarms)
    return parser


if __name__ == "__main__":
    sys.exit(main())
