# ruff: noqa: E402
"""Samples that share an image's tokens, packed or not, against each alone in a row: same loss, same gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pipeline.finetune.attention import fault
from pipeline.finetune.batches import Batch
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.layout import Pack, Tree, lay_out
from pipeline.finetune.model import Joined
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IMAGE
from tests.finetune.tiny_training import difference, loader, model, padded, samples, step_gradients, tuned

CHOSEN = [*range(14), 4, 4]  # one of them three times, every third without an image
ALL = 10**6  # tokens, so one pack
Found = tuple[float, dict[str, Any]]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def exact_norms(joined: Joined) -> Joined:
    """Have the norms of Llama, Mistral and Qwen compute in float64; the library's do in float32, whatever comes in."""

    def forward(norm: Any, states: Any) -> Any:
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    for module in joined.model.modules():
        if type(module).__name__ in ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm"):
            module.forward = partial(forward, module)
    return joined


def one_by_one(joined: Joined, prepared: Prepared, chosen: Sequence[int]) -> Found:
    return gradients(joined, [padded(joined, prepared, [sample]) for sample in chosen])


def gradients(joined: Joined, batches: Sequence[Batch]) -> Found:
    """Return the mean loss of batches, and the gradient of each weight that learns."""
    joined.model.zero_grad()
    losses, counts = zip(*(token_loss_sum(joined, batch) for batch in batches), strict=True)
    loss = sum(losses) / sum(counts)
    loss.backward()
    found = {name: weight.grad for name, weight in joined.model.named_parameters() if weight.requires_grad}
    return loss.item(), {name: grad.clone() for name, grad in found.items()}


def layouts(prepared: Prepared, chosen: Sequence[int]) -> dict[str, list[Pack]]:
    (shared,) = lay_out(prepared, chosen, "shared", most_tokens=ALL)
    assert any(len(tree.samples) > 1 for tree in shared.trees)
    split = lay_out(prepared, chosen, "shared", most_tokens=45)
    assert len(split) > 2
    assert sum(len(pack.trees) for pack in split) > len(shared.trees)  # some tree is too large
    return {
        "padded": lay_out(prepared, chosen, "padded", most_tokens=150),
        "a tree at a time": [Pack((tree,)) for tree in shared.trees],
        "packed": lay_out(prepared, chosen, "packed", most_tokens=ALL),
        "packed in several rows": lay_out(prepared, chosen, "packed", most_tokens=100),
        "shared and packed": [shared],
        "split": split,
        "empty ones among them": [Pack(()), shared, Pack(())],
    }


def off(found: Found, expected: Found) -> float:
    """Return how far two losses and sets of gradients are apart, relative to their size."""
    return max(abs(found[0] - expected[0]) / expected[0], difference(expected[1], found[1]))


@pytest.mark.parametrize(
    ("stage", "projector", "lora_rank"),
    [
        ("align", "linear", 0),
        ("align", "transformer", 0),
        ("instruct", "linear", 0),
        ("instruct", "transformer", 0),
        ("instruct", "mlp2x_gelu", 2),
    ],
)
def test_loss_and_gradients_are_those_of_the_samples_one_by_one(
    bases: Path, stage: Any, projector: str, lora_rank: int
) -> None:
    joined = model(bases, stage, dtype=torch.float64, projector=projector, lora_rank=lora_rank)
    prepared = samples(image_tokens=joined.image_tokens)
    expected = one_by_one(joined, prepared, CHOSEN)
    tuned(joined)
    assert joined.is_narrow
    for name, packs in layouts(prepared, CHOSEN).items():
        loss, found = gradients(joined, [loader(joined, prepared)(pack) for pack in packs])
        assert loss == pytest.approx(expected[0], abs=1e-6), name
        assert difference(expected[1], found) < 1e-5, name
    exact_norms(joined)
    expected = one_by_one(joined, prepared, CHOSEN)
    for name, packs in layouts(prepared, CHOSEN).items():
        assert off(gradients(joined, [loader(joined, prepared)(pack) for pack in packs]), expected) < 1e-12, name


@pytest.mark.parametrize("recompute", [0, 1, 2])
@pytest.mark.parametrize("is_narrow", [True, False])
def test_neither_recomputation_nor_a_narrow_last_layer_changes_anything(
    bases: Path, is_narrow: bool, recompute: int
) -> None:
    joined = exact_norms(model(bases, dtype=torch.float64))
    prepared = samples(image_tokens=joined.image_tokens)
    expected = one_by_one(joined, prepared, CHOSEN)
    tuned(joined, recompute=recompute)
    joined.is_narrow &= is_narrow
    (pack,) = lay_out(prepared, CHOSEN, "shared", most_tokens=ALL)
    assert off(gradients(joined, [loader(joined, prepared)(pack)]), expected) < 1e-12


def test_recomputation_with_dropout_draws_the_same_again(bases: Path) -> None:
    found = []
    for recompute in (0, 2):
        torch.manual_seed(0)
        joined = model(bases, dtype=torch.float64, dropout=0.3, lora_rank=2)
        found.append(step_gradients(joined, samples(), micro_tokens=200, recompute=recompute))
    assert off(*found) < 1e-12


def test_five_captions_an_image_in_the_first_stage(bases: Path) -> None:
    joined = exact_norms(model(bases, "align", dtype=torch.float64))
    prepared = samples(image_tokens=joined.image_tokens, samples_an_image=5)
    chosen = [sample for sample in range(20) if prepared.picture[sample] in (0, 1)]
    (pack,) = lay_out(prepared, chosen, "shared", most_tokens=ALL)
    assert [len(tree.samples) for tree in pack.trees] == [5, 5]
    expected = one_by_one(joined, prepared, chosen)
    assert off(gradients(tuned(joined), [loader(joined, prepared)(pack)]), expected) < 1e-12


def test_an_image_that_stands_anywhere_is_where_it_was(bases: Path) -> None:
    joined = exact_norms(model(bases, dtype=torch.float64))
    prepared = moved(samples(image_tokens=joined.image_tokens))
    (pack,) = lay_out(prepared, CHOSEN, "shared", most_tokens=ALL)
    sizes = {len(tree.samples) for tree in pack.trees if prepared.picture[tree.samples[0]] >= 0}
    assert {1, 2} <= sizes  # some share their beginning, of some it has no image in it
    expected = one_by_one(joined, prepared, CHOSEN)
    assert off(gradients(tuned(joined), [loader(joined, prepared)(pack)]), expected) < 1e-12


def moved(prepared: Prepared) -> Prepared:
    """Move the images of every other pair behind the words that they stood before."""
    tokens = prepared.tokens.copy()
    for sample in np.flatnonzero((prepared.picture >= 0) & (prepared.picture % 2 == 1)):
        ids, labels = prepared.sample(sample)
        last = int(np.flatnonzero(labels >= 0)[0]) - 1
        start = int(prepared.starts[sample])
        tokens[start : start + last + 1] = [*(one for one in ids[: last + 1] if one != IMAGE), IMAGE]
    return replace(prepared, tokens=tokens)


def test_a_text_alone_in_a_pack_of_its_own(bases: Path) -> None:
    joined = exact_norms(model(bases, dtype=torch.float64))
    text = [sample for sample in range(12) if samples().picture[sample] < 0]
    expected = one_by_one(joined, samples(), text)
    (pack,) = lay_out(samples(), text, "shared", most_tokens=ALL)
    assert off(gradients(tuned(joined), [loader(joined, samples())(pack)]), expected) < 1e-12


def each_sees_all_before(batch: Batch) -> Batch:
    whole = Tree((0,), 0, (batch.input_ids.shape[1],))
    return replace(batch, trees=(whole,))


def sharing_alone(batch: Batch) -> Batch:
    """Forget who is of which branch, but not of which tree."""
    return replace(batch, trees=tuple(Tree(tree.samples[:1], 0, (tree.tokens,)) for tree in batch.trees))


def positions_begin_again(batch: Batch) -> Batch:
    positions, begin = batch.position_ids.clone(), 0
    for tree in batch.trees:
        begin += tree.shared
        for own in tree.own:
            positions[0, begin : begin + own] = torch.arange(own)
            begin += own
    return replace(batch, position_ids=positions)


def positions_run_on(batch: Batch) -> Batch:
    return replace(batch, position_ids=torch.arange(batch.input_ids.shape[1])[None])


@pytest.mark.parametrize("spoil", [each_sees_all_before, sharing_alone, positions_begin_again, positions_run_on])
@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_with_any_of_it_wrong_the_tests_above_would_fail_by_far(
    bases: Path, stage: Any, spoil: Callable[[Batch], Batch]
) -> None:
    joined = model(bases, stage, dtype=torch.float64)
    prepared = samples(image_tokens=joined.image_tokens)
    expected = one_by_one(joined, prepared, CHOSEN)
    (pack,) = lay_out(prepared, CHOSEN, "shared", most_tokens=ALL)
    loss, found = gradients(tuned(joined), [spoil(loader(joined, prepared)(pack))])
    assert abs(loss - expected[0]) > 1e-3
    assert difference(expected[1], found) > 1e-2


def test_with_a_cache_the_librarys_own_packing_is_wrong_and_trees_are_not(bases: Path) -> None:
    joined = exact_norms(model(bases, dtype=torch.float64))
    prepared, chosen = samples(), [1, 2, 4, 5]
    expected = one_by_one(joined, prepared, chosen)
    (pack,) = lay_out(prepared, chosen, "packed", most_tokens=ALL)
    batch = loader(joined, prepared)(pack)
    language = joined.model.model.language_model

    def library(use_cache: bool) -> float:
        """Return the loss where positions that begin again are all that tells samples apart."""

        def call(*_: Any, position_ids: Any, inputs_embeds: Any, **__: Any) -> Any:
            return type(language).forward(
                language, inputs_embeds=inputs_embeds, position_ids=position_ids, use_cache=use_cache
            )

        language.forward = call
        try:
            return gradients(joined, [batch])[0]
        finally:
            del language.forward

    assert library(use_cache=False) == pytest.approx(expected[0], rel=1e-12)
    assert abs(library(use_cache=True) - expected[0]) > 1e-3
    tuned(joined)
    handle = language.register_forward_pre_hook(
        lambda module, given, named: (given, named | {"use_cache": True}), with_kwargs=True
    )
    assert off(gradients(joined, [batch]), expected) < 1e-12
    handle.remove()


@pytest.mark.parametrize(
    ("language", "more", "is_narrow"),
    [
        ("qwen2", {}, True),
        ("qwen3", {}, True),
        ("mistral", {"sliding_window": None}, True),
        ("mistral", {"sliding_window": 64}, True),  # no sample is as long
        ("gemma", {}, True),
        ("starcoder2", {}, True),
        ("granite", {"residual_multiplier": 0.3, "attention_multiplier": 0.2}, False),
        ("olmo", {"clip_qkv": 0.5}, False),
        ("smollm3", {"no_rope_layers": [1, 0], "pad_token_id": 0}, False),
        ("gpt_neox", {}, False),
        ("gpt2", {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}, False),
    ],
)
def test_other_architectures_are_as_exact(tmp_path: Path, language: str, more: dict[str, Any], is_narrow: bool) -> None:
    joined = model(tmp_path, dtype=torch.float64, language=language, **more)
    prepared = samples(image_tokens=joined.image_tokens)
    assert fault(joined.model.model.language_model.eval(), int(prepared.lengths.max())) == ""
    joined.model.train()
    loss, expected = one_by_one(joined, prepared, CHOSEN)
    tuned(joined, recompute=1)
    assert joined.is_narrow == is_narrow
    for packs in (
        lay_out(prepared, CHOSEN, "shared", most_tokens=ALL),
        lay_out(prepared, CHOSEN, "packed", most_tokens=ALL),
    ):
        found_loss, found = gradients(joined, [loader(joined, prepared)(pack) for pack in packs])
        assert found_loss == pytest.approx(loss, abs=1e-6)
        assert difference(expected, found) < 1e-5
