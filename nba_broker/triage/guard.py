"""Protects the triage page from other sites: Host, Origin, token, and the response's headers."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "nba_triage"
_LONGEST_BODY = 16 << 10
_FIELDS = 32

HEADERS = {
    # Nothing from other sites, and no script or style within a page: text of logs stays text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers then hide the origin of a form, too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether a name or address is loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Passes on requests for this page's own name, and changes that come from its own forms.

    A page of another site can make a browser send requests here. But it cannot choose the Host
    header, even if its name resolves to this machine (DNS rebinding). It cannot read a form's
    token. And it does not have the token's cookie, which is SameSite.
    """

    def __init__(self, app: ASGIApp, listen: str) -> None:
        """``listen``: the name or address, without port, at which the page is served."""
        self._app = app
        self._listen = listen.lower()
        self._secret = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """The token of the forms of a browser with this cookie."""
        return hmac.new(self._secret, cookie.encode(), "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookie = _cookie(headers)
        fresh = "" if cookie else secrets.token_urlsafe(24)
        scope["state"] = {"token": self.token(cookie or fresh)}

        async def respond(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    sent.setdefault(name, value)
                if fresh:
                    sent.append(
                        "Set-Cookie", f"{COOKIE}={fresh}; Path=/; HttpOnly; SameSite=Strict"
                    )
            await send(message)

        refusal = self._refused(scope["method"], headers)
        if refusal is None and scope["method"] == "POST":
            scope["state"]["form"] = form = await _form(Request(scope, receive))
            if form is None:
                refusal = (413, "the form is too large")
            elif not cookie or not hmac.compare_digest(
                form.get("token", "").encode(), self.token(cookie).encode()
            ):
                refusal = (403, "the form is not from this page, or the page was restarted "
                           "since; reload it")  # fmt: skip
        if refusal is not None:
            status, why = refusal
            await PlainTextResponse(f"{why}\n", status)(scope, receive, respond)
            return
        await self._app(scope, receive, respond)

    def _refused(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_own(host):
            return 421, "the page has another name; use the one given with --listen"
        if method in ("GET", "HEAD"):
            return None
        if method != "POST":
            return 405, "use GET or POST"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        # Browsers send the first with every POST; it has to be the page's own.
        own = urlsplit(origin).netloc == host if origin is not None else site == "same-origin"
        if not own or site not in (None, "same-origin"):
            return 403, "a change must come from this page"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name = (parts.hostname or "").rstrip(".")
            if not name or parts.port == 0 or parts.netloc != host or parts.username is not None:
                return False
        except ValueError:
            return False
        # The port may differ: a tunnel may have another one at its near end.
        if name == self._listen or is_loopback(name):
            return True
        try:
            ipaddress.ip_address(name)
            # If it listens at all addresses, any address will do, but no name: it may be made up.
            return ipaddress.ip_address(self._listen).is_unspecified
        except ValueError:
            return False


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a form, the last one of each name; None if the form is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        return None
