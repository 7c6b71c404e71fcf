"""Made-up traffic for the tests of a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.data.traffic import Traffic

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "93.184.215.14", "2.16.1.1", "2001:db8:1::5")
TABLE = ["as:1", "as:2", "as:3"]


def traffic(
    periods: tuple[float, ...] = (20.0, 120.0),
    *,
    number: int = 400,
    devices: tuple[str, ...] = (),
    units: tuple[str, ...] = (),
    seed: int = 0,
) -> Traffic:
    """One host per period in seconds, with jitter; all visit the same three destinations."""
    rng = np.random.default_rng(seed)
    ts = [1e9 + np.cumsum(rng.normal(period, period / 20, number)) for period in periods]
    order = np.argsort(np.concatenate(ts), kind="stable")
    series = np.repeat(np.arange(len(periods)), number)[order]
    size = len(order)
    pool = rng.integers(0, len(TABLE), size).astype(np.int32)
    labels = tuple(
        Label(
            f"10.0.0.{n + 1}",
            devices[n] if devices else f"Every_{n}",
            "timer",
            unit=units[n] if units else "",
        )
        for n in range(len(periods))
    )
    sessions = LabelledSessions(
        ts=np.concatenate(ts)[order],
        series=series,
        pool=pool,
        dport=np.full(size, 65536 + 443, np.int32),
        labels=labels,
        table=TABLE,
    )
    return Traffic(
        sessions=sessions,
        host=series.astype(np.int32) % 3,
        dst=pool + 3,
        log=np.zeros(size, np.int32),
        addresses=np.array(ADDRESSES, object),
        logs=("conn.log",),
        duration=np.full(size, 1.0),
        size=np.full(size, 100.0),
        packets=np.full(size, 2.0),
        queries=pd.DataFrame({"session": [], "query": []}),
        answers=pd.DataFrame({"session": [], "ts": [], "query": [], "address": []}),
    )


def shuffled(whole: Traffic, seed: int = 1) -> Traffic:
    """The same sessions, each given to a random host."""
    series = np.random.default_rng(seed).permutation(whole.sessions.series)
    return replace(whole, sessions=replace(whole.sessions, series=series))
