from __future__ import annotations

import msgspec

from pipeline.prompting.context import can_describe, describe
from pipeline.records import Box, Scene


def test_context_is_captions_a_blank_line_and_boxes_as_llava_prints_them(dog: Scene) -> None:
    assert describe(dog, ("captions", "boxes")) == ('A dog runs.\nThe "good" dog.\n\ndog: [0.25, 0.123, 0.5, 1.0]')


def test_fractions_are_rounded_to_three_decimals_without_padding() -> None:
    scene = Scene("1", "", 3, 3, (), (Box("cup", 0.0, 2 / 3, 0.6299999, 0.9996),))
    assert describe(scene, ("boxes",)) == "cup: [0.0, 0.667, 0.63, 1.0]"


def test_a_missing_part_leaves_no_blank_line(dog: Scene) -> None:
    assert describe(dog, ("captions",)) == 'A dog runs.\nThe "good" dog.'
    assert describe(dog, ("boxes",)) == "dog: [0.25, 0.123, 0.5, 1.0]"
    assert describe(msgspec.structs.replace(dog, captions=()), ("captions", "boxes")) == "dog: [0.25, 0.123, 0.5, 1.0]"


def test_a_scene_without_what_a_kind_sees_cannot_be_described(dog: Scene) -> None:
    silent = msgspec.structs.replace(dog, captions=())
    assert can_describe(silent, ("captions", "boxes"))
    assert not can_describe(silent, ("captions",))
