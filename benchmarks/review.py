"""How fast the review page answers, and in how much memory.

    python benchmarks/review.py [--samples 150000]

Makes a Parquet file of samples as long as LLaVA's, three an image, each with its image's bytes in it (JPEGs of 78 kB),
claims and findings. Starts ``python -m pipeline review`` on it, then works as a person does, only without
pauses: next sample, its image, a verdict, now and then a filter, a search, the counts beside it. Times are those of
whole answers over a connection that stays open.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import quality
import rig

BAR_MS, BAR_FIRST_S, BAR_MB = 100, 1.0, 500
PICTURES = 200  # different ones; each comes again far enough apart that no compression finds it
FILTERS: tuple[dict[str, str], ...] = (
    {},
    {"kind": "conversation"},
    {"category": "dog"},
    {"statements": "contradicted", "sort": "worst"},
    {"finding": "duplicate"},
    {"todo": "1", "sort": "random"},
    {"length": "50–99", "category": "cat"},
    {"draw": "500", "seed": "7", "todo": "1"},
    {"verdict": "rejected"},
)
SEARCHES = ("surfboard", "quiet conversation", "lower right corner", "zeppelin", "three dogs")


def main() -> None:
    """Make the file, work through it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=150_000, help="in the file (default: 150,000)")
    parser.add_argument("--rounds", type=int, default=300, help="samples to work through (default: 300)")
    parser.add_argument("--file", type=Path, help="keep the file here, or use it if it is there")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)  # for the process that makes the file
    options = parser.parse_args()
    if options.write:
        write(options.write, options.samples)
        return
    with tempfile.TemporaryDirectory() as name:
        file = options.file or Path(name, "samples.parquet")
        if not file.exists():
            subprocess.run(
                [sys.executable, __file__, "--samples", str(options.samples), "--write", str(file)], check=True
            )
        first_s, person, resident, peak = measure(file, options.rounds)
    rows = [[what, *_figures(taken, person.cpu_ms[what])] for what, taken in sorted(person.times.items())]
    every = [one for what, taken in person.times.items() if what != "image" for one in taken]
    rows.append(["all but images", *_figures(every, person.cpu_ms.total() - person.cpu_ms["image"])])
    every += person.times.get("image", [])
    rows.append(["all", *_figures(every, person.cpu_ms.total())])
    rig.table(["answer", "how many", "median", "95 % under", "slowest", "processor, mean"], rows)
    print(
        f"first page {first_s:.2f} s after the process began; {resident:.0f} MB resident at the end, {peak:.0f} at most"
    )
    print(f"bar: 95 % under {BAR_MS} ms, first page in {BAR_FIRST_S:.0f} s, under {BAR_MB} MB")
    print(f"the machine's load was {os.getloadavg()[0]:.1f}")


def measure(file: Path, rounds: int) -> tuple[float, Person, float, float]:
    """Return seconds to the first page, who has worked, and megabytes at the end and at most."""
    (file.parent / f"{file.stem}.verdicts.jsonl").unlink(missing_ok=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pipeline", "review", str(file), "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout
        link = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        person = Person(link, server.pid)
        person.get("first page", "/")
        first_s = time.monotonic() - began
        person.get("counts, once the table is made", "/counts")
        person.work(rounds)
        told = Path(f"/proc/{server.pid}/status").read_text()
        resident, peak = (int(re.search(rf"{name}:\s+(\d+)", told)[1]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)
    return first_s, person, resident, peak


class Person:
    """Works at the page."""

    def __init__(self, link: str, pid: int) -> None:
        """Open the connection.

        Args:
            link: To the page.
            pid: Of the server, whose processor time is noted too.
        """
        self._stat = Path(f"/proc/{pid}/stat")
        self._origin = link.rstrip("/")
        self._connection = http.client.HTTPConnection(urlsplit(link).netloc, timeout=60)
        self._dice = random.Random(5)
        self.times: dict[str, list[float]] = {}
        self.cpu_ms: Counter[str] = Counter()

    def work(self, rounds: int) -> None:
        """Look at so many samples and decide them, changing the view every tenth time."""
        query = ""
        page = self.get("page", "/")
        for number in range(rounds):
            if number % 10 == 0:
                view = dict(self._dice.choice(FILTERS))
                if number % 30 == 0:
                    view = {"q": self._dice.choice(SEARCHES)}
                query = urlencode(view)
                page = self.get("search" if "q" in view else "filter", f"/?{query}", part=True)
                self.get("counts", f"/counts?{query}")
            following = re.search(r'id="next" href="([^"]+)"', page)
            if following and number % 3 == 0:
                page = self.get("next", following[1].replace("&amp;", "&"), part=True)
            elif number % 7 == 0:
                page = self.get("somewhere", f"/at/{self._dice.randrange(1000)}?{query}", part=True)
            shown = re.search(r'name="number" value="(\d+)"', page)
            seen = re.search(r'name="seen" value="(\w+)"', page)
            if not (shown and seen):
                continue
            self.get("image", f"/image/{shown[1]}")
            verdict = self._dice.choice(("accepted", "rejected"))
            form = {"number": shown[1], "seen": seen[1], "verdict": verdict, "note": ""}
            page = self.post("verdict", f"/verdict?{query}", form)

    def get(self, what: str, path: str, *, part: bool = False) -> str:
        """Return an answer's text, and note how long it took."""
        return self._ask(what, "GET", path, None, {"hx-request": "true"} if part else {})

    def post(self, what: str, path: str, form: dict[str, str]) -> str:
        """Return an answer's text, and note how long it took."""
        return self._ask(what, "POST", path, urlencode(form), {"hx-request": "true", "origin": self._origin})

    def _ask(self, what: str, method: str, path: str, body: str | None, headers: dict[str, str]) -> str:
        began, used = time.perf_counter(), self._cpu_ms()
        self._connection.request(method, quote(path, safe="/?=&%+"), body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        self.times.setdefault(what, []).append(1000 * (time.perf_counter() - began))
        self.cpu_ms[what] += self._cpu_ms() - used
        assert answer.status == 200, (path, answer.status, data[:300])
        return "" if what == "image" else data.decode()

    def _cpu_ms(self) -> int:
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]
        return 1000 * (int(user) + int(system)) // os.sysconf("SC_CLK_TCK")


def write(path: Path, count: int) -> None:
    """Write so many samples as a Parquet file of our rows."""
    from pipeline.samples import shards

    shards.write_parquet(path, shards.in_batches(_with_images(count), shards.SCHEMA), shards.SCHEMA)


def _with_images(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(3)
    pictures = [_picture(dice) for _ in range(PICTURES)]
    for number, row in enumerate(quality.made(count)):
        messages = row["messages"]
        claims = []
        for at in range(1, len(messages), 2):
            for start in range(0, min(len(messages[at]["content"]), 400), 60):
                verdict = dice.choices(("supported", "contradicted", "not checkable"), (80, 2, 18))[0]
                claims.append((at, start, start + 25, "presence", verdict, [dice.randrange(7)], [0], ""))
        findings = [(None, 0, 0, dice.choice(("duplicate", "hedge", "leak")), "made")] if dice.random() < 0.1 else []
        yield row | {
            "image": {"bytes": pictures[number // 3 % PICTURES], "path": row["file_name"]},
            "width": 640,
            "height": 480,
            "claims": claims,
            "findings": findings,
            "attempts": 1,
            "prompt_tokens": 900,
            "completion_tokens": 200,
        }


def _picture(dice: random.Random) -> bytes:
    from PIL import Image

    small = Image.frombytes("RGB", (160, 120), dice.randbytes(160 * 120 * 3))
    file = io.BytesIO()
    small.resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG", quality=60)
    return file.getvalue()


def _figures(times: list[float], cpu_ms: float) -> list[str]:
    top = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    told = (statistics.median(times), top, max(times), cpu_ms / len(times))
    return [str(len(times)), *(f"{one:.0f} ms" for one in told)]


if __name__ == "__main__":
    main()
