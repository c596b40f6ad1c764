"""Backgrounds under a roof: rooms, a kitchen, shelves. Things may stand on what is drawn here."""

from __future__ import annotations

import math

from pipeline.annotations.drawn.sheet import CREAM, RGB, box, dark, light, mix, oval, rounded
from pipeline.annotations.drawn.view import View

WALLS: tuple[RGB, ...] = (
    (246, 228, 206),
    (206, 226, 220),
    (228, 216, 234),
    (250, 220, 200),
    (198, 216, 232),
    (240, 222, 178),
)
WOODS: tuple[RGB, ...] = ((206, 160, 116), (190, 140, 98), (220, 180, 138))


def _room(v: View, floor: float) -> None:
    wall, wood = v.rng.choice(WALLS), v.rng.choice(WOODS)
    v.wash(0, floor, light(wall, 0.2), wall)
    v.wash(floor, 1, dark(wood, 0.06), light(wood, 0.14))
    for i in range(1, 4):
        y = floor + (1 - floor) * (i / 4) ** 1.3
        v.fill(box(0, y, 1, y + 0.004), dark(wood, 0.14))
    v.fill(box(0, floor - 0.022, 1, floor), light(wall, 0.65))


def _window(v: View, x: float, y: float, width: float, height: float, curtains: bool) -> None:
    """Draw a window onto a sunny garden, its upper left corner at ``(x, y)``."""
    frame = (252, 250, 246)
    v.fill(box(x - 0.014, y - 0.018, x + width + 0.014, y + height + 0.018), frame)
    for i in range(12):
        v.fill(
            box(x, y + height * i / 12, x + width, y + height * (i + 1.05) / 12),
            mix((132, 198, 232), (224, 240, 240), i / 12),
        )
    hill = [(x + width * i / 12, y + height * (0.72 - 0.12 * math.sin(i / 3.4))) for i in range(13)]
    v.fill([*hill, (x + width, y + height), (x, y + height)], (138, 192, 124))
    v.fill(box(x + width / 2 - 0.005, y, x + width / 2 + 0.005, y + height), frame)
    v.fill(box(x, y + height * 0.46, x + width, y + height * 0.46 + 0.013), frame)
    v.fill(box(x - 0.03, y + height + 0.012, x + width + 0.03, y + height + 0.034), dark(frame, 0.08))
    if curtains:
        cloth = v.rng.choice(((232, 150, 130), (120, 160, 190), (226, 190, 110), (150, 176, 140)))
        for side, edge in ((-1, x), (1, x + width)):
            fall = [
                (edge + side * 0.05, y - 0.03),
                (edge - side * 0.05, y - 0.03),
                (edge - side * 0.03, y + height * 0.6),
                (edge + side * 0.0, y + height + 0.05),
            ]
            v.fill([*fall, (edge + side * 0.055, y + height + 0.05)], cloth)
            v.fill(
                [
                    fall[0],
                    (edge + side * 0.02, y - 0.03),
                    (edge + side * 0.03, y + height + 0.05),
                    (edge + side * 0.055, y + height + 0.05),
                ],
                dark(cloth, 0.1),
            )
        v.fill(box(x - 0.08, y - 0.045, x + width + 0.08, y - 0.03), (168, 122, 86))
    v.keep_clear(x - 0.08, y - 0.05, x + width + 0.08, y + height + 0.06)
    v.seen.append("window")


def _picture(v: View, y: float) -> None:
    """Hang a small framed landscape near the right edge."""
    tall = 0.19
    wide = tall * 0.8 * v.h / v.w
    x = 0.96 - wide
    v.keep_clear(x - 0.02, y - 0.03, 1, y + tall)
    v.fill(box(x, y, x + wide, y + tall), (150, 108, 78))
    v.fill(box(x + wide * 0.08, y + tall * 0.06, x + wide * 0.92, y + tall * 0.94), CREAM)
    v.round(x + wide * 0.66, y + tall * 0.3, tall * 0.09, (246, 204, 110))
    for low, high, colour in ((0.62, 0.5, (104, 150, 160)), (0.7, 0.8, (232, 150, 110))):
        slope = [(x + wide * 0.14, y + tall * low), (x + wide * 0.86, y + tall * high)]
        v.fill([*slope, (x + wide * 0.86, y + tall * 0.9), (x + wide * 0.14, y + tall * 0.9)], colour)


def living_room(v: View) -> None:
    """Draw a wall with a window and a picture, a wooden floor and a rug."""
    _room(v, 0.7)
    _window(v, v.rng.choice((0.12, 0.36)), 0.12, 0.28, 0.34, curtains=True)
    _picture(v, 0.3)
    rug = v.rng.choice(((214, 120, 110), (112, 150, 170), (232, 196, 140), (158, 140, 184)))
    for share, shade in ((1.0, dark(rug, 0.12)), (0.92, light(rug, 0.25)), (0.8, rug)):
        shape = oval(0.5 * v.w, 0.875 * v.h, 0.38 * v.w * share, 0.1 * v.h * share)
        v.sheet.fill(shape, shade)
    v.seen.append("rug")


def kitchen(v: View) -> None:
    """Draw a tiled wall with a window above a worktop and its cupboards."""
    wall = v.rng.choice(WALLS)
    v.wash(0, 0.7, light(wall, 0.3), light(wall, 0.1))
    for row in range(5):
        y = 0.44 + row * 0.05
        for column in range(17):
            x = column / 16 - (row % 2) / 32
            v.fill(box(x + 0.002, y + 0.003, x + 1 / 16 - 0.002, y + 0.047), light(wall, 0.62))
    _window(v, v.rng.choice((0.1, 0.34, 0.58)), 0.07, 0.28, 0.28, curtains=v.rng.random() < 0.5)
    wood, front = (
        v.rng.choice(WOODS),
        v.rng.choice(((112, 150, 160), (236, 228, 214), (140, 168, 140), (206, 130, 112))),
    )
    v.wash(0.69, 0.82, dark(wood, 0.04), light(wood, 0.26))
    v.fill(box(0, 0.82, 1, 0.845), dark(wood, 0.2))
    v.wash(0.845, 1, dark(front, 0.12), front)
    for i in range(4):
        v.fill(box(i / 4 + 0.012, 0.87, (i + 1) / 4 - 0.012, 1), light(front, 0.14))
        v.sheet.fill(rounded((i / 4 + 0.1) * v.w, 0.895 * v.h, (i / 4 + 0.15) * v.w, 0.907 * v.h, 3), dark(front, 0.45))


def dining_room(v: View) -> None:
    """Draw a room with a window and space for a table."""
    _room(v, 0.76)
    _window(v, 0.36, 0.08, 0.28, 0.32, curtains=v.rng.random() < 0.6)


def shelves(v: View) -> None:
    """Draw two long wooden shelves on a plain wall."""
    wall, wood = v.rng.choice(WALLS), dark(v.rng.choice(WOODS), 0.08)
    v.wash(0, 1, light(wall, 0.25), wall)
    for y in (0.44, 0.86):
        v.sheet.stain(box(0.06 * v.w, (y + 0.03) * v.h, 0.96 * v.w, (y + 0.06) * v.h), dark(wall, 0.7), 0.28, 6)
        v.fill(box(0.05, y - 0.004, 0.95, y + 0.018), light(wood, 0.2))
        v.fill(box(0.05, y + 0.018, 0.95, y + 0.04), dark(wood, 0.12))
        for x in (0.14, 0.84):
            v.fill([(x, y + 0.04), (x + 0.02, y + 0.04), (x + 0.02, y + 0.09), (x + 0.012, y + 0.1)], dark(wood, 0.3))
    v.seen.append("shelves")
