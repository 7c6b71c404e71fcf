"""A NetBox that was recorded: its answers to requests, in their order, and to no others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

URL = "http://netbox"
"""The address of every recorded NetBox."""

FOLDER = Path(__file__).parent / "netbox"

_PAGE = ("next", "results")  # pynetbox needs them even if they are empty
_EMPTY: tuple[object, ...] = (None, "", [], {})
_UNREAD = ("created", "last_updated", "display_url", "previous")

Exchange = dict[str, Any]
"""A request and its answer: ``by``, ``method``, ``path``, ``query``, ``body``, ``status``,
``answer`` and the ``version`` of the API."""


def asked(by: str, request: requests.PreparedRequest) -> Exchange:
    """A request of that party."""
    url = urlsplit(str(request.url))
    return {
        "by": by,
        "method": request.method,
        "path": url.path,
        "query": parse_qsl(url.query, keep_blank_values=True),
        "body": json.loads(request.body or "null"),
    }


class Recorder(requests.Session):
    """A session with a running NetBox that keeps what is said. ``exchanges`` is shared."""

    def __init__(self, by: str, base: str, exchanges: list[Exchange]) -> None:
        super().__init__()
        self._by, self._base, self._exchanges = by, base.rstrip("/"), exchanges

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Ask the NetBox."""
        answer = super().send(request, **options)
        said = answer.text.replace(self._base, URL)
        self._exchanges.append(
            asked(self._by, request)
            | {
                "status": answer.status_code,
                "version": answer.headers["API-Version"],
                "answer": lean(json.loads(said)),
            }
        )
        return answer


class Recorded(requests.Session):
    """A session with a recording; ``exchanges`` is shared with the other parties."""

    def __init__(self, by: str, exchanges: Iterator[Exchange]) -> None:
        super().__init__()
        self._by, self._exchanges = by, exchanges

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Answer a request as it was answered; raises AssertionError if it is another one."""
        exchange = next(self._exchanges, None)
        now = json.loads(json.dumps(asked(self._by, request)))
        was = exchange and {name: exchange[name] for name in now}
        assert exchange, f"the recorded NetBox was not asked this: {now}"
        assert now == was, "the recorded NetBox was asked something else; record it again"
        return response(exchange, request)


def lean(answer: Any) -> Any:
    """An answer without what nobody reads: empty fields, numbers of related objects, times."""
    if isinstance(answer, list):
        return [lean(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: lean(value)
        for name, value in answer.items()
        if name in _PAGE or not (value in _EMPTY or name in _UNREAD or name.endswith("_count"))
    }


def response(exchange: Exchange, request: requests.PreparedRequest) -> requests.Response:
    """The answer of an exchange."""
    made = requests.Response()
    made.status_code, made.request, made.url = exchange["status"], request, str(request.url)
    made.headers["API-Version"] = exchange["version"]
    made._content = json.dumps(exchange["answer"]).encode()
    return made


def read(path: Path) -> list[Exchange]:
    """A recording, an exchange a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, exchanges: Iterable[Exchange]) -> None:
    """Keep a recording."""
    path.write_text("".join(json.dumps(one) + "\n" for one in exchanges))
