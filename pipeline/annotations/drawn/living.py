"""People and animals, each on its own sheet, standing on the lower edge and facing right."""

from __future__ import annotations

from random import Random

from pipeline.annotations.drawn.sheet import CREAM, INK, RGB, Sheet, arc, dark, light, mix, oval, paint, rounded, soft

SKINS: tuple[RGB, ...] = ((255, 219, 190), (241, 194, 150), (208, 152, 108), (160, 106, 72), (112, 74, 52))
HAIRS: tuple[RGB, ...] = ((52, 40, 40), (96, 62, 44), (150, 98, 52), (226, 178, 92), (184, 84, 48), (176, 176, 184))
TROUSERS: tuple[RGB, ...] = ((62, 76, 112), (84, 84, 100), (72, 92, 140), (110, 92, 84), (58, 62, 74))


def person(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a person in a top of ``colour``, 56 × 100 units."""
    skin, hair, trousers = rng.choice(SKINS), rng.choice(HAIRS), rng.choice(TROUSERS)
    walking, waving, long_hair, skirt = (rng.random() < share for share in (0.5, 0.35, 0.45, 0.3))
    x, step = 28.0, 7.5 if walking else 4.6
    if long_hair:
        sheet.fill(soft([(x - 9, 8), (x, 1), (x + 9, 8), (x + 10, 25), (x, 29), (x - 10, 25)]), dark(hair, 0.12))
    for side in (-1, 1):
        leg = dark(trousers, 0.14) if side < 0 else trousers
        sheet.line([(x + side * 4.4, 54), (x + side * step, 94)], 7.6 if not skirt else 5.6, leg if not skirt else skin)
        sheet.fill(rounded(x + side * step - 4, 93.5, x + side * step + 6, 99.6, 3), dark(trousers, 0.5))
    if skirt:
        sheet.fill(soft([(x - 8, 49), (x + 8, 49), (x + 13, 71), (x, 73), (x - 13, 71)]), mix(colour, trousers, 0.25))
    _arm(sheet, x, -1, waving, skin, dark(colour, 0.16))
    sheet.fill(
        soft([(x - 8, 24), (x, 22.5), (x + 8, 24), (x + 11, 30), (x + 9.5, 56), (x, 58), (x - 9.5, 56), (x - 11, 30)]),
        colour,
    )
    sheet.stain(soft([(x + 2, 22), (x + 14, 22), (x + 14, 60), (x + 4, 60), (x + 5, 40)]), dark(colour, 0.8), 0.16)
    _arm(sheet, x, 1, False, skin, light(colour, 0.12))
    sheet.line([(x, 18), (x, 23.5)], 6.4, dark(skin, 0.1))
    sheet.fill(oval(x, 12.5, 8, 9.2), skin)
    fringe = [
        (x - 9, 13),
        (x - 8.6, 6),
        (x - 3, 1.2),
        (x + 4, 1.2),
        (x + 9, 6.5),
        (x + 9, 13),
        (x + 6, 8.5),
        (x - 3, 7.5),
    ]
    sheet.fill(soft(fringe), hair)
    for side in (-1, 1):
        sheet.fill(oval(x + 1 + side * 3.2, 13.5, 1.0, 1.25), INK)
        sheet.stain(oval(x + 1 + side * 5, 16.6, 1.8, 1.2), (232, 96, 96), 0.4)
    sheet.line(arc(x + 1, 15.8, 2.6, 2.2, 20, 160), 0.9, dark(skin, 0.55))


def _arm(sheet: Sheet, x: float, side: int, waving: bool, skin: RGB, sleeve: RGB) -> None:
    elbow = (x + side * 18, 35.0) if waving else (x + side * 13.5, 41.0)
    hand = (x + side * 23, 20.0) if waving else (x + side * 12.5, 54.0)
    sheet.line([elbow, hand], 4.4, skin)
    sheet.fill(oval(hand[0], hand[1], 3), skin)
    sheet.line([(x + side * 9, 28), elbow], 6, sleeve)


def dog(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a dog, 120 × 100 units."""
    far, pale = dark(colour, 0.2), light(colour, 0.35)
    sheet.line([(17, 50), (8, 36), (9, 22)], 8, colour)
    for x in (31, 77):
        sheet.line([(x + 6, 64), (x + 8, 95)], 9, far)
    sheet.fill(soft([(14, 50), (30, 42), (60, 44), (84, 38), (93, 52), (88, 72), (62, 73), (40, 71), (20, 72)]), colour)
    sheet.fill(soft([(72, 46), (78, 24), (100, 22), (98, 46), (90, 62)]), colour)
    for x in (25, 80):
        sheet.line([(x, 62), (x - 1, 94)], 10.5, colour)
        sheet.fill(rounded(x - 7, 91, x + 9, 99.6, 4), pale)
    sheet.stain(soft([(16, 64), (50, 68), (92, 62), (90, 78), (50, 80), (18, 78)]), INK, 0.14, 2)
    sheet.fill(
        soft([(76, 14), (90, 8), (102, 14), (105, 21), (116, 25), (116, 35), (102, 39), (86, 38), (76, 28)]), colour
    )
    sheet.fill(soft([(100, 25), (115, 25), (117, 33), (112, 38), (100, 38)]), pale)
    sheet.fill(soft([(76, 10), (85, 10), (86, 26), (80, 38), (72, 34), (71, 20)]), dark(colour, 0.36))
    sheet.fill(oval(114.5, 26.5, 4, 3.2), INK)
    sheet.fill(oval(98, 20, 2.4, 2.8), INK)
    sheet.fill(oval(98.8, 19.2, 0.8), CREAM)
    sheet.line([(78, 45), (96, 45)], 5, paint(rng.choice(("red", "blue", "yellow")), rng))


def cat(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a sitting cat that looks at us, 80 × 100 units."""
    pale, stripe = light(colour, 0.45), dark(colour, 0.3)
    sheet.line(soft([(52, 92), (70, 92), (75, 78), (70, 62), (74, 78), (68, 88)])[:34], 7.5, dark(colour, 0.15))
    sheet.fill(soft([(38, 42), (54, 52), (63, 76), (60, 97), (38, 99), (16, 97), (13, 76), (22, 52)]), colour)
    sheet.fill(soft([(38, 52), (46, 64), (44, 84), (38, 88), (32, 84), (30, 64)]), pale)
    for x in (29, 47):
        sheet.line([(x, 70), (x, 94)], 8.5, light(colour, 0.1))
        sheet.fill(oval(x, 95.5, 6.5, 4.2), pale)
    for side in (-1, 1):
        sheet.fill([(38 + side * 26, 4), (38 + side * 5, 16), (38 + side * 25, 32)], colour)
        sheet.fill([(38 + side * 23, 10), (38 + side * 11, 17), (38 + side * 22, 26)], (240, 168, 170))
    sheet.fill(soft([(38, 11), (56, 15), (65, 31), (57, 46), (38, 51), (19, 46), (11, 31), (20, 15)]), colour)
    for shift in (-7, 0, 7):
        sheet.line([(38 + shift, 12.5), (38 + shift * 0.8, 19)], 2.6, stripe)
    sheet.fill(soft([(38, 35), (48, 40), (45, 48), (38, 49), (31, 48), (28, 40)]), pale)
    eye = rng.choice(((116, 190, 110), (240, 200, 70), (110, 180, 220)))
    for side in (-1, 1):
        sheet.fill(oval(38 + side * 11, 31, 4.8, 5.2), eye)
        sheet.fill(oval(38 + side * 11, 31, 2.1, 4.4), INK)
        sheet.fill(oval(39 + side * 11, 29, 1.2), CREAM)
        for tilt in (-1.5, 2.5):
            sheet.line([(38 + side * 13, 41 + tilt / 2), (38 + side * 29, 40 + tilt)], 0.8, mix(colour, CREAM, 0.7))
    sheet.fill([(35, 38), (41, 38), (38, 41.5)], (226, 120, 130))
    sheet.stain(soft([(50, 50), (66, 60), (66, 99), (46, 99)]), INK, 0.12, 2)


def bird(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a plump bird standing, 110 × 100 units."""
    leg = (226, 138, 60)
    for x in (50, 62):
        sheet.line([(x, 74), (x + 1, 95)], 3, leg)
        sheet.line([(x - 5, 97.5), (x + 9, 97.5)], 3, leg)
    sheet.fill(soft([(34, 48), (8, 40), (2, 50), (12, 58), (34, 66)]), dark(colour, 0.3))
    sheet.fill(soft([(28, 54), (44, 34), (60, 16), (80, 8), (96, 20), (96, 40), (88, 64), (66, 80), (42, 76)]), colour)
    sheet.fill(soft([(92, 36), (88, 62), (68, 77), (56, 68), (74, 48)]), light(colour, 0.55))
    sheet.fill([(93, 20), (109, 27), (94, 33)], (246, 176, 58))
    sheet.fill(soft([(26, 46), (48, 38), (66, 46), (60, 60), (40, 66), (16, 58)]), dark(colour, 0.22))
    sheet.fill(oval(84, 23, 4), INK)
    sheet.fill(oval(85.3, 21.8, 1.4), CREAM)


def flying_bird(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a bird on the wing, 140 × 100 units."""
    sheet.fill(soft([(66, 54), (50, 34), (30, 4), (58, 14), (84, 32), (90, 52)]), dark(colour, 0.3))
    sheet.fill(soft([(42, 56), (14, 50), (2, 56), (8, 62), (2, 70), (24, 72), (46, 70)]), dark(colour, 0.18))
    sheet.fill(soft([(36, 60), (64, 48), (96, 42), (118, 38), (128, 48), (120, 60), (92, 74), (58, 76)]), colour)
    sheet.fill(soft([(60, 72), (92, 68), (118, 58), (104, 72), (80, 79)]), light(colour, 0.5))
    sheet.fill([(125, 42), (139, 49), (125, 54)], (246, 176, 58))
    sheet.fill(soft([(62, 58), (50, 78), (40, 97), (70, 90), (90, 74), (94, 58)]), light(colour, 0.14))
    sheet.fill(oval(117, 46, 3), INK)
    sheet.fill(oval(118, 45, 1), CREAM)


def sheep(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a woolly sheep, 125 × 100 units."""
    face = (66, 58, 66) if sum(colour) > 330 else (222, 206, 190)
    for x in (30, 44, 74, 86):
        sheet.line([(x, 66), (x, 95)], 7, dark(face, 0.1 if x in (30, 86) else 0.3))
    wool = [
        (22, 46, 17),
        (34, 32, 18),
        (54, 26, 19),
        (74, 29, 18),
        (88, 42, 17),
        (84, 60, 16),
        (64, 66, 17),
        (42, 66, 17),
        (24, 60, 15),
    ]
    for x, y, r in wool:
        sheet.fill(oval(x, y, r), colour)
    sheet.fill(oval(55, 47, 34, 24), colour)
    sheet.stain(soft([(8, 62), (40, 72), (72, 72), (100, 58), (98, 86), (50, 92), (8, 84)]), dark(colour, 0.7), 0.2, 3)
    for x, y in ((38, 44), (56, 40), (72, 50), (50, 58)):
        sheet.line(arc(x, y, 7, 6, 190, 330), 1.8, dark(colour, 0.16))
    sheet.fill(soft([(84, 26), (78, 22), (70, 30), (76, 36), (86, 34)]), dark(face, 0.2))
    sheet.fill(soft([(86, 24), (100, 18), (112, 26), (121, 44), (116, 53), (104, 52), (90, 44)]), face)
    for x, y, r in ((88, 22, 8), (97, 17, 8), (104, 21, 6)):
        sheet.fill(oval(x, y, r), light(colour, 0.1))
    sheet.fill(oval(103, 33, 2.8), CREAM)
    sheet.fill(oval(103.6, 33.2, 1.5), INK)
    sheet.line(arc(116, 45, 3, 3, 60, 160), 1.2, mix(face, CREAM, 0.5))


def cow(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a cow with patches, 140 × 100 units."""
    patch = dark(colour, 0.45) if sum(colour) > 520 else light(colour, 0.75)
    far, muzzle = dark(colour, 0.22), (240, 182, 172)
    sheet.line([(12, 34), (5, 48), (6, 66)], 3.4, far)
    sheet.fill(oval(6, 70, 4, 6), INK)
    for x in (32, 88):
        sheet.line([(x, 62), (x, 90)], 9.5, far)
        sheet.line([(x, 92), (x, 95.2)], 9.5, INK)
    sheet.fill(oval(40, 70, 10, 7), muzzle)
    sheet.fill(
        soft([(9, 36), (22, 27), (60, 30), (96, 24), (108, 38), (104, 62), (84, 72), (40, 70), (14, 68)]), colour
    )
    for x in (20, 98):
        sheet.line([(x, 60), (x, 90)], 10.5, colour)
        sheet.line([(x, 92), (x, 94.8)], 10.5, INK)
    sheet.stain(soft([(28, 24), (52, 26), (56, 44), (40, 54), (26, 44)]), patch, 1)
    sheet.stain(soft([(66, 46), (84, 42), (92, 56), (80, 70), (64, 64)]), patch, 1)
    sheet.stain(soft([(10, 62), (60, 66), (106, 58), (104, 78), (10, 80)]), INK, 0.13, 2)
    for side in (-1, 1):
        sheet.line([(116 + side * 7, 14), (116 + side * 12, 5)], 4, (236, 222, 190))
        sheet.fill(
            soft([(116 + side * 8, 16), (116 + side * 22, 15), (116 + side * 20, 24), (116 + side * 9, 24)]), far
        )
    sheet.fill(soft([(104, 14), (116, 9), (128, 14), (129, 32), (126, 50), (116, 54), (106, 50), (103, 32)]), colour)
    sheet.fill(soft([(104, 42), (116, 38), (128, 42), (130, 51), (116, 57), (102, 51)]), muzzle)
    for side in (-1, 1):
        sheet.fill(oval(116 + side * 6, 26, 2.3, 2.8), INK)
        sheet.fill(oval(116 + side * 5, 48, 1.8, 1.4), dark(muzzle, 0.5))


def horse(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a horse, 120 × 100 units."""
    mane, far = dark(colour, 0.5), dark(colour, 0.24)
    sheet.fill(soft([(14, 42), (4, 52), (3, 76), (9, 80), (13, 62), (20, 50)]), mane)
    for top, knee, foot in ((28, 33, 31), (74, 80, 78)):
        sheet.line([(top, 58), (knee, 76), (foot, 95)], 6.4, far)
    sheet.fill(
        soft([(12, 44), (26, 36), (52, 40), (74, 34), (88, 44), (86, 60), (66, 66), (44, 62), (24, 68), (13, 60)]),
        colour,
    )
    sheet.fill(soft([(66, 44), (80, 28), (90, 10), (102, 14), (98, 34), (90, 56), (76, 60)]), colour)
    for top, knee, foot in ((20, 16, 18), (82, 83, 82)):
        sheet.line([(top, 56), (knee, 76), (foot, 94)], 7.4, colour)
        sheet.line([(foot - 1.5, 96.3), (foot + 2.5, 96.3)], 6.6, INK)
    sheet.stain(soft([(16, 60), (50, 60), (88, 54), (86, 72), (16, 74)]), INK, 0.14, 2)
    sheet.fill([(91, 14), (93, 2), (98, 12)], colour)
    sheet.fill(soft([(88, 12), (96, 8), (106, 15), (117, 28), (118, 35), (110, 38), (100, 32), (90, 28)]), colour)
    sheet.fill(soft([(112, 28), (119, 31), (117, 38), (110, 38)]), dark(colour, 0.25))
    sheet.fill(soft([(92, 6), (86, 14), (76, 26), (66, 42), (74, 42), (84, 32), (91, 18)]), mane)
    sheet.fill(oval(103, 19.5, 1.9, 2.1), INK)


def teddy_bear(sheet: Sheet, rng: Random, colour: RGB) -> None:
    """Draw a sitting teddy bear, 84 × 100 units."""
    pale = light(colour, 0.45)
    for side in (-1, 1):
        x = 42 + side * 22
        sheet.fill(oval(42 + side * 20, 12, 11), colour)
        sheet.fill(oval(42 + side * 20, 12, 6), pale)
        sheet.line([(42 + side * 20, 56), (42 + side * 31, 72)], 15, dark(colour, 0.1))
        sheet.fill(oval(x, 87, 14, 12), colour)
        sheet.fill(oval(x + side * 2, 88, 8, 7.5), pale)
    sheet.fill(oval(42, 69, 25, 25), colour)
    sheet.fill(oval(42, 71, 15, 16), pale)
    sheet.fill(oval(42, 29, 28, 25), colour)
    sheet.fill(oval(42, 38, 12.5, 10), pale)
    sheet.fill(oval(42, 33.5, 4.6, 3.4), INK)
    sheet.line([(42, 36), (42, 41)], 1.3, INK)
    for side in (-1, 1):
        sheet.fill(oval(42 + side * 11, 25, 3, 3.4), INK)
        sheet.fill(oval(43 + side * 11, 24, 1), CREAM)
        sheet.line(arc(42 + side * 2.6, 41, 2.6, 2, 0, 180), 1.2, INK)
    bow = paint("red" if colour[0] < 190 else "blue", rng)
    for side in (-1, 1):
        sheet.fill(soft([(42, 54), (42 + side * 13, 48), (42 + side * 14, 60)]), bow)
    sheet.fill(oval(42, 54, 3.6), dark(bow))
