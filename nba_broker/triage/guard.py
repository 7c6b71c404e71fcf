"""Who may ask the triage page for what: a request's Host, Origin and token, an answer's headers."""

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
    # Nothing from elsewhere, and no script or style within a page: what a log says stays text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer", with which browsers hide the origin of a form, too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, for nobody else to reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Lets through what is asked of this page by its own name, and changes only from itself.

    A page of another site can make a browser send requests here. It cannot choose the Host
    header, not even by a name that it lets resolve to this machine (DNS rebinding); it cannot
    read the token of a form; and SameSite keeps the cookie that the token belongs to from it.
    """

    def __init__(self, app: ASGIApp, listen: str) -> None:
        """``listen``: the name or address, without port, at which the page is served."""
        self._app = app
        self._listen = listen.lower()
        self._secret = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        """What a form must carry that was sent to who has this cookie."""
        return hmac.new(self._secret, cookie.encode(), "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookie = _cookie(headers)
        fresh = "" if cookie else secrets.token_urlsafe(24)
        scope["state"] = {"token": self.token(cookie or fresh)}

        async def answer(message: Message) -> None:
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
                refusal = (413, "too much for a form")
            elif not cookie or not hmac.compare_digest(
                form.get("token", "").encode(), self.token(cookie).encode()
            ):
                refusal = (403, "this form is not from this page, or from before it was started "
                           "again: load the page again")  # fmt: skip
        if refusal is not None:
            status, why = refusal
            await PlainTextResponse(f"{why}\n", status)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _refused(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_own(host):
            return 421, "this page is not served by that name: use the one that --listen has"
        if method in ("GET", "HEAD"):
            return None
        if method != "POST":
            return 405, "only GET and POST"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        # Browsers send the first with every POST; it is the page's own, or the request is not.
        own = urlsplit(origin).netloc == host if origin is not None else site == "same-origin"
        if not own or site not in (None, "same-origin"):
            return 403, "a change must come from this page itself"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name = (parts.hostname or "").rstrip(".")
            if not name or parts.port == 0 or parts.netloc != host or parts.username is not None:
                return False
        except ValueError:
            return False
        # Any port: a tunnel may have another one at its near end.
        if name == self._listen or is_loopback(name):
            return True
        try:
            ipaddress.ip_address(name)
            # At all addresses: by any of them, but not by a name that anybody may have made up.
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
    """The fields of a form, the last of each name; None if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        return None
