"""IP databases in MaxMind format: the network, organisation and country of a public address."""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import maxminddb

from nba_broker.records.errors import DatabaseError

SCHEMES = ("asn", "asn+cc", "cc")
"""What a public destination is named by: its autonomous system, its country, or both."""

_NEEDS = {"asn": "an ASN", "cc": "a country", "asn+cc": "an ASN and a country"}

_WELL_KNOWN = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888")


@dataclass(frozen=True, slots=True)
class Place:
    """What an IP database knows about an address; zero or "" where it knows nothing."""

    asn: int = 0
    organisation: str = ""
    country: str = ""

    def pool(self, scheme: str) -> str:
        """The name of the pool by a scheme, "none" where the database knows too little."""
        country = self.country.lower()
        if scheme == "cc":
            return f"cc:{country}" if country else "none"
        if not self.asn:
            return "none"
        if scheme == "asn+cc" and country:
            return f"as:{self.asn}/{country}"
        return f"as:{self.asn}"


class Database:
    """One file in MaxMind format: GeoLite2, DB-IP or IPinfo, with ASNs or countries or both.

    Raises DatabaseError when the file is missing or damaged, or has neither ASNs nor countries.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            if path.suffix == ".xz":
                content = lzma.decompress(content)
            self._reader = _reader(content)
            metadata = self._reader.metadata()
            self.kind = metadata.database_type
            self.built = datetime.fromtimestamp(metadata.build_epoch, UTC)
            self._ipv6 = metadata.ip_version == 6
        except FileNotFoundError:
            raise DatabaseError(f"{path}: no such IP database; check --pools") from None
        except Exception as error:
            # A damaged file can make the reader raise nearly anything.
            raise DatabaseError(
                f"{path}: not a readable MaxMind database ({error}); "
                "fetch the file again or leave --pools out for the embedded one"
            ) from error
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._check()

    def _check(self) -> None:
        """Refuse a database of cities or domains: it would silently make every pool ``none``."""
        places = [self.place(address) for address in _WELL_KNOWN]
        self.has_asn = any(place.asn for place in places)
        self.has_country = any(place.country for place in places)
        if not (self.has_asn or self.has_country):
            raise DatabaseError(
                f"{self.path}: {self.kind!r} gives neither ASN nor country for well-known "
                "addresses; use an ASN or country database in MaxMind format"
            )

    def place(self, address: str) -> Place:
        """Look up one address. The field names of the three usual vendors are understood.

        An unreadable record of a file that is damaged in places counts as missing.
        """
        if not self._ipv6 and ":" in address:
            return Place()
        try:
            record = self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return Place()
        if not isinstance(record, dict):
            return Place()
        number: Any = record.get("autonomous_system_number", record.get("asn", 0))
        if isinstance(number, str):  # IPinfo writes "AS15169"
            number = number.upper().removeprefix("AS")
            number = int(number) if number.isdigit() else 0
        organisation = record.get("autonomous_system_organization", record.get("as_name", ""))
        country: Any = record.get("country_code", record.get("country", ""))
        if isinstance(country, dict):
            country = country.get("iso_code", "")
        number = number if isinstance(number, int) else 0
        return Place(number, str(organisation or ""), str(country or ""))

    def describe(self) -> dict[str, str]:
        """Kind, edition and SHA-256, as a manifest records them."""
        return {
            "file": self.path.name,
            "type": self.kind,
            "built": self.built.strftime("%Y-%m-%d"),
            "sha256": self.fingerprint,
        }


def _reader(content: bytes) -> maxminddb.Reader:
    """A reader of a copy in memory.

    The reader maps its file, and a file that is overwritten in place would change under it. An
    anonymous file needs no writable folder.
    """
    with open(os.memfd_create("nba-pools"), "wb") as copy:
        copy.write(content)
        copy.flush()
        try:
            return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}")
        except maxminddb.InvalidDatabaseError:  # its message would name the copy
            raise ValueError("its content is not in this format") from None


def check(databases: Sequence[Database], scheme: str) -> None:
    """Raise DatabaseError unless the databases have what the scheme names destinations by:
    without it every public destination would be in the same pool."""
    has_asn = any(database.has_asn for database in databases)
    has_country = any(database.has_country for database in databases)
    if ("asn" in scheme and not has_asn) or ("cc" in scheme and not has_country):
        raise DatabaseError(
            f"--pools: the model names destinations by {scheme!r} and needs {_NEEDS[scheme]} "
            "database; give one, or leave --pools out for the embedded ASN database"
        )


def look_up(databases: Sequence[Database], address: str) -> Place:
    """What all databases together know about an address; the first that has a field wins."""
    asn, organisation, country = 0, "", ""
    for database in databases:
        place = database.place(address)
        if not asn:
            asn, organisation = place.asn, place.organisation
        country = country or place.country
    return Place(asn, organisation, country)
