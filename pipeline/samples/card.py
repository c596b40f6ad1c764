"""The dataset card of a run: what is in it, who wrote it, what may be done with it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.samples.run import RunFolder
from pipeline.samples.shards import open_parquet
from pipeline.samples.writing import write_text

_CARD = """\
---
configs:
- config_name: default
  data_files: samples.parquet
task_categories:
- visual-question-answering
- image-text-to-text
size_categories:
- {size}
tags:
- visual-instruction-tuning
- llava
- synthetic
---

# {name}

{total:,} samples of visual instruction data about {images:,} annotated images, written by **{writer}**
from captions and boxes alone; the writer never saw a pixel.

| kind | samples | prompt |
| --- | ---: | --- |
{kinds}

{rejects}

{quality}## Columns

`messages` holds the turns as `role` and `content`; the image belongs to the first user turn. `context` is
what the writer was shown, `captions` and `boxes` are the same as data (boxes as left, top, right, bottom in
fractions of the image). `claims` are the statements that captions and boxes can settle, with their place in
`messages`, the boxes and captions that settle them, and a verdict; `findings` are what else a person may want to
know before training on a sample. Both are empty where the samples were not checked. The rest tells where a
sample came from: `model`, `prompt_hash`, `request_hash`, `seed`, `attempts`, `finish_reason`, tokens over all
attempts.

```python
from datasets import load_dataset  # pip install 'datasets>=4'

samples = load_dataset("parquet", data_files="samples.parquet", split="train")
```

## Made from

{sources}

Left out of the annotations: {left_out}.

## Terms

Each image keeps its own licence (column `licence`); the annotations keep theirs. Text by a language model is
subject to the terms of whoever serves that model. The text was made by a machine and may be wrong: look before
you train on it.
"""


def write_card(folder: RunFolder, record: dict[str, Any], quality: str = "") -> None:
    """Write ``README.md`` from the finished ``run.json`` and ``samples.parquet``.

    Args:
        folder: Of the run.
        record: ``run.json``.
        quality: A section on how good the samples are, as Markdown; empty where they were not checked.
    """
    samples = {kind: count for kind, count in record["samples"].items() if kind != "total"}
    rejects = {reason: count for reason, count in record["rejects"].items() if reason != "total"}
    refused = "; ".join(f"{count:,} {reason}" for reason, count in rejects.items())
    annotations = record["annotations"]
    files = [f"- {role}: `{annotations[role]}`" for role in ("captions", "instances", "images") if role in annotations]
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in record["left_out"].items())
    total = record["samples"]["total"]
    card = _CARD.format(
        size=size_category(total),
        name=folder.path.resolve().name,
        total=total,
        images=_images(folder.samples),
        writer=record["written_by"],
        kinds="\n".join(f"| {kind} | {count:,} | `{record['prompts'][kind]}` |" for kind, count in samples.items()),
        rejects=f"Rejected, and kept in `rejects.parquet` with the reason: {refused or 'nothing'}.",
        sources="\n".join(files),
        left_out=left_out or "nothing",
        quality=f"{quality}\n" if quality else "",
    )
    write_text(folder.card, card)


def _images(samples: Path) -> int:
    # Not by `read_table`: that loads all of pyarrow's machinery for data sets, and pandas where it is installed.
    with open_parquet(samples) as file:
        batches = file.iter_batches(columns=["image_id"])
        ids = (image_id for batch in batches for image_id in batch.column(0).to_pylist())
        return sum(1 for _ in groupby(ids))  # the samples of an image follow each other


def size_category(count: int) -> str:
    """Return the hub's name for a size."""
    bounds = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B"]
    at = next(at for at, _ in enumerate(bounds) if count < 1_000 * 10**at)
    return f"{bounds[at - 1]}<n<{bounds[at]}" if at else "n<1K"
