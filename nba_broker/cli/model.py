"""``nba-broker model``: installs a model for workers, lists models, or rolls back."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.cli import options
from nba_broker.cli.config import shipped
from nba_broker.model import store
from nba_broker.model.manifest import Manifest
from nba_broker.records.errors import ConfigError
from nba_broker.worker.settings import Settings


def add_to(commands: options.Commands) -> None:
    """Add the command's parser, with one for each step."""
    parser = commands.add_parser("model", help="install a model for workers, or roll back")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    parent = options.configuration()
    parent.add_argument("--model", metavar="DIR", help="the workers' model folder (NBA_MODEL)")
    install = steps.add_parser("install", parents=[parent], help="use this model from now on")
    install.add_argument("candidate", type=Path, metavar="CANDIDATE", help="model folder")
    steps.add_parser("rollback", parents=[parent], help="use the model before this one")
    steps.add_parser("show", parents=[parent], help="list the installed models")
    parser.set_defaults(action=model)


def model(arguments: argparse.Namespace, settings: Settings) -> int:
    """Carry out one step, and print which model is in use."""
    into = settings.model
    if into == shipped("default"):
        raise ConfigError("model: give the workers' model folder (--model DIR, or NBA_MODEL)")
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
