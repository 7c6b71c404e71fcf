"""Class baselines for a manifest: each is the sum of the baselines of the class's hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from nba_broker.baseline.class_baseline import MAX_PAIRS
from nba_broker.baseline.host_baseline import HostBaseline, HostSessions
from nba_broker.baseline.keys import ANY, EMPTY, ephemeral, pairs, pool_hash, services
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
        HostSessions(sessions.series, sessions.ts, sessions.pool, sessions.dport), sessions.table
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
    """Pool and service of each key of a host's sessions. Of two with the same key it is the more
    general one, which occurs more often."""
    pool, dport = np.unique(np.stack([sessions.pool, sessions.dport]), axis=1)
    ports = np.unique(dport)
    hashes = np.array([pool_hash(sessions.table[number]) for number in pool.tolist()], np.uint64)
    codes = zip(pool.tolist(), dport.tolist(), strict=True)
    names = [(sessions.table[number], port_name(code)) for number, code in codes]
    keys = [pairs(hashes, dport), services(ports), ephemeral(ports)]
    names += [("", port_name(code)) for code in ports.tolist()]
    names += [("", f"/{PROTOCOLS[code >> 16]}") for code in ports.tolist()]
    found = dict(zip(np.concatenate(keys).tolist(), names, strict=True))
    found.pop(EMPTY, None)
    return found | {ANY: ("", "")}
