"""Hugging Face's own training loop with correct labels: what ours is compared with, here and in a benchmark.

``transformers.Trainer`` as its documentation has it, with a collator that pads a row for each sample and labels what is
learnt and nothing else. Its loss is the mean over the labelled tokens of a whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments

from pipeline.finetune.model import Joined
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE, IMAGE


def collator(
    joined: Joined, prepared: Prepared, pixels: Callable[[int], Tensor]
) -> Callable[[Sequence[int]], dict[str, Tensor]]:
    """Return what makes a padded batch of samples, as ``LlavaForConditionalGeneration`` takes it.

    Args:
        joined: The model.
        prepared: What the samples are of.
        pixels: Gives those of a picture, by its number: (C, H, W).
    """

    def collate(samples: Sequence[int]) -> dict[str, Tensor]:
        rows = [_wide(joined, prepared, sample) for sample in samples]
        longest = max(len(ids) for ids, _ in rows)
        pad = joined.tokenizer.pad_token_id
        batch = {
            "input_ids": torch.tensor([[*ids, *[pad] * (longest - len(ids))] for ids, _ in rows]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]),
            "labels": torch.tensor([[*labels, *[IGNORE] * (longest - len(labels))] for _, labels in rows]),
        }
        pictures = [int(prepared.picture[sample]) for sample in samples if prepared.picture[sample] >= 0]
        if pictures:
            batch["pixel_values"] = torch.stack([pixels(picture) for picture in pictures])
        return batch

    return collate


def _wide(joined: Joined, prepared: Prepared, sample: int) -> tuple[list[int], list[int]]:
    """Return ids and labels with as many tokens as the image takes."""
    ids, labels = prepared.sample(sample)
    times = np.where(ids == IMAGE, joined.image_tokens, 1)
    wide = np.repeat(np.where(ids == IMAGE, joined.image_token_id, ids), times)
    return wide.tolist(), np.repeat(labels, times).tolist()


def train(
    joined: Joined,
    samples: Sequence[int],
    collate: Callable[[Sequence[int]], dict[str, Tensor]],
    folder: Path,
    *,
    batch: int,
    micro_batch: int,
    **arguments: Any,
) -> list[float]:
    """Train a model in place, and return the loss of each step.

    Args:
        joined: With what learns and what is frozen already told apart.
        samples: Of all steps, in their order; each step takes ``batch``.
        collate: Of :func:`collator`.
        folder: For what the library writes.
        batch: Samples a step.
        micro_batch: Samples that a device takes at once.
        arguments: Of ``TrainingArguments``: rates, precision and so on.
    """
    told = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=batch // micro_batch,
        max_steps=len(samples) // batch,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        **arguments,
    )
    trainer = Trainer(model=joined.model, args=told, train_dataset=list(samples), data_collator=collate)  # type: ignore[arg-type]
    trainer.train()
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]
