"""The pages: what the templates show of the logs and the annotations."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import shlex
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from nba_broker import __version__
from nba_broker.records.errors import ConfigError
from nba_broker.records.evidence import Attended, Destination, Surprising
from nba_broker.records.name_patterns import matches
from nba_broker.records.times import print_time
from nba_broker.records.verdicts import STATES, Row
from nba_broker.triage import evidence, filters, health, timeline
from nba_broker.triage.filters import Filters
from nba_broker.triage.health import Health
from nba_broker.triage.judge import Annotations, Judged, judge
from nba_broker.triage.site import Site
from nba_broker.triage.store import Host, Store

HISTORY = 200
"""Verdicts of a host that are shown, the latest."""

DETAILED = 100
"""Hosts of a static page that are shown in detail."""

ENDED = 86_400.0
"""Seconds without a line of any log after which the logs count as ended: no worker reads the
annotations. Sensors and worker write a line to nba_stats.log every few seconds."""

SHOWN_STATES = (
    "misbehaving",
    "impostor",
    "changed",
    "unknown",
    "ambiguous",
    "learning",
    "identified",
)
"""The states in the order in which a page shows them, what needs attention first."""

FOLDER = Path(__file__).parent
_UID = re.compile(r"[A-Za-z0-9]{1,64}")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "utc": lambda ts: _utc(ts, "%Y-%m-%d %H:%M:%S"),
        "short": lambda ts: _utc(ts, "%m-%d %H:%M"),
        "iso": lambda ts: _utc(ts, "%Y-%m-%dT%H:%M:%SZ"),
        "percent": lambda share: f"{100 * share:.0f}\u00a0%",
        "count": health.count,
        "span": health.span,
        "pieces": evidence.pieces,
        "brief": _brief,
        "part": lambda text: quote(text, safe=":"),
    }
    environment.tests["attended"] = lambda one: isinstance(one, Attended)
    environment.globals |= {
        "states": STATES,
        "shown_states": SHOWN_STATES,
        "version": __version__,
        "width": timeline.WIDTH,
        "left": timeline.LEFT,
    }
    return environment


def _parent(name: str) -> str:
    """What is above a name, "" where that is a top-level domain."""
    above = name.partition(".")[2]
    return above if "." in above else ""


def _utc(ts: float, form: str) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime(form) if ts > 0 else ""


def _brief(piece: tuple[str, Destination | None]) -> str:
    """A piece of evidence without its times."""
    text, found = piece
    if isinstance(found, Attended):
        return f"{found.place}, attention {100 * found.weight:.0f}\u00a0%"
    if isinstance(found, Surprising):
        return f"{found.place}, surprise {found.surprise:.1f}"
    return text


@dataclass(frozen=True, slots=True)
class Pages:
    """A list's place among the pages that it fills."""

    number: int
    first: int
    last: int
    total: int

    @classmethod
    def of(cls, total: int, number: int) -> Pages:
        """Page ``number``, or the last that there is."""
        number = max(1, min(number, -(-total // filters.PAGE)))
        first = (number - 1) * filters.PAGE
        return cls(number, first, min(first + filters.PAGE, total), total)


class Views:
    """The pages, each made anew for every request. pools: those of the site's overrides."""

    def __init__(self, folder: Path, annotations: Path | None, pools: Collection[str] = ()) -> None:
        if not folder.is_dir():
            raise ConfigError(
                f"{folder}: there is no such folder; give the one with nba_device.log"
            )
        if annotations and not annotations.parent.is_dir():
            raise ConfigError(f"{annotations}: there is no folder {annotations.parent}")
        self.folder = folder
        self.pools = pools
        self.store = Store(folder)
        self.site = Site(folder)
        self.annotations = Annotations(annotations)
        self._health = Health(folder)
        self._templates = _environment()

    def poll(self) -> None:
        """Read what is new in the logs and the annotations."""
        self.store.poll()
        self.site.poll()
        self.annotations.poll()

    @property
    def errors(self) -> list[str]:
        """Why logs could not be read, one text each."""
        return list(dict.fromkeys([*self.store.errors, *self.site.errors]))

    def first(self, wanted: Filters) -> str:
        """The first page: hosts that need attention, then the inventory."""
        passed, shown = self._hosts(wanted)
        pages = Pages.of(len(shown), wanted.page)
        return self._render(
            "list.html",
            filters=wanted,
            pages=pages,
            hosts=shown[pages.first : pages.last],
            **self._choices(wanted, passed),
        )

    def host(self, key: str, wanted: Filters, **more: Any) -> str | None:
        """A host's page, or None if there is no such host; ``more`` goes to the template."""
        host = self.store.find(key)
        if host is None:
            return None
        _, shown = self._hosts(wanted)
        place = next((at for at, one in enumerate(shown) if one.host is host), None)
        before = shown[place - 1] if place else None
        after = shown[place + 1] if place is not None and place + 1 < len(shown) else None
        names = self._names()
        details = self._details(self._judged([host])[0])
        given = {"done": "", "error": "", "values": {}, "token": "", "expires": self._month()}
        return self._render(
            "host.html",
            filters=wanted,
            before=before,
            after=after,
            devices=self.devices(),
            categories=sorted({category for _, category in names if category}),
            **details,
            **given | more,
        )

    def static(self, wanted: Filters, key: str = "") -> str:
        """A page that needs no other file: the hosts that pass the filters, or that of ``key``."""
        if key:
            host = self.store.find(key)
            passed = shown = self._judged([host] if host else [])
        else:
            wanted = replace(wanted, page=1)  # all are on this one
            passed, shown = self._hosts(wanted)
        urgent = [one for one in shown if one.attention] if len(shown) > DETAILED else shown
        style = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
        return self._render(
            "static.html",
            filters=wanted,
            hosts=shown,
            detailed=[self._details(one) for one in urgent[:DETAILED]],
            style=style,
            hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            made=time.time(),
            key=key,
            **self._choices(wanted, passed),
        )

    def message(self, text: str) -> str:
        """A page with a message only."""
        return self._render("message.html", text=text)

    def devices(self) -> list[str]:
        """The names of devices in the logs and the annotations."""
        return sorted({device for device, _ in self._names() if device})

    def _names(self) -> set[tuple[str, str]]:
        return self.annotations.names() | {(one.device, one.category) for one in self._latest()}

    def _latest(self) -> list[Row]:
        return [host.latest for host in self.store.hosts.values()]

    def _judged(self, hosts: Sequence[Host]) -> list[Judged]:
        return judge(hosts, self.annotations, self.store.newest)

    def shown(self, wanted: Filters) -> list[Judged]:
        """The hosts that pass the filters."""
        return self._hosts(wanted)[1]

    def _hosts(self, wanted: Filters) -> tuple[list[Judged], list[Judged]]:
        """The hosts that pass the filters, and of them those of the wanted states and view."""
        judged = self._judged(list(self.store.hosts.values()))
        passed = wanted.apply(judged, self.store.newest)
        return passed, wanted.view_of(passed)

    def _choices(self, wanted: Filters, passed: Sequence[Judged]) -> dict[str, Any]:
        """The choices of the filters."""
        latest = self._latest()
        try:
            wanted.begin(self.store.newest)
            complaint = ""
        except ValueError as error:
            complaint = str(error)
        of_state = [one for one in passed if not wanted.state or one.latest.state in wanted.state]
        urgent = sum(one.attention for one in of_state)
        return {
            "complaint": complaint,
            "counts": Counter(one.latest.state for one in passed),
            "views": {
                "all": len(of_state),
                "attention": urgent,
                "inventory": len(of_state) - urgent,
            },
            "devices": sorted({one.device for one in latest} - {""}),
            "categories": sorted({one.category for one in latest} - {""}),
            "vendors": sorted({one.vendor for one in latest} - {""}),
            "names": sorted({name for one in latest for name in one.evidence_name} - {""}),
        }

    def _details(self, one: Judged) -> dict[str, Any]:
        """What a host's page shows."""
        every = one.host.verdicts()
        verdicts = every[-HISTORY:]
        latest = verdicts[-1]
        found = evidence.destinations(verdicts)
        addresses: dict[str, list[float]] = {}
        for verdict in every:
            addresses.setdefault(verdict.host, [verdict.ts, verdict.ts])[1] = verdict.ts
        nearest = evidence.alternatives(latest)
        if latest.device:
            nearest.insert(0, (latest.device, min(max(latest.confidence, 0.0), 1.0), True))
        now = evidence.pieces(latest)
        uids = [uid for uid in latest.uids if _UID.fullmatch(uid)]
        pools = {one.pool for one in found} | {one.address for _, one in now if one}
        names = {one.name for one in found if one.name}
        return {
            "one": one,
            "latest": latest,
            "verdicts": verdicts[::-1],
            "left_out": len(every) - len(verdicts),
            "addresses": sorted(addresses.items(), key=lambda item: -item[1][1]),
            "nearest": nearest,
            "evidence": now,
            "pivot": self._pivot(uids) if uids else "",
            # An annotation at the verdict's own time would apply before it.
            "begin": print_time(math.floor(latest.ts) + 1),
            "picture": timeline.lay_out(verdicts, found, self.store.newest, self.site.spans),
            # The destinations are only in the text, which no code reads.
            "undrawn": not found and any(one.evidence and one.reason != "new" for one in verdicts),
            "annotations": self.annotations.about(latest)[::-1],
            "common": [
                one
                for one in self.annotations.about_all()
                if one.pool in pools or any(matches(one.name, name) for name in names)
            ],
            "pools": sorted(pools),
            "names": sorted(names | {f"*.{parent}" for parent in map(_parent, names) if parent}),
        }

    def _pivot(self, uids: Sequence[str]) -> str:
        """A command that finds sessions in all conn logs; it works in any folder."""
        # Links are followed, as zeekctl's logs/current is one.
        find = ["find", "-L", str(self.folder.absolute()), "-type", "f", "-name", "conn*"]
        grep = ["zgrep", "-h", *(x for uid in uids for x in ("-e", uid))]
        return shlex.join([*find, "-exec", *grep, "{}", "+"])

    def _month(self) -> str:
        """The day in thirty days, as a form has it."""
        return _utc(time.time() + 30 * 86_400, "%Y-%m-%d")

    def _render(self, template: str, **content: Any) -> str:
        store, now = self.store, time.time()
        strip = self._health.figures(now)
        events, more_events = self.site.recent(store.newest)
        return self._templates.get_template(template).render(
            folder=self.folder,
            total=len(store.hosts),
            newest=store.newest,
            lines=store.lines,
            unread=store.unread,
            damaged=store.damaged,
            errors=self.errors,
            events=events,
            more_events=more_events,
            annotations_file=self.annotations.path,
            annotations_error=self.annotations.error,
            strip=strip,
            ended=now - max(store.newest, self._health.newest) > ENDED,
            **content,
        )
