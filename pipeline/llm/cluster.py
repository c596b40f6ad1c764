"""A wire whose sending is done by Ray actors: by many machines for one run, or by one that is nearer to the server.

Plan, journal, budget and pacing stay in the driver; an actor holds a wire and posts. Where actors run and when they run
again is Ray's: one for each node with processors, softly bound to it, restarted without end (``max_restarts=-1``), on
another node if its own is gone. What a lost actor had in flight fails as a broken connection does.

Batches of requests and outcomes travel, because a call of an actor costs the driver about half a millisecond of its
processor, more than the rest of a sample. The key goes to each actor in a call of its own, from process to process: an
argument of the constructor would lie in Ray's control store, an environment variable in Ray's logs. Ray encrypts
nothing between nodes unless told to (``RAY_USE_TLS``).

The package must be installed on every node, in the same version; the server's address must be one that nodes can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from functools import partial
from types import TracebackType
from typing import Any

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.endpoint import Endpoint
from pipeline.llm.remote import Line, Lines, Poster, describe_wire, open_wire
from pipeline.llm.wire import CONNECT_S, Wire

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported, and by what it starts

try:
    import ray
    from ray.exceptions import (
        ActorDiedError,
        ActorUnavailableError,
        NodeDiedError,
        ObjectLostError,
        RayActorError,
    )
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise PipelineError("--engine ray needs Ray; pip install 'visual-instruction-pipeline[ray]'") from error

GATHER_S = 0.01  # between two calls, so that batches grow; a quiet actor has none to wait for
PAUSE_S = 0.2  # before a lost actor is called again; the call itself waits for its restart
# Requests travel in messages; the object store only takes batches that are large, and is emptied at once.
LOCAL_OBJECT_STORE = 128 * 2**20

_LOST = (ActorUnavailableError, NodeDiedError, ObjectLostError, ConnectionError)


class ClusterWire:
    """Posts chat-completion bodies through Ray actors; to be used as a ``Wire`` is."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: int,
        timeout_s: float,
        *,
        processes: int = 1,
        address: str | None = None,
    ) -> None:
        """Prepare to post; Ray is neither asked nor started yet.

        Args:
            endpoint: The server, and the key to it.
            connections: Most connections of one actor; it must do if all others are lost.
            timeout_s: A request without an answer for so long has failed.
            processes: Actors for each node that has processors.
            address: Of a running cluster, such as ``10.0.0.1:6379``; ``RAY_ADDRESS`` if not given; without both, a
                local one is started for as long as the wire is used.
        """
        self.url = endpoint.url
        self._setup = describe_wire(endpoint, connections, timeout_s)
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._processes = processes
        self._lines = Lines(timeout_s)
        self._is_ours = False

    async def __aenter__(self) -> ClusterWire:
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _attach(self._address)
        for node in _nodes() * self._processes:
            self._lines.add(partial(self._keep, node))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lines.close()
        if self._is_ours:
            ray.shutdown()

    async def post(self, body: bytes) -> bytes:
        """Return the server's answer to a body, or raise as ``Lines.post`` does."""
        return await self._lines.post(body)

    async def _keep(self, node: str, line: Line) -> None:
        while True:
            actor = (
                ray.remote(_Worker)
                .options(
                    max_restarts=-1,
                    max_task_retries=0,  # nothing is sent twice unless the driver decides it
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
                )
                .remote()
            )
            try:
                await self._use(actor, line)
            except ActorDiedError as error:  # for good, such as by hand
                if error.actor_init_failed:
                    raise _cannot_run(error) from error
            finally:
                with contextlib.suppress(RayActorError):
                    ray.kill(actor)
            await asyncio.sleep(PAUSE_S)

    async def _use(self, actor: Any, line: Line) -> None:
        """Exchange with an actor, through all its restarts.

        Raises:
            ActorDiedError: It will not be restarted any more.
        """
        while True:
            with contextlib.suppress(*_LOST):
                await actor.open.remote(self._setup)
                await line.exchange(actor.take.remote, actor.outcomes.remote, self._lines.opened)
            await asyncio.sleep(PAUSE_S)


def _attach(address: str) -> None:
    """Attach to a cluster, or start one on this machine.

    Raises:
        PipelineError: There is none at the address, or it is of another version.
    """
    _check(address)
    own: dict[str, Any] = {}
    if address == "local":
        own = {"include_dashboard": False, "object_store_memory": LOCAL_OBJECT_STORE}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise PipelineError(f"cannot use the Ray cluster at {address}: {words[:300]}; check RAY_ADDRESS") from error


def _check(address: str) -> None:
    """Look for a cluster first: Ray itself would look for minutes, and end the process.

    Raises:
        PipelineError: Nothing answers, or the address has another form (Ray Client's, ``ray://``, is not meant).
    """
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise PipelineError(
            f"no Ray cluster at {address} ({error}); set RAY_ADDRESS to HOST:PORT of its head"
        ) from error


def _nodes() -> list[str]:
    """Return the ids of the nodes for actors: those with processors, or all where none has any to give."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    return [node["NodeID"] for node in alive if node["Resources"].get("CPU")] or [node["NodeID"] for node in alive]


def _cannot_run(error: BaseException) -> RunStopped:
    words = str(error).strip().splitlines()[-1]
    return RunStopped(f"a Ray node cannot run a worker ({words}); install the package on all nodes, in one version")


class _Worker:
    """Posts from its node what the driver hands over."""

    def __init__(self) -> None:
        self._wire: Wire | None = None
        self._poster: Poster | None = None

    async def open(self, setup: bytes) -> None:
        """Get ready to post; does nothing if it was ready."""
        if not self._wire:
            self._wire = await open_wire(setup).__aenter__()
            self._poster = Poster(self._wire)

    async def take(self, posts: bytes) -> None:
        """Start to send a batch; returns when the next may follow.

        Raises:
            ConnectionResetError: Not open: the actor was restarted between two calls.
        """
        self._opened().take(posts)
        await asyncio.sleep(GATHER_S)

    async def outcomes(self) -> bytes:
        """Return all that has come, once something has."""
        poster = self._opened()
        await asyncio.sleep(GATHER_S)
        return await poster.outcomes()

    def _opened(self) -> Poster:
        if not self._poster:
            raise ConnectionResetError("this actor was restarted")
        return self._poster
