from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cli import app, run_command
from tests.conftest import REPO

COMMANDS = ["generate", "preview", "show", "scenes", "serve"]


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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_readme(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([command, "--help"]) == 0
    page = capsys.readouterr().out
    flags = set(re.findall(r"^│ (?:\* +)?(?:[A-Z]+ )?(--[a-z0-9-]+)", page, re.MULTILINE))
    assert flags
    told = re.sub(r"[│╭╮╰╯─\s]+", " ", page)
    for flag in flags:
        assert re.search(rf"{flag} .*?\w{{3,}}", told), flag
    assert f"python -m pipeline {command}" in (REPO / "README.md").read_text()


def test_every_flag_in_the_readme_is_one_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        run_command([command, "--help"])
    known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
    for block in re.findall(r"```(?:bash|console)\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL):
        for line in block.splitlines():
            if "python -m pipeline" in line:
                assert set(re.findall(r"--[a-z][a-z0-9-]+", line)) <= known, line


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
        (["generate", "--base-url", "http://localhost:1/v1"], "--base-url goes with --model"),
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
    folder = str(coco(3))
    assert run_command(["preview", "--annotations", folder, "--kinds", "conversation=2,complex_reasoning"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["image_id"], line["kind"]) for line in lines] == [
        (str(n), kind) for n in (1, 2, 3) for kind in ("conversation", "complex_reasoning")
    ]
    assert set(lines[0]) == {"image_id", "kind", "context", "messages"}
    assert lines[0]["messages"][-1] == {"role": "user", "content": lines[0]["context"]}
    flags = ["--image-id", "2", "--context", "conversation=captions"]
    assert run_command(["preview", "--annotations", folder, *flags]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["image_id"] for line in lines} == {"2"}
    contexts = {line["kind"]: line["context"] for line in lines}
    assert "dog: [" not in contexts["conversation"]
    assert "dog: [" in contexts["complex_reasoning"]


def test_output_may_be_cut_by_head(coco: Callable[..., Path]) -> None:
    command = f"{sys.executable} -m pipeline preview --annotations {coco(300)} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith('{"image_id"')
    assert done.stderr == ""
