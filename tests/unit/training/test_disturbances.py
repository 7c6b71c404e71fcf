"""Disturbances change what they say, in the judged part only, and a command counts the verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.ports import port_code, port_name
from tests.commands import RUN_ELSEWHERE, words
from tests.unit.helpers import pools
from training.cli.main import main
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation import stress as stress_module
from training.evaluation.disturbances import DISTURBANCES, Traffic, disturbed
from training.evaluation.followed import Followed
from training.evaluation.stress import UNDISTURBED, stress
from training.evaluation.verdicts import Replay, Stream, replay

HOUR = 3600.0
DAY = 24 * HOUR
SINCE, UNTIL = 2.25 * DAY, 5 * DAY - 600
NOON = 2.5 * DAY
TABLE = ["as:1", "as:2", "lan", "gw", "none"]
POOLS = np.array([[0, 0, 2, 3, 4, 1], [1, 1, 2, 3, 4, 0]], np.int32)
HTTPS, DNS = port_code(443, "tcp"), port_code(53, "udp")


@pytest.fixture
def traffic() -> Traffic:
    """A lamp and a lens, every ten minutes for five days: their cloud twice, then the LAN, a query
    to the gateway, an unknown address, and another cloud. The last 2.75 days are judged."""
    ts = np.repeat(np.arange(0, 5 * DAY, 600), 2)
    slot = np.arange(len(ts)) % 2
    turn = np.arange(len(ts)) // 2 % 6
    pool = POOLS[slot, turn]
    dport = np.where(turn == 3, DNS, HTTPS).astype(np.int32)
    stream = Stream(slot, ts, pool, dport, TABLE)
    return Traffic(stream, np.full(2, SINCE), np.full(2, UNTIL))


def rows(stream: Stream, keep: np.ndarray | bool = True) -> list[tuple[int, float, str, str]]:
    """Sessions as slot, time, pool and port."""
    columns = zip(stream.slot, stream.ts, stream.pool, stream.dport, strict=True)
    wanted = np.broadcast_to(keep, len(stream.ts)).tolist()
    return [
        (int(slot), float(ts), stream.table[pool], port_name(int(dport)))
        for (slot, ts, pool, dport), kept in zip(columns, wanted, strict=True)
        if kept
    ]


def during(stream: Stream, begin: float, hours: float, slot: int = 0) -> list[tuple[float, str]]:
    """Times since ``begin`` and pools of one device in these hours."""
    end = begin + hours * HOUR
    return [
        (ts - begin, pool)
        for host, ts, pool, _ in rows(stream)
        if host == slot and begin <= ts < end
    ]


@pytest.mark.parametrize("name", DISTURBANCES)
def test_nothing_changes_before_the_judged_part_and_nothing_comes_after_it(
    name: str, traffic: Traffic
) -> None:
    stream = disturbed(traffic, name, 0)
    whole = traffic.stream
    assert rows(stream, stream.ts < SINCE) == rows(whole, whole.ts < SINCE)
    assert rows(stream) != rows(whole)
    assert stream.ts.max() <= UNTIL + 0.01
    assert set(stream.slot.tolist()) == {0, 1}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_is_the_same_for_the_same_seed(name: str, traffic: Traffic) -> None:
    whole = rows(traffic.stream)
    assert rows(disturbed(traffic, name, 3)) == rows(disturbed(traffic, name, 3))
    assert rows(traffic.stream) == whole  # it is not changed in place


@pytest.mark.parametrize("name", [name for name in DISTURBANCES if name != "clock-ahead-6h"])
def test_times_stay_in_order(name: str, traffic: Traffic) -> None:
    assert (np.diff(disturbed(traffic, name, 0).ts) >= 0).all()


@pytest.mark.parametrize(
    "name",
    [name for name in DISTURBANCES if name.startswith(("internet", "dns", "server", "twice"))],
)
def test_without_chance_a_device_is_disturbed_whoever_is_beside_it(
    name: str, traffic: Traffic
) -> None:
    whole = traffic.stream
    own = whole.slot == 0
    alone = Stream(whole.slot[own], whole.ts[own], whole.pool[own], whole.dport[own], TABLE)
    apart = disturbed(Traffic(alone, traffic.since, traffic.until), name, 0)
    together = disturbed(traffic, name, 0)
    assert rows(apart) == rows(together, together.slot == 0)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_device_without_the_internet_that_is_judged_for_a_minute_is_no_error(
    name: str, traffic: Traffic
) -> None:
    local = Stream(
        np.zeros(3, int),
        np.array([0.0, 60, 120]),
        np.full(3, 2, np.int32),
        np.full(3, HTTPS, np.int32),
        TABLE,
    )
    disturbed(Traffic(local, np.array([60.0]), np.array([120.0])), name, 0)


def test_a_device_without_the_internet_repeats_one_session(traffic: Traffic) -> None:
    stream = disturbed(traffic, "internet-down-1h", 0)
    found = during(stream, NOON, 1)
    repeated = [*range(0, 300, 30), *range(300, 3600, 300)]
    assert [ts for ts, pool in found if pool == "as:1"] == repeated
    assert [pool for _, pool in found if pool != "as:1"] == ["lan", "gw"]
    assert during(stream, NOON + HOUR, 9) == during(traffic.stream, NOON + HOUR, 9)


def test_without_dns_each_query_is_repeated_and_nothing_reaches_the_internet(
    traffic: Traffic,
) -> None:
    stream = disturbed(traffic, "dns-down-6h", 0)
    found = during(stream, NOON, 1)
    assert found == [(1200, "lan"), *((1800 + more, "gw") for more in range(4))]
    assert during(stream, NOON + 6 * HOUR, 9) == during(traffic.stream, NOON + 6 * HOUR, 9)


def test_each_old_cloud_becomes_one_new_one(traffic: Traffic) -> None:
    stream = disturbed(traffic, "cloud-moved-all", 0)
    new = {"as:1": "as:64512", "as:2": "as:64513"}
    assert rows(stream) == [
        (slot, ts, new.get(pool, pool) if ts >= SINCE else pool, port)
        for slot, ts, pool, port in rows(traffic.stream)
    ]
    assert stream.table == [*TABLE, *new.values()]
    assert traffic.stream.table == TABLE


def test_half_of_the_clouds_of_each_device_move(traffic: Traffic) -> None:
    stream = disturbed(traffic, "cloud-moved-half", 0)
    for slot in (0, 1):
        used = {pool for _, pool in during(stream, SINCE, 48, slot) if pool.startswith("as:")}
        assert len(used & {"as:1", "as:2"}) == len(used - {"as:1", "as:2"}) == 1


def test_a_name_that_a_database_has_is_not_given_to_a_moved_cloud(traffic: Traffic) -> None:
    traffic.stream.table.append("as:64512")
    try:
        stream = disturbed(traffic, "cloud-moved-all", 0)
        assert stream.table[-2:] == ["as:64513", "as:64514"]
    finally:
        traffic.stream.table.pop()


def test_a_lost_server_is_the_one_that_the_device_uses_most(traffic: Traffic) -> None:
    stream = disturbed(traffic, "server-lost", 0)
    whole = rows(traffic.stream)
    gone = {0: "as:1", 1: "as:2"}
    assert rows(stream) == [row for row in whole if row[1] < SINCE or row[2] != gone[row[0]]]


def test_every_session_comes_twice(traffic: Traffic) -> None:
    stream = disturbed(traffic, "twice", 0)
    assert during(stream, NOON, 0.1) == [(0, "as:1"), (pytest.approx(0.01), "as:1")]


@pytest.mark.parametrize("share", [10, 30, 50])
def test_a_share_of_the_sessions_is_lost(share: int, traffic: Traffic) -> None:
    stream = disturbed(traffic, f"lost-{share}%", 0)
    lost = set(rows(traffic.stream)) - set(rows(stream))
    assert len(lost) == len(traffic.stream.ts) - len(stream.ts)
    assert len(lost) / traffic.judged().sum() == pytest.approx(share / 100, abs=0.06)


def test_a_probed_device_answers_the_router_once_a_minute(traffic: Traffic) -> None:
    stream = disturbed(traffic, "probed", 0)
    added = set(rows(stream)) - set(rows(traffic.stream))
    assert {(pool, port) for _, _, pool, port in added} == {("gw", "3/icmp")}
    for slot in (0, 1):
        ts = np.sort([row[1] for row in added if row[0] == slot])
        assert np.diff(ts) == pytest.approx(60)
        assert len(ts) == pytest.approx((UNTIL - SINCE) / 60, abs=1)


def test_a_device_behind_a_repeater_has_the_sessions_of_the_next_one(traffic: Traffic) -> None:
    stream = disturbed(traffic, "mixed-6h", 0)
    own, others = (during(traffic.stream, NOON, 6, slot) for slot in (0, 1))
    assert sorted(during(stream, NOON, 6)) == sorted(own + others)
    assert during(stream, NOON + 6 * HOUR, 9) == during(traffic.stream, NOON + 6 * HOUR, 9)


def test_a_clock_that_is_ahead_leaves_the_order_of_arrival(traffic: Traffic) -> None:
    stream = disturbed(traffic, "clock-ahead-6h", 0)
    assert (stream.pool == traffic.stream.pool).all()
    ahead = (traffic.stream.ts >= SINCE) & (traffic.stream.ts < SINCE + 6 * HOUR)
    assert (stream.ts - traffic.stream.ts == np.where(ahead, HOUR, 0)).all()
    assert (np.diff(stream.ts) < 0).sum() == 1


@pytest.fixture
def followed() -> Followed:
    """A lamp and a lens that call their clouds every ten minutes for four days, and a stranger that
    calls nobody whom the model knows; the last two days are judged."""
    ts = np.repeat(np.arange(0, 4 * DAY, 600), 3)
    series = np.arange(len(ts)) % 3
    made = pools()
    host = np.array(["192.168.1.7", "192.168.1.8", "192.168.1.9"], object)[series]
    dst = np.array(["1.0.0.7", "2.0.0.7", "192.168.1.50"], object)[series]
    sessions = LabelledSessions(
        ts=ts,
        series=series,
        pool=made.ids(host.tolist(), dst.tolist()),
        dport=np.full(len(ts), HTTPS, np.int32),
        labels=(
            Label("192.168.1.7", "Lamp", "bulb"),
            Label("192.168.1.8", "Lens", "camera"),
            Label("192.168.1.9", "Stranger", "hub"),
        ),
        table=made.table,
    )
    since, learned = np.full(3, 2 * DAY), np.full(3, 3 * DAY)
    return Followed(sessions, host, dst, made, since, np.full(3, ts[-1]), learned)


def test_the_same_host_days_are_counted_under_every_disturbance(
    followed: Followed, model_folder: Callable[..., Path]
) -> None:
    lines: list[str] = []
    result = stress(followed, Scorer(model_folder()), say=lines.append)
    assert list(result["disturbances"]) == [UNDISTURBED, *DISTURBANCES]
    assert json.loads(json.dumps(result)) == result
    assert (result["hosts"], result["host_days"]) == (3, 6)
    for row in result["disturbances"].values():
        assert row["right"] + row["no_name"] + row["wrong"] == 6
        assert row["rate"] == row["notices"] / result["device_weeks"]
    quiet = result["disturbances"][UNDISTURBED]
    assert (quiet["right"], quiet["no_name"], quiet["wrong"]) == (6, 0, 0)
    assert lines[2] == "| undisturbed | 6 (100.0%) | 0 (0.0%) | 0 (0.0%) | 0.00 |  |"


def test_disturbances_add_only_pools_that_the_model_has_not_and_change_no_others(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scorer remembers which number of a pool is which."""
    tables: list[list[str]] = []

    def recorded(stream: Stream, scorer: Scorer, settings: BaselineSettings) -> Replay:
        tables.append(stream.table)
        return replay(stream, scorer, settings)

    monkeypatch.setattr(stress_module, "replay", recorded)
    model = model_folder(pools=["as:1", "as:2", "lan", "as:64512"])
    stress(followed, Scorer(model), say=lambda line: None)
    assert len(tables) == 1 + len(DISTURBANCES)
    first = tables[0]
    assert set(first) >= {"as:1", "as:2", "gw", "as:64512"}
    for table in tables:
        assert table[: len(first)] == first
        assert set(table[len(first) :]) <= {"as:64513", "as:64514"}
    assert followed.sessions.table == ["as:1", "as:2", "lan"]


def test_a_host_that_does_as_another_device_is_wrong_at_the_end_of_the_day(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(traffic: Traffic, name: str, seed: int) -> Stream:
        stream = traffic.stream
        lens = stream.pool[stream.slot == 1][0]
        odd = (stream.slot == 0) & (stream.ts >= 3 * DAY)
        pool = np.where(odd, lens, stream.pool).astype(np.int32)
        return Stream(stream.slot, stream.ts, pool, stream.dport, stream.table)

    monkeypatch.setattr(stress_module, "DISTURBANCES", {"swapped": swapped})
    monkeypatch.setattr(stress_module, "disturbed", swapped)
    result = stress(followed, Scorer(model_folder()), say=lambda line: None)
    row = result["disturbances"]["swapped"]
    assert (row["right"], row["no_name"], row["wrong"]) == (5, 0, 1)
    assert row["mistaken"] == [["Lamp", "Lens", 1]]
    assert row["notices"] >= 1


def test_the_command_that_the_documentation_shows(
    tmp_path: Path,
    model_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    clouds = {"192.168.1.7": "1.1.1.1", "192.168.1.8": "8.8.8.8"}
    with (tmp_path / "logs" / "conn.log").open("w") as log:
        for number in range(0, int(4 * DAY), 600):
            for host, dst in clouds.items():
                row = {"ts": 1.6e9 + number, "uid": f"C{number}x{host[-1]}", "proto": "tcp"}
                row |= {"id.orig_h": host, "id.orig_p": 40000, "id.resp_h": dst, "id.resp_p": 443}
                log.write(json.dumps(row) + "\n")
    (tmp_path / "labels.csv").write_text(
        "host,device,category\n192.168.1.7,Lamp,bulb\n192.168.1.8,Lens,camera\n"
    )
    folder = model_folder(
        pools=["as:13335", "as:15169", "lan", "gw"], thresholds={"identified": 0.7, "known": 0.9}
    )
    [command] = [one for one in RUN_ELSEWHERE if one.split()[1] == "stress"]
    assert main(words(command, mymodel=str(folder))) == 0
    result = json.loads((tmp_path / "stress.json").read_text())
    assert result["last"] == 0.3
    assert result["disturbances"][UNDISTURBED]["right"] == result["host_days"]
    assert result["disturbances"]["cloud-moved-all"]["right"] < result["host_days"]
    printed = capsys.readouterr().out
    assert all(f"| {name} | " in printed for name in result["disturbances"])


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "half", "nan"])
def test_what_is_no_share_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["stress", "logs", "--labels", "l.csv", "--model", "m", "--json", "f"]
    with pytest.raises(SystemExit):
        main([*command, "--last", share])
    assert "is not a share above 0, up to 1" in capsys.readouterr().err
