"""Rows to Arrow columns, buffer by buffer.

``pyarrow.array`` takes less code, but where pandas happens to be installed it imports that first, for 45 MB of memory
and half a second of processor time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any

import pyarrow as pa

_CODES = {pa.int32(): "i", pa.int64(): "q", pa.float32(): "f", pa.float64(): "d"}
"""How Python's ``array`` calls the same numbers."""


def build_table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table of one batch. ``None`` is null, and so is a key that a row lacks."""
    columns = map(_column, _sides(rows, schema.names), schema.types)
    return pa.Table.from_batches([pa.RecordBatch.from_arrays(list(columns), schema=schema)])


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as an Arrow array: ``None`` is null, a struct a dict or a tuple, a list any sequence."""
    build = next((build for is_of_kind, build in _BUILDERS if is_of_kind(kind)), _numbers)
    return build(values, kind, _bits([value is not None for value in values]) if None in values else None)


def _numbers(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    numbers = array(_CODES[kind], _filled(values, valid, 0))
    return _array(kind, values, valid, pa.py_buffer(numbers))


def _booleans(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    return _array(kind, values, valid, _bits(values))


def _texts(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    texts = _filled(values, valid, "")
    joined = "".join(texts)
    offsets = _offsets(texts if joined.isascii() else list(map(str.encode, texts)))
    return _array(kind, values, valid, offsets, pa.py_buffer(joined.encode()))


def _binaries(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    full = _filled(values, valid, b"")
    return _array(kind, values, valid, _offsets(full), pa.py_buffer(b"".join(full)))


def _lists(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    full = _filled(values, valid, ())
    items = _column(list(chain.from_iterable(full)), kind.value_type)
    return _array(kind, values, valid, _offsets(full), children=[items])


def _fixed_lists(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    full = _filled(values, valid, (None,) * kind.list_size)
    items = _column(list(chain.from_iterable(full)), kind.value_type)
    return _array(kind, values, valid, children=[items])


def _structs(values: Sequence[Any], kind: pa.DataType, valid: pa.Buffer | None) -> pa.Array:
    names = [field.name for field in kind]
    if any(type(value) is tuple for value in values):
        sides: Iterable[Sequence[Any]] = zip(*_filled(values, valid, (None,) * len(names)), strict=True)
    else:
        sides = _sides(_filled(values, valid, {}), names)
    children = map(_column, sides, [field.type for field in kind])
    return _array(kind, values, valid, children=list(children))


def _sides(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Iterable[Sequence[Any]]:
    """Return the values of each key."""
    try:
        return [list(map(itemgetter(name), rows)) for name in names]
    except KeyError:
        return [[row.get(name) for row in rows] for name in names]


def _filled(values: Sequence[Any], valid: pa.Buffer | None, empty: Any) -> Sequence[Any]:
    """Return the values with something in the place of each null."""
    return [empty if value is None else value for value in values] if valid else values


_BUILDERS: list[tuple[Callable[[pa.DataType], bool], Callable[..., pa.Array]]] = [
    (pa.types.is_string, _texts),
    (pa.types.is_struct, _structs),
    (pa.types.is_list, _lists),
    (pa.types.is_fixed_size_list, _fixed_lists),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_binary, _binaries),
]


def _array(
    kind: pa.DataType,
    values: Sequence[Any],
    valid: pa.Buffer | None,
    *buffers: pa.Buffer,
    children: list[pa.Array] | None = None,
) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [valid, *buffers], children=children)


def _offsets(values: Sequence[Any]) -> pa.Buffer:
    return pa.py_buffer(array("i", accumulate(map(len, values), initial=0)))


def _bits(values: Sequence[Any]) -> pa.Buffer:
    """Return truth values as bits, eight a byte, the first one lowest."""
    digits = "".join(["1" if value else "0" for value in reversed(values)])
    return pa.py_buffer(int(f"0{digits}", 2).to_bytes(-(-len(digits) // 8), "little"))
