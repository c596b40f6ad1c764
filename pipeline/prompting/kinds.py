"""Kinds of reply, as folders: ``prompts/<kind>/`` with its words, ``seed_examples/<kind>/`` with its examples.

What is wrong with a kind is found here, at start-up: a name the templates do not know, an example that is missing, an
example that breaks the form its kind asks for. What a template makes of a scene is known for sure only once it has been
rendered, so ``render_user`` says in one line what went wrong with which; all planned scenes can be rendered beforehand.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import jinja2
import jinja2.meta
import msgspec
from jinja2 import nodes
from pydantic import Field, ValidationError

from pipeline.errors import PipelineError
from pipeline.prompting.context import can_describe, describe
from pipeline.prompting.replies import Form, Shape, UnreadableReply, describe_form, read_reply
from pipeline.records import Box, ContextPart, Scene, Turn
from pipeline.validated import Record, first_fault

_PACKAGE = Path(__file__).parents[1]
SYSTEM_NAMES = frozenset({"reply_format", "sees_captions", "sees_boxes", "min_turns", "max_turns", "closed_questions"})
"""What ``system.jinja`` may use; the text is the same for all scenes, so that a server's prefix cache serves it."""
USER_NAMES = frozenset({"context", "captions", "boxes"})
"""What ``user.jinja`` may use."""
_BARE = re.compile(r"\s*\{\{\s*([^\W\d]\w*)\s*\}\}\s*")
_MANY = 12  # captions or boxes of a scene that templates are tried out with
# A template is a person's own program, and these are what it can end with; none of our code runs inside it.
_TEMPLATE_FAULTS = (
    jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


class KindFile(Record):
    """``kind.toml``: what a kind sees, and which shape its reply has."""

    description: str = ""
    """One clause for people."""
    shape: Shape
    """``turns``: several questions and answers; ``pair``: one of each; ``answer``: the question is drawn."""
    context: tuple[ContextPart, ...] = Field(default=("captions", "boxes"), min_length=1)
    """What of a scene it is shown."""
    examples: tuple[str, ...]
    """Names of its examples in ``seed_examples/<kind>/``, in the order the model sees them; ``[]`` for none."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; the server's own if left out."""
    max_tokens: int = Field(default=1500, ge=1)
    """A reply that is longer is cut by the server, and then rejected."""
    min_turns: int = Field(default=1, ge=1)
    """Fewest turns, for the shape ``turns``."""
    max_turns: int = Field(default=20, ge=1)
    """Most turns, for the shape ``turns``."""
    closed_questions: Literal["free", "half no"] = "free"
    """Quota for yes/no questions, which the system message asks for: models left to themselves answer them with yes."""
    language: str = Field(default="en", pattern="^[a-z]{2}$")
    """ISO 639-1 code of the language of its samples. Claims are checked in English, the texts in any language."""


class ExampleBox(Record):
    """One object of an example, as a person writes it."""

    label: str = Field(min_length=1)
    bbox: tuple[
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
    ]
    """Left, top, right, bottom, in fractions of the image."""


class ExampleFile(Record):
    """``seed_examples/<kind>/<name>.json``: a scene and the reply that it deserves."""

    captions: tuple[str, ...] = ()
    boxes: tuple[ExampleBox, ...] = ()
    reply: dict[str, Any]
    """As the shape of the kind has it."""


class Example(msgspec.Struct, frozen=True):
    """A few-shot pair, checked."""

    scene: Scene
    turns: list[Turn]


class Template(msgspec.Struct, frozen=True):
    """A template, checked and compiled; its files are not read again."""

    path: Path
    compiled: jinja2.Template
    sources: dict[str, str]
    """Text by name, of the template and of all that it includes."""
    shows: str | None = None
    """The name of the one value that it prints, if it does nothing else: then nothing needs to be run."""

    def render(self, seen: str = "", /, **values: object) -> str:
        """Return the text, without blanks around it.

        Args:
            seen: What is rendered, for the message, such as ``image '7'``.
            **values: By the names that the template knows.

        Raises:
            PipelineError: The template fails on these values, or makes nothing of them.
        """
        where = f"{self.path}, {seen}" if seen else str(self.path)
        try:
            text = (str(values[self.shows]) if self.shows else self.compiled.render(values)).strip()
        except _TEMPLATE_FAULTS as error:
            raise PipelineError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from None
        if not text:
            raise PipelineError(f"{where}: the template makes an empty message")
        return text


class Kind(msgspec.Struct, frozen=True):
    """One kind of reply, ready to be rendered."""

    name: str
    file: KindFile
    context: tuple[ContextPart, ...]
    """What of a scene it is shown in this run; ``kind.toml`` says what it is by default."""
    system: Template
    user: Template
    questions: tuple[str, ...]
    """Drawn from, for the shape ``answer``; empty for the other shapes."""
    examples: tuple[Example, ...]


def shipped(folder: str) -> Path:
    """Return where our own ``prompts`` or ``seed_examples`` are: in the installed package, or in the checkout."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def load_kinds(
    names: Iterable[str] | None = None,
    prompts: Path | None = None,
    seed_examples: Path | None = None,
    context: Mapping[str, Sequence[ContextPart]] | None = None,
) -> dict[str, Kind]:
    """Load kinds by name, checked.

    Args:
        names: Which kinds; all that are found if ``None``.
        prompts: A user's own folder of kinds; its kinds come before shipped ones of the same name.
        seed_examples: Where the examples of the user's kinds are; by default ``seed_examples`` inside ``prompts``, else
            beside it.
        context: What a kind sees, by kind, where that differs from its ``kind.toml``.

    Returns:
        The kinds in the order of ``names``, or in alphabetical order.

    Raises:
        PipelineError: A kind or a file of it is missing or wrong; the message names the file.
    """
    found = _find(shipped("prompts"), shipped("seed_examples"))
    if prompts is not None:
        if not prompts.is_dir():
            raise PipelineError(f"no folder of prompts at {prompts}; pass --prompts DIR with DIR/<kind>/kind.toml")
        own = _find(prompts, seed_examples or _examples_beside(prompts))
        if not own:
            raise PipelineError(f"{prompts} has no kind; a kind is a folder in it with a kind.toml")
        found |= own
    elif seed_examples is not None:
        found = {name: (folder, seed_examples / name) for name, (folder, _) in found.items()}
    wanted = sorted(found) if names is None else list(names)
    context = context or {}
    for name in [*wanted, *context]:
        if name not in found:
            raise PipelineError(f"no kind named {name!r}; there are {', '.join(sorted(found))}")
    if idle := [name for name in context if name not in wanted]:
        raise PipelineError(f"--context: {idle[0]!r} is not among the kinds that are made: {', '.join(wanted)}")
    return {name: _load(name, *found[name], context.get(name)) for name in wanted}


def _find(prompts: Path, examples: Path) -> dict[str, tuple[Path, Path]]:
    folders = sorted(file.parent for file in prompts.glob("*/kind.toml"))
    return {folder.name: (folder, examples / folder.name) for folder in folders}


def _examples_beside(prompts: Path) -> Path:
    inside = prompts / "seed_examples"
    return inside if inside.is_dir() else prompts.resolve().parent / "seed_examples"


def _load(name: str, folder: Path, examples: Path, context: Sequence[ContextPart] | None) -> Kind:
    path = folder / "kind.toml"
    try:
        file = KindFile.model_validate(tomllib.loads(_read(path)))
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{path}: {error}") from None
    except ValidationError as error:
        raise PipelineError(f"{path}: {first_fault(error)}") from None
    if file.min_turns > file.max_turns:
        raise PipelineError(f"{path}: min_turns {file.min_turns} is more than max_turns {file.max_turns}")
    kind = Kind(
        name=name,
        file=file,
        context=tuple(context) if context else file.context,
        system=_template(folder / "system.jinja", SYSTEM_NAMES, needed="reply_format"),
        user=_template(folder / "user.jinja", USER_NAMES),
        questions=_questions(folder / "questions.txt") if file.shape == "answer" else (),
        examples=tuple(_example(examples / f"{example}.json", file, path) for example in file.examples),
    )
    _try_out(kind)
    return kind


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PipelineError(f"{path} is not UTF-8 text; save it as UTF-8") from None


def _template(path: Path, known: frozenset[str], needed: str | None = None) -> Template:
    """Compile a template with all that it includes, from its own folder or the one above."""
    sources: dict[str, str] = {}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the text goes to a model, not into a page
        auto_reload=False,
    )
    used = _gather(environment, sources, path.parent, path.name, known)
    if needed and needed not in used:
        raise PipelineError(f"{path} does not use {needed}; write {{{{ {needed} }}}} where it belongs")
    bare = _BARE.fullmatch(sources[path.name])
    shows = bare[1] if bare and bare[1] in known else None
    return Template(path, environment.get_template(path.name), sources, shows)


def _gather(
    environment: jinja2.Environment, sources: dict[str, str], folder: Path, name: str, known: frozenset[str]
) -> set[str]:
    """Add a file and all that it includes to the sources, checked; return the names that they take from us.

    Branches that no scene of a trial enters are checked as well, as far as names go.
    """
    path = next((each / name for each in (folder, folder.parent) if (each / name).is_file()), folder / name)
    sources[name] = _read(path)
    try:
        tree = environment.parse(sources[name])
        used = jinja2.meta.find_undeclared_variables(tree)
        environment.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise PipelineError(f"{path}, line {error.lineno}: {error.message}") from None
    if unknown := used - known:
        raise PipelineError(f"{path}: unknown name {min(unknown)!r}; known are {', '.join(sorted(known))}")
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        if node.name not in (environment.filters if isinstance(node, nodes.Filter) else environment.tests):
            raise PipelineError(f"{path}, line {node.lineno}: no {type(node).__name__.lower()} named {node.name!r}")
    passed_on = known | {each.name for each in tree.find_all(nodes.Name)}  # such as the variable of a loop
    for other in jinja2.meta.find_referenced_templates(tree):
        if other is None:
            raise PipelineError(f"{path} includes a file by a name that is computed; write the name out")
        if other not in sources:
            used |= _gather(environment, sources, folder, other, passed_on)
    return used


def _try_out(kind: Kind) -> None:
    """Render both templates as often as their inputs differ in kind, so that what only shows on rendering shows now."""
    for form in get_args(Form):
        render_system(kind, form)
    for example in kind.examples:
        _render_user(kind, example.scene, f"example {example.scene.image_id!r}")
    for captions, boxes in product((0, 1, _MANY), repeat=2):
        scene = Scene(
            "0", "", 640, 480,
            tuple(f"A dog and {n} cups." for n in range(captions)),
            tuple(Box(f"cup {n}", 0.1, 0.2, 0.5, 0.6, crowd=n == 2) for n in range(boxes)),
        )  # fmt: skip
        if can_describe(scene, kind.context):
            _render_user(kind, scene, f"a scene tried out (captions: {captions}, boxes: {boxes})")


def render_system(kind: Kind, form: Form) -> str:
    """Return the system message, with the paragraph that describes the reply's form.

    Raises:
        PipelineError: The template fails; the message names it.
    """
    file = kind.file
    return kind.system.render(
        reply_format=describe_form(file.shape, form, file.min_turns, file.max_turns),
        sees_captions="captions" in kind.context,
        sees_boxes="boxes" in kind.context,
        min_turns=file.min_turns,
        max_turns=file.max_turns,
        closed_questions=file.closed_questions,
    )


def render_user(kind: Kind, scene: Scene, context: str | None = None) -> str:
    """Return the user message for a scene, showing what the kind sees of it.

    Args:
        kind: Whose template it is.
        scene: What to show.
        context: What ``describe`` makes of it, where that is known already.

    Raises:
        PipelineError: The template fails on this scene, or makes nothing of it; the message names both.
    """
    return _render_user(kind, scene, f"image {scene.image_id!r}", context)


def _render_user(kind: Kind, scene: Scene, seen: str, context: str | None = None) -> str:
    return kind.user.render(
        seen,
        context=describe(scene, kind.context) if context is None else context,
        captions=scene.captions if "captions" in kind.context else (),
        boxes=scene.boxes if "boxes" in kind.context else (),
    )


def _questions(path: Path) -> tuple[str, ...]:
    lines = (line.strip() for line in _read(path).splitlines())
    questions = tuple(line for line in lines if line and not line.startswith("#"))
    if not questions:
        raise PipelineError(f"{path} has no question; write one a line")
    return questions


def _example(path: Path, kind: KindFile, named_in: Path) -> Example:
    if not path.is_file():
        raise PipelineError(f"no example at {path}, which {named_in} names")
    try:
        file = ExampleFile.model_validate_json(_read(path))
        reply = json.dumps(file.reply)
        turns = read_reply(reply, kind.shape, "json", min_turns=kind.min_turns, max_turns=kind.max_turns)
    except UnreadableReply as error:
        raise PipelineError(f"{path}: reply does not fit shape {kind.shape!r}: {error}") from None
    except ValidationError as error:
        raise PipelineError(f"{path}: {first_fault(error)}") from None
    boxes = tuple(Box(box.label, *box.bbox) for box in file.boxes)
    for box in boxes:
        if box.x0 >= box.x1 or box.y0 >= box.y1:
            raise PipelineError(f"{path}: the bbox of {box.label!r} has no area; write [left, top, right, bottom]")
    scene = Scene(path.stem, "", 0, 0, tuple(caption.strip() for caption in file.captions), boxes)
    return Example(scene, turns)
