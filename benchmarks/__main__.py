"""Prints one JSON line per figure: medians of five runs, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks import archives, cluster, live, names, offline, page, sensor
from benchmarks.offline import Figure
from testing import processes
from testing.browser import find_chromium
from testing.zeek import zeek_path

RUNS = 5
# These take minutes: a fit, whose time hardly varies, and an outage, which lasts a minute.
ONCE = ("fit", "outage")

BENCHMARKS: dict[str, Callable[[argparse.Namespace], Iterator[Figure]]] = {
    "pipeline": lambda _: offline.pipeline(),
    "memory": lambda _: offline.memory(100_000),
    "memory-million": lambda _: offline.memory(1_000_000),
    "names": lambda _: names.table(),
    "decode": lambda _: offline.decoding(),
    "archive": lambda _: offline.archive(2_000_000),
    "archive-ten-million": lambda _: offline.archive(10_000_000),
    "processes": lambda _: offline.processes(1_000_000),
    "workers": lambda _: archives.workers(2_000_000),
    "fit": lambda arguments: offline.fit(arguments.archive, arguments.labels),
    "triage": lambda _: page.first_screen(),
    "transport": lambda _: live.transport(),
    "end-to-end": lambda _: live.end_to_end(),
    "cluster": lambda _: cluster.throughput(),
    "overload": lambda _: cluster.overload(),
    "latency": lambda _: cluster.latency(),
    "sensor": lambda _: sensor.cost(),
    "sensor-days": lambda arguments: sensor.cost_of_days(arguments.capture),
    "report": lambda _: sensor.reports(),
    "outage": lambda _: sensor.outage(),
}
NEED_ZEEK = (
    "transport",
    "end-to-end",
    "cluster",
    "overload",
    "latency",
    "sensor",
    "sensor-days",
    "report",
    "outage",
)
NEED_BROWSER = ("triage",)
NEED_EXTRA = ("archive", "archive-ten-million", "workers", "fit")


def measure(name: str, runs: int, options: Sequence[str]) -> Iterator[Figure]:
    """The median of every figure of a benchmark."""
    found: dict[str, list[float]] = {}
    units = {}
    for _ in range(runs):
        command = [sys.executable, "-m", "benchmarks", "--once", name, *options]
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
    parser.add_argument("--archive", type=Path, metavar="DIR", help="what fit learns from")
    parser.add_argument("--labels", type=Path, metavar="L.csv", help="and its labels")
    parser.add_argument("--capture", type=Path, metavar="F.pcap", help="a day for sensor-days")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.once:
        for name, value, unit in BENCHMARKS[arguments.names[0]](arguments):
            print(json.dumps({"name": name, "value": value, "unit": unit}))
        return 0
    options = []
    if arguments.archive and arguments.labels:
        options = ["--archive", str(arguments.archive), "--labels", str(arguments.labels)]
    elif arguments.archive or arguments.labels:
        parser.error("--archive and --labels go together")
    if arguments.capture:
        options += ["--capture", str(arguments.capture)]
    about = processes.about()
    for name in arguments.names or BENCHMARKS:
        if name in NEED_ZEEK and zeek_path() is None:
            print(f"{name} needs Zeek and is left out", file=sys.stderr)
            continue
        if name in NEED_BROWSER and find_chromium() is None:
            print(f"{name} needs Chromium and is left out", file=sys.stderr)
            continue
        if name in NEED_EXTRA and find_spec("torch") is None:
            print(f"{name} needs the extra train and is left out", file=sys.stderr)
            continue
        runs = 1 if name in ONCE else arguments.runs
        for figure, value, unit in measure(name, runs, options):
            figures = {"name": figure, "value": float(f"{value:.4g}"), "unit": unit}
            print(json.dumps(figures | {"runs": runs} | about), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
