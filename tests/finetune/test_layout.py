"""How samples are laid out: none lost, none too many, nothing to pad, and each token sees what it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.finetune.attention import grow
from pipeline.finetune.batches import collate
from pipeline.finetune.layout import Layout, Pack, Tree, lay_out, of_rank
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IMAGE
from tests.finetune.trees import paths, seen

IMAGE_TOKENS = 5
CPU = torch.device("cpu")
TOKEN = 999
LAYOUTS: tuple[Layout, ...] = ("shared", "packed", "padded")


def prepared(rows: Sequence[tuple[list[int], int, int]]) -> Prepared:
    """Prepare samples of ids, of how many of the last of them are learnt, and of a picture or -1."""
    ids = [np.array(row[0], np.int32) for row in rows]
    learnt = [np.arange(len(row[0])) >= len(row[0]) - row[1] for row in rows]
    images = [int((own == IMAGE).sum()) for own in ids]
    return Prepared(
        tokens=np.concatenate([*ids, np.zeros(0, np.int32)]),
        learnt=np.concatenate([*learnt, np.zeros(0, np.bool_)]),
        starts=np.cumsum([0, *map(len, ids)]),
        lengths=np.array([len(own) + (IMAGE_TOKENS - 1) * n for own, n in zip(ids, images, strict=True)], np.int32),
        supervised=np.array([int(own[1:].sum()) for own in learnt], np.int32),
        picture=np.array([row[2] for row in rows], np.int32),
        times=np.ones(len(rows), np.int32),
        held_out=np.zeros(len(rows), np.bool_),
        ids=[f"row{number}" for number in range(len(rows))],
        pictures=[],
        image_tokens=IMAGE_TOKENS,
        rejected=[],
        shortened={},
        left_out=0,
        kinds={},
    )


def of_pictures(count: int, *, an_image: int, own: int = 3) -> Prepared:
    """Prepare samples of 1 + 5 + 1 shared tokens and some of their own, the last two learnt."""
    return prepared([([1, IMAGE, 2, *range(10 + one, 10 + one + own)], 2, one // an_image) for one in range(count)])


@st.composite
def sets(draw: st.DrawFn) -> tuple[Prepared, list[int]]:
    """Draw samples that begin alike or not, with the image first, later or nowhere, and a step of them."""
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        text = draw(st.lists(st.integers(1, 3), min_size=2, max_size=9))
        picture = draw(st.integers(-1, 2))
        learnt = draw(st.integers(1, len(text) - 1))
        if picture >= 0:
            text.insert(draw(st.sampled_from([0, 1, len(text) - learnt])), IMAGE)
        rows.append((text, learnt, picture))
    return prepared(rows), draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []


def samples_of(packs: Sequence[Pack]) -> list[int]:
    return list(chain.from_iterable(pack.samples for pack in packs))


@settings(max_examples=150, deadline=None)
@given(sets(), st.sampled_from(LAYOUTS), st.integers(1, 60), st.integers(1, 3))
def test_every_sample_is_laid_out_once_in_packs_that_are_not_too_large(
    drawn: tuple[Prepared, list[int]], layout: Layout, most_tokens: int, ranks: int
) -> None:
    rows, samples = drawn
    packs = lay_out(rows, samples, layout, most_tokens=most_tokens, ranks=ranks)
    assert Counter(samples_of(packs)) == Counter(samples)
    own = [of_rank(packs, rank, ranks) for rank in range(ranks)]
    assert {len(mine) for mine in own} == {len(packs) // ranks}
    assert sorted(samples_of(list(chain(*own)))) == sorted(samples)
    assert all(pack.places <= most_tokens or len(pack.samples) == 1 for pack in packs)
    assert sum(not pack.trees for pack in packs) < ranks or not samples
    assert [pack.places for pack in packs] == sorted((pack.places for pack in packs), reverse=True)


@settings(max_examples=60, deadline=None)
@given(sets(), st.sampled_from(["shared", "packed"]), st.integers(1, 80), st.integers(1, 3), st.integers(1, 8))
def test_each_token_sees_its_sample_and_nothing_else_whatever_is_shared(
    drawn: tuple[Prepared, list[int]], layout: Layout, most_tokens: int, ranks: int, multiple: int
) -> None:
    rows, samples = drawn
    for pack in lay_out(rows, samples, layout, most_tokens=most_tokens, ranks=ranks):
        exact = collate(rows, pack, image_token_id=TOKEN, pad_id=0)
        assert exact.input_ids.numel() == pack.tokens == pack.places  # nothing is padded before rounding
        if not pack.trees:
            continue
        batch = collate(rows, pack, image_token_id=TOKEN, pad_id=0, multiple=multiple)
        whole, width = seen(batch), batch.input_ids.shape[1]
        assert pack.pairs == whole.sum() - (width - pack.tokens)
        for sample, path in zip(pack.samples, paths(batch), strict=True):
            ids, _ = rows.sample(sample)
            wide = [token for one in ids for token in ([TOKEN] * IMAGE_TOKENS if one == IMAGE else [one])]
            assert batch.input_ids[0, path].tolist() == wide
            assert batch.position_ids[0, path].tolist() == list(range(len(path)))
        assert np.array_equal(dense(batch.trees, width), whole)
        asked = np.flatnonzero(dense(batch.trees, width, batch.places) != whole[batch.places.numpy()])
        assert not len(asked)


def dense(trees: Sequence[Tree], width: int, places: torch.Tensor | None = None) -> np.ndarray:
    """Return what the pieces of a forest let see, as one matrix."""
    pieces = grow(trees, width, CPU, flex=False, places=places).pieces
    made = np.zeros((width if places is None else len(places), width), np.bool_)
    for piece in pieces:
        queries, keys = piece.queries.stop - piece.queries.start, piece.keys.stop - piece.keys.start
        assert piece.mask is not None or queries == keys
        mask = np.tri(queries, keys, dtype=np.bool_) if piece.mask is None else piece.mask[0, 0].numpy()
        made[piece.queries, piece.keys] = mask
    assert [piece.queries.start for piece in pieces] == [0, *(piece.queries.stop for piece in pieces[:-1])]
    return made


def test_samples_of_an_image_are_one_tree_up_to_what_is_learnt_or_differs() -> None:
    rows = prepared(
        [
            ([1, IMAGE, 2, 7, 8], 2, 0),  # learnt from the fourth token on
            ([1, IMAGE, 2, 7, 9], 1, 0),
            ([1, IMAGE, 3, 7], 1, 1),
            ([1, IMAGE, 4, 7], 1, 1),
            ([1, 2, 3], 1, -1),
            ([1, 2, 3], 1, -1),
        ]
    )
    (pack,) = lay_out(rows, range(6), "shared", most_tokens=1000)
    assert {(tree.samples, tree.shared, tree.own) for tree in pack.trees} == {
        ((0, 1), 7, (2, 2)),
        ((2, 3), 6, (2, 2)),
        ((4,), 0, (3,)),
        ((5,), 0, (3,)),
    }


def test_without_the_image_in_their_beginning_samples_share_nothing() -> None:
    rows = prepared([([1, 2, IMAGE, 7], 1, 0), ([1, 3, IMAGE, 7], 1, 0)])
    (pack,) = lay_out(rows, [0, 1], "shared", most_tokens=1000)
    assert [(tree.samples, tree.shared) for tree in pack.trees] == [((0,), 0), ((1,), 0)]


def test_an_image_after_the_same_words_is_shared() -> None:
    rows = prepared([([1, 2, IMAGE, 7], 1, 0), ([1, 2, IMAGE, 8], 1, 0)])
    (pack,) = lay_out(rows, [0, 1], "shared", most_tokens=1000)
    assert [(tree.shared, tree.own) for tree in pack.trees] == [(7, (1, 1))]


def test_a_sample_that_comes_twice_is_two_branches() -> None:
    (pack,) = lay_out(of_pictures(2, an_image=2), [0, 1, 0], "shared", most_tokens=1000)
    assert [(tree.samples, tree.shared, tree.own) for tree in pack.trees] == [((0, 1, 0), 7, (3, 3, 3))]


def test_a_tree_that_is_too_large_is_parted_and_the_beginning_counts_again() -> None:
    rows = of_pictures(5, an_image=5)
    packs = lay_out(rows, range(5), "shared", most_tokens=7 + 2 * 3)
    assert [tree.samples for pack in packs for tree in pack.trees] == [(0, 1), (2, 3), (4,)]
    assert sum(pack.tokens for pack in packs) == 3 * 7 + 5 * 3


def test_sharing_saves_what_arithmetic_says_at_five_captions_an_image() -> None:
    rows = of_pictures(500, an_image=5)
    tokens = sum(pack.tokens for pack in lay_out(rows, range(500), "shared", most_tokens=1000))
    assert (int(rows.lengths.sum()), tokens) == (500 * 10, 100 * (7 + 5 * 3))


def test_a_step_is_cut_into_hardly_more_packs_than_must_be_and_they_are_about_equal() -> None:
    draw = np.random.default_rng(0)
    rows = prepared([([1, IMAGE, *range(5, 5 + int(draw.integers(100, 400)))], 4, one // 2) for one in range(256)])
    for ranks in (1, 2, 4):
        packs = lay_out(rows, range(256), "shared", most_tokens=4096, ranks=ranks)
        sizes = [pack.tokens for pack in packs]
        assert len(packs) <= -(-sum(sizes) // (4096 * ranks)) * ranks + ranks
        assert max(sizes) < 1.1 * min(sizes)


def test_one_sample_beyond_the_limit_does_not_lift_it_for_others() -> None:
    rows = prepared([([1] * 300, 2, -1)] + [([1] * 10, 2, -1)] * 40)
    packs = lay_out(rows, range(41), "packed", most_tokens=50)
    assert [pack.tokens for pack in packs] == [300] + [50] * 8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_rank_is_without_samples_as_long_as_there_are_enough(layout: Layout) -> None:
    rows = of_pictures(9, an_image=1)
    for ranks in (2, 3, 4):
        for count in range(1, 10):
            packs = lay_out(rows, range(count), layout, most_tokens=1000, ranks=ranks)
            busy = [any(pack.trees for pack in of_rank(packs, rank, ranks)) for rank in range(ranks)]
            assert sum(busy) == min(count, ranks)
            assert busy == sorted(busy, reverse=True)


def test_rows_of_a_padded_pack_are_about_equally_long() -> None:
    lengths = np.random.default_rng(0).integers(10, 900, 103)
    rows = prepared([([1] * length, 2, -1) for length in lengths[:64].tolist()])
    packs = lay_out(rows, range(64), "padded", most_tokens=8 * 900)
    assert sum(pack.places for pack in packs) < 1.2 * rows.lengths.sum()
    assert 1.5 * rows.lengths.sum() < 64 * 900  # as the samples come


def test_the_layout_follows_from_the_samples_alone() -> None:
    rows = of_pictures(64, an_image=3)
    first, again = (lay_out(rows, range(64), "shared", most_tokens=100, ranks=2) for _ in range(2))
    assert first == again
