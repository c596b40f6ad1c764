"""``report.html``: one page that shows a training run to a person, and needs nothing beside it.

All that a model or a file wrote is escaped by the template, and the page's own policy forbids it to load, send or run
anything.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from pipeline import quality
from pipeline.finetune.asking import Ask, ask
from pipeline.finetune.charts import HELD_OUT, Metrics, Sight, curves, sight_chart
from pipeline.finetune.model import Joined
from pipeline.finetune.pictures import decode
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.rows import Rejected, Row, is_question
from pipeline.quality.wording import duration, plain

_HERE = Path(__file__).parent
_STYLE = Path(quality.__file__).with_name("report.css")
LONGEST_EDGE = 360  # pixels of a picture in the page, at most
_JPEG_QUALITY = 82
_LONGEST_TEXT = 1200  # characters of a question or an answer


@dataclass(frozen=True)
class Answered:
    """A held-out image's first question, answered by the model for that image and for another one."""

    id: str
    """Of the sample."""
    question: str
    expected: str
    """What the data have."""
    answer: str
    other_answer: str
    """To the same question, for the other image."""
    picture: str
    """As an address that holds its data."""
    other_picture: str


@dataclass(frozen=True)
class Key:
    """One of the numbers at the top."""

    value: str
    name: str
    note: str = ""


def answers(
    joined: Joined, prepared: Prepared, rows: Iterable[Row | Rejected], *, count: int = 6, max_new_tokens: int = 96
) -> list[Answered]:
    """Return the model's own answers about held-out images, each for the true image and for the next one's.

    Args:
        joined: As trained; in evaluation mode afterwards.
        prepared: Its held-out samples are chosen from, at equal distances, each with an image of its own.
        rows: Of ``read_rows``, anew; read until the chosen ones are found.
        count: Samples to choose; fewer than two with an image give none.
        max_new_tokens: Longest answer.
    """
    wanted = _chosen(prepared, count)
    found: list[Row] = []
    for row in rows if len(wanted) > 1 else ():
        if isinstance(row, Row) and row.id in wanted:
            found.append(row)
            if len(found) == len(wanted):
                break
    pictures = [decode(row.picture) for row in found if row.picture]
    others = pictures[1:] + pictures[:1]
    asked = [_first(row, asked=True) for row in found]
    asks = [Ask(picture, text) for shown in (pictures, others) for picture, text in zip(shown, asked, strict=True)]
    told = ask(joined, asks, max_new_tokens=max_new_tokens)
    return [
        Answered(
            id=row.id,
            question=asked[at],
            expected=_first(row, asked=False),
            answer=told[at],
            other_answer=told[at + len(found)],
            picture=data_uri(pictures[at]),
            other_picture=data_uri(others[at]),
        )
        for at, row in enumerate(found)
    ]


def _chosen(prepared: Prepared, count: int) -> set[str]:
    """Return ids of held-out samples, of different images, at equal distances."""
    held_out = prepared.validation()
    held_out = held_out[prepared.picture[held_out] >= 0]
    one_each = held_out[np.sort(np.unique(prepared.picture[held_out], return_index=True)[1])]
    places = np.unique(np.linspace(0, len(one_each) - 1, min(count, len(one_each))).astype(np.int64))
    return {prepared.ids[index] for index in one_each[places]}


def _first(row: Row, *, asked: bool) -> str:
    """Return the text of the first question, or of the first answer after it."""
    places = [place for place, message in enumerate(row.messages) if is_question(message)]
    content = row.messages[places[0] + (not asked)]["content"]
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return "\n".join(str(part.get("text", "")) for part in parts).strip()


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a small JPEG in an address."""
    small = picture.copy()
    small.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def write_page(
    path: Path,
    *,
    title: str,
    told: str,
    metrics: Metrics,
    settings: Sequence[tuple[str, str, str]],
    data: Mapping[str, Any],
    answered: Sequence[Answered],
    sights: Sequence[Sight] = (),
    expected: str = "In the data",
    notes: Sequence[str] = (),
) -> None:
    """Write the page.

    Args:
        path: Of the page; replaced as a whole.
        title: Of the page.
        told: What the run is, in a sentence.
        metrics: Of ``read_metrics``.
        settings: Name, value and source of each, of ``recipes.table``.
        data: Of ``summary.summarise``; empty: not told.
        answered: Of ``answers``.
        sights: How well the model sees, where it was asked questions whose answers are known.
        expected: What to call the answers that are expected.
        notes: Sentences at the foot of the page.

    Raises:
        OSError: The page cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["plain"] = lambda text: plain(
        text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
    )
    page = environment.get_template("page.html.jinja").render(
        title=plain(title),
        told=plain(told),
        keys=_keys(metrics, sights),
        # Marked as safe, being files of ours and what matplotlib escaped.
        style=Markup(_STYLE.read_text(encoding="utf-8")),
        curves=Markup(curves(metrics) or ""),
        sight=Markup(sight_chart(sights)) if sights else "",
        sights=sights,
        settings=settings,
        accounts=_accounts(data),
        rejected=data.get("rejected", {}),
        answered=answered,
        expected=expected,
        notes=notes,
    )
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(page, encoding="utf-8", errors="replace")
    beside.replace(path)


def _keys(metrics: Metrics, sights: Sequence[Sight]) -> list[Key]:
    steps = [line for line in metrics if "loss" in line]
    held_out = [line for line in metrics if HELD_OUT in line]
    keys = [
        Key(f"+{100 * sight.margin:.0f}", f"points, {sight.name}", "right answers that the image adds")
        for sight in sights
    ]
    if steps:
        keys.append(Key(f"{steps[-1]['step']:,.0f}", "steps", f"{sum(line['samples'] for line in steps):,.0f} samples"))
        keys.append(Key(f"{steps[-1]['loss']:.3f}", "loss", f"in the last step; {steps[0]['loss']:.3f} in the first"))
    if held_out:
        keys.append(Key(f"{held_out[-1][HELD_OUT]:.3f}", "loss on held-out images", "after the last step"))
    if steps:
        rate = median(line["samples_per_s"] for line in steps)
        seconds = sum(line["seconds"] for line in steps)
        keys.append(Key(f"{rate:,.1f}", "samples a second", f"median; {duration(seconds)} in steps"))
    return keys


def _accounts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what became of the rows, and what the samples are like, as names and values."""
    if not data:
        return []
    told = [(f"Rows {name}", f"{count:,}") for name, count in data["rows"].items()]
    told.append(("Turns left out of shortened samples", f"{data['turns_dropped']:,}"))
    told += [(f"Samples of {kind}", f"{count:,}") for kind, count in data["kinds"].items()]
    told += [
        ("Samples an epoch", f"{data['samples_an_epoch']:,}"),
        ("Samples held out", f"{data['samples_held_out']:,}"),
        ("Samples without an image", f"{data['text_only']:,}"),
        ("Images", f"{data['images']:,}"),
        ("Tokens an epoch", f"{data['tokens_an_epoch']:,}"),
        ("Tokens that are learnt", f"{data['supervised_share']:.1%}"),
        ("Shared with other samples of their image", f"{data['shared_share']:.1%} of the tokens"),
        ("Padding in a step", f"{data['padding_share']:.1%}"),
    ]
    return told
