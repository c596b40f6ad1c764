"""Ask a checkpoint about an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pipeline.finetune.model import Joined, load, use_template
from pipeline.finetune.pictures import Picture, decode
from pipeline.settings import ChatSettings


def chat(checkpoint: str, image: Path, question: str, settings: ChatSettings) -> Iterator[str]:
    """Return a checkpoint's answer, piece by piece as it is written.

    Args:
        checkpoint: LLaVA checkpoint in the form of transformers, a folder or hub name. One without a chat template is
            asked in the form of LLaVA v1.5, ``vicuna_v1``.
        image: A picture file.
        question: About it.
        settings: Length, temperature, seed.

    Raises:
        PipelineError: The picture or the checkpoint cannot be read; at the call, before the first piece.
    """
    picture = decode(Picture(str(image)))
    joined = load(checkpoint, flag="checkpoint")
    joined.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return answer(joined, picture, question, settings)


def answer(joined: Joined, picture: Image.Image, question: str, settings: ChatSettings) -> Iterator[str]:
    """Return a model's answer, piece by piece; the model should be in evaluation mode.

    A temperature of 0 gives the tokens that ``model.generate`` gives.
    """
    if not joined.processor.chat_template:
        use_template(joined, "vicuna_v1")
    content = [{"type": "image"}, {"type": "text", "text": question}]
    prompt = joined.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = joined.processor(images=picture, text=prompt, add_special_tokens=False, return_tensors="pt")
    return _pieces(joined, inputs["input_ids"], inputs["pixel_values"], settings)


def _pieces(joined: Joined, input_ids: Tensor, pixel_values: Tensor, settings: ChatSettings) -> Iterator[str]:
    """Yield new text as soon as it is whole: a letter may be several tokens."""
    model, tokenizer = joined.model, joined.tokenizer
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    draw = torch.Generator().manual_seed(settings.seed)
    inputs = {"input_ids": input_ids.to(model.device), "pixel_values": pixel_values.to(model.device)}
    tokens: list[int] = []
    shown = ""
    while len(tokens) < settings.max_new_tokens:
        with torch.no_grad():
            output = model(**inputs, use_cache=True, logits_to_keep=1)
        token = _choose(output.logits[0, -1].float().cpu(), settings.temperature, draw)
        if token in ends:
            break
        tokens.append(token)
        inputs = {"input_ids": torch.tensor([[token]], device=model.device), "past_key_values": output.past_key_values}
        text = str(tokenizer.decode(tokens, skip_special_tokens=True)).lstrip()
        if not text.endswith("\ufffd"):
            yield text[len(shown) :]
            shown = text
    yield str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()[len(shown) :]


def _choose(logits: Tensor, temperature: float, draw: torch.Generator) -> int:
    if not temperature:
        return int(logits.argmax())
    return int(torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=draw))
