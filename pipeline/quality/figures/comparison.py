"""A run's shares of what is wrong, beside LLaVA's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.quality.counting import rate
from pipeline.quality.wording import named

LEAK = "source leak"
_MOST_KINDS = 6


class Compared(msgspec.Struct, frozen=True):
    """One share, ours and theirs, each as ``counting.rate`` returns it."""

    name: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any] | None = None
    """``None`` where nobody has measured it."""


def errors(figures: Mapping[str, Any]) -> dict[str, list[Compared]]:
    """Return what is wrong under headings: samples that contradict their scene, claims that do, samples that leak.

    Nothing where nothing was checked, which is not the same as nothing wrong.
    """
    claims = figures["claims"]["by_claim_kind"]
    if not claims:
        return {}
    theirs = figures["llava"]
    samples = list(figures["contradicted_samples"]["by_kind"].items())[:_MOST_KINDS]
    total = figures["samples"]["total"]
    leaks = figures["findings"][LEAK]["samples"] if LEAK in figures["findings"] else rate(0, total)
    told = {
        "Samples with a contradicted statement": [
            Compared(named(kind), share, theirs["contradicted_samples"]["by_kind"].get(kind)) for kind, share in samples
        ],
        "Statements contradicted, of those checked": [
            Compared(named(kind), verdicts["contradicted_share"], theirs["contradicted_claims"].get(kind))
            for kind, verdicts in list(claims.items())[:_MOST_KINDS]
            if verdicts["contradicted_share"]["of"]
        ],
        "Samples that leak their source": [Compared("all kinds", leaks, theirs["source_leaks"])],
    }
    return {heading: rows for heading, rows in told.items() if rows}
