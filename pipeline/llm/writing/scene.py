"""The writer's view of a scene, read out of the context text: captions that may be used, and things with their boxes.

What may be said of a thing is decided here. A count is exact only up to nine boxes of a label, since COCO draws a
crowd as one more box of the same label and the context does not show which; and only where no caption speaks against
it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from pipeline.llm.writing.captions import Caption, read_caption
from pipeline.llm.writing.layout import Spot, spot
from pipeline.llm.writing.lexicon import COLOURS, GROUPS, NAMED, PERSON_WORDS, STEMS, TELLING, word_set
from pipeline.llm.writing.nouns import NUMBERS, Noun, article, noun

MOST_EXACT = 9


class Thing(msgspec.Struct, frozen=True):
    """All boxes of one label."""

    noun: Noun
    spots: tuple[Spot, ...]
    """Largest first."""
    exact: bool
    """Whether there are as many as there are boxes, and "the dog" is therefore a clear reference."""

    @property
    def count(self) -> int:
        """Number of boxes."""
        return len(self.spots)

    @property
    def alone(self) -> bool:
        """Whether it is the only one of its kind."""
        return self.exact and len(self.spots) == 1 and self.noun.counts

    @property
    def main(self) -> Spot:
        """The largest box."""
        return self.spots[0]


class View(msgspec.Struct, frozen=True):
    """All that the writer goes by."""

    captions: tuple[Caption, ...]
    """Those that may be used, the most telling first."""
    things: tuple[Thing, ...]
    """Those that fill most of the image first."""
    said: str
    """Everything that is no box line, in small letters: captions, and what a template puts around them."""
    closed_world: bool
    """Whether the labels are COCO's, so that a category without a box may be called absent."""
    colours: dict[str, str]
    """Label of a thing that is alone → its colour, where captions agree on one."""
    setting: str | None
    """``a kitchen``, ``the beach``; where captions agree on one."""

    def thing(self, label: str) -> Thing | None:
        """Return the thing of this label."""
        return next((thing for thing in self.things if thing.noun.label == label), None)

    def is_absent(self, label: str) -> bool:
        """Tell whether neither boxes nor any word of a caption may stand for this COCO category."""
        return (
            self.closed_world
            and all(thing.noun.label != label for thing in self.things)
            and not any(stem in self.said for stem in STEMS[label])
        )


_BOX = re.compile(r"(.+?): \[([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+)\]\s*")
_WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# Some annotators tag rather than write; what one scene may cost is bounded.
_MOST_CAPTIONS, _MOST_BOXES = 12, 300


def holds_boxes(message: str) -> bool:
    """Tell whether a message holds at least one box line."""
    return any(_BOX.fullmatch(line) for line in message.splitlines())


@lru_cache(maxsize=256)  # a scene is asked for once a kind
def read_scene(message: str) -> View:
    """Return the view of the scene that a message holds, with or without a template's words around it."""
    captions, boxes, said = _split(message)
    captions = captions[:_MOST_CAPTIONS]
    token_lists = [_WORDS.findall(caption.lower()) for caption in captions]
    text = f" {' . '.join(' '.join(tokens) for tokens in token_lists)} "
    by_label: dict[str, list[Spot]] = {}
    for label, box in boxes[:_MOST_BOXES]:
        by_label.setdefault(noun(label).label, []).append(box)
    counts = {label: len(spots) for label, spots in by_label.items()}
    doubts = [_doubts(tokens, counts) for tokens in token_lists]
    doubtful = {label for labels, _ in doubts for label in labels}
    things = []
    for label, spots in by_label.items():
        spots.sort(key=lambda box: -box.area)
        exact = len(spots) <= MOST_EXACT and label not in doubtful
        words = _telling(noun(label), token_lists, text) if exact and len(spots) == 1 else noun(label)
        things.append(Thing(words, tuple(spots), exact))
    things.sort(key=lambda thing: -sum(box.area for box in thing.spots))
    return View(
        captions=_rank(captions, token_lists, counts, [against for _, against in doubts]),
        things=tuple(things),
        said=said.lower(),
        closed_world=bool(by_label) and all(label in GROUPS for label in by_label),
        colours=_colours(token_lists, things),
        setting=_setting(text, len(captions)),
    )


def _split(message: str) -> tuple[list[str], list[tuple[str, Spot]], str]:
    """Return captions, boxes, and all other text: the last block of box lines, and the block of lines before it."""
    blocks: list[tuple[bool, list[str]]] = []
    fresh = True
    for line in message.splitlines():
        stripped = line.strip()
        if not stripped:
            fresh = True
            continue
        is_box = stripped[-1] == "]" and _BOX.fullmatch(stripped) is not None
        if fresh or blocks[-1][0] != is_box:
            blocks.append((is_box, []))
        blocks[-1][1].append(stripped)
        fresh = False
    words = "\n".join(line for is_box, lines in blocks if not is_box for line in lines)
    last = next((index for index in reversed(range(len(blocks))) if blocks[index][0]), None)
    if last is None:
        lines = max((lines for _, lines in blocks), key=len, default=[])
        return [line for line in lines if not line.endswith(":")], [], words
    before = blocks[last - 1][1] if last else []
    boxes = []
    for line in blocks[last][1]:
        match = _BOX.fullmatch(line)
        assert match is not None
        label, *corners = match.groups()
        try:
            x0, y0, x1, y1 = (min(float(corner), 1.0) for corner in corners)
        except ValueError:  # "0.1.2" is no number
            continue
        boxes.append((label, spot(x0, y0, x1, y1)))
    return [line for line in before if not line.endswith(":")], boxes, words


_NUMBER = {word: value for value, word in enumerate(NUMBERS) if value > 1} | {
    "couple": 2, "pair": 2, "both": 2, "eleven": 11, "twelve": 12, "dozen": 12, "lone": 1, "single": 1, "only": 1,
    "alone": 1, "trio": 3, "twin": 2, "solo": 1,
} | {str(value): value for value in range(1, 100)}  # fmt: skip
_SEVERAL = word_set(
    "several many group bunch crowd herd lots lot row stack pile number few multiple various some flock collection "
    "assortment variety fleet team family gathering load array set rows piles stacks each others"
)
_OTHERS = word_set("another other others")
_THRONGS = word_set("crowd crowded crowds audience spectators fans stands busy packed gathering")
_STOPS = word_set("with in on at and to by near next that who is are while a an the his her")


def _doubts(tokens: Sequence[str], counts: dict[str, int]) -> tuple[set[str], bool]:
    """Hold one caption against the numbers of boxes.

    Returns:
        The labels whose number it throws doubt on, and whether the caption itself had better not be repeated.
    """
    doubtful, against = set(), False
    people = set()
    for index, token in enumerate(tokens):
        if token in _THRONGS:
            doubtful.add("person")
        named = _named(tokens, index)
        if named is None or named[0] not in counts:
            continue
        label, plural = named
        count = counts[label]
        if label == "person":
            people.add(token)
        if plural and count < 2:
            doubtful.add(label)
            against = True
        for before in range(index - 1, max(index - 5, -1), -1):
            word = tokens[before]
            number = _NUMBER.get(word)
            if number is not None:
                if number != count and (number < 10 or count < 10):
                    doubtful.add(label)
                    against = True
                break
            if word in _SEVERAL:
                if count < 3:
                    doubtful.add(label)
                    against = against or count < 2
                break
            if word in _STOPS or word in NAMED:
                break
    if len(people) > 1 and counts.get("person") == 1 and not _one_person(people):
        doubtful.add("person")
        against = True
    if not _OTHERS.isdisjoint(tokens):
        doubtful |= {label for label, count in counts.items() if count == 1 and _is_named(tokens, label)}
    return doubtful, against


def _one_person(words: set[str]) -> bool:
    """Tell whether these words may all be for one person, such as ``baseball player`` and ``man``."""
    kinds = {TELLING[word] for word in words if word in TELLING}
    return len(kinds) <= 1 and not words & {"person", "people", "couple", "team", "group", "family"}


def _named(tokens: Sequence[str], index: int) -> tuple[str, bool] | None:
    """Return the category that a caption's word names, and whether it is the plural."""
    token = tokens[index]
    before = tokens[index - 1] if index else ""
    if before in ("teddy", "stuffed", "toy", "teddybear"):
        return ("teddy bear", token.endswith("s")) if token in ("bear", "bears", "animal", "animals") else None
    if before == "hot" and token in ("dog", "dogs"):
        return "hot dog", token == "dogs"
    if before == "wine" and token in ("glass", "glasses"):
        return "wine glass", token == "glasses"
    if token in ("light", "lights") and before == "traffic":
        return "traffic light", token == "lights"
    return NAMED.get(token)


def _is_named(tokens: Sequence[str], label: str) -> bool:
    return any((named := _named(tokens, index)) is not None and named[0] == label for index in range(len(tokens)))


def _telling(words: Noun, token_lists: Sequence[Sequence[str]], text: str) -> Noun:
    """Return a more telling noun where all captions bear it out: ``woman`` for a person, ``monitor`` for a TV."""
    if words.label == "tv" and " monitor" in text and not any(name in text for name in (" tv", " t v ", "televi")):
        return words._replace(one="monitor", many="monitors", a="a monitor")
    if words.label != "person":
        return words
    kinds = {TELLING[token] for tokens in token_lists for token in tokens if token in TELLING}
    if kinds in ({"child", "boy"}, {"child", "girl"}):
        kinds.discard("child")
    if len(kinds) != 1:
        return words
    (kind,) = kinds
    plural_words = PERSON_WORDS[kind][1].split()
    if any(f" {plural} " in text for plural in plural_words) or " people " in text:
        return words
    return words._replace(one=kind, many=plural_words[0], a=f"{article(kind)} {kind}")


_EMPTY_WORDS = word_set(
    "with that this there their near next from into onto some several standing sitting while over behind front very "
    "other large small"
)
_SIDES = word_set("left right background foreground corner middle center centre bottom upper lower")
_UNLIKELY = word_set(
    "she he they it i we my you your his her photo picture image photograph pictures photos view camera shot"
)


def _rank(
    captions: Sequence[str], token_lists: Sequence[Sequence[str]], counts: dict[str, int], against: Sequence[bool]
) -> tuple[Caption, ...]:
    """Return the usable captions, those that the others bear out and that tell most first."""
    shared = Counter(word for tokens in token_lists for word in set(tokens) if len(word) > 3)
    scored = []
    for raw, tokens, contradicts in zip(captions, token_lists, against, strict=True):
        if contradicts or (counts and _names_a_side(tokens)) or _knows_more(tokens, counts, shared):
            continue
        caption = read_caption(raw)
        if caption is None:
            continue
        words = {word for word in tokens if len(word) > 3} - _EMPTY_WORDS
        score = sum(min(shared[word], 3) - 1 for word in words) + 0.4 * min(len(tokens), 14)
        score -= 4 * (caption.form == "loose") + 3 * (len(tokens) > 26) + 3 * (len(tokens) < 5)
        score -= 3 * (caption.words[0] in _UNLIKELY) + 2 * (not _UNLIKELY.isdisjoint(tokens))
        scored.append((score, caption))
    scored.sort(key=lambda pair: -pair[0])
    return tuple(dict.fromkeys(caption for _, caption in scored))


def _names_a_side(tokens: Sequence[str]) -> bool:
    """Tell whether a caption says where something is in the image; "on top of" does not."""
    if not _SIDES.isdisjoint(tokens):
        return True
    return any(token == "top" and tokens[index - 1] != "on" for index, token in enumerate(tokens))


def _knows_more(tokens: Sequence[str], counts: dict[str, int], shared: Counter[str]) -> bool:
    """Tell whether this caption alone has an animal that the boxes do not have, though they have another."""
    if not any(GROUPS.get(label) == "animal" for label in counts):
        return False
    for index, token in enumerate(tokens):
        named = _named(tokens, index)
        if named is not None and named[0] not in counts and GROUPS[named[0]] == "animal" and shared[token] < 2:
            return True
    return False


_AFTER_NOUN = word_set(
    ". is are with in on that at and sitting standing parked near next by to behind beside driving holding walking "
    "lying laying flying while looking under traveling going which eating moving riding resting grazing"
)


def _colours(token_lists: Sequence[Sequence[str]], things: Sequence[Thing]) -> dict[str, str]:
    """Return colours of things that are alone (or of what captions name, without boxes), if no caption disagrees."""
    alone = {thing.noun.label for thing in things if thing.alone}
    said: dict[str, set[str]] = {}
    for tokens in token_lists:
        for index, token in enumerate(tokens):
            if token not in COLOURS or (index and tokens[index - 1] in ("and", "dark", "light", "bright")):
                continue
            end, colour = index + 1, token
            if end + 1 < len(tokens) and tokens[end] == "and" and tokens[end + 1] in COLOURS:
                end, colour = end + 2, f"{token} and {tokens[end + 1]}"
            if end >= len(tokens) or tokens[end] in COLOURS:
                continue
            named = _named(tokens, end)
            after = tokens[end + 1] if end + 1 < len(tokens) else "."
            if named is not None and not named[1] and after in _AFTER_NOUN and GROUPS[named[0]] != "people":
                said.setdefault(named[0], set()).add(colour)
            elif named is not None:
                said.setdefault(named[0], set()).update((colour, "?"))
    agreed = {label: min(colours) for label, colours in said.items() if len(colours) == 1}
    return {label: colour for label, colour in agreed.items() if label in alone or not things}


_SETTINGS = {
    "kitchen": "a kitchen", "bathroom": "a bathroom", "living room": "a living room", "bedroom": "a bedroom",
    "restaurant": "a restaurant", "beach": "a beach", "train station": "a train station", "airport": "an airport",
    "tennis court": "a tennis court", "baseball field": "a baseball field", "baseball game": "a baseball game",
    "parking lot": "a parking lot", "skate park": "a skate park", "skatepark": "a skate park", "zoo": "a zoo",
    "city street": "a city street", "street": "a street", "park": "a park", "forest": "a forest", "office": "an office",
    "field": "a field", "market": "a market", "sidewalk": "a sidewalk", "ocean": "the ocean",
    "hospital": "a hospital", "store": "a store", "classroom": "a classroom", "farm": "a farm",
}  # fmt: skip


def _setting(text: str, captions: int) -> str | None:
    """Return the place that at least two captions name (or the only caption), if they name no other."""
    needed = 2 if captions > 1 else 1
    for words, setting in _SETTINGS.items():
        if text.count(f" {words} ") >= needed:
            return setting
    return None
