from __future__ import annotations

import json
import time

import pytest

from pipeline.errors import RunStopped
from pipeline.judging.figures import JudgeResult, kappa
from pipeline.judging.judge import is_drawn
from pipeline.llm.budget import read_sums
from pipeline.llm.faults import Answer, Completion, Failure, Faults, Late, Usage, busy
from tests.judging.stage import COUNT, PLACE, Body, Room, answer, last, row, verdicts


def test_agreement_with_the_rules_is_counted_answer_by_answer(room: Room) -> None:
    rows = [
        row("1/c/0", COUNT, PLACE, claims=[(1, "contradicted"), (1, "supported"), (3, "supported")]),
        row("2/c/0", COUNT, claims=[(1, "supported"), (0, "contradicted")]),
        row("3/c/0", PLACE),
    ]

    def play(body: Body) -> str:
        return verdicts("contradicted", *["supported"] * (last(body).count("Question") - 1), wrong="two dogs")

    figures = room.judge(rows, play)
    assert figures["answers"] == figures["judged"] == 4
    assert figures["verdicts"] == {"supported": 1, "contradicted": 3, "not checkable": 0}
    assert figures["confusion"]["contradicted"] == {"supported": 0, "contradicted": 1, "not checkable": 0}
    assert figures["confusion"]["supported"] == {"supported": 1, "contradicted": 1, "not checkable": 0}
    assert figures["confusion"]["not checkable"] == {"supported": 0, "contradicted": 1, "not checkable": 0}
    agreement = figures["agreement"]
    assert (agreement["count"], agreement["of"], agreement["share"]) == (2, 4, 0.5)
    assert agreement["kappa"] == pytest.approx(3 / 11, abs=1e-4)  # 8 of 16 by the diagonal, 5 of 16 by chance
    assert figures["agreement_where_both_settle"]["of"] == 3
    assert figures["contradicted"]["share"] == 0.75
    assert 0.2 < figures["contradicted"]["low"] < 0.75 < figures["contradicted"]["high"] < 1
    assert [(each["id"], each["message"]) for each in figures["disagreements"]] == [("2/c/0", 1), ("3/c/0", 1)]
    assert figures["disagreements"][0] | {"reason": ""} == {
        "id": "2/c/0", "message": 1, "question": COUNT[0], "answer": COUNT[1],
        "rules": "supported", "judge": "contradicted", "wrong": "two dogs", "reason": "",
    }  # fmt: skip


def test_the_file_has_each_answer_with_the_wrong_words_and_where_they_stand(room: Room) -> None:
    figures = room.judge([row("1/c/0", COUNT, PLACE)], lambda body: verdicts(*["contradicted"] * 2, wrong="Two  dogs."))
    first, second = room.table()
    assert (first["id"], first["message"], second["message"]) == ("1/c/0", 1, 3)
    assert (first["rules"], first["verdict"], first["reason"]) == ("not checkable", "contradicted", "The boxes tell.")
    assert COUNT[1][first["wrong_start"] : first["wrong_end"]] == "two dogs"
    assert (second["wrong"], second["wrong_start"]) == ("Two  dogs.", None)
    assert figures["quotes_not_found"] == 1
    assert {first[name] for name in first if name.startswith("blind")} == {None}


def test_the_judge_sees_all_the_evidence_and_nothing_of_the_rules(room: Room) -> None:
    rows = [row("1/c/0", COUNT), row("1/c/0", COUNT, claims=[(1, "contradicted")])]
    room.judge(rows, lambda body: verdicts("supported"), workers=1)
    (body,) = room.seen["judge"]  # the second is the same request, which is paid for already
    system, user = (message["content"] for message in body["messages"])
    assert user == (
        "Captions:\nA dog runs.\n\n"
        "Objects:\ndog: [0.25, 0.123, 0.5, 1.0]\nperson (group): [0.0, 0.0, 1.0, 0.5]\n\n"
        "Question 1: How many dogs are there?\nAnswer 1: There are two dogs."
    )
    assert "SECRET" not in json.dumps(body)
    assert "{{" not in system
    assert system.endswith('"not checkable".')
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["verdicts"]
    assert body["temperature"] == 0


def test_rows_without_captions_and_boxes_show_their_context(room: Room) -> None:
    bare = row("1/c/0", PLACE) | {"captions": [], "boxes": None, "context": "A cat sleeps."}
    room.judge([bare], lambda body: verdicts("supported"))
    assert last(room.seen["judge"][0]).startswith("A cat sleeps.\n\nQuestion 1:")


def test_an_unreadable_reply_is_asked_for_again_with_the_reason(room: Room) -> None:
    def play(body: Body) -> str:
        return verdicts("supported", "supported") if len(body["messages"]) > 2 else verdicts("supported")

    figures = room.judge([row("1/c/0", COUNT, PLACE)], play)
    assert figures["judged"] == 2
    assert len(room.seen["judge"]) == 2
    assert "one verdict is wanted for each answer from 1 to 2; there are 1" in last(room.seen["judge"][1])


@pytest.mark.parametrize(
    ("reply", "reason", "requests"),
    [
        ("I would say they are fine.", "unreadable reply", 3),
        (Completion(refusal="I will not judge this."), "refused by the model", 1),
        (Completion(content="", finish_reason="content_filter"), "content filter", 1),
        (Completion(content='{"verdicts": [', finish_reason="length"), "cut by length", 1),
        (Failure(400, "flagged by moderation"), "content filter", 1),
        (Failure(400, "context length exceeded", code="context_length_exceeded"), "context too long", 1),
    ],
)
def test_what_the_judge_does_not_settle_has_a_column_of_its_own_and_no_share(
    room: Room, reply: Answer, reason: str, requests: int
) -> None:
    def play(body: Body) -> Answer:
        return reply if "middle" in body["messages"][1]["content"] else verdicts("supported")

    rows = [row("1/c/0", COUNT, claims=[(1, "supported")]), row("2/c/0", PLACE, COUNT)]
    figures = room.judge(rows, play, workers=1)
    assert (figures["answers"], figures["judged"], figures["not_judged"]) == (3, 1, {reason: 2})
    assert (figures["agreement"]["of"], figures["agreement"]["share"]) == (1, 1)
    assert [each["judge_failed"] for each in room.table()] == [None, reason, reason]
    assert [each["verdict"] for each in room.table()] == ["supported", None, None]
    assert len(room.seen["judge"]) == 1 + requests


def test_trouble_on_the_way_changes_no_figure(room: Room) -> None:
    rows = [row(f"{n}/c/0", COUNT, claims=[(1, "supported")]) for n in range(40)]

    def play(body: Body) -> str:
        return verdicts("supported")

    faults = Faults(share_429=0.2, retry_after_s=0.01, share_500=0.1, share_dropped=0.1, share_malformed=0.1)
    server = room.serve("judge", play, faults)
    figures = room.run(rows, attempts=8).figures()["judge"]
    assert (figures["judged"], figures["verdicts"]["supported"]) == (40, 40)
    assert server.stats().requests > 45


def test_a_server_without_schemas_is_asked_for_json_in_the_text(room: Room) -> None:
    def play(body: Body) -> Answer:
        if "response_format" in body:
            return Failure(400, "'response_format' is not supported", param="response_format")
        return f"<think>{{so many}}</think>Here it is:\n```json\n{verdicts('supported')}\n```\nDone."

    assert room.judge([row("1/c/0", COUNT)], play)["judged"] == 1


def test_the_same_command_sends_nothing_again_and_makes_the_same_file(room: Room) -> None:
    rows = [row(f"{n}/c/0", COUNT, PLACE) for n in range(30)]
    room.serve("judge", lambda body: verdicts("supported", "not checkable"))
    room.serve("blind", lambda body: answer("Two dogs."))
    first, made = room.run(rows).figures(), room.path.read_bytes()
    sent = [server.stats().requests for server in room.servers.values()]
    again = room.run(rows).figures()
    assert [server.stats().requests for server in room.servers.values()] == sent
    assert again == first
    assert room.path.read_bytes() == made


def test_a_run_that_was_stopped_carries_on_where_it_ended(room: Room) -> None:
    rows = [row(f"{n}/c/0", (f"How many dogs has picture {n}?", "One.")) for n in range(20)]

    def play(body: Body) -> Answer:
        return Failure(401, "Incorrect API key") if len(room.seen["judge"]) == 9 else verdicts("supported")

    room.serve("judge", play)
    with pytest.raises(RunStopped, match="refuses the key"):
        room.run(rows, workers=4)
    assert not room.path.exists()
    kept = room.journal.count()
    assert 8 <= kept <= 12
    before = len(room.seen["judge"])
    assert room.run(rows).figures()["judge"]["judged"] == 20
    assert len(room.seen["judge"]) - before == 20 - kept


def test_a_client_that_a_person_stops_ends_the_run_and_keeps_what_is_in_flight(room: Room) -> None:
    rows = [row(f"{n}/c/0", (f"How many dogs has picture {n}?", "One.")) for n in range(20)]

    def watch(result: JudgeResult) -> None:
        if result.samples == 5:
            room.clients["judge"].stop()

    room.serve("judge", lambda body: Late(0.05, verdicts("supported")))
    with pytest.raises(RunStopped, match="stopped"):
        room.run(rows, workers=4, watch=watch)
    assert len(room.seen["judge"]) == room.journal.count() < 20


def test_a_model_that_ends_the_run_does_not_leave_it_waiting_for_the_other(room: Room) -> None:
    def play(body: Body) -> Answer:
        return Late(0.2, Failure(401, "Incorrect API key")) if "middle" in last(body) else verdicts("supported")

    room.serve("judge", play)
    room.serve("blind", lambda body: busy(30))
    began = time.monotonic()
    with pytest.raises(RunStopped, match="refuses the key"):
        room.run([row("1/c/0", COUNT), row("2/c/0", PLACE)])
    assert time.monotonic() - began < 10


def test_the_ceiling_on_cost_holds_over_both_models_and_can_be_raised(room: Room) -> None:
    rows = [row(f"{n}/c/0", (f"How many dogs has picture {n}?", "One.")) for n in range(20)]
    usage = Usage(prompt_tokens=1000, completion_tokens=100)  # $0.0012
    room.serve("judge", lambda body: Completion(verdicts("supported"), usage=usage))
    room.serve("blind", lambda body: Completion(answer("One."), usage=usage))
    with pytest.raises(RunStopped, match=r"--max-cost 0\.03 is reached"):
        room.run(rows, max_usd=0.03)
    sums = read_sums(room.journal)
    assert 0.012 < sums.spent <= 0.03
    assert sums.reserved == 0
    assert room.run(rows, max_usd=1).samples == 20
    assert read_sums(room.journal).spent == pytest.approx(40 * 0.0012)


def test_the_file_is_in_the_order_of_the_rows_whatever_is_slow(room: Room) -> None:
    def play(body: Body) -> Answer:
        reply = verdicts("supported")
        return Late(0.3, reply) if "picture 0?" in last(body) else reply

    room.judge([row(f"{n}/c/0", (f"How many dogs has picture {n}?", "One.")) for n in range(30)], play)
    assert [each["id"] for each in room.table()] == [f"{n}/c/0" for n in range(30)]


def test_samples_are_drawn_by_their_ids_and_a_larger_share_holds_the_smaller(room: Room) -> None:
    names = [f"{n}/c/0" for n in range(4000)]
    third = {name for name in names if is_drawn(name, 0.3)}
    assert 1100 < len(third) < 1300
    assert third < {name for name in names if is_drawn(name, 0.5)}
    assert third != {name for name in names if is_drawn(name, 0.3, seed=1)}
    assert all(is_drawn(name, 1) for name in names)
    assert not any(is_drawn(name, 0) for name in names)
    figures = room.judge([row(name, COUNT) for name in names[:50]], lambda body: verdicts("supported"), share=0.3)
    assert figures["samples"] == figures["judged"] == len(third & set(names[:50]))
    assert [each["id"] for each in room.table()] == [name for name in names[:50] if name in third]


def test_nothing_to_judge_has_no_shares(room: Room) -> None:
    room.serve("judge", lambda body: verdicts("supported"))
    room.serve("blind", lambda body: answer("Yes."))
    figures = room.run([row("1/c/0")]).figures()
    assert [figures["judge"]["agreement"][name] for name in ("of", "share", "kappa")] == [0, None, None]
    assert figures["blind"]["right"]["share"] is None
    assert room.table() == []
    json.dumps(figures, allow_nan=False)


def test_kappa_is_cohens() -> None:
    assert kappa(
        {
            ("supported", "supported"): 20,
            ("supported", "contradicted"): 5,
            ("contradicted", "supported"): 10,
            ("contradicted", "contradicted"): 15,
        }
    ) == pytest.approx(0.4)
    assert kappa({("supported", "supported"): 3, ("contradicted", "contradicted"): 1}) == 1
    assert kappa({("supported", "contradicted"): 2, ("contradicted", "supported"): 2}) == -1
    assert kappa({("supported", "supported"): 9}) is None
    assert kappa({}) is None
