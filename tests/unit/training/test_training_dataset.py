"""Labelled sessions come out of an archive by the runtime's own code, one series per label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import Schedule
from nba_broker.records.classes import Class
from nba_broker.records.errors import ArchiveError
from nba_broker.records.sessions import Sessions
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, pools
from training.data import dataset, labelled_sessions, labelling
from training.data.labels import Label

LAMP = "02:00:00:00:00:01"
LENS = "02:00:00:00:00:02"

Row = tuple[float, str, str, str]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows of (ts, host, mac, dst) as a conn log, by default called conn.log."""

    return lambda rows, name="conn.log": written(tmp_path, rows, name)


def written(folder: Path, rows: Sequence[Row], name: str = "conn.log") -> Path:
    fields = ["ts", "uid", "id.orig_h", "id.resp_h", "id.resp_p", "proto", "orig_l2_addr"]
    lines = ["#separator \\x09", "#path\tconn", "\t".join(["#fields", *fields])]
    lines += [f"{ts:.6f}\tC1\t{host}\t{dst}\t443\ttcp\t{mac or '-'}" for ts, host, mac, dst in rows]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def lamp(times: Sequence[float], address: str = "10.0.0.1", mac: str = LAMP) -> list[Row]:
    return [(float(ts), address, mac, LAMP_CLOUD) for ts in times]


def test_only_sessions_of_labelled_hosts_are_kept_and_the_others_counted(archive) -> None:
    folder = archive([*lamp(range(5)), (9.0, "10.0.0.2", LENS, LENS_CLOUD)])
    sessions, origin = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    assert sessions.ts.tolist() == [0, 1, 2, 3, 4]
    assert [sessions.table[pool] for pool in sessions.pool] == ["as:1"] * 5
    assert (origin.unlabelled_sessions, origin.unlabelled_hosts) == (1, 1)
    assert origin.warnings == ()


def test_a_label_by_address_means_the_sessions_from_that_address(archive) -> None:
    folder = archive([*lamp(range(3)), *lamp(range(3, 5), "10.0.0.9")])
    sessions, _ = dataset.load([folder], [Label("10.0.0.9", "Lamp", "bulb")], pools())
    assert sessions.ts.tolist() == [3, 4]


def test_a_row_without_mac_belongs_to_the_labelled_mac_that_has_its_address(archive) -> None:
    folder = archive([*lamp([0, 1]), *lamp([2], mac="")])
    sessions, _ = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    assert len(sessions) == 3


def test_since_and_until_of_a_label_limit_it_to_that_time(archive) -> None:
    folder = archive(lamp(range(10)))
    labels = [Label(LAMP, "Lamp", "bulb", 2.0, 4.0), Label(LAMP, "Lens", "camera", 7.0)]
    sessions, _ = dataset.load([folder], labels, pools())
    assert sessions.ts.tolist() == [2, 3, 7, 8, 9]
    assert sessions.series.tolist() == [0, 0, 1, 1, 1]


def test_a_label_with_a_log_means_only_that_file(archive) -> None:
    archive(lamp([0, 2]), "a.conn.log")
    folder = archive(lamp([1, 3]), "b.conn.log")
    labels = [
        Label(LAMP, "Lamp", "bulb", log="a.conn.log"),
        Label(LAMP, "Lens", "camera", log="b.conn.log"),
    ]
    sessions, _ = dataset.load([folder], labels, pools())
    assert sessions.series.tolist() == [0, 1, 0, 1]


def test_labels_without_sessions_cause_a_warning_with_their_names(archive) -> None:
    folder = archive(lamp(range(3)))
    labels = [Label(LAMP, "Lamp", "bulb"), Label(LENS, "Lens", "camera")]
    _, origin = dataset.load([folder], labels, pools())
    assert origin.warnings == (f"labels without sessions in the archive: {LENS} (Lens)",)


@pytest.mark.parametrize(
    ("label", "named"),
    [
        (Label(LENS, "Lens", "camera"), LENS),
        (Label("10.0.0.1", "Lamp", "bulb", 4.0), "10.0.0.1 from 1970-01-01T00:00:04Z"),
        (Label(LAMP, "Lamp", "bulb", until=0.0), f"{LAMP} until 1970-01-01T00:00:00Z"),
        (Label(LAMP, "Lamp", "bulb", log="b.log"), f"{LAMP} in b.log"),
    ],
)
def test_an_archive_without_labelled_hosts_is_an_error_with_what_both_have(
    archive, label: Label, named: str
) -> None:
    with pytest.raises(ArchiveError) as refused:
        dataset.load([archive(lamp(range(3)))], [label], pools())
    assert str(refused.value) == (
        "the archive has no session of a labelled host: its 3 sessions from 1970-01-01T00:00:00Z "
        f"to 1970-01-01T00:00:02Z are of {LAMP} (10.0.0.1); the labels name {named}"
    )


def test_of_many_labels_without_a_session_those_of_hosts_in_the_archive_are_named(archive) -> None:
    strangers = [Label(f"10.0.9.{n}", "Lens", "camera") for n in range(5)]
    with pytest.raises(ArchiveError, match=f"labels name {LAMP} from .*, 10.0.9.0, .* and 3 more"):
        dataset.load(
            [archive(lamp(range(3)))], [*strangers, Label(LAMP, "Lamp", "bulb", 9.0)], pools()
        )


def test_an_archive_that_is_outside_of_since_and_until_is_an_error_that_says_so(archive) -> None:
    said = "its 3 sessions are outside --since and --until"
    with pytest.raises(ArchiveError, match=said):
        dataset.load([archive(lamp(range(3)))], [Label(LAMP, "Lamp", "bulb")], pools(), since=9.0)


def test_nothing_from_outside_since_and_until_is_used(archive) -> None:
    folder = archive(lamp(range(10)))
    label = [Label(LAMP, "Lamp", "bulb")]
    sessions, _ = dataset.load([folder], label, pools(), since=3.0, until=6.0)
    assert sessions.ts.tolist() == [3, 4, 5]
    assert np.isinf(sessions.windows(Schedule(4, 1)).interval[0, -1])


def test_the_fingerprint_does_not_change_with_the_files_the_sessions_lie_in(
    archive, tmp_path: Path
) -> None:
    label = [Label(LAMP, "Lamp", "bulb")]
    _, whole = dataset.load([archive(lamp(range(6)))], label, pools())
    archive(lamp(range(3)))
    folder = archive(lamp(range(3, 6)), "conn.2.log")
    _, parts = dataset.load([folder], label, pools())
    _, other = dataset.load([folder], label, pools(), since=1.0)
    assert parts.fingerprint == whole.fingerprint != other.fingerprint


@settings(max_examples=30)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 20).map(float),
            st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
            st.sampled_from([LAMP, LENS, "02:00:00:00:00:09", ""]),
            st.sampled_from([LAMP_CLOUD, LENS_CLOUD]),
        ),
        min_size=1,
        max_size=40,
    ),
    memory=st.integers(1, 3000),
    together=st.integers(1, 50),
)
def test_neither_the_memory_for_sorting_nor_the_size_of_parts_changes_anything(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], memory: int, together: int
) -> None:
    folder = written(tmp_path_factory.mktemp("memory"), [*lamp([99]), *rows])
    labels = [Label(LAMP, "Lamp", "bulb"), Label("10.0.0.3", "Lens", "camera")]
    one, origin = dataset.load([folder], labels, pools())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "_AT_ONCE", together)
        other, same = dataset.load([folder], labels, pools(), memory=memory)
    assert origin == same
    assert one.table == other.table
    for name in ("ts", "series", "pool", "dport"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_a_host_whose_labelled_mac_becomes_known_late_is_labelled_from_its_first_session(
    archive,
) -> None:
    folder = archive([*lamp([0, 1], mac=""), *lamp([2]), (1.5, "10.0.0.2", LENS, LENS_CLOUD)])
    sessions, origin = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    assert sessions.ts.tolist() == [0, 1, 2]
    assert (origin.unlabelled_sessions, origin.unlabelled_hosts) == (1, 1)


def test_windows_of_disjoint_selections_share_no_session(archive) -> None:
    folder = archive(lamp(range(20)))
    sessions, _ = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    later = sessions.select(sessions.ts >= 10).windows(Schedule(length=8, min_sessions=3))
    assert len(later) == 8
    assert (later.pool[0] >= 0).sum() == 3
    assert np.isinf(later.interval[0, -3])


def test_classes_are_the_devices_that_occur_ordered_by_name(archive) -> None:
    folder = archive([*lamp(range(3)), (9.0, "10.0.0.2", LENS, LENS_CLOUD)])
    labels = [
        Label(LENS, "Lens", "camera"),
        Label(LAMP, "Lamp", "bulb"),
        Label("10.9.9.9", "Absent", "hub"),
    ]
    sessions, _ = dataset.load([folder], labels, pools())
    assert sessions.classes() == (Class("Lamp", "bulb"), Class("Lens", "camera"))
    assert sessions.class_of_series(sessions.classes()).tolist() == [1, 0, -1]


def test_windows_equal_those_of_the_runtime(archive, model_folder) -> None:
    """The same sessions through the live pipeline reach the model as the same arrays."""
    from nba_broker.archive import conn_log
    from tests.unit.helpers import pipeline

    rows = lamp(np.cumsum(np.random.default_rng(1).exponential(9, 30)))
    folder = archive(rows)
    sessions, _ = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    scorer = Scorer(model_folder())
    windows = sessions.windows(scorer.manifest.schedule)
    offline = scorer.inputs(windows, sessions.table)

    live = pipeline(model_folder())
    seen = []
    ask = live.scorer.inputs
    live.scorer.inputs = lambda *given: seen.append(ask(*given)) or seen[-1]  # type: ignore
    for batch in conn_log.read([folder]).batches(7):
        live.process(batch)
    for column, expected in zip(zip(*seen, strict=True), offline, strict=True):
        assert np.array_equal(np.concatenate(column), expected)


def test_episodes_are_the_same_sessions_in_series_of_a_few(archive) -> None:
    folder = archive([*lamp(range(7)), (3.5, "10.0.0.2", LENS, LENS_CLOUD)])
    labels = [Label(LAMP, "Lamp", "bulb"), Label(LENS, "Lens", "camera")]
    sessions, _ = dataset.load([folder], labels, pools())
    episodes = sessions.episodes(3)
    assert [one.device for one in episodes.labels] == ["Lamp", "Lamp", "Lamp", "Lens"]
    assert sorted(np.bincount(episodes.series)) == [1, 1, 3, 3]
    assert episodes.ts.tolist() == sessions.ts.tolist()
    assert episodes.windows(Schedule(3, 3)).slot.tolist() == [0, 1]


@settings(max_examples=30)
@given(series=st.lists(st.integers(0, 6), min_size=1, max_size=60), together=st.integers(1, 30))
def test_windows_of_some_series_at_a_time_are_those_of_all_at_once(
    series: list[int], together: int
) -> None:
    size = len(series)
    sessions = dataset.LabelledSessions(
        ts=np.arange(size, dtype=float),
        series=np.array(series),
        pool=np.arange(size, dtype=np.int32),
        dport=np.zeros(size, np.int32),
        labels=tuple(Label(f"10.0.0.{n}", f"Device_{n}", "thing") for n in range(7)),
        table=[f"as:{n}" for n in range(size)],
    )
    every = Schedule(length=4, min_sessions=2)
    whole = sessions.windows(every)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled_sessions, "_TOGETHER", together)
        made, ts = sessions.apart(lambda some: (some.windows(every), _ends(some, every)))
    for name in ("slot", "index", "count", "pool", "interval", "dport"):
        assert np.array_equal(getattr(made, name), getattr(whole, name))
    assert np.array_equal(ts, sessions.ts[whole.index])


def _ends(sessions: dataset.LabelledSessions, every: Schedule) -> np.ndarray:
    return sessions.ts[sessions.windows(every).index]


def test_a_lan_that_may_be_wider_is_a_warning(archive) -> None:
    rows = [(float(n), "10.0.6.5", LAMP, "10.0.5.9") for n in range(5)]
    rows += [(float(n), "10.0.6.6", LENS, "10.0.5.9") for n in range(5)]
    rows += [(9.0, "10.0.5.9", "02:00:00:00:00:09", LENS_CLOUD)]
    _, origin = dataset.load([archive(rows)], [Label(LAMP, "Lamp", "bulb")], pools())
    assert [line for line in origin.warnings if "run again with --lans 10.0.4.0/22" in line]


def by_minute(monkeypatch: pytest.MonkeyPatch, *segments: str) -> None:
    """An archive whose sessions, by their second, are of these segments in turn."""
    plain = conn_log.Archive.sessions

    def sessions(self: conn_log.Archive, rows: np.ndarray) -> Sessions:
        batch = plain(self, rows)
        return replace(batch, segment=[segments[int(ts) % len(segments)] for ts in batch.ts])

    monkeypatch.setattr(conn_log.Archive, "sessions", sessions)


def test_hosts_with_a_labelled_address_in_two_segments_are_a_series_each(
    archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_minute(monkeypatch, "/10", "/20")
    label = Label("10.0.0.1", "Lamp", "bulb")
    other = Label(LENS, "Lens", "camera")
    folder = archive([*lamp(range(6), mac=""), *lamp([6.0, 7.0], "10.0.0.2", LENS)])
    sessions, origin = dataset.load([folder], [label, other], pools())
    assert sessions.series.tolist() == [0, 2, 0, 2, 0, 2, 1, 1]
    assert sessions.labels == (label, other, label)
    assert origin.warnings == ()


def test_a_labelled_address_whose_segment_is_sometimes_missing_is_one_series(
    archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_minute(monkeypatch, "/10", "")
    folder = archive(lamp(range(6), mac=""))
    sessions, _ = dataset.load([folder], [Label("10.0.0.1", "Lamp", "bulb")], pools())
    assert sessions.series.tolist() == [0] * 6


@pytest.mark.parametrize("mac", [LAMP, LENS])
def test_a_label_of_any_mac_of_a_bond_means_all_of_its_sessions(archive, mac: str) -> None:
    rows = [row for n in range(20) for row in lamp([n * 60.0], mac=(LAMP, LENS)[n % 2])]
    sessions, _ = dataset.load([archive(rows)], [Label(mac, "Lamp", "bulb")], pools())
    assert len(sessions) >= 16


def test_sessions_have_the_name_that_their_host_had_asked_for_before(archive) -> None:
    folder = archive(lamp([1, 3, 5]))
    fields = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p query qtype_name rcode_name answers"
    row = f"2.0 C9 10.0.0.1 4000 10.0.0.53 53 A.Lamp.example A NOERROR {LAMP_CLOUD}"
    lines = ["#separator \\x09", "#path dns", "#fields " + fields, row]
    (folder / "dns.log").write_text("\n".join(one.replace(" ", "\t") for one in lines) + "\n")
    sessions, _ = dataset.load([folder], [Label(LAMP, "Lamp", "bulb")], pools())
    assert [sessions.text(number) for number in sessions.name.tolist()] == [
        "",
        "a.lamp.example",
        "a.lamp.example",
    ]
    assert sessions.select(sessions.ts > 2).name.tolist() == sessions.name[1:].tolist()


def test_sessions_with_another_number_of_names_are_refused() -> None:
    nothing = np.zeros(3, np.int32)
    with pytest.raises(ValueError, match="2 names of 3 sessions"):
        dataset.LabelledSessions(
            np.zeros(3), nothing, nothing, nothing, (), ["lan"], np.zeros(2, np.int32)
        )
