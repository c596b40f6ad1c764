"""Write a model as a plain LLaVA checkpoint, which transformers and vLLM load with nothing of ours installed.

OmniFusion's adapter has no place in LLaVA's class, so its checkpoint carries the class beside the weights, and is
loaded with ``trust_remote_code=True``.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers import LlavaConfig

from pipeline.finetune import modeling_transformer_projector as adapter
from pipeline.finetune.folders import writing_folder
from pipeline.finetune.model import Joined
from pipeline.finetune.projectors import as_mlp
from pipeline.finetune.readme import Setting, describe_checkpoint

_PROJECTOR = "model.multi_modal_projector."
# The names of LLaVA 1.5 as first published in this form. transformers reads others too; vLLM only these.
_PUBLISHED = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.multi_modal_projector.": "multi_modal_projector.",
    "model.vision_tower.": "vision_tower.vision_model.",
}


def save_plain(
    joined: Joined,
    folder: Path,
    *,
    data: Iterable[str] = (),
    recipe: Iterable[Setting] = (),
    weights: Mapping[str, Tensor] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write model, processor, tokenizer, chat template and a README; whatever lay in the folder is replaced as a whole.

    Args:
        joined: As trained; it is left as it is, and low-rank pairs are merged into the weights that are written.
        folder: Of the checkpoint.
        data: What it was trained on, a line each, for the README.
        recipe: How, for the README: name, value, where from.
        weights: All of the model's, by name as in ``joined.model.state_dict()``, where they are spread over processes
            or where those that were trained are kept in a wider type; None: the model's own.
        dtype: Of the weights as written; None: that of the model.

    Raises:
        RunStopped: The disk is full, or the like; the checkpoint that was there still is.
    """
    dtype = dtype or joined.model.dtype
    state = _merged(joined, joined.model.state_dict() if weights is None else weights)
    config = _plain_config(joined, dtype)
    if joined.projector == "linear":
        weight, bias = state.pop(f"{_PROJECTOR}weight"), state.pop(f"{_PROJECTOR}bias")
        config.projector_hidden_act, mlp = as_mlp(weight, bias)
        state |= {f"{_PROJECTOR}{name}": tensor for name, tensor in mlp.items()}
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    state = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    with writing_folder(folder) as beside:
        config.save_pretrained(beside)
        if joined.projector == "transformer":
            source = Path(adapter.__file__)
            shutil.copyfile(source, beside / source.name)
        else:
            state = {_published(name): tensor for name, tensor in state.items()}
        save_torch_state_dict(state, beside)
        joined.processor.save_pretrained(beside)
        joined.model.generation_config.save_pretrained(beside)
        text = describe_checkpoint(joined, dtype, list(data), list(recipe))
        (beside / "README.md").write_text(text, encoding="utf-8")


def _merged(joined: Joined, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add each low-rank pair to the matrix beside it: ``W + alpha / rank · B · A``, summed in float32 at least."""
    merged = {name.replace(".base_layer.", "."): tensor for name, tensor in state.items() if ".lora_" not in name}
    for name, module in joined.model.named_modules():
        if isinstance(module, LoraLayer):
            (pair, scale), target = next(iter(module.scaling.items())), f"{name}.weight"
            wide = torch.promote_types(merged[target].dtype, torch.float32)
            down, up = (state[f"{name}.lora_{half}.{pair}.weight"].to(wide) for half in "AB")
            merged[target] = (merged[target].to(wide) + scale * (up @ down)).to(merged[target].dtype)
    return merged


def _plain_config(joined: Joined, dtype: torch.dtype) -> LlavaConfig:
    config = copy.deepcopy(joined.model.config)
    config.architectures = [type(joined.model).__name__]
    for each in (config, config.text_config, config.vision_config):
        each.dtype = dtype
        each._name_or_path = ""  # else the folders of this machine would be told to everybody
    if joined.template:
        config.conversation_template = joined.template
    if joined.projector == "transformer":
        module = Path(adapter.__file__).stem
        config.auto_map = {
            "AutoConfig": f"{module}.{adapter.TransformerProjectorConfig.__name__}",
            "AutoModelForImageTextToText": f"{module}.{adapter.TransformerProjectorForConditionalGeneration.__name__}",
        }
    return config


def _published(name: str) -> str:
    """Return the published name of a weight."""
    for ours, theirs in _PUBLISHED.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise ValueError(f"{name} is no weight of a LLaVA model")
