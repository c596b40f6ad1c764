from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from pipeline.cli import run_command
from pipeline.llm.faults import Answer, Completion, Failure, Faults, script
from pipeline.llm.server import Server, background
from pipeline.samples.shards import read_shard


def told(body: Any) -> str:
    """Play a model that answers every shape, the same words to the same request."""
    token = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:6] + str(body.get("seed", ""))
    pairs = [{"question": f"What is {n}?", "answer": f"It is {token}."} for n in range(3)]
    schema = body["response_format"]["json_schema"]["schema"]["properties"]
    reply = {"turns": pairs} if "turns" in schema else pairs[0] if "question" in schema else {"answer": token}
    return json.dumps(reply)


def generate(annotations: Path, server: Server | None, out: str, *flags: str) -> int:
    model = ["--model", "model", "--base-url", server.base_url] if server else []
    return run_command(["generate", "--annotations", str(annotations), "--out", out, *model, *flags])


def shards(out: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(out, "shards").glob("*.arrow"))}


def rows(path: str) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def record(out: str) -> dict[str, Any]:
    return dict(json.loads(Path(out, "run.json").read_text()))


def test_a_run_leaves_shards_parquet_record_and_card(coco: Callable[..., Path]) -> None:
    with background(told, model="model") as server:
        assert generate(coco(5), server, "run", "--shard-size", "4") == 0
    assert sorted(path.name for path in Path("run").iterdir() if not path.name.startswith(".")) == [
        "README.md",
        "journal.sqlite",
        "rejects.parquet",
        "run.json",
        "samples.parquet",
        "shards",
    ]
    assert [read_shard(Path("run/shards") / name).num_rows for name in shards("run")] == [4, 4, 4, 3]
    samples = rows("run/samples.parquet")
    assert [row["id"] for row in samples[:4]] == [
        "1/complex_reasoning/0",
        "1/conversation/0",
        "1/detailed_description/0",
        "2/complex_reasoning/0",
    ]
    first = samples[1]
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"] * 3
    assert first["context"].splitlines() == [
        "A dog next to cup number 1.",
        "A brown dog.",
        "",
        "dog: [0.1, 0.1, 0.301, 0.6]",
        "cup: [0.625, 0.625, 0.689, 0.75]",
    ]
    assert first["captions"] == ["A dog next to cup number 1.", "A brown dog."]
    assert [box["label"] for box in first["boxes"]] == ["dog", "cup"]
    assert first["licence"] == "Attribution (http://example.org/by)"
    assert (first["width"], first["height"], first["file_name"], first["image"]) == (640, 480, "1.jpg", None)
    assert (first["attempts"], first["finish_reason"]) == (1, "stop")
    assert first["prompt_tokens"] > first["completion_tokens"] > 0
    assert record("run")["status"] == "complete"
    assert record("run")["samples"] == {
        "total": 15,
        "complex_reasoning": 5,
        "conversation": 5,
        "detailed_description": 5,
    }
    assert "15 samples" in Path("run/README.md").read_text()


def test_datasets_reads_shards_and_parquet_alike(coco: Callable[..., Path]) -> None:
    with background(told, model="model") as server:
        assert generate(coco(3), server, "run") == 0
    shard = datasets.Dataset.from_file("run/shards/00000.arrow")
    parquet = datasets.load_dataset("parquet", data_files="run/samples.parquet", split="train", cache_dir="cache")
    assert shard.features == parquet.features
    assert isinstance(shard.features["image"], datasets.Image)
    assert [row["id"] for row in shard] == [row["id"] for row in parquet]


def test_the_same_command_again_sends_nothing_and_changes_no_shard(coco: Callable[..., Path]) -> None:
    with background(told, model="model") as server:
        assert generate(coco(5), server, "run") == 0
        before, asked = shards("run"), server.stats().requests
        assert generate(coco(5), server, "run") == 0
        assert server.stats().requests == asked == 15
    assert shards("run") == before
    assert record("run")["requests"] == {"answered_now": 0, "from_journal": 15}


def test_more_images_send_exactly_the_new_ones(coco: Callable[..., Path]) -> None:
    with background(told, model="model") as server:
        assert generate(coco(20), server, "run", "--limit", "10") == 0
        assert generate(coco(20), server, "run", "--limit", "14") == 0
        assert server.stats().requests == 3 * 14
        assert server.stats().repeated == 0
    assert len(rows("run/samples.parquet")) == 3 * 14


def test_a_changed_template_asks_again_for_its_kind_alone(coco: Callable[..., Path], tmp_path: Path) -> None:
    kind = tmp_path / "mine" / "terse"
    kind.mkdir(parents=True)
    (kind / "kind.toml").write_text('shape = "answer"\nexamples = []\n')
    (kind / "system.jinja").write_text("Be terse. {{ reply_format }}")
    (kind / "user.jinja").write_text("{{ context }}")
    (kind / "questions.txt").write_text("What is there?\n")
    flags = ["--prompts", "mine", "--kinds", "terse,conversation"]
    with background(told, model="model") as server:
        assert generate(coco(4), server, "run", *flags) == 0
        (kind / "system.jinja").write_text("Be very terse. {{ reply_format }}")
        assert generate(coco(4), server, "run", *flags) == 0
        assert server.stats().requests == 8 + 4
    assert rows("run/samples.parquet")[0]["messages"][0]["content"] == "What is there?"


def test_a_shorter_plan_leaves_no_shard_of_the_longer_one(coco: Callable[..., Path]) -> None:
    with background(told, model="model") as server:
        assert generate(coco(8), server, "run", "--shard-size", "5") == 0
        assert generate(coco(8), server, "run", "--shard-size", "5", "--limit", "2") == 0
    assert list(shards("run")) == ["00000.arrow", "00001.arrow"]
    assert sum(read_shard(Path("run/shards") / name).num_rows for name in shards("run")) == 6


@pytest.mark.parametrize("concurrency", ["1", "3", "64"])
def test_concurrency_does_not_change_a_byte(coco: Callable[..., Path], concurrency: str) -> None:
    annotations, pace = coco(8), random.Random(concurrency)

    def at_any_pace(body: Any) -> Answer:
        time.sleep(pace.random() / 200)
        return told(body)

    with background(told, model="model") as server:
        assert generate(annotations, server, "plain", "--shard-size", "5") == 0
    with background(at_any_pace, model="model") as server:
        assert generate(annotations, server, "run", "--shard-size", "5", "--concurrency", concurrency) == 0
    assert shards("run") == shards("plain")


def test_an_unreadable_reply_is_asked_for_again_with_the_reason(coco: Callable[..., Path]) -> None:
    seen: list[Any] = []
    play = script(
        "No JSON.", '{"turns": [', told_turns := json.dumps({"turns": [{"question": "a?", "answer": "b"}] * 3})
    )

    def reply(body: Any) -> Answer:
        seen.append(body["messages"])
        return play(body)

    with background(reply, model="model") as server:
        assert generate(coco(1), server, "run", "--kinds", "conversation") == 0
    assert told_turns
    (sample,) = rows("run/samples.parquet")
    assert sample["attempts"] == 3
    assert seen[1][-2:] == [
        {"role": "assistant", "content": "No JSON."},
        {
            "role": "user",
            "content": "That reply could not be read: the reply is not a JSON object. "
            "Send the whole reply again, in the form that was asked for.",
        },
    ]
    assert seen[2][:-2] == seen[0]
    assert "Invalid JSON" in seen[2][-1]["content"]


def test_a_model_that_repeats_itself_is_paid_for_no_more_attempts_than_allowed(coco: Callable[..., Path]) -> None:
    with background(script("nonsense"), model="model") as server:
        assert generate(coco(2), server, "run", "--kinds", "conversation", "--attempts", "4") == 0
        assert server.stats().requests == 8
        assert server.stats().repeated == 0
        assert generate(coco(2), server, "run", "--kinds", "conversation", "--attempts", "5") == 0
        assert server.stats().requests == 10


@pytest.mark.parametrize(
    ("answer", "reason", "attempts", "words"),
    [
        ("nonsense", "unreadable reply", 3, "not a JSON object"),
        (Completion('{"turns": [', finish_reason="length"), "cut by length", 1, "raise max_tokens"),
        (Completion(None, refusal="I would rather not."), "refused by the model", 1, "rather not"),
        (Completion("", finish_reason="content_filter"), "content filter", 1, "withheld"),
        (Failure(400, "too bad", code="content_filter"), "content filter", 0, "too bad"),
    ],
)
def test_a_sample_that_cannot_be_made_is_a_reject_with_its_reason(
    coco: Callable[..., Path], answer: Answer, reason: str, attempts: int, words: str
) -> None:
    with background(script(answer), model="model") as server:
        assert generate(coco(2), server, "run", "--kinds", "conversation") == 0
    assert rows("run/samples.parquet") == []
    rejects = rows("run/rejects.parquet")
    assert [row["id"] for row in rejects] == ["1/conversation/0", "2/conversation/0"]
    assert {(row["reason"], row["attempts"]) for row in rejects} == {(reason, attempts)}
    assert words in rejects[0]["error"]
    assert rejects[0]["reply"] == (answer if isinstance(answer, str) else getattr(answer, "content", None))
    assert record("run")["rejects"] == {"total": 2, reason: 2}


def test_faults_of_the_server_lose_nothing(coco: Callable[..., Path]) -> None:
    faults = Faults(
        share_429=0.1, retry_after_s=0.05, share_500=0.04, share_dropped=0.03, share_malformed=0.05, share_hung=0.01
    )
    annotations = coco(60)
    with background(told, model="model", faults=faults) as server:
        assert generate(annotations, server, "run", "--timeout", "1") == 0
        stats = server.stats()
    assert min(stats.by_status[429], stats.by_status[500], stats.dropped, stats.malformed) > 0
    samples = rows("run/samples.parquet")
    assert len(samples) == 180
    assert rows("run/rejects.parquet") == []
    assert sum(row["attempts"] for row in samples) == 180 + stats.malformed


def test_a_hidden_ceiling_loses_nothing(coco: Callable[..., Path]) -> None:
    with background(told, model="model", faults=Faults(ceiling=8, latency_s=0.02, retry_after_s=0.1)) as server:
        assert generate(coco(30), server, "run", "--concurrency", "64") == 0
        assert server.stats().over_ceiling > 0
    assert len(rows("run/samples.parquet")) == 90


def start(annotations: Path, server: Server, out: str) -> subprocess.Popen[str]:
    flags = ["--annotations", str(annotations), "--out", out, "--shard-size", "16", "--concurrency", "8"]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "generate", "--model", "model", "--base-url", server.base_url, *flags],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_the_same_command_ends_with_the_same_shards(coco: Callable[..., Path], seed: int) -> None:
    annotations, dice = coco(40), random.Random(seed)
    with background(told, model="model") as server:
        assert generate(annotations, server, "plain", "--shard-size", "16") == 0
    kills = 0
    with background(told, model="model", faults=Faults(latency_s=0.05)) as server:
        while True:
            target = server.stats().answered + dice.randrange(1, 40)
            process = start(annotations, server, "run")
            while process.poll() is None and server.stats().answered < target:
                time.sleep(0.005)
            if process.poll() is not None:
                break
            time.sleep(dice.random() / 20)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        assert process.communicate()[0].startswith("120 samples, 0 rejected")
        assert process.returncode == 0
        stats = server.stats()
    assert kills >= 3
    assert shards("run") == shards("plain")
    assert stats.repeated <= 8 * kills  # never more than was in flight when it died
    assert record("run")["requests"]["answered_now"] + record("run")["requests"]["from_journal"] == 120


def test_ctrl_c_keeps_what_is_in_flight_and_says_how_to_go_on(coco: Callable[..., Path]) -> None:
    annotations = coco(200)
    with background(told, model="model", faults=Faults(latency_s=0.3)) as server:
        process = start(annotations, server, "run")
        while server.stats().answered < 20:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        answered = server.stats().answered
        assert process.returncode == 130
        assert "the same command carries on" in errors
        assert "Traceback" not in errors
        assert record("run")["status"].startswith("stopped")
        assert record("run")["requests"]["answered_now"] == answered < 600
        assert generate(annotations, server, "run") == 0
        assert server.stats().repeated == 0
        assert server.stats().answered == 600


def test_two_processes_on_one_run_folder_the_second_is_refused(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = coco(50)
    with background(told, model="model", faults=Faults(latency_s=0.2)) as server:
        process = start(annotations, server, "run")
        while server.stats().answered < 5:
            time.sleep(0.01)
        assert generate(annotations, server, "run") == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            "pipeline: run is in use by another process; wait for it, or pass another --out"
        )
        assert process.wait(timeout=60) == 0
    assert len(rows("run/samples.parquet")) == 150


def test_a_refused_key_stops_the_run_in_one_line(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    with background(script(Failure(401, "Incorrect API key", code="invalid_api_key")), model="model") as server:
        assert generate(coco(30), server, "run") == 2
        assert server.stats().requests <= 90
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("refuses the key (401: Incorrect API key); set OPENAI_API_KEY")


def test_an_exhausted_quota_keeps_what_was_paid_for(coco: Callable[..., Path]) -> None:
    answers = 0

    def reply(body: Any) -> Answer:
        nonlocal answers
        answers += 1
        return told(body) if answers <= 10 else Failure(429, "quota", code="insufficient_quota")

    annotations = coco(10)
    with background(reply, model="model") as server:
        assert generate(annotations, server, "run", "--concurrency", "4") == 2
    with background(told, model="model") as server:
        assert generate(annotations, server, "run") == 0
        assert server.stats().requests == 20


def test_a_full_disk_is_one_line_and_nothing_is_lost(coco: Callable[..., Path], tmp_path: Path) -> None:
    annotations = coco(60)
    with background(told, model="model") as server:
        limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000)); "
        program = limit + "from pipeline.__main__ import main; main()"
        flags = ["--model", "model", "--base-url", server.base_url, "--annotations", str(annotations), "--out", "run"]
        full = subprocess.run(
            [sys.executable, "-c", program, "generate", *flags], capture_output=True, text=True, check=False
        )
        assert full.returncode == 2, full.stderr
        assert "Traceback" not in full.stderr
        assert full.stderr.splitlines()[-1].endswith("run again to go on")
        assert generate(annotations, server, "run") == 0
    assert len(rows("run/samples.parquet")) == 180


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where not even root may write")
def test_a_read_only_folder_is_one_line(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(coco(1), None, "/proc/run") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("pipeline: cannot write to /proc/run: ")


def test_a_run_folder_that_is_a_file_is_one_line(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("mine")
    assert generate(coco(1), None, "taken") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("pipeline: cannot write to taken: ")
    assert Path("taken").read_text() == "mine"


def test_totals_and_images_reach_the_rows(coco: Callable[..., Path]) -> None:
    from PIL import Image

    Path("pixels").mkdir()
    for n in range(1, 6):
        Image.new("RGB", (640, 480), (n, n, n)).save(f"pixels/{n}.jpg")
    with background(told, model="model") as server:
        flags = ["--total", "conversation=7,complex_reasoning=3", "--images", "pixels"]
        assert generate(coco(5), server, "path", *flags) == 0
        assert generate(coco(5), server, "bytes", *flags, "--embed-images") == 0
    by_path = datasets.Dataset.from_file("path/shards/00000.arrow")
    assert sorted(by_path["kind"]) == ["complex_reasoning"] * 3 + ["conversation"] * 7
    assert by_path[0]["image"].size == (640, 480)
    Path("pixels").rename("moved")
    embedded = datasets.Dataset.from_file("bytes/shards/00000.arrow")
    assert embedded[0]["image"].size == (640, 480)
