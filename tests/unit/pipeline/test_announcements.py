"""What hosts announce, and the ports that others ask for, among the reasons of their hints."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.announcements import Announcement
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease, Sessions, concatenate, take
from nba_broker.records.verdicts import Verdict
from nba_broker.wire.reorder import Reorder
from tests.unit.helpers import LAMP_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]

NOBODY = "9.9.9.9"  # in no class's pools: the hosts stay without a name
BRIDGE = "192.168.1.7"
HUE = ("hub? Philips Hue", "mDNS _hue._tcp")


def traffic() -> Sessions:
    """Two unknown hosts, and three that ask one of them for a printer's port."""
    times = [1.0 + 9 * n for n in range(60)]
    usual = sessions([*host(7, times=times, dst=NOBODY), *host(8, times=times, dst=NOBODY)])
    asks = sessions(
        [row for n in (1, 2, 3) for row in host(n, times=[200.0 + n], dst="192.168.1.8")]
    )
    asks = replace(asks, dport=np.full(len(asks), port_code(9100, "tcp"), np.int32))
    table = concatenate([usual, asks])
    return take(table, np.argsort(table.ts, kind="stable"))


SAID = [
    Announcement(1.0, BRIDGE, "_hue._tcp"),
    Announcement(50.0, "192.168.1.8", "_ipp._tcp"),
    Announcement(300.5, BRIDGE, "md=BSB002"),
    Announcement(2.0, "192.168.1.99", "_ipp._tcp"),  # nobody's
]


def whole(made: Pipeline, said: Sequence[Announcement] = SAID) -> list[Verdict]:
    made.announce(said)
    return made.process(traffic()) + made.finish()


def latest(verdicts: Sequence[Verdict], address: str) -> tuple[str, ...]:
    return next(one.hint.texts for one in reversed(verdicts) if one.host == address)


def test_lines_have_what_hosts_announced_before_as_reasons(model_folder: ModelFolder) -> None:
    verdicts = whole(pipeline(model_folder()))
    assert latest(verdicts, BRIDGE) == HUE
    first = next(one for one in verdicts if one.host == BRIDGE)
    assert (first.ts, first.hint.texts) == (1.0, ())
    assert latest(verdicts, "192.168.1.8") == ()  # anybody may share a printer


def test_the_present_lines_have_all_of_it(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    whole(made)
    present = list(made.standing())
    assert latest(present, BRIDGE) == (*HUE, "mDNS md=BSB002")
    assert latest(present, "192.168.1.8") == ("printer?", "mDNS _ipp._tcp", "listens at 9100/tcp")


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_those_of_the_whole_however_sessions_are_cut(
    model_folder: ModelFolder, seed: int
) -> None:
    rng, table = random.Random(seed), traffic()
    expected = whole(pipeline(model_folder()))
    made = pipeline(model_folder(), reorder=Reorder())
    found: list[Verdict] = []
    edges = sorted(rng.uniform(0, 600) for _ in range(30))
    for since, until in zip([0.0, *edges], [*edges, 700.0], strict=True):
        made.announce([one for one in SAID if since <= one.ts < until], "n0")
        batch = take(table, np.flatnonzero((table.ts >= since) & (table.ts < until)))
        found += made.push("n0", until, batch, until)
    assert found + made.finish() == expected


def test_an_announcement_is_of_the_host_that_has_the_address_then(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    rows = [(1.0, BRIDGE, MAC.format(7), NOBODY), (5.0, "192.168.1.6", MAC.format(7), NOBODY)]
    made.lease(Lease(6.0, BRIDGE, MAC.format(4), ""))
    made.announce([Announcement(5.5, BRIDGE, "_hue._tcp"), Announcement(9.0, BRIDGE, "_ipp._tcp")])
    made.process(sessions([*rows, (8.0, BRIDGE, MAC.format(4), NOBODY)]))
    made.finish()
    slots = {made.identity.mac(slot): slot for slot in range(made.identity.capacity)}
    assert made.facts(slots[MAC.format(7)]).services == ("_hue._tcp",)
    assert made.facts(slots[MAC.format(4)]).services == ("_ipp._tcp",)


def test_an_announcement_of_a_clock_years_ahead_counts_at_once(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), reorder=Reorder(hold=0, settle=0))
    made.push("n0", 2.0, sessions(host(7, times=[1.0], dst=NOBODY)), 0.0)
    made.announce([Announcement(1e9, BRIDGE, "_hue._tcp")], "n0")
    made.push("n0", 9.0, sessions(host(7, times=[8.0], dst=NOBODY)), 7.0)
    (slot,) = made.identity.present([BRIDGE], [MAC.format(7)])
    assert made.facts(slot).services == ("_hue._tcp",)


def test_a_host_that_leaves_takes_its_facts_along(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), max_hosts=2)
    made.announce([Announcement(1.0, BRIDGE, "_hue._tcp")])
    made.process(sessions(host(7, times=[1.0], dst=NOBODY)))
    rows = [row for n in range(20, 30) for row in host(n, times=[float(n)], dst=LAMP_CLOUD)]
    made.process(sessions(rows))
    assert made.counters.evicted
    assert made.announced.all() == {}
