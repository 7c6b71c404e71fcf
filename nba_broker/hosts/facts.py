"""The facts about a host that hints are drawn from, from all that know some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nba_broker.hosts.announced import Announced
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.listening import Listening
from nba_broker.records.hints import HostFacts


class Facts:
    """Collects the facts about a host, but for the names that it asked for."""

    def __init__(self, identity: Identity, announced: Announced, listening: Listening) -> None:
        self._identity = identity
        self._announced = announced
        self._listening = listening

    def __call__(self, slot: int, before: float = np.inf) -> HostFacts:
        """What is known of the host in a slot; of what it announced, and of its ports, what was
        known earlier than ``before``: a line does not depend on what came with it at once."""
        return replace(
            self._identity.facts(slot),
            services=self._announced.services(slot, before),
            descriptions=self._announced.descriptions(slot, before),
            ports=self._listening.ports(slot, before),
        )
