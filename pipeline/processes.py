"""Processes beside the one that asks: how they are started, and how they end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any, NoReturn


def start(processes: int, prepare: Callable[..., None], *setup: Any) -> ProcessPoolExecutor:
    """Start processes, which takes some milliseconds; they do not hear Ctrl-C, and end with this one, however it ends.

    Args:
        processes: How many.
        prepare: A function of a module, called in each of them before any work.
        setup: What it is called with.
    """
    # Spawned, not forked: a fork would take this process's threads, sockets and journal along.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (prepare, setup))
    with _interrupts_held_back():
        for _ in range(processes):  # a process is started for each piece of work that finds none at leisure
            pool.submit(os.getpid)
    return pool


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Have processes that are started here not hear Ctrl-C, which reaches all those of a terminal."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(prepare: Callable[..., None], setup: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _give_up)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's library starts one a core, and each waits by spinning
    gc.set_threshold(50_000, 10, 10)  # most of what is made here lives as long as it is needed, and is in no cycle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*setup)
    gc.freeze()


def _give_up(*_: object) -> NoReturn:
    """End the work at hand as an error would, so that nothing half written stays behind."""
    sys.exit(1)


def _end_with_parent() -> None:
    """A pool's processes wait for work for ever, even if whoever gave it was killed."""
    parent = multiprocessing.parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os._exit(1)
