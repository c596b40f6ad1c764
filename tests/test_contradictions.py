"""What becomes of a sample that its scene contradicts: one image with one dog and one cup, replies that are played."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.cli import run_command
from pipeline.llm.faults import Answer
from pipeline.llm.server import background
from pipeline.samples.shards import read_shard

Coco = Callable[..., Path]


def turns(count: str) -> str:
    """A conversation that is right but for the number of dogs."""
    pairs = [
        ("How many dogs are there?", f"There {'is' if count == 'one dog' else 'are'} {count} in the picture."),
        ("What colour is the dog?", "It is brown."),
        ("Is there a cup?", "Yes, there is one cup."),
    ]
    return json.dumps({"turns": [{"question": question, "answer": answer} for question, answer in pairs]})


class Model:
    """Plays one reply after the other, the last one for good, and keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self._replies = list(replies)
        self.asked: list[list[dict[str, str]]] = []

    def __call__(self, body: Any) -> Answer:
        self.asked.append(body["messages"])
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


def run(model: Model, annotations: Path, *flags: str) -> dict[str, Any]:
    """Make one conversation; return its row, or that of its reject."""
    with background(model, model="m") as server:
        given = ["--model", "m", "--base-url", server.base_url, "--annotations", str(annotations), "--out", "run"]
        assert run_command(["generate", *given, "--kinds", "conversation", *flags]) == 0
    samples, rejects = (pq.read_table(f"run/{name}.parquet").to_pylist() for name in ("samples", "rejects"))
    (row,) = [*samples, *rejects]
    return dict(row)


def test_a_contradiction_is_asked_about_once_more_with_the_evidence(coco: Coco) -> None:
    model = Model(turns("three dogs"), turns("one dog"))
    row = run(model, coco(1))
    assert row["attempts"] == 2
    assert row["messages"][1]["content"] == "There is one dog in the picture."
    assert {claim["verdict"] for claim in row["claims"]} <= {"supported", "not checkable"}
    assert row["findings"] == []
    reply, correction = model.asked[1][-2:]
    assert (reply["role"], reply["content"]) == ("assistant", turns("three dogs"))
    assert correction["role"] == "user"
    assert '"three dogs"' in correction["content"]
    assert "1 dog" in correction["content"] or "one dog" in correction["content"]


def test_what_is_still_wrong_after_the_repair_is_rejected_with_the_reason(coco: Coco) -> None:
    row = run(Model(turns("three dogs")), coco(1), "--attempts", "5")
    assert (row["reason"], row["attempts"]) == ("contradicts its scene", 2)
    assert "three dogs" in row["error"]
    assert row["reply"] == turns("three dogs")


def test_without_an_attempt_left_a_contradiction_is_rejected(coco: Coco) -> None:
    row = run(Model(turns("three dogs"), turns("one dog")), coco(1), "--attempts", "1")
    assert (row["reason"], row["attempts"]) == ("contradicts its scene", 1)


def test_a_repair_that_cannot_be_read_is_asked_for_again(coco: Coco) -> None:
    row = run(Model(turns("three dogs"), "One dog, sorry.", turns("one dog")), coco(1))
    assert (row["attempts"], row["findings"]) == (3, [])


def test_flagged_samples_are_kept_with_a_finding(coco: Coco) -> None:
    row = run(Model(turns("three dogs")), coco(1), "--on-contradiction", "flag")
    assert row["attempts"] == 1
    (finding,) = row["findings"]
    assert (finding["kind"], finding["message"]) == ("contradiction", 1)
    assert "three dogs" in row["messages"][1]["content"][finding["start"] : finding["end"]]
    (wrong,) = [claim for claim in row["claims"] if claim["verdict"] == "contradicted"]
    assert [row["boxes"][place]["label"] for place in wrong["boxes"]] == ["dog"]


def test_contradictions_can_be_rejected_at_once(coco: Coco) -> None:
    row = run(Model(turns("three dogs"), turns("one dog")), coco(1), "--on-contradiction", "reject")
    assert (row["reason"], row["attempts"]) == ("contradicts its scene", 1)


def test_nothing_is_checked_where_that_is_asked_for(coco: Coco) -> None:
    row = run(Model(turns("three dogs")), coco(1), "--on-contradiction", "off")
    assert (row["claims"], row["findings"]) == ([], [])
    assert not Path("run/report.html").exists()


def test_a_text_without_contradictions_but_with_a_fault_is_kept_with_a_finding(coco: Coco) -> None:
    leaking = turns("one dog").replace("It is brown.", "It is described as brown in the caption.")
    row = run(Model(leaking), coco(1))
    assert row["attempts"] == 1
    assert {finding["kind"] for finding in row["findings"]} == {"source leak"}


@pytest.mark.parametrize("policy", ["repair", "flag"])
def test_a_second_run_asks_for_nothing_and_makes_the_same_bytes(policy: str, coco: Coco) -> None:
    def shards() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("run/shards").glob("*")}

    annotations = coco(1)
    run(Model(turns("three dogs"), turns("one dog")), annotations, "--on-contradiction", policy)
    before = shards()
    again = Model(turns("four dogs"))
    run(again, annotations, "--on-contradiction", policy)
    assert (again.asked, shards()) == ([], before)


def test_a_copy_of_an_earlier_sample_has_a_finding_in_shard_and_parquet_alike(coco: Coco) -> None:
    with background(Model(turns("one dog")), model="m") as server:
        given = ["--model", "m", "--base-url", server.base_url, "--annotations", str(coco(3)), "--out", "run"]
        assert run_command(["generate", *given, "--kinds", "conversation"]) == 0
    samples = pq.read_table("run/samples.parquet").to_pylist()
    assert read_shard(Path("run/shards/00000.arrow")).to_pylist() == samples
    kinds = [[finding["kind"] for finding in row["findings"]] for row in samples]
    assert kinds == [[], ["duplicate"], ["duplicate"]]
    assert json.loads(Path("run/stats.json").read_text())["findings"]["duplicate"]["findings"] == 2
    assert "duplicate" in Path("run/README.md").read_text()
