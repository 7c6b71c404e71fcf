"""Logs what an operator should know: every few seconds, and only what is new."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.wire.accounting import Ledger

LOG = logging.getLogger(__name__)

SLOW = 10.0
"""Seconds of lag from which on a warning is logged."""

_WIDER_LAN = "restart with --lans {lan}"
_CAPACITY = "if this continues, see the section on capacity in docs/operations.md"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a worker, and for how long, in seconds.

    lag: from the arrival of the oldest session of the last step, or of one that still waits, to its
    verdict.
    waited: how long the oldest message of the last step waited for the pipeline.
    messages: messages that wait for the pipeline.
    verdicts: verdicts that wait for Zeek.
    """

    lag: float
    waited: float
    messages: int
    verdicts: int


class Reports:
    """What one worker has logged so far."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, partition: int) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._partition = partition
        self._reported_at = 0.0
        # As last logged.
        # By node: sessions lost, skipped, and skipped at the start.
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._routers = set(pipeline.routers)
        self._no_sensor = False
        self._slow = False

    def report(self, connected: bool, joined: float, backlog: Backlog) -> None:
        """Log what is new since the last call.

        connected: whether Zeek is connected. joined: when the worker joined last, in monotonic
        seconds.
        """
        rejoined = joined >= self._reported_at
        self._reported_at = time.monotonic()
        self._report_routers()
        self._report_silence(connected and not rejoined)
        self._report_findings()
        self._report_lag(backlog)
        self._report_losses(rejoined, backlog)

    def _report_routers(self) -> None:
        routers = self._pipeline.routers.copy()  # the pipeline's thread goes on
        for mac in routers.keys() - self._routers:
            LOG.warning(
                "%s stands for several hosts (a router?); they are told apart by lease or address",
                mac,
            )
        self._routers = set(routers)

    def _report_silence(self, settled: bool) -> None:
        """Say once that no sensor sends anything for this partition."""
        silent = settled and not self._ledger.accounts
        if self._partition and silent and not self._no_sensor:
            self._no_sensor = True
            LOG.warning(
                "no sensor sends sessions for partition %d; check that NBA::partitions is at least "
                "%d",
                self._partition,
                self._partition + 1,
            )

    def _report_findings(self) -> None:
        """Log the lines that the stages of the pipeline have written."""
        pipeline = self._pipeline
        for line in pipeline.drift.warnings():
            LOG.warning("%s", line)
        for line in pipeline.wider.hints(_WIDER_LAN):
            LOG.warning("%s", line)
        for lines in (pipeline.intake.door.lines, pipeline.intake.mirrored.lines):
            while lines:
                LOG.warning("%s", lines.popleft())
        while pipeline.shadow is not None and pipeline.shadow.lines:
            LOG.info("%s", pipeline.shadow.lines.popleft())

    def _report_lag(self, backlog: Backlog) -> None:
        slow = backlog.lag > SLOW
        if slow and not self._slow:
            LOG.warning(
                "sessions wait %.1f s from their arrival to their verdict (%d messages and %d "
                "verdicts are queued)",
                backlog.lag,
                backlog.messages,
                backlog.verdicts,
            )
        self._slow = slow

    def _report_losses(self, rejoined: bool, backlog: Backlog) -> None:
        """Say which sensors' sessions did not arrive since the last time, and why."""
        for node, account in self._ledger.accounts.items():
            # A sensor that this worker hears for the first time counts since its own start.
            since = " since it started" if rejoined and node not in self._counts else ""
            lost, skipped, at_start = self._counts.get(node, (0, 0, 0))
            self._counts[node] = account.lost, account.skipped, account.skipped_at_start
            if account.lost > lost:
                LOG.warning(
                    "%d sessions of %s were lost: %s",
                    account.lost - lost,
                    node,
                    "the connection broke"
                    if rejoined
                    else "Zeek's cluster backend dropped them; raise its high-water marks",
                )
            new = account.skipped - skipped
            early = account.skipped_at_start - at_start
            reasons = {
                "the sensor had just started": early,
                f"this worker does not keep up ({backlog.messages} messages wait, "
                f"{backlog.waited:.1f} s behind); {_CAPACITY}": new - early,
            }
            if rejoined:
                reasons = {"no worker was connected": new}
            for reason, sessions in reasons.items():
                if sessions > 0:
                    LOG.warning("%s skipped %d sessions%s: %s", node, sessions, since, reason)
