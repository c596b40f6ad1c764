# ruff: noqa: E402
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pipeline.finetune.costs import count_flops, forecast, measured_rate
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.model import Joined, freeze
from pipeline.finetune.schedule import computing, set_precision
from tests.finetune import tiny_training


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def llava_7b(stage: Any) -> Joined:
    """The shape of LLaVA 1.5 7B, without weights."""
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
    )
    text = LlamaConfig(vocab_size=32064, intermediate_size=11008)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text))
    joined = Joined(model, None, None, "mlp2x_gelu", ("", ""))  # type: ignore[arg-type]  # neither is asked
    freeze(joined, stage)
    return joined


@pytest.mark.parametrize(("stage", "tflop"), [("align", 22.3), ("instruct", 33.2)])
def test_a_sample_of_llava_costs_what_is_known_of_it(stage: Any, tflop: float) -> None:
    flops = count_flops(llava_7b(stage))
    assert flops.total(torch.tensor([576 + 250]), 110, 1) / 1e12 == pytest.approx(tflop, rel=0.01)


@pytest.mark.parametrize(("stage", "gib"), [("align", 13.5), ("instruct", 101.1)])
def test_weights_gradients_and_averages_of_llava_take_what_arithmetic_says(stage: Any, gib: float) -> None:
    memory = forecast(llava_7b(stage), torch.bfloat16, tokens=1000, supervised=200)
    assert memory.resting / 2**30 == pytest.approx(gib, rel=0.01)
    halves = forecast(llava_7b(stage), torch.bfloat16, tokens=1000, supervised=200, shards=2)
    assert halves.resting == pytest.approx(memory.resting / 2, rel=1e-6)


@pytest.mark.parametrize("stage", ["align", "instruct"])
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_operations_are_those_that_torch_counts(bases: Path, stage: Any, lora_rank: int) -> None:
    joined = tiny_training.model(bases, stage, lora_rank=lora_rank)
    prepared = tiny_training.samples()
    batch = tiny_training.loader(joined, prepared)([1])
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:  # it knows no CPU kernel
        loss, supervised = token_loss_sum(joined, batch)
        loss.backward()
    flops = count_flops(joined)
    lengths = batch.attention_mask.sum(1)
    length = int(lengths)
    again = 2 * joined.model.lm_head.weight.numel() * supervised  # logits are made twice
    beyond = flops.pair * (length * length - length * (length + 1) / 2)  # torch counts pairs with later tokens too
    assert flops.total(lengths, supervised, 1) + again + beyond == pytest.approx(counted.get_total_flops(), rel=0.03)


def test_padding_counts_for_nothing(bases: Path) -> None:
    flops = count_flops(tiny_training.model(bases))
    assert flops.total(torch.tensor([10, 4]), 5, 0) == pytest.approx(
        flops.total(torch.tensor([10]), 5, 0) + flops.total(torch.tensor([4]), 0, 0)
    )


@pytest.mark.parametrize(
    ("stage", "lora_rank", "dtype"),
    [
        ("align", 0, torch.bfloat16),
        ("instruct", 0, torch.bfloat16),
        ("instruct", 4, torch.bfloat16),
        ("align", 0, torch.float32),
        ("instruct", 0, torch.float32),
    ],
)
def test_activations_are_those_that_are_kept_for_the_backward_pass(
    bases: Path, stage: Any, lora_rank: int, dtype: torch.dtype
) -> None:
    joined = tiny_training.model(bases, stage, lora_rank=lora_rank)
    set_precision(joined, dtype)
    batch = tiny_training.loader(joined, tiny_training.samples())([4] * 12)  # as long, so nothing is padded
    kept: dict[int, int] = {}
    own = {weight.untyped_storage().data_ptr() for weight in joined.model.parameters()}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with computing(torch.device("cpu"), dtype), saved_tensors_hooks(keep, lambda tensor: tensor):
        token_loss_sum(joined, batch)
    tokens = batch.input_ids.numel()
    told = forecast(joined, dtype, tokens=tokens, supervised=0)
    assert told.activations == pytest.approx(sum(kept.values()), rel=0.2)


def test_a_matrix_product_has_a_rate() -> None:
    assert 1e8 < measured_rate(torch.device("cpu"), torch.float32) < 1e15
