"""Decides which of two workers of a partition leaves: one of them must, whatever else says hello.

A worker that has just joined leaves when it hears another worker. If two join at once, the one
whose name sorts later leaves. A worker that stood still for a while counts as one that has just
joined, since another may have taken its place. If a hello was lost and two workers serve the same
partition for long, their rhythm shows it: a worker answers every hello within a second. The memory
for other names is bounded; while more names than that say hello, only a worker that has just joined
leaves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GRACE = 2.0  # seconds after joining in which a worker leaves if another answers its hello
ANSWER = 1.0  # seconds between two answers, however many say hello
REPLY = 0.5  # seconds after which a hello can no longer have been sent before this worker's
STALL = 1.5  # seconds of standing still in which this worker may have missed a hello
FORGET = 12.5  # seconds without a hello after which another worker has gone
BESIDE = 10.0  # seconds of two workers beside each other before the later one leaves
ANSWERS = 3  # hellos of this worker that the other must have answered by then
MOST = 4  # other workers that are remembered

_NAME = re.compile(r".+:[0-9]+:[0-9a-f]+(/[0-9]+)?")


@dataclass(slots=True)
class _Other:
    """Another worker. Times are monotonic seconds."""

    met: float  # its first hello
    heard: float  # its last hello
    fresh: bool  # whether this worker had just joined at that time
    told: float | None = None  # this worker's first hello since then
    hellos: int = 0
    answers: int = 0
    answered: float = 0.0  # which hello of this worker it answered last


class DuplicateWorkers:
    """The other workers of this worker's partition; all times are monotonic seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said = float("-inf")
        """This worker's latest hello."""
        self._crowded = float("-inf")  # the last time that there were too many names to remember
        self._met: dict[str, _Other] = {}

    def join(self) -> None:
        """Note that this worker has just joined, or stood still."""
        self._met.clear()

    def say(self, now: float) -> None:
        """Note that this worker says hello."""
        self.said = now
        for other in self._met.values():
            if other.told is None:
                other.told = now

    def known(self, name: str) -> bool:
        """Whether this other worker is remembered."""
        return name in self._met

    def hear(self, name: str, now: float, joined: float) -> bool:
        """Note another worker's hello; returns whether this worker, which joined at ``joined``,
        must leave."""
        self._met = {one: met for one, met in self._met.items() if now - met.heard < FORGET}
        fresh = now - joined < GRACE
        other = self._met.get(name)
        if other is None:
            if fresh and _order(self.name) > _order(name):
                return True
            if len(self._met) >= MOST:
                self._crowded = now
                return fresh
            other = self._met[name] = _Other(now, now, fresh)
        other.heard = now
        other.hellos += 1
        if now - self.said <= ANSWER + REPLY and other.answered != self.said:
            other.answers += 1
            other.answered = self.said
        if other.fresh:
            # If the other had just joined, too, it would have left at this worker's hello.
            return other.told is not None and now - other.told >= REPLY
        beside = now - other.met
        return (
            beside > BESIDE
            and other.answers >= ANSWERS
            and other.hellos <= ANSWERS + 2 * beside / ANSWER
            and now - self._crowded > FORGET
            and _order(self.name) > _order(name)
        )


def _order(name: str) -> tuple[bool, str]:
    return _NAME.fullmatch(name) is not None, name
