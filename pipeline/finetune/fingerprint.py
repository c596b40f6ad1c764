"""What a projector depends on, so that one made for another model is refused instead of quietly seeing nothing.

A stage-1 projector speaks from one vision model to one language model. Beside its weights lies their fingerprint, and
whoever takes it up again must have the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import PipelineError
from pipeline.finetune.folders import writing_folder
from pipeline.finetune.model import Joined

WEIGHTS = "projector.safetensors"
FINGERPRINT = "fingerprint.json"
SAMPLES = 64  # values a tensor; any training moves nearly all of a model's, and a 7B model is read in a second

_WORDS = {
    "vision": "vision model",
    "features": "layer of the vision model",
    "language": "language model",
    "template": "template",
    "projector": "projector",
}


def fingerprint(joined: Joined, template: str) -> dict[str, str]:
    """Return what a projector learns from, each part as text that differs when the part does.

    Take it before the language model learns, and before weights are spread over processes.

    Args:
        joined: Low-rank pairs beside its weights do not count.
        template: Form of the conversations that the projector learns or learnt from.
    """
    config, parts = joined.model.config, joined.model.model
    vision, text = config.vision_config, config.text_config
    seeing = (
        vision.model_type,
        f"{vision.image_size} pixels",
        f"{vision.hidden_size} wide",
        _digest(parts.vision_tower),
    )
    return {
        "vision": ", ".join(seeing),
        "features": f"{config.vision_feature_layer}, {config.vision_feature_select_strategy}",
        "language": f"{text.model_type}, {text.hidden_size} wide, {_digest(parts.language_model)}",
        "template": template,
        "projector": joined.projector,
    }


def save_projector(joined: Joined, folder: Path, template: str) -> None:
    """Write the projector and its fingerprint.

    Raises:
        RunStopped: The disk is full, or the like; what lay there before still does.
    """
    weights = joined.model.model.multi_modal_projector.state_dict()
    with writing_folder(folder) as beside:
        save_file({name: weight.contiguous() for name, weight in weights.items()}, beside / WEIGHTS)
        text = json.dumps(fingerprint(joined, template), indent=2, ensure_ascii=False)
        (beside / FINGERPRINT).write_text(text + "\n", encoding="utf-8")


def load_projector(joined: Joined, folder: Path, template: str) -> None:
    """Read a projector that ``save_projector`` wrote into a model that it was made for.

    Args:
        template: What the projector is expected to have learnt from: that of the recipe's first stage.

    Raises:
        PipelineError: There is none, or it was made for another model or template; the text names which.
    """
    try:
        made_for = json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise PipelineError(f"no projector in {folder} ({error}); pass a folder that --stage align wrote") from error
    here = fingerprint(joined, template)
    if differing := [word for part, word in _WORDS.items() if made_for.get(part) != here[part]]:
        part = next(part for part in _WORDS if made_for.get(part) != here[part])
        raise PipelineError(
            f"the projector in {folder} was made for another {' and another '.join(differing)} "
            f"({made_for.get(part)}; here {here[part]}); train it again with --stage align"
        )
    joined.model.model.multi_modal_projector.load_state_dict(weights)


def _digest(module: nn.Module) -> str:
    """Return a hash of names, shapes and some values of each weight.

    The values are ``SAMPLES`` of each tensor at equal distances, rounded to bfloat16, so that a model is the same in
    whatever precision it is held.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        if "lora_" in name:
            continue
        flat = weight.flatten()
        places = torch.linspace(0, flat.numel() - 1, min(SAMPLES, flat.numel()), dtype=torch.float64).long()
        values = flat[places.to(flat.device)].to(torch.bfloat16).view(torch.int16).cpu()
        digest.update(f"{name.replace('.base_layer', '')} {tuple(weight.shape)} {values.tolist()}\n".encode())
    return f"sha256 {digest.hexdigest()[:16]}"
