"""The hosts' state in a file, so that a worker that starts again knows what the last one knew.

A snapshot is written in parts between the pipeline's work, a few thousand hosts each: every host
is consistent in itself, and no second copy of the state is ever held. The file is lines of JSON,
each followed by the bytes of the arrays it announces, and ends in the SHA-256 of all before;
nothing in it is code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.evidence import EVIDENCE, SHOWN
from nba_broker.hosts.address_table import Binding
from nba_broker.model.features import FEATURE_VERSION
from nba_broker.model.manifest import WINDOW_LIMIT
from nba_broker.model.windows import NO_POOL, Schedule
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.classes import Class
from nba_broker.records.errors import ConfigError, SnapshotError
from nba_broker.records.macs import is_mac
from nba_broker.records.ports import PROTOCOLS
from nba_broker.records.segments import bare
from nba_broker.records.sessions import Lease
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.applied_annotations import AppliedAnnotations
from nba_broker.verdicts.host_states import DEVICES
from nba_broker.verdicts.prototypes import Prototype
from nba_broker.verdicts.similarity import Profiles
from nba_broker.verdicts.states import NO_DEVICE
from nba_broker.wire.connection import Position

FORMAT = 4
FILE = "hosts.snapshot"

# What reading anything but a snapshot may raise: SnapshotError is raised instead.
_UNREADABLE = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    OSError,
)

# Of versions whose uids had 96 bits at most.
_FORMER_EVIDENCE = np.dtype(
    [(name, "S18" if name == "uid" else EVIDENCE[name]) for name in EVIDENCE.names or ()]
)
_PART = 512  # hosts whose state is copied at once: about 2 MB, a few milliseconds
_LINE = 1 << 26  # bytes of the longest line that makes sense
_DIGEST = hashlib.sha256().digest_size


def path_in(folder: Path) -> Path:
    """Where the snapshot of a state folder is; makes the folder. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"state: cannot write to {folder} ({error.strerror}); give the worker's user a folder"
        ) from error
    return folder / FILE


def parts(
    pipeline: Pipeline, positions: dict[str, Position], partition: int = 0
) -> Iterator[bytes]:
    """The state as it stands at each step; between steps the pipeline may go on.

    ``positions``: how far each node's sessions are accounted for. ``partition``: whose hosts.
    """
    identity, pools = pipeline.identity, pipeline.pools
    evidence = pipeline.baseline.evidence
    accounted = {node: tuple(position) for node, position in positions.items()}
    yield _line(_header(pipeline) | {"partition": partition, "positions": accounted})
    start = 0
    while start < identity.capacity:
        names = identity.names(start, start + _PART)
        start += _PART
        slots = np.array(list(names), np.int64)
        policy = pipeline.policy.columns.records(slots)
        labelled = slots[policy["label"] != NO_DEVICE].tolist()
        by = [pipeline.annotations.labelled_by[slot] for slot in labelled]
        odd = {row: evidence[slot] for row, slot in enumerate(names) if slot in evidence}
        yield b"".join(
            [
                _line({"hosts": list(names.values()), "odd": list(odd), "labelled_by": by}),
                _records(pipeline.columns(), slots).tobytes(),
                *(sessions.tobytes() for sessions in odd.values()),
                policy.tobytes(),
            ]
        )
    tables: dict[str, Mapping[str, Any]] = {
        "addresses": identity.addresses(),
        "hostnames": identity.hostnames(),
        "routers": identity.routers(),
        "turns": identity.turns(),
        "takes": identity.takes(),
        "bonds": identity.bonds(),
        "claims": identity.claims(),
    }
    for kind, state in tables.items():
        keys = iter(list(state))
        while some := list(islice(keys, 8 * _PART)):
            yield _line({kind: {key: state[key] for key in some if key in state}})
    leases = [dataclasses.astuple(lease) for lease in pipeline.timeline.timeline.tracker.leases]
    # Last, since the table of pools only grows: it names every index above.
    yield _line({"pools": pools.table, "leases": leases} | _taught(pipeline))


def write(path: Path, content: Iterable[bytes]) -> None:
    """Replace the file as a whole, or leave it as it was; raises OSError."""
    part = path.with_name(f"{path.name}.part")
    digest = hashlib.sha256()
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for block in content:
            digest.update(block)
            file.write(block)
        file.write(digest.digest())
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, has to outlive a power cut
    finally:
        os.close(folder)


def write_text(path: Path, name: str, text: str) -> None:
    """Replace the file of this name beside the snapshot, readable as it is; raises OSError."""
    part = path.with_name(f"{name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path.with_name(name))


def restore(
    path: Path, pipeline: Pipeline, partition: int | None = None, *, only_shown: bool = False
) -> dict[str, Position]:
    """Fill a new pipeline and return the positions; slots are given anew, without gaps.

    A snapshot of another model is taken up as a worker that runs takes another model over, unless
    it is ``only_shown``: then hosts have the names that the worker gave them, whatever the
    pipeline's own model, and no session may follow. Raises SnapshotError, after which the pipeline
    is not to be used, OSError, and ConfigError when the hosts are of another ``partition``.
    """
    with path.open("rb") as file:
        end = _verified(path, file)
        try:
            return _restore(path, file, end, pipeline, partition, only_shown)
        except _UNREADABLE as error:
            raise SnapshotError(f"{path}: not a snapshot of this worker ({error!r})") from error


def model_id(path: Path) -> str:
    """The model of the worker that wrote a snapshot, as the log's ``model`` has it; empty of a
    version that did not say it. Raises SnapshotError when it does not even begin as one."""
    with path.open("rb") as file:
        try:
            return str(_read_line(file).get("model_id", ""))
        except _UNREADABLE as error:
            raise SnapshotError(f"{path}: not a snapshot of this worker ({error!r})") from error


def set_aside(path: Path) -> Path:
    """Rename a snapshot that cannot be used; returns where it is now."""
    number = 1
    while (aside := path.with_name(f"{path.name}.bad-{number}")).exists():
        number += 1
    os.replace(path, aside)
    return aside


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"


def _header(pipeline: Pipeline) -> dict[str, Any]:
    manifest = pipeline.scorer.manifest
    return {
        "format": FORMAT,
        "feature_version": FEATURE_VERSION,
        "window": pipeline.windows.length,
        "classes": [[one.device, one.category] for one in manifest.classes],
        "layout": str(_layout(pipeline.columns())),
        "wide": pipeline.windows.wide,
        "evidence": str(EVIDENCE),
        "model": manifest.sha256,
        "model_id": manifest.id,
        "policy": str(pipeline.policy.columns.layout),
        "policy_bytes": pipeline.policy.columns.layout.itemsize,
    }


def _taught(pipeline: Pipeline) -> dict[str, Any]:
    """What analysts named, and how it behaves; features as the pools' table numbers them."""
    inventory, identity = pipeline.annotations, pipeline.identity
    return {
        "devices": [dataclasses.astuple(device) for device in inventory.taught],
        "prototypes": [
            {
                "host": name,
                "device": one.device,
                "sessions": one.sessions,
                "feature": one.profile.feature.tolist(),
                "root": one.profile.root.tolist(),
            }
            for one in inventory.prototypes
            for name, _ in identity.names(one.slot, one.slot + 1).values()
        ],
    }


def _layout(columns: dict[str, np.ndarray]) -> np.dtype:
    """One host's state as a record."""
    return np.dtype([(name, column.dtype, column.shape[1:]) for name, column in columns.items()])


def _records(columns: dict[str, np.ndarray], slots: np.ndarray) -> np.ndarray:
    records = np.empty(len(slots), _layout(columns))
    for name, column in columns.items():
        records[name] = column[slots]
    return records


def _verified(path: Path, file: BinaryIO) -> int:
    """The number of bytes before the digest, which fits them."""
    end = os.fstat(file.fileno()).st_size - _DIGEST
    digest = hashlib.sha256()
    left = end
    while left > 0 and (block := file.read(min(left, 1 << 20))):
        digest.update(block)
        left -= len(block)
    if end <= 0 or file.read() != digest.digest():
        raise SnapshotError(f"{path}: damaged or cut short (its SHA-256 does not fit)")
    file.seek(0)
    return end


def _restore(
    path: Path,
    file: BinaryIO,
    end: int,
    pipeline: Pipeline,
    partition: int | None,
    only_shown: bool,
) -> dict[str, Position]:
    identity = pipeline.identity
    header, manifest, settings = (
        _read_line(file),
        pipeline.scorer.manifest,
        pipeline.policy.settings,
    )
    theirs = header.get("partition", 0)
    if not isinstance(theirs, int):
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
    surprising = EVIDENCE if header.get("evidence") == ours["evidence"] else _FORMER_EVIDENCE
    for name in ("format", "feature_version", "layout"):
        if header[name] != ours[name]:
            # A layout is a page of text, which tells an operator nothing.
            of = "" if name == "layout" else f" {header[name]}, not {ours[name]}"
            raise SnapshotError(f"{path}: another version of this worker wrote it ({name}{of})")
    understood = header["policy"] == ours["policy"]
    policy_bytes = int(header["policy_bytes"])
    highest_pool = highest_device = -1
    slot_of: dict[str, int] = {}
    line: dict[str, Any] = {}
    while file.tell() < end:
        line = _read_line(file)
        if hosts := line.get("hosts"):
            records = _read_records(file, end, len(hosts), _layout(pipeline.columns()))
            _check_hosts(hosts, records, len(header["classes"]))
            odd = line["odd"]
            # Whatever has a surprise has its session here.
            if odd != np.flatnonzero(records["baseline_evidence_surprise"].any(1)).tolist():
                raise ValueError("surprises without their sessions")
            evidence = _read_records(file, end, len(odd) * SHOWN, surprising).astype(EVIDENCE)
            _check_evidence(evidence)
            for found in (records["pool"], evidence["pool"]):
                highest_pool = max(highest_pool, int(found.max(initial=-1)))
            slots = np.array([identity.admit(*host) for host in hosts], np.int64)
            pipeline.reserve(identity.capacity)
            slot_of.update(zip((key for key, _ in hosts), slots.tolist(), strict=True))
            _fill(pipeline.columns(), slots, records)
            sessions = evidence.copy().reshape(-1, SHOWN)
            pipeline.baseline.evidence.update(zip(slots[odd].tolist(), sessions, strict=True))
            if understood:
                layout = pipeline.policy.columns.layout
                records = _read_records(file, end, len(hosts), layout)
                _check_policy(records)
                highest_device = max(highest_device, *(int(records[n].max()) for n in DEVICES))
                pipeline.policy.columns.restore(slots, records)
                labelled = slots[records["label"] != NO_DEVICE].tolist()
                by = zip(labelled, map(str, line["labelled_by"]), strict=True)
                pipeline.annotations.labelled_by.update(by)
            else:
                file.seek(policy_bytes * len(hosts), os.SEEK_CUR)
                pipeline.policy.begin(slots, records["last_ts"])
        addresses, hostnames = line.get("addresses", {}), line.get("hostnames", {})
        for address in addresses:
            _check_address(bare(address))
        identity.learn(_texts(addresses), _texts(hostnames))
        for mac, (came, back, *first) in line.get("turns", {}).items():
            identity.turns()[mac] = _times(came), _times(back), _times(*first or [came])
        for zone, takes in line.get("takes", {}).items():
            identity.takes()[zone] = [(float(ts), str(mac)) for ts, mac in takes]
        for zone, claim in line.get("claims", {}).items():
            identity.claims()[zone] = _claim(**claim)
        identity.bonds().update(_texts(line.get("bonds", {})))
        identity.routers().update(_times(line.get("routers", {})))
    table = line["pools"]
    if len(set(table)) < len(table) or not all(isinstance(name, str) for name in table):
        raise ValueError("pools that are no names")
    if highest_pool >= len(table):
        raise ValueError("a pool without a name")
    pipeline.pools.restore(table)
    if understood:
        _restore_taught(line, highest_device, slot_of, pipeline.annotations)
    for ts, ip, *texts in line["leases"]:
        _check_address(ip)
        pipeline.lease(Lease(float(ts), ip, *map(str, texts)))
    if another and not only_shown:
        pipeline.reshape(
            manifest.schedule, manifest.classes, settings, ClassBaseline.of_model(manifest)
        )
    return {
        str(node): Position(str(run), int(sent))
        for node, (run, sent) in header["positions"].items()
    }


def _schedule(window: Any) -> Schedule:
    if not (isinstance(window, int) and 1 <= window <= WINDOW_LIMIT):
        raise ValueError(f"a window of {window!r}")
    return Schedule(window, window)


def _classes(header: dict[str, Any]) -> list[Class]:
    """What the numbers of devices mean in it."""
    classes = [Class(str(device), str(category)) for device, category in header["classes"]]
    if not 1 <= len(classes) < 1 << 15:
        raise ValueError("no classes, or too many")
    return classes


def _restore_taught(
    line: dict[str, Any],
    highest_device: int,
    slot_of: dict[str, int],
    inventory: AppliedAnnotations,
) -> None:
    for device, category in line["devices"]:
        inventory.number(str(device), str(category))
    devices = len(inventory.devices)
    if highest_device >= devices:
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
        slot = slot_of.get(one["host"])
        if slot is not None:
            profile = Profiles(np.zeros(1, np.int64), np.array([0, len(root)]), feature, root)
            sessions = int(one["sessions"])
            inventory.prototypes.add(Prototype(slot, int(one["device"]), sessions, profile))


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


def _fill(columns: dict[str, np.ndarray], slots: np.ndarray, records: np.ndarray) -> None:
    for name, column in columns.items():
        column[slots] = records[name]


def _check_hosts(hosts: list[tuple[str, str]], records: np.ndarray, classes: int) -> None:
    """Refuse what would stop the worker later."""
    for key, address in hosts:
        if not is_mac(key):
            _check_address(bare(key))
        if address:
            _check_address(bare(address))
    if not (
        (records["count"] > 0).all()
        and np.isfinite(records["last_ts"]).all()
        and np.isfinite(records["first_seen"]).all()
        and (records["ts"] < np.inf).all()  # -inf where a window grew
        and (records["pool"] >= NO_POOL).all()
        and (records["dport"] >= 0).all()
        and (records["dport"] < len(PROTOCOLS) << 16).all()
    ):
        raise ValueError("a host's sessions are out of range")
    _check_baselines(
        {
            name.removeprefix("baseline_"): records[name]
            for name in records.dtype.names or ()
            if name.startswith("baseline_")
        },
        classes,
    )


def _check_baselines(baseline: dict[str, np.ndarray], classes: int) -> None:
    if not (
        all(
            np.isfinite(baseline[name]).all() and (baseline[name] >= 0).all()
            for name in ("span", "mean_square", "hours", "mean", "variance", "since")
        )
        and np.isfinite(baseline["mean_surprise"]).all()
        and (baseline["since"] < 1 << 37).all()
        and (baseline["hour"] >= baseline["first_hour"]).all()
        and all(
            (baseline[name] >= 0).all()
            for name in (
                "first_hour",
                "cusum",
                "hour_surprise",
                "surprising_sessions",
                "evidence_surprise",
            )
        )
        and ((baseline["device_class"] >= 0) & (baseline["device_class"] <= classes)).all()
        and (baseline["new_pairs"] <= baseline["key"].shape[1]).all()
    ):
        raise ValueError("a host's baseline is out of range")


def _check_evidence(sessions: np.ndarray) -> None:
    if not (
        ((sessions["ts"] >= 0) & (sessions["ts"] < 1 << 37)).all()
        and (sessions["pool"] >= 0).all()
        and ((sessions["dport"] >= 0) & (sessions["dport"] < len(PROTOCOLS) << 16)).all()
        and (np.ascontiguousarray(sessions["uid"]).view(np.uint8) < 128).all()
    ):
        raise ValueError("a surprising session is out of range")


def _check_policy(records: np.ndarray) -> None:
    if not (
        all(
            ((records[name] >= low) & (records[name] < high)).all()
            for name, low, high in (
                ("state", 0, len(STATES)),
                ("was_state", 0, len(STATES)),
                ("underlying", 0, len(STATES)),
                *((name, -1, np.inf) for name in DEVICES),
            )
        )
        and np.isfinite(records["since"]).all()
        and np.isfinite(records["logged_at"]).all()
        and (records["ignored_until"] >= 0).all()
        and ((records["similarity"] >= 0) & (records["similarity"] <= 1)).all()
        and ((records["probability"] >= 0) & (records["probability"] <= 1.001)).all()
    ):
        raise ValueError("what was thought of a host is out of range")


def _check_address(text: str) -> None:
    socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def _claim(mac: str, hostname: str, ts: float, against: str, before: str) -> Binding:
    if not all(isinstance(text, str) for text in (mac, hostname, against, before)):
        raise TypeError("a lease that is none")
    return Binding(mac, hostname, float(ts), against, before)


def _texts(table: dict[str, str]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in table.values()):
        raise TypeError("a name that is no text")
    return table


def _times(table: dict[str, float]) -> dict[str, float]:
    if not all(np.isfinite(value) for value in table.values()):
        raise ValueError("a time that is none")
    return {key: float(value) for key, value in table.items()}
