"""The paper's network and its variations, as baselines of the shipped model.

Windows are left-aligned here: a causal network does not see the padding behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

PADDING = 0
EMBEDDING = 3
"""Dimensions of a pool's embedding, as in the paper."""

BACKBONES = ("lstm", "gru", "tcn", "transformer")


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a network and its training.

    pools, classes: sizes of the vocabularies, padding included. services: the same for service
    ids, 0 if they are not an input. one_hot: pools one-hot and not embedded. interval: whether the
    interval is an input. hidden: size of the state. epochs, per_epoch: how often, and on how many
    windows of each, all classes equally often.
    """

    pools: int
    classes: int
    services: int = 0
    one_hot: bool = False
    interval: bool = True
    backbone: str = "lstm"
    hidden: int = 64
    epochs: int = 10
    per_epoch: int = 16_384
    batch: int = 256
    learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """B windows: pool, service int64 [B, N], 0 behind the last session; interval float32 [B, N]."""

    pool: np.ndarray
    interval: np.ndarray
    service: np.ndarray

    def __len__(self) -> int:
        return len(self.pool)

    def tensors(self, rows: np.ndarray | slice) -> tuple[Tensor, Tensor, Tensor]:
        """These windows for the network."""
        return (
            torch.from_numpy(self.pool[rows]),
            torch.from_numpy(self.interval[rows]),
            torch.from_numpy(self.service[rows]),
        )


class Network(nn.Module):
    """Embedded pools (and intervals, services) through a backbone with attention to K logits."""

    def __init__(self, shape: Shape, length: int) -> None:
        super().__init__()
        self.shape = shape
        if shape.one_hot:
            identity = torch.eye(shape.pools)
            identity[PADDING] = 0
            self.embedding = nn.Embedding(shape.pools, shape.pools, _weight=identity, _freeze=True)
        else:
            self.embedding = nn.Embedding(shape.pools, EMBEDDING, padding_idx=PADDING)
        size = self.embedding.embedding_dim + shape.interval
        if shape.services:
            self.service = nn.Embedding(shape.services, EMBEDDING, padding_idx=PADDING)
            size += EMBEDDING
        self.backbone = _backbone(shape.backbone, size, shape.hidden, length)
        self.attention = nn.Linear(shape.hidden, shape.hidden)
        self.weight = nn.Linear(shape.hidden, 1, bias=False)
        self.classifier = nn.Sequential(
            nn.Linear(shape.hidden, shape.hidden), nn.ReLU(), nn.Linear(shape.hidden, shape.classes)
        )

    def forward(
        self, pool: Tensor, interval: Tensor, service: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [B, K], attention [B, N] and context [B, hidden]."""
        steps = [self.embedding(pool)]
        if self.shape.interval:
            steps.append(interval.unsqueeze(2))
        if self.shape.services:
            steps.append(self.service(service))
        hidden = self.backbone(torch.cat(steps, 2), pool == PADDING)
        score = self.weight(torch.tanh(self.attention(hidden))).squeeze(2)
        weight = torch.softmax(score.masked_fill(pool == PADDING, -1e9), 1)
        context = torch.bmm(weight.unsqueeze(1), hidden).squeeze(1)
        return self.classifier(context), weight, context


class _Recurrent(nn.Module):
    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, steps: Tensor, padding: Tensor) -> Tensor:
        hidden: Tensor = self.layer(steps.transpose(0, 1))[0].transpose(0, 1)
        return hidden


class _Temporal(nn.Module):
    """Dilated causal convolutions with residual connections (Bai et al., 2018)."""

    def __init__(self, size: int, hidden: int, length: int) -> None:
        super().__init__()
        self.inward = nn.Linear(size, hidden)
        # Enough layers for the last session to depend on the first.
        self.dilations = [2**k for k in range(max(1, (length - 1).bit_length() - 1))]
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden, hidden, 3, dilation=dilation) for dilation in self.dilations
        )

    def forward(self, steps: Tensor, padding: Tensor) -> Tensor:
        hidden: Tensor = self.inward(steps).transpose(1, 2)
        for dilation, layer in zip(self.dilations, self.layers, strict=True):
            before = nn.functional.pad(hidden, [2 * dilation, 0])
            hidden = hidden + torch.relu(layer(before))
        return hidden.transpose(1, 2)


class _Transformer(nn.Module):
    """Two small encoder layers over learned places."""

    def __init__(self, size: int, hidden: int, length: int) -> None:
        super().__init__()
        self.inward = nn.Linear(size, hidden)
        self.place = nn.Parameter(torch.randn(length, hidden) * 0.1)
        layer = nn.TransformerEncoderLayer(
            hidden, 4, 2 * hidden, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, steps: Tensor, padding: Tensor) -> Tensor:
        hidden: Tensor = self.layers(
            self.inward(steps) + self.place[: steps.shape[1]], src_key_padding_mask=padding
        )
        return hidden


def _backbone(name: str, size: int, hidden: int, length: int) -> nn.Module:
    if name == "lstm":
        return _Recurrent(nn.LSTM(size, hidden))
    if name == "gru":
        return _Recurrent(nn.GRU(size, hidden))
    if name == "tcn":
        return _Temporal(size, hidden, length)
    return _Transformer(size, hidden, length)


def train(shape: Shape, inputs: Inputs, truth: np.ndarray, seed: int) -> Network:
    """A network fitted to windows with their classes, int64 [B].

    The same arguments give the same network on the same machine.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    network = Network(shape, inputs.pool.shape[1])
    optimizer = torch.optim.Adam(
        [value for value in network.parameters() if value.requires_grad], lr=shape.learning_rate
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, shape.epochs)
    rows_of = [np.flatnonzero(truth == one) for one in np.unique(truth)]
    batches = max(1, shape.per_epoch // shape.batch)
    for _ in range(shape.epochs):
        network.train()
        for _ in range(batches):
            rows = draw(rows_of, shape.batch, rng)
            logits, _, _ = network(*inputs.tensors(rows))
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(truth[rows]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        schedule.step()
    return network.eval()


def draw(rows_of: list[np.ndarray], number: int, rng: np.random.Generator) -> np.ndarray:
    """Row numbers int64 [number], at random: every class equally often."""
    which = rng.integers(0, len(rows_of), number)
    share = rng.random(number)
    sizes = np.array([len(rows) for rows in rows_of])
    starts = np.cumsum(sizes) - sizes
    place = starts[which] + (share * sizes[which]).astype(np.int64)
    rows: np.ndarray = np.concatenate(rows_of)[place]
    return rows


@torch.no_grad()
def predict(network: Network, inputs: Inputs, at_once: int = 4096) -> tuple[np.ndarray, ...]:
    """Probability [B, K], attention [B, N] and context [B, hidden] of windows, all float32."""
    parts: list[tuple[np.ndarray, ...]] = []
    for at in range(0, len(inputs), at_once):
        logits, attention, context = network(*inputs.tensors(slice(at, at + at_once)))
        parts.append((torch.softmax(logits, 1).numpy(), attention.numpy(), context.numpy()))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
