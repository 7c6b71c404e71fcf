"""The paper's network as a baseline, with its choices of destinations, encoding and backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from nba_broker.model.features import IntervalScale, Services, Vocabulary
from training.evaluation.baselines import destinations, forests, networks
from training.evaluation.baselines.baseline import Material, Prediction
from training.evaluation.samples import Samples


@dataclass(frozen=True, slots=True)
class NBA:
    """A network of the paper's kind as a baseline's ``predict``.

    mapping: names of destinations. forest: a random forest on the context instead of the softmax.
    longest: sessions of a sample that it uses, the last ones; 0 for those of a window. The others
    are as in networks.Shape.
    """

    mapping: destinations.Mapping = destinations.asn
    one_hot: bool = False
    interval: bool = True
    backbone: str = "lstm"
    service: bool = False
    forest: bool = False
    longest: int = 0

    def __call__(self, material: Material, train: Samples, test: Samples) -> Prediction:
        """Train on windows, and predict others; the vocabulary is that of the training sessions."""
        traffic, segments, settings = material.traffic, material.segments, material.settings
        row = segments.row
        trained = train.covers(len(segments))
        pool, table = self.mapping(traffic, row[trained])
        vocabulary = Vocabulary(sorted({table[one] for one in np.unique(pool[row[trained]])}))
        scaled = IntervalScale()(segments.interval)
        mean, spread = scaled[trained].mean(), scaled[trained].std()
        port = traffic.sessions.dport[row]
        services = Services.of(np.unique(port[trained]))
        # The last entry of each column is padding, for position -1.
        columns = [
            np.append(vocabulary.ids(pool[row], table), networks.PADDING),
            np.append((scaled - mean) / max(spread, 1e-6), 0).astype(np.float32),
            np.append(services.ids(port), networks.PADDING),
        ]

        def inputs(part: Samples) -> networks.Inputs:
            place = part.positions(self.longest or settings.window)
            return networks.Inputs(*(column[place] for column in columns))

        shape = networks.Shape(
            pools=len(vocabulary),
            classes=len(material.classes),
            services=len(services) if self.service else 0,
            one_hot=self.one_hot,
            interval=self.interval,
            backbone=self.backbone,
            epochs=settings.epochs,
            per_epoch=settings.per_epoch,
        )
        given, truth = inputs(train), material.truth_of(train)
        network = networks.train(shape, given, truth, settings.seed)
        if not len(test):
            return np.zeros((0, len(material.classes))), {}
        test_inputs = inputs(test)
        probability, attention, context = networks.predict(network, test_inputs)
        shown: dict[str, Any] = {"pools": len(vocabulary.names)}
        if self.forest:
            forest = _forest_on_contexts(network, given, truth, settings.seed)
            probability = forests.predict(forest, context, len(material.classes))
        elif not self.one_hot:
            weight = network.embedding.weight.detach().numpy()
            places = weight[2:].round(4).tolist()
            shown["embedding"] = {"names": vocabulary.names, "places": places}
            names = [table[one] for one in pool[row]]
            width = test_inputs.pool.shape[1]
            shown["examples"] = _examples(material, test, names, width, probability, attention)
        return probability, shown


def _forest_on_contexts(
    network: networks.Network, given: networks.Inputs, truth: np.ndarray, seed: int
) -> RandomForestClassifier:
    rows = np.arange(len(given))
    if len(rows) > forests.MOST:
        rows = np.random.default_rng(seed).choice(len(given), forests.MOST, replace=False)
    part = networks.Inputs(given.pool[rows], given.interval[rows], given.service[rows])
    return forests.fit(networks.predict(network, part)[2], truth[rows], seed)


def _examples(
    material: Material,
    test: Samples,
    names: Sequence[str],
    width: int,
    probability: np.ndarray,
    attention: np.ndarray,
) -> list[dict[str, Any]]:
    """A sample of each class with its attention, from the middle of the class's samples; ``names``:
    the pool of each position."""
    truth, interval = material.truth_of(test), material.segments.interval
    examples = []
    for one in np.unique(truth).tolist():
        rows = np.flatnonzero(truth == one)
        place = int(rows[len(rows) // 2])
        positions = test.select(np.array([place])).positions(width)[0]
        positions = positions[positions >= 0].tolist()
        examples.append(
            {
                "device": material.classes[one],
                "called": material.classes[int(probability[place].argmax())],
                "destinations": [names[at] for at in positions],
                "intervals": [
                    float(interval[at]) if np.isfinite(interval[at]) else -1 for at in positions
                ],
                "attention": attention[place][: len(positions)].round(4).tolist(),
            }
        )
    return examples
