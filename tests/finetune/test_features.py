# ruff: noqa: E402
"""What the vision model makes of images, kept on disk: the same as without, and never half done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune.batches import Batch, load
from pipeline.finetune.features import Features, fill
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.layout import lay_out
from pipeline.finetune.model import Joined
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.schedule import computing, set_precision
from tests.finetune import tiny
from tests.finetune.test_states import disk_full_after
from tests.finetune.tiny_training import ALONE, model, samples, tuned, with_pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return with_pictures(samples(12), tmp_path / "pictures")


def filled(
    joined: Joined, prepared: Prepared, folder: Path, dtype: torch.dtype = torch.float32, tell: Any = None
) -> Features:
    to_pixels = Pixels(joined.processor.image_processor)
    return fill(joined, prepared, to_pixels, folder, ALONE, dtype, "bases", tell or (lambda line: None))


def counting(joined: Joined) -> list[int]:
    """Return a list that grows by how many images the vision model looks at."""
    seen: list[int] = []
    joined.model.model.vision_tower.embeddings.register_forward_hook(lambda *of: seen.append(len(of[2])))
    return seen


def batch(joined: Joined, prepared: Prepared, features: Callable[..., Any] | None) -> Batch:
    (pack,) = lay_out(prepared, range(12), "shared", most_tokens=10**6)
    to_pixels = Pixels(joined.processor.image_processor)
    ids = {"image_token_id": joined.image_token_id, "pad_id": 0}
    return load(prepared, pack, to_pixels, features=features, **ids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_loss_is_that_without_a_cache(bases: Path, tmp_path: Path, prepared: Prepared, dtype: Any) -> None:
    joined = model(bases)
    set_precision(joined.model.parameters(), dtype)
    tuned(joined)
    features = filled(joined, prepared, tmp_path / "cache", dtype)
    with computing(CPU, dtype):
        expected, _ = token_loss_sum(joined, batch(joined, prepared, None))
        seen = counting(joined)
        kept = batch(joined, prepared, features.read)
        loss, _ = token_loss_sum(joined, kept)
    assert kept.features is not None
    assert (kept.features.dtype, kept.pixel_values, seen) == (dtype, None, [])
    # A batch of another size may be summed in another order; what is kept comes from batches of 16.
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6 if dtype != torch.bfloat16 else 1e-3)


def test_a_second_run_looks_at_nothing_and_says_so(bases: Path, tmp_path: Path, prepared: Prepared) -> None:
    joined, told = model(bases), []
    seen = counting(joined)
    first = filled(joined, prepared, tmp_path / "cache", tell=told.append)
    count = len(prepared.pictures)
    assert sum(seen) == count
    again = filled(joined, prepared, tmp_path / "cache", tell=told.append)
    assert sum(seen) == count
    assert torch.equal(first.read(range(count)), again.read(range(count)))
    assert [line.split("; ")[1] for line in told] == [f"{count} to be made", "0 to be made"]


def test_what_was_killed_between_a_value_and_its_mark_is_made_again(
    bases: Path, tmp_path: Path, prepared: Prepared
) -> None:
    joined = model(bases)
    expected = filled(joined, prepared, tmp_path / "cache").read(range(len(prepared.pictures)))
    (values,) = (tmp_path / "cache").glob("*/features.npy")
    np.load(values, mmap_mode="r+")[2] = 7.0
    np.load(values.with_name("is_there.npy"), mmap_mode="r+")[2] = 0
    seen = counting(joined)
    again = filled(joined, prepared, tmp_path / "cache")
    assert seen == [1]
    # An image among others may be summed in another order than alone.
    torch.testing.assert_close(again.read(range(len(prepared.pictures))), expected, rtol=1e-5, atol=1e-5)


def test_marks_are_written_after_values(tmp_path: Path) -> None:
    features = Features(tmp_path, (4, 2, 3), torch.float32)
    with pytest.raises(ValueError, match="shape"):
        features.write([1, 2], torch.ones(2, 2, 5))
    assert features.missing(0, 1) == [0, 1, 2, 3]
    features.write([1, 2], torch.ones(2, 2, 3))
    assert features.missing(0, 1) == [0, 3]
    assert Features(tmp_path, (4, 2, 3), torch.float32).missing(0, 1) == [0, 3]


def test_processes_share_out_what_is_missing(tmp_path: Path) -> None:
    features = Features(tmp_path, (7, 2, 3), torch.float32)
    features.write([3], torch.ones(1, 2, 3))
    shares = [features.missing(rank, 3) for rank in range(3)]
    assert sorted(one for share in shares for one in share) == [0, 1, 2, 4, 5, 6]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_numbers_come_back_bit_by_bit(tmp_path: Path, dtype: Any) -> None:
    features = Features(tmp_path, (2, 3, 4), dtype)
    values = torch.randn(2, 3, 4, dtype=torch.float64).to(dtype)
    features.write([1, 0], values)
    assert features.read([1, 0]).dtype == dtype
    assert torch.equal(features.read([1, 0]), values)


def test_other_pictures_another_model_and_another_precision_have_folders_of_their_own(
    bases: Path, tmp_path: Path, prepared: Prepared
) -> None:
    joined = model(bases)
    cache = tmp_path / "cache"
    filled(joined, prepared, cache)
    Path(prepared.pictures[0].path).write_bytes(b"")
    tiny.picture(99).save(prepared.pictures[0].path)
    filled(joined, prepared, cache)
    filled(joined, prepared, cache, torch.float64)
    fill(joined, prepared, Pixels(joined.processor.image_processor), cache, ALONE, torch.float32, "others", print)
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: Features(folder, (5, 2, 3), torch.float32), "is of other data; delete it, or name another"),
        (lambda folder: (folder / "features.npy").write_bytes(b"no array"), "cannot be used"),
        (lambda folder: (folder / "features.npy").mkdir(), "cannot be used"),
    ],
)
def test_a_folder_with_something_else_is_refused_in_one_line(tmp_path: Path, damage: Any, why: str) -> None:
    damage(tmp_path)
    with pytest.raises(PipelineError, match=f"--cache-features: .*{why}") as error:
        Features(tmp_path, (4, 2, 3), torch.float32)
    assert "\n" not in str(error.value)


def test_without_room_it_is_refused_in_one_line_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"has .* GiB free, and .* are needed; name another folder") as error:
        Features(tmp_path / "cache", (10**9, 576, 1024), torch.float32)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").iterdir())


def test_a_picture_that_has_gone_is_told_in_one_line(bases: Path, tmp_path: Path, prepared: Prepared) -> None:
    Path(prepared.pictures[1].path).write_bytes(b"broken")
    with pytest.raises(PipelineError, match=r"an image has changed: .*; put it back and run again"):
        filled(model(bases), prepared, tmp_path / "cache")


def test_a_disk_that_fills_up_ends_in_one_line(bases: Path, tmp_path: Path, prepared: Prepared) -> None:
    with disk_full_after(2000), pytest.raises((RunStopped, PipelineError)) as error:
        filled(model(bases), prepared, tmp_path / "cache")
    assert "\n" not in str(error.value)
