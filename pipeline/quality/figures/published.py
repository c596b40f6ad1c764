"""What the best known published data scores, to stand beside a run's own figures.

Measured with rules like those of this room on the answers that LLaVA's authors published with their paper (two sets of
30 images and three kinds, 111 different answers, written by GPT-4), against the captions and boxes that GPT-4 saw. The
numbers are small, so every share comes with its interval. The mean lengths are those of the whole published data set.
"""

from __future__ import annotations

from typing import Any

from pipeline.quality.counting import rate

NAME = "LLaVA"


def llava() -> dict[str, Any]:
    """Return LLaVA's figures, under the names that ``Statistics.figures`` uses."""
    return {
        "contradicted_samples": {"by_kind": {"detailed_description": rate(7, 37)}},
        "contradicted_claims": {"place": rate(4, 16), "count": rate(2, 34)},
        "count_and_place_claims_an_answer": {
            "all": 0.56,
            "by_kind": {"conversation": 0.23, "detailed_description": 1.17},
        },
        "mean_answer_words": {"conversation": 16.7, "detailed_description": 79, "complex_reasoning": 105},
        "hedged_answers": {"all": rate(59, 111)},
        "source_leaks": rate(1, 111),
        "closed_answered_no": 0,
        "distinct_questions": {"all": rate(66, 90), "by_kind": {"detailed_description": rate(10, 30)}},
    }
