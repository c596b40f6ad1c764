"""What happens to a body on its way, over real sockets: to servers that hang up, compress, dawdle, are not trusted."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trustme

from pipeline.llm import wire as module
from pipeline.llm.endpoint import endpoint
from pipeline.llm.failures import Declined, Unanswered
from pipeline.llm.wire import Wire

BODY = b'{"model":"m","messages":[{"role":"user","content":"A dog."}]}'
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


@pytest.fixture(params=[True, False], ids=["epoll", "loop"], autouse=True)
def watched_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all tests run with both ways to watch sockets; Linux uses the first."""
    monkeypatch.setattr(module, "EPOLL", request.param and module.EPOLL)


class Server:
    """Answers request ``n`` of all that come with ``answer(writer, n)``; a connection lives until that closes it."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        self.connections = 0
        self._answer = answer
        self._tls = tls

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                self.requests += 1
                await self._answer(writer, self.requests)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def wire(server: Server, *, timeout_s: float = 10, connections: int = 4) -> AbstractAsyncContextManager[Wire]:
    return Wire(endpoint(server.url, "k"), connections, timeout_s)


async def ok(writer: asyncio.StreamWriter, n: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")


def test_connections_are_used_again_and_no_more_than_allowed() -> None:
    async def late(writer: asyncio.StreamWriter, n: int) -> None:
        await asyncio.sleep(0.02)
        await ok(writer, n)

    async def run() -> tuple[list[bytes], Server]:
        async with Server(late) as server, wire(server, connections=3) as posting:
            return await asyncio.gather(*(posting.post(BODY) for _ in range(12))), server

    answers, server = asyncio.run(run())
    assert answers == 12 * [b"OK"]
    assert server.requests == 12
    assert 1 <= server.connections <= 3


def test_a_request_on_a_connection_that_breaks_is_not_sent_again_behind_our_back() -> None:
    async def answer_then_hang_up(writer: asyncio.StreamWriter, n: int) -> None:
        if n == 1:
            await ok(writer, n)
        else:
            writer.close()

    async def run() -> tuple[Server, Unanswered]:
        async with Server(answer_then_hang_up) as server, wire(server) as posting:
            assert await posting.post(BODY) == b"OK"
            with pytest.raises(Unanswered) as failure:
                await posting.post(BODY)
            return server, failure.value

    server, failure = asyncio.run(run())
    assert server.requests == 2
    assert failure.reached
    assert not failure.timed_out


def test_a_connection_that_the_server_closed_while_idle_costs_nothing() -> None:
    async def answer_and_close(writer: asyncio.StreamWriter, n: int) -> None:
        await ok(writer, n)
        writer.close()

    async def run() -> tuple[list[bytes], Server]:
        async with Server(answer_and_close) as server, wire(server) as posting:
            answers = []
            for _ in range(4):
                answers += await asyncio.gather(*(posting.post(BODY) for _ in range(3)))
                await asyncio.sleep(0.05)  # the ends of the connections arrive
            return answers, server

    answers, server = asyncio.run(run())
    assert answers == 12 * [b"OK"]
    assert server.requests == server.connections == 12


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + 500 * b"x",
    ],
)
def test_an_answer_that_breaks_off_is_none(begun: bytes) -> None:
    async def break_off(writer: asyncio.StreamWriter, n: int) -> None:
        writer.write(begun)
        writer.close()

    async def run() -> Unanswered:
        async with Server(break_off) as server, wire(server) as posting:
            with pytest.raises(Unanswered) as failure:
                await posting.post(BODY)
            return failure.value

    failure = asyncio.run(run())
    assert (failure.reached, failure.timed_out) == (True, False)
    assert str(failure)


def test_headers_after_a_body_do_not_spoil_it() -> None:
    async def trail(writer: asyncio.StreamWriter, n: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\nX-Late: 1\r\n\r\n")

    async def run() -> list[bytes]:
        async with Server(trail) as server, wire(server) as posting:
            return [await posting.post(BODY) for _ in range(2)]

    assert asyncio.run(run()) == 2 * [b"OK"]


def test_a_connection_that_is_not_made_in_time_has_reached_nobody() -> None:
    async def run() -> Unanswered:
        with socket.socket() as full, contextlib.ExitStack() as fillers:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                filler = fillers.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            async with Wire(endpoint(f"http://127.0.0.1:{full.getsockname()[1]}/v1", "k"), 1, 0.5) as posting:
                with pytest.raises(Unanswered) as failure:
                    await posting.post(BODY)
        return failure.value

    failure = asyncio.run(run())
    assert (failure.reached, failure.timed_out) == (False, True)


def test_a_late_answer_is_given_up_in_time_and_its_neighbours_are_not() -> None:
    async def hang_once(writer: asyncio.StreamWriter, n: int) -> None:
        if n == 1:
            await asyncio.sleep(5)
        await ok(writer, n)

    async def run() -> tuple[float, Unanswered, list[bytes]]:
        async with Server(hang_once) as server, wire(server, timeout_s=0.4) as posting:
            began = time.monotonic()
            hung = asyncio.create_task(posting.post(BODY))
            await asyncio.sleep(0.1)
            answers = [await posting.post(BODY) for _ in range(3)]
            with pytest.raises(Unanswered) as failure:
                await hung
            return time.monotonic() - began, failure.value, answers

    took_s, failure, answers = asyncio.run(run())
    assert (failure.timed_out, failure.reached) == (True, True)
    assert 0.35 < took_s < 2
    assert answers == 3 * [b"OK"]


def test_a_server_that_refuses_is_quoted_with_its_headers() -> None:
    async def refuse(writer: asyncio.StreamWriter, n: int) -> None:
        body = b'{"error": {"message": "Too many", "code": "slow_down"}}'
        head = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 429 Busy\r\nRetry-After:  7 \r\nX-Name: a:b\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def run() -> Declined:
        async with Server(refuse) as server, wire(server) as posting:
            with pytest.raises(Declined) as failure:
                await posting.post(BODY)
            return failure.value

    refused = asyncio.run(run())
    assert (refused.status, refused.code, str(refused)) == (429, "slow_down", "Too many")
    assert refused.headers["retry-after"] == "7"
    assert refused.headers["x-name"] == "a:b"
    assert "x-early" not in refused.headers


def test_a_redirect_is_not_followed_with_the_key() -> None:
    async def redirect(writer: asyncio.StreamWriter, n: int) -> None:
        writer.write(
            b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/v1/chat/completions\r\nContent-Length: 0\r\n\r\n"
        )

    async def run() -> Declined:
        async with Server(redirect) as server, wire(server) as posting:
            with pytest.raises(Declined) as failure:
                await posting.post(BODY)
            return failure.value

    assert asyncio.run(run()).status == 307


def test_a_compressed_answer_is_read() -> None:
    async def pack(writer: asyncio.StreamWriter, n: int) -> None:
        body = gzip.compress(1000 * b"word ")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def run() -> bytes:
        async with Server(pack) as server, wire(server) as posting:
            return await posting.post(BODY)

    assert asyncio.run(run()) == 1000 * b"word "


def test_what_is_left_in_flight_ends_with_the_wire() -> None:
    async def hang(writer: asyncio.StreamWriter, n: int) -> None:
        await asyncio.sleep(5)

    async def run() -> None:
        async with Server(hang) as server:
            async with wire(server) as posting:
                tasks = [asyncio.create_task(posting.post(BODY)) for _ in range(3)]
                await asyncio.sleep(0.1)
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(end) for end in ends] == 3 * [asyncio.CancelledError]

    asyncio.run(run())


def test_only_a_server_whose_certificate_is_trusted_gets_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def run() -> tuple[bytes, int]:
        async with Server(ok, context) as server, wire(server) as posting:
            return await posting.post(BODY), server.requests

    async def run_in_vain() -> tuple[Unanswered, int]:
        async with Server(ok, context) as server, wire(server) as posting:
            with pytest.raises(Unanswered) as failure:
                await posting.post(BODY)
            return failure.value, server.requests

    failure, requests = asyncio.run(run_in_vain())
    assert (failure.reached, requests) == (False, 0)
    assert "certificate" in str(failure)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert asyncio.run(run()) == (b"OK", 1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1", "file:///etc/v1", "http://"]
)
def test_what_cannot_be_reached_says_so(url: str) -> None:
    async def run() -> Unanswered:
        async with Wire(endpoint(url, "k"), 1, 5) as posting:
            with pytest.raises(Unanswered) as failure:
                await posting.post(BODY)
            return failure.value

    failure = asyncio.run(run())
    assert not failure.reached
    assert str(failure)
