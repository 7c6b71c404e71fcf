"""The names that hosts asked for, in the evidence of their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.addresses import canonical
from nba_broker.records.evidence import Attended
from nba_broker.records.names import Names
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, host, pipeline, sessions

ModelFolder = Callable[..., Path]

NAME = "fw.lamp.example"


def asked(ts: float, number: int, name: str, address: str = LAMP_CLOUD) -> Names:
    """One answer to host ``number`` of the helpers."""
    return Names(
        np.array([ts]),
        np.frombuffer(canonical(f"192.168.1.{number}")[1], "V16"),
        np.array([name], object),
        np.frombuffer(canonical(address)[1], "V16"),
        np.array([60.0]),
    )


def named(verdicts: list[Verdict]) -> list[str]:
    return [one.name for v in verdicts for one in v.evidence if isinstance(one, Attended)]


def run(made: Pipeline, name: str, begin: float = 1.0) -> list[Verdict]:
    """A host that asks for a name after its first session, and then uses the address."""
    rows = host(7, times=[begin + n for n in range(30)], dst=LAMP_CLOUD)
    return made.process(sessions(rows), asked(begin + 0.5, 7, name))


def test_evidence_has_the_name_that_the_host_asked_for(model_folder: ModelFolder) -> None:
    verdicts = run(pipeline(model_folder()), NAME)
    assert set(named(verdicts)) == {NAME}
    row = verdicts[-1].row()
    assert row.evidence_name == (NAME,)
    assert row.evidence[0].startswith(f"{LAMP_CLOUD} 443/tcp {NAME} (Organisation 1) sessions=")
    assert row.destinations()[0].place == f"{LAMP_CLOUD} 443/tcp {NAME} (Organisation 1)"


def test_an_alarm_has_names_and_ignored_ones_raise_none(model_folder: ModelFolder) -> None:
    def alarms(*given: Annotation) -> list[Verdict]:
        made = pipeline(model_folder())
        made.annotate(given)
        usual = host(7, times=[1e6 + 3600.0 * n for n in range(240)], dst=LAMP_CLOUD)
        beacon = [1e6 + 5 * 86400 + 60.0 * n for n in range(2880)]
        rows = sorted(usual + host(7, times=beacon, dst="9.9.9.9"))
        found = made.process(
            sessions(rows), asked(1e6 + 4 * 86400, 7, "c2.evil.example", "9.9.9.9")
        )
        return [v for v in found if v.state == "misbehaving"]

    (first, *_) = alarms()
    assert "c2.evil.example" in first.row().evidence_name
    assert alarms(Annotation(0.0, "", "ignore", name="*.evil.example")) == []
    assert alarms(Annotation(0.0, "", "ignore", name="evil.example"))


def test_unknown_hosts_are_described_by_names(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    rows = host(7, times=[1.0 + 9 * n for n in range(40)], dst="9.9.9.9")
    made.process(sessions(rows), asked(1.5, 7, "p2p.strange.example", "9.9.9.9"))
    (kind,) = made.unknown_hosts().kinds
    assert "mostly p2p.strange.example (" in kind


def test_names_survive_a_restart(model_folder: ModelFolder, tmp_path: Path) -> None:
    whole, first = pipeline(model_folder()), pipeline(model_folder())
    run(whole, NAME)
    run(first, NAME)
    snapshot_file.write(tmp_path / "s", snapshot.parts(first, {}))
    second = pipeline(model_folder())
    snapshot.restore(tmp_path / "s", second)
    assert len(second.names) == 1
    later = host(7, times=[90_000.0 + n for n in range(40)], dst=LAMP_CLOUD)
    expected = named(whole.process(sessions(later)))
    assert named(second.process(sessions(later))) == expected
    assert set(expected) == {NAME}


def test_a_host_that_leaves_takes_its_names_with_it(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), max_hosts=2)
    private = "192.168.1.99"
    rows = host(7, times=[1.0, 2.0], dst=private) + host(8, times=[3.0], dst=private)
    made.process(sessions(rows), asked(1.5, 7, "nas.lan", private))
    made.process(
        sessions([r for n in (20, 21, 22) for r in host(n, times=[10.0 + n], dst=private)])
    )
    assert not made.names.columns["address"].any()
