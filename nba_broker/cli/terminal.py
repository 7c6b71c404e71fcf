"""Runs a command at a terminal: printable output, and one line on standard error if it fails."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator

from nba_broker.records.errors import NBAError

_OUTPUT = "standard output"


def prepare() -> None:
    """Replace characters that the terminal's character set lacks, instead of failing."""
    for stream, instead in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=instead)


def run(program: str, command: Callable[[], int], where: object = "") -> int:
    """The command's exit status, or 1 after one line on standard error about the failure.

    where: the folder that the command writes to; the error of a full disk does not contain it.
    """
    try:
        status = command()
        say()
        return status
    except NBAError as error:
        complaint = str(error)
    except BrokenPipeError:
        _discard_output()  # the reader of the output has closed it
        return 1
    except OSError as error:
        place = where if error.filename is None else error.filename
        place = os.fsdecode(place) if isinstance(place, bytes) else str(place)
        complaint = error.strerror or str(error)
        if "temporary directory" in complaint:
            complaint += "; set TMPDIR to a writable folder"
        elif place:
            complaint = f"{place}: {complaint}"
        if place == _OUTPUT:
            _discard_output()
    except MemoryError:
        complaint = "not enough memory; lower max_hosts, or read fewer logs at once"
    except KeyboardInterrupt:
        complaint = "interrupted"
    print(f"{program}: {complaint}", file=sys.stderr)
    return 1


def say(*lines: str) -> None:
    """Print lines, and flush standard output; an OSError contains "standard output"."""
    try:
        if lines:
            print(*lines, sep="\n")
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, _OUTPUT) from error


def _discard_output() -> None:
    """Discard what is not written yet: Python would try again at exit, and print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def ended_cleanly() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as an interrupt, so that temporary files are removed."""
    taken = [  # not SIGHUP under nohup, which ignores it
        one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL
    ]
    for number in taken:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
