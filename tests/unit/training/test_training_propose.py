"""Labels proposed from an archive: one name for hosts that behave alike, and why, for a person."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from nba_broker.records.errors import ArchiveError
from nba_broker.records.hints import NO_HINT, Hint, Reason
from nba_broker.records.sessions import Sessions
from tests.unit.helpers import pools
from training.cli.main import main
from training.data import hint_check, hosts, labels, propose
from training.data.agreement import agreement
from training.data.labels import Label

ACME, OTHER = "00:00:0c:00:00:{:02x}", "00:00:aa:00:00:{:02x}"  # Cisco's and Xerox's
LOCAL = "02:00:00:00:00:{:02x}"  # no maker's
CONN = "ts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\tproto\torig_l2_addr"
DNS = "ts\tuid\tquery\tqtype\tanswers\tAA\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
ALL = "\t5353\t224.0.0.251\t5353"  # to whom hosts announce
DHCP = "ts\tmac\thost_name\tassigned_addr"


def log(folder: Path, name: str, columns: str, rows: list[str]) -> None:
    kinds = {"ts": "time", "id.resp_p": "port", "qtype": "count", "answers": "vector[string]"}
    types = "\t".join(kinds.get(column, "string") for column in columns.split("\t"))
    head = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-"]
    head += [f"#path\t{name}", f"#fields\t{columns}", f"#types\t{types}"]
    (folder / f"{name}.log").write_text("\n".join([*head, *rows]) + "\n")


def conn(number: int, mac: str, dst: str, port: int, *, count: int = 80, proto: str = "tcp"):
    return [
        f"{1000 + 60 * n + number}\tC{number}x{n}\t10.0.0.{number}\t{dst}\t{port}\t{proto}\t{mac}"
        for n in range(count)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two units of one maker's cameras, a printer of another maker, and a passer-by."""
    rows = conn(1, ACME.format(1), "1.0.0.7", 443) + conn(2, ACME.format(2), "1.0.0.8", 443)
    rows += conn(3, OTHER.format(3), "224.0.0.251", 5353, proto="udp")
    rows += conn(4, ACME.format(4), "2.0.0.7", 123, count=5, proto="udp")
    rows += ["999\tC1m\t10.0.0.1\t224.0.0.251\t5353\tudp\t" + ACME.format(1)]
    log(tmp_path, "conn", CONN, rows)
    log(tmp_path, "dhcp", DHCP, [f"500\t{ACME.format(2)}\tcam-00000c000002\t10.0.0.2"])
    answers = "printer.local,TXT 16 ty=Laser Jet 9\\x2c0 TXT 6 pv=1.1"
    log(
        tmp_path,
        "dns",
        DNS,
        [
            f"1063\tC3x1\tx._ipp._tcp.local\t33\t{answers}\tT\t10.0.0.3{ALL}",
            f"1001\tC1m\tprinter.local\t1\t-\tF\t10.0.0.1{ALL}",
            f"1002\tC1m\thall-cam.local\t255\t-\tF\t10.0.0.1{ALL}",
            f"1003\tCother\tlost.local\t255\t-\tF\t10.0.0.9{ALL}",
        ],
    )
    return tmp_path


def proposed(folder: Path) -> list[str]:
    """Write the proposed labels of an archive; the lines to print."""
    text, lines = propose.labels_file(hosts.find([folder], pools()))
    (folder / "labels.csv").write_text(text)
    return lines


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_hosts_of_similar_behaviour_share_a_name(site: Path, capsys) -> None:
    assert main(["labels", str(site), "--out", str(site / "labels.csv")]) == 0
    rows = rows_of(site / "labels.csv")
    by_host = {row["host"]: row for row in rows}
    one, two = by_host[ACME.format(1)], by_host[ACME.format(2)]
    assert one["device"] == two["device"] == "cam"
    assert one["group"] == two["group"] != by_host[OTHER.format(3)]["group"]
    assert "3 hosts in 2 groups" in capsys.readouterr().out


def test_what_is_proposed_is_read_as_labels(site: Path) -> None:
    proposed(site)
    assert {(one.host, one.device) for one in labels.read([site / "labels.csv"])} == {
        (ACME.format(1), "cam"),
        (ACME.format(2), "cam"),
        (OTHER.format(3), "Laser_Jet_9_0"),
    }


def test_a_host_with_too_few_sessions_is_left_out_with_a_line(site: Path) -> None:
    said = proposed(site)
    assert ACME.format(4) not in (site / "labels.csv").read_text()
    assert any("left out: 1 host" in line for line in said)


def test_the_evidence_is_the_maker_the_names_and_the_destinations(site: Path) -> None:
    proposed(site)
    evidence = {row["host"]: row["evidence"] for row in rows_of(site / "labels.csv")}
    assert evidence[ACME.format(2)] == (
        "vendor Cisco Systems, Inc; hostname cam-00000c000002; 10.0.0.2 80 sessions 1970-01-01 to "
        "1970-01-01; group mostly as:1 (Organisation 1) 443/tcp 100 %"
    )
    assert "mDNS ty=Laser Jet 9,0, printer" in evidence[OTHER.format(3)]


def test_a_name_that_a_host_only_asks_for_is_not_its_own(site: Path) -> None:
    found = {host.host: host for host in hosts.find([site], pools()).hosts}
    assert found[ACME.format(1)].names == ("hall-cam",)


def test_since_and_until_that_leave_no_session_are_named_in_the_error(site: Path) -> None:
    with pytest.raises(ArchiveError, match="--since and --until leave none of the "):
        hosts.find([site], pools(), since=1e9)


def test_an_archive_with_too_few_sessions_is_an_error(tmp_path: Path) -> None:
    log(tmp_path, "conn", CONN, conn(1, ACME.format(1), "1.0.0.7", 443, count=9))
    with pytest.raises(ArchiveError, match="60 sessions"):
        proposed(tmp_path)


def host(
    hostname: str = "", *, vendor: str = "", models=(), names=(), hint: Hint = NO_HINT
) -> hosts.Host:
    announced = tuple(names), tuple(models)
    return hosts.Host(
        "f4:b8:5e:ff:2b:1b", "10.0.0.1", vendor, hostname, 80, 0.0, 1.0, *announced, hint
    )


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ([host("cam-a"), host("cam-b"), host("cam-b")], "cam_b"),
        ([host("localhost", vendor="Acme, Inc.")], "Acme_Inc"),
        ([host("ESP_FF2B1B", vendor="Espressif")], "ESP"),
        ([host("f4b85eff2b1b", names=["hue"])], "hue"),
        ([host("hall", models=["vendor=Acme", "md=Mini"])], "Mini"),
        ([host(vendor="Acme", hint=Hint("TP-Link", "plug"))], "TP_Link_plug"),
        ([host(vendor="Acme", hint=Hint("TP-Link"))], "Acme"),
        ([host("=cmd|x"), host()], "cmd_x"),
        ([host()], "Device"),
    ],
)
def test_the_best_evidence_of_a_group_names_it(group: list[hosts.Host], name: str) -> None:
    assert propose.proposed_name(group) == name


@pytest.mark.parametrize(
    ("group", "category"),
    [
        ([host(hint=Hint(kind="camera")), host()], "camera"),
        ([host(hint=Hint(kind="phone"))], "non-iot"),
        ([host(hint=Hint(kind="camera")), host(hint=Hint(kind="plug"))], "unknown"),
        ([host()], "unknown"),
    ],
)
def test_the_category_is_what_the_hints_say(group: list[hosts.Host], category: str) -> None:
    assert propose.proposed_category(group) == category


def test_hints_rest_on_leases_names_and_announcements(tmp_path: Path) -> None:
    rows = conn(1, LOCAL.format(1), "1.0.0.7", 443) + conn(2, LOCAL.format(2), "1.0.0.8", 443)
    rows += ["999\tCmdns\t10.0.0.1\t224.0.0.251\t5353\tudp\t" + LOCAL.format(1)]
    rows += ["998\tCasks\t10.0.0.1\t224.0.0.251\t5353\tudp\t" + LOCAL.format(1)]
    rows += ["997\tCdns\t10.0.0.2\t10.0.0.254\t53\tudp\t" + LOCAL.format(2)]
    log(tmp_path, "conn", CONN, rows)
    log(tmp_path, "dhcp", DHCP, [f"500\t{LOCAL.format(1)}\tHS110\t10.0.0.1"])
    log(
        tmp_path,
        "dns",
        DNS,
        [
            f"999\tCmdns\tPlug._hap._tcp.local\t-\tTXT 4 ci=7\tT\t10.0.0.1{ALL}",
            # A query lists the answers of another host that it knows.
            f"998\tCasks\t_hue._tcp.local\t12\tHue._hue._tcp.local\tF\t10.0.0.1{ALL}",
            "998\tCdns\tfw.ring.com\t1\t1.0.0.8\tF\t10.0.0.2\t5000\t10.0.0.254\t53",
        ],
    )
    found = {one.address: one for one in hosts.find([tmp_path], pools()).hosts}
    assert found["10.0.0.1"].hint.texts == ("plug? TP-Link", "hostname HS110", "mDNS ci=7")
    assert found["10.0.0.2"].hint.texts == ("Ring", "*.ring.com 100 %")
    assert "hint plug? TP-Link: hostname HS110" in propose.evidence(found["10.0.0.1"], "lan")


def test_hints_are_counted_as_right_wrong_or_not_given() -> None:
    hints = (
        Hint("Ring", "doorbell", reasons=(Reason("hostname", "ring"),)),
        Hint("TP-Link", "plug", reasons=(Reason("hostname", "HS110"),)),
        Hint("TP-Link", "plug"),
        NO_HINT,
        Hint("TP-Link"),
    )
    every = tuple(
        replace(host(hint=one), host=f"10.0.0.{number}", address=f"10.0.0.{number}")
        for number, one in enumerate(hints)
    )
    found = hosts.Found(every, np.zeros(len(every), np.int64), ("",), ())
    truth = [
        Label("10.0.0.0", "Bell", "camera"),
        Label("10.0.0.1", "Bulb", "bulb"),
        Label("10.0.0.2", "Siren", "siren"),  # no kind of the table
        Label("10.0.0.3", "Cam", "camera"),
    ]
    products = {
        "Bell": hint_check.Product("Amazon"),
        "Bulb": hint_check.Product("TP-Link"),
    }
    assert hint_check.check(found, truth, products) == [
        "hints for 4 labelled hosts: maker given 3, right 2, wrong 0, 1 unchecked; "
        "kind given 3, right 1, wrong 1, 1 unchecked",
        "wrong hint for 10.0.0.1 Bulb: plug? TP-Link: hostname HS110",
    ]


def test_products_without_a_column_or_without_truth_are_an_error(site: Path, capsys) -> None:
    (site / "products.csv").write_text("device,maker\nCam,Acme\n")
    command = ["labels", str(site), "--out", str(site / "l.csv")]
    command += ["--products", str(site / "products.csv")]
    assert main(command) == 1
    assert "--products needs --truth" in capsys.readouterr().err
    (site / "known.csv").write_text(f"host,device\n{ACME.format(1)},Cam\n")
    assert main([*command, "--truth", str(site / "known.csv")]) == 1
    assert "no column kind" in capsys.readouterr().err


def test_groups_with_the_same_evidence_get_numbers(tmp_path: Path) -> None:
    rows = conn(1, ACME.format(1), "1.0.0.7", 443) + conn(2, ACME.format(2), "2.0.0.7", 80)
    log(tmp_path, "conn", CONN, rows)
    proposed(tmp_path)
    assert sorted(row["device"] for row in rows_of(tmp_path / "labels.csv")) == [
        "Cisco_Systems_Inc_1",
        "Cisco_Systems_Inc_2",
    ]


def test_groups_are_measured_against_known_labels(site: Path) -> None:
    found = hosts.find([site], pools())
    truth = [
        Label(ACME.format(1), "Cam", "camera"),
        Label(ACME.format(2), "Lock", "lock"),
        Label("10.0.0.3", "Printer", "printer"),
    ]
    assert agreement(found, truth) == [
        "3 hosts of 3 devices in 2 groups: 1 devices are exactly one group, purity 0.67, "
        "B-cubed precision 0.67 recall 1.00",
        "in one group: Cam (1), Lock (1)",
    ]


def test_on_real_traffic_units_of_one_model_are_one_group_and_others_apart(data: Path) -> None:
    found = hosts.find([data / "fit"], pools_of_the_package())
    truth = labels.read([data / "fit" / "labels.csv"])
    assert agreement(found, truth)[0].startswith(
        "7 hosts of 5 devices in 5 groups: 5 devices are exactly one group, purity 1.00"
    )


def pools_of_the_package():
    from nba_broker.cli.config import shipped
    from nba_broker.destinations.databases import Database
    from nba_broker.destinations.pools import Pools

    return Pools([Database(shipped("asn.mmdb.xz"))])


def test_a_lan_that_may_be_wider_causes_a_warning_until_it_is_given(tmp_path: Path, capsys) -> None:
    rows = conn(1, ACME.format(1), "10.0.2.1", 53, proto="udp")
    rows += conn(2, ACME.format(2), "10.0.2.1", 53, proto="udp")
    log(tmp_path, "conn", CONN, rows)
    command = ["labels", str(tmp_path), "--out"]
    assert main([*command, str(tmp_path / "a.csv")]) == 0
    assert "run again with --lans 10.0.0.0/22" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "b.csv"), "--lans", "10.0.0.0/22"]) == 0
    assert capsys.readouterr().err == ""
    assert "group mostly lan 53/udp" in rows_of(tmp_path / "b.csv")[0]["evidence"]


def test_a_destination_behind_the_network_s_own_nat64_is_whose_it_is(tmp_path: Path) -> None:
    rows = conn(1, ACME.format(1), "2001:db8:64::808:808", 443)
    log(tmp_path, "conn", CONN, rows)
    command = ["labels", str(tmp_path), "--nat64", "2001:db8:64::/96", "--out"]
    assert main([*command, str(tmp_path / "labels.csv")]) == 0
    assert "as:15169 (Google LLC) 443/tcp" in rows_of(tmp_path / "labels.csv")[0]["evidence"]
    assert main([*command[:3], "2001:db8::/80", *command[4:], str(tmp_path / "no.csv")]) == 1


def test_hosts_that_labels_cannot_distinguish_are_left_out_with_a_warning(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = conn_log.Archive.sessions

    def sessions(self: conn_log.Archive, rows: np.ndarray) -> Sessions:
        batch = plain(self, rows)
        vlan = [
            10 + int(ts) // 60 % 2 * (host == "10.0.0.1")
            for ts, host in zip(batch.ts, batch.host, strict=True)
        ]
        return replace(batch, mac=[""] * len(batch), segment=[f"/{one}" for one in vlan])

    monkeypatch.setattr(conn_log.Archive, "sessions", sessions)
    found = hosts.find([site], pools())
    assert len({host.host for host in found.hosts}) == len(found.hosts)
    assert "10.0.0.1" not in {host.host for host in found.hosts}
    assert any("2 hosts with the address 10.0.0.1" in warning for warning in found.warnings)
