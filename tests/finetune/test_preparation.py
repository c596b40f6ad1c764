from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from pipeline.finetune import preparation
from pipeline.finetune.labels import encode
from pipeline.finetune.order import Order
from pipeline.finetune.pictures import Picture
from pipeline.finetune.preparation import Prepared, prepare
from pipeline.finetune.rows import Rejected, Row, read_rows
from pipeline.finetune.summary import lines, summarise
from pipeline.finetune.templates import load_template
from pipeline.finetune.tokens import IMAGE
from tests.finetune import tiny_tokenizers

TOKENIZER = tiny_tokenizers.byte_level(begins=True)
TEMPLATE = load_template("vicuna_v1", TOKENIZER)
IMAGE_TOKENS = 16


def prepared(rows: Iterable[Row | Rejected], **options: Any) -> Prepared:
    asked = {"max_tokens": 400, "image_tokens": IMAGE_TOKENS, "processes": 1} | options
    return prepare(rows, TOKENIZER, TEMPLATE, **asked)


def talk(*turns: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]


def row(row_id: str = "r", messages: Any = None, picture: Picture | None = None, **more: Any) -> Row:
    told: dict[str, Any] = {"image_id": row_id if picture else "", "kind": "k", "source": 0, "times": 1} | more
    return Row(id=row_id, messages=talk("What?", "A dog.") if messages is None else messages, picture=picture, **told)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    return Picture(str(path))


def test_samples_lie_one_after_another_as_they_were_encoded(picture: Picture) -> None:
    made = prepared([row("text"), row("seen", picture=picture)])
    ids, labels = encode(talk("What?", "A dog."), TOKENIZER, TEMPLATE)
    assert [part.tolist() for part in made.sample(0)] == [ids, labels]
    parts = [{"type": "image"}, {"type": "text", "text": "What?"}]
    ids, labels = encode([{"role": "user", "content": parts}, *talk("What?", "A dog.")[1:]], TOKENIZER, TEMPLATE)
    assert [part.tolist() for part in made.sample(1)] == [ids, labels]
    assert made.lengths.tolist() == [made.starts[1], len(ids) + IMAGE_TOKENS - 1]
    assert made.supervised.tolist() == [sum(label != -100 for label in labels)] * 2
    assert (made.picture.tolist(), made.pictures) == ([-1, 0], [picture])


def test_samples_of_a_picture_share_it(picture: Picture) -> None:
    made = prepared([row("a", picture=picture), row("b"), row("c", picture=Picture(picture.path))])
    assert (made.picture.tolist(), made.pictures) == ([0, -1, 0], [picture])


def test_an_image_in_the_text_stays_text(picture: Picture) -> None:
    messages = talk("<image> or <image>", "The tag <image>.")
    made = prepared([row("seen", messages, picture), row("text", messages)])
    assert [(made.sample(at)[0] == IMAGE).sum() for at in range(2)] == [1, 0]
    assert "tag <image>" in TOKENIZER.decode(made.sample(1)[0])


def test_random_placement_is_drawn_by_the_id(picture: Picture) -> None:
    rows = [row(f"r{number}", picture=picture) for number in range(60)]

    def places(**options: Any) -> list[int]:
        made = prepared(rows, **options)
        return [int(np.flatnonzero(made.sample(at)[0] == IMAGE)[0]) for at in range(60)]

    assert len(set(places())) == 1
    drawn = places(placement="random")
    assert 15 < drawn.count(min(drawn)) < 45
    assert drawn == places(placement="random") != places(placement="random", seed=1)


def test_whole_turns_are_dropped_from_the_end_and_counted(picture: Picture) -> None:
    made = prepared([row(messages=talk("a", "b " * 100, "c", "d " * 100, "e", "f"), picture=picture)], max_tokens=300)
    assert made.counts == {"read": 1, "used": 0, "shortened": 1, "rejected": 0, "left out": 0}
    assert made.shortened == {"r": 2}
    assert made.lengths[0] <= 300


def test_a_turn_of_a_million_words_is_not_even_tokenised() -> None:
    huge = "word " * 1_000_000
    made = prepared([row("first", talk(huge, "b")), row("second", talk("a", "b", "c", huge, "d", "e"))])
    (fault,) = made.rejected
    assert (fault.id, fault.reason) == ("first", "too long for one turn")
    assert fault.detail == "the first turn takes more than 25,600 characters, and 400 tokens fit"
    assert made.shortened == {"second": 2}


def test_each_fault_has_its_reason(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(Path(picture.path).read_bytes()[:40])
    broken = Picture(str(tmp_path / "broken.jpg"))
    made = prepared(
        [
            row("good"),
            row("long", talk("word " * 500, "b")),
            row("silent", talk("What?")),
            row("empty", []),
            row("twice", [*talk("a"), *talk("b", "c")]),
            row("role", [{"role": "tool", "content": "x"}]),
            row("number", [{"role": "user", "content": 5}, {"role": "assistant", "content": None}]),
            row("torn", picture=broken),
            row("gone", picture=Picture(str(tmp_path / "none.jpg"))),
            Rejected("told", 0, "not a sample", "is null"),
            row("weighed out", (), times=0),
        ]
    )
    assert {fault.id: fault.reason for fault in made.rejected} == {
        "long": "too long for one turn",
        "silent": "nothing to learn",
        "empty": "nothing to learn",
        "twice": "no conversation",
        "role": "no conversation",
        "number": "no conversation",
        "torn": "broken image",
        "gone": "broken image",
        "told": "not a sample",
    }
    assert made.counts == {"read": 11, "used": 1, "shortened": 0, "rejected": 9, "left out": 1}
    assert str(tmp_path / "broken.jpg") in made.rejected[6].detail


def test_a_run_that_carries_on_need_not_decode_pictures_again(picture: Picture) -> None:
    rows = [row("gone", picture=Picture("none.jpg"))]
    assert len(prepared(rows, decode_pictures=False)) == 1
    assert len(prepared(rows)) == 0


def test_an_epoch_has_samples_by_their_weight_and_none_held_out(picture: Picture) -> None:
    rows = [row(f"r{number}", times=1 + number % 3, picture=picture, image_id=str(number // 2)) for number in range(60)]
    made = prepared(rows, held_out_share=0.3)
    training, validation = made.training().tolist(), made.validation().tolist()
    assert len(validation) == len(set(validation)) > 0
    assert set(training) | set(validation) == set(range(60))
    assert not {number // 2 for number in training} & {number // 2 for number in validation}
    assert all(training.count(number) == 1 + number % 3 for number in set(training))


def test_processes_give_the_same_samples(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "CHUNK_ROWS", 4)
    monkeypatch.setattr(preparation, "WORTH_PROCESSES", 8)
    rows = [row(f"r{number}", talk("a" * number, "b"), picture if number % 2 else None) for number in range(50)]
    rows[20] = row("bad", [])
    one, two = prepared(rows), prepared(rows, processes=2)
    assert one.fingerprint == two.fingerprint
    assert one.rejected == two.rejected
    assert one.counts == two.counts == {"read": 50, "used": 49, "shortened": 0, "rejected": 1, "left out": 0}


def test_the_fingerprint_is_of_what_is_learnt(picture: Picture) -> None:
    rows = [row("a", picture=picture), row("b")]
    first = prepared(rows)
    assert pickle.loads(pickle.dumps(first)).fingerprint == first.fingerprint == prepared(rows).fingerprint
    others = [rows[::-1], [rows[0], row("c")], [rows[0], row("b", times=2)], [rows[0], row("b", talk("What?", "It."))]]
    assert len({prepared(other).fingerprint for other in (rows, *others)}) == 5


def test_no_rows_at_all_give_no_samples() -> None:
    made = prepared([])
    assert len(made) == len(made.training()) == 0
    assert made.counts["read"] == 0
    assert made.fingerprint


def test_a_summary_says_what_there_is(picture: Picture) -> None:
    rows = [
        row("a", talk("a", "b " * 40), picture),
        row("b", talk("a", "b " * 10), picture, kind="detail"),
        row("c", times=2),
        row("d", []),
        row("e", (), times=0),
    ]
    made = prepared(rows)
    order = Order(made.training(), made.lengths, made.picture, seed=0, batch=4)
    longest, shortest = made.lengths[0], made.lengths[2]
    figures = summarise(made, order, layout="padded", micro_tokens=2 * int(longest))
    assert json.loads(json.dumps(figures))["rows"] == made.counts
    assert figures["kinds"] == {"detail": 1, "k": 2}
    assert (figures["samples_an_epoch"], figures["text_only"], figures["images"]) == (4, 2, 1)
    assert figures["samples_an_image"] == {2: 1}
    assert figures["tokens_an_epoch"] == made.lengths[:2].sum() + 2 * shortest
    assert figures["length_percentiles"][100] == longest
    assert figures["supervised_share"] == (made.supervised.sum() + made.supervised[2]) / figures["tokens_an_epoch"]
    padding = longest - made.lengths[1]  # the two with the image together, the two of text together
    assert figures["padding_share"] == padding / (2 * longest + 2 * shortest)
    assert figures["shared_share"] == 0
    trees = summarise(made, order, layout="shared", micro_tokens=4096)
    question = int(np.flatnonzero(made.sample(0)[1] >= 0)[0]) + IMAGE_TOKENS - 1  # up to the answer
    assert (trees["shared_share"], trees["padding_share"]) == (question / figures["tokens_an_epoch"], 0)
    assert f"computed once: {trees['shared_share']:.1%}; padding: 0.0%" in lines(trees)[-1]
    told = lines(figures)
    assert told[0] == "5 rows: 3 used, 0 shortened, 1 rejected, 1 left out"
    assert "  rejected: nothing to learn: 1" in told
    assert "images: 1 (1 with 2 samples); text alone: 2" in told


def test_a_llava_file_is_prepared_from_end_to_end(picture: Picture, tmp_path: Path) -> None:
    question = {"from": "human", "value": "<image>\nWhat?"}
    entry = {"id": "1", "image": "a.png", "conversations": [question, {"from": "gpt", "value": "A dog."}]}
    (tmp_path / "set.json").write_text(json.dumps([entry]))
    made = prepared(read_rows([str(tmp_path / "set.json")], None, None))
    assert made.sample(0)[0].tolist() == prepared([row(picture=picture)]).sample(0)[0].tolist()
