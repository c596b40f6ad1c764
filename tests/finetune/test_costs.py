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

from pipeline.finetune.batches import Batch
from pipeline.finetune.costs import count_flops, measured_rate
from pipeline.finetune.forward import predicting_states, token_loss_sum
from pipeline.finetune.layout import Tree, lay_out
from pipeline.finetune.memory import Forecast
from pipeline.finetune.model import Joined, freeze
from pipeline.finetune.schedule import computing, set_precision
from tests.finetune import tiny_training
from tests.finetune.tiny_training import tuned


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
    tree = Tree((0,), 0, (576 + 250,))
    assert flops.total(tree.tokens, tree.pairs, 110, 1) / 1e12 == pytest.approx(tflop, rel=0.01)


@pytest.mark.parametrize(
    ("stage", "branches", "times"),
    [("instruct", 2, 1.5), ("instruct", 3, 1.9), ("align", 3, 1.9), ("align", 5, 4.0)],
)
def test_sharing_saves_what_was_promised(stage: Any, branches: int, times: float) -> None:
    """By arithmetic at the shape of 7B: 592 shared tokens, and 160 of each sample, or 16 of each caption."""
    flops = count_flops(llava_7b(stage))
    own = 16 if branches == 5 else 160
    alone, together = Tree((0,), 0, (592 + own,)), Tree(tuple(range(branches)), 592, (own,) * branches)
    one_by_one = branches * flops.total(alone.tokens, alone.pairs, own * 0.8, 1)
    assert one_by_one / flops.total(together.tokens, together.pairs, branches * own * 0.8, 1) > times


@pytest.mark.parametrize(("stage", "gib"), [("align", 13.5), ("instruct", 101.1)])
def test_weights_gradients_and_averages_of_llava_take_what_arithmetic_says(stage: Any, gib: float) -> None:
    forecast = Forecast(llava_7b(stage), torch.bfloat16)
    memory = forecast.memory(0, 0)
    assert memory.resting / 2**30 == pytest.approx(gib, rel=0.01)
    halves = forecast.memory(0, 0, shards=2)
    assert halves.resting == pytest.approx(memory.resting / 2, rel=1e-6)


@pytest.mark.parametrize("stage", ["align", "instruct"])
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_operations_are_those_that_torch_counts(bases: Path, stage: Any, lora_rank: int) -> None:
    joined = tiny_training.model(bases, stage, lora_rank=lora_rank)
    prepared = tiny_training.samples()
    batch = tiny_training.padded(joined, prepared, [1])
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:  # it knows no CPU kernel
        loss, supervised = token_loss_sum(joined, batch)
        loss.backward()
    flops = count_flops(joined)
    length = batch.input_ids.numel()
    pairs = length * (length + 1) // 2
    again = 2 * joined.model.lm_head.weight.numel() * supervised  # logits are made twice
    beyond = flops.pair * (length * length - pairs)  # torch counts pairs with later tokens too
    assert flops.total(length, pairs, supervised, 1) + again + beyond == pytest.approx(
        counted.get_total_flops(), rel=0.03
    )


def test_operations_of_a_pack_of_trees_are_hardly_more_than_those_that_torch_counts(bases: Path) -> None:
    joined = tuned(tiny_training.model(bases))
    prepared = tiny_training.samples()
    (pack,) = lay_out(prepared, range(30), "shared", most_tokens=10**6)
    batch = tiny_training.loader(joined, prepared)(pack)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        loss, supervised = token_loss_sum(joined, batch)
        loss.backward()
    flops = count_flops(joined)
    told = flops.total(pack.tokens, pack.pairs, supervised, batch.pictures)
    alone = [Tree((one,), 0, (int(prepared.lengths[one]),)) for one in range(30)]
    without = sum(flops.total(tree.tokens, tree.pairs, 0, 0) for tree in alone)
    again = 2 * joined.model.lm_head.weight.numel() * supervised
    beyond = sum(flops.pair * (tree.tokens**2 - tree.pairs) for tree in pack.trees)
    last = sum(weight.numel() for weight in joined.model.model.language_model.layers[-1].parameters())
    saved = 6 * last * (pack.tokens - len(batch.places)) + flops.pair / 2 * sum(tree.tokens**2 for tree in pack.trees)
    # The narrow last layer saves something, of one layer at most.
    assert told + again + beyond - saved < counted.get_total_flops() < told + again + beyond
    assert flops.total(pack.tokens, pack.pairs, 0, 0) < 0.8 * without


@pytest.mark.parametrize("recompute", [0, 1])
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
def test_what_layers_keep_for_the_backward_pass_is_forecast(
    bases: Path, stage: Any, lora_rank: int, dtype: torch.dtype, recompute: int
) -> None:
    found, told, states = {}, {}, 0
    for layers in (3, 8):
        joined = tiny_training.model(
            bases / f"{layers} layers", stage, lora_rank=lora_rank, num_hidden_layers=layers, vocab_size=512
        )
        forecast = Forecast(joined, dtype)
        set_precision(joined.model.parameters(), dtype)
        tuned(joined, recompute=recompute)
        batch = tiny_training.padded(joined, tiny_training.samples(), [4] * 12)  # as long, so nothing is padded
        tokens = batch.input_ids.numel()
        found[layers] = bytes_kept(joined, batch, dtype)
        told[layers] = forecast.memory(tokens, tokens, recompute=recompute).activations
        states = tokens * joined.model.config.text_config.hidden_size * 4
    assert told[8] - told[3] == pytest.approx(found[8] - found[3], rel=0.03)
    assert -1 < (found[8] - told[8]) / states < 7  # around the layers: 32 layers of Llama keep 600 times as much


def bytes_kept(joined: Joined, batch: Batch, dtype: torch.dtype) -> int:
    """Return how much autograd holds after a forward pass, without the weights and the head."""
    kept: dict[int, Any] = {}
    own = {weight.untyped_storage()._cdata for weight in joined.model.parameters()}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other takes its number
        return tensor

    with computing(torch.device("cpu"), dtype), saved_tensors_hooks(keep, lambda tensor: tensor):
        assert predicting_states(joined, batch).requires_grad
    return sum(storage.nbytes() for storage in kept.values())


def test_a_matrix_product_has_a_rate() -> None:
    assert 1e8 < measured_rate(torch.device("cpu"), torch.float32) < 1e15
