from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.errors import PipelineError
from pipeline.review.applied import apply_verdicts
from pipeline.review.settings import ReviewSettings
from pipeline.review.source import open_source
from pipeline.samples.reviewed import is_wanted, load_reviewed
from pipeline.samples.verdicts import Entry, VerdictLog, fingerprint, now
from tests.review.stage import make_run, row


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of which ada accepted 0 after an edit, rejected 1, both disagree on 2, and 3 is untouched."""
    rows = [row(number) for number in range(4)]
    run = make_run(tmp_path / "run", rows)
    log = VerdictLog(run / "verdicts.jsonl")

    def entry(number: int, act: Any, by: str = "ada", **more: Any) -> Entry:
        of = fingerprint(message["content"] for message in rows[number]["messages"])
        return Entry(act, rows[number]["id"], of, by, now(), **more)

    log.add(
        [
            entry(0, "edit", message=1, text="There are 2 cups and a dog."),
            entry(0, "verdict", verdict="accepted"),
            entry(1, "verdict", verdict="rejected", reasons=("wrong number",)),
            entry(2, "verdict", verdict="accepted"),
            entry(2, "verdict", by="bob", verdict="rejected"),
            entry(2, "note", by="bob", note="whose cups?"),
        ]
    )
    return run


def _applied(run: Path, reviewed: Any) -> list[dict[str, Any]]:
    source = open_source(run, ReviewSettings(), run)
    applied = apply_verdicts(source, reviewed)
    found: list[dict[str, Any]] = pq.read_table(applied.samples).to_pylist()
    assert applied.written == len(found)
    return found


def test_verdicts_are_applied_to_a_copy_and_the_run_stays_as_it_is(run: Path) -> None:
    before = (run / "samples.parquet").read_bytes()
    found = _applied(run, "all")
    assert (run / "samples.parquet").read_bytes() == before
    assert [one["review_verdict"] for one in found] == ["accepted", "rejected", "disputed", None]
    assert found[1]["review_reasons"] == ["wrong number"]
    assert found[2]["reviewers"] == ["ada", "bob"]
    assert found[2]["review_notes"] == ["bob: whose cups?"]
    assert found[0]["messages"][1]["content"] == "There are 2 cups and a dog."
    assert found[0]["original_messages"][1]["content"] == "There are 3 cups and a dog."
    assert found[3]["original_messages"] is None
    assert found[0]["image"]["bytes"] == row(0)["image"]["bytes"]


def test_an_edited_message_is_held_against_its_scene_again(run: Path) -> None:
    edited = _applied(run, "accepted")[0]
    verdicts = Counter(claim["verdict"] for claim in edited["claims"] if claim["message"] == 1)
    assert verdicts["contradicted"] == 0
    assert verdicts["supported"] >= 1
    assert edited["findings"] == []
    assert [claim["kind"] for claim in edited["claims"] if claim["message"] == 3] == ["place"]  # as it was


def test_disputed_samples_are_neither_accepted_nor_free_of_rejection(run: Path) -> None:
    assert [one["id"][0] for one in _applied(run, "accepted")] == ["0"]
    assert [one["id"][0] for one in _applied(run, "not-rejected")] == ["0", "3"]


def test_training_reads_the_same_verdicts(run: Path) -> None:
    reviews = load_reviewed(run)
    assert {sample[0]: review.verdict for sample, review in reviews.items()} == {
        "0": "accepted",
        "1": "rejected",
        "2": "disputed",
    }
    assert reviews["0/conversation/0"].edits == {1: "There are 2 cups and a dog."}
    wanted = [number for number in range(4) if is_wanted(reviews.get(row(number)["id"]), "not-rejected")]
    assert wanted == [0, 3]
    assert load_reviewed(run / "samples.parquet") == reviews


def test_verdicts_on_texts_that_have_changed_since_do_not_count(run: Path, tmp_path: Path) -> None:
    rows = [row(number) for number in range(4)]
    rows[1]["messages"][1] = {"role": "assistant", "content": "Another run wrote this."}
    again = make_run(tmp_path / "again", rows)
    (again / "verdicts.jsonl").write_bytes((run / "verdicts.jsonl").read_bytes())
    assert rows[1]["id"] not in load_reviewed(again)
    told = apply_verdicts(open_source(again, ReviewSettings(), again), "all").told
    assert "1 entries about texts that have changed since were left out" in told


def test_the_datasets_library_reads_what_was_written(run: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    _applied(run, "all")
    data = datasets.load_dataset(
        "parquet",
        data_files=str(run / "reviewed" / "samples.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert data[0]["image"].size == (64, 48)
    assert data[0]["review_verdict"] == "accepted"


def test_nothing_is_written_without_verdicts_or_over_the_samples(run: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="stay as they are"):
        apply_verdicts(open_source(run, ReviewSettings(out=run), tmp_path), "all")
    (run / "verdicts.jsonl").unlink()
    with pytest.raises(PipelineError, match="review some samples first"):
        apply_verdicts(open_source(run, ReviewSettings(), tmp_path), "all")


def test_samples_that_others_made_open_too(tmp_path: Path) -> None:
    pair = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A dog."}]
    file = tmp_path / "llava.json"
    file.write_text(json.dumps([{"id": "7", "image": "7.jpg", "conversations": pair}]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = open_source(file, ReviewSettings(), scratch)
    assert pq.read_table(source.samples).to_pylist()[0]["messages"][0] == {"role": "user", "content": "What?"}
    assert source.verdicts == tmp_path / "llava.verdicts.jsonl"


def test_what_is_no_run_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "notes.txt").touch()
    for path, told in (
        (tmp_path, "no run at"),
        (tmp_path / "nowhere", "no run or file at"),
        (tmp_path / "notes.txt", "no file of samples"),
        (tmp_path / "broken.parquet", "cannot read"),
    ):
        with pytest.raises(PipelineError, match=told):
            open_source(path, ReviewSettings(), tmp_path)


def test_the_checked_copy_of_a_run_is_shown_unless_the_samples_are_newer(run: Path, tmp_path: Path) -> None:
    import os

    (run / "check").mkdir()
    (run / "check" / "samples.parquet").write_bytes((run / "samples.parquet").read_bytes())
    assert open_source(run, ReviewSettings(), tmp_path).samples == run / "check" / "samples.parquet"
    assert open_source(run / "check" / "samples.parquet", ReviewSettings(), tmp_path).verdicts == run / "verdicts.jsonl"
    os.utime(run / "check" / "samples.parquet", (1, 1))
    source = open_source(run, ReviewSettings(), tmp_path)
    assert source.samples == run / "samples.parquet"
    assert "run check again" in source.notices[0]
