from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RunStopped
from pipeline.samples.writing import write_text, writing_beside


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, RunStopped, ValueError])
def test_whatever_ends_the_writing_leaves_the_old_file_and_no_part(trouble: type[BaseException]) -> None:
    write_text(Path("card"), "old")

    def write_half() -> None:
        with writing_beside(Path("card")) as beside:
            beside.write_text("half")
            raise trouble

    with pytest.raises(trouble):
        write_half()
    assert [path.name for path in Path().iterdir()] == ["card"]
    assert Path("card").read_text() == "old"
