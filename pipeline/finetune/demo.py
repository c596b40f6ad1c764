"""From nothing to a model that sees, and to a chart that shows it: ``python -m pipeline finetune --demo``.

Scenes are drawn, samples are written about them by ``generate`` with the offline writer, and a tiny LLaVA learns from
those: a vision model frozen as it was drawn at random, a projector, and a language model that starts from nothing too.
There is no first stage: a projector has nothing to learn from a language model that knows no language.

Whether it sees is told by questions about scenes it has never met, whose answers are known. Being right there is no
proof: a model that has learnt how many apples there usually are is often right. So it is asked the same about another
image, and a second model learns from the same texts without any image. What the image adds is the difference.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from pipeline.annotations.rendered import draw_scenes
from pipeline.errors import PipelineError
from pipeline.finetune.charts import Sight
from pipeline.finetune.exam import examine
from pipeline.finetune.infants import save_language, save_vision
from pipeline.finetune.layout import Layout
from pipeline.finetune.model import load
from pipeline.finetune.page import Answered, write_page
from pipeline.finetune.recipes import resolve, table
from pipeline.finetune.rows import Row, read_rows
from pipeline.finetune.tracking import read_metrics
from pipeline.settings import FinetuneSettings

DEFAULT_OUT = Path("outputs/demo")
IMAGES, SAMPLES_AN_IMAGE = 3000, 4
"""Enough for the six passes over them: the loss on images held out stays within 0.04 of that on the others."""
HELD_OUT_IMAGES = 240
"""They give some 400 questions on numbers and 250 on what is where: a share of the latter is known to six points."""
STEPS, BATCH, MICRO_TOKENS, LR = 2400, 32, 4096, 3e-3
"""As many steps as four minutes allow. On a seed of its own, 5e-3 saw less after the same number of samples, and so did
steps of 16 or 64 samples."""
LAYOUT: Layout = "packed"
"""Not shared: a step of 32 samples would have 8 images then, and the first 150 steps learn less for it."""
CLIP = 0.1
"""Of the gradient, whose norm falls from 6 to 0.2: without, Adam remembers the first ones for a thousand steps."""
HELD_OUT_SEEDS = 1_000_003  # scenes of seed s and those of s + this are two endless sets
_ALLOWED = {"demo", "seed", "out", "trackers"}

_BLIND = "blind.jsonl"
_KIND = "looking"
_KIND_FILES = {
    "kind.toml": """\
description = "one question about a picture, and its answer"
shape = "turns"
context = ["boxes"]
examples = []
min_turns = 1
max_turns = 1
""",
    "system.jinja": """\
You are told what is in a picture: one thing a line, as `category: [x1, y1, x2, y2]`, with the upper left and the lower
right corner in fractions of the picture. Write one question about numbers or places, and its answer.

{{ reply_format }}
""",
    "user.jinja": "{{ context }}\n",
}
"""A kind of reply made for this: the shipped ones are for models that can read more than forty words."""


def demo(
    settings: FinetuneSettings,
    train: Callable[[FinetuneSettings], object],
    say: Callable[[str], None],
    *,
    images: int = IMAGES,
    held_out_images: int = HELD_OUT_IMAGES,
    steps: int = STEPS,
) -> list[Sight]:
    """Draw, annotate, train twice, ask, and write ``report.html``; the same call carries on where one stopped.

    Args:
        settings: ``--out``, ``--seed`` and ``--trackers`` count; the demonstration brings the others itself.
        train: Trains as the settings it is given say, as the command would, and leaves ``checkpoint/`` and
            ``metrics.jsonl`` in their ``out``; if it has done so before, it may do nothing. The model without images
            is trained by the command itself, beside it.
        say: Told what happens.
        images: To train on.
        held_out_images: To ask about.
        steps: Of each of the two trainings.

    Returns:
        How well the model sees, for each kind of question.

    Raises:
        PipelineError: The settings hold more, the folder is of another seed, or a part cannot be done.
    """
    folder = settings.out or DEFAULT_OUT
    _check(settings, folder)
    say(f"from nothing to a model that sees, some four minutes on two idle cores, into {folder}")
    scenes, held_out = folder / "scenes", folder / "held-out"
    _draw(images, scenes, settings.seed, say)
    _draw(held_out_images, held_out, settings.seed + HELD_OUT_SEEDS, say)
    run = folder / "samples"
    if not (folder / _BLIND).exists():  # the last to be written
        _annotate(scenes, folder, run, say)
        _save_bases(folder, run, settings.seed)
    seeing, blind = (
        _settings(settings, folder, name, data, steps) for name, data in (("seeing", run), ("blind", folder / _BLIND))
    )
    _train_both(seeing, blind, train, say)
    say(f"asking both about {held_out_images} scenes that they have never met")
    sights, answered = examine(held_out, *(load(str(folder / name / "checkpoint")) for name in ("seeing", "blind")))
    _write(folder, seeing, sights, answered)
    for sight in sights:
        true, other, none = (f"{score.share:.0%}" for score in (sight.true, sight.shuffled, sight.blind))
        say(f"{sight.name}: {true} right with the image, {other} with another one, {none} by the blind model")
    one = held_out / "images" / "000001.jpg"
    say(f"the chart and its answers are in {folder / 'report.html'}; to ask it yourself:")
    say(f'  python -m pipeline chat {folder / "seeing" / "checkpoint"} {one} "What does the picture show?"')
    return sights


def _check(settings: FinetuneSettings, folder: Path) -> None:
    if others := sorted(settings.model_fields_set - _ALLOWED):
        raise PipelineError(f"--{others[0].replace('_', '-')}: --demo brings its own; pass one of the two flags")
    mark, told = folder / "demo.json", json.dumps({"seed": settings.seed}) + "\n"
    try:
        if mark.exists() and mark.read_text(encoding="utf-8") != told:
            raise PipelineError(f"{folder} holds a demonstration with another --seed; pass another --out")
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(told, encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"--out {folder} cannot be written to: {error.strerror}; pass another") from None


def _draw(count: int, out: Path, seed: int, say: Callable[[str], None]) -> None:
    if not out.exists():  # it appears when it is complete
        say(f"drawing {count:,} scenes into {out}")
        draw_scenes(count, out, seed, "table")


def _annotate(scenes: Path, folder: Path, run: Path, say: Callable[[str], None]) -> None:
    """Have ``generate`` write samples into a run folder, as a person would."""
    prompts = folder / "prompts"
    (prompts / _KIND).mkdir(parents=True, exist_ok=True)
    (folder / "examples").mkdir(exist_ok=True)
    for name, text in _KIND_FILES.items():
        (prompts / _KIND / name).write_text(text, encoding="utf-8")
    words = ["generate", "--annotations", scenes, "--images", scenes / "images", "--prompts", prompts]
    words += ["--seed-examples", folder / "examples", "--kinds", f"{_KIND}={SAMPLES_AN_IMAGE}", "--out", run]
    line = [str(word) for word in words]
    say(f"python -m pipeline {' '.join(line)}")
    code = subprocess.run([sys.executable, "-m", "pipeline", *line], stdout=subprocess.DEVNULL).returncode
    if code:
        raise PipelineError(f"generate ended with exit code {code}; what it said stands above")


def _save_bases(folder: Path, run: Path, seed: int) -> None:
    """Write both base models, and the texts without their images for the model that never sees."""
    texts = [message["content"] for row in _rows(run) for message in row.messages]
    save_vision(folder / "vision", seed)
    save_language(folder / "language", texts, seed)
    beside = folder / f".{_BLIND}.part"
    lines = (json.dumps({"id": row.id, "kind": row.kind, "messages": list(row.messages)}) for row in _rows(run))
    beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    beside.replace(folder / _BLIND)


def _rows(run: Path) -> Iterator[Row]:
    return (row for row in read_rows([str(run)], None, None) if isinstance(row, Row))


def _settings(settings: FinetuneSettings, folder: Path, name: str, data: Path, steps: int) -> FinetuneSettings:
    return FinetuneSettings(
        data=(str(data),),
        vision=str(folder / "vision"),
        language=str(folder / "language"),
        recipe="llava-v1",  # of the recipes, the one whose steps mix long samples with short ones
        projector="mlp2x_gelu",
        template="tokenizer",
        steps=steps,
        batch=BATCH,
        layout=LAYOUT,
        micro_tokens=MICRO_TOKENS,
        lr=LR,
        clip=CLIP,
        max_tokens=128,
        dtype="float32",
        seed=settings.seed,
        trackers=settings.trackers,
        out=folder / name,
        save_every=500,
        check_every=250,
    )


def _train_both(
    seeing: FinetuneSettings,
    blind: FinetuneSettings,
    train: Callable[[FinetuneSettings], object],
    say: Callable[[str], None],
) -> None:
    """Train the two side by side, each on one core: for tensors as small as these, a second core is no help.

    Raises:
        PipelineError: The training without images failed.
    """
    assert blind.out, "set above"
    log = blind.out.with_suffix(".log")
    words = [sys.executable, "-m", "pipeline", "finetune", *_words(blind)]
    say(f"training a model on the same texts without the images, beside the other; what it says goes to {log}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with log.open("w", encoding="utf-8") as file:
        beside = subprocess.Popen(words, stdout=file, stderr=file, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        say(f"training a model that sees, into {seeing.out}")
        train(seeing)
    except BaseException:
        beside.terminate()  # it keeps its state, as the other does
        raise
    finally:
        torch.set_num_threads(threads)
        code = beside.wait()
    if code:
        raise PipelineError(f"the training without images ended with exit code {code}; what it said is in {log}")


def _words(settings: FinetuneSettings) -> list[str]:
    """Return settings as words of a command line."""
    words = []
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name.replace('_', '-')}", str(one)] if one is not None else []
    return words


def _write(folder: Path, seeing: FinetuneSettings, sights: Sequence[Sight], answered: Sequence[Answered]) -> None:
    write_page(
        folder / "report.html",
        title="It learns to see",
        told="A tiny model that began as random numbers, and learnt from drawn scenes and from what the offline writer "
        "wrote about them, is asked about scenes it has never met.",
        metrics=read_metrics(folder / "seeing"),
        settings=table(resolve(seeing, on_gpu=False)),
        data={},
        answered=answered,
        sights=sights,
        expected="The truth",
        notes=[
            "The vision model was never trained: its weights are as they were drawn. What is learnt is the projector "
            "and the language model.",
            "All images are drawn; those that it is asked about come from a seed of their own.",
        ],
    )
    figures = [
        {"questions": one.name, "margin": round(one.margin, 4)}
        | {name: getattr(one, name)._asdict() for name in ("true", "shuffled", "blind")}
        for one in sights
    ]
    (folder / "sight.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
