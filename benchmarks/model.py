"""A loopback server that plays a model, in a process of its own, so that its processor time is not the client's.

    python benchmarks/model.py [--log FILE] [--spoilt 0.02]

prints its base URL and serves until its standard input ends. Each answer has about 1.4 KB, fits the schema that was
asked for, and holds the request's token: 16 hex digits that are the same for the same bytes, and for no others. With
``--log`` the token and the token counts of each request that is being answered are appended to a file.

It speaks no more HTTP than the clients here do, and has its answers ready, because it shares the machine with what it
measures. Its faults are those of ``python -m pipeline serve``, thrown in the same order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import math
import re
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

import msgspec

from pipeline.llm.faults import MALFORMED, Fault, Faults

ANSWER_CHARS, TURNS = 1400, 5
SENTENCE = "In the picture it can be seen quite clearly how things stand beside each other. "
TOKEN = "0123456789abcdef"  # stands for the request's token in the answers below
TEXT = f"It is {TOKEN}. " + SENTENCE * (ANSWER_CHARS // len(SENTENCE))
TURN = TEXT[: ANSWER_CHARS // TURNS - 60]
ANSWERS: dict[str, Any] = {
    "turns": {"turns": [{"question": f"What is shown at place {n}?", "answer": TURN} for n in range(TURNS)]},
    "question": {"question": "What is shown, and why?", "answer": TEXT},
    "answer": {"answer": TEXT},
}
"""By the first field of the schema that is asked for."""
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def content_json(text: str) -> bytes:
    """Return an answer's text as the string that a completion holds."""
    return json.dumps(text).encode()


READY = {field: content_json(json.dumps(answer)) for field, answer in ANSWERS.items()}
PROSE = content_json(SENTENCE + TOKEN)


class _Fields(msgspec.Struct):
    properties: dict[str, msgspec.Raw] = {}


class _Named(msgspec.Struct):
    schema: _Fields


class _Format(msgspec.Struct):
    json_schema: _Named


class _Request(msgspec.Struct):
    """The part of a chat request that the answer depends on."""

    response_format: _Format


_requests = msgspec.json.Decoder(_Request)


class Stats(msgspec.Struct):
    """What has come since the last reset, and what became of it."""

    requests: int = 0
    answered: int = 0
    """Those with a completion that is not malformed by a fault."""
    in_flight: int = 0
    prompt_tokens: int = 0
    """One for every 4 bytes of the bodies that were answered."""
    completion_tokens: int = 0
    first_request_at: float = 0
    """Seconds since the epoch."""
    last_answer_at: float = 0


class Server:
    """What all connections share."""

    def __init__(self, log: TextIO | None, spoilt: float) -> None:
        self.log = log
        self.spoilt = spoilt
        self.flying: set[Connection] = set()
        self.rehearse(Faults())
        self.stats = Stats()

    def rehearse(self, faults: Faults) -> None:
        """Give the requests from now on these faults, with the dice at their start."""
        self.faults = faults
        self.fates = faults.fates()
        self.malformed = cycle(content_json(answer.content or "") for answer in MALFORMED)

    def control(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """Answer what is no chat request."""
        if method == b"PATCH":
            self.rehearse(Faults.model_validate(self.faults.model_dump() | json.loads(body)))
        elif method == b"DELETE":
            self.stats = Stats()
            self.rehearse(self.faults)
        self.stats.in_flight = len(self.flying)
        return response(200, msgspec.json.encode(self.stats))

    def content(self, body: bytes, token: str) -> bytes:
        """Return a good answer, or the prose of a model that was told to spoil some."""
        if int(token[:8], 16) < self.spoilt * 2**32:
            ready = PROSE
        else:
            ready = READY[next(iter(_requests.decode(body).response_format.json_schema.schema.properties))]
        return ready.replace(TOKEN.encode(), token.encode())

    def note(self, body: bytes, token: str, content: bytes) -> None:
        """Write to the log that a request is being answered."""
        if self.log:
            self.log.write(f"{token} {len(body) // 4} {len(content) // 4}\n")


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what can be written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the request that was in flight."""
        self._transport = None
        self._server.flying.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes until a request is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = LENGTH.search(self._buffer, 0, end)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(self._buffer) < whole:
            return
        method, path, _ = self._buffer[: self._buffer.index(b"\r\n")].split(b" ")
        body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
        if path == b"/v1/chat/completions":
            self._chat(body)
        else:
            self._write(self._server.control(method, path, body))

    def _chat(self, body: bytes) -> None:
        server, stats = self._server, self._server.stats
        stats.requests += 1
        stats.first_request_at = stats.first_request_at or time.time()
        fate, faults, load = next(server.fates), server.faults, len(server.flying)
        if fate is Fault.BUSY or (faults.ceiling and load >= faults.ceiling):
            self._write(busy(faults.retry_after_s))
            return
        server.flying.add(self)
        answer = self._answer(body) if fate in (None, Fault.MALFORMED) else b""
        delay_s = faults.latency_s + faults.latency_per_load_s * load
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._end, stats, body, fate, answer)
        else:
            self._end(stats, body, fate, answer)

    def _answer(self, body: bytes) -> bytes:
        token = hashlib.blake2b(body, digest_size=8).hexdigest()
        content = self._server.content(body, token)
        self._server.note(body, token, content)
        return content

    def _end(self, stats: Stats, body: bytes, fate: Fault | None, content: bytes) -> None:
        """Do to a request what its fate is, unless its client has gone."""
        if self._transport is None or fate is Fault.HUNG:
            return
        self._server.flying.discard(self)
        if fate is Fault.DROPPED:
            self._transport.close()
            return
        if fate is Fault.BROKEN:
            self._write(response(500, b'{"error": {"message": "The server had an error", "type": "server_error"}}'))
            return
        if fate is Fault.MALFORMED:
            content = next(self._server.malformed)
        else:
            stats.answered += 1
        tokens = len(body) // 4, len(content) // 4
        stats.prompt_tokens += tokens[0]
        stats.completion_tokens += tokens[1]
        stats.last_answer_at = time.time()
        self._write(response(200, COMPLETION % (stats.requests, content, *tokens, sum(tokens))))

    def _write(self, told: bytes) -> None:
        if self._transport:
            self._transport.write(told)


COMPLETION = (
    b'{"id":"chatcmpl-%d","object":"chat.completion","created":1700000000,"model":"model","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":%b,"refusal":null},"finish_reason":"stop"}],"usage":'
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0}}}'
)
REASONS = {200: b"OK", 429: b"Too Many Requests", 500: b"Internal Server Error"}


def response(status: int, body: bytes, headers: bytes = b"") -> bytes:
    """Return the bytes of an HTTP response; ``headers`` end their lines."""
    head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
    return head % (status, REASONS[status], len(body), headers) + body


def busy(retry_after_s: float) -> bytes:
    """Return a 429 that asks to wait; 0 for one that does not say how long."""
    headers = b"Retry-After: %d\r\n" % math.ceil(retry_after_s) if retry_after_s else b""
    if retry_after_s % 1:
        headers += b"retry-after-ms: %d\r\n" % math.ceil(retry_after_s * 1000)
    return response(429, b'{"error": {"message": "Too many requests", "code": "rate_limit_exceeded"}}', headers)


def main() -> None:
    """Serve until whoever started this ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, help="append the tokens of answers here")
    parser.add_argument("--spoilt", type=float, default=0, help="share of good answers that are prose instead of JSON")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(options.log.open("a", buffering=1)) if options.log else None
        asyncio.run(serve(Server(log, options.spoilt)))


async def serve(shared: Server) -> None:
    """Print the address, and answer until standard input ends."""
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(shared), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    listening.close()


if __name__ == "__main__":
    main()
