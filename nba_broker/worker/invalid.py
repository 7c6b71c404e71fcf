"""Counts what the worker drops, by kind, and logs the first of each kind."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator

LOG = logging.getLogger(__name__)


class InvalidMessages(Counter[str]):
    """The number of dropped messages of each kind; the worker goes on after every one of them."""

    def drop(self, kind: str, detail: str) -> None:
        """Count a message that was dropped; ``detail`` is for the log."""
        self[kind] += 1
        if self[kind] == 1:
            LOG.warning("dropped a message (%s); more of this kind are only counted", detail)

    def failed(self, error: Exception) -> None:
        """Count an internal error: a message that passed all checks, and that the code behind them
        cannot process."""
        kind = f"internal error ({type(error).__name__})"
        if not self[kind]:
            LOG.error("internal error; please report it", exc_info=error)
        self.drop(kind, repr(error))

    @contextlib.contextmanager
    def encoding(self, what: str) -> Iterator[None]:
        """Count an event of ours that cannot be encoded inside, and suppress the error."""
        try:
            yield
        except Exception as error:
            self.drop(f"cannot be encoded ({what})", f"a {what} cannot be encoded: {error!r}")
