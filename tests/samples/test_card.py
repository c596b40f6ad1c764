from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import run_command
from pipeline.llm.faults import Answer, Failure, script
from pipeline.llm.server import background
from pipeline.samples.card import size_category


def test_the_card_counts_the_images_that_have_samples(coco: Callable[..., Path]) -> None:
    good = json.dumps({"turns": [{"question": f"What is {n}?", "answer": "A dog."} for n in range(3)]})
    answers: list[Answer] = [good, *[Failure(400, "no", code="content_filter")] * 4]
    with background(script(*answers), model="m") as server:
        flags = ["--model", "m", "--base-url", server.base_url, "--annotations", str(coco(5)), "--out", "run"]
        assert run_command(["generate", *flags, "--kinds", "conversation", "--concurrency", "1"]) == 0
    assert "1 samples of visual instruction data about 1 annotated images" in Path("run/README.md").read_text()


@pytest.mark.parametrize(
    ("count", "name"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (9_999_999, "1M<n<10M"), (10_000_000, "10M<n<100M")],
)
def test_sizes_have_the_hubs_names(count: int, name: str) -> None:
    assert size_category(count) == name
