"""One question to the model: from the journal if it was ever paid for, else over the OpenAI protocol.

One layer retries, ours: a request waits for its next try without holding a place among those in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from pipeline.errors import RunStopped
from pipeline.llm.bodies import Bodies, Body, Question
from pipeline.llm.budget import Budget
from pipeline.llm.completions import read_completion
from pipeline.llm.dialect import Dialect, Refusal
from pipeline.llm.failures import (
    FAILURES,
    NO_MONEY,
    Broken,
    Declined,
    Unanswered,
    is_busy,
    is_filter,
    is_too_long,
    may_pass,
    message_of,
    name_of,
    pause_s,
    retry_after_s,
    status_of,
)
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.pacing import Pacing, Place
from pipeline.llm.wire import Sender

if TYPE_CHECKING:
    import tenacity

TRIES = 10  # a request that fails this often while others succeed is poison: with the pauses, about 2 minutes
FIRST_CONTACT_TRIES = 5  # nobody ever answered: a wrong address rather than a bad moment; about 4 s
A_FEW = 8  # requests that fail beside each other while nobody is answered; more are a server that is down
USUAL_REPLY_TOKENS = 300  # until replies have told better

log = logging.getLogger(__name__)


class Answered(msgspec.Struct, frozen=True):
    """A reply, and where it came from."""

    key: bytes
    reply: Reply
    paid_now: bool
    """False if the journal had it."""


class Tally(msgspec.Struct):
    """What a client has come by so far."""

    sent: int = 0
    """Requests answered by the server."""
    kept: int = 0
    """Replies found in the journal."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Those of the prompt's tokens that the server's prefix cache served."""
    completion_tokens: int = 0
    cost_usd: float = 0
    """Of all replies whose price was known."""
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    """Tries that failed, by what went wrong."""
    latencies_s: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=10_000))
    """Of good answers, the latest last; whoever watches may empty it."""

    def count(self, answered: Answered) -> Answered:
        """Count a reply, and hand it on."""
        reply = answered.reply
        self.sent += answered.paid_now
        self.kept += not answered.paid_now
        self.prompt_tokens += reply.prompt_tokens
        self.cached_tokens += reply.cached_tokens
        self.completion_tokens += reply.completion_tokens
        self.cost_usd += reply.cost_usd or 0
        return answered


class Refused(Exception):
    """A request that the server will never answer: the sample becomes a reject, its neighbours go on."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Short and countable: ``content filter``, ``context too long``, ``bad request``, ``unavailable``."""


class _FailsAlways(Exception):
    """The server has never answered anything but failures that will not pass by themselves."""


class Client:
    """Asks one model on one server for one run."""

    def __init__(
        self,
        journal: Journal,
        wire: Sender,
        pacing: Pacing,
        budget: Budget,
        model: str,
        *,
        schema: bool = True,
        options: Mapping[str, Any] | None = None,
        give_up_s: float = 300,
        known_as: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            journal: Where replies are looked up.
            wire: Sends.
            pacing: Says when.
            budget: Says whether, and keeps replies with their cost.
            model: As the server knows it.
            schema: Whether to try ``response_format`` with the reply's JSON schema.
            options: Sampling options that override those of ``kind.toml``; ``None`` as a value leaves a field out.
            give_up_s: If no request has been answered for so long, the run stops.
            known_as: Name under which the journal remembers what the server takes; its address if not given.
            say: Takes a line for people.
        """
        self.model = model
        self.pacing = pacing
        self.tally = Tally()
        self.bodies = Bodies(model, options or {})
        self._journal = journal
        self._wire = wire
        self._budget = budget
        self._give_up_s = give_up_s
        self._say = say
        self._note = f"dialects of {known_as or wire.url} {model} schema={schema}"
        remembered = journal.note(self._note)
        self._dialects = msgspec.json.decode(remembered, type=list[Dialect]) if remembered else [Dialect(schema=schema)]
        self._noted = self._dialects[-1]
        self._failing: set[bytes] = set()
        self._ever_reached = False
        self._ever_answered = False
        self._last_answer = time.monotonic()
        self.stopping = asyncio.Event()

    @property
    def dialect(self) -> Dialect:
        """What the server is found to take."""
        return self._dialects[-1]

    def find(self, question: Question) -> Answered | None:
        """Return the reply that the journal has to a question, in whichever dialect it was asked."""
        return self._find(question, self.bodies.build(question, self.dialect))

    def _find(self, question: Question, body: Body) -> Answered | None:
        """Return the reply to a question, whose body in the present dialect is built already."""
        if kept := self._journal.find(body.key):
            return Answered(body.key, kept, paid_now=False)
        for dialect in reversed(self._dialects[:-1]):
            key = self.bodies.build(question, dialect).key
            if kept := self._journal.find(key):
                return Answered(key, kept, paid_now=False)
        return None

    def stop(self) -> None:
        """Send nothing more; what is in flight may still be answered, and is kept."""
        self.stopping.set()

    async def __aenter__(self) -> Client:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

    async def ask(self, question: Question) -> Answered:
        """Return the reply to a question, asking the server only if the journal does not have it.

        Raises:
            Refused: The server will not answer this question.
            RunStopped: The server will not answer any, or the budget is used up.
        """
        dialect = self.dialect
        body = self.bodies.build(question, dialect)
        if kept := self._find(question, body):
            return self.tally.count(kept)
        while True:
            try:
                reply = await self._send_until_answered(question.sample, body)
            except Declined as error:
                self._adapt_or_refuse(error, dialect, question, body)
            except _FailsAlways as error:
                if not dialect.schema:
                    raise RunStopped(str(error)) from error
                self._adopt(msgspec.structs.replace(dialect, schema=False), dialect)
            else:
                self._remember(dialect)
                return self.tally.count(Answered(body.key, reply, paid_now=True))
            dialect = self.dialect
            body = self.bodies.build(question, dialect)

    def _adopt(self, following: Dialect, dialect: Dialect) -> None:
        if self.dialect == dialect:  # else somebody in flight beside us has learnt something already
            self._dialects.append(following)
            self._say(f"the server {following.difference(dialect)}")

    def _remember(self, dialect: Dialect) -> None:
        """Leave a note of what was learnt, now that an answer has proved it."""
        if dialect != self._noted and dialect == self.dialect:
            self._journal.leave_note(self._note, msgspec.json.encode(self._dialects).decode())
            self._noted = dialect

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_until_answered(self, sample: str, body: Body) -> Reply:
        """Send, and send again while the failure may pass by itself.

        Raises:
            Declined: The server refuses this body.
            Refused: It keeps failing while others are answered.
            RunStopped: Nobody is answered any more.
        """
        began, failed_tries = time.monotonic(), 1
        try:
            return await self._send(sample, body)
        except FAILURES as error:
            failure: Exception | None = error
        # Nearly all requests end above; only one that failed pays for the machinery of trying again, and its loading.
        import tenacity

        was_refused = self._was_refused(body)

        async def send_again() -> Reply:
            nonlocal failure, failed_tries
            if failure:  # the first of the tries is the one that has failed already
                failed, failure = failure, None
                raise failed
            try:
                return await self._send(sample, body)
            except FAILURES as error:
                failed_tries += not is_busy(error)
                raise

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=pause_s,
            stop=lambda state: self._is_hopeless(state, began, failed_tries, was_refused),
            sleep=self._pause,
            reraise=True,
        )
        self._failing.add(body.key)
        try:
            return await retrying(send_again)
        except FAILURES as error:
            if not may_pass(error):
                raise
            self._explain_failure(error, body, was_refused)
        finally:
            self._failing.discard(body.key)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _send(self, sample: str, body: Body) -> Reply:
        """Send once, and keep the reply before anything else happens to it."""
        hold = await self._budget.admit(body.key, len(body.content), body.most_tokens)
        try:
            place = await self.pacing.place(self._guess_tokens(body))
            try:
                if self.stopping.is_set():
                    raise RunStopped("stopped before it was sent")
            except RunStopped:
                self.pacing.withdrawn(place)
                raise
        except BaseException:
            self._budget.release(hold)
            raise
        try:
            reply = read_completion(await self._wire.post(body.content))
        except FAILURES as error:
            self._give_back(place, error)
            self._budget.settle_failure(hold, error)
            self.tally.failures[name_of(error)] += 1
            log.info("%s: %s", sample, name_of(error))
            raise
        except BaseException:  # cancelled: it may well have been answered, and billed
            self.pacing.withdrawn(place)
            self._budget.lose(hold)
            raise
        self._ever_reached = self._ever_answered = True
        try:
            reply = self._budget.keep(hold, body.key, sample, reply)
        finally:
            self.pacing.answered(place, reply.prompt_tokens + reply.completion_tokens)
        now = time.monotonic()
        self.tally.latencies_s.append(now - place.began)
        self._last_answer = now
        # Whoever was given the place sends first: reading the reply can wait, the server need not.
        await asyncio.sleep(0)
        return reply

    def _give_back(self, place: Place, error: Exception) -> None:
        if status_of(error) == 429 and may_pass(error):
            self.pacing.refused(place, retry_after_s(error))
        elif may_pass(error) and self._ever_answered:  # before that, failures tell of an address, not of a load
            self.pacing.failed(place)
        else:
            self.pacing.withdrawn(place)

    def _guess_tokens(self, body: Body) -> int:
        known = self.tally.sent + self.tally.kept
        reply = self.tally.completion_tokens / known if known else USUAL_REPLY_TOKENS
        return len(body.content) // 4 + round(reply)

    # ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_hopeless(self, state: tenacity.RetryCallState, began: float, failed_tries: int, was_refused: bool) -> bool:
        error = state.outcome.exception() if state.outcome else None
        self._ever_reached = self._ever_reached or not isinstance(error, Unanswered)
        if not self._ever_answered and failed_tries >= FIRST_CONTACT_TRIES and self._is_unusable(error):
            return True
        if (retry_after_s(error) or 0) > self._give_up_s or self._is_dead():
            return True
        others_do_well = self._last_answer > began or (self._ever_answered and len(self._failing) <= A_FEW)
        return failed_tries >= TRIES and (others_do_well or was_refused)

    def _is_unusable(self, error: BaseException | None) -> bool:
        # Statuses 502 to 504 are a server that is still starting; 500 is a request that it cannot serve.
        return not self._ever_reached or isinstance(error, Broken) or (error is not None and status_of(error) == 500)

    def _is_dead(self) -> bool:
        return time.monotonic() - self._last_answer > self._give_up_s

    def _explain_failure(self, error: Exception, body: Body, was_refused: bool) -> NoReturn:
        url, told = self._wire.url, message_of(error)
        what = f"{name_of(error)}: {told}"
        asked = retry_after_s(error) or 0
        if asked > self._give_up_s:
            raise RunStopped(f"{url} asks to wait {asked:.0f} s ({what}); run again then to go on") from error
        if not self._ever_answered and self._is_unusable(error) and not was_refused:
            if isinstance(error, Unanswered) and error.timed_out:
                raise RunStopped(
                    f"{url} does not answer in time ({told}); raise --timeout, or check --base-url"
                ) from error
            if not self._ever_reached:
                raise RunStopped(f"no server answers at {url} ({told}); start it, or pass --base-url") from error
            raise _FailsAlways(f"{url} fails at every request ({what}); see its log, or check --base-url and --model")
        if was_refused or not self._is_dead():
            self._note_refusal(body)
            raise Refused("unavailable", what) from error
        raise RunStopped(
            f"{url} has answered nothing for {self._give_up_s:.0f} s ({what}); run again to go on"
        ) from error

    def _adapt_or_refuse(self, error: Declined, dialect: Dialect, question: Question, body: Body) -> None:
        """Change the dialect so that the same question can be asked again, or raise what this refusal means."""
        url, message, code = self._wire.url, message_of(error), error.code
        if error.status in (401, 403) and not is_filter(code, message):
            raise RunStopped(f"{url} refuses the key ({error.status}: {message}); set OPENAI_API_KEY")
        if error.status == 402 or code in NO_MONEY:
            raise RunStopped(f"{url}: the account's quota is used up ({message}); run again to go on")
        if error.status == 404:
            raise RunStopped(
                f"{url} knows no model {self.model!r}, or no such address ({message}); check --model, and --base-url, "
                "which mostly ends in /v1"
            )
        if is_filter(code, message):
            raise Refused("content filter", message) from error
        if is_too_long(error.status, code, message):
            raise Refused("context too long", message) from error
        if self.dialect != dialect:  # somebody in flight beside us has learnt it already
            return
        fields = [*self.bodies.sampling(question.prompt, dialect), "seed"]
        refusal = Refusal(message, code, error.param)
        known = self._ever_answered or self._was_refused(body)
        following = dialect.after_refusal(refusal, fields, sure=known)
        if following is None and dialect.schema and not known:
            # A server that chokes on the schema without saying so: try once without before believing the refusal.
            following = msgspec.structs.replace(dialect, schema=False)
        if following is None and not known:
            raise RunStopped(f"{url} refuses the request ({error.status}: {message})")
        if following is None:
            self._note_refusal(body)
            raise Refused("bad request", f"{error.status}: {message}") from error
        self._adopt(following, dialect)

    def _was_refused(self, body: Body) -> bool:
        """Tell whether this very request was refused before, among others that were answered.

        Then its refusal says nothing against the rest, even if nothing else is left to ask.
        """
        return self._journal.note(f"refused {body.key.hex()}") is not None

    def _note_refusal(self, body: Body) -> None:
        self._journal.leave_note(f"refused {body.key.hex()}", "")
