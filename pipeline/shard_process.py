"""Shards written by a process of its own, so that no request waits for it.

What writes them takes as long to load as all else before the first request, and holds up the event loop for as long as
it works, in a thread too. What the process is told is bytes, for some samples at a time. If it is lost, the run stops:
the journal has every reply, and the same command writes the same shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processes
from pipeline.errors import RunStopped
from pipeline.records import Sample

if TYPE_CHECKING:
    from pipeline.samples.shards import Shards

Settled = Sequence[tuple[int, Sample | None]]


class ShardProcess:
    """A process that has ``Shards``; its calls wait for it, and are to be made in a thread."""

    def __init__(self, folder: Path, size: int, *, embed_images: bool) -> None:
        """Start the process; the arguments are those of ``Shards``."""
        self._pool: ProcessPoolExecutor = processes.start(1, _open, folder, size, embed_images)

    def settle(self, settled: Settled) -> None:
        """Take what became of planned samples, as ``Shards.settle`` does of one.

        Raises:
            RunStopped: A shard cannot be written, or the process was lost.
        """
        self._call(_settle, processes.encode(settled))

    def finish(self, planned: int) -> list[Path]:
        """Write the last shard, end the process, and return where all are, in plan order.

        Raises:
            RunStopped: It cannot be written, or the process was lost.
        """
        paths: list[Path] = self._call(_finish, planned)
        self._pool.shutdown()
        return paths

    def _call(self, function: Any, told: Any) -> Any:
        try:
            return self._pool.submit(function, told).result()
        except BrokenProcessPool as error:
            raise RunStopped(
                "the process that writes the shards was lost; paid replies are kept, run again to go on"
            ) from error


# ── in the process ───────────────────────────────────────────────────────────────────────────────────────────────────

_shards: Shards  # of this process; a pool has no other place for what its processes keep
_decoder = processes.decoder(list[tuple[int, Sample | None]])


def _open(folder: Path, size: int, embed_images: bool) -> None:
    global _shards
    from pipeline.samples.shards import Shards

    _shards = Shards(folder, size, embed_images=embed_images)


def _settle(told: bytes) -> None:
    _shards.settle(_decoder.decode(told))


def _finish(planned: int) -> list[Path]:
    return _shards.finish(planned)
