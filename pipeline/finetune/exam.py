"""Two models are asked about scenes that they have never met, whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from PIL import Image

from pipeline.annotations.coco import read_scenes
from pipeline.finetune.asking import Ask, ask
from pipeline.finetune.charts import Score, Sight
from pipeline.finetune.model import Joined
from pipeline.finetune.page import Answered, data_uri
from pipeline.finetune.pictures import Picture, decode
from pipeline.finetune.sight import Kind, Question, is_right, questions
from pipeline.records import Scene

SHOWN = 6  # questions that are shown with their answers


def examine(held_out: Path, seeing: Joined, blind: Joined) -> tuple[list[Sight], list[Answered]]:
    """Ask both models, and return how they did, by kind of question, and some of what they said.

    Args:
        held_out: Folder of drawn scenes, with ``instances_scenes.json`` and ``images/``.
        seeing: Learnt from images and texts. It is asked about each image, and the same about the next one.
        blind: Learnt from texts alone, and is asked without an image.
    """
    scenes = read_scenes(None, held_out / "instances_scenes.json", held_out / "images").scenes
    pictures = {scene.image_id: decode(Picture(str(scene.path))) for scene in scenes}
    others = dict(zip(pictures, [*list(pictures.values())[1:], next(iter(pictures.values()))], strict=True))
    asked = list(questions(scenes))
    told = {
        "true": _ask(seeing, asked, pictures.__getitem__),
        "shuffled": _ask(seeing, asked, others.__getitem__),
        "blind": _ask(blind, asked, lambda _: None),
    }
    labels = _labels(scenes)
    sights = [
        Sight(kind, *(_score(asked, answers, labels, kind) for answers in told.values())) for kind in get_args(Kind)
    ]
    return sights, [
        Answered(
            id=f"image {asked[at].image_id}",
            question=asked[at].text,
            expected=asked[at].truth,
            answer=told["true"][at],
            other_answer=told["shuffled"][at],
            picture=data_uri(pictures[asked[at].image_id]),
            other_picture=data_uri(others[asked[at].image_id]),
        )
        for at in _shown(asked)
    ]


def _ask(joined: Joined, asked: Sequence[Question], picture: Callable[[str], Image.Image | None]) -> list[str]:
    return ask(joined, [Ask(picture(one.image_id), one.text) for one in asked], max_new_tokens=32)


def _labels(scenes: Iterable[Scene]) -> list[str]:
    return sorted({box.label for scene in scenes for box in scene.boxes})


def _score(asked: Sequence[Question], answers: Sequence[str], labels: Sequence[str], kind: Kind) -> Score:
    right = [is_right(one, answer, labels) for one, answer in zip(asked, answers, strict=True) if one.kind == kind]
    return Score(sum(right), len(right))


def _shown(asked: Sequence[Question]) -> list[int]:
    """Return places of a few questions: numbers, places and things by turns, each of another image."""
    abouts = ("number", "place", "things")
    chosen: list[int] = []
    for turn in range(SHOWN):
        used = {asked[at].image_id for at in chosen}
        about = abouts[turn % len(abouts)]
        fit = (at for at, one in enumerate(asked) if one.about == about and one.image_id not in used)
        chosen += [at] if (at := next(fit, None)) is not None else []
    return chosen
