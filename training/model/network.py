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
"""Steps of the scaled interval, each with an embedding of its own. A device's timers and round
trips are peaks a few hundredths of the scale apart: a network learns them slowly from one number,
and at once from an embedding."""

LEVEL_EMBEDDING = 4
"""Dimensions of a level's embedding."""

SPREAD = 12.0
"""Factor of scaled intervals. Confusable devices differ by a few hundredths of the scale, which is
little beside the unit variance of the embedding: the LSTM would hardly learn from it."""

NOVEL = 0.05
"""The share of novel sessions, beyond the tolerated one, at which a window is as unfamiliar as one
whose context lies at the edge of the tolerance."""

WIDTHS = {"pool": EMBEDDING, "interval": 1, "level": LEVEL_EMBEDDING, "service": EMBEDDING}
"""Inputs of the LSTM for each feature of a session."""

FEATURES = tuple(WIDTHS)
"""Features of a session; the first two are the paper's NBA(dst+interval)."""


class NBA(nn.Module):
    """Windows of B hosts, N sessions each, to probabilities of K classes.

    pools, services: sizes of the vocabularies, padding and never seen included. classes: K.
    hidden: the size M of the LSTM's state and of the context vector. stacked: sessions in one step
    of the LSTM, the last ones of the window together. features: some of FEATURES.
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
        # Counts and contexts of the training part, set by set_reference(); no gradient changes
        # them.
        self.register_buffer("row", torch.zeros((services, pools), dtype=torch.int32))
        self.register_buffer("novelty", torch.zeros(1))
        self.register_buffer("pair", torch.zeros((1, classes)))
        self.register_buffer("timing", torch.zeros((services, STEPS + 1, classes)))
        # Far away until set_reference(): no window is near a class without windows.
        self.register_buffer("centres", torch.full((classes, hidden), 1e3))
        self.register_buffer("whitening", torch.eye(hidden))
        # Calibrated by later windows: set_blend(), set_usual() and set_tolerance().
        self.register_buffer("blend", torch.tensor([1.0, 0.0]))
        self.register_buffer("usual", torch.tensor([[0.0], [1.0], [0.0], [1.0]]).repeat(1, classes))
        self.register_buffer("tolerance", torch.tensor([0.0, 0.0, 1.0]))

    def steps(self, pool: Tensor, interval: Tensor, service: Tensor) -> Tensor:
        """The inputs of the LSTM in each of its S steps, float [B, S, stacked * D]."""
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

        Windows are padded on the left, but the first steps would change the state of an LSTM. So
        each window is rotated until its steps of padding are last, and the attention is rotated
        back. The attention of a step is divided equally among its sessions.
        """
        given = pool.shape[1]
        missing = -given % self.stacked
        pool, interval, service = (
            nn.functional.pad(feature, (missing, 0)) for feature in (pool, interval, service)
        )
        length = given + missing
        place = torch.arange(length, device=pool.device)
        padding = (pool == PADDING).sum(1, keepdim=True) // self.stacked * self.stacked
        behind = (place + padding) % length
        rotated = [feature.gather(1, behind) for feature in (pool, interval, service)]

        hidden, _ = self.lstm(self.steps(*rotated).transpose(0, 1))
        score = self.weight(torch.tanh(self.attention(hidden))).squeeze(2).transpose(0, 1)
        there = (rotated[0] != PADDING).reshape(*score.shape, self.stacked)
        sessions = there.sum(2)
        # exp of this is exactly 0, and unlike infinity it makes no NaN of an empty window.
        weight = torch.softmax(score.masked_fill(sessions == 0, -1e9), 1)
        context = torch.bmm(weight.unsqueeze(1), hidden.transpose(0, 1)).squeeze(1)
        attention = ((weight / sessions.clamp(min=1)).unsqueeze(2) * there).flatten(1)
        return attention.gather(1, (place - padding) % length)[:, missing:], context

    def logits(self, pool: Tensor, interval: Tensor, service: Tensor) -> Tensor:
        """Logits of the network without class likelihoods, float [B, K], for training."""
        _, context = self.encode(pool, interval, service)
        logits: Tensor = self.classifier(context)
        return logits

    def resemblance(
        self, pool: Tensor, interval: Tensor, service: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Three similarities of windows to the training part, higher is more similar: the negative
        share of novel sessions, float [B]; the mean log likelihood of the sessions for each class,
        float [B, K]; the negative log distance of the context from each class's centre, float
        [B, K]."""
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
        """Logits of network and class likelihoods, float [B, K], for the softmax. Sessions of a
        host repeat each other, so n sessions have the weight of sqrt(n)."""
        length = (pool != PADDING).sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.classifier(context)
        return self.blend[0] * logits + self.blend[1] * length.sqrt() * likely

    def typical(self, likely: Tensor, near: Tensor) -> Tensor:
        """How typical windows are of the class for which they are most typical, float [B]: the
        lower of likelihood and nearness, in standard deviations from that class's mean."""
        likely_mean, likely_deviation, near_mean, near_deviation = self.usual
        return (
            torch.minimum(
                (likely - likely_mean) / likely_deviation, (near - near_mean) / near_deviation
            )
            .max(1)
            .values
        )

    def familiarity(self, seen: Tensor, likely: Tensor, near: Tensor) -> Tensor:
        """Familiarity of windows, float [B], from the values of resemblance().

        It is the lower of seen and typical, on a scale on which a usual window has 1 and a window
        at the edge of the tolerance 0: a host may go to usual places in an unusual way, or the
        other way round. Seen gives at most 1, so that it does not outweigh typical when familiarity
        is smoothed over windows.
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
    def set_reference(self, likelihoods: ClassLikelihoods, context: Tensor, truth: Tensor) -> None:
        """Keep what resemblance() compares with: class likelihoods, and contexts float [B, M] of
        windows of classes ``truth`` int64 [B].

        The distance is Mahalanobis', with one common covariance in which every class has the same
        share.
        """
        device = self.centres.device
        self.row = torch.from_numpy(likelihoods.row).to(device)
        self.novelty = torch.from_numpy(likelihoods.novelty).to(device)
        self.pair = torch.from_numpy(likelihoods.pair).to(device)
        self.timing = torch.from_numpy(likelihoods.timing).to(device)
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
    def set_usual(self, usual: Tensor) -> None:
        """Set mean and deviation of the likelihood, and of the nearness, of a class's own windows,
        float [4, K]."""
        self.usual.copy_(usual)

    @torch.no_grad()
    def set_tolerance(self, seen: float, typical: float, usual: float) -> None:
        """Set the least tolerated values of seen and typical; ``usual``: how far a usual window of
        a known host lies above ``typical``."""
        self.tolerance.copy_(torch.tensor([seen, typical, usual]))

    @torch.no_grad()
    def set_blend(self, temperature: float, likelihood_weight: float) -> None:
        """Divide the network's logits by ``temperature`` from now on, and multiply the class log
        likelihoods by ``likelihood_weight``."""
        self.blend.copy_(torch.tensor([1 / temperature, likelihood_weight]))
