# ruff: noqa: E402
"""Whether a language model can be told who sees whom: found out by trying, and never wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModel, LlamaConfig, LlamaModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from pipeline.cli import run_command
from pipeline.finetune.attention import BY_TREE, fault, use
from tests.finetune import tiny

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}


def made(kind: type[LlamaModel] = LlamaModel) -> LlamaModel:
    torch.manual_seed(0)
    return kind(LlamaConfig(**SIZES)).eval()


class Deaf(LlamaModel):
    """Hands its layers the mask alone, as models did before attention could be exchanged."""

    def forward(self, input_ids: Any = None, position_ids: Any = None, attention_mask: Any = None, **_: Any) -> Any:
        return super().forward(input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False)


class WithoutPositions(LlamaModel):
    """Counts positions itself."""

    def forward(self, input_ids: Any = None, position_ids: Any = None, **named: Any) -> Any:
        return super().forward(input_ids, **named)


class Neighbours(LlamaModel):
    """Adds the token before to each, as convolutions and recurrent layers do."""

    def forward(self, input_ids: Any = None, **named: Any) -> Any:
        states = self.embed_tokens(input_ids)
        before = states.roll(1, 1) * (torch.arange(states.shape[1]) > 0)[:, None]
        return super().forward(inputs_embeds=states + before, **named)


class Strict(LlamaModel):
    """Takes nothing that it does not know."""

    def forward(self, input_ids: Any = None, attention_mask: Any = None, use_cache: bool = False) -> Any:
        return super().forward(input_ids, attention_mask=attention_mask, use_cache=use_cache)


class DeafLayer(LlamaDecoderLayer):
    def forward(self, *given: Any, pieces: Any = None, **named: Any) -> Any:
        return super().forward(*given, **named)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_model_that_hands_on_what_it_is_told_has_no_fault(dtype: Any) -> None:
    assert fault(made().to(dtype), 1000) == ""


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Deaf, "its states differ by"),
        (WithoutPositions, "its states differ by"),
        (Neighbours, "its states differ by"),
        (Strict, "it does not take them (TypeError: "),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_does_not_is_found_out(kind: type[LlamaModel], why: str, dtype: Any) -> None:
    assert fault(made(kind).to(dtype), 1000).startswith(why)


def test_one_layer_of_another_sort_is_found_among_the_first(tmp_path: Path) -> None:
    model = made()
    model.layers[3] = DeafLayer(model.config, 3)
    assert fault(model.eval(), 1000).startswith("its states differ by")


def test_a_model_is_afterwards_as_it_was() -> None:
    for kind in (LlamaModel, Strict, Deaf):
        model = made(kind)
        usual, layers = model.config._attn_implementation, list(model.layers)
        fault(model, 1000)
        assert (model.config._attn_implementation, list(model.layers)) == (usual, layers)


def of(architecture: str, **more: Any) -> Any:
    from transformers import AutoConfig

    torch.manual_seed(0)
    return AutoModel.from_config(AutoConfig.for_model(architecture, **(SIZES | more))).eval()


@pytest.mark.parametrize("architecture", ["mistral", "qwen2", "starcoder2"])
def test_a_window_shorter_than_a_sample_is_a_fault_and_a_longer_one_is_none(architecture: str) -> None:
    more = {"use_sliding_window": True, "max_window_layers": 1} if architecture == "qwen2" else {}
    model = of(architecture, sliding_window=100, **more)
    assert fault(model, 100) == ""
    assert fault(model, 101) == "it sees 100 tokens back, and samples have up to 101"


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("gemma2", {"sliding_window": 4096}),  # caps scores, which SDPA cannot
        ("bloom", {"n_head": 4}),
        ("mamba", {}),
        ("lfm2", {"layer_types": ["conv", "full_attention", "conv", "full_attention", "conv", "full_attention"]}),
    ],
)
def test_other_ways_to_see_are_faults(architecture: str, more: dict[str, Any]) -> None:
    assert fault(of(architecture, **more), 50)


def test_a_model_that_attends_by_trees_does_the_same_as_ever_without_them() -> None:
    model = made()
    ids, mask = torch.tensor([[5, 6, 7, 8], [9, 8, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
        use(model, flex=False)
        assert model.config._attn_implementation == BY_TREE
        found = model(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[mask.bool()], expected[mask.bool()], rtol=0, atol=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    assert run_command(["generate", "--on-contradiction", "off", "--out", str(tmp_path / "run")]) == 0
    tiny.save_clip(tmp_path / "clip")
    return tmp_path


@pytest.mark.parametrize(
    ("language", "more", "said"),
    [
        ("mistral", {"sliding_window": 20}, "layout padded: "),
        ("bloom", {"n_head": 4}, "layout padded: "),
        ("gpt2", {}, "layout shared: "),
        ("llama", {}, "layout shared: "),
    ],
)
def test_what_cannot_be_told_of_trees_is_padded_and_that_is_said(
    data: Path, language: str, more: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.save_language(data / language, language, **more)
    flags = ["--vision", str(data / "clip"), "--language", str(data / language), "--batch", "8", "--steps", "1"]
    assert run_command(["finetune", "--data", str(data / "run"), *flags, "--out", "trained"]) == 0
    told = capsys.readouterr().err
    assert said in told
    assert ("the language model cannot be told who sees whom: " in told) == ("padded" in said)
    assert (Path("trained") / "checkpoint").exists()
