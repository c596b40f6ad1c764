from __future__ import annotations

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.samples.columns import build_table

KINDS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(),
    pa.binary(): st.binary(),
    pa.bool_(): st.booleans(),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
}


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_struct(kind):
        some: st.SearchStrategy[Any] = st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    elif pa.types.is_fixed_size_list(kind):
        some = st.lists(values(kind.value_type), min_size=kind.list_size, max_size=kind.list_size)
    elif pa.types.is_list(kind):
        some = st.lists(values(kind.value_type), max_size=3)
    else:
        some = KINDS[kind]
    return st.one_of(st.none(), some)


ITEM = pa.struct([("text", pa.string()), ("corners", pa.list_(pa.float32(), 4)), ("inner", pa.list_(pa.int32()))])
SCHEMA = pa.schema([*((f"{kind}", kind) for kind in KINDS), ("items", pa.list_(ITEM)), ("item", ITEM)])
ROWS = st.lists(st.fixed_dictionaries({}, optional={field.name: values(field.type) for field in SCHEMA}), max_size=20)


@settings(deadline=None)
@given(ROWS)
def test_rows_become_what_pyarrow_makes_of_them(rows: list[dict[str, Any]]) -> None:
    table = build_table(rows, SCHEMA)
    table.validate(full=True)
    assert table.to_pylist() == pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()


def test_a_struct_may_be_a_tuple() -> None:
    schema = pa.schema([("item", pa.struct([("text", pa.string()), ("number", pa.int32())]))])
    rows: list[dict[str, Any]] = [{"item": ("a", 1)}, {"item": None}, {"item": ("é", None)}]
    wanted = [{"text": "a", "number": 1}, None, {"text": "é", "number": None}]
    assert build_table(rows, schema).column("item").to_pylist() == wanted


def test_what_does_not_fit_its_column_is_an_error() -> None:
    with pytest.raises(OverflowError):
        build_table([{"n": 2**31}], pa.schema([("n", pa.int32())]))
    with pytest.raises((TypeError, AttributeError)):
        build_table([{"s": 1}], pa.schema([("s", pa.string())]))


def test_pandas_is_left_alone() -> None:
    pytest.importorskip("pandas")
    program = (
        "import sys; from pathlib import Path; from pipeline.samples.shards import *;"
        "write_shard(Path('0.arrow'), [], embed_images=False);"
        "rows = [{name: None for name in SCHEMA.names} | {'id': 'a', 'messages': [('user', 'b')]}];"
        "write_parquet(Path('a.parquet'), in_batches(rows, SCHEMA), SCHEMA);"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
