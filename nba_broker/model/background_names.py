"""What the names of destinations add to a background: how often classes, and hosts in general, ask
for them.

A session is compared by its name, else by the registered domain of the name, else by the pool of
its destination (back-off; Katz, "Estimation of Probabilities from Sparse Data for the Language
Model Component of a Speech Recognizer", 1987). Where a class has names for a pair of service and
pool, its own say no more than the pair, see LikelihoodRatios. So a cloud that moves is no evidence
against a class, and another maker's device in the same cloud is none for it. The pool alone counts
where a session has no name, or the class has none for that pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.destinations.domains import IN_DOMAIN
from nba_broker.destinations.name_values import NameValues
from nba_broker.model.back_off import NEVER, PAIR, PLACES, WEIGHT
from nba_broker.records.name_forms import is_host_name, without_numbers

MOST = 64
"""Names of a class in a manifest at most, and as many domains: its most frequent ones."""

_NONE, _OTHER = 0, 1  # numbers of no name, and of one that no class asks for


@dataclass(frozen=True, slots=True, eq=False)
class NameShares:
    """Shares of M pairs of a service and a name among the sessions that tell, beside those of a
    background of R pairs of service and pool.

    service: numbers into its services, int32 [M]. texts: names, with numbers outside the
    domain as ``#``, and domains after IN_DOMAIN, [M]. within: the row of a name's
    domain, or the row itself for a domain and for a name without one, int32 [M]. background:
    float64 [M]. classes: float64 [K, M]. named: the sessions with a name by class and pair, float64
    [K, R].

    other_name, other_domain: of a device's sessions with a name, the share of names that no other
    device asks for, in a domain that another one asks for; and the share of domains that no other
    one asks for. Both are means over devices.
    """

    service: np.ndarray
    texts: tuple[str, ...]
    within: np.ndarray
    background: np.ndarray
    classes: np.ndarray
    named: np.ndarray
    other_name: float
    other_domain: float

    def as_dict(self) -> dict[str, Any]:
        """As in the manifest."""
        return {
            "names": list(self.texts),
            "services": self.service.tolist(),
            "within": self.within.tolist(),
            "shares": [float(f"{one:.4g}") for one in self.background],
            "classes": [
                {"shares": sparse(shares), "named": sparse(named)}
                for shares, named in zip(self.classes, self.named, strict=True)
            ],
            "other_name": float(f"{self.other_name:.4g}"),
            "other_domain": float(f"{self.other_domain:.4g}"),
        }

    @classmethod
    def of_dict(cls, given: Mapping[str, Any], services: int, pairs: int) -> NameShares:
        """The inverse of :meth:`as_dict`; of a background with so many services and pairs. Raises
        KeyError, TypeError, ValueError or IndexError."""
        texts = tuple(map(str, given["names"]))
        made = cls(
            np.array(given["services"], np.int32),
            texts,
            np.array(given["within"], np.int32),
            np.array(given["shares"], np.float64),
            dense([one["shares"] for one in given["classes"]], len(texts)),
            dense([one["named"] for one in given["classes"]], pairs),
            float(given["other_name"]),
            float(given["other_domain"]),
        )
        if not made.service.shape == made.within.shape == made.background.shape == (len(texts),):
            raise ValueError("not as many services, domains and shares as names")
        for values in (made.background, made.classes, made.named):
            if not ((values >= 0) & np.isfinite(values)).all():
                raise ValueError("a share or a number of sessions with a name is out of range")
        for numbers, most in ((made.service, services), (made.within, len(texts))):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < most:
                raise ValueError("the service or the domain of a name is none")
        if (made.background[made.within] == 0).any():
            raise ValueError("a name that hosts in general do not ask for")
        if not (0 < made.other_name <= 1 and 0 < made.other_domain <= 1):
            raise ValueError("a share of other names is out of range")
        return made


class NameRatios:
    """The ratios of sessions with a name. ``services``: the number of the background's services.

    A name is looked up when it first occurs; the memory is bounded.
    """

    def __init__(self, shares: NameShares, services: int) -> None:
        texts = dict.fromkeys(shares.texts)
        self._number = {text: place for place, text in enumerate(texts, _OTHER + 1)}
        rows = len(shares.texts)
        # By service and number of a name; the last row is for what no class asks for.
        self._row = np.full((services + 1, len(texts) + _OTHER + 1), rows, np.int64)
        names = list(
            zip(shares.service.tolist(), shares.texts, shares.within.tolist(), strict=True)
        )
        for row, (service, text, _) in enumerate(names):
            self._row[service, self._number[text]] = row
        for _, text, domain in names:
            own, wider = self._number[text], self._number[shares.texts[domain]]
            lacking = self._row[:, own] == rows
            self._row[lacking, own] = self._row[lacking, wider]

        self._sessions = np.hstack([shares.named, np.zeros((len(shares.named), 1))])
        self._never = NEVER / max(shares.other_domain, NEVER)
        of_class, self._knows = self._ratios(shares)
        self.ratio = np.vstack([of_class, np.zeros((1, len(shares.classes)))]).astype(np.float32)
        self.knows = np.vstack([self._knows, np.zeros((1, len(shares.classes)), bool)])
        self._numbers = NameValues(self._number_of, np.int32)

    def _ratios(self, shares: NameShares) -> tuple[np.ndarray, np.ndarray]:
        """Of each row, the ratio for every class, float64 [M, K], and which classes ask for the
        name or another one in its domain, bool [M, K]."""
        is_name = np.array([not one.startswith(IN_DOMAIN) for one in shares.texts], bool)
        # Siblings share a domain: another name in it says next to nothing for a class.
        other = max(shares.other_name, NEVER)
        background = PAIR * shares.background * is_name
        background = background + other * shares.background[shares.within] / PLACES
        domains = shares.classes[:, shares.within]
        own = PAIR * shares.classes * is_name + NEVER * domains / PLACES
        sessions = shares.named.sum(1)[:, None]
        of_class = (sessions * own + WEIGHT * background) / (sessions + WEIGHT)
        return np.log(of_class / background).T, domains.T > 0

    def of_other(self, pair: np.ndarray) -> np.ndarray:
        """What a name in a domain that the class never asked for adds to the ratio of pairs, rows
        of the background, int [n] and -1 for none: nats, float64 [n, K], 0 where the class has no
        names."""
        sessions = self._sessions[:, pair]
        found: np.ndarray = np.log((sessions * self._never + WEIGHT) / (sessions + WEIGHT)).T
        return found

    def rows(
        self, service: np.ndarray, name: np.ndarray, text: Callable[[int], str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of n sessions have a name, their places int64 [m]; and the row of the ratio of
        each, int64 [m].

        service: numbers, int64 [n]. name: numbers, int32 [n], of which ``text`` gives the names, ""
        for none; the same function always gives the same.
        """
        number = self._numbers.of(name, text)
        places = np.flatnonzero(number != _NONE)
        return places, self._row[service[places], number[places]]

    def _number_of(self, text: str) -> int:
        """The number of a name: its own, or that of its domain. The model says what a domain is: a
        newer list of public suffixes changes nothing."""
        if not is_host_name(text):
            return _NONE
        exact = self._number.get(text)
        if exact is not None:
            return exact
        at = 0
        while at >= 0:
            domain = text[at:]
            wider = self._number.get(IN_DOMAIN + domain)
            if wider is not None:
                return self._number.get(without_numbers(text[:at]) + domain, wider)
            at = text.find(".", at) + 1 or -1
        return _OTHER


def sparse(values: np.ndarray) -> list[float]:
    """The values [n] that are not 0 as ``place, value, place, value, ...``."""
    found: list[float] = []
    for place in np.flatnonzero(values).tolist():
        found += [place, float(f"{values[place]:.4g}")]
    return found


def dense(rows: list[list[float]], size: int) -> np.ndarray:
    """The inverse of :func:`sparse` for several rows, float64 [rows, size]. Raises ValueError or
    IndexError."""
    found = np.zeros((len(rows), size))
    for own, row in zip(found, rows, strict=True):
        place, value = np.array(row, np.float64).reshape(-1, 2).T
        if (place < 0).any():  # numpy would count from the end
            raise ValueError("a class's share is of no row")
        own[place.astype(np.int64)] = value
    return found
