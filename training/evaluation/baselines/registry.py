"""The baselines of a comparison, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.destinations.databases import Database
from nba_broker.records.errors import ConfigError
from training.evaluation import samples
from training.evaluation.baselines import ccit, destinations, forests
from training.evaluation.baselines.baseline import Baseline, Material, Prediction
from training.evaluation.baselines.naive_bayes import Histograms, tokens
from training.evaluation.baselines.nba import NBA
from training.evaluation.baselines.shipped_recipe import SHIPPED_RECIPE
from training.evaluation.samples import Samples

LONGEST = 32
"""Sessions of a half-hour that Pre uses, the last ones: more do not help."""

NOTES = (
    "networks are trained on per_epoch windows in each epoch, drawn so that every class is equally "
    "frequent, and not on all windows",
    f"forests are trained on at most {forests.MOST} samples, drawn in the same way",
    f"Pre uses the last {LONGEST} sessions of a half-hour",
)
"""Notes for readers of the figures."""


def _windows(material: Material, stride: int) -> Samples:
    settings = material.settings
    if stride == 0:
        return samples.windows(material.segments, settings.window, settings.window, settings.window)
    return samples.windows(material.segments, settings.window, settings.min_sessions, stride)


def _half_hours(material: Material, stride: int) -> Samples:
    return samples.half_hours(material.segments)


def _ccit(material: Material, train: Samples, test: Samples) -> Prediction:
    forest = forests.fit(
        ccit.features(material.traffic, material.segments, train),
        material.truth_of(train),
        material.settings.seed,
    )
    statistics = ccit.features(material.traffic, material.segments, test)
    importance = dict(zip(ccit.FEATURES, forest.feature_importances_.tolist(), strict=True))
    return forests.predict(forest, statistics, len(material.classes)), {"importance": importance}


def _naive_bayes(material: Material, train: Samples, test: Samples) -> Prediction:
    segments = material.segments
    token = np.zeros(len(material.traffic), np.int64)
    prefix = destinations.prefixes(material.traffic)[segments.row]
    token = tokens(prefix, segments.interval)
    trained = train.covers(len(segments))
    histograms = Histograms(
        token[trained], material.truth[segments.segment[trained]], len(material.classes)
    )
    place = test.positions(material.settings.window)
    return histograms.probability(np.where(place >= 0, token[place], -1)), {}


_BOTH = "NBA(dst+interval)"

_PAPER = (
    Baseline(
        "naive-bayes", "naive Bayes on (/16, interval octave) histograms", _windows, _naive_bayes
    ),
    Baseline("ccit", "CCIT: random forest on 11 statistics of a half-hour", _half_hours, _ccit),
    Baseline(
        "pre",
        "Pre: sequence of destinations in a half-hour",
        _half_hours,
        NBA(interval=False, longest=LONGEST),
    ),
    Baseline("nba-dst", "NBA(dst), embedded pools", _windows, NBA(interval=False)),
    Baseline("nba-dst-interval", f"{_BOTH}, embedded pools", _windows, NBA()),
)


def _variants(databases: Sequence[Database]) -> list[Baseline]:
    """The variants of the paper's network; those by country need a database with countries."""
    countries = any(one.place("8.8.8.8").country for one in databases)
    schemes = ["asn+cc", "cc"] if countries else []
    rows = [
        ("nba-dst-onehot", "NBA(dst), one-hot pools", NBA(interval=False, one_hot=True)),
        ("nba-onehot", f"{_BOTH}, one-hot pools", NBA(one_hot=True)),
        ("nba-forest", f"random forest on the context of {_BOTH}", NBA(forest=True)),
        ("nba-gru", f"{_BOTH}, GRU", NBA(backbone="gru")),
        ("nba-tcn", f"{_BOTH}, temporal convolution", NBA(backbone="tcn")),
        ("nba-transformer", f"{_BOTH}, small transformer", NBA(backbone="transformer")),
        ("nba-service", f"{_BOTH} and destination port", NBA(service=True)),
        *(
            (
                f"nba-{name}",
                f"{_BOTH}, pools by {name}",
                NBA(mapping=destinations.scheme(databases, name)),
            )
            for name in schemes
        ),
        ("nba-clusters", f"{_BOTH}, destination clusters", NBA(mapping=destinations.clusters)),
        (
            "nba-domains",
            f"{_BOTH}, registered domains of the host's DNS answers",
            NBA(mapping=destinations.domains),
        ),
    ]
    return [Baseline(name, about, _windows, nba, variant=True) for name, about, nba in rows]


def registry(databases: Sequence[Database]) -> dict[str, Baseline]:
    """All baselines by name, in the order of the report."""
    return {one.name: one for one in (*_PAPER, *_variants(databases), SHIPPED_RECIPE)}


def choose(names: str, protocol: str, databases: Sequence[Database]) -> list[Baseline]:
    """The baselines of a comma-separated list, ``all``, or "" for the default of the protocol.

    Raises ConfigError for an unknown name.
    """
    known = registry(databases)
    if names == "all" or (not names and protocol == "temporal"):
        return list(known.values())
    if not names:
        return [one for one in known.values() if not one.variant]
    if unknown := [name for name in names.split(",") if name not in known]:
        raise ConfigError(f"no baseline {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names.split(",")]
