"""Only a lease that says something new cuts sessions, and hosts and verdicts are the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nba_broker.hosts.identity import Identity
from nba_broker.pipeline.tracker import Tracker
from nba_broker.records.names import Names, order, take
from nba_broker.records.sessions import Lease, Sessions
from tests.unit.helpers import LAMP_CLOUD, MAC, host, names, pipeline, sessions
from tests.unit.pipeline.test_live_offline import leases, traffic

ModelFolder = Callable[..., Path]

LAMP = Lease(0.5, "192.168.1.7", MAC.format(7), "lamp")


def lengths(table: Sessions, *lent: Lease) -> list[int]:
    """The numbers of sessions in the tracker's parts."""
    tracker = Tracker()
    for lease in lent:
        tracker.lease(lease)
    return [len(part.slot) for part in tracker.track(table)]


def test_a_lease_that_a_host_renews_ends_no_part() -> None:
    table = sessions(host(7, times=range(9), dst=LAMP_CLOUD))
    renewed = [replace(LAMP, ts=ts) for ts in (2.5, 3.0, 3.0, 7.5)]
    assert lengths(table, LAMP, *renewed) == [1, 8]


@pytest.mark.parametrize(
    "news",
    [
        {"hostname": "lens"},
        {"mac": MAC.format(8)},
        {"ip": "192.168.1.8"},
        {"vendor_class": "udhcp"},
        {"params": (1, 3)},
    ],
)
def test_a_lease_that_says_something_new_ends_a_part(news: dict[str, Any]) -> None:
    table = sessions(host(7, times=range(9), dst=LAMP_CLOUD))
    assert lengths(table, LAMP, replace(LAMP, ts=4.5, **news)) == [1, 4, 4]


def test_a_lease_without_a_hostname_is_renewed_too() -> None:
    table = sessions(host(7, times=range(9), dst=LAMP_CLOUD))
    nameless = replace(LAMP, hostname="")
    assert lengths(table, nameless, replace(nameless, ts=4.5)) == [1, 8]


def test_a_lease_renewed_after_another_host_took_its_address_ends_a_part() -> None:
    macs = [MAC.format(7), MAC.format(8), MAC.format(8), "", ""]
    rows = [(float(n), "192.168.1.7", mac, LAMP_CLOUD) for n, mac in enumerate(macs)]
    assert lengths(sessions(rows), LAMP, replace(LAMP, ts=2.5))[-1] == 2


def test_a_part_ends_before_a_hosts_first_mac_right_after_a_renewed_lease() -> None:
    rows = host(7, times=(0.0, 1.0), dst=LAMP_CLOUD)
    rows += [(2.0, "192.168.1.9", "", LAMP_CLOUD), (4.0, "192.168.1.9", MAC.format(9), LAMP_CLOUD)]
    assert lengths(sessions(rows), LAMP, replace(LAMP, ts=3.0)) == [1, 2, 1]


def renewing(rng: random.Random) -> list[Lease]:
    """Leases of which most are renewed, some several times."""
    first = leases(rng)
    more = [
        replace(one, ts=one.ts + rng.uniform(0, 200.0))
        for one in first
        for _ in range(rng.randrange(4))
    ]
    return sorted([*first, *more], key=lambda one: one.ts)


def questions(rng: random.Random, table: Sessions) -> Names:
    """Answers to hosts of these sessions, some at the time of a session."""
    rows = []
    for number in range(60):
        at = rng.randrange(len(table))
        ts = float(table.ts[at]) + rng.choice([0.0, 0.05])
        rows.append((ts, table.host[at], f"n{number}.example", LAMP_CLOUD))
    asked = names(rows)
    return take(asked, order(asked))


Row = tuple[int, str, str]


def tracked(
    table: Sessions, lent: list[Lease], asked: Names
) -> tuple[list[Row], list[object], int]:
    """Each session's slot, and each answer's before it; what ended after which session; and the
    number of parts."""
    tracker, found, ended, parts = Tracker(), list[Row](), list[object](), 0
    for lease in lent:
        tracker.lease(lease)
    tracker.askers.hear(asked)
    for part in tracker.track(table):
        parts += 1
        places, answers = part.answers.place.tolist(), part.answers
        for row, slot in enumerate([*part.slot.tolist(), None]):
            here = [at for at, place in enumerate(places) if place == row]
            found += [(int(answers.slot[at]), "answer", answers.names.name[at]) for at in here]
            if slot is not None:
                found.append((slot, part.sessions.host[row], part.sessions.uid[row]))
        if part.ended is not None:
            ended.append((len(found), part.ended))
            tracker.identity.release([part.ended.slot])
    return found, ended, parts


def cut_by_every_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Identity, "knows", lambda *_: False)


@pytest.mark.parametrize("seed", range(40))
def test_renewed_leases_change_no_host_of_a_session_or_an_answer(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    table, lent = traffic(rng), renewing(rng)
    asked = questions(rng, table)
    found, ended, parts = tracked(table, lent, asked)
    cut_by_every_lease(monkeypatch)
    expected, ended_then, parts_then = tracked(table, lent, asked)
    assert (found, ended) == (expected, ended_then)
    assert parts <= parts_then


@pytest.mark.parametrize("seed", range(20))
def test_renewed_leases_change_no_verdict(
    monkeypatch: pytest.MonkeyPatch, model_folder: ModelFolder, seed: int
) -> None:
    rng = random.Random(seed)
    table, lent = traffic(rng), renewing(rng)
    asked = questions(rng, table)

    def verdicts() -> list[object]:
        made = pipeline(model_folder())
        for lease in lent:
            made.lease(lease)
        return [*made.process(table, asked), *made.finish()]

    found = verdicts()
    cut_by_every_lease(monkeypatch)
    assert found == verdicts()
