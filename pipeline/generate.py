"""The main job: every planned sample is asked for, read, settled; the files are made from what was settled."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm import writer
from pipeline.llm.client import Client
from pipeline.llm.journal import Journal
from pipeline.llm.server import background
from pipeline.making import make_sample
from pipeline.planning import Source, read_source
from pipeline.progress import Progress
from pipeline.prompting.render import Prompt, build_prompt
from pipeline.records import Reject, Sample
from pipeline.samples.card import write_card
from pipeline.samples.plan import Planned
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import REJECT_SCHEMA, SCHEMA, Shards, in_batches, read_shard, reject_row, write_parquet
from pipeline.settings import MODEL_KEY, MODEL_URL, GenerateSettings, read_options

OFFLINE = "offline writer (rules, not a language model)"


class Interrupted(RunStopped):
    """The person pressed Ctrl-C; all that was in flight has been kept."""


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


def generate(settings: GenerateSettings, say: Callable[[str], None]) -> Outcome:
    """Make the samples of a run, carrying on where an earlier process ended.

    Args:
        settings: What the person asked for.
        say: Takes a line for people.

    Raises:
        PipelineError: Something is wrong with what was asked for; nothing has been spent.
        RunStopped: The run cannot go on; all that was paid for is kept.
        Interrupted: The person stopped it.
    """
    source = read_source(settings, settings.total)
    form = "json" if settings.reply_format == "auto" else settings.reply_format
    prompts = {name: build_prompt(kind, form) for name, kind in source.kinds.items()}
    folder = RunFolder(settings.out or Path("outputs") / source.name)
    key = api_key(settings) if settings.model else "offline"
    _announce(source, settings, folder, say)
    with folder.held():
        journal = Journal(folder.journal)
        try:
            with _server(settings) as base_url:
                return asyncio.run(_run(settings, source, prompts, folder, journal, base_url, key, say))
        finally:
            journal.close()


def api_key(settings: GenerateSettings) -> str:
    """Return the key to send; a local server's may be anything.

    Raises:
        PipelineError: There is none, and the server is OpenAI's.
    """
    key = os.environ.get(MODEL_KEY, "")
    if not key and not (settings.base_url or os.environ.get(MODEL_URL)):
        raise PipelineError(f"no API key; set {MODEL_KEY}, or {MODEL_URL} or --base-url for a local server")
    return key or "none"


@contextmanager
def _server(settings: GenerateSettings) -> Iterator[str | None]:
    """Give the address to ask: the person's, or that of the offline writer, started for this run."""
    if settings.model:
        yield settings.base_url or os.environ.get(MODEL_URL) or None
    else:
        with background() as server:
            yield server.base_url


def _announce(source: Source, settings: GenerateSettings, folder: RunFolder, say: Callable[[str], None]) -> None:
    by_kind = Counter(planned.kind for planned in source.plan)
    wanted = ", ".join(f"{count:,} {kind}" for kind, count in by_kind.items())
    images = f"{len(source.scenes):,} of {source.read:,}" if len(source.scenes) < source.read else f"{source.read:,}"
    say(f"{images} images from {source.name}; {len(source.plan):,} samples to make: {wanted}")
    for reason, count in source.dropped.items():
        say(f"left out: {count:,} {reason}")
    say(f"written by {settings.model or OFFLINE}, into {folder.path}")


async def _run(
    settings: GenerateSettings,
    source: Source,
    prompts: dict[str, Prompt],
    folder: RunFolder,
    journal: Journal,
    base_url: str | None,
    key: str,
    say: Callable[[str], None],
) -> Outcome:
    record = _begin_record(settings, source, prompts, folder, base_url)
    with Progress(len(source.plan)) as progress:
        client = Client(
            journal,
            settings.model or writer.NAME,
            base_url=base_url,
            api_key=key,
            schema=settings.reply_format == "auto",
            options=read_options(list(settings.set)),
            concurrency=settings.concurrency,
            timeout_s=settings.timeout,
            give_up_s=settings.give_up,
            known_as=None if settings.model else "offline",
            say=progress.say,
        )
        run = _Run(settings, source, prompts, folder, client, progress)
        try:
            async with client:
                await run.make_all()
        except RunStopped as error:
            folder.write_record(record | {"status": f"stopped: {error}"} | run.figures())
            raise
    run.finish(journal)
    finished = record | {"status": "complete", "finished_at": _now()} | run.figures()
    folder.write_record(finished)
    write_card(folder, finished)
    return Outcome(folder, dict(run.samples), dict(run.reasons), client.tally.sent, client.tally.kept)


class _Run:
    """The state of one run while it lasts: what is settled, and the counts that people watch."""

    def __init__(
        self,
        settings: GenerateSettings,
        source: Source,
        prompts: dict[str, Prompt],
        folder: RunFolder,
        client: Client,
        progress: Progress,
    ) -> None:
        self.samples: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._rejects: dict[int, Reject] = {}
        self._settings = settings
        self._source = source
        self._prompts = prompts
        self._folder = folder
        self._client = client
        self._progress = progress
        embed = source.is_quickstart if settings.embed_images is None else settings.embed_images
        self._shards = Shards(folder.shards, len(source.plan), settings.shard_size, embed_images=embed)
        self._stopped: RunStopped | None = None

    async def make_all(self) -> None:
        """Settle every planned sample.

        Workers share one iterator, so nothing exists for a sample before its turn. There are twice as many as may be in
        flight: a worker that waits for its next try leaves its place to another.
        """
        todo = iter(enumerate(self._source.plan))
        with self._stopping_on_interrupt():
            async with asyncio.TaskGroup() as group:
                for _ in range(min(2 * self._settings.concurrency, len(self._source.plan))):
                    group.create_task(self._work(todo))
        if self._stopped:
            raise self._stopped

    async def _work(self, todo: Iterator[tuple[int, Planned]]) -> None:
        seed, attempts = self._settings.seed, self._settings.attempts
        for index, planned in todo:
            if self._stopped:
                return
            try:
                prompt = self._prompts[planned.kind]
                self._settle(index, await make_sample(self._client, prompt, planned, seed=seed, attempts=attempts))
            except RunStopped as error:
                self._stop(error)

    def _stop(self, why: RunStopped) -> None:
        self._stopped = self._stopped or why
        self._client.stop()

    @contextmanager
    def _stopping_on_interrupt(self) -> Iterator[None]:
        """Let the first Ctrl-C end the run once all that is in flight has been kept; the second ends it at once."""
        loop = asyncio.get_running_loop()

        def on_interrupt() -> None:
            loop.remove_signal_handler(signal.SIGINT)
            self._progress.say("stopping; requests in flight are being kept (Ctrl-C again leaves them)")
            self._stop(Interrupted("stopped"))

        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the run at once
            loop.add_signal_handler(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)

    def _settle(self, index: int, outcome: Sample | Reject) -> None:
        if isinstance(outcome, Sample):
            self.samples[outcome.kind] += 1
            self._shards.settle(index, outcome)
        else:
            self.reasons[outcome.reason] += 1
            self._rejects[index] = outcome
            self._shards.settle(index, None)
        tally = self._client.tally
        tokens = tally.prompt_tokens + tally.completion_tokens
        self._progress.update(self.samples.total(), self.reasons.total(), tokens)

    def finish(self, journal: Journal) -> None:
        """Write the Parquet files, now that every shard is there."""
        write_parquet(self._folder.samples, (read_shard(path) for path in self._shards.paths()), SCHEMA)
        rejects = (self._rejects[index] for index in sorted(self._rejects))
        rows = (reject_row(reject, _last_reply(reject, journal)) for reject in rejects)
        write_parquet(self._folder.rejects, in_batches(rows, REJECT_SCHEMA), REJECT_SCHEMA)

    def figures(self) -> dict[str, Any]:
        """Return the counts for ``run.json``."""
        tally = self._client.tally
        return {
            "samples": {"total": self.samples.total(), **self.samples},
            "rejects": {"total": self.reasons.total(), **self.reasons},
            "requests": {"answered_now": tally.sent, "from_journal": tally.kept},
            "tokens": {
                "prompt": tally.prompt_tokens,
                "prompt_cached": tally.cached_tokens,
                "completion": tally.completion_tokens,
            },
            "server_takes": msgspec.to_builtins(self._client.dialect),
        }


def _last_reply(reject: Reject, journal: Journal) -> str | None:
    reply = journal.find(bytes.fromhex(reject.request_hash)) if reject.request_hash else None
    return reply.content if reply else None


def _begin_record(
    settings: GenerateSettings, source: Source, prompts: dict[str, Prompt], folder: RunFolder, base_url: str | None
) -> dict[str, Any]:
    """Write ``run.json`` as it is known at the start, and clear what an earlier, different plan has left."""
    asked = settings.model_dump(mode="json", exclude={"out", "concurrency", "timeout", "give_up"})
    plan = hashlib.sha256(
        msgspec.json.encode([asked, {name: prompt.hash for name, prompt in prompts.items()}])
        + b"".join(planned.id.encode() + b"\n" for planned in source.plan)
    ).hexdigest()[:16]
    earlier = folder.read_record()
    if earlier is None or earlier.get("plan") != plan:
        folder.clear_derived()
    record: dict[str, Any] = {
        "pipeline_version": version("visual-instruction-pipeline"),
        "status": "running",
        "plan": plan,
        "written_by": settings.model or OFFLINE,
        "model": settings.model or writer.NAME,
        "server": (base_url or "OpenAI") if settings.model else OFFLINE,
        "annotations": source.files | {"images_read": source.read, "images_chosen": len(source.scenes)},
        "left_out": source.dropped,
        "planned": {"total": len(source.plan), **Counter(planned.kind for planned in source.plan)},
        "prompts": {name: prompt.hash for name, prompt in prompts.items()},
        "settings": settings.model_dump(mode="json"),
        "command": " ".join(["python -m pipeline", *sys.argv[1:]]),
        "started_at": _now(),
    }
    folder.write_record(record)
    return record


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
