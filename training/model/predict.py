"""Predictions of a PyTorch model for windows, before they are calibrated to thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from training.model.examples import Examples, tensors
from training.model.network import NBA

_AT_ONCE = 4096  # windows per step: memory stays flat


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The outputs of a model for B windows.

    logits: blended, float32 [B, K]. context: float32 [B, M]. known: familiarity, float32 [B]. seen:
    float32 [B], likely, near: float32 [B, K], see NBA.resemblance().
    """

    logits: np.ndarray
    context: np.ndarray
    known: np.ndarray
    seen: np.ndarray
    likely: np.ndarray
    near: np.ndarray


@torch.no_grad()
def predict(model: NBA, part: Examples) -> Predictions:
    """The model's outputs for windows, computed where the model is."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for at in range(0, len(part), _AT_ONCE):
        pool, interval, service = tensors(part.inputs(slice(at, at + _AT_ONCE)), device)
        _, context = model.encode(pool, interval, service)
        resemblance = model.resemblance(pool, interval, service, context)
        known = model.familiarity(*resemblance)
        logits = model.blended(pool, context, resemblance[1])
        parts.append((logits, context, known, *resemblance))
    return Predictions(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))
