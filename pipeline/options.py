"""What the texts of some flags say: counts, weights and context parts by kind, sampling options."""

from __future__ import annotations

import json
from typing import Any, get_args

from pipeline.records import ContextPart

MOST_SAMPLES = 10_000_000  # a plan is kept in memory, 10 bytes a sample


def read_counts(text: str) -> dict[str, int]:
    """Read ``conversation=2,complex_reasoning`` as counts by name; a name alone counts 1.

    Raises:
        ValueError: A count is no whole number of at least 1, or a name comes twice.
    """
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.partition("="))
        if not name or (equals and not (count.isdecimal() and int(count) > 0)):
            raise ValueError(f"{part.strip()!r} is not KIND or KIND=COUNT with a count of at least 1")
        if name in counts:
            raise ValueError(f"{name!r} comes twice")
        counts[name] = int(count) if equals else 1
        if counts[name] > MOST_SAMPLES:
            raise ValueError(f"{part.strip()!r}: at most {MOST_SAMPLES:,} samples of a kind can be planned")
    return counts


def read_weights(text: str) -> dict[str, float]:
    """Read ``conversation,detailed_description=0.05`` as weights by name; a name alone weighs 1.

    Raises:
        ValueError: A weight is no number above 0 and at most 1000, or a name comes twice.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = (word.strip() for word in part.partition("="))
        try:
            number = float(weight) if equals else 1.0
        except ValueError:
            number = 0.0
        if not name or not 0 < number <= 1000:
            raise ValueError(f"{part.strip()!r} is not KIND or KIND=WEIGHT with a weight above 0")
        if name in weights:
            raise ValueError(f"{name!r} comes twice")
        weights[name] = number
    return weights


def read_parts(text: str) -> dict[str, tuple[ContextPart, ...]]:
    """Read ``conversation=captions,complex_reasoning=captions+boxes`` as context parts by kind.

    Raises:
        ValueError: The text has another form, or names another part.
    """
    parts: dict[str, tuple[ContextPart, ...]] = {}
    for part in text.split(","):
        name, _, shown = (word.strip() for word in part.partition("="))
        names = tuple(word.strip() for word in shown.split("+"))
        if not name or not set(names) <= set(get_args(ContextPart)):
            raise ValueError(f"{part.strip()!r} is not KIND=captions, KIND=boxes or KIND=captions+boxes")
        parts[name] = names  # type: ignore[assignment]  # checked against the literal above
    return parts


def read_options(pairs: list[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs, the value as JSON where it is JSON, as text where it is not.

    Raises:
        ValueError: A pair has no ``=``, names a field that the pipeline itself fills, or has a value that no request
            can hold: a number without end or a nesting without bottom.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{pair!r} is not NAME=VALUE")
        if name.strip() in ("model", "messages", "stream", "n"):
            raise ValueError(f"{name.strip()!r} is not for --set; the pipeline fills it")
        try:
            options[name.strip()] = json.loads(value)
        except ValueError:
            options[name.strip()] = value
        except RecursionError:
            raise ValueError(f"the value of {name.strip()!r} is nested too deeply") from None
        try:
            json.dumps(options[name.strip()], allow_nan=False)
        except ValueError:
            raise ValueError(f"{pair!r} has a number that JSON cannot hold") from None
    return options
