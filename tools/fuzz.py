"""Throw broken input at everything that reads, and say what it did not take well.

    python -m tools.fuzz [TARGET...] [--number N] [--seed S] [--seconds T] [--keep DIR]

Each target has seeds of what it reads; mutations of them, the same for the same seed, may lead to
nothing but the project's own errors, each within 4 s, without the memory growing. ``--seconds``
ends a target early, on a slow machine. What fails is made smaller, and kept in DIR/TARGET.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import logging
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from nba_broker.archive import conn_log
from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import NBAError
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease, Sessions
from nba_broker.records.times import END_OF_TIME
from nba_broker.records.verdicts import REASONS, STATES
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.wire.connection import MAX_TEXT
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import config, snapshot
from nba_broker.worker.worker import Worker
from training.data import labels

FRAMES = Path(__file__).parents[1] / "tests/contract/frames"
LIMIT = 4.0  # seconds for one input: a sensor's whole backlog waits meanwhile
GROWTH = 128  # MB: the caches of addresses alone may take half of it
WARM = 10  # the memory counts from this part of the inputs on


class HangError(BaseException):
    """An input took longer than LIMIT; not an Exception, which a reader might catch."""


# Of every type that a column of Parquet may have, and what Python cannot hold of it.
_VALUES = (
    *(pa.scalar(None), pa.scalar(True), pa.scalar(-1), pa.scalar(2**64 - 1, pa.uint64())),
    *(pa.scalar(float("nan")), pa.scalar(1.5, pa.float16()), pa.scalar(Decimal("1700000000.5"))),
    *(pa.scalar("10.0.0.1"), pa.scalar(b"\xff"), pa.array([b"\xff"]).view(pa.string())[0]),
    *(pa.scalar("conn", pa.large_string()), pa.scalar(b"\n\0\0\1", pa.binary(4))),
    *(pa.scalar(2**53, pa.timestamp("us")), pa.scalar(-(2**63), pa.timestamp("ns", "UTC"))),
    pa.array([2**31 - 1], pa.int32()).view(pa.date32())[0],
    pa.array([-1], pa.int32()).view(pa.time32("s"))[0],
    *(pa.scalar(2**62, pa.duration("s")), pa.scalar([1.5]), pa.scalar({"orig_h": "10.0.0.1"})),
)


# --- mutations -------------------------------------------------------------------------------

_NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63),
    *(2**64 - 1, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e-320, 1e308, 4102444799.9, 4102444800.0),
    *(1e11, 1.7e9, 1.7e12, float("nan"), float("inf"), float("-inf"), True, False, None),
)
_TEXTS: tuple[Any, ...] = (
    *("", "-", "(empty)", "\0", "x" * 255, "x" * 257, "é" * 129, "x" * 70_000, "\u202e", "\ud800"),
    *("0.0.0.0", "::", "255.255.255.255", "::ffff:10.0.0.1", "fe80::1%eth0", "127.0.0.1", "1.2.3"),
    *("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0G", "01:00:5e:00:00:01"),
    *("65536/tcp", "99999/udp", "0/icmp", "443/?", "-1/tcp", "/", "443/tcp/udp", "NaN", "1e999"),
    *("vector", "string", "count", "real", "address", "port", "none", "record", "table", "time"),
    *("NBA::hello", "NBA::lease", "NBA::sessions", "NBA::verdict", "error", "../../etc/passwd"),
    *("2026-01-01", "9999-12-31T23:59:59+00:00", "0001-01-01", "identified", "label", "confirm"),
    *("ignore", "lan", "10.0.0.0/8", "0.0.0.0/0", "::/0", "as:64500", "=cmd()", "a,b", 'a"b'),
)
# Stand in for what json.dumps() itself would not write.
_DEEP = {
    **{f"@{n} lists": "[" * n + "]" * n for n in (2, 100, 400, 900, 1000, 100_000)},
    **{f"@{n} objects": '{"data":' * n + "1" + "}" * n for n in (2, 100, 400, 900, 1000)},
}
_BYTES = (
    *(b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b","),
    *(
        b'"',
        b"\\",
        b"\\x",
        b"\\u0000",
        b"\\ud800",
        b"[" * 2000,
        b'{"a":' * 2000,
        b"#",
        b"#fields\t",
    ),
    *(b"#separator \\x2c\n", b"NaN", b"1e999", b"-1", b"9" * 400, b"A" * 5000, b"=", b"[[", b"'''"),
)


def mangle(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four changes that know nothing of the format."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        to = min(to, at + rng.choice((1, 4, 16, 64, len(data))))
        kind = rng.randrange(8)
        if kind == 0 and data:  # a bit flips
            place = rng.randrange(len(data))
            data = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        elif kind == 1:  # cut short
            data = data[:at]
        elif kind == 2:  # a part is missing
            data = data[:at] + data[to:]
        elif kind == 3:  # a part comes twice
            data = data[:to] + data[at:to] + data[to:]
        elif kind == 4:  # spliced with another
            other = rng.choice(others)
            data = data[:at] + other[rng.randrange(len(other) + 1) :]
        elif kind == 5:  # something unpleasant put in
            data = data[:at] + rng.choice(_BYTES) + data[to if rng.random() < 0.5 else at :]
        elif kind == 6:  # noise
            data = data[:at] + rng.randbytes(to - at) + data[to:]
        else:  # one field is another's value
            parts = re.split(rb"([\t\n,\x00 ])", data)
            parts[rng.randrange(len(parts))] = rng.choice(parts)
            data = b"".join(parts)
    return data[: 1 << 20]


def bend(data: bytes, rng: random.Random) -> bytes:
    """One to three changes to a JSON document, which stays one."""
    try:
        document = json.loads(data)
    except ValueError:
        return data
    for _ in range(rng.choice((1, 1, 2, 3))):
        document = _bent(document, rng)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    for word, deep in _DEEP.items():
        text = text.replace(f'"{word}"', deep)
    if rng.random() < 0.05:  # a key that comes twice
        text = text.replace('"data"', '"data":1,"data"', 1)
    return text.encode("utf-8", "surrogatepass")


def _bent(document: Any, rng: random.Random) -> Any:
    """The document with one of its values changed."""
    places: list[tuple[Any, Any]] = []
    waiting = [document] if isinstance(document, dict | list) else []
    while waiting:
        node = waiting.pop()
        items = list(node.items() if isinstance(node, dict) else enumerate(node))
        places += [(node, key) for key, _ in items]
        waiting += [value for _, value in items if isinstance(value, dict | list) and value]
    if not places:
        return _other(document, rng)
    node, key = rng.choice(places)
    kind = rng.randrange(10)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, list):
        node.insert(key, node[key])
    elif kind == 2 and isinstance(node, dict):
        node[rng.choice(_TEXTS)] = node.pop(key)
    elif kind == 3:  # swapped with another place's value
        other, name = rng.choice(places)
        if name in other if isinstance(other, dict) else name < len(other):
            copy = json.loads(json.dumps(other[name]))
            node[key] = copy
    elif kind == 4:
        node[key] = rng.choice(tuple(_DEEP))
    else:
        node[key] = _other(node[key], rng)
    return document


def _other(value: Any, rng: random.Random) -> Any:
    """A value in place of this one, rather often of the same type."""
    kind = rng.randrange(6)
    if kind < 2:
        return rng.choice(_TEXTS if isinstance(value, str) else _NUMBERS)
    if kind == 2 and isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return value[:at] + chr(rng.randrange(1, 0xD7FF)) + value[at + 1 :]
    if kind == 2 and isinstance(value, int | float):
        return value + rng.choice((-1, 1, 0.5, 86400, -86400, 1e6))
    if kind == 3 and isinstance(value, list):
        return value * rng.choice((0, 2, 50))
    return rng.choice((*_NUMBERS, *_TEXTS, [], {}, [[]], {"@data-type": "string", "data": "x"}))


# --- targets ---------------------------------------------------------------------------------


@dataclass
class Target:
    """Something that reads: ``seed`` gives the n-th good input, ``read`` takes any."""

    name: str
    seed: Callable[[int, random.Random], bytes]
    read: Callable[[bytes], None]
    structured: bool = False  # whether seeds are JSON
    others: list[bytes] = field(default_factory=list)

    def inputs(self, number: int, seed: int) -> Iterator[bytes]:
        """So many inputs, the same for the same seed."""
        rng = random.Random(f"{self.name} {seed}")
        self.others = [self.seed(n, rng) for n in range(8)]
        for n in range(number):
            data = self.seed(n, rng)
            chance = rng.random()
            if self.structured and chance < 0.6:
                data = bend(data, rng)
            elif chance < 0.95:
                data = mangle(data, rng, self.others)
            yield data  # a few unharmed, so that there is something to break


def pipeline(scorer: Scorer, hosts: int = 256) -> Pipeline:
    """A small one, with the embedded database."""
    return Pipeline(
        Pools([_database()], cache=10_000),
        scorer,
        settings=DecisionSettings(),
        reorder=Reorder(hold=0.0, silence=0.05, settle=0.0),
        max_hosts=hosts,
        worker="fuzz",
    )


_DATABASES: list[Database] = []


def _database() -> Database:
    if not _DATABASES:
        _DATABASES.append(Database(config.shipped("asn.mmdb.xz")))
    return _DATABASES[0]


def traffic(number: int = 400) -> Sessions:
    """Sessions of eight hosts, in time order."""
    rng = random.Random(1)
    who = [rng.randrange(8) for _ in range(number)]
    return Sessions(
        1.7e9 + np.arange(number) * 7.5,
        [f"192.168.1.{n + 10}" for n in who],
        [f"C{n}" for n in range(number)],
        [f"02:00:00:00:00:0{n}" if n % 3 else "" for n in who],
        [rng.choice(("8.8.8.8", "1.1.1.1", "192.168.1.1", "224.0.0.251")) for _ in who],
        np.full(number, port_code(443, "tcp"), np.int32),
    )


class Zeek:
    """The worker's peer: gives one frame after the other and refuses what a manager would."""

    connected = True

    def __init__(self) -> None:
        self.frame = b""

    async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """The frame that is there."""
        yield self.frame

    async def send(self, frames: Sequence[str]) -> int:
        """Take what the worker says."""
        for frame in frames:
            check_sent(frame)
        return len(frames)


def check_sent(frame: str) -> None:
    """Raise AssertionError if a manager would not take it."""

    def plain(value: dict[str, Any]) -> Any:
        if value["@data-type"] == "vector":
            return [plain(item) for item in value["data"]]
        return value["data"]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    event, arguments = plain(json.loads(frame, parse_constant=refuse)["data"][2])
    for value in arguments:
        for text in value if isinstance(value, list) else [value]:
            assert not isinstance(text, str) or len(text.encode()) <= MAX_TEXT, frame
        assert not isinstance(value, list) or len(value) <= 16, frame
        assert not isinstance(value, int) or 0 <= value < 2**64, frame
    if event == "NBA::verdict":
        for at in (0, 12, 13):
            assert 0 <= arguments[at] < END_OF_TIME, frame
        assert 0 <= arguments[9] <= 1, frame
        assert arguments[5] in STATES, frame
        assert arguments[14] in REASONS, frame
        assert len(arguments[16]) <= 5, frame


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end what never really waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the worker waits for something")


class Frames:
    """Zeek's frames through the worker's own handling, with a snapshot now and then."""

    def __init__(self, folder: Path, scorer: Scorer) -> None:
        self._folder, self._scorer, self._read = folder, scorer, 0
        self._zeek = Zeek()
        self._pipeline = pipeline(scorer)
        self._waiting: list[Any] = []
        self._worker = Worker(
            self._zeek,  # type: ignore[arg-type]
            self._pipeline,
            name="fuzz",
            verdict_rate=1e9,
        )
        self._recorded = [path.read_bytes() for path in sorted(FRAMES.glob("*/*.json"))]
        self._sessions = json.loads((FRAMES / "9.1" / "sessions.json").read_text())

    def seed(self, n: int, rng: random.Random) -> bytes:
        """Mostly batches that go on where the last one ended."""
        if rng.random() < 0.3:
            return rng.choice(self._recorded)
        arguments = self._sessions["data"][2]["data"][1]["data"]
        arguments[0]["data"] = f"worker-{n % 3}"
        arguments[2]["data"] = arguments[3]["data"] = n + 1
        arguments[5]["data"] = now = 1.7e9 + n * 2.0
        for place, value in enumerate(arguments[6]["data"]):
            value["data"] = now - 1 + place / 10
        return json.dumps(self._sessions, separators=(",", ":")).encode()

    def read(self, data: bytes) -> None:
        """Take a frame as the worker does."""
        self._zeek.frame = data
        worker: Any = self._worker
        _finish(worker._receive())
        self._waiting += [worker._inbox.get_nowait() for _ in range(worker._inbox.qsize())]
        self._read += 1
        if self._read % 16 == 0 and self._waiting:  # as when they come fast
            said = worker._push(self._waiting)
            self._waiting.clear()
            _finish(worker._publish(said))
            _finish(worker._send_acks())
        if failed := [kind for kind in self._worker.invalid if kind.startswith("failure")]:
            self._worker.invalid.clear()
            raise AssertionError(f"the pipeline failed: {failed}")
        if self._read % 5000 == 0:
            self._save()

    def _save(self) -> None:
        """What frames led to can be restored."""
        path = self._folder / "frames.snapshot"
        snapshot.write(path, snapshot.parts(self._pipeline, self._worker.ledger.positions()))
        try:
            snapshot.restore(path, pipeline(self._scorer))
        except NBAError as error:
            raise AssertionError(f"its own snapshot is refused: {error}") from error


class Snapshots:
    """A snapshot with a digest that fits, restored, worked with and written once more."""

    def __init__(self, folder: Path, scorer: Scorer) -> None:
        self._path, self._scorer = folder / snapshot.FILE, scorer
        made = pipeline(scorer, 64)
        made.lease(Lease(1.7e9 + 60, "192.168.1.30", "02:00:00:00:00:05", "camera"))
        made.process(traffic())
        made.annotate(
            [annotation_file.Annotation(0.0, "192.168.1.11", "label", "Hall_Camera", "camera")]
        )
        self._good = b"".join(snapshot.parts(made, {}))
        self._more = traffic()
        self._more.ts += 4000

    def seed(self, n: int, rng: random.Random) -> bytes:
        """A good one; half of the time with one of its JSON lines bent."""
        if rng.random() < 0.5:
            return self._good
        starts = [match.start() for match in re.finditer(rb'(?:^|(?<=\n))\{"', self._good)]
        at = rng.choice(starts)
        end = self._good.index(b"\n", at)
        return self._good[:at] + bend(self._good[at:end], rng) + self._good[end:]

    def read(self, data: bytes) -> None:
        """Restore it."""
        self._path.write_bytes(data + hashlib.sha256(data).digest())
        made = pipeline(self._scorer, 64)
        positions = snapshot.restore(self._path, made)
        with np.errstate(all="ignore"):
            for verdict in made.process(self._more):
                Verdicts.check(verdict)
        snapshot.write(self._path, snapshot.parts(made, positions))
        try:
            snapshot.restore(self._path, pipeline(self._scorer, 64))
        except NBAError as error:
            raise AssertionError(f"what it led to is refused: {error}") from error


class Verdicts:
    """What a verdict has to be."""

    @staticmethod
    def check(verdict: Any) -> None:
        """Raise AssertionError unless a manager would take it."""
        from nba_broker.wire.connection import encode_verdict

        check_sent(encode_verdict(verdict))


class Files:
    """The readers of single files."""

    def __init__(self, folder: Path, scorer: Scorer) -> None:
        self.folder = folder
        self._pipeline = pipeline(scorer)
        self._answering = pipeline(scorer, 64)
        self._answering.process(traffic())
        model = folder / "model"
        model.mkdir(exist_ok=True)
        source = config.shipped("default")
        self._onnx = (source / "model.onnx").read_bytes()
        (model / "model.onnx").write_bytes(self._onnx)
        self._manifest = (source / "manifest.json").read_bytes()
        self._tsv = (
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
            b"#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tlocal_orig\t"
            b"orig_l2_addr\n#types\ttime\tstring\taddr\taddr\tport\tenum\tbool\tstring\n"
        )

    def conn_tsv(self, n: int, rng: random.Random) -> bytes:
        """A small conn.log, sometimes packed."""
        table = traffic(6)
        rows = b"".join(
            f"{ts:.6f}\t{uid}\t{host}\t{dst}\t443\ttcp\tT\t{mac or '-'}\n".encode()
            for ts, uid, host, dst, mac in zip(
                table.ts, table.uid, table.host, table.dst, table.mac, strict=True
            )
        )
        whole = self._tsv + rows
        return gzip.compress(whole, mtime=0) if n % 4 == 0 else whole

    def conn_json(self, n: int, rng: random.Random) -> bytes:
        """The same as JSON lines, some bent."""
        table = traffic(4)
        lines = []
        for ts, uid, host, dst, mac in zip(
            table.ts.tolist(), table.uid, table.host, table.dst, table.mac, strict=True
        ):
            row = {"_path": "conn", "ts": ts, "uid": uid, "id.orig_h": host, "id.resp_h": dst}
            row |= {"id.resp_p": 443, "proto": "tcp", "local_orig": True, "orig_l2_addr": mac}
            line = json.dumps(row).encode()
            lines.append(bend(line, rng) if rng.random() < 0.4 else line)
        return b"\n".join(lines) + b"\n"

    def conn_parquet(self, n: int, rng: random.Random) -> bytes:
        """The same as Parquet, a row group for every two rows; some have a column of another
        type, or a group without rows."""
        table = traffic(4)
        size = len(table.ts)
        columns: dict[str, Any] = {
            "_path": ["conn"] * size,
            "ts": table.ts,
            "uid": table.uid,
            "id.orig_h": table.host,
            "id.resp_h": table.dst,
            "id.resp_p": [443] * size,
            "proto": ["tcp"] * size,
            "local_orig": [True] * size,
            "orig_l2_addr": table.mac,
        }
        if rng.random() < 0.5:
            columns[rng.choice(list(columns))] = pa.repeat(rng.choice(_VALUES), size)
        whole, file = pa.table(columns), io.BytesIO()
        # Plain, so that a changed byte is another value and not only broken compression.
        with pyarrow.parquet.ParquetWriter(
            file, whole.schema, use_dictionary=n % 2 == 0, compression="none"
        ) as writer:
            for at in range(0, size, 2):
                writer.write_table(whole.slice(at, 2 if rng.random() < 0.9 else 0))
        return file.getvalue()

    def lake(self, data: bytes) -> None:
        """Read a conn log in Parquet and work on it."""
        self.conn(data, "conn.parquet")

    def conn(self, data: bytes, name: str = "conn.log") -> None:
        """Read a conn log and work on it."""
        path = self.folder / name
        path.write_bytes(data)
        with np.errstate(all="ignore"):
            for batch in conn_log.read([path]).batches():
                for verdict in self._pipeline.process(batch):
                    Verdicts.check(verdict)

    def dhcp_log(self, n: int, rng: random.Random) -> bytes:
        """A small dhcp.log."""
        if n % 2:
            row = {"ts": 1.7e9, "mac": "02:00:00:00:00:01", "assigned_addr": "192.168.1.11"}
            return bend(json.dumps(row | {"host_name": "camera"}).encode(), rng)
        return (
            b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
            b"#path\tdhcp\n#fields\tts\tmac\tassigned_addr\thost_name\tuids\n"
            b"#types\ttime\tstring\taddr\tstring\tset[string]\n"
            b"1700000000.5\t02:00:00:00:00:01\t192.168.1.11\tcamera\tC1,C2\n"
        )

    def dhcp(self, data: bytes) -> None:
        """Read a dhcp log beside a conn log."""
        (self.folder / "conn.dhcp.log").unlink(missing_ok=True)
        folder = self.folder / "dhcp"
        folder.mkdir(exist_ok=True)
        (folder / "conn.log").write_bytes(self.conn_tsv(1, random.Random(0)))
        (folder / "dhcp.log").write_bytes(data)
        archive = conn_log.read([folder / "conn.log"])
        for lease in archive.leases:
            self._pipeline.lease(lease)
        for batch in archive.batches():
            for verdict in self._pipeline.process(batch):
                Verdicts.check(verdict)

    def labels_csv(self, n: int, rng: random.Random) -> bytes:
        """A labels file."""
        return (
            b"host,device,category,since,until,log,unit\n"
            b"02:00:00:00:00:01,Hue,bulb,2026-01-01,2026-02-01T10:00:00+01:00,,a\n"
            b'192.168.1.10,"Cam, old",camera,1700000000,,conn.log,\nfe80::1,Hue,bulb,,,,b\n'
        )

    def labels(self, data: bytes) -> None:
        """Read it."""
        path = self.folder / "labels.csv"
        path.write_bytes(data)
        labels.read([path])

    def answers_csv(self, n: int, rng: random.Random) -> bytes:
        """A file of answers."""
        return (
            b"at,host,action,device,category,pool,reason,expires\n"
            b"2023-11-14,192.168.1.10,label,Hue,bulb,,seen,\n1700000500,192.168.1.11,confirm,,,,,\n"
            b",02:00:00:00:00:01,ignore,,,as:15169,dns,2040-01-01\n,,ignore,,,1.1.1.0/24,x,\n"
            b",camera,label,Cam,camera,,,\n"
        )

    def answers(self, data: bytes) -> None:
        """Read it and answer."""
        path = self.folder / "answers.csv"
        path.write_bytes(data)
        for verdict in self._answering.annotate(annotation_file.read(path)):
            Verdicts.check(verdict)

    def overrides_csv(self, n: int, rng: random.Random) -> bytes:
        """A file of overrides."""
        return b"cidr,pool\n10.0.0.0/8,office\n2001:db8::/32,lab\n192.0.2.1,printer\n"

    def overrides(self, data: bytes) -> None:
        """Read it and ask."""
        path = self.folder / "overrides.csv"
        path.write_bytes(data)
        rules = overrides.read(path)
        Pools([_database()], overrides=rules).ids(["10.0.0.1", "fe80::1"], ["192.0.2.1", "::1"])

    def manifest_json(self, n: int, rng: random.Random) -> bytes:
        """The shipped manifest."""
        return self._manifest

    def manifest(self, data: bytes) -> None:
        """Load the model with it."""
        (self.folder / "model/manifest.json").write_bytes(data)
        Scorer(self.folder / "model")

    def config_toml(self, n: int, rng: random.Random) -> bytes:
        """A configuration."""
        return (
            b'url = "wss://10.0.0.1:27761/v1/messages/json"\nmodel = "models/default"\n'
            b'pools = ["a.mmdb", "b.mmdb"]\nlocal = ["192.0.2.0/24"]\nlans = "10.0.0.0/23"\n'
            b'ca = "ca.pem"\ncert = "c.pem"\nkey = "k.pem"\nmetrics = "127.0.0.1:9464"\n'
            b"snapshot_interval = 60.0\nreorder = 0.1\nreminder = 86400\nmax_hosts = 100000\n"
        )

    def config(self, data: bytes) -> None:
        """Read it."""
        path = self.folder / "nba.toml"
        path.write_bytes(data)
        config.load(path, {}, {})

    def mmdb_file(self, n: int, rng: random.Random) -> bytes:
        """A database of two networks."""
        return mmdb()

    def mmdb(self, data: bytes) -> None:
        """Open it and look addresses up."""
        path = self.folder / "asn.mmdb"
        path.write_bytes(data)
        found = Database(path)
        for address in ("8.8.8.8", "200.1.2.3", "::1", "2001:db8::1"):
            found.place(address)


def mmdb() -> bytes:
    """A MaxMind-format database that says of the lower half of IPv4 what it does of the upper."""

    def encoded(value: Any) -> bytes:
        if isinstance(value, dict):
            return bytes([0xE0 | len(value)]) + b"".join(
                encoded(part) for pair in value.items() for part in pair
            )
        if isinstance(value, list):
            return bytes([len(value), 4]) + b"".join(map(encoded, value))
        if isinstance(value, str):
            size = [0x40 | len(value)] if len(value) < 29 else [0x40 | 29, len(value) - 29]
            return bytes(size) + value.encode()
        return bytes([0xC0 | 4]) + int(value).to_bytes(4, "big")  # uint32

    def short(value: int) -> bytes:
        return bytes([0xA0 | 2]) + value.to_bytes(2, "big")  # uint16

    def long(value: int) -> bytes:
        return bytes([8, 2]) + value.to_bytes(8, "big")  # uint64

    records = [
        encoded({"autonomous_system_number": n, "autonomous_system_organization": f"AS {n}"})
        for n in (64500, 64501)
    ]
    tree = b"".join((1 + 16 + at).to_bytes(3, "big") for at in (0, len(records[0])))
    metadata = {
        "node_count": encoded(1),
        "record_size": short(24),
        "ip_version": short(4),
        "database_type": encoded("Fuzz-ASN"),
        "languages": encoded(["en"]),
        "binary_format_major_version": short(2),
        "binary_format_minor_version": short(0),
        "build_epoch": long(1_700_000_000),
        "description": encoded({"en": "two networks"}),
    }
    described = b"".join(encoded(name) + value for name, value in metadata.items())
    marker = b"\xab\xcd\xefMaxMind.com"
    return b"".join((tree, bytes(16), *records, marker, bytes([0xE0 | len(metadata)]), described))


TARGETS = (
    *("frames", "conn", "conn-json", "parquet", "dhcp", "labels", "answers", "overrides"),
    *("manifest", "snapshot", "mmdb", "config"),
)


def target(name: str, folder: Path, scorer: Scorer) -> Target:
    """The target of this name, whose files lie in ``folder``."""
    if name == "frames":
        frames = Frames(folder, scorer)
        return Target(name, frames.seed, frames.read, structured=True)
    if name == "snapshot":
        snapshots = Snapshots(folder, scorer)
        return Target(name, snapshots.seed, snapshots.read)
    files = Files(folder, scorer)
    seeds = {
        "conn": (files.conn_tsv, files.conn),
        "conn-json": (files.conn_json, files.conn),
        "parquet": (files.conn_parquet, files.lake),
        "dhcp": (files.dhcp_log, files.dhcp),
        "labels": (files.labels_csv, files.labels),
        "answers": (files.answers_csv, files.answers),
        "overrides": (files.overrides_csv, files.overrides),
        "manifest": (files.manifest_json, files.manifest),
        "mmdb": (files.mmdb_file, files.mmdb),
        "config": (files.config_toml, files.config),
    }
    return Target(name, *seeds[name], structured=name == "manifest")


# --- the run ---------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a target did: inputs tried, refused, the failures by kind with an input of each, the
    slowest in seconds, and by how many MB the memory's peak grew after the first tenth."""

    tried: int = 0
    refused: int = 0
    failures: dict[str, bytes] = field(default_factory=dict)
    slowest: float = 0.0
    growth: float = 0.0


def verdict_on(read: Callable[[bytes], None], data: bytes) -> str | None:
    """None where it was read, "" where it was refused, else the failure's kind and place."""
    try:
        with _limit(LIMIT):
            read(data)
    except NBAError:
        return ""
    except (Exception, HangError) as error:
        if isinstance(error, HangError):
            return "HangError"
        steps = traceback.extract_tb(error.__traceback__)
        ours = [step for step in steps if "site-packages" not in step.filename]
        return f"{type(error).__name__} in {Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return None


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzz(tested: Target, number: int, seed: int, seconds: float = np.inf) -> Outcome:
    """Read so many mutated inputs, for so long at most."""
    found = Outcome()
    deadline = time.monotonic() + seconds
    before = 0.0
    for data in tested.inputs(number, seed):
        began = time.monotonic()
        said = verdict_on(tested.read, data)
        ended = time.monotonic()
        found.tried += 1
        found.refused += said == ""
        found.slowest = max(found.slowest, ended - began)
        if said == "HangError":  # the machine may have been busy elsewhere
            said = verdict_on(tested.read, data)
        if said:
            found.failures.setdefault(said, data)
        if found.tried <= max(number // WARM, 1):
            before = peak()
        if ended > deadline:
            break
    found.growth = peak() - before
    return found


def peak() -> float:
    """The most memory resident so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def smaller(read: Callable[[bytes], None], data: bytes, kind: str, seconds: float = 30.0) -> bytes:
    """A part of the input that fails alike, as small as it gets in this time."""
    deadline = time.monotonic() + seconds
    size = len(data) // 2
    while size and time.monotonic() < deadline:
        at = 0
        while at < len(data) and time.monotonic() < deadline:
            less = data[:at] + data[at + size :]
            if verdict_on(read, less) == kind:
                data = less
            else:
                at += size
        size //= 2
    return data


def main() -> int:
    """Fuzz the targets that are named, all by default."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--number", type=int, default=20_000, help="inputs per target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=np.inf, help="per target, at most")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where failing inputs go")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    bad = False
    logging.disable(logging.CRITICAL)
    scorer = Scorer(config.shipped("default"))
    for name in arguments.names or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            tested = target(name, Path(folder), scorer)
            found = fuzz(tested, arguments.number, arguments.seed, arguments.seconds)
            print(
                f"{name}: seed {arguments.seed}, {found.tried} inputs, {found.refused} refused, "
                f"{len(found.failures)} kinds of failure; slowest {found.slowest * 1e3:.0f} ms, "
                f"peak memory +{found.growth:.0f} MB",
                flush=True,
            )
            bad |= bool(found.failures) or found.growth > GROWTH
            for kind, data in found.failures.items():
                print(f"  {kind}", flush=True)
                data = smaller(tested.read, data, kind)
                print(f"    {data[:160]!r}{' ...' if len(data) > 160 else ''}", flush=True)
                if arguments.keep:
                    (arguments.keep / name).mkdir(parents=True, exist_ok=True)
                    file = hashlib.sha256(data).hexdigest()[:12]
                    (arguments.keep / name / file).write_bytes(data)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
