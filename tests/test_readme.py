from __future__ import annotations

import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cli import run_command
from pipeline.llm import writer
from tests.conftest import REPO

README = (REPO / "README.md").read_text()
BROUGHT = {"--model", "--prompts", "serve", "--judge", "--synonyms", "--instances", "finetune", "chat", "review"}
"""Words of commands that need what the reader brings or starts."""


def commands() -> list[list[str]]:
    """Return the words of every command of ours in the README, in its order."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [
        shlex.split(line.split("python -m pipeline")[1], comments=True)
        for line in lines
        if "python -m pipeline" in line
    ]


def test_every_flag_in_the_readme_is_one_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command, *words in commands():
        run_command([command, "--help"])
        known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
        assert {word for word in words if word.startswith("--")} <= known, words


def test_the_commands_of_the_readme_run_one_after_the_other() -> None:
    alone = [words for words in commands() if not BROUGHT & set(words)]
    for words in alone:
        assert run_command(["3" if word == "100" else word for word in words]) == 0, words
    assert [words[0] for words in alone] == [
        "generate", "show", "preview", "generate", "generate", "generate", "check", "scenes", "generate",
    ]  # fmt: skip
    made = {path.parent.name: pq.read_metadata(path).num_rows for path in Path("outputs").glob("*/samples.parquet")}
    assert made == {"quickstart": 36, "few": 15, "totals": 19, "flagged": 36, "scenes-run": 9}


def test_the_rehearsal_in_the_readme_asks_for_the_model_that_is_served() -> None:
    (rehearsal,) = (words for words in commands() if "outputs/rehearsal" in words)
    assert rehearsal[rehearsal.index("--model") + 1] == writer.NAME


def test_every_module_at_the_top_is_in_the_tree_of_the_readme() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    for file in (REPO / "pipeline").glob("*.py"):
        assert file.name == "__init__.py" or file.name in tree
