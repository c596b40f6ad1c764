"""Samples checked in other processes: the same that this one finds, whatever becomes of those processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import run_command
from pipeline.crew import Crew
from pipeline.generate import MANY
from pipeline.llm.server import background
from pipeline.making import Checked, Maker
from pipeline.planning import read_source
from pipeline.prompting.render import build_prompt
from pipeline.quality.checker import Checker
from pipeline.records import Sample, Turn
from pipeline.samples.shards import read_shard
from pipeline.settings import GenerateSettings

Coco = Callable[..., Path]
COUNTS = ("one dog", "two dogs", "three dogs", "no dog")


def crew_and_samples(coco: Coco, said: list[str] | None = None) -> tuple[Crew, Maker, list[Sample]]:
    """Return a crew, the maker behind it, and 48 samples of which three in four are wrong."""
    source = read_source(GenerateSettings(annotations=coco(16)))
    prompts = {name: build_prompt(kind, "json") for name, kind in source.kinds.items()}
    maker = Maker(prompts, 0, 1, Checker(source.categories))
    samples = [
        Sample(
            id=planned.id,
            scene=planned.scene,
            kind=planned.kind,
            context="",
            turns=[Turn("How many dogs are there?", f"I see {COUNTS[index % 4]} beside the cup.")],
            model="m",
            prompt_hash="",
            request_hash="",
            seed=0,
            attempts=1,
            finish_reason="stop",
            prompt_tokens=1,
            completion_tokens=1,
            cost_usd=None,
        )
        for index, planned in enumerate(source.plan)
    ]
    return Crew(maker, source.categories, None, None, (said if said is not None else []).append), maker, samples


async def check_all(crew: Crew, samples: list[Sample]) -> list[Checked]:
    return await asyncio.gather(*map(crew.check, samples))


def test_processes_find_what_this_one_finds(coco: Coco) -> None:
    crew, maker, samples = crew_and_samples(coco)

    async def work() -> list[Checked]:
        async with crew:
            return await check_all(crew, samples)

    found = asyncio.run(work())
    assert found == [maker.check(sample) for sample in samples]
    assert sum(any(claim.verdict == "contradicted" for claim in each.claims) for each in found) >= 12


def test_a_killed_process_costs_no_sample(coco: Coco) -> None:
    said: list[str] = []
    crew, maker, samples = crew_and_samples(coco, said)

    async def work() -> list[Checked]:
        async with crew:
            await crew.check(samples[0])
            first = asyncio.create_task(check_all(crew, samples))
            await asyncio.sleep(0)
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
            return [*await first, *await check_all(crew, samples)]

    assert asyncio.run(work()) == 2 * [maker.check(sample) for sample in samples]
    assert len(said) == 1
    assert "lost" in said[0]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signals of this kind")
def test_the_processes_do_not_hear_ctrl_c(coco: Coco) -> None:
    said: list[str] = []
    crew, maker, samples = crew_and_samples(coco, said)

    async def work() -> list[Checked]:
        async with crew:
            first = asyncio.create_task(check_all(crew, samples))
            interrupts = 0
            for _ in range(50):  # while they start and after
                for process in multiprocessing.active_children():
                    os.kill(process.pid or 0, signal.SIGINT)
                    interrupts += 1
                await asyncio.sleep(0.02)
            assert interrupts > 20
            return await first

    assert asyncio.run(work()) == [maker.check(sample) for sample in samples]
    assert said == []


ENDLESS = """
import asyncio, multiprocessing, sys
from pathlib import Path
from tests.test_crew import crew_and_samples

async def work(crew, samples):
    async with crew:
        await crew.check(samples[0])
        print(*[process.pid for process in multiprocessing.active_children()], flush=True)
        await asyncio.sleep(60)

if __name__ == "__main__":
    crew, _, samples = crew_and_samples(lambda count: Path(sys.argv[1]))
    asyncio.run(work(crew, samples))
"""


def test_no_process_outlives_a_killed_run(coco: Coco, tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(script), str(coco(16))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout
        pids = [int(pid) for pid in run.stdout.readline().split()]
        run.kill()
    assert pids
    until = time.monotonic() + 10
    while any(map(is_there, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_there, pids))


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_shards_are_the_same_bytes_whatever_order_checks_end_in(coco: Coco) -> None:
    reply = '{"turns": [' + ", ".join(3 * ['{"question": "How many dogs?", "answer": "Two dogs."}']) + "]}"
    annotations = coco(MANY)
    shards = []
    with background(lambda body: reply, model="m") as server:
        for concurrency in ("7", "64"):
            out = f"run-{concurrency}"
            asked = ["--model", "m", "--base-url", server.base_url, "--annotations", str(annotations), "--out", out]
            flags = ["--kinds", "conversation", "--on-contradiction", "flag", "--concurrency", concurrency]
            assert run_command(["generate", *asked, *flags]) == 0
            shards.append([path.read_bytes() for path in sorted(Path(out, "shards").iterdir())])
    assert shards[0] == shards[1]
    rows = read_shard(Path("run-7/shards/00000.arrow")).to_pylist()
    assert len(rows) == MANY
    assert all("contradiction" in [finding["kind"] for finding in row["findings"]] for row in rows)
