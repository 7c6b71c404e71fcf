"""Logs of four days of a site with everything that the log of a score depends on."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from tests.unit.helpers import MAC
from tests.unit.pipeline.test_site import CLOUDS, DAY, HOUR, START, home, outage

ANNOTATIONS = f"""at,host,action,device,category,pool,reason,expires,name
{START + DAY},{MAC.format(0)},label,Own_Sensor,sensor,,,,
{START + DAY},192.168.1.12,confirm,,,,,,
{START + DAY},,ignore,,,,,,*.cloud-1.example
"""


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(folder: Path) -> Path:
    """Four hosts with names and leases, an outage, and annotations; returns the folder."""
    sessions = sorted(outage(home()))
    for day, rows in groupby(enumerate(sessions), lambda row: int((row[1][0] - START) // DAY)):
        _write(
            folder / f"conn.{day}.log",
            [
                {
                    "ts": ts,
                    "uid": f"C{number}",
                    "id.orig_h": f"192.168.1.{10 + host}",
                    "id.resp_h": dst,
                    "id.resp_p": int(service.partition("/")[0]),
                    "proto": service.partition("/")[2],
                    "orig_l2_addr": MAC.format(host),
                }
                for number, (ts, host, dst, service) in rows
            ],
        )
        begin = START + day * DAY
        _write(
            folder / f"dns.{day}.log",
            [
                {
                    "ts": begin + hour * HOUR + 7 * host,
                    "id.orig_h": f"192.168.1.{10 + host}",
                    "query": f"host-{host}.cloud-{number}.example",
                    "qtype_name": "A",
                    "answers": [address],
                    "TTLs": [60.0],
                }
                for hour in range(24)
                for host in range(4)
                for number, address in enumerate(CLOUDS)
            ],
        )
    _write(
        folder / "dhcp.log",
        [
            {"ts": START + n * HOUR, "assigned_addr": "192.168.1.11", "mac": MAC.format(1)}
            | {"host_name": "lamp"}
            for n in range(90)
        ],
    )
    (folder / "annotations.csv").write_text(ANNOTATIONS)
    return folder
