"""An outage of the DHCP server (RFC 2131): hosts ask again, then lose their address."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain, repeat

import numpy as np

from nba_broker.records.ports import port_code
from nba_broker.records.times import DAY, HOUR
from training.data.disturbances.traffic import (
    BROADCAST,
    GATEWAY,
    MINUTE,
    Traffic,
    more,
    with_pools,
)
from training.data.labelled_sessions import LabelledSessions

_SERVER = port_code(67, "udp")
_LEASE = DAY
"""Seconds, of a host that was never seen to renew; common in home routers. No lease is longer."""

_RENEWALS = 4  # whose times tell the length of a lease
_IDLE = 60.0  # seconds after which Zeek takes a UDP packet for a new session


@dataclass(frozen=True, slots=True)
class _Lease:
    """Times of a host's lease, in seconds: the host asks its server from ``renew`` on, any server
    from ``rebind`` on, and has no address from ``expiry`` on (RFC 2131, 4.4.5)."""

    renew: float
    rebind: float
    expiry: float


def dhcp_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """No DHCP server answers for ``hours`` from noon on.

    A host renews at half of its lease, which is twice the median time between its renewals, if four
    are there, and a day otherwise. When it last did so before noon is drawn, if no session tells.
    From the end of its lease, or from when it asks by broadcast, it has no address: only its
    sessions to multicast groups stay, from a link-local one (RFC 3927). It has an address again
    when it asks after the outage.
    """
    sessions = with_pools(traffic.sessions, GATEWAY, BROADCAST)
    to_group = traffic.to(lambda pool: pool.startswith("mcast:"))
    to_all = traffic.to(lambda pool: pool.startswith("bcast"))
    asks = sessions.dport == _SERVER
    kept = np.ones(len(sessions), bool)
    added = []
    for device in np.unique(sessions.series).tolist():
        begin, phase = float(traffic.noon[device]), float(draw.random())
        if not begin <= traffic.until[device]:
            continue
        rows = np.flatnonzero(sessions.series == device)
        ts, end = sessions.ts[rows], begin + hours * HOUR
        broadcast = asks[rows] & to_all[rows]
        renewals = rows[asks[rows] & ~broadcast]
        lease = _lease(sessions.ts[renewals], begin, phase)
        boots = ts[broadcast & (ts >= begin) & (ts < end)]
        expiry = min([lease.expiry, *boots.tolist()])
        requests = _requests(lease, begin, min(end, expiry))
        discovers, back = np.zeros(0), expiry
        if expiry < end:
            discovers, back = _discovers(expiry, end)
        kept[rows] = ~(asks[rows] & (ts >= begin) & (ts < end))
        kept[rows] &= (ts < expiry) | (ts >= back) | to_group[rows]
        server = sessions.table[sessions.pool[renewals[-1]]] if len(renewals) else GATEWAY
        asked = np.concatenate([requests, discovers])
        asked = asked[asked <= traffic.until[device]]
        names = np.where(asked < lease.rebind, server, BROADCAST)
        names[asked >= expiry] = BROADCAST
        added.append(_to_servers(sessions, device, asked, names))
    stays = sessions.select(kept)
    for one in added:
        stays = more(stays, one)
    return stays


def _lease(renewals: np.ndarray, begin: float, phase: float) -> _Lease:
    """The lease of a host that renewed at these times, and before ``begin`` at last; phase: how far
    it then was, 0 to 1, if no session tells."""
    length = _LEASE
    if len(renewals) >= _RENEWALS:
        length = min(max(2 * float(np.median(np.diff(renewals))), 2 * MINUTE), _LEASE)
    before = renewals[renewals < begin]
    if len(before) and begin - before[-1] <= length / 2:
        renewed = float(before[-1])
    else:
        renewed = begin - phase * length / 2
    return _Lease(renewed + length / 2, renewed + 0.875 * length, renewed + length)


def _requests(lease: _Lease, begin: float, end: float) -> np.ndarray:
    """When a host asks for more time: after half of the time that is left, a minute at least."""
    found = []
    for at, until in ((lease.renew, lease.rebind), (lease.rebind, lease.expiry)):
        while at < until:
            found.append(at)
            at += max((until - at) / 2, MINUTE)
    times = np.array(found)
    return times[(times >= begin) & (times < end)]


def _discovers(expiry: float, end: float) -> tuple[np.ndarray, float]:
    """The sessions of a host that has no address, and when it is answered, from ``end`` on.

    It asks again after 4, 8, 16, 32 and then every 64 s (RFC 2131, 4.1), always from port 68 to
    port 67, so that Zeek reports a session only after a pause. Hosts that ask at the same time
    share a session; here each has its own, which is worse for them.
    """
    found = [expiry]
    last = at = expiry
    for at in accumulate(chain((4.0, 8.0, 16.0, 32.0), repeat(64.0)), initial=expiry):
        if at - last > _IDLE:
            found.append(at)
        last = at
        if at >= end:
            break
    return np.array(found), at


def _to_servers(
    sessions: LabelledSessions, device: int, ts: np.ndarray, names: np.ndarray
) -> LabelledSessions:
    """Sessions of a device to DHCP servers at these times, in pools with these names, both [m]."""
    number = {name: place for place, name in enumerate(sessions.table)}
    return LabelledSessions(
        ts=ts,
        series=np.full(len(ts), device, sessions.series.dtype),
        pool=np.array([number[name] for name in names.tolist()], sessions.pool.dtype),
        dport=np.full(len(ts), _SERVER, sessions.dport.dtype),
        labels=sessions.labels,
        table=sessions.table,
    )
