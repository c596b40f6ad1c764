"""What LLaVA's published preprocessing yields, written anew from what it does: counts of pieces tokenised again.

A conversation is LLaVA's own: ``{"from": "human" | "gpt", "value": …}`` by turns. ``None`` for the labels of a sample
that it gives up on: it prints a warning, and every label is ``IGNORE``.
"""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

IGNORE, IMAGE = -100, -200
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
LLAMA_2 = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)

Ids = list[int]
Conversation = list[dict[str, str]]


def image_first(conversation: Conversation) -> Conversation:
    """Every message that names the image has it in front, on a line of its own, and no white space around."""
    moved = []
    for turn in conversation:
        value = turn["value"]
        if "<image>" in value:
            value = ("<image>\n" + value.replace("<image>", "").strip()).strip()
        moved.append({"from": turn["from"], "value": value})
    return moved


def tokenise(text: str, tokenizer: PreTrainedTokenizerBase) -> Ids:
    """Pieces between images are tokenised each on its own; the first one's <s> stays, the others' go."""
    pieces = [tokenizer(piece)["input_ids"] for piece in text.split("<image>")]
    has_bos = bool(pieces[0]) and pieces[0][0] == tokenizer.bos_token_id
    ids = [pieces[0][0]] if has_bos else []
    for place, piece in enumerate(pieces):
        ids += ([IMAGE] if place else []) + piece[int(has_bos) :]
    return ids


def _labels(ids: Ids, text: str, answer_mark: str, tokenizer: PreTrainedTokenizerBase, shifted: bool) -> Ids | None:
    """Walk over the rounds: mask as many ids as the instruction has, less two: ``<s>``, and the answer's blank."""
    labels = list(ids)
    labels[0] = IGNORE
    at = 1
    for number, part in enumerate(text.split("</s>")):
        halves = part.split(answer_mark)
        if part == "" or len(halves) != 2:
            break
        whole = len(tokenise(part, tokenizer))
        asked = len(tokenise(halves[0] + answer_mark, tokenizer)) - 2
        if number > 0 and shifted:
            whole, asked = whole - 1, asked - 1
        labels[at : at + asked] = [IGNORE] * asked
        at += whole
    labels[at:] = [IGNORE] * len(labels[at:])
    return labels if at == len(ids) else None


def vicuna_v1(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> tuple[Ids, Ids | None]:
    text = VICUNA + " "
    for turn in image_first(conversation):
        name, after = ("USER", " ") if turn["from"] == "human" else ("ASSISTANT", "</s>")
        text += f"{name}: {turn['value']}{after}" if turn["value"] else f"{name}:"
    ids = tokenise(text, tokenizer)
    return ids, _labels(ids, text, " ASSISTANT: ", tokenizer, shifted=not tokenizer.legacy)


def llama_2(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> tuple[Ids, Ids | None]:
    text = ""
    for number, turn in enumerate(image_first(conversation)):
        value = f"<<SYS>>\n{LLAMA_2}\n<</SYS>>\n\n{turn['value']}" if number == 0 else turn["value"]
        text += f"<s>[INST] {value} [/INST]" if turn["from"] == "human" else f" {value} </s>"
    text = text.removeprefix("<s>")
    ids = tokenise(text, tokenizer)
    return ids, _labels(ids, text, "[/INST] ", tokenizer, shifted=False)


def plain(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> tuple[Ids, Ids]:
    ids = tokenise("<image>" + conversation[1]["value"] + "\n", tokenizer)
    unlearnt = len(tokenise("<image>", tokenizer))
    return ids, [IGNORE] * unlearnt + ids[unlearnt:]
