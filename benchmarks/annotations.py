"""How fast, and in how much memory, files of the size of COCO train2017 become scenes, beside ``pycocotools``.

    python benchmarks/annotations.py [--dir DIR] [--repeats 3]

makes a captions and an instances file (118,287 images, 591,753 captions, 860,001 boxes with polygons; the same
bytes for the same seed), then lets fresh processes take turns: ``read_scenes`` on both files; ``COCO`` of
``pycocotools`` merely loading both; and ``read_scenes`` where a single NaN sends a part of the instances file the
tolerant way. Seconds are those of the call, without start and imports (what it takes to look at each scene once is told
beside); memory is the peak of the process, imports included.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGES, CAPTIONS, BOXES = 118_287, 591_753, 860_001
CATEGORIES = 80
CROWD_SHARE = 0.0116  # of train2017's annotations
MEAN_CORNERS = 22  # of a polygon; makes the instances file about as long as the real one
SPEED_BAR, MEMORY_BAR = 4.0, 1 / 3

WORDS = "a man woman dog cat bus train plate table street red blue two people standing sitting near under with and on"
WAYS = ("ours", "pycocotools", "ours, one NaN")


def main() -> None:
    """Make the files where they are missing, measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, help="keep the files here and use them again (default: a temporary folder)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument("--seed", type=int, default=7, help="of the made-up annotations (default: 7)")
    parser.add_argument("--step", choices=("make", *WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "make":
        make_files(options.dir, options.seed)
        return
    if options.step:
        measure(options.step, options.dir)
        return
    with contextlib.ExitStack() as stack:
        folder = options.dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        run("make", folder, options.seed)
        compare(folder, options.repeats, options.seed)


def run(step: str, folder: Path, seed: int) -> str:
    """Return what one step prints, from a process of its own.

    A child's ``ru_maxrss`` starts at the peak of its parent, so the process that starts the steps must stay small.
    """
    command = [sys.executable, __file__, "--step", step, "--dir", str(folder), "--seed", str(seed)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(way: str, folder: Path) -> None:
    """Read the files in this very process and print seconds, peak memory in bytes and what came out, as JSON."""
    captions = folder / "captions_train.json"
    instances = folder / ("nan_instances_train.json" if "NaN" in way else "instances_train.json")
    if way == "pycocotools":
        from pycocotools.coco import COCO

        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = [COCO(instances), COCO(captions)]
        seconds = time.perf_counter() - start
        made = f"{len(loaded[0].anns):,} boxes, {len(loaded[1].anns):,} captions"
    else:
        from pipeline.annotations.coco import read_scenes

        start = time.perf_counter()
        read = read_scenes(captions, instances)
        seconds, start = time.perf_counter() - start, time.perf_counter()
        counts = [(len(scene.boxes), len(scene.captions)) for scene in read.scenes]
        boxes, lines = (sum(column) for column in zip(*counts, strict=True))
        looks = f"looked at in {time.perf_counter() - start:.2f} s"
        made = f"{len(counts):,} scenes, {boxes:,} boxes, {lines:,} captions, dropped {read.dropped}, {looks}"
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"seconds": seconds, "peak": peak, "made": made}))


def compare(folder: Path, repeats: int, seed: int) -> None:
    """Let the ways take turns in fresh processes and print one line a way, then the ratios."""
    for path in sorted(folder.glob("*.json")):
        print(f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB")
        with path.open("rb") as file:
            while file.read(2**20):  # so that no way pays for the disk
                pass
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            runs[way].append(json.loads(run(way, folder, seed)))
    seconds = {way: statistics.median(run["seconds"] for run in runs[way]) for way in WAYS}
    peaks = {way: statistics.median(run["peak"] for run in runs[way]) for way in WAYS}
    for way in WAYS:
        each = " ".join(f"{run['seconds']:.2f}" for run in runs[way])
        print(f"{way:14} {seconds[way]:6.2f} s  {peaks[way] / 1e9:5.2f} GB   ({each})   {runs[way][0]['made']}")
    speed, memory = seconds["pycocotools"] / seconds["ours"], peaks["ours"] / peaks["pycocotools"]
    print(f"{speed:.1f} times as fast (bar: {SPEED_BAR:.0f}), {memory:.0%} of the memory (bar: {MEMORY_BAR:.0%})")
    if speed < SPEED_BAR or memory > MEMORY_BAR:
        raise SystemExit("below the bar")


def make_files(folder: Path, seed: int) -> None:
    """Write the captions file, the instances file, and its copy with one NaN, where they are missing."""
    paths = [folder / name for name in ("captions_train.json", "instances_train.json", "nan_instances_train.json")]
    if all(path.exists() for path in paths):
        return
    dice = random.Random(seed)
    sizes = {
        number: dice.choice([(640, 480), (480, 640), (640, 427), (500, 375)])
        for number in dice.sample(range(1, 600_000), IMAGES)
    }
    listed = [_image(number, *size) for number, size in sizes.items()]
    _write(paths[0], listed, _captions(dice, list(sizes)))
    _write(paths[1], listed, _boxes(dice, sizes), f', "categories": [{_categories()}]')
    body = paths[1].read_bytes()
    start = body.rindex(b'"bbox": [') + len(b'"bbox": [')
    paths[2].write_bytes(body[:start] + b"NaN" + body[body.index(b",", start) :])


def _write(path: Path, images: list[str], annotations: Iterable[str], rest: str = "") -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '{"info": {"year": 2017}, "licenses": [{"id": 1, "name": "Attribution", "url": "http://example.org/"}], '
        )
        file.write('"images": [' + ", ".join(images) + '], "annotations": [')
        for number, annotation in enumerate(annotations):
            file.write((", " if number else "") + annotation)
        file.write(f"]{rest}}}")


def _image(number: int, width: int, height: int) -> str:
    name = f"{number:012}.jpg"
    return (
        f'{{"license": 1, "file_name": "{name}", "coco_url": "http://example.org/train2017/{name}", '
        f'"height": {height}, "width": {width}, "date_captured": "2013-11-14 11:18:45", '
        f'"flickr_url": "http://example.org/photos/{number}_z.jpg", "id": {number}}}'
    )


def _captions(dice: random.Random, numbers: list[int]) -> Iterator[str]:
    for index in range(CAPTIONS):
        words = " ".join(dice.choices(WORDS.split(), k=dice.randint(8, 13)))
        yield f'{{"image_id": {numbers[index % IMAGES]}, "id": {index + 1}, "caption": "{words.capitalize()}."}}'


def _categories() -> str:
    numbers = range(1, CATEGORIES + 1)
    return ", ".join(f'{{"supercategory": "group {n % 12}", "id": {n}, "name": "thing {n}"}}' for n in numbers)


def _boxes(dice: random.Random, sizes: dict[int, tuple[int, int]]) -> Iterator[str]:
    outlines = [_outline(dice) for _ in range(500)]
    numbers = dice.choices(list(sizes), k=BOXES)
    for index, number in enumerate(numbers):
        width, height = sizes[number]
        w, h = width * dice.uniform(0.02, 0.6), height * dice.uniform(0.02, 0.6)
        left, top = dice.uniform(0, width - w), dice.uniform(0, height - h)
        crowd = dice.random() < CROWD_SHARE
        mask = _runs(dice, width, height) if crowd else _polygon(dice.choice(outlines), left, top, w, h)
        yield (
            f'{{"segmentation": {mask}, "area": {w * h / 2:.4f}, "iscrowd": {crowd:d}, "image_id": {number}, '
            f'"bbox": [{left:.2f}, {top:.2f}, {w:.2f}, {h:.2f}], "category_id": {dice.randint(1, CATEGORIES)}, '
            f'"id": {index + 1}}}'
        )


def _outline(dice: random.Random) -> list[tuple[float, float]]:
    """Return a wavy loop of corners in the unit square."""
    corners = max(4, round(dice.gammavariate(2, MEAN_CORNERS / 2)))
    turns = [2 * math.pi * index / corners for index in range(corners)]
    radii = [0.5 * dice.uniform(0.7, 1) for _ in turns]
    return [
        (0.5 + radius * math.cos(turn), 0.5 + radius * math.sin(turn))
        for turn, radius in zip(turns, radii, strict=True)
    ]


def _polygon(outline: list[tuple[float, float]], left: float, top: float, width: float, height: float) -> str:
    return "[[" + ", ".join(f"{left + x * width:.2f}, {top + y * height:.2f}" for x, y in outline) + "]]"


def _runs(dice: random.Random, width: int, height: int) -> str:
    counts = [dice.randint(1, width * height // 400) for _ in range(200)]
    counts.append(width * height - sum(counts))
    return f'{{"counts": {counts}, "size": [{height}, {width}]}}'


if __name__ == "__main__":
    main()
