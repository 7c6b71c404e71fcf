"""The settings of what is found out about a site as a whole, each with its unit and how it was
chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """When many hosts that change at once are one event of the site.

    Ticks of ten minutes count if any host has a session in them. The values were
    chosen on the LSIF traffic before 2019-07-06, as it is and under the disturbances of
    ``nba-train stress``, and on made-up traffic.
    """

    learning: float = 259_200.0
    """Seconds after a host's first session in which it shows no sign: three days, as for the host
    baseline. A capture or a new site has no site events before."""

    least_ticks: int = 144
    """Ticks after a host's first session in which it shows no sign either: a day of them, so that
    levels are of many ticks even if the sensor was away. With half of them, Sentinel's recordings
    of different weeks looked like an outage."""

    rate: float = 1 / 1008
    """Share of ticks in which a measure of a host exceeds its level: once a week of the ticks in
    which the host talks."""

    beyond: float = 2.0
    """Times its level above which a measure is a sign."""

    slowest: float = 18.0
    """Ticks: a host that is usually silent towards the Internet for longer, three hours, is not
    asked whether it is silent for too long."""

    least_hosts: int = 3
    """Hosts that must show a sign: two may be of one maker."""

    share: float = 0.6
    """Share that these hosts must have of the hosts whose latest sessions tell either way."""

    together: int = 6
    """Ticks within which signs belong together: an hour. Devices notice an outage when they next
    need what is gone."""

    roll_out: int = 36
    """Ticks within which hosts begin to use another resolver: six hours, as they renew their
    leases."""

    usual_after: float = 86_400.0
    """Seconds after which a new resolver is usual. A day, as for a new pair of the host
    baseline."""
