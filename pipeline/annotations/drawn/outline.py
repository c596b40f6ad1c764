"""From a mask to COCO's polygons: walk along the cracks between painted and empty pixels."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageChops

Corner = tuple[int, int]


def outlines(mask: Image.Image) -> list[list[int]]:
    """Return the outer outlines of a mask as ``[x, y, x, y, ...]`` lists, in pixels, straightened by less than a pixel.

    Args:
        mask: Mode ``L``, holding 0 and 255 only. Holes are left out, as COCO's polygons cannot say them.
    """
    polygons = []
    for loop in _loops(mask):
        if _doubled_area(loop) > 0:
            corners = _straightened(loop)
            # A speck would be straightened to a line, which is no polygon.
            polygons.append([value for corner in (corners if len(corners) > 2 else loop) for value in corner])
    return polygons


def _loops(mask: Image.Image) -> Iterator[list[Corner]]:
    """Yield every closed walk with painted pixels on its right: clockwise around shapes, the other way in holes."""
    steps: dict[Corner, list[Corner]] = {}
    room = Image.new("L", (mask.width + 2, mask.height + 2))
    room.paste(mask, (1, 1))
    # Which neighbour is empty, and the crack towards it: start and end, relative to the pixel's upper left corner.
    for (dx, dy), (sx, sy), (ex, ey) in (
        ((0, -1), (0, 0), (1, 0)),
        ((1, 0), (1, 0), (1, 1)),
        ((0, 1), (1, 1), (0, 1)),
        ((-1, 0), (0, 1), (0, 0)),
    ):
        edge = ImageChops.subtract(room, ImageChops.offset(room, -dx, -dy)).tobytes()
        at = edge.find(b"\xff")
        while at >= 0:
            y, x = divmod(at, room.width)
            steps.setdefault((x - 1 + sx, y - 1 + sy), []).append((x - 1 + ex, y - 1 + ey))
            at = edge.find(b"\xff", at + 1)
    while steps:
        start = next(iter(steps))
        loop, here = [], start
        while True:
            loop.append(here)
            onward = steps[here]
            there = onward.pop()
            if not onward:
                del steps[here]
            here = there
            if here == start:
                break
        yield loop


def _doubled_area(loop: list[Corner]) -> int:
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(loop, loop[1:] + loop[:1], strict=True))


def _straightened(loop: list[Corner], slack: float = 0.9) -> list[Corner]:
    """Drop corners that lie within ``slack`` pixels of the line between those kept (Douglas and Peucker)."""
    far = max(range(len(loop)), key=lambda i: abs(loop[i][0] - loop[0][0]) + abs(loop[i][1] - loop[0][1]))
    ring = [*loop, loop[0]]
    kept, todo = {0, far}, [(0, far), (far, len(loop))]
    while todo:
        first, last = todo.pop()
        (ax, ay), (bx, by) = ring[first], ring[last]
        length = max(1.0, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
        worst, where = slack * length, 0
        for i in range(first + 1, last):
            x, y = ring[i]
            off = abs((bx - ax) * (ay - y) - (ax - x) * (by - ay))
            if off > worst:
                worst, where = off, i
        if where:
            kept.add(where)
            todo += [(first, where), (where, last)]
    return [loop[i] for i in sorted(kept)]
