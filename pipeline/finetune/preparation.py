"""Rows to what training reads: ids and labels in flat arrays, pictures by number, and an account of every row.

Everything that can be wrong with a sample comes out here, before the first step: each row is used, shortened by whole
turns, left out by the weights, or rejected with its reason. Every picture is decoded for that, too. It takes a core
1.5 ms for a conversation of 700 tokens and 2.7 ms for a picture of 640 × 480.

What stays in memory is 5 bytes a text token and about 250 bytes a sample: 1 GB for 665,000 samples of 250.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from pipeline.finetune.encoding import Encoded, Encoder, Outcome, Placement
from pipeline.finetune.pictures import Picture
from pipeline.finetune.rows import Rejected, Row, held_out
from pipeline.finetune.templates import Template
from pipeline.finetune.tokens import IGNORE, IMAGE

CHUNK_ROWS = 256
WORTH_PROCESSES = 4 * CHUNK_ROWS  # rows; a process takes as long to start as these to encode
AHEAD = 4  # chunks a process

Chunk = list[Row | Rejected]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The samples of a training run. N samples with S text tokens in all; the whole image is one token in those.

    Plain arrays and lists: it can be pickled, and so be made in one process and handed to others.
    """

    tokens: NDArray[np.int32]
    """Shape (S,): ids of all samples one after another, ``IMAGE`` for the image."""
    learnt: NDArray[np.bool_]
    """Shape (S,): whether a token is the label of its place."""
    starts: NDArray[np.int64]
    """Shape (N + 1,): where each sample begins, and where the last one ends."""
    lengths: NDArray[np.int32]
    """Shape (N,): tokens of each sample, the image's counted."""
    supervised: NDArray[np.int32]
    """Shape (N,): tokens of each sample that count in the loss."""
    picture: NDArray[np.int32]
    """Shape (N,): place in ``pictures``; -1 for text alone."""
    times: NDArray[np.int32]
    """Shape (N,): how often each sample comes in an epoch, unless it is held out."""
    held_out: NDArray[np.bool_]
    """Shape (N,): whether the sample is kept for validation."""
    ids: list[str]
    pictures: list[Picture]
    """Each once."""
    image_tokens: int
    """Tokens that take the place of ``IMAGE``."""
    rejected: list[Rejected]
    shortened: dict[str, int]
    """By id: turns that the sample has lost."""
    left_out: int
    """Rows that the weights leave out."""
    kinds: dict[str, int]
    """Samples of each kind."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> dict[str, int]:
        """What became of the rows: ``read`` is the sum of the others."""
        kept = {"used": len(self) - len(self.shortened), "shortened": len(self.shortened)}
        lost = {"rejected": len(self.rejected), "left out": self.left_out}
        return {"read": len(self) + sum(lost.values())} | kept | lost

    def sample(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return ids and labels of a sample, as ``labels.encode`` gives them."""
        here = slice(self.starts[index], self.starts[index + 1])
        ids = self.tokens[here]
        return ids, np.where(self.learnt[here], ids, np.int32(IGNORE))

    def training(self) -> NDArray[np.int64]:
        """Return the samples of an epoch in the order of the data, each as often as its weight has it."""
        return np.repeat(np.arange(len(self)), np.where(self.held_out, 0, self.times))

    def validation(self) -> NDArray[np.int64]:
        """Return the samples that are held out, each once."""
        return np.flatnonzero(self.held_out)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the samples; the pictures count by which samples share one, so their files may be moved."""
        digest = hashlib.sha256()
        for part in (self.tokens, self.learnt, self.starts, self.picture, self.times, self.held_out):
            digest.update(np.ascontiguousarray(part).data)
        digest.update("\0".join(self.ids).encode())
        return digest.hexdigest()


def prepare(
    rows: Iterable[Row | Rejected],
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    *,
    max_tokens: int,
    image_tokens: int,
    placement: Placement = "first",
    held_out_share: float = 0.0,
    seed: int = 0,
    decode_pictures: bool = True,
    processes: int | None = None,
) -> Prepared:
    """Encode rows, and account for each.

    Args:
        rows: Of ``read_rows``; read once, as they come.
        tokenizer: Of the language model.
        template: Loaded for it.
        max_tokens: Longest sample, image tokens included; whole turns beyond are left out.
        image_tokens: Tokens that an image takes.
        placement: Where the image stands in the first question; ``random``: before or after its text, by the id.
        held_out_share: Share of the images that is kept for validation.
        seed: Of what is held out, and of the placement.
        decode_pictures: Whether each picture is decoded to see that it can be; a run that carries on need not.
        processes: That encode, where there are more than ``WORTH_PROCESSES`` rows. None: one a core.

    Raises:
        PipelineError: What ``rows`` raises.
    """
    encoder = Encoder(tokenizer, template, max_tokens, image_tokens, placement, seed, decode_pictures)
    builder = _Builder(image_tokens, held_out_share, seed)
    for chunk, outcomes in _encoded(iter(rows), encoder, processes or os.cpu_count() or 1):
        for row, outcome in zip(chunk, outcomes, strict=True):
            builder.take(row, outcome)
    return builder.finish()


def _encoded(rows: Iterator[Row | Rejected], encoder: Encoder, processes: int) -> Iterator[tuple[Chunk, list[Outcome]]]:
    """Yield rows with what became of them, in order."""
    chunks = iter(lambda: list(islice(rows, CHUNK_ROWS)), [])
    for chunk in chunks if processes == 1 else islice(chunks, WORTH_PROCESSES // CHUNK_ROWS):
        yield chunk, [encoder.encode(row) for row in chunk]
    chunk = next(chunks, [])
    if not chunk:
        return
    context = multiprocessing.get_context("spawn")  # tokenizers and Arrow have threads, which no fork survives
    pool = ProcessPoolExecutor(processes, context, _begin, (encoder,))
    waiting: deque[tuple[Chunk, Future[list[Outcome]]]] = deque()
    try:
        while chunk or waiting:
            if chunk:
                waiting.append((chunk, pool.submit(_encode_in_process, chunk)))
                chunk = next(chunks, [])
            if not chunk or len(waiting) >= AHEAD * processes:
                first, outcomes = waiting.popleft()
                yield first, outcomes.result()
    finally:
        pool.shutdown(cancel_futures=True)


_encoder: Encoder | None = None  # of this process


def _begin(encoder: Encoder) -> None:
    global _encoder
    _encoder = encoder


def _encode_in_process(chunk: Chunk) -> list[Outcome]:
    assert _encoder, "set before any chunk comes"
    return [_encoder.encode(row) for row in chunk]


class _Builder:
    """Puts samples together."""

    def __init__(self, image_tokens: int, held_out_share: float, seed: int) -> None:
        self._image_tokens = image_tokens
        self._share = held_out_share
        self._seed = seed
        self._tokens = array("i")
        self._learnt = bytearray()
        self._ends = array("q", [0])
        self._lengths, self._supervised = array("i"), array("i")
        self._picture, self._times = array("i"), array("i")
        self._held_out = bytearray()
        self._ids: list[str] = []
        self._pictures: dict[Picture, int] = {}
        self._rejected: list[Rejected] = []
        self._shortened: dict[str, int] = {}
        self._left_out = 0
        self._kinds: Counter[str] = Counter()

    def take(self, row: Row | Rejected, outcome: Outcome) -> None:
        """Take what became of a row."""
        if isinstance(outcome, Rejected):
            self._rejected.append(outcome)
        elif outcome is None or isinstance(row, Rejected):
            self._left_out += 1
        else:
            self._add(row, outcome)

    def _add(self, row: Row, encoded: Encoded) -> None:
        self._tokens.frombytes(encoded.ids.tobytes())
        self._learnt += encoded.learnt.tobytes()
        self._ends.append(len(self._tokens))
        self._lengths.append(len(encoded.ids) + int((encoded.ids == IMAGE).sum()) * (self._image_tokens - 1))
        self._supervised.append(int(encoded.learnt[1:].sum()))
        place = self._pictures.setdefault(row.picture, len(self._pictures)) if row.picture else -1
        self._picture.append(place)
        self._times.append(row.times)
        self._held_out.append(held_out(row, self._share, self._seed))
        self._ids.append(row.id)
        if encoded.turns_dropped:
            self._shortened[row.id] = encoded.turns_dropped
        self._kinds[row.kind] += 1

    def finish(self) -> Prepared:
        """Return all of it; the arrays are not copied."""
        return Prepared(
            tokens=np.asarray(memoryview(self._tokens)),
            learnt=np.asarray(memoryview(self._learnt)).view(np.bool_),
            starts=np.asarray(memoryview(self._ends)),
            lengths=np.asarray(memoryview(self._lengths)),
            supervised=np.asarray(memoryview(self._supervised)),
            picture=np.asarray(memoryview(self._picture)),
            times=np.asarray(memoryview(self._times)),
            held_out=np.asarray(memoryview(self._held_out)).view(np.bool_),
            ids=self._ids,
            pictures=list(self._pictures),
            image_tokens=self._image_tokens,
            rejected=self._rejected,
            shortened=self._shortened,
            left_out=self._left_out,
            kinds=dict(self._kinds),
        )
