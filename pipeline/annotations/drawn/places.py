"""Where things happen: backgrounds without a single COCO object, and the spots of each where objects may be."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
from PIL import Image

from pipeline.annotations.drawn import rooms, scenery
from pipeline.annotations.drawn.view import View

SKY_THINGS = ("kite", "bird", "airplane")
TABLEWARE = (
    "cup",
    "bottle",
    "bowl",
    "apple",
    "orange",
    "banana",
    "vase",
    "donut",
    "cake",
    "laptop",
    "potted plant",
    "book",
)


class Spot(msgspec.Struct, frozen=True):
    """A part of a place where some categories may be drawn. Heights are fractions of the picture's, 0 at the top."""

    where: str
    """As captions say it: ``on the grass``."""
    things: tuple[str, ...]
    far: float
    """Where the feet of the farthest objects are."""
    near: float
    """Where the feet of the nearest objects are."""
    small: float
    """Size of the farthest objects, 1 being the size in ``things.py``."""
    large: float
    """Size of the nearest objects."""
    avoid: tuple[str, ...] = ()
    """Colours that would vanish against the background."""
    margin: float = 0.02
    """Part of the width that stays empty at either side."""
    floating: bool = False
    """Whether things fly or hang there: no shadow below them, and never before the sun or a window."""


class Place(msgspec.Struct, frozen=True):
    """A kind of background."""

    draw: Callable[[View], None]
    name: str
    """As captions say it, with its article: ``a sandy beach``."""
    words: tuple[str, ...]
    """Ways to say that something is there: ``at the beach``."""
    lead: str
    """A way to begin a sentence; empty if it would sound forced."""
    spots: tuple[Spot, ...]
    outdoors: bool = True
    upright: bool = True
    """Whether the picture may be taller than wide; what is built sideways may not."""


def _sky(near: float, *things: str) -> Spot:
    return Spot(
        "in the sky", things or SKY_THINGS, 0.2, near, 0.8, 1.05, ("blue", "grey", "white"), 0.04, floating=True
    )


PLACES: dict[str, Place] = {
    "beach": Place(
        scenery.beach,
        "a sandy beach",
        ("on a sandy beach", "at the beach", "on the beach by the sea"),
        "At the beach",
        (
            Spot(
                "on the sand",
                ("person", "umbrella", "surfboard", "sports ball", "dog"),
                0.7,
                0.96,
                0.72,
                1.15,
                ("yellow", "orange", "brown"),
            ),
            Spot("on the water", ("boat",), 0.46, 0.54, 0.5, 0.72, ("blue",), 0.05),
            _sky(0.33),
        ),
    ),
    "sea": Place(
        scenery.sea,
        "a calm sea",
        ("on a calm sea", "on the open sea", "on the sea"),
        "Out at sea",
        (Spot("on the water", ("boat",), 0.5, 0.94, 0.55, 1.35, ("blue",), 0.03), _sky(0.34, "bird", "airplane")),
    ),
    "meadow": Place(
        scenery.meadow,
        "a green meadow",
        ("in a green meadow", "in a grassy field", "in the countryside"),
        "In a green meadow",
        (
            Spot("on the grass", ("sheep", "cow", "horse", "dog", "person"), 0.6, 0.96, 0.6, 1.2, ("green",)),
            _sky(0.36),
        ),
    ),
    "park": Place(
        scenery.park,
        "a leafy park",
        ("in a park", "in a green park", "in a leafy park"),
        "In a park",
        (
            Spot(
                "on the grass",
                ("person", "dog", "bicycle", "bench", "sports ball", "cat", "bird", "backpack"),
                0.66,
                0.96,
                0.7,
                1.15,
                ("green",),
            ),
            _sky(0.28, "kite", "bird"),
        ),
    ),
    "street": Place(
        scenery.street,
        "a street of colourful houses",
        ("on a city street", "in a street with colourful houses", "in town"),
        "In town",
        (
            Spot("on the road", ("car", "bus", "truck"), 0.72, 0.75, 0.86, 0.92, ("grey", "black"), 0.01),
            Spot(
                "on the pavement",
                ("person", "dog", "traffic light", "fire hydrant", "bicycle", "bench", "suitcase"),
                0.9,
                0.97,
                0.9,
                1.05,
                ("grey",),
            ),
        ),
        upright=False,
    ),
    "country road": Place(
        scenery.country_road,
        "a road through green hills",
        ("in the hills", "in the countryside", "among green hills"),
        "Out in the countryside",
        (
            Spot(
                "on the road",
                ("car", "bus", "truck", "bicycle"),
                0.83,
                0.92,
                1.0,
                1.15,
                ("grey", "black", "green"),
                0.01,
            ),
            Spot("on the grass", ("sheep", "cow", "horse"), 0.58, 0.66, 0.5, 0.64, ("green",)),
            _sky(0.28),
        ),
        upright=False,
    ),
    "living room": Place(
        rooms.living_room,
        "a cosy living room",
        ("in a living room", "in a cosy living room", "at home"),
        "In a living room",
        (
            Spot(
                "on the floor",
                ("couch", "chair", "potted plant", "cat", "dog", "teddy bear", "suitcase", "backpack", "sports ball"),
                0.8,
                0.96,
                0.95,
                1.25,
                ("brown",),
            ),
            Spot("on the wall", ("clock",), 0.34, 0.36, 1.0, 1.1, ("white", "grey"), 0.05, floating=True),
        ),
        outdoors=False,
        upright=False,
    ),
    "kitchen": Place(
        rooms.kitchen,
        "a bright kitchen",
        ("in a kitchen", "in a bright kitchen"),
        "In a kitchen",
        (
            Spot("on the counter", TABLEWARE, 0.72, 0.79, 0.95, 1.15, ("grey", "white"), 0.03),
            Spot("on the wall", ("clock",), 0.3, 0.34, 0.95, 1.05, ("white", "grey"), 0.05, floating=True),
        ),
        outdoors=False,
        upright=False,
    ),
    "dining room": Place(
        rooms.dining_room,
        "a dining room",
        ("in a dining room", "in a bright dining room"),
        "In a dining room",
        (
            # The table itself is put here first; what stands on it follows.
            Spot("on the table", TABLEWARE, 0.565, 0.615, 0.66, 0.76, ("brown",), 0.16),
            Spot("on the wall", ("clock",), 0.3, 0.32, 0.85, 1.0, ("white", "grey"), 0.05, floating=True),
        ),
        outdoors=False,
        upright=False,
    ),
    "shelves": Place(
        rooms.shelves,
        "two wooden shelves",
        ("on wooden shelves", "on two wooden shelves"),
        "",
        (
            Spot(
                "on the upper shelf",
                ("book", "vase", "teddy bear", "potted plant", "clock", "bottle"),
                0.445,
                0.455,
                0.82,
                0.92,
                ("brown",),
                0.09,
            ),
            Spot(
                "on the lower shelf",
                ("book", "vase", "teddy bear", "bowl", "cup", "tv"),
                0.865,
                0.875,
                0.82,
                0.92,
                ("brown",),
                0.09,
            ),
        ),
        outdoors=False,
        upright=False,
    ),
    "open sky": Place(
        scenery.open_sky,
        "a wide sky over low hills",
        ("high above the hills", "above green hills"),
        "High above the hills",
        (Spot("in the sky", SKY_THINGS, 0.3, 0.74, 0.95, 1.4, ("blue", "grey", "white"), 0.04, floating=True),),
    ),
    "snow": Place(
        scenery.snow,
        "a snowy field",
        ("in a snowy landscape", "in the snow", "in a snowy field"),
        "In a snowy landscape",
        (
            Spot(
                "on the snow",
                ("person", "dog", "bird", "bench", "horse", "cat"),
                0.68,
                0.96,
                0.7,
                1.2,
                ("white", "grey"),
            ),
            _sky(0.3, "bird", "airplane"),
        ),
    ),
}


def draw_place(name: str, mood: str, size: tuple[int, int], rng: Random) -> tuple[Image.Image, View]:
    """Return the background as an RGB picture of ``size`` pixels, and its notes: ``seen`` and ``busy``."""
    view = View(size[0], size[1], mood, rng)
    PLACES[name].draw(view)
    return view.sheet.finished().convert("RGB"), view
