"""Whole rows of a Parquet file by number, read a row group at a time: a tenth of what a query for one row costs."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.samples.shards import open_parquet

MOST_BYTES = 32 * 2**20  # of a row group, its images left out; files of ours have 2 to 4 MB
_KEPT = 3  # row groups, since the rows beside one that is asked for are likely to be next


class Rows:
    """Reads rows. Any thread may ask; one reads at a time."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Open the file.

        Args:
            path: Of the file.
            columns: Names of those to read; ``image.path`` names one inside another. What the file lacks is left out.

        Raises:
            pyarrow.ArrowException: It cannot be read.
        """
        self._file = open_parquet(path)
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        self._starts = list(accumulate((group.num_rows for group in groups), initial=0))
        self._columns = list(columns)
        self._tables: OrderedDict[int, pa.Table] = OrderedDict()
        self._lock = threading.Lock()
        self.heaviest = max((_weight(group, set(columns)) for group in groups), default=0)
        """Bytes that the largest row group takes in memory."""

    def read(self, number: int) -> dict[str, Any] | None:
        """Return a row; ``None`` if there is none of that number."""
        if not 0 <= number < self._starts[-1]:
            return None
        group = bisect_right(self._starts, number) - 1
        with self._lock:
            table = self._tables.get(group)
            if table is None:
                table = self._file.read_row_group(group, columns=self._columns, use_threads=False)
                self._tables[group] = table
                while len(self._tables) > _KEPT:
                    self._tables.popitem(last=False)
        found: dict[str, Any] = table.slice(number - self._starts[group], 1).to_pylist()[0]
        return found


def _weight(group: pq.RowGroupMetaData, columns: set[str]) -> int:
    weight = 0
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema in columns or column.path_in_schema.partition(".")[0] in columns:
            weight += column.total_uncompressed_size
    return weight
