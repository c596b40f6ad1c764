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
from pipeline.finetune.batches import collate, load
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


def made(*args: Any) -> Any:
    return collate(*args, image_token_id=TOKEN, pad_id=PAD)


def test_the_image_is_widened_and_samples_are_padded_on_the_right() -> None:
    batch = made(prepared([OF_TEXT, WITH_IMAGE], [-1, 0]), [1, 0], torch.ones(1, 3, 2, 2))
    assert batch.input_ids.tolist() == [[1, 99, 99, 99, 5, 6, 2], [1, 7, 8, 0, 0, 0, 0]]
    assert batch.labels.tolist() == [[X, X, X, X, X, 6, 2], [X, X, 8, X, X, X, X]]
    assert batch.attention_mask.tolist() == [[1] * 7, [1, 1, 1, 0, 0, 0, 0]]
    assert batch.position_ids.tolist() == [list(range(7))] * 2
    assert {tensor.dtype for tensor in (batch.input_ids, batch.labels, batch.attention_mask, batch.position_ids)} == {
        torch.int64
    }
    assert (batch.ids, batch.supervised) == (["row1", "row0"], 3)


def test_a_label_at_the_first_place_counts_for_nothing() -> None:
    assert made(prepared([([1, 7], [1, 7])]), [0], None).supervised == 1


def test_rows_of_text_bring_no_pixels_and_no_image_tokens() -> None:
    batch = made(prepared([OF_TEXT, OF_TEXT]), [0, 1], None)
    assert batch.pixel_values is None
    assert batch.input_ids.shape == (2, 3)


def test_pixels_that_belong_to_no_sample_are_refused() -> None:
    both = prepared([OF_TEXT, WITH_IMAGE], [-1, 0])
    for samples, pixels in (([0], torch.ones(1, 3, 2, 2)), ([1], None), ([1, 1], torch.ones(1, 3, 2, 2))):
        with pytest.raises(ValueError, match="have a picture"):
            made(both, samples, pixels)


def test_an_empty_micro_batch_is_empty() -> None:
    batch = made(prepared([OF_TEXT]), [], None)
    assert batch.input_ids.shape == batch.labels.shape == batch.position_ids.shape == (0, 0)
    assert (batch.supervised, batch.ids, batch.pixel_values) == (0, [], None)


def test_pixels_follow_the_samples_and_a_picture_is_decoded_once(tmp_path: Path) -> None:
    for name, colour in (("dark", (10, 10, 10)), ("light", (240, 240, 240))):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    files = [Picture(str(tmp_path / "dark.png")), Picture(str(tmp_path / "light.png"))]
    rows = prepared([WITH_IMAGE, OF_TEXT, WITH_IMAGE, WITH_IMAGE], [1, -1, 0, 1], files)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8})
    to_pixels = Pixels(processor)
    seen: list[int] = []

    class Counting(Pixels):
        def __call__(self, image: Image.Image) -> Any:
            seen.append(image.width)
            return to_pixels(image)

    batch = load(rows, [0, 1, 2, 3], Counting(processor), image_token_id=TOKEN, pad_id=PAD)
    assert batch.pixel_values is not None
    assert batch.pixel_values.shape == (3, 3, 8, 8)
    assert batch.pixel_values.dtype == torch.float32
    assert [bool(pixels.mean() > 0) for pixels in batch.pixel_values] == [True, False, True]
    assert len(seen) == 2
    (tmp_path / "dark.png").unlink()
    with pytest.raises(PipelineError, match=r"sample row2: its image has changed: .*dark\.png cannot be read: No such"):
        load(rows, [0, 2], to_pixels, image_token_id=TOKEN, pad_id=PAD)


def test_a_batch_moves_as_a_whole() -> None:
    batch = made(prepared([OF_TEXT, WITH_IMAGE], [-1, 0]), [1, 0], torch.ones(1, 3, 2, 2)).to("meta")
    tensors = (batch.input_ids, batch.labels, batch.attention_mask, batch.position_ids, batch.pixel_values)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert batch.ids == ["row1", "row0"]
