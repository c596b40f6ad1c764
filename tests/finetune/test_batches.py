from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch
from transformers import CLIPImageProcessorPil

from pipeline.errors import PipelineError
from pipeline.finetune.batches import Batch, collate, load
from pipeline.finetune.layout import Layout, Pack, lay_out
from pipeline.finetune.pictures import Picture
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE, IMAGE

X = IGNORE
PAD, TOKEN = 0, 99


def prepared(
    rows: Sequence[tuple[list[int], list[int]]], pictures: Sequence[int] = (), files: Sequence[Picture] = ()
) -> Prepared:
    """Prepare rows of ids and of labels by hand; an image takes three tokens."""
    ids = [np.array(row[0], np.int32) for row in rows]
    learnt = [np.array(row[1]) != IGNORE for row in rows]
    return Prepared(
        tokens=np.concatenate(ids),
        learnt=np.concatenate(learnt),
        starts=np.cumsum([0, *map(len, ids)]),
        lengths=np.array([len(own) + 2 * int((own == IMAGE).sum()) for own in ids], np.int32),
        supervised=np.array([int(own[1:].sum()) for own in learnt], np.int32),
        picture=np.array(pictures or [-1] * len(rows), np.int32),
        times=np.ones(len(rows), np.int32),
        held_out=np.zeros(len(rows), np.bool_),
        ids=[f"row{number}" for number in range(len(rows))],
        pictures=list(files),
        image_tokens=3,
        rejected=[],
        shortened={},
        left_out=0,
        kinds={},
    )


WITH_IMAGE = ([1, IMAGE, 5, 6, 2], [X, X, X, 6, 2])
OF_TEXT = ([1, 7, 8], [X, X, 8])
SHORTER = ([1, IMAGE, 5, 9], [X, X, X, 9])
ALL = 10**6  # tokens, so one pack


def packed(rows: Prepared, samples: Sequence[int], layout: Layout) -> Pack:
    (pack,) = lay_out(rows, samples, layout, most_tokens=ALL)
    return pack


def made(rows: Prepared, samples: Sequence[int], layout: Layout, **options: Any) -> Batch:
    return collate(rows, packed(rows, samples, layout), image_token_id=TOKEN, pad_id=PAD, **options)


def test_the_image_is_widened_and_samples_are_padded_on_the_right() -> None:
    batch = made(prepared([OF_TEXT, WITH_IMAGE], [-1, 0]), [1, 0], "padded")
    assert batch.input_ids.tolist() == [[1, 99, 99, 99, 5, 6, 2], [1, 7, 8, 0, 0, 0, 0]]
    assert batch.attention_mask is not None
    assert batch.attention_mask.tolist() == [[1] * 7, [1, 1, 1, 0, 0, 0, 0]]
    assert batch.position_ids.tolist() == [list(range(7)), [0, 1, 2, 0, 0, 0, 0]]
    assert (batch.places.tolist(), batch.sources, batch.targets.tolist()) == ([4, 5, 7 + 1], None, [6, 2, 8])
    assert (batch.slots.tolist(), batch.trees, batch.ids) == ([0], (), ["row1", "row0"])
    whole = (batch.input_ids, batch.position_ids, batch.attention_mask, batch.places, batch.targets, batch.slots)
    assert {tensor.dtype for tensor in whole} == {torch.int64}


def test_samples_stand_in_one_row_and_each_begins_at_position_0() -> None:
    batch = made(prepared([OF_TEXT, WITH_IMAGE], [-1, 0]), [0, 1], "packed")
    assert batch.input_ids.tolist() == [[1, 99, 99, 99, 5, 6, 2, 1, 7, 8]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4, 5, 6, 0, 1, 2]]
    assert (batch.places.tolist(), batch.sources, batch.targets.tolist()) == ([4, 5, 8], None, [6, 2, 8])
    assert (batch.attention_mask, batch.ids) == (None, ["row1", "row0"])
    assert [(tree.shared, tree.own) for tree in batch.trees] == [(0, (7,)), (0, (3,))]


def test_what_samples_of_an_image_begin_with_stands_once_and_positions_go_on_from_it() -> None:
    batch = made(prepared([WITH_IMAGE, OF_TEXT, SHORTER], [4, -1, 4]), [0, 1, 2], "shared")
    assert [(tree.samples, tree.shared, tree.own) for tree in batch.trees] == [((0, 2), 5, (2, 1)), ((1,), 0, (3,))]
    assert batch.input_ids.tolist() == [[1, 99, 99, 99, 5, 6, 2, 9, 1, 7, 8]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4, 5, 6, 5, 0, 1, 2]]
    assert batch.slots.tolist() == [0]


def test_of_one_place_several_learnt_tokens_may_be_predicted() -> None:
    batch = made(prepared([WITH_IMAGE, OF_TEXT, SHORTER], [4, -1, 4]), [0, 1, 2], "shared")
    assert batch.sources is not None
    assert batch.places.tolist() == [4, 5, 9]  # the last shared token predicts the first of either branch
    learnt = zip(batch.places[batch.sources].tolist(), batch.targets.tolist(), strict=True)
    assert list(learnt) == [(4, 6), (5, 2), (4, 9), (9, 8)]


@pytest.mark.parametrize("layout", ["shared", "packed", "padded"])
def test_a_label_at_the_first_place_counts_for_nothing(layout: Layout) -> None:
    assert made(prepared([([1, 7], [1, 7])]), [0], layout).targets.tolist() == [7]


@pytest.mark.parametrize("layout", ["shared", "packed", "padded"])
def test_rows_of_text_bring_no_pixels_and_no_image_tokens(layout: Layout) -> None:
    rows = prepared([OF_TEXT, OF_TEXT])
    batch = load(rows, packed(rows, [0, 1], layout), Pixels(PROCESSOR), image_token_id=TOKEN, pad_id=PAD)
    assert (batch.pixel_values, batch.pictures, len(batch.slots)) == (None, 0, 0)
    assert batch.input_ids.shape == ((2, 3) if layout == "padded" else (1, 6))
    assert TOKEN not in batch.input_ids


def test_the_width_of_rows_is_rounded_up_with_padding() -> None:
    for layout, shape in (("padded", (2, 8)), ("packed", (1, 16))):
        batch = made(prepared([OF_TEXT, WITH_IMAGE], [-1, 0]), [1, 0], layout, multiple=8)  # type: ignore[arg-type]
        assert batch.input_ids.shape == shape
        assert int((batch.input_ids != PAD).sum()) == 10
        assert batch.targets.tolist() == [6, 2, 8]


@pytest.mark.parametrize("layout", ["shared", "packed", "padded"])
def test_an_empty_pack_is_empty(layout: Layout) -> None:
    batch = made(prepared([OF_TEXT]), [], layout)
    assert batch.input_ids.shape == batch.position_ids.shape == (0, 0)
    assert (len(batch.targets), len(batch.places), batch.ids, batch.pictures) == (0, 0, [], 0)


PROCESSOR = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8})


class Counting(Pixels):
    """Counts the pictures that it sees."""

    seen = 0

    def __call__(self, image: Image.Image) -> Any:
        self.seen += 1
        return super().__call__(image)


@pytest.fixture
def rows(tmp_path: Path) -> Prepared:
    """Four samples, two of them of one picture and one of another."""
    for name, colour in (("dark", (10, 10, 10)), ("light", (240, 240, 240))):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    files = [Picture(str(tmp_path / "dark.png")), Picture(str(tmp_path / "light.png"))]
    return prepared([WITH_IMAGE, OF_TEXT, SHORTER, SHORTER], [1, -1, 0, 1], files)


@pytest.mark.parametrize(("layout", "slots"), [("shared", [0, 1]), ("packed", [0, 1, 0]), ("padded", [0, 1, 0])])
def test_a_picture_is_decoded_once_and_stands_where_its_samples_do(
    rows: Prepared, layout: Layout, slots: list[int]
) -> None:
    to_pixels = Counting(PROCESSOR)
    batch = load(rows, packed(rows, [0, 1, 2, 3], layout), to_pixels, image_token_id=TOKEN, pad_id=PAD)
    assert batch.pixel_values is not None
    assert (to_pixels.seen, tuple(batch.pixel_values.shape), batch.pixel_values.dtype) == (
        2,
        (2, 3, 8, 8),
        torch.float32,
    )
    assert [bool(pixels.mean() > 0) for pixels in batch.pixel_values] == [True, False]
    assert batch.slots.tolist() == slots
    assert int((batch.input_ids == TOKEN).sum()) == 3 * len(slots)


def test_a_picture_that_has_gone_is_told_with_its_sample(rows: Prepared) -> None:
    Path(rows.pictures[0].path).unlink()
    with pytest.raises(PipelineError, match=r"sample row2: its image has changed: .*dark\.png cannot be read: No such"):
        load(rows, packed(rows, [0, 2], "shared"), Pixels(PROCESSOR), image_token_id=TOKEN, pad_id=PAD)


def test_with_features_that_were_kept_no_picture_is_opened(rows: Prepared) -> None:
    for picture in rows.pictures:
        Path(picture.path).unlink()
    pack, asked = packed(rows, [0, 1, 2, 3], "shared"), []

    def features(pictures: Sequence[int]) -> torch.Tensor:
        asked.append(list(pictures))
        return torch.ones(len(pictures), 3, 4)

    batch = load(rows, pack, Pixels(PROCESSOR), image_token_id=TOKEN, pad_id=PAD, features=features)
    assert (batch.pixel_values, batch.pictures, asked) == (None, 2, [[1, 0]])


@pytest.mark.parametrize("layout", ["shared", "padded"])
def test_a_batch_moves_as_a_whole(rows: Prepared, layout: Layout) -> None:
    batch = load(rows, packed(rows, [0, 1, 2, 3], layout), Pixels(PROCESSOR), image_token_id=TOKEN, pad_id=PAD)
    moved = {name: value for name, value in vars(batch.to("meta")).items() if isinstance(value, torch.Tensor)}
    assert {tensor.device.type for tensor in moved.values()} == {"meta"}
    assert {"input_ids", "position_ids", "places", "targets", "slots", "pixel_values"} < moved.keys()
    assert batch.to("meta").ids == batch.ids
