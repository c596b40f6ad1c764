"""The main job: annotations in, a run folder out; what was paid for before is found in its journal."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.connecting import api_key, base_url, in_background, make_budget, make_client, stopping_on_interrupt
from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.bodies import Bodies
from pipeline.llm.client import Client
from pipeline.llm.dialect import Dialect
from pipeline.llm.endpoint import Endpoint, endpoint
from pipeline.llm.journal import Journal
from pipeline.llm.prices import find_price, load_prices
from pipeline.llm.wire import Sender, Wire, run_loop
from pipeline.loop import Loop, Made, TakesSettled
from pipeline.making import Maker
from pipeline.metrics import Metrics
from pipeline.options import read_options
from pipeline.planning import Source, read_source
from pipeline.progress import Progress
from pipeline.prompting.render import Prompt, build_prompt
from pipeline.quality.checker import Checker, file_digest
from pipeline.records import pack
from pipeline.samples.plan import Planned
from pipeline.samples.run import RunFolder
from pipeline.settings import GenerateSettings

if TYPE_CHECKING:
    from pipeline.crew import Crew

MANY = 1000  # samples for whose checks and files other processes are worth starting
OFFLINE = "offline writer (rules, not a language model)"

# What changes how a run goes and not what it makes.
_MANNER = {
    "out", "concurrency", "rpm", "tpm", "timeout", "give_up", "dry_run", "max_cost", "prices", "batch", "batch_poll",
    "processes", "engine", "verbose",
}  # fmt: skip


class Outcome(msgspec.Struct, frozen=True):
    """What a run made."""

    folder: RunFolder
    samples: dict[str, int]
    """By kind."""
    rejects: dict[str, int]
    """By reason."""
    sent: int
    """Requests answered in this process."""
    kept: int
    """Replies that the journal already had."""
    cost_usd: float
    """Of all replies, where prices are known."""


class Run(msgspec.Struct, frozen=True):
    """What a run is made of, before anything is sent."""

    settings: GenerateSettings
    source: Source
    maker: Maker
    folder: RunFolder

    @property
    def model(self) -> str:
        """The model that is asked."""
        if self.settings.model:
            return self.settings.model
        from pipeline.llm.writer import NAME

        return NAME


def generate(settings: GenerateSettings, say: Callable[[str], None]) -> Outcome | str:
    """Make the samples of a run, carrying on where an earlier process ended.

    Args:
        settings: What the person asked for.
        say: Takes a line for people.

    Returns:
        What was made; after a dry run, the forecast as a text for people.

    Raises:
        PipelineError: Something is wrong with what was asked for; nothing has been spent.
        RunStopped: The run cannot go on; all that was paid for is kept.
        Interrupted: The person stopped it.
    """
    source = read_source(settings, settings.total, in_drawn_order=settings.count_good is not None)
    form = "json" if settings.reply_format == "auto" else settings.reply_format
    prompts = {name: build_prompt(kind, form) for name, kind in source.kinds.items()}
    maker = _maker(settings, source, prompts)
    run = Run(settings, source, maker, RunFolder(settings.out or Path("outputs") / source.name))
    if settings.dry_run:
        _announce(run, say)
        return _forecast(run)
    key = api_key(settings) if settings.model else "offline"
    with run.folder.held():
        journal = Journal(run.folder.journal)
        try:
            _announce(run, say)
            with _server(settings) as base_url:
                return run_loop(_run(run, journal, base_url, key))
        finally:
            journal.close()


def _maker(settings: GenerateSettings, source: Source, prompts: dict[str, Prompt]) -> Maker:
    if settings.on_contradiction == "off":
        return Maker(prompts, settings.seed, settings.attempts)
    checker = Checker(source.categories, settings.synonyms, settings.phrases)
    return Maker(prompts, settings.seed, settings.attempts, checker, settings.on_contradiction)


def _announce(run: Run, say: Callable[[str], None]) -> None:
    source, settings = run.source, run.settings
    by_kind = source.plan.by_kind()
    wanted = ", ".join(f"{count:,} {kind}" for kind, count in by_kind.items())
    images = f"{len(source.scenes):,} of {source.read:,}" if len(source.scenes) < source.read else f"{source.read:,}"
    most = f"{settings.count_good:,} good samples out of" if settings.count_good else "samples to make:"
    say(f"{images} images from {source.name}; {most} {len(source.plan):,} ({wanted})")
    for reason, count in source.dropped.items():
        say(f"left out: {count:,} {reason}")
    say(f"written by {settings.model or OFFLINE}, into {run.folder.path}")


def _forecast(run: Run) -> str:
    """Return what the run would ask for and cost, from what the journal has and what texts tell."""
    from pipeline.forecast import describe_forecast, forecast

    settings = run.settings
    bodies = Bodies(run.model, read_options(list(settings.set)))
    dialect = Dialect(schema=settings.reply_format == "auto")

    def request(planned: Planned) -> tuple[bytes, bytes]:
        body = bodies.build(run.maker.first_question(planned), dialect)
        return body.key, body.content

    url = base_url(settings) if settings.model else "http://127.0.0.1"
    price = find_price(load_prices(settings.prices), run.model, url)
    journal = Journal(run.folder.journal) if run.folder.journal.exists() else None
    try:
        told = forecast(run.source.plan, run.maker.prompts, request, journal=journal, price=price, batch=settings.batch)
    finally:
        if journal:
            journal.close()
    return describe_forecast(told)


@contextlib.contextmanager
def _server(settings: GenerateSettings) -> Iterator[str | None]:
    """Give the address to ask: the person's, or that of the offline writer, started for this run."""
    if settings.model:
        yield base_url(settings)
    else:
        from pipeline.llm.server import background

        with background() as server:
            yield server.base_url


def connect(settings: GenerateSettings, server: Endpoint) -> Sender:
    """Return what sends: this process, others of this machine, or the nodes of a cluster."""
    if settings.engine == "ray":
        from pipeline.llm.cluster import ClusterWire

        return ClusterWire(server, settings.concurrency, settings.timeout, processes=settings.processes)
    if settings.processes > 1:
        from pipeline.llm.workers import WorkersWire

        return WorkersWire(server, settings.concurrency, settings.timeout, processes=settings.processes)
    return Wire(server, settings.concurrency, settings.timeout)


async def _run(run: Run, journal: Journal, base_url: str | None, key: str) -> Outcome:
    settings, folder, server = run.settings, run.folder, endpoint(base_url, key)
    record = _begin_record(run, base_url)
    with Progress(settings.count_good or len(run.source.plan)) as progress:
        client = make_client(
            settings,
            journal,
            connect(settings, server),
            run.model,
            schema=settings.reply_format == "auto",
            say=progress.say,
            known_as=None if settings.model else "offline",
        )
        crew = _crew(run, progress.say)
        loop = Loop(
            client,
            run.maker,
            lambda: _open_files(run),
            progress,
            workers=2 * settings.concurrency,  # more than may be in flight: who waits for the next try sends nothing
            check=crew.check if crew else None,
        )
        metrics = Metrics(folder.metrics, client, loop.made)
        # What is there now stays to the end: without this the collector walks all scenes over and over, a third of the
        # processor time of a large run.
        gc.freeze()
        gc.set_threshold(50_000, 10, 10)  # what is garbage from now on is found before finding it holds up requests
        with _noting_why_it_stopped(folder, record, loop.made, client):
            try:
                async with (
                    client,
                    crew or contextlib.nullcontext(),
                    in_background(journal.keep_forcing(), metrics.keep_writing()),
                ):
                    with stopping_on_interrupt(loop.stop, progress.say):
                        await _batches_first(run, journal, client, server, progress.say)
                        await loop.run(run.source.plan, settings.count_good)
            finally:
                metrics.write()
    made, tally = loop.made, client.tally
    with _noting_why_it_stopped(folder, record, made, client):
        planned = made.settled if settings.count_good else len(run.source.plan)
        loop.files.finish(planned, [made.rejects[index] for index in sorted(made.rejects)])
        finished = record | {"status": "complete", "finished_at": _now()} | _figures(made, client)
        loop.files.write_words(finished)
    folder.write_record(finished)
    return Outcome(folder, dict(made.samples), dict(made.reasons), tally.sent, tally.kept, tally.cost_usd)


@contextlib.contextmanager
def _noting_why_it_stopped(folder: RunFolder, record: dict[str, Any], made: Made, client: Client) -> Iterator[None]:
    """Write into ``run.json`` what ended a run before it was complete."""
    try:
        yield
    except BaseException as error:
        why = error if isinstance(error, PipelineError) else type(error).__name__
        folder.write_record(record | {"status": f"stopped: {why}"} | _figures(made, client))
        raise


async def _batches_first(
    run: Run, journal: Journal, client: Client, server: Endpoint, say: Callable[[str], None]
) -> None:
    """Have batches answer what they will, if the person wants that, so that the loop finds it in the journal.

    Raises:
        RunStopped: Batches of an earlier process are at the server, and the person does not ask for them.
    """
    settings = run.settings
    if not settings.batch:
        if waiting := Ledger(journal).waiting():
            raise RunStopped(f"{waiting:,} requests are in batches at the server; pass --batch to collect them")
        return
    from pipeline.batching import run_in_batches

    budget = make_budget(settings, journal, run.model, server.url, batch=True)
    await run_in_batches(
        server.client(),
        client,
        journal,
        budget,
        run.source.plan,
        run.maker,
        poll_s=settings.batch_poll,
        say=say,
    )


def _crew(run: Run, say: Callable[[str], None]) -> Crew | None:
    """Return who checks samples beside the requests; a small run is done before other processes have begun."""
    if run.maker.checker is None or len(run.source.plan) < MANY:
        return None
    from pipeline.crew import Crew

    return Crew(run.maker, run.source.categories, run.settings.synonyms, run.settings.phrases, say)


def _embeds(run: Run) -> bool:
    chosen = run.settings.embed_images
    return run.source.is_quickstart if chosen is None else chosen


def _open_files(run: Run) -> TakesSettled:
    """Return what writes the files, here or in a process of its own; its libraries load now."""
    folder, size = run.folder.path, run.settings.shard_size
    embeds, checked = _embeds(run), run.maker.checker is not None
    if len(run.source.plan) >= MANY:
        from concurrent.futures.process import BrokenProcessPool

        from pipeline.file_process import FileProcess

        # Python cannot start one for a script that runs all this while it is imported.
        with contextlib.suppress(BrokenProcessPool):
            return FileProcess(folder, size, embed_images=embeds, checked=checked)
    from pipeline.files import Files

    return Files(folder, size, embed_images=embeds, checked=checked)


def _begin_record(run: Run, base_url: str | None) -> dict[str, Any]:
    """Write ``run.json`` as it is known at the start, and clear what an earlier, different plan has left."""
    settings, source = run.settings, run.source
    asked = settings.model_dump(mode="json", exclude=_MANNER)
    hashes = {name: prompt.hash for name, prompt in run.maker.prompts.items()}
    plan = _fingerprint(run, [asked, hashes, file_digest(settings.synonyms, settings.phrases)])
    earlier = run.folder.read_record()
    if earlier is None or earlier.get("plan") != plan:
        run.folder.clear_derived()
    record: dict[str, Any] = {
        "pipeline_version": version("visual-instruction-pipeline"),
        "status": "running",
        "plan": plan,
        "written_by": settings.model or OFFLINE,
        "model": run.model,
        "server": (base_url or "OpenAI") if settings.model else OFFLINE,
        "annotations": source.files | {"images_read": source.read, "images_chosen": len(source.scenes)},
        "left_out": source.dropped,
        "categories": source.categories,
        "planned": {"total": len(source.plan), **source.plan.by_kind()},
        "prompts": hashes,
        "settings": settings.model_dump(mode="json"),
        "command": shlex.join(["python", "-m", "pipeline", *sys.argv[1:]]),
        "started_at": _now(),
    }
    run.folder.write_record(record)
    return record


def _fingerprint(run: Run, asked: list[Any]) -> str:
    """Return a digest of all that decides what is in the files of a run, apart from the replies."""
    digest = hashlib.sha256(msgspec.json.encode(asked))
    for scene in run.source.scenes:
        digest.update(pack(scene))
    digest.update(run.source.plan.packed())
    return digest.hexdigest()[:16]


def _figures(made: Made, client: Client) -> dict[str, Any]:
    """Return the counts for ``run.json``."""
    tally = client.tally
    return {
        "samples": {"total": made.good, **made.samples},
        "rejects": {"total": made.rejected, **made.reasons},
        "requests": {"answered_now": tally.sent, "from_journal": tally.kept, "failed_tries": dict(tally.failures)},
        "tokens": {
            "prompt": tally.prompt_tokens,
            "prompt_cached": tally.cached_tokens,
            "completion": tally.completion_tokens,
        },
        "cost_usd": round(tally.cost_usd, 6),
        "server_takes": msgspec.to_builtins(client.dialect),
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
