"""Read a vision model and a language model, with their processors, from folders or the hub.

What is wrong with one of them is said in one line. Weights that a model needs and a folder lacks are an error;
transformers would draw them at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from safetensors import SafetensorError
from tokenizers import AddedToken
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionModel,
    LlavaConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    SiglipImageProcessor,
    SiglipVisionModel,
)
from transformers.utils import logging

from pipeline.errors import PipelineError
from pipeline.finetune.tokens import IMAGE_TEXT

PAD_TEXT = "<pad>"
ROWS = 64  # vocabularies are padded to a multiple of this, which tensor cores like


class Family(NamedTuple):
    """How a family of vision models is read."""

    model: type[PreTrainedModel]
    image_processor: Any
    extra_tokens: int
    """Tokens before the patches: CLIP's CLS, which is dropped."""

    @property
    def strategy(self) -> str:
        """LLaVA's word for what is taken of a layer: ``default`` drops the first token, ``full`` takes all."""
        return "default" if self.extra_tokens else "full"


_CLIP = Family(CLIPVisionModel, CLIPImageProcessor, 1)
_SIGLIP = Family(SiglipVisionModel, SiglipImageProcessor, 0)
FAMILIES = {"clip": _CLIP, "clip_vision_model": _CLIP, "siglip": _SIGLIP, "siglip_vision_model": _SIGLIP}
"""By ``model_type``: a whole model, of which the vision half is taken, or the vision half alone."""


@contextmanager
def reading(flag: str, name: str) -> Iterator[None]:
    """Read something from a folder or the hub, quietly.

    Args:
        flag: That the name came from, for the message.
        name: A folder or hub name.

    Raises:
        PipelineError: It is not there, cannot be reached, or is something else.
    """
    if not Path(name).is_dir() and _is_path(name):  # else the hub would be asked for it, for half a minute
        raise PipelineError(f"{flag}: no folder {name}; pass a folder, or a hub name such as owner/model")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # else it lists each weight of a whole CLIP that the vision half does not need
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, ImportError, SafetensorError) as error:  # what transformers raises for these
        line = str(error).strip().splitlines()[0]
        raise PipelineError(f"{flag}: cannot read {name}: {line}; pass another folder or hub name") from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _is_path(name: str) -> bool:
    """Return whether a name means a folder, there or not, rather than a model on the hub."""
    slashes = name.count("/")
    return name.startswith(("/", ".", "~")) or slashes > 1 or (slashes == 1 and Path(name).parent.is_dir())


def check_complete(flag: str, name: str, report: Mapping[str, Any]) -> None:
    """Refuse a model of which weights were missing.

    Raises:
        PipelineError: Some were.
    """
    if missing := sorted(report["missing_keys"]):
        raise PipelineError(f"{flag}: {name} lacks {len(missing)} weights, such as {missing[0]}; pass a whole model")


def read_vision(name: str, dtype: torch.dtype) -> tuple[PreTrainedModel, Any]:
    """Read a CLIP or SigLIP vision model, alone or out of a whole model, and its image processor.

    Raises:
        PipelineError: It cannot be read, is of another family, or its pictures are not the size that it takes.
    """
    with reading("--vision", name):
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise PipelineError(f"--vision: {name} is a {config.model_type} model; pass a CLIP or SigLIP vision model")
    with reading("--vision", name):
        tower, report = family.model.from_pretrained(name, dtype=dtype, output_loading_info=True)
        image_processor = family.image_processor.from_pretrained(name)
    check_complete("--vision", name, report)
    check_pictures("--vision", name, tower.config, image_processor)
    return tower, image_processor


def check_pictures(flag: str, name: str, config: Any, image_processor: Any) -> None:
    """Refuse an image processor whose pictures are not what the vision model takes.

    Raises:
        PipelineError: They are not.
    """
    pixels = image_processor(Image.new("RGB", (3, 5)), return_tensors="pt")["pixel_values"]
    made, taken = tuple(pixels.shape[-2:]), (config.image_size, config.image_size)
    if made != taken:
        raise PipelineError(
            f"{flag}: {name} makes pictures of {made[0]} × {made[1]} pixels and takes {taken[0]} × {taken[1]}; "
            "correct its preprocessor_config.json"
        )


def check_layer(config: LlavaConfig, flag: str, name: str) -> None:
    """Refuse a model without the layer that the projector takes.

    Raises:
        PipelineError: It has none, or several are asked for.
    """
    layer, layers = config.vision_feature_layer, config.vision_config.num_hidden_layers
    if not isinstance(layer, int) or not 1 <= abs(layer) <= layers:
        raise PipelineError(f"{flag}: {name} has {layers} vision layers, and layer {layer} is asked for; pass another")


def count_states(config: LlavaConfig) -> int:
    """Return how many states of an image the projector takes: its patches, and the CLS token where it is kept."""
    vision = config.vision_config
    kept = FAMILIES[vision.model_type].extra_tokens - (config.vision_feature_select_strategy == "default")
    return int((vision.image_size // vision.patch_size) ** 2) + kept


def read_language(name: str, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Read a causal language model and its tokenizer, with an image token, a padding token, and rows for both.

    Raises:
        PipelineError: It cannot be read, or its head is more than a matrix, which LLaVA's model has no place for.
    """
    with reading("--language", name):
        model, report = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    check_complete("--language", name, report)
    if not _has_plain_head(model):
        raise PipelineError(
            f"--language: the head of {name} ({model.config.model_type}) is more than one matrix, and a LLaVA "
            "checkpoint has no place for the rest; pass another model"
        )
    add_tokens(tokenizer)
    fit_rows(model, tokenizer)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether the model's scores are its last states times its head's matrix, seen on four tokens."""
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or head.bias is not None or model.config.get_text_config() is not model.config:
        return False
    ids = torch.arange(4, device=model.device).unsqueeze(0)
    with torch.no_grad():
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        return torch.allclose(head(states), model(input_ids=ids, use_cache=False).logits, rtol=1e-3, atol=1e-3)


def add_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Add ``<image>`` as a special token and see to a padding token; neither changes an id that exists.

    A tokenizer without padding pads with its unknown token, as LLaVA's do, and with a new ``<pad>`` where it has none.
    """
    tokenizer.add_tokens([AddedToken(IMAGE_TEXT, special=True, normalized=False)], special_tokens=True)
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": tokenizer.unk_token or PAD_TEXT})


def fit_rows(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give the embeddings and the head a row for each token, if they have fewer.

    The number of rows becomes a multiple of ``ROWS``; new ones are the mean of the old, so that none of them is ever
    the likeliest next token before it has been learnt.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    tokens = max(tokenizer.get_vocab().values()) + 1  # ids may have gaps
    if tokens <= rows:
        return
    model.resize_token_embeddings(tokens, pad_to_multiple_of=ROWS, mean_resizing=False)
    for module in (model.get_input_embeddings(), model.get_output_embeddings()):
        weight = module.weight.data
        weight[rows:] = weight[:rows].mean(dim=0, dtype=torch.float64).to(weight.dtype)
