"""The file of annotations: what a row may say, and how rows are added."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba_broker.records.errors import AnnotationError
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import COLUMNS, Annotation

HEADER = ",".join(COLUMNS[:-1])
"""Without the last column, ``name``, as files of earlier versions are."""


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "annotations.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return path


def test_rows_are_read_in_the_order_of_their_time(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "2026-11-23T10:00:00Z,02:4E:42:41:01:01,confirm,,,,,",
        "1700000000,192.168.1.7,label,Hall_Camera,camera,,bought in May,",
        ",,ignore,,,as:15169,,2027-01-01",
    )
    assert annotation_file.read(path) == (
        Annotation(0.0, "", "ignore", pool="as:15169", expires=1798761600.0),
        Annotation(1.7e9, "192.168.1.7", "label", "Hall_Camera", "camera", reason="bought in May"),
        Annotation(1795428000.0, "02:4e:42:41:01:01", "confirm"),
    )


def test_columns_may_come_in_any_order_and_the_later_ones_be_missing(tmp_path: Path) -> None:
    path = written(tmp_path, "ignore,LAPTOP-7,2026-01-01", header="action,host,at")
    (annotation,) = annotation_file.read(path)
    assert (annotation.action, annotation.hostname, annotation.expires) == (
        "ignore",
        "laptop-7",
        math.inf,
    )


def test_a_host_is_a_mac_an_address_a_network_or_a_hostname() -> None:
    kinds = {
        host: annotation_file.parse({"at": "", "host": host, "action": "ignore"}, "here")
        for host in ("02:4e:42:41:01:01", "FE80::1", "10.0.0.0/8", "bob's-phone")
    }
    assert kinds["02:4e:42:41:01:01"].mac == "02:4e:42:41:01:01"
    assert kinds["FE80::1"].host == "fe80::1"
    assert str(kinds["10.0.0.0/8"].hosts) == "10.0.0.0/8"
    assert kinds["bob's-phone"].hostname == "bob's-phone"


def test_a_mac_may_be_written_as_windows_or_a_switch_does() -> None:
    for host in ("50-C7-BF-EB-EC-C4", "50c7.bfeb.ecc4"):
        annotation = annotation_file.parse({"at": "", "host": host, "action": "ignore"}, "here")
        assert annotation.mac == "50:c7:bf:eb:ec:c4"


def test_a_pool_may_be_written_as_analysts_write_an_autonomous_system() -> None:
    for pool, meant in (
        ("AS15169", "as:15169"),
        ("as:15169/US", "as:15169/us"),
        ("as:0015169", "as:15169"),
        ("cc:DE", "cc:de"),
        ("as:branch", "as:branch"),
        ("gw", "gw"),
        ("Head office", "Head office"),
    ):
        annotation = annotation_file.parse(
            {"at": "", "host": "", "action": "ignore", "pool": pool}, "here"
        )
        assert annotation.pool == meant


def test_a_name_that_differs_from_a_known_one_only_in_its_spelling_is_found() -> None:
    classes = ["tp-link_LightBulb", "Wemo_SmartPlug", "wemo_smartplug"]
    assert annotation_file.misspelt("TP-Link lightbulb", classes) == "tp-link_LightBulb"
    assert annotation_file.misspelt("wemo_smartplug", classes) == ""
    assert annotation_file.misspelt("Hall_Plug", classes) == ""


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2026-01-01,192.168.1,confirm,,,,,", "not a MAC, address, network or hostname"),
        ("2026-01-01,ff:ff:ff:ff:ff:ff,confirm,,,,,", "a MAC of a group, not of a host"),
        ("2026-01-01,00-00-00-00-00-00,confirm,,,,,", "a MAC of a group, not of a host"),
        ("2026-01-01,0.0.0.0/0,ignore,,,,,", "no host or every host"),
        ("2026-01-01,::/0,ignore,,,,,", "no host or every host"),
        ("2026-01-01,224.0.0.251,ignore,,,,,", "no host or every host"),
        ("2026-01-01,,ignore,,,0.0.0.0/0,,", "means every destination"),
        ("2026-01-01,10.0.0.1/8,ignore,,,,,", "not a MAC, address, network or hostname"),
        ("2026-01-01,02:4e:42:41:01,confirm,,,,,", "not a MAC, address, network or hostname"),
        ("yesterday,h,confirm,,,,,", "neither a date nor an epoch"),
        ("nan,h,confirm,,,,,", "neither a date nor an epoch"),
        ("2026-02-01,h,ignore,,,,,2026-01-01", "expires is not after at"),
        ("1e300,h,confirm,,,,,", "at '1e300' is neither a date nor an epoch from 1990 to 2100"),
        ("1969-12-31,h,confirm,,,,,", "not between 1970 and 2100"),
        ("2026-01-01,h,allow,,,,,", "none of label, confirm, ignore"),
        ("2026-01-01,h,label,,,,,", "device is for label"),
        ("2026-01-01,h,confirm,Camera,,,,", "device is for label"),
        ("2026-01-01,,label,Camera,,,,", "host is empty"),
        ("2026-01-01,,ignore,,,,,", "host is empty"),
        ("2026-01-01,h,label,Camera,,as:1,,", "only for ignore"),
        ("2026-01-01,h,confirm,,,,,2027-01-01", "only for ignore"),
        ("2026-01-01,h,ignore,,camera,,,", "category is only for label"),
        (",h,confirm,,,,,", "confirm needs the time"),
        (f"2026-01-01,h,label,{'x' * 300},,,,", "too long"),
        ("2026-01-01,h,confirm", "another number of fields"),
    ],
)
def test_an_invalid_row_is_named_by_file_and_line(row: str, complaint: str, tmp_path: Path) -> None:
    path = written(tmp_path, "2026-01-01,good,confirm,,,,,", row)
    with pytest.raises(AnnotationError, match=complaint) as error:
        annotation_file.read(path)
    assert str(error.value).startswith(f"{path}:3: ")


def test_another_kind_of_file_is_one_clear_error(tmp_path: Path) -> None:
    for content in (b"", b"host,device\n", b"\xff\xfe\x00", b'at,host,action\n"'):
        path = tmp_path / "f"
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match=str(path)):
            annotation_file.read(path)
    with pytest.raises(AnnotationError, match="No such file"):
        annotation_file.read(tmp_path / "none")


def test_an_added_row_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    label = Annotation(1.7e9, "192.168.1.7", "label", "Cam, hall", "camera", reason='he said "yes"')
    ignore = Annotation(1.8e9, "10.0.0.0/8", "ignore", pool="as:15169", expires=1.9e9)
    annotation_file.append(path, label)
    annotation_file.append(path, ignore)
    assert annotation_file.read(path) == (label, ignore)


def test_a_row_is_added_in_the_columns_that_the_file_has(tmp_path: Path) -> None:
    path = written(tmp_path, "ignore,h,2026-01-01", header="action,host,at")
    path.write_text(path.read_text().rstrip())
    confirm = Annotation(1.8e9, "h", "confirm")
    annotation_file.append(path, confirm)
    assert confirm in annotation_file.read(path)
    with pytest.raises(AnnotationError, match="there is no column device; add it"):
        annotation_file.append(path, Annotation(1.8e9, "h", "label", "Camera"))


def test_nothing_is_added_to_a_file_that_a_worker_would_refuse(tmp_path: Path) -> None:
    path = written(tmp_path, "2026-01-01,h,allow,,,,,")
    before = path.read_text()
    with pytest.raises(AnnotationError, match=":2: "):
        annotation_file.append(path, Annotation(1.8e9, "h", "confirm"))
    assert path.read_text() == before


def _add(path: Path, writer: int) -> None:
    for number in range(20):
        annotation_file.append(path, Annotation(1e9 + 1000 * writer + number, "h", "confirm"))


def test_several_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_add, args=(path, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len({annotation.at for annotation in annotation_file.read(path)}) == 80


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_file_is_read_or_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(HEADER.encode() + b"\n" + content)
    with contextlib.suppress(AnnotationError):
        assert all(isinstance(annotation, Annotation) for annotation in annotation_file.read(path))


@pytest.mark.parametrize("device", ["02:4e:42:41:01:08", "024e42410108", "10.0.0.7", "fe80::1"])
def test_a_host_in_place_of_the_device_is_refused(device: str) -> None:
    row = {"at": "", "host": "Hall_Lamp", "action": "label", "device": device}
    with pytest.raises(AnnotationError, match="give the host first"):
        annotation_file.parse(row, "here")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("*.NTP.org", "*.ntp.org"),
        ("fw.ring.com.", "fw.ring.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("=cmd.example", "=cmd.example"),
        ("*." + "x" * 255, "*." + "x" * 255),
    ],
)
def test_a_name_is_kept_as_the_log_has_it(name: str, meant: str) -> None:
    row = {"at": "", "host": "", "action": "ignore", "name": name}
    assert annotation_file.parse(row, "here").name == meant


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"name": "bücher.example"}, "give it as DNS has it"),
        ({"name": "*"}, "not a name"),
        ({"name": "*.*.org"}, "not a name"),
        ({"name": "a*.org"}, "not a name"),
        ({"name": "a b.org"}, "not a name"),
        ({"name": "a..org"}, "not a name"),
        ({"name": "x" * 300}, "too long"),
        ({"name": "http://a.b"}, "is a URL, or has a port or path; give a name alone, such as a.b"),
        ({"name": "10.0.0.1"}, "is an address or network; give it as pool"),
        ({"name": "a.org", "pool": "as:1"}, "pool and name exclude each other"),
        ({"name": "a.org", "action": "confirm", "host": "h"}, "only for ignore"),
    ],
)
def test_what_is_no_pattern_of_names_is_refused(row: dict[str, str], complaint: str) -> None:
    with pytest.raises(AnnotationError, match=complaint):
        annotation_file.parse({"at": "", "host": "", "action": "ignore"} | row, "here")


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        ("at,host,action,devise", "is 'at,host,action,devise': 'devise' is unknown; it"),
        ("host,device", "is 'host,device': at is missing, action is missing; it"),
        ("at,host,action,host", "is 'at,host,action,host': host is there twice; it"),
        (
            "at;host;action",
            "'at;host;action' is unknown, at is missing, host is missing, action is",
        ),
        ("#separator \x1b[31m", r"'#separator \\x1b\[31m' is unknown"),
        ("x" * 10_000, "is 'xxxx.* is missing"),
    ],
)
def test_a_wrong_first_line_is_shown_with_what_it_must_name(
    first: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "annotations.csv"
    path.write_text(f"{first}\n")
    with pytest.raises(AnnotationError, match=complaint) as refused:
        annotation_file.read(path)
    said = str(refused.value)
    assert said.startswith(f"{path}:1: the first line is ")
    assert said.endswith(
        "it must name the columns at,host,action and may name "
        "device,category,pool,reason,expires,name"
    )
    assert len(said) < 700


def test_a_file_without_the_column_name_asks_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, "2026-01-01,good,confirm,,,,,")
    row = annotation_file.parse({"at": "", "host": "", "action": "ignore", "name": "a.org"}, "here")
    with pytest.raises(AnnotationError, match="there is no column name; add it"):
        annotation_file.append(path, row)


@pytest.mark.parametrize(
    "pool",
    ["as:15169", "AS15169", "as:1/de", "cc:de", "gw", "bcast:lan", "mcast:224.0.0.251", "10.0.0.1",
     "10.0.0.0/8", "mcast:other", "fe80::1", "cameras", ""],
)  # fmt: skip
def test_a_pool_that_a_destination_can_be_in_may_be_ignored(pool: str) -> None:
    row = {"at": "", "host": "h", "action": "ignore", "pool": pool}
    annotation_file.check_pool(annotation_file.parse(row, "here"), {"cameras"})


@pytest.mark.parametrize("pool", ["google", "Google LLC", "as:x", "asn:15169", "cc:deu", "GW"])
def test_a_pool_that_no_destination_can_be_in_is_refused_with_what_to_write(pool: str) -> None:
    row = {"at": "", "host": "h", "action": "ignore", "pool": pool}
    with pytest.raises(AnnotationError, match=f"pool '{pool}'; give the pool as the evidence has"):
        annotation_file.check_pool(annotation_file.parse(row, "here"), {"cameras"})
