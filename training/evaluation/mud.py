"""What learned MUD profiles allow of later days, and block of attacks on the same devices."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nba_broker.archive.conn_log import Archive
from nba_broker.destinations.pools import Pools
from nba_broker.policy.check import check
from nba_broker.policy.contacts import Contact
from nba_broker.policy.observe import Hosts, Observer, Uses, count
from nba_broker.policy.profile import Profile, learn
from nba_broker.records.errors import ArchiveError
from training.evaluation.attacks import ATTACKS, NoVictimError, Victim
from training.evaluation.trials import SWAPS

ANOTHER = SWAPS[0]
"""Another device stands behind the host's MAC: a trial for each pair of devices."""


class _Device:
    """Uses of a device before and from the judged time on, and what its attackers know."""

    def __init__(self) -> None:
        self.learned: Uses = {}
        self.later: Uses = {}
        self.known: dict[tuple[str, int], None] = {}  # destinations and ports, each once
        self.slot = -1

    def victim(self, pools: Pools) -> Victim:
        """What an attacker on it knows."""
        dst, dport = zip(*self.known, strict=True)
        return Victim(dst, np.array(dport, np.int32), pools)


def mud(
    archive: Archive,
    pools: Pools,
    devices: Mapping[str, str],
    judged: float,
    *,
    repeats: int,
    trials: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of each device, learned before ``judged`` and applied from then on, and of
    attacks. devices: by host. Raises ArchiveError if no device has sessions on both sides."""
    found, observer, hosts = _observed(archive, pools, devices, judged)
    profiles = {name: learn(one.learned, repeats) for name, one in found.items()}
    narrow = {name: learn(one.learned, repeats, networks=False) for name, one in found.items()}
    result: dict[str, Any] = {"judged": judged, "repeats": repeats, "devices": {}, "attacks": {}}
    for name, one in found.items():
        result["devices"][name] = _device(profiles[name], narrow[name], one)
    for attack in ATTACKS if trials else ():
        draw = np.random.default_rng([seed, zlib.crc32(attack.encode())])
        shares: list[tuple[float, float]] = []
        for _ in range(trials):
            name = sorted(found)[int(draw.integers(len(found)))]
            one = found[name]
            try:
                made = ATTACKS[attack](one.victim(pools), judged, draw)
            except NoVictimError:
                continue
            would = observer.would(hosts.address(one.slot), one.slot, made.dst, made.dport)
            shares.append((_blocked(profiles[name], would), _blocked(narrow[name], would)))
        result["attacks"][attack] = _attack(shares)
    pairs = [(name, other) for name in found for other in found if name != other]
    result["attacks"][ANOTHER] = _attack(
        [
            (
                1 - check(profiles[name], found[other].later).share,
                1 - check(narrow[name], found[other].later).share,
            )
            for name, other in pairs
        ]
    )
    return result


def _observed(
    archive: Archive, pools: Pools, devices: Mapping[str, str], judged: float
) -> tuple[dict[str, _Device], Observer, Hosts]:
    """The devices with sessions on both sides of ``judged``, by name."""
    hosts = Hosts([archive])
    device_of = {slot: device for host, device in devices.items() for slot in hosts.of(host)}
    observer = Observer(pools, device_of)
    found = {device: _Device() for device in sorted(set(device_of.values()))}
    for seen in observer.see(archive):
        for slot in np.unique(seen.slot).tolist():
            one = found[device_of[slot]]
            own, before = seen.slot == slot, seen.ts < judged
            count(seen, one.learned, own & before)
            count(seen, one.later, own & ~before)
            rows = np.flatnonzero(own & before).tolist()
            one.known |= dict.fromkeys((seen.dst[row], int(seen.dport[row])) for row in rows)
            one.slot = slot if rows else one.slot
    found = {name: one for name, one in found.items() if one.learned and one.later}
    if not found:
        raise ArchiveError("no labelled host has sessions before --judged and from then on")
    return found, observer, hosts


def _device(profile: Profile, narrow: Profile, device: _Device) -> dict[str, Any]:
    later = check(profile, device.later)
    unnamed = profile.unnamed()
    return {
        "learned": profile.seen.sessions,
        "days": profile.seen.days,
        "hosts": profile.seen.hosts,
        "left_out": profile.left_out.sessions,
        "rules": len(profile.rules),
        "rules_by_address": len(unnamed),
        "sessions_by_address": sum(rule.extent.sessions for rule in unnamed),
        "later": later.seen.sessions,
        "allowed": later.share,
        "allowed_without_networks": check(narrow, device.later).share,
        "blocked": [
            [one.place.text, one.service, one.extent.sessions] for one in later.blocked[:20]
        ],
    }


def _blocked(profile: Profile, contacts: Sequence[Contact]) -> float:
    """The share of sessions that a profile blocks."""
    allows = {one: profile.allows(one) for one in set(contacts)}
    return sum(not allows[one] for one in contacts) / len(contacts)


def _attack(shares: Sequence[tuple[float, float]]) -> dict[str, Any]:
    if not shares:
        return {"trials": 0}
    wide, narrow = (np.array(column) for column in zip(*shares, strict=True))
    return {
        "trials": len(shares),
        "blocked": float(wide.mean()),
        "wholly_blocked": int((wide == 1).sum()),
        "blocked_without_networks": float(narrow.mean()),
    }


def table(result: Mapping[str, Any]) -> list[str]:
    """The figures as two tables of Markdown."""
    lines = [
        "| device | learned from | rules | by address | later sessions | allowed | "
        "without networks |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, one in result["devices"].items():
        lines.append(
            f"| {name} | {one['learned']} | {one['rules']} | "
            f"{one['rules_by_address']} ({one['sessions_by_address'] / one['learned']:.1%}) | "
            f"{one['later']} | {one['allowed']:.2%} | {one['allowed_without_networks']:.2%} |"
        )
    lines += [
        "",
        "| attack | trials | sessions blocked | wholly blocked | without networks |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, one in result["attacks"].items():
        if one["trials"]:
            lines.append(
                f"| {name} | {one['trials']} | {one['blocked']:.1%} | {one['wholly_blocked']} | "
                f"{one['blocked_without_networks']:.1%} |"
            )
    return lines
