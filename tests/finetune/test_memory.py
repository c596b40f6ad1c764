# ruff: noqa: E402
"""What is forecast of memory, against what autograd keeps; the peak on a GPU takes a GPU to see."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.autograd.graph import saved_tensors_hooks
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.layout import lay_out
from pipeline.finetune.memory import GPU_TOKENS, USED_OF_GPU, Forecast
from pipeline.finetune.model import Joined, add_lora, freeze
from pipeline.finetune.schedule import computing, set_precision
from pipeline.finetune.tuning import tell_of_trees, tune_layers
from tests.finetune import tiny_training

IMAGE_TOKENS = 16
CPU = torch.device("cpu")


def model(stage: Any, lora_rank: int, dtype: torch.dtype) -> Joined:
    """Six layers of Llama's form, four heads sharing their keys and values, so that each counts for little."""
    vision = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7
    )
    text = LlamaConfig(
        vocab_size=512,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=2,
    )
    made = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_index=511))
    joined = Joined(made, None, None, "mlp2x_gelu", ("", ""))  # type: ignore[arg-type]  # neither is asked
    if lora_rank:
        add_lora(joined, lora_rank, 2 * lora_rank, 0.05)
    freeze(joined, stage)
    set_precision(made.parameters(), dtype)
    return joined


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(("stage", "lora_rank"), [("align", 0), ("instruct", 0), ("instruct", 8)])
@pytest.mark.parametrize("recompute", [0, 3])
def test_a_pack_of_trees_keeps_what_is_forecast_within_a_tenth(
    stage: Any, lora_rank: int, dtype: torch.dtype, recompute: int
) -> None:
    joined = model(stage, lora_rank, dtype)
    forecast = Forecast(joined, dtype, by_tree=True)
    tune_layers(joined, recompute=recompute, compiled=False)
    tell_of_trees(joined, dtype, print)
    prepared = tiny_training.samples(image_tokens=IMAGE_TOKENS)
    (pack,) = lay_out(prepared, range(len(prepared)), "shared", most_tokens=10**6)
    batch = tiny_training.loader(joined, prepared)(pack)
    weights = {weight.untyped_storage()._cdata for weight in joined.model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    with computing(CPU, dtype), saved_tensors_hooks(keep, lambda tensor: tensor):
        token_loss_sum(joined, batch)
    told = forecast.memory(batch.input_ids.numel(), len(batch.places), recompute=recompute).activations
    assert told == pytest.approx(sum(storage.nbytes() for storage in kept.values()), rel=0.1)


def test_a_gpu_takes_as_many_tokens_as_fit_and_then_saves_memory_layer_by_layer() -> None:
    forecast = Forecast(model("instruct", 0, torch.float32), torch.float32)

    def needed(tokens: int, again: int = 0) -> int:
        """Return the memory of the smallest GPU that has room for so much."""
        return int(forecast.memory(tokens, tokens, recompute=again).total / USED_OF_GPU) + 2

    assert forecast.choose(needed(GPU_TOKENS[0])) == (GPU_TOKENS[0], 0)
    assert forecast.choose(needed(GPU_TOKENS[1])) == (GPU_TOKENS[1], 0)
    assert forecast.choose(needed(GPU_TOKENS[-1], 2)) == (GPU_TOKENS[-1], 2)
    assert forecast.choose(0) == (GPU_TOKENS[-1], 6)
    assert forecast.choose(needed(512, 3), tokens=512) == (512, 3)
    assert forecast.choose(0, tokens=512, recompute=1) == (512, 1)
