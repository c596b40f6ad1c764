from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.review.board import Board
from pipeline.review.filters import View, address, read_view, toggled
from pipeline.review.index import Samples
from pipeline.samples import shards
from pipeline.samples.verdicts import Entry, VerdictLog, fingerprint, now
from tests.review.stage import make_run, row


@pytest.fixture
def board(tmp_path: Path) -> Board:
    run = make_run(tmp_path / "a [run]'s", [row(number) for number in range(12)])
    return Board(Samples(run / "samples.parquet"), VerdictLog(run / "verdicts.jsonl"), share=1)


def _walk(board: Board, view: View, reviewer: str = "ada") -> Iterator[int]:
    number = board.spot(view, reviewer, None).first
    while number is not None:
        yield number
        number = board.spot(view, reviewer, number).following


def _decide(board: Board, number: int, by: str, verdict: Any) -> None:
    found = board.samples.row(number)
    of = fingerprint(message["content"] for message in found["messages"])
    board.log.add([Entry("verdict", found["id"], of, by, now(), verdict=verdict, reasons=("wrong number",))])
    board.refresh()


def test_a_view_is_walked_in_its_order_and_once(board: Board) -> None:
    assert list(_walk(board, View())) == list(range(12))
    assert list(_walk(board, read_view([("kind", "conversation")]))) == [0, 2, 4, 6, 8, 10]
    assert list(_walk(board, read_view([("sort", "longest")]))) == list(range(11, -1, -1))
    assert list(_walk(board, read_view([("sort", "worst")]))) == [0, 4, 8, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert sorted(_walk(board, read_view([("sort", "random"), ("seed", "3")]))) == list(range(12))
    assert list(_walk(board, read_view([("q", "PICTURE 1")]))) == [1, 10, 11]
    assert list(_walk(board, read_view([("statements", "contradicted"), ("category", "dog")]))) == [0, 4, 8]
    assert list(_walk(board, read_view([("category", "no such")]))) == []


def test_a_draw_is_the_same_on_every_machine_and_stays_as_it_is_while_it_is_reviewed(board: Board) -> None:
    view = read_view([("draw", "4"), ("seed", "5"), ("todo", "1")])
    drawn = list(_walk(board, view))
    assert drawn == [3, 5, 8, 9]  # rests on md5 of the ids, so on nothing that differs
    _decide(board, drawn[1], "ada", "accepted")
    assert list(_walk(board, view)) == [3, 8, 9]
    assert list(_walk(board, view, "bob")) == drawn
    assert list(_walk(board, read_view([("draw", "4"), ("seed", "6")]))) != drawn


def test_after_a_decision_the_next_is_the_one_behind_it_also_where_it_left_the_view(board: Board) -> None:
    view = read_view([("todo", "1")])
    _decide(board, 3, "ada", "accepted")
    spot = board.spot(view, "ada", 3)
    assert (spot.previous, spot.following, spot.rank, spot.total) == (2, 4, None, 11)


def test_histograms_count_what_else_could_be_chosen(board: Board) -> None:
    _decide(board, 0, "ada", "rejected")
    _decide(board, 2, "ada", "accepted")
    _decide(board, 2, "bob", "rejected")
    found = {one.facet: {bar.value: bar.count for bar in one.bars} for one in board.histograms(View(), "ada")}
    assert found["kind"] == {"conversation": 6, "detailed_description": 6}
    assert found["verdict"] == {"unreviewed": 10, "rejected": 1, "disputed": 1}
    assert found["category"] == {"dog": 12, "cup": 12}
    assert found["statements"] == {"contradicted": 3, "supported": 9}
    assert found["by"] == {"ada": 2, "bob": 1}
    assert found["reason"] == {"wrong number": 2}
    narrowed = board.histograms(read_view([("kind", "conversation"), ("verdict", "unreviewed")]), "ada")
    found = {one.facet: {bar.value: bar.count for bar in one.bars} for one in narrowed}
    assert found["kind"] == {"conversation": 4, "detailed_description": 6}
    assert found["verdict"] == {"unreviewed": 4, "rejected": 1, "disputed": 1}


def test_a_second_look_takes_what_somebody_decided(board: Board) -> None:
    assert list(_walk(board, read_view([("look", "second")]))) == []
    _decide(board, 5, "bob", "accepted")
    assert list(_walk(board, read_view([("look", "second")]))) == [5]


def test_an_address_says_all_of_a_view_and_may_hold_anything() -> None:
    hostile = "a&b=c?d#é\"'<script> %00"
    view = read_view([("kind", hostile), ("category", "dog"), ("q", hostile), ("todo", "1"), ("sort", "worst")])
    pairs = [part.split("=", 1) for part in address(view, "1/x/0").partition("?")[2].split("&")]
    from urllib.parse import unquote_plus

    assert read_view([(name, unquote_plus(value)) for name, value in pairs]) == view
    assert toggled(toggled(view, "category", "cat"), "category", "dog").chosen["category"] == ("cat",)
    assert read_view([("draw", "-1"), ("seed", "9" * 30), ("sort", "; DROP TABLE"), ("nonsense", "1")]) == View()


def test_hostile_values_are_values_and_no_query(board: Board) -> None:
    for name in ("kind", "category", "verdict", "by", "q", "length"):
        assert list(_walk(board, read_view([(name, "'); DROP TABLE samples; --")]))) == []
    assert board.samples.count == len(list(_walk(board, View())))


def test_the_fingerprint_in_sql_is_that_in_python(board: Board) -> None:
    samples = [f"{number}/{('conversation', 'detailed_description')[number % 2]}/0" for number in range(12)]
    together = board.samples.places(samples)
    apart = [place for sample in samples for place in board.samples.places([sample])]
    assert sorted(together) == sorted(apart)


def test_a_thinner_file_opens_and_what_it_lacks_is_empty(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    messages = [[{"content": "What?", "role": "user"}, {"content": "A dog.", "role": "assistant"}]]
    pq.write_table(pa.table({"id": [7], "messages": messages, "boxes": ["no boxes"]}), tmp_path / "thin.parquet")
    found = Samples(tmp_path / "thin.parquet").row(0)
    assert (found["id"], found["boxes"], found["claims"]) == ("7", None, None)
    assert found["messages"][1]["content"] == "A dog."


def test_rows_read_by_query_are_those_read_by_row_group(board: Board) -> None:
    assert board.samples._rows is not None
    by_group = [board.samples.row(number) for number in range(12)]
    other = Samples(board.samples.path)
    other._rows = None  # as for a file whose row groups are too large to be held
    assert [other.row(number) for number in range(12)] == by_group
    with pytest.raises(PipelineError, match="no sample number 12"):
        board.samples.row(12)


def test_a_file_that_was_written_again_is_not_mixed_up_with_the_one_that_was_opened(board: Board) -> None:
    path = board.samples.path
    board.samples.row(0)
    shards.write_parquet(path, shards.in_batches(iter([row(99)]), shards.SCHEMA), shards.SCHEMA)
    with pytest.raises(PipelineError, match="written again"):
        board.samples.row(0)
