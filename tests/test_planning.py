from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import run_command
from pipeline.errors import PipelineError
from pipeline.planning import read_source
from pipeline.settings import GenerateSettings, SourceSettings


@pytest.mark.parametrize(
    ("folder", "file", "name"),
    [
        ("cats", "instances.json", "cats"),
        ("cats/annotations", "captions.json", "cats"),
        ("cats/annotations", "instances_val2017.json", "val2017"),
        ("cats", "boxes.json", "boxes"),
        ("outputs/cats", "instances.json", "cats-run"),
    ],
)
def test_a_run_is_called_after_what_tells_its_annotations_from_others(
    folder: str, file: str, name: str, coco: Callable[..., Path]
) -> None:
    path = (coco(1, folder) / "instances_tiny.json").rename(Path(folder, file))
    assert read_source(SourceSettings(instances=path)).name == name


def test_a_folder_of_annotations_gives_its_name_unless_that_says_nothing(coco: Callable[..., Path]) -> None:
    assert read_source(SourceSettings(annotations=coco(1, "cats"))).name == "cats"
    assert read_source(SourceSettings(annotations=coco(1, "dogs/annotations"))).name == "dogs"


def test_scenes_drawn_into_the_outputs_are_left_as_they_are(coco: Callable[..., Path]) -> None:
    folder = coco(1, "outputs/scenes")
    before = sorted(folder.iterdir())
    assert run_command(["generate", "--annotations", str(folder)]) == 0
    assert sorted(folder.iterdir()) == before
    assert Path("outputs/scenes-run/samples.parquet").exists()


@pytest.mark.parametrize("out", ["data", ".", "data/annotations"])
def test_an_out_that_holds_the_annotations_is_refused(out: str, coco: Callable[..., Path]) -> None:
    folder = coco(1, "data/annotations")
    with pytest.raises(PipelineError, match="pass a folder of its own for the run"):
        read_source(GenerateSettings(annotations=folder, out=Path(out)))
    read_source(GenerateSettings(annotations=folder, out=Path("data/run")))
