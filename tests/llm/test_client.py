from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.errors import RunStopped
from pipeline.llm.bodies import Question
from pipeline.llm.budget import Budget
from pipeline.llm.client import Answered, Client, Refused
from pipeline.llm.endpoint import endpoint
from pipeline.llm.faults import Answer, Completion, Failure, Fault, Faults, Raw, Reply, busy, script
from pipeline.llm.journal import Journal
from pipeline.llm.pacing import Pacing
from pipeline.llm.server import Server, background
from pipeline.llm.wire import Wire
from pipeline.prompting.kinds import load_kinds
from pipeline.prompting.render import build_prompt, render_messages
from pipeline.records import Message, Scene

PROMPT = build_prompt(load_kinds(["detailed_description"])["detailed_description"], "json")
GOOD = '{"answer": "A dog."}'
SOON = {"retry-after-ms": "10"}


class Talk:
    """A client, its journal and the server it talks to."""

    def __init__(
        self,
        journal: Journal,
        server: Server,
        *,
        base_url: str | None = None,
        concurrency: int = 64,
        timeout_s: float = 30,
        **settings: Any,
    ) -> None:
        self.server = server
        self.journal = journal
        self.said: list[str] = []
        self._url = base_url or server.base_url
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._settings = settings

    def client(self) -> Client:
        wire = Wire(endpoint(self._url, "k"), self._concurrency, self._timeout_s)
        budget, pacing = Budget(self.journal, {}, "model", url=wire.url), Pacing(self._concurrency)
        return Client(self.journal, wire, pacing, budget, "model", say=self.said.append, **self._settings)

    def ask(self, *questions: Question) -> list[Answered | BaseException]:
        """Ask all at once."""

        async def run() -> list[Answered | BaseException]:
            async with self.client() as client:
                return await asyncio.gather(*map(client.ask, questions), return_exceptions=True)

        return asyncio.run(run())


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Callable[..., Talk]]:
    """Return a maker of talks: ``talk(answers…, setting=…)``."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(*answers: Answer, reply: Reply | None = None, faults: Faults = Faults(), **settings: Any) -> Talk:  # noqa: B008
            server = stack.enter_context(background(reply or script(*answers), model="model", faults=faults))
            journal = Journal(tmp_path / "journal.sqlite")
            stack.callback(journal.close)
            return Talk(journal, server, **settings)

        yield make


def question(n: int = 0, text: str = "A dog.") -> Question:
    return Question(f"{n}/detailed_description/0", PROMPT, [Message("user", text)], seed=n)


def body_of(*answers: Answer) -> tuple[list[dict[str, Any]], Reply]:
    """Return a list that fills with request bodies, and the reply that fills it."""
    seen: list[dict[str, Any]] = []
    play = script(*answers)

    def reply(body: Any) -> Answer:
        seen.append(body)
        return play(body)

    return seen, reply


def test_a_request_is_an_openai_chat_request(talk: Callable[..., Talk], dog: Scene) -> None:
    seen, reply = body_of(GOOD)
    messages = render_messages(PROMPT, dog)
    asked = Question("7/detailed_description/0", PROMPT, [messages[-1]], seed=5)
    (answered,) = talk(reply=reply, options={"top_p": 0.9}).ask(asked)
    assert isinstance(answered, Answered)
    assert answered.paid_now
    assert answered.reply.content == GOOD
    assert answered.reply.completion_tokens > 0
    body = seen[0]
    assert body["messages"] == msgspec.to_builtins(messages)
    assert (body["model"], body["seed"], body["top_p"]) == ("model", 5, 0.9)
    assert body["max_tokens"] == PROMPT.kind.file.max_tokens
    schema = body["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("detailed_description", True)
    assert schema["schema"]["required"] == ["answer"]


def test_what_the_journal_has_is_never_sent_again(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD)
    first = chat.ask(question(1), question(2))
    again = chat.ask(question(1), question(2), question(3))
    assert chat.server.stats().requests == 3
    assert [a.paid_now for a in again if isinstance(a, Answered)] == [False, False, True]
    assert [a.reply for a in again[:2] if isinstance(a, Answered)] == [
        a.reply for a in first if isinstance(a, Answered)
    ]


def test_another_seed_model_option_or_text_is_another_request(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD)
    chat.ask(question(1), question(2), question(1, "A cat."))
    talk_hotter = Talk(chat.journal, chat.server, options={"temperature": 0.1})
    talk_hotter.ask(question(1))
    assert chat.server.stats().requests == 4
    assert chat.journal.count() == 4


def test_a_server_that_ignores_seeds_still_gives_two_samples_of_one_scene(talk: Callable[..., Talk]) -> None:
    chat = talk(Failure(400, "Unrecognized request argument supplied: seed", param="seed"), GOOD)
    answers = chat.ask(question(1)) + chat.ask(question(2))
    assert len({a.key for a in answers if isinstance(a, Answered)}) == 2
    assert chat.said == ["the server refuses seed; leaving it out"]


@pytest.mark.parametrize(
    "failure",
    [
        Failure(429, code="rate_limit_exceeded", headers=SOON),
        Failure(429, headers={"Retry-After": "0"}),
        Failure(429, headers={"Retry-After": formatdate(usegmt=True)}),
        Failure(500, headers=SOON),
        Failure(503, headers=SOON),
        Failure(408, headers=SOON),
        Fault.DROPPED,
        Raw(b"<html>502 Bad Gateway</html>", headers={"Content-Type": "text/html"}),
        Raw(b'{"error": {"message": "upstream fell over", "code": 502}}'),
        Raw(b'{"choices": []}'),
        Raw(b'{"choices": [{"message": {"content": "cut'),
    ],
    ids=str,
)
def test_what_may_pass_by_itself_is_tried_again(talk: Callable[..., Talk], failure: Answer) -> None:
    chat = talk(failure, GOOD)
    (answered,) = chat.ask(question())
    assert isinstance(answered, Answered)
    assert chat.server.stats().requests == 2


def test_a_reply_that_never_comes_is_given_up_and_asked_for_again(talk: Callable[..., Talk]) -> None:
    chat = talk(Fault.HUNG, GOOD, timeout_s=0.3)
    (answered,) = chat.ask(question())
    assert isinstance(answered, Answered)


def test_retry_after_is_honoured(talk: Callable[..., Talk]) -> None:
    began = time.monotonic()
    talk(busy(0.7), GOOD).ask(question())
    assert 0.7 <= time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (Failure(401, "Incorrect API key provided", code="invalid_api_key"), "refuses the key.*set OPENAI_API_KEY"),
        (Failure(403, "Country not supported"), "refuses the key"),
        (Failure(404, "The model does not exist", code="model_not_found"), "knows no model 'model'.*check --model"),
        (Failure(429, "You exceeded your quota", code="insufficient_quota"), "quota is used up"),
        (Failure(402, "Payment required"), "quota is used up"),
        (Failure(400, "unknown field 'tempo'"), "refuses the request .400: unknown field 'tempo'"),
        (Failure(429, "Daily limit", headers={"Retry-After": "86400"}), "asks to wait 86400 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_will_not_pass_stops_the_run_at_once(talk: Callable[..., Talk], failure: Failure, line: str) -> None:
    chat = talk(failure, schema=False)
    (error,) = chat.ask(question())
    assert isinstance(error, RunStopped)
    with pytest.raises(RunStopped, match=line):
        raise error
    assert "\n" not in str(error)
    assert chat.server.stats().requests == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure(400, "The response was filtered", code="content_filter"), "content filter"),
        (Failure(403, "Input was flagged by moderation"), "content filter"),
        (Failure(400, "maximum context length is 4096 tokens", code="context_length_exceeded"), "context too long"),
        (Failure(413, "Too large"), "context too long"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_request_rejects_that_one(
    talk: Callable[..., Talk], failure: Failure, reason: str
) -> None:
    chat = talk(failure, GOOD)
    (error,) = chat.ask(question(1))
    assert isinstance(error, Refused)
    assert error.reason == reason
    (answered,) = chat.ask(question(2))
    assert isinstance(answered, Answered)


def test_one_bad_request_after_good_ones_costs_its_neighbours_nothing(talk: Callable[..., Talk]) -> None:
    def reply(body: Any) -> Answer:
        if "odd" in body["messages"][-1]["content"]:
            return Failure(400, "cannot parse this")
        return GOOD

    chat = talk(reply=reply, concurrency=1)
    first, bad, third = chat.ask(question(1), question(2, "odd"), question(3))
    assert isinstance(first, Answered)
    assert isinstance(bad, Refused)
    assert (bad.reason, str(bad)) == ("bad request", "400: cannot parse this")
    assert isinstance(third, Answered)


REFUSALS = [
    (Failure(400, "response_format type is unavailable now"), "response_format"),
    (Failure(422, "Unexpected keys in the request: {'response_format'}"), "response_format"),
    (Failure(400, "Invalid parameter: 'json_schema' is not supported", param="response_format"), "response_format"),
    (Failure(400, "I do not get it"), "response_format"),
    (Failure(400, "Unsupported value: 'temperature' does not support 0.7 with this model.", param="temperature",
             code="unsupported_value"), "temperature"),
    (Failure(400, "Unsupported parameter: 'max_tokens' is not supported with this model. "
                  "Use 'max_completion_tokens' instead.", param="max_tokens"), "max_tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "field"), REFUSALS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_field_the_server_refuses_is_left_out_once_for_the_whole_run(
    talk: Callable[..., Talk], refusal: Failure, field: str
) -> None:
    seen, _ = body_of(GOOD)

    def reply(body: Any) -> Answer:
        seen.append(body)
        return refusal if field in body else GOOD

    chat = talk(reply=reply)
    answers = chat.ask(*map(question, range(20)))
    assert all(isinstance(answer, Answered) for answer in answers)
    assert len(chat.said) == 1
    asked_before = len(seen)
    assert asked_before <= 40
    chat.ask(*map(question, range(25)))  # another client on the same journal: it remembers
    assert len(seen) == asked_before + 5
    assert all(field not in body for body in seen[asked_before:])
    if field == "max_tokens":
        assert seen[-1]["max_completion_tokens"] == PROMPT.kind.file.max_tokens


def test_a_server_may_refuse_everything_that_can_be_left_out(talk: Callable[..., Talk]) -> None:
    def reply(body: Any) -> Answer:
        for field in ("seed", "temperature", "max_tokens", "response_format"):
            if field in body:
                message = f"Unsupported parameter: {field}"
                return Failure(
                    400, message + ("; use max_completion_tokens" if field == "max_tokens" else ""), param=field
                )
        return GOOD

    (answered,) = talk(reply=reply).ask(question())
    assert isinstance(answered, Answered)


def test_options_pass_through_and_null_leaves_one_out(talk: Callable[..., Talk]) -> None:
    seen, reply = body_of(GOOD)
    options = {"temperature": None, "max_completion_tokens": 99, "stop": ["x"], "seed": 3}
    talk(reply=reply, options=options).ask(question(1))
    (body,) = seen
    assert "temperature" not in body
    assert "max_tokens" not in body
    assert (body["max_completion_tokens"], body["stop"], body["seed"]) == (99, ["x"], 3)


def test_no_more_are_in_flight_than_asked_for(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD, faults=Faults(latency_s=0.05), concurrency=5)
    chat.ask(*map(question, range(30)))
    assert chat.server.stats().most_in_flight == 5


def test_a_request_that_waits_for_its_next_try_holds_no_place(talk: Callable[..., Talk]) -> None:
    def reply(body: Any) -> Answer:
        return busy(1.5) if body["seed"] == 0 and not chat.server.stats().answered else GOOD

    chat = talk(reply=reply, concurrency=1)
    began = time.monotonic()

    async def run() -> float:
        async with chat.client() as client:
            slow = asyncio.ensure_future(client.ask(question(0)))
            await asyncio.sleep(0.1)
            await client.ask(question(1))
            neighbour = time.monotonic() - began
            await slow
        return neighbour

    assert asyncio.run(run()) < 1.2


def test_a_wrong_address_is_told_within_seconds(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD, base_url="http://127.0.0.1:9/v1")
    began = time.monotonic()
    (error,) = chat.ask(question())
    assert isinstance(error, RunStopped)
    assert "no server answers at http://127.0.0.1:9/v1 (" in str(error)
    assert str(error).endswith("; start it, or pass --base-url")
    assert time.monotonic() - began < 15


def test_a_server_that_fails_from_the_start_is_told_within_seconds(talk: Callable[..., Talk]) -> None:
    (error,) = talk(Raw(b"Internal Server Error", 500, {"Content-Type": "text/plain"})).ask(question())
    assert isinstance(error, RunStopped)
    assert "fails at every request (status 500: Internal Server Error)" in str(error)


def test_a_server_that_dies_ends_the_run_after_the_stated_time(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD, Failure(503), give_up_s=1.0)
    answers = chat.ask(*map(question, range(3)))
    stops = [answer for answer in answers if isinstance(answer, RunStopped)]
    assert len(stops) == 2
    assert "has answered nothing for 1 s (status 503: Rehearsed failure); run again" in str(stops[0])
    assert chat.journal.count() == 1


def test_a_request_that_alone_keeps_failing_is_a_reject(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.llm.client.TRIES", 3)

    def reply(body: Any) -> Answer:
        return Failure(500, headers=SOON) if body["seed"] == 0 else GOOD

    chat = talk(reply=reply)
    poison, *others = chat.ask(*map(question, range(4)))
    assert isinstance(poison, Refused)
    assert poison.reason == "unavailable"
    assert all(isinstance(answer, Answered) for answer in others)


@pytest.mark.parametrize(
    "completion",
    [Completion(None, refusal="I will not."), Completion("A do", "length"), Completion(None, "content_filter")],
)
def test_an_answer_that_is_no_use_was_paid_for_and_is_kept(talk: Callable[..., Talk], completion: Completion) -> None:
    chat = talk(completion)
    (answered,) = chat.ask(question())
    assert isinstance(answered, Answered)
    assert answered.reply.finish_reason == completion.finish_reason
    assert answered.reply.refusal == completion.refusal
    assert chat.journal.count() == 1


def test_a_packed_refusal_is_read_like_any_other(talk: Callable[..., Talk]) -> None:
    packed = gzip.compress(b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}')
    (answered,) = talk(Raw(packed, 429, {"Content-Encoding": "gzip", **SOON}), GOOD).ask(question())
    assert isinstance(answered, Answered)


def test_busy_is_never_held_against_a_request(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD, faults=Faults(ceiling=1, latency_s=0.05, retry_after_s=0.01))
    answers = chat.ask(*map(question, range(60)))
    assert all(isinstance(answer, Answered) for answer in answers)


def test_replies_to_an_earlier_dialect_are_still_found(talk: Callable[..., Talk]) -> None:
    refuses = False

    def reply(body: Any) -> Answer:
        if refuses and "temperature" in body:
            return Failure(400, "Unsupported value: temperature", code="unsupported_value", param="temperature")
        return GOOD

    chat = talk(reply=reply)
    chat.ask(*map(question, range(5)))
    refuses = True
    chat.ask(*map(question, range(7)))
    assert chat.said == ["the server refuses temperature; leaving it out"]
    before = chat.server.stats().requests
    assert all(isinstance(answer, Answered) and not answer.paid_now for answer in chat.ask(*map(question, range(7))))
    assert chat.server.stats().requests == before


def test_a_word_in_one_late_refusal_changes_nothing_for_the_others(talk: Callable[..., Talk]) -> None:
    chat = talk(GOOD, Failure(400, "this text has bad grammar"), GOOD, concurrency=1)
    first, bad, third = chat.ask(question(1), question(2), question(3))
    assert isinstance(bad, Refused)
    assert isinstance(first, Answered)
    assert isinstance(third, Answered)
    assert chat.said == []


def test_a_guess_that_no_answer_proves_is_not_remembered(talk: Callable[..., Talk]) -> None:
    chat = talk(Failure(400, "no such thing"), Failure(400, "no such thing"), GOOD)
    (error,) = chat.ask(question())
    assert isinstance(error, RunStopped)
    seen, reply = body_of(GOOD)
    with background(reply, model="model") as mended:
        Talk(chat.journal, mended).ask(question())
    assert "response_format" in seen[0]


@pytest.mark.parametrize("field", ["temperature", "max_tokens"])
def test_a_value_that_is_too_large_is_not_taken_for_a_field_that_is_unknown(
    talk: Callable[..., Talk], field: str
) -> None:
    message = f"Invalid '{field}': above the maximum value"
    chat = talk(Failure(400, message, code="decimal_above_max_value", param=field), schema=False)
    (error,) = chat.ask(question())
    assert isinstance(error, RunStopped)
    assert message in str(error)


def test_a_server_that_falls_over_a_schema_is_asked_without(talk: Callable[..., Talk]) -> None:
    def reply(body: Any) -> Answer:
        return Failure(500, "NotImplementedError", headers=SOON) if "response_format" in body else GOOD

    (answered,) = talk(reply=reply).ask(question())
    assert isinstance(answered, Answered)


def test_an_address_that_is_no_model_server_is_told_within_seconds(talk: Callable[..., Talk]) -> None:
    page = Raw(b"<html>Welcome</html>", 200, {"Content-Type": "text/html"})
    (error,) = talk(page).ask(question())
    assert isinstance(error, RunStopped)
    assert "fails at every request (no completion: status 200 without a completion" in str(error)
