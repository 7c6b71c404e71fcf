"""A fit learns what is there to learn, repeatably, and says clearly what it cannot learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nba_broker.model.features import NEVER_SEEN, PADDING, Services, Vocabulary  # noqa: E402
from nba_broker.records.errors import ArchiveError  # noqa: E402
from tests.training.quick import QUICK, TABLE, quiet, sessions  # noqa: E402
from training.model.examples import augment, balanced, examples  # noqa: E402
from training.model.fit import fit, split  # noqa: E402
from training.model.predict import predict  # noqa: E402


def test_intervals_alone_separate_devices() -> None:
    assert fit(sessions(1.0, 60.0), QUICK, say=quiet).metrics["macro_f1"] > 0.98


def test_a_seed_makes_the_same_model_bit_by_bit_and_another_one_another() -> None:
    runs = [fit(sessions(1.0, 60.0), QUICK, seed=seed, say=quiet) for seed in (3, 3, 4)]
    same, again, other = (
        torch.cat([value.flatten() for value in run.model.state_dict().values()]) for run in runs
    )
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_every_epoch_prints_progress() -> None:
    lines: list[str] = []
    fit(sessions(1.0, 60.0), QUICK, say=lines.append)
    assert [line[:8] for line in lines if line.startswith("epoch")] == [
        f"epoch {number:2d}" for number in 2 * [1, 2, 3, 4]
    ]


def test_the_held_out_sessions_are_each_hosts_last_and_in_no_other_window() -> None:
    whole = sessions(1.0, 60.0)
    early, late = split(whole, 0.2)
    assert len(early) + len(late) == len(whole)
    for number in (0, 1):
        assert early.ts[early.series == number].max() < late.ts[late.series == number].min()
        assert (late.series == number).sum() == 30


def test_a_fit_to_shuffled_labels_fails_on_later_sessions() -> None:
    whole = sessions(1.0, 60.0, number=2000)
    shuffled = np.random.default_rng(1).permutation(whole.series)
    longer = replace(QUICK, per_class=1024)  # so that it would learn what leaks
    figures = fit(replace(whole, series=shuffled), longer, say=quiet).metrics
    assert figures["accuracy"] < 0.65


def test_classes_and_hosts_in_a_class_are_drawn_equally_often() -> None:
    whole = sessions(1.0, 2.0, 3.0)
    labels = (whole.labels[0], replace(whole.labels[1], device="Every_0"), whole.labels[2])
    few = replace(whole, labels=labels).select((whole.series != 2) | (whole.ts < 60))
    services = Services.of(few.dport)
    part = examples(few, few.classes(), Vocabulary(TABLE), services, QUICK)
    chance = balanced(part)
    assert chance.sum() == pytest.approx(1)
    assert [chance[part.series == number].sum() for number in range(3)] == pytest.approx(
        [0.25, 0.25, 0.5]
    )


def test_a_window_cut_short_looks_like_one_of_a_host_just_met() -> None:
    settings = replace(QUICK, shortened=1.0, pool_dropout=0.0)
    pool = np.full((500, 16), 3)
    interval = np.full((500, 16), 0.4, np.float32)
    cut, scaled, service = augment(pool, interval, pool, settings, np.random.default_rng(0))
    kept = (cut != PADDING).sum(1)
    assert set(kept) == set(range(QUICK.min_sessions, 17))
    for row, number in enumerate(kept):
        assert (cut[row, : 16 - number] == PADDING).all()
        assert (service[row, : 16 - number] == PADDING).all()
        assert scaled[row, 16 - number] == 1.0  # a first session: nothing before it
        assert (scaled[row, : 16 - number] == 0).all()
        assert (scaled[row, 17 - number :] == interval[row, 17 - number :]).all()


def test_a_dropped_pool_goes_from_the_whole_window() -> None:
    settings = replace(QUICK, shortened=0.0, pool_dropout=0.5)
    pool = np.tile([2, 3], (200, 8))
    dropped, _, service = augment(
        pool, np.zeros((200, 16), np.float32), pool, settings, np.random.default_rng(0)
    )
    assert (service == pool).all()
    gone = dropped == NEVER_SEEN
    assert (gone[:, ::2] == gone[:, :1]).all()
    assert 0.4 < gone.mean() < 0.6
    assert (pool >= 2).all()


def test_one_device_alone_is_one_clear_error() -> None:
    with pytest.raises(ArchiveError, match="at least two devices"):
        fit(sessions(1.0), QUICK, say=quiet)


def test_a_device_without_a_window_is_named() -> None:
    whole = sessions(1.0, 60.0)
    few = whole.select((whole.series == 0) | (whole.ts < 400))
    with pytest.raises(ArchiveError, match=r"no host with 8 sessions of Every_1: bring more"):
        fit(few, QUICK, say=quiet)


def test_a_device_with_few_sessions_is_trained_and_takes_no_part_in_the_calibration() -> None:
    whole = sessions(1.0, 10.0, 60.0)
    few = whole.select((whole.series < 2) | (whole.ts < 900))
    lines: list[str] = []
    fitted = fit(few, QUICK, say=lines.append)
    assert "too few late sessions to calibrate by: Every_2" in lines
    late = examples(
        whole.select((whole.series == 2) & (whole.ts > 900)),
        fitted.classes,
        Vocabulary(list(fitted.pools)),
        Services(fitted.services),
        QUICK,
    )
    assert (predict(fitted.model, late).logits.argmax(1) == 2).mean() > 0.9
    with pytest.raises(ArchiveError, match="too few late sessions to calibrate by: Every_2"):
        fit(few.select(few.series != 1), QUICK, say=quiet)


def test_the_kept_model_is_trained_on_the_held_out_sessions_too() -> None:
    whole = sessions(1.0, 60.0)
    fitted = fit(whole, QUICK, say=quiet)
    assert len(fitted.windows) == 2 * (150 - 7)
    assert fitted.metrics["windows"] == 2 * (23 - 7)
