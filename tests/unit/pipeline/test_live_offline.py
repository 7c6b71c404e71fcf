"""What sensors report live, in whatever batches of whatever nodes, gives an archive's verdicts."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.sessions import Lease, Sessions, concatenate, order, take
from nba_broker.records.times import YEAR
from nba_broker.records.verdicts import Verdict
from nba_broker.wire.reorder import Reorder
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, pipeline, sessions

ModelFolder = Callable[..., Path]

START = 1_750_000_000.0
SECONDS = 200.0
ROUTER, BOND, HIDDEN = (MAC.format(n) for n in (0x90, 0xA0, 0xB0))


def traffic(rng: random.Random, number: int = 500) -> Sessions:
    """Hosts with and without MACs, of two VLANs with one address, behind a router, of a bond, and
    of IPv6, several of them at once."""
    rows, segments = [], []
    for _ in range(number):
        # A tenth of a second, so that many times are equal.
        ts = START + 10 + rng.randrange(int(SECONDS * 10)) / 10
        n = rng.randrange(3)
        host, mac, segment = rng.choice(
            [
                (f"192.168.1.{10 + n}", MAC.format(n), "/10"),
                (f"192.168.1.{20 + n}", "", rng.choice(["/10", "/20"])),
                (f"192.168.1.{30 + n}", "", rng.choice(["/10", "/10", ""])),
                (f"192.168.1.{40 + n}", ROUTER, rng.choice(["/10", ""])),
                ("192.168.1.50", rng.choice([BOND, BOND[:-1] + "1"]), "/10"),
                (f"2001:db8::{n}:1", MAC.format(n), "/10"),
                (f"192.168.1.{60 + n}", rng.choice([MAC.format(n + 9), ""]), "/20"),
            ]
        )
        rows.append((ts, host, mac, rng.choice([LAMP_CLOUD, LENS_CLOUD, "192.168.1.1"])))
        segments.append(segment)
    table = replace(sessions(rows), segment=segments)
    return take(table, order(table))


def leases(rng: random.Random) -> list[Lease]:
    return sorted(
        (
            Lease(
                START + rng.uniform(0, SECONDS),
                f"192.168.1.{rng.choice([20, 30, 31, 40, 41, 42, 50])}",
                MAC.format(rng.randrange(0xC0, 0xC4)),
                f"host-{rng.randrange(3)}",
                rng.choice(["", "/10", "/20"]),
            )
            for _ in range(rng.randrange(8))
        ),
        key=lambda one: one.ts,
    )


@pytest.mark.parametrize("size", [1, 2, 20])
def test_a_lease_that_a_second_vlan_contradicts_names_a_host_until_then(
    model_folder: ModelFolder, size: int
) -> None:
    rows = [(START + n, "192.168.1.20", "", LAMP_CLOUD) for n in range(20)]
    table = replace(sessions(rows), segment=["/10"] * 6 + ["/20", "/10"] * 7)
    made = pipeline(model_folder())
    made.lease(Lease(START - 1, "192.168.1.20", MAC.format(0xC0), "lamp"))
    verdicts = []
    for at in range(0, 20, size):
        verdicts += made.process(take(table, np.arange(at, min(at + size, 20))))
    begun = [(one.vlan, one.mac, one.hostname) for one in verdicts if one.reason == "new"]
    assert begun == [("10", MAC.format(0xC0), "lamp"), ("20", "", "")]


STRAY = sessions([(START + 5 * YEAR, "192.168.1.99", MAC.format(0x99), "192.168.1.1")])


def live(
    made: Pipeline, table: Sessions, rng: random.Random, nodes: int, stray: bool = False
) -> list[Verdict]:
    """Each session by one of these nodes, four batches a second of each, or more; ``stray``: one
    has a session from the future, too."""
    node = np.array([rng.randrange(nodes) for _ in range(len(table))])
    verdicts = []
    edges = [START + n / 4 for n in range(int(SECONDS * 4) + 80)]
    for since, until in itertools.pairwise(edges):
        turns = list(range(nodes))
        rng.shuffle(turns)
        for one in turns:
            there = (table.ts >= since) & (table.ts < until) & (node == one)
            rows = np.flatnonzero(there).tolist()
            rng.shuffle(rows)
            cut = rng.randrange(len(rows) + 1)
            if rows[:cut]:
                batch = take(table, np.array(rows[:cut], np.int64))
                verdicts += made.push(f"n{one}", since, batch, since - START)
            batch = take(table, np.array(rows[cut:], np.int64))
            if stray and since == edges[400]:
                batch, stray = concatenate([STRAY, batch]), False
            verdicts += made.push(f"n{one}", until, batch, until - START)
    return verdicts + made.finish()


def live_and_expected(
    model: Path, table: Sessions, lent: list[Lease]
) -> tuple[Pipeline, list[Verdict]]:
    """A pipeline for sensors' batches, and the verdicts that another gives on the whole table."""
    whole, made = pipeline(model), pipeline(model, reorder=Reorder())
    for lease in lent:
        whole.lease(lease)
        made.lease(lease)
    return made, whole.process(table) + whole.finish()


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("seed", range(30))
def test_however_nodes_split_and_cut_sessions_the_verdicts_are_those_of_the_whole(
    model_folder: ModelFolder, seed: int, nodes: int
) -> None:
    rng = random.Random(seed)
    table, lent = traffic(rng), leases(rng)
    made, expected = live_and_expected(model_folder(), table, lent)
    assert live(made, table, rng, nodes) == expected
    assert made.intake.reorder.late == 0


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_session_from_the_future_changes_no_other_hosts_verdicts(
    model_folder: ModelFolder, seed: int, nodes: int
) -> None:
    rng = random.Random(seed)
    table, lent = traffic(rng), leases(rng)
    made, expected = live_and_expected(model_folder(), table, lent)
    found = live(made, table, rng, nodes, stray=True)
    assert [one for one in found if one.host != "192.168.1.99"] == expected
    assert made.intake.door.restamped == 1


def columns(table: Sessions) -> list[tuple[str, str, str]]:
    assert table.segment is not None
    return list(zip(table.host, table.segment, table.dst, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_sessions_of_the_same_time_have_the_order_of_an_archive(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    logged = [
        {
            "ts": START,
            "uid": f"C{rng.random():.12f}",
            "id.orig_h": f"192.168.1.{rng.randrange(2)}",
            "id.resp_h": rng.choice([LAMP_CLOUD, LENS_CLOUD]),
            "id.resp_p": 443,
            "proto": "tcp",
        }
        | rng.choice([{}, {"vlan": 9}, {"vlan": 10}, {"vlan": 10, "inner_vlan": 9}])
        for _ in range(40)
    ]
    (tmp_path / "conn.log").write_text("\n".join(map(json.dumps, logged)))
    (archived,) = conn_log.read([tmp_path]).batches()
    rows = list(range(len(archived)))
    rng.shuffle(rows)
    nodes = Reorder()
    for number in range(4):
        part = take(archived, np.array(rows[number::4]))
        nodes.add(f"n{number}", START, replace(part, log=None), 0.0)
    found = nodes.flush()
    assert columns(found) == columns(archived)
