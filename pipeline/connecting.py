"""A client for a model's server, made of what a person asked for; and how a person's Ctrl-C reaches it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pipeline.errors import Interrupted, PipelineError, RunStopped
from pipeline.llm.budget import Budget
from pipeline.llm.client import Client
from pipeline.llm.journal import Journal
from pipeline.llm.pacing import Pacing
from pipeline.llm.prices import load_prices
from pipeline.llm.wire import Sender
from pipeline.options import read_options
from pipeline.settings import KEY_VARIABLE, URL_VARIABLE, ServerSettings


def api_key(settings: ServerSettings) -> str:
    """Return the key to send; a local server's may be anything.

    Raises:
        PipelineError: There is none, and the server is OpenAI's, or it is none.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()  # keys that come from files often end in a line break
    if not key and not base_url(settings):
        raise PipelineError(f"no API key; set {KEY_VARIABLE}, or {URL_VARIABLE} or --base-url for a local server")
    if "\n" in key or "\r" in key:
        raise PipelineError(f"{KEY_VARIABLE} has a line break in it; set it to one key")
    return key or "none"


def base_url(settings: ServerSettings) -> str | None:
    """Return the address that the person named, on the command line or around it; ``None`` for OpenAI's."""
    return settings.base_url or os.environ.get(URL_VARIABLE) or None


def make_client(
    settings: ServerSettings,
    journal: Journal,
    sender: Sender,
    model: str,
    *,
    schema: bool,
    say: Callable[[str], None],
    known_as: str | None = None,
    options: dict[str, Any] | None = None,
) -> Client:
    """Return a client that paces itself, keeps every reply and holds the budget.

    Args:
        settings: How fast, and for how much.
        journal: Where replies are kept.
        sender: Posts the requests.
        model: Whom to ask.
        schema: Whether to ask for replies by JSON schema, where the server takes one.
        say: Takes a line for people.
        known_as: What stands for the server's address in the keys of requests, where the address changes.
        options: Sampling options beside the person's own.
    """
    return Client(
        journal,
        sender,
        Pacing(settings.concurrency, rpm=settings.rpm, tpm=settings.tpm),
        make_budget(settings, journal, model, sender.url),
        model,
        schema=schema,
        options=(options or {}) | read_options(list(settings.set)),
        give_up_s=settings.give_up,
        known_as=known_as,
        say=say,
    )


def make_budget(settings: ServerSettings, journal: Journal, model: str, url: str, *, batch: bool = False) -> Budget:
    """Return the budget of a model at a server; all budgets on one journal share the ceiling."""
    prices = load_prices(settings.prices)
    return Budget(journal, prices, model, url=url, max_usd=settings.max_cost, batch=batch)


@asynccontextmanager
async def in_background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines beside a block, and end them with it."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


@contextmanager
def stopping_on_interrupt(stop: Callable[[RunStopped], None], say: Callable[[str], None]) -> Iterator[None]:
    """Let the first Ctrl-C end the work once all that is in flight has been kept; the second ends it at once.

    Args:
        stop: Takes why nothing more should begin.
        say: Takes a line for people.
    """
    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        say("stopping; requests in flight are being kept (Ctrl-C again leaves them)")
        stop(Interrupted("stopped"))

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the run at once
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
