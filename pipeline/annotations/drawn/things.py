"""Every category that can be drawn: who draws it, how large, in which colours, and COCO's own number for it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from pipeline.annotations.drawn import indoors, living, outdoors
from pipeline.annotations.drawn.sheet import RGB, Sheet

BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
CALM = ("red", "yellow", "green", "blue", "purple", "pink", "white")


class Thing(msgspec.Struct, frozen=True):
    """How to draw one category."""

    number: int
    """COCO's category id."""
    group: str
    """COCO's supercategory."""
    draw: Callable[[Sheet, Random, RGB], None]
    width: float
    """Units; every sheet is 100 units high."""
    height_px: float
    """Height of the sheet at size 1, in a picture 480 pixels high."""
    colours: tuple[str, ...]
    plain: bool = False
    """Whether captions leave its colour out, because it goes without saying or several colours compete."""
    pairs: bool = True
    """Whether several in one picture look natural."""


THINGS: dict[str, Thing] = {
    "person": Thing(1, "person", living.person, 56, 205, (*BRIGHT, "white", "black")),
    "bicycle": Thing(2, "vehicle", outdoors.bicycle, 160, 125, (*BRIGHT, "black")),
    "car": Thing(3, "vehicle", outdoors.car, 210, 96, (*CALM, "black", "orange")),
    "airplane": Thing(5, "vehicle", outdoors.airplane, 210, 88, ("red", "white", "blue", "yellow", "green", "purple")),
    "bus": Thing(6, "vehicle", outdoors.bus, 210, 138, ("red", "yellow", "blue", "green", "orange")),
    "truck": Thing(8, "vehicle", outdoors.truck, 190, 130, ("red", "yellow", "blue", "green", "white", "purple")),
    "boat": Thing(
        9, "vehicle", outdoors.boat, 120, 150, ("red", "yellow", "green", "white", "purple", "pink", "orange")
    ),
    "traffic light": Thing(10, "outdoor", outdoors.traffic_light, 40, 205, ("black",), plain=True, pairs=False),
    "fire hydrant": Thing(11, "outdoor", outdoors.fire_hydrant, 64, 82, ("red", "yellow", "blue"), pairs=False),
    "bench": Thing(15, "outdoor", outdoors.bench, 170, 92, ("brown", "green", "blue", "red", "white"), pairs=False),
    "bird": Thing(16, "animal", living.bird, 110, 62, ("red", "blue", "yellow", "black", "pink", "brown", "white")),
    "cat": Thing(17, "animal", living.cat, 80, 96, ("orange", "grey", "black", "white", "brown")),
    "dog": Thing(18, "animal", living.dog, 120, 102, ("brown", "black", "white", "grey")),
    "horse": Thing(19, "animal", living.horse, 120, 165, ("brown", "white", "black", "grey")),
    "sheep": Thing(20, "animal", living.sheep, 125, 102, ("white", "black", "brown")),
    "cow": Thing(21, "animal", living.cow, 140, 132, ("brown", "white", "black")),
    "backpack": Thing(
        27, "accessory", outdoors.backpack, 84, 88, ("red", "orange", "yellow", "blue", "purple", "pink")
    ),
    "umbrella": Thing(
        28, "accessory", outdoors.umbrella, 110, 205, ("red", "blue", "green", "purple", "pink", "orange")
    ),
    "suitcase": Thing(
        33, "accessory", outdoors.suitcase, 74, 105, ("red", "yellow", "blue", "green", "purple", "pink")
    ),
    "sports ball": Thing(37, "sports", outdoors.sports_ball, 100, 56, ("red", "blue", "green", "purple", "orange")),
    "kite": Thing(38, "sports", outdoors.kite, 90, 122, ("red", "orange", "yellow", "green", "purple", "pink")),
    "surfboard": Thing(42, "sports", outdoors.surfboard, 34, 175, ("red", "blue", "green", "purple", "pink")),
    "bottle": Thing(44, "kitchen", indoors.bottle, 36, 150, ("green", "blue", "red", "yellow", "purple")),
    "cup": Thing(47, "kitchen", indoors.cup, 116, 78, (*CALM, "orange", "black")),
    "bowl": Thing(51, "kitchen", indoors.bowl, 170, 72, (*BRIGHT, "white")),
    "banana": Thing(52, "food", indoors.banana, 170, 58, ("yellow",), plain=True),
    "apple": Thing(53, "food", indoors.apple, 96, 66, ("red", "green", "yellow")),
    "orange": Thing(55, "food", indoors.orange, 100, 62, ("orange",), plain=True),
    "donut": Thing(60, "food", indoors.donut, 130, 64, ("pink", "brown", "purple", "yellow")),
    "cake": Thing(61, "food", indoors.cake, 130, 112, ("pink", "brown", "white", "purple"), pairs=False),
    "chair": Thing(62, "furniture", indoors.chair, 62, 168, ("red", "yellow", "blue", "green", "white", "purple")),
    "couch": Thing(63, "furniture", indoors.couch, 210, 142, BRIGHT, pairs=False),
    "potted plant": Thing(64, "furniture", indoors.potted_plant, 80, 138, ("green",), plain=True),
    "dining table": Thing(67, "furniture", indoors.dining_table, 230, 215, ("brown", "white"), pairs=False),
    "tv": Thing(72, "electronic", indoors.tv, 150, 130, ("black",), plain=True, pairs=False),
    "laptop": Thing(73, "electronic", indoors.laptop, 150, 112, ("grey",), plain=True, pairs=False),
    "book": Thing(84, "indoor", indoors.book, 78, 112, BRIGHT),
    "clock": Thing(
        85, "indoor", indoors.clock, 100, 96, ("red", "orange", "green", "blue", "purple", "black"), pairs=False
    ),
    "vase": Thing(86, "indoor", indoors.vase, 60, 138, ("blue", "red", "purple", "white", "green", "orange")),
    "teddy bear": Thing(88, "indoor", living.teddy_bear, 84, 112, ("brown", "pink", "white", "blue", "grey")),
}

# In the sky a bird spreads its wings; it stays COCO's bird.
FLYING_BIRD = msgspec.structs.replace(THINGS["bird"], draw=living.flying_bird, width=140, height_px=78)
