from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.cli import run_command
from pipeline.llm.faults import Failure, Faults, Late, script
from pipeline.llm.server import Server, Stats, background

pytest.importorskip("ray", reason="needs the extra: ray")

import ray
from ray.cluster_utils import Cluster

KEY = "sk-told-to-nobody-else"
PAIRS = [{"question": f"What is {n}?", "answer": "A dog."} for n in range(3)]
IMAGES, IN_FLIGHT = 40, 8
STORE = 80 * 2**20  # bytes; the smallest that Ray takes is about 75 MiB


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without processors and two nodes: three machines, as far as Ray can tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray leaves a token in the home of whoever runs the tests
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        patch.setenv("RAY_ADDRESS", cluster.address)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def told(asked: Any) -> str:
    fields = asked["response_format"]["json_schema"]["schema"]["properties"]
    return msgspec.json.encode({"turns": PAIRS} if "turns" in fields else PAIRS[0]).decode()


def generate(annotations: Path, server: Server, out: str, *flags: str) -> int:
    flags = ("--annotations", str(annotations), "--base-url", server.base_url, "--out", out, *flags)
    return run_command(["generate", "--model", "model", "--concurrency", str(IN_FLIGHT), "--shard-size", "10", *flags])


def shards(out: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(out, "shards").glob("*.arrow"))]


@contextmanager
def meanwhile(server: Server, harm: Callable[[], None]) -> Iterator[None]:
    """Do harm in a thread once a third of the samples have been answered."""

    def run() -> None:
        while server.stats().answered < IMAGES:
            time.sleep(0.005)
        harm()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


def actors() -> list[int]:
    """Return the process ids of the actors that this process's own cluster runs."""
    rows = [
        line.split(None, 2) for line in subprocess.check_output(["ps", "-eo", "pid,ppid,args"], text=True).splitlines()
    ]
    parents = {pid: parent for pid, parent, _ in rows}

    def is_ours(pid: str) -> bool:
        while pid in parents and pid != str(os.getpid()):
            pid = parents[pid]
        return pid == str(os.getpid())

    return [int(pid) for pid, _, args in rows if args.startswith("ray::_Worker") and is_ours(pid)]


def kill_an_actor() -> None:
    os.kill(actors()[0], signal.SIGKILL)


def assert_nothing_is_lost_or_paid_again(stats: Stats) -> None:
    planned = 3 * IMAGES
    assert planned < stats.requests <= planned + IN_FLIGHT  # some were in flight, and only those were sent again
    assert stats.answered - stats.repeated == planned
    assert shards("run") == shards("plain")
    assert len(shards("run")) == planned // 10


def test_a_run_survives_a_killed_worker(cluster: Cluster, coco: Callable[..., Path]) -> None:
    annotations = coco(IMAGES)
    with background(told, model="model") as server:
        assert generate(annotations, server, "plain") == 0
    with background(lambda asked: Late(0.2, told(asked)), model="model") as server:
        with meanwhile(server, kill_an_actor):
            assert generate(annotations, server, "run", "--engine", "ray") == 0
        assert_nothing_is_lost_or_paid_again(server.stats())
    assert not ray.is_initialized()


def test_a_run_survives_a_lost_node(cluster: Cluster, coco: Callable[..., Path]) -> None:
    annotations = coco(IMAGES)
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    with background(told, model="model") as server:
        assert generate(annotations, server, "plain") == 0
    with background(lambda asked: Late(0.2, told(asked)), model="model") as server:
        with meanwhile(server, lambda: cluster.remove_node(node, allow_graceful=False)):
            assert generate(annotations, server, "run", "--engine", "ray") == 0
        assert_nothing_is_lost_or_paid_again(server.stats())


def test_faults_of_the_server_are_met_as_without_a_cluster(cluster: Cluster, coco: Callable[..., Path]) -> None:
    faults = Faults(share_429=0.2, retry_after_s=0.05, share_500=0.1, share_dropped=0.1)
    with background(told, model="model", faults=faults) as server:
        assert generate(coco(10), server, "run", "--engine", "ray") == 0
        stats = server.stats()
    assert (stats.answered, stats.repeated) == (30, 0)
    assert stats.requests == 30 + stats.by_status[429] + stats.by_status[500] + stats.dropped
    assert stats.dropped


def test_a_refused_key_stops_the_run_and_stands_in_no_file_of_ray(
    cluster: Cluster, coco: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    refusal = Failure(401, "Wrong key", code="invalid_api_key")
    with background(script(refusal), model="model") as server:
        assert generate(coco(2), server, "run", "--engine", "ray") != 0
    assert "refuses the key (401: Wrong key)" in capsys.readouterr().err
    session = Path(cluster.head_node.get_session_dir_path())
    files = [path for path in session.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_cluster_that_is_not_there_is_named(
    coco: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with background(told, model="model") as server:
        assert generate(coco(1), server, "run", "--engine", "ray") == 2
        assert server.stats().requests == 0
    assert "no Ray cluster at 127.0.0.1:1 " in capsys.readouterr().err
