from __future__ import annotations

import asyncio
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from pipeline.errors import RunStopped
from pipeline.llm.batch import BatchOutcome, run_batches
from pipeline.llm.batch_faults import BatchFaults
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.batch_lines import Job
from pipeline.llm.faults import Completion, Failure, Raw, Reply, script
from pipeline.llm.journal import Journal
from pipeline.llm.server import Server, background


def job(n: int, text: str = "A dog.") -> Job:
    body = json.dumps({"model": "model", "messages": [{"role": "user", "content": f"{n}: {text}"}]}).encode()
    return Job(hashlib.sha256(body).digest(), f"{n}/conversation/0", body)


def jobs(count: int, text: str = "A dog.") -> Iterator[Job]:
    return (job(n, text) for n in range(count))


def echo(body: Any) -> str:
    """Answer with the question's number."""
    return str(body["messages"][0]["content"].split(":")[0])


@contextmanager
def serving(reply: Reply = echo, **faults: Any) -> Iterator[Server]:
    with background(reply, model="model") as server:
        server.batches.rehearse(BatchFaults(**faults))
        yield server


class Killed(BaseException):
    """The end of a process, as far as a test can play it within its own."""


class Dying(httpx2.AsyncBaseTransport):
    """Dies before or after the n-th request, counted from 0."""

    def __init__(self, n: int, when: str) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._left = n
        self._when = when

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._left -= 1
        if self._left == -1 and self._when == "before":
            raise Killed
        response = await self._inner.handle_async_request(request)
        if self._left == -1 and self._when == "after":
            raise Killed
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class DyingJournal(Journal):
    """Dies before or after the n-th change of the ledger, counted from 0."""

    def __init__(self, path: Path, n: int, when: str) -> None:
        super().__init__(path)
        self._left = n
        self._when = when

    @contextmanager
    def transaction(self, *, forced: bool = False) -> Iterator[Any]:
        if not forced:
            with super().transaction() as db:
                yield db
            return
        self._left -= 1
        if self._left == -1 and self._when == "before":
            raise Killed
        with super().transaction(forced=True) as db:
            yield db
        if self._left == -1 and self._when == "after":
            raise Killed


@asynccontextmanager
async def connected(server: Server, transport: httpx2.AsyncBaseTransport | None) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(transport=transport) if transport else openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=http) as client:
        yield client


def run(
    server: Server,
    todo: Iterable[Job],
    journal: Journal | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    stop_after_s: float | None = None,
    **settings: Any,
) -> BatchOutcome:
    async def main(journal: Journal) -> BatchOutcome:
        stopping = asyncio.Event()
        if stop_after_s:
            asyncio.get_running_loop().call_later(stop_after_s, stopping.set)
        wanted: dict[str, Any] = {"say": print, "poll_s": 0.02, "settle_s": 0.3, "stopping": stopping} | settings
        async with connected(server, transport) as client:
            return await run_batches(client, journal, todo, **wanted)

    opened = journal or Journal(Path("journal.sqlite"))
    try:
        return asyncio.run(main(opened))
    finally:
        opened.close()


def kept() -> dict[str, str | None]:
    """Return the replies in the journal by their samples."""
    journal = Journal(Path("journal.sqlite"))
    rows = journal.query("SELECT sample, content FROM replies")
    journal.close()
    return dict(rows)


def all_answered(count: int) -> dict[str, str | None]:
    return {f"{n}/conversation/0": str(n) for n in range(count)}


def test_every_job_is_answered_under_its_key_in_files_of_the_allowed_count() -> None:
    with serving(max_requests=4) as server:
        assert run(server, jobs(10), max_requests=4) == BatchOutcome(answered=10)
        assert server.batches.stats.created == 3
        assert server.batches.stats.stored == 3  # the outputs; what was uploaded is gone
    assert kept() == all_answered(10)
    assert not Path(".batches").exists()


def test_files_stay_within_the_allowed_bytes_and_a_job_that_never_fits_is_refused() -> None:
    with serving(max_bytes=1000) as server:
        outcome = run(server, [*jobs(10), job(99, "x" * 1000)], max_bytes=1000)
        assert server.batches.stats.created == 3  # 223 bytes a line
    assert kept() == all_answered(10)
    ((key, code),) = [(refusal.key, refusal.code) for refusal in outcome.refused]
    assert (key, code) == (job(99, "x" * 1000).key, "too_large")


def test_a_body_reaches_the_model_as_it_would_online() -> None:
    seen: list[Any] = []
    text = '"}\\ \u2028 é 😀'

    def reply(body: Any) -> str:
        seen.append(body)
        return "line\u2028separator\nnew line"

    with serving(reply) as server:
        run(server, [job(1, text)])
    assert seen == [json.loads(job(1, text).body)]
    assert kept() == {"1/conversation/0": "line\u2028separator\nnew line"}


def test_what_is_answered_or_asked_twice_is_not_submitted() -> None:
    with serving() as server:
        run(server, [*jobs(5), *jobs(5)])
        assert run(server, jobs(8)) == BatchOutcome(answered=3)
        assert run(server, jobs(8)) == BatchOutcome()
        assert server.batches.stats.requests == 8


def test_errors_come_back_by_key_and_their_neighbours_are_kept() -> None:
    with serving(share_errors=0.3, seed=1) as server:
        outcome = run(server, jobs(40))
    assert outcome.answered + len(outcome.refused) == 40
    assert 5 < len(outcome.refused) < 20
    assert {(error.status, error.code, error.message) for error in outcome.refused} == {
        (400, "rehearsed", "Refused, as told")
    }
    assert not {error.sample for error in outcome.refused} & kept().keys()


def test_a_request_that_may_pass_later_is_unanswered_and_one_that_will_not_is_refused() -> None:
    answers = script(
        "good",
        Failure(500, "broken"),
        Failure(429, "busy"),
        Failure(400, "too bad", code="content_filter"),
        Raw(b"<html>"),
        Raw(b'{"choices": []}'),
        Completion(None, refusal="I would rather not."),
    )
    with serving(answers) as server:
        outcome = run(server, jobs(7))
    assert sorted(outcome.unanswered) == sorted(job(n).key for n in (1, 2, 4, 5))
    assert [(error.sample, error.code, error.message) for error in outcome.refused] == [
        ("3/conversation/0", "content_filter", "too bad")
    ]
    assert kept() == {"0/conversation/0": "good", "6/conversation/0": None}


@pytest.mark.parametrize("share", ["share_expired", "share_missing", "share_cut"])
def test_what_a_batch_leaves_open_is_submitted_again_and_nothing_else(share: str) -> None:
    with serving(**{share: 0.4}) as server:
        outcome = run(server, jobs(30))
        assert outcome.answered == len(kept()) == 30 - len(outcome.unanswered)
        assert 5 < len(outcome.unanswered) < 25
        server.batches.rehearse(BatchFaults())
        assert run(server, jobs(30)).answered == len(outcome.unanswered)
        cut = len(outcome.unanswered) if share == "share_cut" else 0  # those had been answered, illegibly
        assert server.batches.stats.repeated == cut
    assert kept() == all_answered(30)


def test_a_cancelled_batch_gives_what_it_has() -> None:
    async def cancel_all(server: Server) -> None:
        async with connected(server, None) as client:
            async for batch in client.batches.list():
                assert (await client.batches.cancel(batch.id)).status == "cancelling"

    with serving(delay_s=20) as server:
        with pytest.raises(RunStopped, match="stopped; 10 requests are in batches at the server"):
            run(server, jobs(10), stop_after_s=0.3)
        asyncio.run(cancel_all(server))
        outcome = run(server, ())
    assert outcome == BatchOutcome(answered=5, unanswered=sorted(job(n).key for n in range(5, 10)))


def test_a_stopped_run_polls_its_batches_again_and_submits_nothing() -> None:
    with serving(delay_s=1) as server:
        with pytest.raises(RunStopped, match="10 requests"):
            run(server, jobs(10), stop_after_s=0.4, max_requests=5)
        assert Ledger(Journal(Path("journal.sqlite"))).waiting() == 10
        assert run(server, jobs(10)) == BatchOutcome(answered=10)
        assert server.batches.stats.created == 2
    assert Ledger(Journal(Path("journal.sqlite"))).waiting() == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["request", "journal"])
def test_killed_at_every_step_no_work_is_submitted_twice(kind: str, when: str) -> None:
    steps = 0
    with serving(list_lag_s=0.1) as server:
        while True:
            Path("journal.sqlite").unlink(missing_ok=True)
            text = f"{kind} {when} {steps}"
            try:
                if kind == "request":
                    run(server, jobs(6, text), transport=Dying(steps, when), max_requests=3, poll_s=0.05)
                else:
                    run(server, jobs(6, text), DyingJournal(Path("journal.sqlite"), steps, when), max_requests=3)
            except Killed:
                run(server, jobs(6, text), max_requests=3)
                assert kept() == all_answered(6)
                assert server.batches.stats.repeated == 0
                steps += 1
            else:
                break
        assert server.batches.stats.requests == 6 * (steps + 1)
    assert steps >= (10 if kind == "request" else 6)


PROGRAM = """
import asyncio, pathlib, resource, sys
import openai
from pipeline.llm.batch import run_batches
from pipeline.llm.journal import Journal
sys.path.insert(0, sys.argv[1])
from tests.llm.test_batch import jobs

async def main(url, count, text, size):
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http) as client:
        outcome = await run_batches(
            client, Journal(pathlib.Path("journal.sqlite")), jobs(int(count), "x" * int(text)),
            say=lambda line: None, poll_s=0.02, settle_s=0.3, stopping=asyncio.Event(), max_requests=int(size),
        )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(outcome.unanswered))

asyncio.run(main(*sys.argv[2:]))
"""
REPO = str(Path(__file__).parents[2])


def start(server: Server, count: int, text: int, size: int) -> subprocess.Popen[str]:
    arguments = [REPO, server.base_url, str(count), str(text), str(size)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)


def test_sigkill_at_any_moment_submits_nothing_twice() -> None:
    dice, kills = random.Random(0), 0
    with serving(delay_s=0.1, validation_s=0.02, list_lag_s=0.15) as server:
        while True:
            process = start(server, 300, 10, 30)
            served = server.batches.stats.files
            while process.poll() is None and server.batches.stats.files == served and kills < 5:
                time.sleep(0.001)
            time.sleep(dice.random() / 8)
            if process.poll() is None and kills < 5:
                process.send_signal(signal.SIGKILL)
                kills += 1
            if process.wait(timeout=60) == 0:
                break
        assert server.batches.stats.repeated == 0
        assert server.batches.stats.requests == 300
    assert kills >= 3
    assert kept() == all_answered(300)


@pytest.mark.parametrize("faults", [{"lost_creations": 1, "list_lag_s": 0.15}, {"busy_creations": 1}])
def test_a_creation_without_an_answer_makes_one_batch(faults: dict[str, Any]) -> None:
    with serving(**faults) as server:
        assert run(server, jobs(5)) == BatchOutcome(answered=5)
        assert server.batches.stats.created == 1
        assert server.batches.stats.repeated == 0


def test_a_batch_is_found_behind_pages_of_others() -> None:
    async def fill(server: Server, count: int) -> None:
        async with connected(server, None) as client:
            file = await client.files.create(file=("other.jsonl", b"no requests\n"), purpose="batch")
            for _ in range(count):
                await client.batches.create(
                    input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
                )

    with serving() as server:
        with pytest.raises(Killed):
            run(server, jobs(5), transport=Dying(1, "after"))
        asyncio.run(fill(server, 220))
        assert run(server, jobs(5)) == BatchOutcome(answered=5)
        assert server.batches.stats.created == 221
        assert server.batches.stats.lists == 3


def test_a_batch_that_fails_validation_is_one_line_and_can_be_submitted_again() -> None:
    with serving(fails_with="mismatched_model") as server:
        with pytest.raises(
            RunStopped, match=r"refuses batch batch_000002 \(mismatched_model: The batch was told to fail\)"
        ):
            run(server, jobs(5))
        server.batches.rehearse(BatchFaults())
        assert run(server, jobs(5)) == BatchOutcome(answered=5)


def test_the_servers_own_limit_names_itself() -> None:
    with serving(max_requests=3) as server, pytest.raises(RunStopped, match="too_many_requests"):
        run(server, jobs(5))


def test_a_full_queue_waits_until_a_batch_of_ours_has_ended() -> None:
    said: list[str] = []
    with serving(enqueued_tokens=600, delay_s=1) as server:
        assert run(server, jobs(30), max_requests=10, say=said.append) == BatchOutcome(answered=30)
        assert server.batches.stats.repeated == 0
        assert server.batches.stats.accepted == 3
    assert any("the next batch waits until one has ended" in line for line in said)


def test_a_file_that_the_queue_never_takes_is_halved() -> None:
    with serving(enqueued_tokens=200) as server:
        assert run(server, jobs(10)) == BatchOutcome(answered=10)
        assert server.batches.stats.accepted >= 3
        assert server.batches.stats.repeated == 0
    assert kept() == all_answered(10)


def test_a_queue_without_room_for_one_request_stops_with_the_reason() -> None:
    with serving(enqueued_tokens=1) as server, pytest.raises(RunStopped, match="no room for a single request"):
        run(server, jobs(3))


def test_a_server_without_batches_is_one_line() -> None:
    class Bare(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(404, json={"error": {"message": "no such page"}}, request=request)

    with serving() as server, pytest.raises(RunStopped, match=r"no batch endpoints \(404: no such page\)"):
        run(server, jobs(3), transport=Bare())


def test_keeping_a_reply_can_be_somebody_elses_work() -> None:
    given: list[tuple[bytes, str, str | None]] = []
    with serving() as server:
        run(server, jobs(2), keep=lambda key, sample, reply: given.append((key, sample, reply.content)))
    assert given == [(job(0).key, "0/conversation/0", "0"), (job(1).key, "1/conversation/0", "1")]


def test_memory_does_not_grow_with_the_number_of_jobs() -> None:
    peaks: list[int] = []
    for count in (2_000, 20_000):
        Path("journal.sqlite").unlink(missing_ok=True)
        with serving() as server:
            out, _ = start(server, count, 2_000, 1_000).communicate(timeout=120)
        peaks.append(int(out.split()[0]))
        assert out.split()[1] == "0"
    assert peaks[1] - peaks[0] < 12_000  # in KiB; the jobs' bodies are 40,000


def test_the_servers_files_and_batches_speak_the_clients_types() -> None:
    async def talk(server: Server) -> None:
        async with connected(server, None) as client:
            line = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%b}\n' % job(1).body
            file = await client.files.create(file=("in.jsonl", line), purpose="batch")
            assert (file.bytes, file.filename, file.purpose) == (len(line), "in.jsonl", "batch")
            assert await client.files.retrieve(file.id) == file
            assert (await client.files.content(file.id)).content == line
            batch = await client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"mine": "1"}
            )
            seen = [batch.status]
            while batch.status not in ("completed", "failed"):
                batch = await client.batches.retrieve(batch.id)
                seen += [batch.status] if batch.status != seen[-1] else []
            assert seen == ["validating", "in_progress", "finalizing", "completed"]
            assert batch.request_counts
            assert batch.request_counts.model_dump() == {"total": 1, "completed": 1, "failed": 0}
            assert (batch.metadata, batch.error_file_id) == ({"mine": "1"}, None)
            assert (await client.files.delete(file.id)).deleted
            with pytest.raises(openai.NotFoundError):
                await client.files.retrieve(file.id)
            with pytest.raises(openai.ConflictError):
                await client.batches.cancel(batch.id)

    with serving(validation_s=0.05, delay_s=0.05) as server:
        asyncio.run(talk(server))


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty_file", None),
        (b"nonsense\n", "invalid_json_line", 1),
        (b'{"custom_id":"a","method":"POST","url":"/v1/other","body":{}}\n', "mismatched_url", 1),
        (2 * b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}\n', "duplicate_custom_id", 2),
    ],
)
def test_the_server_refuses_input_that_openai_refuses(content: bytes, code: str, line: int | None) -> None:
    async def talk(server: Server) -> None:
        async with connected(server, None) as client:
            file = await client.files.create(file=("in.jsonl", content), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            while batch.status == "validating":
                batch = await client.batches.retrieve(batch.id)
            assert batch.status == "failed"
            assert batch.errors
            assert batch.errors.data
            assert [(error.code, error.line) for error in batch.errors.data] == [(code, line)]

    with serving() as server:
        asyncio.run(talk(server))


def test_faults_and_counts_are_reached_over_http() -> None:
    with serving() as server, httpx2.Client(base_url=server.root_url) as client:
        assert client.patch("/batch/faults", json={"delay_s": 3}).json()["delay_s"] == 3
        assert client.get("/batch/faults").json()["delay_s"] == 3
        assert client.patch("/batch/faults", json={"delay": 3}).status_code == 400
        assert client.get("/batch/stats").json()["created"] == 0
