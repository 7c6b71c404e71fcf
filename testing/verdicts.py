"""A synthetic nba_device.log of any number of hosts and verdicts, with its nba_stats.log."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Literal

from nba_broker.archive import device_log
from nba_broker.hosts.hints import hint
from nba_broker.records.evidence import (
    AlarmSum,
    Attended,
    Evidence,
    MissingSessions,
    Surprising,
    WindowExtent,
)
from nba_broker.records.hints import NO_HINT, HostFacts
from nba_broker.records.times import DAY
from nba_broker.records.verdicts import Alternative, Verdict
from testing import traffic

START = 1767225600.0  # 2026-01-01
_DEVICES = (
    ("Hall_Camera", "camera", "Espressif Inc."),
    ("Front_Doorbell", "doorbell", "Amazon Technologies Inc."),
    ("Desk_Lamp", "bulb", "Signify B.V."),
    ("Printer_3rd_Floor", "printer", "HP Inc."),
    ("Wall_Plug", "plug", "TP-LINK TECHNOLOGIES CO.,LTD."),
    ("Badge_Reader", "access", "HID Global"),
    ("Office_PC", "non-iot", "Dell Inc."),
)
_CLOUDS = (
    ("as:16509", "Amazon.com, Inc."),
    ("as:14618", "Amazon.com, Inc."),
    ("as:13335", "Cloudflare, Inc."),
    ("as:15169", "Google LLC"),
    ("as:45102", "Alibaba (US) Technology Co., Ltd."),
    ("gw", ""),
    ("lan", ""),
)
_PORTS = ((443, "tcp"), (8883, "tcp"), (123, "udp"), (53, "udp"), (32100, "udp"))
_OTHERS = (Alternative("Other_Device", 0.21), Alternative("Third_Device", 0.06))
# What becomes of hosts: most are identified and stay so.
_ENDS = ("identified", "unknown", "changed", "misbehaving", "impostor", "learning")
_SHARES = (0.9, 0.07, 0.01, 0.005, 0.005, 0.01)


class Verdicts:
    """Verdicts of hosts that appear, get a name, and are logged again every day."""

    def __init__(self, hosts: int, lines: int, seed: int = 0) -> None:
        self._random = Random(seed)
        self._lines = lines
        self._days = max(lines // max(hosts, 1), 2)
        self._ends = self._random.choices(_ENDS, _SHARES, k=hosts)
        self._first = [START + DAY * self._random.random() for _ in range(hosts)]

    def all(self) -> list[Verdict]:
        """All of them, in order of time."""
        made: list[Verdict] = []
        turn = 0
        while len(made) < self._lines:
            some = range(min(len(self._first), self._lines - len(made)))
            made += [self._verdict(number, turn) for number in some]
            turn += 1
        return sorted(made, key=lambda verdict: verdict.ts)

    def _verdict(self, number: int, turn: int) -> Verdict:
        first, end = self._first[number], self._ends[number]
        device, category, vendor = _DEVICES[number % len(_DEVICES)]
        late = turn >= self._days - 3
        state = "learning" if turn == 0 else end if late or end == "unknown" else "identified"
        begun = {"learning": 0, "identified": 1, "unknown": 1}.get(state, self._days - 3)
        named = state not in ("learning", "unknown")
        ts = first + turn * DAY + self._random.random()
        return Verdict(
            ts=ts,
            host=traffic.address(number),
            mac=traffic.mac(number),
            hostname=f"{device.lower().replace('_', '-')}-{number}",
            vendor=vendor,
            state=state,
            previous="" if turn == 0 else "learning" if turn == 1 else device,
            device=device if named else "",
            category=category if named else "",
            confidence=0.0 if turn == 0 else round(self._random.uniform(0.6, 1), 4),
            alternatives=_OTHERS if turn else (),
            sessions=2 + 400 * turn,
            since=first + begun * DAY,
            first_seen=first,
            reason="new" if turn == 0 else "change" if turn == begun else "reminder",
            evidence=self._evidence(ts, state) if turn else (MissingSessions(10),),
            uids=tuple(f"C{self._random.getrandbits(60):016x}" for _ in range(3)),
            model="default-33407097",
            worker="manager-1",
            hint=NO_HINT if named else hint(HostFacts(vendor)),
        )

    def _evidence(self, ts: float, state: str) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for weight in (0.42, 0.23, 0.11):
            pool, organisation = self._random.choice(_CLOUDS)
            port, transport = self._random.choice(_PORTS)
            address = ".".join(str(byte) for byte in self._random.choices(range(1, 223), k=4))
            when = float(round(ts - 7200 * self._random.random()))
            where = (address, port, transport, pool, organisation, when, "")
            if state == "misbehaving":
                found.append(Surprising(*where, surprise=20 * weight))
            else:
                sessions = self._random.randrange(1, 20)
                found.append(Attended(*where, sessions=sessions, weight=weight))
        if state == "misbehaving":
            return (AlarmSum(41, float(round(ts - 3600)), 21.4), *found)
        return (*found, WindowExtent(64, float(round(ts - 7200))))


def device_log_of(
    folder: Path, hosts: int, lines: int, form: Literal["tsv", "json"] = "tsv"
) -> Path:
    """Write nba_device.log; returns its path."""
    path = folder / "nba_device.log"
    with device_log.Writer(path, form) as writer:
        for verdict in Verdicts(hosts, lines).all():
            writer.write(verdict)
    return path


def stats_log(folder: Path, now: float, *, lost: int = 0, worker: bool = True) -> Path:
    """Write nba_stats.log: ten minutes of two sensors, the manager and a worker, up to ``now``."""
    path = folder / "nba_stats.log"
    rows = []
    for number in range(60):
        ts = now - 10.0 * (59 - number)
        total = 10_000 * (number + 1)
        rows += [
            f'{{"ts":{ts:.6f},"node":"{node}","kind":"sensor","run":"R-{node}","seen":{total},'
            f'"sent":{total},"skipped":0,"unacked":1}}'
            for node in ("worker-1", "worker-2")
        ]
        rows.append(
            f'{{"ts":{ts:.6f},"node":"manager","kind":"manager","run":"R","verdicts":{number},'
            '"refused":0}'
        )
        if worker:
            rows.append(
                f'{{"ts":{ts:.6f},"node":"nba-1","kind":"worker","skipped":0,"received":{total},'
                f'"lost":{lost if number > 30 else 0},"late":3,"invalid":0,"scored":{total // 8},'
                f'"hosts":5000,"evicted":0,"verdicts":{number},"queue":2,"lag":0.15,'
                '"model":"default-33407097"}'
            )
    path.write_text("\n".join(rows) + "\n")
    return path
