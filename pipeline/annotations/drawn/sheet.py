"""A sheet of paper, a few shapes and named colours: all that the drawings are made of.

Shapes are lists of points, so that two verbs are enough: ``fill`` lays paint, ``stain`` shades what is already there.
Sheets are drawn a few times too large and shrunk at the end, which is what makes edges smooth.
"""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Shape = list[Point]
RGB = tuple[int, int, int]

FINER = 3  # 4 costs twice the time and nobody could tell the pictures apart

# The first word is what captions say; every paint under it must pass for that word even on a thumbnail.
PAINTS: dict[str, tuple[RGB, ...]] = {
    "red": ((216, 58, 62), (200, 44, 58)),
    "orange": ((240, 138, 44), (233, 122, 38)),
    "yellow": ((250, 206, 66), (246, 194, 48)),
    "green": ((74, 163, 92), (52, 146, 100)),
    "blue": ((58, 116, 200), (66, 138, 214)),
    "purple": ((132, 88, 178), (148, 98, 190)),
    "pink": ((242, 142, 172), (236, 124, 160)),
    "white": ((246, 244, 240), (250, 248, 242)),
    "black": ((54, 52, 62), (46, 48, 56)),
    "brown": ((146, 98, 66), (126, 82, 54)),
    "grey": ((150, 154, 164), (138, 144, 154)),
}
INK: RGB = (48, 44, 56)
CREAM: RGB = (252, 246, 232)


def paint(name: str, rng: Random) -> RGB:
    """Return one of the paints called ``name``, very slightly lighter or darker."""
    r, g, b = rng.choice(PAINTS[name])
    shift = rng.randint(-7, 5)
    return (min(255, r + shift), min(255, g + shift), min(255, b + shift))


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """Return the colour ``share`` of the way from ``a`` to ``b``."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def dark(colour: RGB, share: float = 0.22) -> RGB:
    """Return ``colour`` in the shade: towards a deep indigo, which is prettier than black."""
    return mix(colour, (34, 28, 66), share)


def light(colour: RGB, share: float = 0.3) -> RGB:
    """Return ``colour`` in the light."""
    return mix(colour, (255, 252, 240), share)


def box(x0: float, y0: float, x1: float, y1: float) -> Shape:
    """Return a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Shape:
    """Return points of an ellipse from ``start`` to ``end`` degrees, clockwise on the page, 0 pointing right."""
    steps = max(6, round(abs(end - start) / 9))
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def oval(x: float, y: float, rx: float, ry: float | None = None) -> Shape:
    """Return an ellipse around ``(x, y)``; a circle if ``ry`` is left out."""
    return arc(x, y, rx, rx if ry is None else ry, 0, 360)


def rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> Shape:
    """Return a rectangle with round corners."""
    r = min(r, (x1 - x0) / 2, (y1 - y0) / 2)
    return (
        arc(x1 - r, y0 + r, r, r, -90, 0)
        + arc(x1 - r, y1 - r, r, r, 0, 90)
        + arc(x0 + r, y1 - r, r, r, 90, 180)
        + arc(x0 + r, y0 + r, r, r, 180, 270)
    )


def mirrored(half: Shape, x: float) -> Shape:
    """Return an outline from its left half, listed from top to bottom, and the mirror image of that beyond ``x``."""
    return half + [(2 * x - px, py) for px, py in reversed(half)]


def soft(points: Shape) -> Shape:
    """Return a smooth closed curve through ``points`` (Catmull-Rom)."""
    curve: Shape = []
    n = len(points)
    for i in range(n):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = (points[(i + k) % n] for k in (-1, 0, 1, 2))
        for step in range(8):
            t = step / 8
            wa, wb = -t + 2 * t * t - t**3, 2 - 5 * t * t + 3 * t**3
            wc, wd = t + 4 * t * t - 3 * t**3, t**3 - t * t
            curve.append(((wa * ax + wb * bx + wc * cx + wd * dx) / 2, (wa * ay + wb * by + wc * cy + wd * dy) / 2))
    return curve


def gradient(size: tuple[int, int], first: RGB, last: RGB) -> Image.Image:
    """Return an RGB picture of ``size`` pixels that fades from ``first`` at the top to ``last`` at the bottom."""
    mask = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", size, last), Image.new("RGB", size, first), mask)


class Sheet:
    """Transparent paper of ``width`` × ``height`` units; a unit is ``unit`` pixels when finished, y grows downwards."""

    def __init__(self, width: float, height: float, unit: float, finer: int = FINER) -> None:
        self.finer = finer
        self.grain = unit * finer
        size = (max(1, round(width * unit)) * finer, max(1, round(height * unit)) * finer)
        self.image = Image.new("RGBA", size)
        self.pencil = ImageDraw.Draw(self.image)

    def _dots(self, shape: Shape) -> Shape:
        return [(x * self.grain, y * self.grain) for x, y in shape]

    def fill(self, shape: Shape, colour: RGB) -> None:
        """Paint ``shape`` over what is there."""
        self.pencil.polygon(self._dots(shape), fill=colour)

    def line(self, points: Shape, width: float, colour: RGB) -> None:
        """Paint a line of ``width`` units with round ends and corners."""
        dots, thick = self._dots(points), max(1, round(width * self.grain))
        self.pencil.line(dots, fill=colour, width=thick, joint="curve")
        for x, y in (dots[0], dots[-1]):
            r = thick / 2
            self.pencil.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def wash(self, top: float, bottom: float, first: RGB, last: RGB) -> None:
        """Paint the whole width from ``top`` to ``bottom``, fading from ``first`` to ``last``."""
        y0, y1 = round(top * self.grain), round(bottom * self.grain)
        self.image.paste(gradient((self.image.width, max(1, y1 - y0)), first, last), (0, y0))

    def stain(self, shape: Shape, colour: RGB, strength: float, blur: float = 0) -> None:
        """Tint ``shape`` by ``strength`` (0 to 1) where something is painted; ``blur`` (units) softens its edge."""
        dots, room = self._dots(shape), math.ceil(3 * blur * self.grain)
        xs, ys = [x for x, _ in dots], [y for _, y in dots]
        left, top = max(0, math.floor(min(xs)) - room), max(0, math.floor(min(ys)) - room)
        right = min(self.image.width, math.ceil(max(xs)) + 1 + room)
        bottom = min(self.image.height, math.ceil(max(ys)) + 1 + room)
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in dots], fill=round(255 * strength))
        if blur:
            mask = mask.filter(ImageFilter.BoxBlur(blur * self.grain))
        below = self.image.crop((left, top, right, bottom))
        tinted = Image.composite(Image.new("RGB", below.size, colour), below.convert("RGB"), mask)
        tinted.putalpha(below.getchannel("A"))
        self.image.paste(tinted, (left, top))

    def finished(self) -> Image.Image:
        """Return the sheet at its true size in pixels, RGBA, with smooth edges."""
        return self.image.reduce(self.finer)
