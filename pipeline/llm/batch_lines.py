"""The lines of batch files: requests written to files within the server's limits, and answers read one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.llm.completions import read_completion
from pipeline.llm.failures import Broken
from pipeline.llm.journal import Reply

URL: Final = "/v1/chat/completions"
BREATH = 200  # requests written between two looks at what else there is to do, about 5 ms


class Job(msgspec.Struct, frozen=True):
    """One request to be answered by a batch."""

    key: bytes
    """Under which the journal keeps the reply; 32 bytes, so that it fits a ``custom_id`` in hex."""
    sample: str
    """Id of the sample that it is for."""
    body: bytes
    """A chat request exactly as it would be posted, without line breaks."""


class Refusal(msgspec.Struct, frozen=True):
    """An error that will not pass by itself: to ask the same again is of no use."""

    key: bytes
    sample: str
    status: int
    """HTTP status of the one request; 0 where there is none."""
    code: str
    message: str


class Pieces(msgspec.Struct, frozen=True):
    """A file of requests on disk."""

    path: Path
    items: dict[bytes, str]
    """From each key in it to its sample, in the file's order."""

    def halves(self) -> tuple[Pieces, Pieces]:
        """Return two files with half of the requests each, instead of this one."""
        keys, middle = list(self.items), len(self.items) // 2
        parts = tuple(
            Pieces(self.path.with_name(f"{self.path.stem}{name}.jsonl"), {key: self.items[key] for key in part})
            for name, part in (("a", keys[:middle]), ("b", keys[middle:]))
        )
        with self.path.open("rb") as source:
            for part in parts:
                with part.path.open("wb") as target:
                    target.writelines(source.readline() for _ in part.items)
        self.path.unlink()
        return parts[0], parts[1]


class Cutter:
    """Cuts a stream of jobs into files; nothing is held but what the next file's entry in the journal needs."""

    def __init__(
        self, jobs: Iterable[Job], folder: Path, max_requests: int, max_bytes: int, known: Callable[[bytes], bool]
    ) -> None:
        """Prepare to cut; no job is taken yet.

        Args:
            jobs: Taken one after the other, only as files are asked for.
            folder: Where the files go.
            max_requests: Most requests in a file.
            max_bytes: Most bytes in a file.
            known: Tells whether a key needs no request any more.
        """
        self.found = 0
        """Jobs left out because they were known."""
        self.too_large: list[Refusal] = []
        """Jobs left out because one alone is over ``max_bytes``."""
        self._jobs = iter(jobs)
        self._folder = folder
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._known = known
        self._over: Job | None = None
        self._count = 0

    async def cut(self) -> Pieces | None:
        """Write the next file, or return None where no job is left."""
        self._count += 1
        pieces = Pieces(self._folder / f"{self._count}.jsonl", {})
        size = taken = 0
        with pieces.path.open("wb") as file:
            while len(pieces.items) < self._max_requests and (job := self._next()):
                taken += 1
                if taken % BREATH == 0:
                    await asyncio.sleep(0)
                if job.key in pieces.items or self._known(job.key):
                    self.found += 1
                    continue
                line = encode_line(job)
                if len(line) > self._max_bytes:
                    self.too_large.append(Refusal(job.key, job.sample, 0, "too_large", f"{len(line):,} bytes"))
                elif size + len(line) > self._max_bytes:
                    self._over = job
                    break
                else:
                    size += file.write(line)
                    pieces.items[job.key] = job.sample
        if pieces.items:
            return pieces
        pieces.path.unlink()
        return None

    def _next(self) -> Job | None:
        job, self._over = self._over or next(self._jobs, None), None
        return job


def encode_line(job: Job) -> bytes:
    """Return a job as a line of an input file."""
    head = b'{"custom_id":"%b","method":"POST","url":"%b","body":' % (job.key.hex().encode(), URL.encode())
    return head + job.body + b"}\n"


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines as they arrive, without their ends.

    Only a line feed ends a line here. Readers of text also stop at U+2028 and others, which JSON may hold as they are.
    """
    tail = b""
    async for chunk in chunks:
        *whole, tail = (tail + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if tail.strip():
        yield tail


class _Response(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    code: Any = None
    message: Any = None


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


class _Body(msgspec.Struct):
    error: _Error | None = None


_line = msgspec.json.Decoder(_Line)
_body = msgspec.json.Decoder(_Body)

# The end of the batch, or of somebody's patience: nothing is wrong with the request itself.
_PASSING_CODES = ("batch_expired", "batch_cancelled", "request_timeout")
_PASSING_STATUSES = (0, 408, 409, 425, 429)


class Line(msgspec.Struct, frozen=True):
    """What a line of an output or error file says of one request."""

    key: bytes
    reply: Reply | None = None
    """The answer, if there is one."""
    error: tuple[int, str, str] | None = None
    """Status (0: none), code and message of an error that will not pass by itself; without one, ask again."""


def read_line(raw: bytes) -> Line | None:
    """Read a line of an output or error file; None where not even its key can be read."""
    try:
        line = _line.decode(raw)
        key = bytes.fromhex(line.custom_id)
    except (msgspec.MsgspecError, ValueError):  # ValueError: not UTF-8, or not hex
        return None
    status = line.response.status_code if line.response else 0
    if line.response and status == 200 and not line.error:
        try:
            return Line(key, reply=read_completion(bytes(line.response.body)))
        except Broken:
            return Line(key)
    error = line.error or _error_in(line.response)
    code, message = str(error.code or ""), " ".join(str(error.message or "no reason given").split())[:300]
    if code in _PASSING_CODES or status >= 500 or (status in _PASSING_STATUSES and not line.error):
        return Line(key)
    return Line(key, error=(status, code, message))


def _error_in(response: _Response | None) -> _Error:
    """Return the error that a refused request's response carries."""
    try:
        return (_body.decode(response.body).error if response else None) or _Error()
    except msgspec.MsgspecError:
        return _Error()
