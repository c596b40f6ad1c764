"""Numbers and texts as the report says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_GRAVITY = {"contradicted": 3, "supported": 2, "not checkable": 1}
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Control characters, and those that turn the direction of all text after them."""


def plain(text: str) -> str:
    """Return a text without what steers a screen, and with what cannot be written replaced."""
    return text.translate(_CONTROLS).encode(errors="replace").decode()


def short(text: str, most: int = 26) -> str:
    """Return a name on one line, with no more characters than fit."""
    text = " ".join(plain(text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def named(kind: str, most: int = 40) -> str:
    """Return the name of a kind as words: ``detailed description``."""
    return short(kind.replace("_", " "), most)


def gravest(verdicts: Iterable[str]) -> str:
    """Return the verdict that matters most; empty of none."""
    return max(verdicts, key=lambda verdict: _GRAVITY.get(verdict, 0), default="")


def percent(share: float | None) -> str:
    """Return a share in per cent, with one decimal, or two where it is tiny."""
    if share is None:
        return "–"
    return f"{100 * share:.{2 if 0 < share < 0.001 else 1}f} %"


def interval(share: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a share, in per cent."""
    return f"{100 * share['low']:.1f}–{100 * share['high']:.1f} %"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 image``, ``1,200 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def money(usd: float) -> str:
    """Return an amount in US dollars, with as many decimals as say something."""
    return f"${usd:,.4f}" if 0 < usd < 0.1 else f"${usd:,.2f}"


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``40 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds_left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds_left} s" if seconds_left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def listed(parts: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
