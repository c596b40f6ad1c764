"""One sample: ask, read the reply, ask again with the reason if it cannot be read.

The steps are told apart from how they are taken: ``steps`` says what to ask next, whoever answers it, so that the
journal alone, the server, or a batch of tomorrow can.
"""

from __future__ import annotations

from collections.abc import Generator

from pipeline.llm.bodies import Question
from pipeline.llm.client import Answered, Client, Refused
from pipeline.llm.journal import Reply
from pipeline.prompting.context import describe
from pipeline.prompting.kinds import render_user
from pipeline.prompting.render import Prompt
from pipeline.prompting.replies import UnreadableReply, read_reply
from pipeline.records import Message, Reject, Sample, Turn
from pipeline.samples.plan import Planned, draw_question, request_seed

Steps = Generator[Question, Answered, Sample | Reject]


async def make_sample(client: Client, prompt: Prompt, planned: Planned, *, seed: int, attempts: int) -> Sample | Reject:
    """Ask for one sample until its reply can be read, or as often as is allowed.

    Raises:
        RunStopped: The server answers nobody any more, or the budget is used up.
    """
    taking = steps(prompt, planned, seed=seed, attempts=attempts)
    question = next(taking)
    try:
        while True:
            try:
                answered = await client.ask(question)
            except Refused as error:
                question = taking.throw(error)
            else:
                question = taking.send(answered)
    except StopIteration as done:
        made: Sample | Reject = done.value
        return made


def steps(prompt: Prompt, planned: Planned, *, seed: int, attempts: int) -> Steps:
    """Yield what to ask for a sample, take what was answered, and return what became of the sample.

    Args:
        prompt: Of the sample's kind.
        planned: Which sample.
        seed: Of the run; each attempt draws its own from it.
        attempts: Most replies to pay for.
    """
    scene = Message("user", render_user(prompt.kind, planned.scene))
    following = [scene]
    spent: list[Answered] = []
    reason, fault = "unreadable reply", ""
    for attempt in range(attempts):
        # A seed of its own: a model that repeats its bad reply must not be asked the very same question again.
        drawn = request_seed(planned, seed, attempt)
        try:
            answered = yield Question(planned.id, prompt, following, drawn)
        except Refused as error:
            reason, fault = error.reason, str(error)
            break
        spent.append(answered)
        if ended := _ended_badly(answered.reply):
            reason, fault = ended
            break
        content = answered.reply.content or ""
        try:
            turns = _read(content, prompt, planned, seed)
        except UnreadableReply as error:
            fault = str(error)
            following = [scene, Message("assistant", content or "(empty)"), Message("user", _mend(fault))]
            continue
        return Sample(
            id=planned.id,
            scene=planned.scene,
            kind=planned.kind,
            context=describe(planned.scene, prompt.kind.context),
            turns=turns,
            model=answered.reply.model,
            prompt_hash=prompt.hash,
            request_hash=answered.key.hex(),
            seed=drawn,
            attempts=len(spent),
            finish_reason=answered.reply.finish_reason,
            prompt_tokens=sum(each.reply.prompt_tokens for each in spent),
            completion_tokens=sum(each.reply.completion_tokens for each in spent),
            cost_usd=_cost(spent),
        )
    return Reject(
        id=planned.id,
        image_id=planned.scene.image_id,
        kind=planned.kind,
        reason=reason,
        error=fault,
        request_hash=spent[-1].key.hex() if spent else None,
        attempts=len(spent),
        prompt_tokens=sum(each.reply.prompt_tokens for each in spent),
        completion_tokens=sum(each.reply.completion_tokens for each in spent),
        cost_usd=_cost(spent),
    )


def _read(content: str, prompt: Prompt, planned: Planned, seed: int) -> list[Turn]:
    file = prompt.kind.file
    question = draw_question(planned, prompt.kind.questions, seed)
    return read_reply(
        content, file.shape, prompt.form, question=question, min_turns=file.min_turns, max_turns=file.max_turns
    )


def _cost(spent: list[Answered]) -> float | None:
    """Return what all attempts cost in US dollars; ``None`` where a price was not known."""
    costs = [each.reply.cost_usd for each in spent]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def _ended_badly(reply: Reply) -> tuple[str, str] | None:
    """Return why a reply is none although the server sent one, as a reason and the server's words."""
    if reply.refusal:
        return "refused by the model", reply.refusal
    if reply.finish_reason == "content_filter":
        return "content filter", "the server withheld the reply (finish_reason content_filter)"
    if reply.finish_reason == "length":
        return "cut by length", f"the reply was cut after {reply.completion_tokens} tokens; raise max_tokens"
    return None


def _mend(fault: str) -> str:
    return f"That reply could not be read: {fault}. Send the whole reply again, in the form that was asked for."
