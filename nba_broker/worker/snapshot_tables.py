"""The tables of a snapshot that are by name or address: identity, and the facts that hosts show."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nba_broker.hosts.address_table import Binding
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.leases import DhcpClient
from nba_broker.hosts.listening import Port
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.announcements import is_announcement
from nba_broker.records.segments import bare


def of(pipeline: Pipeline) -> dict[str, Mapping[str, Any]]:
    """The tables, by their names in the snapshot; some are the state itself."""
    identity = pipeline.identity
    return {
        "addresses": identity.addresses(),
        "hostnames": identity.hostnames(),
        "clients": identity.clients(),
        "routers": identity.routers(),
        "turns": identity.turns(),
        "takes": identity.takes(),
        "bonds": identity.bonds(),
        "claims": identity.claims(),
        "announced": _announced(pipeline),
        "listening": _listening(pipeline),
    }


def restore(line: Mapping[str, Any], pipeline: Pipeline, slot_of: Mapping[str, int]) -> None:
    """Take what a line of a snapshot has of these tables; an earlier version did not write all.
    ``slot_of``: the slots of the hosts by their names. Raises an error if a value is wrong."""
    _restore_identity(line, pipeline.identity)
    for host, said in line.get("announced", {}).items():
        for what, ts in _times(said).items():
            if not is_announcement(what):
                raise ValueError("an announcement that is none")
            if host in slot_of:
                pipeline.announced.take(slot_of[host], what, ts)
    for host, ports in line.get("listening", {}).items():
        if host in slot_of:
            known = {int(code): _port(one, slot_of) for code, one in ports.items()}
            pipeline.listening.restore(slot_of[host], known)


def client(vendor_class: str = "", params: Sequence[int] = ()) -> DhcpClient:
    """What a DHCP client says of itself; raises TypeError if it cannot be that."""
    if not isinstance(vendor_class, str) or not all(isinstance(one, int) for one in params):
        raise TypeError("a DHCP client that is none")
    return DhcpClient(vendor_class, tuple(params))


def check_address(text: str) -> None:
    """Raise an error unless a text is an address."""
    socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def _announced(pipeline: Pipeline) -> dict[str, Any]:
    """What hosts announced, by the hosts' names."""
    announced = pipeline.announced.all().items()
    return {_name(pipeline, slot): dict(said) for slot, said in announced}


def _listening(pipeline: Pipeline) -> dict[str, Any]:
    """Which hosts asked others for which ports, by the names of those."""

    def port(one: Port) -> list[Any]:
        since = one.since if np.isfinite(one.since) else None
        return [since, [_name(pipeline, asker) for asker in one.askers]]

    return {
        _name(pipeline, slot): {str(code): port(one) for code, one in ports.items()}
        for slot, ports in pipeline.listening.all().items()
    }


def _name(pipeline: Pipeline, slot: int) -> str:
    return "".join(name for name, _ in pipeline.identity.names(slot, slot + 1).values())


def _port(port: Sequence[Any], slot_of: Mapping[str, int]) -> Port:
    since, askers = port
    slots = [slot_of[asker] for asker in askers if asker in slot_of]
    return Port(slots, np.inf if since is None else float(since))


def _restore_identity(line: Mapping[str, Any], identity: Identity) -> None:
    addresses, hostnames = line.get("addresses", {}), line.get("hostnames", {})
    for address in addresses:
        check_address(bare(address))
    identity.learn(_texts(addresses), _texts(hostnames))
    for mac, (came, back, *first) in line.get("turns", {}).items():
        identity.turns()[mac] = _times(came), _times(back), _times(*first or [came])
    for zone, takes in line.get("takes", {}).items():
        identity.takes()[zone] = [(float(ts), str(mac)) for ts, mac in takes]
    for zone, claim in line.get("claims", {}).items():
        identity.claims()[zone] = _claim(**claim)
    for mac, said in line.get("clients", {}).items():
        identity.clients()[mac] = client(**said)
    identity.bonds().update(_texts(line.get("bonds", {})))
    identity.routers().update(_times(line.get("routers", {})))


def _claim(mac: str, hostname: str, ts: float, against: str, before: str) -> Binding:
    if not all(isinstance(text, str) for text in (mac, hostname, against, before)):
        raise TypeError("a lease that is none")
    return Binding(mac, hostname, float(ts), against, before)


def _texts(table: dict[str, str]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in table.values()):
        raise TypeError("a name that is no text")
    return table


def _times(table: dict[str, float]) -> dict[str, float]:
    if not all(np.isfinite(value) for value in table.values()):
        raise ValueError("a time that is none")
    return {key: float(value) for key, value in table.items()}
