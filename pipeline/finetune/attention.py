"""Who sees whom in a pack of trees, told to the language model's own layers.

A token sees what is before it in its tree, but nothing of the other branches. Two ways tell that to a model:

- *FlexAttention*, on a GPU: one kernel over the whole row, which skips the blocks in which nobody sees anybody.
- *A tree at a time*, anywhere: transformers' own SDPA with a small dense mask for each tree. It costs nothing between
  trees, and is exact in float64.

Both are attention functions of transformers, so the modelling code stays Hugging Face's, and any causal language model
works that calls them. Whether one does is found out by trying (:func:`fault`), not by a list of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pipeline.finetune.layout import Tree

BY_TREE = "tree_at_a_time"
FLEX = "flex_attention"
BLOCK = 128
"""Tokens on the side of a block that FlexAttention skips or looks at."""
_NO_MASK = torch.zeros(1, 1, 1, 1, dtype=torch.bool)  # four axes: taken as made already, and looked at by nobody


@dataclass(frozen=True)
class Piece:
    """Queries and keys that meet, and which of them do."""

    queries: slice
    keys: slice
    mask: Tensor | None
    """bool (1, 1, queries, keys); None: each query sees the keys before it and its own."""


@dataclass(frozen=True)
class Forest:
    """What a pass needs to know of a pack's trees; made once, used by each layer."""

    attention_mask: Tensor | BlockMask
    """For a model's argument of that name."""
    pieces: tuple[Piece, ...]
    """Empty with FlexAttention."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what a language model, or a layer of one, is called with."""
        return {"attention_mask": self.attention_mask} | ({"pieces": self.pieces} if self.pieces else {})


def tree_at_a_time(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    pieces: Sequence[Piece] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend within trees; an attention function of transformers, and without ``pieces`` its SDPA.

    Args:
        module: Attention layer.
        query: (1, heads, T, width of a head); so are ``key`` and ``value``, which may have fewer heads.
        key: See there.
        value: See there.
        attention_mask: Used where there are no pieces.
        pieces: Of a forest; their queries follow one another without a gap.
        options: Of transformers' SDPA.
    """
    if pieces is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    seen = [
        sdpa_attention_forward(
            module, query[:, :, one.queries], key[:, :, one.keys], value[:, :, one.keys], one.mask, **options
        )[0]
        for one in pieces
    ]
    return torch.cat(seen, dim=1), None


AttentionInterface.register(BY_TREE, tree_at_a_time)
AttentionMaskInterface.register(BY_TREE, sdpa_mask)


def grow(
    trees: Sequence[Tree], width: int, device: torch.device, *, flex: bool, places: Tensor | None = None
) -> Forest:
    """Return what tells a model who sees whom.

    Args:
        trees: Of a pack, in the order of its row.
        width: Of the row; padding sees itself.
        device: Of the model.
        flex: Whether for FlexAttention.
        places: On the CPU, int64 (U,), ascending: the queries that are asked, where those of all tokens are not.
    """
    if flex:
        return _grow_blocks(trees, width, device, places)
    spans = [(tree.shared, *tree.own) for tree in trees]
    begin, asked, pieces = 0, 0, []
    rest = width - sum(map(sum, spans))
    for span in spans + [(0, 1)] * rest:
        end = begin + sum(span)
        keys, mask = slice(begin, end), _sees(span) if len(span) > 2 or span[0] else None
        queries = keys
        if places is not None:
            own = places[(places >= begin) & (places < end)] - begin
            queries = slice(asked, asked + len(own))
            mask = _sees(span)[own]
        if queries.stop > queries.start:
            told = None if mask is None else mask[None, None].to(device, non_blocking=True)
            pieces.append(Piece(queries, keys, told))
        asked, begin = queries.stop, end
    return Forest(_NO_MASK.to(device), tuple(pieces))


def _sees(span: tuple[int, ...]) -> Tensor:
    """Return who sees whom in one tree, given its lengths: bool (tokens, tokens)."""
    branch = torch.repeat_interleave(torch.arange(len(span)), torch.tensor(span))
    same = (branch[:, None] == branch) | (branch == 0)
    return same & torch.ones_like(same).tril()


def _grow_blocks(trees: Sequence[Tree], width: int, device: torch.device, places: Tensor | None) -> Forest:
    tree, branch = numbered(trees, width)
    at = torch.arange(width) if places is None else places
    lists = [tensor.to(device, non_blocking=True) for tensor in block_lists(tree, branch, at)]
    tree, branch, at = (tensor.to(device, non_blocking=True) for tensor in (tree, branch, at))

    def sees(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        place = at[query]
        same = (branch[key] == 0) | (branch[key] == branch[place])
        return (place >= key) & (tree[place] == tree[key]) & same

    return Forest(BlockMask.from_kv_blocks(*lists, BLOCK, sees, (len(at), width)), ())


def block_lists(tree: Tensor, branch: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return which blocks of keys each block of queries looks at, as ``BlockMask.from_kv_blocks`` takes them.

    The library's own ``create_block_mask`` asks of each pair of tokens whether they see each other, 268 million for a
    row of 16,384. Blocks know it from the first and last tree and branch in them. Now and then such a block is looked
    at in which nobody sees anybody, which costs its time and changes nothing.

    Args:
        tree: Number of each key's tree, ascending: int64 (keys,).
        branch: Number of each key's branch in its tree, 0 being what is shared: int64 (keys,).
        places: Of the queries among the keys, ascending: int64 (queries,).

    Returns:
        How many blocks are looked at in part, which, how many as a whole, which: int32, of shapes (1, 1, Q),
        (1, 1, Q, K), (1, 1, Q), (1, 1, Q, K) for Q blocks of queries and K of keys.
    """
    (key_first, key_last), (key_tree, key_tree_last), (low, high) = map(_ends, (torch.arange(len(tree)), tree, branch))
    (first, last), (own_tree, own_tree_last), (own_low, own_high) = (
        (least[:, None], greatest[:, None]) for least, greatest in map(_ends, (places, tree[places], branch[places]))
    )
    meets = (key_first <= last) & (key_tree_last >= own_tree) & (key_tree <= own_tree_last)
    in_one_tree = (key_tree == key_tree_last) & (own_tree == own_tree_last) & (key_tree == own_tree)
    in_one_branch = (low == high) & (own_low == own_high) & (low == own_low)
    are_strangers = in_one_tree & (low == high) & (low > 0) & (own_low == own_high) & ~in_one_branch
    looks = meets & ~are_strangers
    sees_all = looks & in_one_tree & (key_last <= first) & ((high == 0) | in_one_branch)
    if len(tree) % BLOCK:  # beyond the end there is nothing to see
        sees_all[:, -1] = False
    if len(places) % BLOCK:
        sees_all[-1] = False
    return *_listed(looks & ~sees_all), *_listed(sees_all)


def _ends(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest of each block of values."""
    rest = -len(values) % BLOCK
    blocks = torch.cat([values, values[-1:].expand(rest)]).view(-1, BLOCK)
    return blocks.amin(1), blocks.amax(1)


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many are chosen in each row, and which, those first."""
    order = torch.argsort(chosen.int(), dim=1, descending=True, stable=True)
    return chosen.sum(1).int()[None, None], order.int()[None, None]


def numbered(trees: Sequence[Tree], width: int) -> tuple[Tensor, Tensor]:
    """Return the number of each token's tree and, within it, of its branch, 0 being what is shared: int64 (width,)."""
    spans = [(tree.shared, *tree.own) for tree in trees]
    rest = width - sum(map(sum, spans))
    sizes = torch.tensor([sum(span) for span in spans] + [1] * rest)
    tree = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    branches = [torch.repeat_interleave(torch.arange(len(span)), torch.tensor(span)) for span in spans]
    return tree, torch.cat([*branches, torch.zeros(rest, dtype=torch.int64)])


def use(language: PreTrainedModel, *, flex: bool) -> None:
    """Have a language model call the attention function that trees need; what it does without trees stays the same."""
    language.config._attn_implementation = FLEX if flex else BY_TREE


@torch.no_grad()
def fault(language: PreTrainedModel, longest: int) -> str:
    """Return why a language model cannot be told of trees; empty if it can.

    Two samples are run through its first layers one by one, as the library would, and as a tree between two others; the
    states must come out the same.

    Args:
        language: Without its head and in evaluation mode; afterwards it is as it was.
        longest: Tokens of the longest sample.
    """
    config = language.config
    window = getattr(config, "sliding_window", None)
    if window and getattr(config, "use_sliding_window", True) and window < longest:
        return f"it sees {window:,} tokens back, and samples have up to {longest:,}"
    if getattr(config, "attn_logit_softcapping", None):  # SDPA cannot, and older transformers do not say so
        return "it caps the scores of its attention"
    if not language._supports_sdpa:
        return "its attention is not one of those that transformers can exchange"
    usual, layers = config._attn_implementation, getattr(language, "layers", None)
    if layers is not None:
        language.layers = nn.ModuleList(layers[:TRIED])
    try:
        config._attn_implementation = "sdpa"
        shared, branches = (5, 7, 11), ((2, 3, 19), (13, 17))
        alone = [_states(language, torch.tensor([shared + branch])) for branch in branches]
        config._attn_implementation = BY_TREE
        trees = (Tree((0,), 0, (4,)), Tree((1, 2), 3, (3, 2)), Tree((3,), 0, (3,)))
        row = torch.tensor([(1, 2, 3, 4, *shared, *branches[0], *branches[1], 9, 8, 7)])
        positions = torch.tensor([(0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 3, 4, 0, 1, 2)])
        arguments = grow(trees, row.shape[1], language.device, flex=False).arguments
        together = _states(language, row, position_ids=positions, **arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        return f"it does not take them ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
    finally:
        config._attn_implementation = usual
        if layers is not None:
            language.layers = layers
    expected = torch.cat([alone[0], alone[1][:, len(shared) :]], dim=1)
    apart = (together[:, 4:12] - expected).norm() / expected.norm()
    return (
        ""
        if apart < TOLERATED[expected.dtype]
        else f"its states differ by {float(apart):.1%} from those it should have"
    )


TRIED = 4  # layers; models whose layers are of several sorts have each among the first few
TOLERATED = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""Relative distance of states that differ by rounding alone; a token that sees one too many is beyond 0.1."""


def _states(language: PreTrainedModel, ids: Tensor, **arguments: Any) -> Tensor:
    states: Tensor = language(input_ids=ids.to(language.device), use_cache=False, **arguments).last_hidden_state
    return states
