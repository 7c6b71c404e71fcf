"""The NBA network: embedded pools and intervals through an LSTM with attention to a softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nba_broker.features import PADDING

EMBEDDING = 3
"""Dimensions of a pool's embedding, as in the paper."""

SPREAD = 12.0
"""By how much scaled intervals are pulled apart. Twins differ by a few hundredths of the scale; as
small as that, the embedding's unit variance drowns it and the LSTM hardly learns to see it."""


class NBA(nn.Module):
    """Windows of B hosts, N sessions each, to probabilities of K classes.

    pools: size of the vocabulary, padding and never seen included. classes: K. hidden: the size M
    of the LSTM's state and of the context vector.
    """

    def __init__(self, pools: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(pools, EMBEDDING, padding_idx=PADDING)
        self.lstm = nn.LSTM(EMBEDDING + 1, hidden)
        self.attention = nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(hidden, classes)
        self.classifier = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), self.output)

    def encode(self, pool: Tensor, interval: Tensor) -> tuple[Tensor, Tensor]:
        """Attention float [B, N] and context float [B, M] of pool int64 and interval float [B, N].

        Windows are left-padded, but an LSTM has a memory of what it began with: so each window is
        turned until its padding lies behind, where nothing that follows can see it, and the
        attention is turned back.
        """
        length = pool.shape[1]
        place = torch.arange(length, device=pool.device)
        padding = (pool == PADDING).sum(1, keepdim=True)
        ahead = (place + padding) % length
        pool, interval = pool.gather(1, ahead), interval.gather(1, ahead)

        spread = (interval - 0.5) * SPREAD
        steps = torch.cat([self.embedding(pool), spread.unsqueeze(2)], 2)
        hidden, _ = self.lstm(steps.transpose(0, 1))
        score = self.weight(torch.tanh(self.attention(hidden))).squeeze(2).transpose(0, 1)
        # exp of this is exactly 0, and unlike infinity it makes no NaN of an empty window.
        weight = torch.softmax(score.masked_fill(pool == PADDING, -1e9), 1)
        context = torch.bmm(weight.unsqueeze(1), hidden.transpose(0, 1)).squeeze(1)
        return weight.gather(1, (place - padding) % length), context

    def logits(self, pool: Tensor, interval: Tensor) -> Tensor:
        """What the softmax is taken of, float [B, K]: training needs no more."""
        _, context = self.encode(pool, interval)
        logits: Tensor = self.classifier(context)
        return logits

    def forward(self, pool: Tensor, interval: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probability [B, K], attention [B, N], context [B, M]: the outputs of the ONNX file."""
        attention, context = self.encode(pool, interval)
        return torch.softmax(self.classifier(context), 1), attention, context

    @torch.no_grad()
    def cool(self, temperature: float) -> None:
        """Divide all logits by ``temperature`` from now on."""
        self.output.weight.div_(temperature)
        self.output.bias.div_(temperature)
