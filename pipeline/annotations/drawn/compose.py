"""One scene from its random numbers: choose a place and things, put them where they fit, note what can be seen."""

from __future__ import annotations

from random import Random

import msgspec
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from pipeline.annotations.drawn.outline import outlines
from pipeline.annotations.drawn.places import PLACES, Spot, draw_place
from pipeline.annotations.drawn.sheet import Sheet, paint
from pipeline.annotations.drawn.things import FLYING_BIRD, THINGS, Thing

Corners = tuple[float, float, float, float]

MOST = 8  # objects in a picture
OVERLAP = 0.12  # how much of the smaller of two boxes may be shared: enough for depth, too little to hide anything
VISIBLE = 0.8  # the part of an object that must be seen
TRIES = 40


class Drawn(msgspec.Struct, frozen=True):
    """One object as it can be seen in the finished picture."""

    category: str
    """COCO's name."""
    colour: str
    """One of the names in ``sheet.PAINTS``."""
    where: str
    """The spot it was put on, such as ``on the grass``."""
    bbox: tuple[int, int, int, int]
    """Left, top, width and height of what is visible, in pixels."""
    area: int
    """Visible pixels."""
    outline: list[list[int]]
    """Polygons as COCO writes them."""


class DrawnScene(msgspec.Struct, frozen=True):
    """All that is true of one picture."""

    place: str
    """A key of ``places.PLACES``."""
    mood: str
    """``day``, ``sunset`` or ``night``; rooms are always in daylight."""
    seen: tuple[str, ...]
    """What the background shows, such as ``sun`` or ``houses``."""
    width: int
    height: int
    objects: tuple[Drawn, ...]
    """From the farthest to the nearest."""


class Wanted(msgspec.Struct, frozen=True):
    """An object that has no position yet."""

    category: str
    colour: str
    spot: Spot

    @property
    def thing(self) -> Thing:
        """How to draw it."""
        return FLYING_BIRD if self.category == "bird" and self.spot.where == "in the sky" else THINGS[self.category]


class Placed(msgspec.Struct, frozen=True):
    """An object with its sheet's corners in pixels, and the pixels that a unit of its sheet takes."""

    wanted: Wanted
    corners: Corners
    scale: float


def compose(seed: int, index: int) -> tuple[Image.Image, DrawnScene]:
    """Return picture ``index`` (from 0) of the endless set ``seed``, as RGB, and the truth about it."""
    rng = Random(f"scene {seed} {index}")
    # Every run of as many pictures as there are places shows each place once.
    names = sorted(PLACES)
    Random(f"places {seed} {index // len(names)}").shuffle(names)
    name = names[index % len(names)]
    place = PLACES[name]
    mood = rng.choice(("day", "day", "day", "day", "sunset", "sunset", "night")) if place.outdoors else "day"
    size = (480, 640) if place.upright and rng.random() < 0.25 else (640, 480)
    background, view = draw_place(name, mood, size, rng)
    placed = _arrange(_choose(name, mood, rng), size, view.busy, rng)
    picture, objects = paint_objects(background, placed, rng)
    return picture, DrawnScene(name, mood, tuple(view.seen), *size, objects)


def _choose(name: str, mood: str, rng: Random) -> list[Wanted]:
    """Return the objects a scene should hold: one category in some number, and up to three others."""
    spots = PLACES[name].spots
    wanted: list[Wanted] = []
    if name == "dining room":
        table = Spot("by the window", ("dining table",), 0.96, 0.96, 1.0, 1.0)
        wanted.append(Wanted("dining table", rng.choice(THINGS["dining table"].colours), table))
    extras = rng.choice((0, 1, 1, 2, 2, 3) if PLACES[name].outdoors else (1, 1, 2, 2, 3))
    for extra in range(1 + extras):
        empty = [s for s in spots if not s.floating and all(known.spot != s for known in wanted)]
        spot = spots[0] if extra == 0 else rng.choice(empty if empty and rng.random() < 0.8 else spots)
        category = rng.choice(spot.things)
        thing = THINGS[category]
        if any(known.category == category for known in wanted):
            continue
        count = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6)) if extra == 0 else rng.choice((1, 1, 1, 2, 2, 3))
        count = min(count if thing.pairs else 1, MOST - len(wanted))
        wanted += [Wanted(category, colour, spot) for colour in _colours(thing, spot, mood, count, rng)]
    return wanted


def _colours(thing: Thing, spot: Spot, mood: str, count: int, rng: Random) -> list[str]:
    """Return ``count`` colours that stand out on the spot: all alike more often than not."""
    faint = {"sunset": ("orange", "pink"), "night": ("blue", "purple")}.get(mood, ()) if spot.floating else ()
    lost = (*faint, "black") if mood == "night" else faint
    able = [c for c in thing.colours if c not in spot.avoid and c not in lost] or list(thing.colours)
    if rng.random() < 0.6:
        return [rng.choice(able)] * count
    return [rng.choice(able) for _ in range(count)]


def _arrange(wanted: list[Wanted], size: tuple[int, int], busy: list[Corners], rng: Random) -> list[Placed]:
    """Find room for each object, the large ones first, and return them from the farthest to the nearest."""
    zoom = {1: 1.45, 2: 1.3, 3: 1.15}.get(len(wanted), 1.0)
    placed: list[Placed] = []
    for one in sorted(wanted, key=lambda w: -w.thing.width * w.thing.height_px):
        for attempt in range(TRIES):
            # Half way through, settle for smaller: a crowd should still fit.
            candidate = _somewhere(one, size, zoom if attempt < TRIES / 2 else 0.85, rng)
            if _fits(candidate, placed, size, busy):
                placed.append(candidate)
                break
    return sorted(placed, key=lambda p: (p.wanted.category != "dining table", p.corners[3]))


def _somewhere(one: Wanted, size: tuple[int, int], zoom: float, rng: Random) -> Placed:
    spot, thing, depth = one.spot, one.thing, rng.random()
    if one.category == "dining table":
        zoom, depth = 1.0, 0.5
    scale = (spot.small + (spot.large - spot.small) * depth) * zoom * rng.uniform(0.94, 1.06) * thing.height_px / 100
    width, height = thing.width * scale, 100 * scale
    foot = (spot.far + (spot.near - spot.far) * depth) * size[1]
    middle = size[0] / 2
    if one.category != "dining table":
        room = max(0.0, size[0] * (1 - 2 * spot.margin) - width)
        middle = size[0] * spot.margin + width / 2 + rng.random() * room
    return Placed(one, (middle - width / 2, foot - height, middle + width / 2, foot), scale)


def _fits(one: Placed, others: list[Placed], size: tuple[int, int], busy: list[Corners]) -> bool:
    x0, y0, x1, y1 = one.corners
    if x0 < 2 or y0 < 4 or x1 > size[0] - 2 or y1 > size[1] - 4:
        return False
    if one.wanted.spot.floating and any(_shared(one.corners, part) > 0 for part in busy):
        return False
    neighbours = [
        p for p in others if not (p.wanted.category == "dining table" and one.wanted.spot.where == "on the table")
    ]
    # What flies must not touch what stands: a kite on somebody's head is no depth.
    return all(
        _shared(one.corners, p.corners) <= (OVERLAP if p.wanted.spot.floating == one.wanted.spot.floating else 0)
        for p in neighbours
    )


def _shared(a: Corners, b: Corners) -> float:
    """Return the common part of two boxes, as a share of the smaller one."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def paint_objects(background: Image.Image, placed: list[Placed], rng: Random) -> tuple[Image.Image, tuple[Drawn, ...]]:
    """Draw the objects from back to front; what would end up too hidden is left out of the picture."""
    sprites = [(p, _sprite(p, rng)) for p in placed]
    while True:
        seen, hidden = [], None
        covered = Image.new("L", background.size)
        for i in reversed(range(len(sprites))):
            p, sprite = sprites[i]
            own = Image.new("L", background.size)
            own.paste(sprite.getchannel("A").point(lambda a: 255 if a >= 128 else 0), _corner(p))
            visible = ImageChops.subtract(own, covered)
            covered = ImageChops.lighter(covered, own)
            area = visible.histogram()[255]
            if area < VISIBLE * own.histogram()[255]:
                hidden = i
            seen.append((p.wanted, visible, area))
        if hidden is None:
            break
        # Without their table things would float, so there the nearest of them goes.
        del sprites[-1 if sprites[hidden][0].wanted.category == "dining table" else hidden]
    picture = _with_shadows(background, [p for p, _ in sprites])
    for p, sprite in sprites:
        picture.paste(sprite, _corner(p), sprite)
    return picture, tuple(_note(*one) for one in reversed(seen))


def _corner(p: Placed) -> tuple[int, int]:
    return (round(p.corners[0]), round(p.corners[1]))


def _sprite(p: Placed, rng: Random) -> Image.Image:
    thing = p.wanted.thing
    sheet = Sheet(thing.width, 100, p.scale)
    thing.draw(sheet, rng, paint(p.wanted.colour, rng))
    sprite = sheet.finished()
    return ImageOps.mirror(sprite) if rng.random() < 0.5 else sprite


def _note(wanted: Wanted, visible: Image.Image, area: int) -> Drawn:
    corners = visible.getbbox()
    assert corners is not None, f"nothing was drawn of a {wanted.category}"
    x, y = corners[0], corners[1]
    outline = [[v + (x, y)[i % 2] for i, v in enumerate(ring)] for ring in outlines(visible.crop(corners))]
    return Drawn(
        wanted.category, wanted.colour, wanted.spot.where, (x, y, corners[2] - x, corners[3] - y), area, outline
    )


def _with_shadows(background: Image.Image, placed: list[Placed]) -> Image.Image:
    """Lay one soft shadow below everything that stands; a quarter of the size is plenty for something blurred."""
    small = (background.width // 4, background.height // 4)
    mask = Image.new("L", small)
    pencil = ImageDraw.Draw(mask)
    for p in placed:
        if not p.wanted.spot.floating:
            x0, _, x1, foot = (value / 4 for value in p.corners)
            flat = min(2.8, (x1 - x0) * 0.07)
            pencil.ellipse((x0 + 1, foot - 1.7 * flat, x1, foot + 0.7 * flat), fill=84)
    mask = mask.filter(ImageFilter.GaussianBlur(1.2)).resize(background.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", background.size, (34, 30, 62)), background, mask)
