"""The NBA network: embedded sessions through an LSTM with attention to a softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nba_broker.model.features import PADDING
from training.model.class_likelihoods import STEPS, ClassLikelihoods

EMBEDDING = 3
"""Dimensions of a pool's embedding, as in the paper, and of a service's."""

LEVELS = 64
"""Steps of the scaled interval that are told apart whatever lies between them. A device's timers
and round trips are peaks a few hundredths of the scale apart: a network takes long to cut such
peaks out of one number, and an embedding has them from the start."""

LEVEL_EMBEDDING = 4
"""Dimensions of a level's embedding."""

SPREAD = 12.0
"""By how much scaled intervals are pulled apart. Twins differ by a few hundredths of the scale; as
small as that, the embedding's unit variance drowns it and the LSTM hardly learns to see it."""

NOVEL = 0.05
"""The share of novel sessions, beyond what is tolerated, at which a window is as strange as one
whose context lies at the edge of what is tolerated."""

WIDTHS = {"pool": EMBEDDING, "interval": 1, "level": LEVEL_EMBEDDING, "service": EMBEDDING}
"""Numbers that the LSTM is given for each feature of a session."""

FEATURES = tuple(WIDTHS)
"""What a session can be to the network; the first two are the paper's NBA(dst+interval)."""


class NBA(nn.Module):
    """Windows of B hosts, N sessions each, to probabilities of K classes.

    pools, services: sizes of the vocabularies, padding and never seen included. classes: K.
    hidden: the size M of the LSTM's state and of the context vector. stacked: sessions that the
    LSTM is given in one step, the window's last ones together. features: some of FEATURES.
    """

    row: Tensor
    novelty: Tensor
    pair: Tensor
    timing: Tensor
    centres: Tensor
    whitening: Tensor
    blend: Tensor
    usual: Tensor
    tolerance: Tensor

    def __init__(
        self,
        pools: int,
        services: int,
        classes: int,
        hidden: int,
        stacked: int,
        features: Sequence[str] = FEATURES,
    ) -> None:
        super().__init__()
        self.features = tuple(features)
        self.stacked = stacked
        self.embedding = nn.Embedding(pools, EMBEDDING, padding_idx=PADDING)
        self.service = nn.Embedding(services, EMBEDDING, padding_idx=PADDING)
        self.level = nn.Embedding(LEVELS, LEVEL_EMBEDDING)
        self.lstm = nn.LSTM(stacked * sum(WIDTHS[name] for name in self.features), hidden)
        self.attention = nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, 1, bias=False)
        self.classifier = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )
        # What the training part looked like: set by remember(), nothing that gradients reach.
        self.register_buffer("row", torch.zeros((services, pools), dtype=torch.int32))
        self.register_buffer("novelty", torch.zeros(1))
        self.register_buffer("pair", torch.zeros((1, classes)))
        self.register_buffer("timing", torch.zeros((services, STEPS + 1, classes)))
        # Far away until remember(): nothing is like a class of which there was no window.
        self.register_buffer("centres", torch.full((classes, hidden), 1e3))
        self.register_buffer("whitening", torch.eye(hidden))
        # What later windows say of that: set by weigh(), expect() and tolerate().
        self.register_buffer("blend", torch.tensor([1.0, 0.0]))
        self.register_buffer("usual", torch.tensor([[0.0], [1.0], [0.0], [1.0]]).repeat(1, classes))
        self.register_buffer("tolerance", torch.tensor([0.0, 0.0, 1.0]))

    def steps(self, pool: Tensor, interval: Tensor, service: Tensor) -> Tensor:
        """What the LSTM is given in each of its S steps, float [B, S, stacked * D]."""
        interval = interval.masked_fill(pool == PADDING, 0)  # a step may begin with padding
        parts: dict[str, Tensor] = {
            "pool": self.embedding(pool),
            "interval": ((interval - 0.5) * SPREAD).unsqueeze(2),
            "level": self.level((interval * (LEVELS - 1)).round().long()),
            "service": self.service(service),
        }
        steps = torch.cat([parts[name] for name in self.features], 2)
        windows, length, width = steps.shape
        return steps.reshape(windows, length // self.stacked, self.stacked * width)

    def encode(self, pool: Tensor, interval: Tensor, service: Tensor) -> tuple[Tensor, Tensor]:
        """Attention float [B, N] and context float [B, M] of windows: pool and service int64
        [B, N], interval float [B, N].

        Windows are left-padded, but an LSTM has a memory of what it began with: so each window is
        turned until its steps of padding lie behind, where nothing that follows can see them, and
        the attention is turned back. A step's attention is its sessions' in equal parts.
        """
        given = pool.shape[1]
        missing = -given % self.stacked
        pool, interval, service = (
            nn.functional.pad(feature, (missing, 0)) for feature in (pool, interval, service)
        )
        length = given + missing
        place = torch.arange(length, device=pool.device)
        padding = (pool == PADDING).sum(1, keepdim=True) // self.stacked * self.stacked
        ahead = (place + padding) % length
        turned = [feature.gather(1, ahead) for feature in (pool, interval, service)]

        hidden, _ = self.lstm(self.steps(*turned).transpose(0, 1))
        score = self.weight(torch.tanh(self.attention(hidden))).squeeze(2).transpose(0, 1)
        there = (turned[0] != PADDING).reshape(*score.shape, self.stacked)
        sessions = there.sum(2)
        # exp of this is exactly 0, and unlike infinity it makes no NaN of an empty window.
        weight = torch.softmax(score.masked_fill(sessions == 0, -1e9), 1)
        context = torch.bmm(weight.unsqueeze(1), hidden.transpose(0, 1)).squeeze(1)
        attention = ((weight / sessions.clamp(min=1)).unsqueeze(2) * there).flatten(1)
        return attention.gather(1, (place - padding) % length)[:, missing:], context

    def logits(self, pool: Tensor, interval: Tensor, service: Tensor) -> Tensor:
        """What the network alone says, float [B, K]: training needs no more."""
        _, context = self.encode(pool, interval, service)
        logits: Tensor = self.classifier(context)
        return logits

    def resemblance(
        self, pool: Tensor, interval: Tensor, service: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """How much windows are like the training part's, higher means more: by their share of novel
        sessions, float [B]; by the mean log likelihood of their sessions to each class, float
        [B, K]; and by the distance of their context from each class's centre, float [B, K]."""
        there = (pool != PADDING).float()
        length = there.sum(1).clamp(min=1)
        row = self.row.flatten()[service * self.embedding.num_embeddings + pool].long()
        seen = -(self.novelty[row] * there).sum(1) / length
        step = service * (STEPS + 1) + (interval * STEPS).long()
        likely = self.pair[row] + self.timing.flatten(0, 1)[step]
        likely = (likely * there.unsqueeze(2)).sum(1) / length.unsqueeze(1)
        away = ((context @ self.whitening).unsqueeze(1) - self.centres @ self.whitening).square()
        return seen, likely, -torch.log(away.sum(2) + 1e-6)

    def blended(self, pool: Tensor, context: Tensor, likely: Tensor) -> Tensor:
        """What the softmax is taken of, float [B, K]: the network's logits with the habits'
        likelihoods. Sessions of a host repeat each other, so n of them count as its square root."""
        length = (pool != PADDING).sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.classifier(context)
        return self.blend[0] * logits + self.blend[1] * length.sqrt() * likely

    def typical(self, likely: Tensor, near: Tensor) -> Tensor:
        """How typical windows are of the class that they are most typical of, float [B], in
        standard deviations from that class's mean: no more in one way than in the other."""
        likely_mean, likely_deviation, near_mean, near_deviation = self.usual
        return (
            torch.minimum(
                (likely - likely_mean) / likely_deviation, (near - near_mean) / near_deviation
            )
            .max(1)
            .values
        )

    def familiarity(self, seen: Tensor, likely: Tensor, near: Tensor) -> Tensor:
        """How much windows are like the training part's all in all, float [B], from what
        resemblance() says.

        It is the worse of being seen and being typical, on a scale where a usual window has 1 and
        one at the edge of what is tolerated 0: a host may go to usual places in an unusual way, or
        the other way round. It has no more than 1 for what was seen, so that this does not make up
        for the rest when it is smoothed over windows.
        """
        least_seen, least_typical, usual = self.tolerance
        novel = ((seen - least_seen) / NOVEL).clamp(max=0) + 1
        return torch.minimum(novel, (self.typical(likely, near) - least_typical) / usual)

    def forward(
        self, pool: Tensor, interval: Tensor, service: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Probability [B, K], attention [B, N], context [B, M], known [B]: the outputs of the ONNX
        file."""
        attention, context = self.encode(pool, interval, service)
        seen, likely, near = self.resemblance(pool, interval, service, context)
        probability = torch.softmax(self.blended(pool, context, likely), 1)
        return probability, attention, context, self.familiarity(seen, likely, near)

    @torch.no_grad()
    def remember(self, habits: ClassLikelihoods, context: Tensor, truth: Tensor) -> None:
        """Keep what resemblance() compares with: the classes' habits, and the contexts float [B, M]
        of windows of classes ``truth`` int64 [B].

        The distance is Mahalanobis', every class having the same share in one common covariance.
        """
        for name in ("row", "novelty", "pair", "timing"):
            setattr(self, name, torch.from_numpy(getattr(habits, name)).to(self.centres.device))
        covariance = torch.zeros_like(self.whitening, dtype=torch.float64)
        classes = torch.unique(truth)
        for number in classes:
            rows = context[truth == number].double()
            self.centres[number] = rows.mean(0).float()
            away = rows - rows.mean(0)
            covariance += away.T @ away / len(rows) / len(classes)
        size = covariance.diagonal().mean()
        covariance += 1e-3 * size * torch.eye(len(covariance), dtype=torch.float64)
        self.whitening.copy_(torch.linalg.cholesky(torch.linalg.inv(covariance)))

    @torch.no_grad()
    def expect(self, usual: Tensor) -> None:
        """From now on measure windows by these, float [4, K]: mean and deviation, of a class's own
        windows, of their likelihood to it, and of their distance from it."""
        self.usual.copy_(usual)

    @torch.no_grad()
    def tolerate(self, seen: float, typical: float, usual: float) -> None:
        """From now on count familiarity from these values on; ``usual`` is how much more typical
        than ``typical`` a known host's window usually is."""
        self.tolerance.copy_(torch.tensor([seen, typical, usual]))

    @torch.no_grad()
    def weigh(self, temperature: float, habits: float) -> None:
        """From now on divide the network's logits by ``temperature`` and multiply the habits'
        likelihoods by ``habits``."""
        self.blend.copy_(torch.tensor([1 / temperature, habits]))
