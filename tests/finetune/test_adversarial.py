from __future__ import annotations

import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

pytest.importorskip("torch")

from pipeline.finetune.preparation import Prepared, prepare
from pipeline.finetune.rows import read_rows
from pipeline.finetune.templates import load_template
from pipeline.finetune.tokens import IMAGE
from tests.finetune import tiny_tokenizers

RECORDS = 10_000
MAX_TOKENS = 400
IMAGE_TOKENS = 16
TOKENIZER = tiny_tokenizers.byte_level(begins=True)

MARKS = ["</s>", "<s>", "<image>", "ASSISTANT: ", "USER: ", "<|im_end|>", "[/INST]", "<<SYS>>", "{{ 1 }}", "{% raw %}"]
LETTERS = ["\0", "\ud83d", "\udc4d", "\ufdd0", "\u202e", "\r\n", "\u2028", "\\", '"', "é", "图", "👍", ""]


def file_of(image: Image.Image, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


JPEG = file_of(Image.effect_noise((64, 64), 50).convert("RGB"))


def odd(draw: random.Random) -> str:
    """Return a text between two words, so that no mark stands at its end."""
    return "A " + "".join(draw.choice((*MARKS, *LETTERS, " dog", " on")) for _ in range(draw.randrange(8))) + " b"


def llava(question: object, answer: object, **more: object) -> dict[str, object]:
    return {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]} | more


def turns(*texts: object) -> dict[str, object]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]}


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


# What a record is, what becomes of it (None: used), and how it is made.
Make = Callable[[random.Random], object]
FATES: dict[str, tuple[str | None, Make]] = {
    "good": (None, lambda d: llava(f"<image>\n{odd(d)}", odd(d), image="good.jpg")),
    "text": (None, lambda d: llava(odd(d), odd(d))),
    "no image asked for": (None, lambda d: llava(odd(d), odd(d), image="good.jpg")),
    "image at the end": (None, lambda d: llava(f"{odd(d)}\n<image>", odd(d), image=["good.jpg"])),
    "empty answer": (None, lambda d: llava(f"<image>\n{odd(d)}", "", image="good.jpg")),
    "empty question": (None, lambda d: llava("<image>", odd(d), image="good.jpg")),
    "system": (None, lambda d: {"messages": [{"role": "system", "content": odd(d)}, *turns("a", odd(d))["messages"]]}),  # type: ignore[misc]
    "parts": (None, lambda d: turns([{"type": "image", "path": "good.jpg"}, {"type": "text", "text": odd(d)}], "b")),
    "same id": (None, lambda d: llava(odd(d), odd(d), id="twin")),
    "odd id": (None, lambda d: llava("a", odd(d), id=d.choice((None, True, 1.5, [], {}, "\ud800", "x" * 9999)))),
    "two images": ("more than one image", lambda d: llava("<image>\na", odd(d), image=["good.jpg"] * 2)),
    "nine images": ("more than one image", lambda d: {"images": ["good.jpg"] * 9} | turns(odd(d), "b")),
    "nine marks": ("more than one image", lambda d: llava("<image>\n" * 9 + "a", odd(d), image="good.jpg")),
    "late image": ("image out of place", lambda d: turns("a", odd(d), "<image> b", "c") | {"image": "good.jpg"}),
    "mark without image": ("no image file", lambda d: llava(f"<image>\n{odd(d)}", "b")),
    "no such file": (
        "no image file",
        lambda d: llava("<image>a", odd(d), image=d.choice(("none.jpg", "\0", "/", ".."))),
    ),
    "image of another sort": ("no image file", lambda d: llava("a", odd(d), image=d.choice((5, {"id": 1}, [None])))),
    "corrupt": ("broken image", lambda d: llava("<image>\na", odd(d), image=f"bad{d.randrange(20)}.jpg")),
    "no messages": (
        "no messages",
        lambda d: d.choice(({}, {"messages": "a"}, {"conversations": []}, {"messages": {}})),
    ),
    "no object": ("not a sample", lambda d: d.choice((None, 5, "text", [], [{}], True))),
    "message of another sort": ("no conversation", lambda d: {"messages": d.choice(([None], [5], ["a", "b"], [[]]))}),
    "number": ("no conversation", lambda d: turns(odd(d), d.choice((5, None, True, {}, float("nan"))))),
    "wrong role": (
        "no conversation",
        lambda d: {"messages": [{"role": d.choice(("tool", None, 3, [])), "content": "a"}]},
    ),
    "two questions": ("no conversation", lambda d: {"messages": [{"role": "user", "content": odd(d)}] * 2 + [None]}),
    "unknown part": ("no conversation", lambda d: turns([{"type": d.choice(("video", None, 4))}, odd(d)], "b")),
    "nested": ("no conversation", lambda d: turns(nested(d.randrange(1, 200)), odd(d))),
    "no answer": ("nothing to learn", lambda d: turns(odd(d))),
    "huge question": ("too long for one turn", lambda d: turns(odd(d) * 20_000, "b")),
    "long answer": ("too long for one turn", lambda d: turns("a", "dog " * 500 + odd(d))),
    "many turns": ("shortened", lambda d: turns(*[odd(d) for _ in range(80)])),
    "huge end": ("shortened", lambda d: turns("a", odd(d), "c", "dog " * 50_000)),
    "begins with an answer": ("shortened", lambda d: {"messages": turns("a", odd(d), "c", "d")["messages"][1:]}),  # type: ignore[index]
    "ends with a question": ("shortened", lambda d: turns("a", odd(d), "c")),
}


def damaged(draw: random.Random) -> bytes:
    """Return what a download can leave of a JPEG."""
    return draw.choice((b"", b"<html></html>", JPEG[: draw.randrange(1, 900)], b"\0" * 500, JPEG[500:], JPEG[::-1]))


def write_records(folder: Path, draw: random.Random) -> list[str]:
    """Write the records into three files, and return what each is, in order."""
    (folder / "good.jpg").write_bytes(JPEG)
    for number in range(20):
        (folder / f"bad{number}.jpg").write_bytes(damaged(draw))
    names = [draw.choice(list(FATES)) for _ in range(RECORDS)]
    records = [FATES[name][1](draw) for name in names]
    listed, lines = records[: RECORDS // 2], records[RECORDS // 2 :]
    (folder / "list.json").write_text(json.dumps(listed))
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return names


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Prepared, list[str], float]:
    """Prepare the records; return what they are, what came out, their ids in order, and the processor seconds."""
    folder = tmp_path_factory.mktemp("adversarial")
    names = write_records(folder, random.Random(5))
    begun = time.process_time()
    ids: list[str] = []

    def noted() -> Any:
        for row in read_rows([str(folder / "list.json"), str(folder / "lines.jsonl")], None, None):
            ids.append(row.id)
            yield row

    made = prepare(
        noted(),
        TOKENIZER,
        load_template("vicuna_v1", TOKENIZER),
        max_tokens=MAX_TOKENS,
        image_tokens=IMAGE_TOKENS,
        processes=1,
    )
    return names, made, ids, time.process_time() - begun


def test_ten_thousand_adversarial_records_are_each_accounted_for(
    outcome: tuple[list[str], Prepared, list[str], float],
) -> None:
    names, made, ids, seconds = outcome
    assert len(ids) == len(set(ids)) == RECORDS
    fates = dict.fromkeys(made.ids, "used") | dict.fromkeys(made.shortened, "shortened")
    fates |= {fault.id: fault.reason for fault in made.rejected}
    assert len(made.ids) + len(made.rejected) == len(fates) == RECORDS
    counts = made.counts
    assert counts["read"] == counts["used"] + counts["shortened"] + counts["rejected"] == RECORDS
    assert seconds < 30
    wrong = Counter(
        (name, fates[row]) for name, row in zip(names, ids, strict=True) if fates[row] != (FATES[name][0] or "used")
    )
    assert not wrong
    assert all(fault.detail and "\n" not in fault.detail for fault in made.rejected)


def test_what_is_used_of_them_can_be_trained_on(outcome: tuple[list[str], Prepared, list[str], float]) -> None:
    _, made, _, _ = outcome
    assert made.lengths.max() <= MAX_TOKENS
    assert made.supervised.min() >= 1
    images = np.add.reduceat(made.tokens == IMAGE, made.starts[:-1])
    assert np.array_equal(images, made.picture >= 0)
    others = made.tokens[made.tokens != IMAGE]
    assert 0 <= others.min() <= others.max() < len(TOKENIZER)
    for fault in made.rejected:
        fault.detail.encode()  # goes into a file
    "".join(made.ids).encode()


def test_embedded_pictures_are_as_adversarial(tmp_path: Path) -> None:
    draw = random.Random(6)
    fates = [draw.random() < 0.5 for _ in range(600)]
    cells = [
        draw.choice(({"bytes": JPEG, "path": None}, {"bytes": JPEG, "path": "\u202e"}))
        if good
        else draw.choice(({"bytes": damaged(draw) or b"x", "path": None}, {"bytes": None, "path": "no"}))
        for good in fates
    ]
    talk = turns("a <image> b", "c")["messages"]
    table = pa.table(
        {"image": cells, "image_id": [str(number % 90) for number in range(600)], "messages": [talk] * 600}
    )
    with pa.OSFile(str(tmp_path / "set.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=100)
    made = prepare(
        read_rows([str(tmp_path / "set.arrow")], None, None),
        TOKENIZER,
        load_template("vicuna_v1", TOKENIZER),
        max_tokens=MAX_TOKENS,
        image_tokens=IMAGE_TOKENS,
        processes=1,
    )
    assert [f"set/{number}" for number, good in enumerate(fates) if good] == made.ids
    assert {fault.reason for fault in made.rejected} == {"broken image", "no image file"}
