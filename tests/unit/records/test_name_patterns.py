"""Patterns of names match whole labels."""

from __future__ import annotations

import pytest

from nba_broker.records.name_patterns import matches


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*.ntp.org", "pool.ntp.org", True),
        ("*.ntp.org", "0.pool.ntp.org", True),
        ("*.ntp.org", "ntp.org", False),
        ("*.ntp.org", "evilntp.org", False),
        ("*.ntp.org", ".ntp.org", False),
        ("*.ntp.org", "pool.ntp.org.evil.example", False),
        ("fw.ring.com", "fw.ring.com", True),
        ("fw.ring.com", "x.fw.ring.com", False),
        ("fw.ring.com", "", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ],
)
def test_a_pattern_matches_names_by_labels(pattern: str, name: str, does: bool) -> None:
    assert matches(pattern, name) is does
