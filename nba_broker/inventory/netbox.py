"""Brings hosts into NetBox: what to make and what to change there.

It never deletes. It changes a field only if the field still has the value that it wrote itself,
which the custom field ``nba_last`` of the object remembers. Of an object without the tag
``nba-broker``, which a person made, it changes its own state tags only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta

from nba_broker.inventory.host import Host
from nba_broker.inventory.netbox_api import NetBox, Object, RefusedError, Table
from nba_broker.records.errors import ConfigError
from nba_broker.records.verdicts import STATES

OURS, STALE, LAST = "nba-broker", "nba-stale", "nba_last"
_STATE_TAGS = {state: f"nba-{state}" for state in STATES}
_COLOURS = {"changed": "ff9800", "misbehaving": "f44336", "impostor": "f44336"}
_GREY = "9e9e9e"
_INTERFACE = "dcim.interface"
_DRY = 0  # the id of an object that a dry run did not make; NetBox counts from 1


class Inventory:
    """Hosts in NetBox.

    role: the slug of the role of new devices. stale: days after which a host that was not seen is
    ``offline`` and has the tag ``nba-stale``. today: the day (UTC). report: takes a line for each
    change. dry: change nothing, only report. ``refused`` counts what NetBox refused.
    """

    def __init__(
        self,
        netbox: NetBox,
        *,
        role: str,
        stale: int,
        today: date,
        report: Callable[[str], None],
        dry: bool = False,
    ) -> None:
        self.netbox, self.refused = netbox, 0
        self._role, self._stale, self._today = role, timedelta(days=stale), today
        self._say, self._dry = report, dry
        self._made: dict[tuple[str, str], Object] = {}
        self._called: dict[tuple[str, int], str] = {}  # by field and id, for a person to read
        self._untagged = False  # whether no object can have our tag, since there is none

    def bring(self, hosts: Iterable[Host]) -> None:
        """Make and change what NetBox needs for these hosts, then age what was not seen.

        Raises ConfigError for a site that NetBox does not have, InventoryError if NetBox is gone
        or refuses tags or the custom field. What it refuses of one host is reported and counted.
        """
        hosts = list(hosts)
        sites = {slug: self._site(slug) for slug in sorted({host.site for host in hosts})}
        self._prepare()
        done = set()
        for host in hosts:
            try:
                done.add(self._host(host, sites[host.site]))
            except RefusedError as error:
                self.refused += 1
                self._say(f"refused {host.mac} {host.address}: {error}")
        for device in self._ours(self.netbox.devices):
            if device["id"] in done:
                continue
            try:
                self._age(device)
            except RefusedError as error:
                self.refused += 1
                self._say(f"refused {device['name']}: {error}")

    # One host.

    def _host(self, host: Host, site: int) -> int:
        """The id of the host's device."""
        found = self.netbox.macs.find(mac_address=host.mac)
        on = [one for one in found if one.get("assigned_object_type") == _INTERFACE]
        if found and not on:
            self._say(f"keep {host.mac}: a person entered this MAC, and it is on no device")
            return _DRY
        if not on:
            device = self._half_made(host, site) or self._new_device(host, site)
            interface = self._new_interface(host, device)
            self._address(host, device, interface)
            return int(device["id"])
        interface = int(on[0]["assigned_object_id"])
        number = on[0]["assigned_object"]["device"]["id"]
        devices = self.netbox.devices.find(id=number)
        if not devices:
            raise RefusedError(f"its device {number} is hidden; the token needs dcim.view_device")
        device = devices[0]
        self._device(host, device, site)
        if _is_ours(device):
            self._address(host, device, interface)
        return int(number)

    def _new_device(self, host: Host, site: int) -> Object:
        name = self._free_name(host, site) or host.mac
        wanted = {
            "name": name,
            "device_type": self._type(host),
            "site": site,
            "status": self._status(host.seen),
        }
        last = wanted | {"seen": str(host.seen), "mac": host.mac}
        given = wanted | {"role": self._named(self.netbox.roles, self._role, color=_GREY)}
        tags = _slugs(OURS, *self._state_tags(host.state, host.seen))
        return self._create(
            self.netbox.devices, name, given | {"tags": tags, "custom_fields": {LAST: last}}
        )

    def _new_interface(self, host: Host, device: Object) -> int:
        """Make the interface and its MAC; only a whole one keeps a device from being half made."""
        mine = {"tags": _slugs(OURS)}
        name = f"lan of {device['name']}"
        at = self.netbox.interfaces.find(device_id=device["id"], name="lan") if device["id"] else []
        interface = (
            at[0]
            if at
            else self._create(
                self.netbox.interfaces,
                name,
                {"device": device["id"], "name": "lan", "type": "other"} | mine,
            )
        )
        on = {"assigned_object_type": _INTERFACE, "assigned_object_id": interface["id"]}
        mac = self._create(self.netbox.macs, host.mac, {"mac_address": host.mac} | on | mine)
        if not self._dry:
            self.netbox.interfaces.update(interface["id"], {"primary_mac_address": mac["id"]})
        return int(interface["id"])

    def _half_made(self, host: Host, site: int) -> Object | None:
        """A device of this host that an earlier run made and gave no MAC, as it was cut off."""
        for name in filter(None, (host.name, host.mac)):
            for device in self._ours(self.netbox.devices, name__ie=name, site_id=site):
                if _last(device).get("mac") == host.mac:
                    return device
        return None

    def _device(self, host: Host, device: Object, site: int) -> None:
        """Change the device of a host that NetBox has."""
        change: Object = {}
        if _is_ours(device):
            wanted: Object = {"site": site, "status": self._status(host.seen)}
            if host.known:
                wanted["device_type"] = self._type(host)
            if host.name and host.name.lower() != (device["name"] or "").lower():
                wanted["name"] = self._free_name(host, site) or device["name"]
            change = self._changes(device, wanted)
            late = _age(_last(device), host.seen) >= self._stale / 4
            if change or late:
                remember = change | {"seen": str(host.seen)}
                change["custom_fields"] = {LAST: _last(device) | remember}
        change |= self._tags(device, self._state_tags(host.state, host.seen))
        self._update(self.netbox.devices, device["name"] or host.mac, device, change)

    def _address(self, host: Host, device: Object, interface: int) -> None:
        """Have the address of a host on its interface; others of its family are deprecated."""
        self._called["device", interface] = device["name"]
        table = self.netbox.addresses
        wanted = {"assigned_object_id": interface, "status": "active"}
        found = table.find(address=host.address, vrf_id="null")
        if not found:
            length = 128 if ":" in host.address else 32
            given: Object = {"address": f"{host.address}/{length}"}
            given["assigned_object_type"] = _INTERFACE
            given |= wanted | {"tags": _slugs(OURS), "custom_fields": {LAST: wanted}}
            self._create(table, f"{host.address} of {device['name']}", given)
        elif not _is_ours(found[0]):
            if found[0].get("assigned_object_id") != interface:
                self._say(f"keep {host.address}: a person entered this address")
        else:
            self._change(table, host.address, found[0], wanted)
        if interface != _DRY:
            for other in self._ours(table, interface_id=interface):
                bare = other["address"].partition("/")[0]
                if bare != host.address and (":" in bare) == (":" in host.address):
                    self._change(table, bare, other, {"status": "deprecated"})

    def _age(self, device: Object) -> None:
        """A device of ours whose host is none of these hosts."""
        last = _last(device)
        if _age(last, self._today) > self._stale:
            change = self._changes(device, {"status": "offline"})
            if change:
                change["custom_fields"] = {LAST: last | change}
            states = [slug for slug in _tags(device) if slug in _STATE_TAGS.values()]
            change |= self._tags(device, [*states, STALE])
            self._update(self.netbox.devices, device["name"], device, change)

    def _ours(self, table: Table, **filters: object) -> list[Object]:
        # NetBox refuses a filter by a tag that it does not have.
        return [] if self._untagged else table.find(tag=OURS, **filters)

    # What a change may be.

    def _changes(self, before: Object, wanted: Object) -> Object:
        """The wanted fields that differ and that nobody changed since they were written."""
        change = {}
        for name, value in wanted.items():
            now = _plain(before.get(name))
            if now == value:
                continue
            if now == _last(before).get(name):
                change[name] = value
            else:
                what = before.get("name") or before.get("address")
                field, value = _readable(before, name)
                self._say(f"keep {what}: a person set {field} to {_text(value)}")
        return change

    def _change(self, table: Table, what: str, before: Object, wanted: Object) -> None:
        change = self._changes(before, wanted)
        if change:
            change["custom_fields"] = {LAST: _last(before) | change}
        self._update(table, what, before, change)

    def _tags(self, device: Object, wanted: Iterable[str]) -> Object:
        """The field ``tags`` with these state tags instead of those that it has, if they differ."""
        mine = {*_STATE_TAGS.values(), STALE}
        now = _tags(device)
        then = [slug for slug in now if slug not in mine] + list(wanted)
        return {} if set(now) == set(then) else {"tags": _slugs(*then)}

    def _state_tags(self, state: str, seen: date) -> list[str]:
        return [_STATE_TAGS[state], *([STALE] if self._today - seen > self._stale else [])]

    def _status(self, seen: date) -> str:
        return "offline" if self._today - seen > self._stale else "active"

    def _free_name(self, host: Host, site: int) -> str:
        """The host's name if no other device of the site has it, or else ""."""
        key = ("name", f"{site} {host.name.lower()}")
        if not host.name or key in self._made:
            return ""
        if self.netbox.devices.find(name__ie=host.name, site_id=site):
            return ""
        self._made[key] = {}
        return host.name

    # What devices refer to.

    def _type(self, host: Host) -> int:
        maker = self._named(self.netbox.manufacturers, host.manufacturer)
        number = self._named(self.netbox.types, host.model, manufacturer=maker)
        self._called["device_type", number] = host.model
        return number

    def _named(self, table: Table, name: str, **more: object) -> int:
        """The id of the object with the slug of this name, or else with this name; it is made with
        ``more`` if there is none. With a manufacturer only the objects of that manufacturer
        count."""
        slug, maker = _slug(name), more.get("manufacturer")
        key = (table.kind, f"{maker} {slug}")
        if key not in self._made:
            within = {} if maker is None else {"manufacturer_id": maker}
            called = "name" if maker is None else "model"
            found = []
            if maker != _DRY:
                alike = {f"{called}__ie": name}
                found = table.find(slug=slug, **within) or table.find(**alike, **within)
            given = {called: name, "slug": slug, "tags": _slugs(OURS)} | more
            self._made[key] = found[0] if found else self._create(table, name, given)
        return int(self._made[key]["id"])

    def _site(self, slug: str) -> int:
        found = self.netbox.sites.find(slug=slug)
        if not found:
            raise ConfigError(
                f"sites: NetBox has no site {slug!r}; make it there, or correct the file"
            )
        number = int(found[0]["id"])
        self._called["site", number] = found[0]["name"]
        return number

    def _prepare(self) -> None:
        """Make the tags and the custom field, where they are missing."""
        about = {OURS: "Made by nba-broker, which may change it", STALE: "Not seen for long"}
        about |= {tag: f"nba-broker: {state}" for state, tag in _STATE_TAGS.items()}
        colours = {_STATE_TAGS[state]: colour for state, colour in _COLOURS.items()}
        for tag, text in about.items():
            if not self.netbox.tags.find(slug=tag):
                self._untagged = self._untagged or (self._dry and tag == OURS)
                given = {"name": tag, "slug": tag, "description": text}
                self._create(self.netbox.tags, tag, given | {"color": colours.get(tag, _GREY)})
        if not self.netbox.fields.find(name=LAST):
            field: Object = {
                "name": LAST,
                "type": "json",
                "object_types": ["dcim.device", "ipam.ipaddress"],
                "description": "What nba-broker wrote last",
                "ui_visible": "hidden",
                "ui_editable": "hidden",
            }
            self._create(self.netbox.fields, LAST, field)

    # Writing.

    def _create(self, table: Table, what: str, fields: Object) -> Object:
        self._say(f"create {table.kind} {what}")
        return {"id": _DRY} | fields if self._dry else table.create(fields)

    def _update(self, table: Table, what: str, before: Object, change: Object) -> None:
        shown = [
            self._shown(name, before, value)
            for name, value in change.items()
            if name != "custom_fields"
        ]
        if shown:
            self._say(f"update {table.kind} {what}: {', '.join(shown)}")
        if change and not self._dry:
            table.update(before["id"], change)

    def _shown(self, name: str, before: Object, value: object) -> str:
        """A change of a field, with names instead of ids."""
        field, was = _readable(before, name)
        then = self._called.get((field, value)) if isinstance(value, int) else None
        return f"{field} {_text(was)} -> {then or _text(value)}"


def _is_ours(one: Object) -> bool:
    return OURS in _tags(one)


def _tags(one: Object) -> list[str]:
    return [tag["slug"] for tag in one.get("tags") or ()]


def _slugs(*slugs: str) -> list[Object]:
    """Tags as NetBox takes them."""
    return [{"slug": slug} for slug in slugs]


def _last(one: Object) -> Object:
    """What was last written to it; a person may have emptied it."""
    last = (one.get("custom_fields") or {}).get(LAST)
    return dict(last) if isinstance(last, dict) else {}


def _age(last: Object, day: date) -> timedelta:
    """The time up to ``day`` since the host was seen, as far as NetBox knows."""
    try:
        return day - date.fromisoformat(str(last.get("seen")))
    except ValueError:
        return timedelta(0)


def _plain(value: object) -> object:
    """A choice as its value, a nested object as its id."""
    if isinstance(value, dict):
        return value.get("value", value.get("id"))
    return value


def _readable(one: Object, name: str) -> tuple[str, object]:
    """A field with its value; instead of the interface of an address, the device."""
    if name == "assigned_object_id":
        return "device", (one.get("assigned_object") or {}).get("device")
    return name, one.get(name)


def _text(value: object) -> str:
    """For a person to read."""
    if isinstance(value, list):
        return " ".join(sorted(one["slug"] for one in value)) or "none"
    if isinstance(value, dict):
        return str(value.get("display") or value.get("value") or value.get("id"))
    return str(value)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:100] or "unknown"
