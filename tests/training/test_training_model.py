"""The network's contract: attention, padding, and an ONNX file that answers alike."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.model import NBA  # noqa: E402

LENGTH = 16


@pytest.fixture
def model() -> NBA:
    torch.manual_seed(1)
    return NBA(pools=20, classes=4, hidden=8).eval()


def windows(padding: int, number: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(padding)
    pool = rng.integers(1, 20, (number, LENGTH))
    interval = rng.random((number, LENGTH)).astype(np.float32)
    pool[:, :padding], interval[:, :padding] = 0, 0
    return torch.from_numpy(pool), torch.from_numpy(interval)


@pytest.mark.parametrize("padding", [0, 1, 8, LENGTH - 1])
def test_attention_sums_to_one_and_is_exactly_zero_on_padding(model: NBA, padding: int) -> None:
    _, attention, _ = model(*windows(padding))
    assert attention.sum(1).detach().numpy() == pytest.approx(np.ones(3), abs=1e-6)
    assert (attention[:, :padding] == 0).all()
    assert (attention[:, padding:] > 0).all()


@pytest.mark.parametrize("padding", [1, 8, LENGTH - 1])
def test_a_padded_window_answers_as_the_shorter_one(model: NBA, padding: int) -> None:
    pool, interval = windows(padding)
    padded = model(pool, interval)
    short = model(pool[:, padding:], interval[:, padding:])
    assert torch.allclose(padded[0], short[0], atol=1e-6)
    assert torch.allclose(padded[1][:, padding:], short[1], atol=1e-6)
    assert torch.allclose(padded[2], short[2], atol=1e-6)


def test_what_stands_in_the_padding_makes_no_difference(model: NBA) -> None:
    pool, interval = windows(5)
    other = interval.clone()
    other[:, :5] = 0.7
    for one, two in zip(model(pool, interval), model(pool, other), strict=True):
        assert torch.equal(one, two)


def test_the_context_is_the_states_weighted_by_attention_so_order_matters(model: NBA) -> None:
    pool, interval = windows(0)
    forward, backward = model(pool, interval)[2], model(pool.flip(1), interval.flip(1))[2]
    assert forward.shape == (3, 8)
    assert not torch.allclose(forward, backward)


def test_cooling_divides_the_logits(model: NBA) -> None:
    before = model.logits(*windows(2))
    model.cool(2.0)
    assert torch.allclose(model.logits(*windows(2)), before / 2, atol=1e-6)
