"""Synthetic sessions of any number of hosts: as batches, as frames and as conn.log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nba_broker.records.ports import port_code, port_name
from nba_broker.records.sessions import Sessions
from nba_broker.wire.codec import SESSIONS_TOPIC

BATCH = 256  # sessions, as sensors send them
DESTINATIONS = 5000
RATE = 100_000.0  # sessions per second of event time
_START = 1.7e9
_HTTPS = port_code(443, "tcp")


def address(number: int) -> str:
    """A host's address in 10.0.0.0/8."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def mac(number: int) -> str:
    """A host's MAC."""
    return f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


class Traffic:
    """Hosts that talk at random times to random public destinations.

    Strings are made once per host, as the live decoder does; ``hosts`` bounds their number.
    """

    def __init__(self, hosts: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._addresses = [address(number) for number in range(hosts)]
        self._macs = [mac(number) for number in range(hosts)]
        first = self._rng.choice(np.arange(11, 100), DESTINATIONS)
        rest = self._rng.integers(1, 255, (DESTINATIONS, 3))
        self._destinations = [
            f"{a}.{b}.{c}.{d}" for a, (b, c, d) in zip(first.tolist(), rest.tolist(), strict=True)
        ]
        self._sent = 0

    def _batch(self, hosts: np.ndarray) -> Sessions:
        """One session of each of these hosts, in time order after all before."""
        n = len(hosts)
        # In whole microseconds, as Zeek has them, and each later than the one before.
        ts = _START + np.rint((self._sent + np.arange(n)) / RATE * 1e6) / 1e6
        who = hosts.tolist()
        batch = Sessions(
            ts,
            [self._addresses[host] for host in who],
            [f"C{number:016d}" for number in range(self._sent, self._sent + n)],
            [self._macs[host] for host in who],
            [self._destinations[d] for d in self._rng.integers(0, DESTINATIONS, n).tolist()],
            np.full(n, _HTTPS, np.int32),
        )
        self._sent += n
        return batch

    def each_once(self) -> Iterator[Sessions]:
        """One session of every host."""
        hosts = len(self._addresses)
        for start in range(0, hosts, BATCH):
            yield self._batch(np.arange(start, min(start + BATCH, hosts)))

    def random(self, sessions: int) -> Iterator[Sessions]:
        """This many sessions of hosts drawn at random."""
        for start in range(0, sessions, BATCH):
            size = min(BATCH, sessions - start)
            yield self._batch(self._rng.integers(0, len(self._addresses), size))


def frame(sessions: Sessions, seq: int) -> bytes:
    """A batch as Zeek's WebSocket API sends it."""

    def value(kind: str, data: object) -> dict[str, object]:
        return {"@data-type": kind, "data": data}

    def column(kind: str, data: list[object]) -> dict[str, object]:
        return value("vector", [value(kind, one) for one in data])

    arguments = [
        value("string", "bench"),
        value("string", "R"),
        value("count", seq),
        value("count", seq * BATCH),
        value("count", 0),
        value("real", float(sessions.ts[-1])),
        column("real", sessions.ts.tolist()),
        column("address", list(sessions.host)),
        column("string", list(sessions.uid)),
        column("string", list(sessions.mac)),
        column("address", list(sessions.dst)),
        column("port", [port_name(code) for code in sessions.dport.tolist()]),
    ]
    body = value("vector", [value("string", "NBA::sessions"), value("vector", arguments)])
    head = {"type": "data-message", "topic": f"{SESSIONS_TOPIC}0/"}
    content = value("vector", [value("count", 1), value("count", 1), body])
    return json.dumps(head | content, separators=(",", ":")).encode()


COLUMNS = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service",
           "duration", "orig_bytes", "resp_bytes", "conn_state", "local_orig", "local_resp",
           "missed_bytes", "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes",
           "orig_l2_addr", "resp_l2_addr")  # fmt: skip
"""Those of conn.log with MAC logging."""


def conn_log(path: Path, rows: int, source: Traffic) -> None:
    """Write the next ``rows`` sessions of a source as conn.log."""
    with path.open("w") as file:
        file.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n")
        file.write("#path\tconn\n#fields\t" + "\t".join(COLUMNS) + "\n")
        for batch in source.random(rows):
            file.writelines(
                f"{ts:.6f}\t{uid}\t{host}\t50000\t{dst}\t443\ttcp\tssl\t1.250000\t800\t4000\tSF"
                f"\tT\tF\t0\tShADadFf\t12\t1400\t11\t4600\t{l2}\t00:00:5e:00:01:01\n"
                for ts, uid, host, dst, l2 in zip(
                    batch.ts.tolist(), batch.uid, batch.host, batch.dst, batch.mac, strict=True
                )
            )


def dns_log(path: Path, rows: int, source: Traffic) -> None:
    """Write as dns.log that hosts asked for the destination of every second one of the next
    ``rows`` sessions of a source, just before it."""
    with path.open("w") as file:
        file.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n")
        file.write(
            "#path\tdns\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\trtt"
        )
        file.write("\tquery\tqtype_name\trcode_name\tanswers\tTTLs\n")
        for batch in source.random(rows):
            file.writelines(
                f"{ts - 0.001:.6f}\t{host}\t40000\t10.0.0.1\t53\tudp\t0.001000"
                f"\tx{dst.replace('.', '-')}.example\tA\tNOERROR\t{dst}\t60.000000\n"
                for ts, host, dst in zip(
                    batch.ts[::2].tolist(), batch.host[::2], batch.dst[::2], strict=True
                )
            )
