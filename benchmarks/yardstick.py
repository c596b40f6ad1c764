"""The yardstick: the `openai` client as most people use it, on the requests that ``preview`` prints.

    python benchmarks/yardstick.py URL MESSAGES.jsonl OUT.jsonl [--concurrency 256]

One task a row, a semaphore, ``chat.completions.create`` with a schema from pydantic, the reply validated with pydantic
and appended to a JSONL file. It keeps nothing but that, and what fails is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import openai
from pydantic import BaseModel


class Pair(BaseModel):
    """One question and its answer."""

    question: str
    answer: str


class Turns(BaseModel):
    """A conversation."""

    turns: list[Pair]


class Answer(BaseModel):
    """An answer alone."""

    answer: str


SHAPES: dict[str, type[BaseModel]] = {"conversation": Turns, "complex_reasoning": Pair, "detailed_description": Answer}


def main() -> None:
    """Ask for all rows at once, as far as the semaphore lets them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("messages", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--concurrency", type=int, default=256)
    options = parser.parse_args()
    asyncio.run(ask_all(options.url, options.messages, options.out, options.concurrency))


async def ask_all(url: str, messages: Path, out: Path, concurrency: int) -> None:
    """Ask for every line of a file."""
    semaphore = asyncio.Semaphore(concurrency)
    schemas = {kind: _schema(model) for kind, model in SHAPES.items()}
    with messages.open() as lines, out.open("a") as file:
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=2) as client:

            async def ask(row: dict[str, Any], seed: int) -> None:
                async with semaphore:
                    completion = await client.chat.completions.create(
                        model="model",
                        messages=row["messages"],
                        max_tokens=1500,
                        seed=seed,
                        response_format=schemas[row["kind"]],
                    )
                reply = SHAPES[row["kind"]].model_validate_json(completion.choices[0].message.content or "")
                file.write(json.dumps({"image_id": row["image_id"], "reply": reply.model_dump()}) + "\n")

            await asyncio.gather(*(ask(json.loads(line), seed) for seed, line in enumerate(lines)))


def _schema(model: type[BaseModel]) -> Any:
    schema = model.model_json_schema()
    return {"type": "json_schema", "json_schema": {"name": model.__name__, "schema": schema}}


if __name__ == "__main__":
    main()
