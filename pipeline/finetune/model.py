"""A vision model, a projector and a language model as one LLaVA model, and what training does to it.

Legend of the axes: B conversations, T tokens, N images, P embeddings an image, D width of the language model,
C × H × W channels and pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from pipeline.errors import PipelineError
from pipeline.finetune.bases import (
    FAMILIES,
    add_tokens,
    check_complete,
    check_layer,
    check_pictures,
    count_states,
    fit_rows,
    read_language,
    read_vision,
    reading,
)
from pipeline.finetune.modeling_transformer_projector import (
    TransformerProjectorConfig,
    TransformerProjectorForConditionalGeneration,
)
from pipeline.finetune.projectors import Projector, added_tokens, from_mlp, make_projector
from pipeline.finetune.templates import load_template
from pipeline.finetune.tokens import IMAGE_TEXT

Stage = Literal["align", "instruct"]
"""align: the projector learns; instruct: projector and language model learn."""

_CLASSES = {
    "llava": LlavaForConditionalGeneration,
    TransformerProjectorConfig.model_type: TransformerProjectorForConditionalGeneration,
}


@dataclass
class Joined:
    """A model with all that it needs to read and write."""

    model: LlavaForConditionalGeneration
    """In ``model.model``: ``vision_tower``, ``multi_modal_projector``, ``language_model``; beside that, ``lm_head``."""
    tokenizer: PreTrainedTokenizerBase
    """With ``<image>`` as a special token, and a padding token."""
    processor: LlavaProcessor
    """For a picture's pixels, and for whoever uses the checkpoint."""
    projector: Projector
    """What joins the two."""
    bases: tuple[str, ...]
    """Folders or hub names that the weights came from."""
    template: str | None = None
    """Form of the conversation that it learns or has learnt, see ``use_template``; None: not known."""
    is_narrow: bool = False
    """Whether the last layer can be asked for some places alone, see narrow.py."""

    @property
    def image_token_id(self) -> int:
        """Id whose places in ``input_ids`` the image embeddings take."""
        return int(self.model.config.image_token_id)

    @property
    def image_tokens(self) -> int:
        """P: how many ids one image takes."""
        return int(self.model.config.image_seq_length)


def join(
    vision: str,
    language: str,
    projector: Projector,
    *,
    feature_layer: int = -2,
    template: str | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Joined:
    """Join a vision model and a language model with a new projector.

    Args:
        vision: CLIP or SigLIP model, a folder or hub name; what is read of it is the vision half.
        language: Causal language model, a folder or hub name.
        projector: What joins them.
        feature_layer: Whose output the projector takes: -1 is the last, -2 the last but one. Of CLIP's the CLS token
            is dropped; SigLIP has none.
        template: Form of the conversation, see ``use_template``.
        seed: Of the projector's weights.
        dtype: Of all weights.

    Raises:
        PipelineError: One of them cannot be read, or they cannot be joined.
    """
    tower, image_processor = read_vision(vision, dtype)
    causal, tokenizer = read_language(language, dtype)
    make = TransformerProjectorConfig if projector == "transformer" else LlavaConfig
    config = make(
        vision_config=tower.config,
        text_config=causal.config,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TEXT),
        vision_feature_layer=feature_layer,
        vision_feature_select_strategy=FAMILIES[tower.config.model_type].strategy,
        projector_hidden_act="gelu",
        tie_word_embeddings=causal.config.tie_word_embeddings,
        dtype=dtype,
        projector_type=projector,
    )
    check_layer(config, "--vision", vision)
    config.image_seq_length = count_states(config) + added_tokens(projector)
    with torch.device("meta"):  # a frame without weights
        model = _CLASSES[config.model_type](config)
    model.model.vision_tower, model.model.language_model = tower, causal.base_model
    model.lm_head = causal.get_output_embeddings()
    model.model.multi_modal_projector = make_projector(projector, config, seed=seed, dtype=dtype)
    model.generation_config = _generation_config(causal.generation_config, tokenizer)
    processor = LlavaProcessor(image_processor=image_processor, tokenizer=tokenizer)
    _tell_processor(processor, config, projector)
    joined = Joined(model, tokenizer, processor, projector, (vision, language))
    if template:
        use_template(joined, template)
    return joined


def load(name: str, *, dtype: torch.dtype | None = None, flag: str = "--model") -> Joined:
    """Read a LLaVA checkpoint in the form of transformers, ours or another's; no code in its folder is run.

    Args:
        name: A folder or hub name.
        dtype: Of all weights; None: the checkpoint's own.
        flag: What a person gave the name with, for messages.

    Raises:
        PipelineError: It cannot be read, or is no LLaVA model with a CLIP or SigLIP vision model.
    """
    with reading(flag, name):
        raw, _ = PreTrainedConfig.get_config_dict(name)
    kind = _CLASSES.get(raw.get("model_type", ""))
    if kind is None or "vision_config" not in raw:
        raise PipelineError(f"{flag}: {name} is no LLaVA checkpoint in the form of transformers; pass one that is")
    with reading(flag, name):
        model, report = kind.from_pretrained(name, dtype=dtype or "auto", output_loading_info=True)
        processor = LlavaProcessor.from_pretrained(name, trust_remote_code=False)
    check_complete(flag, name, report)
    if model.config.vision_config.model_type not in FAMILIES:
        raise PipelineError(f"{flag}: the vision model of {name} is neither CLIP nor SigLIP; pass another checkpoint")
    check_layer(model.config, flag, name)
    check_pictures(flag, name, model.config.vision_config, processor.image_processor)
    add_tokens(processor.tokenizer)
    fit_rows(model, processor.tokenizer)
    if processor.tokenizer.convert_tokens_to_ids(IMAGE_TEXT) != model.config.image_token_id:
        raise PipelineError(f"{flag}: {name} and its tokenizer differ about the id of {IMAGE_TEXT}; correct one")
    projector: Projector = getattr(model.config, "projector_type", "mlp2x_gelu")
    if projector == "linear":
        activation, mlp = model.config.projector_hidden_act, model.model.multi_modal_projector
        model.model.multi_modal_projector = from_mlp(activation, mlp)
    model.config.projector_type = projector
    model.config.image_seq_length = count_states(model.config) + added_tokens(projector)
    model.generation_config = _generation_config(model.generation_config, processor.tokenizer)
    _tell_processor(processor, model.config, projector)
    template = getattr(model.config, "conversation_template", None)
    return Joined(model, processor.tokenizer, processor, projector, (name,), template)


def use_template(joined: Joined, name: str) -> None:
    """Have the model's own generation, and whoever uses its checkpoint, keep to a form of conversation.

    Chat template and end tokens become the form's; one that an earlier stage learnt no longer counts.

    Raises:
        PipelineError: There is no such template, or it cannot be had with this tokenizer.
    """
    template = load_template(name, joined.tokenizer)
    joined.template = name
    joined.processor.chat_template = template.chat_template
    ends = {template.end_id, joined.tokenizer.eos_token_id} - {None}
    joined.model.generation_config.eos_token_id = sorted(ends)


def see(model: LlavaForConditionalGeneration, pixel_values: Tensor) -> Tensor:
    """Turn pixels ``(N, C, H, W)`` into what the vision model makes of them: ``(N, patches, width of vision)``.

    Without gradients, in evaluation mode, and no further than the layer that is taken.
    """
    tower, config = model.model.vision_tower, model.config
    if tower.training:
        tower.eval()
    with torch.no_grad():
        states: Tensor = tower.embeddings(pixel_values.to(tower.dtype))
        if hasattr(tower, "pre_layrnorm"):  # CLIP's; the name is spelt so
            states = tower.pre_layrnorm(states)
        layers = tower.encoder.layers
        for layer in layers[: config.vision_feature_layer % (len(layers) + 1)]:  # state 0 is what goes into the first
            states = layer(states, None)
    return states[:, 1:] if config.vision_feature_select_strategy == "default" else states


def image_features(model: LlavaForConditionalGeneration, pixel_values: Tensor) -> Tensor:
    """Turn pixels ``(N, C, H, W)`` into image embeddings ``(N, P, D)``; the projector runs with gradients.

    Equal, bit for bit, to what ``model.get_image_features`` gives.
    """
    features: Tensor = model.model.multi_modal_projector(see(model, pixel_values))
    return features


def embed(joined: Joined, input_ids: Tensor, features: Tensor | None, slots: Tensor | None = None) -> Tensor:
    """Look up token embeddings, with image embeddings at the places of the image token.

    Args:
        joined: The model.
        input_ids: ``(B, T)``; P places a picture, in the order of the slots.
        features: ``(N, P, D)``, of ``image_features``; None for text alone.
        slots: int64 ``(M,)``: which picture is at each place of one; None: each at one, in order.

    Returns:
        ``(B, T, D)``.

    Raises:
        RuntimeError: The places are not P × M; on a GPU it comes late, so that nothing waits for the check.
    """
    embeddings: Tensor = joined.model.get_input_embeddings()(input_ids)
    if features is None:
        return embeddings
    features = features.to(embeddings.dtype)
    if slots is not None:
        # A look-up, because its backward pass adds up in one order on a GPU too; that of an index does not.
        features = functional.embedding(slots, features.flatten(1)).unflatten(1, features.shape[1:])
    places = input_ids == joined.image_token_id
    torch._assert_async(places.sum() == features.shape[0] * features.shape[1])
    return embeddings.masked_scatter(places.unsqueeze(-1), features)


def add_lora(joined: Joined, rank: int, alpha: float, dropout: float, *, seed: int = 0) -> None:
    """Put low-rank pairs beside every linear layer of the language model; vision, projector and head get none.

    Call it while the model is on the CPU: another device draws other weights.

    Args:
        rank: Of the pairs.
        alpha: The sum of a pair is scaled by ``alpha / rank``.
        dropout: Share of a pair's inputs that are left out in training.
        seed: Of the pairs' weights; the pairs change nothing until they have learnt.
    """
    language = joined.model.model.language_model
    names = [name for name, module in language.named_modules() if isinstance(module, nn.Linear)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names)
        inject_adapter_in_model(config, language)


def layers_of(language: nn.Module) -> tuple[nn.Module, str]:
    """Return what holds a language model's layers, and by which name: ``layers`` in most, ``h`` in GPT-2 and others."""
    count: int = language.config.num_hidden_layers
    return next(
        (owner, name)
        for owner in language.modules()
        for name, child in owner.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == count
    )


def freeze(joined: Joined, stage: Stage) -> None:
    """Let learn what the stage trains, and nothing else; the model is in training mode but for its vision model.

    ``align``: the projector, with OmniFusion's two marks. ``instruct``: the projector and the language model with
    embeddings and head, or, where there is LoRA, the projector and the low-rank pairs. The vision model never learns.
    The rows that ``<image>`` and ``<pad>`` added are like any others: frozen in ``align``, and in ``instruct`` moved
    only as the head's other rows are that are no answer, since what they stand for in the input is masked or replaced.
    """
    model = joined.model
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    pairs = [weight for name, weight in model.named_parameters() if "lora_" in name]
    if stage == "instruct":
        for weight in pairs or [*model.model.language_model.parameters(), *model.lm_head.parameters()]:
            weight.requires_grad_(True)
    model.train()
    model.model.vision_tower.eval()


def parameter_groups(joined: Joined, lr: float, projector_lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return what learns as groups for an optimizer: each with ``name``, ``params``, ``lr`` and ``weight_decay``.

    Weight decay is for matrices: embeddings, linear layers, low-rank pairs. Vectors have none: biases, gains of
    norms, OmniFusion's marks. Groups without parameters are left out.
    """
    groups = {
        (part, decayed): {"name": f"{part}, {'decayed' if decayed else 'not decayed'}", "params": [], "lr": rate}
        for part, rate in (("projector", projector_lr), ("language", lr))
        for decayed in (True, False)
    }
    for name, weight in joined.model.named_parameters():
        if weight.requires_grad:
            part = "projector" if ".multi_modal_projector." in name else "language"
            groups[part, weight.ndim > 1]["params"].append(weight)  # type: ignore[attr-defined]
    decays = {True: weight_decay, False: 0.0}
    return [{**group, "weight_decay": decays[key[1]]} for key, group in groups.items() if group["params"]]


def _tell_processor(processor: LlavaProcessor, config: LlavaConfig, projector: Projector) -> None:
    """Have the processor write as many image tokens as the model makes embeddings; older checkpoints leave it open."""
    processor.patch_size = config.vision_config.patch_size
    processor.vision_feature_select_strategy = config.vision_feature_select_strategy
    extra = FAMILIES[config.vision_config.model_type].extra_tokens
    processor.num_additional_image_tokens = extra + added_tokens(projector)


def _generation_config(base: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> GenerationConfig:
    """Return the base model's end tokens with this tokenizer's padding, and no sampling."""
    ends = getattr(base, "eos_token_id", None) or tokenizer.eos_token_id
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
