"""The registered domain of a name, and the form of a name in which the units of a device agree.

The public suffix list says below what a name is registered: ``example.co.uk``, not ``co.uk``. Its
private section counts, too: who rents ``lamp.s3.amazonaws.com`` is the maker, and anyone can rent
another name there. The list is in the library, so no network is needed.
"""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList

from nba_broker.records.name_forms import is_host_name, without_numbers

IN_DOMAIN = "*."
"""Before a domain: any name in it, as in patterns of names."""


def domain(name: str) -> str:
    """The registered domain of a name (see :func:`nba_broker.records.names.is_name`): ``ring.com``
    of ``es.ring.com``. "" for an address, for a public suffix by itself, which a single label is,
    too, and for what is no name."""
    return (_list().privatesuffix(name) or "") if is_host_name(name) else ""


def form(name: str) -> str:
    """A name with its numbers as ``#`` (see :func:`without_numbers`), but for those of its
    registered domain: they are another owner. "" for an address and for a single label."""
    if not is_host_name(name):
        return ""
    registered = domain(name) or name
    return without_numbers(name.removesuffix(registered)) + registered


@cache
def _list() -> PublicSuffixList:
    """The list; reading it takes a tenth of a second, and 2 MB."""
    return PublicSuffixList()
