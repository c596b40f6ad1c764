from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("torch")

from rich.console import Console
from rich.text import Text
from transformers import PreTrainedTokenizerBase

from pipeline.finetune.colouring import LEARNT, coloured, show_samples
from pipeline.finetune.labels import encode
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE
from tests.finetune import tiny_tokenizers

TOKENIZERS = [tiny_tokenizers.llama_file(), tiny_tokenizers.byte_level(begins=False)]
MESSAGES = [
    {"role": "user", "content": "<image>\nWhere does the man stand?"},
    {"role": "assistant", "content": "He stands to the left of a red car."},
    {"role": "user", "content": "Где кошка?"},
    {"role": "assistant", "content": "Кошка сидит на столе."},
]


def learnt(text: Text) -> list[str]:
    return [text.plain[span.start : span.end] for span in text.spans if span.style == LEARNT]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["llama", "byte level"])
def test_answers_and_their_ends_are_in_colour_and_nothing_else(tokenizer: PreTrainedTokenizerBase) -> None:
    text = coloured(*encode(MESSAGES, tokenizer, "vicuna_v1"), tokenizer, 576)
    assert [piece.strip() for piece in learnt(text)] == [
        "He stands to the left of a red car.</s>",
        "Кошка сидит на столе.</s>",
    ]
    assert "USER: <image: 576 tokens>" in text.plain
    assert "Where does the man stand? ASSISTANT: He stands" in text.plain


def test_without_colours_marks_stand_around_what_is_learnt() -> None:
    tokenizer = TOKENIZERS[0]
    text = coloured(*encode(MESSAGES, tokenizer, "vicuna_v1"), tokenizer, 576, marked=True)
    assert text.plain.count("⟦") == 2
    assert "Кошка сидит на столе.</s>⟧" in text.plain


def test_a_newline_that_is_learnt_can_be_seen() -> None:
    tokenizer = TOKENIZERS[1]
    caption = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "a cat on the mat"}]
    text = coloured(*encode(caption, tokenizer, "plain"), tokenizer, 16)
    assert text.plain == "<image: 16 tokens>a cat on the mat⏎\n"


def test_what_a_text_holds_does_nothing_to_the_terminal() -> None:
    tokenizer = TOKENIZERS[1]
    hostile = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "\x1b[31m [bold]a cat[/bold]"}]
    text = coloured(*encode(hostile, tokenizer, "vicuna_v1"), tokenizer, 16)
    assert "\x1b" not in text.plain
    assert "[bold]a cat[/bold]" in text.plain


def prepared(*conversations: list[dict[str, str]]) -> Prepared:
    encoded = [encode(messages, TOKENIZERS[0], "vicuna_v1") for messages in conversations]
    lengths = [len(ids) for ids, _ in encoded]
    count = len(encoded)
    return Prepared(
        tokens=np.concatenate([np.array(ids, np.int32) for ids, _ in encoded]),
        learnt=np.concatenate([np.array(labels) != IGNORE for _, labels in encoded]),
        starts=np.cumsum([0, *lengths]),
        lengths=np.array(lengths, np.int32) + 575,
        supervised=np.array([sum(label != IGNORE for label in labels) for _, labels in encoded], np.int32),
        picture=np.zeros(count, np.int32),
        times=np.ones(count, np.int32),
        held_out=np.zeros(count, np.bool_),
        ids=[f"sample/{number}" for number in range(count)],
        pictures=[],
        image_tokens=576,
        rejected=[],
        shortened={},
        left_out=0,
        kinds={},
    )


def test_a_few_samples_are_shown_with_their_ids_and_lengths() -> None:
    out = io.StringIO()
    show_samples(prepared(*[MESSAGES] * 9), TOKENIZERS[0], Console(file=out, width=100), count=3)
    shown = out.getvalue()
    assert [f"sample/{number}" in shown for number in range(9)] == [number in (0, 4, 8) for number in range(9)]
    assert "between ⟦ and ⟧" in shown
    assert "tokens, " in shown


def test_a_console_with_colours_gets_colours_and_no_marks() -> None:
    out = io.StringIO()
    show_samples(prepared(MESSAGES), TOKENIZERS[0], Console(file=out, width=100, force_terminal=True), count=1)
    assert "\x1b[1;32m" in out.getvalue()
    assert "⟦" not in out.getvalue()
