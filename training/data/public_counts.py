"""Reads and writes counts of devices' sessions, of which a background model is made.

Counts, not sessions: how often each device starts a session with a service to a pool, under which
name.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import results
from nba_broker.destinations.domains import form
from nba_broker.destinations.names import whoever_asked
from nba_broker.destinations.pools import Pools
from nba_broker.model.background import tells
from nba_broker.records.errors import ModelError
from nba_broker.records.ports import service_codes, service_name
from training.data.labelled_sessions import LabelledSessions

_form = lru_cache(maxsize=4096)(form)

COUNTS_FILE = "counts.json"

LEAST = 30
"""Sessions that tell devices apart, at least, of a device whose counts are kept: fewer say little
about what it does."""

Key = tuple[str, str, str]
"""A service, a pool, and the form of the destination's name (see nba_broker.destinations.domains),
"" for none."""

Pairs = Mapping[Key, int]
"""Numbers of sessions by service, pool and name."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device whose sessions were counted, and the name of the data set that it is in."""

    name: str
    source: str
    pairs: Pairs


def pairs(
    host: np.ndarray,
    dport: np.ndarray,
    pool: np.ndarray,
    table: Sequence[str],
    name: np.ndarray,
    names: Sequence[str],
) -> dict[int, Counter[Key]]:
    """The sessions that tell devices apart, of each host: host int64 [n], dport int32 [n], pool
    int32 [n] into ``table``, name int32 [n] into ``names``."""
    some = tells(dport, pool, table)
    name = whoever_asked(name[some])
    keys = np.stack([host[some], dport[some].astype(np.int64), pool[some], name])
    keys, number = np.unique(keys, axis=1, return_counts=True)
    found: dict[int, Counter[Key]] = defaultdict(Counter)
    for one, code, place, text, count in zip(*keys.tolist(), number.tolist(), strict=True):
        found[one][service_name(code), table[place], _form(names[text])] += count
    return found


def overridden(pairs: Pairs, pools: Pools) -> Pairs:
    """The same sessions in the pools that overrides give to their names."""
    if not pools.by_name:
        return pairs
    found: Counter[Key] = Counter()
    for (service, pool, name), number in pairs.items():
        own = pools.of_name(name)
        found[service, pool if own is None else pools.table[own], name] += number
    return found


def by_class(sessions: LabelledSessions, truth: np.ndarray, classes: int) -> list[Pairs]:
    """The pairs of each class; truth: of each session, int64 [n]."""
    pool = sessions.named_pool
    columns = (sessions.dport, pool, sessions.table, sessions.name, sessions.names)
    found = pairs(truth, *columns)
    return [found[number] for number in range(classes)]


def by_device(sessions: LabelledSessions, source: str) -> list[Device]:
    """The labelled devices with enough sessions."""
    classes = sessions.classes()
    truth = sessions.class_of_series(classes)[sessions.series]
    found = zip(classes, by_class(sessions, truth, len(classes)), strict=True)
    return [Device(one.device, source, own) for one, own in found if sum(own.values()) >= LEAST]


def write(path: Path, scheme: str, devices: Iterable[Device]) -> None:
    """Write counts; raises an OSError of the file."""
    rows = [
        {
            "device": one.name,
            "source": one.source,
            "pairs": [_row(*item) for item in sorted(one.pairs.items())],
        }
        for one in devices
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    results.write(
        path, f'{{"format": 1, "pool_scheme": {json.dumps(scheme)}, "devices": [\n{lines}\n]}}\n'
    )


def read(path: Path, scheme: str) -> list[Device]:
    """The devices of a file of counts. Raises ModelError when it is none, or of other pools."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        devices = [_device(row) for row in raw["devices"]]
        found = raw["pool_scheme"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: no counts of a background ({error!r}); nba-train background writes them"
        ) from error
    if found != scheme:
        raise ModelError(
            f"{path}: names pools by {found}, this archive by {scheme}; make counts with "
            "nba-train background and the same databases"
        )
    return devices


def _row(key: Key, number: int) -> list[str | int]:
    """A row of a file: service, pool, sessions and, where there is one, the name."""
    service, pool, name = key
    return [service, pool, number, name] if name else [service, pool, number]


def _device(row: Mapping[str, Any]) -> Device:
    own: dict[Key, int] = {}
    for service, pool, number, *name in row["pairs"]:
        service_codes(str(service))
        if int(number) < 1:
            raise ValueError(f"{number!r} sessions")
        own[str(service), str(pool), "".join(map(str, name))] = int(number)
    return Device(str(row["device"]), str(row["source"]), own)
