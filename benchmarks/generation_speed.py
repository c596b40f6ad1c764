"""Speed and processor time beside the yardstick, memory and disk."""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing
from pathlib import Path
from typing import Any

from rig import (
    KINDS,
    Measured,
    Model,
    generate,
    lost,
    measure,
    model,
    size,
    spread,
    table,
    write_annotations,
    write_messages,
    yardstick,
)

LATENCY_S, IN_FLIGHT = 0.2, 256
CHECKED = "generate, checked"


def speed(folder: Path, samples: int, repeats: int) -> None:
    """Print how near runs come to the ideal and to the floor at 200 ms, and how far above the yardstick at 0 ms."""
    annotations = write_annotations(folder / "annotations", -(-samples // KINDS))
    messages = folder / "messages.jsonl"
    write_messages(annotations, messages)
    rows, rates = [], {}
    with model() as server:
        for latency_s in (LATENCY_S, 0.0):
            for name in ("generate", CHECKED, "aiohttp", "openai"):
                if name == CHECKED and not latency_s:  # processor time would be all that is measured
                    continue
                tries = []
                for index in range(repeats):
                    out = folder / f"{name}-{latency_s}-{index}"
                    if name in ("generate", CHECKED):
                        checked = name == CHECKED
                        command = generate(server, annotations, out, "--seed", str(index), checked=checked)
                    else:
                        command = yardstick(server, messages, out, client=name)
                    tries.append(_try(server, command, latency_s))
                rates[name, latency_s] = [answered / window for _, answered, window, _ in tries]
                rows.append([name, f"{latency_s * 1000:.0f} ms", *_figures(tries, latency_s)])
    head = ["client", "latency", "of ideal", "of ideal, whole process", "requests/s"]
    table([*head, "CPU-s per 1000", "first request, s", "peak MB"], rows)
    middle = {key: statistics.median(each) for key, each in rates.items()}
    floor = middle["generate", LATENCY_S] / middle["aiohttp", LATENCY_S]
    print(
        f"at {LATENCY_S * 1000:.0f} ms {floor:.0%} of the rate of aiohttp alone; bars: 95 % of ideal, 0.5 CPU-s, 0.5 s"
    )
    print(f"at 0 ms {middle['generate', 0.0] / middle['openai', 0.0]:.1f} times the yardstick's rate (bar: 3)")


Try = tuple[Measured, int, float, float]
"""The process; requests answered; seconds from the first request to the last answer; seconds to the first request."""


def _try(server: Model, command: list[str], latency_s: float) -> Try:
    server.rehearse(latency_s=latency_s)
    measured = measure(command)
    stats: dict[str, Any] = server.stats()
    if measured.code:
        raise SystemExit(f"{command} ended with {measured.code}")
    window = stats["last_answer_at"] - stats["first_request_at"]
    return measured, stats["answered"], window, stats["first_request_at"] - measured.began_at


def _figures(tries: list[Try], latency_s: float) -> list[str]:
    def ideal(seconds: float, answered: int) -> float:
        return answered * latency_s / IN_FLIGHT / seconds

    return [
        spread([ideal(window, answered) for _, answered, window, _ in tries], ".0%") if latency_s else "",
        spread([ideal(measured.wall_s, answered) for measured, answered, _, _ in tries], ".0%") if latency_s else "",
        spread([answered / window for _, answered, window, _ in tries], ",.0f"),
        spread([measured.cpu_s / answered * 1000 for measured, answered, _, _ in tries], ".2f"),
        spread([first for *_, first in tries], ".2f"),
        spread([measured.peak / 1e6 for measured, *_ in tries], ".0f"),
    ]


def memory(folder: Path, small: int, large: int) -> None:
    """Print the peak of a small and a large run, and what they leave on the disk for each byte of answer."""
    rows, peaks = [], []
    with model() as server:
        for samples in (small, large):
            annotations = write_annotations(folder / f"annotations-{samples}", -(-samples // KINDS))
            out = folder / f"run-{samples}"
            server.rehearse()
            measured = measure(generate(server, annotations, out))
            peaks.append(measured.peak)
            answers = _answer_bytes(out)
            shares = [f"{size(path) / answers:.2f}" for path in (out / "journal.sqlite", out)]
            rows.append([f"{samples:,}", f"{measured.peak / 1e6:.0f}", *shares, lost(out), f"{measured.wall_s:.0f}"])
    table(["samples", "peak MB", "journal / answers", "run folder / answers", "lost", "seconds"], rows)
    print(f"{peaks[1] / peaks[0]:.2f} times the peak (bar: 1.1), at most 300 MB; disk: at most 2")


def _answer_bytes(out: Path) -> int:
    with closing(sqlite3.connect(out / "journal.sqlite")) as journal:
        (total,) = journal.execute("SELECT sum(length(CAST(content AS BLOB))) FROM replies").fetchone()
    return int(total)
