"""Which samples a run makes: chosen by image id and seed, never by order.

Every choice ranks by a hash, so that a longer run holds the shorter one: 360 images are the same 300 and 60 more,
whatever order the annotation file has.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

import msgspec

from pipeline.annotations.store import Picked
from pipeline.errors import PipelineError
from pipeline.options import MOST_SAMPLES
from pipeline.prompting.context import can_describe
from pipeline.prompting.kinds import Kind
from pipeline.records import Scene


class Planned(msgspec.Struct, frozen=True):
    """One sample to make."""

    scene: Scene
    kind: str
    n: int
    """Counts the samples of one kind on one image, from 0."""

    @property
    def id(self) -> str:
        """``<image_id>/<kind>/<n>``: stable across runs."""
        return f"{self.scene.image_id}/{self.kind}/{self.n}"


class Plan(Sequence[Planned]):
    """What is to be made, in order; ten bytes a sample, and each scene is looked up when its turn comes."""

    def __init__(self, scenes: Sequence[Scene], kinds: Iterable[str]) -> None:
        """Begin with nothing planned.

        Args:
            scenes: What samples can be about.
            kinds: Names of all kinds that can be planned.
        """
        self._scenes = scenes
        self._names = list(kinds)
        self._places = array("I")
        self._kinds = array("H")
        self._ns = array("I")

    def add(self, place: int, kind: str, count: int) -> None:
        """Plan so many samples of a kind about the scene at a place."""
        number = self._names.index(kind)
        for n in range(count):
            self._places.append(place)
            self._kinds.append(number)
            self._ns.append(n)

    def by_kind(self) -> Counter[str]:
        """Return how many samples are planned of each kind, in the order in which the kinds come."""
        return Counter({self._names[kind]: count for kind, count in Counter(self._kinds).items()})

    def packed(self) -> bytes:
        """Return all but the scenes themselves as bytes, for a fingerprint."""
        return b"".join(["\0".join(self._names).encode(), *map(bytes, (self._places, self._kinds, self._ns))])

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Planned]:
        last = None
        for place, kind, n in zip(self._places, self._kinds, self._ns, strict=True):
            if place != last:
                scene, last = self._scenes[place], place
            yield Planned(scene, self._names[kind], n)

    @overload
    def __getitem__(self, index: int) -> Planned: ...
    @overload
    def __getitem__(self, index: slice) -> list[Planned]: ...
    def __getitem__(self, index: int | slice) -> Planned | list[Planned]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return Planned(self._scenes[self._places[index]], self._names[self._kinds[index]], self._ns[index])


def choose_scenes(
    scenes: Sequence[Scene], seed: int, limit: int | None = None, image_ids: Sequence[str] = ()
) -> Sequence[Scene]:
    """Return the scenes with these ids, or ``limit`` scenes drawn by id, or all; in their own order.

    Raises:
        PipelineError: An id in ``image_ids`` is not among the scenes.
    """
    if not image_ids and (limit is None or limit >= len(scenes)):
        return scenes
    ids = [scene.image_id for scene in scenes]
    known = set(ids)
    if missing := [image_id for image_id in image_ids if image_id not in known]:
        raise PipelineError(f"--image-id: no image {missing[0]!r} among the {len(scenes)} annotated images")
    chosen = set(image_ids) or known
    if limit is not None and limit < len(chosen):
        chosen = set(sorted(chosen, key=lambda image_id: draw(seed, image_id))[:limit])
    return Picked(scenes, [place for place, image_id in enumerate(ids) if image_id in chosen])


def drawn(scenes: Sequence[Scene], seed: int) -> Sequence[Scene]:
    """Return the scenes in an order drawn by their ids."""
    draws = array("Q", (draw(seed, scene.image_id) for scene in scenes))
    return Picked(scenes, sorted(range(len(scenes)), key=draws.__getitem__))


def plan_each(scenes: Sequence[Scene], kinds: Mapping[str, Kind], counts: Mapping[str, int]) -> Plan:
    """Plan ``counts[kind]`` samples of each kind for every scene that has what the kind sees.

    Raises:
        PipelineError: That is more than a plan can hold.
    """
    if (planned := len(scenes) * sum(counts.values())) > MOST_SAMPLES:
        raise PipelineError(
            f"--kinds: {planned:,} samples for {len(scenes):,} images; at most {MOST_SAMPLES:,} can be planned"
        )
    plan = Plan(scenes, kinds)
    for place, scene in enumerate(scenes):
        for name, kind in kinds.items():
            if can_describe(scene, kind.context):
                plan.add(place, name, counts[name])
    return plan


def plan_totals(scenes: Sequence[Scene], kinds: Mapping[str, Kind], totals: Mapping[str, int], seed: int) -> Plan:
    """Plan ``totals[kind]`` samples of each kind, spread over the scenes as evenly as can be.

    Raises:
        PipelineError: A kind is wanted and no scene has what it sees.
    """
    counts: dict[str, dict[str, int]] = {}
    for name, kind in kinds.items():
        able = [scene.image_id for scene in scenes if can_describe(scene, kind.context)]
        if totals[name] and not able:
            raise PipelineError(f"--total: no image has the {' and '.join(kind.context)} that {name} sees")
        each, more = divmod(totals[name], len(able)) if able else (0, 0)
        lucky = set(sorted(able, key=lambda image_id: draw(seed, name, image_id))[:more])
        counts[name] = {image_id: each + (image_id in lucky) for image_id in able}
    plan = Plan(scenes, kinds)
    for place, scene in enumerate(scenes):
        for name in kinds:
            plan.add(place, name, counts[name].get(scene.image_id, 0))
    return plan


def draw(seed: int, *words: str) -> int:
    """Return a number from 0 to 2**63 - 1 that depends on the seed and the words alone."""
    digest = hashlib.blake2b("\0".join((str(seed), *words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def request_seed(planned: Planned, seed: int, attempt: int) -> int:
    """Return the sampling seed of a request, from 0 to 2**31 - 1, which every server's integer holds."""
    return draw(seed, planned.id, str(attempt)) >> 32


def draw_question(planned: Planned, questions: Sequence[str], seed: int) -> str:
    """Return the question that an answer-only kind is taken to answer; "" if it has none."""
    return questions[draw(seed, "question", planned.id) % len(questions)] if questions else ""
