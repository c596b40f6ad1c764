"""The loopback server, asked over real HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import openai
import pydantic
import pytest

from pipeline.errors import PipelineError
from pipeline.llm import writer
from pipeline.llm.faults import Answer, Completion, Failure, Fault, Faults, Late, Raw, Usage, script
from pipeline.llm.server import SIGN, Server, background, run

pytestmark = pytest.mark.anyio  # the plugin comes with anyio, which the openai client brings along

GOOD = '{"answer": "A dog."}'
CHAT = "/chat/completions"


def ask(content: str = "A dog on a sofa.", **fields: Any) -> dict[str, Any]:
    system = {"role": "system", "content": "Describe the picture."}
    return {"model": "m", "messages": [system, {"role": "user", "content": content}], **fields}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def until(holds: Callable[[], bool]) -> None:
    """Wait until ``holds``, for at most 2 seconds."""
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - the server is in another thread, where no event of ours is set
            await asyncio.sleep(0.005)


async def post(http: aiohttp.ClientSession, server: Server, body: Mapping[str, Any] | bytes) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with http.post(server.base_url + CHAT, data=data) as response:
        return response.status, json.loads(await response.read())


async def fate(http: aiohttp.ClientSession, server: Server, patience_s: float = 10) -> str:
    """Ask once, and say in one word what came of it."""
    try:
        async with asyncio.timeout(patience_s):
            status, reply = await post(http, server, ask())
    except TimeoutError:
        return "hung"
    except aiohttp.ClientConnectionError:
        return "dropped"
    if status == 200:
        return "good" if reply["choices"][0]["message"]["content"] == GOOD else "malformed"
    return str(status)


async def test_a_reply_comes_in_the_shape_of_openai(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m") as server:
        async with http.post(server.base_url + CHAT, json=ask("x" * 400)) as response:
            reply = await response.json()
    (choice,) = reply["choices"]
    assert choice["message"]["content"] == GOOD
    assert choice["finish_reason"] == "stop"
    assert reply["usage"] == {
        "prompt_tokens": 106,  # 21 and 400 characters
        "completion_tokens": 5,
        "total_tokens": 111,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert response.headers["Server"] == reply["system_fingerprint"] == SIGN


async def test_the_openai_client_sees_its_own_error_for_each_failure() -> None:
    answers: list[tuple[Answer, type[openai.APIError]]] = [
        (Failure(401, "Incorrect API key", code="invalid_api_key"), openai.AuthenticationError),
        (Failure(400, "Not supported", param="response_format"), openai.BadRequestError),
        (Failure(429, "You exceeded your quota", code="insufficient_quota"), openai.RateLimitError),
        (Fault.BUSY, openai.RateLimitError),
        (Fault.BROKEN, openai.InternalServerError),
        (Fault.DROPPED, openai.APIConnectionError),
        (Fault.HUNG, openai.APITimeoutError),
    ]
    with background(script(*(answer for answer, _ in answers)), "m") as server:
        client = openai.AsyncOpenAI(
            base_url=server.base_url,
            api_key="any",
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(),
        )
        async with client:
            for answer, expected in answers:
                patience_s = 0.1 if answer is Fault.HUNG else 10
                with pytest.raises(expected) as caught:
                    await client.post(CHAT, body=ask(), cast_to=object, options={"timeout": patience_s})
                if isinstance(answer, Failure):
                    assert (caught.value.code, caught.value.param) == (answer.code, answer.param)


async def test_a_script_can_say_all_that_a_completion_can(http: aiohttp.ClientSession) -> None:
    answers = [
        Completion("A dog on", finish_reason="length"),
        Completion(refusal="I cannot."),
        Completion(GOOD, usage=Usage(prompt_tokens=2000, completion_tokens=7, cached_tokens=1920)),
        Failure(200, "upstream is down"),
    ]
    with background(script(*answers), "m") as server:
        cut, refused, cached, failed = [(await post(http, server, ask()))[1] for _ in answers]
        stats = server.stats()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert refused["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "I cannot."}
    assert cached["usage"]["prompt_tokens_details"]["cached_tokens"] == 1920
    assert failed["error"]["message"] == "upstream is down"
    assert (stats.answered, stats.by_status) == (3, {200: 4})


async def test_raw_bytes_and_headers_arrive_as_they_were_scripted(http: aiohttp.ClientSession) -> None:
    page = Raw(b"<html>502</html>", 502, {"Content-Type": "text/html"})
    full = Failure(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after-ms": "20"})
    with background(script(page, full), "m") as server:
        async with http.post(server.base_url + CHAT, json=ask()) as response:
            assert (response.status, response.content_type) == (502, "text/html")
            assert await response.read() == page.body
        async with http.post(server.base_url + CHAT, json=ask()) as response:
            assert {name: response.headers[name] for name in full.headers} == full.headers


async def test_the_reply_sees_the_whole_request(http: aiohttp.ClientSession) -> None:
    def echo(body: Mapping[str, Any]) -> str:
        return json.dumps(body)

    body = ask(seed=7, temperature=0.5, response_format={"type": "json_object"})
    with background(echo, "m") as server:
        _, reply = await post(http, server, body)
    assert json.loads(reply["choices"][0]["message"]["content"]) == body


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b'{"model": "m", "messa', 400, "truncated"),
        (b"[]", 400, "object"),
        (ask() | {"messages": []}, 400, "messages"),
        ({"model": "m"}, 400, "messages"),
        (ask() | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "$.messages[0].content"),
        (ask(stream=True), 400, "Streaming"),
        (ask(n=2), 400, "$.n"),
        (ask(model="gpt-x"), 404, "gpt-x"),
    ],
)
async def test_a_request_that_cannot_be_answered_is_told_why(
    http: aiohttp.ClientSession, body: Mapping[str, Any] | bytes, status: int, word: str
) -> None:
    with background(script(GOOD), "m", Faults(share_hung=1)) as server:
        got, reply = await post(http, server, body)
        assert server.stats().by_status == {status: 1}
    assert got == status
    assert word in reply["error"]["message"]


async def test_an_unknown_address_is_a_404_in_openai_format(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m") as server, pytest.raises(openai.NotFoundError, match="POST /v1/embeddings"):
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
            await client.post("/embeddings", body={}, cast_to=object)


async def test_models_and_the_front_page_say_what_this_is(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m") as server:
        async with http.get(server.base_url + "/models") as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["m"]
        async with http.get(server.root_url) as response:
            page = await response.text()
    assert "not a language model" in page
    assert f"--base-url {server.base_url}" in page


SHARES = {"429": 0.1, "500": 0.08, "dropped": 0.06, "malformed": 0.04}


async def test_shares_of_faults_are_kept_and_a_seed_decides_who_gets_which(http: aiohttp.ClientSession) -> None:
    async def fates(seed: int) -> list[str]:
        faults = Faults(**{f"share_{name}": share for name, share in SHARES.items()}, seed=seed)
        with background(script(GOOD), "m", faults) as server:
            return [await fate(http, server) for _ in range(600)]

    first, again, other = await fates(1), await fates(1), await fates(2)
    assert first == again != other
    counts = Counter(first)
    for name, share in SHARES.items():
        assert counts[name] / 600 == pytest.approx(share, abs=0.035)
    assert counts["good"] == 600 - sum(counts[name] for name in SHARES)


async def test_stats_count_what_the_client_saw(http: aiohttp.ClientSession) -> None:
    faults = Faults(share_429=0.2, share_500=0.2, share_dropped=0.2, share_hung=0.05, share_malformed=0.2)
    with background(script(GOOD), "m", faults) as server:
        seen = Counter(await asyncio.gather(*(fate(http, server, patience_s=1) for _ in range(100))))
        async with http.get(server.root_url + "/stats") as response:
            page = await response.json()
        stats = server.stats()
    assert min(seen.values()) > 0
    assert set(seen) == {"good", "malformed", "429", "500", "dropped", "hung"}
    assert stats.by_status == {200: seen["good"] + seen["malformed"], 429: seen["429"], 500: seen["500"]}
    assert (stats.requests, stats.answered) == (100, seen["good"])
    assert (stats.malformed, stats.dropped, stats.hung) == (seen["malformed"], seen["dropped"], seen["hung"])
    assert stats.repeated == seen["good"] - 1
    assert stats.over_ceiling == 0
    assert page["answered"] == seen["good"]
    assert page["by_status"]["500"] == seen["500"]


async def test_malformed_replies_are_cut_json_then_prose_then_nothing(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m", Faults(share_malformed=1)) as server:
        choices = [(await post(http, server, ask()))[1]["choices"][0] for _ in range(4)]
    contents = [choice["message"]["content"] for choice in choices]
    assert contents[0].startswith('{"turns"')
    assert contents[1].startswith("Certainly")
    assert contents[2:] == ["", contents[0]]
    assert {choice["finish_reason"] for choice in choices} == {"stop"}
    for content in contents:
        with pytest.raises(json.JSONDecodeError):
            json.loads(content)


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [(2, {"Retry-After": "2"}), (0.25, {"Retry-After": "1", "retry-after-ms": "250"}), (0, {})],
)
async def test_a_429_says_when_to_come_back(
    http: aiohttp.ClientSession, seconds: float, headers: dict[str, str]
) -> None:
    faults = Faults(share_429=1, retry_after_s=seconds)
    with background(script(GOOD), "m", faults) as server:
        async with http.post(server.base_url + CHAT, json=ask()) as response:
            assert response.status == 429
            assert {name: value for name, value in response.headers.items() if "retry" in name.lower()} == headers


async def test_the_ceiling_holds_and_can_be_lifted_while_running(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m", Faults(latency_s=0.1, ceiling=5)) as server:
        first = Counter(await asyncio.gather(*(fate(http, server) for _ in range(20))))
        before = server.stats()
        async with http.patch(server.root_url + "/faults", json={"ceiling": 10}) as response:
            assert (await response.json())["latency_s"] == 0.1
        second = Counter(await asyncio.gather(*(fate(http, server) for _ in range(20))))
        after = server.stats()
    assert (first, second) == ({"good": 5, "429": 15}, {"good": 10, "429": 10})
    assert (before.most_in_flight, before.over_ceiling) == (5, 15)
    assert (after.most_in_flight, after.over_ceiling, after.in_flight) == (10, 25, 0)


async def test_a_change_of_faults_that_makes_no_sense_is_refused(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m") as server:
        for change in ({"celing": 3}, {"share_429": 0.7, "share_500": 0.7}, ["ceiling"]):
            async with http.patch(server.root_url + "/faults", json=change) as response:
                assert response.status == 400
        async with http.get(server.root_url + "/faults") as response:
            assert await response.json() == Faults().model_dump()


def test_shares_beyond_the_whole_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"add up to 1\.2"):
        Faults(share_429=0.6, share_500=0.6)


async def test_latency_grows_with_load(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m", Faults(latency_s=0.02, latency_per_load_s=0.02)) as server:
        start = time.perf_counter()
        await post(http, server, ask())
        alone = time.perf_counter() - start
        start = time.perf_counter()
        await asyncio.gather(*(post(http, server, ask()) for _ in range(10)))
        crowded = time.perf_counter() - start
    assert alone >= 0.02
    assert crowded >= 0.2  # the last of ten waits for nine others
    assert crowded > 2 * alone


async def test_one_late_answer_keeps_nobody_else_waiting(http: aiohttp.ClientSession) -> None:
    with background(script(Late(0.5, GOOD), GOOD), "m") as server:
        late = asyncio.create_task(fate(http, server))
        await until(lambda: server.stats().in_flight == 1)
        assert await fate(http, server) == "good"
        assert not late.done()
        assert await late == "good"


async def test_a_client_that_gives_up_is_no_longer_in_flight(http: aiohttp.ClientSession) -> None:
    with background(script(Fault.HUNG), "m") as server:
        assert await fate(http, server, patience_s=0.1) == "hung"
        await until(lambda: server.stats().in_flight == 0)
        stats = server.stats()
    assert (stats.in_flight, stats.hung, stats.by_status) == (0, 1, {})


async def test_messages_seen_before_are_cached_tokens(http: aiohttp.ClientSession) -> None:
    shots = [{"role": "system", "content": "s" * 4000}, {"role": "user", "content": "u" * 400}]
    with background(script(GOOD), "m") as server:
        cached = []
        for scene in ("a dog", "a cat"):
            body = {"model": "m", "messages": [*shots, {"role": "user", "content": scene}]}
            cached.append((await post(http, server, body))[1]["usage"]["prompt_tokens_details"]["cached_tokens"])
        stats = server.stats()
    assert cached == [0, 1100]
    assert (stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens) == (2204, 1100, 10)
    assert stats.total_tokens == 2214


async def test_only_the_same_bytes_answered_twice_count_as_repeated(http: aiohttp.ClientSession) -> None:
    with background(script(Fault.BROKEN, GOOD, GOOD, GOOD), "m") as server:
        for content in ("a", "a", "b", "a"):
            await post(http, server, ask(content))
        assert server.stats().repeated == 1


async def test_a_reset_starts_counts_and_dice_afresh(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m", Faults(share_429=0.3, share_500=0.3)) as server:
        before = [await fate(http, server) for _ in range(20)]
        counted = server.stats()
        async with http.delete(server.root_url + "/stats") as response:
            assert (await response.json())["requests"] == 0
        after = [await fate(http, server) for _ in range(20)]
        again = server.stats()
    assert before == after
    assert len(set(before)) == 3
    assert (counted.by_status, counted.repeated) == (again.by_status, again.repeated)


async def test_two_servers_stand_side_by_side(http: aiohttp.ClientSession) -> None:
    with background(script("one"), "m") as one, background(script("two"), "m") as two:
        assert one.base_url != two.base_url
        for server, word in ((one, "one"), (two, "two"), (one, "one")):
            assert (await post(http, server, ask()))[1]["choices"][0]["message"]["content"] == word
        assert (one.stats().requests, two.stats().requests) == (2, 1)


async def test_a_burst_of_512_connections_is_taken(http: aiohttp.ClientSession) -> None:
    with background(script(GOOD), "m", Faults(latency_s=0.5)) as server:
        answers = await asyncio.gather(*(post(http, server, ask(str(n))) for n in range(512)))
        assert server.stats().most_in_flight == 512
    assert {status for status, _ in answers} == {200}


async def test_it_starts_and_ends_at_once_though_requests_hang() -> None:
    threads = threading.active_count()
    # A session of its own: its connections must be found closed by the server.
    async with aiohttp.ClientSession() as http:
        start = time.perf_counter()
        with background(script(GOOD, Fault.HUNG), "m") as server:
            assert (await post(http, server, ask()))[0] == 200
            started = time.perf_counter() - start
            hanging = [asyncio.create_task(post(http, server, ask())) for _ in range(5)]
            half_sent = socket.create_connection(("127.0.0.1", int(server.root_url.rsplit(":", 1)[1])))
            half_sent.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            await until(lambda: server.stats().in_flight == 5)
            start = time.perf_counter()
        ended = time.perf_counter() - start
        assert started < 0.2
        assert ended < 1
        for outcome in await asyncio.gather(*hanging, return_exceptions=True):
            assert isinstance(outcome, aiohttp.ClientConnectionError)
        half_sent.settimeout(1)
        assert half_sent.recv(1000) == b""
        half_sent.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(http, server, ask())
    assert threading.active_count() == threads
    gc.collect()  # what was left open would warn now, and fail the test


def test_a_server_ends_when_its_block_raises() -> None:
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="ours"), background(script(GOOD), "m"):
        raise RuntimeError("ours")
    assert threading.active_count() == threads


def test_a_taken_port_is_one_line() -> None:
    with background(script(GOOD), "m") as server:
        port = int(server.root_url.rsplit(":", 1)[1])
        with pytest.raises(PipelineError, match=rf"port {port} on 127\.0\.0\.1 is taken; pass another --port"):
            run("127.0.0.1", port, Faults())


def test_a_host_that_is_not_ours_is_one_line() -> None:
    with pytest.raises(PipelineError, match=r"cannot listen at 192\.0\.2\.1:0 .* --host"):
        run("192.0.2.1", 0, Faults())


async def test_without_a_reply_the_offline_writer_answers_and_the_seed_is_its_own(http: aiohttp.ClientSession) -> None:
    scene = "A dog on a sofa.\n\ndog: [0.1, 0.2, 0.6, 0.9]"
    with background() as server:
        replies = [
            (await post(http, server, ask(scene, model=writer.NAME, seed=seed)))[1]["choices"][0]["message"]["content"]
            for seed in (*range(8), 0)
        ]
    assert replies[0] == replies[-1] == writer.write(ask(scene)["messages"], None, 0)
    assert len(set(replies)) > 1


def test_alone_it_says_where_it_is_and_ends_cleanly_on_ctrl_c() -> None:
    code = "from pipeline.llm.server import run, Faults; run('127.0.0.1', 0, Faults(share_429=1))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdout
        url = re.search(r"POST (\S+)", "".join(alone.stdout.readline() for _ in range(5)))
        assert url
        with pytest.raises(urllib.error.HTTPError, match="429"):
            urllib.request.urlopen(url[1], json.dumps(ask(model=writer.NAME)).encode(), timeout=10)
        alone.send_signal(signal.SIGINT)
        out, err = alone.communicate(timeout=10)
    assert alone.returncode == 0
    assert "Stopped. Requests: 1; answered: 0." in out
    assert err == ""
