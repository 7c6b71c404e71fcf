"""The network's contract: attention, padding, and an ONNX file with the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime  # noqa: E402

from nba_broker.model.features import INPUTS  # noqa: E402
from nba_broker.model.manifest import OUTPUTS  # noqa: E402
from training.model import onnx_graph  # noqa: E402
from training.model.class_likelihoods import STEPS, ClassLikelihoods  # noqa: E402
from training.model.network import FEATURES, NBA  # noqa: E402

LENGTH = 17


@pytest.fixture(params=[1, 2, 3])
def model(request: pytest.FixtureRequest) -> NBA:
    torch.manual_seed(1)
    return NBA(pools=20, services=5, classes=4, hidden=8, stacked=request.param).eval()


def windows(*paddings: int) -> tuple[torch.Tensor, ...]:
    """Windows with so many sessions of padding; three if one number is given."""
    padding = np.array(paddings * 3 if len(paddings) == 1 else paddings)[:, None]
    rng = np.random.default_rng(paddings)
    there = np.arange(LENGTH) >= padding
    pool = rng.integers(1, 20, there.shape) * there
    interval = rng.random(there.shape).astype(np.float32) * there
    service = rng.integers(1, 5, there.shape) * there
    return torch.from_numpy(pool), torch.from_numpy(interval), torch.from_numpy(service)


@pytest.mark.parametrize("padding", [0, 1, 8, LENGTH - 1])
def test_attention_sums_to_one_and_is_exactly_zero_on_padding(model: NBA, padding: int) -> None:
    _, attention, *_ = model(*windows(padding))
    assert attention.sum(1).detach().numpy() == pytest.approx(np.ones(3), abs=1e-6)
    assert (attention[:, :padding] == 0).all()
    assert (attention[:, padding:] > 0).all()


@pytest.mark.parametrize("padding", [1, 8, LENGTH - 1])
def test_a_padded_window_has_the_outputs_of_the_shorter_one(model: NBA, padding: int) -> None:
    given = windows(padding)
    padded = model(*given)
    short = model(*(one[:, padding:] for one in given))
    assert torch.allclose(padded[0], short[0], atol=1e-6)
    assert torch.allclose(padded[1][:, padding:], short[1], atol=1e-6)
    assert torch.allclose(padded[2], short[2], atol=1e-6)
    assert torch.allclose(padded[3], short[3], atol=1e-6)


def test_what_stands_in_the_padding_makes_no_difference(model: NBA) -> None:
    pool, interval, service = windows(5)
    other = interval.clone()
    other[:, :5] = 0.7
    for one, two in zip(model(pool, interval, service), model(pool, other, service), strict=True):
        assert torch.equal(one, two)


def test_the_last_sessions_are_a_step_and_share_its_attention(model: NBA) -> None:
    attention = model(*windows(0))[1]
    whole = LENGTH // model.stacked * model.stacked
    steps = attention[:, -whole:].reshape(len(attention), -1, model.stacked)
    assert (steps == steps[:, :, :1]).all()
    assert (steps[:, 1:, 0] != steps[:, :-1, 0]).all()


def test_the_context_is_the_states_weighted_by_attention_so_order_matters(model: NBA) -> None:
    given = windows(0)
    forward, backward = model(*given)[2], model(*(one.flip(1) for one in given))[2]
    assert forward.shape == (3, 8)
    assert not torch.allclose(forward, backward)


def test_the_blend_divides_the_networks_logits_and_adds_class_likelihoods(model: NBA) -> None:
    pool, *_ = windows(LENGTH - 9)
    context, likely = torch.randn(3, 8), torch.randn(3, 4)
    before = model.blended(pool, context, likely)
    assert torch.equal(before, model.classifier(context))
    model.set_blend(temperature=2.0, likelihood_weight=0.5)
    assert torch.allclose(model.blended(pool, context, likely), before / 2 + 0.5 * 3 * likely)


@pytest.mark.parametrize("left_out", ["pool", "service"])
def test_a_feature_that_is_left_out_makes_no_difference(left_out: str) -> None:
    model = NBA(
        pools=20,
        services=5,
        classes=4,
        hidden=8,
        stacked=2,
        features=[name for name in FEATURES if name != left_out],
    ).eval()
    given = dict(zip(INPUTS, windows(0), strict=True))
    changed = given | {left_out: torch.ones_like(given[left_out])}
    assert torch.equal(model.logits(**given), model.logits(**changed))


def likelihoods(novel_service: int) -> ClassLikelihoods:
    """Habits of 4 classes for which nothing but this service is novel."""
    novelty = np.zeros(5, np.float32)
    novelty[novel_service] = 1.0
    row = np.tile(np.arange(5, dtype=np.int32)[:, None], (1, 20))
    timing = np.zeros((5, STEPS + 1, 4), np.float32)
    return ClassLikelihoods(row, novelty, np.zeros((5, 4), np.float32), timing)


def test_a_window_of_novel_sessions_is_less_familiar(model: NBA) -> None:
    pool, interval, service = windows(4)
    with torch.no_grad():
        context = model(pool, interval, service)[2]
        model.set_reference(likelihoods(novel_service=2), context, torch.tensor([0, 1, 1]))
        usual, novel = (
            model.resemblance(pool, interval, torch.where(service > 0, one, 0), context)
            for one in (1, 2)
        )
    assert (usual[0] == 0).all()
    assert novel[0].numpy() == pytest.approx([-1, -1, -1])
    assert (model.familiarity(*usual) > model.familiarity(*novel)).all()


def test_a_context_far_from_every_class_is_less_familiar(model: NBA) -> None:
    rng = np.random.default_rng(0)
    truth = torch.from_numpy(np.arange(200) % 2)
    context = torch.from_numpy(rng.normal(0, 1, (200, 8)).astype(np.float32))
    context[:, 0] += 6 * truth
    model.set_reference(likelihoods(novel_service=0), context, truth)
    model.set_tolerance(seen=-10.0, typical=-9.0, usual=100.0)
    places = torch.zeros(3, 8)
    places[:, 0] = torch.tensor([6.0, 3.0, 60.0])
    known = model.familiarity(*model.resemblance(*windows(0), places))
    assert known[0] > known[1] > known[2]


def test_a_window_is_typical_only_if_one_class_explains_both_sessions_and_context(
    model: NBA,
) -> None:
    model.set_usual(torch.tensor([[-2.0], [0.5], [-3.0], [1.0]]).repeat(1, 4))
    likely, near = torch.full((2, 4), -9.0), torch.full((2, 4), -9.0)
    likely[:, 0], near[0, 0], near[1, 1] = -2.0, -3.0, -3.0
    assert model.typical(likely, near).numpy() == pytest.approx([0.0, -6.0])


@pytest.mark.parametrize("stacked", [1, 2, 3])
@pytest.mark.parametrize("features", [FEATURES, ("pool", "interval"), ("service", "level")])
def test_the_onnx_graph_has_the_networks_outputs_with_and_without_padding(
    features: tuple[str, ...], stacked: int
) -> None:
    torch.manual_seed(1)
    made = NBA(20, 5, classes=4, hidden=8, features=features, stacked=stacked).eval()
    made.row = torch.randint(0, 6, (5, 20), dtype=torch.int32)
    made.novelty, made.pair = torch.rand(6), torch.randn(6, 4)
    made.timing = torch.randn(5, STEPS + 1, 4)
    made.set_blend(0.7, 0.4)
    session = onnxruntime.InferenceSession(
        onnx_graph.build(made).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for paddings in ((0,), (1,), (2,), (LENGTH - 1,), tuple(range(LENGTH))):
        given = windows(*paddings)
        padding = min(paddings)
        with torch.no_grad():
            wanted = [one.numpy() for one in made(*given)]
        given[1][given[0] == 0] = 0.7  # what stands in the padding makes no difference
        for left_out in (0, padding):
            feeds = {
                name: one[:, left_out:].numpy() for name, one in zip(INPUTS, given, strict=True)
            }
            found = session.run(OUTPUTS, feeds)
            assert (found[1][:, : padding - left_out] == 0).all()
            for name, answer, want in zip(OUTPUTS, found, wanted, strict=True):
                want = want[:, left_out:] if name == "attention" else want
                np.testing.assert_allclose(answer, want, atol=1e-5, err_msg=name)
