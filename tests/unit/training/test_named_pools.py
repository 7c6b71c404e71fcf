"""Training sees the pools that overrides give to names as a worker does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from nba_broker.destinations.overrides import Override
from nba_broker.model.windows import Schedule
from nba_broker.records.classes import Class
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, pipeline, pools
from training.cli import arguments
from training.cli.archive import pools as of_archive
from training.data import dataset, public_counts
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.followed import stream_of
from training.model.class_baseline import class_baselines

START = 1_750_000_000.0
HOST = "192.168.1.10"
TIME: list[Override] = [("*.ntp.org", "time")]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Sessions of a host to two clouds, every ten minutes for two days; the name of the first is
    known from the sixth session on."""
    rows = [
        {
            "ts": START + 600 * n,
            "uid": f"C{n}",
            "id.orig_h": HOST,
            "id.resp_h": LENS_CLOUD if n % 3 == 2 else LAMP_CLOUD,
            "id.resp_p": 443,
            "proto": "tcp",
            "orig_l2_addr": MAC.format(1),
        }
        for n in range(288)
    ]
    (tmp_path / "conn.log").write_text("\n".join(map(json.dumps, rows)))
    asked = {
        "ts": START + 600 * 4.5,
        "uid": "D1",
        "id.orig_h": HOST,
        "id.resp_h": "192.168.1.1",
        "id.resp_p": 53,
        "proto": "udp",
        "query": "0.pool.ntp.org",
        "qtype_name": "A",
        "answers": [LAMP_CLOUD],
        "TTLs": [60.0],
    }
    (tmp_path / "dns.log").write_text(json.dumps(asked))
    return tmp_path


def load(archive: Path, rows: list[Override]) -> LabelledSessions:
    label = Label(MAC.format(1), "Lamp", "bulb")
    return dataset.load([archive], [label], pools(overrides=rows))[0]


def test_windows_of_training_have_the_pools_of_a_workers_windows(
    archive: Path, model_folder: Callable[..., Path]
) -> None:
    sessions = load(archive, TIME)
    trained = sessions.windows(Schedule(8, 1)).pool[-1]
    worker = pipeline(model_folder())
    worker.pools.override(TIME)
    for batch, answers in conn_log.read([archive], names=True).batches_with_names():
        worker.process(batch, answers)
    window = worker.windows.latest(np.array([0])).pool[0]
    names = [worker.pools.table[number] for number in window[window >= 0].tolist()][-8:]
    assert [sessions.table[number] for number in trained.tolist()] == names
    assert set(names) == {"time", "as:2"}


def test_a_session_before_the_question_is_of_its_address_in_training_too(archive: Path) -> None:
    sessions = load(archive, TIME)
    found = [sessions.table[number] for number in sessions.named_pool[:8].tolist()]
    assert found == ["as:1", "as:1", "as:2", "as:1", "as:1", "as:2", "time", "time"]
    nameless = load(archive, [])
    assert nameless.named_pool is nameless.pool


def test_baselines_of_classes_count_by_address_and_domain_as_those_of_hosts_do(
    archive: Path,
) -> None:
    with_row, without = (
        class_baselines(load(archive, rows), [Class("Lamp", "bulb")]) for rows in (TIME, [])
    )
    assert with_row == without
    assert {pool for pool, *_ in with_row[0]["pairs"]} >= {"as:1", "*.ntp.org"}


def test_a_stream_has_the_pools_of_both(archive: Path) -> None:
    sessions = load(archive, TIME)
    stream = stream_of(sessions)
    assert stream.pool is sessions.pool
    assert stream.of_name is sessions.of_name


def test_commands_that_read_an_archive_take_the_overrides_file(tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text("name,pool\n*.ntp.org,time\n")
    given = arguments.archive().parse_args([str(tmp_path), "--overrides", str(path)])
    made = of_archive(given, "asn")
    assert made.by_name == {"*.ntp.org": "time"}
    assert made.overrides == pools(overrides=TIME).overrides != pools().overrides


def test_counts_of_other_networks_get_the_pools_of_their_names() -> None:
    given = {
        ("123/udp", "as:1", "#.pool.ntp.org"): 3,
        ("123/udp", "as:2", "#.pool.ntp.org"): 4,
        ("123/udp", "as:2", ""): 5,
    }
    assert public_counts.overridden(given, pools()) is given
    assert public_counts.overridden(given, pools(overrides=TIME)) == {
        ("123/udp", "time", "#.pool.ntp.org"): 7,
        ("123/udp", "as:2", ""): 5,
    }
