"""One question to a second model: ask, read the reply, ask again with the reason if it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from pipeline.llm.bodies import Question
from pipeline.llm.client import Client, Refused
from pipeline.llm.endings import ended_badly
from pipeline.prompting.render import Prompt
from pipeline.prompting.replies import UnreadableReply, ask_again
from pipeline.records import Message
from pipeline.samples.plan import draw

T = TypeVar("T")


class Unanswered(msgspec.Struct, frozen=True):
    """Why there is no answer that can be used: never a verdict, and never a number."""

    reason: str
    """Short and countable: ``unreadable reply``, ``refused by the model``, ``content filter`` and the like."""


async def ask_until_read(
    client: Client,
    prompt: Prompt,
    text: str,
    read: Callable[[str], T],
    *,
    asked_for: str,
    seed: int,
    attempts: int,
) -> T | Unanswered:
    """Ask until the reply can be read, or as often as is allowed.

    Args:
        client: Asks.
        prompt: What the request begins with.
        text: The user's message after it.
        read: Reads a reply; raises ``UnreadableReply`` with a reason that the model can act on.
        asked_for: Id of the sample, for the journal's records; it is no part of the request.
        seed: Of the run. Requests of the same text are the same request, whichever sample they are for.
        attempts: Most replies to pay for.

    Raises:
        RunStopped: The server answers nobody any more, or the budget is used up.
    """
    first = Message("user", text)
    following = [first]
    for attempt in range(attempts):
        try:
            question = Question(asked_for, prompt, following, draw(seed, prompt.kind.name, text, str(attempt)) >> 32)
            reply = (await client.ask(question)).reply
        except Refused as error:
            return Unanswered(error.reason)
        if why := ended_badly(reply):
            return Unanswered(why[0])
        content = reply.content or ""
        try:
            return read(content)
        except UnreadableReply as error:
            following = [first, *ask_again(content, f"That reply could not be read: {error}.")]
    return Unanswered("unreadable reply")
