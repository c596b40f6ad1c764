"""Bytes to the server and bytes back, as an ``openai`` client would send them, at a tenth of its processor time.

Address, key and headers are those of the real client. Only the way between is shorter: that builds and copies pydantic
and httpx objects for every request, which costs more than all the rest of a sample, so a body goes straight to libcurl,
whose sockets the event loop watches. aiohttp, the client's own fast transport, takes twice the processor time of that
and longer to load than all else before the first request.
"""

from __future__ import annotations

import asyncio
import math
import select
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pycurl

from pipeline.llm.endpoint import Endpoint
from pipeline.llm.failures import Declined, Unanswered

NATIVE_CA = 1 << 4  # CURLSSLOPT_NATIVE_CA, which pycurl names since 7.49
EPOLL = hasattr(select, "epoll")
MOST_AT_ONCE = 64  # sockets, until others have their turn
CONNECT_S = 15.0  # longer than any healthy handshake across the world

T = TypeVar("T")
Fault = tuple[int, str]
"""libcurl's code and words."""
_BROKE_OFF = "the connection was closed before an answer came"


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that posts, in an event loop that can watch sockets of others; Windows' usual one cannot."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(main)


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
            timeout_s: A request without a whole answer for so long has failed.
        """
        self.url = endpoint.url
        self._options = _options(endpoint, timeout_s)
        self._connections = connections
        self._sockets: dict[int, int] = {}  # of connections that have been used, by their ports on this side
        self._idle: list[_Exchange] = []
        self._flying: dict[pycurl.Curl, _Exchange] = {}

    async def __aenter__(self) -> Wire:
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, self._connections)
        multi.setopt(pycurl.M_MAXCONNECTS, self._connections)  # kept open
        self._watch = _Watch(multi, self._settle)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for exchange in list(self._flying.values()):
            self._give_up(exchange)
        for exchange in self._idle:
            exchange.curl.close()
        self._multi.close()  # says a last word on connections with TLS
        self._watch.close()

    async def post(self, body: bytes) -> bytes:
        """Return the body of the server's answer.

        Raises:
            Unanswered: No connection, one that broke, or no answer in time.
            Declined: An answer that is no success.
        """
        exchange = self._idle.pop() if self._idle else _Exchange(self._options, self._sockets)
        try:
            while True:
                ended = exchange.begin(body)
                self._flying[exchange.curl] = exchange
                self._multi.add_handle(exchange.curl)
                fault = await ended
                if not exchange.is_stale:
                    return exchange.answer(fault)
        except asyncio.CancelledError:
            self._give_up(exchange)
            raise
        finally:
            self._idle.append(exchange)

    def _settle(self) -> None:
        """Tell those who wait what has ended."""
        waiting = 1
        while waiting:
            waiting, good, bad = self._multi.info_read()
            for curl in good:
                self._end(curl, None)
            for curl, code, words in bad:
                self._end(curl, (code, words))

    def _end(self, curl: pycurl.Curl, fault: Fault | None) -> None:
        exchange = self._flying.pop(curl)
        if not fault:
            exchange.note_socket()
        self._multi.remove_handle(curl)
        if not exchange.ended.done():  # else it was cancelled in this very moment
            exchange.ended.set_result(fault)

    def _give_up(self, exchange: _Exchange) -> None:
        """Close the connection of a request that nobody waits for any more."""
        if self._flying.pop(exchange.curl, None):
            self._multi.remove_handle(exchange.curl)
        exchange.ended.cancel()


def _options(endpoint: Endpoint, timeout_s: float) -> dict[int, Any]:
    """Return what all requests have in common, as libcurl's options."""
    url = f"{endpoint.url}/chat/completions"
    headers = [f"{name}: {value}" if value else f"{name};" for name, value in endpoint.headers().items()]
    return {
        pycurl.URL: url.encode(),
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,  # a connection for each in flight, as others of the field
        pycurl.POST: 1,
        pycurl.HTTPHEADER: [header.encode() for header in [*headers, "Expect:"]],
        pycurl.ACCEPT_ENCODING: "gzip, deflate",
        pycurl.PROXY: _proxy(url),
        pycurl.CONNECTTIMEOUT_MS: max(1, int(1000 * min(CONNECT_S, timeout_s))),
        pycurl.TIMEOUT_MS: max(1, int(1000 * timeout_s)),
        pycurl.TCP_KEEPALIVE: 1,  # else what lies between forgets a connection that waits for minutes
        pycurl.NOSIGNAL: 1,
        **(_trusted() if url.lower().startswith("https:") else {}),
    }


class _Exchange:
    """One request and its answer; used again and again, since its options take longer to set than a request to send."""

    def __init__(self, options: dict[int, Any], sockets: dict[int, int]) -> None:
        self._sockets = sockets
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self._was_sent = False
        self.is_stale = False
        """Whether the connection that was to be used had been closed before anything was sent."""
        self.ended: asyncio.Future[Fault | None]
        self.curl = curl = pycurl.Curl()
        for option, value in options.items():
            curl.setopt(option, value)
        curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._body.append)
        curl.setopt(pycurl.PREREQFUNCTION, self._may_send)

    def begin(self, body: bytes) -> asyncio.Future[Fault | None]:
        """Take what to send, and return what ends with the answer, or with the reason that there is none."""
        self._head.clear()
        self._body.clear()
        self._was_sent = self.is_stale = False
        self.curl.setopt(pycurl.POSTFIELDS, body)
        self.ended = asyncio.get_running_loop().create_future()
        return self.ended

    def answer(self, fault: Fault | None) -> bytes:
        """Return what came, or raise what came instead."""
        if fault or not _is_whole(self._head):
            code, words = fault or (pycurl.E_PARTIAL_FILE, _BROKE_OFF)
            words = _BROKE_OFF if code == pycurl.E_ABORTED_BY_CALLBACK else words or f"libcurl's error {code}"
            raise Unanswered(words, reached=self._was_sent, timed_out=code == pycurl.E_OPERATION_TIMEDOUT)
        body = b"".join(self._body)
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status < 300:
            return body
        raise Declined(status, _headers(self._head), body)

    def note_socket(self) -> None:
        """Remember by which socket the answer came, if that is a new one."""
        if self.curl.getinfo(pycurl.NUM_CONNECTS):
            socket = self.curl.getinfo(pycurl.ACTIVESOCKET)
            if socket >= 0:  # else it is closed already
                self._sockets[self.curl.getinfo(pycurl.LOCAL_PORT)] = socket

    def _may_send(self, their_ip: str, our_ip: str, their_port: int, our_port: int) -> int:
        # libcurl would send again by itself where a connection breaks: the first may have been read, and be billed. Nor
        # does it look before it sends whether a connection that lay idle has been closed, as servers do after a while.
        if our_port in self._sockets and not self._was_sent and _is_readable(self._sockets[our_port]):
            del self._sockets[our_port]
            self.is_stale = True
        if self._was_sent or self.is_stale:
            return int(pycurl.PREREQFUNC_ABORT)
        self._was_sent = True
        return int(pycurl.PREREQFUNC_OK)


def _is_readable(socket: int) -> bool:
    """Tell whether something has come: on a connection where nothing was asked for, its end."""
    if not hasattr(select, "poll"):  # Windows
        try:
            return bool(select.select([socket], [], [], 0)[0])
        except OSError:  # it is closed
            return True
    look = select.poll()
    look.register(socket, select.POLLIN)
    return bool(look.poll(0))


class _Watch:
    """Has the event loop watch libcurl's sockets and timers."""

    def __init__(self, multi: pycurl.CurlMulti, settle: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._multi = multi
        self._settle = settle
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # when libcurl wants to be called, on the loop's clock
        self._watched: dict[int, int] = {}  # directions by socket
        # libcurl changes what it waits for twice a request. Where the system has it, an epoll of our own, which is one
        # thing for the loop to watch, takes that at a quarter of the processor time that the loop does.
        self._epoll = select.epoll() if EPOLL else None
        if self._epoll:
            self._loop.add_reader(self._epoll.fileno(), self._go_on_with_all)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch_by_epoll if self._epoll else self._watch_by_loop)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._wait)

    def close(self) -> None:
        """Watch nothing any more."""
        if self._epoll:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        else:
            for socket in list(self._watched):
                self._watch_by_loop(pycurl.POLL_REMOVE, socket)
        for handle in (self._soon, self._timer):
            if handle:
                handle.cancel()

    def _watch_by_epoll(self, directions: int, socket: int, *_: object) -> None:
        assert self._epoll
        before = self._watched.pop(socket, 0)
        if directions == pycurl.POLL_REMOVE:
            if before:
                self._epoll.unregister(socket)
            return
        self._watched[socket] = directions
        events = (directions & pycurl.POLL_IN and select.EPOLLIN) | (directions & pycurl.POLL_OUT and select.EPOLLOUT)
        if before:
            self._epoll.modify(socket, events)
        else:
            self._epoll.register(socket, events)

    def _go_on_with_all(self) -> None:
        assert self._epoll
        for socket, events in self._epoll.poll(0, MOST_AT_ONCE):
            directions = pycurl.CSELECT_IN if events & ~select.EPOLLOUT else 0  # the end and a fault are read, too
            self._multi.socket_action(socket, directions | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0))
        self._settle()

    def _watch_by_loop(self, directions: int, socket: int, *_: object) -> None:
        before = self._watched.pop(socket, 0)
        now = 0 if directions == pycurl.POLL_REMOVE else directions
        if now:
            self._watched[socket] = now
        if now & pycurl.POLL_IN and not before & pycurl.POLL_IN:
            self._loop.add_reader(socket, self._go_on, socket, pycurl.CSELECT_IN)
        elif before & pycurl.POLL_IN and not now & pycurl.POLL_IN:
            self._loop.remove_reader(socket)
        if now & pycurl.POLL_OUT and not before & pycurl.POLL_OUT:
            self._loop.add_writer(socket, self._go_on, socket, pycurl.CSELECT_OUT)
        elif before & pycurl.POLL_OUT and not now & pycurl.POLL_OUT:
            self._loop.remove_writer(socket)

    def _wait(self, milliseconds: int) -> None:
        if milliseconds == 0:
            self._soon = self._soon or self._loop.call_soon(self._begin)
            return
        # Twice a request libcurl changes when its time is up, nearly always to later: a timer set too early waits on.
        self._due = self._loop.time() + milliseconds / 1000 if milliseconds > 0 else math.inf
        if self._timer and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = None
        self._set_timer()

    def _set_timer(self) -> None:
        if not self._timer and self._due < math.inf:
            self._timer = self._loop.call_at(self._due, self._time_is_up)

    def _begin(self) -> None:
        self._soon = None
        self._go_on(pycurl.SOCKET_TIMEOUT, 0)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._due <= self._loop.time():
            self._due = math.inf  # until libcurl says more
            self._go_on(pycurl.SOCKET_TIMEOUT, 0)
        self._set_timer()

    def _go_on(self, socket: int, directions: int) -> None:
        self._multi.socket_action(socket, directions)
        self._settle()


def _is_whole(lines: list[bytes]) -> bool:
    """Tell whether the head of an answer came to its end: libcurl takes one that breaks off for an empty answer."""
    if lines and lines[-1] == b"\r\n":
        return True
    start = max((place for place, line in enumerate(lines) if line.startswith(b"HTTP/")), default=0)
    return any(not line.strip() for line in lines[start:])  # what follows came after the body


def _headers(lines: list[bytes]) -> dict[str, str]:
    """Return the headers of an answer, their names in lower case: the last block, after those of a proxy and of 100."""
    headers: dict[str, str] = {}
    for line in lines:
        if line.startswith(b"HTTP/"):
            headers = {}
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.decode(errors="replace").strip().lower()] = value.decode(errors="replace").strip()
    return headers


def _trusted() -> dict[int, Any]:
    """Return whom to trust: whom Python does, by ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` too; else those of certifi."""
    paths = ssl.get_default_verify_paths()
    has_folder = paths.capath and any(Path(paths.capath).iterdir())  # in some containers it is empty
    if paths.cafile or has_folder:
        told = {pycurl.CAINFO: paths.cafile, pycurl.CAPATH: paths.capath}
        return {option: path for option, path in told.items() if path}
    import certifi

    return {pycurl.CAINFO: certifi.where(), pycurl.SSL_OPTIONS: NATIVE_CA}  # Windows keeps its own in no file


def _proxy(url: str) -> str:
    """Return the proxy that the environment names for an address; "" for none, as for this machine's own."""
    told = urlsplit(url)
    host = told.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1"):
        return ""
    from urllib.request import getproxies, proxy_bypass  # which loads a client of its own

    return "" if proxy_bypass(host) else getproxies().get(told.scheme, "")
