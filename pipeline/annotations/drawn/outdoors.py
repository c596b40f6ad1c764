"""Vehicles, toys and street furniture, each on its own sheet, standing on the lower edge."""

from __future__ import annotations

import math
from random import Random

from pipeline.annotations.drawn.sheet import (
    CREAM,
    INK,
    PAINTS,
    RGB,
    Sheet,
    arc,
    box,
    dark,
    light,
    mix,
    oval,
    rounded,
    soft,
)

GLASS: RGB = (196, 226, 240)
TYRE: RGB = (56, 54, 64)
STEEL: RGB = (172, 178, 190)
WOOD: RGB = (176, 122, 78)


def _wheel(sheet: Sheet, x: float, y: float, r: float) -> None:
    sheet.fill(oval(x, y, r), TYRE)
    sheet.fill(oval(x, y, r * 0.58), (206, 210, 216))
    sheet.fill(oval(x, y, r * 0.26), (120, 124, 136))


def car(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a car, 210 × 100 units."""
    sheet.fill(soft([(52, 44), (72, 12), (104, 6), (136, 12), (164, 44), (110, 52)]), colour)
    sheet.fill(
        soft([(4, 60), (14, 44), (60, 38), (150, 38), (194, 48), (207, 64), (204, 82), (104, 86), (8, 82)]), colour
    )
    sheet.stain(box(0, 68, 210, 90), INK, 0.16)
    sheet.stain(soft([(20, 47), (100, 42), (190, 52), (100, 49)]), CREAM, 0.4)
    sheet.fill([(64, 40), (79, 18), (102, 14), (102, 41)], GLASS)
    sheet.fill([(109, 14), (131, 18), (150, 42), (109, 41)], GLASS)
    for x in (84, 116):
        sheet.stain([(x, 12), (x + 7, 12), (x - 2, 44), (x - 9, 44)], (255, 255, 255), 0.5)
    sheet.line([(105.5, 46), (105.5, 78)], 1.2, dark(colour, 0.3))
    sheet.line([(112, 54), (120, 54)], 2.6, dark(colour, 0.45))
    sheet.fill(oval(199, 60, 6, 5), (255, 236, 160))
    sheet.fill(rounded(4, 56, 12, 66, 3), (232, 92, 84))
    for x in (50, 162):
        sheet.fill(oval(x, 80, 20.5), dark(colour, 0.45))
        _wheel(sheet, x, 82, 17.5)


def bus(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a city bus, 210 × 100 units."""
    sheet.fill(rounded(4, 4, 206, 88, 10), colour)
    sheet.stain(box(4, 62, 206, 90), INK, 0.14)
    sheet.fill(box(4, 56, 206, 61), light(colour, 0.6))
    for x in (14, 46, 78, 110):
        sheet.fill(rounded(x, 16, x + 28, 48, 4), GLASS)
        sheet.stain([(x + 14, 14), (x + 22, 14), (x + 10, 50), (x + 2, 50)], (255, 255, 255), 0.5)
    sheet.fill(rounded(144, 16, 168, 84, 3), dark(GLASS, 0.16))
    sheet.line([(156, 18), (156, 83)], 1.6, dark(colour, 0.3))
    sheet.fill(rounded(176, 16, 206, 52, 5), GLASS)
    sheet.stain([(196, 14), (204, 14), (190, 54), (182, 54)], (255, 255, 255), 0.5)
    sheet.fill(oval(201, 70, 4.5, 5), (255, 236, 160))
    sheet.fill(rounded(2, 66, 8, 78, 2), (232, 92, 84))
    for x in (44, 166):
        sheet.fill(oval(x, 84, 15.5), dark(colour, 0.45))
        _wheel(sheet, x, 85.5, 13.5)


def truck(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a lorry whose load and cab share ``colour``, 190 × 100 units."""
    sheet.fill(box(8, 76, 182, 86), TYRE)
    sheet.fill(rounded(4, 8, 124, 78, 4), colour)
    for x in (28, 52, 76, 100):
        sheet.line([(x, 14), (x, 72)], 1.6, dark(colour, 0.18))
    sheet.stain(box(4, 62, 124, 80), INK, 0.13)
    cab = light(colour, 0.16)
    sheet.fill(
        soft([(130, 26), (134, 22), (160, 22), (170, 30), (180, 52), (186, 58), (186, 80), (182, 83), (130, 83)]), cab
    )
    sheet.stain(box(126, 68, 190, 84), INK, 0.16)
    sheet.fill([(142, 31), (160, 31), (172, 54), (142, 54)], GLASS)
    sheet.stain([(154, 29), (161, 29), (152, 56), (145, 56)], (255, 255, 255), 0.5)
    sheet.line([(142, 62), (149, 62)], 2.4, dark(colour, 0.45))
    sheet.fill(oval(181, 70, 4), (255, 236, 160))
    for x in (30, 62, 156):
        sheet.fill(oval(x, 84, 16.5), dark(colour, 0.5) if x == 156 else INK)
        _wheel(sheet, x, 85.5, 13.5)


def bicycle(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a bicycle, 160 × 100 units."""
    hub, front, crank, seat, head = (34.0, 68.0), (126.0, 68.0), (72.0, 70.0), (60.0, 30.0), (112.0, 26.0)
    for x, y in (hub, front):
        for spoke in range(6):
            dx, dy = 27 * math.cos(spoke * math.pi / 6), 27 * math.sin(spoke * math.pi / 6)
            sheet.line([(x - dx, y - dy), (x + dx, y + dy)], 0.8, (150, 154, 166))
        sheet.line(oval(x, y, 28.5), 4.6, TYRE)
        sheet.fill(oval(x, y, 4), TYRE)
    for start, end in ((hub, crank), (hub, seat), (seat, crank), (crank, head), (seat, head), (head, front)):
        sheet.line([start, end], 5.6, colour)
    sheet.line([seat, (57, 20)], 3.6, STEEL)
    sheet.line([(46, 18), (68, 18)], 6.4, INK)
    sheet.line([head, (108, 10)], 4, STEEL)
    sheet.line([(98, 9), (114, 8), (120, 13)], 4.6, INK)
    sheet.fill(oval(crank[0], crank[1], 7.5), dark(colour, 0.4))
    sheet.line([(72, 70), (78, 86)], 3.2, TYRE)
    sheet.line([(72, 87), (85, 86)], 4, INK)


def boat(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a sailing boat whose hull and pennant have ``colour``, 120 × 100 units."""
    sail = light(colour, 0.12)
    sheet.line([(58, 6), (58, 76)], 3.2, WOOD)
    sheet.fill(soft([(62, 10), (80, 30), (98, 58), (106, 70), (84, 69), (62, 70), (64, 40)]), sail)
    sheet.stain([(58, 48), (112, 48), (112, 58), (58, 58)], CREAM, 0.75)
    sheet.fill(soft([(54, 18), (52, 46), (54, 70), (36, 69), (18, 70), (32, 52), (46, 32)]), CREAM)
    sheet.stain([(36, 14), (60, 14), (60, 72), (46, 72)], dark(CREAM, 0.5), 0.14)
    sheet.fill([(57, 1), (57, 12), (43, 6)], colour)
    sheet.fill(soft([(6, 74), (60, 77), (114, 73), (104, 92), (92, 99.5), (60, 100), (30, 99.5), (16, 92)]), colour)
    sheet.stain(box(0, 90, 120, 101), INK, 0.2)
    sheet.stain([(6, 76), (114, 75), (112, 80), (8, 81)], CREAM, 0.75)


def surfboard(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a surfboard stuck upright in the sand, 34 × 100 units."""
    sheet.fill(
        soft([(17, 0.5), (27, 14), (32, 44), (29, 80), (23, 99.5), (11, 99.5), (5, 80), (2, 44), (7, 14)]), colour
    )
    sheet.stain([(0, 58), (34, 46), (34, 56), (0, 68)], CREAM, 0.9)
    sheet.stain([(0, 72), (34, 60), (34, 64), (0, 76)], CREAM, 0.9)
    sheet.line([(17, 6), (17, 94)], 1, dark(colour, 0.3))
    sheet.stain(soft([(24, 0), (34, 20), (36, 60), (26, 100), (22, 90), (28, 50)]), INK, 0.14)


def umbrella(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a sunshade on its pole, 110 × 100 units."""
    dome = [*arc(55, 46, 53, 40, 180, 360), *arc(93, 46, 15, 7, 0, -180)]
    dome += [*arc(55, 46, 23, 9, 0, -180), *arc(17, 46, 15, 7, 0, -180)]
    sheet.fill(dome, colour)
    for x in (24, 55, 86):
        sheet.stain([(55, 4), (x - 9, 56), (x + 9, 56)], CREAM, 0.8)
    sheet.stain(soft([(80, 8), (112, 20), (114, 54), (90, 54), (98, 36)]), INK, 0.12)
    sheet.line([(55, 39), (55, 98)], 3.4, WOOD)
    sheet.fill(oval(55, 5, 3.4), dark(colour, 0.2))


def kite(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a diamond kite with a bowed tail, 90 × 100 units."""
    pale = light(colour, 0.42)
    tail = [(40.0, 62.0), (34.0, 72.0), (42.0, 80.0), (34.0, 90.0), (40.0, 98.0)]
    sheet.line(tail, 1.6, dark(colour, 0.3))
    for x, y in ((35.5, 72.0), (40.5, 80.0), (35.5, 89.0)):
        for side in (-1, 1):
            sheet.fill([(x, y), (x + side * 9, y - 4), (x + side * 9, y + 5)], colour)
    top, right, bottom, left = (56.0, 1.0), (83.0, 30.0), (39.0, 64.0), (19.0, 18.0)
    middle = (51.5, 23.0)
    for a, b, shade in (
        (top, right, colour),
        (right, bottom, dark(colour, 0.14)),
        (bottom, left, colour),
        (left, top, pale),
    ):
        sheet.fill([middle, a, b], shade)
    sheet.line([top, bottom], 1.4, dark(colour, 0.35))
    sheet.line([left, right], 1.4, dark(colour, 0.35))


def airplane(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an airliner climbing slightly, 210 × 100 units."""
    sheet.fill([(96, 44), (70, 8), (86, 8), (130, 42)], dark(colour, 0.3))
    sheet.fill([(14, 46), (2, 8), (22, 8), (50, 40)], dark(colour, 0.12))
    sheet.fill(
        soft([(6, 44), (50, 36), (150, 34), (186, 40), (206, 53), (186, 65), (150, 70), (70, 68), (26, 58)]), colour
    )
    sheet.stain(soft([(6, 56), (60, 60), (206, 58), (190, 76), (60, 76), (20, 66)]), CREAM, 0.7)
    sheet.fill(soft([(180, 43), (192, 45), (199, 50), (184, 51)]), (72, 92, 124))
    for x in range(56, 172, 14):
        sheet.fill(oval(x, 47, 3.2, 3.6), GLASS)
    sheet.fill([(122, 58), (84, 58), (50, 96), (68, 96)], dark(colour, 0.18))
    sheet.fill(rounded(84, 72, 108, 84, 6), dark(CREAM, 0.3))
    sheet.fill([(38, 52), (14, 52), (4, 66), (18, 66)], dark(colour, 0.22))


def bench(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a park bench from the front, 170 × 100 units."""
    iron = (76, 78, 92)
    for x in (24, 146):
        sheet.line([(x, 10), (x, 97)], 5.4, iron)
        sheet.line([(x - 8, 97.2), (x + 8, 97.2)], 5, iron)
    for y in (14, 30, 46):
        sheet.fill(rounded(4, y - 6.5, 166, y + 6.5, 3), colour)
        sheet.stain(box(4, y + 2.5, 166, y + 7), INK, 0.14)
    sheet.fill(rounded(0, 60, 170, 69, 3), light(colour, 0.18))
    sheet.fill(rounded(0, 69, 170, 77, 3), dark(colour, 0.16))
    for x in (12, 158):
        sheet.line([(x, 48), (x, 72)], 4.4, iron)
        sheet.line([(x - 7, 47), (x + 7, 47)], 5, iron)


def sports_ball(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a beach ball with white panels, 100 × 100 units."""
    sheet.fill(oval(50, 50, 49), colour)
    sheet.stain(soft([(40, 28), (20, 34), (0, 50), (-2, 76), (22, 64)]), CREAM, 0.95)
    sheet.stain(soft([(46, 30), (70, 30), (96, 14), (70, -6), (48, 4)]), CREAM, 0.95)
    sheet.stain(soft([(48, 42), (70, 62), (80, 98), (46, 104), (36, 70)]), CREAM, 0.95)
    sheet.fill(oval(42, 32, 9, 7), light(colour, 0.3))
    sheet.stain(soft([(96, 24), (104, 60), (76, 102), (30, 104), (62, 86), (86, 60)]), INK, 0.16)


def traffic_light(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a traffic light on its post, one lamp lit, 40 × 100 units."""
    post = (92, 96, 108)
    sheet.fill(box(17.5, 50, 22.5, 98), post)
    sheet.fill(rounded(11, 94, 29, 100, 2), dark(post))
    sheet.fill(rounded(7, 1, 33, 57, 6), colour)
    sheet.stain(box(26, 0, 34, 58), INK, 0.16)
    lit = rng.randrange(3)
    for lamp, name in enumerate(("red", "yellow", "green")):
        y, glow = 11 + 17.5 * lamp, PAINTS[name][0]
        sheet.fill(oval(20, y, 8), dark(INK, 0.1))
        sheet.fill(oval(20, y + 0.6, 6.6), light(glow, 0.15) if lamp == lit else mix(glow, INK, 0.62))
        if lamp == lit:
            sheet.fill(oval(18, y - 1.6, 2.2, 1.7), CREAM)


def fire_hydrant(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a fire hydrant, 64 × 100 units."""
    shade, pale = dark(colour, 0.22), light(colour, 0.25)
    sheet.fill(rounded(28, 1, 36, 14, 2), shade)
    sheet.fill(arc(32, 32, 19, 22, 180, 360), colour)
    sheet.fill(rounded(10, 30, 54, 38, 3), pale)
    for side in (-1, 1):
        sheet.fill(rounded(min(32, 32 + side * 28), 46, max(32, 32 + side * 28), 62, 3), shade)
        sheet.fill(rounded(32 + side * 27 - 4, 43, 32 + side * 27 + 4, 65, 3), colour)
    sheet.fill(box(15, 38, 49, 90), colour)
    sheet.fill(oval(32, 56, 11), pale)
    sheet.fill(oval(32, 56, 5), shade)
    sheet.fill(rounded(7, 87, 57, 99.5, 4), shade)
    sheet.stain(box(40, 8, 50, 100), INK, 0.16)


def backpack(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a backpack, 84 × 100 units."""
    sheet.line(arc(42, 14, 11, 11, 180, 360), 4.6, dark(colour, 0.35))
    for side in (-1, 1):
        sheet.fill(rounded(42 + side * 31 - 8, 52, 42 + side * 31 + 8, 88, 7), dark(colour, 0.22))
    sheet.fill(
        soft([(20, 18), (42, 10), (64, 18), (72, 44), (73, 88), (66, 98), (42, 99.4), (18, 98), (11, 88), (12, 44)]),
        colour,
    )
    sheet.fill(rounded(20, 56, 64, 92, 8), dark(colour, 0.14))
    sheet.fill(rounded(20, 56, 64, 66, 5), light(colour, 0.16))
    sheet.line(arc(42, 40, 26, 7, 10, 170), 2.2, dark(colour, 0.4))
    sheet.fill(rounded(39, 62, 45, 73, 2), (240, 206, 110))
    sheet.stain(soft([(62, 14), (76, 40), (76, 98), (60, 100), (68, 70)]), INK, 0.14)


def suitcase(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw an upright suitcase on wheels, 74 × 100 units."""
    sheet.line([(25, 28), (25, 3), (49, 3), (49, 28)], 3.6, STEEL)
    for x in (18, 56):
        sheet.fill(oval(x, 95, 4.8), TYRE)
    sheet.fill(rounded(4, 24, 70, 94, 9), colour)
    for x in (20, 37, 54):
        sheet.line([(x, 34), (x, 84)], 2.6, dark(colour, 0.2))
    sheet.fill(rounded(29, 22, 45, 28, 2), dark(colour, 0.4))
    sheet.stain(box(56, 22, 72, 96), INK, 0.13)
