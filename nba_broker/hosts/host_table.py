"""The hosts that hold a slot: name, latest address and latest MAC of each."""

from __future__ import annotations


class HostTable:
    """Gives each host a slot number; the number of a host that left goes to the next new host.

    A host's name is its MAC where one is known, else its address in its segment.
    """

    def __init__(self) -> None:
        self.slot_of: dict[str, int] = {}
        """Name of a host -> its slot."""
        self.name: list[str] = []
        """By slot: the host's name, "" where the slot is free."""
        self.address: list[str] = []
        """By slot: the IPv4 address in use, else the latest other address, in its segment."""
        self.mac_seen: list[str] = []
        """By slot: the MAC of the host's latest session that had one, "" before."""
        self._free: list[int] = []

    def add(self, name: str) -> int:
        """The slot of a new host."""
        if self._free:
            slot = self._free.pop()
            self.name[slot] = name
        else:
            slot = len(self.name)
            self.name.append(name)
            self.address.append("")
            self.mac_seen.append("")
        self.slot_of[name] = slot
        return slot

    def remove(self, slot: int) -> str:
        """Free a slot; returns the name of the host that held it."""
        name = self.name[slot]
        del self.slot_of[name]
        self.name[slot] = self.address[slot] = self.mac_seen[slot] = ""
        self._free.append(slot)
        return name

    def rename(self, old: str, new: str) -> None:
        """A host keeps its slot under another name."""
        slot = self.slot_of[new] = self.slot_of.pop(old)
        self.name[slot] = new
