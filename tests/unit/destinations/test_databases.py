"""IP databases."""

from __future__ import annotations

import tempfile
from pathlib import Path

import maxminddb
import pytest

from nba_broker.cli import config
from nba_broker.destinations.databases import Database, Place, look_up
from nba_broker.records.errors import DatabaseError
from tests.unit.helpers import FixedDatabase, pools


def test_the_embedded_database_knows_well_known_addresses() -> None:
    database = Database(config.shipped("asn.mmdb.xz"))
    assert database.place("8.8.8.8").asn == 15169
    assert database.place("2606:4700::1111").asn == 13335


def test_a_missing_database_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"nowhere\.mmdb: no such IP database"):
        Database(tmp_path / "nowhere.mmdb")


def test_a_corrupt_database_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.mmdb"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match=r"bad\.mmdb: not a readable MaxMind database"):
        Database(path)


@pytest.mark.parametrize("scheme", ["asn", "asn+cc"])
def test_a_database_without_what_the_scheme_needs_is_one_clear_error(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FixedDatabase, "has_asn", False)
    with pytest.raises(DatabaseError, match="needs an ASN"):
        pools(scheme=scheme)


def test_a_database_needs_no_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert Database(config.shipped("asn.mmdb.xz")).place("8.8.8.8").asn == 15169


def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_text("no database")
    with pytest.raises(DatabaseError, match=r"conn\.log: not a readable MaxMind") as raised:
        Database(path)
    assert "/proc" not in str(raised.value)


def test_a_damaged_record_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(config.shipped("asn.mmdb.xz"))

    class Damaged:
        def get(self, address: str) -> object:
            raise maxminddb.InvalidDatabaseError("bad pointer")

    monkeypatch.setattr(database, "_reader", Damaged())
    assert database.place("8.8.8.8") == Place()


@pytest.mark.parametrize(
    ("place", "names"),
    [
        (Place(1, "One", "IS"), {"asn": "as:1", "asn+cc": "as:1/is", "cc": "cc:is"}),
        (Place(1, "One"), {"asn": "as:1", "asn+cc": "as:1", "cc": "none"}),
        (Place(country="IS"), {"asn": "none", "asn+cc": "none", "cc": "cc:is"}),
        (Place(), {"asn": "none", "asn+cc": "none", "cc": "none"}),
    ],
)
def test_a_place_has_a_pool_by_each_scheme(place: Place, names: dict[str, str]) -> None:
    assert {scheme: place.pool(scheme) for scheme in names} == names


def test_the_first_database_that_has_a_field_wins() -> None:
    class Fixed:
        def __init__(self, place: Place) -> None:
            self._place = place

        def place(self, address: str) -> Place:
            return self._place

    databases = [Fixed(Place(country="IS")), Fixed(Place(1, "One", "NO")), Fixed(Place(2, "Two"))]
    assert look_up(databases, "1.2.3.4") == Place(1, "One", "IS")  # type: ignore[arg-type]
