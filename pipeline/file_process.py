"""The files of a run, written by a process of its own, so that no request waits for it.

What writes them takes as long to load as all else before the first request, and holds up the event loop for as long as
it works, in a thread too. What the process is told is bytes, for some samples at a time. If it is lost, the run stops:
the journal has every reply, and the same command writes the same files.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processes
from pipeline.errors import RunStopped
from pipeline.records import Reject, Sample, pack, unpacker

if TYPE_CHECKING:
    from pipeline.files import Files


class FileProcess:
    """A process that has ``Files``. Its calls are theirs; they wait for it, and so belong in a thread."""

    def __init__(self, run: Path, shard_size: int, *, embed_images: bool, checked: bool) -> None:
        """Start the process; the arguments are those of ``Files``.

        Raises:
            BrokenProcessPool: It cannot be started.
        """
        self._pool = processes.start(1, _open, run, shard_size, embed_images, checked)
        self._pid = self._pool.submit(os.getpid).result()

    def settle(self, settled: Sequence[tuple[int, Sample | None]]) -> None:
        """Take what became of planned samples, by their places in the plan: ``None`` where one was rejected.

        Raises:
            RunStopped: A shard cannot be written, an image cannot be read, or the process was lost.
        """
        self._call(_settle, pack(settled))

    def finish(self, planned: int, rejects: list[Reject]) -> None:
        """Write the last shard and the Parquet files.

        Raises:
            RunStopped: One of them cannot be written, or the process was lost.
        """
        self._call(_finish, planned, pack(rejects))

    def write_words(self, record: dict[str, Any]) -> None:
        """Write what people read of a finished run, and end the process.

        Raises:
            RunStopped: Something cannot be written, or the process was lost.
        """
        self._call(_write_words, record)
        self._pool.shutdown()

    def _call(self, function: Callable[..., None], *told: Any) -> None:
        try:
            self._pool.submit(function, *told).result()
        except BrokenProcessPool as error:
            raise RunStopped(
                "the process that writes the run's files was lost; paid replies are kept, run again to go on"
            ) from error
        except KeyboardInterrupt:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)  # else this one would end only once the call is done
            raise


# ── in the process ───────────────────────────────────────────────────────────────────────────────────────────────────

_files: Files  # a pool has no other place for what its processes keep
_settled = unpacker(list[tuple[int, Sample | None]])
_rejects = unpacker(list[Reject])


def _open(run: Path, shard_size: int, embed_images: bool, checked: bool) -> None:
    global _files
    from pipeline.files import Files

    _files = Files(run, shard_size, embed_images=embed_images, checked=checked)


def _settle(settled: bytes) -> None:
    _files.settle(_settled.decode(settled))


def _finish(planned: int, rejects: bytes) -> None:
    _files.finish(planned, _rejects.decode(rejects))


def _write_words(record: dict[str, Any]) -> None:
    _files.write_words(record)
