"""Generation against a real server of a real, if very small and untrained, language model."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cli import run_command
from tests.tiny_llama_server import MODEL_NAME, tiny_llama_server

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers", "fastapi", "uvicorn")),
    reason="needs torch and transformers[serving]",
)


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tiny_llama_server(tmp_path_factory.mktemp("tiny-llama")) as url:
        yield url


def test_the_nonsense_of_an_untrained_model_ends_as_rejects_with_reasons(
    base_url: str, coco: Callable[..., Path]
) -> None:
    flags = ["--model", MODEL_NAME, "--base-url", base_url, "--set", "max_tokens=48", "--attempts", "2"]
    command = ["generate", "--annotations", str(coco(4)), "--out", "run", "--concurrency", "4", *flags]
    assert run_command(command) == 0
    rejects = pq.read_table("run/rejects.parquet").to_pylist()
    samples = pq.read_table("run/samples.parquet").to_pylist()
    assert len(rejects) + len(samples) == 12
    assert {row["reason"] for row in rejects} <= {"unreadable reply", "cut by length"}
    assert all(row["error"] and row["attempts"] >= 1 and row["completion_tokens"] > 0 for row in rejects)
    assert len(rejects) >= 11
    assert run_command(command) == 0
    requests = json.loads(Path("run/run.json").read_text())["requests"]
    assert requests["answered_now"] == 0


def test_a_model_the_server_does_not_know_is_one_line(
    base_url: str, coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "gpt-unknown", "--base-url", base_url]
    assert run_command(["generate", "--annotations", str(coco(1)), "--out", "run", *flags]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "refuses the request (400: Server is pinned to" in last
