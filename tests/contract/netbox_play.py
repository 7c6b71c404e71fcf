"""What a person and nba-broker do to a NetBox, one after the other, and what must come of it.

It plays with a running NetBox, with a recording of one, and with the unit tests' NetBox in memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pynetbox
import pytest
import requests

from nba_broker.inventory.host import Host
from nba_broker.inventory.netbox import Inventory
from nba_broker.inventory.netbox_api import NetBox
from nba_broker.records.errors import ConfigError, InventoryError

TODAY = date(2026, 11, 30)
CAM = Host(
    mac="02:00:00:00:00:01",
    address="10.0.0.2",
    name="cam1",
    site="hamburg",
    manufacturer="Tenvis",
    model="Tenvis_Cam",
    known=True,
    state="identified",
    seen=TODAY,
)

# One host each: its first state.
CAM1 = CAM
LAMP = replace(
    CAM, mac="02:00:00:00:00:02", address="10.0.0.3", name="Lamp", manufacturer="Wyze", model="Bulb"
)
TWIN = replace(CAM, mac="02:00:00:00:00:03", address="10.0.0.4", name="CAM1")
NAMELESS = replace(
    CAM,
    mac="02:00:00:00:00:04",
    address="2001:db8::5",
    name="",
    manufacturer="Unknown",
    model="Unknown printer",
    known=False,
    state="unknown",
)
GATE = replace(CAM, mac="02:00:00:00:00:05", address="10.0.0.6", name="gate", state="misbehaving")
LOOSE = replace(CAM, mac="02:00:00:00:00:06", address="10.0.0.7", name="loose")
LATE = replace(CAM, mac="02:00:00:00:00:07", address="10.0.0.8", name="late")
REFUSED = replace(CAM, mac="02:00:00:00:00:08", address="10.0.0.9", name="x" * 65)


class CutOff(requests.Session):
    """A session whose connection breaks after so many writes."""

    def __init__(self, session: requests.Session, writes: int) -> None:
        super().__init__()
        self._session, self._left = session, writes

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Answer one request."""
        if request.method != "GET":
            if not self._left:
                raise requests.ConnectionError("cut off")
            self._left -= 1
        return self._session.send(request, **options)


@dataclass
class Play:
    """url: of the NetBox. The sessions and tokens of the command and of a person."""

    url: str
    command: requests.Session
    command_token: str
    person: requests.Session
    person_token: str
    refused: int = 0

    def __post_init__(self) -> None:
        self.api = pynetbox.api(self.url, token=self.person_token)
        self.api.http_session = self.person

    def run(
        self,
        *hosts: Host,
        days: int = 0,
        dry: bool = False,
        session: requests.Session | None = None,
        token: str = "",
    ) -> list[str]:
        """One run of the command, so many days later; what it printed."""
        said: list[str] = []
        netbox = NetBox(self.url, token or self.command_token, session or self.command)
        made = Inventory(
            netbox,
            role="iot",
            stale=30,
            today=TODAY + timedelta(days=days),
            report=said.append,
            dry=dry,
        )
        made.bring(hosts)
        self.refused = made.refused
        return said

    def device(self, **by: Any) -> dict[str, Any]:
        """The one device with these fields, as a person sees it."""
        (found,) = self.api.dcim.devices.filter(**by)
        return json.loads(json.dumps(dict(found)))  # type: ignore[no-any-return]

    def addresses(self) -> dict[str, str]:
        """Each address with its device and status."""
        found = {}
        for one in map(dict, self.api.ipam.ip_addresses.all()):
            on = one.get("assigned_object")
            status = one["status"]["value"]
            found[one["address"]] = f"{on['device']['name']} {status}" if on else status
        return found


def play(at: Play) -> None:
    """All of it. The NetBox must have no sites and devices yet."""
    a_token_that_netbox_does_not_know(at)
    hosts_come_in(at)
    what_is_ours_follows_the_host(at)
    what_a_person_set_stays(at)
    what_a_person_made_stays(at)
    a_refused_host_and_one_that_was_cut_off(at)
    hosts_age(at)


def a_token_that_netbox_does_not_know(at: Play) -> None:
    with pytest.raises(InventoryError, match="Invalid"):
        at.run(CAM1, token="0123456789abcdef0123456789abcdef01234567")
    with pytest.raises(ConfigError, match="NetBox has no site 'hamburg'"):
        at.run(CAM1)


def hosts_come_in(at: Play) -> None:
    for name in ("Hamburg", "Berlin"):
        at.api.dcim.sites.create(name=name, slug=name.lower())
    hosts = CAM1, LAMP, TWIN, NAMELESS
    said = at.run(*hosts, dry=True)
    assert list(at.api.dcim.devices.all()) == []
    assert at.run(*hosts) == said
    assert at.run(*hosts) == []
    names = {"cam1", "Lamp", TWIN.mac, NAMELESS.mac}
    assert {f"create device {name}" for name in names} <= set(said)
    device = at.device(name="cam1")
    assert device["device_type"]["model"] == "Tenvis_Cam"
    assert device["device_type"]["manufacturer"]["name"] == "Tenvis"
    assert {tag["slug"] for tag in device["tags"]} == {"nba-broker", "nba-identified"}
    assert (device["role"]["slug"], device["site"]["slug"]) == ("iot", "hamburg")
    (mac,) = at.api.dcim.mac_addresses.filter(mac_address=CAM1.mac)
    (interface,) = at.api.dcim.interfaces.filter(device_id=device["id"])
    assert interface.primary_mac_address.id == mac.id
    assert at.addresses() == {
        "10.0.0.2/32": "cam1 active",
        "10.0.0.3/32": "Lamp active",
        "10.0.0.4/32": f"{TWIN.mac} active",
        "2001:db8::5/128": f"{NAMELESS.mac} active",
    }


def what_is_ours_follows_the_host(at: Play) -> None:
    moved = replace(CAM1, site="berlin", address="10.0.0.77", state="changed")
    lamp = replace(LAMP, address="10.0.0.2", name="hall")
    printer = replace(
        NAMELESS, name="print", manufacturer="HP", model="Deskjet", known=True, state="identified"
    )
    hosts = moved, lamp, printer
    at.api.dcim.manufacturers.create(name="hp", slug="hewlett-packard")
    said = at.run(*hosts)
    assert not any(line.startswith("create manufacturer") for line in said)
    assert "update address 10.0.0.2: device cam1 -> Lamp, status deprecated -> active" in said
    assert at.run(*hosts) == []
    assert at.device(name="cam1")["site"]["slug"] == "berlin"
    assert at.device(name="print")["device_type"]["model"] == "Deskjet"
    assert at.addresses() == {
        "10.0.0.2/32": "hall active",
        "10.0.0.3/32": "hall deprecated",
        "10.0.0.4/32": f"{TWIN.mac} active",
        "10.0.0.77/32": "cam1 active",
        "2001:db8::5/128": "print active",
    }


def what_a_person_set_stays(at: Play) -> None:
    cam, lamp, printer = (at.device(name=name) for name in ("cam1", "hall", "print"))
    at.api.dcim.devices.update([{"id": cam["id"], "name": "Front door", "status": "planned"}])
    at.api.dcim.devices.update([{"id": printer["id"], "tags": []}])
    (other,) = at.api.dcim.sites.filter(slug="berlin")
    at.api.dcim.devices.update([{"id": lamp["id"], "site": other.id}])
    found = list(at.api.ipam.ip_addresses.filter(address="10.0.0.77"))
    at.api.ipam.ip_addresses.update([{"id": found[0].id, "status": "reserved"}])
    hosts = (
        replace(CAM1, address="10.0.0.77", name="cam-1", seen=TODAY - timedelta(days=90)),
        replace(LAMP, address="10.0.0.2", name="hall"),
        replace(NAMELESS, name="print 2", state="ambiguous"),
    )
    said = at.run(*hosts)
    assert "keep Front door: a person set name to Front door" in said
    assert "keep Front door: a person set status to planned" in said
    assert "keep hall: a person set site to Berlin" in said
    assert any(line.startswith("keep 10.0.0.77/32: a person set status to") for line in said)
    device = at.device(name="Front door")
    assert (device["status"]["value"], device["site"]["slug"]) == ("planned", "hamburg")
    assert [tag["slug"] for tag in at.device(name="print")["tags"]] == ["nba-ambiguous"]
    assert all(line.startswith("keep ") for line in at.run(*hosts))


def what_a_person_made_stays(at: Play) -> None:
    api = at.api
    maker = api.dcim.manufacturers.create(name="ACME", slug="acme")
    kind = api.dcim.device_types.create(manufacturer=maker.id, model="Camera 3", slug="camera-3")
    role = api.dcim.device_roles.create(name="CCTV", slug="cctv")
    critical = api.extras.tags.create(name="critical", slug="critical")
    (site,) = api.dcim.sites.filter(slug="berlin")
    device = api.dcim.devices.create(
        name="Gate", device_type=kind.id, role=role.id, site=site.id, tags=[{"id": critical.id}]
    )
    port = api.dcim.interfaces.create(device=device.id, name="eth0", type="1000base-t")
    on = {"assigned_object_type": "dcim.interface", "assigned_object_id": port.id}
    api.dcim.mac_addresses.create(mac_address=GATE.mac, **on)
    api.dcim.mac_addresses.create(mac_address=LOOSE.mac)
    api.ipam.ip_addresses.create(address="10.0.0.8/24", status="reserved")
    said = at.run(GATE, LOOSE, LATE)
    assert "update device Gate: tags critical -> critical nba-misbehaving" in said
    assert f"keep {LOOSE.mac}: a person entered this MAC, and it is on no device" in said
    assert "keep 10.0.0.8: a person entered this address" in said
    assert at.addresses()["10.0.0.8/24"] == "reserved"
    assert "10.0.0.6/32" not in at.addresses()
    assert {tag["slug"] for tag in at.device(name="Gate")["tags"]} == {
        "critical",
        "nba-misbehaving",
    }


def a_refused_host_and_one_that_was_cut_off(at: Play) -> None:
    said = at.run(REFUSED, LATE)
    assert at.refused == 1
    (line,) = [line for line in said if line.startswith("refused ")]
    assert line.startswith(
        f"refused {REFUSED.mac} {REFUSED.address}: NetBox refuses (add device): "
    )
    assert "name" in line
    new = replace(CAM, mac="02:00:00:00:00:0a", address="10.0.0.11", name="new")
    for writes in (1, 2):
        with pytest.raises(InventoryError, match="NetBox does not answer"):
            at.run(new, session=CutOff(at.command, writes))
    at.run(new)
    assert at.run(new) == ["keep Front door: a person set status to planned"]
    assert at.addresses()["10.0.0.11/32"] == "new active"


def hosts_age(at: Play) -> None:
    assert all(line.startswith("keep ") for line in at.run(LATE, replace(TWIN, name=""), days=30))
    late = replace(LATE, seen=TODAY + timedelta(days=31))
    said = at.run(late, days=31)
    assert not any("device late" in line or "Gate" in line for line in said)
    device = at.device(name=TWIN.mac)
    assert device["status"]["value"] == "offline"
    assert "nba-stale" in {tag["slug"] for tag in device["tags"]}
    assert all(line.startswith("keep ") for line in at.run(late, days=31))
    back = replace(TWIN, name="", seen=TODAY + timedelta(days=32))
    at.run(late, back, days=32)
    assert at.device(name=TWIN.mac)["status"]["value"] == "active"
