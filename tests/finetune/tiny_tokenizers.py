"""Tokenizers of the two families, trained on a few sentences, with the traits that labels depend on."""

from __future__ import annotations

import json
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import LlamaTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

SENTENCES = [
    "A chat between a curious user and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "What is in the picture? There are 2 dogs and a cat on the mat.",
    "Where does the man stand? He stands to the left of a red car, near the house.",
    "Кошка сидит на столе. Где стоит собака? Собака стоит у дома.",
    "图中有两只猫和一只狗。桌子上有什么？桌子上有一个杯子。",
]
SYMBOLS = "ASSISTANTUSER<>/|[]_:."
# Llama's vocabulary has USER whole, but not after its word-begin sign: LLaVA's arithmetic relies on it.
USER_MERGES = [("U", "S"), ("E", "R"), ("▁", "US"), ("US", "ER")]


@cache
def _llama_model() -> tuple[dict[str, int], list[tuple[str, str]]]:
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, initial_alphabet=list(SYMBOLS + "▁"))
    tokenizer.train_from_iterator(
        [s for s in SENTENCES if "图" not in s], trainer
    )  # Chinese goes by bytes, as in Llama
    model = json.loads(tokenizer.to_str())["model"]
    merges = USER_MERGES + [tuple(merge) for merge in model["merges"]]
    vocab: dict[str, int] = model["vocab"]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    return vocab, list(dict.fromkeys(merges))


@cache
def llama(legacy: bool) -> PreTrainedTokenizerBase:
    """SentencePiece-like BPE with byte fallback; legacy: the word-begin sign also comes after control tokens."""
    vocab, merges = _llama_model()
    return LlamaTokenizer(vocab=dict(vocab), merges=merges, legacy=legacy, add_bos_token=True)


@cache
def llama_file() -> PreTrainedTokenizerBase:
    """The same as the tokenizer.json of Llama 2 has it: the word-begin sign comes from a normalizer."""
    vocab, merges = _llama_model()
    tokenizer = Tokenizer(models.BPE(dict(vocab), merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _named(tokenizer, bos_token="<s>")


@cache
def byte_level(begins: bool) -> PreTrainedTokenizerBase:
    """BPE over bytes, of the form of Llama 3 and Qwen; begins: puts ``<s>`` before what it reads."""
    tokenizer = Tokenizer(models.BPE())
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["</s>", "<s>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=700, special_tokens=special, initial_alphabet=alphabet)
    )
    byte_level_offsets = processors.ByteLevel(trim_offsets=True)
    start = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.post_processor = processors.Sequence([byte_level_offsets, start]) if begins else byte_level_offsets
    return _named(tokenizer, bos_token="<s>") if begins else _named(tokenizer)


def _named(tokenizer: Tokenizer, **special: str) -> PreTrainedTokenizerBase:
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", **special)
    wrapped.legacy = True  # LLaVA's code asks, and takes such a tokenizer to count alike everywhere
    return wrapped
