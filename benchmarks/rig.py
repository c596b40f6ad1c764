"""What the benchmarks of generation share: annotations, a model to ask, a process that is measured, a table."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
KINDS = 3  # samples an image: one of each shipped kind
NO_FAULTS: dict[str, float] = {
    "latency_s": 0, "latency_per_load_s": 0, "ceiling": 0, "share_429": 0, "retry_after_s": 1, "share_500": 0,
    "share_dropped": 0, "share_hung": 0, "share_malformed": 0, "seed": 0,
}  # fmt: skip
WORDS = "a man woman dog cat bus train plate table street red blue two people standing sitting near under with on"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB


class Measured(NamedTuple):
    """One process and all that it started, from its start to its end."""

    code: int
    wall_s: float
    cpu_s: float
    """User and system time of the whole tree."""
    peak: int
    """Resident bytes of its largest process."""
    began_at: float
    """Seconds since the epoch."""
    told: str
    """Standard output."""


class Model:
    """A loopback server in another process, as its own endpoints tell of it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._root = base_url.removesuffix("/v1")

    def stats(self) -> dict[str, Any]:
        """Return the counts since the last reset."""
        return self._call("GET", "/stats")

    def rehearse(self, **faults: float) -> None:
        """Forget all counts, and give the server these faults and no others."""
        self._call("PATCH", "/faults", NO_FAULTS | faults)
        self._call("DELETE", "/stats")

    def change(self, **faults: float) -> None:
        """Change some faults while the server is at work."""
        self._call("PATCH", "/faults", faults)

    def _call(self, method: str, path: str, body: dict[str, float] | None = None) -> dict[str, Any]:
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self._root + path, data, method=method)) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


@contextmanager
def model(*flags: str) -> Iterator[Model]:
    """Run ``model.py`` for as long as the block lasts."""
    command = [sys.executable, str(HERE / "model.py"), *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Model(process.stdout.readline().strip())
        process.communicate()  # the end of its input ends it


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command whose standard output is kept and whose standard error is shown only by its exit code."""
    environment = os.environ | {"OPENAI_API_KEY": "any"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as with most people, Python keeps what it has compiled
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def measure(command: Sequence[str], watch: Callable[[subprocess.Popen[str]], None] | None = None) -> Measured:
    """Run a command to its end.

    A child's peak begins at that of its parent, so the process that calls this must stay small.

    Args:
        command: What to run.
        watch: Called once after the start with the process, while that runs.
    """
    began_at, began = time.time(), time.perf_counter()
    process = start(command)
    if watch:
        watch(process)
    assert process.stdout
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    return Measured(
        process.returncode, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT, began_at, told
    )


def is_running(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process has not ended, and leave its end for ``measure`` to see."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def generate(
    model: Model, annotations: Path, out: Path, *flags: str, concurrency: int = 256, checked: bool = False
) -> list[str]:
    """Return the command line of a run; only if ``checked``, it holds samples against their scenes, as is usual."""
    return [
        sys.executable, "-m", "pipeline", "generate", "--annotations", str(annotations), "--out", str(out),
        "--model", "model", "--base-url", model.base_url, "--concurrency", str(concurrency),
        "--on-contradiction", "repair" if checked else "off", *flags,
    ]  # fmt: skip


def yardstick(model: Model, messages: Path, out: Path, *, concurrency: int = 256, client: str = "openai") -> list[str]:
    """Return the command line of a yardstick: what most people do with ``openai``, or the floor with ``aiohttp``."""
    script = [sys.executable, str(HERE / "yardstick.py"), model.base_url, str(messages), str(out)]
    return [*script, "--concurrency", str(concurrency), "--client", client]


def write_messages(annotations: Path, path: Path) -> None:
    """Write the messages of a run, one sample a line, as ``preview`` prints them."""
    with path.open("w") as file:
        command = [sys.executable, "-m", "pipeline", "preview", "--annotations", str(annotations)]
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.DEVNULL)


def write_annotations(folder: Path, images: int) -> Path:
    """Write a captions and an instances file like COCO's: 5 captions and 7 boxes an image. Return the folder.

    Row by row, for the sake of ``measure``.
    """
    dice = random.Random(images)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(1, images + 1)
    categories = json.dumps([{"id": n, "name": f"thing {n}"} for n in range(1, 81)])
    for name, each, count in (("captions", _caption, 5), ("instances", _box, 7)):
        with (folder / f"{name}_made.json").open("w") as file:
            file.write(f'{{"categories": {categories}, "images": [')
            for n in numbers:
                listed = {"id": n, "file_name": f"{n:012}.jpg", "width": 640, "height": 480}
                file.write(("," if n > 1 else "") + json.dumps(listed))
            file.write('], "annotations": [')
            for n in range(images * count):
                row = {"id": n, "image_id": n // count + 1} | each(dice)
                file.write(("," if n else "") + json.dumps(row))
            file.write("]}")
    return folder


def _caption(dice: random.Random) -> dict[str, Any]:
    return {"caption": " ".join(dice.choices(WORDS.split(), k=10)).capitalize() + "."}


def _box(dice: random.Random) -> dict[str, Any]:
    width, height = dice.uniform(20, 300), dice.uniform(20, 300)
    sides = dice.uniform(0, 640 - width), dice.uniform(0, 480 - height), width, height
    return {"bbox": [round(side, 2) for side in sides], "category_id": dice.randint(1, 80), "iscrowd": 0}


def record(out: Path) -> dict[str, Any]:
    """Return a run's record."""
    told: dict[str, Any] = json.loads((out / "run.json").read_text())
    return told


def lost(out: Path) -> int:
    """Return how many planned samples a finished run has not made."""
    told = record(out)
    return int(told["planned"]["total"] - told["samples"]["total"])


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def spread(values: Sequence[float], form: str) -> str:
    """Return the median, and the range where there are several."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({format(min(values), form)} to {format(max(values), form)})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    texts.insert(1, ["-" * width for width in widths])
    for row in texts:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |", flush=True)
