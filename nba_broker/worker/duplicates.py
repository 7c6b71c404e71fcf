"""Tells which of two workers of a partition leaves: one must, whoever else says hello.

A worker that has just joined leaves when it hears another; of two that join at once, the one whose
name sorts later. A worker that stood still for a while counts as one that has just joined, since
another may have taken its place. Two that have worked for long beside each other, as a hello was
lost, are told by their rhythm: a worker answers every hello within a second. What is remembered is
bounded, and while more names are made up than that, nobody leaves but who has just joined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GRACE = 2.0  # seconds after joining in which a worker gives way to one that answers its hello
ANSWER = 1.0  # seconds between two answers, whoever says hello
REPLY = 0.5  # seconds after which what is heard is no longer on its way from before
STALL = 1.5  # seconds of standing still in which a hello of this worker may have been missed
FORGET = 12.5  # seconds without a hello after which another worker has gone
BESIDE = 10.0  # seconds of two workers beside each other before the later leaves
ANSWERS = 3  # hellos of this one that the other answered meanwhile
MOST = 4  # other workers remembered

_NAME = re.compile(r".+:[0-9]+:[0-9a-f]+(/[0-9]+)?")


@dataclass(slots=True)
class _Rival:
    met: float
    heard: float
    fresh: bool  # whether this worker had just joined when they met
    told: float | None = None  # this worker's first hello since then
    hellos: int = 0
    answers: int = 0
    answered: float = 0.0  # which hello it answered last


class OtherWorkers:
    """The other workers of one's own partition; all times are monotonic seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said = float("-inf")  # this worker's latest hello
        self.crowded = float("-inf")  # when there was last another name than could be remembered
        self._met: dict[str, _Rival] = {}

    def join(self) -> None:
        """This worker has just joined, or stood still."""
        self._met.clear()

    def say(self, now: float) -> None:
        """This worker says hello."""
        self.said = now
        for rival in self._met.values():
            if rival.told is None:
                rival.told = now

    def known(self, other: str) -> bool:
        """Whether this worker is remembered."""
        return other in self._met

    def hear(self, other: str, now: float, joined: float) -> bool:
        """Another worker said hello; whether this one, here since ``joined``, has to leave."""
        self._met = {name: rival for name, rival in self._met.items() if now - rival.heard < FORGET}
        fresh = now - joined < GRACE
        rival = self._met.get(other)
        if rival is None:
            if fresh and _order(self.name) > _order(other):
                return True
            if len(self._met) >= MOST:
                self.crowded = now
                return fresh
            rival = self._met[other] = _Rival(now, now, fresh)
        rival.heard = now
        rival.hellos += 1
        if now - self.said <= ANSWER + REPLY and rival.answered != self.said:
            rival.answers += 1
            rival.answered = self.said
        if rival.fresh:
            # Had it just joined, too, it would have left at this worker's hello.
            return rival.told is not None and now - rival.told >= REPLY
        beside = now - rival.met
        return (
            beside > BESIDE
            and rival.answers >= ANSWERS
            and rival.hellos <= ANSWERS + 2 * beside / ANSWER
            and now - self.crowded > FORGET
            and _order(self.name) > _order(other)
        )


def _order(name: str) -> tuple[bool, str]:
    return _NAME.fullmatch(name) is not None, name
