"""What a run will ask for and cost, told before a cent is spent, and told better once some of it is paid for.

Without any replies the tokens are estimated from the texts and the seed examples, and the range is wide enough for any
tokenizer in use. With ``ENOUGH`` replies of a kind in the journal, its real usage takes over, and the range shrinks.
Only ``LOOKED_AT`` requests of a kind are rendered; what is in the journal already is counted exactly, for a sample
without any reply there need not be rendered to know that.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from statistics import fmean, pstdev
from typing import Any, TypeVar

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.llm.journal import Journal
from pipeline.llm.prices import Price, cost_usd
from pipeline.llm.tokens import ZERO, Range, estimate_tokens
from pipeline.prompting.kinds import render_user
from pipeline.prompting.render import Prompt
from pipeline.prompting.replies import write_reply
from pipeline.samples.plan import Planned

_T = TypeVar("_T")

ENOUGH = 20  # replies of a kind, after which its own mean is better than what can be guessed
LOOKED_AT = 500  # requests of a kind; their mean is then known to 1 % or so
SURE = 2.0  # standard errors on either side: 19 of 20 cases

_MESSAGE = Range(3, 4, 9)  # what chat formats put around a message
_TRIED_AGAIN = Range(0, 0.02, 0.12)  # replies that cannot be read, as a share of the samples
_MENDING = 60  # tokens of the request to send a reply again, beside that reply


class KindForecast(msgspec.Struct, frozen=True):
    """What is still to come for one kind."""

    planned: int
    in_journal: int
    """Samples whose first request is answered in the journal already."""
    requests: Range
    prompt_tokens: Range
    cached_share: Range
    """Of the prompt's tokens, those served from the server's prefix cache."""
    completion_tokens: Range
    static_share: float
    """Of the prompt's tokens, those that are the same for all scenes; a prefix cache can serve no more."""
    measured: int
    """Replies in the journal that this rests on; 0 if it rests on the texts alone."""
    cost_usd: Range | None
    """``None`` where the price is not known."""


class Forecast(msgspec.Struct, frozen=True):
    """What is still to come, over all kinds."""

    requests: int
    """Most likely number, those that are asked again included."""
    in_journal: int
    prompt_tokens: Range
    cached_share: float
    completion_tokens: Range
    cost_usd: Range | None
    static_share: float
    by_kind: dict[str, KindForecast]


class _Paid(msgspec.Struct, frozen=True, gc=False):
    """What a reply in the journal used."""

    sample: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


def forecast(
    plan: Sequence[Planned],
    prompts: Mapping[str, Prompt],
    request: Callable[[Planned], tuple[bytes, bytes]],
    *,
    journal: Journal | None = None,
    price: Price | None = None,
    batch: bool = False,
) -> Forecast:
    """Return what is left to be asked for, and what it will cost.

    Args:
        plan: All samples of the run.
        prompts: By kind.
        request: Gives the key and the body of a sample's first request, exactly as they would be sent.
        journal: Of the run; ``None`` if there is none yet.
        price: Of the model; ``None`` if it is not known.
        batch: Whether the batch interface will be used.
    """
    paid = _read_paid(journal)
    samples = {reply.sample for reply in paid.values()}
    answered: dict[str, list[tuple[int, _Paid]]] = {name: [] for name in prompts}
    left = {name: array("I") for name in prompts}
    for place, planned in enumerate(plan):
        reply = paid.get(request(planned)[0]) if planned.id in samples else None
        if reply:
            answered[planned.kind].append((place, reply))
        else:
            left[planned.kind].append(place)
    by_kind: dict[str, KindForecast] = {}
    for name, prompt in prompts.items():
        if places := [*left[name][:1], *(place for place, _ in answered[name][:1])]:
            again = _share_tried_again([reply for _, reply in answered[name]], paid)
            body = request(plan[places[0]])[1]
            by_kind[name] = _forecast_kind(plan, prompt, body, answered[name], left[name], again, price, batch)
    return _add_up(by_kind)


def _read_paid(journal: Journal | None) -> dict[bytes, _Paid]:
    columns = "key, sample, model, prompt_tokens, cached_tokens, completion_tokens"
    rows = journal.query(f"SELECT {columns} FROM replies") if journal else []
    return {key: _Paid(*row) for key, *row in rows}


def _share_tried_again(answered: list[_Paid], paid: dict[bytes, _Paid]) -> Range:
    """Return how many replies a sample takes beyond its first, as a share of the samples."""
    if len(answered) < ENOUGH:
        return _TRIED_AGAIN
    ids = {reply.sample for reply in answered}
    models = {reply.model for reply in answered}  # the journal may have another model's replies to the same samples
    share = sum(reply.sample in ids and reply.model in models for reply in paid.values()) / len(ids) - 1
    # With none seen among so many there may still be one in three times as few.
    error = SURE * math.sqrt(max(share, 1 / len(ids)) / len(ids))
    return Range(max(0, share - error), share, share + error)


def _forecast_kind(
    plan: Sequence[Planned],
    prompt: Prompt,
    body: bytes,
    answered: list[tuple[int, _Paid]],
    left: Sequence[int],
    again: Range,
    price: Price | None,
    batch: bool,
) -> KindForecast:
    fields = msgspec.json.decode(body)
    static = _static_tokens(prompt, fields)
    looked_at = _spread(left) or _spread([place for place, _ in answered])
    prompts = [static + _scene_tokens(prompt, plan[place]) for place in looked_at]
    static_share = static.mid / fmean(tokens.mid for tokens in prompts)
    told = [reply for _, reply in answered if reply.prompt_tokens]  # servers that tell no usage teach nothing
    if len(told) >= ENOUGH:
        pairs = [(static + _scene_tokens(prompt, plan[place]), reply) for place, reply in _spread(answered)]
        each_prompt = _measured_prompt(pairs, prompts, len(left))
        each_reply = _mean([reply.completion_tokens for reply in told], len(left))
        share = sum(reply.cached_tokens for reply in told) / sum(reply.prompt_tokens for reply in told)
        cached = Range(0.9 * share, share, min(1.0, 1.1 * share + 0.02))
    else:
        each_prompt = _guessed_prompt(prompts)
        each_reply = _guessed_reply(prompt, fields)
        serves = static_share if price and price.cached_input is not None else 0.0
        cached = Range(0, serves, serves)
    total_prompt, total_reply = _total(len(left), each_prompt, each_reply, again)
    return KindForecast(
        planned=len(left) + len(answered),
        in_journal=len(answered),
        requests=Range(1 + again.low, 1 + again.mid, 1 + again.high) * len(left),
        prompt_tokens=total_prompt,
        cached_share=cached,
        completion_tokens=total_reply,
        static_share=static_share,
        measured=len(told) if len(told) >= ENOUGH else 0,
        cost_usd=_cost(price, total_prompt, cached, total_reply, batch) if price else None,
    )


def _spread(items: Sequence[_T]) -> Sequence[_T]:
    """Return at most ``LOOKED_AT`` items, evenly from first to last, the same ones every time."""
    return items[:: math.ceil(len(items) / LOOKED_AT) or 1]


def _static_tokens(prompt: Prompt, fields: dict[str, Any]) -> Range:
    """Return the tokens of all that is the same for every scene, the reply's schema included."""
    total = _MESSAGE
    for message in prompt.static:
        total += _MESSAGE + estimate_tokens(message.content)
    if schema := fields.get("response_format"):
        written = estimate_tokens(msgspec.json.encode(schema).decode())
        total += Range(0, written.mid / 2, written.high)  # some servers show it to the model, others only obey it
    return total


def _scene_tokens(prompt: Prompt, planned: Planned) -> Range:
    return estimate_tokens(render_user(prompt.kind, planned.scene))


def _measured_prompt(pairs: Sequence[tuple[Range, _Paid]], prompts: Sequence[Range], count: int) -> Range:
    """Return the mean tokens of a prompt, by how real ones compare with the estimates of their texts."""
    ratio = sum(reply.prompt_tokens for _, reply in pairs) / sum(guess.mid for guess, _ in pairs)
    off = pstdev([reply.prompt_tokens - ratio * guess.mid for guess, reply in pairs])
    mean = _mean([ratio * tokens.mid for tokens in prompts], count)
    error = SURE * off * (len(pairs) ** -0.5 + max(count, 1) ** -0.5)
    return Range(mean.low - error, mean.mid, mean.high + error)


def _guessed_prompt(prompts: Sequence[Range]) -> Range:
    mean = _mean([tokens.mid for tokens in prompts], LOOKED_AT)
    low, high = fmean(tokens.low for tokens in prompts), fmean(tokens.high for tokens in prompts)
    return Range(low * mean.low / mean.mid, mean.mid, high * mean.high / mean.mid)


def _guessed_reply(prompt: Prompt, fields: dict[str, Any]) -> Range:
    """Return the tokens of a reply like those of the seed examples, up to twice as long; or up to the bound."""
    kind = prompt.kind
    bound = fields.get("max_tokens") or fields.get("max_completion_tokens") or math.inf
    texts = [write_reply(example.turns, kind.file.shape, prompt.form) for example in kind.examples]
    if not texts:
        return Range(20, min(bound / 3, 300), min(bound, 4000))
    guesses = [estimate_tokens(text) for text in texts]
    low, mid, high = (fmean(side) for side in zip(*map(msgspec.structs.astuple, guesses), strict=True))
    return Range(min(0.4 * low, bound), min(0.9 * mid, bound), min(2 * high, bound))


def _mean(values: Sequence[float], count: int) -> Range:
    """Return the mean that ``count`` more values like these will have."""
    mean, spread = fmean(values), pstdev(values)
    error = SURE * spread * (len(values) ** -0.5 + max(count, 1) ** -0.5) + 0.005 * mean
    return Range(max(0, mean - error), mean, mean + error)


def _total(count: int, each_prompt: Range, each_reply: Range, again: Range) -> tuple[Range, Range]:
    """Return prompt and completion tokens of all requests; one that is asked again carries the bad reply with it."""
    sides = zip(*map(msgspec.structs.astuple, (each_prompt, each_reply, again)), strict=True)
    totals = [
        (count * (ask + more * (ask + reply + _MENDING)), count * reply * (1 + more)) for ask, reply, more in sides
    ]
    return Range(*(ask for ask, _ in totals)), Range(*(reply for _, reply in totals))


def _cost(price: Price, prompt: Range, cached: Range, reply: Range, batch: bool) -> Range:
    def cost(prompt_tokens: float, share: float, completion_tokens: float) -> float:
        tokens = round(prompt_tokens), round(prompt_tokens * share), round(completion_tokens)
        return cost_usd(price, *tokens, batch=batch)

    return Range(
        cost(prompt.low, cached.high, reply.low),
        cost(prompt.mid, cached.mid, reply.mid),
        cost(prompt.high, cached.low, reply.high),
    )


def _add_up(by_kind: dict[str, KindForecast]) -> Forecast:
    kinds = list(by_kind.values())
    prompt = sum((kind.prompt_tokens for kind in kinds), ZERO)
    costs = [kind.cost_usd for kind in kinds if kind.cost_usd]
    weights = [kind.prompt_tokens.mid or 1e-9 for kind in kinds]
    return Forecast(
        requests=round(sum(kind.requests.mid for kind in kinds)),
        in_journal=sum(kind.in_journal for kind in kinds),
        prompt_tokens=prompt,
        cached_share=_weighted([kind.cached_share.mid for kind in kinds], weights),
        completion_tokens=sum((kind.completion_tokens for kind in kinds), ZERO),
        cost_usd=sum(costs, ZERO) if len(costs) == len(kinds) else None,
        static_share=_weighted([kind.static_share for kind in kinds], weights),
        by_kind=by_kind,
    )


def _weighted(values: list[float], weights: list[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def describe_forecast(forecast: Forecast, width: int = 100) -> str:
    """Return a forecast as a table and a few lines for people, at most ``width`` columns wide."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("still to come")
    for head in ("in journal", "requests", "prompt tokens", "static", "reply tokens", "USD"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, kind in forecast.by_kind.items():
        table.add_row(
            Text(name),
            _part(kind.in_journal, kind.planned),
            f"{kind.requests.mid:,.0f}",
            _short(kind.prompt_tokens.mid),
            f"{kind.static_share:.0%}",
            _short(kind.completion_tokens.mid),
            f"{kind.cost_usd.mid:,.2f}" if kind.cost_usd else "?",
        )
    planned = sum(kind.planned for kind in forecast.by_kind.values())
    table.add_section()
    table.add_row(
        "in all",
        _part(forecast.in_journal, planned),
        f"{forecast.requests:,}",
        _short(forecast.prompt_tokens.mid),
        f"{forecast.static_share:.0%}",
        _short(forecast.completion_tokens.mid),
        f"{forecast.cost_usd.mid:,.2f}" if forecast.cost_usd else "?",
    )
    page = StringIO()
    console = Console(file=page, width=width, highlight=False)
    console.print(table)
    for line in _lines(forecast):
        console.print(line, markup=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines() if line.strip())


def _lines(forecast: Forecast) -> list[str]:
    prompt, reply, cost = forecast.prompt_tokens, forecast.completion_tokens, forecast.cost_usd
    if not forecast.requests:
        return ["every sample is in the journal; nothing is left to be paid for"]
    lines = [
        f"between, in 19 of 20 cases: {_short(prompt.low)} and {_short(prompt.high)} prompt tokens,"
        f" {_short(reply.low)} and {_short(reply.high)} reply tokens"
        + (f", {cost.low:,.2f} and {cost.high:,.2f} USD" if cost else ""),
        f"from the server's prefix cache: about {forecast.cached_share:.0%} of the prompt tokens",
    ]
    if cost is None:
        lines.append("the model's price is not known; pass --prices FILE to see the cost")
    measured = sum(kind.measured for kind in forecast.by_kind.values())
    if guessed := [name for name, kind in forecast.by_kind.items() if not kind.measured]:
        lines.append(f"{', '.join(guessed)}: guessed from texts and seed examples; a run with --limit 20 tells more")
    if measured:
        lines.append(f"{'the other kinds: ' if guessed else ''}measured on {measured:,} replies")
    return lines


def _part(count: int, whole: int) -> str:
    return f"{count:,} ({count / whole:.0%})"


def _short(number: float) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
