"""Takes over IP databases, overrides, annotations and models whose files change while the worker
runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database
from nba_broker.model.manifest import MANIFEST_FILE, MODEL_FILE, Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import AnnotationError, ConfigError, DatabaseError, ModelError
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.worker.invalid import InvalidMessages
from nba_broker.worker.pipeline_thread import PipelineThread
from nba_broker.worker.publisher import Publisher

LOG = logging.getLogger(__name__)

DATABASES_PERIOD = 10.0
"""Seconds between two looks at the IP databases, and at the overrides."""

ANNOTATIONS_PERIOD = 2.0
"""The same for annotations: an analyst waits for the effect."""

MODEL_PERIOD = 2.0
"""The same for the model: an operator waits for the effect of a rollback."""

Edition = tuple[int, int, int]


def _edition(path: Path) -> Edition | None:
    """Changes when a file is replaced or rewritten; None while it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class DatabaseWatcher:
    """Takes over IP databases that were replaced; if one is bad, all old ones stay in use."""

    def __init__(self, thread: PipelineThread, paths: Sequence[Path]) -> None:
        self._thread = thread
        self._editions = {path: _edition(path) for path in paths}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(DATABASES_PERIOD)
            editions = {path: _edition(path) for path in self._editions}
            if editions == self._editions:
                continue
            self._editions = editions
            try:
                databases = [await asyncio.to_thread(Database, path) for path in editions]
                await self._thread.call(self._thread.pipeline.pools.use, databases)
            except DatabaseError as error:
                LOG.error("%s; the old one stays in use", error)
                continue
            LOG.info("took over %s", ", ".join(map(str, editions)))


class OverrideWatcher:
    """Takes over overrides that were changed; if a line is bad, the old ones stay in use."""

    def __init__(self, thread: PipelineThread, path: Path | None) -> None:
        self._thread = thread
        self._path = path
        self._edition = _edition(path) if path else None

    async def run(self) -> None:
        """Watch until cancelled."""
        while self._path is not None:
            await asyncio.sleep(DATABASES_PERIOD)
            edition = _edition(self._path)
            if edition == self._edition:
                continue
            self._edition = edition
            try:
                rows = await asyncio.to_thread(overrides.read, self._path)
                await self._thread.call(self._thread.pipeline.pools.override, rows)
            except ConfigError as error:
                LOG.error("%s; the old overrides stay in use", error)
                continue
            LOG.info("took over %s", self._path)
        await asyncio.Event().wait()


class AnnotationWatcher:
    """Takes over annotations that were added or changed; if a line is bad, the old ones stay in
    use."""

    def __init__(
        self,
        thread: PipelineThread,
        publisher: Publisher,
        invalid: InvalidMessages,
        path: Path | None,
    ) -> None:
        self._thread = thread
        self._publisher = publisher
        self._invalid = invalid
        self._path = path
        self._edition: Edition | None = None

    async def start(self) -> None:
        """Read the file for the first time; raises AnnotationError if a line cannot be used."""
        if self._path is not None:
            await self._take_over(self._path)

    async def run(self) -> None:
        """Watch until cancelled."""
        while self._path is not None:
            await asyncio.sleep(ANNOTATIONS_PERIOD)
            edition = _edition(self._path)
            if edition == self._edition:
                continue
            if edition is None:
                self._edition = None
                LOG.error("%s is missing; the old annotations stay in use", self._path)
                continue
            try:
                await self._take_over(self._path)
            except AnnotationError as error:
                LOG.error("%s; the old annotations stay in use", error)
            except Exception as error:
                self._invalid.failed(error)
            else:
                LOG.info("took over %s", self._path)
        await asyncio.Event().wait()

    async def _take_over(self, path: Path) -> None:
        # Before the file is read, so that the next look sees a change made meanwhile.
        self._edition = _edition(path)
        annotations: Sequence[Annotation] = ()
        if self._edition is None:
            LOG.warning("%s does not exist yet; annotations are read once it does", path)
        else:
            annotations = await asyncio.to_thread(annotation_file.read, path)
        verdicts = await self._thread.call(self._thread.pipeline.annotate, annotations)
        await self._publisher.publish(verdicts)


class ModelWatcher:
    """Takes over a model that was installed or rolled back; if it is bad, the old one stays in use.

    folder: the model's folder; None watches nothing.
    load: makes a scorer of a model folder; raises ModelError.
    saving: held while a snapshot is written, as a snapshot is of one model.
    """

    def __init__(
        self,
        thread: PipelineThread,
        folder: Path | None,
        load: Callable[[Path], Scorer],
        saving: asyncio.Lock,
    ) -> None:
        self._thread = thread
        self._folder = folder
        self._load = load
        self._saving = saving
        self._editions = _model_editions(folder) if folder else ()

    async def run(self) -> None:
        """Watch until cancelled."""
        while self._folder is not None:
            await asyncio.sleep(MODEL_PERIOD)
            editions = _model_editions(self._folder)
            if editions == self._editions:
                continue
            # Before the files are read, so that the next look sees a change made meanwhile.
            self._editions = editions
            before = self._thread.pipeline.scorer.manifest
            try:
                scorer = await asyncio.to_thread(self._load, self._folder)
                if scorer.manifest.raw == before.raw:
                    continue
                async with self._saving:
                    await self._thread.call(self._thread.pipeline.use, scorer)
            except ModelError as error:
                LOG.error("%s; model %s stays in use", error, before.id)
                continue
            LOG.info("took over model %s", _change(before, scorer.manifest))
        await asyncio.Event().wait()


def _model_editions(folder: Path) -> tuple[Edition | None, ...]:
    """The editions of a model's files; they also change when a link leads to another folder."""
    return tuple(_edition(folder / name) for name in (MANIFEST_FILE, MODEL_FILE))


def _change(before: Manifest, now: Manifest) -> str:
    """Both models' ids, and what the change means for hosts."""
    text = f"{now.id} in place of {before.id}"
    known = {one.device for one in now.classes}
    lost = [one.device for one in before.classes if one.device not in known]
    if lost:
        text += f"; it does not know {', '.join(lost)}: hosts with these names are learned anew"
    if before.window != now.window:
        text += f"; hosts keep their last {min(before.window, now.window)} sessions"
    return text
