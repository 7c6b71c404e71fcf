"""The systems that a comparison knows, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from nba_broker.destinations.databases import Database
from nba_broker.model.features import IntervalScale, Services, Vocabulary
from nba_broker.records.errors import ConfigError
from training.evaluation import instances
from training.evaluation.baselines import ccit, destinations, networks
from training.evaluation.baselines.baseline import Annotation, Material, System
from training.evaluation.baselines.naive_bayes import Histograms, tokens
from training.evaluation.baselines.shipped_recipe import WINNER
from training.evaluation.instances import Instances

LONGEST = 32
"""Sessions of a half-hour that Pre looks at, the last ones: a flood of them says nothing more."""

_TREES = 100
_FOREST_WINDOWS = 50_000
"""A forest learns from at most so many windows, drawn at random: more cost minutes."""

NOTES = (
    "networks learn from per_epoch windows in each epoch, drawn so that every class is equally "
    "frequent, and not from all windows there are",
    f"forests learn from at most {_FOREST_WINDOWS} instances, drawn the same way",
    f"Pre looks at the last {LONGEST} sessions of a half-hour",
)
"""What a reader of the figures must know."""


def _windows(material: Material, stride: int) -> Instances:
    settings = material.settings
    if stride == 0:
        return instances.windows(
            material.stretches, settings.window, settings.window, settings.window
        )
    return instances.windows(material.stretches, settings.window, settings.min_sessions, stride)


def _half_hours(material: Material, stride: int) -> Instances:
    return instances.half_hours(material.stretches)


def _ccit(material: Material, learn: Instances, ask: Instances) -> Annotation:
    forest = _forest(
        ccit.features(material.traffic, material.stretches, learn),
        material.truth_of(learn),
        material.settings.seed,
    )
    asked = ccit.features(material.traffic, material.stretches, ask)
    importance = dict(zip(ccit.FEATURES, forest.feature_importances_.tolist(), strict=True))
    return _of_forest(forest, asked, len(material.classes)), {"importance": importance}


def _forest(values: np.ndarray, truth: np.ndarray, seed: int) -> RandomForestClassifier:
    forest = RandomForestClassifier(
        _TREES, class_weight="balanced_subsample", min_samples_leaf=1, random_state=seed
    )
    if len(values) > _FOREST_WINDOWS:
        rows_of = [np.flatnonzero(truth == one) for one in np.unique(truth)]
        rows = networks.draw(rows_of, _FOREST_WINDOWS, np.random.default_rng(seed))
        values, truth = values[rows], truth[rows]
    return forest.fit(values, truth)


def _of_forest(forest: RandomForestClassifier, values: np.ndarray, classes: int) -> np.ndarray:
    probability = np.zeros((len(values), classes))
    if len(values):
        probability[:, forest.classes_] = forest.predict_proba(values)
    return probability


def _naive_bayes(material: Material, learn: Instances, ask: Instances) -> Annotation:
    stretches = material.stretches
    token = np.zeros(len(material.traffic), np.int64)
    prefix = destinations.prefixes(material.traffic)[stretches.row]
    token = tokens(prefix, stretches.interval)
    taught = learn.covers(len(stretches))
    histograms = Histograms(
        token[taught], material.truth[stretches.stretch[taught]], len(material.classes)
    )
    place = ask.positions(material.settings.window)
    return histograms.probability(np.where(place >= 0, token[place], -1)), {}


@dataclass(frozen=True, slots=True)
class NBA:
    """A network of the paper's kind as a system's ``answer``."""

    mapping: destinations.Mapping = destinations.asn
    one_hot: bool = False
    interval: bool = True
    backbone: str = "lstm"
    service: bool = False
    forest: bool = False
    longest: int = 0

    def __call__(self, material: Material, learn: Instances, ask: Instances) -> Annotation:
        """Learn from windows, answer others; the vocabulary is that of the teaching sessions."""
        traffic, stretches, settings = material.traffic, material.stretches, material.settings
        row = stretches.row
        taught = learn.covers(len(stretches))
        pool, table = self.mapping(traffic, row[taught])
        vocabulary = Vocabulary(sorted({table[one] for one in np.unique(pool[row[taught]])}))
        scaled = IntervalScale()(stretches.interval)
        mean, spread = scaled[taught].mean(), scaled[taught].std()
        port = traffic.sessions.dport[row]
        services = Services.of(np.unique(port[taught]))
        # One more for position -1, which is padding: the last of each column.
        columns = [
            np.append(vocabulary.ids(pool[row], table), networks.PADDING),
            np.append((scaled - mean) / max(spread, 1e-6), 0).astype(np.float32),
            np.append(services.ids(port), networks.PADDING),
        ]

        def inputs(part: Instances) -> networks.Inputs:
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
        given, truth = inputs(learn), material.truth_of(learn)
        network = networks.train(shape, given, truth, settings.seed)
        if not len(ask):
            return np.zeros((0, len(material.classes))), {}
        probability, attention, context = networks.answers(network, asked := inputs(ask))
        shown: dict[str, Any] = {"pools": len(vocabulary.names)}
        if self.forest:
            rows = np.arange(len(given))
            if len(rows) > _FOREST_WINDOWS:
                rows = np.random.default_rng(settings.seed).choice(
                    len(given), _FOREST_WINDOWS, replace=False
                )
            part = networks.Inputs(given.pool[rows], given.interval[rows], given.service[rows])
            forest = _forest(networks.answers(network, part)[2], truth[rows], settings.seed)
            probability = _of_forest(forest, context, len(material.classes))
        elif not self.one_hot:
            weight = network.embedding.weight.detach().numpy()
            shown["embedding"] = {
                "names": vocabulary.names,
                "places": weight[2:].round(4).tolist(),
            }
            truth = material.truth_of(ask)
            shown["examples"] = [
                {
                    "device": material.classes[one],
                    "called": material.classes[int(probability[place].argmax())],
                    "destinations": [table[pool[row[at]]] for at in ask_positions],
                    "intervals": [
                        float(stretches.interval[at]) if np.isfinite(stretches.interval[at]) else -1
                        for at in ask_positions
                    ],
                    "attention": attention[place][: len(ask_positions)].round(4).tolist(),
                }
                for one, place in _examples(truth)
                for ask_positions in [_positions(ask, place, asked.pool.shape[1])]
            ]
        return probability, shown


def _examples(truth: np.ndarray) -> list[tuple[int, int]]:
    """One instance of each class, from the middle of its own."""
    return [
        (int(one), int(rows[len(rows) // 2]))
        for one in np.unique(truth)
        if len(rows := np.flatnonzero(truth == one))
    ]


def _positions(part: Instances, place: int, width: int) -> list[int]:
    positions = part.select(np.array([place])).positions(width)[0]
    found: list[int] = positions[positions >= 0].tolist()
    return found


def registry(databases: Sequence[Database]) -> dict[str, System]:
    """All systems by name, in the order of the report; by country where a database knows any."""
    countries = any(one.place("8.8.8.8").country for one in databases)
    both = "NBA(dst+interval)"
    systems = [
        System(
            "naive-bayes",
            "naive Bayes on (/16, interval octave) histograms",
            _windows,
            _naive_bayes,
        ),
        System("ccit", "CCIT: random forest on 11 statistics of a half-hour", _half_hours, _ccit),
        System(
            "pre",
            "Pre: sequence of destinations in a half-hour",
            _half_hours,
            NBA(interval=False, longest=LONGEST),
        ),
        System("nba-dst", "NBA(dst), embedded pools", _windows, NBA(interval=False)),
        System("nba-dst-interval", f"{both}, embedded pools", _windows, NBA()),
        System(
            "nba-dst-onehot",
            "NBA(dst), one-hot pools",
            _windows,
            NBA(interval=False, one_hot=True),
            variant=True,
        ),
        System("nba-onehot", f"{both}, one-hot pools", _windows, NBA(one_hot=True), variant=True),
        System(
            "nba-forest",
            f"random forest on the context of {both}",
            _windows,
            NBA(forest=True),
            variant=True,
        ),
        System("nba-gru", f"{both}, GRU", _windows, NBA(backbone="gru"), variant=True),
        System(
            "nba-tcn", f"{both}, temporal convolution", _windows, NBA(backbone="tcn"), variant=True
        ),
        System(
            "nba-transformer",
            f"{both}, small transformer",
            _windows,
            NBA(backbone="transformer"),
            variant=True,
        ),
        System(
            "nba-service", f"{both} and destination port", _windows, NBA(service=True), variant=True
        ),
        *(
            System(
                f"nba-{name}",
                f"{both}, pools by {name}",
                _windows,
                NBA(mapping=destinations.scheme(databases, name)),
                variant=True,
            )
            for name in ("asn+cc", "cc")
            if countries
        ),
        System(
            "nba-clusters",
            f"{both}, destination clusters",
            _windows,
            NBA(mapping=destinations.clusters),
            variant=True,
        ),
        System(
            "nba-domains",
            f"{both}, registered domains of the host's DNS answers",
            _windows,
            NBA(mapping=destinations.domains),
            variant=True,
        ),
        WINNER,
    ]
    return {one.name: one for one in systems}


def choose(names: str, protocol: str, databases: Sequence[Database]) -> list[System]:
    """The systems of a comma-separated list, ``all``, or "" for those that suit the protocol.

    Raises ConfigError at a name that is none.
    """
    known = registry(databases)
    if names == "all" or (not names and protocol == "temporal"):
        return list(known.values())
    if not names:
        return [one for one in known.values() if not one.variant]
    if unknown := [name for name in names.split(",") if name not in known]:
        raise ConfigError(f"no system {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names.split(",")]
