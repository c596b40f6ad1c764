"""What a kill costs, and whether a ceiling on money holds through faults and kills.

An answer is *received* once it is in the journal. The model's log says which requests it began to answer, by a token
that is in the answer too; so, request by request, what was asked again after a kill although it had been received is
known exactly, and so is what was begun and not received: in flight at the kill, paid for perhaps, and sent again.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rig import KINDS, Model, generate, lost, measure, model, start, table, write_annotations

IN_FLIGHT, LATENCY_S = 64, 0.1
SHARD_ROWS = "250"
TOKEN = re.compile(r"It is ([0-9a-f]{16})\.")
PRICES = {"input": 10.0, "output": 40.0}  # none for cached tokens: what a kill cut off must have one price
TROUBLE = {"latency_s": 0.05, "share_429": 0.05, "retry_after_s": 0.1, "share_500": 0.05, "share_dropped": 0.03}


class Killed(NamedTuple):
    """What one kill left behind."""

    received: set[str]
    """Tokens of the answers in the journal."""
    begun: int
    """Lines of the model's log."""


def kills(folder: Path, samples: int, wanted: int) -> None:
    """Kill runs at random moments until there were so many kills, and print what was asked for again."""
    annotations = write_annotations(folder / "annotations", -(-samples // KINDS))
    log, dice = folder / "log", random.Random(1)
    runs = killed = again = resent = most_flying = differing = missing = 0
    with model("--log", str(log)) as server:
        server.rehearse()
        flags = ("--shard-size", SHARD_ROWS)
        measure(generate(server, annotations, folder / "plain", *flags))
        plain = _digests(folder / "plain")
        server.rehearse(latency_s=LATENCY_S)
        while killed < wanted:
            log.write_text("")
            out = folder / "run"
            shutil.rmtree(out, ignore_errors=True)
            command = generate(server, annotations, out, *flags, concurrency=IN_FLIGHT)
            story: list[Killed] = []
            while _kill_once(server, command, log, dice):
                story.append(Killed(_received(out, folder / "copy"), len(_begun(log))))
            begun = _begun(log)
            ends = [kill.begun for kill in story[1:]] + [len(begun)]
            for kill, end in zip(story, ends, strict=True):
                afterwards, before = begun[kill.begun : end], set(begun[: kill.begun])
                again += sum(token in kill.received for token in afterwards)
                resent += sum(token in before for token in afterwards)
                most_flying = max(most_flying, len(before - kill.received))
            runs, killed = runs + 1, killed + len(story)
            differing += _digests(out) != plain
            missing += lost(out)
    head = ["kills", "runs", "received and paid again", "re-sent, most a kill", "in flight allowed", "re-sent in all"]
    row = [killed, runs, again, most_flying, IN_FLIGHT, resent]
    table([*head, "lost", "runs whose shards differ"], [[*row, missing, differing]])
    print("bars: 0; at most what was in flight; 0 lost; 0 that differ")


def _kill_once(server: Model, command: list[str], log: Path, dice: random.Random) -> bool:
    """Start a run and kill it at a random moment; return whether it was still alive by then.

    Most moments are between the first request and well after the last; some come before, while it still starts.
    """
    earlier = log.stat().st_size
    process = start(command)
    if dice.random() < 0.9:
        while process.poll() is None and log.stat().st_size == earlier:
            time.sleep(0.002)
    delay_s = dice.uniform(0, 0.9)
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    while server.stats()["in_flight"]:  # until the server has noticed
        time.sleep(0.02)
    if process.returncode > 0:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return process.returncode < 0


def _begun(log: Path) -> list[str]:
    return [line.split()[0] for line in log.read_text().splitlines()]


def _received(out: Path, copy: Path) -> set[str]:
    """Return the tokens in a journal, read from a copy: opening the original would mend it before the run does."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    files = list(out.glob("journal.sqlite*"))
    for file in files:
        shutil.copy(file, copy)
    if not files:
        return set()
    with closing(sqlite3.connect(copy / "journal.sqlite")) as journal:
        tables = journal.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'replies'").fetchone()
        contents = journal.execute("SELECT content FROM replies").fetchall() if tables[0] else []
    return {found[1] for (content,) in contents if (found := TOKEN.search(content))}


def _digests(out: Path) -> dict[str, str]:
    shards = sorted((out / "shards").glob("*.arrow"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}


def budget(folder: Path, runs: int) -> None:
    """Run under a ceiling with faults and a kill, so many times, and print the most that was billed of it."""
    annotations = write_annotations(folder / "annotations", 40)
    prices = folder / "prices.toml"
    prices.write_text("[model]\n" + "".join(f"{name} = {price}\n" for name, price in PRICES.items()))
    log = folder / "log"
    billed, begun, stopped = [], [], 0
    with model("--log", str(log), "--spoilt", "0.03") as server:
        for seed in range(runs):
            dice = random.Random(seed)
            ceiling = dice.uniform(0.3, 3.0)
            log.write_text("")
            server.rehearse(seed=seed, **TROUBLE)
            flags = ("--max-cost", f"{ceiling:.4f}", "--prices", str(prices))
            command = generate(
                server, annotations, folder / f"run-{seed}", *flags, concurrency=dice.choice((4, 16, 64))
            )
            process = start(command)
            enough = dice.randrange(1, 60)
            while process.poll() is None and server.stats()["requests"] < enough:
                time.sleep(0.01)
            process.kill()
            process.communicate()
            stopped += measure(command).code == 2
            stats = server.stats()
            billed.append(_cost(stats["prompt_tokens"], stats["completion_tokens"]) / ceiling)
            begun.append(_cost_of_begun(log) / ceiling)
    head = ["runs", "stopped by the ceiling", "highest billed / ceiling", "the same with what kills cut off"]
    table(
        [*head, "mean billed / ceiling"],
        [[runs, stopped, f"{max(billed):.3f}", f"{max(begun):.3f}", f"{sum(billed) / runs:.3f}"]],
    )
    print("bar: never above 1")


def _cost(prompt_tokens: int, completion_tokens: int) -> float:
    return (prompt_tokens * PRICES["input"] + completion_tokens * PRICES["output"]) / 1e6


def _cost_of_begun(log: Path) -> float:
    """Return the cost of all that the model began, whether or not a kill cut it off."""
    counts = (line.split() for line in log.read_text().splitlines())
    return sum(_cost(int(prompt), int(completion)) for _, prompt, completion in counts)
