"""Sessions of a class are likely for it, and pairs that no class used are novel."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.model.features import NEVER_SEEN, IntervalScale, Services, Vocabulary
from nba_broker.records.ports import port_code
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.model.class_likelihoods import STEPS, ClassLikelihoods, class_likelihoods, step_of

NTP, HTTPS, SSH = port_code(123, "udp"), port_code(443, "tcp"), port_code(22, "tcp")
TABLE = ["as:1", "as:2", "as:3"]


def learned(
    pool: list[int], dport: list[int], series: list[int], ts: list[float]
) -> tuple[ClassLikelihoods, Vocabulary, Services]:
    """The class likelihoods of a class per series."""
    labels = tuple(Label(f"10.0.0.{n}", f"Thing_{n}", "thing") for n in range(max(series) + 1))
    sessions = LabelledSessions(
        np.array(ts), np.array(series), np.array(pool), np.array(dport, np.int32), labels, TABLE
    )
    vocabulary, services = Vocabulary(TABLE), Services.of(dport)
    truth = sessions.series
    return (
        class_likelihoods(sessions, truth, len(labels), vocabulary, services, IntervalScale()),
        vocabulary,
        services,
    )


def test_what_a_class_did_is_not_novel_and_new_places_of_roaming_services_are_less_so() -> None:
    # Time servers: two pools met once each and one met twice. HTTPS: always the same.
    dport = [NTP] * 4 + [HTTPS] * 3
    found, _, services = learned([0, 1, 2, 2, 0, 0, 0], dport, [0] * 7, list(map(float, range(7))))
    novelty = found.novelty[found.row]
    assert novelty.shape == (len(services), 5)
    of_ntp, of_https, of_ssh = services.ids(np.array([NTP, HTTPS, SSH]))
    assert novelty[of_ntp].tolist() == [0.5, 0.5, 0, 0, 0]
    assert novelty[of_https].tolist() == [1, 1, 0, 1, 1]
    assert (novelty[of_ssh] == 1).all()


def test_a_pair_is_the_likelier_the_oftener_its_class_had_it_and_else_as_likely_as_new_ones() -> (
    None
):
    found, vocabulary, services = learned(
        [0, 0, 0, 1, 2, 2], [HTTPS] * 6, [0, 0, 0, 0, 1, 1], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    )
    pair = found.pair[found.row[services.ids(np.array([HTTPS]))[0]]]  # [P, K]
    often, seldom, never = pair[vocabulary.ids(np.array([0, 1, 2]), TABLE)]
    assert often[0] > seldom[0] > never[0]
    assert never[0] == pair[NEVER_SEEN, 0]
    assert never[1] > often[1]
    assert np.exp(often[0] - seldom[0]) == pytest.approx(3)


def test_an_interval_is_likely_where_the_service_keeps_it_and_a_first_session_is_usual() -> None:
    ts = np.arange(100) * 60.0
    found, _, services = learned([0] * 100, [HTTPS] * 100, [0] * 100, ts.tolist())
    timing = found.timing[services.ids(np.array([HTTPS]))[0], :, 0]
    minute = step_of(IntervalScale()(np.array([60.0])))[0]
    assert timing[:STEPS].argmax() == minute
    assert np.exp(timing[:STEPS]).sum() == pytest.approx(1)
    assert timing[STEPS] == pytest.approx(timing[minute])


def test_steps_cover_the_scale_and_the_longest_silence_has_its_own() -> None:
    scale = IntervalScale()
    seconds = np.array([0.0, 1e-3, 86_399.0, 86_400.0, np.inf])
    assert step_of(scale(seconds)).tolist() == [0, 0, STEPS - 1, STEPS, STEPS]
