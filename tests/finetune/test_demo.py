from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPVisionModel

from pipeline.annotations.coco import read_scenes
from pipeline.annotations.rendered import draw_scenes
from pipeline.errors import PipelineError
from pipeline.finetune.batches import load
from pipeline.finetune.demo import demo
from pipeline.finetune.export import save_plain
from pipeline.finetune.infants import save_language, save_vision
from pipeline.finetune.loop import Plan, train
from pipeline.finetune.model import freeze, join
from pipeline.finetune.order import Order
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import prepare
from pipeline.finetune.ranks import Ranks
from pipeline.finetune.recipes import resolve
from pipeline.finetune.rows import read_rows
from pipeline.finetune.templates import load_template
from pipeline.finetune.tracking import Tracker
from pipeline.settings import FinetuneSettings

STEPS = 4
SEEDS = os.environ.get("SEEDS", "").split()
"""Seeds of whole demonstrations, four minutes each: ``SEEDS="0 1 2" pytest tests/finetune/test_demo.py -k sees``."""


def train_as_told(settings: FinetuneSettings) -> None:
    """Do what the command does with settings, with nothing around it."""
    assert settings.out
    told = resolve(settings, on_gpu=False)
    values = told.values
    joined = join(values.vision, values.language, values.projector, template=values.template, seed=settings.seed)
    samples = prepare(
        read_rows(settings.data, None, None),
        joined.tokenizer,
        load_template(values.template, joined.tokenizer),
        max_tokens=values.max_tokens,
        image_tokens=joined.image_tokens,
        held_out_share=settings.held_out,
        processes=1,
    )
    assert samples.counts["rejected"] == samples.counts["shortened"] == 0
    order = Order(samples.training(), samples.lengths, samples.picture, seed=settings.seed, batch=values.batch)
    freeze(joined, "instruct")
    to_pixels = Pixels(joined.processor.image_processor)
    ids = {"image_token_id": joined.image_token_id, "pad_id": joined.tokenizer.pad_token_id}
    plan = Plan(
        steps=told.steps or 1,
        lr=values.lr,
        projector_lr=values.projector_lr,
        warmup=values.warmup,
        weight_decay=values.weight_decay,
        clip=values.clip,
        dtype=torch.float32,
        seed=settings.seed,
        layout="shared",
        micro_tokens=told.micro_tokens or 0,
        save_every=100,
        keep=1,
        check_every=100,
    )
    with Tracker(settings.out, plan.steps) as tracker:
        train(
            joined,
            samples,
            order,
            lambda pack: load(samples, pack, to_pixels, **ids),
            plan,
            settings.out,
            ranks=Ranks(0, 1, torch.device("cpu")),
            about={},
            tracker=tracker,
        )
    save_plain(joined, settings.out / "checkpoint")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A demonstration too short to see anything, and what it said."""
    folder = tmp_path_factory.mktemp("outputs") / "demo"
    said: list[str] = []
    demo(
        FinetuneSettings(demo=True, out=folder), train_as_told, said.append, images=24, held_out_images=12, steps=STEPS
    )
    return folder, said


def test_from_nothing_to_a_chart(shown: tuple[Path, list[str]]) -> None:
    folder, said = shown
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Does it see?" in page
    assert page.count("About its own image") == 6
    assert any("python -m pipeline generate" in line for line in said)
    assert "python -m pipeline chat" in said[-1]


def test_both_models_learn_from_the_same_texts_and_one_of_them_without_images(shown: tuple[Path, list[str]]) -> None:
    folder, _ = shown
    seeing = {row.id: row for row in read_rows([str(folder / "samples")], None, None)}
    blind = {row.id: row for row in read_rows([str(folder / "blind.jsonl")], None, None)}
    assert len(seeing) == 24 * 4
    assert {name: row.messages for name, row in seeing.items()} == {name: row.messages for name, row in blind.items()}
    assert all(row.picture for row in seeing.values())
    assert not any(row.picture for row in blind.values())


def test_the_blind_model_is_trained_as_long_as_the_other(shown: tuple[Path, list[str]]) -> None:
    folder, _ = shown
    for name in ("seeing", "blind"):
        lines = (folder / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert sum('"loss"' in line for line in lines) == STEPS


def test_figures_are_kept_for_each_kind_of_question(shown: tuple[Path, list[str]]) -> None:
    folder, _ = shown
    figures = json.loads((folder / "sight.json").read_text(encoding="utf-8"))
    assert [one["questions"] for one in figures] == ["counting", "what is where"]
    for one in figures:
        assert one["true"]["asked"] == one["shuffled"]["asked"] == one["blind"]["asked"] > 0


def test_scenes_that_are_asked_about_were_not_trained_on(shown: tuple[Path, list[str]]) -> None:
    folder, _ = shown
    pixels = [
        {Image.open(path).tobytes() for path in (folder / name / "images").iterdir()} for name in ("scenes", "held-out")
    ]
    assert len(pixels[0]) == 24
    assert pixels[0].isdisjoint(pixels[1])


def test_another_seed_in_the_same_folder_is_refused(shown: tuple[Path, list[str]]) -> None:
    with pytest.raises(PipelineError, match="another --seed"):
        demo(FinetuneSettings(demo=True, out=shown[0], seed=1), train_as_told, print)


@pytest.mark.parametrize("below", [".", "demo"])
def test_a_file_in_the_place_of_the_folder_is_told_in_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(PipelineError, match="cannot be written to"):
        demo(FinetuneSettings(demo=True, out=tmp_path / "taken" / below), train_as_told, print)


@pytest.mark.parametrize("flag", [{"data": ("x",)}, {"model": "x"}, {"lr": 1.0}])
def test_flags_that_the_demonstration_brings_itself_are_refused(tmp_path: Path, flag: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match=f"--{next(iter(flag))}: --demo brings its own"):
        demo(FinetuneSettings(demo=True, out=tmp_path, **flag), train_as_told, print)


def test_base_models_are_the_same_for_the_same_seed_and_leave_the_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_vision(tmp_path / name / "vision", seed)
        save_language(tmp_path / name / "language", ["How many apples are there?", "There are two apples."], seed)
    assert torch.equal(torch.rand(3), expected)
    for part in ("vision", "language"):
        a, b, c = ((tmp_path / name / part / "model.safetensors").read_bytes() for name in "abc")
        assert a == b != c


def test_the_tokenizer_knows_every_text(tmp_path: Path) -> None:
    save_language(tmp_path, ["There are two apples."], 0)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "Zwölf Äpfel, 两只猫, two apples\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_what_a_patch_shows_and_where_it_is_are_about_equally_strong(tmp_path: Path) -> None:
    draw_scenes(20, tmp_path / "scenes", 3, "table")
    save_vision(tmp_path / "vision", 0)
    embeddings = CLIPVisionModel.from_pretrained(tmp_path / "vision").embeddings
    to_pixels = Pixels(CLIPImageProcessor.from_pretrained(tmp_path / "vision"))
    things = []
    for scene in read_scenes(None, tmp_path / "scenes/instances_scenes.json", tmp_path / "scenes/images").scenes:
        with Image.open(str(scene.path)) as image:
            shown = embeddings.patch_embedding(to_pixels(image.convert("RGB"))[None])[0].flatten(1).T  # (9, width)
        cells = {3 * int(1.5 * (box.y0 + box.y1)) + int(1.5 * (box.x0 + box.x1)) for box in scene.boxes}
        things.append(shown[sorted(cells)])
    strength = torch.cat(things).pow(2).mean() / embeddings.position_embedding.weight[1:].pow(2).mean()
    assert 0.5 < strength.sqrt() < 2


@pytest.mark.parametrize("seed", SEEDS)
def test_it_sees(tmp_path: Path, seed: str) -> None:
    words = ["finetune", "--demo", "--seed", seed, "--out", str(tmp_path / "demo")]
    subprocess.run([sys.executable, "-m", "pipeline", *words], check=True)
    figures = json.loads((tmp_path / "demo/sight.json").read_text(encoding="utf-8"))
    assert {one["questions"]: one["margin"] >= 0.3 for one in figures} == {"counting": True, "what is where": True}
