"""Hosts come into NetBox, and what a person set stays."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from nba_broker.inventory.host import Host, of
from nba_broker.inventory.netbox import LAST, OURS, STALE, Inventory
from nba_broker.inventory.netbox_api import NetBox, Object, RefusedError, Table
from nba_broker.records.errors import ConfigError, InventoryError
from nba_broker.records.hints import Hint
from nba_broker.records.verdicts import STATES
from tests.contract.netbox_play import CAM, TODAY
from tests.unit.inventory.fake_netbox import INVALID_TOKEN, FakeNetBox, Row
from tests.unit.inventory.verdicts import verdict


def host(number: int = 1, **changes: Any) -> Host:
    mac, address = f"02:00:00:00:00:{number:02x}", f"10.0.0.{number + 1}"
    return Host(
        **{name: getattr(CAM, name) for name in Host.__slots__}
        | {"mac": mac, "address": address, "name": f"cam{number}"}
        | changes
    )


class Site:
    """A NetBox with two sites, into which runs bring hosts."""

    def __init__(self) -> None:
        self.fake = FakeNetBox()
        self.fake.add("sites", name="Hamburg", slug="hamburg")
        self.fake.add("sites", name="Berlin", slug="berlin")
        self.said: list[str] = []
        self.refused = 0

    def run(self, *hosts: Host, days: int = 0, dry: bool = False) -> list[str]:
        """One run, so many days later; what it printed, without making tags and the field."""
        said: list[str] = []
        netbox = NetBox("http://netbox", "secret", self.fake)
        today = TODAY + timedelta(days=days)
        made = Inventory(netbox, role="iot", stale=30, today=today, report=said.append, dry=dry)
        made.bring(hosts)
        self.refused = made.refused
        return [line for line in said if not line.startswith(("create tag", "create custom"))]

    def one(self, kind: str, **like: Any) -> Row:
        (found,) = [
            row
            for row in self.fake.shown(kind)
            if all(row[name] == value for name, value in like.items())
        ]
        return found

    def device(self, name: str = "cam1") -> Row:
        return self.one("devices", name=name)

    def tags(self, name: str = "cam1") -> set[str]:
        return {tag["slug"] for tag in self.device(name)["tags"]}


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_new_host_is_a_device_with_interface_mac_address_and_type(site: Site) -> None:
    site.run(host())
    device = site.device()
    assert device["device_type"]["display"] == "Tenvis_Cam"
    assert (device["role"]["name"], device["site"]["name"]) == ("iot", "Hamburg")
    assert site.one("device-types")["manufacturer"]["name"] == "Tenvis"
    assert device["status"]["value"] == "active"
    assert site.tags() == {OURS, "nba-identified"}
    mac, address = site.one("mac-addresses"), site.one("ip-addresses")
    assert mac["mac_address"] == "02:00:00:00:00:01"
    assert address["address"] == "10.0.0.2/32"
    for one in (mac, address):
        assert one["assigned_object"]["device"]["id"] == device["id"]
    assert site.one("interfaces")["primary_mac_address"]["id"] == mac["id"]


def test_a_second_run_changes_nothing(site: Site) -> None:
    site.run(host(1), host(2))
    site.fake.writes.clear()
    assert site.run(host(1), host(2)) == []
    assert site.fake.writes == []


def test_a_dry_run_says_what_a_run_would_do_and_does_nothing(site: Site) -> None:
    hosts = host(1), host(2, manufacturer="Wyze", model="Lamp"), host(3, name="cam1")
    for later in (0, 5, 40):
        before = site.fake.shown("devices")
        site.fake.writes.clear()
        said = site.run(*hosts, days=later, dry=True)
        assert site.fake.writes == []
        assert site.fake.shown("devices") == before
        assert site.run(*hosts, days=later) == said
        hosts = host(1, state="misbehaving", address="10.0.0.9"), host(2), host(4, site="berlin")
    assert any(line.startswith("update device cam1:") for line in said)


@pytest.mark.parametrize("state", STATES)
def test_a_device_has_the_tag_of_its_state_and_no_other(site: Site, state: str) -> None:
    site.run(host())
    said = site.run(host(state=state))
    assert site.tags() == {OURS, f"nba-{state}"}
    assert bool(said) is (state != "identified")


def test_what_is_ours_follows_the_host(site: Site) -> None:
    site.run(host(name="", known=False, model="Unknown camera", manufacturer="Unknown"))
    assert site.device("02:00:00:00:00:01")["device_type"]["display"] == "Unknown camera"
    site.run(host(name="cam1", site="berlin", address="10.0.0.77"))
    device = site.device("cam1")
    assert (device["device_type"]["display"], device["site"]["name"]) == ("Tenvis_Cam", "Berlin")
    addresses = {row["address"]: row["status"]["value"] for row in site.fake.shown("ip-addresses")}
    assert addresses == {"10.0.0.2/32": "deprecated", "10.0.0.77/32": "active"}
    site.run(host(name="cam1", known=False, model="Unknown", site="berlin", state="unknown"))
    assert site.device("cam1")["device_type"]["display"] == "Tenvis_Cam"


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"name": "Front door"}, {"name": "cam-2"}),
        ({"status": "planned"}, {"seen": TODAY - timedelta(days=90)}),
        ({"site": "berlin"}, {"site": "hamburg"}),
        ({"device_type": "other"}, {"model": "Another"}),
    ],
)
def test_what_a_person_set_stays(site: Site, fields: Row, changed: Row) -> None:
    site.run(host())
    if "site" in fields:
        fields = {"site": site.one("sites", slug=fields["site"])["id"]}
    if "device_type" in fields:
        maker = site.one("manufacturers")["id"]
        made = site.fake.add("device-types", manufacturer=maker, model="Other", slug="other")
        fields = {"device_type": made["id"]}
    number = site.device()["id"]
    site.fake.edit("devices", number, **fields)
    for _ in range(2):
        said = site.run(host(**changed))
        device = site.one("devices", id=number)
        (name,) = fields
        now = device[name]
        if isinstance(now, dict):  # a choice, or an object
            now = now.get("value", now.get("id"))
        assert now == fields[name]
        assert any(f"a person set {name} to" in line for line in said)


def test_a_persons_device_gets_a_state_tag_and_nothing_else(site: Site) -> None:
    fake = site.fake
    maker = fake.add("manufacturers", name="ACME", slug="acme")["id"]
    kind = fake.add("device-types", manufacturer=maker, model="Camera 3", slug="camera-3")["id"]
    role = fake.add("device-roles", name="CCTV", slug="cctv")["id"]
    berlin = site.one("sites", slug="berlin")["id"]
    critical = fake.add("tags", name="critical", slug="critical")["slug"]
    device = fake.add(
        "devices", name="Gate", device_type=kind, role=role, site=berlin, tags=[{"slug": critical}]
    )
    port = fake.add("interfaces", device=device["id"], name="eth0", type="1000base-t")["id"]
    fake.add(
        "mac-addresses",
        mac_address="02:00:00:00:00:01",
        assigned_object_type="dcim.interface",
        assigned_object_id=port,
    )
    said = site.run(host(state="misbehaving"))
    assert [line for line in said if "Gate" in line] == said
    assert site.tags("Gate") == {"critical", "nba-misbehaving"}
    after = site.device("Gate")
    assert {name: after[name] for name in after if name != "tags"} == {
        name: device[name] for name in device if name != "tags"
    }
    assert fake.shown("ip-addresses") == []
    site.run(host())
    assert site.tags("Gate") == {"critical", "nba-identified"}


def test_an_address_and_a_mac_that_a_person_entered_stay(site: Site) -> None:
    site.fake.add("ip-addresses", address="10.0.0.2/24", status="reserved")
    site.fake.add("mac-addresses", mac_address="02:00:00:00:00:02")
    said = site.run(host(1), host(2))
    assert "keep 10.0.0.2: a person entered this address" in said
    assert any(
        line.startswith("keep 02:00:00:00:00:02: a person entered this MAC") for line in said
    )
    address = site.one("ip-addresses")
    assert (address["status"]["value"], address["assigned_object"]) == ("reserved", None)
    assert len(site.fake.shown("devices")) == 1


def test_an_address_follows_to_the_host_that_has_it_now(site: Site) -> None:
    site.run(host(1), host(2))
    site.run(host(1, address="10.0.0.3"), host(2, address="10.0.0.2"))
    on = {
        row["address"]: (row["assigned_object"]["device"]["name"], row["status"]["value"])
        for row in site.fake.shown("ip-addresses")
    }
    assert on == {"10.0.0.2/32": ("cam2", "active"), "10.0.0.3/32": ("cam1", "active")}


def test_lines_about_an_address_name_devices(site: Site) -> None:
    site.run(host(1), host(2))
    said = site.run(host(1, address="10.0.0.3"))
    assert "update address 10.0.0.3: device cam2 -> cam1" in said
    mac = site.one("mac-addresses", mac_address="02:00:00:00:00:02")
    address = site.one("ip-addresses", address="10.0.0.3/32")["id"]
    site.fake.edit("ip-addresses", address, assigned_object_id=mac["assigned_object_id"])
    assert "keep 10.0.0.3/32: a person set device to cam2" in site.run(host(1, address="10.0.0.3"))


def test_a_host_has_an_address_of_each_family(site: Site) -> None:
    site.run(host())
    site.run(host(address="2001:db8::2"))
    found = {row["address"]: row["status"]["value"] for row in site.fake.shown("ip-addresses")}
    assert found == {"10.0.0.2/32": "active", "2001:db8::2/128": "active"}


def test_a_host_that_is_not_seen_ages_and_comes_back(site: Site) -> None:
    site.run(host())
    for days, status, tags in (
        (30, "active", {OURS, "nba-identified"}),
        (31, "offline", {OURS, "nba-identified", STALE}),
    ):
        site.run(host(), days=days)
        assert (site.device()["status"]["value"], site.tags()) == (status, tags)
    site.run(host(seen=TODAY + timedelta(days=32)), days=32)
    assert (site.device()["status"]["value"], site.tags()) == ("active", {OURS, "nba-identified"})


def test_a_host_that_the_worker_forgot_ages_by_what_netbox_remembers(site: Site) -> None:
    site.run(host(1), host(2))
    later = TODAY + timedelta(days=20)
    site.run(host(1, seen=later), host(2, seen=TODAY), days=20)
    site.run(days=35)
    assert site.device("cam1")["status"]["value"] == "active"
    assert site.device("cam2")["status"]["value"] == "offline"
    assert site.tags("cam2") == {OURS, "nba-identified", STALE}
    site.fake.writes.clear()
    assert site.run(days=36) == []


def test_nothing_is_ever_deleted(site: Site) -> None:
    """The fake refuses DELETE, and every run above would have failed."""
    site.run(host())
    site.run(days=400)
    assert {method for method, _, _ in site.fake.writes} <= {"POST", "PATCH"}
    assert len(site.fake.shown("devices")) == 1


def test_two_hosts_of_one_name_at_a_site_are_two_devices(site: Site) -> None:
    hosts = host(1, name="cam"), host(2, name="Cam"), host(3, name="cam", site="berlin")
    site.run(*hosts)
    names = sorted(row["name"] for row in site.fake.shown("devices"))
    assert names == ["02:00:00:00:00:02", "cam", "cam"]
    site.fake.writes.clear()
    assert (
        site.run(host(1, name="cam"), host(2, name="Cam"), host(3, name="cam", site="berlin")) == []
    )


def test_a_run_that_was_cut_off_is_finished_by_the_next() -> None:
    def state(site: Site) -> list[Row]:
        """All that hosts have, without ids and the mark of an interface's first MAC."""
        kinds = ("devices", "interfaces", "mac-addresses", "ip-addresses")
        rows = [row for kind in kinds for row in site.fake.shown(kind)]
        return [
            {
                name: row[name]["display"] if isinstance(row[name], dict) else row[name]
                for name in ("name", "mac_address", "address", "device", "assigned_object")
                if row.get(name)
            }
            for row in rows
        ]

    whole = Site()
    whole.run(host())
    writes = len(whole.fake.writes)
    assert writes > 10
    for cut in range(writes):
        site = Site()
        site.fake.writes_left = cut
        with contextlib.suppress(InventoryError):
            site.run(host())
        site.fake.writes_left = None
        site.run(host())
        assert state(site) == state(whole)


def test_what_netbox_refuses_of_one_host_is_said_and_the_others_come_in(site: Site) -> None:
    said = site.run(host(1, model="x" * 101), host(2))
    assert site.refused == 1
    assert any(
        line.startswith("refused 02:00:00:00:00:01 10.0.0.2: NetBox refuses") for line in said
    )
    assert site.device("cam2")


def test_a_netbox_that_is_gone_ends_the_run_and_refuses_no_host(site: Site) -> None:
    site.fake.writes_left = 12  # tags and the field, then the first host's
    with pytest.raises(InventoryError, match="NetBox does not answer: cut off"):
        site.run(host(1), host(2))
    assert site.refused == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_that_answers_for_netbox_ends_the_run_and_refuses_no_host(
    site: Site, status: int
) -> None:
    site.fake.writes_left, site.fake.proxy = 12, status
    with pytest.raises(InventoryError, match=f"NetBox does not answer .*{status}"):
        site.run(host(1), host(2))
    assert site.refused == 0


def test_a_device_whose_ageing_netbox_refuses_keeps_no_other_from_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run(host(1), host(2), host(3))
    age = Inventory._age

    def refused(inventory: Inventory, device: Object) -> None:
        if device["name"] == "cam1":
            raise RefusedError("no")
        age(inventory, device)

    monkeypatch.setattr(Inventory, "_age", refused)
    said = site.run(host(3, seen=TODAY + timedelta(days=40)), days=40)
    assert site.refused == 1
    assert "refused cam1: no" in said
    status = [site.device(f"cam{number}")["status"]["value"] for number in (1, 2, 3)]
    assert status == ["active", "offline", "active"]


def test_an_object_that_a_person_named_so_is_used_whatever_its_slug(site: Site) -> None:
    maker = site.fake.add("manufacturers", name="TENVIS", slug="tenvis-ltd")["id"]
    role = site.fake.add("device-roles", name="IoT", slug="things")["id"]
    kind = site.fake.add(
        "device-types", manufacturer=maker, model="tenvis_cam", slug="tenvis-camera"
    )["id"]
    site.run(host())
    device = site.device()
    assert (device["device_type"]["id"], device["role"]["id"]) == (kind, role)
    assert len(site.fake.shown("manufacturers")) == 1


def test_a_site_that_netbox_does_not_have_is_one_clear_error(site: Site) -> None:
    with pytest.raises(ConfigError, match="NetBox has no site 'kiel'; make it there"):
        site.run(host(site="kiel"))
    assert site.fake.shown("tags") == []


def test_a_netbox_that_is_too_old_or_refuses_the_token_is_one_clear_error() -> None:
    with pytest.raises(InventoryError, match=r"NetBox 4\.1 is too old; 4\.2 or later"):
        NetBox("http://netbox", "secret", FakeNetBox("4.1"))
    with pytest.raises(InventoryError, match="no NetBox answers there"):
        NetBox("http://netbox", "secret", FakeNetBox(""))
    with pytest.raises(InventoryError, match=INVALID_TOKEN):
        NetBox("http://netbox", "wrong", FakeNetBox()).tags.find(slug=OURS)
    with pytest.raises(InventoryError, match="no NetBox answers there"):
        NetBox("http://127.0.0.1:1", "secret")


def test_a_host_has_the_names_that_the_verdict_or_else_the_hint_gives() -> None:
    found = of(verdict(hint=Hint(maker="Tenvis")), "hamburg")
    assert (found.manufacturer, found.model, found.known) == ("Tenvis", "Tenvis_Cam", True)
    found = of(verdict(device="", category="", hint=Hint(kind="printer")), "hamburg")
    assert (found.manufacturer, found.model, found.known) == ("Maker Ltd", "Unknown printer", False)
    found = of(verdict(device="", category="", vendor="", hostname="a\x1bb" + "c" * 99), "hamburg")
    assert (found.manufacturer, found.model, len(found.name)) == ("Unknown", "Unknown", 64)
    assert found.name.startswith("abc")
    assert LAST == "nba_last"


def test_a_device_that_the_token_may_not_see_is_refused_and_the_other_hosts_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site()
    site.run(host(1))
    find = Table.find
    monkeypatch.setattr(
        Table, "find", lambda table, **by: [] if by.keys() == {"id"} else find(table, **by)
    )
    said = site.run(host(1), host(2))
    assert site.refused == 1
    assert any("hidden; the token needs dcim.view_device" in line for line in said)
    assert "create device cam2" in said
