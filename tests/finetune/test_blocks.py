# ruff: noqa: E402
"""The blocks that FlexAttention is told to look at, against all pairs of tokens; its kernels need a GPU."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from pipeline.finetune.attention import BLOCK, grow
from pipeline.finetune.layout import Tree

CPU = torch.device("cpu")


def forest(seed: int) -> tuple[tuple[Tree, ...], int]:
    """Return trees of all sorts, and the width of a row that holds them, now and then in whole blocks."""
    draw = random.Random(seed)
    trees = []
    for _ in range(draw.randint(1, 7)):
        branches = draw.randint(1, 4)
        shared = draw.randint(1, 700) if branches > 1 else 0
        own = tuple(draw.randint(1, 300) for _ in range(branches))
        trees.append(Tree(tuple(range(branches)), shared, own))
    tokens = sum(tree.tokens for tree in trees)
    return tuple(trees), -(-tokens // BLOCK) * BLOCK if seed % 2 else tokens


def asked(seed: int, width: int) -> list[Tensor | None]:
    draw = torch.Generator().manual_seed(seed)
    return [None, torch.randint(0, width, (1 + seed * 37 % width,), generator=draw).unique()]


def seen(pieces: object, queries: int, width: int) -> Tensor:
    """Return who sees whom by the small masks of the trees."""
    found = torch.zeros(queries, width, dtype=torch.bool)
    for piece in pieces:  # type: ignore[attr-defined]
        size = (piece.queries.stop - piece.queries.start, piece.keys.stop - piece.keys.start)
        found[piece.queries, piece.keys] = torch.ones(size).tril().bool() if piece.mask is None else piece.mask[0, 0]
    return found


def looked_at(mask: BlockMask) -> tuple[Tensor, Tensor]:
    """Return which blocks are looked at, and which of those as a whole."""
    shape = mask.kv_indices.shape[-2:]
    partly, wholly = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for chosen, counts, indices in (
        (partly, mask.kv_num_blocks, mask.kv_indices),
        (wholly, mask.full_kv_num_blocks, mask.full_kv_indices),
    ):
        for row, count in enumerate(counts[0, 0].tolist()):
            chosen[row, indices[0, 0, row, :count].long()] = True
    assert not (partly & wholly).any()
    return partly | wholly, wholly


@pytest.mark.parametrize("seed", range(12))
def test_no_pair_is_missed_and_a_whole_block_has_every_pair(seed: int) -> None:
    trees, width = forest(seed)
    for places in asked(seed, width):
        mask = grow(trees, width, CPU, flex=True, places=places).attention_mask
        assert isinstance(mask, BlockMask)
        queries = width if places is None else len(places)
        dense = create_mask(mask.mask_mod, 1, 1, queries, width, CPU.type)[0, 0]
        assert torch.equal(dense, seen(grow(trees, width, CPU, flex=False, places=places).pieces, queries, width))
        looked, wholly = looked_at(mask)
        whole = torch.zeros(looked.shape[0] * BLOCK, looked.shape[1] * BLOCK, dtype=torch.bool)
        whole[:queries, :width] = dense
        blocks = whole.view(looked.shape[0], BLOCK, looked.shape[1], BLOCK)
        assert not (blocks.any(3).any(1) & ~looked).any()
        assert not (wholly & ~blocks.all(3).all(1)).any()
        assert looked.sum() <= 1.5 * blocks.any(3).any(1).sum() + 4


@pytest.mark.parametrize("seed", range(3))
def test_flex_attention_attends_as_the_trees_one_at_a_time(seed: int) -> None:
    trees, width = forest(seed)
    for places in asked(seed, width):
        mask = grow(trees, width, CPU, flex=True, places=places).attention_mask
        queries = width if places is None else len(places)
        dense = seen(grow(trees, width, CPU, flex=False, places=places).pieces, queries, width)
        query, key, value = torch.randn(1, 2, queries, 16), torch.randn(1, 2, width, 16), torch.randn(1, 2, width, 16)
        ours = flex_attention(query, key, value, block_mask=mask)
        assert torch.allclose(ours, scaled_dot_product_attention(query, key, value, attn_mask=dense), atol=1e-5)
