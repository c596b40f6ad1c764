"""How the samples of a step are laid out for the devices: trees that share their beginning, packed into rows.

Samples of one image begin with the same tokens: the image's, some 580 in LLaVA, and what stands before and after them
alike. In a *tree* these are computed once, and each sample is a branch that sees the beginning and itself:

    shared   s s s s s
    branches           a a a   b b     each token sees the s before it, and of its own letter what is before it

Loss and gradients are those of the samples one by one, for a token's state depends on nothing after it. The beginning
ends before the first token that is learnt, so that each learnt token belongs to one sample.

Trees stand one after another in *packs* of about equal size, one row of tokens each, with nothing to pad but what a
device wants for the sake of round numbers. A model whose attention cannot be told who sees whom takes *padded* packs
instead: a row for each sample, filled up to the longest.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IMAGE

Layout = Literal["shared", "packed", "padded"]
"""shared: trees; packed: each sample is a tree of its own; padded: each sample has a row of its own."""


@dataclass(frozen=True)
class Tree:
    """Samples whose common beginning is computed once."""

    samples: tuple[int, ...]
    """Its branches."""
    shared: int
    """Tokens of the beginning, the image's counted; 0 for a sample alone."""
    own: tuple[int, ...]
    """Tokens of each branch."""

    @property
    def tokens(self) -> int:
        """All that is computed."""
        return self.shared + sum(self.own)

    @property
    def pairs(self) -> int:
        """How many pairs of a token and one that it sees there are, itself counted."""
        return _triangle(self.shared) + sum(self.shared * own + _triangle(own) for own in self.own)


@dataclass(frozen=True)
class Pack:
    """What a device takes at once: trees in one row, or, padded, a row for each sample."""

    trees: tuple[Tree, ...]
    is_padded: bool = False

    @property
    def samples(self) -> list[int]:
        """All branches of all trees."""
        return [sample for tree in self.trees for sample in tree.samples]

    @property
    def tokens(self) -> int:
        """Tokens of samples, shared ones once."""
        return sum(tree.tokens for tree in self.trees)

    @property
    def places(self) -> int:
        """Tokens and padding."""
        if self.is_padded:
            return len(self.trees) * max((tree.tokens for tree in self.trees), default=0)
        return self.tokens

    @property
    def pairs(self) -> int:
        """See :class:`Tree`."""
        return sum(tree.pairs for tree in self.trees)


def _triangle(count: int) -> int:
    return count * (count + 1) // 2


def lay_out(
    prepared: Prepared, samples: Iterable[int], layout: Layout, *, most_tokens: int, ranks: int = 1
) -> list[Pack]:
    """Lay out the samples of a step, as many packs for each rank, the largest first.

    Rank ``r`` takes every ``ranks``-th, beginning with its own number (:func:`of_rank`), so at any time all ranks work
    on packs of about the same size. Fewer than ``ranks`` packs are empty, the last ones.

    Args:
        prepared: What the samples are of.
        samples: Their numbers; one may come several times.
        layout: How.
        most_tokens: In a pack, padding counted; one sample may have more.
        ranks: Number of devices.
    """
    if layout == "padded":
        return _padded(prepared, list(samples), most_tokens, ranks)
    trees = _trees(prepared, samples, most_tokens) if layout == "shared" else [_alone(prepared, one) for one in samples]
    trees.sort(key=lambda tree: -tree.tokens)
    fewest = sum(min(tree.tokens, most_tokens) for tree in trees) / (ranks * most_tokens)
    count = ranks * max(1, math.ceil(fewest))
    while True:
        packs = _shared_out(trees, count)
        if all(pack.tokens <= most_tokens or len(pack.trees) == 1 for pack in packs):
            return sorted(packs, key=lambda pack: -pack.tokens)
        count += ranks


def _shared_out(trees: Sequence[Tree], count: int) -> list[Pack]:
    """Give each tree, the largest first, to the pack that has least."""
    chosen: list[list[Tree]] = [[] for _ in range(count)]
    filled = [(0, place) for place in range(count)]
    for tree in trees:
        tokens, place = heapq.heappop(filled)
        chosen[place].append(tree)
        heapq.heappush(filled, (tokens + tree.tokens, place))
    return [Pack(tuple(own)) for own in chosen]


def _trees(prepared: Prepared, samples: Iterable[int], most_tokens: int) -> list[Tree]:
    """Put the samples of each picture into one tree, or into several where one would be too large."""
    units: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        picture = int(prepared.picture[sample])
        units.setdefault(picture if picture >= 0 else -1 - place, []).append(sample)
    trees: list[Tree] = []
    for unit in units.values():
        shared = _shared(prepared, unit)
        if not shared:
            trees += [_alone(prepared, sample) for sample in unit]
            continue
        branches: list[int] = []
        room = most_tokens - shared
        for sample in unit:
            own = int(prepared.lengths[sample]) - shared
            if branches and own > room:
                trees.append(_tree(prepared, branches, shared))
                branches, room = [], most_tokens - shared
            branches.append(sample)
            room -= own
        trees.append(_tree(prepared, branches, shared))
    return trees


def _alone(prepared: Prepared, sample: int) -> Tree:
    return Tree((sample,), 0, (int(prepared.lengths[sample]),))


def _tree(prepared: Prepared, branches: Sequence[int], shared: int) -> Tree:
    if len(branches) == 1:
        return _alone(prepared, branches[0])
    return Tree(tuple(branches), shared, tuple(int(prepared.lengths[one]) - shared for one in branches))


def _shared(prepared: Prepared, unit: Sequence[int]) -> int:
    """Return how many tokens samples begin with alike and do not learn; 0 where the image is not among them."""
    if len(unit) == 1:
        return 0
    first, _ = prepared.sample(unit[0])
    end = len(first)
    for sample in unit:
        ids, labels = prepared.sample(sample)
        learnt = np.flatnonzero(labels[1:] >= 0)  # the first token is predicted by none
        same = min(end, len(ids))
        differs = np.flatnonzero(first[:same] != ids[:same])
        ends = [same, *differs[:1].tolist(), *(learnt[:1] + 1).tolist()]
        end = min(ends)
    images = int((first[:end] == IMAGE).sum())
    return end + images * (prepared.image_tokens - 1) if images else 0


def _padded(prepared: Prepared, samples: list[int], most_tokens: int, ranks: int) -> list[Pack]:
    """Fill rows of about equal length up to the longest; as many packs as a multiple of the ranks."""
    alone = sorted((_alone(prepared, one) for one in samples), key=lambda tree: -tree.tokens)
    packs: list[list[Tree]] = []
    for tree in alone:
        if packs and (len(packs[-1]) + 1) * packs[-1][0].tokens <= most_tokens:
            packs[-1].append(tree)
        else:
            packs.append([tree])
    missing = -len(packs) % ranks if packs else ranks
    while missing and (halves := max(packs, key=len, default=[])) and len(halves) > 1:  # no rank waits without need
        packs.remove(halves)
        packs += [halves[: len(halves) // 2], halves[len(halves) // 2 :]]
        missing -= 1
    packs.sort(key=lambda pack: -len(pack) * pack[0].tokens)
    return [Pack(tuple(pack), is_padded=True) for pack in packs + [[]] * missing]


def of_rank(packs: Sequence[Pack], rank: int, ranks: int) -> list[Pack]:
    """Return a rank's packs of a step."""
    return list(packs[rank::ranks])
