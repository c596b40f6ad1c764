"""What a person writes by hand (settings, ``kind.toml``, seed examples) and what a model writes (replies).

These are pydantic models, for its messages.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import PipelineError


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


def read_toml(path: Path, *, flag: str = "", name: str = "") -> dict[str, Any]:
    """Return what a TOML file of a person's says.

    Args:
        path: Of the file.
        flag: What it came by, to begin a message with, such as ``--prices: ``.
        name: What it holds, where the flag does not tell, such as ``the synonyms at ``.

    Raises:
        PipelineError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PipelineError(f"{flag}cannot read {name}{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PipelineError(f"{flag}{path} is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{flag}{path}: {error}") from None
