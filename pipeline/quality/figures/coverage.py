"""Which of the annotated categories the answers speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.quality.counting import Distinct

_MOST = 5000  # categories; LVIS has 1,203


class _Category:
    def __init__(self) -> None:
        self.images = Distinct()
        self.named_images = Distinct()
        self.samples = 0


class Coverage:
    """For each category of the boxes, images that have it and images of which an answer speaks of it.

    An answer speaks of a category where one of its claims rests on a box of that category.
    """

    def __init__(self) -> None:
        self._categories: dict[str, _Category] = {}
        self._image: Any = self  # unlike any image

    def add(self, row: Mapping[str, Any], claims: list[dict[str, Any]]) -> None:
        """Count a row; of its images, the same one again counts once."""
        boxes = row.get("boxes")
        if not boxes:
            return
        image = row.get("image_id") or row.get("file_name") or row.get("id")
        new = image != self._image  # kinds of an image follow each other, as they are planned
        self._image = image
        labels = [box["label"] for box in boxes]
        for label in set(labels) if new else ():
            if label not in self._categories and len(self._categories) < _MOST:
                self._categories[label] = _Category()
            if category := self._categories.get(label):
                category.images.add(image)
        named = {
            labels[box] for claim in claims if claim["message"] % 2 for box in claim["boxes"] or () if box < len(labels)
        }
        for label in named:
            if category := self._categories.get(label):
                category.named_images.add(image)
                category.samples += 1

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the counts by category, those of most images first."""
        told = {}
        for label, category in self._categories.items():
            images, named = category.images.count(), category.named_images.count()
            told[label] = {
                "images": images,
                "images_named": named,
                "share": round(named / images, 5),
                "samples_naming": category.samples,
            }
        return dict(sorted(told.items(), key=lambda pair: (-pair[1]["images"], pair[0])))
