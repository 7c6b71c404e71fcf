"""Proposes labels for an archive's hosts from what the archive itself says of them.

Hosts that behave alike and whose interfaces have the same maker get one name, which a person then
corrects: so one correction labels many. See nba_broker.verdicts.similarity.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log, log_rows, results
from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.hosts.identity import UNSPECIFIED
from nba_broker.hosts.vendor import vendor
from nba_broker.model.windows import HostWindows, Schedule
from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions
from nba_broker.verdicts import similarity
from training.data import output
from training.data.labels import UNKNOWN, Label

COLUMNS = ("host", "device", "category", "group", "evidence")

ENOUGH = 60
"""Sessions that one host of a group needs: training sets its last 15 % apart, and asks about none
with fewer than 8."""

_LATEST = 256  # sessions of each host that are compared: they tell, and a large site fits in memory
_NEVER = np.iinfo(np.int64).max

_MDNS = port_code(5353, "udp")
_ANY = 255  # a query of this type for one's own name comes before its use (RFC 6762, 8.1)
# Keys in descriptions of services that say what a device is (HomeKit: md; printers: ty) or whose.
_MODEL_KEYS = ("md", "ty", "model")
_MAKER_KEYS = ("vendor", "manufacturer")
_TEXT = re.compile(r"TXT (\d+) ")
_NO_NAME = frozenset({"", "localhost", "none", "null", "unknown"})
_LONGEST = 60  # characters of a proposed name


@dataclass(slots=True)
class Host:
    """What an archive says of one host. ``host`` is its MAC, else its address; times are seconds
    since the epoch; ``names`` and ``models`` are those that it announced by mDNS."""

    host: str
    address: str
    vendor: str
    hostname: str
    sessions: int
    first: float
    last: float
    names: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An archive's hosts, their groups int64 [hosts], and what the groups mostly do; ``incomplete``
    where a part of the archive could not be read, as ``warnings`` say."""

    hosts: tuple[Host, ...]
    group: np.ndarray
    mostly: tuple[str, ...]
    warnings: tuple[str, ...]
    incomplete: bool = False

    def members(self) -> dict[int, list[Host]]:
        """The hosts of each group, by its number."""
        members: dict[int, list[Host]] = defaultdict(list)
        for host, number in zip(self.hosts, self.group.tolist(), strict=True):
            members[number].append(host)
        return members


def find(
    paths: Sequence[str | Path],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    each: conn_log.Each | None = None,
) -> Found:
    """The hosts of an archive in groups, the one with the most sessions first.

    Raises ArchiveError where nothing can be read or there is no host.
    """
    archive = conn_log.read(paths, since=since, until=until, each=each)
    tracker, lookup = Tracker(), Lookup(pools)
    wider = WiderLans(pools, tracker.identity)
    for lease in archive.leases:
        tracker.lease(lease)
    sequences = HostWindows(Schedule(_LATEST, _NEVER), evidence=False)
    first: dict[int, float] = {}
    speaker: dict[str, int] = {}  # by the uid of a session of mDNS
    organisations: list[str] = []  # by pool
    for batch in archive.batches():
        for part in tracker.track(batch):
            pool = lookup(part.sessions).pool
            wider.see(part.sessions, part.slot, pool)
            sequences.push(part.slot, part.sessions.ts, pool=pool, dport=part.sessions.dport)
            for slot, row in zip(*np.unique(part.slot, return_index=True), strict=True):
                first.setdefault(int(slot), float(part.sessions.ts[row]))
            for row in np.flatnonzero(part.sessions.dport == _MDNS).tolist():
                speaker[part.sessions.uid[row]] = int(part.slot[row])
            organisations += _organisations(pools, len(organisations), part.sessions, pool)

    identity = tracker.identity
    announced = _Announced()
    warnings = [*archive.errors, *archive.warnings, *announced.read(archive.dns_logs, speaker)]
    warnings += wider.hints("run again with --lans {lan}")
    slots = np.array(
        [slot for slot in sorted(first) if identity.address(slot) not in ("", *UNSPECIFIED)],
        np.int64,
    )
    if not len(slots):
        if archive.report.outside and not len(archive):
            raise ArchiveError(
                f"--since and --until leave none of the {archive.report.outside} sessions"
            )
        raise ArchiveError("no host in the archive")
    named = [identity.mac(slot) or identity.address(slot) for slot in slots.tolist()]
    shared = {name: number for name, number in Counter(named).items() if number > 1}
    warnings += [
        f"{number} hosts have the address {name}, in different VLANs or at different sites; labels "
        "cannot tell them apart, so they are left out"
        for name, number in shared.items()
    ]
    slots = slots[[name not in shared for name in named]]
    if not len(slots):
        raise ArchiveError("no host with a MAC, or with an address that no other has")
    hosts = []
    for slot in slots.tolist():
        mac = identity.mac(slot)
        hosts.append(
            Host(
                host=mac or identity.address(slot),
                address=identity.address(slot),
                vendor=vendor(mac),
                hostname=identity.hostname(slot),
                sessions=int(sequences.count[slot]),
                first=first[slot],
                last=float(sequences.last_ts[slot]),
                names=announced.names(slot),
                models=announced.models(slot),
            )
        )
    profiles = similarity.of_windows(sequences.latest(slots), pools.table)
    group = _busiest_first(
        similarity.kinds(profiles, [host.vendor for host in hosts]),
        np.array([host.sessions for host in hosts]),
    )
    mostly = tuple(
        profiles.select(np.flatnonzero(group == number)).mostly(
            pools.table, organisations.__getitem__
        )
        for number in range(group.max() + 1)
    )
    return Found(tuple(hosts), group, mostly, tuple(warnings), bool(archive.errors))


def _organisations(pools: Pools, known: int, sessions: Sessions, pool: np.ndarray) -> list[str]:
    """Who has the pools that these sessions are the first to go to, in the order of the table."""
    found = []
    for number in range(known, len(pools.table)):
        row = int((pool == number).argmax())
        public = of_database(pools.table[number])
        found.append(pools.place(sessions.dst[row]).organisation if public else "")
    return found


def _busiest_first(group: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    place = np.argsort(-np.bincount(group, sessions), kind="stable").argsort()
    renumbered: np.ndarray = place[group]
    return renumbered


class _Announced:
    """Names and models that hosts announced by mDNS (RFC 6762, 6763), from dns.log."""

    def __init__(self) -> None:
        self._names: dict[int, Counter[str]] = defaultdict(Counter)
        self._models: dict[int, Counter[str]] = defaultdict(Counter)

    def read(self, paths: Iterable[str | Path], speaker: dict[str, int]) -> list[str]:
        """Take what hosts say of themselves; ``speaker`` is the slot of a session by its uid.
        Returns a line for each log that cannot be read."""
        errors = []
        for path in paths:
            try:
                rows = log_rows.read(path, "dns")
            except (ArchiveError, OSError) as error:
                errors.append(f"{path}: {error}")
                continue
            for row in rows:
                slot = speaker.get(str(row.get("uid")))
                answers = log_rows.texts(row.get("answers"))
                # Without an answer it asks for others, unless it makes sure of its own name.
                if slot is not None and (answers or str(row.get("qtype")) == str(_ANY)):
                    self._take(slot, str(row.get("query", "")), answers)
        return errors

    def _take(self, slot: int, query: str, answers: Sequence[str]) -> None:
        for name in (query, *answers):
            host, _, domain = name.rpartition(".")
            # Hosts have one label before "local", services have more.
            if domain == "local" and "." not in host:
                self._names[slot][host] += 1
        for answer in answers:
            for key, value in _texts(answer):
                if key.lower() in (*_MODEL_KEYS, *_MAKER_KEYS):
                    self._models[slot][f"{key}={value}"] += 1

    def names(self, slot: int) -> tuple[str, ...]:
        """Host names, the most frequent first."""
        return _by_frequency(self._names[slot])

    def models(self, slot: int) -> tuple[str, ...]:
        """Models and makers as ``key=value``, the most frequent first."""
        return _by_frequency(self._models[slot])


def _by_frequency(counted: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))


def _texts(answer: str) -> Iterable[tuple[str, str]]:
    """Keys and values of a TXT record as Zeek writes it: ``TXT 12 md=Wemo Mini TXT 6 pv=1.1``."""
    at = 0
    while match := _TEXT.match(answer, at):
        at = match.end() + int(match[1])
        key, equals, value = answer[match.end() : at].partition("=")
        if equals and value:
            yield key, value
        at += 1


def write(path: Path, found: Found) -> list[str]:
    """Write the labels file, for a person to edit; returns what to tell them. No log says what a
    device is for, so that its category is unknown.

    Raises ConfigError rather than lose an edited one.
    """
    members = found.members()
    kept = [
        number
        for number in sorted(members)
        if max(one.sessions for one in members[number]) >= ENOUGH
    ]
    if not kept:
        raise ArchiveError(f"no host in the archive has the {ENOUGH} sessions that training needs")
    names = _distinct([proposed_name(members[number]) for number in kept])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, (number, name) in enumerate(zip(kept, names, strict=True), 1):
        for one in members[number]:
            writer.writerow((one.host, name, UNKNOWN, place, evidence(one, found.mostly[number])))
    output.require_new_file(path)
    results.write(path, text.getvalue())
    hosts = sum(len(members[number]) for number in kept)
    lines = [f"{hosts} hosts in {len(kept)} groups that behave alike -> {path}"]
    if left := len(found.hosts) - hosts:
        lines.append(f"left out: {left} hosts of groups in which none has {ENOUGH} sessions")
    lines += [
        "now edit device and category; hosts of a group have one name as long as you agree",
        "delete the rows that you cannot name: fit learns every name that is left",
    ]
    return lines


def evidence(host: Host, mostly: str) -> str:
    """What speaks for a row, for a person to read."""
    parts = [
        f"vendor {host.vendor}" if host.vendor else "",
        f"hostname {host.hostname}" if host.hostname else "",
        f"mDNS {', '.join((*host.models, *host.names)[:4])}" if host.models or host.names else "",
        f"{host.address} {host.sessions} sessions {_day(host.first)} to {_day(host.last)}",
        f"group mostly {mostly}",
    ]
    return "; ".join("".join(c if c.isprintable() else "?" for c in part) for part in parts if part)


def _day(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")


def proposed_name(hosts: Sequence[Host]) -> str:
    """A name for the device that these hosts are: of the best kind of evidence that any of them
    has, what most of them say."""
    for said in (
        [_model(one) for one in hosts],
        [_without_mac(one.hostname, one.host) for one in hosts],
        [_without_mac(one.names[0], one.host) for one in hosts if one.names],
        [one.vendor for one in hosts],
    ):
        counted = Counter(name for name in map(_plain, said) if name.lower() not in _NO_NAME)
        if counted:
            return _by_frequency(counted)[0]
    return "Device"


def _model(host: Host) -> str:
    pairs = [text.partition("=") for text in host.models]
    return next((value for key, _, value in pairs if key.lower() in _MODEL_KEYS), "")


def _without_mac(name: str, host: str) -> str:
    """A name without the digits of its host's own MAC, which no other unit has."""
    digits = host.replace(":", "")
    words = re.split(r"[^0-9A-Za-z]+", name)
    return "_".join(word for word in words if len(word) < 4 or word.lower() not in digits)


def _plain(text: str) -> str:
    """Letters, digits and underscores: what a log line, a file name and a spreadsheet all take."""
    return re.sub(r"[^0-9A-Za-z]+", "_", text)[:_LONGEST].strip("_")


def _distinct(names: Sequence[str]) -> list[str]:
    """The same names, numbered where several groups have one."""
    times, met = Counter(names), Counter[str]()
    distinct = []
    for name in names:
        met[name] += 1
        distinct.append(f"{name}_{met[name]}" if times[name] > 1 else name)
    return distinct


def agreement(found: Found, truth: Sequence[Label]) -> list[str]:
    """How the groups compare with labels that are known, in lines to be printed.

    Raises ArchiveError where no host is labelled.
    """
    devices = devices_of(truth)
    rows = [
        (device, number)
        for host, number in zip(found.hosts, found.group.tolist(), strict=True)
        if (device := devices.get(host.host) or devices.get(host.address))
    ]
    if not rows:
        raise ArchiveError("no labelled host in the archive; check --truth")
    return compared(rows)


def devices_of(labels: Sequence[Label]) -> dict[str, str]:
    """The device of each labelled host, less those that were several in turn: they have no one
    group to be in."""
    devices: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        devices[label.host].add(label.device)
    return {host: min(meant) for host, meant in devices.items() if len(meant) == 1}


def compared(rows: Sequence[tuple[str, int]]) -> list[str]:
    """How groups compare with devices, given each host's device and group, in lines to be printed.

    Purity is the share of hosts that are what most of their group are; B-cubed precision and recall
    (Bagga and Baldwin, "Entity-based cross-document coreferencing using the vector space model",
    1998) are means over hosts: of its group, how many are the same device; of its device, how many
    are in its group.
    """
    device, one = np.unique([name for name, _ in rows], return_inverse=True)
    group, number = np.unique([number for _, number in rows], return_inverse=True)
    hosts = np.zeros((len(device), len(group)), np.int64)
    np.add.at(hosts, (one, number), 1)
    there = hosts > 0
    exact = ((there & (there.sum(0) == 1)).any(1) & (there.sum(1) == 1)).sum()
    lines = [
        f"{len(rows)} hosts of {len(device)} devices in {len(group)} groups: {exact} devices are "
        f"exactly one group, purity {hosts.max(0).sum() / len(rows):.2f}, B-cubed precision "
        f"{(hosts**2 / hosts.sum(0)).sum() / len(rows):.2f} "
        f"recall {(hosts**2 / hosts.sum(1)[:, None]).sum() / len(rows):.2f}"
    ]
    for column in np.flatnonzero(there.sum(0) > 1).tolist():
        mixed = np.flatnonzero(there[:, column]).tolist()
        lines.append(
            f"in one group: {', '.join(f'{device[k]} ({hosts[k, column]})' for k in mixed)}"
        )
    lines += [f"in {there[k].sum()} groups: {device[k]}" for k in np.flatnonzero(there.sum(1) > 1)]
    return lines
