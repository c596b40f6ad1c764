from __future__ import annotations

import pytest

from pipeline.progress import Progress


def test_without_a_terminal_a_plain_line_comes_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2_000, plain_every_s=0) as progress:
        progress.update(900, 100, 123_456, 1.5)
    line = capsys.readouterr().err.strip()
    assert line.startswith("1,000 of 2,000, 100 rejected, ")
    assert line.endswith("/s, 123,456 tokens, $1.50, about 0 min left")


def test_without_a_terminal_a_short_run_prints_no_such_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2_000) as progress:
        progress.update(1_999, 1, 123_456, 0)
    assert capsys.readouterr().err == ""
