"""Sessions in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.evidence import Attended, WindowExtent
from nba_broker.records.sessions import Lease, Sessions, take
from nba_broker.records.verdicts import Verdict
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]


def process(made: Pipeline, rows: list[tuple[float, str, str, str]]) -> list[Verdict]:
    return made.process(sessions(sorted(rows)))


def test_a_new_host_is_one_learning_line_with_its_first_session(model_folder: ModelFolder) -> None:
    (verdict,) = process(pipeline(model_folder()), host(7, times=[10.0, 11.0], dst=LAMP_CLOUD))
    assert (verdict.state, verdict.reason) == ("learning", "new")
    assert (verdict.ts, verdict.since, verdict.first_seen) == (10.0, 10.0, 10.0)
    assert (verdict.host, verdict.mac, verdict.sessions) == ("192.168.1.7", MAC.format(7), 1)
    assert verdict.uids == ("C0",)


def test_a_host_that_only_asks_for_a_lease_is_announced_when_it_has_an_address(
    model_folder: ModelFolder,
) -> None:
    rows = [(1.0, "0.0.0.0", MAC.format(7), "255.255.255.255")]
    made = pipeline(model_folder())
    assert process(made, rows) == []
    (verdict,) = process(made, host(7, times=[2.0], dst=LAMP_CLOUD))
    assert (verdict.ts, verdict.first_seen, verdict.sessions) == (2.0, 1.0, 2)


def test_an_identified_host_says_what_it_is_how_sure_and_why(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    times = [100.9 + second for second in range(10)]
    verdicts = process(made, host(7, times=times, dst=LAMP_CLOUD))
    (verdict,) = [v for v in verdicts if v.state == "identified"]
    assert (verdict.device, verdict.category, verdict.reason) == ("Lamp", "bulb", "change")
    assert verdict.confidence > 0.9
    assert [one.text for one in verdict.alternatives] == ["Lens=0.01"]
    assert verdict.sessions == 6  # min_sessions 4, stride 2, two windows must agree
    assert verdict.ts == 105.9
    assert verdict.evidence == (
        Attended(LAMP_CLOUD, 443, "tcp", "as:1", "Organisation 1", 105.0, "C5", 6, 1.0),
        WindowExtent(6, 100.0),
    )
    assert verdict.uids == ("C5",)
    assert verdict.model.startswith("votes-")
    assert verdict.worker == "w"


def test_a_host_without_a_device_has_hints_from_its_lease(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    made.lease(Lease(1.0, "192.168.1.7", MAC.format(7), "cam", vendor_class="MSFT 5.0"))
    times = [100.9 + second for second in range(10)]
    rows = [verdict.row() for verdict in process(made, host(7, times=times, dst=LAMP_CLOUD))]
    new, identified = rows[0], rows[-1]
    assert new.hints == ("pc? Windows", "vendor class MSFT 5.0")
    assert (new.hint_kind, new.hint_maker) == ("pc", "")
    assert identified.state == "identified"
    assert (identified.hints, identified.hint_kind) == ((), "")


def test_verdicts_do_not_depend_on_how_sessions_were_cut_into_batches(
    model_folder: ModelFolder,
) -> None:
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 1e5, 400))
    rows = [
        (float(ts), f"192.168.1.{n}", MAC.format(n) if rng.random() < 0.8 else "", dst)
        for ts, n, dst in zip(
            times,
            rng.integers(1, 5, 400).tolist(),
            rng.choice([LAMP_CLOUD, LENS_CLOUD, "192.168.1.1"], 400, p=[0.5, 0.3, 0.2]).tolist(),
            strict=True,
        )
    ]
    table = sessions(rows)
    whole = pipeline(model_folder()).process(table)
    made = pipeline(model_folder())
    parts: list[Verdict] = []
    for start in range(0, 400, 7):
        parts += made.process(take(table, np.arange(start, min(start + 7, 400))))
    assert parts == whole
    assert {v.state for v in whole} >= {"learning", "identified"}


def test_a_batch_that_is_larger_than_a_step_gives_the_same_verdicts(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sorted(
        host(1, times=list(range(50)), dst=LAMP_CLOUD)
        + host(2, times=[t + 0.5 for t in range(50)], dst=LENS_CLOUD)
    )
    whole = process(pipeline(model_folder()), rows)
    monkeypatch.setattr("nba_broker.pipeline.timeline._CHUNK", 16)
    assert process(pipeline(model_folder()), rows) == whole


def test_a_lease_gives_rows_without_mac_to_its_host_from_its_time_on(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    process(made, host(7, times=[1.0], dst=LAMP_CLOUD))
    made.lease(Lease(5.0, "192.168.1.50", MAC.format(7), "lamp"))
    rows = [(4.0, "192.168.1.50", "", LAMP_CLOUD), (6.0, "192.168.1.50", "", LAMP_CLOUD)]
    process(made, rows)
    # The stranger of second 4 had the address first and keeps what it did.
    assert made.hosts == 2


def test_the_longest_idle_hosts_leave_when_there_is_no_more_room(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), max_hosts=16)
    for number in range(20):
        process(made, host(number + 1, times=[float(number)], dst=LAMP_CLOUD))
    assert made.hosts <= 16
    assert made.counters.evicted == 20 - made.hosts
    (again,) = process(made, host(1, times=[100.0], dst=LAMP_CLOUD))
    assert (again.reason, again.sessions, again.first_seen) == ("new", 1, 100.0)
    assert process(made, host(20, times=[101.0], dst=LAMP_CLOUD)) == []


def test_a_host_that_is_active_does_not_leave_for_a_new_one(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), max_hosts=16)
    for number in range(16):
        process(made, host(number + 1, times=[float(number)], dst=LAMP_CLOUD))
    # The longest idle host comes back together with two new ones.
    rows = [row for n in (1, 30, 31) for row in host(n, times=[100.0], dst=LAMP_CLOUD)]
    assert [(v.host, v.sessions) for v in process(made, rows)] == [
        ("192.168.1.30", 1),
        ("192.168.1.31", 1),
    ]
    assert made.hosts == 16


def test_counters_add_up(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    verdicts = process(made, host(7, times=list(range(10)), dst=LAMP_CLOUD))
    assert made.counters.sessions == 10
    assert made.counters.scored == 4  # at sessions 4, 6, 8 and 10
    assert made.counters.verdicts == len(verdicts) == 2


def test_nodes_that_share_a_hosts_sessions_give_one_history(model_folder: ModelFolder) -> None:
    rows = host(7, times=list(range(10)), dst=LAMP_CLOUD)
    alone = process(pipeline(model_folder()), rows)
    made = pipeline(model_folder())
    split: list[Verdict] = []
    for number, row in enumerate(rows):
        # The second node is always a batch behind the first.
        node, clock = ("one", row[0]) if number % 2 == 0 else ("two", row[0] - 0.5)
        batch = sessions([row])
        batch.uid = [f"C{number}"]
        split += made.push(node, clock, batch, now=0.0)
    split += made.finish()
    assert split == alone


def test_reminders_follow_event_time(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), decision={"reminder": 3600})
    verdicts = process(made, host(7, times=[n * 600.0 for n in range(30)], dst=LAMP_CLOUD))
    reminders = [v for v in verdicts if v.reason == "reminder"]
    assert len(reminders) >= 3
    assert np.diff([v.ts for v in reminders]).min() >= 3600


ROUTER = "24:6f:28:d9:a7:64"


def behind_a_router(number: int, *, start: float = 0.0) -> list[tuple[float, str, str, str]]:
    """Three hosts in turn, one session every ten seconds, with the router's MAC."""
    return [
        (start + n * 10.0, f"192.168.1.{5 + n % 3}", ROUTER, (LAMP_CLOUD, LENS_CLOUD)[n % 3 == 1])
        for n in range(number)
    ]


def test_a_router_ends_as_one_line_and_its_hosts_begin_anew(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    verdicts = process(made, behind_a_router(40))
    first, line, *rest = verdicts
    assert (first.reason, first.mac, first.vendor) == ("new", ROUTER, "Espressif Inc.")
    assert (line.state, line.reason, line.previous) == ("learning", "change", "learning")
    assert (line.ts, line.since, line.mac, line.sessions) == (60.0, 60.0, ROUTER, 7)
    assert line.evidence[0].text.startswith("router: 192.168.1.")
    hosts = [v for v in rest if v.reason == "new"]
    assert [(v.host, v.mac, v.first_seen) for v in hosts] == [
        (f"192.168.1.{5 + n % 3}", "", n * 10.0) for n in (7, 8, 9)
    ]
    # None of what they did before counts, since it was taken for one host's.
    assert {v.device for v in rest if v.host == "192.168.1.5"} == {"", "Lamp"}
    assert {v.device for v in rest if v.host == "192.168.1.6"} == {"", "Lens"}
    assert made.hosts == 3


def test_a_router_is_found_however_sessions_were_cut_into_batches(
    model_folder: ModelFolder,
) -> None:
    table = sessions(
        sorted(behind_a_router(60) + host(99, times=[n * 7.0 for n in range(60)], dst=LAMP_CLOUD))
    )
    whole = pipeline(model_folder()).process(table)
    for size in (1, 2, 7):
        made = pipeline(model_folder())
        parts: list[Verdict] = []
        for start in range(0, len(table), size):
            parts += made.process(take(table, np.arange(start, min(start + size, len(table)))))
        assert parts == whole


def test_hosts_behind_a_router_do_not_take_more_room_than_there_is(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder(), max_hosts=16)
    rows = [(n * 1.0, f"192.168.{n % 4}.{n % 50}", ROUTER, LAMP_CLOUD) for n in range(2000)]
    process(made, rows)
    assert made.hosts <= 16
    assert made.identity.capacity <= 16


def test_the_maker_of_an_interface_is_told_and_a_made_up_mac_has_none(
    model_folder: ModelFolder,
) -> None:
    rows = [
        (1.0, "192.168.1.5", ROUTER, LAMP_CLOUD),
        (2.0, "192.168.1.6", MAC.format(6), "1.0.0.1"),
    ]
    assert [v.vendor for v in process(pipeline(model_folder()), rows)] == ["Espressif Inc.", ""]


def test_the_second_mac_of_a_bond_ends_as_one_line(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    rows = [
        (n * 60.0, "192.168.1.5", (MAC.format(5), MAC.format(6))[n % 2], LAMP_CLOUD)
        for n in range(40)
    ]
    verdicts = process(made, rows)
    (line,) = [v for v in verdicts if v.evidence[0].text.startswith("bond: ")]
    assert (line.state, line.reason, line.mac) == ("learning", "change", MAC.format(6))
    assert {v.mac for v in verdicts if v.ts > line.ts} == {MAC.format(5)}
    assert made.hosts == 1


def in_segments(segments: Sequence[str] | None) -> Sessions:
    """Hosts behind a router, with their own MACs, and without any; one session in a segment each,
    in turn."""
    rows = behind_a_router(60)
    rows += host(99, times=[n * 7.0 for n in range(60)], dst=LAMP_CLOUD)
    rows += [(n * 8.0, "192.168.1.50", "", LENS_CLOUD) for n in range(60)]
    table = sessions(sorted(rows))
    if segments is None:
        return table
    return replace(table, segment=[segments[n % len(segments)] for n in range(len(table))])


def test_a_segment_that_all_sessions_share_changes_nothing_but_its_columns(
    model_folder: ModelFolder,
) -> None:
    plain = pipeline(model_folder()).process(in_segments(None))
    shared = pipeline(model_folder()).process(in_segments(["a/10"]))
    assert {(v.vlan, v.site) for v in shared} == {("10", "a")}
    assert [replace(v, vlan="", site="") for v in shared] == plain


@pytest.mark.parametrize("size", [1, 3, 50])
def test_hosts_of_several_segments_are_the_same_however_sessions_were_cut_into_batches(
    model_folder: ModelFolder, size: int
) -> None:
    table = in_segments(["/10", "/20", "", "/10"])
    leases = [Lease(n * 40.0, f"192.168.1.{5 + n % 3}", MAC.format(n % 4), "") for n in range(9)]
    whole, made = pipeline(model_folder()), pipeline(model_folder())
    for lease in leases:
        whole.lease(lease)
        made.lease(lease)
    parts: list[Verdict] = []
    for start in range(0, len(table), size):
        parts += made.process(take(table, np.arange(start, min(start + size, len(table)))))
    assert parts == whole.process(table)


def test_one_address_in_two_vlans_is_two_hosts_in_the_log(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    rows = [(float(n), "192.168.1.50", "", (LAMP_CLOUD, LENS_CLOUD)[n % 2]) for n in range(40)]
    table = replace(sessions(rows), segment=[("a/10", "b/20")[n % 2] for n in range(40)])
    devices = {(v.host, v.vlan, v.site): v.device for v in made.process(table)}
    assert devices == {
        ("192.168.1.50", "10", "a"): "Lamp",
        ("192.168.1.50", "20", "b"): "Lens",
    }
    assert {(v.vlan, v.site, v.device) for v in made.standing()} == {
        ("10", "a", "Lamp"),
        ("20", "b", "Lens"),
    }
