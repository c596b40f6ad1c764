from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

pytest.importorskip("torch")

from pipeline.errors import PipelineError
from pipeline.finetune.pictures import Picture, decode
from pipeline.finetune.rows import Rejected, Row, held_out, image_key, read_rows
from pipeline.finetune.sources import Source, parse_source
from pipeline.records import Box, Sample, Scene, Turn
from pipeline.samples.shards import read_shard, write_parquet, write_shard
from pipeline.samples.verdicts import Entry, VerdictLog, fingerprint, now

datasets = pytest.importorskip("datasets")


def rows_of(*sources: object, images: Path | None = None, kinds: dict[str, float] | None = None) -> list[Any]:
    return list(read_rows([str(source) for source in sources], images, kinds))


def draw(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def llava(image: object = "a.jpg", question: str = "<image>\nWhat?", **more: object) -> dict[str, object]:
    talk = [{"from": "human", "value": question}, {"from": "gpt", "value": "A dog."}]
    return {"id": "7", "image": image, "conversations": talk} | more


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a JSON list, beside an image ``a.jpg``."""
    draw(tmp_path / "a.jpg")

    def write_list(*entries: object, name: str = "set.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(entries), encoding="utf-8")
        return path

    return write_list


def make_run(folder: Path, *, embed: bool, shards: int = 2) -> Path:
    """Write a finished run of two samples a shard: of image 1, and of image 2, in turn."""
    tables = []
    for number in range(shards):
        path = draw(folder.parent / f"pictures/COCO_train2014_{number + 1:012d}.jpg", ("red", "blue")[number])
        scene = Scene(str(number + 1), path.name, 8, 8, ("A dog.",), (Box("dog", 0, 0, 1, 1),), "CC0", path)
        samples = [
            Sample(
                f"{scene.image_id}/{kind}/0",
                scene,
                kind,
                context="",
                turns=[Turn(question, "A dog.")],
                model="m",
                prompt_hash="p",
                request_hash="r",
                seed=0,
                attempts=1,
                finish_reason="stop",
                prompt_tokens=1,
                completion_tokens=1,
                cost_usd=None,
            )
            for kind, question in (("conversation", "What is <image>"), ("detail", "Tell."))
        ]
        shard = folder / "shards" / f"{number:05d}.arrow"
        shard.parent.mkdir(parents=True, exist_ok=True)
        write_shard(shard, samples, embed_images=embed)
        tables.append(read_shard(shard))
    (folder / "journal.sqlite").touch()
    write_parquet(folder / "samples.parquet", tables, tables[0].schema)
    return folder


@pytest.mark.parametrize("embed", [False, True])
@pytest.mark.parametrize("form", ["run", "samples.parquet", "datasets"])
def test_a_run_is_read_in_each_form_with_its_pictures(form: str, embed: bool, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", embed=embed)
    source = {"run": run, "samples.parquet": run / "samples.parquet", "datasets": tmp_path / "saved"}[form]
    if form == "datasets":
        parts = [datasets.Dataset.from_file(str(shard)) for shard in sorted(run.glob("shards/*"))]
        datasets.concatenate_datasets(parts).save_to_disk(tmp_path / "saved")
    rows = rows_of(source)
    assert [row.id for row in rows] == ["1/conversation/0", "1/detail/0", "2/conversation/0", "2/detail/0"]
    assert [row.image_id for row in rows] == ["1", "1", "2", "2"]
    assert [row.kind for row in rows] == ["conversation", "detail"] * 2
    assert rows[0].messages[0] == {"role": "user", "content": "What is <image>"}  # text: a run has no marks
    assert rows[0].picture == rows[1].picture
    colours = [np.asarray(decode(row.picture))[0, 0].argmax() for row in rows]
    assert colours == [0, 0, 2, 2]  # red, red, blue, blue
    assert {row.times for row in rows} == {1}


def test_a_run_without_its_pictures_is_not_taken_for_text(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", embed=False, shards=1)
    shutil.move(tmp_path / "pictures", tmp_path / "elsewhere")
    (row, _) = rows_of(run)
    assert (row.id, row.reason) == ("1/conversation/0", "no image file")
    assert row.detail == "COCO_train2014_000000000001.jpg is not there; pass --images DIR"
    (row, _) = rows_of(run, images=tmp_path / "elsewhere")
    assert decode(row.picture).size == (8, 8)


def test_a_run_that_is_not_finished_is_refused_with_a_hint(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", embed=False)
    (run / "samples.parquet").unlink()
    with pytest.raises(PipelineError, match="not finished; run generate again"):
        rows_of(run)
    (run / "run.json").write_text('{"status": "complete"}')
    assert len(rows_of(run)) == 4


def test_llava_rows_lose_the_mark_and_keep_other_text(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(llava(question="What is <image> in HTML?\n<image>"), llava(image=None, question="Who?", id=8))
    first, second = rows_of(path)
    assert first.messages[0] == {"role": "human", "content": "What is <image> in HTML?"}
    assert first.picture == Picture(str(tmp_path / "a.jpg"))
    assert (first.kind, first.image_id, first.id) == ("set", "a.jpg", "7")
    assert (second.picture, second.image_id, second.id) == (None, "", "8")


def test_messages_may_come_in_parts_and_name_their_image(write: Callable[..., Path], tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What is <image>"}, {"type": "image", "image": "a.jpg"}]
    talk = [{"role": "user", "content": parts}, {"role": "assistant", "content": "A dog."}]
    (row,) = rows_of(write({"messages": talk}))
    assert row.messages[0]["content"] == [{"type": "text", "text": "What is <image>"}]
    assert row.picture == Picture(str(tmp_path / "a.jpg"))
    assert row.id == "set/0"


@pytest.mark.parametrize(
    ("entry", "reason", "detail"),
    [
        (None, "not a sample", "is no object but null"),
        (["x"], "not a sample", "is no object but a list"),
        ({}, "no messages", "neither messages nor conversations"),
        ({"messages": []}, "no messages", "neither messages nor conversations"),
        (llava(image=["a.jpg", "a.jpg"]), "more than one image", "2 images"),
        (llava(question="<image>\n<image>\nWhich?"), "more than one image", "2 places"),
        (llava(image=None), "no image file", "names no image"),
        (llava(image="b.jpg"), "no image file", "b.jpg is not there; pass --images DIR"),
        (llava(image={"id": 3}), "no image file", "nor a name of one"),
        (llava(image="a\ud800\0.jpg"), "no image file", "is not there"),
        (
            llava(conversations=[*llava()["conversations"], *llava()["conversations"]]),  # type: ignore[misc]
            "more than one image",
            "2 places",
        ),
        (
            llava(conversations=[{"from": "human", "value": "Hi"}, {"from": "human", "value": "<image>"}]),
            "image out of place",
            "not in the first question",
        ),
        (
            llava(conversations=[{"from": "gpt", "value": [{"type": "image"}]}, {"from": "human", "value": "Hi"}]),
            "image out of place",
            "not in the first question",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_its_reason(
    entry: object, reason: str, detail: str, write: Callable[..., Path]
) -> None:
    row, good = rows_of(write(entry, llava(id="good")))
    assert isinstance(row, Rejected)
    assert row.reason == reason
    assert detail in row.detail
    assert isinstance(good, Row)


def test_a_list_with_half_characters_and_nan_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(' [ {"id": "\\ud800", "messages": [{"role": "user", "content": NaN}]} ,\n 3, {"id": "b"}\n] ')
    rows = rows_of(path)
    assert [row.id for row in rows] == ["?", "odd/1", "b"]
    assert [row.reason for row in rows[1:]] == ["not a sample", "no messages"]


def test_a_bad_line_of_a_jsonl_file_is_one_rejected_row(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"id": 1, "messages": [{"role": "user", "content": "Hi"}]}\n{"id": 2,\n\n\xff\n{"id": 3}')
    rows = rows_of(path)
    assert [(row.id, getattr(row, "reason", "")) for row in rows] == [
        ("1", ""),
        ("lines/1", "not a sample"),
        ("lines/3", "not a sample"),
        ("3", "no messages"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b'{"id": 1}', "is no JSON list of samples"),
        ("a.json", b'[{"id": 1}, {"id"', "sample 1"),
        ("a.json", b'[{"id": 1}', "is the file cut short"),
        ("a.parquet", b"PAR1", "cannot read"),
        ("a.arrow", b"none", "cannot read"),
        ("a.csv", b"", "not one of"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=said) as caught:
        rows_of(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_source_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "splits/train").mkdir(parents=True)
    (tmp_path / "splits/dataset_dict.json").write_text("{}")
    for source, said in (("none", "no run or file"), (str(tmp_path), "neither a run"), ("splits", "the splits train")):
        with pytest.raises(PipelineError, match=said):
            read_rows([source], None, None)
    with pytest.raises(PipelineError, match="nothing to train on"):
        read_rows([], None, None)


def test_a_weight_follows_the_last_colon() -> None:
    assert parse_source("outputs/first:0.5") == Source(Path("outputs/first"), 0.5)
    assert parse_source("outputs/first") == Source(Path("outputs/first"), 1.0)
    assert parse_source(r"C:\data\set.json:2") == Source(Path(r"C:\data\set.json"), 2.0)
    assert parse_source(r"C:\data\set.json") == Source(Path(r"C:\data\set.json"), 1.0)
    Path("run:2").mkdir()
    assert parse_source("run:2") == Source(Path("run:2"), 1.0)
    assert parse_source("run:2:3") == Source(Path("run:2"), 3.0)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "1e9", "half", ""])
def test_a_weight_that_is_none_is_refused(weight: str) -> None:
    Path("run").mkdir()
    with pytest.raises(PipelineError, match=r"--data run:.*weight"):
        parse_source(f"run:{weight}")


def test_ids_are_unique_over_all_sources(write: Callable[..., Path]) -> None:
    path = write(llava(), llava(), llava(id=None))
    assert [row.id for row in rows_of(path, path)] == ["7", "7/1", "set/2", "7/0", "7/1/1", "set/2/2"]


def test_weights_take_a_share_that_depends_on_the_id_alone(write: Callable[..., Path]) -> None:
    many = [llava(id=f"r{number}") for number in range(400)]
    path, turned = write(*many), write(*reversed(many), name="turned.json")

    def times(source: str) -> dict[str, int]:
        return {row.id: row.times for row in rows_of(source)}

    half = times(f"{path}:0.5")
    assert 160 < sum(half.values()) < 240
    assert half == times(f"{turned}:0.5")
    quarter = times(f"{path}:0.25")
    assert all(half[row] for row, taken in quarter.items() if taken)
    assert set(times(f"{path}:2").values()) == {2}
    assert {row: count - 2 for row, count in times(f"{path}:2.5").items()} == half


def test_the_four_rows_of_the_ablation_are_weights_by_kind(write: Callable[..., Path]) -> None:
    names = ("conversation", "detail", "reasoning")
    path = write(*(llava(id=f"{kind}{number}", kind=kind) for number in range(300) for kind in names))
    drawn = {}
    for kinds in (None, "detail reasoning", "conversation detail=0.05 reasoning=0.1", "conversation"):
        weights = {part.partition("=")[0]: float(part.partition("=")[2] or 1) for part in (kinds or "").split()}
        rows = rows_of(path, kinds=weights or None)
        drawn[kinds] = [sum(row.times for row in rows if row.kind == kind) for kind in names]
        assert len(rows) == 900
    assert drawn[None] == [300, 300, 300]
    assert drawn["detail reasoning"] == [0, 300, 300]
    assert drawn["conversation"] == [300, 0, 0]
    every, few, some = drawn["conversation detail=0.05 reasoning=0.1"]
    assert every == 300
    assert 5 <= few <= 25 < some + 10 <= 60
    with pytest.raises(PipelineError, match="no row is of the kind 'talk'; there is conversation, detail, reasoning"):
        rows_of(path, kinds={"talk": 1.0})


def test_an_image_is_on_one_side_whatever_its_source_calls_it() -> None:
    names = ["33471", "000000033471.jpg", "COCO_train2014_000000033471.jpg", "COCO_val2014_000000033471.png"]
    assert {image_key(name) for name in names} == {"33471"}
    assert image_key("dog-512.jpg") == "dog-512.jpg"
    assert image_key("1.5.2") == "1.5.2"

    def row(number: int, image_id: str) -> Row:
        return Row(f"row{number}", image_id, "k", 0, (), None, 1)

    for number in range(50):
        assert len({held_out(row(3 * number + copy, str(number)), 0.5, 3) for copy in range(3)}) == 1
    sides = [held_out(row(number, ""), 0.1, 3) for number in range(2000)]
    assert 150 < sum(sides) < 250
    assert not any(held_out(row(number, ""), 0.0, 3) for number in range(50))
    assert [held_out(row(n, ""), 0.5, 3) for n in range(50)] != [held_out(row(n, ""), 0.5, 4) for n in range(50)]


def test_embedded_pictures_with_one_name_are_not_taken_for_one(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{colour}.png", colour) for colour in ("red", "blue")]
    talk = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "It."}]
    cells = [{"bytes": path.read_bytes(), "path": "image.png"} for path in paths]
    pq.write_table(pa.table({"image": cells, "messages": [talk, talk]}), tmp_path / "set.parquet")
    red, blue = rows_of(tmp_path / "set.parquet")
    assert decode(red.picture).getpixel((0, 0)) == (255, 0, 0)
    assert decode(blue.picture).getpixel((0, 0)) == (0, 0, 255)


def test_the_first_stage_takes_each_caption_of_a_run_once(write: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", embed=False)
    rows = list(read_rows([str(run), str(write(llava()))], None, None, captions=True))
    told = [(row.id, row.kind, row.messages[-1]["content"]) for row in rows if isinstance(row, Row)]
    assert told == [("1/caption/0", "caption", "A dog."), ("2/caption/0", "caption", "A dog."), ("7", "set", "A dog.")]
    assert all(isinstance(row, Row) and row.picture for row in rows)


def test_a_reviewed_run_gives_what_its_reviewers_left_of_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", embed=False)
    rows = [row for row in read_rows([str(run)], None, None) if isinstance(row, Row)]
    of = [fingerprint(message["content"] for message in row.messages) for row in rows]
    log = VerdictLog(run / "verdicts.jsonl")
    first, second = (row.id for row in rows[:2])
    log.add(
        [
            Entry("verdict", first, of[0], "ada", now(), verdict="accepted"),
            Entry("edit", first, of[0], "ada", now(), message=1, text="A brown dog."),
            Entry("verdict", second, of[1], "ada", now(), verdict="rejected"),
        ]
    )
    told = {}
    for reviewed in ("accepted", "not-rejected", "all"):
        found = list(read_rows([str(run)], None, None, reviewed=reviewed))
        told[reviewed] = [row.id for row in found if isinstance(row, Row)]
        assert next(row for row in found if row.id == first).messages[1]["content"] == "A brown dog."
        assert {row.reason for row in found if isinstance(row, Rejected)} <= {"left out by reviewers"}
        assert len(found) == len(rows)
    assert told["accepted"] == [first]
    assert told["not-rejected"] == [row.id for row in rows if row.id != second]
    assert told["all"] == [row.id for row in rows]
