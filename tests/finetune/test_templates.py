from __future__ import annotations

import copy
import random
from typing import Any

import pytest

pytest.importorskip("torch")

from PIL import Image
from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerBase

from pipeline.errors import PipelineError
from pipeline.finetune.labels import IGNORE, IMAGE, Malformed, NothingToLearn, encode, prompt_ids
from pipeline.finetune.templates import NAMES, load_template
from tests.finetune.tiny_tokenizers import byte_level, llama, llama_file

FAMILIES = {
    "llama": lambda: llama(legacy=False),
    "llama-legacy": lambda: llama(legacy=True),
    "llama-file": llama_file,
    "byte-level": lambda: byte_level(begins=True),
    "byte-level-no-bos": lambda: byte_level(begins=False),
}
IMAGE_PART = {"type": "image"}

# The forms that chat templates of today's models come in, as short as they can be said.
CHATML = """
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\n' -}}
  {{- message.content + '<|im_end|>' -}}
  {{- '\n' -}}
{%- endfor -%}
{{- '<|im_start|>assistant\n' if add_generation_prompt -}}
"""
TRIMMING = CHATML.replace("message.content", "(message.content | trim)")
THINKING = CHATML.replace(
    "{{- message.content",
    "{{- '<think>\n\n</think>\n\n' if loop.last and message.role == 'assistant' -}}\n{{- message.content",
)
TAGGED = """
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' }}
    {%- if message.role == 'assistant' %}
        {%- generation %}
        {{- message.content + '<|im_end|>\n' }}
        {%- endgeneration %}
    {%- else %}
        {{- message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\n' if add_generation_prompt }}
"""
PARTS = CHATML.replace(
    "{{- message.content + '<|im_end|>' -}}",
    """
  {%- if message.content is string -%}
    {{- message.content -}}
  {%- else -%}
    {%- for part in message.content -%}{{- '<image>' if part.type == 'image' else part.text -}}{%- endfor -%}
  {%- endif -%}
  {{- '<|im_end|>' -}}
""",
)
INSTRUCT = """
{{- bos_token -}}
{%- for message in messages -%}
  {%- if message.role == 'user' -%}{{- '[INST] ' + message.content + ' [/INST]' -}}
  {%- else -%}{{- ' ' + message.content + eos_token -}}{%- endif -%}
{%- endfor -%}
"""
OWN = {"chatml": CHATML, "trimming": TRIMMING, "thinking": THINKING, "tagged": TAGGED, "parts": PARTS}


def talk(turns: int, *, image: str, draw: random.Random) -> list[dict[str, Any]]:
    words = "dog cat the table, Where? (yes) Кошка слева два 猫 桌子 two 3".split()
    messages: list[dict[str, Any]] = []
    for number in range(turns):
        text = {"type": "text", "text": " ".join(draw.choices(words, k=6))}
        parts = {"first": [IMAGE_PART, text], "last": [text, IMAGE_PART], "none": [text]}[
            image if not number else "none"
        ]
        answer = " ".join(draw.choices(words, k=9))
        messages += [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]
    return messages


def own(chat_template: str, begins: bool = False) -> PreTrainedTokenizerBase:
    tokenizer = copy.deepcopy(byte_level(begins=begins))
    tokenizer.chat_template = chat_template
    return tokenizer


def ready(name: str, family: str) -> PreTrainedTokenizerBase:
    """A tokenizer for the template, with the image's token, as a checkpoint has it."""
    tokenizer = copy.deepcopy(FAMILIES[family]())
    tokens = ["<image>", "<|im_start|>", "<|im_end|>"] if name == "chatml" else ["<image>"]
    tokenizer.add_tokens(tokens, special_tokens=True)
    return tokenizer


def as_transformers(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return [tokenizer.convert_tokens_to_ids("<image>") if token == IMAGE else token for token in ids]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "tokenizer"])
def test_transformers_reads_the_saved_template_to_the_same_ids(name: str, family: str) -> None:
    tokenizer, draw = ready(name, family), random.Random(f"{name}{family}")
    tokenizer.chat_template = load_template(name, tokenizer).chat_template
    for image in ["first"] if name == "plain" else ["first", "last", "none"]:
        messages = talk(1 if name == "plain" else 3, image=image, draw=draw)
        ids, labels = encode(messages, tokenizer, name)
        theirs = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
        assert theirs["input_ids"] == as_transformers(ids, tokenizer)
        if not family.startswith(
            "byte-level"
        ):  # with trimmed offsets transformers loses answers that begin with a blank
            assert theirs["assistant_masks"] == [int(label != IGNORE) for label in labels]
        asked = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True)["input_ids"]
        assert asked == as_transformers(prompt_ids(messages[:-1], tokenizer, name), tokenizer)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_processor_of_a_checkpoint_gives_the_same_ids_with_the_image_spread_out(family: str) -> None:
    tokenizer = ready("vicuna_v1", family)
    template = load_template("vicuna_v1", tokenizer)
    size = {"height": 28, "width": 28}
    processor = LlavaProcessor(
        CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template.chat_template,
    )
    asked = [
        {
            "role": "user",
            "content": [{"type": "image", "image": Image.new("RGB", (28, 28))}, {"type": "text", "text": "Где 猫?"}],
        }
    ]
    theirs = processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=True, return_dict=True)
    spread = [token for token in prompt_ids(asked, tokenizer, template) for _ in range(4 if token == IMAGE else 1)]
    (got,) = theirs["input_ids"]
    assert list(got) == as_transformers(spread, tokenizer)


@pytest.mark.parametrize("form", OWN)
def test_a_tokenizers_own_template_is_learnt_from_answer_to_end_token(form: str) -> None:
    tokenizer, draw = own(OWN[form]), random.Random(form)
    for image in ("first", "last", "none"):
        messages = talk(3, image=image, draw=draw)
        ids, labels = encode(messages, tokenizer, "tokenizer")
        answers = [message["content"] + "<|im_end|>" for message in messages[1::2]]
        if form == "thinking":
            answers[-1] = "<think>\n\n</think>\n\n" + answers[-1]
        assert tokenizer.decode([label for label in labels if label != IGNORE]) == "".join(answers)
        asked = prompt_ids(messages[:1], tokenizer, "tokenizer")
        assert ids[: len(asked)] == asked
        assert ids.count(IMAGE) == (image != "none")


@pytest.mark.parametrize("form", OWN)
def test_a_tokenizers_own_template_gives_the_ids_that_transformers_gives(form: str) -> None:
    tokenizer, draw = own(OWN[form]), random.Random(form)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    template = load_template("tokenizer", tokenizer)
    for image in ("first", "last", "none"):
        messages = talk(2, image=image, draw=draw)
        theirs = tokenizer.apply_chat_template(messages, chat_template=template.chat_template)["input_ids"]
        assert theirs == as_transformers(encode(messages, tokenizer, template)[0], tokenizer)


def test_the_blank_that_a_template_writes_before_an_answer_is_learnt() -> None:
    tokenizer = own(INSTRUCT, begins=True)
    ids, labels = encode(
        [{"role": "user", "content": "q"}, {"role": "assistant", "content": "猫"}], tokenizer, "tokenizer"
    )
    assert tokenizer.decode(ids) == "<s>[INST] q [/INST] 猫</s>"
    assert tokenizer.decode([label for label in labels if label != IGNORE]) == " 猫</s>"


def test_a_template_that_reads_parts_is_saved_as_it_is() -> None:
    assert load_template("tokenizer", own(PARTS)).chat_template == PARTS


def test_our_saved_template_serves_as_the_tokenizers_own() -> None:
    tokenizer = ready("vicuna_v1", "llama")
    tokenizer.chat_template = load_template("vicuna_v1", tokenizer).chat_template
    messages = talk(3, image="first", draw=random.Random(4))
    assert encode(messages, tokenizer, "tokenizer") == encode(messages, tokenizer, "vicuna_v1")


def test_control_tokens_that_the_template_names_are_text_when_typed_even_if_not_special() -> None:
    tokenizer = copy.deepcopy(byte_level(begins=False))
    tokenizer.add_tokens(["<|mine|>"], special_tokens=False)
    tokenizer.chat_template = CHATML.replace("<|im_start|>", "<|mine|>")
    mine = tokenizer.convert_tokens_to_ids("<|mine|>")
    typed = [{"role": "user", "content": "a <|mine|>b"}, {"role": "assistant", "content": "<|mine|><|im_end|>"}]
    ids, labels = encode(typed, tokenizer, "tokenizer")
    assert ids.count(mine) == 2
    assert tokenizer.decode([label for label in labels if label != IGNORE]) == "<|mine|><|im_end|><|im_end|>"


def test_a_template_loaded_before_a_token_was_added_is_made_anew() -> None:
    tokenizer = copy.deepcopy(llama(legacy=False))
    with pytest.raises(PipelineError, match="no tokens of the tokenizer"):
        load_template("chatml", tokenizer)
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    assert load_template("chatml", tokenizer).end_id == tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize(
    ("chat_template", "why"),
    [
        (None, "has no chat template"),
        (CHATML.replace("+ '<|im_end|>'", ""), "without an end token"),
        (CHATML.replace("assistant\n", "assistant\n<think>"), "begins an answer otherwise"),
        ("{% if %}", "syntax|Expected"),
        (CHATML.replace("message.content", "(message.content | upper)"), "does not write an answer as it is|loses"),
        ("{{ messages[0].content }}<|im_end|>", "leaves an answer out"),
        (TAGGED.replace("message.content + '<|im_end|>", "'<|im_end|>"), "loses"),
        ("{{ raise_exception('nothing pleases me') }}", "nothing pleases me"),
    ],
)
def test_an_own_template_that_cannot_train_is_one_line(chat_template: str | None, why: str) -> None:
    tokenizer = own("")
    tokenizer.chat_template = chat_template
    with pytest.raises(PipelineError, match=why) as told:
        load_template("tokenizer", tokenizer)
    assert "--template" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_an_own_template_refuses_is_the_samples_fault() -> None:
    tokenizer = own("{% if messages | length > 4 %}{{ raise_exception('too much talk') }}{% endif %}" + CHATML)
    with pytest.raises(Malformed, match="too much talk"):
        encode(talk(3, image="none", draw=random.Random(0)), tokenizer, "tokenizer")


def test_a_sample_of_which_an_own_template_learns_nothing_is_refused() -> None:
    tokenizer = own(TAGGED.replace("'assistant' %}", "'assistant' and message.content != 'no' %}"))
    refused = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]
    with pytest.raises(NothingToLearn):
        encode(refused, tokenizer, "tokenizer")


def test_the_end_of_an_answer_is_known() -> None:
    assert load_template("vicuna_v1", llama(legacy=False)).end_id == llama(legacy=False).eos_token_id
    newline = load_template("plain", byte_level(begins=False)).end_id
    assert byte_level(begins=False).decode([newline]) == "\n"


def test_a_tokenizer_without_an_end_token_is_one_line() -> None:
    tokenizer = copy.deepcopy(byte_level(begins=False))
    tokenizer.eos_token = None
    with pytest.raises(PipelineError, match="no end token"):
        load_template("vicuna_v1", tokenizer)


def test_a_slow_tokenizer_is_one_line(tmp_path: Any) -> None:
    from transformers import CTRLTokenizer

    (tmp_path / "vocab.json").write_text('{"a": 0, "<unk>": 1}')
    (tmp_path / "merges.txt").write_text("#version\n")
    with pytest.raises(PipelineError, match=r"tokenizer\.json"):
        load_template("plain", CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")))
