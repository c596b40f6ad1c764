"""Backgrounds under the sky: sea, hills, streets and the hour of the day."""

from __future__ import annotations

import math

from pipeline.annotations.drawn.sheet import CREAM, RGB, box, dark, light, mix, rounded
from pipeline.annotations.drawn.view import View

SKIES: dict[str, tuple[tuple[RGB, RGB], ...]] = {
    "day": (((96, 176, 226), (214, 238, 244)), ((122, 190, 232), (240, 244, 232)), ((88, 184, 214), (212, 240, 226))),
    "sunset": (((92, 80, 150), (255, 178, 112)), ((226, 112, 108), (255, 214, 140)), ((150, 96, 160), (255, 196, 150))),
    "night": (((22, 28, 72), (74, 84, 148)), ((24, 34, 84), (96, 92, 158))),
}
HOUSES: tuple[RGB, ...] = (
    (236, 158, 128),
    (244, 206, 140),
    (156, 190, 206),
    (206, 168, 196),
    (172, 200, 168),
    (240, 224, 204),
)


def _sky(v: View, horizon: float, sets: float = 0.0) -> None:
    """Draw the sky down to ``horizon``; the evening sun stands ``sets`` above that, or is hidden already if 0."""
    top, bottom = v.rng.choice(SKIES[v.mood])
    v.wash(0, horizon + 0.08, top, bottom)  # past the horizon, for valleys between hills
    x = v.rng.choice((v.rng.uniform(0.1, 0.3), v.rng.uniform(0.7, 0.9)))
    v.keep_clear(x - 0.09, 0.02, x + 0.09, 0.24 if v.mood != "sunset" else horizon)
    if v.mood == "night":
        for _ in range(40):
            v.round(
                v.rng.random(),
                v.rng.uniform(0.01, horizon * 0.8),
                v.rng.choice((0.0022, 0.003, 0.004)),
                mix(top, CREAM, 0.7),
            )
        v.round(x, 0.13, 0.062, mix(top, CREAM, 0.25))
        v.round(x, 0.13, 0.05, (252, 244, 214))
        v.seen += ["moon", "stars"]
        return
    if v.mood == "sunset" and sets:
        y, core = horizon - sets - v.rng.uniform(0, 0.05), (255, 240, 196)
        for r, share in ((0.15, 0.2), (0.11, 0.4)):
            v.round(x, y, r, mix(bottom, core, share))
        v.round(x, y, 0.072, core)
        v.seen.append("setting sun")
    elif v.mood == "day" and v.rng.random() < 0.7:
        for r, share in ((0.095, 0.3), (0.075, 0.6)):
            v.round(x, 0.13, r, mix(mix(top, bottom, 0.25), (255, 244, 190), share))
        v.round(x, 0.13, 0.056, (255, 226, 122))
        v.seen.append("sun")
    if v.rng.random() < 0.8:
        _clouds(v, horizon, light(bottom, 0.75) if v.mood == "day" else mix(bottom, (255, 226, 214), 0.5), x)


def _clouds(v: View, horizon: float, colour: RGB, sun: float) -> None:
    for place in v.rng.sample((0.08, 0.3, 0.52, 0.74, 0.94), v.rng.randint(2, 3)):
        if abs(place - sun) < 0.14:
            continue
        x, y, r = place, v.rng.uniform(0.08, max(0.12, horizon * 0.55)), v.rng.uniform(0.026, 0.042)
        for dx, dy, size in ((-1.7, 0.25, 0.75), (-0.7, -0.35, 1.1), (0.6, -0.1, 0.95), (1.6, 0.3, 0.7)):
            v.round(x + dx * r * v.h / v.w, y + dy * r, r * size, colour)
        reach = 2.4 * r * v.h / v.w
        v.sheet.fill(rounded((x - reach) * v.w, (y + r * 0.2) * v.h, (x + reach) * v.w, (y + r) * v.h, r * v.h), colour)
        if "clouds" not in v.seen:
            v.seen.append("clouds")


def _hills(v: View, base: float, height: float, colour: RGB, bumps: int) -> None:
    start = v.rng.uniform(0, 2 * math.pi)
    ridge = [
        (i / 40, base - height * (0.55 + 0.45 * math.sin(start + i / 40 * bumps * math.pi) * math.cos(start + i / 13)))
        for i in range(41)
    ]
    v.fill([*ridge, (1, 1), (0, 1)], colour)


def _tree(v: View, x: float, base: float, height: float, colour: RGB) -> None:
    trunk = v.tone((132, 94, 70))
    wide = height * v.h / v.w
    v.fill(box(x - wide * 0.05, base - height * 0.45, x + wide * 0.05, base), trunk)
    for dx, dy, r in ((-0.2, 0.52, 0.2), (0.2, 0.52, 0.2), (0, 0.74, 0.25), (0, 0.5, 0.22)):
        v.round(x + dx * wide, base - dy * height, r * height, colour)
    for dx, dy, r in ((-0.14, 0.66, 0.11), (-0.02, 0.84, 0.1)):
        v.round(x + dx * wide, base - dy * height, r * height, light(colour, 0.16))


def _pine(v: View, x: float, base: float, height: float, colour: RGB, snowy: bool) -> None:
    wide = height * v.h / v.w
    v.fill(box(x - wide * 0.035, base - height * 0.15, x + wide * 0.035, base), v.tone((116, 84, 68)))
    for low, high, half in ((0.1, 0.55, 0.27), (0.35, 0.78, 0.21), (0.6, 1.0, 0.15)):
        v.fill(
            [(x - wide * half, base - height * low), (x, base - height * high), (x + wide * half, base - height * low)],
            colour,
        )
        if snowy:
            tip, share = base - height * high, 0.4
            edge = tip + (high - low) * height * share
            v.fill(
                [(x - wide * half * share, edge), (x, tip), (x + wide * half * share, edge)], v.tone((248, 250, 252))
            )


def _tufts(v: View, top: float, colour: RGB, flowers: bool) -> None:
    """Strew blades of grass and a few flowers below ``top``, larger towards us."""
    for _ in range(46):
        x, y = v.rng.random(), v.rng.uniform(top, 0.99)
        size = 0.008 + 0.02 * (y - top)
        for lean in (-0.5, 0, 0.5):
            v.fill([(x - size * 0.15, y), (x + lean * size, y - size * 1.3), (x + size * 0.15, y)], dark(colour, 0.12))
    for _ in range(14 if flowers else 0):
        x, y = v.rng.random(), v.rng.uniform(top + 0.03, 0.99)
        petal = v.tone(v.rng.choice(((255, 250, 240), (255, 226, 130), (250, 190, 200))))
        v.round(x, y, 0.004 + 0.006 * (y - top), petal)


def _water(v: View, top: float, bottom: float) -> None:
    shades = {
        "day": ((84, 176, 204), (42, 128, 176)),
        "sunset": ((240, 160, 130), (96, 92, 150)),
        "night": ((66, 82, 146), (26, 40, 94)),
    }
    far, near = shades[v.mood]
    v.wash(top, bottom, far, near)
    for _ in range(34):
        depth = v.rng.random()
        y = top + 0.015 + (bottom - top - 0.03) * depth
        x, length = v.rng.random(), 0.02 + 0.05 * depth
        v.fill(
            [(x - length, y), (x, y - 0.0025), (x + length, y), (x, y + 0.0025)], mix(mix(far, near, depth), CREAM, 0.3)
        )


def _distance(v: View, horizon: float) -> None:
    """Draw far hills or mountains on the horizon."""
    haze = {"day": (150, 190, 206), "sunset": (196, 116, 128), "night": (58, 66, 124)}[v.mood]
    if v.rng.random() < 0.45:
        for x in sorted(v.rng.uniform(-0.05, 1.05) for _ in range(5)):
            tall, wide = v.rng.uniform(0.12, 0.22), v.rng.uniform(0.18, 0.28)
            tall *= 0.55 if v.mood == "sunset" else 1  # or they would hide the sun
            shade = mix(haze, (110, 130, 170), v.rng.uniform(0.1, 0.4))
            peak = (x, horizon - tall)
            v.fill(
                [
                    (x - wide, horizon + 0.02),
                    peak,
                    (x + wide, horizon + 0.02),
                    (x + wide, horizon + 0.08),
                    (x - wide, horizon + 0.08),
                ],
                shade,
            )
            v.fill([peak, (x + wide, horizon + 0.02), (x + wide * 0.2, horizon + 0.02)], dark(shade, 0.1))
            cap = [
                (x - wide * 0.24, horizon - tall * 0.76),
                peak,
                (x + wide * 0.24, horizon - tall * 0.76),
                (x + wide * 0.08, horizon - tall * 0.68),
            ]
            v.fill(cap, v.tone((246, 248, 250)))
        v.seen.append("mountains")
    else:
        _hills(v, horizon + 0.02, 0.14, haze, 3)
        v.seen.append("hills")


def beach(v: View) -> None:
    """Draw sky, sea and sand."""
    _sky(v, 0.4, 0.04)
    _water(v, 0.4, 0.62)
    sand = v.tone((246, 216, 164))
    shore = [(i / 20, 0.6 + 0.012 * math.sin(i * 0.8)) for i in range(21)]
    v.fill([*shore, (1, 1), (0, 1)], v.tone((250, 250, 246)))
    v.fill([*[(x, y + 0.016) for x, y in shore], (1, 1), (0, 1)], dark(sand, 0.1))
    v.fill([*[(x, y + 0.035) for x, y in shore], (1, 1), (0, 1)], sand)
    for _ in range(60):
        v.round(v.rng.random(), v.rng.uniform(0.66, 0.99), 0.0028, dark(sand, 0.16))
    for _ in range(5):
        x, y = v.rng.random(), v.rng.uniform(0.7, 0.98)
        v.round(x, y, 0.008, light(sand, 0.6))


def sea(v: View) -> None:
    """Draw sky and a wide sea, sometimes with land behind it."""
    _sky(v, 0.42, 0.04)
    if v.mood != "sunset" and v.rng.random() < 0.6:
        _distance(v, 0.42)
    _water(v, 0.42, 1)


def meadow(v: View) -> None:
    """Draw rolling hills and a flowering meadow."""
    _sky(v, 0.48, 0.14)
    _distance(v, 0.46)
    green = v.rng.choice(((134, 190, 104), (122, 186, 116), (156, 196, 100)))
    _hills(v, 0.5, 0.08, v.tone(mix(green, (120, 176, 150), 0.5)), 2)
    for x in (v.rng.uniform(0.0, 0.35), v.rng.uniform(0.6, 1.0)):
        _tree(v, x, 0.53, v.rng.uniform(0.12, 0.17), v.tone(dark(green, 0.24)))
    v.seen.append("trees")
    v.wash(0.53, 1, v.tone(light(green, 0.12)), v.tone(dark(green, 0.1)))
    _tufts(v, 0.56, v.tone(green), flowers=True)


def park(v: View) -> None:
    """Draw a lawn with a path and a row of trees."""
    _sky(v, 0.52)
    green = v.rng.choice(((138, 196, 112), (126, 188, 122)))
    _hills(v, 0.56, 0.1, v.tone(mix(green, (110, 168, 150), 0.55)), 4)
    for i in range(6):
        x = (i + v.rng.uniform(0.2, 0.8)) / 6
        shade = v.rng.choice(((82, 152, 98), (100, 166, 92), (66, 140, 104)))
        _tree(v, x, v.rng.uniform(0.58, 0.61), v.rng.uniform(0.26, 0.38), v.tone(shade))
    v.seen.append("trees")
    v.wash(0.58, 1, v.tone(light(green, 0.1)), v.tone(dark(green, 0.06)))
    bend, path = v.rng.uniform(-0.25, 0.25), v.tone((238, 220, 182))
    way = [(i / 20, 0.5 + bend * math.cos(i / 20 * 2.2), 0.012 + 0.17 * (i / 20) ** 1.6) for i in range(21)]
    edge = [(middle - half, 0.58 + 0.43 * t) for t, middle, half in way]
    v.fill(edge + [(middle + half, 0.58 + 0.43 * t) for t, middle, half in reversed(way)], path)
    v.seen.append("path")
    _tufts(v, 0.62, v.tone(green), flowers=v.rng.random() < 0.5)


def _house(v: View, x: float, width: float, top: float, base: float, colour: RGB) -> None:
    """Draw one town house with a roof, windows and a door."""
    v.fill(box(x, top, x + width, base), colour)
    roof = dark(v.tone((190, 96, 84)), v.rng.choice((0, 0.15, 0.3)))
    v.fill([(x - 0.008, top), (x + width / 2, top - 0.09), (x + width + 0.008, top)], roof)
    glass = (255, 226, 140) if v.mood == "night" else v.tone((206, 230, 240))
    columns = 3 if width > 0.2 else 2
    for row in range(int((base - top - 0.12) / 0.1)):
        for column in range(columns):
            cx, cy = x + width * (column + 0.5) / columns, top + 0.05 + row * 0.1
            v.fill(box(cx - 0.022, cy - 0.006, cx + 0.022, cy + 0.062), light(colour, 0.5))
            v.fill(box(cx - 0.017, cy, cx + 0.017, cy + 0.054), glass)
    door = x + width * v.rng.choice((0.25, 0.5, 0.75))
    v.fill(box(door - 0.024, base - 0.1, door + 0.024, base), dark(roof, 0.3))


def street(v: View) -> None:
    """Draw a row of houses, the road before them and the pavement on our side."""
    _sky(v, 0.5)
    x, last = -0.04, -1
    while x < 1:
        width = v.rng.uniform(0.15, 0.24)
        last = (last + v.rng.randint(1, len(HOUSES) - 1)) % len(HOUSES)
        _house(v, x, width, v.rng.uniform(0.26, 0.35), 0.56, v.tone(HOUSES[last]))
        x += width
    v.seen.append("houses")
    v.fill(box(0, 0.55, 1, 0.6), v.tone((206, 204, 204)))
    v.fill(box(0, 0.595, 1, 0.61), v.tone((168, 166, 172)))
    v.wash(0.61, 0.82, v.tone((112, 114, 126)), v.tone((98, 100, 114)))
    for i in range(8):
        v.fill(box(i / 8 + 0.02, 0.685, i / 8 + 0.085, 0.694), v.tone((244, 240, 226)))
    v.fill(box(0, 0.8, 1, 0.82), v.tone((232, 228, 222)))
    v.wash(0.82, 1, v.tone((214, 210, 206)), v.tone((198, 194, 192)))
    for i in range(-1, 10):
        v.fill(
            [(i / 8 + 0.05, 0.82), (i / 8 + 0.054, 0.82), (i / 7 - 0.006, 1), (i / 7 - 0.012, 1)],
            v.tone((186, 182, 182)),
        )


def country_road(v: View) -> None:
    """Draw a road that runs past hills."""
    _sky(v, 0.46, 0.14)
    _distance(v, 0.44)
    green = v.rng.choice(((140, 192, 110), (164, 196, 104), (124, 186, 124)))
    _hills(v, 0.5, 0.1, v.tone(mix(green, (120, 176, 150), 0.5)), 3)
    for _ in range(4):
        _pine(
            v, v.rng.random(), v.rng.uniform(0.5, 0.53), v.rng.uniform(0.12, 0.2), v.tone((74, 132, 104)), snowy=False
        )
    v.seen.append("trees")
    v.wash(0.52, 1, v.tone(light(green, 0.1)), v.tone(dark(green, 0.06)))
    _tufts(v, 0.55, v.tone(green), flowers=True)
    v.fill(box(0, 0.73, 1, 0.955), v.tone((196, 186, 164)))
    v.wash(0.74, 0.945, v.tone((118, 120, 132)), v.tone((104, 106, 120)))
    for i in range(7):
        v.fill(box(i / 7 + 0.03, 0.838, i / 7 + 0.1, 0.848), v.tone((246, 240, 220)))


def open_sky(v: View) -> None:
    """Draw a high sky over low hills."""
    _sky(v, 0.86, 0.1)
    green = v.rng.choice(((134, 190, 104), (122, 186, 116)))
    for base, share in ((0.9, 0.6), (0.95, 0.35), (1.0, 0.0)):
        _hills(v, base, 0.1, v.tone(mix(green, (140, 186, 190), share)), v.rng.randint(2, 4))
    v.seen.append("hills")


def snow(v: View) -> None:
    """Draw a snowy field with fir trees."""
    _sky(v, 0.5, 0.14)
    _distance(v, 0.48)
    v.wash(0.5, 1, v.tone((232, 240, 248)), v.tone((250, 250, 252)))
    _hills(v, 0.58, 0.08, v.tone((224, 234, 244)), 3)
    for i in range(7):
        _pine(
            v,
            (i + v.rng.random()) / 7,
            v.rng.uniform(0.57, 0.63),
            v.rng.uniform(0.18, 0.32),
            v.tone((70, 124, 108)),
            snowy=True,
        )
    v.seen.append("trees")
    _hills(v, 0.66, 0.05, v.tone((242, 246, 250)), 2)
    for _ in range(60):
        v.round(v.rng.random(), v.rng.random(), v.rng.choice((0.003, 0.0045)), (255, 255, 255))
    v.seen.append("snowflakes")
