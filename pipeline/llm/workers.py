"""A wire whose sending is done by other processes of this machine, for one that a single core cannot keep busy.

Each worker is a process with an event loop and a wire of its own, on the other end of a socket pair. It knows nothing
but what comes over the socket: the key is in no argument and no environment. A worker that is killed is started again;
what it had in flight fails as a broken connection does. A worker whose driver is gone ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import socket
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import NoReturn

from pipeline.llm.endpoint import Endpoint
from pipeline.llm.remote import Line, Lines, Poster, describe_wire, open_wire, until_one_raises
from pipeline.llm.wire import run_loop

PAUSE_S = 0.5  # before a lost worker is started again, so that one that cannot live costs little
END_S = 5.0  # a worker needs milliseconds to end


class WorkersWire:
    """Posts chat-completion bodies through processes of this machine; to be used as a ``Wire`` is."""

    def __init__(self, endpoint: Endpoint, connections: int, timeout_s: float, *, processes: int) -> None:
        """Prepare to post; no process is started yet.

        Args:
            endpoint: The server, and the key to it.
            connections: Most connections of one worker; it must do if all others are lost.
            timeout_s: A request without an answer for so long has failed.
            processes: How many workers there are.
        """
        self.url = endpoint.url
        self._setup = describe_wire(endpoint, connections, timeout_s)
        self._processes = processes
        self._lines = Lines(timeout_s)

    async def __aenter__(self) -> WorkersWire:
        for _ in range(self._processes):
            self._lines.add(self._keep)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lines.close()

    async def post(self, body: bytes) -> bytes:
        """Return the server's answer to a body, or raise as ``Lines.post`` does."""
        return await self._lines.post(body)

    async def _keep(self, line: Line) -> None:
        while True:
            code = await self._run_worker(line)
            if code > 0:  # killed processes have negative ones
                raise RuntimeError(f"a worker process ended with exit code {code}; its traceback is above")
            await asyncio.sleep(PAUSE_S)

    async def _run_worker(self, line: Line) -> int:
        """Start a worker, exchange with it until it is lost, and return its exit code."""
        process, ours = _start()
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                await _write_frame(writer, self._setup)
                with contextlib.suppress(EOFError, ConnectionError):
                    await line.exchange(
                        lambda posts: _write_frame(writer, posts), lambda: _read_frame(reader), self._lines.opened
                    )
            finally:
                writer.close()
        finally:
            # Shielded: the end of the run must not leave a process behind.
            code = await asyncio.shield(asyncio.to_thread(_end, process))
        return code


def _start() -> tuple[SpawnProcess, socket.socket]:
    ours, theirs = socket.socketpair()
    # Spawned, not forked: a fork would take the driver's threads, sockets and journal along.
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _end(process: SpawnProcess) -> int:
    process.join(END_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    code = process.exitcode or 0
    process.close()
    return code


async def _write_frame(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(len(content).to_bytes(4, "big") + content)
    await writer.drain()


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: The other side is gone.
    """
    size = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(size)


# ── in a worker ──────────────────────────────────────────────────────────────────────────────────────────────────────


def serve(driver: socket.socket) -> None:
    """Post what the driver hands over, until the driver is gone."""
    # Ctrl-C reaches all processes of a terminal; the driver lets what is in flight end first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError):
        run_loop(_serve(driver))


async def _serve(driver: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=driver)
    async with open_wire(await _read_frame(reader)) as wire:
        poster = Poster(wire)
        await until_one_raises(_take(reader, poster), _answer(writer, poster))


async def _take(reader: asyncio.StreamReader, poster: Poster) -> NoReturn:
    while True:
        poster.take(await _read_frame(reader))


async def _answer(writer: asyncio.StreamWriter, poster: Poster) -> NoReturn:
    while True:
        await _write_frame(writer, await poster.outcomes())
