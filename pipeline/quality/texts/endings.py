"""Whether a text stops in the middle."""

from __future__ import annotations

import re

_DANGLING = frozenset(
    "a an and as because but his if into its my onto or our than the their then these they when where which while who "
    "whose your".split()
)  # not "at" or "with", which may end a sentence
_LAST_WORD = re.compile(r"[\w'’-]+$")
_INNER_END = re.compile(r"[.!?][\"”’')\]]*\s+\S")
_LIST_LINE = re.compile(r"(?:^|\n)[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t][^\n]*$")
_PAIRS = (("(", ")"), ("[", "]"), ("“", "”"), ("«", "»"))
_INCHES = re.compile(r"\d\"")
_CUT_SIGNS = (",", ";", ":", "-", "–", "—", "...", "…", "(", "[", "“", "/", "&", "+")
_LONG = 25  # words; a shorter single sentence without its full stop is a matter of style, as in captions
_LATIN_ETC = 0x0590  # code points from here on belong to scripts that end sentences in other ways, or not at all


def broken_ending(text: str, words: int) -> str | None:
    """Return what is wrong with the end of a text of so many words, or ``None``.

    Short answers and single sentences do without a full stop ("Two dogs"), lists as well. A text of several sentences
    whose last one has none, or of a dangling last word or an open bracket, was cut.
    """
    end = text.rstrip()
    if not end:
        return None
    if end.endswith(_CUT_SIGNS) and len(end) > 1 and words:
        return "ends with " + ("an ellipsis" if end.endswith(("...", "…")) else f"“{end[-1]}”")
    if unclosed := _unclosed(end):
        return f"“{unclosed}” is not closed"
    if not end[-1].isalnum() or ord(end[-1]) >= _LATIN_ETC:
        return None
    last = _LAST_WORD.search(end)
    word = last[0].lower() if last else ""
    if words >= 3 and word in _DANGLING:
        return f"ends with “{word}”"
    if (words >= _LONG or _INNER_END.search(end)) and words > 3 and not _LIST_LINE.search(end):
        return "the last sentence has no end"
    return None


def _unclosed(text: str) -> str | None:
    for opening, closing in _PAIRS:
        if text.count(opening) > text.count(closing):
            return opening
    quotes = text.count('"')
    if quotes % 2 and (quotes - len(_INCHES.findall(text))) % 2:
        return '"'
    return None
