"""A verdict for tests of inventories."""

from __future__ import annotations

from typing import Any

from nba_broker.records.verdicts import Verdict


def verdict(**changes: Any) -> Verdict:
    """A camera that was identified; changes replace what is known of it."""
    return Verdict(
        **{
            "ts": 1561793774.742619,
            "host": "10.0.0.2",
            "mac": "02:00:00:00:00:01",
            "hostname": "cam",
            "vendor": "Maker Ltd",
            "state": "identified",
            "previous": "learning",
            "device": "Tenvis_Cam",
            "category": "camera",
            "confidence": 0.97,
            "alternatives": (),
            "sessions": 8,
            "since": 1561793774.742619,
            "first_seen": 1561793000.0,
            "reason": "reminder",
            "evidence": (),
            "uids": (),
            "model": "default-0",
        }
        | changes
    )
