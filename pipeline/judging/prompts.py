"""What the judge and the blind model are asked, in the words of the templates beside this file.

Three prompts, each with a system message that is the same for all requests and comes first, so that a server's prefix
cache serves it: ``verdicts`` holds answers against captions and boxes, ``agreement`` holds guesses against reference
answers, ``blind`` has a question and nothing else. What the rules say of a sample is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from pipeline.prompting.kinds import Kind, KindFile, Template
from pipeline.prompting.render import Prompt, build_prompt
from pipeline.records import Turn

_FOLDER = Path(__file__).parent
_VERDICT_TOKENS = 2000  # about 70 a verdict, and some for models that think before they write
_GUESS_TOKENS = 1000


class Guess(msgspec.Struct, frozen=True):
    """What the blind model said to a question, beside the answer that the sample has."""

    question: str
    reference: str
    answer: str


def verdicts_prompt() -> Prompt:
    """Return the prompt that has answers held against captions and boxes."""
    return _prompt("verdicts", _VERDICT_TOKENS)


def agreement_prompt() -> Prompt:
    """Return the prompt that has guesses held against reference answers."""
    return _prompt("agreement", _VERDICT_TOKENS)


def blind_prompt() -> Prompt:
    """Return the prompt that has a question answered without its image; its reply has the shape ``answer``."""
    return _prompt("blind", _GUESS_TOKENS)


def evidence_and_turns(prompt: Prompt, row: Mapping[str, Any], turns: Sequence[Turn]) -> str:
    """Return the captions and boxes of a row, or its context where it has neither, and then all its turns, numbered.

    Args:
        prompt: As ``verdicts_prompt`` returns it.
        row: A sample's row; the columns ``captions``, ``boxes`` and ``context`` are read, as far as they are there.
        turns: Of the row.
    """
    shown = {"captions": row.get("captions") or (), "boxes": row.get("boxes") or (), "context": row.get("context", "")}
    return prompt.kind.user.render(f"sample {row['id']!r}", turns=turns, **shown)


def guesses_beside_references(prompt: Prompt, guesses: Sequence[Guess]) -> str:
    """Return guesses with their questions and reference answers, numbered."""
    return prompt.kind.user.render(guesses=guesses)


def question_alone(prompt: Prompt, question: str) -> str:
    """Return what the blind model gets of a sample."""
    return prompt.kind.user.render(question=question)


def _prompt(name: str, max_tokens: int) -> Prompt:
    # Temperature 0: a verdict is to be the same tomorrow.
    file = KindFile(shape="answer", examples=(), temperature=0, max_tokens=max_tokens)
    system, user = _template(f"{name}_system.jinja"), _template(f"{name}_user.jinja")
    return build_prompt(Kind(name, file, file.context, system, user, questions=(), examples=()), "json")


def _template(name: str) -> Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the text goes to a model, not into a page
    )
    path = _FOLDER / name
    return Template(path, environment.get_template(name), {name: path.read_text(encoding="utf-8")})
