"""A chat completion's bytes, to the reply that they hold.

A reply was paid for, so whatever can be read of it is read: what a server adds, leaves out or counts oddly is no reason
to ask, and pay, again.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pipeline.llm.failures import Broken
from pipeline.llm.journal import Reply

MOST_TOKENS = 2**31 - 1  # a larger count is a server's mistake


class _Cached(msgspec.Struct):
    cached_tokens: Any = 0


class _Usage(msgspec.Struct):
    prompt_tokens: Any = 0
    completion_tokens: Any = 0
    prompt_tokens_details: _Cached | None = None


class _Message(msgspec.Struct):
    content: str | list[Any] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Completion)
_NUMBER = (int, float)


def read_completion(body: bytes) -> Reply:
    """Read a chat completion.

    Raises:
        Broken: It is none; the request may be tried again.
    """
    try:
        completion = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Broken(f"status 200 without a completion: {error}") from None
    if completion.error or not completion.choices:
        raise Broken(f"status 200 around an error: {completion.error or 'no choices'}")
    choice, usage = completion.choices[0], completion.usage or _Usage()
    message = choice.message or _Message()
    return Reply(
        content=_text(message.content),
        refusal=message.refusal,
        finish_reason=choice.finish_reason,
        model=completion.model or "",
        prompt_tokens=_count(usage.prompt_tokens),
        cached_tokens=_count(usage.prompt_tokens_details.cached_tokens) if usage.prompt_tokens_details else 0,
        completion_tokens=_count(usage.completion_tokens),
    )


def _decode(body: bytes) -> _Completion:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Half a surrogate pair, or bytes that are not UTF-8, where a server cut a character in two.
        loose = json.loads(body.decode(errors="replace"))
        return _decoder.decode(json.dumps(loose, ensure_ascii=False).encode(errors="replace"))


def _text(content: str | list[Any] | None) -> str | None:
    """Return a message's text; some servers send it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content


def _count(tokens: Any) -> int:
    is_number = isinstance(tokens, _NUMBER) and 0 <= tokens < float("inf")
    return min(int(tokens), MOST_TOKENS) if is_number else 0
