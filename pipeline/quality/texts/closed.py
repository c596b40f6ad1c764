"""Closed questions, which "yes" or "no" answers, and which of the two an answer gives. English only."""

from __future__ import annotations

import re
from typing import Literal

_BE = "am|is|are|was|were"
_AUXILIARY = f"{_BE}|do|does|did|has|have|had|can|could|will|would|should|shall|may|might|must"
_PRONOUN = "it|he|she|they|there|that|this|these|those|you|we|i|one"
_SCENE = "image|picture|photo|photograph|scene"
_ASKED = re.compile(
    # What may stand before the verb: "In the image, is there …", "And are …", "Looking at the table, can you see …".
    r"(?:(?:and|but|so|now|well|ok|okay|then|also|or|please|next)\b,? )*"
    r"(?:(?:in|on|at|to|from|of|among|behind|beside|besides|apart from|based on|looking|judging|considering|given|with|"
    r"according to|near|under|above|other than|aside from|for|if|when|while|since|as)\b[^,?]{1,80}, ?"
    rf"(?:and |but |then )?)?(?:{_AUXILIARY}|wo|ca)(?:n't|'t)?\b"
)
_TAG = re.compile(
    rf", ?(?:and )?(?:(?:{_AUXILIARY}|wo|ca)(?:n't|'t| not)? (?:{_PRONOUN})(?: not)?|right|correct|no|yes|true|"
    r"don't you think)\?$"
)
_STATED = re.compile(
    r"^(?:true or false|yes or no)\b|\b(?:yes or no|true or false|or not)\?$|, ?(?:right|correct)\?$|"
    r"\((?:yes/no|yes or no)\)"
)
# Requests in the form of a closed question: "Can you describe …", "Could you tell me what …".
_REQUEST = re.compile(
    r"\b(?:can|could|would|will|may|might) (?:you|i|we|anyone|anybody|someone|somebody)(?: please| kindly| also)? "
    r"(?:(?:describe|explain|list|name|summari[sz]e|elaborate|give|provide|share|walk|break|help|paint|write|count|guess|"
    r"suggest|outline|compare|offer|infer|paraphrase|point|show|have|get|know|take|create|compose|detail|sketch|talk)\b|"
    r"(?:tell|say|see|make out|work out|identify|find out|figure out|determine|think of|speculate|imagine|spot)\b"
    r"[^?]*\b(?:what|which|who|whom|whose|where|when|why|how|about|more|the|any possible)\b)"
)
_WHETHER = re.compile(
    r"\b(?:whether|if)\b|\btell (?:from|by)\b|\b(?:see|spot|make out|identify|say) (?:the|any|a|an)\b"
)
_OPEN = re.compile(r"\b(?:what|why|who|where|when|which|how)\b")
_OPEN_INSIDE = re.compile(
    r"\bdo you (?:know|think|see|notice|have)\b[^?]{0,12}\b(?:what|which|who|where|when|why|how)\b"
)
_CHOICE = re.compile(r"\bor\b")
# "Or" between two things of which either will do: "any dogs or cats", "someone or something".
_NO_CHOICE = re.compile(
    r"\b(?:yes or no|or not|true or false|more or less|or so|or more|two or three|one or two|"
    r"or (?:anything|anyone|anybody|something|someone|somebody|anywhere)(?: else)?|"
    r"(?:any|no|many|few|several|all|some|other|without) [\w ,-]{1,50} or|"
    r"(?:a|an|one) [\w-]+ or (?:a |an )?[\w-]+ (?:who|that|which|visible|in|on|at|near|here|anywhere))\b"
)
_PRESENCE = re.compile(
    r"\b(?:is|are|was|were|isn't|aren't) there\b|\b(?:can|could) (?:you|i|we|one) (?:see|spot|find|make out|detect)\b|"
    rf"\bdo(?:es)? (?:you (?:see|notice)|(?:the|this) (?:{_SCENE}) (?:show|contain|include|feature|have|depict))\b|"
    rf"\b(?:visible|present|to be seen|in (?:the|this) (?:{_SCENE}))\b|\bappears? in\b|"
    r"\b(?:has|have) any(?:one|body)\b|\b(?:anyone|anybody)\b"
)
_YES = re.compile(
    r"(?:yes|yeah|yep|yup|indeed|correct|right|exactly|true|certainly|definitely|absolutely|of course|sure|affirmative|"
    r"most likely|probably|very likely|likely)\b(?! not|-)"
    r"(?! ?(?:in|hand|side|now|behind|above|next|beside|on|at|to)\b)|"
    rf"(?:{_PRONOUN}|both|some|most|all)(?: \w+ly)? (?:{_AUXILIARY})\b(?:[.,!;]|$)|"
    r"(?:there (?:is|are|was|were)|there's|(?:you|one|we|i) can (?:also )?see)\b"
    r"(?! (?:no|not|nothing|nobody|none|neither|never|hardly|only|just)\b)"
)
_NO = re.compile(
    r"(?:no|nope|nah|none|not|never|neither|nobody|nothing|nowhere|incorrect|wrong|false|unlikely|hardly|negative)\b"
    r"(?! (?:but|only|just|far|long|one of)\b)|"
    r"(?:certainly|definitely|absolutely|of course|probably|most likely|likely|surely|apparently|perhaps) (?:not|no)\b|"
    rf"(?:{_PRONOUN}|(?:the|a) [\w' -]{{1,40}}?)"
    rf"(?: (?:{_AUXILIARY}) (?:not|no)|(?: \w+)?n't| can't|'s (?:not|no)|'re not| cannot)\b|"
    rf"(?:{_PRONOUN}) (?:{_BE}|see|has|have) (?:no|none|nothing|nobody|neither)\b|"
    r"(?:i'm|i am) afraid not\b"
)
_LEAD = re.compile(r"^(?:oh|well|ah|hmm|so|actually|in fact|as far as (?:i|one|we) can (?:see|tell))[,.]? ")


def is_closed(question: str) -> bool:
    """Tell whether "yes" or "no" would answer a question.

    Closed are questions that begin with an auxiliary verb, also after an opening such as "In the image," or "And",
    and statements with a tag ("…, isn't it?"). A choice ("Is it a cat or a dog?") is not closed, nor is a request in
    the form of a question ("Can you describe the room?").
    """
    text = _plain(question)
    asked = _last_question(text)
    if _STATED.search(text) or _TAG.search(asked):
        return True
    if not asked.endswith("?") or not _ASKED.match(asked) or _OPEN_INSIDE.search(asked):
        return False
    if _REQUEST.search(asked) and (_OPEN.search(asked) or not _WHETHER.search(asked)):
        return False
    return not _CHOICE.search(asked) or _NO_CHOICE.search(asked) is not None


def closed_answer(answer: str) -> Literal["yes", "no"] | None:
    """Return what the answer to a closed question says, or ``None`` where it says neither plainly."""
    text = _LEAD.sub("", _plain(answer).lstrip("\"'“‘ "))
    if _NO.match(text):
        return "no"
    if _YES.match(text):
        return "yes"
    return None


def asks_for_absent(question: str, answer: str) -> bool:
    """Tell whether a question asks for a thing that, by its answer, is not there."""
    return _PRESENCE.search(_plain(question)) is not None and is_closed(question) and closed_answer(answer) == "no"


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())


def _last_question(text: str) -> str:
    """Return the last sentence, or the whole of a text of one sentence."""
    start = max(text.rfind(mark, 0, -1) for mark in (". ", "! ", "? ", ": "))
    return text[start + 2 :] if start >= 0 else text
