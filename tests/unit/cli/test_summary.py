"""Once a day unknown hosts are summed up: how many of what kind, whatever the batches were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.sessions import Lease, Sessions, part_of
from nba_broker.records.verdicts import HostGroup, UnknownHosts
from nba_broker.verdicts import groups
from nba_broker.verdicts.states import UNKNOWN
from tests.unit.helpers import LAMP_CLOUD, MAC, host, pipeline, sessions

DAY = 86_400.0
NOWHERE, NEIGHBOUR = "9.9.9.9", "192.168.1.77"

Model = Callable[..., Path]


def stranger_to_all(model: Path) -> Pipeline:
    """A pipeline that takes hosts without a session to as:1 or as:2 for unknown."""
    return pipeline(model)


def strangers(*numbers: int, dst: str = NOWHERE, start: float = 1000.0) -> list:
    return [row for n in numbers for row in host(n, times=start + np.arange(40.0) * 9, dst=dst)]


def in_order(rows: list) -> Sessions:
    return sessions(sorted(rows))


def day(ts: float) -> list:
    """A session at this time, of a host that is no stranger."""
    return host(200, times=[ts], dst=LAMP_CLOUD)


def summaries(pipe: Pipeline) -> list[UnknownHosts]:
    found = list(pipe.summaries)
    pipe.summaries.clear()
    return found


def test_the_days_unknown_hosts_are_summed_up_by_kind_as_it_ends(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    rows = strangers(5, 6, 7, 8) + strangers(9, dst=NEIGHBOUR)
    pipe.process(in_order([*rows, *day(DAY - 1)]))
    assert summaries(pipe) == []
    pipe.process(sessions(day(DAY + 5)))
    (found,) = summaries(pipe)
    addresses = ("192.168.1.5", "192.168.1.6", "192.168.1.7")
    assert found == UnknownHosts(
        DAY,
        5,
        (
            HostGroup(4, addresses, "", "none 443/tcp 100 %"),
            HostGroup(1, ("192.168.1.9",), "", "lan 443/tcp 100 %"),
        ),
    )
    assert found.kinds == (
        "4 (192.168.1.5, 192.168.1.6, 192.168.1.7, ...), mostly none 443/tcp 100 %",
        "1 (192.168.1.9), mostly lan 443/tcp 100 %",
    )


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_summary_does_not_depend_on_the_batches(model_folder: Model, size: int) -> None:
    pipe = stranger_to_all(model_folder())
    rows = strangers(5, 6) + day(DAY - 1) + strangers(7, start=DAY + 1)
    everything = in_order(rows)
    for at in range(0, len(everything), size):
        pipe.process(part_of(everything, at, at + size))
    assert [one.hosts for one in summaries(pipe)] == [2]


def test_hosts_that_were_silent_for_the_day_are_not_in_its_summary(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    rows = strangers(5) + strangers(6, start=DAY + 1000)
    pipe.process(in_order([*rows, *day(2 * DAY + 1)]))
    assert [(one.ts, one.hosts) for one in summaries(pipe)] == [(DAY, 1), (2 * DAY, 1)]


def test_ignored_hosts_are_not_in_a_summary(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    pipe.process(in_order(strangers(5, 6)))
    (slot,) = pipe.identity.present(["192.168.1.5"], [MAC.format(5)])
    pipe.decider.ignore(slot, until=2 * DAY)
    assert pipe.unknown_hosts().hosts == 1


def test_a_clock_that_was_wrong_by_years_ends_no_summaries(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    pipe.process(sessions(day(1e6 * DAY)))
    pipe.process(in_order(strangers(5)))
    pipe.process(sessions(day(DAY + 1)))
    assert [(one.ts, one.hosts) for one in summaries(pipe)] == [(DAY, 1)]


def test_without_unknown_hosts_there_are_no_kinds(model_folder: Model) -> None:
    assert stranger_to_all(model_folder()).unknown_hosts(0.0) == UnknownHosts(0.0, 0, ())


def unknown(model: Path, count: int) -> Pipeline:
    """A pipeline with so many unknown hosts, all with destinations of their own."""
    pipe = pipeline(model)
    rows = [row for n in range(count) for row in host(n, times=[1.0 + n], dst=f"{n % 200}.9.9.9")]
    pipe.process(sessions(rows))
    pipe.decider.columns["state"][:count] = UNKNOWN
    return pipe


def test_the_rest_of_many_kinds_is_counted(model_folder: Model) -> None:
    pipe = unknown(model_folder(), 20)
    for slot in range(20):
        pipe.windows.columns["ring"]["dport"][slot, 0] = slot
    found = pipe.unknown_hosts(100.0)
    assert found.hosts == 20
    assert len(found.kinds) == 16
    assert found.kinds[-1] == "5 of 5 other kinds"


def test_of_too_many_hosts_the_latest_are_compared(
    model_folder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "COMPARED", 3)
    found = unknown(model_folder(), 9).unknown_hosts(100.0)
    assert found.hosts == 9
    assert "192.168.1.8" in found.kinds[0]
    assert "192.168.1.1," not in found.kinds[0]
    assert found.kinds[-1] == "6 idle for longer, which were not compared"


def test_the_organisation_of_a_pool_and_the_maker_of_a_kind_are_named(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    rows = [replace_mac(row, "00:00:0c:00:00:05") for row in host(5, times=[1.0], dst=LAMP_CLOUD)]
    pipe.process(sessions(rows))
    pipe.decider.columns["state"][0] = UNKNOWN
    assert pipe.unknown_hosts(9.0).kinds == (
        "1 (192.168.1.5) by Cisco Systems, Inc, mostly as:1 (Organisation 1) 443/tcp 100 %",
    )


def test_what_most_hosts_of_a_kind_may_be_is_said(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    pipe.process(in_order(strangers(5, 6, 7)))
    for number, name in ((5, "HS110"), (6, "HS100"), (7, "lamp")):
        pipe.identity.lease(Lease(1.0, f"192.168.1.{number}", MAC.format(number), name))
    assert " [plug? TP-Link], mostly" in pipe.unknown_hosts().kinds[0]
    pipe.identity.lease(Lease(2.0, "192.168.1.6", MAC.format(6), "lamp"))
    assert "), mostly" in pipe.unknown_hosts().kinds[0]


def replace_mac(row: tuple, mac: str) -> tuple:
    return (row[0], row[1], mac, row[3])


def test_a_host_is_named_as_in_its_last_line_where_that_is_given(model_folder: Model) -> None:
    pipe = stranger_to_all(model_folder())
    logged = {verdict.mac: verdict.host for verdict in pipe.process(in_order(strangers(5, 6)))}
    moved = [(2000.0, "192.168.1.99", MAC.format(5), NOWHERE)]
    assert list(pipe.process(sessions(moved))) == []
    assert "(192.168.1.99, 192.168.1.6)" in pipe.unknown_hosts().kinds[0]
    assert "(192.168.1.5, 192.168.1.6)" in pipe.unknown_hosts(logged=logged).kinds[0]
    assert (
        "(192.168.1.99, 192.168.1.6)"
        in pipe.unknown_hosts(logged={MAC.format(6): "192.168.1.6"}).kinds[0]
    )
