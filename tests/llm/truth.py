"""A truth checker for the offline writer's tests: sentences in, contradictions out.

It shares nothing with the writer but the context text: it reads the boxes itself, has its own word list, and looks in
the text for the sentence forms that make a claim about numbers, places, relations, sizes, presence and absence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

NUMBERS = {word: value for value, word in enumerate("zero one two three four five six seven eight nine ten".split())}

_SAID = {  # category → how it may be said, singular and plural; others are the label itself and label + s
    "person": "person/people man/men woman/women boy/boys girl/girls child/children",
    "tv": "tv/tvs monitor/monitors",
    "dining table": "table/tables",
    "sports ball": "ball/balls",
    "mouse": "computer_mouse/computer_mice",
    "hair drier": "hair_dryer/hair_dryers",
    "skis": "pair_of_skis/pairs_of_skis",
    "scissors": "pair_of_scissors/pairs_of_scissors",
    "broccoli": "piece_of_broccoli/pieces_of_broccoli",
    "box of pens": "box_of_pens/boxes_of_pens",
    "knife": "knife/knives",
    "sheep": "sheep/sheep",
    "bus": "bus/buses",
    "bench": "bench/benches",
    "couch": "couch/couches",
    "sandwich": "sandwich/sandwiches",
    "wine glass": "wine_glass/wine_glasses",
    "toothbrush": "toothbrush/toothbrushes",
}
COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
).split(",")
_HIDING = {"hot dog": "dog", "teddy bear": "bear"}  # a word for the first is no word for the second


@dataclass
class Verdict:
    """What a text claims, as far as these rules see it."""

    supported: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)

    def note(self, is_true: bool, claim: str) -> None:
        (self.supported if is_true else self.contradicted).append(claim)


@dataclass(frozen=True)
class Hull:
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def cx(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def cy(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def area(self) -> float:
        return (self.x1 - self.x0) * (self.y1 - self.y0)


class Checker:
    """Holds texts against the boxes and captions of one context."""

    def __init__(self, context: str) -> None:
        self.boxes: dict[str, list[Hull]] = {}
        self.captions = ""
        for line in context.splitlines():
            match = re.fullmatch(r"(.+): \[([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+)\]", line)
            if match:
                self.boxes.setdefault(match[1], []).append(Hull(*(float(number) for number in match.groups()[1:])))
            else:
                self.captions += f" {line.lower()} "
        self.forms: dict[str, str] = {}
        for label in (*COCO, *self.boxes):
            said = _SAID.get(label) or f"{label.replace(' ', '_')}/{label.replace(' ', '_')}s"
            for form in said.replace("/", " ").split():
                self.forms[form.replace("_", " ").lower()] = label
        names = "|".join(re.escape(form) for form in sorted(self.forms, key=len, reverse=True))
        self._noun = re.compile(rf"(?<![\w-])({names})(?![\w-])")

    def check(self, answer: str, question: str = "") -> Verdict:
        """Return what the answer claims; the question tells what "it" is, and what "yes" and "no" are about."""
        verdict = Verdict()
        question, answer = question.lower(), answer.lower()
        if question and re.match(r"(yes|no)\b", answer):
            self._closed(question, answer, verdict)
        asked_about = self._labels(question)
        for sentence in re.split(r"(?<=\.)\s+", answer):
            self._sentence(sentence, asked_about, verdict)
        return verdict

    def _labels(self, text: str) -> list[str]:
        return [self.forms[match[1]] for match in self._noun.finditer(text)]

    def _count(self, label: str) -> int:
        return len(self.boxes.get(label, ()))

    def _hull(self, label: str) -> Hull | None:
        boxes = self.boxes.get(label)
        if not boxes:
            return None
        return Hull(
            min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes)
        )

    # --- one sentence -------------------------------------------------------------------------------------------------

    def _sentence(self, sentence: str, asked_about: list[str], verdict: Verdict) -> None:
        noun = self._noun.pattern
        if sentence.startswith("no,"):
            sentence = sentence[3:].strip()
        for match in re.finditer(rf"\b(?:there (?:is|are) no|^no) {noun}", sentence):
            label = self.forms[match[1]]
            bare = self.captions
            for other, hidden in _HIDING.items():
                bare = bare.replace(other, "") if label == hidden else bare
            mentioned = any(f" {form} " in bare for form, owner in self.forms.items() if owner == label)
            verdict.note(label not in self.boxes and not mentioned, f"absent: {match[0]}")
        for word, value in NUMBERS.items():
            for match in re.finditer(rf"\b{word} {noun}", sentence):
                label = self.forms[match[1]]
                if value == 1 and "at least one" not in sentence and not re.search(r"(is|only|just) one", sentence):
                    continue
                if sentence[: match.start()].endswith("more than "):
                    continue
                at_least = sentence[: match.start()].endswith("at least ")
                count = self._count(label)
                if label in self.boxes or match[0] not in self.captions:
                    verdict.note(count >= value if at_least else count == value, f"count: {match[0]}")
        for match in re.finditer(rf"(at least ten|ten or more|more than ten|many) {noun}", sentence):
            fewest = 11 if match[1] == "more than ten" else 10
            if match[0] not in self.captions:
                verdict.note(self._count(self.forms[match[2]]) >= fewest, f"count: {match[0]}")
        for match in re.finditer(rf"(?:there (?:is|are)(?: also)?|also has|we see|shows) an? {noun}", sentence):
            if match[0] not in self.captions and f" {match[1]}" not in self.captions:
                verdict.note(self.forms[match[1]] in self.boxes, f"present: {match[0]}")
        if self._relations(sentence, verdict) or self._largest(sentence, verdict):
            return
        for clause in re.split(r", while |, and (?=\w+ )|; ", sentence):
            self._place(clause, asked_about, verdict)

    def _relations(self, sentence: str, verdict: Verdict) -> bool:
        """Check relations between two things; tell whether the sentence was about one."""
        noun = self._noun.pattern
        quantity = r"(?:the )?(?:(?:two|three|four|five|six|seven|eight|nine) )?"
        found = False
        patterns: tuple[tuple[str, Callable[[Hull, Hull], bool]], ...] = (
            (rf"{noun} (?:is|are) (?:to the )?left of {quantity}{noun}", lambda a, b: a.cx < b.cx),
            (rf"{noun} (?:is|are) (?:to the )?right of {quantity}{noun}", lambda a, b: a.cx > b.cx),
            (rf"{noun} is farther (?:to the )?left than {quantity}{noun}", lambda a, b: a.cx < b.cx),
            (rf"{noun} is farther (?:to the )?right than {quantity}{noun}", lambda a, b: a.cx > b.cx),
            (rf"{noun} (?:is|are) above {quantity}{noun}", lambda a, b: a.cy < b.cy),
            (rf"{noun} (?:is|are) below {quantity}{noun}", lambda a, b: a.cy > b.cy),
            (rf"{noun} (?:is|are) higher up in the \w+ than {quantity}{noun}", lambda a, b: a.cy < b.cy),
            (rf"{noun} (?:is|are) lower in the \w+ than {quantity}{noun}", lambda a, b: a.cy > b.cy),
            (rf"{noun} (?:takes up|fills) more of the \w+ than the {noun}", lambda a, b: a.area > b.area),
            (rf"{noun} takes up less of the \w+ than the {noun}", lambda a, b: a.area < b.area),
            (rf"{noun} looks larger in the \w+ than the {noun}", lambda a, b: a.area > b.area),
            (rf"the {noun} and the {noun} are close together", lambda a, b: abs(a.cx - b.cx) < 0.7),
            (rf"the {noun} is; the {noun} is to the right of it", lambda a, b: a.cx < b.cx),
            (rf"the {noun} is; the {noun} is to the left of it", lambda a, b: a.cx > b.cx),
            (rf"there is the {noun}, then the {noun}", lambda a, b: a.cx < b.cx),
            (rf"{noun} comes first on the left, the {noun} is next", lambda a, b: a.cx < b.cx),
        )
        for pattern, holds in patterns:
            for match in re.finditer(pattern, sentence):
                a, b = self._hull(self.forms[match[1]]), self._hull(self.forms[match[2]])
                verdict.note(a is not None and b is not None and holds(a, b), f"relation: {match[0]}")
                found = True
        for match in re.finditer(rf"there are more {noun} than {noun}", sentence):
            many, few = (self._count(self.forms[match[group]]) for group in (1, 2))
            verdict.note(many > few, f"more: {match[0]}")
            found = True
        shared = re.search(r", ((?:both|all) .*?)[.,;]*$", sentence)
        if found and shared:
            self._place(f"{sentence.split(' is ')[0].split(' are ')[0]} are {shared[1]}", [], verdict)
        return found

    def _largest(self, sentence: str, verdict: Verdict) -> bool:
        match = re.search(rf"(?:one that looks larg|larg\w+-looking of the \w+ {self._noun.pattern})", sentence)
        labels = self._labels(sentence)
        if not match or len(set(labels)) != 1:
            return False
        biggest = max(self.boxes[labels[0]], key=lambda box: box.area)
        alone = Checker("")
        alone.boxes = {labels[0]: [biggest]}
        alone._place(sentence.replace("of the", ""), labels, verdict)
        return True

    def _place(self, clause: str, asked_about: list[str], verdict: Verdict) -> None:
        """Check where a clause says its one thing is."""
        clause = clause.replace("on top", "on").replace("right-hand", "right").replace("left-hand", "left")
        labels = list(dict.fromkeys(self._labels(clause))) or list(dict.fromkeys(asked_about))
        said = re.search(r"\b(left|right|top|bottom|upper|lower|middle|centre|halfway|foreground)\b", clause)
        if len(labels) != 1 or not said or labels[0] not in self.boxes:
            return
        boxes = self.boxes[labels[0]]
        split = re.findall(
            r"\b(one|two|three|four|five|six|seven|eight|the other) (?:on|in) the (left|right|middle)\b", clause
        )
        if len(split) >= 2:
            for number, spot in split:
                wanted = NUMBERS.get(number, 1)
                actual = sum(_is_at(box, spot) for box in boxes)
                verdict.note(actual == wanted, f"split: {number} {spot} in {clause!r}")
            verdict.note(sum(NUMBERS.get(number, 1) for number, _ in split) == len(boxes), f"split adds up: {clause!r}")
            return
        if "reaches almost from" in clause:
            across = "one side" in clause
            low, high = (boxes[0].x0, boxes[0].x1) if across else (boxes[0].y0, boxes[0].y1)
            verdict.note(len(boxes) == 1 and low < 0.1 and high > 0.9, f"extent: {clause!r}")
            return
        if "foreground" in clause:
            verdict.note(max(box.area for box in boxes) > 0.2, f"foreground: {clause!r}")
            return
        if match := re.search(r"to the (left|right) of the centre", clause):
            verdict.note(
                all(box.cx < 0.5 if match[1] == "left" else box.cx > 0.5 for box in boxes), f"place: {clause!r}"
            )
            return
        for spot in re.findall(r"\b(left|right|top|bottom|upper|lower)\b", clause):
            verdict.note(all(_is_at(box, spot) for box in boxes), f"place: {clause!r}")
        if "halfway down" in clause or "halfway up" in clause:
            verdict.note(all(0.33 < box.cy < 0.67 for box in boxes), f"place: {clause!r}")
        if "halfway across" in clause or re.search(r"(upper|lower) middle", clause):
            verdict.note(all(0.33 < box.cx < 0.67 for box in boxes), f"place: {clause!r}")
        if re.search(r"in the (middle|centre) of the|near the centre of the", clause):
            verdict.note(all(0.33 < box.cx < 0.67 and 0.33 < box.cy < 0.67 for box in boxes), f"place: {clause!r}")

    # --- yes and no ---------------------------------------------------------------------------------------------------

    def _closed(self, question: str, answer: str, verdict: Verdict) -> None:
        yes = answer.startswith("yes")
        noun = self._noun.pattern
        claim = f"{'yes' if yes else 'no'}: {question}"
        if match := re.match(rf"is there more than one {noun}|are there several {noun}", question):
            label = self.forms[match[1] or match[2]]
            truth = self._count(label) > 1
        elif match := re.match(rf"are there fewer than (\w+) {noun}", question):
            truth = self._count(self.forms[match[2]]) < NUMBERS[match[1]]
        elif match := re.match(rf"are there more {noun} than {noun}", question):
            truth = self._count(self.forms[match[1]]) > self._count(self.forms[match[2]])
        elif (match := re.match(rf"are there (\w+) {noun}", question)) and match[1] in NUMBERS:
            truth = self._count(self.forms[match[2]]) == NUMBERS[match[1]]
        elif match := re.match(rf"is the {noun} to the (left|right) of the {noun}", question):
            a, b = self._hull(self.forms[match[1]]), self._hull(self.forms[match[3]])
            truth = a is not None and b is not None and (a.cx < b.cx if match[2] == "left" else a.cx > b.cx)
        elif match := re.match(rf"(?:is|are) the (?:\w+ )??{noun} on the (left|right) side", question):
            truth = all(_is_at(box, match[2]) for box in self.boxes.get(self.forms[match[1]], ()))
        elif match := re.match(rf"(?:is|are) there (?:an? |any )?{noun}|can you see (?:an? |any )?{noun}", question):
            truth = self.forms[match[1] or match[2]] in self.boxes
        elif match := re.match(rf"does the \w+ show (?:an? |any )?{noun}", question):
            truth = self.forms[match[1]] in self.boxes
        else:
            raise AssertionError(f"a closed question that the checker cannot read: {question}")
        verdict.note(truth == yes, claim)


def _is_at(box: Hull, spot: str) -> bool:
    if spot == "left":
        return box.cx < 0.4
    if spot == "right":
        return box.cx > 0.6
    if spot in ("top", "upper"):
        return box.cy < 0.4
    if spot in ("bottom", "lower"):
        return box.cy > 0.6
    return 0.33 < box.cx < 0.67
