"""Trains the network on windows, and keeps what its class likelihoods compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nba_broker.archive.elsewhere import Each
from nba_broker.model.features import Services, Vocabulary
from nba_broker.model.windows import Schedule
from nba_broker.records.classes import Class
from nba_broker.records.errors import ArchiveError
from training.data.labelled_sessions import LabelledSessions
from training.metrics.classification import confusion, macro_f1
from training.model.calibrate import cross_entropy
from training.model.class_likelihoods import class_likelihoods
from training.model.examples import Examples, augment, balanced, examples, tensors
from training.model.network import NBA
from training.model.predict import predict
from training.model.settings import Settings

_REFERENCE = 16_384  # windows whose contexts give the centres of the classes


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network with its vocabularies and the windows it was trained on."""

    model: NBA
    vocabulary: Vocabulary
    services: Services
    classes: Sequence[Class]
    settings: Settings
    windows: Examples

    def examples(
        self, sessions: LabelledSessions, each: Each, schedule: Schedule | None = None
    ) -> Examples:
        """Windows of other sessions in the vocabularies of this network."""
        return examples(
            sessions, self.classes, self.vocabulary, self.services, self.settings, schedule, each
        )


def learn(
    sessions: LabelledSessions,
    later: LabelledSessions | None,
    classes: Sequence[Class],
    settings: Settings,
    device: str,
    rng: np.random.Generator,
    say: Callable[[str], None],
    each: Each,
) -> Trained:
    """Train on sessions; ``say`` gets a line of progress per epoch, with the loss on ``later``
    ones.

    Raises ArchiveError when either has no window at all.
    """
    vocabulary, services = _vocabularies(sessions)
    windows = examples(sessions, classes, vocabulary, services, settings, each=each)
    check = examples(later, classes, vocabulary, services, settings, each=each) if later else None
    if not len(windows) or (check is not None and not len(check)):
        raise ArchiveError("too few sessions of every device: no window is left to hold out")
    say(
        f"training on {len(windows)} windows of {len(classes)} devices on {device}; "
        f"{len(vocabulary.names)} pools, {len(services.names)} services"
    )
    model = NBA(
        len(vocabulary),
        len(services),
        len(classes),
        settings.hidden,
        settings.stacked,
        settings.features,
    ).to(device)
    for line in train(model, windows, check, settings, rng):
        say(line)
    drawn = windows.select(rng.choice(len(windows), _REFERENCE, p=balanced(windows)))
    model.set_reference(
        class_likelihoods(
            sessions,
            sessions.class_of_series(classes)[sessions.series],
            len(classes),
            vocabulary,
            services,
            settings.scale,
        ),
        torch.from_numpy(predict(model, drawn).context),
        torch.from_numpy(drawn.truth),
    )
    return Trained(model, vocabulary, services, classes, settings, windows)


def train(
    model: NBA,
    windows: Examples,
    check: Examples | None,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[str]:
    """Train a model in place; yields a line after each epoch, with loss and macro-F1 on
    ``check``."""
    device = next(model.parameters()).device
    batches = max(1, settings.per_class * len(np.unique(windows.truth)) // settings.batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs * batches)
    chance = balanced(windows)
    began = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = 0.0
        for rows in rng.choice(len(windows), (batches, settings.batch), p=chance):
            logits = model.logits(*tensors(augment(*windows.inputs(rows), settings, rng), device))
            truth = torch.from_numpy(windows.truth[rows]).to(device)
            loss = nn.functional.cross_entropy(logits, truth)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        later = ""
        if check is not None:
            found = predict(model, check).logits
            f1 = macro_f1(confusion(check.truth, found.argmax(1), found.shape[1]))
            later = f"later: loss {cross_entropy(found, check.truth):.4f}, macro-F1 {f1:.4f}  "
        spent = time.monotonic() - began
        yield f"epoch {epoch:2d}  loss {total / batches:.4f}  {later}{spent:.0f} s"


def _vocabularies(sessions: LabelledSessions) -> tuple[Vocabulary, Services]:
    pools = sorted({sessions.table[pool] for pool in np.unique(sessions.named_pool)})
    return Vocabulary(pools), Services.of(np.unique(sessions.dport))
