"""Whether a text is in the language that it should be in, by its script and its small words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.quality.texts.phrases import Phrases

# Letters by script, as far as languages are told apart by them. Latin is all that remains.
_SCRIPTS = {
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0600-\u06ff\u0750-\u077f",
    "Devanagari": "\u0900-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Tamil": "\u0b80-\u0bff",
    "Thai": "\u0e00-\u0e7f",
    "Georgian": "\u10a0-\u10ff",
    "Kana": "\u3040-\u30ff",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7af",
}
_WRITTEN_IN = {
    "ar": ("Arabic",), "be": ("Cyrillic",), "bg": ("Cyrillic",), "bn": ("Bengali",), "el": ("Greek",),
    "fa": ("Arabic",), "he": ("Hebrew",), "hi": ("Devanagari",), "ja": ("Kana", "Han"), "ka": ("Georgian",),
    "ko": ("Hangul", "Han"), "mk": ("Cyrillic",), "mr": ("Devanagari",), "ne": ("Devanagari",), "ru": ("Cyrillic",),
    "sr": ("Cyrillic", "Latin"), "ta": ("Tamil",), "th": ("Thai",), "uk": ("Cyrillic",), "ur": ("Arabic",),
    "zh": ("Han",),
}  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]")
_ONE_BY_ONE = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_FEW_LETTERS = 4  # of a foreign script; fewer may be a sign's
_MANY_LATIN = 20  # letters; a name or two in Latin letters is normal everywhere
_FEW_WORDS = 3  # different small words of one other language, and more of them than of the expected one
_MANY_WORDS = 7  # different small words of one other language, whatever stands around them


def foreign_language(text: str, words: Sequence[str], language: str, phrases: Phrases) -> str | None:
    """Return the script or language that a text is wrongly in, such as ``Cyrillic`` or ``de``.

    Args:
        text: As it is written.
        words: Its words in lower case.
        language: Code of the language that is expected, such as ``en``. Of a language that the phrases do not have,
            only the script is checked.
        phrases: With the small words of each language.

    Returns:
        ``None`` where nothing speaks against the language, as for texts of a few words.
    """
    if not text.isascii() or language in _WRITTEN_IN:
        script = _foreign_script(text, _WRITTEN_IN.get(language, ("Latin",)))
        if script:
            return script
    foreign = phrases.foreign.get(language)
    if not foreign:
        return None
    evidence = foreign.keys() & words
    if len(evidence) < _FEW_WORDS:
        return None
    votes = Counter(name for word in evidence for name in foreign[word])
    other, different = min(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    if different < _FEW_WORDS:
        return None
    if different >= _MANY_WORDS:
        return other
    spoken = sum(word in evidence and other in foreign[word] for word in words)
    expected = sum(word in phrases.languages[language] for word in words)
    return other if spoken > expected and spoken * 5 >= len(words) else None


def _foreign_script(text: str, expected: tuple[str, ...]) -> str | None:
    letters = len(_LETTERS.findall(text))
    counts = {name: len(pattern.findall(text)) for name, pattern in _ONE_BY_ONE.items()}
    counts["Latin"] = letters - sum(counts.values())
    wrong = {name: count for name, count in counts.items() if name not in expected}
    if sum(wrong.values()) * 2 <= letters:
        return None
    name, count = max(wrong.items(), key=lambda item: item[1])
    return name if count >= (_MANY_LATIN if name == "Latin" else _FEW_LETTERS) else None
