"""How many operations fine-tuning takes by torch's own count, with what samples share computed once and without.

    python -m benchmarks.finetune_flops            # LLaVA's 7B on the meta device, where nothing is computed or held
    python -m benchmarks.finetune_flops --wall     # how fast a small model's steps are on this CPU, instead

Counted is what torch's FlopCounterMode sees of the forward and backward pass of ``token_loss_sum``: vision model,
projector, language model, logits (made twice). It sees attention with dense masks, so each token of a sample, or of a
tree of samples, with each other, allowed or not; *by arithmetic* (costs.py) counts the pairs that see each other alone,
and no logits twice, but a last layer as wide as the others. Both layouts have no padding and show each image to the
vision model once; others pad, and show it once a sample, so against them the saving is larger.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.finetune_loops import Options, measure
from benchmarks.llava_shaped import LLAVA_7B, Shape, build, draw, loader
from pipeline.finetune.attention import use
from pipeline.finetune.costs import count_flops
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.layout import Layout, lay_out
from pipeline.finetune.memory import Forecast
from pipeline.finetune.model import Joined, Stage, freeze
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tuning import tune_layers

CASES: tuple[tuple[str, Stage, bool, float], ...] = (
    ("align, 5 captions an image", "align", False, 4.0),
    ("instruct, LLaVA's mix", "instruct", False, 1.5),
    ("instruct, 3 samples an image", "instruct", True, 1.9),
)
"""Name, stage, whether each image has a sample of each kind, and how many times fewer operations there should be."""
MICRO_TOKENS = 16384
SMALL = Shape(4, 256, 704, 4, 1024, 3, 64, 128, 4, 112, 14, shorter=9)
"""For the clock: an image of 64 tokens, and own tokens in the proportion of LLaVA's."""


def main() -> None:
    """Count, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=32, help="of the language model (default: 32)")
    parser.add_argument("--images", type=int, default=16, help="whose samples are counted (default: 16)")
    parser.add_argument(
        "--narrow", action=argparse.BooleanOptionalAction, default=True, help="the last layer, to what is asked of it"
    )
    parser.add_argument("--wall", action="store_true", help="measure a small model on this CPU instead")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of its loops (default: 10)")
    asked = parser.parse_args()
    if asked.wall:
        wall(asked.seconds)
        return
    shape = replace(LLAVA_7B, layers=asked.layers)
    print(f"7B with {shape.layers} layers, {asked.images} images; TFLOP a sample, forward and backward")
    print(f"{'':30}  {'samples':>9}  {'tokens':>7}  {'by torch':>26}  {'by arithmetic':>26}  {'bar':>6}")
    print(f"{'':30}  {'an image':>9}  {'each':>7}" + f"  {'unshared':>9}{'shared':>9}{'fewer':>8}" * 2)
    for name, stage, all_kinds, bar in CASES:
        print(
            f"{name:30}  {counted(shape, stage, all_kinds, asked.images, asked.narrow)}  {f'≥ {bar:g}':>6}", flush=True
        )


def counted(shape: Shape, stage: Stage, all_kinds: bool, images: int, is_narrow: bool) -> str:
    """Return a line of the table."""
    prepared = draw(shape, stage, images, all_kinds=all_kinds)
    joined = build(shape, "meta")
    freeze(joined, stage)
    tune_layers(joined, recompute=0, compiled=False)
    joined.is_narrow = joined.is_narrow and is_narrow
    use(joined.model.model.language_model, flex=False)
    unshared, shared = (count(shape, joined, prepared, layout) for layout in ("packed", "shared"))
    told = f"{len(prepared) / images:9.2f}  {prepared.lengths.mean():7.0f}"
    for one, other in zip(unshared, shared, strict=True):
        told += f"  {one / len(prepared) / 1e12:9.2f}{other / len(prepared) / 1e12:9.2f}{one / other:6.2f} ×"
    return told


def count(shape: Shape, joined: Joined, prepared: Prepared, layout: Layout) -> tuple[float, float]:
    """Return the operations of all samples, as torch counts them and by arithmetic."""
    load, flops = loader(shape, joined, prepared), count_flops(joined)
    by_torch = by_arithmetic = 0.0
    for pack in lay_out(prepared, range(len(prepared)), layout, most_tokens=MICRO_TOKENS):
        batch = load(pack)
        with FlopCounterMode(display=False) as seen:
            loss, learnt = token_loss_sum(joined, batch)
            loss.backward()
        by_torch += seen.get_total_flops()
        by_arithmetic += flops.total(pack.tokens, pack.pairs, learnt, batch.pictures)
    return by_torch, by_arithmetic


def wall(seconds: float) -> None:
    """Measure a small model's steps, and print a table."""
    print(
        f"a model of {SMALL.layers} layers of {SMALL.width}, {SMALL.image_tokens} tokens an image, float32, "
        f"{torch.get_num_threads()} threads; samples a second, and how many times those of padded ones"
    )
    for name, stage, all_kinds, _ in CASES:
        prepared = draw(SMALL, stage, 200, all_kinds=all_kinds)
        joined = build(SMALL, "cpu")
        freeze(joined, stage)
        forecast = Forecast(joined, torch.float32)
        options = Options(torch.device("cpu"), torch.float32, seconds, batch=64, hf_batch=16, micro_tokens=2048)
        rates = {
            loop: measure(SMALL, joined, forecast, prepared, stage, loop, options).rate
            for loop in ("hf", "padded", "packed", "shared")
        }
        told = "  ".join(f"{loop} {rate:7.1f} ({rate / rates['padded']:.2f} ×)" for loop, rate in rates.items())
        print(f"{name:30}  {told}", flush=True)


if __name__ == "__main__":
    main()
