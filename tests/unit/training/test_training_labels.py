"""Labels say which host is which device; what cannot be used is named by file and line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.times import parse_time
from nba_broker.verdicts.annotation_file import Annotation
from training.data import labels
from training.data import labels as module
from training.data.labels import Label, LabelsError


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str | bytes, name: str = "labels.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_row_needs_no_more_than_host_device_and_category(file) -> None:
    path = file("host,device,category\n02-00-00-00-00-0A,Lamp,bulb\n2001:DB8::1,Lens,camera\n")
    assert labels.read([path]) == [
        Label("02:00:00:00:00:0a", "Lamp", "bulb"),
        Label("2001:db8::1", "Lens", "camera"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_labels_are_read_as_spreadsheets_write_them(file, separator: str, encoding: str) -> None:
    text = "Host,Device,Category\r\n10.0.0.1,Lämpchen,bulb\r\n".replace(",", separator)
    [label] = labels.read([file(text.encode(encoding))])
    assert label == Label("10.0.0.1", "Lämpchen", "bulb")


@pytest.mark.parametrize("header", ["host,device", "host,device,category"])
def test_a_device_without_a_category_is_of_the_category_unknown(file, header: str) -> None:
    more = "," * (header.count(",") - 1)
    [label] = labels.read([file(f"{header}\n10.0.0.1,Lamp{more}\n")])
    assert label == Label("10.0.0.1", "Lamp", "unknown")
    rows, _ = module.annotated([], [Annotation(3.0, MAC, "label", "Lens")])
    assert rows == [Label(MAC, "Lens", "unknown")]


def test_a_row_without_a_category_has_that_of_its_device(file) -> None:
    first = file("host,device,category\n10.0.0.1,Lamp,\n", "a.csv")
    second = file("host,device,category\n10.0.0.2,Lamp,bulb\n10.0.0.3,Lens,\n", "b.csv")
    assert [one.category for one in labels.read([first, second])] == ["bulb", "bulb", "unknown"]


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("024E42410108", "02:4e:42:41:01:08"),
        ("024e.4241.0108", "02:4e:42:41:01:08"),
        ("FE80:0:0:0:0:0:0:1", "fe80::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_host_may_have_any_usual_notation(file, text: str, host: str) -> None:
    assert labels.read([file(f"host,device\n{text},Lamp\n")])[0].host == host


def test_columns_may_stand_in_any_order_with_others_between_them(file) -> None:
    path = file(
        "\ufeffunit,log,until,remark,since,category,device,host\n"
        "kitchen,a.log.gz,2019-07-01,new,1561000000.5,bulb,Lamp,10.0.0.1\n"
    )
    assert labels.read([path]) == [
        Label("10.0.0.1", "Lamp", "bulb", 1561000000.5, 1561939200.0, "a.log.gz", "kitchen")
    ]


def test_several_files_are_read_as_one(file) -> None:
    first = file("host,device,category\n10.0.0.1,Lamp,bulb\n", "a.csv")
    second = file("category,host,device\ncamera,10.0.0.2,Lens\n", "b.csv")
    assert [label.device for label in labels.read([first, second])] == ["Lamp", "Lens"]


def test_a_host_may_be_two_devices_at_different_times_or_in_different_logs(file) -> None:
    path = file(
        "host,device,category,until,since,log\n"
        "10.0.0.1,Lamp,bulb,2019-07-01,,\n10.0.0.1,Lens,camera,,2019-07-01,\n"
        "10.0.0.2,Lamp,bulb,,,a.log\n10.0.0.2,Lens,camera,,,b.log\n"
    )
    assert len(labels.read([path])) == 4


HEADER = "host,device,category,since,until,log\n"
ROW = "10.0.0.1,Lamp,bulb,,,\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "no column host, device;"),
        ("host,category\n10.0.0.1,bulb\n", 1, "no column device"),
        ("host,device,untill\n10.0.0.1,Lamp,\n", 1, "unknown column 'untill'; is it 'until'?"),
        ("host,device,catgory\n10.0.0.1,Lamp,bulb\n", 1, "is it 'category'?"),
        (HEADER, 1, "no labels"),
        (HEADER + ROW + "10.0.0.2,Lamp\n", 3, "fields"),
        (HEADER + ROW + "10.0.0.2,Lamp,bulb,,,,,\n", 3, "fields"),
        (HEADER + "10.0.0.300,Lamp,bulb,,,\n", 2, "neither a MAC nor an IP"),
        (HEADER + "10.0.0.1,,bulb,,,\n", 2, "device"),
        (HEADER + f"10.0.0.1,{'x' * 300},bulb,,,\n", 2, "device"),
        (HEADER + f"10.0.0.1,Lamp,{'x' * 300},,,\n", 2, "category"),
        (HEADER + "192.168.001.010,Lamp,bulb,,,\n", 2, "neither a MAC nor an IP"),
        (HEADER + "10.0.0.1,Lamp,bulb,yesterday,,\n", 2, "since 'yesterday'"),
        (HEADER + "10.0.0.1,Lamp,bulb,,nan,\n", 2, "until 'nan'"),
        (HEADER + "10.0.0.1,Lamp,bulb,2019-07-02,20190701,\n", 2, "since is not before until"),
        (HEADER + ROW + "10.0.0.1,Lamp,bulb,,,a.log\n", 3, "again, after"),
        (HEADER + ROW + "10.0.0.1,Lens,camera,1e9,,\n", 3, "as another device, after"),
        (HEADER + ROW + "10.0.0.2,Lamp,lamp,,,\n", 3, "category 'lamp', but 'bulb' at"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(file, text: str, line: int, says: str) -> None:
    path = file(text)
    with pytest.raises(LabelsError) as error:
        labels.read([path])
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert says in str(error.value)


def test_a_contradiction_between_two_files_names_both(file) -> None:
    first, second = file(HEADER + ROW, "a.csv"), file(HEADER + ROW, "b.csv")
    with pytest.raises(LabelsError, match=r"b\.csv:2: .* after .*a\.csv:2"):
        labels.read([first, second])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'host,device,category\n"10.0.0.1,Lamp'])
def test_what_is_no_csv_file_is_one_clear_error(file, content: bytes) -> None:
    with pytest.raises(LabelsError, match="not a CSV file in UTF-8"):
        labels.read([file(content)])


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"gone\.csv: No such file"):
        labels.read([tmp_path / "gone.csv"])


@given(st.binary(max_size=200))
def test_no_content_raises_anything_but_a_labels_error(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"host,device,category\n" + content)
    with contextlib.suppress(LabelsError):
        labels.read([path])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T01:00", 3600.0),
        ("1970-01-01T01:00+01:00", 0.0),
        ("20260106", 1767657600.0),
        (" 20260106T101500Z ", 1767694500.0),
        ("2026-01-06 11:15+01:00", 1767694500.0),
        ("2026-W02-2", 1767657600.0),
        ("1767657600", 1767657600.0),
        ("1767657600.25", 1767657600.25),
        ("4e9", 4e9),
        ("2026010610.0", 2026010610.0),
    ],
)
def test_a_time_is_a_date_in_utc_or_an_epoch(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (text, "neither a date nor an epoch")
            for text in ("", "soon", "inf", "nan", "2019-13-01")
        ),
        *((text, "neither a date nor an epoch") for text in ("20261301", "2026", "202601", "-1")),
        *((text, "neither a date nor an epoch") for text in ("12.5", "20260106.0", "9e9")),
        *((text, "neither a date nor an epoch") for text in ("20260106101500", "2026_01_06")),
        ("2026010610", "may be an hour or an epoch: write 2026-01-06T10 or 2026010610.0"),
        ("1767657600000", "is an epoch in milliseconds"),
        ("1767657600000000", "is an epoch in microseconds"),
        ("1767657600000000000", "is an epoch in nanoseconds"),
    ],
)
def test_anything_else_is_no_time(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as raised:
        parse_time(text)
    assert repr(text) in str(raised.value)


@given(st.text(max_size=30) | st.from_regex(r"[0-9TZ:+-]{0,24}", fullmatch=True))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_time(text)


MAC = "02:00:00:00:00:07"


def test_an_annotation_applies_to_all_sessions_of_a_host_without_a_label() -> None:
    rows, unused = module.annotated([], [Annotation(100.0, MAC, "label", "Lamp", "bulb")])
    assert (rows, unused) == ([Label(MAC, "Lamp", "bulb")], [])


def test_an_annotation_has_precedence_over_a_label_from_its_time_on() -> None:
    rows, _ = module.annotated(
        [Label(MAC, "Lens", "camera"), Label("192.168.1.7", "Lens", "camera")],
        [
            Annotation(200.0, MAC, "label", "Lens"),
            Annotation(100.0, MAC, "label", "Lamp", "bulb"),
            Annotation(150.0, MAC, "confirm"),
        ],
    )
    assert rows == [
        Label("192.168.1.7", "Lens", "camera"),
        Label(MAC, "Lens", "camera", until=100.0),
        Label(MAC, "Lamp", "bulb", since=100.0, until=200.0),
        Label(MAC, "Lens", "camera", since=200.0),
    ]


def test_an_annotation_with_the_name_of_the_label_changes_nothing() -> None:
    rows = [Label(MAC, "Lamp", "bulb")]
    assert module.annotated(rows, [Annotation(100.0, MAC, "label", "Lamp")]) == (rows, [])


def test_annotations_without_a_single_host_are_returned() -> None:
    vain = [
        Annotation(1.0, "10.0.0.0/8", "label", "Lamp", "bulb"),
        Annotation(2.0, "hall-lamp", "label", "Lamp", "bulb"),
    ]
    assert module.annotated([], vain) == ([], vain)
