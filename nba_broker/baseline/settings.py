"""The settings of the host baseline, each with its unit and how it was chosen."""

from __future__ import annotations

from dataclasses import dataclass

OLDEST_PAIR = 0x7F
"""Hours: the age of a pair is counted up to this many, in seven bits."""


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """When surprise is an alarm, and how long a host's past counts.

    Times are hours of event time; surprise is in nats. All values were chosen with ``nba-train
    alarms`` on the LSIF traffic before 2019-07-09 and the first half of each FIT device's time, see
    docs/alarms.md; ``table_size`` and ``new_pairs`` bound the memory, too. Raises ValueError where
    ``probation`` is longer than the age of a pair is counted.
    """

    threshold: float = 16.0
    """Nats: the CUSUM at which an alarm is raised; chosen for few alarms on those days. ``nba-train
    alarms --threshold`` compares others."""

    drift: float = 0.5
    """Nats per hour: surprise that the CUSUM lets pass in every hour, beside the host's mean and
    standard deviation."""

    warm_up: float = 6.0
    """Hours after a host's first session in which new pairs are not counted as new: everything is
    new then, which says nothing about how often new pairs come later."""

    learning: float = 72.0
    """Hours after a host's first session in which no session counts as surprising: three days in
    which its baseline is only learned."""

    half_weight_age: float = 48.0
    """Hours: the age of a host at which its surprise counts half. A young baseline is worth less;
    the weight is age / (age + half_weight_age)."""

    probation: float = 24.0
    """Hours after its first session in which a pair stays new and costs as much as at first; at
    most OLDEST_PAIR."""

    memory: float = 336.0
    """Hours: the time constant of forgetting, two weeks. An hour that long ago weighs 1/e."""

    longest_gap: float = 24.0
    """Hours: a longer gap between a host's sessions counts as this many, so that a host that was
    away neither forgets its baseline nor seems better known."""

    table_size: int = 44
    """Pairs in a host's table, with those that are new in the current hour; 1,247 bytes per host
    with everything."""

    new_pairs: int = 12
    """Places of the table that are for pairs new in the current hour: a scan cannot evict what
    the host usually does."""

    rare_share: float = 1 / 36
    """Share of hours below which a pair is too rare to have a rate of its own, and is scored as a
    new pair: less than once in one and a half days."""

    tolerance: float = 1.5
    """Nats of a pair in an hour that do not count: what happens in a fifth of the hours is no
    surprise."""

    volume_cap: float = 2.0
    """Nats at most, per hour, for the number of sessions to a pair that the host has a rate of:
    people use their devices more on some days."""

    mean_memory: float = 240.0
    """Hours: the time constant of the mean and variance of a host's hourly surprise, ten days."""

    hourly_cap: float = 3.0
    """Nats: what an hour adds at most to that mean, so that an attack does not raise it."""

    regular_share: float = 1 / 12
    """Share of a host's hours with a session from which a destination is regular: two hours a day.
    One of fewer would be missing only after weeks."""

    missing_memories: float = 100.0
    """Spans of the table (two weeks at most) in which a host that uses a destination by chance, as
    often as it does, is once as silent as one that is missing: the error rate of a line about it is
    1 in so many for each regular destination. Not tuned."""

    def __post_init__(self) -> None:
        if not self.probation <= OLDEST_PAIR:
            raise ValueError(f"probation must be at most {OLDEST_PAIR} hours")

    @property
    def lasting(self) -> int:
        """Pairs of a table that outlast the hour."""
        return self.table_size - self.new_pairs
