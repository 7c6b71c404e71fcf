"""Says how to install an extra whose packages are missing."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nba_broker.records.errors import ConfigError

_CHECKOUT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def needed(command: str, extra: str) -> Iterator[None]:
    """Around imports of an extra's packages, which a sensor does not have; raises ConfigError with
    the command that installs them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{command} needs {error.name}: install the extra with {install(extra, _origin())}"
        ) from error


def install(extra: str, origin: dict[str, Any]) -> str:
    """The command that installs an extra into this Python, from where nba-broker came.

    origin: as pip records it in direct_url.json, see :pep:`610`; empty for a package index.
    """
    here = Path.cwd()
    source = urlsplit(origin.get("url", ""))
    what = "nba-broker"
    if source.scheme == "file":
        path = Path(unquote(source.path))
        what = "." if path == here else str(path)
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    pip = Path(sys.executable).with_name("pip")
    if what == "." and pip.is_relative_to(here):
        pip = pip.relative_to(here)
    words = [str(pip)] if pip.exists() else [sys.executable, "-m", "pip"]
    return f"{shlex.join(words)} install {editable}'{what}[{extra}]'"


def _origin() -> dict[str, Any]:
    try:
        record = metadata.distribution("nba-broker").read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return {"url": _CHECKOUT.as_uri(), "dir_info": {"editable": True}}
    return dict(json.loads(record)) if record else {}
