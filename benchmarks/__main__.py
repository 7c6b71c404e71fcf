"""Prints one JSON line per figure: medians of five runs, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import live, offline
from benchmarks.offline import Figure
from nba_broker.zeek_process import find_zeek

RUNS = 5

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "pipeline": offline.pipeline,
    "memory": lambda: offline.memory(100_000),
    "memory-million": lambda: offline.memory(1_000_000),
    "decode": offline.decoding,
    "archive": offline.archive,
    "transport": live.transport,
    "end-to-end": live.end_to_end,
}
NEED_ZEEK = ("transport", "end-to-end")


def machine() -> str:
    """Processor and number of cores."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


def measure(name: str, runs: int) -> Iterator[Figure]:
    """The median of every figure of a benchmark."""
    found: dict[str, list[float]] = {}
    units = {}
    for _ in range(runs):
        command = [sys.executable, "-m", "benchmarks", "--once", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in output.splitlines():
            figure = json.loads(line)
            found.setdefault(figure["name"], []).append(figure["value"])
            units[figure["name"]] = figure["unit"]
    for figure_name, values in found.items():
        yield figure_name, statistics.median(values), units[figure_name]


def main() -> int:
    """Run the benchmarks that are named, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.once:
        for name, value, unit in BENCHMARKS[arguments.names[0]]():
            print(json.dumps({"name": name, "value": value, "unit": unit}))
        return 0
    about = {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    for name in arguments.names or BENCHMARKS:
        if name in NEED_ZEEK and find_zeek() is None:
            print(f"{name} needs Zeek and is left out", file=sys.stderr)
            continue
        for figure, value, unit in measure(name, arguments.runs):
            figures = {"name": figure, "value": float(f"{value:.4g}"), "unit": unit}
            print(json.dumps(figures | {"runs": arguments.runs} | about), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
