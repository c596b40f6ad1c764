"""Replies that are none, although the server sent them and they cost money."""

from __future__ import annotations

from pipeline.llm.journal import Reply


def ended_badly(reply: Reply) -> tuple[str, str] | None:
    """Return why a reply is none, as a short countable reason and the server's words; ``None`` if it is one."""
    if reply.refusal:
        return "refused by the model", reply.refusal
    if reply.finish_reason == "content_filter":
        return "content filter", "the server withheld the reply (finish_reason content_filter)"
    if reply.finish_reason == "length":
        return "cut by length", f"the reply was cut after {reply.completion_tokens} tokens; raise max_tokens"
    return None
