"""Recognizes Zeek's columns by any spelling of their names, and logs by their columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

CONN = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"),
    *("service", "local_orig", "orig_l2_addr"),
)
"""The columns that sessions are read from."""

REQUIRED = ("ts", "id.orig_h", "id.resp_h")

PLACE = ("_system_name", "_node_name", "vlan", "inner_vlan")
"""Columns that say where a session was seen; so do those that begin with :data:`CONTEXT`."""

CONTEXT = "id.ctx."
"""The prefix of the columns that Zeek adds to the key of a connection."""

# Columns of conn logs alone. JSON rows may not say which log they are of, and the log of every
# protocol has the three required columns.
CONN_ONLY = frozenset(
    {"conn_state", "history", "orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes", "missed_bytes"}
    | {"orig_ip_bytes", "resp_ip_bytes"}
)
SOMETIMES = frozenset({"history", "orig_bytes", "resp_bytes"})
"""Those of CONN_ONLY that a row may lack: nothing came back, or the start was not seen."""
DHCP = ("mac", "assigned_addr", "assigned_ip", "host_name", "client_fqdn", "msg_types")
DNS = (
    *("query", "qtype", "qtype_name", "rcode", "rcode_name", "rtt", "answers", "TTLs", "rejected"),
    *("trans_id", "AA", "addl"),
)
_DNS_ONLY = frozenset({"qtype", "rcode", "trans_id", "answers"})
_VOLUMES = ("duration",)
_BESIDE = ("local_resp", "resp_l2_addr")
_KNOWN = (*CONN, *PLACE, *sorted(CONN_ONLY), *DHCP, *DNS, *_VOLUMES, "_path")
_WORD = re.compile(r"[^a-z0-9]+")

# Logs whose rows are sessions: Zeek's own, and those of packages that write some of them again.
_SESSIONS = re.compile(
    r"(?:[a-z0-9]+[._-])*conn(?:[._-]?(?:long|red|reduced))?(?:[._-]log)?", re.IGNORECASE
)
_NO_SESSIONS = frozenset({"known", "open", "half", "weird", "failed", "summary"})


def _plain(name: str) -> str:
    return _WORD.sub("_", name.lower()).rstrip("_")


_BY_PLAIN = {_plain(name): name for name in _KNOWN} | {
    name: f"id.{name}" for name in ("orig_h", "orig_p", "resp_h", "resp_p")
}
_CONTEXT = _plain(CONTEXT) + "_"


@cache
def zeek_name(name: str) -> str:
    """Zeek's name of a column in another spelling: SQL has no dots in names, and some databases no
    lower case. Any other name is returned unchanged."""
    if name in _KNOWN or name.startswith(CONTEXT):
        return name
    plain = _plain(name)
    if plain.startswith(_CONTEXT):
        return CONTEXT + plain.removeprefix(_CONTEXT)
    return _BY_PLAIN.get(plain, name)


def zeek_names(names: Iterable[str]) -> dict[str, str]:
    """The column of a table by Zeek's name of it; Zeek's own spelling has precedence."""
    found: dict[str, str] = {}
    for name in names:
        zeek = zeek_name(name)
        if zeek == name or zeek not in found:
            found[zeek] = name
    return found


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of JSON with Zeek's names, and the fields of a nested ``id`` beside the others."""
    found: dict[str, Any] = {}
    for name, value in _unnested(row, ""):
        zeek = zeek_name(name)
        if zeek == name or zeek not in found:
            found[zeek] = value
    return found


NESTED = ("id", "ctx", "id.ctx", "id_ctx")
"""Columns that may be records, in lower case."""


def _unnested(row: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and name.lower() in NESTED:
            yield from _unnested(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def is_flat(names: Collection[str]) -> bool:
    """Whether rows with these names need no :func:`flat`."""
    return all(zeek_name(name) == name and name.lower() not in NESTED for name in names)


def is_conn(path: str) -> bool:
    """Whether a log of this name (``#path``, ``_path``) holds sessions."""
    return bool(_SESSIONS.fullmatch(path)) and not _NO_SESSIONS & set(
        re.split("[._-]", path.lower())
    )


@cache
def kind(path: str) -> str:
    """What a log of this name (``#path``, ``_path``) is read as: conn, dhcp, dns, or ""."""
    if is_conn(path):
        return "conn"
    last = re.split(r"[.\-]|_(?=dhcp$|dns$)", path.lower().removesuffix(".log"))[-1]
    return last if last in ("dhcp", "dns") else ""


def kind_of_row(names: Collection[str]) -> str | None:
    """The same by the columns that a row has values in; None if they do not decide."""
    if not CONN_ONLY.isdisjoint(names):
        return "conn"
    if "mac" in names and ("assigned_addr" in names or "assigned_ip" in names):
        return "dhcp"
    if "query" in names and not _DNS_ONLY.isdisjoint(names):
        return "dns"
    return None


def kind_of_columns(names: Collection[str]) -> str | None:
    """The same by the columns of a file; None if they do not decide."""
    names = set(names)
    if of := kind_of_row(names):
        return of
    # An export of just the columns that sessions need is of a conn log. Other logs have a service,
    # too.
    if "service" not in names and may_be_conn(names):
        return "conn"
    return None


def may_be_conn(names: Collection[str]) -> bool:
    """Whether the columns are those that sessions need, without any that conn logs lack."""
    return set(REQUIRED) <= set(names) <= {*CONN, *PLACE, *_BESIDE, "_path"}
