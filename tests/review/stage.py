"""A run to review, and the command that serves it, in a process of its own."""

from __future__ import annotations

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import uvicorn

from pipeline.review.command import assemble
from pipeline.review.settings import ReviewSettings
from pipeline.review.source import open_source
from pipeline.samples import shards

HOSTILE = (
    "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><b>bold</b> {{ 7 * 7 }} ${7*7} "
    "</textarea></svg></script> \u202egnirts desrever\u202c \u2066isolate \x07bell \"quoted\" 'single' &amp; "
    "🐕‍🦺👩🏽‍🚀 "
)


def picture(width: int = 64, height: int = 48) -> bytes:
    """Return a small PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Return a sample: two turns about a dog on the left and two cups, one statement of it contradicted."""
    kind = ("conversation", "detailed_description")[number % 2]
    answer = f"There are {3 if number % 4 == 0 else 2} cups and a dog."
    wrong = number % 4 == 0
    return {
        "id": f"{number}/{kind}/0",
        "image_id": str(number),
        "image": {"bytes": picture(), "path": f"{number}.png"},
        "file_name": f"{number}.png",
        "width": 64,
        "height": 48,
        "licence": "CC0",
        "kind": kind,
        "messages": [
            {"role": "user", "content": "What is there?"},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": f"And in picture {number}?"},
            {"role": "assistant", "content": "The dog is on the left. " + "It is calm. " * number},
        ],
        "context": "A dog beside two cups.\n\n"
        "dog: [0.1, 0.2, 0.4, 0.9]\ncup: [0.5, 0.5, 0.6, 0.7]\ncup: [0.7, 0.5, 0.8, 0.7]",
        "captions": ["A dog beside two cups."],
        "boxes": [
            {"label": "dog", "bbox": (0.1, 0.2, 0.4, 0.9), "crowd": False},
            {"label": "cup", "bbox": (0.5, 0.5, 0.6, 0.7), "crowd": False},
            {"label": "cup", "bbox": (0.7, 0.5, 0.8, 0.7), "crowd": False},
        ],
        "claims": [
            (1, 10, 16, "count", "contradicted" if wrong else "supported", [1, 2], [0], "the boxes show 2" * wrong),
            (1, 21, 26, "presence", "supported", [0], [0], ""),
            (3, 0, 22, "place", "supported", [0], [], ""),
        ],
        "findings": [(1, 10, 16, "contradiction", "the boxes show 2")] if wrong else [],
        "model": "scripted",
        "attempts": 1,
        "prompt_tokens": 90,
        "completion_tokens": 20,
        "cost_usd": 0.0001,
        **changes,
    }


def make_run(folder: Path, rows: list[dict[str, Any]], **record: Any) -> Path:
    """Write what a finished run has, as far as a review reads it."""
    folder.mkdir(parents=True)
    (folder / "journal.sqlite").touch()
    (folder / "run.json").write_text(json.dumps({"categories": {"dog": "animal", "cup": "kitchen"}, **record}))
    shards.write_parquet(folder / "samples.parquet", shards.in_batches(iter(rows), shards.SCHEMA), shards.SCHEMA)
    return folder


_PROGRAM = """
import json, sys
from pathlib import Path
from pipeline.review.command import review
from pipeline.review.settings import ReviewSettings
review(Path(sys.argv[1]), ReviewSettings(**json.loads(sys.argv[2])), lambda line: print(line, flush=True))
"""


class Served:
    """A server that answers at a link."""

    def __init__(self, link: str) -> None:
        self.link = link

    @property
    def netloc(self) -> str:
        return urlsplit(self.link).netloc

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers in small letters, and text of an answer. Changes are asked for as our page does."""
        connection = http.client.HTTPConnection(self.netloc, timeout=20)
        ours = {"origin": f"http://{self.netloc}", "hx-request": "true"} if method == "POST" else {}
        connection.request(method, path, urlencode(form) if form else None, ours | (headers or {}))
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def decide(self, number: int, verdict: str, reviewer: str = "ada") -> None:
        """Decide a sample as it is now."""
        cookie = {"cookie": f"reviewer={reviewer}"}
        _, _, text = self.ask("GET", f"/at/{number}", headers=cookie)
        seen = re.search(r'name="seen" value="(\w+)"', text)
        assert seen, text
        form = {"number": str(number), "seen": seen[1], "verdict": verdict}
        status, _, text = self.ask("POST", "/verdict", form, cookie)
        assert status == 200, text


class Process(Served):
    """The command in a process of its own, and the link that it printed."""

    def __init__(self, path: Path, **settings: Any) -> None:
        told = {"browser": False, "port": 0, "reviewer": "ada", **settings}
        command = [sys.executable, "-c", _PROGRAM, str(path), json.dumps(told)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"http://\S+", line):
                super().__init__(found[0])
                return
        raise AssertionError("".join(self.lines))

    def interrupt(self) -> str:
        """End it as Ctrl-C does, and return what it printed."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=20)
        return "".join(self.lines) + rest

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.communicate(timeout=20)


@contextmanager
def process(path: Path, **settings: Any) -> Iterator[Process]:
    """Serve a run or file in a process of its own as long as the block lasts."""
    server = Process(path, **settings)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def served(path: Path) -> Iterator[Served]:
    """Serve a run in a thread, which begins at once, as long as the block lasts."""
    settings = ReviewSettings(reviewer="ada")
    app = assemble(open_source(path, settings, path), settings, None)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=[[listener]])
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
