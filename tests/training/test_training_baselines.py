"""The baselines compute what their papers describe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tests.training.traffic import traffic
from training.evaluation import figures
from training.evaluation.baselines import ccit, destinations, networks
from training.evaluation.baselines.naive_bayes import Histograms, tokens
from training.evaluation.figures import Decisions
from training.evaluation.samples import Segments, half_hours
from training.metrics import curves


def one_half_hour():
    """Four sessions in one half-hour: two at once, then DNS, then NTP; durations of 10 s."""
    whole = traffic((1.0,), number=4)
    sessions = replace(
        whole.sessions,
        ts=np.array([1800.0, 1805.0, 1900.0, 2000.0]),
        dport=np.array([65536 + 443, 65536 + 443, 131072 + 53, 131072 + 123], np.int32),
        pool=np.array([0, 1, 2, 2], np.int32),
    )
    return replace(
        whole,
        sessions=sessions,
        dst=np.array([3, 4, 5, 5], np.int32),
        duration=np.full(4, 10.0),
        size=np.array([1000.0, 500.0, 100.0, 100.0]),
        packets=np.array([10.0, 5.0, 2.0, 2.0]),
        queries=pd.DataFrame({"session": [2, 2, 2], "query": ["a.example", "a.example", "b"]}),
    )


def test_ccit_computes_its_eleven_statistics() -> None:
    whole = one_half_hour()
    cut = Segments.of(whole.sessions, whole.sessions.series)
    (values,) = ccit.features(whole, cut, half_hours(cut))
    found = dict(zip(ccit.FEATURES, values.tolist(), strict=True))
    assert found == pytest.approx(
        {
            "sleep time": (85 + 90) / 2,
            "active volume": 1700 / 3,
            "average packet size": 1700 / 19,
            "mean rate": 1700 / 35,
            "peak/mean rate": 100 / (1700 / 35),
            "active time": 35 / 3,
            "servers": 2,
            "protocols": 3,
            "unique DNS requests": 2,
            "DNS interval": 1800,
            "NTP interval": 1800,
        }
    )


def test_a_connection_counts_up_to_the_end_of_its_half_hour() -> None:
    whole = replace(one_half_hour(), duration=np.full(4, 1e6))
    cut = Segments.of(whole.sessions, whole.sessions.series)
    (values,) = ccit.features(whole, cut, half_hours(cut))
    assert values[ccit.FEATURES.index("active time")] == pytest.approx(1800)


def test_half_hours_of_different_hosts_do_not_mix() -> None:
    whole = traffic((50.0, 70.0), number=200)
    cut = Segments.of(whole.sessions, whole.sessions.series)
    values = ccit.features(whole, cut, half_hours(cut))
    assert np.isfinite(values).all()
    assert (values[:, ccit.FEATURES.index("active time")] <= 1800).all()
    assert (values >= 0).all()


def test_naive_bayes_counts_destination_and_interval_together() -> None:
    token = tokens(np.array([1, 1, 2]), np.array([0.1, 60.0, 60.0]))
    assert len(set(token.tolist())) == 3
    table = Histograms(token, np.array([0, 1, 1]), 3)
    probability = table.probability(np.array([[token[0], -1], [token[1], token[2]], [9, 9]]))
    assert probability[0].argmax() == 0
    assert probability[1].argmax() == 1
    assert probability.sum(1) == pytest.approx(1)
    assert (probability[:, 2] == 0).all()  # a class that taught nothing is never an answer


def test_intervals_fall_into_octaves_of_milliseconds() -> None:
    token = tokens(np.zeros(6, int), np.array([0.0, 0.0005, 0.001, 0.0011, 0.0021, np.inf]))
    assert token[0] == token[1] < token[2] == token[3] < token[4] < token[5]


def test_destinations_used_together_are_one_cluster_and_later_ones_keep_their_pool() -> None:
    whole = traffic((1.0,), number=90)
    bin_of = np.repeat(np.arange(30), 3)
    dst = np.tile([3, 4, 5], 30)
    dst[dst == 5] = np.where(bin_of[dst == 5] < 20, 3, 5)  # one destination is met late
    whole = replace(
        whole,
        sessions=replace(whole.sessions, ts=bin_of * 3000.0 + np.tile([0.0, 1.0, 2.0], 30)),
        dst=dst.astype(np.int32),
    )
    index, names = destinations.clusters(whole, np.flatnonzero(bin_of < 20))
    assert len({names[one] for one in index[np.isin(dst, [3, 4])]}) == 1
    assert names[index[dst == 3][0]].startswith("cluster:")
    assert {names[one] for one in index[dst == 5]} <= set(whole.sessions.table)


def test_a_domain_is_of_the_hosts_own_latest_dns_answer_else_the_pool() -> None:
    whole = traffic((1.0, 1.5), number=50)
    sessions = whole.sessions
    own = np.flatnonzero((sessions.series == 0) & (whole.dst == 4))
    asking = int(own[3])
    answers = pd.DataFrame(
        {
            "session": [asking],
            "ts": [sessions.ts[asking]],
            "query": ["cdn.a.example.co.uk"],
            "address": [whole.addresses[4]],
        }
    )
    index, names = destinations.domains(replace(whole, answers=answers), np.arange(len(whole)))
    told = np.array([names[one].startswith("dns:") for one in index])
    later = (sessions.series == 0) & (whole.dst == 4) & (sessions.ts >= sessions.ts[asking])
    assert (told == later).all()
    assert names[index[asking]] == "dns:example.co.uk"


@pytest.mark.parametrize(
    ("query", "domain"),
    [
        ("api.Example.com.", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("com", ""),
        ("", ""),
    ],
)
def test_a_registered_domain_is_one_label_below_a_public_suffix(query: str, domain: str) -> None:
    assert destinations.registered_domain(query) == domain


def test_addresses_share_a_prefix_of_16_or_32_bits() -> None:
    whole = replace(
        traffic((1.0,), number=4),
        addresses=np.array(["1.2.3.4", "1.2.9.9", "1.3.0.1", "2001:db8::1"], object),
        dst=np.arange(4, dtype=np.int32),
    )
    prefix = destinations.prefixes(whole)
    assert prefix[0] == prefix[1]
    assert len(set(prefix.tolist())) == 3


@pytest.mark.parametrize("backbone", networks.BACKBONES)
@pytest.mark.parametrize("one_hot", [False, True])
def test_padding_behind_a_window_changes_no_prediction(backbone: str, one_hot: bool) -> None:
    shape = networks.Shape(5, 3, one_hot=one_hot, backbone=backbone, epochs=1, per_epoch=64)
    rng = np.random.default_rng(0)
    pool = rng.integers(1, 5, (64, 12))
    interval = rng.random((64, 12)).astype(np.float32)
    given = networks.Inputs(pool, interval, pool)
    network = networks.train(shape, given, rng.integers(0, 3, 64), 0)
    short = networks.Inputs(pool[:, :7], interval[:, :7], pool[:, :7])
    padded = networks.Inputs(
        *(np.where(np.arange(12) < 7, one, 0) for one in (pool, interval, pool))
    )
    probability, attention, _ = networks.predict(network, padded)
    np.testing.assert_allclose(probability, networks.predict(network, short)[0], atol=1e-5)
    assert (attention[:, 7:] == 0).all()
    assert attention.sum(1) == pytest.approx(1, abs=1e-5)


def decisions(*pairs: tuple[int, int], confidence: float = 1.0) -> Decisions:
    """Truth and answer, -1 for none, of one host, a day each."""
    truth = np.array([truth for truth, _ in pairs])
    probability = np.zeros((len(pairs), 2))
    for row, (_, answer) in enumerate(pairs):
        if answer >= 0:
            probability[row] = 1 - confidence
            probability[row, answer] = confidence
    day = np.arange(len(pairs))
    return Decisions(probability, truth, truth, day * 86_400.0, day)


def test_a_missing_prediction_counts_as_wrong() -> None:
    found = figures.summary(decisions((0, 0), (0, -1), (1, 1), (1, 0)), ["a", "b"], 0)
    assert found["coverage"] == 0.75
    assert found["natural"]["accuracy"] == 0.5
    assert found["confusion"] == [[1, 0, 1], [1, 1, 0]]


def test_balanced_figures_are_those_of_copied_classes() -> None:
    pairs = [(0, 0)] * 8 + [(1, 1), (1, 0)]
    found = figures.summary(decisions(*pairs), ["a", "b"], 0)
    copied = figures.summary(decisions(*([(0, 0)] * 8), *([(1, 1), (1, 0)] * 4)), ["a", "b"], 0)
    assert found["natural"]["accuracy"] == 0.9
    for name in ("accuracy", "macro_f1"):
        assert found["balanced"][name] == pytest.approx(copied["natural"][name])


def test_the_interval_is_wide_where_a_single_day_decides() -> None:
    steady = figures.summary(decisions(*[(0, 0), (1, 1)] * 20), ["a", "b"], 0)["natural"]
    assert steady["macro_f1_interval"] == [1.0, 1.0]
    shaky = figures.summary(decisions((0, 0), (1, 0), (1, 1)), ["a", "b"], 0)["natural"]
    low, high = shaky["macro_f1_interval"]
    assert low < shaky["macro_f1"] < high


def test_calibration_error_is_how_far_confidence_is_off() -> None:
    sure = decisions((0, 0), (0, 0), (0, 1), (1, 0), confidence=0.9)
    assert curves.calibration_error(figures.reliability(sure)) == pytest.approx(0.4)
    assert curves.calibration_error(figures.reliability(decisions((0, -1)))) is None


def test_a_host_is_decided_once_a_day_by_the_mean_of_its_predictions() -> None:
    several = replace(decisions((0, 0), (0, 0), (0, 1), (1, 1)), series=np.array([0, 0, 0, 1]))
    single = figures.once(several, np.array([5, 5, 5, 5]))
    assert single.prediction.tolist() == [0, 1]
    assert single.truth.tolist() == [0, 1]


def test_time_to_verdict_counts_from_the_segments_start() -> None:
    some = decisions((0, -1), (0, 1), (0, 0))
    found = figures.time_to_verdict(
        some, np.zeros(3, int), np.array([8, 9, 10]), np.zeros(3), ["a", "b"]
    )
    assert found == {
        "a": {
            "sessions to prediction": 9,
            "minutes to prediction": 1440,
            "sessions to right prediction": 10,
            "minutes to right prediction": 2880,
        }
    }
