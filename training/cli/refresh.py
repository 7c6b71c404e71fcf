"""``nba-train refresh``: trains a candidate, and checks whether it may replace a model."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nba_broker.archive import results
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError, ConfigError
from nba_broker.records.times import print_time
from nba_broker.verdicts import annotation_file
from training.cli import archive, outputs
from training.cli.arguments import Commands, extra, margin, say, share_or_time, trained
from training.cli.arguments import command as add_command
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions

if TYPE_CHECKING:
    from training.gate.checks import Check


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "refresh",
        run,
        "train a candidate, and check whether it may replace a model",
        trained(),
    )
    command.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="folder of the running model"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of a candidate that passes"
    )
    command.add_argument(
        "--later",
        type=share_or_time,
        default=0.25,
        metavar="SHARE|T",
        help="judge by the last share of the archive's time, or from T on (default 0.25)",
    )
    command.add_argument(
        "--margin",
        type=margin,
        default=0.02,
        help="how far the macro-F1 may lie below the running model's (default 0.02)",
    )
    command.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="CLASS",
        help="remove a class of the running model; may be given several times",
    )
    command.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CHECK",
        help="pass although this check of the report refuses; may be given several times",
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="the report")
    command.add_argument("--html", type=Path, metavar="F", help="the report as a page")


def run(arguments: argparse.Namespace) -> None:
    """Write the report, and the candidate if it passes."""
    with extra("refresh"):
        from training.gate import checks, labels, report
        from training.model.export import write
        from training.model.fit import fit
        from training.model.settings import DEFAULT

    running = Scorer(arguments.model)
    _require_names(arguments, checks.CHECKS, running.manifest)
    pools = archive.pools(arguments, running.manifest.pool_scheme, running.manifest.pools)
    sessions, origin = archive.load(arguments, pools, arguments.annotations)
    when = checks.cut(sessions, arguments.later)
    earlier, left_out = enough(
        sessions.select(sessions.ts < when), DEFAULT.min_sessions, say, strict=arguments.strict
    )
    later = sessions.select(sessions.ts >= when)
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
    before = labels.check_labels(
        running, earlier, annotated=_annotated(arguments.annotations), dropped=arguments.drop
    )
    accepted = set(arguments.accept)
    reports = [report.report(before, None, accepted=accepted, **about)]
    try:
        if any(not (one.passed or one.name in accepted) for one in before):
            raise ArchiveError(report.refused(reports[-1]))
        fitted = fit(
            earlier,
            public=archive.background(arguments, pools),
            unlabelled=origin.unlabelled,
            seed=arguments.seed,
            say=say,
            each=arguments.each or map,
        )
        gate = _gate(running, later, before, accepted, arguments.margin, about, reports)
        origin = replace(origin, until=when)
        judged = {"reason": "nba-train refresh judged it; see gate in manifest.json"}
        write(
            arguments.out,
            fitted,
            earlier,
            origin,
            pools,
            left_out=left_out,
            rolling=judged,
            gate=gate,
        )
    finally:
        _write(arguments, reports[-1])
    print(f"\npassed: model {Manifest.load(arguments.out).id} -> {arguments.out}")


def _require_names(
    arguments: argparse.Namespace, checks: Sequence[str], manifest: Manifest
) -> None:
    if wrong := set(arguments.accept) - set(checks):
        raise ConfigError(
            f"--accept: no check {', '.join(sorted(wrong))}; there are {', '.join(checks)}"
        )
    if unmet := set(arguments.drop) - {one.device for one in manifest.classes}:
        raise ConfigError(f"--drop: the running model has no class {', '.join(sorted(unmet))}")


def _annotated(annotations: Path | None) -> set[str]:
    """The hosts that analysts named, as in labels."""
    if annotations is None:
        return set()
    named = (one for one in annotation_file.read(annotations) if one.action == "label")
    return {one.mac or one.host for one in named}


def _gate(
    running: Scorer,
    later: LabelledSessions,
    before: Sequence[Check],
    accepted: set[str],
    margin: float,
    about: dict[str, Any],
    reports: list[dict[str, Any]],
) -> Callable[[Path], dict[str, Any]]:
    """The gate for a candidate's folder; it appends its report, and raises ArchiveError to
    refuse."""
    from training.gate import report
    from training.gate.later_days import check_later_days

    def gate(folder: Path) -> dict[str, Any]:
        candidate = Scorer(folder)
        found, figures = check_later_days(running, candidate, later, margin=margin)
        result = report.report(
            [*before, *found],
            figures,
            accepted=accepted,
            candidate=candidate.manifest.sha256,
            **about,
        )
        reports.append(result)
        if not result["passed"]:
            raise ArchiveError(report.refused(result))
        return result

    return gate


def _write(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    from training.gate.report import table
    from training.reports import pages

    outputs.write_json(arguments, result)
    if arguments.html:
        results.write(arguments.html, pages.render_refresh(result))
    print()
    print(*table(result), sep="\n", flush=True)
