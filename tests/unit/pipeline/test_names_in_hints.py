"""The names that hosts asked for, among the reasons of their hints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.verdicts import Verdict
from tests.unit.helpers import host, pipeline, sessions
from tests.unit.pipeline.test_names_in_evidence import asked

ModelFolder = Callable[..., Path]

RING = "9.9.9.9"  # in no class's pools: the host stays without a name
HINT = ("Ring", "*.ring.com 100 %")


def run(made: Pipeline, cut: int = 40) -> list[Verdict]:
    """A host that asks for a maker's name before it uses the address 40 times; in two batches."""
    rows = host(7, times=[1.0 + 9 * n for n in range(40)], dst=RING)
    found = made.process(sessions(rows[:cut]), asked(1.5, 7, "fw.ring.com", RING))
    return found + (made.process(sessions(rows[cut:])) if cut < 40 else [])


def test_a_line_of_an_unknown_host_has_the_names_as_reasons(model_folder: ModelFolder) -> None:
    verdicts = run(pipeline(model_folder()))
    assert verdicts[-1].state == "unknown"
    assert verdicts[-1].hint.texts == HINT
    assert verdicts[0].hint.texts == ()  # its first session came before the answer


def test_the_hints_do_not_depend_on_how_sessions_are_cut(model_folder: ModelFolder) -> None:
    whole = [(v.ts, v.hint) for v in run(pipeline(model_folder()))]
    for cut in (3, 17, 33):
        assert [(v.ts, v.hint) for v in run(pipeline(model_folder()), cut)] == whole


def test_the_present_lines_and_the_groups_have_them_too(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    run(made)
    (present,) = made.standing()
    assert present.hint.texts == HINT
    (kind,) = made.unknown_hosts().kinds
    assert "Ring" in kind


def test_what_only_another_host_asked_for_is_no_reason(model_folder: ModelFolder) -> None:
    """A PC that hides its queries may share an address with a device of the site."""
    made = pipeline(model_folder())
    rows = host(8, times=[0.5], dst=RING)
    rows += host(7, times=[2.0 + 9 * n for n in range(40)], dst=RING)
    verdicts = made.process(sessions(rows), asked(1.0, 8, "fw.ring.com", RING))
    of_seven = [v for v in verdicts if v.host.endswith(".7")]
    assert of_seven[-1].row().evidence_name[0] == "fw.ring.com"
    assert of_seven[-1].hint.texts == ()
