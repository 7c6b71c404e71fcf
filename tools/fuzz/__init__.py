"""Gives broken input to everything that reads, and reports what is neither read nor refused.

Hypothesis breaks good inputs (:mod:`.mutations`), gives them to the readers (:mod:`.targets`), and
makes what fails as small as it can. A reader may raise nothing but the project's own errors, takes
at most ``LIMIT`` seconds of processor time for an input, and keeps its memory.
"""

from __future__ import annotations

import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from nba_broker.records.errors import NBAError
from tools.fuzz.targets import Target

LIMIT = 4.0  # seconds of processor time for one input: a sensor's whole backlog waits meanwhile


class HangError(BaseException):
    """An input took longer than LIMIT; not an Exception, which a reader might catch."""


@dataclass
class Outcome:
    """What a target did with its inputs."""

    tried: int = 0
    refused: int = 0
    failures: dict[str, bytes] = field(default_factory=dict)
    """By error and place, the smallest input that was found."""
    growth: float = 0.0
    """MB by which the peak of the memory grew after the first tenth of the inputs."""


def search(target: Target, number: int, seed: int) -> Outcome:
    """Read so many broken inputs, the same for the same seed."""
    outcome = Outcome()
    before = peak()

    @seeded(seed)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def read(data: bytes) -> None:
        nonlocal before
        outcome.tried += 1
        if outcome.tried == number // 10:
            before = peak()
        try:
            if not accepts(target.read, data):
                outcome.refused += 1
        except Exception as error:
            # The last one of a kind is the smallest: that is how Hypothesis ends.
            outcome.failures[where(error)] = data
            raise

    with suppress(Exception):  # all of them are in the outcome
        read()
    outcome.growth = peak() - before
    return outcome


def accepts(read: Callable[[bytes], None], data: bytes) -> bool:
    """Whether an input is read; False where it is refused. Anything else that goes wrong is raised,
    a hang as TimeoutError."""
    try:
        with _limit(LIMIT):
            read(data)
    except NBAError:
        return False
    except HangError:
        raise TimeoutError(f"longer than {LIMIT:g} s") from None
    return True


def where(error: Exception) -> str:
    """An error's type, and the innermost line of the project that it came through."""
    steps = traceback.extract_tb(error.__traceback__)
    ours = [step for step in steps if "site-packages" not in step.filename]
    return f"{type(error).__name__} in {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def peak() -> float:
    """The most memory resident so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError

    # Processor time, since a busy machine is no hang.
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
