"""One question to the model: from the journal if it was ever paid for, else over the OpenAI protocol.

The body is built as bytes and posted as bytes (``wire.py``). One layer retries, ours: a request waits for its next try
without holding a place among those in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NoReturn

import msgspec
import openai
import tenacity

from pipeline.errors import RunStopped
from pipeline.llm.dialect import Dialect
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.wire import Wire
from pipeline.prompting.render import Prompt, encode_messages
from pipeline.prompting.replies import reply_schema
from pipeline.records import Message

TRIES = 8  # a request that fails this often while others succeed is poison: with the pauses below, about 2 minutes
FIRST_CONTACT_TRIES = 4  # nobody ever answered: a wrong address rather than a bad moment; about 5 s
LONGEST_PAUSE_S = 60.0


class Question(msgspec.Struct, frozen=True):
    """What to ask: a kind's prompt, and what follows its static part."""

    sample: str
    """Id of the sample it is for."""
    prompt: Prompt
    following: list[Message]
    """The scene, and on a second attempt the reply that could not be read and why."""
    seed: int
    """Sent where the server knows seeds, and part of the key in any case: two samples of one scene are two requests."""


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

    def count(self, answered: Answered) -> Answered:
        """Count a reply, and hand it on."""
        self.sent += answered.paid_now
        self.kept += not answered.paid_now
        self.prompt_tokens += answered.reply.prompt_tokens
        self.cached_tokens += answered.reply.cached_tokens
        self.completion_tokens += answered.reply.completion_tokens
        return answered


class Refused(Exception):
    """A request that the server will never answer: the sample becomes a reject, its neighbours go on."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Short and countable: ``content filter``, ``context too long``, ``bad request``, ``unavailable``."""


class _Broken(Exception):
    """Status 200 around something that is no completion. Proxies do this when the server behind them falls over."""

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status_code = status


class Client:
    """Asks one model on one server for one run."""

    def __init__(
        self,
        journal: Journal,
        model: str,
        *,
        base_url: str | None,
        api_key: str,
        schema: bool = True,
        options: Mapping[str, Any] | None = None,
        concurrency: int = 64,
        timeout_s: float = 180,
        give_up_s: float = 300,
        known_as: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            journal: Where replies are looked up and kept.
            model: As the server knows it.
            base_url: ``http://host:port/v1``; OpenAI's own if ``None``.
            api_key: Sent as a bearer token.
            schema: Whether to try ``response_format`` with the reply's JSON schema.
            options: Sampling options that override those of ``kind.toml``; ``None`` as a value leaves a field out.
            concurrency: Most requests in flight.
            timeout_s: A request without an answer for so long has failed; it is tried again.
            give_up_s: If no request has been answered for so long, the run stops.
            known_as: Name under which the journal remembers what the server takes; ``base_url`` if not given.
            say: Takes a line for people.
        """
        self.model = model
        self.tally = Tally()
        self._journal = journal
        self._options = dict(options or {})
        self._in_flight = asyncio.Semaphore(concurrency)
        self._give_up_s = give_up_s
        self._say = say
        client = openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, max_retries=0, http_client=openai.DefaultAioHttpClient()
        )
        self.url = str(client.base_url).rstrip("/")
        self._wire = Wire(client, concurrency, timeout_s)
        self._note = f"dialect of {known_as or self.url} {model} schema={schema}"
        remembered = journal.note(self._note)
        self.dialect = msgspec.json.decode(remembered, type=Dialect) if remembered else Dialect(schema=schema)
        self._ever_reached = False
        self._ever_answered = False
        self._last_answer = time.monotonic()
        self._stopping = asyncio.Event()
        self._heads: dict[tuple[str, Dialect], bytes] = {}

    def stop(self) -> None:
        """Send nothing more; what is in flight may still be answered, and is kept."""
        self._stopping.set()

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
            RunStopped: The server will not answer any.
        """
        while True:
            dialect = self.dialect
            body = self._body(question, dialect)
            key = hashlib.sha256(b"%d\0%b" % (question.seed, body)).digest()
            if kept := self._journal.find(key):
                return self.tally.count(Answered(key, kept, paid_now=False))
            try:
                reply = await self._send_until_answered(body)
            except openai.APIStatusError as error:
                self._adapt_or_refuse(error, dialect, question)
                continue
            self._journal.keep(key, question.sample, reply)
            return self.tally.count(Answered(key, reply, paid_now=True))

    # ── the body ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _body(self, question: Question, dialect: Dialect) -> bytes:
        seed = b"" if "seed" in {*dialect.without, *self._options} else b',"seed":%d' % question.seed
        messages = encode_messages(question.prompt, question.following)
        known_by = (question.prompt.kind.name, dialect)
        if known_by not in self._heads:
            self._heads[known_by] = self._build_head(question.prompt, dialect)
        return b'%b%b,"messages":%b}' % (self._heads[known_by], seed, messages)

    def _build_head(self, prompt: Prompt, dialect: Dialect) -> bytes:
        """Return all fields that are the same for all scenes of a kind, without the closing brace."""
        fields = {"model": self.model} | self._sampling(prompt, dialect)
        if dialect.schema and "response_format" not in self._options:
            name = re.sub(r"[^A-Za-z0-9_-]", "_", prompt.kind.name)[:64]
            schema = {"name": name, "strict": True, "schema": reply_schema(prompt.kind.file.shape)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        return msgspec.json.encode(fields)[:-1]

    def _sampling(self, prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
        file = prompt.kind.file
        fields = {"temperature": file.temperature, "max_tokens": file.max_tokens} | self._options
        if "max_completion_tokens" in self._options or not dialect.max_tokens:
            bound = fields.pop("max_tokens")
            fields.setdefault("max_completion_tokens", bound)
        return {name: value for name, value in fields.items() if value is not None and name not in dialect.without}

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_until_answered(self, body: bytes) -> Reply:
        """Send, and send again while the failure may pass by itself.

        Raises:
            openai.APIStatusError: The server refuses this body.
            Refused: It keeps failing while others are answered.
            RunStopped: Nobody is answered any more.
        """
        began = time.monotonic()
        try:
            return await self._send(body)
        except _FAILURES as error:
            failure: Exception | None = error
        # Nearly all requests end above; only one that failed pays for the machinery of trying again.

        async def send_again() -> Reply:
            nonlocal failure
            if failure:  # the first of the tries is the one that has failed already
                failed, failure = failure, None
                raise failed
            return await self._send(body)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=pause_s,
            stop=lambda state: self._is_hopeless(state, began),
            sleep=self._pause,
            reraise=True,
        )
        try:
            return await retrying(send_again)
        except _FAILURES as error:
            if not may_pass(error):
                raise
            self._explain_failure(error)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _send(self, body: bytes) -> Reply:
        async with self._in_flight:
            if self._stopping.is_set():
                raise RunStopped("stopped before it was sent")
            body = await self._wire.post(body)
        self._ever_reached = True
        reply = read_completion(body)
        self._ever_answered = True
        self._last_answer = time.monotonic()
        return reply

    def _is_hopeless(self, state: tenacity.RetryCallState, began: float) -> bool:
        error = state.outcome.exception() if state.outcome else None
        self._ever_reached = self._ever_reached or not isinstance(error, openai.APIConnectionError)
        # Statuses 502 to 504 are a server that is still starting; 500 is a request that it cannot serve.
        unusable = not self._ever_reached or getattr(error, "status_code", None) == 500
        if unusable and not self._ever_answered and state.attempt_number >= FIRST_CONTACT_TRIES:
            return True
        if (retry_after_s(error) or 0) > self._give_up_s or self._is_dead():
            return True
        return state.attempt_number >= TRIES and self._last_answer > began

    def _is_dead(self) -> bool:
        return time.monotonic() - self._last_answer > self._give_up_s

    def _explain_failure(self, error: Exception) -> NoReturn:
        what = f"{type(error).__name__}: {_message(error)}"
        if not self._ever_reached:
            raise RunStopped(
                f"no server answers at {self.url} ({_message(error)}); start it, or pass --base-url"
            ) from error
        asked = retry_after_s(error) or 0
        if asked > self._give_up_s:
            raise RunStopped(f"{self.url} asks to wait {asked:.0f} s ({what}); run again then to go on") from error
        if not self._ever_answered and not self._is_dead():
            raise RunStopped(f"{self.url} fails at every request ({what}); see its log, or check --model") from error
        if not self._is_dead():
            raise Refused("unavailable", what) from error
        raise RunStopped(
            f"{self.url} has answered nothing for {self._give_up_s:.0f} s ({what}); run again to go on"
        ) from error

    # ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _adapt_or_refuse(self, error: openai.APIStatusError, dialect: Dialect, question: Question) -> None:
        """Change the dialect so that the same question can be asked again, or raise what this refusal means."""
        message, code = _message(error), str(error.code or "")
        if error.status_code in (401, 403) and not _is_filter(code, message):
            raise RunStopped(f"{self.url} refuses the key ({error.status_code}: {message}); set OPENAI_API_KEY")
        if error.status_code == 402 or code in _NO_MONEY:
            raise RunStopped(f"{self.url}: the account's quota is used up ({message}); run again to go on")
        if error.status_code == 404:
            raise RunStopped(f"{self.url} knows no model {self.model!r} ({message}); check --model and --base-url")
        if _is_filter(code, message):
            raise Refused("content filter", message) from error
        if _is_too_long(error.status_code, code, message):
            raise Refused("context too long", message) from error
        if self.dialect != dialect:  # somebody in flight beside us has learnt it already
            return
        fields = [*self._sampling(question.prompt, dialect), "seed"]
        following = dialect.after_refusal(message, error.param, fields)
        if following is None and dialect.schema and not self._ever_answered:
            # A server that chokes on the schema without saying so: try once without before believing the refusal.
            following = msgspec.structs.replace(dialect, schema=False)
        if following is None and not self._ever_answered:
            raise RunStopped(f"{self.url} refuses the request ({error.status_code}: {message})")
        if following is None:
            raise Refused("bad request", f"{error.status_code}: {message}") from error
        self.dialect = following
        self._journal.leave_note(self._note, msgspec.json.encode(following).decode())
        self._say(f"the server {following.difference(dialect)}")


_FAILURES = (openai.APIConnectionError, openai.APIStatusError, _Broken)
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")
_PASSING = frozenset({408, 409, 425, 429})


def may_pass(error: BaseException) -> bool:
    """Tell whether a failure may pass by itself: busy, timed out, dropped, broken; not refused."""
    match error:
        case openai.APIConnectionError() | _Broken():
            return True
        case openai.APIStatusError():
            if error.code in _NO_MONEY:
                return False
            return error.status_code in _PASSING or error.status_code >= 500
        case _:
            return False


def pause_s(state: tenacity.RetryCallState) -> float:
    """Return how long to wait before the next try, in seconds: what the server asked for, or longer at each try.

    Both are jittered, so that requests that failed together do not come back together.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after_s(error)
    if asked is not None:
        return asked + random.uniform(0, 0.25 + asked / 4)
    longest = min(LONGEST_PAUSE_S, 0.5 * 2.0**state.attempt_number)
    return random.uniform(longest / 2, longest)


def retry_after_s(error: BaseException | None) -> float | None:
    """Return the seconds that a refusal asks to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or a date."""
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit_s)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def _is_filter(code: str, message: str) -> bool:
    text = f"{code} {message}".lower()
    return any(
        word in text for word in ("content_filter", "content_policy", "content management", "moderation", "flagged")
    )


def _is_too_long(status: int, code: str, message: str) -> bool:
    text = f"{code} {message}".lower()
    return status == 413 or any(
        word in text
        for word in ("context_length", "context length", "context window", "prompt is too long", "input is too long")
    )


def _message(error: BaseException) -> str:
    """Return an error's text in one line, without the client's decoration around the server's words."""
    body = getattr(error, "body", None)
    told = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    if isinstance(error, openai.APIConnectionError) and error.__cause__:
        told = error.__cause__  # the client's own text is "Connection error." for all of them
    return " ".join(str(told or error).split())[:300]


# ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Cached(msgspec.Struct):
    cached_tokens: int | None = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _Cached | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_completion = msgspec.json.Decoder(_Completion)


def read_completion(body: bytes) -> Reply:
    """Read a chat completion.

    Raises:
        _Broken: It is none; the request may be tried again.
    """
    try:
        completion = _completion.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _Broken(f"status 200 without a completion: {error}") from None
    if completion.error or not completion.choices:
        raise _Broken(f"status 200 around an error: {completion.error or 'no choices'}")
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Reply(
        content=choice.message.content,
        refusal=choice.message.refusal,
        finish_reason=choice.finish_reason,
        model=completion.model or "",
        prompt_tokens=usage.prompt_tokens or 0,
        cached_tokens=(usage.prompt_tokens_details.cached_tokens or 0) if usage.prompt_tokens_details else 0,
        completion_tokens=usage.completion_tokens or 0,
    )
