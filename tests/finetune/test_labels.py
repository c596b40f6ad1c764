from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from pipeline.errors import PipelineError
from pipeline.finetune.labels import (
    IGNORE,
    IMAGE,
    Malformed,
    NothingToLearn,
    TooLong,
    Unusable,
    encode,
    fit,
    prompt_ids,
)
from pipeline.finetune.templates import load_template
from tests.finetune import published
from tests.finetune.tiny_tokenizers import byte_level, llama, llama_file

# As LLaVA's counting needs them: <s> in front, and </s> a token.
COUNTED = {
    "llama": lambda: llama(legacy=False),
    "llama-legacy": lambda: llama(legacy=True),
    "llama-file": llama_file,
    "byte-level": lambda: byte_level(begins=True),
}
EVERY = {**COUNTED, "byte-level-no-bos": lambda: byte_level(begins=False)}

WORDS = (
    "dog cat two 3 the table, left; of a car's What Where is it? (yes) no. 'So' — USER: x=1 "
    "Кошка собака стоит слева. Где? два 猫 桌子上有什么？ 两只 ok👍 e\u0301té\nline \tTab"
).split(" ")


def messages(conversation: published.Conversation) -> list[dict[str, str]]:
    roles = {"human": "user", "gpt": "assistant"}
    return [{"role": roles[turn["from"]], "content": turn["value"]} for turn in conversation]


def ordinary(draw: random.Random, turns: int, image: str) -> published.Conversation:
    def text(most: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(1, most))).strip() or "x"

    conversation = []
    for number in range(turns):
        question = text(12)
        if number == 0:
            question = {"before": f"<image>\n{question}", "after": f"{question}\n<image>", "none": question}[image]
        conversation += [{"from": "human", "value": question}, {"from": "gpt", "value": text(30)}]
    return conversation


def pair(question: Any, answer: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def learnt(labels: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.decode([label for label in labels if label != IGNORE]))


@pytest.fixture(params=EVERY)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return EVERY[request.param]()


@pytest.mark.parametrize("image", ["before", "after", "none"])
@pytest.mark.parametrize("family", COUNTED)
@pytest.mark.parametrize("template", ["vicuna_v1", "llama_2"])
def test_ids_and_labels_are_those_of_llava(template: str, family: str, image: str) -> None:
    tokenizer, draw = COUNTED[family](), random.Random(f"{template}{family}{image}")
    reference: Callable[..., Any] = getattr(published, template)
    for number in range(60):
        conversation = ordinary(draw, turns=1 + number % 5, image=image)
        ids, labels = reference(conversation, tokenizer)
        assert labels is not None, "LLaVA gave up on it, so the comparison would say nothing"
        assert encode(messages(conversation), tokenizer, template) == (ids, labels)


@pytest.mark.parametrize("image", ["before", "after", "none"])
def test_one_turn_is_as_with_llava_for_a_tokenizer_that_puts_nothing_in_front(image: str) -> None:
    tokenizer, draw = byte_level(begins=False), random.Random(image)
    for _ in range(60):
        conversation = ordinary(draw, turns=1, image=image)
        ids, labels = published.vicuna_v1(conversation, tokenizer)
        assert labels is not None
        assert encode(messages(conversation), tokenizer, "vicuna_v1") == (ids, labels)


def test_captions_are_those_of_llava(tokenizer: PreTrainedTokenizerBase) -> None:
    draw = random.Random(0)
    for _ in range(60):
        conversation = ordinary(draw, turns=1, image="before")
        assert encode(messages(conversation), tokenizer, "plain") == published.plain(conversation, tokenizer)


def test_the_reference_gives_up_where_it_is_known_to() -> None:
    tokenizer = llama(legacy=True)
    for answer in ("He says: ASSISTANT: hello", ""):
        spoilt = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": answer}]
        assert published.vicuna_v1([*spoilt, *spoilt], tokenizer)[1] is None


def test_an_answer_is_learnt_whatever_words_it_holds(tokenizer: PreTrainedTokenizerBase) -> None:
    for answer in ("I am ASSISTANT: USER: me", "an [/INST] b", "</s>", "<image>", "<s> <|im_end|> </s></s>"):
        for name in ("vicuna_v1", "llama_2", "plain"):
            _, labels = encode(pair("<image>\nq", answer), tokenizer, name)
            assert answer in learnt(labels, tokenizer)


def test_an_empty_answer_trains_its_end_token(tokenizer: PreTrainedTokenizerBase) -> None:
    _, labels = encode([*pair("a?", ""), *pair("b?", "yes")], tokenizer, "vicuna_v1")
    assert learnt(labels, tokenizer).split("</s>")[0].strip() == ""
    assert [label for label in labels if label != IGNORE].count(tokenizer.eos_token_id) == 2


def test_control_tokens_come_from_the_template_alone(tokenizer: PreTrainedTokenizerBase) -> None:
    typed = "</s> <image> <s> <|im_end|> </s"
    for name in ("vicuna_v1", "llama_2", "plain"):
        calm, _ = encode(pair("<image>\nq", "a"), tokenizer, name)
        wild, _ = encode(pair(f"<image>\nq{typed} x", f"{typed}{typed} x"), tokenizer, name)
        for control in {IMAGE, *tokenizer.all_special_ids}:
            assert wild.count(control) == calm.count(control)


def test_a_typed_control_token_reads_as_the_tokenizer_reads_it_as_text() -> None:
    tokenizer = byte_level(begins=True)
    as_text = tokenizer("</s>", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    _, labels = encode(pair("<image>", "</s>"), tokenizer, "plain")
    assert [label for label in labels if label != IGNORE][: len(as_text)] == as_text


@pytest.mark.parametrize("added", ["</s>", "<image>", "<|image|>"])
def test_an_image_token_that_the_tokenizer_has_changes_nothing(added: str) -> None:
    talk = pair("<image>\nWhat </s> <image>?", "A dog.")
    bare = encode(talk, byte_level(begins=True), "vicuna_v1")
    tokenizer = pickle.loads(pickle.dumps(byte_level(begins=True)))
    tokenizer.add_tokens([added], special_tokens=False)
    assert encode(talk, tokenizer, "vicuna_v1") == bare


def test_parts_keep_their_order(tokenizer: PreTrainedTokenizerBase) -> None:
    image, text = {"type": "image"}, {"type": "text", "text": "What is it?"}
    first, _ = encode(pair([image, text], "A dog."), tokenizer, "vicuna_v1")
    last, _ = encode(pair([text, image], "A dog."), tokenizer, "vicuna_v1")
    assert first == encode(pair("<image>\nWhat is it?", "A dog."), tokenizer, "vicuna_v1")[0]
    said = f"{published.VICUNA} USER: What is it?\n<image> ASSISTANT: A dog.</s>"
    assert last == published.tokenise(said, tokenizer)


def test_llavas_own_names_are_read() -> None:
    conversation = ordinary(random.Random(1), turns=2, image="before")
    for name in ("vicuna_v1", "llama_2"):
        ours = encode(messages(conversation), llama(legacy=False), name)
        assert encode(conversation, llama(legacy=False), name) == ours


def test_a_system_message_takes_the_place_of_the_templates() -> None:
    tokenizer = llama(legacy=False)
    ids, _ = encode([{"role": "system", "content": "Be brief."}, *pair("q", "a")], tokenizer, "vicuna_v1")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Be brief. USER: q ASSISTANT: a"


def test_a_prompt_ends_where_the_answer_begins(tokenizer: PreTrainedTokenizerBase) -> None:
    draw = random.Random(2)
    for name, turns in (("vicuna_v1", 3), ("llama_2", 3), ("plain", 1)):
        talk = messages(ordinary(draw, turns=turns, image="before"))
        ids, labels = encode(talk, tokenizer, name)
        prompt = prompt_ids(talk[:1], tokenizer, name)
        assert ids[: len(prompt)] == prompt
        assert [label != IGNORE for label in labels[: len(prompt) + 1]] == [False] * len(prompt) + [True]
        if turns > 1:
            later = prompt_ids(talk[:-1], tokenizer, name)
            assert ids[: len(later)] == later
            assert all(label != IGNORE for label in labels[len(later) :])


def test_what_does_not_fit_is_dropped_by_whole_turns() -> None:
    tokenizer = llama(legacy=False)
    talk = messages(ordinary(random.Random(3), turns=5, image="before"))
    lengths = [len(encode(talk[: 2 * turns], tokenizer, "vicuna_v1")[0]) + 576 - 1 for turns in range(1, 6)]
    for turns, length in enumerate(lengths, start=1):
        for spare in (0, 1):
            fitted = fit(talk, tokenizer, "vicuna_v1", max_tokens=length + spare, image_tokens=576)
            assert fitted == (*encode(talk[: 2 * turns], tokenizer, "vicuna_v1"), 5 - turns)
    with pytest.raises(TooLong) as told:
        fit(talk, tokenizer, "vicuna_v1", max_tokens=lengths[0] - 1, image_tokens=576)
    assert told.value.needed == lengths[0]
    assert (
        str(pickle.loads(pickle.dumps(told.value)))
        == f"the first turn takes {lengths[0]} tokens, and {lengths[0] - 1} fit"
    )


def test_text_alone_has_no_image_to_make_room_for() -> None:
    tokenizer = llama(legacy=False)
    ids, _ = encode(pair("q", "a"), tokenizer, "vicuna_v1")
    assert fit(pair("q", "a"), tokenizer, "vicuna_v1", max_tokens=len(ids), image_tokens=576).ids == ids


def test_questions_without_answer_and_answers_without_question_are_left_out_and_counted() -> None:
    tokenizer = llama(legacy=False)
    odd = [{"role": "assistant", "content": "Hi"}, *pair("q", "a"), {"role": "user", "content": "and?"}]
    fitted = fit(odd, tokenizer, "vicuna_v1", max_tokens=999, image_tokens=576)
    assert fitted == (*encode(pair("q", "a"), tokenizer, "vicuna_v1"), 2)


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        ([*pair("q", "a"), *pair("q", "a")[1:]], "message 2 is of the assistant, out of turn"),
        ([*pair("q", "a"), {"role": "system", "content": "s"}], "message 2 is of the system, out of turn"),
        ([{"role": "tool", "content": "s"}], "'tool'"),
        (["q", "a"], "str, not a mapping"),
        (pair(None, "a"), "NoneType, not text or parts"),
        (pair([{"type": "video"}], "a"), "'video'"),
        (pair([{"type": "text", "text": None}], "a"), "has no text"),
        (pair([{"type": "image"}] * 9, "a"), "9 images"),
        (pair("q", [{"type": "image"}]), "not in the first question"),
        ([*pair("q", "a"), *pair([{"type": "image"}], "a")], "not in the first question"),
    ],
)
def test_what_is_no_conversation_is_refused_with_the_reason(talk: Any, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        encode(talk, llama(legacy=False), "vicuna_v1")


@pytest.mark.parametrize("talk", [[], pair("q", "a")[:1], [{"role": "system", "content": "s"}]])
def test_a_sample_without_an_answer_is_refused(talk: Any) -> None:
    with pytest.raises(NothingToLearn):
        encode(talk, llama(legacy=False), "vicuna_v1")


def test_plain_takes_one_image_and_one_caption() -> None:
    for talk in (pair("q", "a"), [*pair("<image>\nq", "a"), *pair("q", "a")]):
        with pytest.raises(Malformed, match="one image and one caption"):
            encode(talk, llama(legacy=False), "plain")


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "<image>",
        "</s>",
        "\n<image>",
        "ASSISTANT: ",
        "\ud800",
        "\ufdd0",
        "\ufdd2",
        "<s\ufdd2>",
        "\x00",
        "▁",
        "猫 ",
    ]
)
CONTENTS = st.lists(TEXTS, max_size=4).map("".join) | st.lists(
    st.just({"type": "image"}) | TEXTS.map(lambda text: {"type": "text", "text": text}), max_size=3
)
TALKS = st.lists(CONTENTS, max_size=6).map(
    lambda contents: [{"role": ("user", "assistant")[n % 2], "content": each} for n, each in enumerate(contents)]
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(talk=TALKS, template=st.sampled_from(["vicuna_v1", "llama_2", "plain"]), family=st.sampled_from(sorted(EVERY)))
def test_whatever_comes_is_encoded_or_refused(talk: Any, template: str, family: str) -> None:
    tokenizer = EVERY[family]()
    try:
        ids, labels = encode(talk, tokenizer, template)
    except Unusable:
        return
    assert len(ids) == len(labels)
    assert ids.count(IMAGE) <= 1
    assert all(label in (IGNORE, token) for token, label in zip(ids, labels, strict=True))
    assert any(label != IGNORE for label in labels)
    assert labels[ids.index(IMAGE)] == IGNORE if IMAGE in ids else True
    answers = len(talk) // 2 if template != "plain" else 0
    assert labels.count(tokenizer.eos_token_id) == answers
    if tokenizer.bos_token_id is not None and template != "llama_2":
        assert ids.count(tokenizer.bos_token_id) == 1


def test_an_unknown_template_is_one_line() -> None:
    with pytest.raises(PipelineError, match="pass one of vicuna_v1, plain, llama_2, chatml, tokenizer"):
        encode(pair("q", "a"), llama(legacy=False), "vicuna_v9")


def test_a_loaded_template_does_the_same_and_travels_between_processes() -> None:
    tokenizer = llama(legacy=False)
    template = pickle.loads(pickle.dumps(load_template("vicuna_v1", tokenizer)))
    assert encode(pair("q", "a"), tokenizer, template) == encode(pair("q", "a"), tokenizer, "vicuna_v1")
