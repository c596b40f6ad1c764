"""Finished samples to a second model, many at once, and what it says to ``judge.parquet`` in the order of the samples.

Every reply is in the clients' journal before it is counted, and the file is made from replies alone: the same rows over
the same journal give the same file, whatever was killed and carried on in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import PipelineError
from pipeline.judging.figures import Judged, JudgeResult, Ruling
from pipeline.judging.rulings import Rulings
from pipeline.llm.client import Client
from pipeline.samples.plan import draw
from pipeline.samples.writing import writing_beside

AHEAD = 4096  # samples begun beyond the oldest that is not settled: one slow reply must not make a heap of the others
BATCH_ROWS = 1000

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("message", pa.int32()),
        ("rules", pa.string()),
        ("verdict", pa.string()),
        ("wrong", pa.string()),
        ("wrong_start", pa.int32()),
        ("wrong_end", pa.int32()),
        ("reason", pa.string()),
        ("judge_failed", pa.string()),
        ("blind_type", pa.string()),
        ("blind_answer", pa.string()),
        ("blind_declined", pa.bool_()),
        ("blind_right", pa.bool_()),
        ("blind_failed", pa.string()),
    ]
)
"""Of a row of ``judge.parquet``: one answer. Columns of a model that was not asked are empty."""


def is_drawn(sample: str, share: float, seed: int = 0) -> bool:
    """Tell by a sample's id whether it is among the share that is judged; a larger share holds the smaller."""
    return draw(seed, "judge", sample) < share * 2**63


async def judge_samples(
    rows: Iterable[Mapping[str, Any]],
    path: Path,
    *,
    judge: Client | None = None,
    blind: Client | None = None,
    share: float = 1,
    seed: int = 0,
    attempts: int = 3,
    workers: int = 128,
    watch: Callable[[JudgeResult], None] = lambda result: None,
) -> JudgeResult:
    """Have a judge and a blind model settle samples, and write what they say to a Parquet file.

    Args:
        rows: Samples as their rows; the columns ``id``, ``messages``, ``claims``, ``captions``, ``boxes`` and
            ``context`` are read. Few are held at a time.
        path: The Parquet file; replaced as a whole once all is settled.
        judge: Asks the judge, entered by the caller; with the option ``response_format`` of
            ``verdicts.RESPONSE_FORMAT`` and ``schema=False``. ``None`` for no judge.
        blind: Asks the blind model, entered by the caller. ``None`` for no blind test.
        share: Of the samples, how many to draw by their ids; from 0 to 1.
        seed: Of the draw and of the requests.
        attempts: Most replies to pay for, for one request.
        workers: Samples under way at once.
        watch: Takes the counts so far, once a sample.

    Raises:
        RunStopped: The run cannot go on, or somebody stopped a client; what was in flight has been kept in the journal,
            and the file is not written.
    """
    result = JudgeResult(judge=judge.model if judge else None, blind=blind.model if blind else None, share=share)
    todo = enumerate(row for row in rows if is_drawn(row["id"], share, seed))
    rulings = Rulings(judge, blind, seed=seed, attempts=attempts)
    room = asyncio.Semaphore(AHEAD)
    stopped: PipelineError | None = None

    async def work(file: _File) -> None:
        nonlocal stopped
        while not stopped:
            await room.acquire()
            freed = 1
            try:
                index, row = next(todo, (0, None))
                if row is None or stopped:
                    return
                freed = file.settle(index, await rulings.make(row))
                watch(result)
            except PipelineError as error:  # begin nothing more; keep what is in flight
                stopped = stopped or error
                for client in filter(None, (judge, blind)):
                    client.stop()
            finally:
                for _ in range(freed):
                    room.release()
            await asyncio.sleep(0)  # replies from the journal come without waiting; Ctrl-C must come between them

    with writing_beside(path) as beside, pq.ParquetWriter(str(beside), SCHEMA, compression="zstd") as writer:
        file = _File(writer, result)
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work(file))
        if stopped:
            raise stopped
        file.finish()
    return result


class _File:
    """Takes what was found out about samples in any order; counts and writes it in theirs."""

    def __init__(self, writer: pq.ParquetWriter, result: JudgeResult) -> None:
        self._writer = writer
        self._result = result
        self._early: dict[int, list[Ruling]] = {}
        self._next = 0
        self._batch: list[dict[str, Any]] = []

    def settle(self, index: int, rulings: list[Ruling]) -> int:
        """Take the ``index``-th sample, and return how many are in order now that were not before."""
        self._early[index] = rulings
        before = self._next
        while self._next in self._early:
            ready = self._early.pop(self._next)
            self._next += 1
            self._result.add(ready)
            self._batch += map(_row, ready)
            if len(self._batch) >= BATCH_ROWS:
                self.finish()
        return self._next - before

    def finish(self) -> None:
        """Write what is in order."""
        self._writer.write_table(pa.Table.from_pylist(self._batch, SCHEMA))
        self._batch = []


def _row(ruling: Ruling) -> dict[str, Any]:
    judged, guessed = ruling.judged or Judged(None), ruling.guessed
    row = {
        "id": ruling.id,
        "message": ruling.message,
        "rules": ruling.rules,
        "verdict": judged.verdict,
        "wrong": judged.wrong or None,
        "wrong_start": judged.start,
        "wrong_end": judged.end,
        "reason": judged.reason or None,
        "judge_failed": judged.failed,
    }
    if guessed is None:
        return row  # Arrow takes the columns that are not there as empty
    return row | {
        "blind_type": guessed.type,
        "blind_answer": guessed.answer,
        "blind_declined": guessed.declined,
        "blind_right": guessed.right,
        "blind_failed": guessed.failed,
    }
