from __future__ import annotations

import pytest

from pipeline.review.agreement import compare, kappa
from pipeline.samples.verdicts import Decision, Entry, Standing


def _standing(**given: Decision) -> Standing:
    return Standing({by: Entry("verdict", "1", "", by, "", verdict=verdict) for by, verdict in given.items()}, {}, {})


def test_kappa_is_that_of_the_textbook() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: observed 0.7, by chance 0.5.
    table: dict[tuple[Decision, Decision], int] = {
        ("accepted", "accepted"): 20,
        ("accepted", "rejected"): 5,
        ("rejected", "accepted"): 10,
        ("rejected", "rejected"): 15,
    }
    assert kappa(table) == pytest.approx(0.4)
    assert kappa({("accepted", "accepted"): 9}) is None
    assert kappa({}) is None


def test_only_samples_that_both_decided_are_compared() -> None:
    raters, pairs = compare(
        [
            _standing(ada="accepted", bob="rejected"),
            _standing(ada="accepted", bob="accepted"),
            _standing(ada="rejected"),
            _standing(cem="rejected"),
        ]
    )
    assert [(one.name, one.accepted, one.rejected) for one in raters] == [("ada", 2, 1), ("bob", 1, 1), ("cem", 0, 1)]
    assert [(pair.one, pair.other, pair.both, pair.agreed) for pair in pairs] == [("ada", "bob", 2, 1)]
