from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from pipeline.errors import PipelineError
from pipeline.finetune.recipes import CPU_TOKENS, RECIPES, Resolved, lines, resolve, table
from pipeline.settings import FinetuneSettings


def resolved(**flags: Any) -> Resolved:
    return resolve(FinetuneSettings(**flags), on_gpu=False)


@pytest.mark.parametrize(
    ("recipe", "stage", "batch", "lr", "epochs", "projector", "template", "fitting"),
    [
        ("llava-v1", "align", 128, 2e-3, 1, "linear", "plain", "crop"),
        ("llava-v1", "instruct", 32, 2e-5, 3, "linear", "vicuna_v1", "crop"),
        ("llava-v1.5", "align", 256, 1e-3, 1, "mlp2x_gelu", "plain", "crop"),
        ("llava-v1.5", "instruct", 128, 2e-5, 1, "mlp2x_gelu", "vicuna_v1", "pad"),
        ("llava-v1.5-lora", "align", 256, 1e-3, 1, "mlp2x_gelu", "plain", "crop"),
        ("llava-v1.5-lora", "instruct", 128, 2e-4, 1, "mlp2x_gelu", "vicuna_v1", "pad"),
        ("omnifusion", "align", 256, 1e-3, 1, "transformer", "plain", "crop"),
        ("omnifusion", "instruct", 128, 2e-5, 1, "transformer", "vicuna_v1", "crop"),
    ],
)
def test_a_recipe_has_the_published_values(
    recipe: str, stage: str, batch: int, lr: float, epochs: float, projector: str, template: str, fitting: str
) -> None:
    values = resolved(recipe=recipe, stage=stage).values
    assert (values.batch, values.lr, values.epochs) == (batch, lr, epochs)
    assert (values.projector, values.template, values.fitting) == (projector, template, fitting)
    assert (values.warmup, values.weight_decay, values.clip) == (0.01 if recipe == "omnifusion" else 0.03, 0, 1)
    assert (values.max_tokens, values.feature_layer) == (2048, -2)


def test_lora_has_rates_rank_and_scale_of_its_own() -> None:
    values = resolved(recipe="llava-v1.5-lora", stage="instruct").values
    assert (values.lora_rank, values.lora_alpha, values.lora_dropout) == (128, 256, 0.05)
    assert (values.lr, values.projector_lr) == (2e-4, 2e-5)


def test_every_value_of_every_recipe_has_a_source() -> None:
    for stages in RECIPES.values():
        for recipe in stages.values():
            assert set(recipe.sources) == set(vars(recipe.values))
            assert all(recipe.sources.values())


def test_what_omnifusion_did_not_publish_is_marked_as_ours() -> None:
    sources = resolved(recipe="omnifusion").sources
    assert sources["lr"] == "omnifusion: ours: as LLaVA v1.5"
    assert "ours" not in sources["projector"]


def test_a_flag_takes_the_place_of_the_recipes_value_and_is_named_as_its_source() -> None:
    run = resolved(recipe="llava-v1.5", batch=16, weight_decay=0.1)
    assert (run.values.batch, run.sources["batch"]) == (16, "--batch")
    assert (run.values.weight_decay, run.sources["weight_decay"]) == (0.1, "--weight-decay")
    assert run.sources["lr"].startswith("llava-v1.5: ")


def test_a_rate_is_the_projectors_too_unless_that_has_one_of_its_own() -> None:
    assert resolved(lr=3e-4).values.projector_lr == 3e-4
    assert resolved(lr=3e-4).sources["projector_lr"] == "as --lr"
    assert resolved(lr=3e-4, projector_lr=1e-3).values.projector_lr == 1e-3
    assert resolved(recipe="llava-v1.5-lora", lr=3e-4).values.projector_lr == 2e-5


def test_the_device_decides_what_nobody_set() -> None:
    on_gpu = resolve(FinetuneSettings(), on_gpu=True)
    assert (resolved().dtype, resolved().micro_tokens) == ("float32", CPU_TOKENS)
    assert (on_gpu.dtype, on_gpu.micro_tokens) == ("bfloat16", None)
    asked = resolve(FinetuneSettings(dtype="float64", micro_tokens=300), on_gpu=True)
    assert (asked.dtype, asked.micro_tokens, asked.sources["micro_tokens"]) == ("float64", 300, "--micro-tokens")
    told = {name: (value, source) for name, value, source in table(on_gpu)}
    assert told["micro tokens"] == ("as memory has room", "ours, for a GPU")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"model": "x", "language": "y"}, "--language"),
        ({"model": "x", "projector": "linear"}, "--projector"),
        ({"stage": "align", "lora_rank": 8}, "--lora-rank"),
        ({"steps": 5, "epochs": 2}, "--steps and --epochs"),
        ({"lora_alpha": 16}, "--lora-alpha"),
        ({"recipe": "llava-v1.5-lora", "lora_rank": 0, "lora_alpha": 16}, "--lora-alpha"),
    ],
)
def test_flags_that_contradict_each_other_are_refused_by_name(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        resolved(**flags)


def test_the_table_tells_what_counts_in_this_run_and_nothing_else() -> None:
    align = {name for name, _, _ in table(resolved(recipe="llava-v1.5", stage="align", steps=10))}
    lora = {name for name, _, _ in table(resolved(recipe="llava-v1.5-lora"))}
    assert "steps" in align
    assert align.isdisjoint({"lr", "epochs", "lora alpha"})
    assert {"lr", "epochs", "lora alpha", "lora dropout"} <= lora


def test_of_a_checkpoint_its_own_parts_are_told() -> None:
    told = {name: (value, source) for name, value, source in table(resolved(model="outputs/x/checkpoint"))}
    assert told["projector"] == told["vision"] == ("the checkpoint's", "--model")


def test_lines_are_aligned_columns() -> None:
    head, *rows = lines(resolved(recipe="llava-v1"))
    assert head == "recipe llava-v1, stage instruct"
    assert rows[0].split() == ["epochs", "3", "llava-v1:", "paper,", "section", "5"]
    assert len({row.index("llava-v1: ") for row in rows if "llava-v1: " in row}) == 1
