"""What a million names cost: memory per host and site, time, and what a flood pushes out."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.offline import Figure, resident
from nba_broker.destinations.names import KEPT, NO_NAME, NameTable
from nba_broker.records.names import Answers, Names
from nba_broker.records.slots import Slots

MILLION = 1_000_000
_BATCH = 8192  # answers at a time, as in a step
_QUIET = 100  # hosts that a flood may push out, with four names each
_IPV4 = bytes(10) + b"\xff\xff"


def table() -> Iterator[Figure]:
    """Every host asks for KEPT names that no other one asks for, a million in all; and one host
    asks for a million random names."""
    hosts = MILLION // KEPT
    slots = Slots()
    names = NameTable(slots)
    slots.reserve(hosts)
    before = resident()
    began = time.process_time()
    number = np.arange(hosts * KEPT)
    for rows in _parts(len(number)):
        each = number[rows]
        names.learn(_answers(each // KEPT, each, each))
    yield "names.answers", len(number) / (time.process_time() - began), "addresses/cpu-s"
    yield f"names.memory.{hosts}_hosts", (resident() - before) / hosts, "B/host"
    of_hosts = sum(column.nbytes for column in names.columns.values()) / hosts
    yield "names.memory.columns", of_hosts, "B/host"
    yield "names.memory.site", (resident() - before) / 1e6 - of_hosts * hosts / 1e6, "MB"
    yield from _look_ups(names, hosts)
    yield from _flood()


def _look_ups(names: NameTable, hosts: int) -> Iterator[Figure]:
    """Sessions to addresses that their hosts have asked for, and to others."""
    random = np.random.default_rng(1)
    slot = random.integers(0, hosts, 64 * _BATCH)
    asked = slot * KEPT + random.integers(0, KEPT, len(slot))
    began = time.process_time()
    for rows in _parts(len(slot)):
        found = names.ids(slot[rows], _addresses(asked[rows]))
        assert (found != NO_NAME).any()
    yield "names.look_ups", len(slot) / (time.process_time() - began), "sessions/cpu-s"


def _flood() -> Iterator[Figure]:
    slots = Slots()
    names = NameTable(slots)
    slots.reserve(_QUIET + 1)
    quiet = np.arange(4 * _QUIET)
    names.learn(_answers(quiet // 4, quiet, quiet))
    before = resident()
    began = time.process_time()
    for rows in _parts(MILLION):
        some = np.arange(rows.start, rows.stop) + 10_000
        names.learn(_answers(np.full(len(some), _QUIET), some, some))
    yield "names.flood", MILLION / (time.process_time() - began), "addresses/cpu-s"
    yield "names.flood.memory", (resident() - before) / 1e6, "MB"
    left = names.ids(np.full(len(quiet), _QUIET), _addresses(quiet))
    yield "names.flood.kept", float((left != NO_NAME).mean()), "of the others' names"


def _parts(total: int) -> Iterator[slice]:
    return (slice(at, min(at + _BATCH, total)) for at in range(0, total, _BATCH))


def _answers(slot: np.ndarray, address: np.ndarray, name: np.ndarray) -> Answers:
    """Answers to hosts, with a number for each address and name, in the order of time."""
    n = len(slot)
    texts = np.array([f"{one:x}.cloud{one % 97}.example.com" for one in name.tolist()], object)
    host = np.zeros(n, "V16")
    ts = np.arange(n) + float(address[0] if n else 0)
    return Answers(
        Names(ts, host, texts, _addresses(address), np.full(n, 300.0)), slot, np.zeros(n, np.int64)
    )


def _addresses(number: np.ndarray) -> np.ndarray:
    """Public IPv4 addresses, "V16" [n]."""
    packed = np.zeros((len(number), 16), np.uint8)
    packed[:, :12] = np.frombuffer(_IPV4, np.uint8)
    packed[:, 12:] = (
        (number.astype(np.uint32) + (20 << 24)).astype(">u4").view(np.uint8).reshape(-1, 4)
    )
    return packed.reshape(-1).view("V16")
