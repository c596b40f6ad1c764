"""Long lists read a chunk at a time, whatever their elements hold."""

from __future__ import annotations

import io
import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.annotations import chunks
from pipeline.annotations.chunks import Decode, NotPlain, read_chunks

DECEPTIVE = st.sampled_from(["}, {", '"}]', '"}], "annotations": [{"', "é}🐕", "\\", '\\"},{', "[{", ""])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), DECEPTIVE)
FLAT = st.dictionaries(DECEPTIVE, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4)
NESTED = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(DECEPTIVE, inner)), max_leaves=9
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 64)
    monkeypatch.setattr(chunks, "MOST_BYTES", 4096)
    monkeypatch.setattr(chunks, "USUAL_BYTES", 8)


def joined(found: list[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(found))


def read(document: bytes) -> dict[str, list[list[Any]]]:
    """Return the chunks of the lists "images" and "annotations"."""
    found: dict[str, list[list[Any]]] = {"images": [], "annotations": []}

    def decode(key: str) -> Decode:
        def decode_chunk(chunk: bytes, before: int) -> list[Any]:
            assert before == sum(map(len, found[key]))
            rows: list[Any] = json.loads(chunk)
            return rows

        return decode_chunk

    for key, rows in read_chunks(io.BytesIO(document), {key: (decode(key),) for key in found}, {"images"}):
        found[key].append(rows)
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FLAT, max_size=30), st.lists(FLAT, max_size=30), NESTED, st.sampled_from([None, 1]))
def test_no_text_in_an_element_deceives(images: list[Any], rows: list[Any], other: Any, indent: int | None) -> None:
    extra = [{"a": 1}] * 9
    top = {"info": {"a": other}, "images": images, "extra": extra, "annotations": rows, "more": {"a": other}}
    found = read(json.dumps(top, indent=indent, ensure_ascii=False).encode())
    assert [joined(found[key]) for key in ("images", "annotations")] == [images, rows]


@pytest.mark.parametrize("number", ["12345", "-1.5", "1.25e-10", "3E+5"])
def test_a_number_is_read_wherever_a_window_cuts_it(number: str) -> None:
    for pad in range(80):
        document = f'{{"pad": "{"x" * pad}", "version":{number}, "images": [{{"id": 1}}]}}'
        assert joined(read(document.encode())["images"]) == [{"id": 1}]


def test_long_lists_come_in_many_chunks_and_an_element_in_one() -> None:
    rows = [{"id": n, "numbers": [n] * 9} for n in range(99)] + [{"long": "}, {" * 99}]
    found = read(json.dumps({"images": rows, "annotations": []}).encode())
    assert joined(found["images"]) == rows
    assert len(found["images"]) > 30


def test_objects_in_lists_in_an_element_are_no_end_of_it() -> None:
    rows = [{"id": n, "parts": [{"n": n}] * 4, "more": {"parts": [{}], "n": n}} for n in range(20)]
    assert joined(read(json.dumps({"images": rows, "annotations": rows}).encode())["annotations"]) == rows


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        '{"images": [{"id": 1}]',
        '{"images": [{"id": 1}]} {}',
        '{"images": [{"id": 1}], "images": []}',
        '{"images": {"id": 1}}',
        '{"images": [{"id": 1} {"id": 2}]}',
        '{"images": [{"id": 1},]}',
        '{"images": [1]}',
        '{"annotations": []}',
        '{"info": {, "images": []}',
        '{1: 2, "images": []}',
        f'{{"version": {"9" * 5000}, "images": []}}',
    ],
)
def test_what_is_no_such_document_is_refused(document: str) -> None:
    with pytest.raises(NotPlain):
        read(document.encode())
