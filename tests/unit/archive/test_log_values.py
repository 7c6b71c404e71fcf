"""Values mean the same however an export spells them, and what is not understood says so."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import log_values
from nba_broker.records.ports import PROTOCOL_CODES

MAC = "aa:bb:cc:00:11:02"
NOON = 1767614400.5


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((text, "tcp") for text in ("tcp", "TCP", "Tcp", "6", "6.0", " tcp ")),
        *((text, "udp") for text in ("udp", "UDP", "17")),
        *((text, "icmp") for text in ("icmp", "1", "58", "icmp6", "ICMPv6", "ipv6-icmp")),
        *((text, "unknown") for text in ("-", "", "unknown_transport", "sctp", "132", "nan")),
    ],
)
def test_a_transport_is_known_by_its_name_and_by_its_number(written: str, meant: str) -> None:
    assert log_values.protocol(written) == PROTOCOL_CODES[meant]


@pytest.mark.parametrize("written", ["http", "t.c.p", "6/7", "tcp,udp"])
def test_what_is_no_transport_says_so(written: str) -> None:
    assert log_values.protocol(written) == -1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("443", (443, 0)),
        ("443.0", (443, 0)),
        ("443/tcp", (443, 1)),
        ("53/udp", (53, 2)),
        ("", (0, 0)),
        ("NaN", (0, 0)),
        ("65536", (-1, 0)),
        ("1.5", (-1, 0)),
        ("https", (-1, 0)),
        ("-1", (-1, 0)),
        ("٤٤٣", (-1, 0)),
    ],
)
def test_ports(written: str, meant: tuple[int, int]) -> None:
    assert log_values.port(written) == meant


@pytest.mark.parametrize("written", ["T", "true", "True", "TRUE", "1", "yes", "y"])
def test_what_is_true(written: str) -> None:
    assert log_values.boolean(written) == 1


@pytest.mark.parametrize(("written", "meant"), [("F", 0), ("0", 0), ("-", -1), ("maybe", -2)])
def test_what_is_not_true(written: str, meant: int) -> None:
    assert log_values.boolean(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("aa:bb:cc:00:11:02", "AA-BB-CC-00-11-02", "aabb.cc00.1102", "AABBCC001102"),
        *("aabbcc-001102", "aa:bb:cc:0:11:2", " aa:bb:cc:00:11:02 "),
    ],
)
def test_a_mac_is_one_in_every_notation(written: str) -> None:
    assert log_values.mac(written) == MAC
    assert log_values.is_mac(written)


@pytest.mark.parametrize("written", ["01-00-5e-00-00-fb", "000000000000", "aabb:cc001102", "x", ""])
def test_what_is_no_interfaces_mac_is_none(written: str) -> None:
    assert log_values.mac(written) == ""


TIMES: list[Any] = [
    *(NOON, NOON * 1e3, NOON * 1e6, NOON * 1e9, int(NOON * 1e9), "1767614400.5"),
    *("1767614400500", "1767614400500000000", Decimal("1767614400.5")),
    *("2026-01-05T12:00:00.5Z", "2026-01-05T12:00:00.500000+0000", "2026-01-05 12:00:00.5"),
    *("2026-01-05T13:00:00.5+01:00", "2026-01-05 07:00:00.5 -0500", "2026/01/05 12:00:00.5 UTC"),
    "2026-01-05T12:00:00.500000000Z",
]


@pytest.mark.parametrize("written", TIMES, ids=str)
def test_a_time_is_one_in_every_unit_and_notation(written: Any) -> None:
    assert log_values.times([written])[0].tolist() == pytest.approx([NOON], abs=1e-6)


@pytest.mark.parametrize("written", [None, True, "soon", "nan", [], {}, float("nan"), 10**400])
def test_what_is_no_time_is_none(written: Any) -> None:
    assert not math.isfinite(log_values.times([written])[0][0])


@pytest.mark.parametrize("unit", [1e3, 1e6, 1e9])
def test_times_near_1970_have_the_unit_of_their_column(unit: float) -> None:
    # A sensor without a clock starts at 0, and is told the time later.
    seconds = np.array([1.0, 12.5, 90_000.0, NOON, NOON + 1, NOON + 2, NOON + 3])
    found, of = log_values.in_seconds(seconds * unit)
    assert (found.tolist(), of) == (pytest.approx(seconds.tolist()), unit)


def test_times_near_1970_in_seconds_stay_what_they_are() -> None:
    seconds = [0.5, 12.5, 90_000.0]
    assert log_values.in_seconds(np.array(seconds))[0].tolist() == seconds


def test_columns_that_were_put_together_have_a_unit_for_each_value() -> None:
    mixed = [NOON, NOON * 1e3, NOON * 1e3, NOON * 1e3, NOON * 1e9]
    assert log_values.in_seconds(np.array(mixed))[0].tolist() == pytest.approx([NOON] * 5)


def test_dates_and_numbers_may_stand_in_one_column() -> None:
    found, unit = log_values.times(["2026-01-05T12:00:00.5Z", NOON * 1e3, None])
    assert found[:2].tolist() == pytest.approx([NOON, NOON])
    assert np.isnan(found[2])
    assert unit == 1e3


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *(("a", "a"), (True, "T"), (443.0, "443"), (443, "443"), (1.5, "1.5"), (None, "")),
        *(([1], ""), (float("nan"), ""), (b"a\xff", "a\ufffd"), (Decimal("7.0"), "7")),
    ],
)
def test_values_as_text(value: Any, meant: str) -> None:
    assert log_values.text(value) == meant


@given(st.text(max_size=30))
def test_no_text_raises(text: str) -> None:
    log_values.protocol(text), log_values.port(text), log_values.boolean(text)
    log_values.mac(text), log_values.moment(text)
    log_values.clean(text).encode()
