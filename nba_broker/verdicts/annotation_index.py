"""Finds the annotations that match a host, and the hosts that match an annotation."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nba_broker.destinations.pools import in_networks
from nba_broker.hosts.identity import Identity
from nba_broker.records.addresses import Network
from nba_broker.records.segments import bare
from nba_broker.verdicts.annotation_file import Annotation


class AnnotationIndex:
    """Annotations by the MAC, address, hostname or network that they name."""

    def __init__(self, identity: Identity, annotations: Sequence[Annotation] = ()) -> None:
        self._identity = identity
        self._by_name: dict[str, list[Annotation]] = defaultdict(list)
        self._by_network: list[tuple[Network, Annotation]] = []
        for annotation in annotations:
            network = annotation.hosts
            if network is None or network.num_addresses == 1:
                self._by_name[annotation.host].append(annotation)
            else:
                self._by_network.append((network, annotation))

    def annotations_of(self, address: str, names: Sequence[str]) -> list[Annotation]:
        """The annotations that match a host with this address and these names (MACs, the address,
        a hostname), in the order of their time."""
        found = [
            annotation
            for name in map(str.lower, names)
            if name
            for annotation in self._by_name.get(name, ())
        ]
        if self._by_network and address:
            ip = ipaddress.ip_address(address)
            found += [one for net, one in self._by_network if in_networks(ip, (net,))]
        return sorted(found, key=lambda annotation: annotation.at)

    def hosts_of(self, annotation: Annotation) -> list[int]:
        """The slots of the present hosts that match an annotation, ascending."""
        identity = self._identity
        addresses, macs, segments = [""], [annotation.mac], None
        network = annotation.hosts
        if annotation.hostname:
            named = identity.hostnames().items()
            macs = [mac for mac, name in named if name.lower() == annotation.hostname]
            addresses = [""] * len(macs)
        elif network is not None:
            addresses = [annotation.host]
            if network.num_addresses > 1:
                known = dict.fromkeys(map(bare, identity.addresses()))
                addresses = [a for a in known if in_networks(ipaddress.ip_address(a), (network,))]
            pairs = [(a, segment) for a in addresses for segment in identity.everywhere(a)]
            addresses, segments = [a for a, _ in pairs], [segment for _, segment in pairs]
            macs = [""] * len(addresses)
        found: list[int] = np.sort(identity.present(addresses, macs, segments)).tolist()
        return found
