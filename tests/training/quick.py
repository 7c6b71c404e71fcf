"""Small fits: sessions to learn from, and settings that take seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import training.model.fit
from nba_broker.records.ports import port_code
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.model.settings import DEFAULT

QUICK = replace(DEFAULT, window=16, hidden=16, epochs=4, per_class=512, batch=64)
TABLE = ["as:1", "as:2", "lan"]


def sessions(*periods: float, number: int = 150, seed: int = 0) -> LabelledSessions:
    """One host per period in seconds, with jitter; all visit the same pools."""
    rng = np.random.default_rng(seed)
    ts = [np.cumsum(rng.normal(period, period / 20, number)) for period in periods]
    order = np.argsort(np.concatenate(ts), kind="stable")
    series = np.repeat(np.arange(len(periods)), number)[order]
    pool = rng.integers(0, len(TABLE), len(order)).astype(np.int32)
    dport = np.full(len(order), port_code(443, "tcp"), np.int32)
    labels = tuple(Label(f"10.0.0.{n}", f"Every_{n}", "timer") for n in range(len(periods)))
    return LabelledSessions(np.concatenate(ts)[order], series, pool, dport, labels, TABLE)


def quiet(line: str) -> None:
    """Say nothing."""


# Of a conn log with two hosts: an epoch less.
SITE = replace(QUICK, epochs=3)


def quick(patch: pytest.MonkeyPatch) -> None:
    """Let ``nba-train fit`` use the quick settings."""
    real = training.model.fit.fit
    patch.setattr(training.model.fit, "fit", lambda sessions, **more: real(sessions, SITE, **more))
    patch.setenv("SOURCE_DATE_EPOCH", "0")
