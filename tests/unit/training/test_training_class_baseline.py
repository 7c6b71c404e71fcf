"""What a class is known to do is what its hosts did, each hour of each."""

from __future__ import annotations

import numpy as np

from nba_broker.baseline import keys
from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.records.classes import Class
from nba_broker.records.ports import port_code
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.model.class_baseline import class_baselines

HOUR = 3600.0
BEGIN = 400_000 * HOUR
HTTPS, NTP, DRAWN = port_code(443, "tcp"), port_code(123, "udp"), port_code(40_000, "udp")
TABLE = ["as:1", "as:2", *(f"as:{number}" for number in range(100, 200))]
PLUG, CAMERA = Class("Plug", "plug"), Class("Camera", "camera")


def sessions() -> LabelledSessions:
    """Two plugs that call as:1 twice in each of 48 hours, one of them as:2 in every other; and a
    camera that meets a peer of its own in each."""
    rows = []
    for hour in range(49):
        ts = BEGIN + hour * HOUR
        rows += [(ts + at, series, 0, HTTPS) for series in (0, 1) for at in (0.0, 60.0)]
        rows += [(ts + 90.0, 1, 1, NTP)] if hour % 2 else []
        rows += [(ts, 2, 2 + hour, DRAWN + hour)]
    rows.sort()
    ts, series, pool, dport = map(np.array, zip(*rows, strict=True))
    labels = (
        Label("10.0.0.1", "Plug", "plug", unit="a"),
        Label("10.0.0.2", "Plug", "plug", unit="b"),
        Label("10.0.0.3", "Camera", "camera"),
    )
    return LabelledSessions(ts, series, pool, dport.astype(np.int32), labels, TABLE)


def test_a_class_has_the_hours_of_all_its_hosts() -> None:
    plug, _ = class_baselines(sessions(), [PLUG, CAMERA])
    hours = {(pool, service): hours for pool, service, hours, *_ in plug["pairs"]}
    # The newest hours count most, and each host's last is not over.
    assert 0.8 * 96 < plug["span"] < 96
    np.testing.assert_allclose(hours["as:1", "443/tcp"], plug["span"], atol=0.1)
    assert 0.4 * 48 < hours["as:2", "123/udp"] < 24


def test_how_often_a_class_meets_something_new_is_known_by_service_and_transport() -> None:
    _, camera = class_baselines(sessions(), [PLUG, CAMERA])
    hours = {(pool, service): hours for pool, service, hours, *_ in camera["pairs"]}
    # After six hours in which everything is new to it.
    assert hours["", "/udp"] > 0.8 * camera["span"]
    assert max(hours.values()) <= camera["span"]


def test_a_manifest_s_baseline_is_read_as_it_was_counted() -> None:
    tables = class_baselines(sessions(), [PLUG, CAMERA])
    known = ClassBaseline(tables)
    assert len(known) == 2
    key = keys.pairs(np.array([keys.pool_hash("as:1")], np.uint64), np.array([HTTPS], np.int32))
    found = known.hours_of(np.array([0, 1, -1]), np.repeat(key, 3))
    assert found.share[0] > 0.7
    assert found.share[1:].tolist() == [0, 0]
    np.testing.assert_allclose(np.exp(found.mean[0]), 2, rtol=0.01)


def test_a_class_without_sessions_is_known_for_nothing() -> None:
    some = sessions()
    tables = class_baselines(some.select(some.series < 2), [PLUG, CAMERA])
    assert tables[1] == {"span": 0.0, "pairs": []}


def test_a_pair_met_in_every_hour_of_many_weeks_makes_a_table_that_can_be_read() -> None:
    ts = BEGIN + np.arange(700) * HOUR
    labels = (Label("10.0.0.1", "Plug", "plug"),)
    nothing = np.zeros(700, np.int64)
    one = LabelledSessions(ts, nothing, nothing, np.full(700, HTTPS, np.int32), labels, TABLE)
    for length in range(100, 700, 50):
        ClassBaseline(class_baselines(one.select(np.arange(700) < length), [PLUG]))
