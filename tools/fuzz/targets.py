"""What reads input from outside: for each, good inputs to be broken, and the reader."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.cli import config
from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.announcements import Announcement
from nba_broker.records.errors import MessageError, NBAError
from nba_broker.records.names import NO_NAMES
from nba_broker.records.sessions import Lease, Sessions, concatenate, part_of
from nba_broker.records.times import END_OF_TIME
from nba_broker.records.verdicts import REASONS, STATES, Verdict
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.wire.accounting import Ledger
from nba_broker.wire.checked import MAX_TEXT
from nba_broker.wire.codec import Announced, NameBatch, SessionBatch, decode, encode_verdict
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import snapshot, snapshot_file
from testing.traffic import Traffic, frame
from tools.fuzz.mutations import bent, mangled
from training.data import labels

FRAMES = Path(__file__).parents[2] / "tests/contract/frames"
SEEDS = Path(__file__).with_name("seeds")

Read = Callable[[bytes], None]

# Of every type that a column of Parquet may have, and what Python cannot hold of it.
VALUES = (
    *(pa.scalar(None), pa.scalar(True), pa.scalar(-1), pa.scalar(2**64 - 1, pa.uint64())),
    *(pa.scalar(float("nan")), pa.scalar(1.5, pa.float16()), pa.scalar(Decimal("1700000000.5"))),
    *(pa.scalar("10.0.0.1"), pa.scalar(b"\xff"), pa.array([b"\xff"]).view(pa.string())[0]),
    *(pa.scalar("conn", pa.large_string()), pa.scalar(b"\n\0\0\1", pa.binary(4))),
    *(pa.scalar(2**53, pa.timestamp("us")), pa.scalar(-(2**63), pa.timestamp("ns", "UTC"))),
    pa.array([2**31 - 1], pa.int32()).view(pa.date32())[0],
    pa.array([-1], pa.int32()).view(pa.time32("s"))[0],
    *(pa.scalar(2**62, pa.duration("s")), pa.scalar([1.5]), pa.scalar({"orig_h": "10.0.0.1"})),
)


class Target(NamedTuple):
    """Something that reads: inputs, most of them broken, and what takes them."""

    inputs: st.SearchStrategy[bytes]
    read: Read


class Bench:
    """The readers, with a folder for their files and a model to score with.

    Every input meets a new pipeline, so that what fails does so again.
    """

    def __init__(self, folder: Path, scorer: Scorer) -> None:
        self.folder = folder
        self.scorer = scorer

    def write(self, name: str, data: bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def pipeline(self) -> Pipeline:
        """A small one, with the embedded database."""
        return Pipeline(
            Pools([embedded()], cache=10_000),
            self.scorer,
            settings=DecisionSettings.of_model(self.scorer.manifest),
            reorder=Reorder(hold=0.0, silence=0.05, settle=0.0),
            max_hosts=64,
            worker="fuzz",
        )

    def frames(self) -> Target:
        """Zeek's frames, a line each: decoded, accounted for, and worked on."""
        recorded = [json.loads(path.read_bytes()) for path in sorted(FRAMES.glob("*/*.json"))]
        batches = (part_of(traffic(), at, at + 20) for at in range(0, 80, 20))
        made = [frame(batch, seq) for seq, batch in enumerate(batches, 1)]
        documents = [*map(json.loads, made), *recorded]

        def read(data: bytes) -> None:
            ledger, pipeline = Ledger(), self.pipeline()
            lines = data.split(b"\n")
            refused, answers = 0, NO_NAMES
            for number, line in enumerate(lines):
                try:
                    message = decode(line)
                    if isinstance(message, NameBatch):
                        answers = message.names
                    elif isinstance(message, SessionBatch) and ledger.enter(message):
                        pipeline.intake.add(
                            message.node, message.now, message.sessions, number / 10, answers
                        )
                    elif isinstance(message, Announced):
                        pipeline.announce(message.announcements, message.node)
                    elif isinstance(message, Lease):
                        pipeline.lease(message)
                except NBAError:
                    refused += 1
            check([*pipeline.flush(len(lines)), *pipeline.finish()])
            path = self.folder / "frames.snapshot"
            snapshot_file.write(path, snapshot.parts(pipeline, ledger.positions()))
            must_restore(path, self.pipeline())
            if refused == len(lines):
                raise MessageError("frames", "all of them are refused")

        line = bent(documents) | mangled(made) | st.sampled_from(made)
        return Target(st.lists(line, min_size=1, max_size=5).map(b"\n".join), read)

    def snapshot(self) -> Target:
        """A snapshot with a digest that fits: restored, worked with and written once more."""
        path, made = self.folder / snapshot_file.FILE, self.pipeline()
        made.lease(Lease(1.7e9 + 60, "10.0.0.3", "02:00:00:00:00:05", "camera"))
        said = float(traffic().ts[20])
        made.announce([Announcement(said, "10.0.0.2", one) for one in ("_hue._tcp", "md=B")])
        made.process(traffic())
        made.annotate([Annotation(0.0, "10.0.0.2", "label", "Hall_Camera", "camera")])
        good = b"".join(snapshot.parts(made, {}))
        ends = [match.span() for match in re.finditer(rb"(?m)^\{\".*$", good)]
        more = replace(traffic(), ts=traffic().ts + 4000)

        @st.composite
        def one_line_bent(draw: st.DrawFn) -> bytes:
            """The good one with one of its JSON lines bent."""
            start, end = draw(st.sampled_from(ends))
            return good[:start] + draw(bent([json.loads(good[start:end])])) + good[end:]

        def read(data: bytes) -> None:
            path.write_bytes(data + hashlib.sha256(data).digest())
            pipeline = self.pipeline()
            positions = snapshot.restore(path, pipeline)
            self.work(pipeline, [more])
            snapshot_file.write(path, snapshot.parts(pipeline, positions))
            must_restore(path, self.pipeline())

        return Target(one_line_bent() | mangled([good]), read)

    def conn(self) -> Target:
        """A conn.log in Zeek's own format, perhaps packed."""
        good = (SEEDS / "conn.log").read_bytes()
        return Target(mangled([good, gzip.compress(good, mtime=0)]), self._read_conn("conn.log"))

    def conn_json(self) -> Target:
        """A conn.log of JSON lines."""
        good = (SEEDS / "conn.json").read_bytes()
        lines = bent([json.loads(line) for line in good.splitlines()])
        lists = st.lists(lines, min_size=1, max_size=5).map(b"\n".join)
        return Target(lists | mangled([good]), self._read_conn("conn.log"))

    def parquet(self) -> Target:
        """A conn log as Parquet, a row group for every two rows; a column of another type."""

        rows = [json.loads(line) for line in (SEEDS / "conn.json").read_bytes().splitlines()]

        @st.composite
        def file(draw: st.DrawFn) -> bytes:
            columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
            if draw(st.booleans()):
                column = draw(st.sampled_from(list(columns)))
                columns[column] = pa.repeat(draw(st.sampled_from(VALUES)), len(rows))
            table, packed = pa.table(columns), io.BytesIO()
            # Plain, so that a changed byte is another value and not only broken compression.
            options = {"use_dictionary": draw(st.booleans()), "compression": "none"}
            with pyarrow.parquet.ParquetWriter(packed, table.schema, **options) as writer:
                for at in range(0, len(rows), 2):
                    writer.write_table(table.slice(at, draw(st.sampled_from((2, 2, 0)))))
            return packed.getvalue()

        inputs = file() | file().flatmap(lambda good: mangled([good]))
        return Target(inputs, self._read_conn("conn.parquet"))

    def _read_conn(self, name: str) -> Read:
        def read(data: bytes) -> None:
            archive = conn_log.read([self.write(name, data)])
            self.work(self.pipeline(), archive.batches())

        return read

    def dhcp(self) -> Target:
        """A dhcp.log beside a conn.log."""
        self.write("dhcp/conn.log", (SEEDS / "conn.log").read_bytes())
        good = [(SEEDS / name).read_bytes() for name in ("dhcp.log", "dhcp.json")]

        def read(data: bytes) -> None:
            path = self.write("dhcp/dhcp.log", data)
            archive, pipeline = conn_log.read([path.with_name("conn.log")]), self.pipeline()
            for lease in archive.leases:
                pipeline.lease(lease)
            self.work(pipeline, archive.batches())

        return Target(bent([json.loads(good[1])]) | mangled(good), read)

    def dns(self) -> Target:
        """A dns.log beside a conn.log."""
        self.write("dns/conn.log", (SEEDS / "conn.log").read_bytes())
        good = [(SEEDS / name).read_bytes() for name in ("dns.log", "dns.json")]

        def read(data: bytes) -> None:
            path = self.write("dns/dns.log", data)
            archive = conn_log.read([path.with_name("conn.log")], names=True)
            pipeline = self.pipeline()
            pipeline.announce(archive.names.announced.listed())
            with np.errstate(all="ignore"):
                for batch, names in archive.batches_with_names():
                    check(pipeline.process(batch, names))

        return Target(bent([json.loads(good[1])]) | mangled(good), read)

    def work(self, pipeline: Pipeline, batches: Iterable[Sessions]) -> None:
        """Process these sessions, and check the verdicts."""
        with np.errstate(all="ignore"):
            for batch in batches:
                check(pipeline.process(batch))

    def labels(self) -> Target:
        """A labels file."""
        return self._file("labels.csv", lambda path: labels.read([path]))

    def annotations(self) -> Target:
        """An analyst's file, applied to hosts that are known."""

        def read(path: Path) -> None:
            pipeline = self.pipeline()
            pipeline.process(traffic())
            check(pipeline.annotate(annotation_file.read(path)))

        return self._file("annotations.csv", read)

    def overrides(self) -> Target:
        """A file of overrides, and pools with them."""

        def read(path: Path) -> None:
            pools = Pools([embedded()], overrides=overrides.read(path))
            pools.ids(["10.0.0.1", "fe80::1"], ["192.0.2.1", "::1"])
            pools.of_names(["pool.ntp.org", "..", ""])

        return self._file("overrides.csv", read)

    def config(self) -> Target:
        """A configuration."""
        return self._file("config.toml", lambda path: config.load(path, {}, {}))

    def mmdb(self) -> Target:
        """A database of two networks, and addresses looked up in it."""

        def read(path: Path) -> None:
            found = Database(path)
            for address in ("8.8.8.8", "200.1.2.3", "::1", "2001:db8::1"):
                found.place(address)

        return self._file("mmdb.mmdb", read)

    def _file(self, name: str, read: Callable[[Path], object]) -> Target:
        def read_bytes(data: bytes) -> None:
            read(self.write(name, data))

        return Target(mangled([(SEEDS / name).read_bytes()]), read_bytes)

    def manifest(self) -> Target:
        """A model's manifest."""
        source = config.shipped("default")
        self.write("model/model.onnx", (source / "model.onnx").read_bytes())
        good = (source / "manifest.json").read_bytes()

        def read(data: bytes) -> None:
            Scorer(self.write("model/manifest.json", data).parent)

        return Target(bent([json.loads(good)]) | mangled([good]), read)


TARGETS = (
    *(
        "frames",
        "conn",
        "conn-json",
        "parquet",
        "dhcp",
        "dns",
        "labels",
        "annotations",
        "overrides",
    ),
    *("manifest", "snapshot", "mmdb", "config"),
)


def target(name: str, folder: Path, scorer: Scorer) -> Target:
    """The target of this name, whose files lie in ``folder``."""
    made = getattr(Bench(folder, scorer), name.replace("-", "_"))()
    assert isinstance(made, Target)
    return made


@cache
def embedded() -> Database:
    """The database that comes with the package."""
    return Database(config.shipped("asn.mmdb.xz"))


@cache
def traffic() -> Sessions:
    """Sessions of eight hosts, in time order."""
    return concatenate(list(Traffic(8).random(400)))


def must_restore(path: Path, pipeline: Pipeline) -> None:
    """Raise AssertionError if a snapshot that we wrote is refused."""
    try:
        snapshot.restore(path, pipeline)
    except NBAError as error:
        raise AssertionError(f"our own snapshot is refused: {error}") from error


def check(verdicts: Iterable[Verdict]) -> None:
    """Raise AssertionError unless Zeek's manager would take these verdicts."""
    for verdict in verdicts:
        check_frame(encode_verdict(verdict))


def check_frame(frame: str) -> None:
    """Raise AssertionError unless Zeek's manager would take this NBA::verdict."""

    def plain(value: dict[str, Any]) -> Any:
        if value["@data-type"] == "vector":
            return [plain(item) for item in value["data"]]
        return value["data"]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    _, arguments = plain(json.loads(frame, parse_constant=refuse)["data"][2])
    for value in arguments:
        for text in value if isinstance(value, list) else [value]:
            assert not isinstance(text, str) or len(text.encode()) <= MAX_TEXT, frame
        assert not isinstance(value, list) or len(value) <= 16, frame
        assert not isinstance(value, int) or 0 <= value < 2**64, frame
    for at in (0, 12, 13):
        assert 0 <= arguments[at] < END_OF_TIME, frame
    assert 0 <= arguments[9] <= 1, frame
    assert arguments[5] in STATES, frame
    assert arguments[14] in REASONS, frame
    assert len(arguments[16]) <= 5, frame
