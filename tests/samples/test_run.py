from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.llm.journal import Journal
from pipeline.samples.run import RunFolder


@pytest.mark.parametrize("mine", ["README.md", "samples.parquet", "shards/mine.arrow", ".gitkeep"])
def test_a_folder_with_files_that_are_no_runs_is_refused_and_left_alone(mine: str) -> None:
    path = Path("checkout", mine)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(PipelineError, match="checkout holds files and is no run folder; pass another --out"):
        RunFolder(Path("checkout")).held().__enter__()
    assert path.read_text() == "mine"
    assert [p for p in Path("checkout").rglob("*") if p.is_file()] == [path]


def test_a_run_that_ended_in_its_first_moment_can_be_begun_again() -> None:
    folder = RunFolder(Path("run"))
    with folder.held():
        assert not folder.journal.exists()
    with folder.held():
        Journal(folder.journal).close()
    folder.card.write_text("of a run")
    with folder.held():
        pass


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, json.dumps([{}])])
def test_a_record_that_cannot_be_read_is_none(content: str) -> None:
    folder = RunFolder(Path())
    folder.record.write_text(content)
    assert folder.read_record() is None


def test_what_cannot_be_cleared_is_one_line() -> None:
    folder = RunFolder(Path())
    folder.card.mkdir()
    with pytest.raises(PipelineError, match=r"cannot remove README.md: .*; pass another --out"):
        folder.clear_derived()
