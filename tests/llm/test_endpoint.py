"""What is sent, held against a real ``openai`` client, since its headers are built without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import openai
import pytest
from aiohttp import web

from pipeline.llm.endpoint import endpoint
from pipeline.llm.faults import script
from pipeline.llm.server import background
from pipeline.llm.wire import Wire

BODY = b'{"model":"m","messages":[{"role":"user","content":"A dog."}]}'
OF_EACH_LIBRARY = {"accept-encoding", "connection", "x-stainless-read-timeout", "x-stainless-retry-count"}


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """Give an address, and a list that fills with path, headers and body of what is sent there."""
    heard: list[Any] = []
    loop = asyncio.new_event_loop()

    async def hear(request: web.BaseRequest) -> web.Response:
        heard.append(
            (request.path, {name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        return web.json_response({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": []})

    async def start() -> str:
        runner = web.ServerRunner(web.Server(hear))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        return f"http://{host}:{port}/v1/"

    url = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield url, heard
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj_2"},
        {"OPENAI_CUSTOM_HEADERS": "X-Team: pictures\nUser-Agent: ours"},
    ],
    ids=str,
)
def test_a_request_has_the_headers_of_the_real_client(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def send(url: str) -> None:
        async with Wire(endpoint(url, "k"), 1, 30) as wire:
            await wire.post(BODY)
        async with openai.AsyncOpenAI(base_url=url, api_key="k", http_client=openai.DefaultAioHttpClient()) as client:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "A dog."}])

    with listening() as (url, heard):
        asyncio.run(send(url))
    ours, theirs = heard
    assert ours[0] == theirs[0] == "/v1/chat/completions"
    assert ours[2] == BODY
    left = [{name: value for name, value in sent[1].items() if name not in OF_EACH_LIBRARY} for sent in heard]
    assert left[0] == left[1]
    assert left[0]["authorization"] == "Bearer k"


HEAVY = (
    "aiohttp", "openai", "pyarrow", "pandas", "numpy", "rich", "tenacity", "pycocotools", "PIL", "pipeline.llm.writer",
)  # fmt: skip


def test_nothing_heavy_is_loaded_before_the_first_request(coco: Callable[..., Path], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pipeline.cli import run_command\n"
        "from pipeline.llm import wire\n"
        "loaded, post = [], wire.Wire.post\n"
        "async def look_and_post(self, body):\n"
        f"    loaded.append([name for name in {HEAVY!r} if name in sys.modules])\n"
        "    return await post(self, body)\n"
        "wire.Wire.post = look_and_post\n"
        "code = run_command(sys.argv[1:])\n"
        "print(loaded[0])\n"
        "sys.exit(code)"
    )
    flags = ["--annotations", str(coco(2)), "--kinds", "detailed_description", "--out", str(tmp_path / "run")]
    with background(script('{"answer": "A dog."}'), model="model") as server:
        command = [sys.executable, "-c", program, "generate", *flags, "--model", "model", "--base-url", server.base_url]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert server.stats().answered == 2
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[]"]), done.stderr


def test_a_proxy_from_the_environment_is_used_for_other_machines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(url: str, host: str) -> None:
        monkeypatch.setenv("http_proxy", url)
        async with Wire(endpoint(host, "k"), 1, 30) as wire:
            await wire.post(BODY)

    with listening() as (url, heard):
        asyncio.run(send(url, "http://models.example/v1"))
        assert heard.pop()[1]["host"] == "models.example"
        asyncio.run(send("http://127.0.0.1:1", url))
        assert len(heard) == 1


def test_a_task_that_is_cancelled_is_not_taken_for_a_late_answer() -> None:
    async def run(post: Callable[[], Any]) -> None:
        task = asyncio.ensure_future(post())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def against_nobody() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with Wire(endpoint(f"http://127.0.0.1:{port}/v1", "k"), 1, 30) as wire:
            await run(partial(wire.post, BODY))
        server.close()

    asyncio.run(against_nobody())
