"""Finds the conn, dhcp and dns logs of an archive, by their names or content."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO, TypeVar

from nba_broker.archive import lake_tables, log_columns, parquet, zeek_log
from nba_broker.archive.log_columns import kind
from nba_broker.archive.log_values import text
from nba_broker.records.errors import ArchiveError

T = TypeVar("T")

_STRICT = {
    name: re.compile(rf"{name}\..*|.*\.{name}\.log.*", re.IGNORECASE)
    for name in ("conn", "dhcp", "dns")
}
_PACKED = r"(?:\.(?:gz|gzip|bz2|xz|lzma|zst|zstd|lz4))"
_CONTAINER = r"(?:\.(?:zip|tar|tgz|tbz2?|txz|tzst))"
# Names of logs: a word, and what rotation, collectors and packers add to it.
_LOG_NAME = re.compile(
    rf".*\.(?:log|json|ndjson|jsonl|tsv|labeled)(?:[.\-_]?[0-9T:+Z.\-_]+)?(?:\.labeled)?"
    rf"{_PACKED}*{_CONTAINER}?{_PACKED}*|[^.]*(?:{_CONTAINER}|{_PACKED}){_PACKED}*|.*\.log[.\-_].*{_PACKED}?",
    re.IGNORECASE,
)
_NOT_A_LOG = re.compile(
    r".*\.(?:pcap|pcapng|cap|erf|csv|html?|xml|md|py|zeek|bro|sig|sh|cfg|conf|ini|toml|ya?ml|pdf"
    r"|png|svg|xlsx?|sqlite|db|md5|sha\d+|sha\d+sum|asc|crc|swp|bak~?)"
    rf"{_PACKED}?|.*~",
    re.IGNORECASE,
)
_LAKE_NAME = re.compile(r".*\.(?:parquet|parq|pq)", re.IGNORECASE)
# Files of Zeek that are no logs: its output, and trace-summary's text.
_NO_ROWS = re.compile(r"(?:std(?:out|err)|.*conn-summary.*|loaded_scripts|prof)\b.*", re.IGNORECASE)
_COMMAS = re.compile(rf".*\.csv{_PACKED}?", re.IGNORECASE)
_ENDINGS = frozenset(
    {"log", "json", "ndjson", "jsonl", "tsv", "labeled", "gz", "gzip", "bz", "xz", "lzma", "zst"}
    | {"zstd", "lz", "zip", "tar", "tgz", "t", "z"}
)
_HEAD = 256 << 10  # bytes of a file that show what it holds
_UNTOLD = "nothing in it says which log it is"
_NAMED = 3  # files to name if there are more


@dataclass(slots=True)
class Found:
    """The files of an archive, each once: ``conn`` may have sessions, ``dhcp`` leases, ``dns``
    names. guessed: absolute paths of conn logs whose name does not say so. errors: a line for each
    path that does not exist or cannot be read. unread: files that look like logs, and why they are
    not read."""

    conn: list[str | Path] = field(default_factory=list)
    dhcp: list[str | Path] = field(default_factory=list)
    dns: list[str | Path] = field(default_factory=list)
    guessed: frozenset[str] = frozenset()
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def unread_line(self) -> str:
        """The unread files in one line."""
        named = ", ".join(f"{path.name} ({why})" for path, why in self.unread[:_NAMED])
        more = f" and {len(self.unread) - _NAMED} more" if len(self.unread) > _NAMED else ""
        one = len(self.unread) == 1
        files = (
            "1 file looks like a log and is"
            if one
            else (f"{len(self.unread)} files look like logs and are")
        )
        return f"{files} not read: {named}{more}"


def find(paths: Iterable[str | Path]) -> Found:
    """The conn logs that the paths name or contain, and the dhcp and dns logs beside them.

    In folders, files are recognized by name, or by content if the name says nothing; Parquet files
    by their columns.
    """
    finder = _Finder()
    for given in paths:
        finder.add(given)
    return finder.found()


class _Finder:
    def __init__(self) -> None:
        self._of_kind: dict[str, dict[str, str | Path]] = {"conn": {}, "dhcp": {}, "dns": {}}
        self._guessed: dict[str, str] = {}  # real path -> name
        self._other_words: set[str] = set()
        self._result = Found()

    def found(self) -> Found:
        result = self._result
        result.conn, result.dhcp, result.dns = map(list, map(dict.values, self._of_kind.values()))
        conn = {os.path.realpath(path): path for path in result.conn if str(path) != "-"}
        guessed = [conn[real] for real in self._guessed if real in conn]
        result.guessed = frozenset(os.path.abspath(path) for path in guessed)
        if result.unread:
            result.warnings.append(result.unread_line)
        return result

    def add(self, given: str | Path) -> None:
        path = Path(given)
        try:
            is_folder = path.is_dir()
        except OSError as error:  # a folder above may not be searchable
            self._fail(given, error)
            return
        if str(given) == "-":
            self._of_kind["conn"].setdefault("-", "-")
        elif is_folder:
            self._add_folder(path)
        elif not path.exists():
            self._result.errors.append(f"{given}: no such file or folder")
        elif _LAKE_NAME.fullmatch(path.name):
            self._add(_lake_kind(path) or "conn", path)
        elif _STRICT["dhcp"].fullmatch(path.name):
            self._add("dhcp", path)
        else:
            self._add("conn", path)
            for log in ("dhcp", "dns"):
                if beside := _beside(path, log):
                    self._add(log, beside)

    def _add(self, log: str, path: Path) -> None:
        self._of_kind[log].setdefault(os.path.realpath(path), path)

    def _fail(self, path: str | Path, error: Exception) -> None:
        text = error.strerror if isinstance(error, OSError) and error.strerror else error
        self._result.errors.append(f"{path}: {text}")

    def _add_folder(self, top: Path) -> None:
        tables = lake_tables.Tables()
        for file in _walk(top, self._result, tables):
            if _LAKE_NAME.fullmatch(file.name):
                if not (_is_set_aside(file.relative_to(top)) or tables.is_removed(file)):
                    self._add_of_lake(file)
                continue
            if not _NOT_A_LOG.fullmatch(file.name):
                log = next((one for one in _STRICT if _STRICT[one].fullmatch(file.name)), "")
                if log and not _NO_ROWS.fullmatch(file.name):
                    self._add(log, file)
                elif not _NO_ROWS.fullmatch(file.name) and (
                    _LOG_NAME.fullmatch(file.name) or "conn" in _words(file.name)
                ):
                    self._look_into(file)
            elif _is_comma_table(file.name):
                self._result.unread.append((file, "values between commas are not read"))
        self._result.errors += tables.errors
        self._result.warnings += tables.warnings

    def _add_of_lake(self, file: Path) -> None:
        if log := _lake_kind(file):
            self._add(log, file)
        elif log_columns.may_be_conn(parquet.columns(file)):
            self._result.unread.append((file, _UNTOLD))

    def _look_into(self, file: Path) -> None:
        """Add a file by its content, because its name does not say what it is."""
        words = _words(file.name)
        word = "_".join(words)
        if word in self._other_words:
            return
        try:
            holds = _holds(file)
        except ArchiveError as error:
            if {"conn", "zeek", "bro"} & set(words) or "not read" in str(error):
                self._result.unread.append((file, str(error)))
            return
        except OSError as error:
            self._fail(file, error)
            return
        log = next((one for one in ("conn", "dhcp", "dns") if one in holds), "")
        if log and len(holds) == 1:
            self._add(log, file)
            if log == "conn" and "conn" not in words:
                self._guessed[os.path.realpath(file)] = file.name
        elif len(holds) == 1 and word and _is_called(word, next(iter(holds))):
            self._other_words.add(word)
        elif "?" in holds and len(holds) == 1:
            self._result.unread.append((file, _UNTOLD))
        elif holds:
            self._add("conn", file)  # the reader sorts its rows by log
            self._guessed[os.path.realpath(file)] = file.name


def told_by_name(path: str) -> bool | None:
    """Whether a file is a log by its name; None if the name does not say."""
    name = PurePath(path).name
    if _NOT_A_LOG.fullmatch(name) or _NO_ROWS.fullmatch(name):
        return _is_comma_table(name)
    names = (_LOG_NAME, _LAKE_NAME, *_STRICT.values())
    return True if any(one.fullmatch(name) for one in names) else None


def logs_in(path: str | Path, read: Callable[[str, BinaryIO], Iterator[T]]) -> Iterator[T]:
    """The results of ``read`` for each log in a file; it gets the log's name, "" outside of zip and
    tar files, and its content. In zip and tar files, files that are no logs are skipped. Raises
    ArchiveError, after all logs, if one cannot be read, or OSError."""
    failures: list[str] = []
    try:
        for name, stream in zeek_log.streams(path):
            if name and told_by_name(name) is False:
                continue
            try:
                yield from read(name, stream)
            except ArchiveError as error:
                if not name:
                    raise
                if told_by_name(name):
                    failures.append(f"{name}: {error}")
    except ArchiveError:
        if not failures:  # else the damage is what made the last log fail
            raise
    if failures:
        more = f" (and {len(failures) - 1} more such files in it)" if len(failures) > 1 else ""
        raise ArchiveError(failures[0] + more)


def _is_called(word: str, log: str) -> bool:
    """Whether a file's name says that it is this log, and not a stream of several."""
    return f"_{log.lower()}_".replace("-", "_") in f"_{word}_" or word in log.lower()


def _is_comma_table(name: str) -> bool:
    """Whether a file is a conn log as comma-separated values, which is not read."""
    return bool(_COMMAS.fullmatch(name)) and "conn" in _words(name)


def _words(name: str) -> list[str]:
    """The words of a file's name, without those for its format and packing."""
    return [one for one in re.split("[^a-z]+", name.lower()) if one and one not in _ENDINGS]


def _holds(path: Path) -> set[str]:
    """The names of the logs whose rows a file has at its start: none if it is not a Zeek log, "?"
    for rows of Zeek that do not say which log. Raises ArchiveError or OSError."""
    if parquet.is_parquet(path):
        return {log} if (log := _lake_kind(path)) else set()
    found: set[str] = set()
    for number, (name, stream) in enumerate(zeek_log.streams(path)):
        if number:
            return found | {"several"}
        if name and told_by_name(name) is False:
            continue
        head = b""
        while len(head) < _HEAD and (part := stream.read1(_HEAD)):  # type: ignore[attr-defined]
            head += part
        found = _logs_in(head)
    return found


def _logs_in(head: bytes) -> set[str]:
    found = set()
    try:
        for header, body in zeek_log.of_head(head):
            # A name in each row of TSV has precedence over the header's.
            if header.fields and "_path" not in header.fields:
                names = header.fields
                found.add(header.path or log_columns.kind_of_columns(names) or _by_columns(names))
            else:
                rows = list(zeek_log.parse(header, body))
                untold: set[str] = set()
                for row in rows:
                    if path := text(row.get("_path")):
                        found.add(kind(path) or path)
                    else:
                        untold |= log_columns.flat(row).keys()
                if untold:
                    found.add(log_columns.kind_of_columns(untold) or _by_columns(untold))
    except ArchiveError:
        pass
    return {kind(one) or one for one in found if one}


def _by_columns(names: Iterable[str]) -> str:
    """The kind of rows without a log's name: "?" if they may be sessions, else ""."""
    return "?" if set(log_columns.REQUIRED) <= set(names) else ""


def _beside(path: Path, log: str) -> Path | None:
    """The dhcp or dns log beside a conn log, with the same name otherwise, packed or not."""
    name = re.sub(r"(^|[._-])conn(?=[._-])", rf"\1{log}", path.name, count=1)
    if name == path.name:
        return None
    plain = re.sub(rf"{_PACKED}+$", "", name)
    endings = ("", ".gz", ".zst", ".bz2", ".xz", ".lz4")
    candidates = [path.with_name(one) for one in (name, *(plain + end for end in endings))]
    return next((one for one in candidates if one.is_file()), None)


def _lake_kind(path: Path) -> str:
    """The log that a Parquet file is: conn, dhcp, dns, or "" for others; "conn" also for rows of
    several logs."""
    told = [part.partition("=")[2] for part in path.parts if part.startswith("_path=")]
    if told:
        return kind(told[-1])
    try:
        names = parquet.columns(path)
    except (ArchiveError, OSError):
        return "conn"  # the reader reports the error
    if "_path" in names:
        return "conn" if set(log_columns.REQUIRED) <= names else ""
    of = log_columns.kind_of_columns(names)
    if of is None and "conn" in path.name.lower():
        return "conn"
    return of or ""


def _is_set_aside(path: Path) -> bool:
    """Whether a file, or a folder above it, is hidden or unfinished: its name begins with a dot or
    an underscore. ``_path=conn`` is a partition instead."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.parts)


def _walk(top: Path, result: Found, tables: lake_tables.Tables) -> Iterator[Path]:
    """All files below a folder in a fixed order. Links are followed, because zeekctl's logs/current
    is one.

    ``result`` gets a line for each folder that cannot be read, ``tables`` the folders that are
    tables of a lake.
    """
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:
        result.errors.append(f"{error.filename}: {error.strerror or error}")

    for folder, folders, names in os.walk(top, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # lost+found belongs to the file system.
        folders[:] = sorted(set(folders) - {"lost+found"} - tables.met(Path(folder), folders))
        try:
            paths = [Path(folder, name) for name in sorted(names)]
            files = [file for file in paths if file.is_file()]
        except OSError as error:  # the folder can be listed, but not searched
            unreadable(error)
            continue
        for file in set(paths) - set(files):
            if file.is_symlink() and _STRICT["conn"].fullmatch(file.name):
                result.unread.append((file, "a link to a missing file"))
        yield from files
