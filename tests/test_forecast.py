from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipeline.forecast import Forecast, describe_forecast, forecast
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.prices import Price, cost_usd
from pipeline.llm.tokens import Range, estimate_tokens
from pipeline.planning import read_source
from pipeline.prompting.kinds import load_kinds, render_user
from pipeline.prompting.render import build_prompt, encode_messages, render_messages
from pipeline.prompting.replies import write_reply
from pipeline.records import Box, Message, Scene
from pipeline.samples.plan import Planned, plan_each, request_seed
from pipeline.settings import GenerateSettings

KINDS = load_kinds()
PROMPTS = {name: build_prompt(kind, "json") for name, kind in KINDS.items()}
PRICE = Price(input=0.15, cached_input=0.075, output=0.60)
CAPTIONS = {
    "English": "A brown dog runs over the grassy hill while two people watch it from a wooden bench near the lake",
    "German": "Ein brauner Hund läuft über die grasbewachsene Hügellandschaft während zwei Menschen zusehen",
    "French": "Un chien brun court sur la colline herbeuse pendant que deux personnes le regardent d'un banc",
    "Russian": "Коричневая собака бежит по травянистому холму а два человека смотрят на неё со скамейки у озера",
    "Hindi": "एक भूरा कुत्ता घास वाली पहाड़ी पर दौड़ता है जबकि दो लोग झील के पास बेंच से उसे देखते हैं",
    "Chinese": "一只 棕色的狗 在 长满草的 山坡上 奔跑 两个人 坐在 湖边的 木头长椅上 看着它",
    "Emoji": "🐕 runs 🏃‍♀️ over 🌿 the hill ⛰️ while 👫 watch 👀 from a bench 🪑 near the lake 🏞️",
}
# Characters a token of words that are not ASCII, for the worst and the best of tokenizers in use.
CHARACTERS_A_TOKEN = {"German": (2, 5), "French": (2, 5), "Russian": (1.2, 4.5), "Hindi": (0.6, 4)}


def plan_in(language: str, kind: str, count: int, dice: random.Random) -> list[Planned]:
    words = CAPTIONS[language].split()
    scenes = []
    for n in range(count):
        captions = tuple(" ".join(dice.choices(words, k=dice.randint(6, 20))) + "." for _ in range(dice.randint(3, 6)))
        corners = [sorted(dice.random() for _ in range(2)) for _ in range(2 * dice.randint(0, 14))]
        boxes = tuple(
            Box(dice.choice(words), a, c, b, d) for (a, b), (c, d) in zip(corners[::2], corners[1::2], strict=True)
        )
        scenes.append(Scene(str(n), "", 640, 480, captions, boxes))
    return plan_each(scenes, {kind: KINDS[kind]}, {kind: 1})


def request(planned: Planned) -> tuple[bytes, bytes]:
    prompt = PROMPTS[planned.kind]
    messages = encode_messages(prompt, [Message("user", render_user(prompt.kind, planned.scene))])
    body = b'{"model":"m","max_tokens":%d,"messages":%b}' % (prompt.kind.file.max_tokens, messages)
    return hashlib.sha256(b"%d\0%b" % (request_seed(planned, 0, 0), body)).digest(), body


def made_up_tokenizer(language: str, dice: random.Random) -> Callable[[str], int]:
    """Return a tokenizer as there might be one, by rules other than those of the estimate."""
    if dice.random() < 0.15:
        return lambda text: math.ceil(len(text) / 4)
    longest, group, together = dice.uniform(5, 12), dice.choice([1, 3]), dice.random() < 0.5
    other = dice.uniform(*CHARACTERS_A_TOKEN.get(language, (0.6, 1.8)))

    def count(text: str) -> int:
        tokens = 0
        for piece in re.findall(r"[^\W\d_]+|\d+|[^\w\s]+|\n", text):
            if piece.isdigit():
                tokens += math.ceil(len(piece) / group)
            elif piece.isascii() and piece.isalpha():
                tokens += math.ceil(len(piece) / longest)
            elif piece.isascii():
                tokens += 1 if together else len(piece)
            else:
                tokens += math.ceil(len(piece) / other)
        return tokens

    return count


class World:
    """A server with its tokenizer and a model with its habits, and what a plan then really costs."""

    def __init__(self, language: str, kind: str, seed: int) -> None:
        dice = random.Random(f"{language} {kind} {seed}")
        self.dice, self.prompt = dice, PROMPTS[kind]
        self.plan = plan_in(language, kind, dice.choice([60, 100]), dice)
        self.count = made_up_tokenizer(language, dice)
        self._static = sum(self.count(message.content) + 4 for message in self.prompt.static)
        shown = [write_reply(example.turns, KINDS[kind].file.shape, "json") for example in KINDS[kind].examples]
        self._mean = sum(map(self.count, shown)) / len(shown) * dice.uniform(0.5, 1.6)
        self._again = dice.uniform(0, 0.08)

    def replies(self, planned: Planned) -> list[Reply]:
        """Return what the sample takes: a reply, and another one if that cannot be read."""
        prompt = self._static + 4 + self.count(render_user(self.prompt.kind, planned.scene))
        replies: list[Reply] = []
        while not replies or self.dice.random() < self._again:
            completion = min(
                self.prompt.kind.file.max_tokens, round(self.dice.lognormvariate(math.log(self._mean), 0.3))
            )
            replies.append(Reply("x", None, "stop", "m", prompt, round(0.8 * self._static), completion))
            prompt += completion + 50
        return replies


def holds(told: Range, truth: float) -> bool:
    assert told.low <= told.mid <= told.high
    return told.low <= truth <= told.high


def truth_of(replies: list[Reply]) -> tuple[int, int, float]:
    tokens = [(reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) for reply in replies]
    cost = sum(cost_usd(PRICE, *each) for each in tokens)
    return sum(prompt for prompt, _, _ in tokens), sum(reply for _, _, reply in tokens), cost


def score(told: Forecast, replies: list[Reply]) -> list[bool]:
    prompt, completion, cost = truth_of(replies)
    assert told.cost_usd
    return [holds(told.prompt_tokens, prompt), holds(told.completion_tokens, completion), holds(told.cost_usd, cost)]


@pytest.mark.parametrize("language", CAPTIONS)
def test_the_truth_is_between_the_bounds_before_anything_is_known(language: str) -> None:
    scores = []
    for seed in range(20):
        world = World(language, list(KINDS)[seed % len(KINDS)], seed)
        told = forecast(world.plan, {world.prompt.kind.name: world.prompt}, request, price=PRICE)
        scores.append(score(told, [reply for planned in world.plan for reply in world.replies(planned)]))
    for held in zip(*scores, strict=True):
        assert sum(held) >= 18


@pytest.mark.parametrize("language", CAPTIONS)
def test_the_truth_is_between_much_closer_bounds_after_a_few_replies(language: str, tmp_path: Path) -> None:
    scores, shrunk = [], []
    for seed in range(20):
        world = World(language, list(KINDS)[seed % len(KINDS)], seed)
        prompts = {world.prompt.kind.name: world.prompt}
        journal = Journal(tmp_path / f"{seed}.sqlite")
        for planned in world.plan[:30]:
            first, *others = world.replies(planned)
            journal.keep(request(planned)[0], planned.id, first)
            for n, other in enumerate(others):
                journal.keep(b"%d %d %b" % (seed, n, planned.id.encode()), planned.id, other)
        before = forecast(world.plan[30:], prompts, request, price=PRICE)
        told = forecast(world.plan, prompts, request, journal=journal, price=PRICE)
        journal.close()
        assert told.in_journal == 30
        scores.append(score(told, [reply for planned in world.plan[30:] for reply in world.replies(planned)]))
        assert told.cost_usd
        assert before.cost_usd
        shrunk.append((told.cost_usd.high - told.cost_usd.low) / (before.cost_usd.high - before.cost_usd.low))
    for held in zip(*scores, strict=True):
        assert sum(held) >= 18
    assert sorted(shrunk)[10] < 1 / 3


def test_a_plan_that_is_all_in_the_journal_costs_nothing(tmp_path: Path) -> None:
    world = World("English", "conversation", 1)
    journal = Journal(tmp_path / "j.sqlite")
    for planned in world.plan:
        journal.keep(request(planned)[0], planned.id, world.replies(planned)[0])
    told = forecast(world.plan, PROMPTS, request, journal=journal, price=PRICE)
    journal.close()
    assert (told.requests, told.in_journal, told.cost_usd) == (0, len(world.plan), Range(0, 0, 0))
    assert "nothing is left to be paid for" in describe_forecast(told)


def test_replies_to_other_requests_for_the_same_samples_are_not_counted(tmp_path: Path) -> None:
    world = World("English", "conversation", 2)
    journal = Journal(tmp_path / "j.sqlite")
    for planned in world.plan:
        journal.keep(b"an older template " + planned.id.encode(), planned.id, world.replies(planned)[0])
    told = forecast(world.plan, PROMPTS, request, journal=journal)
    journal.close()
    assert told.in_journal == 0
    assert told.requests >= len(world.plan)


def test_only_some_hundred_samples_of_a_kind_are_rendered() -> None:
    plan = plan_in("English", "conversation", 1200, random.Random(0))
    asked: list[str] = []

    def counted(planned: Planned) -> tuple[bytes, bytes]:
        asked.append(planned.id)
        return request(planned)

    few = forecast(plan, PROMPTS, counted, price=PRICE)
    assert len(asked) == 1  # without a journal, for the fields that all requests share
    whole = sum(estimate_tokens(render_user(KINDS["conversation"], planned.scene)).mid for planned in plan)
    static = sum(
        estimate_tokens(message.content).mid + 4
        for message in [*render_messages(PROMPTS["conversation"], plan[0].scene)[:-1], Message("user", "")]
    )
    assert few.prompt_tokens.mid == pytest.approx((whole + 1200 * static) * 1.02, rel=0.02)


def test_without_a_price_tokens_are_told_and_no_cost() -> None:
    told = forecast(World("English", "conversation", 3).plan, PROMPTS, request)
    assert told.cost_usd is None
    text = describe_forecast(told)
    assert "price is not known; pass --prices" in text
    assert "guessed from texts and seed examples" in text


def test_the_table_can_be_read_in_a_terminal_and_names_of_kinds_are_no_markup() -> None:
    world = World("English", "conversation", 4)
    told = forecast(world.plan, PROMPTS, request, price=PRICE)
    text = describe_forecast(msgspec.structs.replace(told, by_kind={"[red]mine": told.by_kind["conversation"]}))
    assert "[red]mine" in text
    assert "0 (0%)" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_the_batch_interface_halves_the_cost() -> None:
    plan = World("English", "conversation", 5).plan
    whole, half = (forecast(plan, PROMPTS, request, price=PRICE, batch=batch).cost_usd for batch in (False, True))
    assert whole
    assert half
    assert half.mid == pytest.approx(whole.mid / 2)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # As OpenAI's o200k cuts them, counted by hand.
        ("A dog runs.", 4),
        ("dog: [0.25, 0.123, 0.5, 1.0]", 22),
        ("", 0),
    ],
)
def test_known_texts_have_their_known_tokens_between_the_bounds(text: str, tokens: int) -> None:
    assert holds(estimate_tokens(text), tokens)


def test_boxes_have_more_tokens_than_prose_of_their_length() -> None:
    boxes, prose = "dog: [0.25, 0.123, 0.5, 1.0]", "A small dog runs over grass."
    assert len(boxes) == len(prose)
    assert estimate_tokens(boxes).mid > 2 * estimate_tokens(prose).mid


def test_most_of_a_shipped_prompt_is_the_same_for_all_of_coco(coco_sample: Path) -> None:
    shares: dict[str, float] = {}
    for split in ("train", "val"):
        source = read_source(
            GenerateSettings(
                captions=coco_sample / f"captions_{split}.json", instances=coco_sample / f"instances_{split}.json"
            )
        )
        told = forecast(source.plan, PROMPTS, request, price=PRICE)
        shares |= {f"{split} {name}": round(kind.static_share, 3) for name, kind in told.by_kind.items()}
        assert told.cached_share >= 0.85
    assert min(shares.values()) >= 0.85, shares


def test_every_kind_is_forecast_apart() -> None:
    scenes = [planned.scene for planned in plan_in("English", "conversation", 10, random.Random(1))]
    told = forecast(plan_each(scenes, KINDS, dict.fromkeys(KINDS, 2)), PROMPTS, request, price=PRICE)
    assert {name: kind.planned for name, kind in told.by_kind.items()} == dict.fromkeys(KINDS, 20)
    assert told.prompt_tokens.mid == pytest.approx(sum(kind.prompt_tokens.mid for kind in told.by_kind.values()))
