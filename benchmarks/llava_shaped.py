"""A model of LLaVA's shape with random weights, and samples of LLaVA's lengths with random words: nothing is read.

Lengths are those that are known of LLaVA's 158,000 samples (arXiv 2304.08485): 58, 23 and 77 thousand conversations,
descriptions and reasonings, 1.94 an image, with 16.7, 79 and 105 words an answer. Assumed are four turns a
conversation, 10 to 15 words a question, 1.33 tokens a word, and how much lengths vary. The image stands before the
words of its samples, so they share it and what is before it: 577 tokens of captions, 611 of conversations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pipeline.finetune.batches import Batch, collate
from pipeline.finetune.layout import Pack
from pipeline.finetune.model import Joined, Stage
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IMAGE


@dataclass(frozen=True)
class Shape:
    """Sizes of a model, and how much shorter than LLaVA's its samples are."""

    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    vision_layers: int
    vision_width: int
    vision_inner: int
    vision_heads: int
    image_size: int
    patch_size: int
    shorter: int = 1

    @property
    def image_tokens(self) -> int:
        """Of one image."""
        return (self.image_size // self.patch_size) ** 2


LLAVA_7B = Shape(32, 4096, 11008, 32, 32064, 24, 1024, 4096, 16, 336, 14)
TINY = Shape(2, 64, 96, 4, 512, 3, 32, 48, 4, 28, 7, shorter=12)

KINDS = {"conversation": 58, "detail": 23, "reasoning": 77}  # thousands of LLaVA's 158
IMAGES = 82.4  # thousands; 1 % of them draw no kind and are drawn again, which leaves 1.94 samples an image
TURNS = {"conversation": 4, "detail": 1, "reasoning": 1}
ASKED_WORDS = {"conversation": 10, "detail": 10, "reasoning": 15}
ANSWERED_WORDS = {"conversation": 16.7, "detail": 79, "reasoning": 105}
TOKENS_A_WORD = 1.33
FRAME = 8  # tokens of " USER: " and " ASSISTANT: "
BEFORE = {"align": 1, "instruct": 35}  # tokens before the image: the first, and the system's sentence
CAPTIONS, CAPTION_WORDS = 5, 10.5
SPREAD = 0.3  # of the logarithm of a text's length


def draw(shape: Shape, stage: Stage, images: int, *, all_kinds: bool = False, seed: int = 0) -> Prepared:
    """Draw samples of LLaVA's lengths: five captions an image, or conversations, descriptions and reasonings.

    Args:
        shape: Of the model.
        stage: ``align``: captions.
        images: How many.
        all_kinds: Whether each image has a sample of each kind, so 3, and not as many as in LLaVA's data, 1.94.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    ids: list[Any] = []
    learnt: list[Any] = []
    pictures = []

    def text(words: float) -> Any:
        count = words * TOKENS_A_WORD * random.lognormal(-(SPREAD**2) / 2, SPREAD) / shape.shorter
        return random.integers(3, shape.vocabulary - 2, max(1, round(count)))

    before = random.integers(3, shape.vocabulary - 2, -(-BEFORE[stage] // shape.shorter))
    for picture in range(images):
        for turns, asked, answered in _samples(stage, all_kinds, random):
            parts = [(before, False), (np.array([IMAGE]), False)]
            for _ in range(turns):
                question = text(asked + FRAME / TOKENS_A_WORD) if asked else np.zeros(0, np.int64)
                parts += [(question, False), (np.append(text(answered), 2), True)]
            ids.append(np.concatenate([part for part, _ in parts]).astype(np.int32))
            learnt.append(np.concatenate([np.full(len(part), is_learnt) for part, is_learnt in parts]))
            pictures.append(picture)
    count = len(ids)
    return Prepared(
        tokens=np.concatenate(ids),
        learnt=np.concatenate(learnt),
        starts=np.cumsum([0, *map(len, ids)]),
        lengths=np.array([len(own) + shape.image_tokens - 1 for own in ids], np.int32),
        supervised=np.array([own[1:].sum() for own in learnt], np.int32),
        picture=np.array(pictures, np.int32),
        times=np.ones(count, np.int32),
        held_out=np.zeros(count, np.bool_),
        ids=[str(number) for number in range(count)],
        pictures=[],
        image_tokens=shape.image_tokens,
        rejected=[],
        shortened={},
        left_out=0,
        kinds={},
    )


def _samples(stage: Stage, all_kinds: bool, random: np.random.Generator) -> list[tuple[int, float, float]]:
    """Return turns, words of a question and words of an answer of each sample of one image."""
    if stage == "align":
        return [(1, 0, CAPTION_WORDS)] * CAPTIONS
    kinds: list[str] = []
    while not kinds:
        kinds = [kind for kind, count in KINDS.items() if all_kinds or random.random() < count / IMAGES]
    return [(TURNS[kind], ASKED_WORDS[kind], ANSWERED_WORDS[kind]) for kind in kinds]


def build(shape: Shape, device: torch.device | str) -> Joined:
    """Return a model with random weights, made on the device."""
    vision = CLIPVisionConfig(
        hidden_size=shape.vision_width,
        intermediate_size=shape.vision_inner,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.vision_heads,
        image_size=shape.image_size,
        patch_size=shape.patch_size,
    )
    text = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=shape.vocabulary - 1,
        image_seq_length=shape.image_tokens,
        vision_feature_layer=-2,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = LlavaForConditionalGeneration(config)
    return Joined(model, None, None, "mlp2x_gelu", ())  # type: ignore[arg-type]  # nothing is read or written


def loader(shape: Shape, joined: Joined, prepared: Prepared, *, multiple: int = 1) -> Callable[[Pack], Batch]:
    """Return what makes batches, with pixels from a few random pictures."""
    pool = torch.randn(16, 3, shape.image_size, shape.image_size, generator=torch.Generator().manual_seed(0))

    def load(pack: Pack) -> Batch:
        made = collate(
            prepared, pack, image_token_id=joined.image_token_id, pad_id=shape.vocabulary - 2, multiple=multiple
        )
        seen = dict.fromkeys(prepared.picture[pack.samples].tolist())
        return replace(made, pixel_values=pool[[picture % len(pool) for picture in seen]]) if seen else made

    return load
