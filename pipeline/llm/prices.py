"""What a model costs: a small table that travels with the package, and the user's own, which comes first.

A model without an entry has no price. It is never guessed from a similar name: a ceiling on a guess is none.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from pipeline.errors import PipelineError
from pipeline.validated import Record, first_fault, read_toml

_SHIPPED = Path(__file__).with_suffix(".toml")
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_PROVIDER = "openai/"  # routers put it before the names of the models in the shipped table


class Price(Record):
    """What a model's tokens cost, in US dollars per million."""

    input: float = Field(ge=0, allow_inf_nan=False)
    """Prompt tokens."""
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Prompt tokens that the provider's cache served; as much as the others if left out."""
    output: float = Field(ge=0, allow_inf_nan=False)
    """Completion tokens, those of hidden reasoning included."""
    batch_factor: float = Field(default=0.5, gt=0, le=1)
    """What the batch interface costs, as a share of the price."""
    as_of: date | None = None
    """The day on which the price was last known to hold."""

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not (self.input or self.cached_input or self.output)


FREE = Price(input=0, output=0)


def load_prices(own: Path | None = None) -> dict[str, Price]:
    """Return prices by model name, those of the user's file before the shipped ones.

    Raises:
        PipelineError: The user's file cannot be read, or an entry of it is wrong.
    """
    return _read(_SHIPPED) | (_read(own) if own else {})


def find_price(prices: dict[str, Price], model: str, url: str | None = None) -> Price | None:
    """Return a model's price, or ``None`` where the table has none.

    Args:
        prices: As ``load_prices`` returns them.
        model: The exact name is looked for first, then the name without the date of a snapshot
            (``gpt-4o-mini-2024-07-18``), then both without a router's ``openai/``.
        url: The server's address. A model without an entry costs nothing on this machine; one with an entry costs what
            the entry says even here, for the server may be a proxy that pays.
    """
    for name in (model, model.removeprefix(_PROVIDER)):
        for known in (name, _SNAPSHOT.sub("", name)):
            if known in prices:
                return prices[known]
    return FREE if url and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1") else None


def cost_usd(
    price: Price, prompt_tokens: int, cached_tokens: int, completion_tokens: int, *, batch: bool = False
) -> float:
    """Return what a request costs, in US dollars.

    Args:
        price: Of the model.
        prompt_tokens: All of the prompt's, the cached ones included.
        cached_tokens: Those of the prompt's that the provider's cache served.
        completion_tokens: All that were written.
        batch: Whether the request went through the batch interface.
    """
    cached = min(cached_tokens, prompt_tokens)
    cached_input = price.input if price.cached_input is None else price.cached_input
    usd = (prompt_tokens - cached) * price.input + cached * cached_input + completion_tokens * price.output
    return usd / 1e6 * (price.batch_factor if batch else 1)


def worst_usd(price: Price, body_bytes: int, max_tokens: int, *, batch: bool = False) -> float:
    """Return the most that a request can cost, in US dollars, known before it is sent.

    Args:
        price: Of the model.
        body_bytes: Length of the request's body. No tokenizer in use makes more tokens than there are bytes, and the
            JSON around each message is longer than the few tokens that a chat format puts around it.
        max_tokens: The bound on the reply that the request carries.
        batch: Whether the request goes through the batch interface.
    """
    dearest = max(price.input, price.cached_input or 0)
    usd = body_bytes * dearest + max_tokens * price.output
    return usd / 1e6 * (price.batch_factor if batch else 1)


def _read(path: Path) -> dict[str, Price]:
    entries = read_toml(path, flag="--prices: ")
    return {model: _entry(path, model, entry) for model, entry in entries.items()}


def _entry(path: Path, model: str, entry: Any) -> Price:
    if not isinstance(entry, dict):
        raise PipelineError(f'--prices: {path}: {model} is no entry; write ["MODEL"] and below it input and output')
    if any(isinstance(value, dict) for value in entry.values()):
        raise PipelineError(f'--prices: {path}: [{model}.…] is cut at its dot; write the name in quotes: ["MODEL"]')
    try:
        return Price.model_validate(entry)
    except ValidationError as error:
        raise PipelineError(f"--prices: {path}: {model}: {first_fault(error)}") from None
