"""A cluster of manager, logger, proxy and two sensors that zeekctl runs."""

from __future__ import annotations

from pathlib import Path

from testing.installed import TAPS, Installed

SENSORS = ("worker-1", "worker-2")
NODES = (
    ("logger-1", "type=logger"),
    ("manager", "type=manager"),
    ("proxy-1", "type=proxy"),
    *((name, f"type=worker\ninterface={tap}") for name, tap in zip(SENSORS, TAPS, strict=True)),
)


class Zeekctl(Installed):
    """What an operator does and sees with zeekctl."""

    def __init__(self, folder: Path, zeek: Path) -> None:
        super().__init__(folder, zeek, ("logs/20*", "spool/logger-1"))

    def deploy(self) -> None:
        """Start the cluster."""
        self.path("etc/node.cfg").write_text(
            "".join(f"[{name}]\nhost=localhost\n{kind}\n" for name, kind in NODES)
        )
        self.do("zeekctl", "deploy")

    def pid(self, node: str) -> str:
        """The process id of a node's Zeek on its machine."""
        return self.path(f"spool/{node}/.pid").read_text().strip()

    def kill(self, node: str) -> None:
        """End a node's Zeek without letting it clean up."""
        self.do("kill", "-9", self.pid(node))
