"""Commands: flags become settings, settings go into one call. Each command imports its own machinery, late."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import io
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeVar

import cyclopts
from cyclopts import App, Parameter
from pydantic import BaseModel, ValidationError

from pipeline.errors import Interrupted, PipelineError
from pipeline.llm.faults import Faults
from pipeline.progress import printable
from pipeline.review.settings import ReviewSettings
from pipeline.settings import (
    ChatSettings,
    CheckSettings,
    FinetuneSettings,
    GenerateSettings,
    PreviewSettings,
    ScenesSettings,
    ShowSettings,
)
from pipeline.validated import Record

INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C

app = App(
    name="python -m pipeline",
    help=(
        "Turn COCO-style captions and boxes into visual instruction data.\n\n"
        "Try it first without anything: python -m pipeline generate"
    ),
    version=lambda: version("visual-instruction-pipeline"),
    help_format="plaintext",
    default_parameter=Parameter(
        negative_iterable=(), negative_bool=(), show_default=lambda value: "none" if value == () else value
    ),
    usage="Usage: python -m pipeline COMMAND [OPTIONS]",
)

Run = Annotated[Path, Parameter(help="Run folder, or a Parquet file of one")]
Settings = TypeVar("Settings", bound=BaseModel)


def _unset(settings: type[Settings]) -> Settings:
    """Return settings of which nothing was given, as they are: for checking them, pydantic would build what checks."""
    return settings.model_construct()


@app.command(sort_key=1)
def generate(*, settings: Annotated[GenerateSettings, Parameter(name="*")] = _unset(GenerateSettings)) -> int:
    """Write visual instruction data from captions and boxes into a run folder"""
    from pipeline.generate import generate as run

    if settings.verbose:
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
        logging.getLogger("pipeline").setLevel(logging.INFO)
    outcome = run(settings, _notices())
    if isinstance(outcome, str):
        print(outcome)
        return 0
    folder = outcome.folder.path
    rejected = sum(outcome.rejects.values())
    print(f"{sum(outcome.samples.values()):,} samples, {rejected:,} rejected ({outcome.folder.rejects})")
    for reason, count in outcome.rejects.items():
        print(f"  {count:,} {reason}")
    print(
        f"{outcome.sent:,} requests answered, {outcome.kept:,} replies from the journal"
        + (f"; {outcome.cost_usd:,.4f} USD in all" if outcome.cost_usd else "")
    )
    if not settings.model:
        print("the words are those of the built-in rules, not of a language model; pass --model for the real thing")
    if outcome.samples:
        print(f"samples in {outcome.folder.samples} and {outcome.folder.shards}; to look at a few:")
        print(f"  python -m pipeline show {folder}")
    return 0


@app.command(sort_key=2)
def preview(*, settings: Annotated[PreviewSettings, Parameter(name="*")] = _unset(PreviewSettings)) -> int:
    """Print the exact contexts and messages as JSON lines, calling nothing"""
    from pipeline.preview import preview as run

    lines = run(settings, _notices())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is, whatever the terminal may be
    for line in lines:
        print(line)
    return 0


@app.command(sort_key=3)
def show(run: Run, *, settings: Annotated[ShowSettings, Parameter(name="*")] = _unset(ShowSettings)) -> int:
    """Print a few samples of a run, readably"""
    from rich.console import Console

    from pipeline.show import show as run_show

    run_show(run, settings, Console(highlight=False))
    return 0


@app.command(sort_key=4)
def check(
    data: Annotated[Path, Parameter(help="Run folder, or a .json, .jsonl or .parquet file of samples")],
    *,
    settings: Annotated[CheckSettings, Parameter(name="*")] = _unset(CheckSettings),
) -> int:
    """Hold samples against their captions and boxes, and write a report"""
    from pipeline.check import check as run
    from pipeline.quality.report.summary import lines

    checked = run(data, settings, _notices())
    for reason, count in checked.dropped.items():
        print(f"{count:,} {reason}", file=sys.stderr)
    for line in lines(checked.figures):
        print(line)
    print(f"samples with claims and findings in {checked.samples}; the report is {checked.report}")
    return 0


@app.command(sort_key=5)
def review(
    data: Annotated[Path, Parameter(help="Run folder, or a .json, .jsonl or .parquet file of samples")],
    *,
    settings: Annotated[ReviewSettings, Parameter(name="*")] = _unset(ReviewSettings),
) -> int:
    """Look at samples on a local web page, accept, reject and edit them"""
    _need("duckdb", "review")
    from pipeline.review.command import review as run

    run(data, settings, lambda line: print(printable(line), flush=True))
    return 0


@app.command(sort_key=6)
def finetune(*, settings: Annotated[FinetuneSettings, Parameter(name="*")] = _unset(FinetuneSettings)) -> int:
    """Train a LLaVA-style model on samples, into a plain checkpoint"""
    _need("torch", "finetune")
    from pipeline.finetune.command import finetune as run

    run(settings, _notices())
    return 0


@app.command(sort_key=7)
def chat(
    checkpoint: Annotated[str, Parameter(help="Folder or hub name of a LLaVA-style checkpoint")],
    image: Annotated[Path, Parameter(help="Image file")],
    question: Annotated[str, Parameter(help="What to ask about it")],
    *,
    settings: Annotated[ChatSettings, Parameter(name="*")] = _unset(ChatSettings),
) -> int:
    """Ask a checkpoint about an image"""
    _need("torch", "finetune")
    from pipeline.finetune.chat import chat as run

    for piece in run(checkpoint, image, question, settings):
        print(piece, end="", flush=True)
    print()
    return 0


@app.command(sort_key=8)
def scenes(*, settings: Annotated[ScenesSettings, Parameter(name="*")] = _unset(ScenesSettings)) -> int:
    """Draw scenes with COCO-format captions and boxes whose truth is known"""
    from pipeline.annotations.rendered import draw_scenes

    draw_scenes(settings.count, settings.out, settings.seed)
    print(
        f"{settings.count:,} scenes in {settings.out}; python -m pipeline generate --annotations {settings.out} "
        f"--images {settings.out / 'images'}"
    )
    return 0


@app.command(sort_key=9)
def serve(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 for any that is free.")] = 8765,
    faults: Annotated[Faults, Parameter(name="*")] = _unset(Faults),
) -> int:
    """Start the offline writer as a chat-completions server, with faults to rehearse"""
    from pipeline.llm.server import run

    run(host, port, faults)
    return 0


def run_command(words: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 2 something to put right, 130 interrupted."""
    try:
        _check_words(words)
        if not {"--help", "-h"}.isdisjoint(words):
            _tell_fields()
        result = app(list(words), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        return _complain(_in_one_line(error))
    except Interrupted:
        print("stopped; what was paid for is kept, the same command carries on", file=sys.stderr)
        return INTERRUPTED
    except PipelineError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def _tell_fields(record: type[Record] = Record) -> None:
    """Give the fields of all records that are loaded the help lines that stand below them.

    Pydantic would read them when a class is made, and each time parse the whole file that the class is in: a tenth of
    the time that a run takes to its first request, for what only ``--help`` shows.
    """
    for each in record.__subclasses__():
        for owner in reversed(each.__mro__):
            for name, told in _read_below(owner.__module__).get(owner.__name__, {}).items():
                if name in each.model_fields:
                    each.model_fields[name].description = told
        _tell_fields(each)


@functools.cache
def _read_below(module: str) -> dict[str, dict[str, str]]:
    """Return what stands below each field, by class."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if not path or not module.startswith("pipeline."):
        return {}
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return {node.name: _below_fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below_fields(node: ast.ClassDef) -> dict[str, str]:
    told = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                told[name] = inspect.cleandoc(text)
    return told


def _need(module: str, extra: str) -> None:
    """Refuse a command whose libraries are not installed.

    Raises:
        PipelineError: They are not.
    """
    if importlib.util.find_spec(module) is None:
        raise PipelineError(f"{module} is not installed; pip install -e '.[{extra}]'")


def _notices() -> Callable[[str], None]:
    """Return what prints a line to standard error, so that output can be piped."""
    return lambda line: print(printable(line), file=sys.stderr)


def _check_words(words: Sequence[str]) -> None:
    """Refuse words that no flag means: an empty one, as an unset shell variable leaves it, and bytes that are no text.

    Raises:
        PipelineError: There is one.
    """
    for before, word in zip(["python -m pipeline", *words], words, strict=False):
        flag, equals, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if equals and not value.strip():
            raise PipelineError(f"{flag}: the value is empty; give one, or leave the flag out")
        try:
            word.encode()
        except UnicodeEncodeError:
            raise PipelineError(f"{word!r} is no UTF-8 text; write or name it otherwise") from None


def _complain(line: str, code: int = 2) -> int:
    """Print a line as one, whatever an id or a server's answer in it may hold."""
    print(f"pipeline: {printable(line)}", file=sys.stderr)
    return code


def _in_one_line(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with a command line as ``--flag: what is wrong``."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        first = cause.errors(include_url=False, include_context=False)[0]
        flag = str(first["loc"][0]).replace("_", "-") if first["loc"] else ""
        told = first["msg"].removeprefix("Value error, ")
        return f"--{flag}: {told}" if flag else told
    return str(error)
