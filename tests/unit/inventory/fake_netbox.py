"""A NetBox in memory, behind pynetbox's HTTP session, as strict as the real one where we write.

``tests/contract/test_netbox.py`` compares its answers with those of a real NetBox.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

Row = dict[str, Any]

INVALID_TOKEN = "Invalid v1 token"

CHOICES = {
    ("sites", "status"): {"active", "planned", "retired"},
    ("devices", "status"): {
        "offline", "active", "planned", "staged", "failed", "inventory", "decommissioning",
    },
    ("ip-addresses", "status"): {"active", "reserved", "deprecated", "dhcp", "slaac"},
    ("interfaces", "type"): {"other", "virtual", "1000base-t"},
    ("custom-fields", "type"): {"text", "json"},
    ("custom-fields", "ui_visible"): {"always", "if-set", "hidden"},
    ("custom-fields", "ui_editable"): {"yes", "no", "hidden"},
}  # fmt: skip
LABELS = {"json": "JSON", "dhcp": "DHCP", "slaac": "SLAAC", "1000base-t": "1000BASE-T (1GE)"}

DEFAULTS: dict[str, Row] = {
    "tags": {"color": "9e9e9e", "weight": 1000},
    "custom-fields": {"required": False},
    "sites": {"status": "active"},
    "device-types": {"u_height": 1.0},
    "device-roles": {"color": "9e9e9e"},
    "devices": {"status": "active"},
    "interfaces": {"enabled": True},
    "ip-addresses": {"status": "active"},
}

LENGTHS = {("devices", "name"): 64, ("interfaces", "name"): 64}
"""Characters of a name, a model or a slug at most, where that is not 100."""


@dataclass(frozen=True)
class Kind:
    """Fields that are required, fields that may be given, and fields that hold another object."""

    required: set[str]
    optional: set[str]
    nested: dict[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    brief: tuple[str, ...] = ("name", "slug")
    """What another object shows of it, besides its id."""


_TAGGED = {"tags", "custom_fields", "description"}
KINDS = {
    "tags": Kind(
        {"name", "slug"}, {"color", "description", "weight", "object_types"}, {}, ("slug",)
    ),
    "custom-fields": Kind(
        {"name", "type", "object_types"},
        {"description", "label", "ui_visible", "ui_editable", "required", "default"},
        {},
        ("name",),
    ),
    "sites": Kind({"name", "slug"}, {*_TAGGED, "status"}, {}, ("slug",)),
    "manufacturers": Kind({"name", "slug"}, _TAGGED, {}, ("slug",)),
    "device-types": Kind(
        {"manufacturer", "model", "slug"},
        {*_TAGGED, "u_height"},
        {"manufacturer": "manufacturers"},
        ("manufacturer", "slug"),
        ("model", "slug", "manufacturer"),
    ),
    "device-roles": Kind({"name", "slug"}, {*_TAGGED, "color"}, {}, ("slug",)),
    "devices": Kind(
        {"device_type", "role", "site"},
        {*_TAGGED, "name", "status", "serial"},
        {"device_type": "device-types", "role": "device-roles", "site": "sites"},
        ("site", "name"),
        ("name",),
    ),
    "interfaces": Kind(
        {"device", "name", "type"},
        {*_TAGGED, "enabled", "primary_mac_address"},
        {"device": "devices", "primary_mac_address": "mac-addresses"},
        ("device", "name"),
    ),
    "mac-addresses": Kind(
        {"mac_address"},
        {*_TAGGED, "assigned_object_type", "assigned_object_id"},
        brief=("mac_address",),
    ),
    "ip-addresses": Kind(
        {"address"},
        {*_TAGGED, "status", "assigned_object_type", "assigned_object_id", "dns_name"},
        {},
        ("address",),
    ),
}

Filter = Callable[["FakeNetBox", Row, str], bool]
FILTERS: dict[tuple[str, str], Filter] = {
    ("devices", "id"): lambda _, row, value: row["id"] == int(value),
    ("devices", "name"): lambda _, row, value: (row["name"] or "").lower() == value.lower(),
    ("devices", "name__ie"): lambda _, row, value: (row["name"] or "").lower() == value.lower(),
    ("devices", "site_id"): lambda _, row, value: row["site"] == int(value),
    ("interfaces", "device_id"): lambda _, row, value: row["device"] == int(value),
    ("interfaces", "name"): lambda _, row, value: row["name"] == value,
    ("device-types", "manufacturer_id"): lambda _, row, value: row["manufacturer"] == int(value),
    ("mac-addresses", "mac_address"): lambda _, row, value: (
        row["mac_address"].upper() == value.upper()
    ),
    # An address without a mask is found with any mask.
    ("ip-addresses", "address"): lambda _, row, value: row["address"].split("/")[0] == value,
    ("ip-addresses", "vrf_id"): lambda _, row, value: value == "null",
    ("ip-addresses", "interface_id"): lambda _, row, value: row["assigned_object_id"] == int(value),
    ("custom-fields", "name"): lambda _, row, value: row["name"] == value,
} | {
    (kind, f"{name}__ie"): lambda _, row, value, name=name: row[name].lower() == value.lower()
    for kind, name in (
        ("manufacturers", "name"), ("device-roles", "name"), ("device-types", "model")
    )
} | {
    (kind, "slug"): lambda _, row, value: row["slug"] == value
    for kind in ("tags", "sites", "manufacturers", "device-types", "device-roles")
}  # fmt: skip


class Refused(Exception):
    """The body of an answer with status 400."""


class FakeNetBox(requests.Session):
    """A session that answers as NetBox would; ``writes``: the requests that changed something."""

    def __init__(self, version: str = "4.7", page: int = 1000) -> None:
        super().__init__()
        self._page = page  # objects in an answer at most
        self.version, self.rows = version, {kind: {} for kind in KINDS}
        self.writes: list[tuple[str, str, Row]] = []
        self.writes_left: int | None = None
        """So many writes more until the connection breaks, or until ``proxy`` answers instead."""
        self.proxy: int | None = None
        """The status with which a proxy answers for a NetBox that is gone."""
        self._next = 1

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Answer one request."""
        url = urlsplit(str(request.url))
        if request.headers.get("authorization") != "Token secret":
            return self._answer(request, 403, {"detail": INVALID_TOKEN})
        if url.path in ("/api/", "/api"):
            return self._answer(request, 200, {})
        _, _, _, kind, *rest = url.path.split("/")
        if kind not in KINDS or any(rest):
            return self._answer(request, 404, {"detail": "Not found."})
        try:
            if request.method == "GET":
                return self._answer(request, 200, self._list(kind, str(request.url)))
            body = json.loads(request.body or "null")
            if self.writes_left is not None:
                if self.writes_left == 0 and self.proxy is not None:
                    return self._answer(request, self.proxy, {})
                if self.writes_left == 0:
                    raise requests.ConnectionError("cut off")
                self.writes_left -= 1
            if request.method == "POST":
                return self._answer(request, 201, self._post(kind, body))
            if request.method == "PATCH":
                return self._answer(request, 200, [self._patch(kind, one) for one in body])
        except Refused as error:
            return self._answer(request, 400, error.args[0])
        return self._answer(request, 405, {"detail": f'Method "{request.method}" not allowed.'})

    def add(self, kind: str, **fields: Any) -> Row:
        """Make an object as a person would, past the log of writes."""
        row = self._post(kind, fields)
        self.writes.pop()
        return row

    def edit(self, kind: str, number: int, **fields: Any) -> None:
        """Change an object as a person would."""
        self._patch(kind, {"id": number} | fields)
        self.writes.pop()

    def shown(self, kind: str) -> list[Row]:
        """All objects of a kind, as the API gives them."""
        return [self._shown(kind, row) for row in self.rows[kind].values()]

    def _answer(
        self, request: requests.PreparedRequest, status: int, body: Any
    ) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = status, request, str(request.url)
        answer.headers["API-Version"] = self.version
        answer._content = json.dumps(body).encode()
        return answer

    def _list(self, kind: str, address: str) -> Row:
        path, _, asked = address.partition("?")
        query = parse_qs(asked)
        rows = sorted(self.rows[kind].values(), key=lambda row: (_order(kind, row), row["id"]))
        for name, values in query.items():
            if name in ("limit", "offset"):
                continue
            if name == "tag":
                if not any(tag["slug"] in values for tag in self.rows["tags"].values()):
                    raise Refused({"tag": [f"{values[0]} is not one of the available choices."]})
                rows = [row for row in rows if values[0] in row["tags"]]
                continue
            if (kind, name) not in FILTERS:  # the real one ignores it, and would give all objects
                raise Refused({name: ["no such filter"]})
            rows = [row for row in rows if FILTERS[kind, name](self, row, values[0])]
        start = int(query.get("offset", ["0"])[0])
        stop = start + min(int(query.get("limit", ["0"])[0]) or self._page, self._page)
        more = {name: values[0] for name, values in query.items()}
        more |= {"limit": str(stop - start), "offset": str(stop)}
        return {
            "count": len(rows),
            "next": f"{path}?{urlencode(sorted(more.items()))}" if stop < len(rows) else None,
            "results": [self._shown(kind, row) for row in rows[start:stop]],
        }

    def _post(self, kind: str, body: Row) -> Row:
        missing = KINDS[kind].required - body.keys()
        if missing:
            raise Refused({name: ["This field is required."] for name in missing})
        row = dict.fromkeys(KINDS[kind].required | KINDS[kind].optional)
        row |= {"id": self._next, "tags": [], "custom_fields": {}} | DEFAULTS.get(kind, {})
        self._check(kind, row, body)
        self._next += 1
        self.rows[kind][row["id"]] = row
        self.writes.append(("POST", kind, body))
        return self._shown(kind, row)

    def _patch(self, kind: str, body: Row) -> Row:
        if body["id"] not in self.rows[kind]:
            raise Refused({"detail": "no such object"})
        row = dict(self.rows[kind][body["id"]])
        self._check(kind, row, {name: value for name, value in body.items() if name != "id"})
        self.rows[kind][row["id"]] = row
        self.writes.append(("PATCH", kind, body))
        return self._shown(kind, row)

    def _check(self, kind: str, row: Row, body: Row) -> None:
        """Put the fields of ``body`` into ``row``, or refuse."""
        what = KINDS[kind]
        for name, value in body.items():
            if name not in what.required | what.optional:
                raise Refused({name: ["unknown field"]})  # the real one ignores it
            if (kind, name) in CHOICES and value not in CHOICES[kind, name]:
                raise Refused({name: [f"{value} is not a valid choice."]})
            if name in what.nested and value not in self.rows[what.nested[name]]:
                raise Refused({name: [f"Related object not found: {value!r}"]})
            longest = LENGTHS.get((kind, name), 100)
            if name in ("name", "model", "slug") and not 0 < len(value) <= longest:
                complaint = f"Ensure this field has no more than {longest} characters."
                raise Refused({name: [complaint]})
            if name == "tags":
                tags = self.rows["tags"]
                known = {tag["slug"] for tag in tags.values()}
                row["tags"] = [
                    tag["slug"] if "slug" in tag else tags[tag["id"]]["slug"] for tag in value
                ]
                if not set(row["tags"]) <= known:
                    raise Refused({"tags": [f"Related object not found: {value}"]})
            elif name == "custom_fields":
                fields = {one["name"] for one in self.rows["custom-fields"].values()}
                if not value.keys() <= fields:
                    raise Refused({"custom_fields": ["Unknown field name"]})
                row["custom_fields"] = row["custom_fields"] | value
            else:
                row[name] = value.upper() if name == "mac_address" else value
        if kind in ("mac-addresses", "ip-addresses") and row["assigned_object_id"] is not None:
            if row["assigned_object_type"] != "dcim.interface":
                raise Refused({"assigned_object_type": ["not given, or not known here"]})
            if row["assigned_object_id"] not in self.rows["interfaces"]:
                raise Refused({"assigned_object_id": ["Related object not found"]})
        key = [str(row[name]).lower() for name in what.unique]
        for other in self.rows[kind].values():
            same = key == [str(other[name]).lower() for name in what.unique]
            if key and same and other["id"] != row["id"]:
                raise Refused({"__all__": [f"{' and '.join(what.unique)} must be unique."]})

    def _shown(self, kind: str, row: Row) -> Row:
        shown = dict(row)
        for name, other in KINDS[kind].nested.items():
            if row[name] is not None:
                shown[name] = self._brief(other, row[name])
        for name in row:
            if (kind, name) in CHOICES and row[name] is not None:
                shown[name] = {
                    "value": row[name],
                    "label": LABELS.get(row[name], row[name].title()),
                }
        shown["tags"] = [self._tag(slug) for slug in row["tags"]]
        if kind in ("mac-addresses", "ip-addresses"):
            number = row["assigned_object_id"]
            interface = self.rows["interfaces"].get(number) if number else None
            shown["assigned_object"] = interface and {
                "id": number,
                "url": f"http://netbox/api/dcim/interfaces/{number}/",
                "display": interface["name"],
                "name": interface["name"],
                "device": self._brief("devices", interface["device"]),
            }
        if kind in ("tags", "custom-fields"):
            del shown["tags"], shown["custom_fields"]
        return {"url": f"http://netbox/api/x/{kind}/{row['id']}/"} | shown

    def _brief(self, kind: str, number: int) -> Row:
        row, what = self.rows[kind][number], KINDS[kind]
        shown = {
            name: self._brief(what.nested[name], row[name]) if name in what.nested else row[name]
            for name in what.brief
        }
        url = f"http://netbox/api/dcim/{kind}/{number}/"
        return {"id": number, "url": url, "display": row[what.brief[0]]} | shown

    def _tag(self, slug: str) -> Row:
        (tag,) = [one for one in self.rows["tags"].values() if one["slug"] == slug]
        url = f"http://netbox/api/extras/tags/{tag['id']}/"
        return {"id": tag["id"], "url": url, "display": slug, "name": slug, "slug": slug}


def _order(kind: str, row: Row) -> Any:
    """What the objects of a kind are sorted by."""
    if kind == "ip-addresses":
        address = ipaddress.ip_interface(row["address"])
        return address.version, int(address.ip), address.network.prefixlen
    text = row.get("name") or row.get("model") or row.get("mac_address") or ""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text.lower())]
