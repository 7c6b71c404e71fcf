"""Writes a profile as a MUD file: JSON of RFC 8520, with access control lists of RFC 8519.

Everything in it follows the published YANG modules ietf-mud, ietf-acldns (RFC 8520) and
ietf-access-control-list (RFC 8519), in the JSON of RFC 7951.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any

from nba_broker.policy.contacts import DNS, LOCAL, NAME, NTP, Place, Service
from nba_broker.policy.profile import Extent, Profile, Rule
from nba_broker.records.errors import ConfigError
from nba_broker.records.times import print_second

LEARNED = "Learned by nba-broker"
"""How the system information of every file begins that this module writes."""

VALID = 168
"""Hours after which a MUD manager asks for the file again, the most that RFC 8520 allows: it
changes when somebody learns it anew."""

_CONTROLLERS = {DNS: "urn:ietf:params:mud:dns", NTP: "urn:ietf:params:mud:ntp"}
_PROTOCOLS = {4: {"tcp": 6, "udp": 17, "icmp": 1}, 6: {"tcp": 6, "udp": 17, "icmp": 58}}
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_LONGEST = 60  # characters of the system information (RFC 8520, 3.6)
_ACE = 64  # characters of the name of an entry (RFC 8519)


def mud(profile: Profile, *, device: str, url: str, now: float) -> dict[str, Any]:
    """The MUD file. device: the name of the model, "" for none. url: see :func:`mud_url`. now: when
    it is made, seconds since the epoch."""
    lists = []
    policies: dict[str, list[dict[str, str]]] = {"from": [], "to": []}
    for version in (4, 6):
        rules = [rule for rule in profile.rules if rule.place.version == version]
        for direction, entry in (("from", _from_device), ("to", _to_device)):
            aces = _distinct([entry(rule) for rule in rules])
            if aces:
                name = f"mud-{zlib.crc32(url.encode()) % 100_000:05d}-v{version}{direction[:2]}"
                policies[direction].append({"name": name})
                lists.append({"name": name, "type": f"ipv{version}-acl-type", "aces": aces})
    about: dict[str, Any] = {
        "mud-version": 1,
        "mud-url": url,
        "last-update": print_second(now),
        "cache-validity": VALID,
        # No manufacturer stands behind it, and none will update it.
        "is-supported": False,
        "systeminfo": system_information(profile.seen),
    }
    if device:
        about["model-name"] = device
    about |= {
        f"{direction}-device-policy": {"access-lists": {"access-list": names}}
        for direction, names in policies.items()
        if names
    }
    return {
        "ietf-mud:mud": about,
        "ietf-access-control-list:acls": {"acl": [_with_names(one) for one in lists]},
    }


def system_information(seen: Extent) -> str:
    """What the file says of itself; a manager may show it to whoever admits the device."""
    basis = seen.text.partition(" on ")[2]
    return f"{LEARNED} from {basis}; incomplete"[:_LONGEST]


def mud_url(text: str) -> str:
    """A MUD URL. Raises ConfigError unless it is one with https, as RFC 8520 requires."""
    if not _URL.fullmatch(text) or len(text) > 255:
        raise ConfigError(
            f"--mud-url {text!r}: give an https URL in ASCII, such as "
            "https://mud.example.net/camera.json"
        )
    return text


def default_url(subject: str) -> str:
    """A URL at a host that cannot exist (RFC 2606), for a file that nobody serves yet."""
    return f"https://mud.invalid/{re.sub(r'[^A-Za-z0-9._-]+', '-', subject)[:128]}.json"


def _from_device(rule: Rule) -> dict[str, Any]:
    return _matches(rule.place, rule.service, "destination", "dst")


def _to_device(rule: Rule) -> dict[str, Any]:
    """What answers the device; a multicast group does not answer, but its members do."""
    place = Place(LOCAL, "", rule.place.version) if rule.place.is_group else rule.place
    return _matches(place, rule.service, "source", "src")


def _matches(place: Place, service: Service, side: str, short: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    address: dict[str, Any] = {"protocol": _PROTOCOLS[place.version][service.protocol]}
    if place.kind == LOCAL:
        found["ietf-mud:mud"] = {"local-networks": [None]}
    elif place.kind in _CONTROLLERS:
        found["ietf-mud:mud"] = {"controller": _CONTROLLERS[place.kind]}
    elif place.kind == NAME:
        address[f"ietf-acldns:{short}-dnsname"] = place.value
    else:
        address[f"{side}-ipv{place.version}-network"] = place.value
    found[f"ipv{place.version}"] = address
    if service.protocol != "icmp":
        found[service.protocol] = {f"{side}-port": _ports(service)}
    if service.protocol == "tcp":
        found["tcp"]["ietf-mud:direction-initiated"] = "from-device"
    return found


def _ports(service: Service) -> dict[str, Any]:
    if service.first == service.last:
        return {"operator": "eq", "port": service.first}
    return {"lower-port": service.first, "upper-port": service.last}


def _distinct(matches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for row, one in enumerate(matches) if one not in matches[:row]]


def _with_names(acl: dict[str, Any]) -> dict[str, Any]:
    """The list with its matches as entries, each with a name that tells people what it is."""
    aces = [
        {
            "name": f"{row}-{_told(matches)}"[:_ACE],
            "matches": matches,
            "actions": {"forwarding": "accept"},
        }
        for row, matches in enumerate(acl["aces"], 1)
    ]
    return acl | {"aces": {"ace": aces}}


def _told(matches: dict[str, Any]) -> str:
    words = []
    for key, value in matches.items():
        if key == "ietf-mud:mud":
            words.append(value.get("controller", "local-networks").rpartition(":")[2])
        elif key.startswith("ipv"):
            words += [
                str(one).replace("/", "-") for name, one in value.items() if name != "protocol"
            ]
            if value["protocol"] in (1, 58):
                words.append("icmp")
        else:
            (ports,) = (one for name, one in value.items() if name.endswith("-port"))
            words += [key, *(str(one) for name, one in ports.items() if name != "operator")]
    return "-".join(words)
