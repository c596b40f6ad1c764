# ruff: noqa: E402
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from pipeline.finetune import forward
from pipeline.finetune.batches import Batch
from pipeline.finetune.forward import predicting_states, token_loss_sum
from pipeline.finetune.layout import Pack, lay_out
from pipeline.finetune.model import Joined, see
from pipeline.finetune.schedule import computing, set_precision
from tests.finetune import tiny_training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def mixed_batch(joined: Joined) -> Batch:
    """Six samples of different lengths, four of them with an image."""
    prepared = tiny_training.samples(image_tokens=joined.image_tokens)
    return tiny_training.padded(joined, prepared, range(6))


def batch_of_trees(joined: Joined) -> Batch:
    """The same six samples in one row, an image's tokens once."""
    prepared = tiny_training.samples(image_tokens=joined.image_tokens)
    (pack,) = lay_out(prepared, range(6), "shared", most_tokens=10**6)
    assert pack.tokens < prepared.lengths[:6].sum()
    return tiny_training.loader(joined, prepared)(pack)


def text_batch(joined: Joined) -> Batch:
    return tiny_training.padded(joined, tiny_training.samples(), [0, 3])


def theirs(batch: Batch) -> dict[str, Any]:
    """Return what the library takes for a padded batch: a picture for each sample that shows it."""
    assert batch.pixel_values is not None
    pixels = batch.pixel_values[batch.slots]
    return {"input_ids": batch.input_ids, "pixel_values": pixels, "attention_mask": batch.attention_mask}


def gradients(joined: Joined) -> dict[str, Any]:
    found = {name: weight.grad for name, weight in joined.model.named_parameters() if weight.requires_grad}
    joined.model.zero_grad()
    return found


@pytest.mark.parametrize("projector", ["linear", "mlp2x_gelu", "transformer"])
def test_the_loss_is_the_librarys_own_and_so_are_its_gradients(folder: Path, projector: str) -> None:
    joined = tiny_training.model(folder, projector=projector)
    batch = mixed_batch(joined)
    loss, supervised = token_loss_sum(joined, batch)
    loss.backward()
    ours = gradients(joined)
    expected = joined.model(**theirs(batch), labels=tiny_training.labels(batch), use_cache=False).loss
    expected.backward()
    assert supervised == len(batch.targets)
    assert loss.item() / supervised == pytest.approx(expected.item(), rel=1e-5)
    for name, gradient in gradients(joined).items():
        torch.testing.assert_close(ours[name] / supervised, gradient, rtol=1e-3, atol=1e-6)


def test_in_float64_the_loss_is_exact(folder: Path) -> None:
    joined = tiny_training.model(folder, dtype=torch.float64)
    batch = mixed_batch(joined)
    loss, _ = token_loss_sum(joined, batch)
    logits = joined.model(**theirs(batch), use_cache=False).logits
    exact = functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tiny_training.labels(batch)[:, 1:].flatten(), reduction="sum"
    )
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(exact.item(), rel=1e-12)


def test_logits_are_made_at_supervised_positions_alone(folder: Path) -> None:
    joined = tiny_training.model(folder)
    seen = []
    joined.model.lm_head.register_forward_hook(lambda head, inputs, logits: seen.append(logits.shape))
    batch = mixed_batch(joined)
    token_loss_sum(joined, batch)
    assert seen == [(len(batch.targets), joined.model.config.text_config.vocab_size)]


def test_chunks_change_nothing_and_none_is_larger_than_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = tiny_training.model(folder, dtype=torch.float64)
    batch = mixed_batch(joined)
    whole, _ = token_loss_sum(joined, batch)
    whole.backward()
    expected = gradients(joined)
    seen = []
    joined.model.lm_head.register_forward_hook(lambda head, inputs, logits: seen.append(len(logits)))
    monkeypatch.setattr(forward, "CHUNK", 5)
    loss, _ = token_loss_sum(joined, batch)
    assert max(seen) == 5
    assert sum(seen) == len(batch.targets)
    loss.backward()
    assert loss.item() == pytest.approx(whole.item(), rel=1e-12)
    assert tiny_training.difference(expected, gradients(joined)) < 1e-12


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_a_batch_of_text_gives_the_projector_a_gradient_of_exactly_zero(folder: Path, stage: Any) -> None:
    joined = tiny_training.model(folder, stage)
    loss, _ = token_loss_sum(joined, text_batch(joined))
    loss.backward()
    found = gradients(joined)
    assert all(gradient is not None for gradient in found.values())
    assert all(not gradient.any() for name, gradient in found.items() if "multi_modal_projector" in name)
    assert any(gradient.any() for gradient in found.values()) == (stage == "instruct")


@pytest.mark.parametrize("stage", ["align", "instruct"])
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_batch_of_nothing_gives_every_weight_a_gradient_of_exactly_zero(
    folder: Path, stage: Any, lora_rank: int
) -> None:
    joined = tiny_training.model(folder, stage, lora_rank=lora_rank)
    loss, supervised = token_loss_sum(joined, tiny_training.loader(joined, tiny_training.samples())(Pack(())))
    loss.backward()
    assert (loss.item(), supervised) == (0.0, 0)
    found = gradients(joined)
    assert found
    assert all(gradient is not None and not gradient.any() for gradient in found.values())


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_in_bfloat16_layers_compute_narrowly_and_the_loss_is_wide(folder: Path, stage: Any) -> None:
    joined = tiny_training.model(folder, stage)
    batch = mixed_batch(joined)
    exact, _ = token_loss_sum(joined, batch)
    set_precision(joined.model.parameters(), torch.bfloat16)
    seen = []
    for layer in joined.model.model.language_model.layers:
        layer.register_forward_hook(lambda layer, inputs, states: seen.append(states.dtype))
    with computing(torch.device("cpu"), torch.bfloat16):
        loss, _ = token_loss_sum(joined, batch)
    loss.backward()
    assert set(seen) == {torch.bfloat16}
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert {gradient.dtype for gradient in gradients(joined).values()} == {torch.float32}


def test_a_pack_of_trees_has_the_loss_of_its_samples_row_by_row(folder: Path) -> None:
    joined = tiny_training.model(folder, dtype=torch.float64)
    expected, supervised = token_loss_sum(joined, mixed_batch(joined))
    tuned = tiny_training.tuned(tiny_training.model(folder, dtype=torch.float64))
    loss, others = token_loss_sum(tuned, batch_of_trees(tuned))
    assert others == supervised
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_states_are_those_of_predicting_places_alone(folder: Path) -> None:
    joined = tiny_training.tuned(tiny_training.model(folder, dtype=torch.float64))
    batch = batch_of_trees(joined)
    narrow = predicting_states(joined, batch)
    joined.is_narrow = False
    wide = predicting_states(joined, batch)
    assert narrow.shape == (len(batch.places), joined.model.config.text_config.hidden_size)
    torch.testing.assert_close(narrow, wide, rtol=1e-12, atol=1e-12)


def test_features_that_were_kept_give_the_same_loss_to_the_last_bit(folder: Path) -> None:
    joined = tiny_training.tuned(tiny_training.model(folder))
    batch = batch_of_trees(joined)
    assert batch.pixel_values is not None
    expected, _ = token_loss_sum(joined, batch)
    kept = replace(batch, features=see(joined.model, batch.pixel_values), pixel_values=None)
    joined.model.model.vision_tower = None  # nobody looks at it
    loss, _ = token_loss_sum(joined, kept)
    assert torch.equal(loss, expected)


def test_a_picture_at_several_places_is_looked_at_once(folder: Path) -> None:
    joined = tiny_training.model(folder)
    seen: list[int] = []
    joined.model.model.vision_tower.embeddings.register_forward_hook(
        lambda module, inputs, states: seen.append(len(states))
    )
    batch = mixed_batch(joined)
    token_loss_sum(joined, batch)
    assert (seen, batch.slots.tolist()) == ([2], [0, 0, 1, 1])
