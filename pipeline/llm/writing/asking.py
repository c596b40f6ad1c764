"""What a conversation has asked so far, so that no question comes twice and no thing is asked about again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pipeline.llm.writing.facts import Pen, worth_a_word
from pipeline.llm.writing.scene import Thing, View
from pipeline.records import Turn

_OFTEN = 2  # questions about one thing


class Asked:
    """The topics and things of one conversation."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.topics: set[str] = set()
        """``there:dog``, ``where:dog``, ``count:dog``, ``pair:cat+dog``, ``caption:…`` and the like."""
        self._times: Counter[str] = Counter()

    def draft(self) -> Asked:
        """Return a copy to note further topics in, which may be dropped or adopted."""
        draft = Asked()
        draft.adopt(self)
        return draft

    def adopt(self, draft: Asked) -> None:
        """Take over what a draft has noted."""
        self.topics, self._times = set(draft.topics), draft._times.copy()

    def first_time(self, topic: str) -> bool:
        """Note a topic; tell whether it is new."""
        is_new = topic not in self.topics
        self.topics.add(topic)
        return is_new

    def thing(self, view: View, pen: Pen, topic: str, fits: Callable[[Thing], bool]) -> Thing | None:
        """Draw a thing that this has not been asked of, rather one that has not been spoken of; note it."""
        found = [
            thing
            for thing in view.things
            if f"{topic}:{thing.noun.label}" not in self.topics
            and self._times[thing.noun.label] < _OFTEN
            and fits(thing)
        ]
        if not found:
            return None
        thing = pen.pick([thing for thing in found if not self._times[thing.noun.label]][:8] or found)
        self.note(thing, topic)
        return thing

    def pair(self, view: View, pen: Pen, fits: Callable[[Thing, Thing], bool]) -> tuple[Thing, Thing] | None:
        """Draw two things that have not been asked about together; note them."""
        things = [thing for thing in view.things[:10] if thing.noun.counts and worth_a_word(thing)]
        things = pen.shuffled([thing for thing in things if self._times[thing.noun.label] < _OFTEN])
        for index, a in enumerate(things):
            for b in things[index + 1 :]:
                topic = "pair:" + "+".join(sorted((a.noun.label, b.noun.label)))
                if topic not in self.topics and fits(a, b):
                    self.topics.add(topic)
                    self._times.update((a.noun.label, b.noun.label))
                    return a, b
        return None

    def note(self, thing: Thing, *topics: str) -> None:
        """Note that these topics have been settled for a thing, whichever of them was asked."""
        self.topics.update(f"{topic}:{thing.noun.label}" for topic in topics)
        self._times[thing.noun.label] += 1


Asker = Callable[[View, Pen, Asked], Turn | None]
"""Makes a turn and notes what it asked; ``None`` where the scene does not support such a question."""
