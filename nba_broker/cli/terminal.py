"""How a command meets whoever typed it: in text that can be shown, and with one line at failure."""

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
    """Let what the terminal's character set lacks cost a letter, and no command its end."""
    for stream, instead in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=instead)


def run(program: str, command: Callable[[], int], where: object = "") -> int:
    """The command's exit status, or 1 after one line on standard error about what stopped it.

    ``where`` the command writes, besides what it prints: a full disk does not say where it is.
    """
    try:
        status = command()
        say()
        return status
    except NBAError as error:
        complaint = str(error)
    except BrokenPipeError:
        _say_no_more()  # whoever read the output has seen enough
        return 1
    except OSError as error:
        place = where if error.filename is None else error.filename
        place = os.fsdecode(place) if isinstance(place, bytes) else str(place)
        complaint = error.strerror or str(error)
        if "temporary directory" in complaint:
            complaint += "; set TMPDIR to a folder that may be written to"
        elif place:
            complaint = f"{place}: {complaint}"
        if place == _OUTPUT:
            _say_no_more()
    except MemoryError:
        complaint = "not enough memory; lower max_hosts, or read fewer logs at once"
    except KeyboardInterrupt:
        complaint = "interrupted"
    print(f"{program}: {complaint}", file=sys.stderr)
    return 1


def say(*lines: str) -> None:
    """Print lines, and what was printed before, at once; an OSError tells that it was here."""
    try:
        if lines:
            print(*lines, sep="\n")
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, _OUTPUT) from error


def _say_no_more() -> None:
    """Let what is not yet written go nowhere: Python would try again, and complain, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def ended_cleanly() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP are an interrupt, so that temporary files are removed."""
    taken = [  # nohup ignores the latter
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
