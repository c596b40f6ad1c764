from __future__ import annotations

import random
from pathlib import Path

import datasets
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import RunStopped
from pipeline.records import Claim, Finding, Sample, Scene, Turn
from pipeline.samples.shards import (
    BATCH_BYTES,
    BATCH_ROWS,
    SCHEMA,
    in_batches,
    open_parquet,
    read_shard,
    write_parquet,
    write_shard,
)


def samples(scene: Scene, count: int) -> list[Sample]:
    return [
        Sample(
            id=f"{scene.image_id}/conversation/{n}",
            scene=scene,
            kind="conversation",
            context="A dog runs.",
            turns=[Turn("Who runs?", "A dog.")],
            model="m",
            prompt_hash="p",
            request_hash="r",
            seed=n,
            attempts=1,
            finish_reason="stop",
            prompt_tokens=1,
            completion_tokens=1,
            cost_usd=None,
        )
        for n in range(count)
    ]


def batch_sizes(shard: Path) -> list[int]:
    with pa.OSFile(str(shard)) as source:
        return [batch.num_rows for batch in pa.ipc.open_stream(source)]


def test_a_shard_of_large_images_is_cut_into_batches_by_their_bytes(dog: Scene) -> None:
    picture, shard = Path("dog.jpg"), Path("0.arrow")
    picture.write_bytes(bytes(BATCH_BYTES // 2))
    write_shard(shard, samples(msgspec.structs.replace(dog, path=picture), 5), embed_images=True)
    assert batch_sizes(shard) == [2, 2, 1]
    write_parquet(Path("samples.parquet"), [read_shard(shard)], SCHEMA)
    groups = pq.read_metadata("samples.parquet")
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [2, 2, 1]
    assert datasets.Dataset.from_file(str(shard))["seed"] == [0, 1, 2, 3, 4]


def test_a_shard_without_images_is_cut_by_rows(dog: Scene) -> None:
    write_shard(Path("0.arrow"), samples(dog, 2 * BATCH_ROWS), embed_images=False)
    assert batch_sizes(Path("0.arrow")) == [BATCH_ROWS, BATCH_ROWS]


def test_texts_are_compressed(dog: Scene) -> None:
    write_shard(Path("0.arrow"), samples(dog, 500), embed_images=False)
    table = read_shard(Path("0.arrow"))
    assert Path("0.arrow").stat().st_size < table.nbytes / 3
    assert datasets.Dataset.from_file("0.arrow")["id"] == table["id"].to_pylist()


def test_images_stay_on_the_disk_when_a_shard_is_read(dog: Scene) -> None:
    picture = Path("dog.jpg")
    picture.write_bytes(bytes(100_000))
    write_shard(Path("0.arrow"), samples(msgspec.structs.replace(dog, path=picture), 50), embed_images=True)
    before = pa.system_memory_pool().bytes_allocated() + pa.total_allocated_bytes()
    table = read_shard(Path("0.arrow"))
    assert table.nbytes > 50 * 100_000
    assert pa.system_memory_pool().bytes_allocated() + pa.total_allocated_bytes() - before < 100_000


def test_the_same_samples_give_the_same_bytes(dog: Scene) -> None:
    for name in ("0.arrow", "1.arrow"):
        write_shard(Path(name), iter(samples(dog, 1500)), embed_images=False)
    assert Path("0.arrow").read_bytes() == Path("1.arrow").read_bytes()


def test_a_row_keeps_what_its_sample_says(dog: Scene) -> None:
    claim = Claim(1, 0, 5, "presence", "supported", (0,), (0, 1))
    other = Claim(1, 6, 9, "count", "contradicted", detail="the boxes show 1 dog, not 2")
    finding = Finding(None, 0, 0, "short", "few words")
    (sample,) = samples(dog, 1)
    checked = msgspec.structs.replace(sample, claims=[claim, other], findings=[finding])
    write_shard(Path("0.arrow"), [checked, sample], embed_images=False)
    first, second = read_shard(Path("0.arrow")).to_pylist()
    assert [claim["detail"] for claim in first["claims"]] == ["", "the boxes show 1 dog, not 2"]
    assert first["claims"][0] == {**msgspec.to_builtins(claim), "boxes": [0], "captions": [0, 1]}
    assert first["findings"] == [msgspec.to_builtins(finding)]
    assert (second["claims"], second["findings"]) == ([], [])
    assert first["messages"] == [
        {"role": "user", "content": "Who runs?"}, {"role": "assistant", "content": "A dog."}
    ]  # fmt: skip
    assert first["boxes"] == [{"label": "dog", "bbox": pytest.approx([0.25, 0.1234, 0.5, 1.0]), "crowd": False}]
    assert (first["captions"], first["licence"], first["image"]) == (["A dog runs.", 'The "good" dog.'], "CC0", None)


def test_a_shard_of_nothing_but_rejects_can_be_read() -> None:
    write_shard(Path("0.arrow"), [], embed_images=False)
    assert read_shard(Path("0.arrow")).num_rows == 0
    assert datasets.Dataset.from_file("0.arrow").num_rows == 0


def test_an_image_that_is_gone_stops_the_run_in_one_line(dog: Scene) -> None:
    gone = msgspec.structs.replace(dog, path=Path("gone.jpg"))
    with pytest.raises(RunStopped, match=r"cannot read gone.jpg: No such file .*put it back and run again"):
        write_shard(Path("0.arrow"), samples(gone, 1), embed_images=True)
    assert list(Path().iterdir()) == []


def test_a_parquet_file_is_gone_through_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    schema = pa.schema([("text", pa.string())])
    draw = random.Random(1)
    rows = ({"text": draw.randbytes(500).hex()} for _ in range(40_000))
    write_parquet(path, in_batches(rows, schema), schema)
    before = pa.total_allocated_bytes()
    with open_parquet(path) as file:
        peak = max(pa.total_allocated_bytes() - before for _ in file.iter_batches(100))
    assert path.stat().st_size > 20e6
    assert peak < path.stat().st_size / 2
