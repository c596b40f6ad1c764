from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import run_command
from pipeline.llm.faults import script
from pipeline.llm.server import background


def told_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line of a `show` that has nothing to show."""
    capsys.readouterr()
    assert run_command(["show", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_parquet_file_of_another_form_is_one_line(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["generate", "--annotations", str(coco(1)), "--out", "run"]) == 0
    assert "run/rejects.parquet holds no samples of ours: it has no column 'file_name'" in told_of(
        capsys, "run/rejects.parquet"
    )
    pq.write_table(pa.table({"id": ["1"]}), "other.parquet")
    assert "other.parquet holds no samples of ours" in told_of(capsys, "other.parquet")
    assert "cannot read run/run.json" in told_of(capsys, "run/run.json")


def test_a_run_that_has_no_shard_yet_is_to_be_gone_on_with(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["generate", "--annotations", str(coco(1)), "--out", "run"]) == 0
    Path("run/samples.parquet").unlink()
    assert run_command(["show", "run"]) == 0
    shutil.rmtree("run/shards")
    assert "no shard is finished yet; run the same command again to go on" in told_of(capsys, "run")


def test_a_run_of_nothing_but_rejects_says_where_to_look(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with background(script("nonsense"), model="m") as server:
        flags = ["--model", "m", "--base-url", server.base_url, "--annotations", str(coco(2)), "--out", "run"]
        assert run_command(["generate", *flags, "--kinds", "conversation"]) == 0
    assert "all 2 were rejected; run/rejects.parquet says why" in told_of(capsys, "run")


def test_captions_cannot_steer_the_terminal(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    file = coco(1) / "captions_tiny.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["caption"] = "A dog\x1b]0;owned\x07 and\x9b2J a cup."
    file.write_text(json.dumps(content))
    assert run_command(["generate", "--annotations", str(file.parent), "--out", "run"]) == 0
    capsys.readouterr()
    assert run_command(["show", "run", "--count", "9"]) == 0
    shown = capsys.readouterr().out
    assert "A dog]0;owned and2J a cup." in shown
    assert set(shown) & set("\x1b\x07\x9b") == set()
