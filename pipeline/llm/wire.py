"""Bytes to the server and bytes back, as an ``openai`` client would send them, at a tenth of its processor time.

Address, key and headers are those of the real client. Only the way between is shorter: that builds and copies pydantic
and httpx objects for every request, which costs more than all the rest of a sample, so a body goes straight to aiohttp,
the client's own transport. Nor has each request a timer of its own: since all may take equally long, the one that was
sent first is always the next to be late, and one look at it now and then is enough.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, NoReturn, Protocol
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl

from pipeline.llm.endpoint import Endpoint
from pipeline.llm.failures import Declined, Unanswered

CONNECT_S = 15.0  # longer than any healthy handshake across the world
LOOK_S = 1.0  # most seconds between two looks for late answers


class Sender(Protocol):
    """Anything that posts as a ``Wire`` does, from here or from other processes and machines."""

    url: str
    """The server's address, for people."""

    async def __aenter__(self) -> object:
        """Open what posting needs."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    async def post(self, body: bytes) -> bytes:
        """Return the server's answer to a body, or raise ``Declined`` or ``Unanswered``."""


class Wire:
    """Posts chat-completion bodies to a server."""

    def __init__(self, endpoint: Endpoint, connections: int, timeout_s: float) -> None:
        """Prepare to post; nothing is opened before the first request.

        Args:
            endpoint: The server, and the key to it.
            connections: Most of them.
            timeout_s: A request without a whole answer for so long has failed, give or take an eighth or a second.
        """
        self.url = endpoint.url
        self._url = yarl.URL(f"{self.url}/chat/completions")
        self._headers = endpoint.headers()
        self._connections = connections
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._flying: dict[asyncio.Task[Any], float] = {}  # when each was sent, oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.Task[NoReturn] | None = None

    async def __aenter__(self) -> Wire:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_S, self._timeout_s)),
            proxy=_proxy(self._url),
        )
        self._watch = asyncio.create_task(self._end_late_ones())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._session:
            await self._session.close()

    async def post(self, body: bytes) -> bytes:
        """Return the body of the server's answer.

        Raises:
            Unanswered: No connection, one that broke, or no answer in time.
            Declined: An answer that is no success.
        """
        assert self._session, "a wire is used as a context manager"
        task = asyncio.current_task()
        assert task
        self._flying[task] = asyncio.get_running_loop().time()
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                answer = await response.read()
        except asyncio.CancelledError:
            if task not in self._late or task.uncancel():  # cancelled by somebody else, too
                raise
            raise Unanswered(f"no answer within {self._timeout_s:g} s", timed_out=True) from None
        except TimeoutError as error:
            raise _unanswered(error, timed_out=True) from error
        except aiohttp.ClientError as error:
            raise _unanswered(error) from error
        finally:
            del self._flying[task]
            self._late.discard(task)
        if response.status < 300:
            return answer
        headers = {name.decode().lower(): value.decode(errors="replace") for name, value in response.raw_headers}
        raise Declined(response.status, headers, answer)

    async def _end_late_ones(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(LOOK_S, self._timeout_s / 8))
            earliest = loop.time() - self._timeout_s
            for task, sent_at in self._flying.items():
                if sent_at > earliest:
                    break
                if task not in self._late:
                    self._late.add(task)
                    task.cancel()


def _unanswered(error: Exception, *, timed_out: bool = False) -> Unanswered:
    reached = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return Unanswered(str(error) or type(error).__name__, reached=reached, timed_out=timed_out)


def _proxy(url: yarl.URL) -> str | None:
    """Return the proxy that the environment names for an address; none for this machine's own."""
    host = url.host or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
