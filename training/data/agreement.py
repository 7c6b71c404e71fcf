"""How groups of hosts compare with labels that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics.cluster import contingency_matrix

from nba_broker.records.errors import ArchiveError
from training.data.hosts import Found
from training.data.labels import Label, devices_of


def agreement(found: Found, truth: Sequence[Label]) -> list[str]:
    """How the groups compare with known labels, in lines to print.

    Raises ArchiveError when no host has a label.
    """
    devices = devices_of(truth)
    rows = [
        (device, number)
        for host, number in zip(found.hosts, found.group.tolist(), strict=True)
        if (device := devices.get(host.host) or devices.get(host.address))
    ]
    if not rows:
        raise ArchiveError("the archive has no host of --truth; check its labels")
    return compared(rows)


def compared(rows: Sequence[tuple[str, int]]) -> list[str]:
    """How groups compare with devices, given each host's device and group, in lines to print.

    Purity is the share of hosts whose device is the most frequent one of their group. B-cubed
    precision and recall (Bagga and Baldwin, "Entity-based cross-document coreferencing using the
    vector space model", 1998) are means over hosts: the share of the host's group that is the same
    device, and the share of the device's hosts that is in the same group.
    """
    names, groups = zip(*rows, strict=True)
    device = np.unique(names)
    hosts: np.ndarray = contingency_matrix(names, groups)  # [devices, groups], both in order
    there = hosts > 0
    exact = ((there & (there.sum(0) == 1)).any(1) & (there.sum(1) == 1)).sum()
    lines = [
        f"{len(rows)} hosts of {len(device)} devices in {hosts.shape[1]} groups: {exact} devices "
        f"are exactly one group, purity {hosts.max(0).sum() / len(rows):.2f}, B-cubed precision "
        f"{(hosts**2 / hosts.sum(0)).sum() / len(rows):.2f} "
        f"recall {(hosts**2 / hosts.sum(1)[:, None]).sum() / len(rows):.2f}"
    ]
    for column in np.flatnonzero(there.sum(0) > 1).tolist():
        mixed = np.flatnonzero(there[:, column]).tolist()
        lines.append(
            f"in one group: {', '.join(f'{device[k]} ({hosts[k, column]})' for k in mixed)}"
        )
    lines += [f"in {there[k].sum()} groups: {device[k]}" for k in np.flatnonzero(there.sum(1) > 1)]
    return lines
