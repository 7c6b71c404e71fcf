"""Overrides of names: which pool a session has by the name of its destination."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nba_broker.destinations import overrides
from nba_broker.destinations.lookup import Destinations, Lookup
from nba_broker.destinations.named_pools import NamedPools
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.overrides import Override
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ConfigError
from nba_broker.records.names import NO_ANSWERS, Answers
from nba_broker.records.slots import Slots
from tests.unit.helpers import names, pools, sessions

HOST, NEIGHBOUR = "192.168.1.20", "192.168.1.21"
TIME: list[Override] = [("*.ntp.org", "time")]

Asked = tuple[str, str, str]
"""Host, name and address."""


class Site:
    """Two hosts, in the slots 0 and 1, and what they asked for."""

    def __init__(self, rows: Sequence[Override] = TIME, **settings: object) -> None:
        self.pools: Pools = pools(overrides=rows, **settings)
        slots = Slots()
        self.names = NameTable(slots)
        slots.reserve(2)
        self.lookup = Lookup(self.pools, self.names)

    def destinations(
        self, dst: Sequence[str], asked: Sequence[Asked] = (), host: str = HOST
    ) -> Destinations:
        """Where the sessions of a host go that come after these answers."""
        answers = NO_ANSWERS
        if asked:
            slot = np.array([[HOST, NEIGHBOUR].index(one) for one, *_ in asked], np.int64)
            heard = names([(1.0, *one) for one in asked])
            answers = Answers(heard, slot, np.zeros(len(asked), np.int64))
        slot = np.full(len(dst), [HOST, NEIGHBOUR].index(host), np.int64)
        return self.lookup(sessions([(2.0, host, "", one) for one in dst]), slot, answers)

    def pool(self, dst: str, *asked: Asked, host: str = HOST) -> str:
        return self.pools.table[self.destinations([dst], asked, host).pool[0]]


def test_a_session_has_the_pool_of_the_name_that_its_host_asked_for() -> None:
    site = Site()
    assert site.pool("1.0.0.1", (HOST, "0.pool.ntp.org", "1.0.0.1")) == "time"
    assert site.pool("1.0.0.2") == "as:1"
    to = site.destinations(["1.0.0.1"])
    assert site.pools.table[to.address_pool[0]] == "as:1"


def test_a_session_before_the_question_has_the_pool_of_its_address() -> None:
    site = Site()
    assert site.pool("1.0.0.1") == "as:1"
    assert site.pool("1.0.0.1", (HOST, "pool.ntp.org", "1.0.0.1")) == "time"


def test_the_name_that_the_site_asked_for_counts_where_the_host_itself_has_none() -> None:
    site = Site()
    assert site.pool("1.0.0.1", (NEIGHBOUR, "pool.ntp.org", "1.0.0.1")) == "time"
    own = (HOST, "maker.example", "1.0.0.1")
    assert site.pool("1.0.0.1", own) == "as:1"
    assert site.pool("1.0.0.1", host=NEIGHBOUR) == "time"


def test_another_name_of_the_address_ends_the_override() -> None:
    site = Site()
    assert site.pool("1.0.0.1", (HOST, "pool.ntp.org", "1.0.0.1")) == "time"
    assert site.pool("1.0.0.1", (HOST, "maker.example", "1.0.0.1")) == "as:1"


def test_the_most_specific_pattern_wins_whatever_the_order() -> None:
    rows: list[Override] = [
        ("*.com", "commerce"),
        ("fw.ring.com", "firmware"),
        ("*.es.ring.com", "video"),
        ("*.ring.com", "doorbells"),
    ]
    for order in (rows, rows[::-1]):
        site = Site(order)
        for number, (name, pool) in enumerate(
            {
                "fw.ring.com": "firmware",
                "x.fw.ring.com": "doorbells",
                "a.b.es.ring.com": "video",
                "es.ring.com": "doorbells",
                "ring.com": "commerce",
                "xring.com": "commerce",
                "com": "as:1",
            }.items()
        ):
            dst = f"1.0.1.{number}"
            assert site.pool(dst, (HOST, name, dst)) == pool, name


def test_a_name_precedes_every_network() -> None:
    exact: list[Override] = [(ipaddress.ip_network("1.0.0.1/32"), "updates"), *TIME]
    site = Site(exact)
    assert site.pool("1.0.0.1") == "updates"
    assert site.pool("1.0.0.1", (HOST, "pool.ntp.org", "1.0.0.1")) == "time"
    assert site.pool("1.0.0.1", (HOST, "maker.example", "1.0.0.1")) == "updates"


def test_a_private_address_has_the_pool_of_a_name_for_who_asked() -> None:
    site = Site([("nas.lan", "storage")])
    asked = (HOST, "nas.lan", "192.168.1.1")
    assert site.pool("192.168.1.1", asked) == "storage"
    assert site.pool("192.168.1.1", host=NEIGHBOUR) == "gw"


def test_a_host_that_reaches_ipv4_by_nat64_has_the_pool_of_the_name() -> None:
    site = Site()
    translated = "64:ff9b::100:1"  # 1.0.0.1
    assert site.pool(translated) == "as:1"
    assert site.pool(translated, (HOST, "pool.ntp.org", translated)) == "time"


def test_new_overrides_hold_for_the_next_sessions_and_keep_the_indices() -> None:
    site = Site()
    asked = (HOST, "pool.ntp.org", "1.0.0.1")
    assert site.pool("1.0.0.1", asked) == "time"
    before = list(site.pools.table)
    site.pools.override([("*.ntp.org", "clocks"), (ipaddress.ip_network("2.0.0.0/8"), "lens")])
    assert [site.pool("1.0.0.1"), site.pool("2.0.0.1")] == ["clocks", "lens"]
    assert site.pools.table[: len(before)] == before
    site.pools.override([])
    assert [site.pool("1.0.0.1"), site.pool("2.0.0.1")] == ["as:1", "as:2"]


def test_without_rows_of_names_or_without_names_nothing_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pools, "of_name", None)
    asked = (HOST, "pool.ntp.org", "1.0.0.1")
    by_network = Site([(ipaddress.ip_network("2.0.0.0/8"), "lens")])
    to = by_network.destinations(["1.0.0.1", "2.0.0.1"], [asked])
    assert to.pool is to.address_pool
    to = Site().destinations(["1.0.0.1"])
    assert to.pool is to.address_pool


def test_a_name_is_looked_up_once_however_many_sessions_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    of_name = Pools.of_name
    monkeypatch.setattr(
        Pools, "of_name", lambda self, name: asked.append(name) or of_name(self, name)
    )
    site = Site()
    site.destinations(["1.0.0.1"] * 50, [(HOST, "pool.ntp.org", "1.0.0.1")])
    site.destinations(["1.0.0.1", "1.0.0.2"] * 50, [(HOST, "maker.example", "1.0.0.2")])
    assert sorted(name for name in asked if name) == ["maker.example", "pool.ntp.org"]


def test_hostile_names_match_by_labels_only_and_grow_no_table() -> None:
    site = Site([("*.ntp.org", "time"), ("*.example", "a")])
    hostile = ["=cmd.ntp.org", "<b>.ntp.org", "*.ntp.org", "..ntp.org", ".ntp.org", "x" * 248,
               ".".join("a" * 124), "ntp.org.", "*", "*."]  # fmt: skip
    expected = ["time"] * 4 + ["as:1"] * 6
    dst = [f"1.0.2.{number}" for number in range(len(hostile))]
    asked = [(HOST, name, one) for name, one in zip(hostile, dst, strict=True)]
    to = site.destinations(dst, asked)
    assert [site.pools.table[one] for one in to.pool] == expected
    random = [f"{number:x}.dga.example" for number in range(500)]
    dst = [f"1.1.{number // 250}.{number % 250}" for number in range(500)]
    site.destinations(dst, [(HOST, *one) for one in zip(random, dst, strict=True)])
    assert sorted(site.pools.table) == ["a", "as:1", "time"]


def test_named_pools_keep_the_numbers_of_a_name_whose_row_is_used_again() -> None:
    texts = {1: "pool.ntp.org", 1 | 1 << 18: "maker.example"}
    given = NamedPools(pools(overrides=TIME))
    pool = np.zeros(3, np.int32)
    found = given(pool, np.array([1, 1 | 1 << 18, 1], np.int32), texts.__getitem__)
    assert found.tolist() == [0, 0, 0]  # "time" is the first pool of the table
    again = given(pool + 7, np.array([1, 1 | 1 << 18, 1], np.int32), texts.__getitem__)
    assert again.tolist() == [0, 7, 0]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("name,pool\n*.NTP.org.,time\n", [("*.ntp.org", "time")]),
        ("pool,name\ntime,pool.ntp.org\n", [("pool.ntp.org", "time")]),
        (
            "\ufeffcidr,name,pool\n10.0.0.0/8,,cameras\n,*.ntp.org,time\n,*.ntp.org,time\n",
            [(ipaddress.ip_network("10.0.0.0/8"), "cameras"), *TIME, *TIME],
        ),
    ],
)
def test_a_row_gives_a_network_or_a_name_a_pool(
    tmp_path: Path, content: str, rows: list[Override]
) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text(content)
    assert overrides.read(path) == rows


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("10.0.0.0/8,*.ntp.org,time", "either a cidr or a name"),
        (",,time", "either a cidr or a name"),
        (",*.ntp.org,", "no pool name for .*ntp.org"),
        (",10.0.0.1,time", "is an address or network; give it as cidr"),
        (",10.0.0.0/8,time", "is an address or network; give it as cidr"),
        (",fe80::1,time", "is an address or network; give it as cidr"),
        (",http://ntp.org/,time", "is a URL.* give a name alone, such as ntp.org"),
        (",ntp.org:123,time", "has a port or path; give a name alone, such as ntp.org"),
        (",a.*.org,time", "is not a name"),
        (",*,time", "is not a name"),
        (",bücher.example,time", "xn--"),
        ("*.ntp.org,,time", "does not appear to be an IPv4 or IPv6 network"),
        (",a.org,x\n,a.org,y", "overrides.csv:3: a.org has the pool x already"),
    ],
)
def test_a_bad_row_of_a_name_is_refused_with_its_line_and_the_remedy(
    tmp_path: Path, row: str, complaint: str
) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text(f"cidr,name,pool\n{row}\n")
    with pytest.raises(ConfigError, match=rf"overrides\.csv:\d: .*{complaint}|{complaint}"):
        overrides.read(path)
