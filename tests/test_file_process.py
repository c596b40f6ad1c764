"""The files of a run from a process of its own: the same bytes, and its end is told in one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.errors import RunStopped
from pipeline.file_process import FileProcess
from pipeline.files import Files
from pipeline.generate import MANY
from pipeline.llm.journal import Journal
from pipeline.loop import TakesSettled
from pipeline.records import Box, Claim, Finding, Reject, Sample, Scene, Turn
from pipeline.samples.shards import read_shard

SCENE = Scene("1", "a.jpg", 640, 480, ("A dog.", "犬"), (Box("dog", 0.1, 1 / 3, 0.7, 1.0),), "CC0", None)
ANSWER = "A brown dog lies on a green carpet in front of a fireplace, and somebody has put a bowl of water beside it."
RECORD = {
    "samples": {"total": 5, "conversation": 5},
    "rejects": {"total": 1, "unreadable reply": 1},
    "annotations": {"captions": None, "instances": "i.json", "images_read": 1, "images_chosen": 1},
    "left_out": {},
    "written_by": "m",
    "prompts": {"conversation": "p"},
}


def sample(n: int) -> Sample:
    return Sample(
        id=f"1/conversation/{n}",
        scene=SCENE,
        kind="conversation",
        context="A dog.",
        turns=[Turn("What is there?", ANSWER), Turn("Is it day?", f"One cannot tell, for the {n}th time.")],
        model="m",
        prompt_hash="p",
        request_hash="00",
        seed=n,
        attempts=1,
        finish_reason=None,
        prompt_tokens=1,
        completion_tokens=1,
        cost_usd=0.5,
        claims=[Claim(1, 0, 11, "presence", "supported", (0,), (0,))],
        findings=[Finding(None, 0, 0, "near duplicate", "of none")],
    )


REJECT = Reject("1/conversation/3", "1", "conversation", "unreadable reply", "empty", None, 1, 2, 3, None)


def settled() -> list[tuple[int, Sample | None]]:
    """Return six that were planned, out of order, one of them rejected."""
    return [(n, None if n == 3 else sample(n)) for n in (4, 0, 2, 1, 3, 5)]


def fill(files: TakesSettled, run: Path, all_settled: Sequence[tuple[int, Sample | None]]) -> dict[str, bytes]:
    files.settle(all_settled[:4])
    files.settle(all_settled[4:])
    files.finish(6, [REJECT])
    files.write_words(RECORD)
    derived = (path for path in run.rglob("*") if path.is_file() and "journal" not in path.name)
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(derived)}


def begun(path: Path) -> Path:
    (path / "shards").mkdir(parents=True)
    Journal(path / "journal.sqlite").close()
    return path


def test_the_files_are_the_same_as_those_of_this_process(tmp_path: Path) -> None:
    for checked in (False, True):
        here, there = begun(tmp_path / f"here {checked}" / "run"), begun(tmp_path / f"there {checked}" / "run")
        ours = fill(Files(here, 2, embed_images=False, checked=checked), here, settled())
        theirs = fill(FileProcess(there, 2, embed_images=False, checked=checked), there, settled())
        assert ours == theirs
        names = {"README.md", "rejects.parquet", "samples.parquet", *(f"shards/0000{n}.arrow" for n in range(3))}
        assert ours.keys() == names | ({"report.html", "stats.json"} if checked else set())


def test_a_process_that_is_lost_stops_the_run(tmp_path: Path) -> None:
    others = set(multiprocessing.active_children())  # of runs before, which may not have ended yet
    files = FileProcess(begun(tmp_path), 2, embed_images=False, checked=False)
    files.settle(settled()[:2])
    (process,) = set(multiprocessing.active_children()) - others
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with pytest.raises(RunStopped, match="was lost; paid replies are kept"):
        files.settle(settled()[2:])


def test_what_cannot_be_written_is_told_as_in_this_process(tmp_path: Path) -> None:
    run = begun(tmp_path)
    files = FileProcess(run, 2, embed_images=False, checked=False)
    (run / "shards").rmdir()
    with pytest.raises(RunStopped, match=r"cannot write .*00000\.arrow: .*No such file"):
        files.settle(settled())


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    files = FileProcess(begun(tmp_path), 2, embed_images=False, checked=False)
    files.settle(settled()[:3])
    with pytest.raises(RuntimeError, match="6 samples were planned and 3 settled") as failure:
        files.finish(6, [])
    assert "samples/shards.py" in str(failure.value.__cause__)


INTERRUPTED = """
import os, signal, threading
from pathlib import Path
from pipeline.file_process import FileProcess
from tests.test_file_process import begun, sample

def interrupt_once_it_writes(part):
    while not part.exists():
        pass
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    run = begun(Path("run"))
    files = FileProcess(run, 100, embed_images=False, checked=True)
    files.settle([(n, sample(n)) for n in range(20_000)])
    threading.Thread(target=interrupt_once_it_writes, args=[run / ".samples.parquet.part"], daemon=True).start()
    files.finish(20_000, [])
"""


def test_ctrl_c_while_files_are_written_ends_soon_and_leaves_no_half_of_one() -> None:
    Path("script.py").write_text(INTERRUPTED)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "script.py"], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == -signal.SIGINT
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert not Path("run/samples.parquet").exists()
    assert not list(Path("run").glob(".*.part"))


UNGUARDED = """
import sys
from pathlib import Path
from pipeline.generate import generate
from pipeline.settings import GenerateSettings

settings = GenerateSettings(annotations=Path(sys.argv[1]), out=Path("run"), kinds="detailed_description")
print(sum(generate(settings, lambda line: None).samples.values()))
"""


def test_a_script_without_a_guard_writes_its_files_itself(coco: Callable[..., Path]) -> None:
    Path("script.py").write_text(UNGUARDED)
    command = [sys.executable, "script.py", str(coco(MANY))]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, f"{MANY}\n"), done.stderr
    assert read_shard(Path("run/shards/00000.arrow")).num_rows == MANY
