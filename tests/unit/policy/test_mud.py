"""The MUD file: the leaves that RFC 8520 requires, and the rules as access control lists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.policy.contacts import Contact, contact
from nba_broker.policy.mud import default_url, mud, mud_url
from nba_broker.policy.profile import learn
from nba_broker.records.errors import ConfigError
from nba_broker.records.ports import port_code

NOW = 1_800_000_000.0
MODULES = ("ietf-mud", "ietf-acldns", "ietf-access-control-list")
FEATURES = "ietf-access-control-list:ipv4,ipv6" + "".join(
    f",match-on-{one}" for one in ("ipv4", "ipv6", "tcp", "udp", "icmp")
)

EVERYTHING = [
    contact("as:1", "8.0.0.1", "a.example", port_code(443, "tcp")),
    contact("as:1", "8.0.0.2", "", port_code(50_000, "udp")),
    contact("as:1", "8.0.0.2", "", port_code(3, "icmp")),
    contact("as:1", "2606:4700::1", "a.example", port_code(443, "tcp")),
    contact("as:1", "2606:4700::2", "", port_code(1, "icmp")),
    contact("gw", "192.168.1.1", "", port_code(53, "udp")),
    contact("gw", "192.168.1.1", "", port_code(123, "udp")),
    contact("lan", "192.168.1.9", "", port_code(80, "tcp")),
    contact("bcast", "255.255.255.255", "", port_code(67, "udp")),
    contact("mcast:239.255.255.250", "239.255.255.250", "", port_code(1900, "udp")),
]


def written(contacts: list[Contact], device: str = "Hall_Camera") -> dict[str, Any]:
    uses = {one: {(0, 1): 1, (0, 2): 1} for one in contacts}
    made = mud(learn(uses), device=device, url=default_url(device), now=NOW)
    parsed: dict[str, Any] = json.loads(json.dumps(made))
    return parsed


def entries(made: dict[str, Any], suffix: str) -> list[dict[str, Any]]:
    return [
        ace["matches"]
        for acl in made["ietf-access-control-list:acls"]["acl"]
        if acl["name"].endswith(suffix)
        for ace in acl["aces"]["ace"]
    ]


def test_the_file_says_that_it_is_learned_and_on_what_it_rests() -> None:
    about = written(EVERYTHING)["ietf-mud:mud"]
    assert about["systeminfo"] == "Learned by nba-broker from 2 days of 1 host; incomplete"
    assert len(about["systeminfo"]) <= 60
    assert (about["mud-version"], about["is-supported"]) == (1, False)
    assert about["mud-url"] == "https://mud.invalid/Hall_Camera.json"
    assert about["last-update"] == "2027-01-15T08:00:00Z"
    assert 1 <= about["cache-validity"] <= 168
    assert about["model-name"] == "Hall_Camera"


def test_each_policy_names_lists_that_are_there_and_entries_have_names_of_their_own() -> None:
    made = written(EVERYTHING)
    lists = {one["name"]: one for one in made["ietf-access-control-list:acls"]["acl"]}
    named = [
        one["name"]
        for policy in ("from-device-policy", "to-device-policy")
        for one in made["ietf-mud:mud"][policy]["access-lists"]["access-list"]
    ]
    assert sorted(named) == sorted(lists)
    for acl in lists.values():
        names = [ace["name"] for ace in acl["aces"]["ace"]]
        assert len(set(names)) == len(names)
        assert all(1 <= len(name) <= 64 and re.fullmatch(r"[\w.:-]+", name) for name in names)


def test_a_name_is_allowed_with_its_port_and_answers_come_back() -> None:
    made = written(EVERYTHING[:1])
    assert entries(made, "v4fr") == [
        {
            "ipv4": {"protocol": 6, "ietf-acldns:dst-dnsname": "a.example"},
            "tcp": {
                "destination-port": {"operator": "eq", "port": 443},
                "ietf-mud:direction-initiated": "from-device",
            },
        }
    ]
    assert entries(made, "v4to") == [
        {
            "ipv4": {"protocol": 6, "ietf-acldns:src-dnsname": "a.example"},
            "tcp": {
                "source-port": {"operator": "eq", "port": 443},
                "ietf-mud:direction-initiated": "from-device",
            },
        }
    ]
    assert entries(made, "v6fr") == []


def test_local_servers_are_controllers_and_neighbours_local_networks() -> None:
    found = [one["ietf-mud:mud"] for one in entries(written(EVERYTHING[5:8]), "fr")]
    assert sorted(map(str, found)) == [
        "{'controller': 'urn:ietf:params:mud:dns'}",
        "{'controller': 'urn:ietf:params:mud:ntp'}",
        "{'local-networks': [None]}",
    ]


def test_a_group_does_not_answer_but_local_hosts_do() -> None:
    made = written(EVERYTHING[9:])
    (there,) = entries(made, "fr")
    assert there["ipv4"]["destination-ipv4-network"] == "239.255.255.250/32"
    (back,) = entries(made, "to")
    assert back["ietf-mud:mud"] == {"local-networks": [None]}
    assert back["udp"] == {"source-port": {"operator": "eq", "port": 1900}}


@pytest.mark.parametrize(
    "text", ["http://a.example/x", "https://", "https://a b/", "https://a/\x1b", "ftp://a", ""]
)
def test_a_mud_url_is_one_with_https(text: str) -> None:
    with pytest.raises(ConfigError, match="give an https URL"):
        mud_url(text)


@given(st.text(max_size=300))
def test_every_subject_has_a_valid_default_url(text: str) -> None:
    assert mud_url(default_url(text))


@pytest.fixture
def yang() -> list[str]:
    """yanglint with the published modules, from the folder NBA_YANG."""
    folder, tool = os.environ.get("NBA_YANG"), shutil.which("yanglint")
    if not folder or not tool:
        pytest.skip("no yanglint, or no folder of YANG modules (set NBA_YANG)")
    modules = [str(min(Path(folder).glob(f"{one}@*.yang"))) for one in MODULES]
    return [tool, "-p", folder, "-F", FEATURES, *modules]


def test_the_published_modules_accept_the_file_and_refuse_a_wrong_one(
    yang: list[str], tmp_path: Path
) -> None:
    def accepted(made: dict[str, Any]) -> bool:
        path = tmp_path / "mud.json"
        path.write_text(json.dumps(made))
        return subprocess.run([*yang, str(path)], capture_output=True).returncode == 0

    hostile = ["_x." + "a" * 63 + ".example", ".".join(["a" * 49] * 5) + ".abc", "UP.example."]
    hostile += ["esc\x1b.example", "b\u00fc.example", "x" * 255]
    contacts = [contact("as:1", "8.8.0.1", one, port_code(443, "tcp")) for one in hostile]
    made = written([*EVERYTHING, *contacts], "Caméra 1")
    assert accepted(made)
    made["ietf-mud:mud"]["cache-validity"] = 169
    assert not accepted(made)
    made["ietf-mud:mud"]["cache-validity"] = 168
    entry = made["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"][0]
    entry["matches"]["ipv4"]["ietf-acldns:dst-dnsname"] = "esc\x1b.example"
    assert not accepted(made)
