"""DNS answers reach the pipeline in event time, before the sessions that they explain."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.pipeline.timeline import Event, Step
from nba_broker.records.addresses import printed
from nba_broker.records.names import NO_NAMES, Answers, Names, order, take
from nba_broker.records.sessions import NO_SESSIONS, Sessions
from nba_broker.records.sessions import take as take_sessions
from nba_broker.records.times import YEAR
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.wire.reorder import Reorder
from tests.unit.helpers import LAMP_CLOUD, MAC, names, pools, sessions
from tests.unit.pipeline.test_live_offline import SECONDS, START, traffic

ModelFolder = Callable[..., Path]

CAMERA, LAMP = "192.168.1.10", "192.168.1.11"


Seen = tuple[float, int, str, str]
"""Time and slot; of a session, host and destination; of an answer, name and address."""


class Recorder(Pipeline):
    """A pipeline that writes down in which order sessions and answers came, and of which hosts."""

    def __init__(self, folder: Path, reorder: Reorder | None = None) -> None:
        scorer = Scorer(folder)
        super().__init__(
            pools(),
            scorer,
            settings=DecisionSettings.of_model(scorer.manifest),
            reorder=Reorder() if reorder is None else reorder,
            max_hosts=10_000,
        )
        self.seen: list[Seen] = []

    def _step(self, step: Step) -> list[Verdict]:
        answers = list(self._rows(step.answers))
        at = 0
        for row in range(len(step.slot)):
            while at < len(answers) and step.answers.place[at] <= row:
                self.seen.append(answers[at])
                at += 1
            sessions = step.sessions
            session = sessions.host[row], sessions.dst[row]
            self.seen.append((float(sessions.ts[row]), int(step.slot[row]), *session))
        assert at == len(answers)
        return super()._step(step)

    def _take(self, events: object) -> list[Verdict]:
        return super()._take(map(self._note, events))  # type: ignore[call-overload]

    def _note(self, event: Event) -> Event:
        if isinstance(event, Answers):
            self.seen += self._rows(event)
        return event

    def _rows(self, answers: Answers) -> list[Seen]:
        of = answers.names
        columns = of.ts.tolist(), answers.slot.tolist(), of.name.tolist()
        return list(zip(*columns, map(printed, of.address.tolist()), strict=True))

    @property
    def heard(self) -> list[tuple[str, str]]:
        """Of the answers alone, who asked and for which name."""
        hosts = self.identity.names(0, self.identity.capacity)
        return [
            (hosts[slot][0], name) for _, slot, name, _ in self.seen if name.endswith(".example")
        ]


def session(ts: float, host: str = CAMERA, mac: str = MAC.format(1)) -> Sessions:
    return sessions([(ts, host, mac, LAMP_CLOUD)])


def test_an_answer_comes_before_the_session_of_its_time_and_after_earlier_ones(
    model_folder: ModelFolder,
) -> None:
    made = Recorder(model_folder())
    table = sessions([(START + n, CAMERA, MAC.format(1), LAMP_CLOUD) for n in range(3)])
    heard = names([(START + 1, CAMERA, "a.example", LAMP_CLOUD)])
    made.process(table, heard)
    assert [row[2] for row in made.seen] == [CAMERA, "a.example", CAMERA, CAMERA]
    assert made.counters.answers == 1


def test_an_answer_after_the_last_session_waits_for_the_next(model_folder: ModelFolder) -> None:
    made = Recorder(model_folder())
    made.process(session(START), names([(START + 5, CAMERA, "a.example", LAMP_CLOUD)]))
    assert made.heard == []
    made.process(session(START + 9))
    assert len(made.heard) == 1
    made.process(session(START + 10), names([(START + 12, CAMERA, "b.example", LAMP_CLOUD)]))
    made.finish()
    assert [name for _, name in made.heard] == ["a.example", "b.example"]


def test_an_answer_to_a_host_without_a_session_is_dropped_and_counted(
    model_folder: ModelFolder,
) -> None:
    made = Recorder(model_folder())
    early = names([(START - 1, CAMERA, "a.example", LAMP_CLOUD)])
    other = names([(START + 1, LAMP, "b.example", LAMP_CLOUD)])
    made.process(session(START), early)
    made.process(session(START + 2), other)
    assert made.heard == []
    assert made.timeline.tracker.askers.dropped == 2


def test_an_answer_is_its_hosts_that_had_the_address_at_that_time(
    model_folder: ModelFolder,
) -> None:
    made = Recorder(model_folder())
    one, other = MAC.format(1), MAC.format(2)
    table = sessions([(START + n, CAMERA, one, LAMP_CLOUD) for n in range(2)])
    moved = sessions([(START + 10 + n, CAMERA, other, LAMP_CLOUD) for n in range(2)])
    asked = [(START + ts, CAMERA, f"{ts}.example", LAMP_CLOUD) for ts in (0.5, 9, 10.5)]
    both = [
        (ts, CAMERA, mac, LAMP_CLOUD)
        for ts, mac in zip(
            [*table.ts.tolist(), *moved.ts.tolist()], [one, one, other, other], strict=True
        )
    ]
    made.process(sessions(both), names(asked))
    assert [host for host, _ in made.heard] == [one, one, other]


@pytest.mark.parametrize("segment", ["/10", "/20", ""])
def test_an_address_in_two_vlans_is_asked_for_its_vlan(
    model_folder: ModelFolder, segment: str
) -> None:
    made = Recorder(model_folder())
    rows = [(START + n, CAMERA, MAC.format(1 + n % 2), LAMP_CLOUD) for n in range(4)]
    made.process(replace(sessions(rows), segment=["/10", "/20"] * 2))
    asked = replace(names([(START + 5, CAMERA, "a.example", LAMP_CLOUD)]), segment=[segment])
    made.process(replace(session(START + 6), segment=["/10"]), asked)
    assert [host for host, _ in made.heard] == {
        "/10": [MAC.format(1)],
        "/20": [MAC.format(2)],
        "": [],
    }[segment]


def answers_to(table: Sessions, rng: random.Random) -> Names:
    """Answers to the hosts of some of these sessions, shortly after them."""
    rows = sorted(rng.sample(range(len(table)), len(table) // 2))
    asked = names(
        [
            (
                float(table.ts[row]) + rng.choice([0.001, 0.1, 3.0]),
                table.host[row],
                f"{rng.randrange(9)}.example",
                f"192.0.2.{rng.randrange(9)}",
            )
            for row in rows
        ]
    )
    assert table.segment is not None
    asked = replace(asked, segment=[table.segment[row] for row in rows])
    return take(asked, order(asked))


def live(made: Recorder, table: Sessions, asked: Names, rng: random.Random, nodes: int) -> None:
    """Each session and answer by one of these nodes, four batches a second of each."""
    node = np.array([rng.randrange(nodes) for _ in range(len(table))])
    by = np.array([rng.randrange(nodes) for _ in range(len(asked))])
    edges = [START + n / 4 for n in range(int(SECONDS * 4) + 80)]
    for since, until in itertools.pairwise(edges):
        turns = list(range(nodes))
        rng.shuffle(turns)
        for one in turns:
            there = np.flatnonzero((table.ts >= since) & (table.ts < until) & (node == one))
            heard = np.flatnonzero((asked.ts >= since) & (asked.ts < until) & (by == one))
            batch = take_sessions(table, there)
            made.push(f"n{one}", until, batch, until - START, take(asked, heard))
    made.finish()


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("seed", range(20))
def test_however_nodes_split_them_answers_and_sessions_come_in_the_order_of_an_archive(
    model_folder: ModelFolder, seed: int, nodes: int
) -> None:
    rng = random.Random(seed)
    table = traffic(rng)
    asked = answers_to(table, rng)
    whole, parts, nearby = (Recorder(model_folder()) for _ in range(3))
    whole.process(table, asked)
    whole.finish()
    cut = 0
    for start in range(0, len(table), 7):
        some = take_sessions(table, np.arange(start, min(start + 7, len(table))))
        until = int(np.searchsorted(asked.ts, some.ts[-1], side="right"))
        parts.process(some, take(asked, np.arange(cut, until)))
        cut = until
    parts.process(NO_SESSIONS, take(asked, np.arange(cut, len(asked))))
    parts.finish()
    live(nearby, table, asked, rng, nodes)
    assert parts.seen == whole.seen
    assert nearby.seen == whole.seen
    assert nearby.intake.reorder.late_names == 0
    assert whole.counters.answers > 100


def test_answers_of_a_sensor_with_a_wrong_clock_get_the_time_of_their_batch(
    model_folder: ModelFolder,
) -> None:
    made = Recorder(model_folder(), Reorder(silence=np.inf, settle=0))
    made.push("n", START, session(START), 0.0)
    odd = names([(START + 5 * YEAR, CAMERA, "a.example", LAMP_CLOUD)])
    made.push("n", START + 1, session(START + 1), 1.0, odd)
    made.push("n", START + 2, session(START + 2), 2.0)
    made.finish()
    assert [ts for ts, _, name, _ in made.seen if name == "a.example"] == [START + 1]


def test_answers_without_sessions_reach_the_pipeline_in_a_silence(
    model_folder: ModelFolder,
) -> None:
    made = Recorder(model_folder(), Reorder(settle=0))
    made.push("n", START, session(START - 0.5), 0.0)
    made.push(
        "n", START + 1, NO_SESSIONS, 1.0, names([(START + 1, CAMERA, "a.example", LAMP_CLOUD)])
    )
    assert made.heard == []
    made.push("n", START + 2, NO_SESSIONS, 2.0, NO_NAMES)
    assert [name for _, name in made.heard] == ["a.example"]
