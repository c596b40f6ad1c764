"""Things to eat on a tablecloth, seen from above: small pictures with little in them, for models that are small too.

Each thing keeps to a square of its own in an invisible grid of three by three, so nothing hides anything, and what is
left, right, at the top or at the bottom is beyond doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from pipeline.annotations.drawn.captions import Group, listed, named
from pipeline.annotations.drawn.compose import Drawn, DrawnScene
from pipeline.annotations.drawn.outline import outlines
from pipeline.annotations.drawn.sheet import RGB, Sheet, dark, paint
from pipeline.annotations.drawn.things import THINGS

SIDE = 126  # pixels of a picture, both ways
GRID = 3
CELL = SIDE // GRID
DRIFT = 3  # pixels that a thing may lie off the middle of its square
WIDEST = CELL - 2 * DRIFT - 2
MOST = 6  # things in a picture
FOOD = {"apple": "red", "banana": "yellow", "orange": "orange", "donut": "pink"}
"""Colour of each: told apart by colour and by shape."""
CLOTHS: dict[str, RGB] = {
    "blue": (222, 230, 242),
    "green": (214, 232, 222),
    "pink": (244, 226, 230),
    "purple": (224, 218, 238),
}


def compose(seed: int, index: int) -> tuple[Image.Image, DrawnScene]:
    """Return picture ``index`` (from 0) of the endless set ``seed``, as RGB, and the truth about it."""
    rng = Random(f"table {seed} {index}")
    cloth = rng.choice(sorted(CLOTHS))
    picture = Image.new("RGB", (SIDE, SIDE), CLOTHS[cloth])
    chosen = _choose(rng)
    cells = rng.sample(range(GRID * GRID), len(chosen))
    objects = [_lay(picture, category, cell, rng) for cell, category in sorted(zip(cells, chosen, strict=True))]
    return picture, DrawnScene("table", "day", (f"{cloth} cloth",), SIDE, SIDE, tuple(objects))


def _choose(rng: Random) -> list[str]:
    """Return one to three kinds of food, each one to four times, ``MOST`` in all."""
    chosen: list[str] = []
    for category in rng.sample(sorted(FOOD), rng.choice((1, 1, 2, 2, 3))):
        chosen += [category] * rng.choice((1, 1, 2, 3, 4))
    return chosen[:MOST]


def _lay(picture: Image.Image, category: str, cell: int, rng: Random) -> Drawn:
    """Paint a thing into its square, and return the truth about it."""
    thing = THINGS[category]
    scale = min(WIDEST / thing.width, 0.0068 * CELL) * rng.uniform(0.9, 1.0)
    sheet = Sheet(thing.width, 100, scale)
    thing.draw(sheet, rng, paint(FOOD[category], rng))
    sprite = sheet.finished()
    inside = sprite.getchannel("A").point(lambda a: 255 if a >= 128 else 0)
    corners = inside.getbbox()
    assert corners is not None, f"nothing was drawn of a {category}"
    width, height = corners[2] - corners[0], corners[3] - corners[1]
    x = (cell % GRID) * CELL + (CELL - width) // 2 + rng.randint(-DRIFT, DRIFT)
    y = (cell // GRID) * CELL + (CELL - height) // 2 + rng.randint(-DRIFT, DRIFT)
    shade = dark(picture.getpixel((0, 0)), 0.1)  # type: ignore[arg-type]  # RGB gives three numbers
    ImageDraw.Draw(picture).ellipse((x + 1, y + height - 5, x + width - 1, y + height + 1), fill=shade)
    picture.paste(sprite, (x - corners[0], y - corners[1]), sprite)
    rings = outlines(inside.crop(corners))
    outline = [[v + (x, y)[i % 2] for i, v in enumerate(ring)] for ring in rings]
    area = inside.histogram()[255]
    return Drawn(category, FOOD[category], "on the tablecloth", (x, y, width, height), area, outline)


def captions(scene: DrawnScene, rng: Random) -> list[str]:
    """Return five different captions, in no order."""
    found: dict[str, list[Drawn]] = {}
    for one in scene.objects:
        found.setdefault(one.category, []).append(one)
    groups = [Group(category, tuple(members)) for category, members in found.items()]
    cloth = scene.seen[0]

    def everything() -> str:
        return listed([named(group, rng) for group in rng.sample(groups, len(groups))])

    some = named(rng.choice(groups), rng)
    frames: tuple[Callable[[], str], ...] = (
        lambda: f"{everything()} on a table.",
        lambda: f"a {cloth} with {everything()}.",
        lambda: f"there {'is' if some.startswith(('a ', 'an ')) else 'are'} {some} on the {cloth}.",
        lambda: f"a drawing of {everything()}, seen from above.",
        lambda: f"something to eat on a {cloth}: {everything()}.",
    )
    told = [frame() for frame in frames]
    rng.shuffle(told)
    return [f"{text[0].upper()}{text[1:]}" for text in told]
