"""Describe labelled devices in a few numbers each, from their conn logs, for tools.generate.

    python -m tools.profile ARCHIVE --labels L.csv [ARCHIVE --labels L.csv]... --out FILE.toml

A description is a Markov chain over destinations (a network inside the right autonomous system,
port, protocol) with quantiles of the interval of every transition. It holds no row, no address of
a host and no time of the traffic that it was made from.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections import Counter, defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.destinations.databases import Database
from nba_broker.records.ports import port_name

# The last stands for the maximum, so that one hole in a recording does not stretch every tail.
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
RARE = 0.003  # a destination with a smaller share of the device's sessions is left out
STATES = 24
LONGEST = 6 * 3600.0  # a longer interval is a hole in the recording

State = tuple[str, str]  # destination, port/protocol


def main() -> None:
    """Learn every device of every label file and write them all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--labels", action="append", required=True, type=Path)
    parser.add_argument("--pools", type=Path, default=Path("models/asn.mmdb.xz"))
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    if len(arguments.archives) != len(arguments.labels):
        parser.error("as many --labels as archives")
    database = Database(arguments.pools)
    blocks = [
        "# Made by tools/profile.py from aggregate statistics; not to be edited by hand.\n\n"
        "# destinations: network, port/protocol, how many addresses; transitions from each: to\n"
        "# which, how often, and the interval in seconds at these levels.\n"
        f"levels = {[*QUANTILES[:-1], 1.0]}\n"
    ]
    for archive, labels in zip(arguments.archives, arguments.labels, strict=True):
        for (device, category), runs in sorted(recordings(archive, labels).items()):
            states, chain = learn(runs, database)
            print(f"{device}: {sum(map(len, runs))} sessions, {len(states)} destinations")
            blocks.append(to_toml(device, category, states, chain))
    arguments.out.write_text("\n".join(blocks))


def recordings(
    archive: Path, labels: Path
) -> dict[tuple[str, str], list[list[tuple[float, str, str]]]]:
    """Each labelled host's sessions in order: (ts, destination, port/protocol), per device."""
    read = conn_log.read([archive])
    by_host: dict[tuple[str, str], list[tuple[float, str, str]]] = defaultdict(list)
    for batch in read.batches():
        assert batch.log is not None
        rows = zip(batch.ts, batch.host, batch.mac, batch.dst, batch.dport, batch.log, strict=True)
        for ts, host, mac, dst, port, log in rows:
            session = (float(ts), dst, port_name(int(port)))
            for name in (host, mac):
                by_host[name, ""].append(session)
                by_host[name, read.logs[log]].append(session)
    found: dict[tuple[str, str], list[list[tuple[float, str, str]]]] = defaultdict(list)
    with labels.open() as file:
        for label in csv.DictReader(file):
            sessions = by_host[label["host"].lower(), label.get("log", "")]
            found[label["device"], label["category"]].append(sessions)
    return found


def learn(
    runs: list[list[tuple[float, str, str]]], database: Database
) -> tuple[list[tuple[State, int]], list[list[tuple[int, int, list[float]]]]]:
    """The destinations with how many addresses each has, and the chain between them.

    ``chain[i]`` lists (j, count, interval quantiles in seconds) for every transition i -> j.
    """
    kinds = [[(ts, place(dst, database), port) for ts, dst, port in run] for run in runs]
    total = sum(map(len, runs))
    ports = Counter((kind, port) for run in kinds for _, kind, port in run)
    usual = {kind: port for (kind, port), _ in reversed(ports.most_common())}

    def state(kind: str, port: str) -> State:
        return (kind, port if ports[kind, port] >= RARE * total else usual[kind])

    named = [[(ts, state(kind, port)) for ts, kind, port in run if kind] for run in kinds]
    counts = Counter(key for run in named for _, key in run)
    kept = [key for key, n in counts.most_common(STATES) if n >= max(3, RARE * total)]
    index = {key: at for at, key in enumerate(kept)}

    intervals: dict[tuple[int, int], list[float]] = defaultdict(list)
    for steps in ([(ts, index[key]) for ts, key in run if key in index] for run in named):
        for (before, i), (after, j) in itertools.pairwise(steps):
            intervals[i, j].append(min(after - before, LONGEST))
    chain: list[list[tuple[int, int, list[float]]]] = [[] for _ in kept]
    for (i, j), seconds in sorted(intervals.items()):
        quantiles = np.quantile(seconds, QUANTILES)
        chain[i].append((j, len(seconds), [float(f"{q:.3g}") for q in quantiles]))

    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for dst in (dst for run in runs for _, dst, _ in run):
        seen[place(dst, database)][dst] += 1
    networks = {kind: network(kind, addresses, database) for kind, addresses in seen.items()}
    states = [((networks[kind], port), min(len(seen[kind]), 8)) for kind, port in kept]
    return states, chain


def place(dst: str, database: Database) -> str:
    """A destination's name before a network replaces it; "" leaves it out."""
    address = ip_address(dst)
    if dst.startswith("ff02::1:ff"):
        return ""  # a solicited-node group is part of a host's address
    if address.is_multicast or dst == "255.255.255.255":
        return dst
    if address.version == 6:
        return ""
    if address.is_private:
        last = dst.rpartition(".")[2]
        return {"1": "gw", "255": "bcast"}.get(last, f"lan:{last}")
    return f"as:{database.place(dst).asn}"


def network(kind: str, addresses: Counter[str], database: Database) -> str:
    """The network that stands for an autonomous system: around its most used address."""
    if not kind.startswith("as:"):
        return kind
    dst = addresses.most_common(1)[0][0]
    for length in (16, 20, 22, 24):
        around = ip_network(f"{dst}/{length}", strict=False)
        if all(place(str(ip), database) == kind for ip in (around[0], around[-1], around[99])):
            return str(around)
    return f"{dst}/32"


def to_toml(
    device: str,
    category: str,
    states: list[tuple[State, int]],
    chain: list[list[tuple[int, int, list[float]]]],
) -> str:
    """One ``[[device]]`` table: destinations, and each one's transitions on a line."""
    lines = ["[[device]]", f'name = "{device}"', f'category = "{category}"', "destinations = ["]
    lines += [f'  ["{where}", "{port}", {n}],' for (where, port), n in states]
    lines += ["]", "transitions = ["]
    for row in chain:
        cells = ", ".join(
            f"[{j}, {n}, {', '.join(f'{q:g}' for q in quantiles)}]" for j, n, quantiles in row
        )
        lines.append(f"  [{cells}],")
    return "\n".join([*lines, "]", ""])


if __name__ == "__main__":
    main()
