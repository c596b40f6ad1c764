"""One sample: ask, read the reply, hold it against its scene, ask again with the reason if something is wrong.

The steps are told apart from how they are taken: ``steps`` says what to ask next, whoever answers it, so that the
journal alone, the server, or a batch of tomorrow can.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Literal

import msgspec

from pipeline.llm.bodies import Question
from pipeline.llm.client import Answered, Client, Refused
from pipeline.llm.endings import ended_badly
from pipeline.prompting.context import describe
from pipeline.prompting.kinds import render_user
from pipeline.prompting.render import Prompt
from pipeline.prompting.replies import UnreadableReply, ask_again, read_reply
from pipeline.quality.checker import Checker, contradictions
from pipeline.records import Claim, Finding, Message, Reject, Sample, Turn
from pipeline.samples.plan import Planned, draw_question, request_seed


class Checked(msgspec.Struct, frozen=True, array_like=True):
    """What came of holding a sample against its scene."""

    claims: list[Claim]
    findings: list[Finding]


Steps = Generator[Question | Sample, Answered | Checked, Sample | Reject]
OnContradiction = Literal["repair", "flag", "reject"]
"""What becomes of a sample that its scene contradicts: asked for once more with the evidence and then rejected, kept
with a finding, or rejected."""

UNREADABLE = "unreadable reply"
CONTRADICTED = "contradicts its scene"
_WRONG = "The notes contradict these statements of that reply. Put them right, or leave them out:\n"


class Maker(msgspec.Struct, frozen=True):
    """How the samples of a run are made, whoever answers."""

    prompts: Mapping[str, Prompt]
    """By kind."""
    seed: int
    """Of the run; each attempt at a sample draws its own from it."""
    attempts: int
    """Most replies to pay for, for one sample."""
    checker: Checker | None = None
    """Holds samples against their scenes; ``None`` lets all pass."""
    on_contradiction: OnContradiction = "repair"

    async def make(
        self, client: Client, planned: Planned, check: Callable[[Sample], Awaitable[Checked]] | None = None
    ) -> Sample | Reject:
        """Ask for one sample until its reply can be read and holds, or as often as is allowed.

        Args:
            client: Asks.
            planned: What to make.
            check: Holds a sample against its scene; if not given, that is done here and now.

        Raises:
            RunStopped: The server answers nobody any more, or the budget is used up.
        """
        taking = self.steps(planned)
        wanted = next(taking)
        try:
            while True:
                if isinstance(wanted, Sample):
                    wanted = taking.send(await check(wanted) if check else self.check(wanted))
                    continue
                try:
                    answered = await client.ask(wanted)
                except Refused as error:
                    wanted = taking.throw(error)
                else:
                    wanted = taking.send(answered)
        except StopIteration as done:
            made: Sample | Reject = done.value
            return made

    def first_question(self, planned: Planned) -> Question:
        """Return what is asked first for a sample."""
        question = next(self.steps(planned))
        assert isinstance(question, Question)
        return question

    def check(self, sample: Sample) -> Checked:
        """Hold a sample against its scene."""
        assert self.checker
        language = self.language(sample.kind)
        return Checked(
            *self.checker.check(sample.turns, sample.scene, kind=sample.kind, context=sample.context, language=language)
        )

    def language(self, kind: str) -> str:
        """Return the language that samples of a kind should be in."""
        return self.prompts[kind].kind.file.language

    def steps(self, planned: Planned) -> Steps:
        """Yield what to ask for a sample, and samples to check; take what was answered, and what was found.

        Returns what became of the sample.
        """
        prompt = self.prompts[planned.kind]
        context = describe(planned.scene, prompt.kind.context)
        scene = Message("user", render_user(prompt.kind, planned.scene, context))
        following = [scene]
        spent: list[Answered] = []
        reason, fault = UNREADABLE, ""
        for attempt in range(self.attempts):
            # A seed of its own: a model that repeats its bad reply must not be asked the very same question again.
            drawn = request_seed(planned, self.seed, attempt)
            try:
                answered = yield Question(planned.id, prompt, following, drawn)
                assert isinstance(answered, Answered)
            except Refused as error:
                reason, fault = error.reason, str(error)
                break
            spent.append(answered)
            if ended := ended_badly(answered.reply):
                reason, fault = ended
                break
            content = answered.reply.content or ""
            try:
                turns = self._read(content, prompt, planned)
            except UnreadableReply as error:
                # A repair that cannot be read is asked for again like any other reply.
                reason, fault = UNREADABLE, str(error)
                following = [scene, *ask_again(content, f"That reply could not be read: {fault}.")]
                continue
            sample = _sample(planned, prompt, context, turns, answered, drawn, spent)
            if self.checker is None:
                return sample
            checked = yield sample
            assert isinstance(checked, Checked)
            sample = msgspec.structs.replace(sample, claims=checked.claims, findings=checked.findings)
            wrong = contradictions(sample.turns, sample.claims)
            if not wrong or self.on_contradiction == "flag":
                return sample
            was_repaired, (reason, fault) = reason == CONTRADICTED, (CONTRADICTED, "; ".join(wrong))
            if was_repaired or self.on_contradiction == "reject":
                break
            following = [scene, *ask_again(content, _WRONG + "\n".join(f"- {each}" for each in wrong) + "\n")]
        return _reject(planned, reason, fault, spent)

    def _read(self, content: str, prompt: Prompt, planned: Planned) -> list[Turn]:
        file = prompt.kind.file
        question = draw_question(planned, prompt.kind.questions, self.seed)
        return read_reply(
            content, file.shape, prompt.form, question=question, min_turns=file.min_turns, max_turns=file.max_turns
        )


def _sample(
    planned: Planned,
    prompt: Prompt,
    context: str,
    turns: list[Turn],
    answered: Answered,
    seed: int,
    spent: list[Answered],
) -> Sample:
    return Sample(
        id=planned.id,
        scene=planned.scene,
        kind=planned.kind,
        context=context,
        turns=turns,
        model=answered.reply.model,
        prompt_hash=prompt.hash,
        request_hash=answered.key.hex(),
        seed=seed,
        attempts=len(spent),
        finish_reason=answered.reply.finish_reason,
        prompt_tokens=sum([each.reply.prompt_tokens for each in spent]),
        completion_tokens=sum([each.reply.completion_tokens for each in spent]),
        cost_usd=_cost(spent),
    )


def _reject(planned: Planned, reason: str, fault: str, spent: list[Answered]) -> Reject:
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


def _cost(spent: list[Answered]) -> float | None:
    """Return what all attempts cost in US dollars; ``None`` where a price was not known."""
    costs = [each.reply.cost_usd for each in spent]
    return None if None in costs else sum([cost for cost in costs if cost is not None])
