"""The table of what is publicly known of makers and kinds of devices, from hints.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NON_IOT = "non-iot"
"""The kind of PCs, phones and the like."""

_FILE = Path(__file__).with_name("hints.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a fact says of a host: its maker, its kind, its system, each "" where it does not say.
    ``weak``: it needs a fact of another source that agrees."""

    maker: str = ""
    kind: str = ""
    system: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The entries by the kind of fact.

    kind_of, maker_of, system_of: the more general kind of a kind, the owner of a maker, the basis
    of a system; "" for none. makes: the kinds that a maker makes, where that is known. vendors,
    vendor_kinds: by the beginning of a registered name, in lower case, the longest first. names: by
    domain. general: domains that hosts of all kinds ask for.
    """

    kind_of: Mapping[str, str]
    maker_of: Mapping[str, str]
    system_of: Mapping[str, str]
    makes: Mapping[str, tuple[str, ...]]
    vendors: tuple[tuple[str, Entry], ...]
    vendor_kinds: tuple[tuple[str, Entry], ...]
    names: Mapping[str, Entry]
    general: frozenset[str]
    hostnames: tuple[tuple[re.Pattern[str], Entry], ...]
    vendor_classes: tuple[tuple[re.Pattern[str], Entry], ...]
    descriptions: tuple[tuple[re.Pattern[str], Entry], ...]
    params: Mapping[tuple[int, ...], Entry]
    services: Mapping[str, Entry]
    ports: Mapping[str, Entry]

    def kinds(self, kind: str) -> tuple[str, ...]:
        """A kind and the more general ones, such as doorbell and camera."""
        return _chain(kind, self.kind_of)

    def makers(self, maker: str) -> tuple[str, ...]:
        """A maker and its owners, such as Ring and Amazon."""
        return _chain(maker, self.maker_of)

    def systems(self, system: str) -> tuple[str, ...]:
        """A system and those that it is made from, such as Android and Linux."""
        return _chain(system, self.system_of)

    def is_kind(self, one: str, other: str) -> bool:
        """Whether two kinds are the same, or one is a special case of the other."""
        return one in self.kinds(other) or other in self.kinds(one)

    def is_maker(self, one: str, other: str) -> bool:
        """Whether two makers are the same, or one belongs to the other."""
        return one in self.makers(other) or other in self.makers(one)


@cache
def table() -> Table:
    """The table of the package."""
    return read(_FILE.read_text(encoding="utf-8"))


def read(text: str) -> Table:
    """The table in a TOML text. Raises ValueError if an entry names a kind, maker or system that
    the table does not have."""
    content = tomllib.loads(text)
    makers = content["makers"]
    entries = {
        fact: {key: Entry(**entry) for key, entry in some.items()}
        for fact, some in content["clues"].items()
    }
    _check(content, [one for some in entries.values() for one in some.values()])
    vendors = {
        one: Entry(name) for name, maker in makers.items() for one in maker.get("vendors", ())
    }
    names = {one: Entry(name) for name, maker in makers.items() for one in maker.get("names", ())}
    return Table(
        kind_of=_of(content["kinds"]),
        maker_of=_of(makers),
        system_of=_of(content["systems"]),
        makes={name: tuple(one["makes"]) for name, one in makers.items() if "makes" in one},
        vendors=_longest_first(vendors),
        vendor_kinds=_longest_first(entries["vendors"]),
        names=names | entries["names"],
        general=frozenset(content["general"]["names"]),
        hostnames=_patterns(entries["hostnames"]),
        vendor_classes=_patterns(entries["vendor_classes"]),
        descriptions=_patterns(entries["descriptions"]),
        params={
            tuple(map(int, numbers.split(","))): one for numbers, one in entries["params"].items()
        },
        services=entries["services"],
        ports=entries["ports"],
    )


def _check(content: Mapping[str, Any], entries: Iterable[Entry]) -> None:
    named: dict[str, set[str]] = {
        "kinds": {one.kind for one in entries},
        "makers": {one.maker for one in entries},
        "systems": {one.system for one in entries},
    }
    for maker in content["makers"].values():
        named["kinds"].update(maker.get("makes", ()))
    for table_name, names in named.items():
        names.update(_of(content[table_name]).values())
        if unknown := sorted(names - {"", *content[table_name]}):
            raise ValueError(f"not in the table of {table_name}: {', '.join(unknown)}")


def _of(names: Mapping[str, Any]) -> dict[str, str]:
    return {name: one.get("of", "") for name, one in names.items()}


def _longest_first(entries: Mapping[str, Entry]) -> tuple[tuple[str, Entry], ...]:
    lower = ((begin.lower(), one) for begin, one in entries.items())
    return tuple(sorted(lower, key=lambda pair: -len(pair[0])))


def _patterns(entries: Mapping[str, Entry]) -> tuple[tuple[re.Pattern[str], Entry], ...]:
    return tuple((re.compile(one, re.IGNORECASE), entry) for one, entry in entries.items())


def _chain(name: str, of: Mapping[str, str]) -> tuple[str, ...]:
    chain = []
    while name and name not in chain:
        chain.append(name)
        name = of.get(name, "")
    return tuple(chain)
