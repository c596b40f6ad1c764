from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.check import check
from pipeline.cli import run_command
from pipeline.errors import PipelineError
from pipeline.llm.faults import Answer, Completion
from pipeline.llm.server import background
from pipeline.settings import CheckSettings
from tests.judging.stage import answer, verdicts

Coco = Callable[..., Path]


def llava(path: Path, *answers: str, image: str = "{n}.jpg", **more: Any) -> Path:
    """Write one LLaVA-format sample an image."""
    samples = [
        {
            "id": str(n),
            "image": image.format(n=n),
            "conversations": [
                {"from": "human", "value": "<image>\nHow many dogs are there?"},
                {"from": "gpt", "value": answer},
            ],
        }
        | more
        for n, answer in enumerate(answers, 1)
    ]
    path.write_text(json.dumps(samples))
    return path


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "samples.parquet").to_pylist()
    return rows


def test_llava_files_are_held_against_the_boxes_of_coco_files(coco: Coco) -> None:
    file = llava(Path("llava.json"), "There is one dog.", "There are three dogs.")
    checked = check(file, CheckSettings(annotations=coco(2)), print)
    first, second = rows_of(Path("outputs/llava-check"))
    assert {claim["verdict"] for claim in first["claims"]} == {"supported"}
    assert first["findings"] == []
    (wrong,) = [claim for claim in second["claims"] if claim["verdict"] == "contradicted"]
    assert (wrong["kind"], wrong["message"]) == ("count", 1)
    assert "three dogs" in second["messages"][1]["content"][wrong["start"] : wrong["end"]]
    assert [finding["kind"] for finding in second["findings"]] == ["contradiction"]
    assert first["messages"][0]["content"] == "How many dogs are there?"
    assert checked.figures["contradicted_samples"]["all"]["count"] == 1
    assert json.loads(Path("outputs/llava-check/stats.json").read_text()) == checked.figures
    assert "contradict" in Path("outputs/llava-check/report.html").read_text()


def test_a_run_is_checked_into_a_folder_of_its_own_and_stays_as_it_is(coco: Coco) -> None:
    assert run_command(["generate", "--annotations", str(coco(2)), "--out", "run"]) == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    check(Path("run"), CheckSettings(), print)
    assert {path: path.read_bytes() for path in before} == before
    rows = rows_of(Path("run/check"))
    assert len(rows) == 6
    assert all(row["claims"] for row in rows)


def test_a_run_is_checked_against_the_categories_of_its_data_set_and_not_only_those_in_its_boxes(coco: Coco) -> None:
    folder = coco(1)
    instances = next(folder.glob("instances*.json"))
    told = json.loads(instances.read_text())
    told["categories"].append({"id": 99, "name": "zebra", "supercategory": "animal"})
    instances.write_text(json.dumps(told))
    assert run_command(["generate", "--annotations", str(folder), "--out", "run"]) == 0
    assert "zebra" in json.loads(Path("run/run.json").read_text())["categories"]


def test_many_processes_find_what_one_finds(coco: Coco) -> None:
    count = 6_500
    sizes = ["one dog", "two dogs"]
    file = llava(Path("many.json"), *(f"There is {sizes[n % 2]} in picture {n}, I think." for n in range(count)))
    annotations = coco(count)
    for processes in (1, 2):
        check(file, CheckSettings(annotations=annotations, processes=processes, out=Path(str(processes))), print)
    assert rows_of(Path("1")) == rows_of(Path("2"))
    assert json.loads(Path("1/stats.json").read_text()) == json.loads(Path("2/stats.json").read_text())


def test_a_copy_of_an_earlier_sample_is_found(coco: Coco) -> None:
    long = "There is one dog on the grass, and it is running after a ball that somebody has thrown far away."
    check(llava(Path("llava.json"), long, long), CheckSettings(annotations=coco(2), out=Path("out")), print)
    first, second = rows_of(Path("out"))
    assert first["findings"] == []
    assert [(finding["message"], finding["kind"]) for finding in second["findings"]] == [(None, "duplicate")]
    assert "'1'" in second["findings"][0]["detail"] or " 1" in second["findings"][0]["detail"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "no run or file at nowhere"),
        (("empty",), "no finished run at empty"),
        (("notes.txt",), "notes.txt is no file of samples"),
        (("llava.json",), "pass --annotations DIR"),
        (("broken.json", "--annotations", "annotations"), "broken.json is no JSON list of samples"),
        (("llava.json", "--annotations", "annotations", "--synonyms", "none.toml"), "none.toml"),
        (("llava.json", "--annotations", "annotations", "--out", "notes.txt"), "notes.txt"),
        (("strangers.json", "--annotations", "annotations"), "list none of its 1 images"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, coco: Coco, capsys: pytest.CaptureFixture[str]
) -> None:
    coco(1)
    Path("empty").mkdir()
    Path("notes.txt").write_text("A dog.")
    Path("broken.json").write_text('[{"id": ')
    llava(Path("llava.json"), "One.")
    llava(Path("strangers.json"), "One.", image="zebra_{n}00.png", id="77")
    assert run_command(["check", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_the_run_itself_is_no_place_for_what_is_found(coco: Coco) -> None:
    assert run_command(["generate", "--annotations", str(coco(1)), "--out", "run"]) == 0
    with pytest.raises(PipelineError, match="the run itself"):
        check(Path("run"), CheckSettings(out=Path("run")), print)


def test_a_judge_and_a_blind_model_are_asked_once_and_stand_in_the_report(
    coco: Coco, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(body: Any) -> Answer:
        is_judge = "verdict" in json.dumps(body["messages"][0])
        return Completion(verdicts("contradicted", wrong="three dogs") if is_judge else answer("one"))

    monkeypatch.setenv("OPENAI_API_KEY", "k")
    file = llava(Path("llava.json"), "There are three dogs.")
    with background(play, model="m") as server:
        settings = CheckSettings(annotations=coco(1), judge="m", blind="m", base_url=server.base_url, out=Path("out"))
        figures = check(file, settings, print).figures
        asked = server.stats().requests
        assert check(file, settings, print).figures == figures
        assert server.stats().requests == asked == 2
    assert figures["judge"]["confusion"]["contradicted"]["contradicted"] == 1
    assert figures["blind"]["right"]["count"] == 0
    (row,) = pq.read_table("out/judge.parquet").to_pylist()
    assert row["wrong"] == "three dogs"
    assert "judge" in Path("out/report.html").read_text().lower()


def test_a_judge_without_a_key_is_refused_before_anything_is_checked(coco: Coco) -> None:
    with pytest.raises(PipelineError, match="no API key"):
        check(llava(Path("llava.json"), "One."), CheckSettings(annotations=coco(1), judge="m"), print)
    assert not Path("outputs").exists()
