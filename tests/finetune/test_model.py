"""Joining base models, and what training may move in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    CohereConfig,
    CohereForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from pipeline.errors import PipelineError  # noqa: E402
from pipeline.finetune.bases import add_tokens  # noqa: E402
from pipeline.finetune.fingerprint import fingerprint, load_projector, save_projector  # noqa: E402
from pipeline.finetune.model import (  # noqa: E402
    Joined,
    add_lora,
    embed,
    freeze,
    image_features,
    join,
    load,
    parameter_groups,
    use_template,
)
from pipeline.finetune.projectors import make_projector  # noqa: E402
from tests.finetune import tiny  # noqa: E402

PROJECTORS = ("linear", "mlp2x_gelu", "transformer")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("bases")
    return {
        "clip": tiny.save_clip(folder / "clip"),
        "other clip": tiny.save_clip(folder / "other-clip", seed=1),
        "whole clip": tiny.save_clip(folder / "whole-clip", whole=True),
        "siglip": tiny.save_siglip(folder / "siglip"),
        "whole siglip": tiny.save_siglip(folder / "whole-siglip", whole=True),
        "llama": tiny.save_language(folder / "llama"),
        "other llama": tiny.save_language(folder / "other-llama", seed=1),
        "qwen2": tiny.save_language(folder / "qwen2", "qwen2", tie=True),
    }


def pixels(joined: Joined, count: int) -> Any:
    pictures = [tiny.picture(seed) for seed in range(count)]
    return joined.processor.image_processor(pictures, return_tensors="pt")["pixel_values"]


@contextmanager
def counting_layers(joined: Joined) -> Iterator[list[str]]:
    """Note each layer of the vision model that runs."""
    ran: list[str] = []
    tower = joined.model.model.vision_tower
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in tower.named_modules()
        if name.removeprefix("encoder.layers.").isdecimal() or name in ("embeddings", "post_layernorm")
    ]
    yield ran
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize(
    ("vision", "language", "projector"),
    [
        ("clip", "llama", "linear"),
        ("clip", "qwen2", "transformer"),
        ("whole clip", "llama", "mlp2x_gelu"),
        ("siglip", "llama", "transformer"),
        ("whole siglip", "qwen2", "linear"),
    ],
)
def test_any_vision_model_joins_any_language_model_and_an_image_takes_its_patches(
    bases: dict[str, str], vision: str, language: str, projector: Any
) -> None:
    joined = join(bases[vision], bases[language], projector)
    text = joined.processor(images=[tiny.picture()], text="a <image> b", return_tensors="pt")
    places = text["input_ids"] == joined.image_token_id
    assert joined.image_tokens == tiny.PATCHES + (2 if projector == "transformer" else 0) == int(places.sum())
    assert image_features(joined.model, text["pixel_values"]).shape == (1, joined.image_tokens, tiny.WIDTH)


@pytest.mark.parametrize("layer", [-1, -2, 1])
@pytest.mark.parametrize("vision", ["clip", "siglip"])
def test_image_features_are_the_librarys_to_the_last_bit(bases: dict[str, str], vision: str, layer: int) -> None:
    joined = join(bases[vision], bases["llama"], "mlp2x_gelu", feature_layer=layer)
    pixel_values = pixels(joined, 2)
    theirs = torch.stack(joined.model.get_image_features(pixel_values, return_dict=True).pooler_output)
    with counting_layers(joined) as ran:
        ours = image_features(joined.model, pixel_values)
    assert torch.equal(ours, theirs)
    assert ran == ["embeddings", *(f"encoder.layers.{place}" for place in range(layer % 4))]


def test_gradients_reach_the_projector_and_stop_at_the_vision_model(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "mlp2x_gelu")
    joined.model.train()
    image_features(joined.model, pixels(joined, 1)).sum().backward()
    assert all(weight.grad is not None for weight in joined.model.model.multi_modal_projector.parameters())
    assert all(weight.grad is None for weight in joined.model.model.vision_tower.parameters())
    assert not joined.model.model.vision_tower.training


@pytest.mark.parametrize("projector", PROJECTORS)
def test_embeddings_make_the_scores_that_the_librarys_forward_makes(bases: dict[str, str], projector: Any) -> None:
    joined = join(bases["clip"], bases["llama"], projector)
    joined.model.eval()
    texts = ["<image> a", "the man <image> and a cat"]
    batch = joined.processor(
        images=[[tiny.picture(0)], [tiny.picture(1)]], text=texts, padding=True, return_tensors="pt"
    )
    embeddings = embed(joined, batch["input_ids"], image_features(joined.model, batch["pixel_values"]))
    ours = joined.model(inputs_embeds=embeddings, attention_mask=batch["attention_mask"]).logits
    assert torch.equal(ours, joined.model(**batch).logits)
    swapped = image_features(joined.model, batch["pixel_values"].flip(0))
    assert not torch.equal(embed(joined, batch["input_ids"], swapped), embeddings)
    again = embed(joined, batch["input_ids"], swapped, torch.tensor([1, 0]))  # which picture is at which place
    assert torch.equal(again, embeddings)


def test_text_alone_never_touches_the_vision_model(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "linear")
    ids = joined.tokenizer("a cat", return_tensors="pt")["input_ids"]
    with counting_layers(joined) as ran:
        embeddings = embed(joined, ids, None)
    assert ran == []
    assert torch.equal(embeddings, joined.model.get_input_embeddings()(ids))


@pytest.mark.parametrize("places", [15, 17])
def test_places_that_are_not_as_many_as_embeddings_are_an_error(bases: dict[str, str], places: int) -> None:
    joined = join(bases["clip"], bases["llama"], "linear")
    ids = torch.tensor([[joined.image_token_id] * places + [5]])
    with pytest.raises(RuntimeError):
        embed(joined, ids, image_features(joined.model, pixels(joined, 1)))


@pytest.mark.parametrize("language", ["llama", "qwen2"])
def test_a_joined_model_says_of_text_what_its_language_model_said(bases: dict[str, str], language: str) -> None:
    alone = AutoModelForCausalLM.from_pretrained(bases[language])
    tokenizer = AutoTokenizer.from_pretrained(bases[language])
    rows = alone.get_input_embeddings().weight.shape[0]
    joined = join(bases["clip"], bases[language], "linear")
    text = "Where does the man stand? 图中有两只猫"
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    assert torch.equal(ids, joined.tokenizer(text, return_tensors="pt")["input_ids"])
    assert torch.allclose(joined.model(ids).logits[..., :rows], alone(ids).logits, atol=1e-5)
    tied = joined.model.lm_head.weight is joined.model.get_input_embeddings().weight
    assert tied == (language == "qwen2")


def test_added_tokens_get_new_ids_and_rows_that_are_the_mean(bases: dict[str, str]) -> None:
    before = AutoTokenizer.from_pretrained(bases["llama"]).get_vocab()
    joined = join(bases["clip"], bases["llama"], "linear")
    after = joined.tokenizer.get_vocab()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"<image>", "<pad>"}
    old = len(before)
    for weight in (joined.model.get_input_embeddings().weight, joined.model.lm_head.weight):
        assert weight.shape[0] % 64 == 0
        assert torch.allclose(weight[old:], weight[:old].mean(dim=0).expand(len(weight) - old, -1), atol=1e-6)
    config = joined.model.config
    assert (config.image_token_id, config.text_config.pad_token_id) == (after["<image>"], after["<pad>"])
    assert config.text_config.vocab_size == len(joined.model.lm_head.weight)


def test_rows_to_spare_are_used_and_stay_as_they_are(bases: dict[str, str], tmp_path: Path) -> None:
    language = tiny.save_language(tmp_path / "spare", spare_rows=2)
    alone = AutoModelForCausalLM.from_pretrained(language).get_input_embeddings().weight
    joined = join(bases["clip"], language, "linear")
    assert torch.equal(joined.model.get_input_embeddings().weight, alone)
    assert joined.image_token_id < len(alone)


def test_a_tokenizer_that_pads_keeps_its_padding(bases: dict[str, str]) -> None:
    own = AutoTokenizer.from_pretrained(bases["qwen2"])
    joined = join(bases["clip"], bases["qwen2"], "linear")
    assert own.pad_token
    assert joined.tokenizer.pad_token_id == own.pad_token_id == joined.model.generation_config.pad_token_id


def test_a_tokenizer_without_padding_pads_with_its_unknown_token_as_llavas_do() -> None:
    tokenizer = copy.deepcopy(tiny.tiny_tokenizers.llama(legacy=False))
    tokens = len(tokenizer)
    assert (tokenizer.pad_token, tokenizer.unk_token) == (None, "<unk>")
    add_tokens(tokenizer)
    assert tokenizer.pad_token == "<unk>"
    assert len(tokenizer) == tokens + 1


def test_the_same_seed_draws_the_same_projector_and_leaves_the_random_state_alone(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "transformer", seed=3)
    state = torch.get_rng_state()
    again, other = (
        make_projector("transformer", joined.model.config, seed=seed, dtype=torch.float32) for seed in (3, 4)
    )
    add_lora(joined, 4, 8, 0.0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(joined.model.model.multi_modal_projector.linear.weight, again.linear.weight)
    assert not torch.equal(again.linear.weight, other.linear.weight)


def test_an_end_token_of_an_earlier_template_no_longer_counts(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "linear", template="plain")
    newline = joined.tokenizer.convert_tokens_to_ids("<0x0A>")
    assert newline in joined.model.generation_config.eos_token_id
    use_template(joined, "vicuna_v1")
    assert joined.model.generation_config.eos_token_id == [joined.tokenizer.eos_token_id]
    assert joined.template == "vicuna_v1"
    assert "ASSISTANT:" in joined.processor.chat_template


def learning(joined: Joined) -> set[str]:
    """Return the parts that learn: the first names of their weights, and ``lora`` for low-rank pairs."""
    names = [name for name, weight in joined.model.named_parameters() if weight.requires_grad]
    return {"lora" if "lora_" in name else name.removeprefix("model.").split(".")[0] for name in names}


def test_each_stage_trains_its_parts_whole_and_no_other(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "transformer")
    freeze(joined, "instruct")
    assert learning(joined) == {"multi_modal_projector", "language_model", "lm_head"}
    parts = joined.model.model
    assert all(
        weight.requires_grad for weight in (*parts.language_model.parameters(), *joined.model.lm_head.parameters())
    )
    freeze(joined, "align")
    assert learning(joined) == {"multi_modal_projector"}
    assert parts.multi_modal_projector.start.requires_grad
    assert parts.multi_modal_projector.end.requires_grad
    assert all(weight.requires_grad for weight in parts.multi_modal_projector.parameters())
    assert (parts.language_model.training, parts.vision_tower.training) == (True, False)
    add_lora(joined, 4, 8, 0.0)
    freeze(joined, "instruct")
    assert learning(joined) == {"multi_modal_projector", "lora"}
    freeze(joined, "align")
    assert learning(joined) == {"multi_modal_projector"}


def test_low_rank_pairs_stand_beside_every_linear_layer_of_the_language_model_and_change_nothing_yet(
    bases: dict[str, str],
) -> None:
    joined = join(bases["clip"], bases["llama"], "mlp2x_gelu")
    joined.model.eval()
    ids = joined.tokenizer("a cat", return_tensors="pt")["input_ids"]
    before = joined.model(ids).logits
    linear = [n for n, m in joined.model.model.language_model.named_modules() if isinstance(m, torch.nn.Linear)]
    add_lora(joined, 4, 8, 0.0)
    paired = {n.split(".lora_A")[0] for n, _ in joined.model.named_parameters() if ".lora_A" in n}
    assert paired == {f"model.language_model.{name}" for name in linear}
    assert len(paired) == 2 * 7
    assert torch.equal(joined.model(ids).logits, before)


def test_each_weight_that_learns_is_in_one_group_and_only_matrices_decay(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["qwen2"], "transformer")
    freeze(joined, "instruct")
    groups = {group["name"]: group for group in parameter_groups(joined, 2e-5, 1e-3, 0.1)}
    told = {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()}
    assert told == {
        "projector, decayed": (1e-3, 0.1),
        "projector, not decayed": (1e-3, 0.0),
        "language, decayed": (2e-5, 0.1),
        "language, not decayed": (2e-5, 0.0),
    }
    grouped = [id(weight) for group in groups.values() for weight in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(weight) for weight in joined.model.parameters() if weight.requires_grad}
    marks = joined.model.model.multi_modal_projector.start
    assert any(weight is marks for weight in groups["projector, not decayed"]["params"])
    freeze(joined, "align")
    assert {group["name"] for group in parameter_groups(joined, 1, 1, 0)} == {
        "projector, decayed",
        "projector, not decayed",
    }


def test_a_projector_goes_back_into_the_models_it_was_made_for(bases: dict[str, str], tmp_path: Path) -> None:
    made = join(bases["clip"], bases["llama"], "mlp2x_gelu", seed=1)
    save_projector(made, tmp_path / "projector", "plain")
    taken = join(bases["clip"], bases["llama"], "mlp2x_gelu", seed=2, dtype=torch.bfloat16)
    add_lora(taken, 4, 8, 0.0)
    load_projector(taken, tmp_path / "projector", "plain")
    weights = [joined.model.model.multi_modal_projector.linear_1.weight for joined in (made, taken)]
    assert torch.equal(weights[0].bfloat16(), weights[1])


@pytest.mark.parametrize(
    ("vision", "language", "layer", "projector", "template", "what"),
    [
        ("other clip", "llama", -2, "linear", "plain", "another vision model ("),
        ("siglip", "llama", -2, "linear", "plain", "another vision model and another layer of the vision model ("),
        ("clip", "llama", -1, "linear", "plain", "another layer of the vision model ("),
        ("clip", "other llama", -2, "linear", "plain", "another language model ("),
        ("clip", "llama", -2, "linear", "vicuna_v1", "another template (plain; here vicuna_v1)"),
        ("clip", "llama", -2, "mlp2x_gelu", "plain", "another projector (linear; here mlp2x_gelu)"),
    ],
)
def test_a_projector_made_for_something_else_is_refused_with_its_name(
    bases: dict[str, str],
    tmp_path: Path,
    vision: str,
    language: str,
    layer: int,
    projector: Any,
    template: str,
    what: str,
) -> None:
    save_projector(join(bases["clip"], bases["llama"], "linear"), tmp_path / "p", "plain")
    other = join(bases[vision], bases[language], projector, feature_layer=layer)
    with pytest.raises(PipelineError) as caught:
        load_projector(other, tmp_path / "p", template)
    assert f"was made for {what}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_changed_layer_makes_another_fingerprint(bases: dict[str, str]) -> None:
    joined = join(bases["clip"], bases["llama"], "linear")
    before = fingerprint(joined, "plain")
    with torch.no_grad():
        joined.model.model.vision_tower.encoder.layers[1].mlp.fc1.weight *= 1.02
    after = fingerprint(joined, "plain")
    assert {part for part in before if before[part] != after[part]} == {"vision"}


def _language(folder: Path, model: Any) -> str:
    tiny.tiny_tokenizers.llama_file().save_pretrained(folder)
    model.save_pretrained(folder)
    return str(folder)


SIZES = {
    "vocab_size": 504,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def test_what_cannot_be_joined_is_said_in_one_line(
    bases: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # else it tries for half a minute
    clip, llama = bases["clip"], bases["llama"]
    BertModel(BertConfig(**SIZES)).save_pretrained(tmp_path / "bert")
    biased = _language(tmp_path / "phi", PhiForCausalLM(PhiConfig(**SIZES)))
    scaled = _language(tmp_path / "cohere", CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.5)))
    wrong_size = tiny.save_clip(tmp_path / "size")
    (tmp_path / "size/preprocessor_config.json").write_bytes(
        Path(tiny.save_clip(tmp_path / "large", image_size=56), "preprocessor_config.json").read_bytes()
    )
    lacking = Path(tiny.save_language(tmp_path / "lacking"))
    told = json.loads((lacking / "config.json").read_text())
    (lacking / "config.json").write_text(json.dumps({**told, "num_hidden_layers": 3}))
    (tmp_path / "original").mkdir()
    (tmp_path / "original/config.json").write_text('{"model_type": "llava", "mm_vision_tower": "clip"}')
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    faults = [
        (lambda: join("original/none", llama, "linear"), "--vision: no folder original/none"),
        (lambda: join("./no/such", llama, "linear"), "--vision: no folder ./no/such"),
        (lambda: join(clip, str(tmp_path / "none"), "linear"), "--language: no folder"),
        (lambda: join("nobody/nothing", llama, "linear"), "--vision: cannot read nobody/nothing"),
        (lambda: join(str(tmp_path / "empty"), llama, "linear"), "--vision: cannot read"),
        (lambda: join(str(tmp_path / "bert"), llama, "linear"), "is a bert model; pass a CLIP or SigLIP"),
        (lambda: join(wrong_size, llama, "linear"), "makes pictures of 56 × 56 pixels and takes 28 × 28"),
        (lambda: join(clip, str(lacking), "linear"), "weights, such as model.layers.2."),
        (lambda: join(clip, biased, "linear"), "is more than one matrix"),
        (lambda: join(clip, scaled, "linear"), "is more than one matrix"),
        (lambda: join(clip, llama, "linear", feature_layer=-4), "3 vision layers, and layer -4"),
        (lambda: load(clip), "is no LLaVA checkpoint in the form of transformers"),
        (lambda: load(str(tmp_path / "original")), "is no LLaVA checkpoint in the form of transformers"),
        (lambda: load(str(tmp_path / "none")), "--model: no folder"),
        (lambda: load_projector(join(clip, llama, "linear"), tmp_path, "plain"), "no projector in"),
    ]
    for fault, words in faults:
        with pytest.raises(PipelineError) as caught:
            fault()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
