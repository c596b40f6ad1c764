"""Which samples a run makes: chosen by image id and seed, never by order.

Every choice ranks by a hash, so that a longer run holds the shorter one: 360 images are the same 300 and 60 more,
whatever order the annotation file has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from pipeline.errors import PipelineError
from pipeline.prompting.context import can_describe
from pipeline.prompting.kinds import Kind
from pipeline.records import Scene
from pipeline.settings import MOST_SAMPLES


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


def choose_scenes(
    scenes: Sequence[Scene], seed: int, limit: int | None = None, image_ids: Sequence[str] = ()
) -> list[Scene]:
    """Return the scenes with these ids, or ``limit`` scenes drawn by id, or all; in their own order.

    Raises:
        PipelineError: An id in ``image_ids`` is not among the scenes.
    """
    chosen = {scene.image_id for scene in scenes}
    if image_ids:
        if missing := [image_id for image_id in image_ids if image_id not in chosen]:
            raise PipelineError(f"--image-id: no image {missing[0]!r} among the {len(scenes)} annotated images")
        chosen = set(image_ids)
    if limit is not None and limit < len(chosen):
        chosen = set(sorted(chosen, key=lambda image_id: draw(seed, image_id))[:limit])
    return [scene for scene in scenes if scene.image_id in chosen]


def plan_each(scenes: Sequence[Scene], kinds: Mapping[str, Kind], counts: Mapping[str, int]) -> list[Planned]:
    """Plan ``counts[kind]`` samples of each kind for every scene that has what the kind sees.

    Raises:
        PipelineError: That is more than a plan can hold.
    """
    if (planned := len(scenes) * sum(counts.values())) > MOST_SAMPLES:
        raise PipelineError(
            f"--kinds: {planned:,} samples for {len(scenes):,} images; at most {MOST_SAMPLES:,} can be planned"
        )
    return [
        Planned(scene, name, n)
        for scene in scenes
        for name, kind in kinds.items()
        if can_describe(scene, kind.context)
        for n in range(counts[name])
    ]


def plan_totals(
    scenes: Sequence[Scene], kinds: Mapping[str, Kind], totals: Mapping[str, int], seed: int
) -> list[Planned]:
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
    return [
        Planned(scene, name, n)
        for scene in scenes
        for name in kinds
        for n in range(counts[name].get(scene.image_id, 0))
    ]


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
