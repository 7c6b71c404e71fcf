"""Interprets values of logs in all spellings that Zeek and exporters of its logs use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from nba_broker.records.ports import PROTOCOL_CODES

BROADCAST = "ff:ff:ff:ff:ff:ff"

UNSET = frozenset({"", "-", "(empty)", "nan", "none", "null", "<na>", "n/a", "nat"})
"""Texts that stand for an unset field, in lower case: Zeek's, and those of pandas and databases."""

# The numbers that IANA assigns, and other names.
_PROTOCOLS = PROTOCOL_CODES | {
    "1": PROTOCOL_CODES["icmp"],
    "6": PROTOCOL_CODES["tcp"],
    "17": PROTOCOL_CODES["udp"],
    "58": PROTOCOL_CODES["icmp"],
    **dict.fromkeys(("icmp6", "icmpv6", "ipv6-icmp", "icmp4", "icmpv4"), PROTOCOL_CODES["icmp"]),
}
# Names of other transports.
_OTHER_PROTOCOL = re.compile(
    r"\d{1,3}|sctp|dccp|gre|esp|ah|igmp|ospf|pim|vrrp|ipv6|ip|ipip|udplite|rsvp|hopopt|eigrp|l2tp"
    r"|unknown.*|other"
)
_BOOLEANS = {"t": 1, "true": 1, "1": 1, "yes": 1, "y": 1} | {
    "f": 0, "false": 0, "0": 0, "no": 0, "n": 0
}  # fmt: skip
_WHOLE = re.compile(r"(\d{1,5})(?:\.0*)?")
_MAC = re.compile(r"(?!00:00:00:00:00:00)[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_MAC_DIGITS = re.compile(
    r"[0-9a-f]{12}|[0-9a-f]{2}(?:([:\-. ])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}"
    r"|[0-9a-f]{4}([.:\-])[0-9a-f]{4}\2[0-9a-f]{4}|[0-9a-f]{6}[:\-][0-9a-f]{6}"
)
_SHORT_MAC = re.compile(r"(?=.{11,16}$)[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}")
_SLASHES = re.compile(r"(\d{4})/(\d\d)/(\d\d)(?=\D)")
_ZONE = re.compile(r"\s*(?:UTC|GMT)$|\s+(?=[+-]\d\d:?\d\d$)")

# Units of time: how many are a second, and below which number a time has this unit. So each unit
# covers times from 1973 on, and seconds reach to the year 5138.
_UNITS = ((1.0, 1e11), (1e3, 1e14), (1e6, 1e17), (1e9, math.inf))
# In seconds this is 2001 to 2100; in milliseconds, the first weeks of a clock that starts at 1970.
_LIKELY, _MILLI = (1e9, 4.1e9), 1e3


def text(value: Any) -> str:
    """A value as Zeek writes it; "" if it is unset or nested."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        if value.is_integer():  # pandas writes integers so if the column has unset values
            value = int(value)
    return str(value) if isinstance(value, (int, float)) else ""


def is_unset(value: str) -> bool:
    """Whether a text stands for an unset field."""
    return value.strip().lower() in UNSET


def protocol(value: str) -> int:
    """A transport's code, see ports.PROTOCOL_CODES; 0 for other transports, -1 if invalid."""
    name = value.strip().lower()
    code = _PROTOCOLS.get(name)
    if code is not None:
        return code
    number, point, zero = name.partition(".")  # as pandas writes numbers, see text()
    if point and not zero.strip("0"):
        return protocol(number)
    return 0 if name in UNSET or _OTHER_PROTOCOL.fullmatch(name) else -1


def port(value: str) -> tuple[int, int]:
    """A port, also ``443/tcp`` or ``443.0``: its number, 0 if unset, -1 if invalid; and the code of
    its transport, 0 if it has none."""
    number, slash, transport = value.strip().partition("/")
    whole = _WHOLE.fullmatch(number) if number.isascii() else None
    if whole is None:
        return (0 if number.lower() in UNSET and not slash else -1), 0
    code = max(protocol(transport), 0) if slash else 0
    found = int(whole[1])
    return (found if found <= 0xFFFF else -1), code


def boolean(value: str) -> int:
    """1 or 0; -1 if it is unset, -2 if it is invalid."""
    name = value.strip().lower()
    return _BOOLEANS.get(name, -1 if name in UNSET else -2)


def mac(value: str) -> str:
    """A MAC in any notation as lower case with colons, also the broadcast MAC; "" for any other
    text, and for MACs that no interface has."""
    name = value.strip().lower()
    if _SHORT_MAC.fullmatch(name):
        return mac(":".join(part.zfill(2) for part in name.split(":")))
    if not _MAC_DIGITS.fullmatch(name):
        return ""
    if len(name) != 17 or name[2] != ":":
        digits = re.sub("[^0-9a-f]", "", name)
        name = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return name if _MAC.fullmatch(name) or name == BROADCAST else ""


def is_mac(value: str) -> bool:
    """Whether a text is a MAC, multicast ones included."""
    name = value.strip().lower()
    return bool(_MAC_DIGITS.fullmatch(name) or _SHORT_MAC.fullmatch(name))


def clean(value: str) -> str:
    """A text without halves of surrogate pairs, which JSON may have but UTF-8 cannot encode."""
    return value.encode("utf-8", "replace").decode()


def moment(value: Any) -> tuple[float, bool]:
    """A time as a number, NaN if it is invalid, and whether it is certainly in seconds.

    Accepts numbers, also as text, and dates in ISO 8601, in UTC if they have no zone.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return math.nan, False
    if isinstance(value, (int, float, Decimal)):
        try:
            return float(value), False
        except OverflowError:
            return math.nan, False
    if isinstance(value, str):
        try:
            return float(value), False
        except ValueError:
            pass
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = datetime.fromisoformat(_iso(value))
            except ValueError:
                return math.nan, False
    if isinstance(value, date):
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        try:
            return value.replace(tzinfo=value.tzinfo or UTC).timestamp(), True
        except (ValueError, OverflowError):
            pass
    return math.nan, False


def _iso(value: str) -> str:
    value = _SLASHES.sub(r"\1-\2-\3", value.strip().upper())
    return _ZONE.sub("", value)  # a time without zone is UTC


def times(values: Iterable[Any]) -> tuple[np.ndarray, float]:
    """The times of a column, float64 [n] in seconds since the epoch, NaN if invalid, and its unit
    as :func:`in_seconds` gives it."""
    numbers: list[float] = []
    sure: list[int] = []
    for value in values:
        number = _number(value)
        if number is None:
            number, is_sure = moment(value)
            if is_sure:
                sure.append(len(numbers))
        numbers.append(number)
    found = np.array(numbers, np.float64)
    seconds = found[sure]
    found[sure] = np.nan
    found, unit = in_seconds(found)
    found[sure] = seconds
    return found, unit


def _number(value: Any) -> float | None:
    """A shortcut of :func:`moment` for nearly all values; None for the others."""
    if type(value) is float:
        return value
    if type(value) is str:
        try:
            return float(value)
        except ValueError:
            pass
    return None


def in_seconds(numbers: np.ndarray) -> tuple[np.ndarray, float]:
    """A column of times in seconds, and how many of its unit are a second; 0 without any time.

    The median decides the unit, so that times near 1970, of a sensor whose clock is not set, are
    not taken for a coarser unit. A number too large for that unit keeps its own, because columns
    may be concatenated; so do seconds among milliseconds.
    """
    if len(numbers) and 0 < numbers.max() < _UNITS[0][1]:  # nearly always
        return numbers, 1.0
    known = numbers[np.isfinite(numbers) & (numbers > 0)]
    if not len(known):
        return numbers, 0.0
    unit = _unit(float(np.median(known)))
    limits = [limit for _, limit in _UNITS[:-1]]
    sizes = np.array([size for size, _ in _UNITS])
    with np.errstate(invalid="ignore"):
        own = sizes[np.searchsorted(limits, np.nan_to_num(numbers, nan=0.0), side="right")]
        seconds = numbers / own
        is_own = own > unit
        if unit == _MILLI:
            is_own |= (seconds >= _LIKELY[0]) & (seconds < _LIKELY[1])
        return np.where(is_own, seconds, numbers / unit), unit


def _unit(number: float) -> float:
    return next(size for size, limit in _UNITS if number < limit)


def microseconds(seconds: Any) -> Any:
    """Times rounded as Zeek writes them: the nearest double to six decimals."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(np.asarray(seconds) * 1e6) / 1e6
