from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.cli import run_command
from pipeline.llm.endpoint import endpoint
from pipeline.llm.failures import Declined, Unanswered
from pipeline.llm.faults import Answer, Failure, Late, Raw, script
from pipeline.llm.server import Server, background
from pipeline.llm.workers import WorkersWire

KEY = "sk-told-to-nobody"
BODY = msgspec.json.encode({"model": "model", "messages": [{"role": "user", "content": "A dog."}]})
PAIRS = [{"question": f"What is {n}?", "answer": "A dog."} for n in range(3)]


def post(base_url: str, bodies: list[bytes], processes: int = 1, timeout_s: float = 30) -> list[bytes | BaseException]:
    """Post all at once; return answers and errors in order."""

    async def run() -> list[bytes | BaseException]:
        async with WorkersWire(endpoint(base_url, KEY), 64, timeout_s, processes=processes) as wire:
            return await asyncio.gather(*map(wire.post, bodies), return_exceptions=True)

    return asyncio.run(run())


def body(n: int) -> bytes:
    return msgspec.json.encode(
        {"model": "model", "seed": n, "messages": [{"role": "user", "content": f"{n} " * 10_000}]}
    )


def kill_a_worker(when: Callable[[], bool]) -> None:
    while not when():
        time.sleep(0.005)
    worker = multiprocessing.active_children()[0]
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)


def test_every_request_gets_its_own_answer() -> None:
    with background(lambda asked: f"answer {asked['seed']}", model="model") as server:
        answers = post(server.base_url, [body(n) for n in range(50)], processes=2)
        assert server.stats().repeated == 0
    contents = [msgspec.json.decode(answer)["choices"][0]["message"]["content"] for answer in answers]  # type: ignore[arg-type]
    assert contents == [f"answer {n}" for n in range(50)]


def test_a_refusal_keeps_its_words_its_code_and_its_headers() -> None:
    busy = Failure(429, "Wait a little", code="rate_limit_exceeded", headers={"retry-after-ms": "1500"})
    with background(script(busy), model="model") as server:
        (error,) = post(server.base_url, [BODY])
    assert isinstance(error, Declined)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.headers["retry-after-ms"] == "1500"
    assert str(error) == "Wait a little"


def test_a_proxys_page_is_an_error_like_any_other() -> None:
    page = Raw(b"<html>Bad gateway</html>", status=502, headers={"Content-Type": "text/html"})
    with background(script(page), model="model") as server:
        (error,) = post(server.base_url, [BODY])
    assert isinstance(error, Declined)
    assert error.status == 502


def test_a_late_answer_is_a_timeout() -> None:
    with background(script(Late(5, "{}")), model="model") as server:
        (error,) = post(server.base_url, [BODY], timeout_s=0.3)
    assert isinstance(error, Unanswered)
    assert error.timed_out


def test_a_server_that_is_not_there_cannot_have_had_the_request() -> None:
    (error,) = post("http://127.0.0.1:1/v1", [BODY])
    assert isinstance(error, Unanswered)
    assert not error.reached
    assert "127.0.0.1:1" in str(error)


def test_the_key_is_in_no_argument_and_no_environment() -> None:
    seen: list[bytes] = []

    def look(asked: Any) -> Answer:
        for worker in multiprocessing.active_children():
            seen.extend(Path(f"/proc/{worker.pid}/{file}").read_bytes() for file in ("cmdline", "environ"))
        return "{}"

    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    with background(look, model="model") as server:
        post(server.base_url, [BODY])
    assert len(seen) == 2
    assert all(KEY.encode() not in text for text in seen)


def test_no_process_is_left_behind() -> None:
    with background(script("{}"), model="model") as server:
        post(server.base_url, [BODY], processes=2)
    assert multiprocessing.active_children() == []


def test_what_a_killed_worker_had_in_flight_fails_and_the_next_one_posts_again() -> None:
    async def run(server: Server) -> None:
        async with WorkersWire(endpoint(server.base_url, KEY), 64, 30, processes=1) as wire:
            hung = asyncio.create_task(wire.post(body(1)))
            await asyncio.to_thread(kill_a_worker, lambda: server.stats().in_flight > 0)
            with pytest.raises(Unanswered) as caught:
                await hung
            assert caught.value.reached  # the server had it: it may have to be paid
            assert b"{}" in await wire.post(body(2))

    with background(script(Late(60, "{}"), "{}"), model="model") as server:
        asyncio.run(run(server))


def test_a_run_loses_nothing_with_its_killed_worker(coco: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    annotations = coco(30)
    flags = ["--annotations", str(annotations), "--model", "model", "--concurrency", "8", "--shard-size", "10"]

    def told(asked: Any) -> str:
        fields = asked["response_format"]["json_schema"]["schema"]["properties"]
        return msgspec.json.encode({"turns": PAIRS} if "turns" in fields else {**PAIRS[0]}).decode()

    with background(told, model="model") as server:
        assert run_command(["generate", *flags, "--base-url", server.base_url, "--out", "plain"]) == 0
    with background(lambda asked: Late(0.1, told(asked)), model="model") as server:
        killer = threading.Thread(target=kill_a_worker, args=[lambda: server.stats().answered >= 30])
        killer.start()
        assert run_command(["generate", *flags, "--base-url", server.base_url, "--out", "run", "--processes", "2"]) == 0
        killer.join()
        stats = server.stats()
    assert 90 <= stats.requests <= 90 + 8  # what was in flight at the kill, and no more
    assert stats.answered - stats.repeated == 90
    plain, run = (sorted(Path(out, "shards").glob("*.arrow")) for out in ("plain", "run"))
    assert [path.read_bytes() for path in run] == [path.read_bytes() for path in plain]
    assert len(run) == 9
