"""A day of real traffic through a zeekctl cluster whose parts are killed: is all accounted for?

    python -m benchmarks.day --capture F.pcap.gz [--speed 72] [--undisturbed] [--keep DIR]

zeekctl runs a manager, a logger, a proxy and two sensors on a machine of their own within this one.
A capture is sent to the sensors, each flow to one of them, faster than it was. Meanwhile sensors,
worker, logger and manager are killed and come back, and zeekctl restarts all of them. The worker
sees the times that the traffic had, so that its verdicts can be compared with those of ``nba-broker
score`` and ``pcap``; with --undisturbed nothing is killed. One JSON line per figure; exit status 1
when one is out of range.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.checks import Check, add_keep, conclude, say
from benchmarks.day_logs import (
    NEAR,
    Away,
    Gaps,
    Received,
    Row,
    Run,
    apart,
    at_own_time,
    by_host,
    counted_sessions,
    last_verdicts,
    received_sessions,
    rows,
    runs,
    unmatched,
    verdict,
)
from benchmarks.own_time import OwnTime
from benchmarks.soak import DOWN, Counts, Node, counts, positions, unaccounted
from testing.checkout import CHECKOUT, clone_of_checkout
from testing.frames import ethernet, packets
from testing.installed import TAPS
from testing.separate import child, terminate
from testing.worker import ACCOUNTS, broker
from testing.zeek import read_rows, wait_until, zeek_path
from testing.zeekctl import SENSORS, Zeekctl

SPEED = 72.0  # a day in 20 minutes
LEAD = 15.0  # seconds from the worker's start to the first packet
SPLIT = 0.02  # of the sessions, which are quiet for nearly as long as Zeek waits
QUIET = 2.0  # seconds without a session after which nothing more comes
# Zeek's defaults in seconds, which become as much shorter as the traffic is faster.
TIMEOUTS = {
    "tcp_SYN_timeout": 5.0,
    "tcp_session_timer": 6.0,
    "tcp_connection_linger": 5.0,
    "tcp_attempt_delay": 5.0,
    "tcp_close_delay": 5.0,
    "tcp_reset_delay": 5.0,
    "tcp_partial_close_delay": 3.0,
    "tcp_inactivity_timeout": 300.0,
    "udp_inactivity_timeout": 60.0,
    "icmp_inactivity_timeout": 60.0,
    "dns_session_timeout": 10.0,
    "DHCP::max_txid_watch_time": 30.0,
}
OWN_TIME = (sys.executable, "-m", "benchmarks.own_time")
NOTHING: Counts = dict.fromkeys(ACCOUNTS, 0)


class Day:
    """The cluster and the worker, what happens to them, and the accounts of the sessions."""

    def __init__(self, cluster: Zeekctl, day: Path, speed: float) -> None:
        times = [when for when, _ in packets(day)]
        self.seconds = (times[-1] - times[0]) / speed
        self.speed = speed
        self.clock = OwnTime(times[0], time.time() + LEAD, speed)
        self.folder = cluster.folder
        self.away: list[Away] = []
        self.unaccounted = self.unskipped = 0
        self.unsent = self.in_last_seconds = 0  # of sensors that were killed
        self.while_logger_away = 0  # verdicts
        self.totals: dict[str, int] = {}  # by metric, of all workers
        self._cluster = cluster
        self._killed: set[str] = set()  # names of runs
        self._closed: set[str] = set()  # names of runs
        self._known: dict[Node, tuple[str, int]] = {}  # of the worker's snapshot
        self._before: dict[Node, Counts] = {}  # of the worker, when a sensor was last read
        self._worker = self._start_worker()
        inputs = [f"{tap}in" for tap in TAPS]
        self._replay = cluster.machine.start(
            *(sys.executable, "-m", "testing.replay", day, f"{speed}", f"{self.clock.start}"),
            *inputs,
            output=self.folder / "replay",
        )

    def _start_worker(self) -> subprocess.Popen[bytes]:
        self._known = positions(self._cluster.state)
        self._before = {}
        clock = (self.clock.first, self.clock.start, self.clock.speed)
        return self._cluster.start_worker(*OWN_TIME, *map(repr, clock), self.folder / "received")

    def runs(self, node: Node) -> list[Run]:
        """What a sensor's processes noted, the oldest first."""
        return runs(self.folder / f"{node}.notes")

    def watch(self) -> None:
        """Raise ChildProcessError when something has ended by itself."""
        if self._worker.poll() is not None:
            raise ChildProcessError(f"the worker ended: {self._cluster.said()}")
        if self._replay.poll():
            raise ChildProcessError((self.folder / "replay").read_text())

    def _heard(self, node: Node) -> Counts:
        return counts(self._cluster.labelled()).get(node, NOTHING)

    def _read(self, node: Node) -> None:
        """Compare what a sensor noted with what the worker says, when its last run is over."""
        before = NOTHING
        while (heard := self._heard(node)) != before:
            before = heard
            time.sleep(QUIET)
        over = [run for run in self.runs(node) if run.name not in self._closed]
        self._closed |= {run.name for run in over}
        known = dict([self._known.get(node, ("", 0))])
        sent = sum(run.sent - known.get(run.name, 0) for run in over)
        told = self._before.get(node, NOTHING)
        self._before[node] = heard
        difference = unaccounted(sent, 0, heard, told)
        skipped = sum(run.skipped for run in over) - heard["skipped"] + told["skipped"]
        if over[-1].name in self._killed:
            self.unsent += difference + skipped + over[-1].seen - over[-1].sent - over[-1].skipped
            self.in_last_seconds += over[-1].in_last_second
        else:
            self.unaccounted += abs(difference)
            self.unskipped += abs(skipped)
        say(f"{node}: {difference} of {sent} sent, {skipped} skipped; {over} {heard} {told}")

    def _comes_back(self, part: str, since: float, nodes: tuple[Node, ...], *command: str) -> None:
        """Wait until zeekctl has started a part again, and sessions come from these sensors."""
        before = {node: self._heard(node)["received"] for node in nodes}
        say(self._cluster.do("zeekctl", *command).strip())
        until = time.time()
        wait_until(
            lambda: all(self._heard(node)["received"] > before[node] for node in nodes),
            what=f"sessions after {part} came back",
        )
        self.away.append(Away(part, since, until, time.time()))

    def kill_first_sensor(self) -> None:
        """zeekctl's cron job starts it again."""
        self._kill_sensor(SENSORS[0], "cron")

    def kill_second_sensor(self) -> None:
        """An operator starts it again."""
        self._kill_sensor(SENSORS[1], "restart", SENSORS[1])

    def _kill_sensor(self, node: Node, *command: str) -> None:
        since = time.time()
        self._cluster.kill(node)
        self._killed.add(self.runs(node)[-1].name)
        self._read(node)
        self._comes_back(node, since, (node,), *command)

    def kill_logger(self) -> None:
        """Without a chance to write what it has."""
        before = self._cluster.metrics("nba_verdicts_total")[""]
        self._kill("logger-1")
        self.while_logger_away += self._cluster.metrics("nba_verdicts_total")[""] - before

    def kill_manager(self) -> None:
        """The worker loses its connection."""
        self._kill("manager")

    def _kill(self, node: Node) -> None:
        since = time.time()
        self._cluster.kill(node)
        self._comes_back(node, since, SENSORS, "cron")

    def restart(self) -> None:
        """All of Zeek, in order."""
        self._comes_back("zeek", time.time(), SENSORS, "restart")

    def kill_worker(self) -> None:
        """Without a chance to save anything; another starts soon."""
        self._note_totals()
        since = time.time()
        os.kill(child(self._worker.pid), signal.SIGKILL)
        self._worker.wait()
        time.sleep(DOWN)
        self._worker = self._start_worker()
        self.away.append(Away("nba-broker", since, time.time(), time.time()))

    def _note_totals(self) -> None:
        """Add the totals of a worker that is about to end."""
        for (name, _), value in self._cluster.labelled().items():
            self.totals[name] = self.totals.get(name, 0) + int(value)

    def close(self) -> int:
        """Stop everything in order, when all has been sent; returns the doctor's exit status."""
        wait_until(lambda: self._replay.poll() is not None, what="the end of the traffic")
        self.watch()
        doctor = self._cluster.doctor()
        say(doctor.stdout)
        self._cluster.do("zeekctl", "stop", *SENSORS)
        for node in SENSORS:
            self._read(node)
        self._note_totals()
        if status := terminate(self._worker):
            raise ChildProcessError(f"the worker ended with status {status}")
        self._cluster.do("zeekctl", "stop")
        return doctor.returncode

    def gaps(self) -> Gaps:
        """Why conn.log may lack sessions."""
        logger = [away for away in self.away if away.part in ("logger-1", "zeek")]
        return Gaps({node: self.runs(node) for node in SENSORS}, self._killed, logger, self.clock)

    def not_received(self) -> int:
        """Sessions that no worker received, by what the sensors noted and the workers say, and at
        most those that a killed worker had received since its last snapshot."""
        skipped = sum(run.skipped for node in SENSORS for run in self.runs(node))
        told = (self.totals.get(f"nba_{name}_sessions_total", 0) for name in ("lost", "missed"))
        return skipped + sum(told)

    def late(self) -> float:
        """Seconds by which the latest packet was late."""
        return float((self.folder / "replay").read_text())


def plan(day: Day) -> list[tuple[float, Callable[[], None]]]:
    """What happens when, as a share of the whole. A worker is killed before what gives both sensors
    a new run at once: the next worker cannot say anything of runs that were over before."""
    return [
        (0.15, day.kill_first_sensor),
        (0.30, day.kill_worker),
        (0.45, day.restart),
        (0.60, day.kill_logger),
        (0.75, day.kill_second_sensor),
        (0.88, day.kill_manager),
    ]


def run(
    folder: Path, zeek: Path, capture: Path, speed: float, undisturbed: bool
) -> Iterator[Check]:
    """All of it; raises what goes wrong with processes."""
    frames = ethernet(zeek, capture, folder)
    reference = folder / "reference"
    nba_broker("pcap", frames, "--out", reference)
    with Zeekctl(folder, zeek) as cluster:
        cluster.install(clone_of_checkout(folder / "nba-broker"))
        with cluster.path("share/zeek/site/local.zeek").open("a") as local:
            local.write(settings(folder, speed))
        with cluster.path("etc/zeekctl.cfg").open("a") as file:
            file.write("\nStopWait = 1\n")  # until logs are in the archive
        cluster.deploy()
        day = Day(cluster, frames, speed)
        for share, happen in [*([] if undisturbed else plan(day)), (1.0, day.watch)]:
            while time.time() < day.clock.start + share * day.seconds:
                time.sleep(1)
                day.watch()
            say(f"minute {(time.time() - day.clock.start) / 60:.1f}: {happen.__name__}")
            happen()
        doctor = day.close()
        archive = folder / "archive"
        archive.mkdir()
        for log in ("conn", "dns", "dhcp"):
            if files := cluster.files(log):
                at_own_time(files, day.clock, archive / f"{log}.log")
        for log in ("nba_device", "nba_stats"):
            at_own_time(cluster.files(log), OwnTime(0, 0, 1), folder / f"{log}.log")
    nba_broker("score", archive, "--out", folder / "scored")
    yield from accounts(day)
    received = received_sessions(folder / "received")
    traffic, logged = (rows(at / "conn.log") for at in (reference, archive))
    yield from compared_sessions(day, traffic, logged, received, counted_sessions(archive))
    live, scored, pcap = (
        last_verdicts(read_rows(at / "nba_device.log"))
        for at in (folder, folder / "scored", reference)
    )
    hosts = by_host(logged, received, day.clock)
    yield from compared_verdicts(live, scored, pcap, hosts)
    yield Check("day.latest_packet", day.late(), "s", most=2)
    yield Check("day.doctor", doctor, "exit status", 0, 0)


def nba_broker(*arguments: str | Path) -> None:
    """Run a command that has to succeed."""
    result = broker(*arguments)
    say(result.stdout)
    if result.returncode:
        raise ChildProcessError(result.stderr)


def settings(folder: Path, speed: float) -> str:
    """What the sensors need besides the package, for local.zeek."""
    lines = [f"redef {name} = {value / speed:f}sec;" for name, value in TIMEOUTS.items()]
    notes = CHECKOUT / "benchmarks/day.zeek"
    macs = "@load policy/protocols/conn/mac-logging"
    return "\n".join([*lines, macs, f"@load {notes}", f'redef NBA::day_folder = "{folder}";', ""])


def accounts(day: Day) -> Iterator[Check]:
    """What became of the sessions that the sensors saw."""
    sensors = [run for node in SENSORS for run in day.runs(node)]
    for name in ("seen", "sent", "skipped"):
        yield Check(f"day.{name}", sum(getattr(run, name) for run in sensors), "sessions")
    for name in ("received", "lost", "missed", "late"):
        yield Check(f"day.{name}", day.totals.get(f"nba_{name}_sessions_total", 0), "sessions")
    yield Check("day.invalid", day.totals.get("nba_invalid_messages_total", 0), "messages", 0, 0)
    yield Check("day.unaccounted", day.unaccounted, "sessions", 0, 0)
    yield Check("day.skipped_unknown", day.unskipped, "sessions", 0, 0)
    # What a sensor has when it is killed is in no count, as docs/operations.md says.
    yield Check("day.unsent", day.unsent, "sessions", 0, day.in_last_seconds)
    published = day.totals.get("nba_verdicts_total", 0)
    logged = len(read_rows(day.folder / "nba_device.log"))
    yield Check("day.verdicts", published, "verdicts", least=1)
    most = day.while_logger_away
    yield Check("day.verdicts.not_logged", published - logged, "verdicts", 0, most)
    for away in day.away:
        yield Check(f"day.back.{away.part}", away.until - away.since, "s")
        yield Check(f"day.heard.{away.part}", away.heard - away.since, "s")


def compared_sessions(
    day: Day,
    traffic: list[Row],
    logged: list[Row],
    received: dict[str, Received],
    counted: set[str],
) -> Iterator[Check]:
    """Whether conn.log of the cluster has the sessions that a worker received, and those of the
    traffic; what it lacks and why."""
    gaps, near = day.gaps(), (NEAR + day.late()) * day.speed
    unlogged = [received[uid] for uid in received.keys() - {row.uid for row in logged}]
    lost = Counter(gaps.why_unlogged(one) for one in unlogged)
    seen = sum(run.seen for node in SENSORS for run in day.runs(node))
    nowhere = seen - len(counted | received.keys())
    why = {row: gaps.why(row, logged, near) for row in unmatched(traffic, logged, near)}
    what = {row: gaps.what(row, traffic) for row in unmatched(logged, traffic, near)}
    for row in (row for row, reason in (why | what).items() if not reason):
        say(f"neither in both nor explained: {row}")
    reasons, kinds = Counter(why.values()), Counter(what.values())
    few = SPLIT * len(traffic)
    yield Check("day.conn_log", len(logged), "sessions")
    yield Check("day.conn_log.of_hosts", len(counted), "sessions")
    unreceived = len(counted - received.keys())
    yield Check("day.conn_log.not_received", unreceived, "sessions", 0, day.not_received())
    for reason in ("sensor killed", "logger away"):
        name = f"day.received.not_in_conn_log.{reason.replace(' ', '_')}"
        yield Check(name, lost[reason], "sessions")
    yield Check("day.received.not_in_conn_log.else", lost[""], "sessions", 0, 0)
    yield Check("day.seen.nowhere", nowhere, "sessions", 0, day.in_last_seconds)
    yield Check("day.traffic", len(traffic), "sessions", least=1)
    for reason in ("sensor away", "sensor killed", "logger away"):
        name = f"day.traffic.not_in_conn_log.{reason.replace(' ', '_')}"
        yield Check(name, reasons[reason], "sessions")
    yield Check("day.traffic.joined", reasons["joined"], "sessions", 0, few)
    yield Check("day.traffic.not_in_conn_log.else", reasons[""], "sessions", 0, 0)
    yield Check("day.conn_log.rests", kinds["rest"], "sessions")
    yield Check("day.conn_log.split", kinds["split"], "sessions", 0, few)
    yield Check("day.conn_log.not_in_traffic", kinds[""], "sessions", 0, 0)


def compared_verdicts(
    live: dict[str, dict[str, str]],
    scored: dict[str, dict[str, str]],
    pcap: dict[str, dict[str, str]],
    hosts: dict[str, list[tuple[float, bool]]],
) -> Iterator[Check]:
    """With which verdict each host ends: in the cluster, when its logs are scored, and when the
    capture is read. The first two must be the same, unless they come from different sessions. The
    last may differ from both: what is sent faster comes less regularly."""
    alike = explained = as_pcap = 0
    for host, row in sorted(scored.items()):
        own, alone = live.get(host, {}), pcap.get(host, {})
        lacking = apart([row, own] if own else [row], hosts)
        alike += verdict(own) == verdict(row)
        explained += verdict(own) != verdict(row) and lacking > 0
        as_pcap += verdict(own) == verdict(alone)
        say(f"{host}: {verdict(own)}, by score {verdict(row)}, by pcap {verdict(alone)}; {lacking}")
    yield Check("day.hosts", len(live), "hosts", len(pcap), len(pcap))
    yield Check("day.hosts.as_scored", alike, "hosts")
    yield Check("day.hosts.lacking_sessions", explained, "hosts")
    yield Check("day.hosts.else", len(scored) - alike - explained, "hosts", 0, 0)
    yield Check("day.hosts.as_pcap", as_pcap, "hosts", least=1)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.day",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--capture", type=Path, required=True, metavar="F.pcap")
    parser.add_argument("--speed", type=float, default=SPEED, help="times as fast as it was")
    parser.add_argument("--undisturbed", action="store_true", help="kill and restart nothing")
    add_keep(parser)
    arguments = parser.parse_args()
    zeek = zeek_path()
    if zeek is None or not zeek.with_name("zeekctl").exists():
        say("the day needs Zeek and zeekctl, and is left out")
        return 0
    return conclude(
        "the day",
        arguments.keep,
        lambda folder: run(
            folder.resolve(), zeek, arguments.capture, arguments.speed, arguments.undisturbed
        ),
        {"speed": arguments.speed, "undisturbed": arguments.undisturbed},
    )


if __name__ == "__main__":
    sys.exit(main())
