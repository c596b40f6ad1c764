"""Many questions to a model at once, answered with the likeliest words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from pipeline.finetune.model import Joined, use_template
from pipeline.finetune.schedule import computing

MOST_AT_ONCE = 32


class Ask(NamedTuple):
    """A question, about a picture or without one."""

    picture: Image.Image | None
    """RGB."""
    question: str


def ask(joined: Joined, asks: Sequence[Ask], *, max_new_tokens: int = 64) -> list[str]:
    """Return the answer to each question; the model is in evaluation mode afterwards.

    Questions whose prompts have the same number of tokens are answered together, so nothing is padded, and each answer
    is that which the question has alone.
    """
    if not joined.processor.chat_template:
        use_template(joined, "vicuna_v1")
    joined.model.eval()
    groups: dict[tuple[int, bool], list[tuple[int, Tensor, Tensor | None]]] = {}
    for place, one in enumerate(asks):
        ids, pixels = _prompt(joined, one)
        groups.setdefault((ids.shape[1], pixels is None), []).append((place, ids, pixels))
    answers = [""] * len(asks)
    for group in groups.values():
        for start in range(0, len(group), MOST_AT_ONCE):
            part = group[start : start + MOST_AT_ONCE]
            for (place, _, _), answer in zip(part, _answers(joined, part, max_new_tokens), strict=True):
                answers[place] = answer
    return answers


def _prompt(joined: Joined, one: Ask) -> tuple[Tensor, Tensor | None]:
    """Return ids ``(1, T)`` and pixels ``(1, C, H, W)`` of a question."""
    image = [{"type": "image"}] if one.picture else []
    messages = [{"role": "user", "content": [*image, {"type": "text", "text": one.question}]}]
    text = joined.processor.apply_chat_template(messages, add_generation_prompt=True)
    inputs = joined.processor(images=one.picture, text=text, add_special_tokens=False, return_tensors="pt")
    return inputs["input_ids"], inputs.get("pixel_values")


def _answers(joined: Joined, part: Sequence[tuple[int, Tensor, Tensor | None]], max_new_tokens: int) -> list[str]:
    device, dtype = joined.model.device, joined.model.model.vision_tower.dtype
    inputs = {"input_ids": torch.cat([ids for _, ids, _ in part])}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if pixels := [one for _, _, one in part if one is not None]:
        inputs["pixel_values"] = torch.cat(pixels)
    moved = {name: tensor.to(device) for name, tensor in inputs.items()}
    with torch.no_grad(), computing(device, dtype):  # after training in bfloat16, some weights are float32
        written = joined.model.generate(**moved, max_new_tokens=max_new_tokens, do_sample=False)
    new = written[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in joined.tokenizer.batch_decode(new, skip_special_tokens=True)]
