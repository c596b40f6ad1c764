from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch, to see it left alone")


@needs_torch
def test_help_takes_under_a_second_with_torch_installed() -> None:
    taken = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "pipeline", "--help"], check=True, capture_output=True)
        taken.append(time.monotonic() - began)
    assert min(taken) < 1


@needs_torch
def test_generation_leaves_torch_and_transformers_alone(coco: Callable[..., Path]) -> None:
    program = (
        "import sys; from pipeline.cli import run_command; code = run_command(sys.argv[1:]);"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules))); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "generate", "--annotations", str(coco(2)), "--out", "run"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[]"]), done.stderr


def test_help_imports_no_machinery_of_the_commands() -> None:
    program = (
        "import sys; from pipeline.cli import run_command; run_command(['generate', '--help']);"
        "print(sorted({'openai', 'pyarrow', 'PIL', 'jinja2', 'aiohttp', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
