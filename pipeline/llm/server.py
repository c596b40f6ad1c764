"""A small chat-completions server on loopback: the offline writer behind the protocol of the real ones.

``generate`` starts one in a thread when it is given no model, ``serve`` runs one alone, tests and benchmarks rehearse
trouble on it. The whole path of a real run (client, retries, validation, journal) is therefore the path of every run.

Spoken: ``POST /v1/chat/completions`` (text messages, one choice, no streaming) and ``GET /v1/models``. For rehearsals:
``GET`` and ``DELETE /stats``, ``GET`` and ``PATCH /faults``. Any key is accepted, and none is read. Tokens are counted
as one for every 4 characters. Cached tokens are those of the leading messages that an earlier request began with.
Batches are spoken in ``batch_server.py``.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Annotated, Any

import msgspec
import pydantic
from aiohttp import web

from pipeline.errors import PipelineError
from pipeline.llm import batch_server, writer
from pipeline.llm.faults import (
    BROKEN,
    MALFORMED,
    NO_FAULTS,
    Completion,
    Failure,
    Fault,
    Faults,
    Late,
    Raw,
    Reply,
    Sent,
    Usage,
    busy,
)

LOOPBACK = "127.0.0.1"
SIGN = "offline-writer (rules, not a language model)"
"""In the ``Server`` header and the ``system_fingerprint`` of every answer."""

BACKLOG = 1024  # connections that may arrive in one burst; some systems default to 128 and refuse the rest
SHUTDOWN_S = 0.1  # for requests half read at the end; those being answered are dropped at once


class Stats(msgspec.Struct):
    """What a server has done since its start or its last reset."""

    requests: int = 0
    """Chat requests that arrived, whatever came of them."""
    answered: int = 0
    """Those that got a completion, malformed ones not counted."""
    repeated: int = 0
    """Those of ``answered`` whose body had been answered before, byte for byte: paid twice."""
    by_status: dict[int, int] = {}
    """Chat answers by HTTP status; what was dropped, hung or given up by the client has none."""
    over_ceiling: int = 0
    """Those of the 429s that the ceiling caused."""
    dropped: int = 0
    hung: int = 0
    malformed: int = 0
    in_flight: int = 0
    """Requests being answered now."""
    most_in_flight: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Those of ``prompt_tokens`` that a prefix cache would have served."""
    completion_tokens: int = 0
    first_request_at: float = 0
    """Seconds since the epoch; 0 before the first request."""
    last_answer_at: float = 0
    """Seconds since the epoch; 0 before the first answer."""

    @property
    def total_tokens(self) -> int:
        """Return prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class _Message(msgspec.Struct):
    role: str
    content: str


class _Request(msgspec.Struct):
    """The part of a chat request that the server must understand; the rest goes to the reply as it came."""

    model: str
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    seed: int | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=1)] | None = None
    stream: bool | None = None


def offline(body: Mapping[str, Any]) -> str:
    """Return the offline writer's reply to a chat request."""
    return writer.write(body["messages"], body.get("response_format"), body.get("seed") or 0)


class Server:
    """A server that takes connections from its making on, and answers them while ``serve`` runs."""

    def __init__(self, reply: Reply, model: str, faults: Faults, host: str, port: int) -> None:
        """Take ``host`` and ``port`` (0: any free one).

        Raises:
            PipelineError: The address cannot be had.
        """
        self._reply = reply
        self._model = model
        self._served_as = f"{model} (rules, not a language model)" if reply is offline else model
        self._socket = _listen(host, port)
        self.root_url = f"http://{host}:{self._socket.getsockname()[1]}"
        """Where the server tells about itself."""
        self.base_url = f"{self.root_url}/v1"
        """What an OpenAI client calls its base URL."""
        self.batches = batch_server.BatchServer(self._answer_in_batch)
        """The batch endpoints: their faults and counts."""
        self._flying: set[asyncio.Task[Any] | None] = set()
        self.rehearse(faults)
        self.reset()

    def rehearse(self, faults: Faults) -> None:
        """Give the requests from now on these faults, with the dice at their start."""
        self._faults = faults
        self._fates = faults.fates()
        self._malformed = cycle(MALFORMED)

    def reset(self) -> None:
        """Forget the counts, the bodies seen and the prefix cache; put the dice at their start."""
        self._stats = Stats(most_in_flight=len(self._flying))
        self._answered: set[int] = set()
        self._prefixes: set[int] = set()
        self.rehearse(self._faults)

    def stats(self) -> Stats:
        """Return the counts so far, as a copy. Any thread may ask."""
        return msgspec.structs.replace(self._stats, in_flight=len(self._flying), by_status=dict(self._stats.by_status))

    async def serve(self, stop: Future[None]) -> None:
        """Answer until ``stop`` is done or the task is cancelled; then drop what is in flight and free the port."""
        http = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(http, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        await web.SockSite(runner, self._socket, backlog=BACKLOG).start()
        try:
            await asyncio.wrap_future(stop)
        finally:
            # Stop accepting before closing: asyncio leaks a connection that it accepts while its server closes.
            with suppress(NotImplementedError):  # on Windows, whose loop has no readers
                asyncio.get_running_loop().remove_reader(self._socket)
            await asyncio.sleep(0.01)  # until those accepted are known to the runner
            for task in self._flying:
                if task:
                    task.cancel()
            await runner.cleanup()
            self.batches.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                return await self._chat(request)
            case "GET", "/v1/models":
                model = {"id": self._model, "object": "model", "created": 0, "owned_by": SIGN}
                return _json(200, {"object": "list", "data": [model]})
            case "GET", "/stats":
                return _json(200, self.stats())
            case "DELETE", "/stats":
                self.reset()
                return _json(200, self.stats())
            case "GET", "/faults":
                return _json(200, self._faults.model_dump())
            case "PATCH", "/faults":
                return self._patch_faults(await request.content.read())
            case _, path if path.startswith(batch_server.PATHS):
                answer = await self.batches.handle(request)
                if isinstance(answer, web.StreamResponse):
                    return answer
                return _failure(answer) if isinstance(answer, Failure) else _json(200, answer)
            case "GET", "/":
                return web.Response(text=_about(self.root_url, self._model), headers={"Server": SIGN})
        return _failure(Failure(404, f"Nothing is served at {request.method} {request.path}", code="unknown_url"))

    def _patch_faults(self, raw: bytes) -> web.Response:
        try:
            changes = msgspec.json.decode(raw, type=dict[str, Any])
            self.rehearse(Faults.model_validate(self._faults.model_dump() | changes))
        except (msgspec.DecodeError, pydantic.ValidationError) as error:
            return _failure(Failure(400, str(error)))
        return _json(200, self._faults.model_dump())

    async def _chat(self, request: web.BaseRequest) -> web.Response:
        raw = await request.content.read()
        arrived = asyncio.get_running_loop().time()
        self._stats.requests += 1
        self._stats.first_request_at = self._stats.first_request_at or time.time()
        fate = next(self._fates)  # thrown for every request, so that the n-th has the n-th throw whatever came before
        body = self._read(raw)
        if isinstance(body, Failure):
            return self._counted(_failure(body))
        load, ceiling = len(self._flying), self._faults.ceiling
        if ceiling and load >= ceiling:
            self._stats.over_ceiling += 1
            fate = Fault.BUSY
        if fate is Fault.BUSY:
            return self._counted(_failure(busy(self._faults.retry_after_s)))

        task = asyncio.current_task()
        self._flying.add(task)  # asyncio itself holds tasks weakly: a hung one must not be collected
        self._stats.most_in_flight = max(self._stats.most_in_flight, load + 1)
        try:
            answer = fate or self._reply(body)
            due = arrived + self._faults.latency_s + self._faults.latency_per_load_s * load
            if isinstance(answer, Late):
                due += answer.seconds
                answer = answer.answer
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            return self._counted(await self._respond(request, raw, body, answer))
        finally:
            self._flying.discard(task)

    def _read(self, raw: bytes) -> dict[str, Any] | Failure:
        """Return a chat request's body if it can be answered, else what is wrong with it."""
        try:
            body: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
            asked = msgspec.convert(body, _Request)
        except msgspec.DecodeError as error:
            return Failure(400, f"The request cannot be understood: {error}")
        if asked.model != self._model:
            message = f"The model {asked.model!r} does not exist here; there is {self._model!r}"
            return Failure(404, message, code="model_not_found", param="model")
        if asked.stream:
            return Failure(400, "Streaming is not supported here", code="unsupported_value", param="stream")
        return body

    async def _respond(self, request: web.BaseRequest, raw: bytes, body: dict[str, Any], answer: Sent) -> web.Response:
        match answer:
            case str():
                return self._good(raw, body, Completion(answer))
            case Completion():
                return self._good(raw, body, answer)
            case Failure():
                return _failure(answer)
            case Raw():
                headers = {"Content-Type": "application/json", "Server": SIGN, **answer.headers}
                return web.Response(body=answer.body, status=answer.status, headers=headers)
            case Fault.BUSY:
                return _failure(busy(self._faults.retry_after_s))
            case Fault.BROKEN:
                return _failure(BROKEN)
            case Fault.MALFORMED:
                self._stats.malformed += 1
                return self._completion(body, next(self._malformed))
            case Fault.DROPPED:
                self._stats.dropped += 1
                if request.transport:
                    request.transport.close()
            case Fault.HUNG:
                self._stats.hung += 1
        # The end of the connection, by us, by the client or by the end of the server, cancels this task.
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nothing ends this wait but cancelling")

    def _answer_in_batch(self, raw: bytes) -> tuple[int, bytes]:
        """Return status and body for one request of a batch; faults thrown over single requests are not for these."""
        body = self._read(raw)
        answer = body if isinstance(body, Failure) else self._reply(body)
        answer = answer.answer if isinstance(answer, Late) else answer
        if isinstance(answer, str):
            answer = Completion(answer)
        if isinstance(answer, Completion) and isinstance(body, dict):
            return 200, _bytes_of(self._good(raw, body, answer))
        if isinstance(answer, Raw):
            return answer.status, answer.body
        failure = answer if isinstance(answer, Failure) else BROKEN
        return failure.status, _bytes_of(_failure(failure))

    def _good(self, raw: bytes, body: dict[str, Any], completion: Completion) -> web.Response:
        key = hash(raw)  # 64 bits: two bodies of a million share one with a chance of 1 in 10 million
        self._stats.answered += 1
        self._stats.repeated += key in self._answered
        self._answered.add(key)
        return self._completion(body, completion)

    def _completion(self, body: dict[str, Any], completion: Completion) -> web.Response:
        usage = completion.usage or self._usage(body["messages"], completion)
        self._stats.prompt_tokens += usage.prompt_tokens
        self._stats.cached_tokens += usage.cached_tokens
        self._stats.completion_tokens += usage.completion_tokens
        message = {"role": "assistant", "content": completion.content, "refusal": completion.refusal}
        now = time.time()
        self._stats.last_answer_at = now
        return _json(
            200,
            {
                "id": f"chatcmpl-{self._stats.requests}",
                "object": "chat.completion",
                "created": int(now),
                "model": self._served_as,
                "system_fingerprint": SIGN,
                "choices": [{"index": 0, "message": message, "finish_reason": completion.finish_reason}],
                "usage": {
                    "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens,
                    "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                    "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
                },
            },
        )

    def _usage(self, messages: list[dict[str, Any]], completion: Completion) -> Usage:
        """Count tokens, and put all messages but the last, which is the scene's own, into the prefix cache."""
        cached, prefix = 0, 0
        for message in messages[:-1]:
            prefix = hash((prefix, message["role"], message["content"]))
            if prefix in self._prefixes:
                cached += _tokens(message["content"])
            self._prefixes.add(prefix)
        return Usage(
            prompt_tokens=sum(_tokens(message["content"]) for message in messages),
            completion_tokens=_tokens(completion.content or completion.refusal or ""),
            cached_tokens=cached,
        )

    def _counted(self, response: web.Response) -> web.Response:
        statuses = self._stats.by_status
        statuses[response.status] = statuses.get(response.status, 0) + 1
        return response


@contextmanager
def background(
    reply: Reply = offline, model: str = writer.NAME, faults: Faults = NO_FAULTS, port: int = 0
) -> Iterator[Server]:
    """Run a server on loopback in a thread of its own, for as long as the block lasts.

    Args:
        reply: From a request's body to its answer; runs in the server's thread. What it raises is a bug: the client
            gets a plain 500, the log the traceback.
        model: The only name the server answers to.
        faults: The trouble to rehearse.
        port: 0 for any free one.

    Raises:
        PipelineError: The port is taken.
    """
    server = Server(reply, model, faults, LOOPBACK, port)
    stop: Future[None] = Future()
    # The socket listens already, so nobody has to wait for the thread to come up.
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(stop)), name="loopback-server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stop.set_result(None)
        thread.join()


def run(host: str, port: int, faults: Faults) -> None:
    """Serve the offline writer until Ctrl-C; say where it listens and how to use it.

    Raises:
        PipelineError: The port is taken, or the host is not this machine's.
    """
    server = Server(offline, writer.NAME, faults, host, port)
    print(f"{_about(server.root_url, writer.NAME)}\nCtrl-C stops it.", flush=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(server.serve(Future()))
    stats = server.stats()
    print(f"\nStopped. Requests: {stats.requests:,}; answered: {stats.answered:,}.")


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PipelineError(f"port {port} on {host} is taken; pass another --port, or 0 for any free one") from None
        told = str(error.strerror)
    except OverflowError:
        told = "a port is a number from 0 to 65535"
    except UnicodeError:
        told = "that is no name of a host"
    raise PipelineError(f"cannot listen at {host}:{port} ({told}); pass another --host or --port")


def _about(root_url: str, model: str) -> str:
    return (
        f"{SIGN} at {root_url}: answers chat requests of this project by rules over the context text they carry.\n"
        f"Use it: python -m pipeline generate --model {model} --base-url {root_url}/v1, with any key;\n"
        f'or POST {root_url}/v1/chat/completions with {{"model": "{model}", "messages": [...]}}, as to OpenAI.\n'
        f"Counts are at {root_url}/stats (DELETE resets them), faults to rehearse at {root_url}/faults (PATCH)."
    )


def _bytes_of(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def _json(status: int, content: Any) -> web.Response:
    body = msgspec.json.encode(content)
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json", "Server": SIGN})


def _failure(failure: Failure) -> web.Response:
    error = {"message": failure.message, "type": failure.type, "param": failure.param, "code": failure.code}
    response = _json(failure.status, {"error": error})
    response.headers.update(failure.headers)
    return response
