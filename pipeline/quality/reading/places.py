"""Words for a place in the image, and how they are read."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.quality.reading.vocabulary import BE, DEFINITE, FUNCTION, IMAGES, SIGNS, VERBS, word_set

Frame = Literal["image", "thing", "relation", "other"]
"""What a place is measured by: the whole image; a thing that it is a part of; a thing that it is beside; or something
that has no box, such as a room."""


class Place(msgspec.Struct, gc=False):
    """One phrase such as ``in the upper left corner of the picture``."""

    first: int
    """Its first word, the preposition included."""
    last: int
    across: str
    """``left``, ``right``, ``middle`` or nothing."""
    down: str
    """``top``, ``bottom``, ``middle`` or nothing."""
    depth: str
    """``foreground``, ``background`` or nothing."""
    frame: Frame
    thing: int = -1
    """First word after ``of``, where the frame is a thing."""
    aside: bool = False
    """Whether it is "to the left" without saying of what, which may be beside what was named before."""
    close: bool = False
    """Whether it is a corner or a far end, which is less than a half."""
    spread: bool = False
    """Whether it is a part of what mostly fills the image, but has no box: a counter."""
    rough: bool = False
    """Whether it is a side of a room or a field, of which the image may show a part."""
    loose: bool = False
    """Whether the middle may be that of something else than the image."""

    @property
    def words(self) -> str:
        """How the place is called in a sentence to a person."""
        down = {"top": "upper", "bottom": "lower"}.get(self.down, self.down)
        if self.depth:
            return self.depth
        if self.across and self.down and self.across != self.down:
            return f"{down} {self.across}"
        return self.across or self.down


_ACROSS = {
    "left": "left", "left-hand": "left", "lefthand": "left", "leftmost": "left", "left-most": "left",
    "far-left": "left", "right": "right", "right-hand": "right", "righthand": "right", "rightmost": "right",
    "right-most": "right", "far-right": "right",
}  # fmt: skip
_DOWN = {
    "top": "top", "upper": "top", "uppermost": "top", "topmost": "top", "top-most": "top", "bottom": "bottom",
    "lower": "bottom", "lowermost": "bottom", "bottommost": "bottom", "bottom-most": "bottom",
}  # fmt: skip
_MIDDLE = word_set("middle center centre central mid")
_DEPTH = word_set("foreground background")
_HEIGHTS = {"top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom"} | dict.fromkeys(_MIDDLE, "middle")
_BOTH = {
    f"{one}-{other}": (across, down)
    for one, down in _HEIGHTS.items()
    for other, across in ({"left": "left", "right": "right"} | dict.fromkeys(_MIDDLE, "middle")).items()
}
_PARTS = {"foot": "bottom", "base": "bottom", "head": "top", "heart": "middle"}
"""Parts of bodies that a picture has too: at the foot of the picture."""
_LEVELS = {"low": "bottom", "high": "top"}
KEYS = (
    frozenset(_PARTS) | frozenset(_LEVELS) | frozenset(_ACROSS) | frozenset(_DOWN) | _MIDDLE | _DEPTH | frozenset(_BOTH)
)
"""Words at which a phrase for a place is looked for."""
_TAILS = word_set(
    "side corner part half edge portion third area section end quarter region border sides corners hand-side margin "
    "edges quadrant ends parts foot rim zone halves hand"
)
_PREPOSITIONS = word_set(
    "on in at to near toward towards along from by around across into within inside against nearer beyond past off "
    "down up over through throughout"
)
_DEGREES = word_set(
    "far extreme very immediate absolute outer outermost near immediate exact dead direct actual distant"
)
ROOMS = word_set(
    "kitchen room bathroom bedroom field restaurant court yard garden park patio hall office beach enclosure station "
    "square plaza terrace lawn meadow pasture paddock pen harbour harbor marina bay rink cafe café bar classroom lobby "
    "gallery market lounge airport lot crossing intersection crossroads junction bridge alley driveway piste hillside "
    "grass sand snow playground ground pitch zoo"
)
"""What the image shows as good as whole."""
_WAYS = word_set("street road pavement sidewalk track tracks platform path lane runway aisle slope")
"""What runs through the image, mostly from side to side or in the middle."""
_SPREADS = word_set(
    "desk counter countertop worktop diorama display stadium arena stands hall shop store scenery counter-top group "
    "crowd row line herd queue gathering team tray tabletop buffet stage"
)
"""What mostly fills the image from side to side, where it has no box."""
_TURNED = word_set(
    "looking look looks looked facing face faces faced turning turn turns turned heading head heads headed leaning "
    "lean leans leaned pointing point points pointed moving move moves moved walking walk walks going go goes "
    "traveling travelling travel travels gazing gaze gazes staring stare stares tilting tilted tilt tilts swinging "
    "swing swings running run runs flying fly flies glancing glance glances bending bend bends curving curve curves "
    "steering steers rolling rolls sliding slides aimed aiming aims swerving swerves stepping steps reaching "
    "reaches driving drives drive sailing sails riding rides veering veers directed oriented angled skating surfing "
    "watching leading leads leaping jumping pulling stretching stretches keep keeps"
)
"""Verbs after which "to the left" is a direction."""
_POINTS = word_set("look glance")
"""Verbs with which somebody is told where to look."""
_CLOSE = word_set(
    "off out over away slightly up down back straight just further farther towards toward more directly somewhat a "
    "bit little"
)
_BEFORE_ENTRY = word_set("over off up down somewhere mostly right far out just close further farther")
_FARTHER = word_set("further farther")
_PLACE_ARTICLES = word_set("the this that one a either both each")
_WHOLE = word_set("a an entire whole same")
_MORE_OR_LESS = word_set("above below beneath under")
_NARROW = word_set("corner corners edge border margin third")
_LEADS = DEFINITE | _PREPOSITIONS | _DEGREES
_VIEWERS = word_set("my your our")
_LEAVES = word_set("leave leaves leaving left")
_OF_IMAGE = word_set("image's picture's photo's frame's viewer's")
_OTHER_OWN = word_set("its his her their")


def read_place(low: list[str], start: int, key: int, stop: int) -> Place | None:
    """Return the phrase for a place whose first telling word is at ``key``, ``None`` where it is none."""
    if low[key] == "top" and low[key - 1 : key] == ["on"] and low[key + 1 : key + 2] == ["of"]:
        return None  # "on top of" is a relation
    if _is_order(low, start, key, stop):
        return None
    if low[key] in _PARTS or low[key] in _LEVELS:
        return _read_part(low, start, key, stop)
    across, down, depth, tail, index = _read_keys(low, key, stop)
    if _is_adverb(low, start, key, index, stop):
        return None
    sideways = across in ("left", "right") and not down
    frame, thing, last = _read_frame(low, index, stop, beside=sideways and tail in ("", "hand"))
    first, entry, far = _read_entry(low, start, key)
    if entry == "own" and sideways and not tail and low[key - 2 : key] == ["to", "its"] and key - 2 >= start:
        return Place(key - 2, key, across, "", "", "relation", key - 1)  # "it stands to its left"
    kept = frame == "image" and low[first - 1 : first] in (["keep"], ["keeps"])
    if entry == "own" or (entry == "to" and frame != "relation" and not kept and _is_direction(low, start, first)):
        return None
    if first > start and low[first - 1] in _MORE_OR_LESS:
        return None  # "a bit below the middle"
    if low[index : index + 1] == ["than"]:
        return None  # "farther to the left than" compares
    if not entry and last >= index and low[key] in ("lower", "upper") and not (across or tail):
        return None  # "lower in the image than" compares
    if entry in ("", "the") and first > start and low[first - 1] in _LEAVES:
        return None  # "the train has left the right of the picture to the passengers"
    if low[index : index + 1] == ["wall"] and sideways and tail in ("", "hand"):
        frame, last = "image", index  # "on the left wall"
    if not frame:
        plain = bool(tail or depth)
        if not (plain or _is_end(low, index, stop)) or (tail == "end" and not across):
            return None  # an adjective of another noun: "the left wall", "the top shelf"
        if entry == "the" and not plain and not _is_choice(low, start, first, index):
            return None
        is_dead = first > start and low[first] == "dead"
        if not (entry or plain or (across and down) or is_dead or _is_alone(low, start, first, index, stop)):
            return None
        frame = "image"
    place = Place(first, last, across, down, depth, frame, thing)
    if frame in ("thing", "relation"):
        after = thing
        while after < stop and (low[after] in DEFINITE or low[after] not in FUNCTION) and low[after] not in _SPREADS:
            after += 1
        place.spread = after < min(stop, thing + 4) and low[after] in _SPREADS
        if frame == "relation" and place.spread and entry == "in":
            place.frame = "thing"  # "on the right of the tray"
    if frame == "image":
        whole = low[last] in IMAGES or low[last] == "it"
        place.aside = entry == "to" and last < index and (not tail or low[first] in _FARTHER)
        place.close = far or tail in _NARROW
        place.rough = low[last] in ROOMS or low[last] in _WAYS or low[last] == "wall"
        place.loose = across == "middle" and not tail and last < index
        if across == "middle" and not (down or tail) and whole:
            place.down = "middle"
    return place


def _is_order(low: list[str], start: int, key: int, stop: int) -> bool:
    """Tell whether a word is one end of an order or a way: "from left to right", "from the top to the bottom"."""
    before = [word for word in low[max(start, key - 4) : key] if word != "the"]
    after = [word for word in low[key + 1 : min(key + 4, stop)] if word != "the"]
    return (before[-1:] == ["to"] and before[-2:-1] != [] and before[-2] in KEYS) or (
        len(after) > 1 and after[0] == "to" and after[1] in KEYS
    )


def _read_part(low: list[str], start: int, key: int, stop: int) -> Place | None:
    """Return the place that "at the foot of the picture" or "high up" is."""
    word = low[key]
    if word in _PARTS:
        last = next((k for k in range(key + 1, min(key + 4, stop)) if low[k] in IMAGES), -1)
        if low[key + 1 : key + 2] != ["of"] or last < 0:
            return None
        first = _read_entry(low, start, key)[0]
        down = _PARTS[word]
        return Place(first, last, "middle" if down == "middle" else "", down, "", "image")
    first, last = key, key
    pair = "down" if word == "low" else "up"
    if low[key + 1 : key + 2] == [pair]:
        last = key + 1
    elif key > start and low[key - 1] == pair:
        first = key - 1
    after = low[last + 1 : min(last + 5, stop)]
    if after[:1] == ["in"] and not IMAGES.isdisjoint(after[1:3]):
        last += 2 if after[1] in IMAGES else 3
    elif (first == last and after[:1] != ["on"]) or not (
        not after
        or after[0] in SIGNS
        or (after[0] in ("on", "at", "to", "and") and not _ACROSS.keys().isdisjoint(after))
    ):
        return None
    return Place(first, last, "", _LEVELS[word], "", "image")


def _read_keys(low: list[str], key: int, stop: int) -> tuple[str, str, str, str, int]:
    """Return across, down, depth and the noun that follows ("side"), and the word after them."""
    across, down, depth, tail = "", "", "", ""
    index = key
    while index < stop:
        word = low[index]
        if word in _ACROSS:
            across = across if across in ("left", "right") else _ACROSS[word]
        elif word in _DOWN:
            down = _DOWN[word]
        elif word in _BOTH:
            across, down = _BOTH[word]
        elif word in _MIDDLE:
            if index + 1 < stop and low[index + 1] in _ACROSS:  # "middle left"
                down = down or "middle"
            else:  # "centre", "top centre", "left middle"
                down = down or ("middle" if across else "")
                across = across or "middle"
        elif word in _DEPTH:
            depth = word
        elif word in _TAILS:
            tail = word
        else:
            break
        index += 1
    return across, down, depth, tail, index


def _is_adverb(low: list[str], start: int, key: int, index: int, stop: int) -> bool:
    """Tell whether the word is no place: "right next to", "in his left hand"."""
    last = index - 1
    if low[key] == "right" and last == key and key > start and low[key - 1] not in _LEADS:
        after = low[index] if index < stop else "."
        return after in FUNCTION and after not in BE and after != "of"
    return low[last] == "hand" and last > key and low[last - 1] in _ACROSS and not _is_end(low, index, stop)


def _read_frame(low: list[str], index: int, stop: int, beside: bool) -> tuple[Frame | Literal[""], int, int]:
    """Read what follows the place words; return the frame, the first word of its thing, and the last word."""
    last = index - 1
    if index + 1 >= stop or low[index] not in ("of", "in", "from"):
        return "", -1, last
    after = index + 1
    while after < stop and (low[after] in DEFINITE or low[after] in _WHOLE):
        after += 1
    ahead = after
    while ahead < stop and ahead < after + 4 and low[ahead] not in SIGNS and low[ahead] not in IMAGES:
        if low[ahead] in FUNCTION and low[ahead] not in ("black", "white", "and", "open"):
            break
        ahead += 1
    if ahead < stop and low[ahead] in IMAGES:
        return "image", -1, ahead
    if low[index] != "of":
        return "", -1, last
    room = after
    while room + 1 < stop and room < after + 3 and low[room] not in ROOMS and low[room] not in FUNCTION:
        room += 1
    if low[room] in ROOMS and low[index] != "from":
        return "image", -1, room
    if after < stop and (
        low[after] in ("center", "centre", "middle")
        or low[after] in ROOMS
        or low[after] in _WAYS
        or (low[after] == "it" and not beside)
    ):
        return "image", -1, after
    return ("relation" if beside else "thing"), index + 1, last


def _read_entry(low: list[str], start: int, key: int) -> tuple[int, str, bool]:
    """Read what goes before the place words; return the first word, how it is entered, and whether it is far."""
    index, far = key - 1, False
    while index >= start and low[index] in _DEGREES:
        far |= low[index] in ("far", "extreme", "outermost")
        index -= 1
    article = ""
    is_pronoun = index == key - 1 and low[index] in ("one", "both", "each") and low[key + 1 : key + 2] == ["of"]
    if index >= start and low[index] in _PLACE_ARTICLES and not is_pronoun:
        article = "the"
        index -= 1
    elif index >= start and (low[index] in _VIEWERS or low[index] in _OF_IMAGE):
        article = "the"
        index -= 2 if low[index] in _OF_IMAGE else 1
    elif index >= start and low[index] in _OTHER_OWN:
        return index, "own", far
    if index >= start and low[index] in _PREPOSITIONS:
        entry = "to" if low[index] in ("to", "toward", "towards", "from") else "in"
        while index > start and low[index - 1] in _BEFORE_ENTRY:
            far |= low[index - 1] == "far"
            index -= 1
        return index, entry, far
    return index + 1, "the" if article else "", far


def _is_direction(low: list[str], start: int, first: int) -> bool:
    """Tell whether something looks or moves that way rather than being there."""
    if low[first] == "out":
        return True
    index = first - 1
    while index >= start and low[index] in _CLOSE:
        index -= 1
    return index > start - (low[start] not in _POINTS) and low[index] in _TURNED


def _is_choice(low: list[str], start: int, first: int, index: int) -> bool:
    """Tell whether "the left" or "the left-hand one" is all of an answer."""
    after = low[index : index + 1]
    if after == ["one"]:
        after = low[index + 1 : index + 2]
    return first == start and after in ([], ["."], [","])


def _is_end(low: list[str], index: int, stop: int) -> bool:
    if index >= stop:
        return True
    word = low[index]
    return word in SIGNS or word in FUNCTION or word in VERBS or word.endswith(("ing", "ed", "ly"))


def _is_alone(low: list[str], start: int, key: int, index: int, stop: int) -> bool:
    return (key == start or low[key - 1] in SIGNS) and (index >= stop or low[index] in SIGNS)
