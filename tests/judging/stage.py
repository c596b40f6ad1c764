"""Rows to judge, and a stage on which servers play the judge and the blind model over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.judging.figures import JudgeResult
from pipeline.judging.judge import judge_samples
from pipeline.judging.verdicts import RESPONSE_FORMAT
from pipeline.llm.budget import Budget
from pipeline.llm.client import Client
from pipeline.llm.endpoint import endpoint
from pipeline.llm.faults import Answer, Faults
from pipeline.llm.journal import Journal
from pipeline.llm.pacing import Pacing
from pipeline.llm.prices import Price
from pipeline.llm.server import Server, background
from pipeline.llm.wire import Wire

Body = dict[str, Any]
Play = Callable[[Any], Answer]
Row = dict[str, Any]


def row(name: str, *turns: tuple[str, str], claims: Iterable[tuple[int, str]] = ()) -> Row:
    """A sample about one dog and a crowd; claims are (message, verdict)."""
    return {
        "id": name,
        "messages": [
            {"role": role, "content": text}
            for turn in turns
            for role, text in zip(("user", "assistant"), turn)  # noqa: B905
        ],
        "captions": ["A dog runs."],
        "boxes": [
            {"label": "dog", "bbox": [0.25, 0.1234, 0.5, 1.0], "crowd": False},
            {"label": "person", "bbox": [0.0, 0.0, 1.0, 0.5], "crowd": True},
        ],
        "context": "A dog runs.",
        "claims": [
            {"message": message, "start": 0, "end": 1, "kind": "count", "verdict": verdict, "detail": "SECRET"}
            for message, verdict in claims
        ],
    }


def verdicts(*given: str, wrong: str = "") -> str:
    """A judge's reply; ``wrong`` is quoted from those that are contradicted."""
    return json.dumps(
        {
            "verdicts": [
                {
                    "answer": n,
                    "reason": "The boxes tell.",
                    "wrong": wrong if verdict == "contradicted" else "",
                    "verdict": verdict,
                }
                for n, verdict in enumerate(given, start=1)
            ]
        }
    )


def answer(text: str) -> str:
    return json.dumps({"answer": text})


def last(body: Body) -> str:
    text: str = body["messages"][-1]["content"]
    return text


class Room:
    """A folder with its journal, and servers that play the judge and the blind model."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.path = folder / "judge.parquet"
        self.journal = Journal(folder / "judge.sqlite")
        stack.callback(self.journal.close)
        self._stack = stack
        self.servers: dict[str, Server] = {}
        self.seen: dict[str, list[Body]] = {"judge": [], "blind": []}
        self.clients: dict[str, Client] = {}

    def serve(self, name: str, play: Play, faults: Faults = Faults()) -> Server:  # noqa: B008
        def reply(body: Any) -> Answer:
            self.seen[name].append(body)
            return play(body)

        server = self._stack.enter_context(background(reply, model=name, faults=faults))
        self.servers[name] = server
        return server

    def client(self, name: str, max_usd: float | None = None) -> Client:
        wire = Wire(endpoint(self.servers[name].base_url, "k"), 8, 30)
        prices = {name: Price(input=1, output=2)} if max_usd else {}
        budget = Budget(self.journal, prices, name, url=wire.url, max_usd=max_usd)
        options = {"response_format": RESPONSE_FORMAT} if name == "judge" else {}
        return Client(self.journal, wire, Pacing(8), budget, name, schema=name != "judge", options=options)

    def run(self, rows: Iterable[Row], *, max_usd: float | None = None, **settings: Any) -> JudgeResult:
        async def run() -> JudgeResult:
            async with AsyncExitStack() as stack:
                for name in self.servers:
                    self.clients[name] = await stack.enter_async_context(self.client(name, max_usd))
                return await judge_samples(rows, self.path, **self.clients, **settings)  # type: ignore[arg-type]

        return asyncio.run(run())

    def judge(self, rows: Iterable[Row], play: Play, **settings: Any) -> dict[str, Any]:
        self.serve("judge", play)
        figures: dict[str, Any] = self.run(rows, **settings).figures()["judge"]
        return figures

    def guess(self, rows: Iterable[Row], play: Play, **settings: Any) -> dict[str, Any]:
        self.serve("blind", play)
        figures: dict[str, Any] = self.run(rows, **settings).figures()["blind"]
        return figures

    def table(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.path).to_pylist()
        return rows


COUNT = ("How many dogs are there?", "There are two dogs.")
PLACE = ("Where is the dog?", "It is left of the middle.")
