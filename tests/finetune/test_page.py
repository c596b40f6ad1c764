from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from pipeline.finetune.charts import Score, Sight, curves
from pipeline.finetune.model import Joined, join
from pipeline.finetune.order import Order
from pipeline.finetune.page import Answered, answers, data_uri, write_page
from pipeline.finetune.preparation import Prepared, prepare
from pipeline.finetune.rows import read_rows
from pipeline.finetune.summary import summarise
from pipeline.finetune.templates import load_template
from tests.finetune import tiny

METRICS: list[dict[str, float]] = [
    {
        "step": step,
        "loss": 2 / step,
        "lr": 1e-3 / step,
        "gradient_norm": 1.0,
        "samples_per_s": 8.0,
        "samples": 4,
        "seconds": 0.5,
    }
    for step in range(1, 101)
] + [{"step": 50, "held_out_loss": 0.5}, {"step": 100, "held_out_loss": 0.25}]
SIGHTS = [Sight("counting", Score(90, 100), Score(30, 100), Score(35, 100))]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples of four images, and one of text alone, in LLaVA's form."""
    folder = tmp_path_factory.mktemp("data")
    rows: list[dict[str, Any]] = [
        {
            "id": f"s{number}",
            "image": f"{number // 2}.png",
            "conversations": [
                {"from": "human", "value": f"<image>\nWhat is in picture {number}?"},
                {"from": "gpt", "value": f"A cat, number {number}."},
            ],
        }
        for number in range(8)
    ]
    rows.append({"id": "text", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]})
    for number in range(4):
        tiny.picture(number).save(folder / f"{number}.png")
    (folder / "data.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder / "data.json"


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Joined:
    folder = tmp_path_factory.mktemp("bases")
    clip, llama = tiny.save_clip(folder / "clip"), tiny.save_language(folder / "llama")
    return join(clip, llama, "mlp2x_gelu", template="vicuna_v1")


def prepared(data: Path, joined: Joined, share: float) -> Prepared:
    template = load_template("vicuna_v1", joined.tokenizer)
    rows = read_rows([str(data)], None, None)
    return prepare(
        rows,
        joined.tokenizer,
        template,
        max_tokens=300,
        image_tokens=joined.image_tokens,
        held_out_share=share,
        processes=1,
    )


def answered(data: Path, joined: Joined, *, share: float = 0.999, count: int = 3) -> list[Answered]:
    rows = read_rows([str(data)], None, None)
    return answers(joined, prepared(data, joined, share), rows, count=count, max_new_tokens=4)


def test_held_out_images_are_asked_about_each_with_another_image_beside(data: Path, joined: Joined) -> None:
    told = answered(data, joined)
    assert [one.id for one in told] == ["s0", "s2", "s6"]
    assert told[0].question == "What is in picture 0?"
    assert told[0].expected == "A cat, number 0."
    assert [one.other_picture for one in told] == [told[1].picture, told[2].picture, told[0].picture]
    assert len({one.picture for one in told}) == 3


def test_the_answers_are_the_models_for_either_image(data: Path, joined: Joined) -> None:
    from pipeline.finetune.asking import Ask, ask

    first = answered(data, joined)[0]
    questions = [Ask(tiny.picture(number), first.question) for number in (0, 1)]
    assert [first.answer, first.other_answer] == ask(joined, questions, max_new_tokens=4)


def test_one_held_out_image_is_too_few_to_compare(data: Path, joined: Joined) -> None:
    assert answered(data, joined, share=0.0) == []
    assert answered(data, joined, count=1) == []


def write(path: Path, data: Path, joined: Joined, *, some: list[Answered], sights: list[Sight]) -> str:
    samples = prepared(data, joined, 0.3)
    order = Order(samples.training(), samples.lengths, samples.picture, seed=0, batch=2)
    write_page(
        path,
        title="A <b>run</b>",
        told="Stage instruct.",
        metrics=METRICS,
        settings=[("lr", "0.001", "--lr")],
        data=summarise(samples, order, layout="shared", micro_tokens=500),
        answered=some,
        sights=sights,
    )
    return path.read_text(encoding="utf-8")


def test_the_page_shows_curves_settings_data_and_answers(tmp_path: Path, data: Path, joined: Joined) -> None:
    page = write(tmp_path / "report.html", data, joined, some=answered(data, joined), sights=SIGHTS)
    for words in (
        "norm of the gradient",
        "on held-out images",
        "--lr",
        "Rows used",
        "A cat, number 0.",
        "Does it see?",
    ):
        assert words in page
    assert "+55" in page  # 90 % with its own image, 35 % by the better of the two others
    assert "90 %" in page
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_the_page_needs_and_loads_nothing_from_outside(tmp_path: Path, data: Path, joined: Joined) -> None:
    page = write(tmp_path / "report.html", data, joined, some=answered(data, joined), sights=SIGHTS)
    assert "default-src 'none'" in page
    assert "<script" not in page
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)


def test_what_a_model_or_a_file_wrote_stays_text(tmp_path: Path, data: Path, joined: Joined) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    uri = data_uri(tiny.picture())
    one = Answered(hostile, hostile, hostile, hostile, hostile, uri, uri)
    page = write(tmp_path / "report.html", data, joined, some=[one], sights=[])
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") == 6  # the id twice
    assert "<b>run</b>" not in page


def test_a_run_without_steps_or_answers_still_has_its_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(path, title="Empty", told="Nothing yet.", metrics=[], settings=[], data={}, answered=[])
    page = path.read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "Does it see?" not in page


def test_curves_of_many_steps_keep_few_points() -> None:
    long = [{"step": step, "loss": 1.0, "samples_per_s": 8.0} for step in range(1, 20_001)]
    few = curves(long[:200])
    many = curves(long)
    assert few
    assert many
    assert len(many) < 3 * len(few)


def test_what_the_image_adds_is_measured_against_the_better_of_the_two_others() -> None:
    assert SIGHTS[0].margin == pytest.approx(0.55)
    assert Sight("", Score(9, 10), Score(6, 10), Score(2, 10)).margin == pytest.approx(0.3)
    assert str(Score(90, 100)) == "0.90 [0.83, 0.94]"
    assert Score(0, 0).share == 0
