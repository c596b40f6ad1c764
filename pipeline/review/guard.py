"""Who may ask, and what a page of ours may do."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "review-token"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

_HEADERS = {
    # Should a text ever get into the page as markup, this still lets nothing of it run, load or send.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuses requests that do not come from a page of ours, and sends headers that bind the page."""

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        """Stand before an app.

        Args:
            app: What answers.
            token: What a browser must have shown once, in the link; ``None`` on loopback, where only names of this
                machine are answered to, so that no other site's name can be made to lead here.
        """
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if reason := self._refusal(scope, headers):
            await PlainTextResponse(f"{reason}\n", 403)(scope, receive, send_with_headers)
        elif self._token and (link := self._link(scope)):
            response = RedirectResponse(link, 303)
            response.set_cookie(TOKEN, self._token, httponly=True, samesite="lax")
            await response(scope, receive, send_with_headers)
        elif self._token and not self._is_known(headers):
            told = "This page needs the link with the token that the server printed when it started."
            await PlainTextResponse(f"{told}\n", 403)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        """Return why a request is refused; empty if it is not."""
        host = headers.get("host", "")
        if not self._token and _name_of(host) not in LOOPBACK:
            return f"refused: {host[:100]!r} is no name of this machine; open http://127.0.0.1 with the port"
        if (origin := headers.get("origin")) and origin.partition("://")[2] != host:
            return "refused: the request comes from another page"
        site, changes = headers.get("sec-fetch-site", "none"), scope["method"] not in ("GET", "HEAD")
        follows_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if site in ("cross-site", "same-site") and (changes or not follows_link):
            return "refused: the request comes from another page"
        if changes and "origin" not in headers and site == "none":
            return "refused: the request comes from no page"
        return ""

    def _link(self, scope: Scope) -> str:
        """Return where a link with the right token leads, once it has been seen."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self._is_token(value) for name, value in pairs):
            return ""
        rest = urlencode([(name, value) for name, value in pairs if name != "token"])
        return f"/?{rest}" if rest else "/"

    def _is_known(self, headers: Headers) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(TOKEN)
        except CookieError:
            return False
        return found is not None and self._is_token(found.value)

    def _is_token(self, value: str) -> bool:
        return secrets.compare_digest(value.encode(), (self._token or "").encode())


def _name_of(host: str) -> str:
    """Return a ``Host`` header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
