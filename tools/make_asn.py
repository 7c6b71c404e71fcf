"""Make the embedded ASN database from a MaxMind-format one: same answers, a third of the size.

    python -m tools.make_asn SOURCE.mmdb --out models/asn.mmdb.xz [--check ADDRESSES.txt]...

Two thirds of such a file are its search tree. Many of its subtrees occur more than once (one
network of an AS beside unassigned space looks like the next), and a reader never asks how it came
to a node: so equal subtrees are kept once. Breadth-first order and xz do the rest. The data behind
the tree, ASNs and organisations, is copied untouched.
"""

from __future__ import annotations

import argparse
import lzma
import random
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import maxminddb

NODE = 6  # bytes: two records of 24 bits


def main() -> None:
    """Shrink, compress, check and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=Path("models/asn.mmdb.xz"))
    parser.add_argument("--check", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--random", type=int, default=200_000, metavar="N")
    arguments = parser.parse_args()

    content = arguments.source.read_bytes()
    small = shrink(content)
    packed = lzma.compress(small, preset=9 | lzma.PRESET_EXTREME)
    arguments.out.write_bytes(packed)
    print(f"{arguments.source}: {len(content):,} bytes")
    print(f"equal subtrees kept once: {len(small):,} bytes")
    print(f"{arguments.out}: {len(packed):,} bytes")

    listed = [ip_address(line) for file in arguments.check for line in file.read_text().split()]
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(lzma.decompress(arguments.out.read_bytes()))
        copy.flush()
        old = maxminddb.open_database(arguments.source)
        new = maxminddb.open_database(copy.name)
        checked = check(old, new, listed, arguments.random)
        print(f"{checked:,} addresses have the same answer in both, {len(listed):,} of them listed")
        start = time.perf_counter()
        for address in listed or list(random_addresses(100_000)):
            new.get(address)
        each = (time.perf_counter() - start) / (len(listed) or 100_000)
        print(f"a look-up takes {each * 1e6:.1f} us")


def shrink(content: bytes) -> bytes:
    """The same database with equal subtrees kept once.

    Raises ValueError for a record size other than 24 bits.
    """
    marker = content.rindex(b"\xab\xcd\xefMaxMind.com")
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(content)
        copy.flush()
        metadata = maxminddb.open_database(copy.name).metadata()
    if metadata.record_size != 24:
        raise ValueError(f"a record size of {metadata.record_size} bits; only 24 are understood")
    count = metadata.node_count
    nodes = [
        (
            int.from_bytes(content[at : at + 3], "big"),
            int.from_bytes(content[at + 3 : at + 6], "big"),
        )
        for at in range(0, count * NODE, NODE)
    ]

    # Children first: a node is identified by its two records, not by its position.
    same_as = [-1] * count
    first_with: dict[tuple[int, int], int] = {}
    pending = [0]
    while pending:
        node = pending[-1]
        below = [child for child in nodes[node] if child < count and same_as[child] < 0]
        if below:
            pending += below
            continue
        pending.pop()
        left, right = (same_as[child] if child < count else child for child in nodes[node])
        nodes[node] = (left, right)
        same_as[node] = first_with.setdefault((left, right), node)

    # Breadth-first: neighbours then point to neighbours, which compresses best.
    number = {same_as[0]: 0}
    queue = deque(number)
    order: list[int] = []
    while queue:
        node = queue.popleft()
        order.append(node)
        for child in nodes[node]:
            if child < count and child not in number:
                number[child] = len(number)
                queue.append(child)

    # Records from node_count on point behind the tree, counted from its number of nodes.
    moved = len(order) - count
    tree = b"".join(
        (number[child] if child < count else child + moved).to_bytes(3, "big")
        for node in order
        for child in nodes[node]
    )
    return tree + content[count * NODE : marker] + _with_count(content[marker:], count, len(order))


def _with_count(metadata: bytes, old: int, new: int) -> bytes:
    """The metadata section with another node count of as many bytes."""
    size = (old.bit_length() + 7) // 8
    key = b"\x4anode_count" + bytes([0xC0 | size])
    if metadata.count(key + old.to_bytes(size, "big")) != 1:
        raise ValueError("no node_count in the metadata where the format has it")
    return metadata.replace(key + old.to_bytes(size, "big"), key + new.to_bytes(size, "big"))


def check(
    old: maxminddb.Reader,
    new: maxminddb.Reader,
    listed: list[IPv4Address | IPv6Address],
    randoms: int,
) -> int:
    """Compare both at the borders of every network, at random and at the listed addresses.

    Returns how many addresses were compared; raises SystemExit at the first difference.
    """
    checked = 0
    for addresses in (listed, random_addresses(randoms), _borders(old)):
        for address in addresses:
            if old.get(address) != new.get(address):
                raise SystemExit(f"{address}: {old.get(address)} became {new.get(address)}")
            checked += 1
    return checked


def _borders(database: maxminddb.Reader) -> Iterator[IPv4Address | IPv6Address]:
    for network, _ in database:
        first, last = network.network_address, network.broadcast_address
        yield first
        yield last
        if int(first):
            yield first - 1
        if int(last) < 2**network.max_prefixlen - 1:
            yield last + 1


def random_addresses(count: int) -> Iterator[IPv4Address | IPv6Address]:
    """Half IPv4, half IPv6 from the space in use (2000::/3), the same with every run."""
    draw = random.Random(1)
    for _ in range(count // 2):
        yield IPv4Address(draw.getrandbits(32))
        yield IPv6Address(1 << 125 | draw.getrandbits(125))


if __name__ == "__main__":
    main()
