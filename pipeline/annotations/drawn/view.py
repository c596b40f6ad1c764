"""A background in the making: its sheet in fractions of the picture, its hour, and notes on what it shows."""

from __future__ import annotations

from random import Random

from pipeline.annotations.drawn.sheet import RGB, Shape, Sheet, mix, oval


class View:
    """The sheet, its size in pixels, the hour (``day``, ``sunset``, ``night``) and what it shows so far."""

    def __init__(self, width: int, height: int, mood: str, rng: Random) -> None:
        self.w, self.h, self.mood, self.rng = width, height, mood, rng
        self.sheet = Sheet(width, height, 1, finer=2)
        self.seen: list[str] = []
        self.busy: list[tuple[float, float, float, float]] = []  # what floating things keep clear of: corners in pixels

    def tone(self, colour: RGB) -> RGB:
        """Return ``colour`` as it looks at this hour."""
        if self.mood == "night":
            return mix(colour, (26, 34, 88), 0.52)
        return mix(colour, (246, 138, 96), 0.2) if self.mood == "sunset" else colour

    def fill(self, shape: Shape, colour: RGB) -> None:
        """Paint ``shape``, given in fractions of the picture."""
        self.sheet.fill([(x * self.w, y * self.h) for x, y in shape], colour)

    def round(self, x: float, y: float, r: float, colour: RGB) -> None:
        """Paint a circle; ``r`` is a fraction of the height."""
        self.sheet.fill(oval(x * self.w, y * self.h, r * self.h), colour)

    def keep_clear(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Let nothing hang or fly before this box, given in fractions of the picture."""
        self.busy.append((x0 * self.w, y0 * self.h, x1 * self.w, y1 * self.h))

    def wash(self, top: float, bottom: float, first: RGB, last: RGB) -> None:
        """Fade from ``first`` to ``last`` over the whole width."""
        self.sheet.wash(top * self.h, bottom * self.h, first, last)
