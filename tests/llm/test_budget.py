from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.budget import Budget, may_be_billed, read_sums
from pipeline.llm.completions import read_completion
from pipeline.llm.endpoint import endpoint
from pipeline.llm.failures import FAILURES
from pipeline.llm.faults import Failure, Fault, Faults, Sent, script
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.money import NO_HOLD, Hold
from pipeline.llm.prices import Price, cost_usd, worst_usd
from pipeline.llm.server import background
from pipeline.llm.wire import Wire

PRICES = {"m": Price(input=1, cached_input=0.5, output=2)}
BODY, BOUND = 6000, 2000  # 6000 bytes at $1 and 2000 tokens at $2 a million: a cent at most
CENT = 0.01


def reply(prompt: int = 1000, cached: int = 0, completion: int = 500) -> Reply:
    """A reply that costs a fifth of a cent unless told otherwise."""
    return Reply("A dog.", None, "stop", "m", prompt, cached, completion)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Budget]]:
    """Return a maker of budgets on one file, each with a connection of its own, as processes have."""
    journals: list[Journal] = []

    def make(max_usd: float | None = None, **more: object) -> Budget:
        journals.append(Journal(tmp_path / "j.sqlite"))
        return Budget(journals[-1], PRICES, "m", max_usd=max_usd, **more)  # type: ignore[arg-type]

    yield make
    for journal in journals:
        journal.close()


def take(budget: Budget, key: bytes = b"k") -> Hold:
    hold = budget.reserve(key, BODY, BOUND)
    assert hold
    return hold


def test_a_request_is_counted_at_its_most_until_its_reply_tells_its_cost(opened: Callable[..., Budget]) -> None:
    budget = opened(1)
    hold = take(budget)
    assert (budget.sums().spent, budget.sums().reserved) == (0, CENT)
    kept = budget.keep(hold, b"k", "s", reply(1000, 400, 500))
    assert kept.cost_usd == pytest.approx((600 + 200 + 1000) / 1e6)
    assert (budget.sums().spent, budget.sums().reserved) == (kept.cost_usd, 0)


def test_a_refused_request_gives_its_place_back_and_a_lost_one_does_not(opened: Callable[..., Budget]) -> None:
    budget = opened(2 * CENT)
    refused, lost = take(budget), take(budget)
    assert budget.reserve(b"k", BODY, BOUND) is None
    budget.lose(lost)
    assert budget.reserve(b"k", BODY, BOUND) is None
    budget.release(refused)
    take(budget)
    assert budget.reserve(b"k", BODY, BOUND) is None


def test_a_lost_try_stays_counted_when_the_next_try_is_answered(opened: Callable[..., Budget]) -> None:
    budget = opened(1)
    budget.lose(take(budget))
    budget.keep(take(budget), b"k", "s", reply())
    assert budget.sums().reserved == CENT
    assert budget.sums().spent == 0.002


def test_a_second_reply_to_one_request_stays_counted_too(opened: Callable[..., Budget]) -> None:
    first, second = opened(1), opened(1)
    holds = take(first), take(first), take(second)
    first.keep(holds[0], b"k", "s", reply())
    first.keep(holds[1], b"k", "s", reply())
    second.keep(holds[2], b"k", "s", reply())
    assert (first.sums().spent, first.sums().reserved) == (0.006, 0)


def test_what_was_spent_without_a_ceiling_counts_once_there_is_one(opened: Callable[..., Budget]) -> None:
    free = opened()
    for n in range(5):
        free.keep(take(free, b"%d" % n), b"%d" % n, "s", reply())
    free.lose(take(free))
    assert opened(2 * CENT).reserve(b"k", BODY, BOUND) is None
    assert opened(3 * CENT).reserve(b"k", BODY, BOUND)


def test_replies_that_were_kept_without_a_price_are_priced_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    unpriced = Budget(journal, {}, "m")
    assert unpriced.keep(take(unpriced), b"k", "s", reply()).cost_usd is None
    assert read_sums(journal).spent == 0
    Budget(journal, PRICES, "m", max_usd=1)
    assert read_sums(journal).spent == 0.002
    assert (found := journal.find(b"k"))
    assert found.cost_usd == 0.002
    Budget(journal, PRICES, "m", max_usd=1)
    assert read_sums(journal).spent == 0.002
    journal.close()


def test_a_ceiling_needs_a_price_and_a_bound(opened: Callable[..., Budget], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "other.sqlite")
    with pytest.raises(PipelineError, match="no price for model 'new'; pass --prices"):
        Budget(journal, PRICES, "new", max_usd=1)
    journal.close()
    with pytest.raises(PipelineError, match="no bound on its reply"):
        opened(1).reserve(b"k", BODY, None)
    assert opened().reserve(b"k", BODY, None) == NO_HOLD


def test_a_free_model_has_no_ceiling_to_reach(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    budget = Budget(journal, {}, "llama", url="http://127.0.0.1:1/v1", max_usd=0)
    assert budget.keep(take(budget), b"k", "s", reply()).cost_usd == 0
    journal.close()


def test_the_batch_interface_costs_half(opened: Callable[..., Budget]) -> None:
    budget = opened(CENT, batch=True)
    holds = take(budget, b"1"), take(budget, b"2")
    assert budget.reserve(b"3", BODY, BOUND) is None
    assert budget.keep(holds[0], b"1", "s", reply()).cost_usd == 0.001


def test_a_reply_without_usage_is_counted_at_its_most(opened: Callable[..., Budget]) -> None:
    budget = opened(1)
    assert budget.keep(take(budget), b"k", "s", reply(0, 0, 0)).cost_usd == CENT


def test_a_server_that_counts_more_than_can_be_ends_the_run_with_the_reply_kept(
    opened: Callable[..., Budget], tmp_path: Path
) -> None:
    budget = opened(1)
    with pytest.raises(RunStopped, match="more than the request's bytes"):
        budget.keep(take(budget), b"k", "s", reply(prompt=20_000))
    assert Journal(tmp_path / "j.sqlite").find(b"k")
    assert budget.sums().spent == 0.021


def test_a_request_waits_for_the_room_that_others_in_flight_will_leave(opened: Callable[..., Budget]) -> None:
    budget = opened(1.5 * CENT)
    order: list[str] = []

    async def one(name: str) -> None:
        hold = await budget.admit(name.encode(), BODY, BOUND)
        order.append(f"{name} sent")
        await asyncio.sleep(0.01)
        budget.keep(hold, name.encode(), name, reply())
        order.append(f"{name} kept")

    async def run() -> None:
        await asyncio.gather(*map(one, "abc"))

    asyncio.run(run())
    assert order == ["a sent", "a kept", "b sent", "b kept", "c sent", "c kept"]


def test_the_run_ends_in_one_line_once_nothing_in_flight_can_make_room(opened: Callable[..., Budget]) -> None:
    budget = opened(1.5 * CENT)

    async def one(n: int) -> None:
        hold = await budget.admit(b"%d" % n, BODY, BOUND)
        await asyncio.sleep(0.001)
        budget.keep(hold, b"%d" % n, "s", reply())

    async def run() -> list[BaseException | None]:
        return await asyncio.gather(*map(one, range(9)), return_exceptions=True)

    ends = asyncio.run(run())
    # Fifths of a cent: the fourth request may still cost a cent on top of three that were answered, not of four.
    assert sum(end is None for end in ends) == 3
    told = {str(end) for end in ends if end}
    assert told == {
        "--max-cost 0.015 is reached: $0.0060 spent, the next request may cost $0.0100; all replies are kept, run again"
        " with a higher --max-cost to go on"
    }
    assert all(isinstance(end, RunStopped) for end in ends if end)


def test_a_lost_request_lets_those_that_wait_for_it_end(opened: Callable[..., Budget]) -> None:
    budget = opened(CENT)

    async def run() -> None:
        hold = await budget.admit(b"1", BODY, BOUND)
        waiting = asyncio.ensure_future(budget.admit(b"2", BODY, BOUND))
        await asyncio.sleep(0)
        budget.lose(hold)
        with pytest.raises(RunStopped, match=r"\$0.0000 spent and \$0.0100 held for requests without an answer"):
            await waiting

    asyncio.run(run())


# ── what a failure costs ─────────────────────────────────────────────────────────────────────────────────────────────


def failure_of(url: str) -> Exception:
    """Return the error of one real request."""

    async def run() -> Exception:
        async with Wire(endpoint(url, "k"), 1, timeout_s=0.3) as wire:
            with pytest.raises(FAILURES) as failure:
                await wire.post(b'{"model": "m", "messages": [{"role": "user", "content": "?"}]}')
        return failure.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "billed"),
    [
        (Failure(429), False),
        (Failure(400), False),
        (Failure(500), False),
        (Failure(503), False),
        (Failure(502), True),
        (Failure(504), True),
        (Fault.DROPPED, True),
        (Fault.HUNG, True),
    ],
    ids=str,
)
def test_only_what_the_server_itself_refused_is_sure_to_cost_nothing(answer: Sent, billed: bool) -> None:
    with background(script(answer), model="m") as server:
        assert may_be_billed(failure_of(server.base_url)) is billed


def test_what_never_reached_a_server_costs_nothing() -> None:
    with background(model="m") as server:
        url = server.base_url
    assert not may_be_billed(failure_of(url))


def test_under_faults_the_server_bills_no_more_than_the_ceiling(opened: Callable[..., Budget]) -> None:
    most, bound = 0.02, 300
    faults = Faults(share_429=0.1, share_500=0.1, share_dropped=0.05, share_hung=0.02, retry_after_s=0)
    budget = opened(most)

    async def one(wire: Wire, n: int) -> str:
        text = f"What is in picture {n}? " + "word " * (n % 50)
        body = b'{"model":"m","max_tokens":%d,"messages":[{"role":"user","content":"%b"}]}' % (bound, text.encode())
        for _ in range(20):
            hold = await budget.admit(b"%d" % n, len(body), bound)
            try:
                kept = budget.keep(hold, b"%d" % n, "s", read_completion(await wire.post(body)))
            except FAILURES as error:
                budget.settle_failure(hold, error)
                continue
            return f"cost {kept.cost_usd}"
        return "gave up"

    async def run(url: str) -> list[str | BaseException]:
        async with Wire(endpoint(url, "k"), 16, timeout_s=0.3) as wire:
            return await asyncio.gather(*(one(wire, n) for n in range(400)), return_exceptions=True)

    with background(lambda body: "A dog. " * 30, model="m", faults=faults) as server:
        ends = asyncio.run(run(server.base_url))
        stats = server.stats()
    price = PRICES["m"]
    billed = cost_usd(price, stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens)
    sums = budget.sums()
    assert billed == pytest.approx(sums.spent, abs=1e-6)
    assert most - worst_usd(price, 400, bound) < sums.spent + sums.reserved <= most
    assert sums.reserved > 0
    assert any(isinstance(end, RunStopped) for end in ends)
    assert not [end for end in ends if isinstance(end, BaseException) and not isinstance(end, RunStopped)]


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────
