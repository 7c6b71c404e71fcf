"""Sessions, databases, pipelines and the package's records for the unit tests."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.destinations.databases import Place
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.addresses import canonical
from nba_broker.records.names import Names
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.wire.reorder import Reorder

ROOT = Path(__file__).parents[2]

LAMP_CLOUD = "1.0.0.7"
LENS_CLOUD = "2.0.0.7"
MAC = "02:00:00:00:00:{:02x}"


class FixedDatabase:
    """1.0.0.0/8 is AS 1, 2.0.0.0/8 is AS 2, nothing else is known."""

    fingerprint = "fixed"
    has_asn = has_country = True
    path = Path("fixed.mmdb")
    built = datetime(2026, 1, 1, tzinfo=UTC)

    def place(self, address: str) -> Place:
        parsed = ipaddress.ip_address(address)
        first = parsed.packed[0]
        if parsed.version == 4 and first in (1, 2):
            return Place(first, f"Organisation {first}", "IS")
        return Place()

    def describe(self) -> dict[str, str]:
        return {
            "file": self.path.name,
            "type": "fixed",
            "built": "2026-01-01",
            "sha256": self.fingerprint,
        }


def pools(**settings: Any) -> Pools:
    return Pools([FixedDatabase()], **settings)  # type: ignore[list-item]


def sessions(rows: Sequence[tuple[float, str, str, str]]) -> Sessions:
    """Rows of (ts, host, mac, dst), all to 443/tcp."""
    return Sessions(
        np.array([row[0] for row in rows], np.float64),
        [row[1] for row in rows],
        [f"C{number}" for number in range(len(rows))],
        [row[2] for row in rows],
        [row[3] for row in rows],
        np.full(len(rows), port_code(443, "tcp"), np.int32),
    )


def names(rows: Sequence[tuple[float, str, str, str]]) -> Names:
    """Rows of (ts, host, name, address), all with a TTL of a minute."""
    return Names(
        np.array([row[0] for row in rows], np.float64),
        packed(row[1] for row in rows),
        np.array([row[2] for row in rows], object),
        packed(row[3] for row in rows),
        np.full(len(rows), 60.0),
    )


def packed(addresses: Iterable[str]) -> np.ndarray:
    """Addresses in 16 bytes each, "V16" [n]."""
    return np.frombuffer(b"".join(canonical(text)[1] for text in addresses), "V16")


def host(number: int, *, times: Sequence[float], dst: str) -> list[tuple[float, str, str, str]]:
    return [(ts, f"192.168.1.{number}", MAC.format(number), dst) for ts in times]


def pipeline(folder: Path, decision: Mapping[str, float] | None = None, **changes: Any) -> Pipeline:
    """A pipeline that decides after few windows, so that tests need few sessions; ``decision``
    changes its DecisionSettings."""
    scorer = Scorer(folder)
    quick: dict[str, Any] = {
        "windows_for": 2,
        "windows_against": 6,
        "reminder": 86_400.0,
        **(decision or {}),
    }
    settings = {
        "settings": replace(DecisionSettings.of_model(scorer.manifest), **quick),
        "reorder": Reorder(),
        "max_hosts": 10_000,  # each has its room from the start
        "worker": "w",
    }
    return Pipeline(pools(), scorer, **settings | changes)


def scripts() -> str:
    """All of the Zeek package."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "zeek-scripts").glob("*.zeek")))


def columns(record: str) -> dict[str, str]:
    """A log's columns with their Zeek types, as the package declares them."""
    body = re.search(rf"type {record}: record \{{(.*?)^\t\}};", scripts(), re.M | re.S)
    assert body is not None
    return dict(re.findall(r"^\t\t(\w+): ([\w ]+) &log", body[1], re.MULTILINE))
