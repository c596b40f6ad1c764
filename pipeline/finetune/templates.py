"""The forms of a conversation, as Jinja text: what trains a checkpoint is also what it is asked with.

A form is written down once. ``labels.encode`` renders it for training, and the same text goes into the checkpoint's
processor, where ``apply_chat_template`` renders it for inference. What is learnt stands between ``generation`` tags,
as transformers has them; a tokenizer's own chat template without those tags is taken apart by marking the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from pipeline.errors import PipelineError
from pipeline.finetune.tokens import BEGIN, END, IMAGE_TEXT, Reader, Span

Messages = Sequence[Mapping[str, Any]]
"""``{"role", "content"}`` each; an answer's content is text, others' may be parts."""

# Content that comes in parts becomes text; image and texts stand on lines of their own, in the order of the parts.
_JOIN_PARTS = r"""
{%- set joined = namespace(messages=[]) -%}
{%- for message in messages -%}
  {%- if message['content'] is string -%}
    {%- set joined.messages = joined.messages + [message] -%}
  {%- else -%}
    {%- set whole = namespace(text='') -%}
    {%- for part in message['content'] -%}
      {%- set text = '<image>' + ('' if loop.last else 'GLUE') if part['type'] == 'image' else part['text'] | trim -%}
      {%- set whole.text = whole.text + ('' if loop.first else '\n') + text -%}
    {%- endfor -%}
    {%- set joined.messages = joined.messages + [{'role': message['role'], 'content': whole.text | trim}] -%}
  {%- endif -%}
{%- endfor -%}
{%- set messages = joined.messages -%}
"""

_TAKE_SYSTEM = r"""
{%- set system = "SYSTEM" -%}
{%- if messages[0]['role'] == 'system' -%}
  {%- set system = messages[0]['content'] -%}
  {%- set messages = messages[1:] -%}
{%- endif -%}
"""

# LLaVA's conv_vicuna_v1: ``SYSTEM USER: q ASSISTANT: a</s>USER: q ASSISTANT: a</s>``.
_VICUNA_V1 = (
    _TAKE_SYSTEM.replace(
        "SYSTEM",
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    )
    + r"""
{{- BOS + 'GLUE' if BOS -}}
{{- system + ' ' -}}
{%- for message in messages -%}
  {%- if message['role'] == 'user' -%}
    {{- 'USER: ' + message['content'] -}}
  {%- else -%}
    {{- ' ASSISTANT:' -}}
    {%- generation -%}
    {{- ' ' + message['content'] + eos_token -}}
    {%- endgeneration -%}
  {%- endif -%}
{%- endfor -%}
{{- ' ASSISTANT:' if add_generation_prompt -}}
"""
)

# LLaVA's conv_llava_llama_2: ``[INST] <<SYS>>\nSYSTEM\n<</SYS>>\n\nq [/INST] a </s><s>[INST] q [/INST] a </s>``.
_LLAMA_2 = (
    _TAKE_SYSTEM.replace(
        "SYSTEM",
        "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
        "provides, and assist the user with a variety of tasks using natural language.",
    )
    + r"""
{%- for message in messages -%}
  {%- if message['role'] == 'user' -%}
    {{- BOS + ('GLUE' if loop.first and BOS else '') + '[INST] ' -}}
    {{- '<<SYS>>\n' + system + '\n<</SYS>>\n\n' if loop.first and system -}}
    {{- message['content'] + ' [/INST]' -}}
  {%- else -%}
    {%- generation -%}
    {{- ' ' + message['content'] + ' ' + eos_token -}}
    {%- endgeneration -%}
  {%- endif -%}
{%- endfor -%}
"""
)

_CHATML = r"""
{{- BOS -}}
{%- for message in messages -%}
  {{- '<|im_start|>' + message['role'] + '\n' -}}
  {%- if message['role'] == 'assistant' -%}
    {%- generation -%}
    {{- message['content'] + '<|im_end|>' -}}
    {%- endgeneration -%}
  {%- else -%}
    {{- message['content'] + '<|im_end|>' -}}
  {%- endif -%}
  {{- '\n' -}}
{%- endfor -%}
{{- '<|im_start|>assistant\n' if add_generation_prompt -}}
"""

# LLaVA's conv_llava_plain, of stage 1: image, caption, newline; the request is not shown.
_PLAIN = r"""
{%- set turns = messages | selectattr('role', 'ne', 'system') | list -%}
{%- if turns | length > 2 or '<image>' not in turns[0]['content'] -%}
  {{- raise_exception('the plain template takes one image and one caption') -}}
{%- endif -%}
{{- BOS + '<image>' -}}
{%- for message in turns[1:] -%}
  {%- generation -%}
  {{- ('' if message['content'][:1] == ' ' else 'GLUE') + message['content'] + '\n' -}}
  {%- endgeneration -%}
{%- endfor -%}
"""

_BODIES = {"vicuna_v1": _VICUNA_V1, "plain": _PLAIN, "llama_2": _LLAMA_2, "chatml": _CHATML}
NAMES = (*_BODIES, "tokenizer")
_TAG = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")


@dataclass(frozen=True)
class Template:
    """A form of conversation for one tokenizer; made by :func:`load_template`."""

    name: str
    """One of ``NAMES``."""
    chat_template: str
    """Jinja text for the checkpoint; ``apply_chat_template`` of transformers gives the ids of ``labels.encode``."""
    reader: Reader
    """Of the tokenizer it was made for."""
    special: Mapping[str, Any]
    """The tokenizer's ``special_tokens_map``, which the Jinja text may ask for."""

    @property
    def end_id(self) -> int:
        """Id of the token that ends an answer, where generation stops: the newline for ``plain``."""
        ids, learnt = self.reader.read(self.spans(_asked(_IMAGE, _text("q")) + _answered("a")))
        return [token for token, mine in zip(ids, learnt, strict=True) if mine][-1]

    def spans(self, messages: Messages) -> list[Span]:
        """Return a conversation as rendered text, cut where learning begins and ends.

        Args:
            messages: At most one of the system first, then questions and answers by turns, the answers as text.

        Raises:
            TemplateError: The template refuses the conversation, or it cannot be told where an answer lies.
        """
        messages = self._defused(messages)
        if not _TAG.search(self.chat_template):
            return self._marked_spans(messages)
        pieces = re.split(f"[{BEGIN}{END}]", self._rendered(messages))
        return [Span(text, place % 2 == 1) for place, text in enumerate(self._without_tails(pieces))]

    def prompt(self, messages: Messages) -> list[Span]:
        """Return a conversation that ends with a question as rendered text, up to where its answer begins.

        Raises:
            TemplateError: The template refuses the conversation.
        """
        return [Span(re.sub(f"[{BEGIN}{END}]", "", self._rendered(self._defused(messages), prompt=True)), False)]

    def _rendered(self, messages: Messages, prompt: bool = False) -> str:
        """Return the text, with ``BEGIN`` and ``END`` where the generation tags are."""
        marking = _TAG.sub(_as_mark, self.chat_template)
        (text,), _ = render_jinja_template(
            [list(messages)], chat_template=marking, add_generation_prompt=prompt, **self.special
        )
        return str(text)

    def _defused(self, messages: Messages) -> Messages:
        def part(part: Mapping[str, Any]) -> Mapping[str, Any]:
            return _text(self.reader.as_text(part["text"])) if part["type"] == "text" else part

        return [
            {"role": message["role"], "content": [part(each) for each in message["content"]]}
            if not isinstance(message["content"], str)
            else {"role": message["role"], "content": self.reader.as_text(message["content"])}
            for message in messages
        ]

    def _without_tails(self, pieces: list[str]) -> list[str]:
        """Move the white space after an end token out of what is learnt."""
        for place in range(1, len(pieces), 2):
            end = self.reader.closed(pieces[place])
            if end is not None:
                pieces[place], tail = pieces[place][:end], pieces[place][end:]
                pieces[place + 1] = tail + pieces[place + 1]
        return pieces

    def _marked_spans(self, messages: Messages) -> list[Span]:
        """Cut a rendered text where its answers were seen to lie, up to the control token that ends each."""
        whole, marked = self._rendered(messages), self._rendered([_marked(message) for message in messages])
        if re.sub(f"[{BEGIN}{END}]", "", marked) != whole:
            raise TemplateError("the chat template does not write an answer as it is")
        marks = [found.start() - earlier for earlier, found in enumerate(re.finditer(f"[{BEGIN}{END}]", marked))]
        answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        if len(marks) != 2 * len(answers):
            raise TemplateError("the chat template leaves an answer out, or writes one twice")
        spans, done = [], 0
        for place, begin, end in zip(answers, marks[::2], marks[1::2], strict=True):
            prompt = self._rendered(messages[:place], prompt=True)
            if not whole.startswith(prompt) or not done <= len(prompt) <= begin:
                raise TemplateError("the chat template begins an answer otherwise than it asks for one")
            closed = self.reader.next_closed(whole, end)
            if closed is None:
                raise TemplateError("the chat template ends an answer without an end token")
            spans += [Span(whole[done : len(prompt)], False), Span(whole[len(prompt) : closed], True)]
            done = closed
        return [*spans, Span(whole[done:], False)]


def load_template(name: str, tokenizer: PreTrainedTokenizerBase) -> Template:
    """Return the template of that name for a tokenizer; a second call costs nothing.

    Raises:
        PipelineError: There is no such template, or it cannot be had with this tokenizer; the text says what to do.
    """
    # What a tokenizer has learnt since the last call makes it another one.
    return _loaded(name, tokenizer, len(tokenizer), str(tokenizer.chat_template), str(tokenizer.special_tokens_map))


@lru_cache(maxsize=16)
def _loaded(name: str, tokenizer: PreTrainedTokenizerBase, *_state: object) -> Template:
    if name == "tokenizer":
        return _own(tokenizer)
    if name not in _BODIES:
        raise PipelineError(f"--template {name}: there is none; pass one of {', '.join(NAMES)}")
    if name in ("vicuna_v1", "llama_2") and not tokenizer.eos_token:
        raise PipelineError(f"--template {name}: the tokenizer has no end token (eos_token); pass --template tokenizer")
    if name == "chatml" and not {"<|im_start|>", "<|im_end|>"} <= tokenizer.get_added_vocab().keys():
        raise PipelineError(
            "--template chatml: <|im_start|> and <|im_end|> are no tokens of the tokenizer; pass --template vicuna_v1"
        )
    reader = Reader(tokenizer, _BODIES[name])
    begins = tokenizer.bos_token is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    text = (_JOIN_PARTS + _BODIES[name]).replace("GLUE", reader.glue()).replace("BOS", "bos_token" if begins else "''")
    return Template(name, text.strip(), reader, tokenizer.special_tokens_map)


def _own(tokenizer: PreTrainedTokenizerBase) -> Template:
    """Return the tokenizer's own chat template, if need be with content in parts made text before it."""
    if not tokenizer.chat_template:
        raise PipelineError("--template tokenizer: the tokenizer has no chat template; pass --template vicuna_v1")
    own = tokenizer.get_chat_template()
    fault: TemplateError | TypeError | None = None
    for text in (own, _JOIN_PARTS.strip().replace("GLUE", "") + own):
        template = Template("tokenizer", text, Reader(tokenizer, text), tokenizer.special_tokens_map)
        try:
            _check(template)
        except (TemplateError, TypeError) as error:  # TypeError: a list where it adds text to text
            fault = error
        else:
            return template
    told = " ".join(str(fault).split())  # Jinja tells of a wrong template in several lines
    raise PipelineError(f"--template tokenizer: {told}; pass --template vicuna_v1, llama_2 or chatml")


def _check(template: Template) -> None:
    """Try a template on conversations that it must be able to write.

    Raises:
        TemplateError: It loses a text or the image, puts them elsewhere, or writes answers without an end token.
    """
    for content in ((_IMAGE, _text("first-question")), (_text("first-question"), _IMAGE), (_text("first-question"),)):
        asked = _asked(*content)
        later = [{"role": "user", "content": "second-question"}, *_answered("second-answer")]
        spans = template.spans([*asked, *_answered("first-answer"), *later])
        text = "".join(span.text for span in spans)
        wanted = [part.get("text", IMAGE_TEXT) for part in content]
        wanted += ["first-answer", "second-question", "second-answer"]
        if re.findall("|".join([IMAGE_TEXT, *wanted]), text) != wanted:
            raise TemplateError("the chat template loses the image or a text, or moves one")
        learnt = [span.text for span in spans if span.learnt]
        answers = ("first-answer", "second-answer")
        if len(learnt) != 2 or any(answer not in text for answer, text in zip(answers, learnt, strict=True)):
            raise TemplateError("the chat template's generation tags are not around the answers")
        if any(template.reader.closed(text) is None for text in learnt):
            raise TemplateError("the chat template ends an answer without an end token")
        if template.prompt(asked)[0].text != spans[0].text:
            raise TemplateError("the chat template begins an answer otherwise than it asks for one")


_IMAGE = {"type": "image"}


def _as_mark(tag: re.Match[str]) -> str:
    """Return what writes a mark in the place of a generation tag, with its control of white space."""
    return f'{{%{tag[1]} print "{END if tag[2] else BEGIN}" {tag[3]}%}}'


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _asked(*parts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def _answered(answer: str) -> list[Mapping[str, Any]]:
    return [{"role": "assistant", "content": answer}]


def _marked(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put marks around an answer, within its outer white space, which templates like to strip."""
    content = message["content"]
    if message["role"] != "assistant":
        return message
    core = content.strip()
    before, _, after = content.partition(core) if core else (content, "", "")
    return {"role": "assistant", "content": f"{before}{BEGIN}{core}{END}{after}"}
