"""Naive Bayes on (/16, interval bin) histograms, which a deep model should exceed."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

_LONGEST = 86_400.0
_UNSEEN = 0.001  # chosen on the validation part of a split by time


def tokens(prefix: np.ndarray, interval: np.ndarray) -> np.ndarray:
    """One number per (destination network, interval bin), int64 [n].

    prefix: int64 [n]. interval: seconds, float [n]; bins are octaves of milliseconds, the first
    below one, the last from a day on.
    """
    milliseconds = np.clip(interval.astype(np.float64), 0, _LONGEST) * 1e3
    octave = np.log2(np.maximum(milliseconds, 0.5))
    return prefix << 8 | (np.floor(octave).astype(np.int64) + 1)


class Histograms:
    """How often each class has each token; a token that a class never had counts as _UNSEEN
    sessions."""

    def __init__(self, token: np.ndarray, truth: np.ndarray, classes: int) -> None:
        """token, truth: int64 [n], of the training sessions; truth below ``classes``."""
        self.known, place = np.unique(token, return_inverse=True)
        count = np.full((classes, len(self.known) + 1), _UNSEEN)
        np.add.at(count, (truth, place), 1)
        self._log = np.log(count / count.sum(1, keepdims=True)).T
        # A class without sessions would have the highest probability of everything.
        self._log[:, np.bincount(truth, minlength=classes) == 0] = -np.inf

    def probability(self, token: np.ndarray) -> np.ndarray:
        """float64 [B, K] of windows of tokens, int64 [B, N], -1 where there is none."""
        place = np.searchsorted(self.known, token).clip(max=len(self.known) - 1)
        place = np.where(self.known[place] == token, place, len(self.known))
        total = np.zeros((len(token), self._log.shape[1]))
        for column in range(token.shape[1]):
            here = token[:, column] >= 0
            total[here] += self._log[place[here, column]]
        probability: np.ndarray = softmax(total, axis=1)
        return probability
