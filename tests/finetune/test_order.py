from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from pipeline.finetune.order import Order

COUNT = 103
LENGTHS = np.random.default_rng(0).integers(10, 900, COUNT).astype(np.int32)
PICTURES = np.where(np.arange(COUNT) % 10 == 0, -1, np.arange(COUNT) // 3).astype(np.int32)
SAMPLES = np.arange(COUNT)


def flat(lists: Iterable[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(lists))


FIRST_STEP = [93, 61, 75, 9, 36, 39, 85, 55]


def order(samples: Any = SAMPLES, **options: Any) -> Order:
    return Order(samples, LENGTHS, PICTURES, **({"seed": 1, "batch": 8} | options))


FORMS = [{}, {"by_length": True}, {"by_picture": True}, {"by_length": True, "by_picture": True}]


@pytest.mark.parametrize("form", FORMS)
def test_an_epoch_has_each_sample_once_and_epochs_differ(form: dict[str, bool]) -> None:
    made = order(**form)
    assert made.steps_an_epoch == 13
    epochs = [[made.step(epoch * 13 + at) for at in range(13)] for epoch in range(2)]
    for epoch in epochs:
        assert [len(step) for step in epoch] == [8] * 12 + [7]
        assert sorted(flat(epoch)) == list(range(COUNT))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_step_follows_from_seed_and_number_alone(form: dict[str, bool]) -> None:
    forwards = [order(**form).step(number) for number in range(30)]
    one = order(**form)
    assert [one.step(number) for number in reversed(range(30))] == forwards[::-1]
    assert [order(**form, seed=2).step(number) for number in range(30)] != forwards


def test_the_order_is_the_same_on_every_machine() -> None:
    assert order().step(0) == FIRST_STEP


def test_samples_may_come_several_times() -> None:
    samples = np.repeat(SAMPLES[:20], np.arange(20) % 3)
    for form in FORMS:
        made = order(samples, **form)
        seen = Counter(flat(made.step(at) for at in range(made.steps_an_epoch)))
        assert seen == {number: number % 3 for number in range(20) if number % 3}


def test_steps_by_length_are_about_equally_long_and_come_in_random_order() -> None:
    def spread(made: Order) -> float:
        return float(np.mean([np.ptp(LENGTHS[made.step(at)]) for at in range(12)]))

    made = order(by_length=True)
    assert spread(made) < 0.25 * spread(order())
    means = [LENGTHS[made.step(at)].mean() for at in range(12)]
    assert means != sorted(means)


def test_samples_of_a_picture_come_together_and_repetitions_do_not() -> None:
    def parted(made: Order) -> int:
        """Return how many pictures come in more than one step."""
        steps: dict[int, set[int]] = {}
        for at in range(made.steps_an_epoch):
            for sample in made.step(at):
                steps.setdefault(int(PICTURES[sample]), set()).add(at)
        return sum(len(places) > 1 for picture, places in steps.items() if picture >= 0)

    assert parted(order(by_picture=True)) <= 12  # at the ends of steps
    assert parted(order()) > 25
    doubled = order(np.repeat(SAMPLES, 2), by_picture=True)
    assert sum(len(set(doubled.step(at))) < 8 for at in range(26)) < 13


def test_an_empty_order_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        order(SAMPLES[:0])
