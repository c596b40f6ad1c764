"""Help lines from the docstrings below the fields of settings.

Pydantic would read them when a class is made, and each time parse the whole file that the class is in: a tenth of the
time that a run takes to its first request. Only ``--help`` needs them.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from pathlib import Path

from pipeline.records import Record


def tell_fields(record: type[Record] = Record) -> None:
    """Give the fields of all records that are loaded the descriptions that stand below them."""
    for each in record.__subclasses__():
        for owner in reversed(each.__mro__):
            for name, told in _read(owner.__module__).get(owner.__name__, {}).items():
                if name in each.model_fields:
                    each.model_fields[name].description = told
        tell_fields(each)


@functools.cache
def _read(module: str) -> dict[str, dict[str, str]]:
    """Return what stands below each field, by class."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if not path or not module.startswith("pipeline."):
        return {}
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return {node.name: _below_fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below_fields(node: ast.ClassDef) -> dict[str, str]:
    told = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                told[name] = inspect.cleandoc(text)
    return told
