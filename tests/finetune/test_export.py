"""Checkpoints that load anywhere, and say what the trained model says."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from safetensors import safe_open  # noqa: E402
from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: E402

from pipeline.errors import RunStopped  # noqa: E402
from pipeline.finetune.export import save_plain  # noqa: E402
from pipeline.finetune.folders import writing_folder  # noqa: E402
from pipeline.finetune.model import Joined, add_lora, join, load  # noqa: E402
from pipeline.finetune.pixels import padding  # noqa: E402
from pipeline.finetune.projectors import as_mlp  # noqa: E402
from tests.finetune import tiny  # noqa: E402

QUESTION = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where is the man?"}]}]

# What a stranger runs: transformers alone, a folder, a picture; ``pipeline`` cannot be imported.
STRANGER = """
import json, sys
sys.modules["pipeline"] = None
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
told = []
for folder, trust in json.loads(sys.argv[1]):
    model = AutoModelForImageTextToText.from_pretrained(folder, trust_remote_code=trust)
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=trust)
    prompt = processor.apply_chat_template(json.loads(sys.argv[3]), add_generation_prompt=True)
    inputs = processor(images=Image.open(sys.argv[2]), text=prompt, add_special_tokens=False, return_tensors="pt")
    told.append(model.generate(**inputs, max_new_tokens=12)[0].tolist())
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("bases")
    return {
        "clip": tiny.save_clip(folder / "clip"),
        "siglip": tiny.save_siglip(folder / "siglip", whole=True),
        "llama": tiny.save_language(folder / "llama"),
        "qwen2": tiny.save_language(folder / "qwen2", "qwen2", tie=True),
    }


def prompt(joined: Joined, seed: int = 0) -> Any:
    text = joined.processor.apply_chat_template(QUESTION, add_generation_prompt=True)
    return joined.processor(images=tiny.picture(seed), text=text, add_special_tokens=False, return_tensors="pt")


def learnt_pairs(joined: Joined) -> None:
    """Give the low-rank pairs weights that say something."""
    torch.manual_seed(7)
    for name, weight in joined.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)


def stored(folder: Path) -> dict[str, Any]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary


@pytest.mark.parametrize(
    ("vision", "language", "template", "projector", "lora"),
    [
        ("clip", "llama", "vicuna_v1", "linear", False),
        ("siglip", "llama", "llama_2", "mlp2x_gelu", True),
        ("clip", "qwen2", "chatml", "mlp2x_gelu", False),
        ("siglip", "qwen2", "chatml", "transformer", True),
        ("clip", "llama", "plain", "transformer", False),
    ],
)
def test_a_checkpoint_says_what_the_trained_model_says(
    bases: dict[str, str], tmp_path: Path, vision: str, language: str, template: str, projector: Any, lora: bool
) -> None:
    joined = join(bases[vision], bases[language], projector, template=template)
    if lora:
        add_lora(joined, 4, 8, 0.0)
        learnt_pairs(joined)
    before = {name: weight.clone() for name, weight in joined.model.state_dict().items()}
    save_plain(joined, tmp_path / "checkpoint")
    assert all(torch.equal(weight, before[name]) for name, weight in joined.model.state_dict().items())

    trust = projector == "transformer"
    model, report = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "checkpoint", trust_remote_code=trust, output_loading_info=True
    )
    processor = AutoProcessor.from_pretrained(tmp_path / "checkpoint", trust_remote_code=trust)
    assert not any(report.values())
    text = processor.apply_chat_template(QUESTION, add_generation_prompt=True)
    theirs = processor(images=tiny.picture(), text=text, add_special_tokens=False, return_tensors="pt")
    ours = prompt(joined)
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    joined.model.eval()
    said = joined.model.generate(**ours, max_new_tokens=16)
    assert torch.equal(model.generate(**theirs, max_new_tokens=16), said)
    assert torch.allclose(model(**theirs).logits, joined.model(**ours).logits, atol=1e-3)
    other = prompt(joined, seed=1)
    assert not torch.allclose(joined.model(**other).logits, joined.model(**ours).logits, atol=1e-1)  # it sees the image

    again = load(str(tmp_path / "checkpoint"))
    again.model.eval()
    assert (again.projector, again.template, again.image_tokens) == (projector, template, joined.image_tokens)
    assert torch.equal(again.model.generate(**ours, max_new_tokens=16), said)


def test_a_stranger_with_transformers_alone_gets_the_same_tokens(bases: dict[str, str], tmp_path: Path) -> None:
    tiny.picture().save(tmp_path / "picture.png")
    folders, said = [], []
    for projector in ("linear", "transformer"):
        joined = join(bases["clip"], bases["llama"], projector, template="vicuna_v1")  # type: ignore[arg-type]
        save_plain(joined, tmp_path / projector)
        joined.model.eval()
        folders.append([str(tmp_path / projector), projector == "transformer"])
        said.append(joined.model.generate(**prompt(joined), max_new_tokens=12)[0].tolist())
    command = [sys.executable, "-c", STRANGER, json.dumps(folders), "picture.png", json.dumps(QUESTION)]
    environment = {"PATH": "", "HOME": str(tmp_path), "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment["OMP_NUM_THREADS"] = "1"
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == said
    modules = {path.name for path in (tmp_path / "transformer").iterdir()} - {
        path.name for path in (tmp_path / "linear").iterdir()
    }
    assert modules == {"modeling_transformer_projector.py"}
    readme = (tmp_path / "transformer/README.md").read_text()
    assert "trust_remote_code=True" in readme
    assert "trust_remote_code" not in (tmp_path / "linear/README.md").read_text()


def test_the_code_in_a_checkpoint_is_not_run_by_loading_it_here(bases: dict[str, str], tmp_path: Path) -> None:
    save_plain(join(bases["clip"], bases["llama"], "transformer"), tmp_path / "checkpoint")
    code = tmp_path / "checkpoint/modeling_transformer_projector.py"
    code.write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    assert load(str(tmp_path / "checkpoint")).projector == "transformer"
    assert not (tmp_path / "ran").exists()


def test_weights_have_the_names_that_llava_was_published_with(bases: dict[str, str], tmp_path: Path) -> None:
    save_plain(join(bases["clip"], bases["llama"], "mlp2x_gelu"), tmp_path / "checkpoint")
    names = stored(tmp_path / "checkpoint").keys()
    starts = {
        "language_model.model.",
        "language_model.lm_head.",
        "multi_modal_projector.linear_",
        "vision_tower.vision_model.",
    }
    assert all(any(name.startswith(start) for start in starts) for name in names)
    assert all(any(name.startswith(start) for name in names) for start in starts)
    told = json.loads((tmp_path / "checkpoint/config.json").read_text())
    assert told["architectures"] == ["LlavaForConditionalGeneration"]
    assert (told["image_token_index"], told["image_seq_length"]) == (504, tiny.PATCHES)
    assert "auto_map" not in told


@pytest.mark.parametrize(("vision", "text", "name"), [(32, 64, "relu"), (32, 70, "relu"), (32, 40, "linear")])
def test_one_linear_map_is_the_same_as_llavas_two(vision: int, text: int, name: str) -> None:
    linear = torch.nn.Linear(vision, text, dtype=torch.float64)
    activation, tensors = as_mlp(linear.weight.detach(), linear.bias.detach())
    states = torch.randn(100, vision, dtype=torch.float64)
    hidden = states @ tensors["linear_1.weight"].T + tensors["linear_1.bias"]
    hidden = hidden.relu() if activation == "relu" else hidden
    made = hidden @ tensors["linear_2.weight"].T + tensors["linear_2.bias"]
    assert activation == name
    assert torch.allclose(made, linear(states), rtol=0, atol=1e-14)


def test_a_linear_projector_comes_back_as_one_map_with_its_weights(bases: dict[str, str], tmp_path: Path) -> None:
    joined = join(bases["clip"], bases["llama"], "linear")
    save_plain(joined, tmp_path / "checkpoint")
    ours, again = (each.model.model.multi_modal_projector for each in (joined, load(str(tmp_path / "checkpoint"))))
    assert type(again) is torch.nn.Linear
    assert torch.equal(again.weight, ours.weight)
    assert torch.equal(again.bias, ours.bias)


def test_low_rank_pairs_merge_as_peft_merges_them(bases: dict[str, str], tmp_path: Path) -> None:
    joined = join(bases["clip"], bases["llama"], "mlp2x_gelu")
    add_lora(joined, 4, 8, 0.0)
    learnt_pairs(joined)
    save_plain(joined, tmp_path / "checkpoint")
    merged = stored(tmp_path / "checkpoint")
    layer = joined.model.model.language_model.layers[1].mlp.down_proj
    untouched = layer.base_layer.weight.detach().clone()
    layer.merge()
    written = merged["language_model.model.layers.1.mlp.down_proj.weight"]
    assert torch.allclose(written, layer.base_layer.weight, atol=1e-6)
    assert not torch.allclose(written, untouched, atol=1e-2)
    assert not any("lora" in name for name in merged)


def test_weights_kept_elsewhere_are_written_in_the_type_asked_for(bases: dict[str, str], tmp_path: Path) -> None:
    joined = join(bases["clip"], bases["llama"], "linear", dtype=torch.bfloat16)
    wide = {name: weight.float() + 0.5 for name, weight in joined.model.state_dict().items()}
    save_plain(joined, tmp_path / "wide", weights=wide, dtype=torch.float32)
    save_plain(joined, tmp_path / "own")
    name = "language_model.model.norm.weight"
    assert torch.equal(stored(tmp_path / "wide")[name], wide["model.language_model.norm.weight"])
    assert {weight.dtype for weight in stored(tmp_path / "own").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "own/config.json").read_text())["dtype"] == "bfloat16"
    assert AutoModelForImageTextToText.from_pretrained(tmp_path / "own").dtype == torch.bfloat16
    assert "Weights: bfloat16" in (tmp_path / "own/README.md").read_text()


def test_pictures_padded_to_squares_stay_so_in_the_checkpoint(bases: dict[str, str], tmp_path: Path) -> None:
    joined = join(bases["clip"], bases["llama"], "linear")
    joined.processor.image_processor = padding(joined.processor.image_processor)
    save_plain(joined, tmp_path / "checkpoint")
    loaded = AutoProcessor.from_pretrained(tmp_path / "checkpoint").image_processor
    ours, theirs = (
        processor(tiny.picture(size=(60, 20)), return_tensors="pt")["pixel_values"]
        for processor in (joined.processor.image_processor, loaded)
    )
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_readme_tells_data_recipe_and_bases(bases: dict[str, str], tmp_path: Path) -> None:
    joined = join(bases["clip"], bases["llama"], "linear", template="vicuna_v1")
    joined.bases = (bases["clip"], "owner/model")
    save_plain(
        joined,
        tmp_path / "checkpoint",
        data=["outputs/first: 36 samples"],
        recipe=[("lr", 1e-3, "llava-v1.5, stage 1")],
    )
    readme = (tmp_path / "checkpoint/README.md").read_text()
    assert "- outputs/first: 36 samples\n" in readme
    assert "| lr | 0.001 | llava-v1.5, stage 1 |" in readme
    assert 'base_model:\n- "owner/model"\n---' in readme
    written = [path.read_text() for path in (tmp_path / "checkpoint").iterdir() if path.suffix != ".safetensors"]
    assert not any(str(Path(bases["clip"]).parent) in text for text in written)
    assert "python" in readme.partition("## Use")[2]


@contextmanager
def small_files_only(most: int) -> Iterator[None]:
    """Let no file grow beyond ``most`` bytes: what a full disk is to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_checkpoint_that_was_there(bases: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save_plain(join(bases["clip"], bases["llama"], "linear", seed=0), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = join(bases["clip"], bases["llama"], "linear", seed=1)
    with small_files_only(50_000), pytest.raises(RunStopped, match="what was there is kept"):
        save_plain(other, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    save_plain(other, folder)
    assert (folder / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_a_folder_is_replaced_as_a_whole_and_leavings_of_a_killed_run_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    for leaving in (folder, tmp_path / ".checkpoint.part", tmp_path / ".checkpoint.old"):
        leaving.mkdir()
        (leaving / "of an earlier run").touch()
    with writing_folder(folder) as beside:
        (beside / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    with pytest.raises(KeyboardInterrupt):
        _interrupted(folder)
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def _interrupted(folder: Path) -> None:
    with writing_folder(folder) as beside:
        (beside / "newer").touch()
        raise KeyboardInterrupt
