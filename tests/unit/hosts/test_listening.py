"""The ports at which hosts listen, by who asks for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.hosts.listening import MANY, SEVERAL, Listening, Port
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions
from tests.unit.helpers import LAMP_CLOUD, MAC, sessions

PRINTER = "192.168.1.9"
PRINTS = port_code(9100, "tcp")


class Site:
    """Hosts whose sessions are tracked and looked at."""

    def __init__(self) -> None:
        self.identity, self.first_seen = Identity(), FirstSeen()
        self.listening = Listening(self.identity)

    def see(self, table: Sessions, port: int = PRINTS) -> None:
        table = replace(table, dport=np.full(len(table), port, np.int32))
        slot = self.identity.slots(table.ts, table.host, table.mac, table.segment).slots
        assert len(slot) == len(table)
        self.first_seen.see(slot, table.ts, table.host, UNSPECIFIED)
        self.listening.see(table, slot, self.first_seen.first_seen)

    def ports(self, host: str = PRINTER, before: float = np.inf) -> tuple[str, ...]:
        slot = self.identity.holder(host)
        assert slot is not None
        return self.listening.ports(slot, before)


@pytest.fixture
def site() -> Site:
    """A site with a printer at PRINTER and a lamp at 192.168.1.8."""
    made = Site()
    made.see(asked([8, 9], LAMP_CLOUD, 0.0), port_code(443, "tcp"))
    return made


def asked(hosts: list[int], dst: str = PRINTER, since: float = 10.0) -> Sessions:
    """A session of each of these hosts, a second apart."""
    return sessions(
        [(since + n, f"192.168.1.{one}", MAC.format(one), dst) for n, one in enumerate(hosts)]
    )


def test_a_host_listens_where_several_others_ask(site: Site) -> None:
    site.see(asked([1, 2, 2, 1]))
    assert site.ports() == ()
    site.see(asked([3], since=20.0))
    assert site.ports() == ("9100/tcp",)
    assert site.ports(before=20.0) == ()
    assert site.ports("192.168.1.8") == ()


def test_one_host_that_asks_often_and_the_host_itself_are_not_several(site: Site) -> None:
    site.see(asked([1] * 9 + [9] * 9 + [2]))
    assert site.ports() == ()


def test_ports_that_say_nothing_are_not_kept(site: Site) -> None:
    site.see(asked([1, 2, 3]), port_code(443, "tcp"))
    assert site.listening.all() == {}


def test_scans_make_no_host_listen(site: Site) -> None:
    """However many scan at once, from the first address on."""
    targets = range(20, 20 + MANY + 9)
    site.see(asked(list(targets), LAMP_CLOUD, 2.0), port_code(443, "tcp"))
    for number in targets:
        site.see(asked([1, 2], f"192.168.1.{number}", 100.0 + number))
    site.see(asked([1, 2, 3], since=1000.0))
    assert site.ports() == ()


def test_a_host_is_not_asked_before_it_is_known(site: Site) -> None:
    """However sessions are cut: among those that come at once may be its first."""
    later = "192.168.1.30"
    site.see(sessions([*_rows(asked([1, 2, 3], later)), *_rows(asked([30], LAMP_CLOUD, 20.0))]))
    assert site.ports(later) == ()


def _rows(table: Sessions) -> list[tuple[float, str, str, str]]:
    return list(zip(table.ts.tolist(), table.host, table.mac, table.dst, strict=True))


def test_a_host_of_another_vlan_is_asked_if_its_address_is_only_there() -> None:
    site = Site()
    site.see(replace(asked([9], LAMP_CLOUD, 0.0), segment=["/20"]), port_code(443, "tcp"))
    site.see(replace(asked([1, 2, 3]), segment=["/10"] * 3))
    assert site.ports(f"{PRINTER}%/20") == ("9100/tcp",)


def test_a_host_that_left_leaves_nothing_to_the_next_in_its_slot(site: Site) -> None:
    site.see(asked([1, 2, 3]))
    site.listening.forget(range(99))
    assert site.ports() == ()
    assert site.listening.all() == {}


def test_only_what_can_have_been_saved_is_restored(site: Site) -> None:
    site.see(asked([1, 2, 3]))
    (ports,) = site.listening.all().values()
    other = Listening(site.identity)
    other.restore(5, {**ports, port_code(443, "tcp"): Port([1], 1.0)})
    assert other.ports(5, np.inf) == ("9100/tcp",)
    for wrong in (Port([1] * (SEVERAL + 1), 1.0), Port([1], np.nan)):
        with pytest.raises(ValueError, match="a port that is none"):
            other.restore(6, {PRINTS: wrong})
