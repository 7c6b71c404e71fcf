"""The rule by which the name of a worker, or of a sensor's run, says its partition."""

from __future__ import annotations

import re

_SUFFIX = re.compile(r"/([1-9][0-9]{0,2})\Z")


def partition_of(name: str) -> int:
    """The partition of the worker or the run with this name.

    Such a name ends in a slash and the partition; a name without that ending is of partition 0.
    """
    found = _SUFFIX.search(name)
    return int(found[1]) if found else 0


def name_in(partition: int, name: str) -> str:
    """The name of a worker of this partition."""
    return f"{name}/{partition}" if partition else name
