"""E-mail addresses and telephone numbers in a text, told from the other numbers that pictures are full of."""

from __future__ import annotations

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?!\w)", re.IGNORECASE)
_SPELT = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}\s?[\[(]at[\])]\s?[a-z0-9-]+(?:\s?[\[(]dot[\])]\s?|\.)[a-z]{2,}(?!\w)", re.IGNORECASE
)
# A run of digits and of what stands between the digits of a telephone number.
_RUN = re.compile(r"(?<![\w.,:$€£¥#/-])(?:\+|\()?\d[\d ().\-/\u2010-\u2013\u00a0]{4,24}\d(?![\w%:]|[.,]\d)")
_DIGIT = re.compile("[0-9]")  # most texts have none
_GROUPS = re.compile(r"\d+")
_CUE = re.compile(
    r"\b(?:call(?:s|ed|ing)?|dial(?:s|ing)?|fax|hotline|mobile|phone|ring|tel|telephone|text|whatsapp)\b[^.\n]{0,40}$",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}$")
_US_GROUPS = ([3, 3, 4], [1, 3, 3, 4])


def find_personal(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield first character, one past the last, and ``e-mail address`` or ``telephone number``, in no fixed order."""
    if "@" in text or "[at]" in text or "(at)" in text:
        for pattern in (_EMAIL, _SPELT):
            for found in pattern.finditer(text):
                yield found.start(), found.end(), "e-mail address"
    for found in _RUN.finditer(text) if _DIGIT.search(text) else ():
        if _is_telephone(found[0], text[max(0, found.start() - 60) : found.start()]):
            yield found.start(), found.end(), "telephone number"


def _is_telephone(run: str, before: str) -> bool:
    """Tell whether a run of digits is a telephone number.

    Known forms are an international one (``+44 20 …``), a North American one (``555-012-3456``, ``(555) 012-3456``),
    and a national one that begins with 0 (``020 7946 0018``, ``06 12 34 56 78``). Any other run needs a word such as
    "call" before it.
    """
    groups = _GROUPS.findall(run)
    sizes = [len(group) for group in groups]
    digits = sum(sizes)
    if not 7 <= digits <= 15 or _DATE.fullmatch(run) or max(sizes) == 1:
        return False
    if run.startswith("+"):
        return digits >= 8
    if sizes in _US_GROUPS and groups[-3][0] != "0" and not re.fullmatch(r"[\d ]+", run):
        return True
    if groups[0][0] == "0" and groups[0].strip("0") and "." not in run[:2] and 9 <= digits <= 12:
        return (len(groups) > 1 and min(sizes) >= 2) or digits in (10, 11)
    return _CUE.search(before) is not None and (min(sizes) >= 2 or sizes[0] == 1)
