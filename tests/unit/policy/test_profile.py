"""Which rules are learned from uses, and what they allow later."""

from __future__ import annotations

from nba_broker.policy.check import check
from nba_broker.policy.contacts import Contact, contact
from nba_broker.policy.observe import Uses
from nba_broker.policy.profile import learn
from nba_broker.records.ports import port_code


def to(dst: str, name: str = "", port: int = 443, protocol: str = "tcp") -> Contact:
    return contact("as:1", dst, name, port_code(port, protocol))


def on(contacts: dict[Contact, list[tuple[int, int]]]) -> Uses:
    """Uses by (host, day), one session each."""
    return {one: dict.fromkeys(keys, 1) for one, keys in contacts.items()}


def told(uses: Uses, repeats: int = 2, *, networks: bool = True) -> list[str]:
    profile = learn(uses, repeats, networks=networks)
    return sorted(f"{rule.place.text} {rule.service.text}" for rule in profile.rules)


def test_what_repeats_on_another_day_or_another_host_becomes_a_rule() -> None:
    uses = on(
        {
            to("8.0.0.1", "days.example"): [(0, 1), (0, 2)],
            to("8.0.0.2", "hosts.example"): [(0, 1), (1, 1)],
            to("8.0.0.3", "once.example"): [(0, 1)],
        }
    )
    assert told(uses) == ["days.example 443/tcp", "hosts.example 443/tcp"]
    assert len(told(uses, 1)) == 3
    profile = learn(uses)
    assert (profile.seen.sessions, profile.seen.days, profile.seen.hosts) == (5, 2, 2)
    assert profile.left_out.sessions == 1


def test_a_name_is_one_rule_whatever_its_addresses() -> None:
    uses = on({to("8.0.0.1", "a.example"): [(0, 1)], to("9.0.0.1", "a.example"): [(0, 2)]})
    assert told(uses) == ["a.example 443/tcp"]


def test_ports_drawn_at_random_are_one_rule_only_if_no_single_one_repeats() -> None:
    fixed = on({to("8.0.0.1", "", 50_000, "udp"): [(0, 1), (0, 2)]})
    assert told(fixed) == ["8.0.0.1/32 50000/udp"]
    drawn = on({to("8.0.0.1", "", 50_000 + day, "udp"): [(0, day)] for day in (1, 2)})
    assert told(drawn) == ["8.0.0.1/32 32768-65535/udp"]


def test_a_network_is_allowed_only_if_no_single_address_repeats() -> None:
    spread = on({to(f"8.0.0.{day}"): [(0, day)] for day in (1, 2)})
    assert told(spread) == ["8.0.0.0/24 443/tcp"]
    assert told(spread, networks=False) == []
    assert told(on({to("8.0.0.1"): [(0, 1), (0, 2)]})) == ["8.0.0.1/32 443/tcp"]
    assert told(on({to("8.0.0.1"): [(0, 1)], to("9.0.0.1"): [(0, 2)]})) == []


def test_a_wider_rule_replaces_those_within_it() -> None:
    uses = on(
        {
            to("8.0.0.1"): [(0, 1), (0, 2)],
            to("8.0.0.2"): [(0, 1)],
            to("8.0.0.3"): [(0, 2)],
        }
    )
    (rule,) = learn(uses).rules
    assert (rule.place.text, rule.extent.sessions) == ("8.0.0.0/24", 4)


def test_what_a_profile_was_learned_from_it_allows_but_for_what_was_left_out() -> None:
    uses = on(
        {
            to("8.0.0.1", "a.example"): [(0, 1), (0, 2)],
            to("8.0.0.9", "", 40_000, "udp"): [(0, 1)],
            to("8.0.0.9", "", 40_001, "udp"): [(0, 2)],
            to("7.0.0.1"): [(0, 2)],
        }
    )
    profile = learn(uses)
    found = check(profile, uses)
    assert (found.seen.sessions, found.allowed) == (5, 4)
    assert [one.place.text for one in found.blocked] == ["7.0.0.1/32"]
    assert found.blocked[0].since == 2 * 86_400
    assert profile.left_out.sessions == 1


def test_a_rule_holds_for_its_own_port_transport_and_name_only() -> None:
    profile = learn(on({to("8.0.0.1", "a.example"): [(0, 1), (0, 2)]}))
    assert profile.allows(to("9.9.9.9", "a.example"))
    assert not profile.allows(to("8.0.0.1", "a.example", 80))
    assert not profile.allows(to("8.0.0.1", "a.example", 443, "udp"))
    assert not profile.allows(to("8.0.0.1", "b.example"))
    assert not profile.allows(contact("mcast:224.0.0.22", "224.0.0.22", "", 0))


def test_an_address_rule_holds_whatever_the_name() -> None:
    profile = learn(on({to("8.0.0.1"): [(0, 1), (0, 2)]}))
    assert profile.allows(to("8.0.0.1", "new.example"))
