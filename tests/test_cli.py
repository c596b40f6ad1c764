from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.cli import app, run_command
from pipeline.llm.faults import Answer, Completion, script
from pipeline.llm.server import background
from tests.conftest import REPO

COMMANDS = ["generate", "preview", "show", "check", "review", "finetune", "chat", "scenes", "serve"]


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail, and return its one line."""
    assert run_command(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("pipeline: ")
    return line.removeprefix("pipeline: ")


def test_the_commands_are_those_we_test() -> None:
    assert [name for name in app if not name.startswith("-")] == COMMANDS


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what a help page says of each flag, in one line without frames."""
    assert run_command([command, "--help"]) == 0
    entries: dict[str, str] = {}
    flag = ""
    for line in capsys.readouterr().out.splitlines():
        if begun := re.match(r"│ +(?:\* +)?(?:[A-Z]+ )?(--(?!no-)[a-z0-9-]+)( .*)│$", line):
            flag, rest = begun.groups()
            entries[flag] = ""
        else:
            rest = line.strip("│╭╮╰╯─ ") if line.startswith("│") else ""
        if flag:
            entries[flag] = f"{entries[flag]} {rest.strip()}".strip()
    return entries


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_readme(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = help_of(command, capsys)
    assert told
    for flag, entry in told.items():
        words = re.findall(r"[a-z]{2,}", re.sub(r"\[.*?\]|--\S+", "", entry))  # not its type, default and negation
        assert len(words) > 1, f"{flag}: {entry!r}"
    assert f"python -m pipeline {command}" in (REPO / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["genrate"], 'Unknown command "genrate"'),
        (["generate", "--limt", "3"], "--limt"),
        (["generate", "--limit", "0"], "--limit: Input should be greater than or equal to 1"),
        (["generate", "--limit", "few"], "--limit"),
        (["generate", "--attempts", "0"], "--attempts: Input should be greater than or equal to 1"),
        (["generate", "--kinds", "conversation=0"], "--kinds: 'conversation=0' is not KIND or KIND=COUNT"),
        (["generate", "--kinds", "conversation,conversation"], "--kinds: 'conversation' comes twice"),
        (["generate", "--kinds", "poem"], "no kind named 'poem'; there are complex_reasoning"),
        (["generate", "--context", "conversation=pixels"], "--context: 'conversation=pixels' is not KIND=captions"),
        (["generate", "--set", "temperature"], "--set: 'temperature' is not NAME=VALUE"),
        (["generate", "--set", "stream=true"], "--set: 'stream' is not for --set"),
        (["generate", "--reply-format", "xml"], "--reply-format"),
        (["generate", "--annotations", "nowhere"], "nowhere"),
        (["generate", "--captions", "nowhere.json"], "nowhere.json"),
        (["generate", "--annotations", ".", "--captions", "c.json"], "--annotations finds both files by itself"),
        (["generate", "--images", "."], "--images goes with annotations"),
        (["generate", "--kinds", "conversation", "--total", "conversation=5"], "pass one of them"),
        (["generate", "--batch", "--count-good", "5"], "pass one of them"),
        (["generate", "--base-url", "http://localhost:1/v1"], "--base-url goes with --model"),
        (["generate", "--kinds", ""], "--kinds: the value is empty"),
        (["generate", "--total="], "--total: the value is empty"),
        (["generate", "--model", " "], "--model: the value is empty"),
        (["show", ""], "show: the value is empty"),
        (["generate", "--out", "outputs/\udcff"], "'outputs/\\udcff' is no UTF-8 text"),
        (["generate", "--timeout", "inf"], "--timeout: Input should be a finite number"),
        (["generate", "--rpm", "nan"], "--rpm: Input should be"),
        (["serve", "--latency-s", "inf"], "--latency-s: Input should be a finite number"),
        (["serve", "--port", "99999"], "cannot listen at 127.0.0.1:99999 (a port is a number from 0 to 65535)"),
        (["serve", "--port", "-1"], "cannot listen at 127.0.0.1:-1"),
        (["serve", "--host", "a" * 70], "cannot listen at aaa"),
        (["generate", "--set", "a=NaN"], "--set: 'a=NaN' has a number that JSON cannot hold"),
        (["generate", "--set", 'a={"b": [1e999]}'], "has a number that JSON cannot hold"),
        (["generate", "--set", "a=" + "[" * 100_000], "--set: the value of 'a' is nested too deeply"),
        (["generate", "--captions", "c.json", "--embed-images"], "--embed-images goes with --images"),
        (["generate", "--model", "gpt-x"], "no API key; set OPENAI_API_KEY"),
        (["generate", "--prompts", "nowhere"], "no folder of prompts at nowhere"),
        (["preview", "--image-id", "none"], "no image 'none' among the"),
        (["show", "nowhere"], "no run at nowhere"),
        (["show"], "run"),
    ],
)
def test_what_a_person_gets_wrong_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line in error_of(capsys, *words)


def test_nothing_is_left_behind_by_a_command_that_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    error_of(capsys, "generate", "--model", "gpt-x", "--out", "run")
    error_of(capsys, "generate", "--kinds", "poem", "--out", "run")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "http://localhost:99999/v1", "http://[::1/v1", "foo", "http://a..b/v1", "ftp://a/v1"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_made(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is no address of a server" in error_of(capsys, "generate", "--model", "m", "--base-url", url)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert error_of(capsys, "generate", "--model", "m").startswith("OPENAI_BASE_URL: ")
    assert list(Path().iterdir()) == []


def test_an_id_with_a_line_break_and_an_escape_sequence_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("two\nlines.json").write_text("{")
    line = error_of(capsys, "generate", "--captions", "two\nlines.json")
    assert line.startswith("two lines.json")
    assert "\x1b" not in error_of(capsys, "generate", "--captions", "\x1b[31m.json")


def test_the_quick_start_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["generate"]) == 0
    captured = capsys.readouterr()
    assert "36 samples, 0 rejected (outputs/quickstart/rejects.parquet)" in captured.out
    assert "rules, not a language model" in captured.err
    assert "not of a language model" in captured.out
    assert run_command(["show", "outputs/quickstart", "--kind", "conversation", "--count", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("/conversation/0") == 2
    assert "Q  " in shown
    assert "A  " in shown


def test_the_sample_in_the_readme_is_one_that_the_quick_start_makes() -> None:
    assert run_command(["generate", "--kinds", "conversation"]) == 0
    shown = (REPO / "README.md").read_text().split("<!-- sample:begin -->")[1].split("<!-- sample:end -->")[0]
    told = re.findall(r"^> (?:\*\*)?(.+?)(?:\*\*)?$", shown, re.MULTILINE)
    rows = pq.read_table("outputs/quickstart/samples.parquet").to_pylist()
    assert told in [[message["content"] for message in row["messages"]] for row in rows]


def test_preview_prints_what_generate_sends(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    sent = []

    def reply(body: Mapping[str, Any]) -> Answer:
        sent.append(body["messages"])
        return Completion(None, refusal="I only listen.")

    flags = ["--annotations", str(coco(3)), "--context", "conversation=captions"]
    assert run_command(["preview", *flags]) == 0
    previewed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with background(reply, model="m") as server:
        assert run_command(["generate", "--model", "m", "--base-url", server.base_url, *flags]) == 0
    assert len(previewed) == 9
    assert sorted(map(json.dumps, sent)) == sorted(json.dumps(line["messages"]) for line in previewed)


def test_preview_tells_image_kind_and_context(coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--annotations", str(coco(3)), "--kinds", "conversation=2,complex_reasoning"]
    assert run_command(["preview", *flags, "--context", "conversation=captions"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["image_id"], line["kind"]) for line in lines] == [
        (str(n), kind) for n in (1, 2, 3) for kind in ("conversation", "complex_reasoning")
    ]
    assert set(lines[0]) == {"image_id", "kind", "context", "messages"}
    assert lines[0]["messages"][-1] == {"role": "user", "content": lines[0]["context"]}
    assert "dog: [" not in lines[0]["context"]
    assert "dog: [" in lines[1]["context"]


def test_preview_says_what_was_left_out_beside_its_output(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = coco(2) / "captions_tiny.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["caption"] = " "
    file.write_text(json.dumps(content))
    assert run_command(["preview", "--annotations", str(file.parent)]) == 0
    captured = capsys.readouterr()
    assert "left out: 1 captions without text" in captured.err
    assert all(json.loads(line) for line in captured.out.splitlines())


def test_a_run_of_nothing_but_rejects_recommends_no_look_at_samples(
    coco: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with background(script("nonsense"), model="m") as server:
        flags = ["--model", "m", "--base-url", server.base_url, "--annotations", str(coco(1)), "--out", "run"]
        assert run_command(["generate", *flags, "--kinds", "conversation"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("0 samples, 1 rejected (run/rejects.parquet)")
    assert "show" not in told


def shell(words: str, **environment: str) -> tuple[int, str]:
    """Run a command line of the pipeline in a shell; return its exit code and what it said on standard error."""
    line = f"{shlex.quote(sys.executable)} -m pipeline {words}"
    done = subprocess.run(
        line, shell=True, check=False, text=True, stderr=subprocess.PIPE, env=os.environ | environment, timeout=60
    )
    return done.returncode, done.stderr


def test_a_run_whose_output_is_closed_is_a_good_run(coco: Callable[..., Path]) -> None:
    code, told = shell(f"generate --annotations {coco(1)} --out run >&-")
    assert (code, "Traceback" in told) == (0, False)
    assert shell("show run <&- >&- 2>&-") == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_full_output_is_one_line_and_full_errors_stop_nothing(coco: Callable[..., Path]) -> None:
    assert shell(f"generate --annotations {coco(1)} --out run >/dev/null 2>/dev/full") == (0, "")
    assert shell("show run >/dev/full") == (
        2,
        "pipeline: cannot write to standard output: No space left on device\n",
    )


def test_characters_that_the_terminal_lacks_are_no_fault(coco: Callable[..., Path]) -> None:
    assert run_command(["generate", "--annotations", str(coco(1)), "--out", "run"]) == 0
    assert shell("show run >shown", PYTHONIOENCODING="ascii") == (0, "")
    assert "\\xb7" in Path("shown").read_text()


def test_ctrl_c_while_the_command_loads_is_quiet() -> None:
    program = """
import signal, sys

class Interrupting:
    def find_spec(self, name, *rest):
        if name == "cyclopts":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from pipeline.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


def test_output_may_be_cut_by_head(coco: Callable[..., Path]) -> None:
    command = f"{sys.executable} -m pipeline preview --annotations {coco(300)} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith('{"image_id"')
    assert done.stderr == ""
