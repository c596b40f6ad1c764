"""What generation is held against, on the requests that ``preview`` prints.

    python benchmarks/yardstick.py URL MESSAGES.jsonl OUT.jsonl [--concurrency 256] [--client openai|aiohttp]

``openai`` is the client as most people use it: one task a row, a semaphore, ``chat.completions.create`` with a schema
from pydantic. ``aiohttp`` is the floor: bodies that are made beforehand, as many loops as may be in flight, and nothing
between them and the transport. Both validate each reply with pydantic and append it to a JSONL file; neither keeps
anything but that, and what fails is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

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
    """Ask for all rows, as many at once as are allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("messages", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--client", choices=("openai", "aiohttp"), default="openai")
    options = parser.parse_args()
    ask_all = ask_with_openai if options.client == "openai" else ask_with_aiohttp
    with options.out.open("a") as file:
        asyncio.run(ask_all(options.url, read_rows(options.messages), file, options.concurrency))


def read_rows(messages: Path) -> Iterator[dict[str, Any]]:
    """Yield each row with the fields of its request."""
    schemas = {kind: _schema(model) for kind, model in SHAPES.items()}
    with messages.open() as lines:
        for seed, line in enumerate(lines):
            row = json.loads(line)
            fields = {"messages": row["messages"], "max_tokens": 1500, "seed": seed}
            yield row | {"request": {"model": "model", **fields, "response_format": schemas[row["kind"]]}}


async def ask_with_openai(url: str, rows: Iterator[dict[str, Any]], file: TextIO, concurrency: int) -> None:
    """Ask for every row, in a task each."""
    import openai

    semaphore = asyncio.Semaphore(concurrency)
    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=2) as client:

        async def ask(row: dict[str, Any]) -> None:
            async with semaphore:
                completion = await client.chat.completions.create(**row["request"])
            _keep(row, completion.choices[0].message.content or "", file)

        await asyncio.gather(*map(ask, rows))


async def ask_with_aiohttp(url: str, rows: Iterator[dict[str, Any]], file: TextIO, concurrency: int) -> None:
    """Ask for every row, in one of so many loops."""
    import aiohttp

    ready = iter([(row, json.dumps(row["request"]).encode()) for row in rows])
    headers = {"Content-Type": "application/json", "Authorization": "Bearer any"}
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work() -> None:
            for row, body in ready:
                async with session.post(f"{url}/chat/completions", data=body) as response:
                    completion = json.loads(await response.read())
                _keep(row, completion["choices"][0]["message"]["content"], file)

        await asyncio.gather(*(work() for _ in range(concurrency)))


def _keep(row: dict[str, Any], content: str, file: TextIO) -> None:
    reply = SHAPES[row["kind"]].model_validate_json(content)
    file.write(json.dumps({"image_id": row["image_id"], "reply": reply.model_dump()}) + "\n")


def _schema(model: type[BaseModel]) -> Any:
    schema = model.model_json_schema()
    return {"type": "json_schema", "json_schema": {"name": model.__name__, "schema": schema}}


if __name__ == "__main__":
    main()
