"""A host's verdicts and the destinations in their evidence, by name or pool, over time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nba_broker.records.evidence import Attended, Destination, Surprising
from nba_broker.records.site_spans import SiteSpan
from nba_broker.records.verdicts import Row

WIDTH = 1000
LEFT = 220
"""Where the time axis begins; the names of destinations are to the left of it."""

_RIGHT = 16
_TOP = 44
_LANE = 26
_LANES = 12
_MARKS = 400
_SHADES = 50
_STEPS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 4 * 86400, 7 * 86400,
          14 * 86400, 30 * 86400, 90 * 86400, 365 * 86400)  # fmt: skip
_TICKS = 8
_UNUSUAL = 20.0  # nats from which a surprise is drawn at full size


@dataclass(frozen=True, slots=True)
class Mark:
    """A destination's place, and its size in pixels."""

    x: float
    y: float
    size: float
    destination: Destination


@dataclass(frozen=True, slots=True)
class Band:
    """A period in one state."""

    x: float
    width: float
    verdict: Row


@dataclass(frozen=True, slots=True)
class Shade:
    """The time of an event of the whole site."""

    x: float
    width: float
    span: SiteSpan


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture; all lengths are in its own pixels, WIDTH wide."""

    height: int = 0
    lanes: list[tuple[float, str, str]] = field(default_factory=list)
    """Each lane's y, name or else pool, and organisation."""
    ticks: list[tuple[float, str]] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    shades: list[Shade] = field(default_factory=list)


def lay_out(
    verdicts: Sequence[Row],
    found: Sequence[Destination],
    until: float,
    events: Sequence[SiteSpan] = (),
) -> Timeline:
    """The picture of a host's verdicts and destinations, each in the order of time; ``until`` is
    when the log ends. Events of the site are drawn as far as they are in that time."""
    if not verdicts:
        return Timeline()
    # A replay may end before the times in its evidence do.
    begin = min([verdicts[0].first_seen or verdicts[0].ts, *(one.ts for one in found)])
    end = max([until, verdicts[-1].ts, begin + 60, *(one.ts for one in found)])

    def x(ts: float) -> float:
        share = (min(max(ts, begin), end) - begin) / (end - begin)
        return round(LEFT + share * (WIDTH - LEFT - _RIGHT), 1)

    weight: dict[str, float] = defaultdict(float)
    behind: dict[str, str] = {}
    for one in found:
        weight[_lane(one)] += _share(one)
        behind.setdefault(_lane(one), one.organisation)
    every = sorted(weight, key=lambda name: (-weight[name], name))
    shown = every if len(every) <= _LANES else every[: _LANES - 1]
    lane = {name: number for number, name in enumerate(shown)}
    lanes = [(_y(number), name, behind[name]) for name, number in lane.items()]
    if len(every) > len(shown):
        lanes.append((_y(len(shown)), f"{len(every) - len(shown)} other destinations", ""))
    return Timeline(
        height=_TOP + _LANE * len(lanes) + 30,
        lanes=lanes,
        ticks=[(x(ts), text) for ts, text in _ticks(begin, end)],
        bands=_bands(verdicts, end, x),
        marks=[
            Mark(x(one.ts), _y(lane.get(_lane(one), len(shown))), _size(one), one)
            for one in found[-_MARKS:]
        ],
        shades=_shades(events, begin, end, x),
    )


def _lane(one: Destination) -> str:
    """What a destination is listed by."""
    return one.name or one.pool


def _y(lane: int) -> float:
    return _TOP + _LANE * (lane + 0.5)


def _share(one: Destination) -> float:
    """How much a destination counts, 0 to 1 mostly."""
    if isinstance(one, Attended):
        return one.weight
    return one.surprise / _UNUSUAL if isinstance(one, Surprising) else 0.0


def _size(one: Destination) -> float:
    """A radius whose area is the share."""
    return round(2.5 + 8 * math.sqrt(min(max(_share(one), 0.0), 1.0)), 1)


def _bands(verdicts: Sequence[Row], end: float, x: Callable[[float], float]) -> list[Band]:
    begun = [verdicts[0]]
    for verdict in verdicts[1:]:
        last = begun[-1]
        if (verdict.state, verdict.device) != (last.state, last.device):
            begun.append(verdict)
    ends = [verdict.ts for verdict in begun[1:]] + [end]
    return [
        Band(x(one.ts), round(max(x(stop) - x(one.ts), 1.5), 1), one)
        for one, stop in zip(begun, ends, strict=True)
    ]


def _shades(
    events: Sequence[SiteSpan], begin: float, end: float, x: Callable[[float], float]
) -> list[Shade]:
    found = []
    for one in events:
        stop = end if one.until is None else one.until
        if one.event.since <= end and stop >= begin:
            left, right = x(one.event.since), x(stop)
            found.append(Shade(left, round(max(right - left, 1.5), 1), one))
    return found[-_SHADES:]


def _ticks(begin: float, end: float) -> list[tuple[float, str]]:
    step = next((step for step in _STEPS if (end - begin) / step <= _TICKS), _STEPS[-1])
    form = "%m-%d" if step >= 86400 else "%m-%d %H:%M"
    years = {datetime.fromtimestamp(ts, UTC).year for ts in (begin, end)}
    form = form if len(years) == 1 else f"%Y-{form}"
    first = math.ceil(begin / step) * step
    times = [first + step * number for number in range(int((end - first) // step) + 1)]
    return [(ts, datetime.fromtimestamp(ts, UTC).strftime(form)) for ts in times[: 4 * _TICKS]]
