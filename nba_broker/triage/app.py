"""The triage page as a web application: its routes, and how annotations are written."""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from nba_broker.records.errors import AnnotationError, ConfigError
from nba_broker.records.times import print_time
from nba_broker.records.verdicts import Row
from nba_broker.triage.filters import Filters
from nba_broker.triage.guard import Guard, is_loopback
from nba_broker.triage.view import FOLDER, Views
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation

LOG = logging.getLogger("nba_broker")

LISTEN = "127.0.0.1:27780"
"""Where the page is served by default."""

_NO_HOST = "The log has no such host."
_DONE = ("label", "confirm", "ignore")


def make(views: Views, listen: str) -> Starlette:
    """The application; ``listen`` is the name or address at which it is served."""

    # One thread serves all requests in turn: a page takes milliseconds, and needs no lock.
    async def first(request: Request) -> Response:
        views.poll()
        return HTMLResponse(views.first(_filters(request)))

    async def host(request: Request) -> Response:
        views.poll()
        done = request.query_params.get("done", "")
        return shown(request, _key(request), _filters(request), done=done if done in _DONE else "")

    def shown(
        request: Request, key: str, filters: Filters, status: int = 200, **more: object
    ) -> Response:
        page = views.host(key, filters, token=request.state.token, **more)
        if page is None:
            return HTMLResponse(views.message(_NO_HOST), 404)
        return HTMLResponse(page, status)

    async def static_page(request: Request) -> Response:
        views.poll()
        key = _key(request)
        if key and views.store.find(key) is None:
            return HTMLResponse(views.message(_NO_HOST), 404)
        try:
            wanted = Filters() if key else Filters.strict(request.query_params.multi_items())
        except ValueError as error:
            return HTMLResponse(views.message(f"The page was not made: {error}."), 400)
        page = views.static(wanted, key)
        name = f"nba-triage-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.html"
        return HTMLResponse(page, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def pulse(request: Request) -> Response:
        views.poll()
        return PlainTextResponse(str(views.store.lines))

    async def annotate(request: Request) -> Response:
        form: Mapping[str, str] = request.state.form
        views.poll()
        key, query = form.get("id", ""), form.get("query", "")
        filters = Filters.parse(parse_qsl(query))
        host = views.store.hosts.get(key)
        if host is None or views.annotations.path is None:
            why = "there is no annotations file: start with --annotations F.csv"
            return shown(request, key, filters, 409, error=why)
        try:
            annotation = annotation_of(form, host.latest)
            seen = {pool for verdict in host.verdicts() for pool in verdict.evidence_pool}
            annotation_file.check_pool(annotation, seen.union(views.pools))
            if known := annotation_file.misspelt(annotation.device, views.devices()):
                raise AnnotationError(
                    f"label: there is already a device {known}; use that spelling, or a name "
                    "that differs in more than case and punctuation"
                )
            annotation_file.append(views.annotations.path, annotation)
        except AnnotationError as error:
            return shown(request, key, filters, 400, error=str(error), values=dict(form))
        what = (annotation.device, annotation.pool, annotation.name)
        parts = filter(None, (annotation.action, annotation.host, *what))
        LOG.info("%s: %s", views.annotations.path, " ".join(parts))
        where = f"/host?id={quote(key, safe=':')}&done={annotation.action}"
        return RedirectResponse(f"{where}&{filters.query()}".rstrip("&"), 303)

    async def missing(request: Request, error: Exception) -> Response:
        return HTMLResponse(views.message("There is no such page."), 404)

    return Starlette(
        routes=[
            Route("/", first),
            Route("/host", host),
            Route("/page.html", static_page),
            Route("/pulse", pulse),
            Route("/annotate", annotate, methods=["POST"]),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
        ],
        middleware=[Middleware(Guard, listen=listen)],
        exception_handlers={404: missing},
    )


def _filters(request: Request) -> Filters:
    return Filters.parse(request.query_params.multi_items())


def _key(request: Request) -> str:
    return request.query_params.get("id", "")


def annotation_of(form: Mapping[str, str], latest: Row) -> Annotation:
    """A form about the host of this verdict as a checked annotation; raises AnnotationError.

    A host whose name looks like an address or a network must not cause an annotation of another
    host.
    """
    action = form.get("action", "")
    target = form.get("target", "mac" if latest.mac else "address")
    meant = {"mac": latest.mac, "address": latest.host, "hostname": latest.hostname, "any": ""}
    if target not in meant or (not meant[target] and target != "any"):
        raise AnnotationError(f"{action}: the host has no {target}")
    if action == "confirm" and form.get("seen") != f"{latest.ts:.6f}":
        raise AnnotationError("confirm: there is a newer verdict; check it and confirm again")
    if action == "ignore" and not form.get("reason", "").strip():
        raise AnnotationError("ignore: give a reason")
    own = {"label": ("device", "category"), "ignore": ("pool", "name", "expires")}
    columns = own.get(action, ())
    row = {name: form.get(name, "") for name in ("at", "reason", *columns)}
    row |= {"action": action, "host": meant[target]}
    now = round(time.time(), 3)
    # An annotation at the time of a verdict applies before it, and a sensor's clock may be ahead.
    after = math.floor(latest.ts) + 1.0
    row["at"] = row["at"].strip() or print_time(max(now, after) if action == "confirm" else now)
    annotation = annotation_file.parse(row, action or "annotation")
    if action == "confirm" and not latest.ts < annotation.at <= max(now, after):
        raise AnnotationError(f"confirm: From must be {print_time(after)} or later, which is after "
                           "the verdict that is shown, and not in the future")  # fmt: skip
    if target == "mac" and not annotation.mac:
        raise AnnotationError(f"{action}: {latest.mac!r} is not a MAC")
    if target == "address" and not annotation.one_address:
        raise AnnotationError(f"{action}: {latest.host!r} is not an address")
    if target == "hostname" and not annotation.hostname:
        raise AnnotationError(f"{action}: the hostname {latest.hostname!r} may mean other hosts; "
                           "use the MAC or the address")  # fmt: skip
    return annotation


def serve(views: Views, listen: str = LISTEN) -> None:
    """Serve until interrupted; raises ConfigError if it cannot listen at ``listen``,
    HOST:PORT."""
    name, _, port = listen.rpartition(":")
    name = name.strip("[]")
    if not (name and port.isdecimal()):
        raise ConfigError(f"--listen: {listen!r} is not HOST:PORT, e.g. 127.0.0.1:27784")
    try:
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        bound = socket.create_server((name, int(port)), family=family)
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"--listen: cannot listen at {listen!r} ({error})") from error
    address, number = bound.getsockname()[:2]
    if not is_loopback(address):
        LOG.warning(
            "%s is not loopback: anyone who reaches it can read the page and write annotations",
            listen,
        )
    LOG.info("triage page at http://%s:%d/", f"[{address}]" if ":" in address else name, number)
    # Requests that come now wait for this.
    views.poll()
    LOG.info("%d verdicts of %d hosts in %s", views.store.lines, len(views.store.hosts),
             views.folder)  # fmt: skip
    for line in views.errors:
        LOG.warning("%s", line)
    if not (views.store.hosts or views.errors):
        LOG.warning("there are no verdicts yet; check that this is the folder with nba_device.log")
    settings = uvicorn.Config(
        make(views, name),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(settings).run(sockets=[bound])
