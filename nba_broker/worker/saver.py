"""Writes the snapshot: regularly, when asked, and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from pathlib import Path

from nba_broker.wire.accounting import Ledger
from nba_broker.worker import snapshot, snapshot_file
from nba_broker.worker.invalid import InvalidMessages
from nba_broker.worker.pipeline_thread import PipelineThread

LOG = logging.getLogger(__name__)

SHADOW_FILE = "shadow.json"


class Saver:
    """Writes one worker's snapshot, and the shadow's summary beside it.

    path: the snapshot's file; None writes nothing.
    interval: seconds between two snapshots.
    """

    def __init__(
        self,
        thread: PipelineThread,
        ledger: Ledger,
        invalid: InvalidMessages,
        path: Path | None,
        *,
        partition: int,
        interval: float,
    ) -> None:
        self.saving = asyncio.Lock()
        """Held while a snapshot is written: no model may be switched meanwhile."""
        self._thread = thread
        self._ledger = ledger
        self._invalid = invalid
        self._path = path
        self._partition = partition
        self._interval = interval
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Write a snapshot soon."""
        self._asked.set()

    async def run(self) -> None:
        """Write a snapshot every ``interval`` seconds, and whenever asked."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._asked.wait()
            self._asked.clear()
            await self.save()

    async def save(self) -> None:
        """Write a snapshot now; the last one stays if that fails."""
        if self._path is None:
            return
        async with self.saving:
            try:
                await self._write(self._path)
            except OSError as error:
                LOG.error("cannot write the snapshot (%s); the last one stays", error)
            except Exception as error:
                self._invalid.failed(error)

    async def _write(self, path: Path) -> None:
        """The file is written by a third thread, which asks the pipeline's thread for one part of
        the state after the other: the pipeline never stops for longer than a part takes."""
        pipeline = self._thread.pipeline
        parts = snapshot.parts(pipeline, self._ledger.positions(), self._partition)
        pulled = iter(lambda: self._thread.submit(next, parts, b"").result(), b"")
        await asyncio.to_thread(snapshot_file.write, path, pulled)
        if pipeline.shadow is not None:
            text = await self._thread.call(self._shadow_summary)
            await asyncio.to_thread(snapshot_file.write_text, path, SHADOW_FILE, text)

    def _shadow_summary(self) -> str:
        pipeline = self._thread.pipeline
        assert pipeline.shadow is not None
        running = pipeline.scorer.manifest.id
        summary = pipeline.shadow.summary(running)
        return json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
