"""Writes the hosts' state to a file and restores it, so that a restarted worker continues.

A snapshot is written in parts between the steps of the pipeline. Each host's state is consistent,
and memory never holds a second copy of all hosts. The file consists of lines of JSON, each followed
by the bytes of the arrays that it announces, and ends with the SHA-256 of everything before. It
contains no code.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from nba_broker.baseline import evidence
from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.evidence import EVIDENCE, SHOWN
from nba_broker.baseline.missing import pools_of
from nba_broker.destinations.fair_table import NOBODY
from nba_broker.destinations.names import SavedRow
from nba_broker.model.features import FEATURE_VERSION
from nba_broker.model.manifest import WINDOW_LIMIT
from nba_broker.model.windows import Schedule
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.classes import Class
from nba_broker.records.errors import ConfigError, SnapshotError
from nba_broker.records.macs import is_mac
from nba_broker.records.segments import bare
from nba_broker.records.sessions import Lease
from nba_broker.records.slots import Columns
from nba_broker.verdicts.applied_annotations import AppliedAnnotations
from nba_broker.verdicts.host_states import DEVICES
from nba_broker.verdicts.prototypes import Prototype
from nba_broker.verdicts.similarity import Profiles
from nba_broker.verdicts.states import NO_DEVICE
from nba_broker.wire.accounting import Position
from nba_broker.worker import snapshot_evidence, snapshot_tables
from nba_broker.worker.snapshot_file import verified

FORMAT = 8

# Errors that the content of a wrong file may raise; they become SnapshotErrors.
_UNREADABLE = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    OSError,
)

_NAME_TABLES = ("names", "named_addresses")
_PART = 512  # hosts whose state is copied at once: about 2 MB, a few milliseconds
_LINE = 1 << 26  # bytes of a line at most


def parts(
    pipeline: Pipeline, positions: dict[str, Position], partition: int = 0
) -> Iterator[bytes]:
    """Yields the snapshot in parts; the pipeline may process sessions between two of them.

    positions: the last accounted session of each node. partition: the partition of the hosts.
    """
    identity, pools = pipeline.identity, pipeline.pools
    surprising = pipeline.baseline.evidence
    accounted = {node: tuple(position) for node, position in positions.items()}
    yield _line(_header(pipeline) | {"partition": partition, "positions": accounted})
    start = 0
    while start < identity.capacity:
        names = identity.names(start, start + _PART)
        start += _PART
        slots = np.array(list(names), np.int64)
        decided = pipeline.decider.columns.records(slots)
        labelled = slots[decided["label"] != NO_DEVICE].tolist()
        by = [pipeline.annotations.labelled_by[slot] for slot in labelled]
        odd = {row: surprising[slot] for row, slot in enumerate(names) if slot in surprising}
        line = {"hosts": list(names.values()), "odd": list(odd), "labelled_by": by}
        yield b"".join(
            [
                _line(line | {"evidence": _evidence(pipeline, slots, decided["state"])}),
                *(one.records(slots).tobytes() for one in _stages(pipeline).values()),
                *(sessions.tobytes() for sessions in odd.values()),
                decided.tobytes(),
            ]
        )
    for kind, state in snapshot_tables.of(pipeline).items():
        keys = iter(list(state))
        while some := list(islice(keys, 8 * _PART)):
            yield _line({kind: {key: state[key] for key in some if key in state}})
    yield from _names(pipeline)
    leases = [dataclasses.astuple(lease) for lease in pipeline.timeline.tracker.leases]
    # Last, because the table of pools only grows: it then has a name for every index above.
    site = pipeline.site.events.state()
    yield _line({"pools": pools.table, "leases": leases, "site": site} | _devices(pipeline))


def restore(
    path: Path, pipeline: Pipeline, partition: int | None = None, *, only_shown: bool = False
) -> dict[str, Position]:
    """Fill a new pipeline and return the positions; hosts get new slots, without gaps.

    A snapshot of another model is converted as in a running worker that switches models. With
    ``only_shown`` it is not: hosts keep the names that the worker gave them, and no session may
    follow. Raises SnapshotError, after which the pipeline must not be used, OSError, and
    ConfigError if the hosts are of another ``partition``.
    """
    with path.open("rb") as file:
        end = verified(path, file)
        try:
            return _restore(path, file, end, pipeline, partition, only_shown)
        except _UNREADABLE as error:
            raise SnapshotError(f"{path}: not a snapshot of this worker ({error!r})") from error


def model_id(path: Path) -> str:
    """The id of the model in a snapshot, as in the log's column ``model``; "" if the snapshot's
    version has none. Raises SnapshotError if the file does not begin as a snapshot."""
    with path.open("rb") as file:
        try:
            return str(_read_line(file).get("model_id", ""))
        except _UNREADABLE as error:
            raise SnapshotError(f"{path}: not a snapshot of this worker ({error!r})") from error


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"


def _header(pipeline: Pipeline) -> dict[str, Any]:
    manifest = pipeline.scorer.manifest
    return {
        "format": FORMAT,
        "feature_version": FEATURE_VERSION,
        "window": pipeline.windows.length,
        "classes": [[one.device, one.category] for one in manifest.classes],
        "layout": {name: str(one.layout) for name, one in _stages(pipeline).items()},
        "wide": pipeline.windows.wide,
        "model": manifest.sha256,
        "model_id": manifest.id,
        "secret": pipeline.baseline.secret.hex(),
        "decision": str(pipeline.decider.columns.layout),
        "decision_bytes": pipeline.decider.columns.layout.itemsize,
    }


def _evidence(pipeline: Pipeline, slots: np.ndarray, states: np.ndarray) -> list[list[Any]]:
    """The rows of hosts with evidence of their state, each with the evidence."""
    of = pipeline.state_evidence.of
    pairs = enumerate(zip(slots.tolist(), states.tolist(), strict=True))
    kept = ((row, of(slot, state)) for row, (slot, state) in pairs)
    return [[row, snapshot_evidence.written(why)] for row, why in kept if why]


def _devices(pipeline: Pipeline) -> dict[str, Any]:
    """The devices that analysts added, and the prototypes; features are numbered by the table of
    pools."""
    annotations, identity = pipeline.annotations, pipeline.identity
    return {
        "devices": [dataclasses.astuple(device) for device in annotations.added_devices],
        "prototypes": [
            {
                "host": name,
                "device": one.device,
                "sessions": one.sessions,
                "feature": one.profile.feature.tolist(),
                "root": one.profile.root.tolist(),
            }
            for one in annotations.prototypes
            for name, _ in identity.names(one.slot, one.slot + 1).values()
        ],
    }


def _stages(pipeline: Pipeline) -> dict[str, Columns]:
    """The columns of the stages whose layout must equal this version's, in the file's order."""
    return {
        "windows": pipeline.windows.columns,
        "first_seen": pipeline.first_seen.columns,
        "baseline": pipeline.baseline.columns,
        "site": pipeline.site.events.columns,
        "names": pipeline.names.columns,
    }


def _names(pipeline: Pipeline) -> Iterator[bytes]:
    """What the site's hosts asked for. After the hosts: a name whose number a host has, and which
    left meanwhile, is then not taken for another one."""

    def owner(slot: int) -> str:
        return "".join(key for key, _ in pipeline.identity.names(slot, slot + 1).values())

    for tables in pipeline.names.saved():
        for kind, rows in zip(_NAME_TABLES, tables, strict=True):
            yield _line({kind: [[*one[:2], owner(one.owner), *one[3:]] for one in rows]})


def _restore(
    path: Path,
    file: BinaryIO,
    end: int,
    pipeline: Pipeline,
    partition: int | None,
    only_shown: bool,
) -> dict[str, Position]:
    header, settings = _read_line(file), pipeline.decider.settings
    manifest = pipeline.scorer.manifest
    if not isinstance(theirs := header.get("partition", 0), int):
        raise TypeError("a partition that is no number")
    if partition not in (None, theirs):
        raise ConfigError(
            f"state: {path} has the hosts of partition {theirs}, and this worker is of partition "
            f"{partition}; give each partition a folder of its own"
        )
    ours = _header(pipeline)
    another = any(header[name] != ours[name] for name in ("model", "window", "classes"))
    if another:
        classes = _classes(header)
        pipeline.reshape(_schedule(header["window"]), classes, settings, ClassBaseline())
    if header.get("wide"):
        pipeline.windows.widen()
    ours = _header(pipeline)
    for name in ("format", "feature_version", "layout"):
        if header[name] != ours[name]:
            # A layout is a page of text that does not help an operator.
            of = "" if name == "layout" else f" {header[name]}, not {ours[name]}"
            raise SnapshotError(f"{path}: another version of this worker wrote it ({name}{of})")
    pipeline.baseline.rekey(bytes.fromhex(header["secret"]))
    # If the decision of that version has other columns, hosts start in ``learning`` again.
    same_decision = header["decision"] == ours["decision"]
    decision_bytes = int(header["decision_bytes"])
    if decision_bytes < 0:
        raise ValueError("a decision of less than no bytes")
    reader = _Hosts(pipeline, len(header["classes"]), None if same_decision else decision_bytes)
    line: dict[str, Any] = {}
    names: dict[str, list[Any]] = {kind: [] for kind in _NAME_TABLES}
    while file.tell() < end:
        line = _read_line(file)
        if "hosts" in line:
            reader.read(line, file, end)
        for kind in names.keys() & line.keys():
            names[kind] += line[kind]
        snapshot_tables.restore(line, pipeline, reader.slot_of)
    table = line["pools"]
    if len(set(table)) < len(table) or not all(isinstance(name, str) for name in table):
        raise ValueError("pools that are no names")
    if reader.highest_pool >= len(table):
        raise ValueError("a pool without a name")
    pipeline.pools.restore(table)
    pipeline.site.events.restore(line["site"], len(table))
    pipeline.names.restore(
        *([_saved_row(one, reader.slot_of) for one in rows] for rows in names.values())
    )
    if same_decision:
        _restore_devices(line, reader, pipeline.annotations)
    for ts, ip, mac, hostname, segment, *client in line["leases"]:
        snapshot_tables.check_address(ip)
        said = snapshot_tables.client(*client)  # an earlier version wrote none
        texts = str(mac), str(hostname), str(segment), said.vendor_class
        pipeline.lease(Lease(float(ts), ip, *texts, said.params))
    if another and not only_shown:
        pipeline.reshape(
            manifest.schedule, manifest.classes, settings, ClassBaseline.of_model(manifest)
        )
    return {
        str(node): Position(str(run), int(sent))
        for node, (run, sent) in header["positions"].items()
    }


class _Hosts:
    """Reads the hosts into the stages of a pipeline. classes: the number of the snapshot's classes.
    other_decision: the bytes of a host's decision if that has other columns, else None; such hosts
    start in ``learning`` again."""

    def __init__(self, pipeline: Pipeline, classes: int, other_decision: int | None) -> None:
        self.highest_pool = self.highest_device = -1
        self.slot_of: dict[str, int] = {}
        self._pipeline = pipeline
        self._classes = classes
        self._other_decision = other_decision

    def read(self, line: dict[str, Any], file: BinaryIO, end: int) -> None:
        """The hosts that a line announces."""
        pipeline, hosts, odd = self._pipeline, line["hosts"], line["odd"]
        _check_names(hosts)
        records = {
            name: _read_records(file, end, len(hosts), columns.layout)
            for name, columns in _stages(pipeline).items()
        }
        pipeline.windows.check(records["windows"])
        pipeline.first_seen.check(records["first_seen"])
        pipeline.baseline.check(records["baseline"], self._classes)
        pipeline.site.events.check(records["site"])
        pipeline.names.check(records["names"])
        # Every surprise needs its session.
        if odd != np.flatnonzero(records["baseline"]["evidence_surprise"].any(1)).tolist():
            raise ValueError("surprises without their sessions")
        sessions = _read_records(file, end, len(odd) * SHOWN, EVIDENCE)
        evidence.check(sessions)
        regular = pools_of(records["baseline"]["pair"])
        for pool in (records["windows"]["ring"]["pool"], sessions["pool"], regular):
            self.highest_pool = max(self.highest_pool, int(pool.max(initial=-1)))
        slots = np.array([pipeline.identity.admit(*host) for host in hosts], np.int64)
        pipeline.slots.reserve(pipeline.identity.capacity)
        self.slot_of.update(zip((key for key, _ in hosts), slots.tolist(), strict=True))
        for name, columns in _stages(pipeline).items():
            columns.restore(slots, records[name])
        of_hosts = zip(slots[odd].tolist(), sessions.copy().reshape(-1, SHOWN), strict=True)
        pipeline.baseline.evidence.update(of_hosts)
        if self._other_decision is None:
            self._read_decision(line, file, end, slots)
        else:
            file.seek(self._other_decision * len(hosts), os.SEEK_CUR)
            pipeline.decider.begin(slots, records["windows"]["last_ts"])

    def _read_decision(
        self, line: dict[str, Any], file: BinaryIO, end: int, slots: np.ndarray
    ) -> None:
        pipeline = self._pipeline
        records = _read_records(file, end, len(slots), pipeline.decider.columns.layout)
        pipeline.decider.check(records)
        for name in DEVICES:
            self.highest_device = max(self.highest_device, int(records[name].max(initial=-1)))
        pipeline.decider.columns.restore(slots, records)
        labelled = slots[records["label"] != NO_DEVICE].tolist()
        by = zip(labelled, map(str, line["labelled_by"]), strict=True)
        pipeline.annotations.labelled_by.update(by)
        for row, pieces in line.get("evidence", ()):  # 0.2.0 wrote none
            why, state = snapshot_evidence.read(pieces), int(records["state"][row])
            pipeline.state_evidence.take(int(slots[row]), state, why, began=True)


def _saved_row(row: Sequence[Any], slot_of: Mapping[str, int]) -> SavedRow:
    """A row of a table of names; ``slot_of``: the slots of the hosts that own rows."""
    number, key, owner, used, value = row
    return SavedRow(int(number), key, slot_of.get(owner, NOBODY), float(used), int(value))


def _schedule(window: Any) -> Schedule:
    if not (isinstance(window, int) and 1 <= window <= WINDOW_LIMIT):
        raise ValueError(f"a window of {window!r}")
    return Schedule(window, window)


def _classes(header: dict[str, Any]) -> list[Class]:
    """The classes of the snapshot's model, by number."""
    classes = [Class(str(device), str(category)) for device, category in header["classes"]]
    if not 1 <= len(classes) < 1 << 15:
        raise ValueError("no classes, or too many")
    return classes


def _restore_devices(line: dict[str, Any], hosts: _Hosts, annotations: AppliedAnnotations) -> None:
    for device, category in line["devices"]:
        annotations.number(str(device), str(category))
    devices = len(annotations.devices)
    if hosts.highest_device >= devices:
        raise ValueError("a device without a name")
    for one in line["prototypes"]:
        feature, root = np.array(one["feature"], np.int64), np.array(one["root"], np.float64)
        if not (
            0 <= one["device"] < devices
            and feature.shape == root.shape == (len(feature),)
            and (np.diff(feature) > 0).all()
            and ((root > 0) & (root <= 1)).all()
        ):
            raise ValueError("a prototype that is none")
        slot = hosts.slot_of.get(one["host"])
        if slot is not None:
            profile = Profiles(np.zeros(1, np.int64), np.array([0, len(root)]), feature, root)
            sessions = int(one["sessions"])
            annotations.prototypes.add(Prototype(slot, int(one["device"]), sessions, profile))


def _read_line(file: BinaryIO) -> dict[str, Any]:
    document = orjson.loads(file.readline(_LINE))
    if not isinstance(document, dict):
        raise TypeError("a line that is no object")
    return document


def _read_records(file: BinaryIO, end: int, number: int, layout: np.dtype) -> np.ndarray:
    size = number * layout.itemsize
    if file.tell() + size > end:
        raise ValueError("fewer hosts than announced")
    return np.frombuffer(file.read(size), layout)


def _check_names(hosts: list[tuple[str, str]]) -> None:
    """Raise an error unless the MACs and addresses of these hosts are valid."""
    for key, address in hosts:
        if not is_mac(key):
            snapshot_tables.check_address(bare(key))
        if address:
            snapshot_tables.check_address(bare(address))
