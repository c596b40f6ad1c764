"""Five sentences about a scene, each as another person might put it, and each true of what was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec

from pipeline.annotations.drawn.compose import Drawn, DrawnScene
from pipeline.annotations.drawn.places import PLACES
from pipeline.annotations.drawn.things import THINGS

CAPTIONS = 5
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")

# What people say for a category, singular and plural, where it is not simply the category's name with an s.
NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "person": (("person", "people"),),
    "bicycle": (("bicycle", "bicycles"), ("bike", "bikes")),
    "airplane": (("airplane", "airplanes"), ("plane", "planes")),
    "bus": (("bus", "buses"),),
    "boat": (("boat", "boats"), ("sailing boat", "sailing boats")),
    "bench": (("bench", "benches"), ("park bench", "park benches")),
    "couch": (("couch", "couches"), ("sofa", "sofas")),
    "cup": (("cup", "cups"), ("mug", "mugs")),
    "sheep": (("sheep", "sheep"),),
    "sports ball": (("ball", "balls"), ("beach ball", "beach balls")),
    "umbrella": (("umbrella", "umbrellas"), ("beach umbrella", "beach umbrellas")),
    "potted plant": (("potted plant", "potted plants"), ("plant", "plants")),
    "dining table": (("table", "tables"), ("dining table", "dining tables")),
    "tv": (("television", "televisions"), ("TV", "TVs")),
}
# How a thing is somewhere: with one subject, with several.
STANDING, SITTING, LYING, BEING = ("stands", "stand"), ("sits", "sit"), ("lies", "lie"), ("is", "are")
VERBS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("person", "dog", "sheep", "cow", "horse", "bicycle", "bench", "chair", "dining table", "bottle", "vase"),
        STANDING,
    ),
    **dict.fromkeys(
        ("couch", "potted plant", "umbrella", "traffic light", "fire hydrant", "suitcase", "surfboard"), STANDING
    ),
    **dict.fromkeys(("cat", "teddy bear"), SITTING),
    **dict.fromkeys(("sports ball", "banana", "apple", "orange", "donut"), LYING),
    "boat": ("sails", "sail"),
    "clock": ("hangs", "hang"),
}
LIGHTS: dict[str, tuple[str, ...]] = {
    "day": ("under a blue sky", "in daylight"),
    "sunset": ("at sunset", "as the sun goes down", "under a glowing evening sky"),
    "night": ("at night", "under a starry sky", "in the moonlight"),
}
BEHIND = {
    "houses": "a row of houses",
    "mountains": "snow-capped mountains",
    "hills": "rolling hills",
    "trees": "some trees",
    "window": "a window",
}


class Group(msgspec.Struct, frozen=True):
    """All objects of one category in a scene; each category has one spot, so they are together."""

    category: str
    members: tuple[Drawn, ...]

    @property
    def where(self) -> str:
        """The spot, as captions say it."""
        return self.members[0].where

    @property
    def verb(self) -> str:
        """The verb that fits category, spot and number."""
        several = len(self.members) > 1
        if self.where == "in the sky":
            return ("flies", "fly")[several]
        if self.where.endswith("shelf") and self.category == "clock":
            return STANDING[several]
        return VERBS.get(self.category, BEING)[several]


def counted(category: str, count: int, rng: Random, colour: str = "") -> str:
    """Return a phrase such as ``an apple``, ``two red cars`` or ``three people in blue``."""
    noun = rng.choice(NOUNS.get(category, ((category, category + "s"),)))[count > 1]
    words = f"{colour} {noun}" if colour else noun
    if colour and category == "person":
        words = f"{noun} {rng.choice(('in', 'dressed in', 'wearing'))} {colour}"
    if count > 1:
        return f"{NUMBERS[count]} {words}"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _parts(group: Group, rng: Random) -> list[str]:
    """Return one phrase a colour, or a single one where colours go without saying or are too many to list."""
    category, count = group.category, len(group.members)
    colours = Counter(one.colour for one in group.members)
    if THINGS[category].plain:
        return [counted(category, count, rng)]
    if len(colours) > 2:
        return [f"{counted(category, count, rng)} in different colours"]
    return [counted(category, n, rng, colour) for colour, n in colours.most_common()]


def named(group: Group, rng: Random) -> str:
    """Return the group with number and colours: ``two red cars and a blue car``."""
    return listed(_parts(group, rng))


def listed(parts: list[str]) -> str:
    """Return ``a``, ``a and b``, or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _setting(group: Group, scene: DrawnScene, rng: Random) -> str:
    """Return where the group is, in a way that is true of it and not only of the picture."""
    place = PLACES[scene.place]
    if group.where == "in the sky" and scene.place != "open sky":
        return f"{rng.choice(('in the sky above', 'above'))} {place.name}"
    if group.where == "on the water" and scene.place == "beach":
        return "on the sea off a sandy beach"
    if group.where == "on the wall":
        return f"on the wall of {place.name}"
    if scene.place in ("shelves", "country road"):
        return group.where
    return rng.choice((*place.words, group.where))


def _side(one: Drawn, scene: DrawnScene) -> str:
    middle = (one.bbox[0] + one.bbox[2] / 2) / scene.width
    return "on the left" if middle < 0.38 else "on the right" if middle > 0.62 else "in the middle"


def _groups(scene: DrawnScene) -> list[Group]:
    """Return the groups, the one that covers most of the picture first."""
    found: dict[str, list[Drawn]] = {}
    for one in scene.objects:
        found.setdefault(one.category, []).append(one)
    groups = [Group(category, tuple(members)) for category, members in found.items()]
    return sorted(groups, key=lambda g: -sum(one.area for one in g.members))


def _standing(group: Group) -> bool:
    """Whether the group is down where houses and trees can be behind it."""
    return group.where not in ("in the sky", "on the wall", "on the water", "by the window")


# Each frame below makes one sentence, without its full stop, or nothing where the scene does not suit it.


def _short(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    group = groups[0]
    return f"{named(group, rng)} {_setting(group, scene, rng)}"


def _happening(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    group = rng.choice(groups)
    return f"{named(group, rng)} {group.verb} {group.where}"


def _there(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    group = rng.choice(groups)
    what = named(group, rng)
    return f"there {'is' if what.startswith(('a ', 'an ')) else 'are'} {what} {_setting(group, scene, rng)}"


def _led(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    group, lead = rng.choice(groups), PLACES[scene.place].lead
    if not lead:
        return ""
    where = "" if group.verb in ("sails", "sail", "flies", "fly") else f" {group.where}"
    if not where and scene.place in ("sea", "open sky"):
        return f"{lead}, {named(group, rng)} {group.verb} {rng.choice(LIGHTS[scene.mood])}"
    return f"{lead}, {named(group, rng)} {group.verb}{where or ' ' + group.where}"


def _everything(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    spots: dict[str, list[str]] = {}
    for group in groups:
        spots.setdefault(group.where, []).extend(_parts(group, rng))
    if scene.place == "open sky":
        return f"{PLACES[scene.place].name} with {listed(spots['in the sky'])}"
    told = [f"{listed(parts)} {where}" for where, parts in spots.items()]
    rest = f", and {told[-1]}" if len(told) > 1 else ""
    return f"{PLACES[scene.place].name} with {', '.join(told[:-1] or told)}{rest}"


def _picture(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    kind = rng.choice(("a picture of", "an illustration of", "a drawing of", "a cheerful picture of"))
    return f"{kind} {listed([part for group in groups for part in _parts(group, rng)])}"


def _pair(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    if len(groups) < 2:
        return ""
    one, two = groups[:2]
    if one.where == two.where:
        return f"{named(one, rng)} and {named(two, rng)} {_setting(one, scene, rng)}"
    return f"{named(one, rng)} {one.where} and {named(two, rng)} {two.where}"


def _light(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    if not PLACES[scene.place].outdoors:
        return ""
    group = groups[0]
    lights = [words for words in LIGHTS[scene.mood] if "sky" not in words or group.where != "in the sky"]
    light = "on a sunny day" if "sun" in scene.seen and rng.random() < 0.7 else rng.choice(lights)
    return f"{named(group, rng)} {group.where} {light}"


def _sideways(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    single = [g for g in groups if len(g.members) == 1]
    if not single:
        return ""
    group = rng.choice(single)
    side = _side(group.members[0], scene)
    return f"{named(group, rng)} {group.where}, {side} {'' if side == 'in the middle' else 'side '}of the picture"


def _beside(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    single = [g for g in groups if len(g.members) == 1]
    pairs = [
        (a, b) for a in single for b in single if a.members[0].bbox[0] + a.members[0].bbox[2] <= b.members[0].bbox[0]
    ]
    if not pairs:
        return ""
    left, right = rng.choice(pairs)
    if rng.random() < 0.5:
        return f"{named(left, rng)} to the left of {named(right, rng)}"
    return f"{named(right, rng)} to the right of {named(left, rng)}"


def _above(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    high = [g for g in groups if g.where in ("in the sky", "on the wall")]
    low = [g for g in groups if g not in high]
    if not high or not low:
        return ""
    one, two = rng.choice(high), rng.choice(low)
    if max(o.bbox[1] + o.bbox[3] for o in one.members) > min(o.bbox[1] for o in two.members):
        return ""
    return f"{named(one, rng)} {one.verb} above {named(two, rng)}"


def _behind(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    standing = [g for g in groups if _standing(g)]
    views = [text for key, text in BEHIND.items() if key in scene.seen]
    if not standing or not views:
        return ""
    group, view = standing[0], rng.choice(views)
    return f"{named(group, rng)} {group.where}, with {view} in the background"


def _overhead(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    low = [g for g in groups if g.where not in ("in the sky", "on the wall")]
    lamp = next((lamp for lamp in ("sun", "moon") if lamp in scene.seen), "")
    if not low:
        return ""
    if lamp:
        return f"the {lamp} shines over {named(low[0], rng)} {low[0].where}"
    return (
        f"the sun is setting and {named(low[0], rng)} {low[0].verb} {low[0].where}"
        if "setting sun" in scene.seen
        else ""
    )


def _number(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    many = [g for g in groups if len(g.members) > 1]
    if not many:
        return ""
    group = rng.choice(many)
    bare = counted(group.category, len(group.members), rng)
    if rng.random() < 0.3:
        return f"you can count {bare} here"
    band = "a group of " if len(group.members) > 2 else ""
    return f"{band}{bare} {_setting(group, scene, rng)}"


def _two_sentences(scene: DrawnScene, groups: list[Group], rng: Random) -> str:
    if len(groups) < 2:
        return ""
    one, two = groups[0], rng.choice(groups[1:])
    second = f"{named(two, rng)} {two.verb} {two.where}"
    return f"{named(one, rng)} {one.verb} {one.where}. {second[0].upper()}{second[1:]}"


Frame = Callable[[DrawnScene, list[Group], Random], str]
SHORT: tuple[Frame, ...] = (_short, _there, _light, _happening)
FULL: tuple[Frame, ...] = (_everything, _picture, _two_sentences, _pair)
OTHERS: tuple[Frame, ...] = (_led, _sideways, _beside, _above, _behind, _overhead, _number)


def captions(scene: DrawnScene, rng: Random) -> list[str]:
    """Return five different captions: at least one short and one that tells more, in no order."""
    groups = _groups(scene)
    chosen = [rng.choice(SHORT), rng.choice(FULL[:2])]
    rest = [f for f in (*SHORT, *FULL, *OTHERS) if f not in chosen]
    rng.shuffle(rest)
    told: list[str] = []
    # A scene with a single object leaves little to say; by the last round, a change of one word will do.
    for news, frames in ((3, (*chosen, *rest)), (3, (*chosen, *rest)), (1, (*chosen, *rest) * 9)):
        for frame in frames:
            text = frame(scene, groups, rng)
            if text and len(told) < CAPTIONS and all(_differ(text, other) >= news for other in told):
                told.append(text)
    assert len(told) == CAPTIONS, f"too little to say of {scene}"
    rng.shuffle(told)
    return [f"{text[0].upper()}{text[1:]}." for text in told]


def _differ(one: str, two: str) -> int:
    """Return how many words are in one of the texts only; none where one text goes on from the other."""
    if one.startswith(two) or two.startswith(one):
        return 0
    return len(set(one.lower().split()) ^ set(two.lower().split()))
