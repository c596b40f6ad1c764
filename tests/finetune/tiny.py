"""Base models small enough for a test: a few thousand random weights each, written to disk as real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTextConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from tests.finetune import tiny_tokenizers

torch.set_num_threads(1)  # nothing here is large enough to share, and waiting threads keep other tests waiting

IMAGE_SIZE = 28
PATCH_SIZE = 7
PATCHES = 16
WIDTH = 64


def save_clip(folder: Path, *, whole: bool = False, seed: int = 0, image_size: int = IMAGE_SIZE) -> str:
    """Write a three-layer CLIP vision model, or a whole CLIP model around the same, and return the folder."""
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    vision = CLIPVisionConfig(num_hidden_layers=3, image_size=image_size, patch_size=PATCH_SIZE, **sizes)
    text = CLIPTextConfig(num_hidden_layers=1, vocab_size=16, bos_token_id=0, eos_token_id=1, **sizes)
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=text)) if whole else CLIPVisionModel(vision)
    model.save_pretrained(folder)
    side = {"height": image_size, "width": image_size}
    CLIPImageProcessor(size={"shortest_edge": image_size}, crop_size=side).save_pretrained(folder)
    return str(folder)


def save_siglip(folder: Path, *, whole: bool = False, seed: int = 0) -> str:
    """Write a three-layer SigLIP vision model, or a whole SigLIP model around the same, and return the folder."""
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    vision = SiglipVisionConfig(num_hidden_layers=3, image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, **sizes)
    text = SiglipTextConfig(num_hidden_layers=1, vocab_size=16, **sizes)
    torch.manual_seed(seed)
    model = SiglipModel(SiglipConfig(vision_config=vision, text_config=text)) if whole else SiglipVisionModel(vision)
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}).save_pretrained(folder)
    return str(folder)


def save_language(
    folder: Path, kind: str = "llama", *, seed: int = 0, tie: bool = False, spare_rows: int = 0, **more: Any
) -> str:
    """Write a two-layer language model with a tokenizer of its sort, and return the folder.

    Args:
        folder: Where to.
        kind: Name of its architecture, as ``AutoConfig`` knows it.
        seed: Of the weights.
        tie: Whether the head is the table of embeddings.
        spare_rows: Of that table, beyond what the tokenizer has.
        more: For the configuration.
    """
    tokenizer = tiny_tokenizers.byte_level(begins=False) if kind == "qwen2" else tiny_tokenizers.llama_file()
    tokenizer.save_pretrained(folder)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer) + spare_rows,
        "hidden_size": WIDTH,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,  # wide enough that the likeliest next token is so by far
        "tie_word_embeddings": tie,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "head_dim": 16,
    }
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, **(sizes | more))
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Draw a picture of coloured noise."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (size[1], size[0], 3), generator=generator, dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())
