"""What values of logs mean, in every spelling that Zeek and whoever exports its logs give them."""

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
"""Texts, in lower case, of a field without value: Zeek's, and those of pandas and of databases."""

# Numbers that IANA assigns, and other names.
_PROTOCOLS = PROTOCOL_CODES | {
    "1": PROTOCOL_CODES["icmp"],
    "6": PROTOCOL_CODES["tcp"],
    "17": PROTOCOL_CODES["udp"],
    "58": PROTOCOL_CODES["icmp"],
    **dict.fromkeys(("icmp6", "icmpv6", "ipv6-icmp", "icmp4", "icmpv4"), PROTOCOL_CODES["icmp"]),
}
# Transports that are known to be none of these.
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

# Units of time by what they have in a second, and below what a number is in them: each holds times
# from 1973 on, as seconds do to the year 5138.
_UNITS = ((1.0, 1e11), (1e3, 1e14), (1e6, 1e17), (1e9, math.inf))
# From 2001 to 2100 in seconds; in milliseconds, it is weeks after a sensor started without a clock.
_LIKELY, _MILLI = (1e9, 4.1e9), 1e3


def text(value: Any) -> str:
    """A value as Zeek would write it, "" where it is unset or nested."""
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
        if value.is_integer():  # as pandas writes numbers beside unset ones
            value = int(value)
    return str(value) if isinstance(value, (int, float)) else ""


def is_unset(value: str) -> bool:
    """Whether a text stands for a field without value."""
    return value.strip().lower() in UNSET


def protocol(value: str) -> int:
    """A transport's code, see messages.PROTOCOL_CODES; 0 for another one, -1 for what is none."""
    name = value.strip().lower()
    code = _PROTOCOLS.get(name)
    if code is not None:
        return code
    number, point, zero = name.partition(".")  # a number beside unset ones
    if point and not zero.strip("0"):
        return protocol(number)
    return 0 if name in UNSET or _OTHER_PROTOCOL.fullmatch(name) else -1


def port(value: str) -> tuple[int, int]:
    """A port, also ``443/tcp`` or ``443.0``, and its transport's code, 0 where it says none; 0
    where it is unset, -1 where it is none."""
    number, slash, transport = value.strip().partition("/")
    whole = _WHOLE.fullmatch(number) if number.isascii() else None
    if whole is None:
        return (0 if number.lower() in UNSET and not slash else -1), 0
    code = max(protocol(transport), 0) if slash else 0
    found = int(whole[1])
    return (found if found <= 0xFFFF else -1), code


def boolean(value: str) -> int:
    """1 or 0; -1 where it is unset, -2 where it is neither."""
    name = value.strip().lower()
    return _BOOLEANS.get(name, -1 if name in UNSET else -2)


def mac(value: str) -> str:
    """A MAC in lower case with colons, however it is written, everybody's too; "" for what is no
    interface's."""
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
    """Whether a text is a MAC at all, if only a group's."""
    name = value.strip().lower()
    return bool(_MAC_DIGITS.fullmatch(name) or _SHORT_MAC.fullmatch(name))


def clean(value: str) -> str:
    """A text that can be written again: half a surrogate pair, which JSON may hold, cannot."""
    return value.encode("utf-8", "replace").decode()


def moment(value: Any) -> tuple[float, bool]:
    """A time as it stands there, and whether it is in seconds for sure; NaN where it is none.

    Numbers, texts of them, and dates in ISO 8601: without a zone they are UTC.
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
    return _ZONE.sub("", value)  # without one it is UTC


def times(values: Iterable[Any]) -> tuple[np.ndarray, float]:
    """The times of a column, float64 [n] in seconds since the epoch, NaN where there is none, and
    as :func:`in_seconds` its unit."""
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
    """What :func:`moment` says of nearly all values, sooner."""
    if type(value) is float:
        return value
    if type(value) is str:
        try:
            return float(value)
        except ValueError:
            pass
    return None


def in_seconds(numbers: np.ndarray) -> tuple[np.ndarray, float]:
    """A column of times as seconds, and how many of its unit are a second; 0 where it has no time.

    Most of a column say which unit it has, so that times near 1970, of a sensor without a clock,
    are not taken for another one. A number that is too large for the unit has its own, as in
    columns that were put together, and so have seconds among milliseconds.
    """
    if len(numbers) and 0 < numbers.max() < _UNITS[0][1]:  # as nearly always
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
    """Times rounded as Zeek writes them: the double nearest to six decimals."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(np.asarray(seconds) * 1e6) / 1e6
