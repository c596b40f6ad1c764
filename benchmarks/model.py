"""A loopback server that plays a model, in a process of its own, so that its processor time is not the client's.

    python benchmarks/model.py [--log FILE] [--spoilt 0.02]

prints its base URL and serves until its standard input ends. Each answer has about 1.4 KB, fits the schema that was
asked for, and holds the request's token: 16 hex digits that are the same for the same question and seed, and for no
others. With ``--log`` the token and the token counts of each request that is being answered are appended to a file.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pipeline.llm.faults import Answer, Completion, Reply
from pipeline.llm.server import background

ANSWER_CHARS = 1400
TURNS = 5
SENTENCE = "In the picture it can be seen quite clearly how things stand beside each other. "


def main() -> None:
    """Serve until whoever started this ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, help="append the tokens of answers here")
    parser.add_argument("--spoilt", type=float, default=0, help="share of good answers that are prose instead of JSON")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(options.log.open("a", buffering=1)) if options.log else None
        server = stack.enter_context(background(player(log, options.spoilt), model="model"))
        print(server.base_url, flush=True)
        sys.stdin.read()


def player(log: TextIO | None, spoilt: float) -> Reply:
    """Return a model's part: the same words to the same request, whatever came before."""

    def reply(body: Mapping[str, Any]) -> Answer:
        token = token_of(body)
        content = SENTENCE + token if int(token[:8], 16) < spoilt * 2**32 else words(body, token)
        if log:
            prompt = sum(-(-len(message["content"]) // 4) for message in body["messages"])
            log.write(f"{token} {prompt} {-(-len(content) // 4)}\n")
        return Completion(content)

    return reply


def token_of(body: Mapping[str, Any]) -> str:
    """Return the request's token; the seed tells two samples of one scene apart."""
    return hashlib.sha256(f"{body['messages'][-1]['content']}\0{body.get('seed')}".encode()).hexdigest()[:16]


def words(body: Mapping[str, Any], token: str) -> str:
    """Return an answer in the shape of the schema that the request carries."""
    shape = body["response_format"]["json_schema"]["schema"]["properties"]
    text = f"It is {token}. " + SENTENCE * (ANSWER_CHARS // len(SENTENCE))
    if "turns" in shape:
        each = text[: ANSWER_CHARS // TURNS - 60]
        return json.dumps(
            {"turns": [{"question": f"What is shown at place {n}?", "answer": each} for n in range(TURNS)]}
        )
    if "question" in shape:
        return json.dumps({"question": "What is shown, and why?", "answer": text})
    return json.dumps({"answer": text})


if __name__ == "__main__":
    main()
