"""A scene in words, as the text-only model sees it."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from pipeline.records import Box, ContextPart, Scene


def describe(scene: Scene, parts: Collection[ContextPart]) -> str:
    """Return the captions, a blank line, then one line a box, as plain text.

    The form is LLaVA's: ``category: [x1, y1, x2, y2]`` in fractions of the image, rounded to 3 decimals and printed as
    Python prints a list of floats (arXiv 2304.08485, section 3). A part that is not asked for, or that the scene does
    not have, leaves no blank line behind.
    """
    blocks = []
    if "captions" in parts and scene.captions:
        blocks.append("\n".join(scene.captions))
    if "boxes" in parts and scene.boxes:
        blocks.append(_box_lines(scene.boxes))
    return "\n\n".join(blocks)


class _Short(dict[str, str]):
    """Numbers with 3 decimals, as Python prints them: there are a thousand, and printing one takes its time."""

    def __missing__(self, number: str) -> str:
        self[number] = short = repr(float(number))
        return short


_short = _Short()


@lru_cache(maxsize=16)  # the samples of one scene come after each other
def _box_lines(boxes: tuple[Box, ...]) -> str:
    return "\n".join(
        [
            f"{box.label}: [{_short[f'{box.x0:.3f}']}, {_short[f'{box.y0:.3f}']},"
            f" {_short[f'{box.x1:.3f}']}, {_short[f'{box.y1:.3f}']}]"
            for box in boxes
        ]
    )


def can_describe(scene: Scene, parts: Collection[ContextPart]) -> bool:
    """Tell whether the scene has anything of what these parts show."""
    return bool(("captions" in parts and scene.captions) or ("boxes" in parts and scene.boxes))
