"""How fast LLaVA's 7B is fine-tuned on this GPU: Hugging Face's loop, ours without sharing, ours with it.

    python -m benchmarks.finetune_gpu                          # in the repository's root; 8 minutes on an H200
    python -m benchmarks.finetune_gpu --device cpu --tiny      # the same with toy shapes, in seconds

Nothing is downloaded or read: random weights, words and pixels (llava_shaped.py). A matrix product is measured first,
and then, in the same process, each loop in each stage (finetune_loops.py). What is measured is what
``python -m pipeline finetune`` is made of, but for reading, checking and decoding files.

MFU is a share of that matrix product's rate and counts useful work alone: no padding, nothing that is computed twice,
and of tokens that samples share one. The loss is that of the first step; loops that compute the same have the same.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch

from benchmarks.finetune_loops import LOOPS, Measured, Options, make_room, measure
from benchmarks.llava_shaped import LLAVA_7B, TINY, Shape, build, draw
from pipeline.finetune.costs import count_flops, measured_rate
from pipeline.finetune.memory import Forecast
from pipeline.finetune.model import Stage, freeze
from pipeline.finetune.preparation import Prepared

STAGES: tuple[Stage, ...] = ("align", "instruct")
BATCH = {"align": 256, "instruct": 128}  # samples a step, and at once in Hugging Face's loop: those of LLaVA v1.5
HF_BATCH = {"align": 32, "instruct": 16}
EPOCH = {"align": 590_000, "instruct": 158_000}  # samples, of LLaVA v1
FOR_WEIGHTS = 0.87  # share of the memory; the rest is for activations
GIB = 2**30
TITLES = ("stage", "loop", "samples/s", "× hf", "tokens/s", "padding", "MFU", "peak GiB", "forecast", "loss", "epoch")
WIDTHS = (8, 6, 10, 6, 9, 7, 7, 8, 8, 8, 8)


def depth(shape: Shape, stage: Stage, device: torch.device) -> int:
    """Return how many layers fit on the device."""
    if device.type != "cuda":
        return shape.layers
    most = FOR_WEIGHTS * torch.cuda.get_device_properties(device).total_memory
    for layers in (shape.layers, 24, 16, 8):
        joined = build(replace(shape, layers=layers), "meta")
        freeze(joined, stage)
        # In bytes, see schedule.py: what learns, with gradient, averages and cast copy, and what is frozen.
        if sum((18 if weight.requires_grad else 2) * weight.numel() for weight in joined.model.parameters()) < most:
            return layers
    return 4


def about(shape: Shape, whole: Shape, stage: Stage, prepared: Prepared, forecast: Forecast) -> str:
    """Tell what is measured in a stage."""
    images = int(prepared.picture.max()) + 1
    memory = forecast.memory(0, 0)
    told = (
        f"\n{stage}: {shape.layers} layers; {len(prepared) / images:.2f} samples an image, of "
        f"{prepared.lengths.mean():.0f} tokens; {memory.resting / GIB:.1f} GiB of weights, gradients and AdamW"
    )
    if shape.layers < whole.layers:
        told += f"; {whole.layers} do not fit on this device, or fewer were asked for, and epochs are scaled to those"
    return told


def row(one: Measured, rows: list[Measured], rate: float, scale: float) -> str:
    """Return a line of the table.

    Args:
        one: What was measured.
        rows: All of that so far; the line is held against Hugging Face's in the same stage.
        rate: Operations a second of the matrix product.
        scale: How many times the operations of what was measured a whole model takes.
    """
    base = next((other.rate for other in rows if (other.stage, other.loop) == (one.stage, "hf")), None)
    sums = one.sums
    cells = (
        one.stage,
        one.loop,
        f"{one.rate:,.2f}",
        f"{one.rate / base:.2f}" if base else "–",
        f"{sums.tokens / one.seconds:,.0f}",
        f"{1 - sums.computed / sums.places:.1%}",
        f"{sums.flops / one.seconds / rate:.1%}",
        f"{one.peak / GIB:.1f}" if one.peak else "–",
        f"{one.expected / one.peak - 1:+.1%}" if one.peak and one.expected else "–",
        f"{one.loss:.4f}",
        f"{EPOCH[one.stage] / one.rate * scale / 3600:,.2f} h",
    )
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + f"  {one.manner}"


def operations(shape: Shape, stage: Stage, prepared: Prepared) -> float:
    """Return the operations of a sample that shares nothing."""
    joined = build(shape, "meta")
    freeze(joined, stage)
    tokens, learnt = float(prepared.lengths.mean()), float(prepared.supervised.mean())
    return count_flops(joined).total(tokens, tokens * (tokens + 1) / 2, learnt, 1)


def attempt(run: Callable[[Options], Measured], options: Options, *, can_halve: bool) -> Measured | None:
    """Measure a loop; tell what fails, and go on without it.

    Args:
        run: Measures it.
        options: How.
        can_halve: Whether ``hf_batch`` is halved where memory runs out; our own loops see to that themselves.
    """
    while options.hf_batch:
        try:
            return run(options)
        except torch.OutOfMemoryError as error:
            print(f"out of memory: {str(error).splitlines()[0]}", flush=True)
        except Exception:  # whatever it is, the other loops are worth measuring: a GPU is rarely at hand
            print("failed:", traceback.format_exc(), sep="\n", flush=True)
            return None
        make_room()  # only now has the traceback let go of what it held
        options = replace(options, hf_batch=options.hf_batch // 2 if can_halve else 0)
    return None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flag = parser.add_argument
    flag("--device", default="cuda", help="default: cuda")
    flag("--tiny", action="store_true", help="toy shapes")
    flag("--layers", type=int, help="of the language model (default: 32, or what fits)")
    flag("--stages", default=",".join(STAGES), help="default: %(default)s")
    flag("--loops", default=",".join(LOOPS), help="default: %(default)s")
    flag("--seconds", type=float, default=20.0, help="of each loop (default: 20)")
    flag("--minutes", type=float, default=8.0, help="after which no other loop is begun (default: 8)")
    flag("--batch", type=int, help="samples a step (default: 256 and 128, as LLaVA)")
    flag("--hf-batch", type=int, help="samples that Hugging Face's loop takes at once (default: 32 and 16, as LLaVA)")
    flag("--micro-tokens", type=int, help="that ours take at once (default: by forecast)")
    flag("--recompute", type=int, help="layers that compute again what they do not keep (default: by forecast)")
    flag("--compile", action=argparse.BooleanOptionalAction, help="layers (default: on a GPU)")
    flag("--narrow", action=argparse.BooleanOptionalAction, default=True, help="the last layer")
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    device = torch.device(asked.device)
    rate = measured_rate(device, torch.bfloat16)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}: a bfloat16 matrix product at {rate / 1e12:,.3f} TFLOP/s", flush=True)
    rows: list[Measured] = []
    for stage in (stage for stage in STAGES if stage in asked.stages.split(",")):
        options = Options(
            device=device,
            dtype=torch.bfloat16,
            seconds=asked.seconds,
            batch=asked.batch or (16 if asked.tiny else BATCH[stage]),
            hf_batch=asked.hf_batch or (4 if asked.tiny else HF_BATCH[stage]),
            micro_tokens=asked.micro_tokens or (256 if asked.tiny else None),
            recompute=asked.recompute,
            compiled=device.type == "cuda" if asked.compile is None else asked.compile,
            narrow=asked.narrow,
        )
        whole = TINY if asked.tiny else LLAVA_7B
        shape = replace(whole, layers=asked.layers or depth(whole, stage, device))
        prepared = draw(shape, stage, images=40 if asked.tiny else 4000)
        joined = build(shape, device)
        freeze(joined, stage)
        forecast = Forecast(joined, options.dtype)
        scale = operations(whole, stage, prepared) / operations(shape, stage, prepared)
        print(about(shape, whole, stage, prepared, forecast), flush=True)
        print("  ".join(f"{title:>{width}}" for title, width in zip(TITLES, WIDTHS, strict=True)))
        for loop in (loop for loop in LOOPS if loop in asked.loops.split(",")):
            if time.perf_counter() - began > 60 * asked.minutes:
                print(f"{stage}, {loop}: left out, {asked.minutes:g} minutes are over", flush=True)
                continue
            done = attempt(
                partial(measure, shape, joined, forecast, prepared, stage, loop), options, can_halve=loop == "hf"
            )
            if done:
                rows.append(done)
                print(row(done, rows, rate, scale), flush=True)
        del joined
        make_room()
    print(
        "\nsamples/s and tokens/s count samples one by one, whatever they share; forecast: held against the peak;\n"
        f"epoch: {EPOCH['align']:,} captions or {EPOCH['instruct']:,} samples, extrapolated from {asked.seconds:g} s."
    )


if __name__ == "__main__":
    main()
