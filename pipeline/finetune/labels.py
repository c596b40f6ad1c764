"""A conversation to ids and labels, the image as one placeholder; loss on answers and their end tokens alone.

For ``vicuna_v1``, ``llama_2`` and ``plain`` the lists are those of LLaVA's own preprocessing, to the last label, on all
that it can represent. Where they differ, they do so on purpose:

- An answer that holds ``ASSISTANT: ``, ``[/INST] `` or ``</s>`` is learnt like any other. LLaVA splits its text there,
  prints a warning and learns nothing of the whole sample.
- An empty answer stays, and its end token is learnt. LLaVA learns nothing of the whole sample.
- Nothing is counted, so no count can fail to come out. LLaVA learns nothing of a sample where it does: several turns
  and a tokenizer without ``<s>``, or one to which ``USER`` after ``</s>`` is not what LLaVA takes it for.
- What ends an answer is the tokenizer's own end token. LLaVA writes ``</s>`` even where that is four letters to it, and
  an end token that the tokenizer adds to whatever it reads is not there a second time.
- Control tokens that stand in a text (``</s>``, ``<image>``, ``<|im_end|>``) are read as plain characters. LLaVA reads
  them as control tokens, and takes every ``<image>`` for the image.
- A sample that is too long loses whole turns from its end, counted, or is refused (:func:`fit`). LLaVA cuts at a token.
- A question without an answer at the end is left out, and the rest is learnt. LLaVA learns nothing of the whole sample.
- The image may stand after the question, where the message comes in parts, as the paper has it. LLaVA's code moves it
  to the front, and so does ours where the message is text.
- What cannot be read (two questions in a row, a second image, no answer at all) is refused with the reason. LLaVA stops
  with a traceback, or learns nothing.

As with LLaVA, an answer before the first question is left out, and a question with an image loses its outer white
space; so does all that comes in parts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from pipeline.errors import PipelineError
from pipeline.finetune.templates import Messages, Template, load_template
from pipeline.finetune.tokens import IGNORE, IMAGE, IMAGE_TEXT

__all__ = ["IGNORE", "IMAGE", "Fitted", "Malformed", "NothingToLearn", "TooLong", "Unusable", "encode", "fit"]
__all__ += ["prompt_ids"]

_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "human": "user", "gpt": "assistant"}


class Unusable(PipelineError):
    """A sample that cannot be trained on; the text says why, and whoever knows the sample's id adds it."""


class Malformed(Unusable):
    """The messages are no conversation, or none that the template can write."""


class NothingToLearn(Unusable):
    """The messages have no answer, or the template marks none as learnt."""


class TooLong(Unusable):
    """Not even the first turn fits."""

    def __init__(self, needed: int, max_tokens: int) -> None:
        super().__init__(needed, max_tokens)  # as they came, so that it can travel between processes
        self.needed = needed
        """Tokens of the first turn, all of the image's counted."""
        self.max_tokens = max_tokens

    def __str__(self) -> str:
        return f"the first turn takes {self.needed} tokens, and {self.max_tokens} fit"


class Fitted(NamedTuple):
    """A sample that fits."""

    ids: list[int]
    labels: list[int]
    turns_dropped: int
    """Turns of the messages that are not in it: those at the end that did not fit or had no answer, and an answer
    before the first question."""


def encode(
    messages: Messages, tokenizer: PreTrainedTokenizerBase, template: str | Template
) -> tuple[list[int], list[int]]:
    """Return the ids of a conversation, and its labels.

    Args:
        messages: ``{"role", "content"}`` each, or LLaVA's ``{"from", "value"}``: a system message or none, then
            questions and answers by turns. Content is text, or a list of ``{"type": "text", "text": …}`` and, once,
            in the first question, ``{"type": "image"}``, which stay in their order. In text, ``<image>`` at either
            end of the first question is the image, and goes to its front, as with LLaVA; any other is text.
        tokenizer: Of the language model; with a Rust backend.
        template: One of ``templates.NAMES``, or what ``load_template`` made of one for this tokenizer.

    Returns:
        Two equally long lists. ``IMAGE`` stands in the first for the whole image; the second is ``IGNORE`` but for the
        tokens of the answers and their end tokens, where it is the first. Nothing is shifted.

    Raises:
        Malformed: The messages are no conversation, or not one for this template.
        NothingToLearn: They have no answer, or the template marks none as learnt.
        PipelineError: The template cannot be had with this tokenizer.
    """
    kept, _ = _answered(messages)
    return _encoded(kept, _loaded(template, tokenizer))


def fit(
    messages: Messages,
    tokenizer: PreTrainedTokenizerBase,
    template: str | Template,
    *,
    max_tokens: int,
    image_tokens: int,
) -> Fitted:
    """Return what :func:`encode` does, without the last turns where the sample would be too long; never half a turn.

    Args:
        messages: See :func:`encode`; so are the next two.
        tokenizer: See there.
        template: See there.
        max_tokens: Longest sample, the image's tokens counted.
        image_tokens: Tokens that take the place of ``IMAGE``.

    Raises:
        TooLong: The first turn takes more than ``max_tokens``.
        Malformed: The messages are no conversation, or not one for this template.
        NothingToLearn: They have no answer, or the template marks none as learnt.
        PipelineError: The template cannot be had with this tokenizer.
    """
    chosen = _loaded(template, tokenizer)
    kept, left_out = _answered(messages)
    turns = len(kept) // 2

    def first(count: int) -> tuple[list[int], list[int]]:
        return _encoded(kept[: len(kept) - 2 * (turns - count)], chosen)

    def length(count: int) -> int:
        return _length(first(count)[0], image_tokens)

    whole = first(turns)
    if _length(whole[0], image_tokens) <= max_tokens:
        return Fitted(*whole, left_out)
    fits = bisect_right(range(1, turns), max_tokens, key=length)
    if fits == 0:
        raise TooLong(_length(whole[0], image_tokens) if turns == 1 else length(1), max_tokens)
    return Fitted(*first(fits), left_out + turns - fits)


def prompt_ids(messages: Messages, tokenizer: PreTrainedTokenizerBase, template: str | Template) -> list[int]:
    """Return the ids that an answer comes after: those of :func:`encode` before the first label of that answer.

    Args:
        messages: See :func:`encode`; the last is a question.
        tokenizer: See there.
        template: See there.

    Raises:
        Malformed: The messages are no conversation, or not one for this template, or end with an answer.
        PipelineError: The template cannot be had with this tokenizer.
    """
    chosen = _loaded(template, tokenizer)
    read, _ = _read(messages)
    if not read or read[-1]["role"] != "user":
        raise Malformed("the last message is no question, so there is nothing to answer")
    try:
        return chosen.reader.read(chosen.prompt(read))[0]
    except TemplateError as error:
        raise Malformed(str(error)) from None


def _length(ids: list[int], image_tokens: int) -> int:
    return len(ids) + (image_tokens - 1 if IMAGE in ids else 0)


def _loaded(template: str | Template, tokenizer: PreTrainedTokenizerBase) -> Template:
    return template if isinstance(template, Template) else load_template(template, tokenizer)


def _encoded(messages: Messages, template: Template) -> tuple[list[int], list[int]]:
    try:
        ids, learnt = template.reader.read(template.spans(messages))
    except TemplateError as error:
        raise Malformed(str(error)) from None
    if not any(learnt):
        raise NothingToLearn("the template learns nothing of the answers")
    return ids, [token if mine else IGNORE for token, mine in zip(ids, learnt, strict=True)]


def _answered(messages: Messages) -> tuple[list[dict[str, Any]], int]:
    """Return the messages up to the last answer, in one form, and the number of turns that are not among them."""
    read, left_out = _read(messages)
    if read and read[-1]["role"] == "user":
        read, left_out = read[:-1], left_out + 1
    if not read or read[-1]["role"] != "assistant":
        raise NothingToLearn("the sample has no answer, so there is nothing to learn")
    return read, left_out


def _read(messages: Messages) -> tuple[list[dict[str, Any]], int]:
    """Return messages in one form, answers as text, and the number of answers left out before the first question.

    Raises:
        Malformed: They are in no form that is known, or not by turns, or hold images elsewhere than said above.
    """
    read = [_message(message) for message in messages]
    head = [message for message in read[:1] if message["role"] == "system"]
    turns = read[len(head) :]
    left_out = 1 if turns and turns[0]["role"] == "assistant" else 0
    turns = turns[left_out:]
    for place, message in enumerate(turns):
        if message["role"] != ("user", "assistant")[place % 2]:
            raise Malformed(f"message {len(head) + left_out + place} is of the {message['role']}, out of turn")
    if turns:
        turns[0]["content"] = _with_image(turns[0]["content"])
    images = [_images(message["content"]) for message in head + turns]
    if sum(images) > 1:
        raise Malformed(f"{sum(images)} images; a sample has one at most")
    if sum(images) != sum(images[len(head) : len(head) + 1]):
        raise Malformed("the image is not in the first question")
    for message in turns[1::2]:
        message["content"] = _joined(message["content"])
    return head + turns, left_out


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message with our names for roles, and its content as text or as parts of two sorts."""
    if not isinstance(message, Mapping):
        raise Malformed(f"a message is {type(message).__name__}, not a mapping with role and content")
    role = _ROLES.get(str(message.get("role", message.get("from"))))
    content = message.get("content", message.get("value"))
    if role is None:
        raise Malformed(f"a message is of {message.get('role', message.get('from'))!r}; known are {', '.join(_ROLES)}")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, Sequence):
        raise Malformed(f"the content of a message is {type(content).__name__}, not text or parts")
    return {"role": role, "content": [_part(part) for part in content]}


def _part(part: Mapping[str, Any]) -> dict[str, str]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "image":
        return {"type": "image"}
    text = part.get("text") if kind == "text" else None
    if not isinstance(text, str):
        raise Malformed(f"a part of a message is of type {kind!r}, or has no text; known are image and text")
    return {"type": "text", "text": text}


def _with_image(content: str | list[dict[str, str]]) -> str | list[dict[str, str]]:
    """Return the first question with ``<image>`` at either end of its text as a part, in front."""
    if not isinstance(content, str):
        return content
    text = content.strip()
    if not text.startswith(IMAGE_TEXT) and not text.endswith(IMAGE_TEXT):
        return content
    text = text.removeprefix(IMAGE_TEXT) if text.startswith(IMAGE_TEXT) else text.removesuffix(IMAGE_TEXT)
    return [{"type": "image"}, {"type": "text", "text": text}]


def _images(content: str | list[dict[str, str]]) -> int:
    return 0 if isinstance(content, str) else sum(part["type"] == "image" for part in content)


def _joined(content: str | list[dict[str, str]]) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"].strip() for part in content)
