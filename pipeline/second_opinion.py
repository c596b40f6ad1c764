"""A second model on finished samples, for ``check``: a judge beside the rules, and the blind test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from pipeline.connecting import api_key, base_url, in_background, make_client, stopping_on_interrupt
from pipeline.errors import RunStopped
from pipeline.judging.figures import JudgeResult
from pipeline.judging.judge import is_drawn, judge_samples
from pipeline.judging.verdicts import RESPONSE_FORMAT
from pipeline.llm.client import Client
from pipeline.llm.endpoint import endpoint
from pipeline.llm.journal import Journal
from pipeline.llm.wire import Wire, run_loop
from pipeline.samples.shards import open_parquet
from pipeline.settings import CheckSettings

_READ = ["id", "messages", "claims", "captions", "boxes", "context"]
BATCH_ROWS = 1000


def second_opinion(samples: Path, out: Path, settings: CheckSettings, say: Callable[[str], None]) -> dict[str, Any]:
    """Have the judge and the blind model look at samples, and return their figures.

    Args:
        samples: A Parquet file of our rows, with their claims.
        out: Folder for ``judge.parquet``, and for ``judge.sqlite``, which keeps every paid reply.
        settings: Which models, where, how fast and for how much.
        say: Takes a line for people.

    Raises:
        PipelineError: There is no key.
        RunStopped: The server answers nobody any more, the budget is used up, or the person stopped it; every reply
            that was paid for is kept, and the same command carries on.
    """
    key = api_key(settings)
    journal = Journal(out / "judge.sqlite")
    try:
        return run_loop(_ask(samples, out, settings, key, journal, say)).figures()
    finally:
        journal.close()


async def _ask(
    samples: Path, out: Path, settings: CheckSettings, key: str, journal: Journal, say: Callable[[str], None]
) -> JudgeResult:
    server = endpoint(base_url(settings), key)

    def client(model: str, **more: Any) -> Client:
        return make_client(
            settings, journal, Wire(server, settings.concurrency, settings.timeout), model, say=say, **more
        )

    judge = (
        client(settings.judge, schema=False, options={"response_format": RESPONSE_FORMAT}) if settings.judge else None
    )
    blind = client(settings.blind, schema=True) if settings.blind else None
    clients = [each for each in (judge, blind) if each]

    def stop(_: RunStopped) -> None:
        for each in clients:
            each.stop()

    drawn = sum(is_drawn(name, settings.judge_share, settings.seed) for name in _ids(samples))
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("judging", total=drawn)
        seen = 0

        def watch(_: JudgeResult) -> None:
            nonlocal seen
            seen += 1
            bar.update(task, completed=seen)

        async with AsyncExitStack() as stack:
            for each in clients:
                await stack.enter_async_context(each)
            await stack.enter_async_context(in_background(journal.keep_forcing()))
            with stopping_on_interrupt(stop, say):
                return await judge_samples(
                    _rows(samples),
                    out / "judge.parquet",
                    judge=judge,
                    blind=blind,
                    share=settings.judge_share,
                    seed=settings.seed,
                    attempts=settings.attempts,
                    workers=2 * settings.concurrency,  # as many again as may be in flight wait for their next try
                    watch=watch,
                )


def _ids(samples: Path) -> Iterator[str]:
    with open_parquet(samples) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=["id"]):
            yield from batch.column("id").to_pylist()


def _rows(samples: Path) -> Iterator[dict[str, Any]]:
    with open_parquet(samples) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=_READ):
            yield from batch.to_pylist()
