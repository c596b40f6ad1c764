"""What faults, a hidden ceiling and a server that slows down cost in speed and in requests."""

from __future__ import annotations

import heapq
import random
import statistics
import subprocess
import time
from pathlib import Path

from rig import (
    KINDS,
    Measured,
    Model,
    generate,
    is_running,
    lost,
    measure,
    model,
    table,
    write_annotations,
    write_messages,
    yardstick,
)

LATENCY_S, IN_FLIGHT, CEILING = 0.2, 256, 32
EVERYDAY = {"share_429": 0.05, "retry_after_s": 1, "share_500": 0.03, "share_malformed": 0.02}
BROKEN = EVERYDAY | {"share_dropped": 0.01, "share_hung": 0.002}
SLOWING = {"latency_s": 0.1, "latency_per_load_s": 0.005}
ATTEMPTS = "5"  # with the usual 3, one run in 12 would have a sample whose replies are all malformed
SETTINGS = (8, 16, 32, 64, 128, 256)
WINDOW_S, LOOK_S = 1.0, 0.05
LIFTED_AFTER = 1000  # answers


def faults(folder: Path, samples: int) -> None:
    """Print what runs with faults lose, and their speed beside a run without."""
    annotations = write_annotations(folder / "annotations", -(-samples // KINDS))
    rows = []
    with model() as server:
        usual = 0.0
        for name, trouble, flags in (
            ("none", {}, ()),
            ("429, 500, malformed", EVERYDAY, ()),
            ("same, 429s ask for 0.25 s", EVERYDAY | {"retry_after_s": 0.25}, ()),
            ("dropped and hung too", BROKEN, ("--timeout", "5")),
        ):
            out = folder / name
            server.rehearse(latency_s=LATENCY_S, **trouble)
            measured = measure(generate(server, annotations, out, "--attempts", ATTEMPTS, *flags))
            stats = server.stats()
            seconds = stats["last_answer_at"] - stats["first_request_at"]
            usual = usual or seconds
            made = KINDS * -(-samples // KINDS)
            rows.append(
                [
                    name,
                    lost(out),
                    f"{usual / seconds:.0%}",
                    f"{stats['requests'] / made:.3f}",
                    f"{measured.cpu_s / made * 1000:.2f}",
                    f"{seconds:.1f}",
                ]
            )
    table(["faults", "lost", "speed to none", "requests a sample", "CPU-s per 1000", "seconds"], rows)
    print("bars: 0 lost; 80 % and 1.12 requests with 429, 500 and malformed")
    print(f"a client that wastes nothing, but waits as the 429s ask: {_best_possible(made):.0%} of its speed without")


def _best_possible(samples: int) -> float:
    """Return the speed with ``EVERYDAY`` trouble beside that without, for the median of some runs of a perfect client.

    It knows the limit from the start, sends in no time, tries again at once or as soon as it was asked to, and what is
    tried again comes first. The rest is luck: somebody near the end is refused twice.
    """
    runs = [_perfect_run(samples, random.Random(seed)) for seed in range(20)]
    return samples * LATENCY_S / IN_FLIGHT / statistics.median(runs)


def _perfect_run(samples: int, dice: random.Random) -> float:
    """Return the seconds of one run of a perfect client."""
    free = [0.0] * IN_FLIGHT  # when each place is
    again: list[float] = []  # when each refused request may be sent
    begun, last = 0, 0.0
    while begun < samples or again:
        now = heapq.heappop(free)
        if again and (begun == samples or again[0] <= now):
            now = max(now, heapq.heappop(again))
        else:
            begun += 1
        fate = dice.random()
        if fate < EVERYDAY["share_429"]:
            heapq.heappush(again, now + EVERYDAY["retry_after_s"])
        else:
            now += LATENCY_S
            last = max(last, now)
            if fate < EVERYDAY["share_429"] + EVERYDAY["share_500"] + EVERYDAY["share_malformed"]:
                heapq.heappush(again, now)
        heapq.heappush(free, now)
    return last


def ceiling(folder: Path, samples: int) -> None:
    """Print how runs find a ceiling that the server does not tell, one that is lifted, and one that is only felt."""
    annotations = write_annotations(folder / "annotations", -(-samples // KINDS))
    planned = KINDS * -(-samples // KINDS)
    with model() as server:
        server.rehearse(latency_s=LATENCY_S, ceiling=CEILING)
        measure(generate(server, annotations, folder / "hidden"))
        stats = server.stats()
        seconds = stats["last_answer_at"] - stats["first_request_at"]
        of_ideal = planned * LATENCY_S / CEILING / seconds
        row = [f"{of_ideal:.0%}", lost(folder / "hidden"), f"{stats['requests'] / planned:.3f}"]
        table([f"hidden ceiling {CEILING}: of ideal", "lost", "requests a sample"], [row])
        print("bars: 90 %, 0, 1.05")

        back_s = _lift(server, annotations, folder / "lifted")
        told = "never" if back_s is None else f"{back_s:.1f} s after it was doubled"
        print(
            f"ceiling doubled mid-run: back at 90 % of the new ideal {told} (bar: 5 s); lost {lost(folder / 'lifted')}"
        )
        _sweep(server, annotations, folder)


def _lift(server: Model, annotations: Path, out: Path) -> float | None:
    """Return the seconds from the doubling of the ceiling to the first second at 90 % of what is possible then."""
    server.rehearse(latency_s=LATENCY_S, ceiling=CEILING)
    seen: list[tuple[float, int]] = []
    lifted = 0.0

    def watch(process: subprocess.Popen[str]) -> None:
        nonlocal lifted
        while is_running(process):
            time.sleep(LOOK_S)
            answered = server.stats()["answered"]
            if lifted:
                seen.append((time.monotonic(), answered))
            elif answered >= LIFTED_AFTER:
                server.change(ceiling=2 * CEILING)
                lifted = time.monotonic()

    def rate_before(index: int) -> float:
        """Return the answers a second over the second that ends with a look."""
        at, answered = seen[index]
        for earlier, count in reversed(seen[:index]):
            if at - earlier >= WINDOW_S:
                return (answered - count) / (at - earlier)
        return 0

    measure(generate(server, annotations, out, "--kinds", f"conversation={2 * KINDS}"), watch)
    wanted = 0.9 * 2 * CEILING / LATENCY_S
    ends = [at for index, (at, _) in enumerate(seen) if rate_before(index) >= wanted]
    return max(0.0, ends[0] - WINDOW_S - lifted) if ends else None


def _sweep(server: Model, annotations: Path, folder: Path) -> None:
    """Print the speed of fixed settings and of a run that is told only the largest, where more load means more wait."""
    messages = folder / "messages.jsonl"
    write_messages(annotations, messages)
    rates: dict[str, float] = {}
    for setting in SETTINGS:
        rates[str(setting)] = _rate(
            server, yardstick(server, messages, folder / f"{setting}.jsonl", concurrency=setting)
        )
    best = max(rates.values())
    rates["generate"] = _rate(server, generate(server, annotations, folder / "slowing"))
    table(
        ["in flight", "answers/s", "of the best"],
        [[name, f"{rate:.0f}", f"{rate / best:.0%}"] for name, rate in rates.items()],
    )
    print("bar: generate within 10 % of the best")


def _rate(server: Model, command: list[str]) -> float:
    server.rehearse(**SLOWING)
    measured: Measured = measure(command)
    stats = server.stats()
    if measured.code:
        raise SystemExit(f"{command} ended with {measured.code}")
    return float(stats["answered"] / (stats["last_answer_at"] - stats["first_request_at"]))
