"""The loopback server's batch endpoints: ``/v1/files`` and ``/v1/batches`` as OpenAI speaks them, for rehearsals.

Files are kept on disk until the server ends. A batch goes through OpenAI's statuses by itself; its requests are
answered by the same reply as those that come one by one, the first half at once and the rest after ``delay_s``. For
rehearsals also ``GET /batch/stats``, and ``GET`` and ``PATCH /batch/faults``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import pydantic
from aiohttp import BodyPartReader, web

from pipeline.llm.batch_faults import BatchFaults, BatchStats
from pipeline.llm.faults import BROKEN, Failure

PATHS = ("/v1/files", "/v1/batches", "/batch/")
ENDPOINT = "/v1/chat/completions"
WINDOW_S = 24 * 3600
LIVE = ("validating", "in_progress", "finalizing", "cancelling")
BREATH = 100  # requests answered between two looks at what else there is to do
FINALIZING_S = 0.02  # long enough to be seen
PAGE = 20  # batches in a list whose ``limit`` is not given
LONGEST_PAGE = 100


class _File(msgspec.Struct):
    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    object: str = "file"
    status: str = "processed"


class _Counts(msgspec.Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Batch(msgspec.Struct):
    id: str
    input_file_id: str
    endpoint: str
    completion_window: str
    created_at: int
    expires_at: int
    metadata: dict[str, str] | None
    object: str = "batch"
    status: str = "validating"
    errors: dict[str, Any] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: _Counts = msgspec.field(default_factory=_Counts)


class _Asked(msgspec.Struct):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None


class _Request(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class BatchServer:
    """The batch endpoints of one server; lives in the server's thread."""

    def __init__(self, answer: Callable[[bytes], tuple[int, bytes]]) -> None:
        """Prepare the endpoints.

        Args:
            answer: From the bytes of a chat request to status and body.
        """
        self.stats = BatchStats()
        self._answer = answer
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = itertools.count(1)
        self._files: dict[str, _File] = {}
        self._batches: dict[str, _Batch] = {}
        self._shown_at: dict[str, float] = {}
        self._cancels: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[str] = set()
        self.rehearse(BatchFaults())

    def rehearse(self, faults: BatchFaults) -> None:
        """Give what comes from now on these faults, with the dice at their start."""
        self._faults = faults
        self._dice = random.Random(faults.seed)
        self._lost, self._busy = faults.lost_creations, faults.busy_creations

    def close(self) -> None:
        """Stop all batches and remove all files."""
        for task in self._tasks:
            task.cancel()
        if self._folder:
            self._folder.cleanup()

    async def handle(self, request: web.BaseRequest) -> Any:
        """Answer a request to one of ``PATHS``: a Failure, a ready response, or what is to be sent as JSON."""
        match request.method, request.path.strip("/").removeprefix("v1/").split("/"):
            case "POST", ["files"]:
                return await self._upload(request)
            case "GET", ["files", name] if name in self._files:
                return self._files[name]
            case "GET", ["files", name, "content"] if name in self._files:
                return web.FileResponse(self._path(name), headers={"Content-Type": "application/octet-stream"})
            case "DELETE", ["files", name] if name in self._files:
                return self._delete(name)
            case "POST", ["batches"]:
                return self._create(request, await request.content.read())
            case "GET", ["batches"]:
                return self._list(request.query.get("after"), request.query.get("limit", str(PAGE)))
            case "GET", ["batches", name] if name in self._batches:
                return self._batches[name]
            case "POST", ["batches", name, "cancel"] if name in self._batches:
                return self._cancel(self._batches[name])
            case "GET", ["batch", "stats"]:
                return self.stats
            case "GET", ["batch", "faults"]:
                return self._faults.model_dump()
            case "PATCH", ["batch", "faults"]:
                return self._patch_faults(await request.content.read())
        return Failure(404, f"Nothing is known of {request.method} {request.path}", code="not_found")

    def _patch_faults(self, raw: bytes) -> Any:
        try:
            changes = msgspec.json.decode(raw, type=dict[str, Any])
            self.rehearse(BatchFaults.model_validate(self._faults.model_dump() | changes))
        except (msgspec.DecodeError, pydantic.ValidationError) as error:
            return Failure(400, str(error))
        return self._faults.model_dump()

    # ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _path(self, name: str) -> Path:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="loopback-files-")
        return Path(self._folder.name) / name

    def _add_file(self, filename: str, purpose: str) -> _File:
        self.stats.files += purpose == "batch"
        self.stats.stored += 1
        file = _File(f"file-{next(self._numbers):06}", 0, int(time.time()), filename, purpose)
        self._files[file.id] = file
        self._path(file.id).touch()
        return file

    async def _upload(self, request: web.BaseRequest) -> _File | Failure:
        purpose, file = "", None
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                return Failure(400, "A part of the form holds parts itself")
            if part.name == "purpose":
                purpose = await part.text()
            elif part.name == "file":
                file = self._add_file(part.filename or "", "batch")
                with self._path(file.id).open("wb") as target:
                    while chunk := await part.read_chunk(1 << 16):
                        file.bytes += target.write(chunk)
        if not file or purpose != "batch":
            return Failure(400, "A file and the purpose 'batch' are needed here", param="purpose")
        if file.bytes > self._faults.max_bytes:
            self._delete(file.id)
            return Failure(413, f"The file is over {self._faults.max_bytes:,} bytes", code="file_too_large")
        return file

    def _delete(self, name: str) -> dict[str, Any]:
        self._path(name).unlink()
        self.stats.stored -= 1
        del self._files[name]
        return {"id": name, "object": "file", "deleted": True}

    # ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _create(self, request: web.BaseRequest, raw: bytes) -> _Batch | Failure:
        if self._busy:
            self._busy -= 1
            return BROKEN
        try:
            asked = msgspec.json.decode(raw, type=_Asked)
        except msgspec.DecodeError as error:
            return Failure(400, f"The request cannot be understood: {error}")
        if asked.input_file_id not in self._files:
            return Failure(400, f"There is no file {asked.input_file_id!r}", param="input_file_id")
        if asked.endpoint != ENDPOINT:
            return Failure(400, f"Batches are for {ENDPOINT} here", param="endpoint")
        if asked.completion_window != "24h":
            return Failure(400, "The window is '24h'", param="completion_window")
        batch = self._begin(asked)
        if self._lost:
            self._lost -= 1
            if request.transport:
                request.transport.close()
            return BROKEN  # which nobody can read any more
        return batch

    def _begin(self, asked: _Asked) -> _Batch:
        now = int(time.time())
        batch = _Batch(
            f"batch_{next(self._numbers):06}",
            asked.input_file_id,
            asked.endpoint,
            asked.completion_window,
            now,
            now + WINDOW_S,
            asked.metadata,
        )
        self.stats.created += 1
        self._batches[batch.id] = batch
        self._shown_at[batch.id] = time.monotonic() + self._faults.list_lag_s
        self._cancels[batch.id] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._process(batch))
        self._tasks.add(task)  # asyncio itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
        return batch

    def _list(self, after: str | None, limit: str) -> Any:
        self.stats.lists += 1
        if not limit.isdecimal() or not 1 <= int(limit) <= LONGEST_PAGE:
            return Failure(400, f"The limit is between 1 and {LONGEST_PAGE}", param="limit")
        shown = [batch for name, batch in self._batches.items() if self._shown_at[name] <= time.monotonic()]
        shown.reverse()  # newest first
        names = [batch.id for batch in shown]
        begin = names.index(after) + 1 if after in names else 0
        page = shown[begin : begin + int(limit)]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        more = begin + len(page) < len(shown)
        return {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": more}

    def _cancel(self, batch: _Batch) -> _Batch | Failure:
        if batch.status not in ("validating", "in_progress"):
            return Failure(409, f"A batch that is {batch.status} cannot be cancelled")
        self._move(batch, "cancelling")
        self._cancels[batch.id].set()
        return batch

    def _move(self, batch: _Batch, status: str) -> None:
        batch.status = status
        setattr(batch, f"{status}_at", int(time.time()))

    # ── the life of a batch ──────────────────────────────────────────────────────────────────────────────────────────

    async def _process(self, batch: _Batch) -> None:
        await self._sleep(batch, self._faults.validation_s)
        errors, names = self._check(batch)
        if errors:
            batch.errors = {"object": "list", "data": errors}
            self._move(batch, "failed")
            return
        self.stats.accepted += 1
        self.stats.requests += len(names)
        self.stats.repeated += len(self._taken & names)
        self._taken |= names
        batch.request_counts.total = len(names)
        if batch.status == "validating":
            self._move(batch, "in_progress")
        left = await self._answer_all(batch)
        if batch.status == "in_progress":
            self._move(batch, "finalizing")
            await asyncio.sleep(FINALIZING_S)
        end = "cancelled" if batch.status == "cancelling" else "expired" if left else "completed"
        self._move(batch, end)

    async def _sleep(self, batch: _Batch, seconds: float) -> None:
        """Wait, but no longer than until the batch is cancelled."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cancels[batch.id].wait(), seconds)

    def _lines(self, batch: _Batch) -> Iterator[bytes]:
        with self._path(batch.input_file_id).open("rb") as file:
            yield from file

    def _check(self, batch: _Batch) -> tuple[list[dict[str, Any]], set[str]]:
        """Return what is wrong with a batch's input, one error at most, and the ids in it."""

        def error(code: str, message: str, line: int | None = None) -> tuple[list[dict[str, Any]], set[str]]:
            return [{"code": code, "message": message, "line": line, "param": None}], set()

        if self._faults.fails_with:
            return error(self._faults.fails_with, "The batch was told to fail")
        if batch.input_file_id not in self._files:
            return error("invalid_file", "The input file is gone")
        names: set[str] = set()
        for number, raw in enumerate(self._lines(batch), 1):
            try:
                request = msgspec.json.decode(raw, type=_Request)
            except msgspec.DecodeError as fault:
                return error("invalid_json_line", str(fault), number)
            if request.method != "POST" or request.url != batch.endpoint:
                return error("mismatched_url", f"{request.method} {request.url} is not the batch's endpoint", number)
            if request.custom_id in names:
                return error("duplicate_custom_id", f"{request.custom_id} was there before", number)
            names.add(request.custom_id)
        if not names:
            return error("empty_file", "The input file has no requests")
        if len(names) > self._faults.max_requests:
            return error("too_many_requests", f"More than {self._faults.max_requests:,} requests in one file")
        limit, tokens = self._faults.enqueued_tokens, self._enqueued_tokens()
        if limit and tokens > limit:
            return error("token_limit_exceeded", f"Enqueued token limit reached: {tokens:,} of {limit:,}")
        return [], names

    def _enqueued_tokens(self) -> int:
        inputs = [batch.input_file_id for batch in self._batches.values() if batch.status in LIVE]
        return sum(self._files[name].bytes // 4 for name in inputs if name in self._files)

    async def _answer_all(self, batch: _Batch) -> set[str]:
        """Answer a batch's requests into its two files; return the ids of those that the end left unanswered."""
        output = self._add_file(f"{batch.id}_output.jsonl", "batch_output")
        errors = self._add_file(f"{batch.id}_error.jsonl", "batch_output")
        left: set[str] = set()
        counts = batch.request_counts
        with self._path(output.id).open("wb") as good, self._path(errors.id).open("wb") as bad:
            for number, raw in enumerate(self._lines(batch)):
                if number == counts.total // 2:
                    await self._sleep(batch, self._faults.delay_s)
                if number % BREATH == 0:
                    await asyncio.sleep(0)
                request = msgspec.json.decode(raw, type=_Request)
                answered, line = self._answer_one(batch, request)
                counts.completed += answered is True
                counts.failed += answered is False
                if answered is None:
                    left.add(request.custom_id)
                if not answered:
                    self._taken.discard(request.custom_id)
                target: IO[bytes] = good if answered else bad
                target.write(line)
        batch.output_file_id = self._close_file(output)
        batch.error_file_id = self._close_file(errors)
        return left

    def _close_file(self, file: _File) -> str | None:
        """Return the id of a file that has been written, or remove it if nothing has."""
        file.bytes = self._path(file.id).stat().st_size
        if not file.bytes:
            self._delete(file.id)
        return file.id if file.bytes else None

    def _answer_one(self, batch: _Batch, request: _Request) -> tuple[bool | None, bytes]:
        """Return one request's line, and whether it is an answer, an error, or (None) neither by the batch's end."""
        faults, throw = self._faults, self._dice.random()
        name = request.custom_id
        if batch.status == "cancelling":
            return None, _line(name, error={"code": "batch_cancelled", "message": "The batch was cancelled before"})
        if throw < faults.share_expired:
            return None, _line(name, error={"code": "batch_expired", "message": "The window ended before"})
        throw -= faults.share_expired
        if throw < faults.share_missing:
            return None, b""
        throw -= faults.share_missing
        if throw < faults.share_errors:
            told = {"error": {"message": "Refused, as told", "type": "invalid_request_error", "code": "rehearsed"}}
            return False, _line(name, 400, msgspec.json.encode(told))
        throw -= faults.share_errors
        status, body = self._answer(bytes(request.body))
        line = _line(name, status, body)
        if throw < faults.share_cut:
            return True, line[: len(line) // 2] + b"\n"
        return status == 200, line


def _line(custom_id: str, status: int = 0, body: bytes = b"", error: dict[str, str] | None = None) -> bytes:
    response = {"status_code": status, "request_id": custom_id, "body": msgspec.Raw(body)} if status else None
    line = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": error}
    return msgspec.json.encode(line) + b"\n"
