"""What of the annotations is too much for memory, in temporary files.

A run takes hours, and looks at each scene for a moment. From a file that the system keeps near at hand a scene comes
back within a few microseconds, and a run of a million samples takes no more memory than one of a thousand.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar, overload
from zlib import crc32

import msgspec

from pipeline.annotations.rows import Id
from pipeline.records import Scene, pack, unpacker
from pipeline.temporary import Store

Item = TypeVar("Item")

FEW = 30_000  # rows, some 10 MB, that stay as they are: packing them would take a twentieth of the time to a start
AT_ONCE = 4000  # rows, beyond that: fewer make more pieces to remember, more are out of the processor's reach again
PARTS = 61  # of COCO train2017, one takes about 10 MB; prime, so that ids in even steps spread over all


class Parts(Generic[Item]):
    """Rows dealt to parts by image id: two files can be joined part by part, whatever the order of their rows."""

    def __init__(self, item: type[Item]) -> None:
        """Begin with no rows.

        Args:
            item: What a row is, as msgspec knows it.
        """
        self._store = Store()
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[item]).decode  # type: ignore[valid-type]
        self._count = 0
        self._waiting: list[tuple[Iterable[Id | None], Sequence[Item]]] = []
        """The latest rows, with the ids of their images."""
        self._rows_waiting = 0
        self.are_dealt = False
        """Whether rows are dealt to parts; while they are few, all are in the first."""

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Iterable[Id | None], rows: Sequence[Item]) -> None:
        """Take more rows, each with the id of its image."""
        self._count += len(rows)
        self._rows_waiting += len(rows)
        self._waiting.append((ids, rows))
        if self._rows_waiting > (AT_ONCE if self.are_dealt else FEW):
            self.deal()

    def deal(self) -> None:
        """Deal all rows to parts."""
        buckets: list[list[Item]] = [[] for _ in range(PARTS)]
        for ids, rows in self._waiting:
            for image_id, row in zip(ids, rows, strict=True):
                buckets[image_id % PARTS if type(image_id) is int else _part(image_id)].append(row)
        for blocks, bucket in zip(self._blocks, buckets, strict=True):
            if bucket:
                data = self._encode(bucket)
                blocks.append((self._store.put(data), len(data)))
        self._waiting.clear()
        self._rows_waiting = 0
        self.are_dealt = True

    def part(self, number: int) -> list[Item]:
        """Return the rows of a part, in the order in which they came."""
        rows: list[Item] = []
        if not self.are_dealt:
            return [row for _, some in self._waiting for row in some] if number == 0 else rows
        for start, length in self._blocks[number]:
            rows += self._decode(self._store.get(start, length))
        return rows


def deal_alike(*stores: Parts[Any]) -> range:
    """Deal the rows of all stores to parts if those of one are, and return the numbers of the parts."""
    if not any(store.are_dealt for store in stores):
        return range(1)
    for store in stores:
        store.deal()
    return range(PARTS)


def _part(image_id: Id | None) -> int:
    """Return the part of an image id: a matter of its text alone, so that ``1`` and ``"1"`` are in one."""
    try:
        return int(image_id or 0) % PARTS
    except ValueError:
        return crc32(str(image_id).encode(errors="replace")) % PARTS


class Scenes(Sequence[Scene]):
    """Scenes that are packed when they are added, and unpacked one at a time."""

    def __init__(self) -> None:
        self._store = Store()
        self._starts = array("Q")
        self._lengths = array("I")
        self._decode = unpacker(Scene).decode

    def add(self, scene: Scene) -> None:
        """Take one more."""
        data = pack(scene)
        self._starts.append(self._store.put(data))
        self._lengths.append(len(data))

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> Scene: ...
    @overload
    def __getitem__(self, place: slice) -> list[Scene]: ...
    def __getitem__(self, place: int | slice) -> Scene | list[Scene]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return self._decode(self._store.get(self._starts[place], self._lengths[place]))


class Picked(Sequence[Scene]):
    """Some of many scenes, or all in another order."""

    def __init__(self, scenes: Sequence[Scene], places: Iterable[int]) -> None:
        """Pick the scenes at these places."""
        self._scenes = scenes
        self._places = array("I", places)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Scene: ...
    @overload
    def __getitem__(self, place: slice) -> list[Scene]: ...
    def __getitem__(self, place: int | slice) -> Scene | list[Scene]:
        if isinstance(place, slice):
            return [self._scenes[each] for each in self._places[place]]
        return self._scenes[self._places[place]]
