"""The categories of an instances file: which label stands for which id, and which ones there are to see."""

from __future__ import annotations

from pipeline.annotations.files import AnnotationFile
from pipeline.annotations.rows import BoxRow, CategoryRow, Id, shown
from pipeline.errors import PipelineError


def read_categories(file: AnnotationFile[BoxRow]) -> tuple[dict[Id | None, str], dict[str, str]]:
    """Return the label of each used ``category_id``, and all category names with their supercategory.

    Names are stripped, and white space in them becomes one space. The second dict is in file order; a supercategory
    is empty where the file tells none. It leaves out what no annotation uses and no image shows: a root, a heading
    over other categories, a category without name.

    Raises:
        PipelineError: A used category is not listed or has no name, or an id has two names.
    """
    rows: dict[str, CategoryRow] = {}
    for row in file.categories:
        first = rows.setdefault(str(row.id), row)
        if _tidy(first.name) != _tidy(row.name):
            both = f'"{_tidy(first.name)}" and "{_tidy(row.name)}"'
            raise PipelineError(f"{file.path}: category {shown(row.id)} has two names, {both}; remove the wrong entry")
    labels = _labels(file, rows)
    used = {str(category_id) for category_id in labels}
    headings = {_supercategory(row) for row in rows.values() if _supercategory(row) != _tidy(row.name)}
    tops = [row for row in rows.values() if row.supercategory == "none"]
    names: dict[str, str] = {}
    for category_id, row in rows.items():
        name = _tidy(row.name)
        is_root = category_id == "0" and tops == [row]
        if category_id in used or (name and name not in headings and not is_root):
            names.setdefault(name, _supercategory(row))
    return labels, names


def _labels(file: AnnotationFile[BoxRow], rows: dict[str, CategoryRow]) -> dict[Id | None, str]:
    labels: dict[Id | None, str] = {}
    for category_id, culprit in file.used.items():
        listed = rows.get(str(category_id))
        if listed is None:
            raise PipelineError(
                f"{file.path}: annotation {shown(culprit)} has category_id {shown(category_id)}, "
                "not in categories; add it there"
            )
        label = _tidy(listed.name)
        if not label:
            raise PipelineError(f"{file.path}: category {shown(category_id)} is used and has no name; give it one")
        labels[category_id] = label
    return labels


def _tidy(name: str | None) -> str:
    return " ".join((name or "").split())


def _supercategory(row: CategoryRow) -> str:
    name = _tidy(row.supercategory)
    return "" if name == "none" else name
