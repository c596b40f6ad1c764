"""Who should see whom in a batch, worked out from its samples one by one: what layouts and masks are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.finetune.batches import Batch


def paths(batch: Batch) -> list[NDArray[np.int64]]:
    """Return which places of the row each sample is at, in the order of its tokens."""
    found, begin = [], 0
    for tree in batch.trees:
        shared, at = np.arange(begin, begin + tree.shared), begin + tree.shared
        for own in tree.own:
            found.append(np.concatenate([shared, np.arange(at, at + own)]))
            at += own
        begin = at
    return found


def seen(batch: Batch) -> NDArray[np.bool_]:
    """Return whom each place sees, (T, T): of each sample that it is of, what is before it, and itself."""
    width = batch.input_ids.shape[1]
    sees = np.eye(width, dtype=np.bool_)  # padding sees itself
    for path in paths(batch):
        sees[np.ix_(path, path)] |= np.tri(len(path), dtype=np.bool_)
    return sees
