"""Rendered text to ids, where a control token can come from the template alone.

A template writes ``</s>`` to end an answer; a person may type the same five characters, and then they are text. So a
private copy of the tokenizer knows every control token under a name of its own, which nobody can type, and reads the
names of the others as plain characters. The whole text of a sample goes through it once, with offsets; whether a
token is learnt is read off its offsets, and nothing is ever tokenised twice and counted.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

from pipeline.errors import PipelineError

IGNORE = -100
"""Label that cross-entropy skips."""
IMAGE = -200
"""Id of the one place in ``ids`` that the image's embeddings take; no token has it."""
IMAGE_TEXT = "<image>"
"""What a template writes for the image."""

# Unicode promises that these code points are never characters, so no text has a use for them.
BEGIN, END = "\ufdd0", "\ufdd1"
"""Around what is learnt, in the text that a template renders."""
_BREAK = "\ufdd2"  # inside what looks like a control token and is text
_OPEN, _CLOSE = "\ufdd3", "\ufdd4"  # around a control token's private name
_UNWRITABLE = re.compile(r"[\ud800-\udfff\ufdd0-\ufdef]")  # half characters, which UTF-8 has no form for; and ours


class Span(NamedTuple):
    """A stretch of rendered text that is learnt, or is not."""

    text: str
    learnt: bool


class Reader:
    """Reads rendered text as ids; see the module."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, chat_template: str) -> None:
        """Make the private copy.

        Args:
            tokenizer: With a Rust backend, which has offsets; stays as it is.
            chat_template: Jinja text; added tokens that stand in it count as control tokens, special or not.

        Raises:
            PipelineError: The tokenizer has no such backend.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise PipelineError(
                f"the tokenizer of {tokenizer.name_or_path or 'the language model'} has no tokenizer.json, so its "
                "tokens cannot be traced to the text; save it with a fast tokenizer of transformers, and pass that"
            )
        named = tokenizer.all_special_tokens
        controls = {
            token.content: (token, at)
            for at, token in tokenizer.added_tokens_decoder.items()
            if token.special or token.content in named or (token.content in chat_template and token.content.strip())
        }
        image, _ = controls.get(IMAGE_TEXT, (AddedToken(IMAGE_TEXT), IMAGE))
        controls[IMAGE_TEXT] = (image, IMAGE)
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.post_processor = None  # the template writes the tokens it adds; and offsets stay untrimmed
        self._backend.add_special_tokens([token for token, _ in controls.values()])
        self._backend.encode_special_tokens = True  # as text, that is
        self._backend.add_tokens(
            [
                AddedToken(_named(token.content), lstrip=token.lstrip, rstrip=token.rstrip, normalized=False)
                for token, _ in controls.values()
            ]
        )
        self._ids = {self._backend.token_to_id(_named(text)): at for text, (_, at) in controls.items()}
        control = "|".join(re.escape(text) for text in sorted(controls, key=len, reverse=True))
        self._control = re.compile(control)
        self._start = re.compile(f"(?=(?:{control}))(.)", re.DOTALL)
        self._next = re.compile(rf"\s*(?:{control})")
        self._last = re.compile(rf"(?:{control})(?=\s*\Z)")

    def as_text(self, text: str) -> str:
        """Return a person's text in a form that no control token is read from; half characters become U+FFFD."""
        text = _UNWRITABLE.sub("\ufffd", text)
        if not self._control.search(text):
            return text
        return self._start.sub(rf"\1{_BREAK}", text)

    def closed(self, text: str) -> int | None:
        """Return where the control token ends that closes a rendered text, but for white space; None without one."""
        found = self._last.search(text)
        return found.end() if found else None

    def next_closed(self, text: str, at: int) -> int | None:
        """Return where the control token ends that comes next, but for white space; None if something else does."""
        found = self._next.match(text, at)
        return found.end() if found else None

    def read(self, spans: Sequence[Span]) -> tuple[list[int], list[bool]]:
        """Return the ids of a rendered text, and for each whether a character of it is learnt; equally long."""
        text = ""
        learnt = bytearray()  # one flag a character
        for span in spans:
            named = self._control.sub(lambda match: _named(match[0]), span.text).replace(_BREAK, "")
            text += named
            learnt += bytes([span.learnt]) * len(named)
        encoding = self._backend.encode(text, add_special_tokens=False)
        ids = [self._ids.get(token, token) for token in encoding.ids]
        # A token may be as wide as nothing: the word-begin sign that some tokenizers put in. It goes with what follows.
        return ids, [1 in learnt[start : max(end, start + 1)] for start, end in encoding.offsets]

    def glue(self) -> str:
        """Return what must follow a control token so that text after it is read like text on its own.

        LLaVA tokenises the text between images in pieces, and a Llama tokenizer that is not legacy puts its
        word-begin sign before a piece, but not after a control token; a space does the same.
        """
        alone, _ = self.read([Span("\n", False)])
        for glue in ("", " "):
            joined, _ = self.read([Span(f"{IMAGE_TEXT}{glue}\n", False)])
            if joined[1:] == alone:
                return glue
        return ""


def _named(text: str) -> str:
    return f"{_OPEN}{text}{_CLOSE}"
