"""Draws hints of what a host may be from facts about it, by a table of public knowledge.

A specific fact is enough; a weak one needs a fact of another source that agrees. Where facts
contradict each other there is no hint: no hint is better than a wrong one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nba_broker.hosts.hint_table import NON_IOT, Entry, Table, table
from nba_broker.records.hints import MOST_REASONS, NO_HINT, OUI, Hint, HostFacts, Reason

ALONE = 0.5
"""Share of a host's names from which on a maker's names are enough by themselves: a PC or a phone
asks for names of many makers, and rarely for those of one in half of its sessions."""

LEAST = 0.2
"""Share of a host's names from which on a maker's names count at all: the app of a device, or a
visit to its maker's pages, is a small part of what a phone or a PC does."""

ENOUGH = 3
"""Sessions with a maker's names from which on they count: one or two may be chance."""

_LONGEST = 255  # characters of a text that are matched: DHCP and DNS allow no more


@dataclass(frozen=True, slots=True)
class _Clue:
    """What one fact says, and where it comes from: facts of one source are not independent."""

    source: str
    reason: Reason
    entry: Entry


_Choice = tuple[str, Sequence[_Clue]]


class _Contradiction(Exception):
    """Facts that cannot all be true of one device."""


def hint(facts: HostFacts) -> Hint:
    """The hint that these facts give, an empty one where they give none or contradict each other.

    Raises nothing, whatever texts a host gives.
    """
    known = table()
    clues = [*_of_names(facts.names, known), *_of_texts(facts)]
    if not clues:
        return NO_HINT
    try:
        maker, for_maker = _agreed(clues, lambda one: one.maker, known.makers)
        clues = [_supported(clue, maker, for_maker, known) for clue in clues]
        kind, for_kind = _agreed(clues, lambda one: one.kind, known.kinds)
        system, for_system = _agreed(clues, lambda one: one.system, known.systems)
        maker, for_maker, kind = _consistent(maker, for_maker, kind, known)
    except _Contradiction:
        return NO_HINT
    used = {clue.reason for clue in (*for_maker, *for_kind, *for_system)}
    reasons = dict.fromkeys(clue.reason for clue in clues if clue.reason in used)
    return Hint(maker, kind, system, tuple(reasons)[:MOST_REASONS])


def _agreed(
    clues: Sequence[_Clue],
    value: Callable[[Entry], str],
    general: Callable[[str], Sequence[str]],
) -> _Choice:
    """The most special value that the clues support enough, with these clues; ("", ()) for none.
    ``general``: a value and the more general ones. Raises _Contradiction."""
    said = [clue for clue in clues if value(clue.entry)]
    special = max(
        (value(clue.entry) for clue in said), key=lambda one: len(general(one)), default=""
    )
    if any(value(clue.entry) not in general(special) for clue in said):
        raise _Contradiction
    for candidate in general(special):
        exact = [clue for clue in said if value(clue.entry) == candidate]
        near = [clue for clue in said if value(clue.entry) in general(candidate)]
        if any(not clue.entry.weak for clue in exact):
            return candidate, near
        if exact and len({clue.source for clue in near}) > 1:
            return candidate, near
    return "", ()


def _supported(clue: _Clue, maker: str, for_maker: Sequence[_Clue], known: Table) -> _Clue:
    """A weak clue is enough for a kind if another source agrees about its maker."""
    entry = clue.entry
    others = any(one.source != clue.source for one in for_maker)
    if entry.weak and entry.maker and others and entry.maker in known.makers(maker):
        return replace(clue, entry=replace(entry, weak=False))
    return clue


def _consistent(
    maker: str, for_maker: Sequence[_Clue], kind: str, known: Table
) -> tuple[str, Sequence[_Clue], str]:
    """Maker and kind, if the maker makes this kind; the only kind that it makes, if no clue says
    one. Raises _Contradiction."""
    makes = known.makes.get(maker, ())
    if not kind:
        return maker, for_maker, makes[0] if len(makes) == 1 else ""
    if not makes or any(known.is_kind(kind, one) for one in makes):
        return maker, for_maker, kind
    # A PC may have a network adapter of another maker.
    if NON_IOT in known.kinds(kind) and {clue.source for clue in for_maker} == {"vendor"}:
        return "", (), kind
    raise _Contradiction


def _of_texts(facts: HostFacts) -> Iterator[_Clue]:
    """The clues of everything but names."""
    yield from _of_vendor(facts.vendor[:_LONGEST])
    yield from _of_hostname(facts.hostname[:_LONGEST])
    yield from _of_dhcp(facts.vendor_class[:_LONGEST], facts.params)
    if facts.services or facts.descriptions or facts.ports:
        yield from _of_services(facts)


@lru_cache(maxsize=4096)
def _of_vendor(vendor: str) -> tuple[_Clue, ...]:
    if not vendor:
        return ()
    known, name = table(), vendor.lower()
    reason = Reason(OUI, vendor)
    found = [_beginning(name, known.vendors), _beginning(name, known.vendor_kinds)]
    return tuple(_Clue("vendor", reason, one) for one in found if one is not None)


def _beginning(name: str, entries: Sequence[tuple[str, Entry]]) -> Entry | None:
    """The entry whose name a vendor's name begins with, as whole words."""
    for begin, entry in entries:
        if name.startswith(begin) and not name[len(begin) : len(begin) + 1].isalnum():
            return entry
    return None


@lru_cache(maxsize=4096)
def _of_hostname(hostname: str) -> tuple[_Clue, ...]:
    reason = Reason("hostname", hostname)
    return tuple(_Clue("hostname", reason, one) for one in _matching(hostname, table().hostnames))


@lru_cache(maxsize=4096)
def _of_dhcp(vendor_class: str, params: tuple[int, ...]) -> tuple[_Clue, ...]:
    """The vendor class and the parameter list are of one DHCP client, so of one source."""
    known, reason = table(), Reason("vendor class", vendor_class)
    clues = [_Clue("dhcp", reason, one) for one in _matching(vendor_class, known.vendor_classes)]
    entry = known.params.get(params)
    if entry is not None:
        as_whose = " ".join(text for text in (entry.maker, entry.system) if text)
        clues.append(_Clue("dhcp", Reason("DHCP parameters of", as_whose), entry))
    return tuple(clues)


def _matching(text: str, patterns: Iterable[tuple[re.Pattern[str], Entry]]) -> Iterable[Entry]:
    return (entry for pattern, entry in patterns if text and pattern.fullmatch(text))


def _of_services(facts: HostFacts) -> Iterator[_Clue]:
    """The clues of what a host announces by mDNS, and of the ports at which it is used."""
    known = table()
    for service in facts.services:
        if entry := known.services.get(service.lower()):
            yield _Clue("mdns", Reason("mDNS", service), entry)
    for description in facts.descriptions:
        for entry in _matching(description[:_LONGEST], known.descriptions):
            yield _Clue("mdns", Reason("mDNS", description), entry)
    for port in facts.ports:
        if entry := known.ports.get(port):
            yield _Clue("ports", Reason("listens at", port), entry)


def _of_names(names: Mapping[str, int], known: Table) -> Iterator[_Clue]:
    """The clues of the names that a host asked for: of each maker whose names are a large part."""
    if not names:
        return
    total, of_maker = 0, defaultdict[str, dict[str, int]](dict)
    for name, sessions in names.items():
        domains = _domains(name)
        if any(domain in known.general for domain in domains) and not _entry(domains, known):
            continue
        total += sessions
        if found := _entry(domains, known):
            domain, entry = found
            of_domain = of_maker[entry.maker]
            of_domain[domain] = of_domain.get(domain, 0) + sessions
    for maker, of_domain in of_maker.items():
        sessions = sum(of_domain.values())
        if sessions < ENOUGH or sessions < LEAST * total:
            continue
        largest = max(of_domain, key=of_domain.__getitem__)
        weak = sessions < ALONE * total or all(known.names[one].weak for one in of_domain)
        reason = Reason("", f"*.{largest}", of_domain[largest] / total)
        if maker:
            yield _Clue("names", reason, Entry(maker, weak=weak))
        for domain, count in of_domain.items():
            entry = known.names[domain]
            if entry.kind and count >= ENOUGH:
                reason = Reason("", f"*.{domain}", count / total)
                yield _Clue("names", reason, replace(entry, weak=entry.weak or weak))


def _domains(name: str) -> list[str]:
    """A name and the domains that it is in, the longest first."""
    labels = name[:_LONGEST].lower().rstrip(".").split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def _entry(domains: Sequence[str], known: Table) -> tuple[str, Entry] | None:
    """The longest of these domains that the table has, with its entry."""
    return next(((one, known.names[one]) for one in domains if one in known.names), None)
