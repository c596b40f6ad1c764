"""What a person writes by hand (settings, ``kind.toml``, seed examples) and what a model writes (replies).

These are pydantic models, for its messages.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """Base of the hand-written and model-written records: frozen, and strict about unknown fields."""

    # Built when first used: a command uses two or three of the dozens that are loaded with it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def first_fault(error: ValidationError) -> str:
    """Return the first of pydantic's findings as ``field: what is wrong``, or without a field where it has none."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    told = first["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told
