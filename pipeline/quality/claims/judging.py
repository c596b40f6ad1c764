"""A sentence that has been read, held against the evidence, claim by claim."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.quality.claims.absences import denials
from pipeline.quality.claims.attributes import judge_colours, said_colours
from pipeline.quality.claims.comparisons import read_comparisons
from pipeline.quality.claims.counts import (
    is_exact,
    is_shown,
    judge_number,
    judge_presence,
    listed,
    one_of,
    told,
    with_place,
)
from pipeline.quality.claims.denying import claim_absence, claim_nobody, denied_by
from pipeline.quality.claims.doubts import (
    is_alternative,
    is_at_home,
    is_doing,
    is_image,
    is_in_rule,
    is_negated,
    is_of_rule,
    is_unseen,
)
from pipeline.quality.claims.evidence import Evidence
from pipeline.quality.claims.ledger import Ledger
from pipeline.quality.claims.totals import (
    is_counted_out,
    is_definite,
    is_far_fewer,
    is_whole,
    sorts_total,
    sum_with_more,
    too_few_at,
)
from pipeline.quality.claims.whereabouts import judge_place, judge_relation, judge_shared
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.sentences import Text
from pipeline.quality.reading.statements import Listed, Statement
from pipeline.quality.reading.vocabulary import VERBS, word_set

_OWNS = word_set("own owns owned need needs want wants keep keeps prefer prefers afford have")
"""Verbs with which a question may speak of people whom nobody sees."""


_LETS = word_set("let lets letting allow allows allowing")
"""Verbs that need somebody who is there: "What is he waiting for?" "To let two horses pass."."""
_MODALS = word_set("may might can must should would will shall could need needs")
_SOMEBODY = ("someone", "somebody")
_AGES = word_set("adult grown-up baby infant youngster juvenile child toddler male female mother father parent")
"""Words for people that are as good for animals."""
_ROLES = ("er", "or", "ist")


class Judge(Ledger):
    """Makes the claims of one message."""

    def __init__(self, evidence: Evidence, message: int, text: Text) -> None:
        """Remember whose words they are; see ``Ledger``."""
        super().__init__(evidence, message, text)
        self._corrected = False
        self._named: set[str] = set()

    def presumptions(self, statements: Sequence[Statement], denied: set[str], *, corrected: bool) -> None:
        """Add what the sentences of a question take for granted.

        Args:
            statements: The sentences.
            denied: Labels of things that its answer says are absent, and so puts right.
            corrected: Whether the answer begins with a "not" that may put a number right.
        """
        self._corrected = corrected
        self.denied = denied
        person = self.evidence.person
        for statement in statements:
            words = statement.low[statement.first : statement.stop]
            if person is not None and not _OWNS.isdisjoint(words):  # the farmer who owns the sheep is at home
                self.denied = denied | person.may
            self._mentions(statement, denials(statement), presumed=True)

    def expect(self, statements: Sequence[Statement]) -> None:
        """Learn which things the message says are absent, before it is judged that it names them."""
        for statement in statements:
            for index in denials(statement):
                sense = statement.mentions[index].sense
                self.denied |= denied_by(sense) if sense is not None and not sense.several else set()

    def statement(self, statement: Statement) -> None:
        """Add all claims of a sentence."""
        if not (statement.mentions or statement.nobody):
            return
        denied = denials(statement)
        self._mentions(statement, denied, presumed=False)
        for each in read_comparisons(statement, self.evidence):
            if not statement.is_hedged(each.first):
                self.add(each.first, each.last, "comparison", each.verdict, each.boxes, (), each.detail)
        if statement.listed is not None:
            self._total(statement.listed)
        self._sorts(statement)
        for word in statement.nobody:
            claim_nobody(self, statement, word)
        for located in statement.located:
            first = located.place.first
            subject = statement.mentions[located.subjects[0]] if located.subjects else None
            known = subject is not None and subject.article == "the" and subject.last < first
            judged = (
                None if statement.is_hedged(first, known) else judge_place(statement, located, denied, self.evidence)
            )
            if judged:
                self.add(first, judged.last, "place", judged.verdict, judged.boxes, (), judged.detail)
        shared = judge_shared(statement, self.evidence)
        if shared is not None and not statement.is_hedged(shared.last):
            self.add(shared.last, shared.last, "place", shared.verdict, shared.boxes, (), shared.detail)
        for relation in statement.relations:
            first = relation.first
            judged = None if statement.is_hedged(first) else judge_relation(statement, relation, denied, self.evidence)
            if judged:
                self.add(first, judged.last, "relation", judged.verdict, judged.boxes, (), judged.detail)

    def _mentions(self, statement: Statement, denied: set[int], *, presumed: bool) -> None:
        placed: dict[int, list[Place]] = {}
        for located in statement.located:
            place = located.place
            if located.sure and located.subjects and place.frame == "image" and not place.aside:
                placed.setdefault(located.subjects[0], []).append(place)
        for index, mention in enumerate(statement.mentions):
            sense = mention.sense
            if sense is None:
                continue
            if index in denied:
                claim_absence(self, statement, mention, sense)
            elif mention.real and not self._is_of_animals(sense):
                if mention.counted and self._corrected:
                    continue
                if mention.counted:
                    self._count(statement, mention, sense, placed.get(index, ()))
                elif not mention.pronoun and not (mention.article == "the" and sense.word in self._named):
                    self._presence(statement, mention, sense, presumed=presumed)
                self._named.add(sense.word)
                if not mention.pronoun:
                    self._colours(statement, mention, sense)

    def _is_of_animals(self, sense: Sense) -> bool:
        """Tell whether "one adult" is an animal: nobody is seen, or the question is about animals only."""
        person = self.evidence.person
        if person is None or sense.word not in _AGES or not sense.may & person.may:
            return False
        animal = self.evidence.animal
        asked = {label for each in self.asked if each.sense is not None for label in each.sense.may}
        is_asked = animal is not None and bool(asked & animal.may) and not asked & person.may
        return is_asked or (bool(self.evidence.boxes) and not self.evidence.boxes_of(person))

    def _is_doubted(self, statement: Statement, mention: Mention, sense: Sense, *, known: bool = False) -> bool:
        """Tell whether a mention is a guess, or of what the message itself denies.

        Args:
            statement: The sentence.
            mention: What it names.
            sense: What that means.
            known: Whether it speaks of it as of something that is seen, whatever the question asks to imagine.
        """
        known = known or statement.before(mention.first) in _LETS or self._is_stated(statement, mention, sense)
        if (statement.imagined and not known) or (sense.may | {sense.word}) & self.denied:
            return True
        if statement.guessed is not None and statement.guessed.may & sense.may:
            return True
        last = listed(statement, mention)[-1]  # "a fork and a spoon would be laid out"
        is_given = True if known and statement.low[mention.first] == "the" else None  # "the five dogs seem happy"
        if statement.is_hedged(mention.head, is_given) or statement.is_hedged(last.head, is_given):
            return True
        return is_negated(statement, mention)

    def _is_stated(self, statement: Statement, mention: Mention, sense: Sense) -> bool:
        """Tell whether "six chairs surround it" says what there is, in reply to "how many guests could dine here?"."""
        if not mention.counted or mention.pronoun or mention.first != statement.first:
            return False
        is_asked = any(each.sense is not None and each.sense.may & sense.may for each in self.asked)
        return not is_asked and statement.after(mention) in VERBS - _MODALS

    def _presence(self, statement: Statement, mention: Mention, sense: Sense, *, presumed: bool) -> None:
        person = self.evidence.person
        if person is not None and sense.word in _SOMEBODY and is_doing(statement, mention):
            sense = person  # "somebody is washing up"
        verdict, there = judge_presence(sense, self.evidence)
        if verdict == "contradicted":
            general = mention.many and not mention.article
            general = general and (is_in_rule(statement, mention) or not is_shown(statement, mention))
            doubt = (
                general
                or is_alternative(statement, mention)
                or is_at_home(statement, mention)
                or is_image(statement, mention)
                or (mention.likeness and not sense.made)
                or (person is not None and sense.may == person.may and is_unseen(statement, mention))
                or (presumed and not self._is_presumed(mention, sense))
            )
            if doubt or self._is_doubted(statement, mention, sense):
                verdict = "not checkable"
        elif self._is_one_too_many(mention, sense) and not (presumed or self._is_doubted(statement, mention, sense)):
            there = self.evidence.count(sense)
            detail = f"the boxes show {told(len(there.boxes), sense)}"
            self.add(mention.first, mention.last, "count", "contradicted", there.boxes, there.captions, detail)
            return
        detail = f"neither the boxes nor the captions show {one_of(sense)}"
        self.add(mention.first, mention.last, "presence", verdict, there.boxes, there.captions, detail)

    def _is_presumed(self, mention: Mention, sense: Sense) -> bool:
        """Tell whether a question takes it for granted that a thing is seen: "the man", but not "the owner"."""
        person = self.evidence.person
        is_role = person is not None and sense.may == person.may and sense.word.endswith(_ROLES)
        return mention.article == "the" and not is_role

    def _is_one_too_many(self, mention: Mention, sense: Sense) -> bool:
        """Tell whether "a second dog", or "another dog" after a dog, is more than there are."""
        is_next = mention.article == "another" and (
            sense.word in self._named or self._is_another_person(mention, sense)
        )
        least = 2 if is_next else mention.least
        if least == 1 or mention.article not in ("a", "another", "the") or mention.many:
            return False
        high = self.evidence.count(sense).high
        return high is not None and 0 < high < least

    def _is_another_person(self, mention: Mention, sense: Sense) -> bool:
        """Tell whether "another surfer" is a second person, somebody having been spoken of before."""
        person = self.evidence.person
        if person is None or sense.may != person.may:
            return False
        return any(
            each.sense is not None and each.sense.may == person.may
            for each in (*self.asked, *self.mentions)
            if each is not mention and (each in self.asked or each.first < mention.first)
        )

    def _count(self, statement: Statement, mention: Mention, sense: Sense, places: Sequence[Place]) -> None:
        low, high = mention.low or 0, mention.high
        is_some = mention.part and mention.article != "the"
        together = sum_with_more(statement, mention)
        is_told = mention.answers or mention.exact or is_some or (places and low > 1)
        if mention.pronoun and not (is_told or together):
            return
        exact = is_exact(statement, mention, bool(places))
        exact = exact or is_definite(statement, mention, sense, (*self.asked, *self.mentions))
        exact = exact or is_whole(statement, mention, sense, self.mentions, self.evidence)
        exact = exact or is_counted_out(mention, sense, self.evidence)
        exact &= mention.total or not statement.partial or (mention.exact and not mention.answers)
        there = self.evidence.drawn(sense)
        exact = exact or is_far_fewer(statement, mention, there, self.evidence, sense, self.mentions)
        if mention.exact and places and statement.after(mention) == ",":  # "a single car, parked on the right"
            places = ()
        verdict = judge_number(low, high, exact and not places, there)
        if (
            verdict != "supported" or exact or not sense.sure
        ):  # captions mostly make more numbers possible, and sometimes settle one
            there = self.evidence.count(sense)
            verdict = judge_number(low, high, exact and not places, there)
        if verdict == "supported" and together and there.high is not None and together > there.high:
            verdict = "contradicted"
        detail = f"the boxes show {told(len(there.boxes), sense)}"
        present = too_few_at(statement, mention, sense, self.evidence) if verdict == "supported" else ()
        if present:
            verdict, detail = "contradicted", f"the boxes show {told(len(present), sense)} there"
        is_image = mention.article == "the" and mention.exact and not there.boxes  # "the only dog here is a hot one"
        if is_image or (there.high == 0 and judge_presence(sense, self.evidence)[0] != "contradicted"):
            verdict = "not checkable"
        elif verdict != "contradicted" and len(places) == 1 and low >= 2 and not (mention.vague or mention.part):
            near = with_place(there, places[0], self.evidence, sense)
            if near.boxes:
                there = near
                verdict = judge_number(low, high, exact, there)
                detail = f"the boxes show {told(len(there.boxes), sense)} there"
        if verdict == "contradicted" and is_of_rule(statement, mention):
            verdict = "not checkable"
        if verdict == "contradicted" and sense.open and statement.after(mention) == "of":
            verdict = "not checkable"  # a bag of crisps is no handbag
        if verdict == "contradicted" and self._is_doubted(statement, mention, sense, known=mention.article == "the"):
            verdict = "not checkable"
        self.add(mention.first, mention.last, "count", verdict, there.boxes, there.captions, detail)

    def _sorts(self, statement: Statement) -> None:
        """Add that a sentence lists more people, by their sorts, than there are."""
        person = self.evidence.person
        first, last, total = sorts_total(statement, person) if person is not None else (0, 0, 0)
        high = self.evidence.count(person).high if person is not None and total else None
        if person is not None and high is not None and total > high > 0 and not statement.is_hedged(first):
            boxes = self.evidence.boxes_of(person)
            detail = f"these are {total}, and the boxes show {told(len(boxes), person)}"
            self.add(first, last, "count", "contradicted", boxes, (), detail)

    def _total(self, listed: Listed) -> None:
        there = self.evidence.count(listed.sense)
        verdict = judge_number(listed.total, listed.total, True, there)
        detail = f"these are {listed.total}, and the boxes show {told(len(there.boxes), listed.sense)}"
        self.add(listed.first, listed.last, "count", verdict, there.boxes, there.captions, detail)

    def _colours(self, statement: Statement, mention: Mention, sense: Sense) -> None:
        colours = said_colours(statement, mention)
        if colours and not self._is_doubted(statement, mention, sense):
            verdict, captions, detail = judge_colours(colours, sense, self.evidence)
            self.add(mention.first, mention.last, "attribute", verdict, (), captions, detail)
