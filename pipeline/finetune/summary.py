"""What was prepared, in figures: for ``--dry-run``, and for the record of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from pipeline.finetune.layout import Layout, lay_out
from pipeline.finetune.order import Order
from pipeline.finetune.preparation import Prepared

STEPS_SEEN = 50  # from which the share of padding is told
PERCENTILES = (50, 90, 99, 100)


def summarise(prepared: Prepared, order: Order, *, layout: Layout, micro_tokens: int, ranks: int = 1) -> dict[str, Any]:
    """Return the figures of the samples that are trained on, as plain values.

    Args:
        prepared: All samples.
        order: Their order, for what is shared and padded in its first ``STEPS_SEEN`` steps.
        layout: Of the samples in packs.
        micro_tokens: Most that a device takes at once.
        ranks: Number of devices.
    """
    training = prepared.training()
    lengths, pictures = prepared.lengths[training], prepared.picture[training]
    with_picture = pictures[pictures >= 0]
    an_image = Counter(np.unique(with_picture, return_counts=True)[1].tolist())
    return {
        "rows": prepared.counts,
        "rejected": dict(Counter(fault.reason for fault in prepared.rejected).most_common()),
        "turns_dropped": sum(prepared.shortened.values()),
        "kinds": dict(sorted(prepared.kinds.items())),
        "samples_an_epoch": len(training),
        "samples_held_out": len(prepared.validation()),
        "text_only": len(training) - len(with_picture),
        "images": sum(an_image.values()),
        "samples_an_image": {many: an_image[many] for many in sorted(an_image)},
        "tokens_an_epoch": int(lengths.sum()),
        "length_percentiles": {
            percentile: int(np.percentile(lengths, percentile, method="higher")) if len(lengths) else 0
            for percentile in PERCENTILES
        },
        "supervised_share": _share(int(prepared.supervised[training].sum()), int(lengths.sum())),
    } | _shares(prepared, order, layout, micro_tokens, ranks)


def _shares(prepared: Prepared, order: Order, layout: Layout, micro_tokens: int, ranks: int) -> dict[str, float]:
    """Return the shares of what is shared in the samples' tokens, and of padding in what is computed."""
    tokens = computed = places = 0
    for number in range(min(STEPS_SEEN, order.steps_an_epoch)):
        samples = order.step(number)
        packs = lay_out(prepared, samples, layout, most_tokens=micro_tokens, ranks=ranks)
        tokens += int(prepared.lengths[samples].sum())
        computed += sum(pack.tokens for pack in packs)
        places += sum(pack.places for pack in packs)
    return {"shared_share": _share(tokens - computed, tokens), "padding_share": _share(places - computed, places)}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def lines(figures: dict[str, Any]) -> list[str]:
    """Return what a person wants to know of the figures, a line each."""
    rows = figures["rows"]
    outcomes = ", ".join(f"{rows[name]:,} {name}" for name in ("used", "shortened", "rejected", "left out"))
    told = [f"{rows['read']:,} rows: {outcomes}"]
    told += [f"  rejected: {reason}: {count:,}" for reason, count in figures["rejected"].items()]
    told.append("kinds: " + ", ".join(f"{count:,} {kind}" for kind, count in figures["kinds"].items()))
    told.append(f"{figures['samples_an_epoch']:,} samples an epoch, {figures['samples_held_out']:,} held out")
    shared = ", ".join(f"{images:,} with {many}" for many, images in figures["samples_an_image"].items())
    told.append(f"images: {figures['images']:,} ({shared or 'none'} samples); text alone: {figures['text_only']:,}")
    lengths = ", ".join(f"{length:,} ({part} %)" for part, length in figures["length_percentiles"].items())
    told.append(f"tokens: {figures['tokens_an_epoch']:,} an epoch; a sample at most {lengths}")
    told.append(
        f"learnt: {figures['supervised_share']:.1%} of the tokens; shared with other samples of their image, and so "
        f"computed once: {figures['shared_share']:.1%}; padding: {figures['padding_share']:.1%}"
    )
    return told
