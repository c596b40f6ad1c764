"""Samples as a person can check them: the whole text that the model reads, and in colour what it learns of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from transformers import PreTrainedTokenizerBase

from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE, IMAGE
from pipeline.quality.wording import plain

LEARNT = "bold green"
READ = "dim"
IMAGE_STYLE = "bold magenta"
MARKS = "⟦", "⟧"
"""Around what is learnt where there are no colours."""


def show_samples(prepared: Prepared, tokenizer: PreTrainedTokenizerBase, console: Console, *, count: int = 3) -> None:
    """Print a few samples, at equal distances in the data.

    Args:
        prepared: All samples.
        tokenizer: That they were made with.
        console: To print to; without colours, marks stand around what is learnt.
        count: Samples to print, if there are so many.
    """
    has_colours = console.color_system is not None and not console.no_color
    how = f"[{LEARNT}]in colour[/]" if has_colours else f"between {MARKS[0]} and {MARKS[1]}"
    chosen = np.unique(np.linspace(0, len(prepared) - 1, min(count, len(prepared))).astype(np.int64)).tolist()
    if chosen:
        console.print(f"samples as the model reads them, what is learnt {how}:")
    for index in chosen:
        ids, labels = prepared.sample(index)
        text = coloured(ids.tolist(), labels.tolist(), tokenizer, prepared.image_tokens, marked=not has_colours)
        foot = f"{prepared.lengths[index]:,} tokens, {prepared.supervised[index]:,} learnt"
        title = Text(plain(prepared.ids[index]), overflow="ellipsis")
        console.print(Panel(text, title=title, title_align="left", subtitle=foot, subtitle_align="right"))


def coloured(
    ids: Sequence[int],
    labels: Sequence[int],
    tokenizer: PreTrainedTokenizerBase,
    image_tokens: int,
    *,
    marked: bool = False,
) -> Text:
    """Return a sample's text with its control tokens, coloured where it is learnt.

    Args:
        ids: Of ``labels.encode``, with ``IMAGE`` for the image.
        labels: As long; ``IGNORE`` where nothing is learnt.
        tokenizer: That they were made with.
        image_tokens: Tokens that an image takes, which is told in its place.
        marked: Whether marks stand around what is learnt.
    """
    text = Text()
    learnt = [label != IGNORE for label in labels]
    for is_image, places in groupby(range(len(ids)), key=lambda place: ids[place] == IMAGE):
        stretch = list(places)
        if is_image:
            text.append(f"<image: {image_tokens:,} tokens>", IMAGE_STYLE)
            continue
        for piece, is_learnt in _pieces([ids[at] for at in stretch], [learnt[at] for at in stretch], tokenizer):
            shown = plain(piece)
            if is_learnt:
                shown = shown.replace("\n", "⏎\n")
            text.append(
                f"{MARKS[0]}{shown}{MARKS[1]}" if is_learnt and marked else shown, LEARNT if is_learnt else READ
            )
    return text


def _pieces(ids: list[int], learnt: list[bool], tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[str, bool]]:
    """Yield the text of each stretch that is learnt or is not.

    Cut out of the text before it and itself: by itself, a tokenizer would drop the space that begins it.
    """
    done, before = 0, ""
    for is_learnt, group in groupby(learnt):
        done += len(list(group))
        so_far = str(tokenizer.decode(ids[:done], clean_up_tokenization_spaces=False))
        yield so_far[len(before) :], is_learnt
        before = so_far
