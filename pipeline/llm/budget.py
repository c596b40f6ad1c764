"""What a run has spent and may still spend: a ceiling that holds across kills, restarts and processes.

Before a request is sent, the most that it can cost is committed to the journal as reserved; the reply, once it is
committed, puts the true cost in its place in the same transaction. A request that was refused unprocessed gives its
reservation back. One that timed out, was dropped, or was in flight at a kill may have been billed, and nobody will
tell: it stays counted at its most, for good. So at any moment, and after any kill,

    spent + reserved <= ceiling,   what was billed <= spent + reserved.

The bound on a prompt's tokens is its bytes, about four times the truth. Measured tokens a byte would be tighter, but
no bound: the next scene may be in another script. Nothing is lost by it, for a request that does not fit waits while
others are in flight, and each of them leaves more room than it took. So a run stops within one request of its
ceiling, a little slower towards the end, and never over it.

Prices are those of the table; what a provider adds to its list (taxes, priority tiers, tools) is not in them.
"""

from __future__ import annotations

import asyncio
import math

import msgspec

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.failures import Declined, Unanswered
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.money import BILLIONTHS, NO_HOLD, Hold
from pipeline.llm.prices import Price, cost_usd, find_price, worst_usd

_ENDLESS = 2**62  # billionths of a dollar; a ceiling that nobody reaches, and far from the end of SQLite's integers

# A gateway says these when it lost sight of the server behind it, which may have done the work.
_OUTCOME_UNKNOWN = frozenset({408, 499, 502, 504, 520, 522, 524})


class Sums(msgspec.Struct, frozen=True):
    """Where a budget stands, in US dollars."""

    spent: float
    """For replies that are in the journal."""
    reserved: float
    """For requests in flight, and for those that may have been billed without an answer, at their most."""


class Budget:
    """The money of one journal, for one process and one model."""

    def __init__(
        self,
        journal: Journal,
        prices: dict[str, Price],
        model: str,
        *,
        url: str | None = None,
        max_usd: float | None = None,
        batch: bool = False,
    ) -> None:
        """Find the model's price, and count what the journal's earlier replies cost.

        Args:
            journal: Where money is counted.
            prices: As ``load_prices`` returns them.
            model: As the server knows it.
            url: The server's address; a model without a price is free on this machine.
            max_usd: The ceiling, over all that the journal has ever counted; none if ``None``.
            batch: Whether all requests go through the batch interface.

        Raises:
            PipelineError: There is a ceiling, and no price for the model.
        """
        self.price = find_price(prices, model, url)
        if self.price is None and max_usd is not None:
            raise PipelineError(f"--max-cost: no price for model {model!r}; pass --prices FILE with its price")
        self._journal = journal
        self._max_usd = max_usd
        self._ceiling = _ENDLESS if max_usd is None else int(max_usd * BILLIONTHS)
        self._batch = batch
        self._flying: set[int] = set()
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        if self.price is not None and not self.price.is_free:
            _price_earlier_replies(journal, prices, self.price)

    async def admit(self, key: bytes, body_bytes: int, max_tokens: int | None) -> Hold:
        """Return the leave to send one request once, waiting while requests in flight may still make room for it.

        Give it back by ``keep``, ``release`` or ``lose``, one of them and once.

        Args:
            key: Of the request.
            body_bytes: Length of its body.
            max_tokens: The bound on the reply that the body carries; ``None`` if it carries none.

        Raises:
            PipelineError: There is a ceiling, and no bound on the reply.
            RunStopped: The budget has no room for it, and nothing in flight can make any.
        """
        if not self._worst(body_bytes, max_tokens):
            return NO_HOLD
        async with self._turn:  # the first in the queue watches for room; those behind it do not ask the file
            while True:
                if hold := self.reserve(key, body_bytes, max_tokens):
                    return hold
                if not self._flying:
                    raise self._used_up(body_bytes, max_tokens)
                self._freed.clear()
                await self._freed.wait()

    def reserve(self, key: bytes, body_bytes: int, max_tokens: int | None) -> Hold | None:
        """Return the leave to send one request once, or ``None`` if there is no room for it now.

        Raises:
            PipelineError: There is a ceiling, and no bound on the reply.
        """
        worst = self._worst(body_bytes, max_tokens)
        if not worst:
            return NO_HOLD
        with self._journal.transaction():
            hold = self._journal.money.reserve(key, worst, self._ceiling)
        if hold and hold.id:
            self._flying.add(hold.id)
        return hold

    def keep(self, hold: Hold, key: bytes, sample: str, reply: Reply) -> Reply:
        """Commit a reply with its true cost in place of what was reserved, and return it with its cost.

        Raises:
            RunStopped: It cost more than it could, so that no ceiling can be held on this server; it is kept. Or the
                disk is full.
        """
        cost = self._cost(reply, hold)
        priced = reply if cost is None else msgspec.structs.replace(reply, cost_usd=cost / BILLIONTHS)
        self._journal.keep(key, sample, priced, hold)
        self._land(hold)
        if hold.id is not None and cost is not None and cost > hold.worst and self._max_usd is not None:
            raise RunStopped(
                f"--max-cost: the server counted {reply.prompt_tokens:,} + {reply.completion_tokens:,} tokens, more"
                " than the request's bytes and its bound on the reply allow; run without --max-cost on this server"
            )
        return priced

    def release(self, hold: Hold) -> None:
        """Give back what was reserved for a request that was not billed."""
        if hold.id is not None:
            with self._journal.transaction():
                self._journal.money.settle(hold, 0)
            self._journal.money.settled(hold, 0)
        self._land(hold)

    def lose(self, hold: Hold) -> None:
        """Leave counted at its most what may have been billed."""
        self._land(hold)

    def settle_failure(self, hold: Hold, error: BaseException) -> None:
        """Release or lose a request that failed, by what its failure tells."""
        if may_be_billed(error):
            self.lose(hold)
        else:
            self.release(hold)

    def sums(self) -> Sums:
        """Return where the budget stands, over all processes."""
        return read_sums(self._journal)

    def _land(self, hold: Hold) -> None:
        if hold.id is not None:
            self._flying.discard(hold.id)
            self._freed.set()

    def _worst(self, body_bytes: int, max_tokens: int | None) -> int:
        if self.price is None or self.price.is_free:
            return 0
        if max_tokens is None:
            if self._max_usd is not None:
                raise PipelineError(
                    "--max-cost: the request has no bound on its reply; leave max_tokens or max_completion_tokens in"
                )
            return 0
        return _count(worst_usd(self.price, body_bytes, max_tokens, batch=self._batch))

    def _cost(self, reply: Reply, hold: Hold) -> int | None:
        if self.price is None:
            return None
        if self.price.is_free:
            return 0
        if not reply.prompt_tokens:  # the server tells no usage; a prompt of no tokens does not exist
            return hold.worst
        tokens = reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens
        return _count(cost_usd(self.price, *tokens, batch=self._batch))

    def _used_up(self, body_bytes: int, max_tokens: int | None) -> RunStopped:
        sums = self.sums()
        unanswered = f" and {_dollars(sums.reserved)} held for requests without an answer" if sums.reserved else ""
        next_one = _dollars(self._worst(body_bytes, max_tokens) / BILLIONTHS)
        return RunStopped(
            f"--max-cost {self._max_usd:g} is reached: {_dollars(sums.spent)} spent{unanswered}, the next request may"
            f" cost {next_one}; all replies are kept, run again with a higher --max-cost to go on"
        )


def may_be_billed(error: BaseException) -> bool:
    """Tell whether a request that failed in this way may cost something all the same.

    It may not if no connection came about, or if the server itself answered that it will not do it.
    """
    if isinstance(error, Declined):
        return error.status in _OUTCOME_UNKNOWN
    return not isinstance(error, Unanswered) or error.reached


def read_sums(journal: Journal) -> Sums:
    """Return what a journal has counted so far."""
    spent, reserved = journal.money.read()
    return Sums(spent / BILLIONTHS, reserved / BILLIONTHS)


def _price_earlier_replies(journal: Journal, prices: dict[str, Price], price: Price) -> None:
    """Give a cost to replies that were kept while their price was not known; by this run's price if need be."""
    columns = "rowid, model, prompt_tokens, cached_tokens, completion_tokens"
    total = 0
    with journal.transaction() as db:
        for number, model, *tokens in db.execute(f"SELECT {columns} FROM replies WHERE cost_usd IS NULL").fetchall():
            cost = _count(cost_usd(find_price(prices, model) or price, *tokens))
            db.execute("UPDATE replies SET cost_usd = ? WHERE rowid = ?", (cost / BILLIONTHS, number))
            total += cost
        journal.money.settle(NO_HOLD, total)
    journal.money.settled(NO_HOLD, total)


def _count(usd: float) -> int:
    """Return dollars as whole billionths, upwards, but not for what floating point adds at the sixteenth digit."""
    return math.ceil(usd * BILLIONTHS - 1e-4)


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
