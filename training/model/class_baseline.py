"""Class baselines for a manifest: each is the sum of the baselines of the class's hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from nba_broker.baseline.class_baseline import MAX_PAIRS
from nba_broker.baseline.host_baseline import HostBaseline, HostSessions
from nba_broker.baseline.keys import (
    ANY,
    EMPTY,
    domain_of,
    domain_services,
    ephemeral,
    pairs,
    pool_hash,
    services,
)
from nba_broker.destinations.domains import IN_DOMAIN
from nba_broker.records.classes import Class
from nba_broker.records.ports import PROTOCOLS, port_name
from training.data.labelled_sessions import LabelledSessions


def class_baselines(sessions: LabelledSessions, classes: Sequence[Class]) -> list[dict[str, Any]]:
    """For each class the hours that its hosts' baselines span, and their pairs with sums; see
    :class:`nba_broker.baseline.class_baseline.ClassBaseline`. The last hour of each host is not
    complete and left out."""
    baseline = HostBaseline()
    baseline.slots.reserve(len(sessions.labels))
    baseline.push(
        HostSessions(
            sessions.series, sessions.ts, sessions.pool, sessions.dport, name=sessions.name
        ),
        sessions.table,
        sessions.text,
    )
    columns = baseline.columns
    truth = sessions.class_of_series(classes)
    tables = []
    for number in range(len(classes)):
        series = np.flatnonzero(truth == number)
        sums: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(3))
        for one in series.tolist():
            names = _names(sessions.select(sessions.series == one))
            hours, mean, variance = (
                columns[of][one].astype(float) for of in ("hours", "mean", "variance")
            )
            table = hours * np.stack([np.ones_like(mean), mean, variance + mean**2])
            for place in np.flatnonzero(hours > 0).tolist():
                name = names.get(int(columns["key"][one, place]))
                if name is not None:
                    sums[name] += table[:, place]
        kept = sorted(sums, key=lambda name: (-sums[name][0], name))[:MAX_PAIRS]
        tables.append(
            {
                "span": round(float(columns["span"][series].sum()), 2),
                "pairs": [[*name, *np.round(sums[name], 2).tolist()] for name in kept],
            }
        )
    return tables


def _names(sessions: LabelledSessions) -> dict[int, tuple[str, str]]:
    """Pool, or domain, and service of each key of a host's sessions. Of two with the same key it is
    the more general one, which occurs more often."""
    found: dict[int, tuple[str, str]] = {}
    for column, text in (
        (sessions.name, lambda number: domain_of(sessions.text(number))),
        (sessions.pool, sessions.table.__getitem__),
    ):
        numbers, dport = np.unique(np.stack([column, sessions.dport]), axis=1)
        pools = list(map(text, numbers.tolist()))
        hashes = np.array(list(map(pool_hash, pools)), np.uint64)
        services_of = map(port_name, dport.tolist())
        rows = zip(pairs(hashes, dport).tolist(), pools, services_of, strict=True)
        found.update((key, (pool, service)) for key, pool, service in rows if pool)
    ports = np.unique(sessions.dport)
    for keys, names in (
        (domain_services(ports), [(IN_DOMAIN, port_name(code)) for code in ports.tolist()]),
        (services(ports), [("", port_name(code)) for code in ports.tolist()]),
        (ephemeral(ports), [("", f"/{PROTOCOLS[code >> 16]}") for code in ports.tolist()]),
    ):
        found.update(zip(keys.tolist(), names, strict=True))
    found.pop(EMPTY, None)
    return found | {ANY: ("", "")}
