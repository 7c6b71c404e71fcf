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
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.config import shipped
from nba_broker.errors import ConfigError, NBAError
from nba_broker.pools import SCHEMES, Database, Pools
from nba_broker.scorer import Manifest, Scorer
from training import card, dataset, labels


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 after one line on standard error (argparse exits with 2)."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(
        words, argparse.Namespace(line=shlex.join(["nba-train", *words]))
    )
    try:
        arguments.command(arguments)
    except NBAError as error:
        print(f"nba-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nba-train: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


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
        from training.export import require_replaceable, write
        from training.fit import fit as fit_model

    require_replaceable(arguments.out)
    pools = _pools(arguments, SCHEMES[0])
    sessions, origin = _load(arguments, pools)
    fitted = fit_model(sessions, seed=arguments.seed, say=_say)
    manifest = write(arguments.out, fitted, sessions, origin, pools)
    print()
    print(*card.table(manifest["metrics"]), sep="\n")
    print(f"\nmodel {Manifest.load(arguments.out).id} -> {arguments.out}")


def evaluate(arguments: argparse.Namespace) -> None:
    """``nba-train evaluate``: what a model folder is worth on labelled sessions."""
    from training.evaluate import evaluate as evaluate_model

    scorer = Scorer(arguments.model)
    sessions, origin = _load(arguments, _pools(arguments, scorer.manifest.pool_scheme))
    result = {
        **evaluate_model(scorer, sessions),
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
    }
    _write_json(arguments.json, result)
    print(*card.table(result), sep="\n")
    if arguments.card:
        card.add(arguments.card, arguments.line, result)


def compare(arguments: argparse.Namespace) -> None:
    """``nba-train compare``: many systems on the same labelled sessions."""
    # Here and not above, as in fit.
    with _extra("compare"):
        from training import protocols, report, traffic
        from training.compare import run
        from training.rivals import choose
        from training.systems import Settings

    pools = _pools(arguments, SCHEMES[0])
    systems = choose(arguments.systems, arguments.protocol, pools.databases)
    rows = labels.read(arguments.labels)
    began = time.monotonic()
    loaded, origin = traffic.load(
        arguments.archive, rows, pools, since=arguments.since, until=arguments.until
    )
    _tell(loaded.sessions, origin, began)
    groups = protocols.read_groups(arguments.groups, loaded) if arguments.groups else None
    settings = Settings(
        window=arguments.window,
        min_sessions=arguments.min_sessions,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    result = {
        **run(loaded, arguments.protocol, systems, settings, groups=groups, say=_say),
        "command": arguments.line,
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
        "databases": [one.describe() for one in pools.databases],
    }
    _write_json(arguments.json, result)
    print(*report.table(result), sep="\n")
    if arguments.html:
        _write(arguments.html, report.render(result))


def ablate(arguments: argparse.Namespace) -> None:
    """``nba-train ablate``: what each part of the recipe is worth."""
    with _extra("ablate"):
        from training import ablate as module

    sessions, origin = _load(arguments, _pools(arguments, SCHEMES[0]))
    result = module.ablate(sessions, arguments.seed or [0], say=_say)
    _write_json(arguments.json, {"variants": result, "fingerprint": origin.fingerprint})


def unknowns(arguments: argparse.Namespace) -> None:
    """``nba-train unknowns``: whether hosts of devices never met are called unknown."""
    with _extra("unknowns"):
        from training import unknowns as module

    pools = _pools(arguments, SCHEMES[0])
    sessions, origin = _load(arguments, pools)
    strangers = None
    if arguments.strangers:
        rows = labels.read(arguments.strangers_labels or [])
        strangers, _ = dataset.load(arguments.strangers, rows, pools)
    result = module.unknowns(
        sessions, strangers=strangers, twins=arguments.twin, seed=arguments.seed, say=_say
    )
    _write_json(arguments.json, result | {"fingerprint": origin.fingerprint})
    print()
    print(*module.table(result), sep="\n")


def _load(
    arguments: argparse.Namespace, pools: Pools
) -> tuple[dataset.LabelledSessions, dataset.Origin]:
    rows = labels.read(arguments.labels)
    began = time.monotonic()
    sessions, origin = dataset.load(
        arguments.archive, rows, pools, since=arguments.since, until=arguments.until
    )
    _tell(sessions, origin, began)
    return sessions, origin


def _tell(sessions: dataset.LabelledSessions, origin: dataset.Origin, began: float) -> None:
    for warning in origin.warnings:
        print(f"nba-train: warning: {warning}", file=sys.stderr)
    _say(
        f"{len(sessions)} sessions of {len(np.unique(sessions.series))} labelled hosts from "
        f"{origin.logs} conn logs in {time.monotonic() - began:.1f} s; left out: "
        f"{origin.unlabelled_sessions} sessions of {origin.unlabelled_hosts} hosts without a label"
    )


def _pools(arguments: argparse.Namespace, scheme: str) -> Pools:
    paths = arguments.pools or [shipped("asn.mmdb.xz")]
    return Pools([Database(path) for path in paths], scheme=scheme)


def _say(line: str) -> None:
    print(line, flush=True)


def _write_json(path: Path, result: dict[str, Any]) -> None:
    _write(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def _time(text: str) -> float:
    try:
        return labels.parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a date (2019-07-12, UTC) nor an epoch"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nba-train", description="Train and evaluate models on labelled conn.log archives."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "archive", nargs="+", metavar="ARCHIVE", help="conn logs, or folders of them"
    )
    shared.add_argument(
        "--labels",
        action="append",
        type=Path,
        required=True,
        metavar="L.csv",
        help="host,device,category[,since,until][,log][,unit]; may be given several times",
    )
    shared.add_argument(
        "--pools",
        action="append",
        type=Path,
        metavar="F.mmdb",
        help="IP database in MaxMind format (default: the embedded one)",
    )
    shared.add_argument("--since", type=_time, metavar="T", help="use sessions from T on")
    shared.add_argument("--until", type=_time, metavar="T", help="use sessions before T")

    command = commands.add_parser("fit", parents=[shared], help="train a model")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument("--seed", type=int, default=0, help="same seed, same model (default 0)")
    command.set_defaults(command=fit)

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
    return parser


if __name__ == "__main__":
    sys.exit(main())
