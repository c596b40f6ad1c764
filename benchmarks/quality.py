"""How fast samples are checked, near-duplicates included, and in how much memory.

    python benchmarks/quality.py [--samples 158000]

Makes a file of samples as long as LLaVA's (58 conversations of four answers, 23 descriptions and 77 reasonings in 158;
17, 79 and 105 words an answer), about scenes of 5 captions and 7 boxes, one sample in 50 a near-duplicate of an earlier
one. Then runs ``python -m pipeline check`` on it, and on a fifth of it, to see whether memory grows.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rig

BAR_S = 60.0
LABELS = (
    "person bicycle car motorcycle bus train truck boat bench bird cat dog horse sheep cow umbrella handbag tie "
    "suitcase frisbee kite surfboard bottle cup fork knife spoon bowl banana apple sandwich pizza cake chair couch "
    "bed toilet tv laptop keyboard oven sink refrigerator book clock vase"
).split()
PLURALS = {"person": "people", "sheep": "sheep", "knife": "knives", "bench": "benches", "couch": "couches"}
NUMBERS = "no one two three four five six seven eight nine".split()
PLACES = "on the left|on the right|in the middle|near the top|at the bottom|in the upper left corner".split("|")
COLOURS = "red blue white black green brown yellow grey".split()
SAYING = {"conversation": 0.8, "detailed_description": 0.8, "complex_reasoning": 0.35}
"""Share of the sentences that name a thing of the scene; well above what LLaVA's own answers have."""
IDLE = (
    "The light is soft and the whole scene feels calm.",
    "It looks like an ordinary afternoon that somebody took the time to record.",
    "Such moments are easily overlooked, although they say a good deal about daily life.",
    "The arrangement suggests that whoever was here means to come back before long.",
    "One could imagine quiet conversation and the sound of steps not far away.",
    "What will happen next is hard to tell, since much lies outside the frame.",
)


def main() -> None:
    """Make the files, check them, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=158_000, help="in the larger file (default: 158,000)")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)  # for the process that makes a file
    options = parser.parse_args()
    if options.write:
        write(options.write, options.samples)
        return
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for count in (options.samples // 5, options.samples):
            file = Path(name, f"{count}.parquet")
            # In a process of its own: a child's peak begins at that of its parent.
            subprocess.run([sys.executable, __file__, "--samples", str(count), "--write", str(file)], check=True)
            command = [sys.executable, "-m", "pipeline", "check", str(file), "--out", f"{name}/{count}"]
            measured = rig.measure(command)
            assert measured.code == 0, measured.told
            rows.append(
                [
                    f"{count:,}",
                    f"{measured.wall_s:.1f} s",
                    f"{1000 * measured.cpu_s / count:.2f} ms",
                    f"{measured.peak / 1e6:.0f} MB",
                ]
            )
    rig.table(["samples", "wall", "CPU a sample", "peak of the largest process"], rows)
    print(f"bar: 158,000 answers in {BAR_S:.0f} s on 2 cores, memory flat")


def write(path: Path, count: int) -> None:
    """Write so many samples as a Parquet file of our rows."""
    from pipeline.samples import shards

    shards.write_parquet(path, shards.in_batches(made(count), shards.SCHEMA), shards.SCHEMA)


def made(count: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of samples."""
    dice = random.Random(count)
    kept: list[list[dict[str, str]]] = []
    for number in range(count):
        boxes = [_box(dice) for _ in range(7)]
        captions = [f"A {dice.choice(COLOURS)} {box['label']} {dice.choice(PLACES)}." for box in boxes[:5]]
        kind = dice.choices(("conversation", "detailed_description", "complex_reasoning"), (58, 23, 77))[0]
        if kept and number % 50 == 0:
            messages = [dict(message) for message in dice.choice(kept)]
            messages[-1]["content"] += " That is all."
        else:
            messages = _messages(kind, boxes, dice)
        if number % 50 == 1:
            kept.append(messages)
        yield {
            "id": f"{number}/{kind}/0",
            "image_id": str(number),
            "file_name": f"{number:012}.jpg",
            "kind": kind,
            "messages": messages,
            "context": "\n".join(captions),
            "captions": captions,
            "boxes": boxes,
            "claims": [],
            "findings": [],
            "model": "made",
        }


def _box(dice: random.Random) -> dict[str, Any]:
    x, y = dice.uniform(0, 0.8), dice.uniform(0, 0.8)
    bbox = [x, y, x + dice.uniform(0.05, 0.2), y + dice.uniform(0.05, 0.2)]
    return {"label": dice.choice(LABELS), "bbox": bbox, "crowd": False}


def _messages(kind: str, boxes: list[dict[str, Any]], dice: random.Random) -> list[dict[str, str]]:
    turns = 4 if kind == "conversation" else 1
    words = {"conversation": 17, "detailed_description": 79, "complex_reasoning": 105}[kind]
    messages = []
    for _ in range(turns):
        label = dice.choice(boxes)["label"]
        asked = dice.choice(
            [f"Where is the {label}?", f"Is there a {label}?", "What is going on?", "Why might that be?"]
        )
        answer: list[str] = []
        while sum(len(sentence.split()) for sentence in answer) < words:
            answer.append(_sentence(boxes, dice) if dice.random() < SAYING[kind] else dice.choice(IDLE))
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": " ".join(answer)}]
    return messages


def _sentence(boxes: list[dict[str, Any]], dice: random.Random) -> str:
    label, other = dice.choice(boxes)["label"], dice.choice(boxes)["label"]
    count, place, colour = dice.randrange(1, 6), dice.choice(PLACES), dice.choice(COLOURS)
    many = f"{NUMBERS[count]} {label if count == 1 else PLURALS.get(label, label + 's')}"
    return dice.choice(
        (
            f"There {'is' if count == 1 else 'are'} {many} {place}, and a {colour} {other} not far away.",
            f"A {colour} {label} can be seen {place}.",
            f"Next to the {label} stands a {other}, which {dice.choice(('draws the eye', 'is partly hidden'))}.",
            f"I count {many} in all, {NUMBERS[1]} of them {place}.",
            f"Somebody has left a {label} {place} of the picture.",
        )
    )


if __name__ == "__main__":
    main()
