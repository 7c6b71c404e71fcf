"""Makes what names of destinations add to a background, from counts of devices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nba_broker.destinations.domains import IN_DOMAIN, domain
from nba_broker.model.background import Background
from nba_broker.model.background_names import MOST, NameShares
from training.data.public_counts import Pairs

Pair = tuple[str, str]
"""A service and a pool."""

Asked = tuple[str, str]
"""A service, and a name or a domain."""

Shares = dict[Asked, float]
"""Shares of a device's sessions that tell, of whole sessions or parts of them."""


def pairs_only(device: Pairs) -> Counter[Pair]:
    """A device's sessions by service and pool."""
    found: Counter[Pair] = Counter()
    for (service, pool, _), number in device.items():
        found[service, pool] += number
    return found


def name_shares(
    given: Background, devices: Iterable[Pairs], classes: Sequence[Pairs]
) -> NameShares | None:
    """What names add to a background of these devices and classes; None where no class has any.

    A device of whose DNS nothing is known is taken to ask for what others do with that service at
    that pool. So classes are compared with it, too.
    """
    some = [one for one in devices if sum(one.values())]
    shares = [_with_domains(_names(one, {})) for one in classes]
    kept = sorted({one for own in shares for one in _most(own)})
    if not kept:
        return None
    elsewhere = _by_pair(some)
    whole: Shares = defaultdict(float)
    for one in some:
        for asked, share in _with_domains(_names(one, elsewhere)).items():
            whole[asked] += share / len(some)
    row = {one: place for place, one in enumerate(kept)}
    other_name, other_domain = _others(some)
    return NameShares(
        np.array([given.services.index(service) for service, _ in kept], np.int32),
        tuple(text for _, text in kept),
        np.array([row.get(_wider(one), row[one]) for one in kept], np.int32),
        np.array([whole[one] for one in kept]),
        np.array([[own.get(one, 0.0) for one in kept] for own in shares]),
        _named(given, classes),
        other_name,
        other_domain,
    )


def _wider(asked: Asked) -> Asked:
    """A name's domain; a domain, and a name without one, is itself."""
    service, text = asked
    registered = "" if text.startswith(IN_DOMAIN) else domain(text)
    return (service, IN_DOMAIN + registered) if registered else asked


def _names(device: Pairs, elsewhere: Mapping[Pair, Shares]) -> Shares:
    """The names that a device asks for. Sessions of a pair that have none are taken for those that
    have one; where none has, for those of the devices ``elsewhere``."""
    total = sum(device.values())
    found: Shares = defaultdict(float)
    for pair, number in pairs_only(device).items():
        own = {text: n for (*at, text), n in device.items() if text and tuple(at) == pair}
        some: Mapping[Asked, float] = elsewhere.get(pair, {})
        if own:
            some = {(pair[0], text): n / sum(own.values()) for text, n in own.items()}
        for asked, share in some.items():
            found[asked] += share * number / total
    return found


def _by_pair(devices: Iterable[Pairs]) -> dict[Pair, Shares]:
    """What devices with names ask for at each pair, as shares of their sessions there; each device
    counts by its share of such sessions."""
    found: dict[Pair, Shares] = defaultdict(lambda: defaultdict(float))
    weight: dict[Pair, float] = defaultdict(float)
    for device in devices:
        total, number = sum(device.values()), pairs_only(device)
        own: Counter[Pair] = Counter()
        for (service, pool, text), sessions in device.items():
            own[service, pool] += sessions if text else 0
        for (service, pool, text), sessions in device.items():
            if text:
                pair = service, pool
                found[pair][service, text] += number[pair] / total * sessions / own[pair]
        for pair, some in own.items():
            weight[pair] += number[pair] / total if some else 0
    return {
        pair: {asked: share / weight[pair] for asked, share in shares.items()}
        for pair, shares in found.items()
    }


def _with_domains(names: Shares) -> Shares:
    """Names, and their domains."""
    found = names.copy()
    for asked, share in names.items():
        if (wider := _wider(asked)) != asked:
            found[wider] = found.get(wider, 0) + share
    return found


def _most(shares: Shares) -> list[Asked]:
    """The most frequent names, and the most frequent domains."""
    ranked = sorted(shares, key=lambda asked: (-shares[asked], asked))
    names = [asked for asked in ranked if not asked[1].startswith(IN_DOMAIN)]
    domains = [asked for asked in ranked if asked[1].startswith(IN_DOMAIN)]
    return names[:MOST] + domains[:MOST]


def _named(given: Background, classes: Sequence[Pairs]) -> np.ndarray:
    """The sessions with a name by class and pair of the background, float64 [K, R]."""
    services, pools = given.service.tolist(), given.pool.tolist()
    row = {
        (given.services[service], given.pools[pool]): place
        for place, (service, pool) in enumerate(zip(services, pools, strict=True))
    }
    found = np.zeros((len(classes), len(row)))
    for own, device in zip(found, classes, strict=True):
        for (service, pool, text), sessions in device.items():
            own[row[service, pool]] += sessions if text else 0
    return found


def _others(devices: Sequence[Pairs]) -> tuple[float, float]:
    """How often a device asks for what nobody else does: see NameShares. Half a device that always
    does so, and half a one that never does, are added."""
    each = [_names(one, {}) for one in devices]
    each = [one for one in each if one]
    users = Counter(asked for one in each for asked in _with_domains(one))
    names, domains = [0.5], [0.5]
    for one in each:
        other_domain = sum(share for asked, share in one.items() if users[_wider(asked)] == 1)
        other_name = sum(share for asked, share in one.items() if users[asked] == 1) - other_domain
        rest = sum(one.values()) - other_domain
        domains.append(other_domain / sum(one.values()))
        names += [other_name / rest] if rest > 0 else []
    return float(np.mean(names)), float(np.mean(domains))
