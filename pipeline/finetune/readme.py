"""The README of a checkpoint: what it is, how it was made, how to load it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline.finetune import modeling_transformer_projector as adapter
from pipeline.finetune.model import Joined

Setting = tuple[str, object, str]
"""Name, value, where from."""

_PROJECTORS = {
    "linear": "one linear map, written as LLaVA's two (the same function)",
    "mlp2x_gelu": "two linear maps with a GELU between",
    "transformer": "OmniFusion's adapter: one transformer encoder layer of four heads, a linear map, two image marks",
}


def describe_checkpoint(joined: Joined, dtype: torch.dtype, data: Sequence[str], recipe: Sequence[Setting]) -> str:
    """Return the README as Markdown, with the fields that the Hugging Face hub reads at its top.

    Args:
        dtype: Of the weights as written.
        data: What it was trained on, a line each.
        recipe: How.
    """
    sections = (
        _front(joined),
        "# A LLaVA-style model",
        _model(joined, dtype),
        "## Use\n\n" + _use(joined.projector == "transformer"),
        "## Training data\n\n" + ("\n".join(f"- {line}" for line in data) or "Not told."),
        "## Recipe\n\n" + (_table(recipe) or "Not told."),
        "## Licence\n\nThe licences of the base models and of the training data hold for this checkpoint too. Look "
        "them up and name them here before you pass it on.",
    )
    return "\n\n".join(sections) + "\n"


def _front(joined: Joined) -> str:
    lines = ["library_name: transformers", "pipeline_tag: image-text-to-text", "tags:", "- llava"]
    hub_names = [name for name in joined.bases if not Path(name).exists()]
    if hub_names:
        lines += ["base_model:", *(f"- {json.dumps(name)}" for name in hub_names)]
    return "\n".join(["---", *lines, "---"])


def _model(joined: Joined, dtype: torch.dtype) -> str:
    config = joined.model.config
    vision, text = config.vision_config, config.text_config
    lines = [
        f"- Vision model: {vision.model_type}, {vision.num_hidden_layers} layers, images of {vision.image_size} × "
        f"{vision.image_size} pixels; layer {config.vision_feature_layer} is taken. It was never trained.",
        f"- Projector: {_PROJECTORS[joined.projector]}; an image takes {joined.image_tokens} tokens.",
        f"- Language model: {text.model_type}, {text.num_hidden_layers} layers, {text.hidden_size} wide.",
        f"- Made from: {', '.join(Path(name).name if Path(name).exists() else name for name in joined.bases)}.",
        f"- Form of conversation: {joined.template or 'as the tokenizer has it'}; the chat template writes it.",
        f"- Weights: {str(dtype).removeprefix('torch.')}, in safetensors.",
    ]
    return "\n".join(lines)


def _use(own_class: bool) -> str:
    trust = ", trust_remote_code=True" if own_class else ""
    code = f"""\
```python
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = "."  # where this README lies
model = AutoModelForImageTextToText.from_pretrained(folder{trust})
processor = AutoProcessor.from_pretrained(folder{trust})
content = [{{"type": "image"}}, {{"type": "text", "text": "What is in the picture?"}}]
prompt = processor.apply_chat_template([{{"role": "user", "content": content}}], add_generation_prompt=True)
inputs = processor(images=Image.open("picture.jpg"), text=prompt, add_special_tokens=False, return_tensors="pt")
answer = model.generate(**inputs, max_new_tokens=200)[0, inputs["input_ids"].shape[1] :]
print(processor.decode(answer, skip_special_tokens=True))
```"""
    if own_class:
        note = (
            f"LLaVA's own class has no place for this projector, so `{Path(adapter.__file__).name}` lies here with one "
            "that has: it needs transformers 5.17 or newer and torch, nothing else. `trust_remote_code=True` runs that "
            "file; read it first, it is short. vLLM does not know the class."
        )
        return f"{note}\n\n{code}"
    return f"{code}\n\nAs a server: `transformers serve .` or `vllm serve .`"


def _table(recipe: Sequence[Setting]) -> str:
    if not recipe:
        return ""
    rows = [f"| {name} | {value} | {source} |" for name, value, source in recipe]
    return "\n".join(["| setting | value | from |", "|---|---|---|", *rows])
