"""Furniture, tableware, fruit and things, each on its own sheet, standing on the lower edge."""

from __future__ import annotations

import math
from random import Random

from pipeline.annotations.drawn.sheet import (
    CREAM,
    INK,
    RGB,
    Shape,
    Sheet,
    arc,
    box,
    dark,
    light,
    mirrored,
    mix,
    oval,
    paint,
    rounded,
    soft,
)

LEAF: RGB = (72, 150, 96)
WOOD: RGB = (168, 116, 76)


def chair(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a chair from the front, 62 × 100 units."""
    shade = dark(colour, 0.25)
    for x in (15, 47):
        sheet.line([(x, 62), (x, 92)], 4.6, shade)
    for x in (8, 54):
        sheet.line([(x, 62), (x, 97)], 5.4, colour)
    for x in (11, 51):
        sheet.line([(x, 8), (x, 58)], 5.4, colour)
    for y in (10, 25, 40):
        sheet.fill(rounded(10, y - 5, 52, y + 5, 3), light(colour, 0.12))
    sheet.fill(soft([(10, 54), (31, 52), (52, 54), (59, 64), (31, 66), (3, 64)]), light(colour, 0.25))
    sheet.fill(rounded(3, 63, 59, 69, 2), shade)


def couch(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a two-seat couch with a cushion, 210 × 100 units."""
    for x in (26, 184):
        sheet.line([(x, 86), (x, 97)], 5, WOOD)
    sheet.fill(rounded(22, 4, 188, 74, 16), dark(colour, 0.08))
    sheet.line([(105, 12), (105, 54)], 2, dark(colour, 0.26))
    sheet.fill(rounded(18, 74, 192, 91, 5), dark(colour, 0.22))
    for x in (22, 106):
        sheet.fill(rounded(x, 51, x + 82, 76, 8), light(colour, 0.12))
        sheet.stain(box(x, 69, x + 82, 77), INK, 0.12)
    for x in (3, 177):
        sheet.fill(rounded(x, 33, x + 30, 92, 13), colour)
        sheet.stain(rounded(x + 5, 38, x + 25, 56, 9), CREAM, 0.16)
    sheet.fill(
        soft([(42, 26), (58, 23), (74, 28), (71, 42), (73, 56), (57, 54), (40, 56), (43, 41)]), light(colour, 0.6)
    )


def dining_table(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a table with a clear top, 230 × 100 units; things stand on its top, 8 to 24 units down."""
    shade = dark(colour, 0.22)
    for x in (40, 190):
        sheet.fill([(x - 6, 30), (x + 6, 30), (x + 3, 88), (x - 3, 88)], dark(colour, 0.36))
    for x in (16, 214):
        sheet.fill([(x - 7, 30), (x + 7, 30), (x + 4, 99.6), (x - 4, 99.6)], shade)
    sheet.fill(box(12, 30, 218, 42), dark(colour, 0.3))
    sheet.fill([(22, 4), (208, 4), (229, 28), (1, 28)], light(colour, 0.14))
    sheet.stain([(40, 4), (96, 4), (70, 28), (8, 28)], CREAM, 0.12)
    sheet.fill(rounded(1, 27, 229, 34, 2), shade)


def potted_plant(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a plant with leaves of ``colour`` in some pot, 80 × 100 units."""
    pot = paint(rng.choice(("orange", "white", "brown", "pink", "yellow")), rng)
    leaves = [(-62, 44), (62, 44), (-34, 54), (34, 54), (-84, 32), (84, 32), (0, 56), (-16, 46), (18, 44)]
    for i, (tilt, length) in enumerate(leaves):
        angle = math.radians(tilt - 90)
        dx, dy = math.cos(angle), math.sin(angle)
        x, y, wide = 40.0, 61.0, length * 0.19
        mid, tip = (x + dx * length * 0.6, y + dy * length * 0.6), (x + dx * length, y + dy * length)
        sides = [(mid[0] - dy * wide, mid[1] + dx * wide), (mid[0] + dy * wide, mid[1] - dx * wide)]
        green = mix(colour, (150, 196, 96), 0.5) if i % 3 == 2 else dark(colour, 0.16) if i % 2 else colour
        sheet.fill(soft([(x, y), sides[0], tip, sides[1]]), green)
        sheet.line([(x, y), tip], 0.9, dark(green, 0.25))
    sheet.fill([(19, 64), (61, 64), (55, 99.6), (25, 99.6)], pot)
    sheet.fill(rounded(15, 58, 65, 68, 3), light(pot, 0.14))
    sheet.stain([(48, 56), (66, 56), (66, 100), (44, 100)], INK, 0.15)


def vase(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a vase with three flowers, 60 × 100 units."""
    bloom = paint(rng.choice(("pink", "yellow", "white", "red", "purple")), rng)
    for x, y in ((16, 16), (44, 14), (30, 8)):
        sheet.line([(30, 54), (30 + (x - 30) * 0.5, 34), (x, y)], 1.8, LEAF)
        for petal in range(6):
            angle = petal * math.pi / 3
            sheet.fill(oval(x + 4.4 * math.cos(angle), y + 4.4 * math.sin(angle), 3.3), bloom)
        sheet.fill(oval(x, y, 2.8), (250, 200, 80))
    sheet.fill(soft([(30, 46), (36, 34), (46, 32), (41, 42)]), LEAF)
    curve = mirrored([(30, 45), (22, 46), (23, 54), (12, 68), (11, 82), (18, 99), (30, 99.8)], 30)
    sheet.fill(soft(curve), colour)
    sheet.stain(box(8, 70, 52, 77), light(colour, 0.8), 0.7)
    sheet.stain(soft([(40, 44), (52, 66), (54, 84), (44, 102), (34, 102), (44, 80)]), INK, 0.18)
    sheet.stain(oval(19, 72, 2.6, 9), CREAM, 0.5)


def cup(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a mug with its handle on the right, 116 × 100 units."""
    sheet.line(arc(86, 48, 22, 22, -95, 95), 11, dark(colour, 0.14))
    sheet.fill([(6, 13), (90, 13), *arc(69, 84, 16, 15.6, 10, 90), *arc(27, 84, 16, 15.6, 90, 170)], colour)
    sheet.stain([(62, 10), (92, 10), (92, 101), (54, 101)], INK, 0.13)
    sheet.fill(oval(48, 13, 42.5, 11), light(colour, 0.3))
    sheet.fill(oval(48, 14.5, 36, 8), (110, 72, 50))
    sheet.stain(rounded(15, 32, 22, 76, 3.5), CREAM, 0.5)


def bottle(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a bottle with a label, 36 × 100 units."""
    outline = mirrored([(13, 10), (13, 30), (5, 42), (3, 52), (3, 96), (4.4, 98.8), (7, 99.8)], 18)
    sheet.fill(outline, colour)
    sheet.fill(rounded(11.5, 1, 24.5, 12, 2), dark(colour, 0.45))
    sheet.fill(box(3, 58, 33, 82), CREAM)
    sheet.fill(oval(18, 70, 6), light(colour, 0.2))
    sheet.stain([(24, 0), (36, 0), (36, 101), (24, 101)], INK, 0.16)
    sheet.stain(rounded(7, 46, 10, 94, 1.5), CREAM, 0.45)


def bowl(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an empty bowl, 170 × 100 units."""
    sheet.fill(rounded(54, 88, 116, 99.6, 4), dark(colour, 0.3))
    sheet.fill([*arc(85, 22, 83, 72, 0, 180)], colour)
    sheet.stain(soft([(120, 20), (170, 20), (140, 80), (90, 98), (60, 96), (116, 70)]), INK, 0.14)
    sheet.fill(oval(85, 22, 83, 20), light(colour, 0.35))
    sheet.fill(oval(85, 24, 73, 15), dark(colour, 0.14))
    sheet.stain(soft([(20, 52), (150, 52), (144, 62), (26, 62)]), CREAM, 0.55)


def apple(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an apple, 96 × 100 units."""
    sheet.fill(
        soft(
            [
                (48, 30),
                (66, 22),
                (88, 32),
                (92, 58),
                (78, 90),
                (60, 99),
                (48, 95),
                (36, 99),
                (18, 90),
                (4, 58),
                (8, 32),
                (30, 22),
            ]
        ),
        colour,
    )
    sheet.stain(soft([(78, 20), (100, 50), (82, 98), (50, 104), (70, 80), (80, 54)]), INK, 0.14)
    sheet.stain(soft([(20, 36), (30, 32), (24, 46), (18, 58), (14, 50)]), CREAM, 0.55)
    sheet.line([(48, 32), (50, 16), (54, 8)], 4.4, (112, 76, 50))
    sheet.fill(soft([(53, 20), (62, 6), (80, 4), (72, 18)]), LEAF)


def orange(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an orange, 100 × 100 units."""
    sheet.fill(oval(50, 53, 46), colour)
    sheet.stain(soft([(84, 18), (102, 56), (72, 104), (28, 104), (62, 84), (80, 56)]), dark(colour, 0.8), 0.16)
    sheet.stain(oval(33, 36, 9, 6), CREAM, 0.45)
    for x, y in ((60, 40), (48, 62), (68, 66), (34, 74), (74, 48), (54, 82), (26, 56)):
        sheet.stain(oval(x, y, 1.6), dark(colour, 0.5), 0.3)
    sheet.fill(oval(50, 12, 4.4, 3), (122, 92, 54))
    sheet.fill(soft([(52, 12), (62, 1), (82, 4), (70, 15)]), LEAF)


def banana(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a banana lying on its back, 170 × 100 units."""
    sheet.fill(
        soft(
            [
                (6, 22),
                (16, 18),
                (34, 44),
                (72, 60),
                (112, 56),
                (144, 34),
                (150, 6),
                (162, 4),
                (166, 40),
                (142, 80),
                (96, 99),
                (52, 92),
                (20, 62),
            ]
        ),
        colour,
    )
    sheet.stain(
        soft([(16, 50), (50, 76), (96, 82), (140, 62), (166, 30), (168, 60), (100, 106), (40, 100)]),
        dark(colour, 0.6),
        0.2,
    )
    sheet.fill(soft([(148, 4), (150, 0.5), (163, 0.5), (164, 8), (156, 12)]), (120, 92, 56))
    sheet.fill(oval(10, 21, 6, 5), (120, 92, 56))


def clock(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a round wall clock with a rim of ``colour``, 100 × 100 units."""
    sheet.fill(oval(50, 50, 49.5), colour)
    sheet.stain(soft([(90, 20), (104, 60), (70, 104), (30, 102), (70, 90)]), INK, 0.18)
    sheet.fill(oval(50, 50, 37), CREAM)
    for hour in range(12):
        angle = hour * math.pi / 6
        inner = 27 if hour % 3 == 0 else 30
        dx, dy = math.cos(angle), math.sin(angle)
        sheet.line([(50 + dx * inner, 50 + dy * inner), (50 + dx * 32, 50 + dy * 32)], 2.6, INK)
    minutes = rng.randrange(0, 720, 5)
    for turn, length, width in ((minutes / 720, 18, 4.2), (minutes % 60 / 60, 27, 3)):
        angle = 2 * math.pi * turn - math.pi / 2
        sheet.line([(50, 50), (50 + length * math.cos(angle), 50 + length * math.sin(angle))], width, INK)
    sheet.fill(oval(50, 50, 3.6), colour)


def book(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a thick book that stands with its cover towards us, 78 × 100 units."""
    sheet.fill(rounded(10, 3, 76, 97, 3), dark(colour, 0.3))
    sheet.fill(box(10, 6, 73, 94), (244, 236, 218))
    sheet.fill(rounded(3, 1, 66, 99.6, 3), colour)
    sheet.stain(box(3, 0, 14, 100), INK, 0.2)
    sheet.fill(rounded(23, 18, 58, 42, 2), light(colour, 0.7))
    sheet.line([(29, 26), (52, 26)], 2.6, dark(colour, 0.2))
    sheet.line([(33, 34), (48, 34)], 2.6, dark(colour, 0.2))
    sheet.fill(oval(40.5, 68, 10), light(colour, 0.35))


def tv(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a television that shows a little landscape, 150 × 100 units."""
    sheet.fill(box(70, 84, 80, 96), dark(colour, 0.2))
    sheet.fill(rounded(46, 94, 104, 99.6, 3), colour)
    sheet.fill(rounded(1, 1, 149, 88, 5), colour)
    sheet.fill(box(7, 7, 143, 81), (128, 196, 226))
    sheet.fill(oval(112, 28, 10), (255, 226, 130))
    sheet.fill([(7, 81), (7, 58), (34, 40), (62, 58), (90, 36), (143, 66), (143, 81)], (92, 150, 170))
    sheet.fill([(7, 81), (7, 70), (60, 60), (110, 70), (143, 64), (143, 81)], (110, 184, 130))
    sheet.stain([(30, 7), (58, 7), (34, 81), (7, 81), (7, 70)], CREAM, 0.16)


def laptop(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an open laptop, 150 × 100 units."""
    sheet.fill(rounded(20, 1, 130, 76, 5), colour)
    sheet.fill(box(26, 7, 124, 71), (70, 108, 150))
    sheet.fill(box(26, 7, 124, 17), (98, 142, 186))
    for y, length in ((28, 48), (38, 62), (48, 38), (58, 54)):
        sheet.line([(35, y), (35 + length, y)], 3.2, (178, 208, 230))
    sheet.stain([(92, 7), (116, 7), (92, 71), (68, 71)], CREAM, 0.14)
    sheet.fill([(20, 76), (130, 76), (149, 94), (1, 94)], light(colour, 0.3))
    sheet.fill([(28, 79), (122, 79), (130, 87), (20, 87)], dark(colour, 0.3))
    sheet.fill(rounded(1, 93, 149, 99.4, 3), dark(colour, 0.14))


def donut(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an iced donut that leans back, 130 × 100 units."""
    dough = (222, 168, 104)
    sheet.fill(oval(65, 54, 64, 45), dough)
    sheet.stain(soft([(1, 60), (65, 90), (129, 60), (120, 104), (10, 104)]), dark(dough, 0.7), 0.22)
    sheet.fill(
        soft(
            [
                (4, 48),
                (20, 18),
                (65, 7),
                (110, 18),
                (126, 48),
                (114, 70),
                (98, 66),
                (84, 80),
                (64, 72),
                (46, 82),
                (32, 68),
                (14, 70),
            ]
        ),
        colour,
    )
    sheet.fill(oval(65, 44, 19, 11), dark(dough, 0.35))
    sheet.fill(oval(65, 47, 17, 8), dough)
    for i, (x, y) in enumerate(
        ((24, 44), (38, 26), (62, 18), (90, 24), (108, 42), (98, 56), (74, 66), (48, 64), (30, 58), (84, 38), (42, 42))
    ):
        sprinkle = ((255, 240, 150), (120, 200, 220), CREAM)[i % 3]
        sheet.line([(x, y), (x + 5 * (-1) ** i, y + 3)], 2.8, sprinkle)


def cake(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a small cake with icing of ``colour`` and one candle, 130 × 100 units."""
    sponge = (236, 200, 148)
    sheet.fill(oval(65, 92, 64, 7.5), (214, 220, 230))
    sheet.fill(rounded(14, 44, 116, 94, 8), sponge)
    sheet.fill(box(14, 66, 116, 73), light(colour, 0.3))
    drip: Shape = [(116 - 12 * i, 56 if i % 2 == 0 else 67) for i in range(1, 8)]
    sheet.fill(soft([(14, 40), (116, 40), (117, 58), *drip, (15, 62)]), colour)
    sheet.fill(oval(65, 40, 51.5, 11), light(colour, 0.22))
    sheet.stain(box(92, 38, 120, 96), INK, 0.1)
    for x in (34, 96):
        sheet.fill(oval(x, 35, 7), (214, 52, 66))
    sheet.fill(box(62, 18, 68, 40), (140, 190, 230))
    sheet.fill(soft([(65, 2), (70, 12), (65, 18), (60, 12)]), (255, 190, 70))
