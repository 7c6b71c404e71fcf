"""Gives each distinct address, MAC and segment of an archive a number, so that rows stay small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.archive import log_values
from nba_broker.archive.networks import NEVER_HOSTS, PRIVATE, UNSPECIFIED, Networks
from nba_broker.records import uids
from nba_broker.records.addresses import canonical

ROW = np.dtype(
    [
        ("uid", uids.TEXT),
        ("ts", np.float64),
        ("host", np.int32),
        ("dst", np.int32),
        ("dport", np.int32),
        ("sport", np.int32),
        ("mac", np.int32),
        ("segment", np.int32),
        ("log", np.int32),
    ]
)
"""A session of an archive: ``host`` and ``dst`` are codes of addresses, ``mac`` and ``segment`` of
MACs and segments; ``log`` is the number of the file. ``dport`` is a ports.port_code."""

IS_PRIVATE, IS_LOCAL, IS_NEVER, IS_UNSPECIFIED = 1, 2, 4, 8
"""Bits of an address's kind: in private space, in a network given as local, never a host's
(loopback, multicast, broadcast), and the unspecified address."""


class Codes:
    """The codes of one archive. Code 0 stands for an invalid address, no MAC and no segment."""

    def __init__(self, local: Networks) -> None:
        self._local = local
        self._address_codes: dict[str, int] = {}  # of any spelling
        self.known_addresses = [""]
        self._kinds = bytearray(1)
        self._mac_codes: dict[str, int] = {"": 0}
        self._code_of_mac: dict[str, int] = {}  # of any spelling
        self._segment_codes: dict[str, int] = {"": 0}

    @property
    def addresses(self) -> np.ndarray:
        """Addresses by code, objects."""
        return np.array(self.known_addresses, dtype=object)

    @property
    def macs(self) -> list[str]:
        """MACs by code."""
        return list(self._mac_codes)

    @property
    def segments(self) -> list[str]:
        """Segments by code; see sessions.segment_name."""
        return list(self._segment_codes)

    @property
    def kinds(self) -> np.ndarray:
        """The kind of each address by code, uint8: a sum of the IS_ bits."""
        return np.frombuffer(self._kinds, dtype=np.uint8).copy()

    def address(self, text: str) -> int:
        """The code of an address in any spelling, 0 if it is invalid."""
        code = self._address_codes.get(text)
        if code is None:
            try:
                address, packed = canonical(text)
            except (OSError, ValueError):
                return 0
            code = self._address_codes.get(address)
            if code is None:
                code = self._address_codes[address] = len(self.known_addresses)
                self.known_addresses.append(address)
                self._kinds.append(
                    (IS_PRIVATE if packed in PRIVATE else 0)
                    | (IS_LOCAL if packed in self._local else 0)
                    | (IS_NEVER if packed in NEVER_HOSTS else 0)
                    | (IS_UNSPECIFIED if packed in UNSPECIFIED else 0)
                )
            self._address_codes[text] = code
        return code

    def mac(self, text: str) -> int:
        """The code of a MAC in any spelling, 0 if it is invalid; -1 for the broadcast MAC, which
        Zeek gives as the originator's after it has flipped a broadcast."""
        code = self._code_of_mac.get(text)
        if code is None:
            mac = log_values.mac(text)
            code = -1 if mac == log_values.BROADCAST else 0
            if mac and code == 0:
                code = self._mac_codes.setdefault(mac, len(self._mac_codes))
            self._code_of_mac[text] = code
        return code

    def segment(self, segment: str) -> int:
        """The code of a segment."""
        return self._segment_codes.setdefault(segment, len(self._segment_codes))


class Ties:
    """The order of sessions of the same time; it does not depend on the order of the files.

    Of rows that are the same session, the one that says most comes first. ``logs``: the names of
    the files, by number.
    """

    def __init__(self, codes: Codes, logs: Sequence[str]) -> None:
        self._codes = codes
        self._log_rank = np.empty(len(logs), np.int64)
        order = np.argsort(np.array(logs, dtype=object), kind="stable")
        self._log_rank[order] = np.arange(len(logs))

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """The keys to sort rows of ROW [n] by, arrays [n], most important last."""
        codes, place = np.unique(np.stack([rows["dst"], rows["host"]]), return_inverse=True)
        known = self._codes.known_addresses
        texts = np.array([known[code] for code in codes.tolist()], dtype=object)
        rank = np.empty(len(texts), dtype=np.int64)
        rank[np.argsort(texts, kind="stable")] = np.arange(len(texts))
        uid = np.ascontiguousarray(rows["uid"]).view(np.uint64).reshape(-1, uids.LENGTH // 8)
        dst, host = rank[place]
        return (
            self._log_rank[rows["log"]],
            rows["mac"] == 0,
            *uid.T,
            rows["sport"],
            rows["dport"],
            dst,
            self._segment_rank()[rows["segment"]],
            host,
        )

    def _segment_rank(self) -> np.ndarray:
        """The place of each segment among all, sorted as text; the unknown one is last."""
        texts = self._codes.segments
        rank = np.empty(len(texts), np.int64)
        rank[sorted(range(len(texts)), key=lambda n: (not texts[n], texts[n]))] = range(len(texts))
        return rank
