from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.quality.figures.statistics import Statistics
from pipeline.quality.report.examples import BEST, WORST
from pipeline.quality.report.exhibits import exhibit, segments
from pipeline.quality.report.overlay import overlay
from pipeline.quality.report.page import Examples, write_report
from pipeline.quality.report.summary import card_section
from pipeline.quality.report.timeline import read_timeline
from pipeline.quality.wording import duration, money, percent
from tests.quality.test_statistics import Row, claim, row

HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\u202e$x^2$ \x1b[2J & \"'"


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, the texts of scripts and the rest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


def report(*rows: Row, title: str = "a run", metrics: Path | None = None, **more: Any) -> str:
    statistics, examples = Statistics(), Examples()
    for one in rows:
        statistics.add(one)
        examples.add(one)
    path = Path("report.html")
    write_report(path, statistics.figures() | more, examples, title=title, record=None, metrics=metrics)
    assert [found.name for found in Path().iterdir() if found.name.startswith(".")] == []
    return path.read_text(encoding="utf-8")


def test_the_page_says_what_was_made_and_marks_the_claims() -> None:
    page = Page(
        report(
            row(
                "How many dogs?",
                "Two dogs run.",
                claims=[claim(1, "contradicted", kind="count") | {"detail": "the boxes show 3"}],
            ),
            row("What is it?", "A cat.", image="2", labels=("cat",), claims=[claim(1)]),
            title="first try",
        )
    )
    assert "first try" in page.text
    assert "2 samples about 2 images, written by m." in page.text
    assert "count: contradicted (the boxes show 3)" in page.values("title")
    assert {"supported", "contradicted"} <= set(page.values("class"))
    assert page.tags["article"] == 2


def test_texts_of_a_model_are_never_markup() -> None:
    leak = {"message": None, "start": 0, "end": 0, "kind": HOSTILE, "detail": HOSTILE}
    hostile = row(HOSTILE, HOSTILE, image=HOSTILE, kind=HOSTILE, labels=(HOSTILE,), model=HOSTILE, captions=[HOSTILE])
    hostile |= {"findings": [leak], "file_name": HOSTILE}
    hostile["claims"] = [claim(1, "contradicted", kind=HOSTILE) | {"detail": HOSTILE, "end": len(HOSTILE)}]
    page = Page(
        report(hostile, row("Q?", "A.", kind=HOSTILE, claims=[claim(1)]), title=HOSTILE, judge={HOSTILE: HOSTILE})
    )
    assert page.tags["script"] == 1
    assert page.tags["img"] == 0
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text
    assert "$x^2$" in page.text  # as it is, and no formula


def test_nothing_is_loaded_from_elsewhere_and_only_the_pages_own_script_may_run() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(picture, "PNG")
    page = Page(report(row("Q?", "A.", claims=[claim(1)]) | {"image": {"bytes": picture.getvalue(), "path": "x.png"}}))
    addresses = [value for name in ("href", "src", "xlink:href", "action", "data") for value in page.values(name)]
    assert [value[:16] for value in addresses if not value.startswith("#")] == ["data:image/jpeg;"]
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def test_ids_are_unlike_each_other_in_all_plots() -> None:
    lines = [
        {"at": float(at), "answers_per_s": 1.0, "in_flight": 2, "allowed": 3, "failures": {"429": at}}
        for at in range(9)
    ]
    Path("metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    html = report(
        row("Is it a dog?", "Yes.", claims=[claim(1), claim(1, "contradicted", kind="place")]),
        metrics=Path("metrics.jsonl"),
    )
    page = Page(html)
    ids = page.values("id")
    assert page.tags["figure"] == 8
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", html)) | {
        value[1:] for value in page.values("xlink:href") + page.values("href") if value.startswith("#")
    }
    assert used <= set(ids)


def test_a_run_of_nothing_has_a_page_too() -> None:
    assert "0 samples about 0 images." in Page(report()).text
    assert "No statement of these samples has been checked." in Page(report(row("Q?", "A."))).text


def test_figures_of_others_get_a_table_under_their_heading() -> None:
    text = Page(report(row("Q?", "A."), judge={"asked": 1200, "agree": {"share": 0.5}})).text
    assert re.search(r"judge\s+asked\s*1,200\s*agree share\s*0\.5", text)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_an_image_that_cannot_be_read_leaves_its_boxes(content: bytes) -> None:
    Path("x.png").write_bytes(content)
    shown = exhibit(row("Q?", "A.", width=200, height=400) | {"image": {"bytes": None, "path": "x.png"}})
    assert shown.source == ""
    assert (shown.width, shown.height) == (320, 640)
    assert [box.label for box in shown.boxes] == ["dog"]


def test_a_large_picture_is_made_small() -> None:
    Image.effect_noise((3000, 2000), 80).save("x.png")
    shown = exhibit(row("Q?", "A.") | {"image": {"bytes": None, "path": "x.png"}})
    picture = Image.open(io.BytesIO(base64.b64decode(shown.source.partition(",")[2])))
    assert picture.size == (640, 427)
    assert (shown.width, shown.height) == (640, 427)


def test_overlapping_claims_are_cut_into_pieces_and_the_gravest_tells_the_verdict() -> None:
    claims = [claim(1) | {"start": 0, "end": 8}, claim(1, "contradicted", boxes=(1,)) | {"start": 4, "end": 12}]
    pieces = segments("Two dogs run.", claims, [{}, {}])
    assert [(piece.text, piece.verdict, piece.boxes) for piece in pieces] == [
        ("Two ", "supported", "0"),
        ("dogs", "contradicted", "0 1"),
        (" run", "contradicted", "1"),
        (".", "", ""),
    ]


@given(
    st.text(st.characters(categories=["L", "P", "Zs"]), max_size=30),
    st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.integers(0, 3)), max_size=6),
)
def test_pieces_together_are_the_text_whatever_the_claims(text: str, spans: list[tuple[int, int, int]]) -> None:
    claims = [claim(1, boxes=(box,)) | {"start": start, "end": end} for start, end, box in spans]
    assert "".join(piece.text for piece in segments(text, claims, [{}, {}])) == text


def test_labels_that_always_show_leave_each_other_room() -> None:
    boxes = [{"label": f"thing {n}", "bbox": [0.1 + n / 200, 0.1, 0.3, 0.3 + n / 100]} for n in range(12)]
    shown = [box for box in overlay(boxes, [claim(1, boxes=(7,))], 640, 480) if box.named]
    areas = [(box.label_x, box.label_y, box.label_x + 7 * len(box.label), box.label_y + 12) for box in shown]
    clashes = [
        (one, other)
        for at, one in enumerate(areas)
        for other in areas[at + 1 :]
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]
    assert not clashes
    assert 7 in {box.number for box in shown}  # a claim rests on it
    assert 1 < len(shown) < 12


def test_the_best_are_of_every_kind_and_have_nothing_wrong() -> None:
    examples = Examples()
    finding = {"message": 1, "start": 0, "end": 1, "kind": "too short", "detail": ""}
    for n in range(50):
        for kind in ("a", "b"):
            examples.add(row("Q?", "A.", image=f"{n}", kind=kind, claims=[claim(1)] * (n % 7 + 1)))
        examples.add(row("Q?", "A.", image=f"x{n}", kind="a", claims=[claim(1)] * 20, findings=[finding]))
    best = examples.best()
    assert [one["kind"] for one in best] == ["a", "b", "a", "b"]
    assert {len(one["claims"]) for one in best} == {7}
    assert len({one["image_id"] for one in best}) == BEST


def test_the_worst_are_contradictions_and_one_of_each_finding() -> None:
    examples = Examples()
    for n in range(100):
        kind = ("source leak", "broken ending", "too short")[n % 3]
        found = {"message": 1, "start": 0, "end": 1, "kind": kind, "detail": ""}
        examples.add(row("Q?", "A.", image=f"{n}", findings=[found]))
        examples.add(row("Q?", "A.", image=f"c{n}", claims=[claim(1, "contradicted")] * (n % 10 + 1)))
    worst = examples.worst()
    assert len(worst) == WORST
    assert [len(one["claims"]) for one in worst] == [10, 10, 10, 10, 0, 0, 0, 0]
    assert {one["findings"][0]["kind"] for one in worst[4:]} == {"source leak", "broken ending", "too short"}


def test_examples_keep_few_rows_of_many() -> None:
    examples = Examples()
    rows = [row("Q?", "A.", image=f"{n}", kind=f"k{n % 90}", claims=[claim(1)]) for n in range(2000)]
    for one in rows:
        examples.add(one)
    assert len(examples.best()) == BEST
    assert sum(len(heap) for heap in examples._best.values()) < 100


def test_a_timeline_goes_over_restarts_and_cut_lines() -> None:
    def line(at: float, failed: int, cost: float) -> str:
        return json.dumps(
            {"at": at, "answers_per_s": 2, "in_flight": 1, "allowed": 4, "failures": {"429": failed}, "cost_usd": cost}
        )

    told = [line(100, 0, 0.1), line(101, 3, 0.2), '{"at": 10', "[]", "null", line(5000, 1, 0.3), line(5001, 2, 0.4)]
    Path("m.jsonl").write_text("\n".join(told))
    timeline = read_timeline(Path("m.jsonl"))
    assert timeline
    assert [point.at_s for point in timeline.points] == [1, 2, 3, 4]
    assert [point.failures.get("429", 0) for point in timeline.points] == [0, 3, 1, 1]
    assert timeline.breaks_s == [2]
    assert read_timeline(Path("none.jsonl")) is None


def test_a_long_timeline_keeps_its_sums_in_few_points() -> None:
    lines = [{"at": at, "answers_per_s": 5, "failures": {"429": at}} for at in range(20_001)]
    Path("m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    timeline = read_timeline(Path("m.jsonl"))
    assert timeline
    assert len(timeline.points) <= 600
    assert sum(point.failures.get("429", 0) for point in timeline.points) == 20_000
    assert sum(point.for_s for point in timeline.points) == 20_001
    assert timeline.points[-1].answers_per_s == pytest.approx(5)


def test_the_cards_section_is_tables_that_no_name_can_break() -> None:
    statistics = Statistics()
    statistics.add(row("Q?", "A.", kind="a|b", claims=[claim(1), claim(1, "contradicted", kind="count")]))
    section = card_section(statistics.figures())
    assert section.startswith("## Quality\n\nOf 2 statements in questions and answers, 2 can be checked")
    assert "a\\|b | 100.0 % [20.7–100.0 %] of 1 |" in section
    assert "| 5.9 % [1.6–19.1 %] of 34 |" in section
    assert "have not been checked" in card_section(Statistics().figures())


def test_numbers_are_said_as_people_say_them() -> None:
    assert [duration(s) for s in (3.2, 200, 3600, 7500)] == ["3 s", "3 min 20 s", "1 h", "2 h 5 min"]
    assert [money(usd) for usd in (0, 0.0123, 1234.5)] == ["$0.00", "$0.0123", "$1,234.50"]
    assert [percent(share) for share in (None, 0, 0.00042, 0.5)] == ["–", "0.0 %", "0.04 %", "50.0 %"]
