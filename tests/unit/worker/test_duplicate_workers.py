"""Which of two workers leaves, with a made-up network and clock."""

from __future__ import annotations

import random

import pytest

from nba_broker.worker.duplicates import ANSWER, GRACE, MOST, STALL, DuplicateWorkers

SMALL, LARGE = "vm:12:aaaaaa", "vm:13:bbbbbb"
PERIOD, SETTLE, STEP = 5.0, 0.5, 0.05


class Worker:
    """The timing of a worker: hellos when it joins, settles, is due, or owes an answer."""

    def __init__(self, name: str, joins: float) -> None:
        self.others = DuplicateWorkers(name)
        self.name = name
        self.joins = self.joined = self.awake = joins
        self.due = joins
        self.left = False
        self.inbox: list[tuple[float, str]] = []
        self.stopped = (0.0, 0.0)

    def step(self, now: float) -> list[str]:
        """The hellos it says."""
        if self.left or now < self.joins or self.stopped[0] <= now < self.stopped[1]:
            return []
        if now - self.awake > STALL:
            self.joined = self.due = now
            self.others.join()
        self.awake = now
        while self.inbox and self.inbox[0][0] <= now:
            _, other = self.inbox.pop(0)
            if self.others.hear(other, now, self.joined):
                self.left = True
                return []
            self.due = min(self.due, max(now, self.others.said + ANSWER))
        if now < self.due:
            return []
        settles = now - self.joined < SETTLE
        self.due = self.joined + SETTLE if settles else now + PERIOD
        self.others.say(now)
        return [self.name]


def run(workers: list[Worker], seconds: float, lost: float = 0.0, seed: int = 0) -> list[str]:
    """Who is left."""
    chance = random.Random(seed)
    for number in range(int(seconds / STEP)):
        now = 100 + number * STEP
        said = [(worker, name) for worker in workers for name in worker.step(now)]
        for speaker, name in said:
            for other in workers:
                # Subscribed a little after it joined.
                if other is not speaker and now >= other.joins + 0.1 and chance.random() >= lost:
                    other.inbox.append((now + STEP, name))
    return [worker.name for worker in workers if not worker.left]


@pytest.mark.parametrize(("first", "second"), [(SMALL, LARGE), (LARGE, SMALL)])
@pytest.mark.parametrize("later", [2.5, 7.3, 100.0])
def test_who_was_there_first_stays(first: str, second: str, later: float) -> None:
    assert run([Worker(first, 100), Worker(second, 100 + later)], later + 8) == [first]


@pytest.mark.parametrize("apart", [0.0, 0.05, 0.2, 0.5, 0.9, 1.4, 1.9])
@pytest.mark.parametrize("names", [(SMALL, LARGE), (LARGE, SMALL)])
def test_of_two_that_start_at_about_once_exactly_one_stays(
    names: tuple[str, str], apart: float
) -> None:
    assert len(run([Worker(names[0], 100), Worker(names[1], 100 + apart)], 30)) == 1


@pytest.mark.parametrize("seed", range(20))
def test_exactly_one_stays_though_half_of_all_hellos_are_lost(seed: int) -> None:
    workers = [Worker(SMALL, 100), Worker(LARGE, 100 + seed * 0.3)]
    assert len(run(workers, 240, lost=0.5, seed=seed)) == 1


@pytest.mark.parametrize("names", [(SMALL, LARGE), (LARGE, SMALL)])
@pytest.mark.parametrize("stopped", [(110.0, 113.0), (110.0, 140.0), (111.5, 200.0)])
def test_a_worker_that_was_stopped_gives_way_to_the_one_that_took_its_place(
    names: tuple[str, str], stopped: tuple[float, float]
) -> None:
    first, second = Worker(names[0], 100), Worker(names[1], 110.6)
    first.stopped = stopped
    assert run([first, second], stopped[1] - 100 + 30) == [names[1]]


def test_two_that_missed_each_others_hellos_are_told_by_their_answers() -> None:
    first, second = Worker(SMALL, 100), Worker(LARGE, 100)
    for number in range(int(10 / STEP)):
        for worker in (first, second):
            worker.step(100 + number * STEP)
    workers = [first, second]
    for worker in workers:
        worker.inbox.clear()
    left = []
    for number in range(int(40 / STEP)):
        now = 110 + number * STEP
        for worker in workers:
            for name in worker.step(now):
                for other in workers:
                    if other is not worker:
                        other.inbox.append((now + STEP, name))
        left = [worker.name for worker in workers if not worker.left]
    assert left == [SMALL]


def test_made_up_names_make_nobody_leave_that_has_been_here_for_long() -> None:
    others, chance = DuplicateWorkers(LARGE), random.Random(3)
    names = [f"a:{number}:{number:06x}" for number in range(50)]  # each again and again
    for number in range(4000):
        now = 100 + number * 0.05
        if number % 20 == 0:
            others.say(now)
        assert not others.hear(chance.choice(names), now, joined=0.0)
        assert len(others._met) <= MOST


def test_one_made_up_name_that_floods_makes_nobody_leave() -> None:
    others = DuplicateWorkers(LARGE)
    for number in range(10_000):
        now = 100 + number * 0.01
        if now - others.said >= ANSWER:
            others.say(now)
        assert not others.hear("a:1:000000", now, joined=0.0)


def test_a_worker_gives_way_only_while_it_is_new() -> None:
    assert DuplicateWorkers(LARGE).hear(SMALL, 100.0, joined=100.0 - GRACE / 2)
    assert not DuplicateWorkers(LARGE).hear(SMALL, 100.0, joined=100.0 - 2 * GRACE)
