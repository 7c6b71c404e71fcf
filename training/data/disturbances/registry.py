"""Every disturbance by its name."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from training.data.disturbances.dhcp import dhcp_down
from training.data.disturbances.network import (
    cloud_moved,
    gateway_resolver,
    mixed,
    probed,
    public_resolver,
)
from training.data.disturbances.outages import dns_down, internet_down, ntp_down, server_lost
from training.data.disturbances.sensor import clock_ahead, lost, twice
from training.data.disturbances.traffic import Traffic
from training.data.labelled_sessions import LabelledSessions

_HOURS = (1, 6, 24)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Makes the disturbed sessions. random: whether they depend on the generator."""

    make: Callable[[Traffic, np.random.Generator], LabelledSessions]
    random: bool = False


DISTURBANCES: dict[str, Disturbance] = {
    **{f"internet-down-{n}h": Disturbance(partial(internet_down, hours=n)) for n in _HOURS},
    **{f"dns-down-{n}h": Disturbance(partial(dns_down, hours=n)) for n in _HOURS},
    **{f"dhcp-down-{n}h": Disturbance(partial(dhcp_down, hours=n), True) for n in _HOURS},
    **{f"ntp-down-{n}h": Disturbance(partial(ntp_down, hours=n)) for n in _HOURS},
    "server-lost": Disturbance(server_lost),
    "cloud-moved-half": Disturbance(partial(cloud_moved, share=0.5), True),
    "cloud-moved-all": Disturbance(partial(cloud_moved, share=1.0)),
    "resolver-public": Disturbance(public_resolver),
    "resolver-gateway": Disturbance(gateway_resolver),
    "probed": Disturbance(probed, True),
    "mixed-6h": Disturbance(partial(mixed, hours=6)),
    "twice": Disturbance(twice),
    **{f"lost-{n}%": Disturbance(partial(lost, share=n / 100), True) for n in (10, 30, 50)},
    "clock-ahead-6h": Disturbance(partial(clock_ahead, hours=6)),
}
"""Every disturbance by its name."""


def disturbed(traffic: Traffic, name: str, seed: int) -> LabelledSessions:
    """The sessions under the disturbance ``name``, in time order.

    A pure function: the same traffic and seed give the same sessions, and the traffic stays as it
    is. Sessions before the judged part of their device stay, too. Its labels and hosts are those of
    the traffic, and pools are only added to the table, so that the result may also be trained on.
    """
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return DISTURBANCES[name].make(traffic, draw)
