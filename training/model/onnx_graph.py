"""The network as an ONNX graph, written operator by operator.

PyTorch's exporter translates ``NBA.forward`` call by call, and its operators on small arrays take
as long as the LSTM. This is the same network; export.check() compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper, parser
from torch import Tensor, nn

from nba_broker.model.features import PADDING
from training.model.class_likelihoods import STEPS
from training.model.network import LEVELS, NBA, NOVEL, SPREAD, WIDTHS

OPSET = 20

_SHUT = 1e4  # keeps an input gate shut, whatever the other inputs

# Any number of windows, of any length: without the padding the outputs are the same, and faster.
# The LSTM takes steps first, [S, B, D]. A step that ends with padding shuts its input gates, so
# that the state is 0 at the first session. The class likelihoods of a session are two rows of one
# table, of its pair and of its interval: their sum over the window is one look-up and one
# reduction. Names of tensors are part of the file, and stay: "habits" are the class likelihoods.
_GRAPH = """
<ir_version: 9, opset_import: ["" : OPSET], producer_name: "nba-train">
nba (int64[windows, N] pool, float[windows, N] interval, int64[windows, N] service)
=> (float[windows, CLASSES] probability, float[windows, N] attention,
    float[windows, HIDDEN] context, float[windows] known)
{
    any_length = Shape <start = 1> (pool)
    too_long = Neg (any_length)
    missing = Mod (too_long, stacked)
    pads = Concat <axis = 0> (zero, missing, zero_twice)
    whole_pool = Pad (pool, pads)
    whole_interval = Pad (interval, pads)
    whole_service = Pad (service, pads)
    absent = Equal (whole_pool, padding)
    there = Not (absent)
    timed = Where (absent, none, whole_interval)
    levels_passed = Mul (timed, levels)
    nearest = Round (levels_passed)
    level = Cast <to = 7> (nearest)
    centred = Sub (timed, half)
    spread = Mul (centred, spread_by)
    of_pool = Gather (pool_table, whole_pool)
    of_interval = Unsqueeze (spread, axis_2)
    of_level = Gather (level_table, level)
    of_service = Gather (service_table, whole_service)
    of_session = Concat <axis = 2> (FEATURES)
    of_step = Reshape (of_session, step_shape)
    steps = Transpose <perm = [1, 0, 2]> (of_step)
    states = LSTM <hidden_size = HIDDEN> (steps, lstm_input, lstm_recurrent, lstm_bias)
    hidden = Squeeze (states, axis_1)

    flat = Reshape (hidden, flat_shape)
    inner = Gemm (flat, attention_weight, attention_bias)
    bent = Tanh (inner)
    flat_score = MatMul (bent, score_weight)
    steps_first = Shape <end = 2> (steps)
    score_first = Reshape (flat_score, steps_first)
    score = Transpose (score_first)
    there_steps = Reshape (there, steps_shape)
    sessions_there = Cast <to = 1> (there_steps)
    of_steps = ReduceSum <keepdims = 0> (sessions_there, axis_2)
    empty = Equal (of_steps, none)
    masked = Where (empty, never, score)
    weight = Softmax <axis = 1> (masked)
    at_least_one = Max (of_steps, one)
    part = Div (weight, at_least_one)
    part_alone = Unsqueeze (part, axis_2)
    parts = Concat <axis = 2> (PARTS)
    whole_shape = Shape (whole_pool)
    of_sessions = Reshape (parts, whole_shape)
    whole_attention = Where (absent, none, of_sessions)
    attention = Slice (whole_attention, missing, end, axis_1)
    weight_row = Unsqueeze (weight, axis_1)
    hidden_of_window = Transpose <perm = [1, 0, 2]> (hidden)
    context_row = MatMul (weight_row, hidden_of_window)
    context = Squeeze (context_row, axis_1)

    sessions = ReduceSum <keepdims = 1> (of_steps, axis_1)
    length = Max (sessions, one)
    first_place = Mul (whole_service, pools)
    place = Add (first_place, whole_pool)
    pair_32 = Gather (rows, place)
    pair = Cast <to = 7> (pair_32)
    steps_passed = Mul (timed, timing_steps)
    step = Cast <to = 7> (steps_passed)
    first_step = Mul (whole_service, timings)
    service_step = Add (first_step, step)
    timing = Add (service_step, first_timing)
    both = Concat <axis = 1> (pair, timing)
    said = Gather (habits, both)
    said_in_all = ReduceSum <keepdims = 0> (said, axis_1)
    said_mean = Div (said_in_all, length)
    likely, novelty_column = Split <axis = 1> (said_mean, likely_and_novelty)
    novelty = Squeeze (novelty_column, axis_1)

    inside = Gemm <transB = 1> (context, inside_weight, inside_bias)
    positive = Relu (inside)
    logits = Gemm <transB = 1> (positive, logits_weight, logits_bias)
    root = Sqrt (length)
    likely_in_all = Mul (root, likely)
    habit_logits = Mul (likely_in_all, habits_weight)
    blended = Add (logits, habit_logits)
    probability = Softmax <axis = 1> (blended)

    white = MatMul (context, whitening)
    white_row = Unsqueeze (white, axis_1)
    away = Sub (white_row, centres)
    distance = ReduceSumSquare <keepdims = 0> (away, axis_2)
    some_distance = Add (distance, tiny)
    far = Log (some_distance)
    likelier = Sub (likely, likely_mean)
    typical_sessions = Div (likelier, likely_deviation)
    nearer = Sub (far_mean, far)
    typical_context = Div (nearer, near_deviation)
    typical_of = Min (typical_sessions, typical_context)
    typical = ReduceMax <keepdims = 0> (typical_of, axis_1)
    typical_beyond = Sub (typical, least_typical)
    familiar = Div (typical_beyond, usual)
    strangeness = Mul (novelty, per_novelty)
    seen = Sub (most_seen, strangeness)
    seen_enough = Min (seen, one)
    known = Min (seen_enough, familiar)
}
"""


def build(model: NBA) -> onnx.ModelProto:
    """The graph of a model on the CPU; windows are [B, N] of any B and N."""
    hidden, classes = model.lstm.hidden_size, len(model.centres)
    words = {
        "OPSET": str(OPSET),
        "HIDDEN": str(hidden),
        "CLASSES": str(classes),
        "FEATURES": ", ".join(f"of_{name}" for name in _features(model)),
        "PARTS": ", ".join(["part_alone"] * model.stacked),
    }
    text = _GRAPH
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    proto = parser.parse_model(text)
    constants = {**_encoder(model), **_likelihoods(model), **_head(model)}
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name)
        for name, value in constants.items()
    )
    return proto


def _floats(tensor: Tensor) -> np.ndarray:
    values: np.ndarray = tensor.detach().numpy().astype(np.float32)
    return values


def _float(number: float) -> np.ndarray:
    return np.array(number, np.float32)


def _int(number: int | Sequence[int]) -> np.ndarray:
    return np.array(number, np.int64)


def _gates(model: NBA, name: str) -> np.ndarray:
    """ONNX has input, output, forget, cell; PyTorch input, forget, cell, output."""
    i, f, c, o = np.split(_floats(dict(model.lstm.named_parameters())[name]), 4)
    return np.concatenate([i, o, f, c])


def _features(model: NBA) -> tuple[str, ...]:
    """The features of a session; the pool is always one, since it marks padding."""
    return tuple(dict.fromkeys(("pool", *model.features)))


def _encoder(model: NBA) -> dict[str, np.ndarray]:
    """The network up to its context. The table of pools has one more column, which shuts the gates
    for padding."""
    hidden, stacked = model.lstm.hidden_size, model.stacked
    given = _gates(model, "weight_ih_l0").reshape(4 * hidden, stacked, -1)
    borders = np.cumsum([WIDTHS[name] for name in model.features])[:-1]
    column = dict(zip(model.features, np.split(given, borders, axis=2), strict=True))
    pools = _floats(model.embedding.weight)
    if "pool" not in column:
        column["pool"], pools = given[:, :, :0], pools[:, :0]
    shuts = np.zeros((4 * hidden, stacked, 1), np.float32)
    shuts[:hidden, -1] = 1  # the input gate, by the step's last session
    column["pool"] = np.concatenate([column["pool"], shuts], 2)
    shut = np.zeros((len(pools), 1), np.float32)
    shut[PADDING] = -_SHUT
    weights = np.concatenate([column[name] for name in _features(model)], 2)
    return {
        "pool_table": np.hstack([pools, shut]),
        "service_table": _floats(model.service.weight),
        "level_table": _floats(model.level.weight),
        "half": _float(0.5),
        "spread_by": _float(SPREAD),
        "levels": _float(LEVELS - 1),
        "lstm_input": weights.reshape(1, 4 * hidden, -1),
        "lstm_recurrent": _gates(model, "weight_hh_l0")[None],
        "lstm_bias": np.concatenate([_gates(model, "bias_ih_l0"), _gates(model, "bias_hh_l0")])[
            None
        ],
        "attention_weight": _floats(model.attention.weight).T,
        "attention_bias": _floats(model.attention.bias),
        "score_weight": _floats(model.weight.weight).T,
        "flat_shape": _int([-1, hidden]),
        "stacked": _int([stacked]),
        "steps_shape": _int([0, -1, stacked]),
        "step_shape": _int([0, -1, weights[0].size]),
        "zero": _int([0]),
        "zero_twice": _int([0, 0]),
        "end": _int([np.iinfo(np.int64).max]),
        "none": _float(0),
        "padding": _int(PADDING),
        "never": _float(-1e9),
        "axis_1": _int([1]),
        "axis_2": _int([2]),
    }


def _likelihoods(model: NBA) -> dict[str, np.ndarray]:
    """One table of the rows of pairs, with their novelty, and the rows of intervals, without."""
    classes = len(model.centres)
    pair = np.column_stack([_floats(model.pair), _floats(model.novelty)])
    timing = _floats(model.timing).reshape(-1, classes)
    timing = np.column_stack([timing, np.zeros(len(timing), np.float32)])
    rows = model.row.numpy().astype(np.int32).reshape(-1)
    # Only padding is of service 0 and pool 0. Its row is 0, and it has no interval.
    table = np.vstack([pair, timing, np.zeros((1, classes + 1), np.float32)])
    rows[PADDING] = len(table) - 1
    table[len(pair)] = 0
    return {
        "rows": rows,
        "pools": _int(model.embedding.num_embeddings),
        "habits": table,
        "timing_steps": _float(STEPS),
        "timings": _int(STEPS + 1),
        "first_timing": _int(len(pair)),
        "likely_and_novelty": _int([classes, 1]),
        "one": _float(1),
    }


def _head(model: NBA) -> dict[str, np.ndarray]:
    inside, logits = (layer for layer in model.classifier if isinstance(layer, nn.Linear))
    network, likelihoods = model.blend.tolist()
    likely_mean, likely_deviation, near_mean, near_deviation = _floats(model.usual)
    least_seen, least_typical, usual = model.tolerance.tolist()
    return {
        "inside_weight": _floats(inside.weight),
        "inside_bias": _floats(inside.bias),
        "logits_weight": _floats(logits.weight) * np.float32(network),
        "logits_bias": _floats(logits.bias) * np.float32(network),
        "habits_weight": _float(likelihoods),
        "whitening": _floats(model.whitening),
        "centres": _floats(model.centres @ model.whitening),
        "tiny": _float(1e-6),
        "likely_mean": likely_mean,
        "likely_deviation": likely_deviation,
        "far_mean": -near_mean,
        "near_deviation": near_deviation,
        "least_typical": _float(least_typical),
        "usual": _float(usual),
        "per_novelty": _float(1 / NOVEL),
        "most_seen": _float(1 - least_seen / NOVEL),
    }
