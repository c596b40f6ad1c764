"""Colours, by what captions say of the same thing."""

from __future__ import annotations

from pipeline.quality.claims.evidence import Evidence
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import BE, COLOURS, SIGNS, word_set
from pipeline.records import Verdict

_ALIKE = tuple(
    frozenset(pair.split("-"))
    for pair in (
        "red-orange red-pink orange-brown orange-yellow brown-red yellow-brown blue-purple blue-green pink-purple "
        "grey-white grey-blue grey-black white-yellow black-brown brown-grey black-blue white-brown"
    ).split()
)
"""Colours that two people may call one and the same thing."""
_GOES_ON = word_set("and or with in")


def said_colours(statement: Statement, mention: Mention) -> tuple[str, ...]:
    """Return the colours that a sentence gives a thing, before its name or after "is"."""
    if mention.colours:
        return mention.colours
    low, index = statement.low, mention.last + 1
    if index + 1 >= statement.stop or low[index] not in BE:
        return ()
    word = low[index + 1]
    after = low[index + 2] if index + 2 < statement.stop else "."
    if word in COLOURS and (after in SIGNS or after in _GOES_ON):
        return (COLOURS[word],)
    return ()


def judge_colours(colours: tuple[str, ...], sense: Sense, evidence: Evidence) -> tuple[Verdict, tuple[int, ...], str]:
    """Return the verdict on colours, the captions that settle it, and what they say instead."""
    told: dict[str, list[int]] = {}
    anywhere: set[str] = set()
    for said in evidence.said:
        if said.sense.may & sense.may:
            for colour in said.mention.colours:
                told.setdefault(colour, []).append(said.caption)
    for caption in evidence.captions:
        anywhere |= {COLOURS[word] for word in caption.lower().replace(",", " ").split() if word in COLOURS}
    fitting = [caption for colour in colours for caption in told.get(colour, ())]
    if fitting:
        return "supported", tuple(sorted(set(fitting))), ""
    single = evidence.count(sense).high == 1 and not sense.open
    if not told or not single or any(_is_alike(colour, other) for colour in colours for other in anywhere):
        return "not checkable", (), ""
    captions = tuple(sorted({caption for captions in told.values() for caption in captions}))
    if len(captions) < 2:
        return "not checkable", captions, ""
    return "contradicted", captions, f"the captions call the {sense.word} {' and '.join(told)}"


def _is_alike(one: str, other: str) -> bool:
    return one == other or frozenset((one, other)) in _ALIKE
