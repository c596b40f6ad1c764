"""Requests answered by OpenAI's batch endpoints: half the price, within a day, and never submitted twice.

Jobs are cut into files within the server's limits. One file at a time is uploaded, written into the journal with all
the keys that it covers, and made a batch; the next follows when that batch has passed its validation. If this process
dies in between, the next one knows from the journal which keys may not be sent, and asks the server's list whether the
batch exists: it carries our own id in its metadata, and names the input file that only it uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NoReturn, TypeVar

import httpx2
import msgspec
import openai
import tenacity
from openai.types import Batch

from pipeline.errors import RunStopped
from pipeline.llm.batch_ledger import Entry, Ledger
from pipeline.llm.batch_lines import URL, Cutter, Job, Pieces, Refusal, read_line, split_lines
from pipeline.llm.failures import Declined, Unanswered, may_pass, message_of, pause_s, status_of
from pipeline.llm.journal import Journal, Reply

MARK = "pipeline_batch"  # the metadata's field with our own id
SETTLE_S = 120.0  # a batch that the list does not show for so long after its creation was asked for does not exist
GIVE_UP_S = 900.0  # failures may go on for so long before the run stops; the batches go on without us
VALIDATION_POLL_S = 5.0
LONGEST_WAIT_S = 1800.0
T = TypeVar("T")


class BatchOutcome(msgspec.Struct):
    """What came of the jobs. Those in none of these were known before."""

    answered: int = 0
    """Replies that are in the journal now and were not before; also those to batches of an earlier process."""
    refused: list[Refusal] = []
    """Requests whose error will not pass by itself."""
    unanswered: list[bytes] = []
    """Keys that got neither, because a batch expired, was cancelled, or gave something unreadable: free to be asked."""


async def run_batches(
    client: openai.AsyncOpenAI,
    journal: Journal,
    jobs: Iterable[Job],
    *,
    say: Callable[[str], None],
    poll_s: float,
    stopping: asyncio.Event,
    max_requests: int = 50_000,
    max_bytes: int = 200_000_000,
    keep: Callable[[bytes, str, Reply], object] | None = None,
    settle_s: float = SETTLE_S,
) -> BatchOutcome:
    """Have jobs answered by batches, and wait until all batches of this journal have ended.

    A job is left out if the journal has its reply or a batch covers its key. Batches of earlier processes are waited
    for like new ones. Only one process at a time may do this on one journal.

    Args:
        client: Connected to the server.
        journal: Where replies and the batches' state are kept; files on their way are put beside it.
        jobs: Taken one after the other, as files are cut.
        say: Takes a line for people.
        poll_s: Seconds between two looks at the batches.
        stopping: Set to end early. The batches go on at the server.
        max_requests: Most requests in a file.
        max_bytes: Most bytes in a file.
        keep: Commits a reply in place of ``journal.keep``, such as with its price.
        settle_s: Seconds after which a batch that no list shows does not exist.

    Raises:
        RunStopped: The server refuses a batch, cannot be reached, or ``stopping`` was set. The same call carries on.
    """
    folder = journal.path.parent / ".batches"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    ledger = Ledger(journal)
    cutter = Cutter(jobs, folder, max_requests, max_bytes, ledger.has)
    run = _Run(client, ledger, cutter, keep or journal.keep, say, poll_s, settle_s, stopping)
    try:
        return await run.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    """The state of one ``run_batches``."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        ledger: Ledger,
        cutter: Cutter,
        keep: Callable[[bytes, str, Reply], object],
        say: Callable[[str], None],
        poll_s: float,
        settle_s: float,
        stopping: asyncio.Event,
    ) -> None:
        # A creation that the client repeats in silence would be a second batch; we repeat what may be repeated.
        self._client = client.with_options(max_retries=0)
        self._ledger = ledger
        self._cutter = cutter
        self._keep = keep
        self._say = say
        self._poll_s = poll_s
        self._settle_s = settle_s
        self._stopping = stopping
        self._outcome = BatchOutcome()
        self._validating: dict[int, Pieces | None] = {}  # by entry; None: submitted by an earlier process
        self._held: deque[Pieces] = deque()  # refused because the server's queue was full
        self._is_full = False
        self._wait_s = poll_s  # until the next try while the queue is full and holds nothing of ours

    async def run(self) -> BatchOutcome:
        await self._find_lost()
        self._validating = {entry.number: None for entry in self._ledger.open()}
        for entry in self._ledger.open():
            self._say(f"waiting for batch {entry.batch_id}, which an earlier process submitted")
        while True:
            for entry in self._ledger.open():
                await self._look_at(entry)
            if not self._validating and not self._is_full and (pieces := await self._next_pieces()):
                await self._submit(pieces)
            elif not self._held and not self._ledger.open():
                self._outcome.refused += self._cutter.too_large
                return self._outcome
            await self._rest()

    async def _next_pieces(self) -> Pieces | None:
        return self._held.popleft() if self._held else await self._cutter.cut()

    async def _rest(self) -> None:
        """Wait before the next look; while the queue is full without our doing, longer each time."""
        if self._is_full and not self._ledger.open():
            await self._pause(self._wait_s)
            self._wait_s = min(2 * self._wait_s, max(LONGEST_WAIT_S, self._poll_s))
            self._is_full = False
        else:
            await self._pause(min(self._poll_s, VALIDATION_POLL_S) if self._validating else self._poll_s)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise RunStopped(
                f"stopped; {self._ledger.waiting():,} requests are in batches at the server, run again to collect them"
            )

    # ── submitting ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _submit(self, pieces: Pieces) -> None:
        own_id = uuid.uuid4().hex

        async def upload() -> str:
            with pieces.path.open("rb") as file:
                return (await self._client.files.create(file=(f"{own_id}.jsonl", file), purpose="batch")).id

        file_id = await self._again(upload)
        self._ledger.intend(own_id, file_id, pieces.items)
        await self._create(own_id, file_id, pieces)

    async def _create(self, own_id: str, file_id: str, pieces: Pieces) -> None:
        """Create a batch whose intent is written, and find out what became of it if the server does not say."""
        try:
            with _in_our_words():
                batch = await self._client.batches.create(
                    input_file_id=file_id, endpoint=URL, completion_window="24h", metadata={MARK: own_id}
                )
            self._ledger.created(own_id, batch.id)
        except (Declined, Unanswered) as error:
            if isinstance(error, Declined) and error.status < 500 and error.status != 408:
                await self._not_created(own_id, pieces, error)
                return
            self._say(f"the creation of a batch ended with {_told(error)}; looking whether it exists")
            await self._find_lost()
        for entry in self._ledger.open():
            if entry.id == own_id:
                self._validating[entry.number] = pieces
                self._say(f"batch {entry.batch_id}: {len(pieces.items):,} requests submitted")
                return
        self._held.append(pieces)

    async def _not_created(self, own_id: str, pieces: Pieces, error: Declined) -> None:
        """Take back the intent of a batch that the server refused to make."""
        (entry,) = (entry for entry in self._ledger.open() if entry.id == own_id)
        self._ledger.end(entry.number)
        await self._remove(entry.file_id)
        if _is_queue_full(error.code, _told(error)):
            self._hold(pieces, _told(error))
        elif may_pass(error):  # too many creations a minute: the file is as good as before
            self._say(f"no batch can be created now ({_told(error)}); trying again in {self._wait_s:.0f} s")
            self._held.appendleft(pieces)
            await self._pause(self._wait_s)
        else:
            self._give_up(error)

    def _hold(self, pieces: Pieces, why: str) -> None:
        """Keep a file for later: when a batch of ours has ended, or in two halves if none is there to end."""
        self._is_full = True
        if self._ledger.open():
            self._say(f"the server's queue is full ({why}); the next batch waits until one has ended")
            self._held.append(pieces)
        elif len(pieces.items) == 1:
            raise RunStopped(f"the server's queue has no room for a single request ({why}); run again when it has")
        else:
            self._say(f"the server's queue is full ({why}); trying half as many requests in {self._wait_s:.0f} s")
            self._held.extend(pieces.halves())

    # ── creations without an answer ──────────────────────────────────────────────────────────────────────────────────

    async def _find_lost(self) -> None:
        """Find out which batches exist whose creation was asked for and not answered; forget those that do not."""
        lost = await self._match([entry for entry in self._ledger.open() if entry.batch_id is None])
        if not lost:
            return
        self._say("a batch may have been created without our knowing; waiting until the server's list must show it")
        # The clock may have been set in the meantime: never wait longer than the whole time.
        left = max(entry.tried_at for entry in lost) + self._settle_s - time.time()
        deadline = time.monotonic() + min(left, self._settle_s)
        while lost and (left := deadline - time.monotonic()) > 0:
            await self._pause(min(left, self._settle_s / 8))
            lost = await self._match(lost)
        for entry in lost:  # without its input, a creation that is still on its way can only fail
            await self._remove(entry.file_id)
        for entry in await self._match(lost):
            self._ledger.end(entry.number)

    async def _match(self, lost: list[Entry]) -> list[Entry]:
        """Look for batches in the server's list; note those that are there, and return the others."""
        if not lost:
            return []

        async def read_list() -> dict[str, str]:
            # All of it: nothing promises an order in which one could stop early.
            found = {}
            async for batch in self._client.batches.list(limit=100):
                found[batch.input_file_id] = found[(batch.metadata or {}).get(MARK, "")] = batch.id
            return found

        found = await self._again(read_list)
        for entry in lost:
            if batch_id := found.get(entry.id) or found.get(entry.file_id):
                self._ledger.created(entry.id, batch_id)
        return [entry for entry in lost if entry.id not in found and entry.file_id not in found]

    # ── collecting ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _look_at(self, entry: Entry) -> None:
        assert entry.batch_id
        batch = await self._again(functools.partial(self._client.batches.retrieve, entry.batch_id))
        if batch.status == "validating":
            return
        if batch.status == "failed":
            await self._fail(entry, batch)
            return
        if pieces := self._validating.pop(entry.number, None):
            pieces.path.unlink()
            self._wait_s = self._poll_s
        if batch.status in ("completed", "expired", "cancelled"):
            await self._collect(entry, batch)

    async def _fail(self, entry: Entry, batch: Batch) -> None:
        """Free the keys of a batch that failed validation: nothing of it was done, and nothing is paid."""
        pieces = self._validating.pop(entry.number, None)
        freed = self._ledger.end(entry.number)
        await self._remove(entry.file_id)
        error = batch.errors.data[0] if batch.errors and batch.errors.data else None
        where = f", line {error.line}" if error and error.line else ""
        why = f"{error.code}: {error.message}{where}" if error else "it gives no reason"
        if not error or not _is_queue_full(error.code, error.message or ""):
            raise RunStopped(f"the server refuses batch {batch.id} ({why}); nothing of it was paid, run again to go on")
        if pieces:
            self._hold(pieces, why)
        else:
            self._outcome.unanswered += freed

    async def _collect(self, entry: Entry, batch: Batch) -> None:
        """Commit what a batch gave, and free the rest of its keys."""
        answered, refused = 0, list[Refusal]()
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                some, others = await self._again(functools.partial(self._read, file_id, entry.number))
                answered += some
                refused += others
        left = self._ledger.end(entry.number, {refusal.key for refusal in refused})
        await self._remove(entry.file_id)
        self._outcome.answered += answered
        self._outcome.refused += refused
        self._outcome.unanswered += left
        self._is_full = False
        self._say(
            f"batch {batch.id} {batch.status}: {answered:,} answered, {len(refused):,} refused, {len(left):,} not"
        )

    async def _read(self, file_id: str, number: int) -> tuple[int, list[Refusal]]:
        """Read an output or error file as it arrives; return how many replies it has, and the refusals."""
        answered, refused = 0, list[Refusal]()
        async with self._client.files.with_streaming_response.content(file_id) as response:
            async for raw in split_lines(response.iter_bytes(1 << 16)):
                line = read_line(raw)
                sample = self._ledger.sample(number, line.key) if line else None
                if not line or sample is None:  # unreadable, or somebody else's: its key stays unanswered
                    continue
                if line.reply:
                    self._keep(line.key, sample, line.reply)
                    answered += 1
                elif line.error:
                    refused.append(Refusal(line.key, sample, *line.error))
        return answered, refused

    # ── talking to the server ────────────────────────────────────────────────────────────────────────────────────────

    async def _again(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do what may be done twice, again while its failure may pass by itself."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=pause_s,
            stop=tenacity.stop_after_delay(GIVE_UP_S),
            sleep=self._pause,
            reraise=True,
        )

        async def told() -> T:
            with _in_our_words():
                return await call()

        try:
            return await retrying(told)
        except (Declined, Unanswered) as error:
            self._give_up(error)

    async def _remove(self, file_id: str) -> None:
        """Remove an input file that is of no more use; that one stays behind is no reason to stop."""
        with contextlib.suppress(Declined, Unanswered), _in_our_words():
            await self._client.files.delete(file_id)

    def _give_up(self, error: Exception) -> NoReturn:
        """Say in one line what the server's refusal means."""
        url, told = str(self._client.base_url).rstrip("/"), _told(error)
        match status_of(error):
            case 401 | 403:
                raise RunStopped(f"{url} refuses the key ({told}); set OPENAI_API_KEY") from error
            case 404 | 405 | 501:
                raise RunStopped(f"{url} has no such batch or file, or no batch endpoints ({told})") from error
        raise RunStopped(f"{url} refuses to go on with batches ({told}); run again to go on") from error


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn what the client raises into the failures that all else here knows."""
    try:
        yield
    except openai.APIStatusError as error:
        raise Declined(error.status_code, error.response.headers, error.response.content) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:  # the latter for a download that broke off
        raise Unanswered(str(error.__cause__ or error), timed_out=isinstance(error, openai.APITimeoutError)) from error


def _is_queue_full(code: object, message: str) -> bool:
    return code == "token_limit_exceeded" or "enqueued token" in message.lower()


def _told(error: Exception) -> str:
    status = f"{error.status}: " if isinstance(error, Declined) else ""
    return f"{status}{message_of(error)}"
