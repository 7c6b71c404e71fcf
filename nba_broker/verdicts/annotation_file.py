"""The analysts' annotations: a CSV file that names, confirms and ignores hosts."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import ipaddress
import math
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO

from nba_broker.destinations.pools import FIXED
from nba_broker.records.addresses import Network, canonical, canonical_mac
from nba_broker.records.errors import AnnotationError
from nba_broker.records.name_patterns import pattern
from nba_broker.records.names import MAX_NAME
from nba_broker.records.times import END_OF_TIME, parse_time, print_time

ACTIONS = ("label", "confirm", "ignore")

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ASN = re.compile(r"as:?([0-9]{1,10})(/[a-z]{2})?", re.IGNORECASE)
_COUNTRY = re.compile(r"cc:[a-z]{2}", re.IGNORECASE)

# A text like this is an address, perhaps misspelt; it must not become a hostname.
_ADDRESS_LIKE = re.compile(r"[0-9.]+|.*[:/].*")

# A name has to fit into a log line's 256 bytes, "=0.12" included.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Annotation:
    """One row of the file, checked; the fields are its columns.

    ``at`` and ``expires`` are seconds since the epoch: 0 from the beginning, infinity never.
    ``host`` is a MAC (lower case, colons), an address as Zeek prints it, a network, a hostname
    (lower case), or "" for every host; ``pool`` a pool's name, an address or a network; ``name`` a
    pattern of names (see nba_broker.records.name_patterns).
    """

    at: float
    host: str
    action: str
    device: str = ""
    category: str = ""
    pool: str = ""
    reason: str = ""
    expires: float = math.inf
    name: str = ""

    @property
    def mac(self) -> str:
        """The MAC of the host, "" if ``host`` is none."""
        return self.host if _MAC.fullmatch(self.host) else ""

    @property
    def hosts(self) -> Network | None:
        """The network or single address of ``host``, as a network; None if it is neither."""
        return None if self.mac else _network(self.host)

    @property
    def one_address(self) -> bool:
        """Whether ``host`` is a single address."""
        network = self.hosts
        return network is not None and network.num_addresses == 1

    @property
    def destinations(self) -> Network | None:
        """The destinations of ``pool`` if it is an address, a network or a multicast group, which
        may be in another pool; else None."""
        return _network(self.pool.removeprefix("mcast:"))

    @property
    def of_destinations(self) -> bool:
        """Whether it is about destinations, by pool or name, not about all that a host does."""
        return bool(self.pool or self.name)

    @property
    def hostname(self) -> str:
        """The hostname of the host, "" if ``host`` is none."""
        return "" if self.mac or self.hosts is not None else self.host


COLUMNS = tuple(field.name for field in fields(Annotation))
"""The file's columns."""

_REQUIRED = COLUMNS[:3]


def read(path: Path) -> tuple[Annotation, ...]:
    """All annotations in the order of their time; raises AnnotationError at the first line that is
    not valid, and if the file cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _read(stream, str(path))
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not in UTF-8 ({error})") from error


def parse(row: Mapping[str, str], place: str) -> Annotation:
    """One row as an annotation; raises AnnotationError with a message that begins with
    ``place``."""
    try:
        return _parse({name: text.strip() for name, text in row.items()})
    except ValueError as error:
        raise AnnotationError(f"{place}: {error}") from None


def is_database_name(pool: str) -> bool:
    """Whether a pool's name is one of the schemes asn, asn+cc and cc."""
    return bool(_ASN.fullmatch(pool) or _COUNTRY.fullmatch(pool))


def check_pool(annotation: Annotation, own: Collection[str]) -> None:
    """Raise AnnotationError if the annotation ignores a pool in which no destination can be; own:
    the pools of the site's overrides."""
    pool = annotation.pool
    if not pool or annotation.destinations is not None or is_database_name(pool):
        return
    if pool not in FIXED and pool not in own:
        raise AnnotationError(
            f"{annotation.action}: no destination can be in the pool {pool!r}; give the pool as "
            "the evidence has it (as:15169), an address or network, or a pool of the overrides "
            "file (--overrides F.csv)"
        )


def misspelt(device: str, known: Iterable[str]) -> str:
    """The known name that differs from this one only in case or punctuation; "" if there is none,
    or if this name is known itself."""
    names = list(known)
    if device in names:
        return ""
    return next((name for name in names if _letters(name) == _letters(device)), "")


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def append(path: Path, row: Annotation) -> None:
    """Append a whole row, also while other processes append; creates the file if necessary.

    Raises AnnotationError, also if the file has an invalid line, because a worker would refuse the
    file.
    """
    try:
        with _locked(path) as stream, _whole(path, stream):
            before = stream.read()
            columns = COLUMNS
            if before.strip():
                _read(io.StringIO(before.removeprefix("\ufeff"), newline=""), str(path))
                header = before.removeprefix("\ufeff").splitlines()[0]
                columns = tuple(name.strip() for name in next(csv.reader([header])))
            values = asdict(row) | {"at": print_time(row.at), "expires": print_time(row.expires)}
            missing = [name for name, text in values.items() if text and name not in columns]
            if missing:
                raise AnnotationError(f"{path}:1: there is no column {', '.join(missing)}; add it")
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
            if not before.strip():
                writer.writeheader()
            elif not before.endswith("\n"):
                text.write("\n")
            writer.writerow(values)
            stream.seek(0, os.SEEK_END)
            stream.write(text.getvalue())
            stream.flush()
            os.fsync(stream.fileno())
    except FileNotFoundError as error:
        raise AnnotationError(f"{path}: there is no folder {path.parent} to write it in") from error
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not in UTF-8 ({error})") from error


@contextlib.contextmanager
def _whole(path: Path, stream: TextIO) -> Iterator[None]:
    """Undo the write if the disk is full: no partial row, and no file without its first line."""
    size = os.fstat(stream.fileno()).st_size
    try:
        yield
    except OSError:
        os.ftruncate(stream.fileno(), size)
        if not size:
            path.unlink(missing_ok=True)
        raise


def _locked(path: Path) -> TextIO:
    """The file, opened to read and append, and locked until it is closed."""
    while True:
        stream = path.open("a+", encoding="utf-8", newline="")
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        # An editor may have replaced the file while this process waited for the lock.
        try:
            if path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                return stream
        except FileNotFoundError:
            pass
        stream.close()


def _read(stream: Iterable[str], name: str) -> tuple[Annotation, ...]:
    reader = csv.DictReader(stream, strict=True)
    annotations = []
    try:
        reader.fieldnames = [field.strip() for field in reader.fieldnames or ()]
        _check_columns(reader.fieldnames, f"{name}:1")
        for row in reader:
            place = f"{name}:{reader.line_num}"
            if None in row or None in row.values():
                raise AnnotationError(
                    f"{place}: the line has another number of fields than the first line"
                )
            annotations.append(parse(row, place))
    except csv.Error as error:
        raise AnnotationError(f"{name}:{reader.line_num}: {error}") from error
    return tuple(sorted(annotations, key=lambda one: one.at))


def _check_columns(found: Sequence[str], place: str) -> None:
    """Raise AnnotationError unless these are the columns of an annotations file."""
    number = Counter(found)
    wrong = [f"{name!r:.50} is unknown" for name in number if name not in COLUMNS]
    wrong += [f"{name} is missing" for name in _REQUIRED if name not in number]
    wrong += [f"{name} is there twice" for name in COLUMNS if number[name] > 1]
    if wrong:
        raise AnnotationError(
            f"{place}: the first line is {','.join(found)!r:.200}: {', '.join(wrong[:5])}; it must "
            f"name the columns {','.join(_REQUIRED)} and may name "
            f"{','.join(COLUMNS[len(_REQUIRED) :])}"
        )


def _parse(row: dict[str, str]) -> Annotation:
    action = row["action"]
    if action not in ACTIONS:
        raise ValueError(f"action {action!r} is none of {', '.join(ACTIONS)}")
    host, pool, name = canonical_host(row["host"]), row.get("pool", ""), row.get("name", "")
    device, category = row.get("device", ""), row.get("category", "")
    for column, text in row.items():
        longest = MAX_NAME + 2 if column == "name" else _LONGEST
        if not text.isprintable() or len(text.encode()) > longest:
            raise ValueError(f"{column} {text!r} is too long or not printable")
    at, expires = _time(row, "at", 0.0), _time(row, "expires", math.inf)
    if not host and (action != "ignore" or not (pool or name)):
        raise ValueError("host is empty; only ignore with a pool or a name may mean every host")
    if pool and name:
        raise ValueError("pool and name exclude each other; give two annotations")
    if (action == "label") != bool(device):
        raise ValueError("device is for label, which needs one")
    if _names_a_host(device):
        raise ValueError(f"device {device!r} is a MAC or an address; give the host first")
    if category and action != "label":
        raise ValueError("category is only for label")
    if action != "ignore" and (pool or name or expires < math.inf):
        raise ValueError("pool, name and expires are only for ignore")
    if action == "confirm" and not at:
        raise ValueError("at is empty; confirm needs the time at which the host is right")
    if expires <= at:
        raise ValueError("expires is not after at")
    return Annotation(
        at=at,
        host=host,
        action=action,
        device=device,
        category=category,
        pool=_pool(pool),
        reason=row.get("reason", ""),
        expires=expires,
        name=pattern(name, for_addresses="pool") if name else "",
    )


def _names_a_host(text: str) -> bool:
    """Whether a text is a MAC in any notation, or an address."""
    return bool(_MAC.fullmatch(canonical_mac(text))) or _network(text) is not None


def _time(row: Mapping[str, str], name: str, otherwise: float) -> float:
    text = row.get(name, "")
    if not text:
        return otherwise
    try:
        seconds = parse_time(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    if not 0 < seconds < END_OF_TIME:
        raise ValueError(f"{name} {text!r} is not between 1970 and 2100")
    return seconds


def canonical_host(text: str) -> str:
    """A host as in :class:`Annotation`; raises ValueError."""
    text = canonical_mac(text.lower())
    if _MAC.fullmatch(text) and (int(text[:2], 16) & 1 or not text.strip("0:")):
        raise ValueError(f"host {text!r} is a MAC of a group, not of a host")
    if not text or _MAC.fullmatch(text):
        return text
    network = _network(text)
    if network is not None:
        address = network.network_address
        if address.is_multicast or (address.is_unspecified and network.prefixlen in (0, 32, 128)):
            raise ValueError(f"host {text!r} means no host or every host")
        return _printed(network)
    if _ADDRESS_LIKE.fullmatch(text):
        raise ValueError(f"host {text!r} is not a MAC, address, network or hostname")
    return text


def _pool(text: str) -> str:
    """A pool as in :class:`Annotation`; raises ValueError. It may be any word here: which pools
    there are depends on the overrides, see :func:`check_pool`."""
    network = _network(text)
    if network is not None:
        if not network.prefixlen:
            raise ValueError(f"pool {text!r} means every destination; ignore the host instead")
        return _printed(network)
    if asn := _ASN.fullmatch(text):
        return f"as:{int(asn[1])}{(asn[2] or '').lower()}"
    return text.lower() if _COUNTRY.fullmatch(text) else text


def _network(text: str) -> Network | None:
    """An address or network as a network; None if the text is neither."""
    try:
        if "/" not in text:
            text, _ = canonical(text)
        return _unmapped(ipaddress.ip_network(text))
    except (OSError, ValueError):
        return None


def _unmapped(network: Network) -> Network:
    """A network of IPv4-mapped addresses as the IPv4 network, as Zeek has them."""
    if network.version == 4 or network.prefixlen < 96:
        return network
    mapped = network.network_address.ipv4_mapped
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96)) if mapped else network


def _printed(network: Network) -> str:
    """A network as text; one of a single address as that address, as Zeek prints it."""
    if network.num_addresses > 1:
        return str(network)
    return canonical(str(network.network_address))[0]
