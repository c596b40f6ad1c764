"""Which samples a step takes.

``Order.step`` is a function of the seed and the step's number alone: a run that carries on needs nothing but that
number. An epoch has each of its samples exactly once. Its last step may be smaller than the others: nothing is left out
or filled up, and the loss is normalised by the tokens that are there.

The samples of an image come in one step (``by_picture``), so that its tokens can be computed once for all of them.
Which images a step has is as random as before; LLaVA's order would have parted them.

Within a step the loss does not depend on how samples are put together, so that is layout.py's affair. Steps of equally
long samples (``by_length``, as in LLaVA's own training) are less random. They would pay where each of several ranks has
one micro-batch a step; packs are of equal size in any case.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STEPS_SORTED = 50  # neighbouring steps whose samples are sorted by length together

Indices = NDArray[np.int64]


class Order:
    """The order of samples, over all epochs."""

    def __init__(
        self,
        samples: Indices,
        lengths: NDArray[np.int32],
        pictures: NDArray[np.int32],
        *,
        seed: int,
        batch: int,
        by_length: bool = False,
        by_picture: bool = False,
    ) -> None:
        """Take what is to be ordered.

        Args:
            samples: Of one epoch, such as ``Prepared.training()``; one may come several times.
            lengths: In tokens, by sample.
            pictures: Which picture a sample has, by sample; -1 for none.
            seed: Of the order, 0 or above.
            batch: Samples a step, over all ranks.
            by_length: Whether the samples of a step are about equally long.
            by_picture: Whether samples of one picture come one after another, so in one step but for those that the
                end of a step parts. Repetitions of a sample come elsewhere.

        Raises:
            ValueError: There are no samples.
        """
        if not len(samples):
            raise ValueError("no samples to order")
        self._samples = samples
        self._lengths = lengths[samples]
        self._units = _units(samples, pictures[samples]) if by_picture else np.arange(len(samples))
        self._seed = seed
        self._batch = batch
        self._by_length = by_length
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    @property
    def steps_an_epoch(self) -> int:
        """Steps in which each sample comes once."""
        return -(-len(self._samples) // self._batch)

    def step(self, number: int) -> list[int]:
        """Return the samples of a step, counted from 0 over all epochs."""
        epoch, at = divmod(number, self.steps_an_epoch)
        chosen: list[int] = self._epoch(epoch)[at * self._batch : (at + 1) * self._batch].tolist()
        return chosen

    def _make_epoch(self, epoch: int) -> Indices:
        # The raw output of PCG64 is promised to stay the same in all versions of numpy; that of a shuffle is not.
        draws = np.random.PCG64([self._seed, epoch])
        keys = draws.random_raw(int(self._units.max()) + 1)
        order = np.argsort(keys[self._units], kind="stable")
        if self._by_length:
            order = self._sorted(order, draws)
        return self._samples[order]

    def _sorted(self, order: Indices, draws: np.random.PCG64) -> Indices:
        """Sort the samples of neighbouring steps by length, and shuffle the steps; a smaller last step stays."""
        longest = np.zeros(int(self._units.max()) + 1, np.int32)
        np.maximum.at(longest, self._units, self._lengths)
        whole = len(order) // self._batch * self._batch
        places = np.arange(whole)
        by_length = np.lexsort((places, longest[self._units[order[:whole]]], places // (STEPS_SORTED * self._batch)))
        steps = order[:whole][by_length].reshape(-1, self._batch)
        steps = steps[np.argsort(draws.random_raw(len(steps)), kind="stable")]
        return np.concatenate([steps.reshape(-1), order[whole:]])


def _units(samples: Indices, pictures: NDArray[np.int32]) -> Indices:
    """Number what stays together: the samples of a picture, but for repetitions; each sample of text by itself."""
    count = len(samples)
    order = np.argsort(samples, kind="stable")
    ordered, places = samples[order], np.arange(count)
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    repetition = np.empty(count, np.int64)
    repetition[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    alone = int(pictures.max()) + 1 + places
    together = np.where(pictures >= 0, pictures, alone) * (repetition.max() + 1) + repetition
    return np.unique(together, return_inverse=True)[1].astype(np.int64)
