"""NetBox's REST API, as far as an inventory needs it, through pynetbox (the extra ``netbox``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pynetbox
import requests

from nba_broker.records.errors import InventoryError

Object = dict[str, Any]
"""An object of NetBox, as its API gives it. Nested objects have at least their ``id``."""

_TIMEOUT = 30.0  # seconds for an answer

_OLDEST = (4, 2)  # since then a MAC is an object of its own


class RefusedError(InventoryError):
    """NetBox answers, and does not do what it is asked for."""


class Table:
    """The objects of one kind. Every method raises RefusedError if NetBox refuses, and another
    InventoryError if it is gone."""

    def __init__(self, endpoint: Any, kind: str) -> None:
        self._endpoint, self.kind = endpoint, kind

    def find(self, **filters: object) -> list[Object]:
        """The objects that match all filters, in NetBox's order."""
        with _errors(f"view {self.kind}"):
            return [dict(one) for one in self._endpoint.filter(**filters)]

    def create(self, fields: Object) -> Object:
        """Make an object, and return it as NetBox has it."""
        with _errors(f"add {self.kind}"):
            return dict(self._endpoint.create(fields))

    def update(self, number: int, fields: Object) -> None:
        """Change fields of the object with that id, and no others."""
        with _errors(f"change {self.kind}"):
            self._endpoint.update([{"id": number} | fields])


@contextlib.contextmanager
def _errors(doing: str) -> Iterator[None]:
    """The errors of pynetbox and of the connection as ours, which are one line. ``doing`` is what
    NetBox was asked for, in the words of its permissions."""
    try:
        yield
    except pynetbox.RequestError as error:
        said = " ".join(str(error).split())[:400]
        # A proxy answers for a NetBox that is gone; too many requests are not this host's fault.
        if error.req.status_code >= 500 or error.req.status_code == requests.codes.too_many:
            raise InventoryError(f"NetBox does not answer ({doing}): {said}") from error
        raise RefusedError(f"NetBox refuses ({doing}): {said}") from error
    except (pynetbox.ContentError, requests.RequestException) as error:
        raise InventoryError(f"NetBox does not answer: {error}") from error


class NetBox:
    """The tables of one NetBox. Raises InventoryError if it is not there or too old."""

    def __init__(self, url: str, token: str, session: requests.Session | None = None) -> None:
        api = pynetbox.api(url, token=token)
        api.http_session = session or _Session()
        try:
            version = str(api.version)
        except (pynetbox.RequestError, pynetbox.ContentError, requests.RequestException) as error:
            raise InventoryError(f"{url}: no NetBox answers there ({error})") from error
        if not version:
            raise InventoryError(f"{url}: no NetBox answers there (no API-Version in the answer)")
        if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
            raise InventoryError(f"{url}: NetBox {version} is too old; 4.2 or later is needed")
        self.devices = Table(api.dcim.devices, "device")
        self.interfaces = Table(api.dcim.interfaces, "interface")
        self.macs = Table(api.dcim.mac_addresses, "MAC")
        self.manufacturers = Table(api.dcim.manufacturers, "manufacturer")
        self.types = Table(api.dcim.device_types, "device type")
        self.roles = Table(api.dcim.device_roles, "role")
        self.sites = Table(api.dcim.sites, "site")
        self.addresses = Table(api.ipam.ip_addresses, "address")
        self.tags = Table(api.extras.tags, "tag")
        self.fields = Table(api.extras.custom_fields, "custom field")


class _Session(requests.Session):
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send with a time limit, since pynetbox sets none."""
        return super().send(request, **{**options, "timeout": options.get("timeout") or _TIMEOUT})
