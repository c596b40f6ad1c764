"""Bytes to the server and bytes back, as an ``openai`` client would send them, at a quarter of its processor time.

The client is the real one: its address, its key, its headers, its error classes. Only the way between is shorter: its
``post`` builds and copies pydantic and httpx objects for every request, which costs more than all the rest of a sample,
so a body goes straight to aiohttp, the client's own transport.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

import aiohttp
import httpx2
import openai
import yarl

CONNECT_S = 15.0  # longer than any healthy handshake across the world


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
        """Return the server's answer to a body, or raise the ``openai`` error that it stands for."""


class Wire:
    """Posts chat-completion bodies to the server that an ``openai`` client is set up for."""

    def __init__(self, client: openai.AsyncOpenAI, connections: int, timeout_s: float) -> None:
        """Prepare to post; nothing is opened before the first request."""
        self._openai = client
        self.url = str(client.base_url).rstrip("/")
        url = f"{self.url}/chat/completions"
        self._url = yarl.URL(url)
        self._request = httpx2.Request("POST", url)  # what the client's errors refer to
        told = {**client.default_headers, **client.auth_headers, "Content-Type": "application/json"}
        self._headers = {name: value for name, value in told.items() if isinstance(value, str)}
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_S, timeout_s))
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Wire:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=self._timeout, trust_env=not _is_loopback(self._url)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()
        await self._openai.close()

    async def post(self, body: bytes) -> bytes:
        """Return the body of the server's answer.

        Raises:
            openai.APITimeoutError: No answer in time.
            openai.APIConnectionError: No connection, or one that broke.
            openai.APIStatusError: An answer that is no success, as the class that its status stands for.
        """
        assert self._session, "a wire is used as a context manager"
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                answer = await response.read()
        except TimeoutError as error:
            raise openai.APITimeoutError(self._request) from error
        except aiohttp.ClientError as error:
            raise openai.APIConnectionError(request=self._request) from error
        if response.ok:
            return answer
        headers = [(name, value) for name, value in response.raw_headers if name.lower() not in _OF_THE_WAY]
        raise self._openai._make_status_error_from_response(
            httpx2.Response(response.status, headers=headers, content=answer, request=self._request)
        )


# These speak of the bytes on their way, which aiohttp has unpacked already.
_OF_THE_WAY = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


def _is_loopback(url: yarl.URL) -> bool:
    """Tell whether an address is this machine's own, where a proxy from the environment would only be in the way."""
    return url.host in ("localhost", "127.0.0.1", "::1")
