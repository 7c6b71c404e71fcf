"""The commands of an analyst: what they write, and what they show."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nba_broker.cli.main import main
from nba_broker.model.manifest import Manifest
from nba_broker.records.errors import ConfigError
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, MAC, ROOT, host, pipeline, sessions

ModelFolder = Callable[..., Path]


def test_an_answer_is_a_row_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "annotations.csv"
    words = ["label", "02:4E:42:41:01:01", "Hall_Camera", "--category", "camera"]
    assert main([*words, "--annotations", str(path), "--reason", "seen it"]) == 0
    assert main(["confirm", "hall-lamp", "--annotations", str(path), "--at", "2026-01-01"]) == 0
    assert (
        main(["ignore", "--pool", "as:15169", "--annotations", str(path), "--expires", "4e9"]) == 0
    )
    confirm, *rest = annotation_file.read(path)
    assert confirm == Annotation(1767225600.0, "hall-lamp", "confirm")
    (label, ignore) = sorted(rest, key=lambda one: one.action, reverse=True)
    assert (label.host, label.device, label.category, label.reason) == (
        "02:4e:42:41:01:01",
        "Hall_Camera",
        "camera",
        "seen it",
    )
    assert label.at > 1.7e9
    assert (ignore.host, ignore.pool, ignore.expires) == ("", "as:15169", 4e9)


def test_what_an_answer_was_taken_for_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answers = ["--at", "2026-01-01", "--annotations", str(tmp_path / "annotations.csv")]
    for words in ("confirm hal-lamp", "ignore --pool lan", "ignore --name *.NTP.org"):
        assert main([*words.split(), *answers]) == 0
    said = [line.partition("csv: ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "confirm hostname hal-lamp, from 2026-01-01 on",
        "ignore pool lan, from 2026-01-01 on",
        "ignore name *.ntp.org, from 2026-01-01 on",
    ]
    assert caplog.records == []


def test_annotations_that_come_too_late_for_an_archive_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "annotations.csv"
    score = [
        "score",
        str(ROOT / "models/sample"),
        "--annotations",
        str(path),
        "--out",
        str(tmp_path),
    ]
    host = "02:4e:42:41:01:01"
    assert main(["label", host, "Bell", "--at", "2026-01-05T12", "--annotations", str(path)]) == 0
    assert main(score) == 0
    assert not caplog.records
    assert main(["label", host, "Horn", "--annotations", str(path)]) == 0
    assert main(score) == 0
    assert "1 of 2 annotations are later than the archive's last session" in caplog.text


def test_a_class_that_is_spelt_another_way_is_told_where_it_is_written_and_where_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "annotations.csv"
    words = ["label", "02:4e:42:41:01:01", "ring doorbell", "--at", "2026-01-05T12"]
    assert main([*words, "--annotations", str(path)]) == 0
    assert "the model's class is spelt Ring_Doorbell" in caplog.text
    caplog.clear()
    score = [
        "score",
        str(ROOT / "models/sample"),
        "--annotations",
        str(path),
        "--out",
        str(tmp_path),
    ]
    assert main(score) == 0
    assert caplog.text.count("the model's class is spelt Ring_Doorbell") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["label", "192.168.1", "Camera"], "label: host '192.168.1' is not a MAC"),
        (["ignore"], "ignore: host is empty"),
        (["ignore", "--pool", "google"], "no destination can be in the pool 'google'; give the"),
        (["ignore", "--pool", "as:abc"], "no destination can be in the pool 'as:abc'; give the"),
        (["ignore", "--name", "http://a.b"], "is a URL, or has a port or path; give a name alone"),
        (["ignore", "--name", "10.0.0.1"], "is an address or network; give it as pool"),
        (["confirm", "h", "--at", "soon"], "confirm: at 'soon' is neither a date nor an epoch"),
    ],
)
def test_an_answer_that_is_no_use_is_one_clear_error_and_not_written(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "annotations.csv"
    assert main([*words, "--annotations", str(path)]) == 1
    assert complaint in capsys.readouterr().err
    assert not path.exists()


def test_a_pool_of_the_overrides_file_can_be_ignored(tmp_path: Path) -> None:
    rows, path = tmp_path / "overrides.csv", tmp_path / "annotations.csv"
    rows.write_text("name,pool\n*.google.com,google\n")
    ignore = ["ignore", "--pool", "google", "--annotations", str(path)]
    assert main([*ignore, "--overrides", str(rows)]) == 0
    (one,) = annotation_file.read(path)
    assert one.pool == "google"


def test_an_annotation_without_a_file_is_one_clear_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["confirm", "h"]) == 1
    assert "--annotations F.csv" in capsys.readouterr().err
    assert main(["confirm", "h", "--annotations", "/no/such/folder/a.csv"]) == 1
    assert "there is no folder /no/such/folder" in capsys.readouterr().err


def test_scripts_may_still_say_answers(tmp_path: Path) -> None:
    path = tmp_path / "annotations.csv"
    assert main(["confirm", MAC.format(7), "--answers", str(path)]) == 0
    assert [annotation.action for annotation in annotation_file.read(path)] == ["confirm"]


@pytest.fixture
def site(model_folder: ModelFolder, tmp_path: Path) -> list[str]:
    """Arguments for the state of a worker that saw a lamp and something else."""
    made = pipeline(model_folder())
    made.process(sessions(host(7, times=list(range(100, 120)), dst=LAMP_CLOUD)))
    made.process(sessions([(120.0, "192.168.1.9", "", LAMP_CLOUD)]))
    snapshot_file.write(tmp_path / "hosts.snapshot", snapshot.parts(made, {}))
    return ["--state", str(tmp_path), "--model", str(tmp_path / "model")]


def test_a_label_by_address_names_the_mac_that_the_state_knows(
    site: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "annotations.csv"
    for address in ("192.168.1.7", "192.168.1.9", "192.168.1.8"):
        assert main(["label", address, "Hall_Lamp", *site, "--annotations", str(path)]) == 0
    assert [answer.host for answer in annotation_file.read(path)] == [
        MAC.format(7),
        "192.168.1.9",
        "192.168.1.8",
    ]


def test_a_mistake_in_an_annotation_of_a_known_host_is_logged(
    site: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = [*site, "--annotations", str(tmp_path / "annotations.csv")]
    for words, warning in (
        (["label", MAC.format(7), "Lens"], "192.168.1.7 is identified as Lamp now; traffic like"),
        (["label", MAC.format(7), "lamp"], "the model's class is spelt Lamp; lamp is another"),
        (["confirm", "192.168.1.8"], "the worker knows no host 192.168.1.8"),
        (["ignore", "no-such-phone"], "the worker knows no host no-such-phone"),
        (["label", MAC.format(7), "Lamp"], ""),
    ):
        caplog.clear()
        assert main([*words, *to]) == 0
        told = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
        told = [text for text in told if "edition of the IP database" not in text]
        assert any(text.startswith(warning) for text in told) if warning else not told


def test_an_annotation_needs_no_state_unless_it_names_an_address(tmp_path: Path) -> None:
    to = ["--state", str(tmp_path), "--annotations", str(tmp_path / "annotations.csv")]
    assert main(["label", MAC.format(7), "Lens", *to]) == 0
    assert main(["label", "192.168.1.7", "Lens", *to]) == 1
    assert len(annotation_file.read(tmp_path / "annotations.csv")) == 1


def test_a_shadow_that_is_not_there_is_told_from_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--shadow", str(tmp_path / "nope")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"nba-broker: --shadow: {tmp_path}/nope/manifest.json: not found;")


@pytest.mark.parametrize(
    ("words", "which"),
    [
        (["run", "--model", "m", "--state", "m"], "--state m: is in the folder of --model"),
        (["run", "--model", "link", "--state", "m/s"], "--state m/s: is in the folder of --model"),
        (["run", "--shadow", "m", "--state", "m"], "--state m: is in the folder of --shadow"),
        (["score", "no.log", "--model", "m", "--out", "m"], "--out m: is in the folder of --model"),
        (["pcap", "no.pcap", "--model", "m", "--out", "m"], "--out m: is in the folder of --model"),
    ],
)
def test_nothing_is_written_into_a_models_folder(
    words: list[str],
    which: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    Path("link").symlink_to("m")
    assert main(words) == 1
    assert capsys.readouterr().err == f"nba-broker: {which}; give another folder\n"
    assert list(Path("m").iterdir()) == []


def test_hosts_are_shown_as_they_are(site: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", *site]) == 0
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()] == [
        "HOST",
        "192.168.1.7",
        "192.168.1.9",
    ]
    assert "2 hosts as of 2" in shown.err
    assert "latest session 1970-01-01T00:02:00Z" in shown.err

    assert main(["hosts", *site, "--format", "json"]) == 0
    lamp, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (lamp["mac"], lamp["state"], lamp["device"]) == (MAC.format(7), "identified", "Lamp")
    assert (lamp["ts"], lamp["sessions"]) == (119.0, 20)

    assert main(["hosts", *site, "--format", "csv"]) == 0
    lamp, _ = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (lamp["device"], lamp["ts"]) == ("Lamp", "119.000000")


def test_hosts_have_the_names_that_their_worker_gave_whatever_model_is_asked_for(
    site: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker has its model from a flag or a setting that whoever looks does not know."""
    assert main(["hosts", *site, "--format", "json"]) == 0
    asked = capsys.readouterr().out
    assert main(["hosts", *site[:2], "--format", "json"]) == 0
    shown = capsys.readouterr().out
    assert shown == asked
    worker = Manifest.load(Path(site[-1])).id
    assert json.loads(shown.splitlines()[0])["model"] == worker


def test_alternatives_have_the_names_of_the_workers_model_whatever_model_is_asked_for(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pipeline(model_folder())
    made.process(sessions(host(7, times=list(range(100, 120)), dst=LAMP_CLOUD)))
    made.annotate([Annotation(110.0, MAC.format(7), "label", "Hall_Light", "light")])
    snapshot_file.write(tmp_path / "hosts.snapshot", snapshot.parts(made, {}))
    assert main(["hosts", "--state", str(tmp_path), "--format", "json"]) == 0
    (light,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (light["device"], light["alternatives"]) == ("Hall_Light", ["Lamp=1.00"])


def test_hosts_without_a_state_are_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hosts"]) == 1
    assert "--state DIR" in capsys.readouterr().err
    assert main(["hosts", "--state", str(tmp_path)]) == 1
    assert "check that this is the worker's folder" in capsys.readouterr().err


def wide(tmp_path: Path) -> Path:
    """Two hosts of 10.0.6.0/24 whose gateway is 10.0.4.1, in a log."""
    rows = [
        {
            "ts": 1e9 + n,
            "uid": f"C{n}",
            "id.orig_h": f"10.0.6.{5 + n % 2}",
            "id.orig_p": 4000,
            "id.resp_h": "10.0.4.1",
            "id.resp_p": 53,
            "proto": "udp",
        }
        for n in range(20)
    ]
    log = tmp_path / "conn.log"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return log


def test_a_lan_that_may_be_wider_is_told_once_until_it_is_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = wide(tmp_path)
    assert main(["score", str(log), "--out", str(tmp_path)]) == 0
    assert [record.message for record in caplog.records] == [
        "10.0.4.1 answers DNS for 2 hosts of 10.0.6.0/24: if the LAN is 10.0.4.0/22, "
        "score again with --lans 10.0.4.0/22"
    ]
    caplog.clear()
    score = ["score", str(log), "--lans", "10.0.4.0/22", "--lans", "10.9.0.0/16"]
    assert main([*score, "--out", str(tmp_path)]) == 0
    assert not caplog.records


@pytest.mark.parametrize(
    ("flag", "complaint"),
    [
        (["--lans", "10.0.4.1/22"], "--lans: lans = .*host bits set"),
        (["--nat64", "2001:db8::/80"], "nat64: 2001:db8::/80: a NAT64 prefix has"),
    ],
)
def test_a_network_that_is_none_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: list[str], complaint: str
) -> None:
    for command in (["score", str(wide(tmp_path)), "--out", str(tmp_path)], ["pcap", "x.pcap"]):
        assert main([*command, *flag]) == 1
        assert re.search(complaint, capsys.readouterr().err)


def test_score_names_an_unknown_host_alike_in_the_table_and_in_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it had another address after its last line."""
    rows = [
        {
            "ts": 1e9 + 60.0 * n,
            "uid": f"C{n}",
            "id.orig_h": "192.168.1.5" if n < 60 else "192.168.1.99",
            "id.orig_p": 4000,
            "id.resp_h": f"9.9.{n}.9",
            "id.resp_p": 1000 + n,
            "proto": "tcp",
            "orig_l2_addr": MAC.format(5),
        }
        for n in range(61)
    ]
    log = tmp_path / "conn.log"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["score", str(log), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("192.168.1.5 ") == 1
    assert "1 (192.168.1.5), mostly" in out


def test_each_worker_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def build(*_: Any, secret: bytes, **__: Any) -> None:
        made.append(secret)
        raise ConfigError("enough")

    monkeypatch.setattr("nba_broker.cli.run.build_pipeline", build)
    assert [main(["run"]), main(["run"])] == [1, 1]
    assert len(set(made)) == 2
    assert min(map(len, made)) == 16


def test_a_model_that_was_trained_without_the_overrides_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = tmp_path / "overrides.csv"
    rows.write_text("name,pool\n*.ntp.org,time\n")
    score = ["score", str(ROOT / "models/sample"), "--out", str(tmp_path)]
    for more, number in (([], 0), (["--overrides", str(rows)], 1)):
        assert main([*score, *more]) == 0
        assert caplog.text.count("train it with nba-train fit --overrides") == number
