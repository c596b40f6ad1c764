from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import CLIPImageProcessorPil, LlavaImageProcessorPil, SiglipImageProcessorPil

from pipeline.finetune.pictures import BrokenPicture, Picture, ahead, decode, read_bytes
from pipeline.finetune.pixels import Pixels, padding

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[bytes], Image.Image]:
    """Return what decodes a file of these bytes."""

    def decode_bytes(data: bytes) -> Image.Image:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return decode(Picture(str(path)))

    return decode_bytes


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_a_picture_of_each_format_is_seen(kind: str, seen: Callable[[bytes], Image.Image]) -> None:
    image = seen(encoded(Image.new("RGB", (9, 5), RED), kind))
    assert (image.mode, image.size) == ("RGB", (9, 5))
    assert np.abs(np.asarray(image).astype(int) - RED).max() <= 2  # JPEG is that far off


def test_a_turned_photograph_is_shown_upright(seen: Callable[[bytes], Image.Image]) -> None:
    lying = Image.new("RGB", (16, 8), RED)
    lying.paste(BLUE, (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera's top is on the right
    upright = seen(encoded(lying, "PNG", exif=exif))
    assert upright.size == (8, 16)
    assert (upright.getpixel((4, 2)), upright.getpixel((4, 13))) == (RED, BLUE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_leave_a_picture_as_it_is(seen: Callable[[bytes], Image.Image]) -> None:
    image = seen(encoded(Image.new("RGB", (16, 8), RED), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"))
    assert image.size == (16, 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_is_white(mode: str, seen: Callable[[bytes], Image.Image]) -> None:
    half = Image.new("RGBA", (8, 8), (*RED, 255))
    half.paste((0, 0, 0, 0), (4, 0, 8, 8))
    kind = "TIFF" if mode == "PA" else "PNG"
    image = seen(encoded(half if mode == "RGBA" else half.convert("LA"), kind))
    assert image.getpixel((6, 4)) == WHITE
    assert image.getpixel((1, 4)) != WHITE


def test_a_transparent_palette_colour_is_white(seen: Callable[[bytes], Image.Image]) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([*RED, *BLUE])
    image.putpixel((0, 0), 0)
    shown = seen(encoded(image, "PNG", transparency=1))
    assert (shown.getpixel((0, 0)), shown.getpixel((3, 3))) == (RED, WHITE)


def test_print_colours_become_rgb(seen: Callable[[bytes], Image.Image]) -> None:
    image = seen(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = image.getpixel((4, 4))  # type: ignore[misc]  # three numbers
    assert red > 240
    assert max(green, blue) < 30


def test_sixteen_bits_are_scaled_not_cut_off(seen: Callable[[bytes], Image.Image]) -> None:
    deep = Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16))
    assert [seen(encoded(deep)).getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (128,) * 3, (255,) * 3]


def test_of_an_animation_the_first_picture_counts(seen: Callable[[bytes], Image.Image]) -> None:
    first, second = Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), BLUE)
    assert seen(encoded(first, "GIF", save_all=True, append_images=[second])).getpixel((1, 1)) == RED


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>", "is no picture"),
        (encoded(noise(64, 64), "JPEG")[:700], "cannot be decoded"),
        (encoded(noise(64, 64))[:3000], "cannot be decoded"),
        (encoded(noise(64, 64), "JPEG")[:20], "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no picture"),
        (b"P6 20000 20000 255\n", "cannot be decoded"),  # a bomb: Pillow itself stops
        (b"P6 9500 9500 255\n", "too large: 9500 × 9500 pixels"),
        (b"P6 16385 200 255\n", "16,384 are the most on a side"),
        (b"P6 0 5 255\n", "is no picture"),
        (encoded(noise(505, 5)), "a stripe: 505 × 5 pixels"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "without a known scale"),
        (encoded(Image.new("I", (4, 4)), "TIFF"), "without a known scale"),
    ],
)
def test_a_broken_picture_says_where_it_is_and_why(
    data: bytes, said: str, seen: Callable[[bytes], Image.Image], tmp_path: Path
) -> None:
    with pytest.raises(BrokenPicture) as caught:
        seen(data)
    assert str(caught.value).startswith(str(tmp_path / "picture"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_picture_and_a_folder_are_broken(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.jpg", "No such file"), (tmp_path, "directory"), (Path("a\0b"), "null")):
        with pytest.raises(BrokenPicture, match=said):
            decode(Picture(str(path)))


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_embedded_pictures_are_found_by_their_row(many: bool, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"held{suffix}"
    cells: list[Any] = [{"bytes": bytes([row + 1]) * 3, "path": None} for row in range(7)]
    table = pa.table({"images": [[cell] for cell in cells]} if many else {"image": cells})
    if suffix == ".parquet":
        pq.write_table(table, path, row_group_size=3)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table, max_chunksize=3)
    assert [read_bytes(Picture(str(path), row)) for row in (6, 0, 3, 2)] == [b"\7" * 3, b"\1" * 3, b"\4" * 3, b"\3" * 3]
    with pytest.raises(BrokenPicture, match="row 7 cannot be read"):
        read_bytes(Picture(str(path), 7))


PROCESSORS = {
    "clip": CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
    "siglip": SiglipImageProcessorPil(size={"height": 28, "width": 28}),
    "wide": CLIPImageProcessorPil(size={"height": 14, "width": 28}, do_center_crop=False),
}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_pixels_are_those_of_the_processor_to_the_last_bit(name: str, padded: bool) -> None:
    processor = padding(PROCESSORS[name]) if padded else PROCESSORS[name]
    to_pixels = Pixels(processor)
    assert to_pixels.is_quick
    for size in ((640, 480), (33, 480), (480, 5), (3, 3), (1, 5), (5, 1), (1, 1), (28, 28)):
        image = noise(*size)
        expected = processor(image, return_tensors="pt")["pixel_values"][0]
        pixels = to_pixels(image)
        assert pixels.shape == (3, 28, 28)
        assert pixels.equal(expected)


@pytest.mark.parametrize(
    "processor",
    [
        CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 28, "width": 28}),  # fills with black
        CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, do_normalize=False),
        CLIPImageProcessorPil(size={"height": 28, "width": 28}, do_center_crop=False, resample=1, rescale_factor=0.01),
    ],
)
def test_an_unusual_processor_is_followed_too(processor: Any) -> None:
    image = noise(50, 40)
    pixels = Pixels(processor)(image)
    assert pixels.equal(processor(image, return_tensors="pt")["pixel_values"][0].float())


def test_padding_keeps_the_whole_picture_on_the_mean_colour() -> None:
    image = Image.new("RGB", (56, 28), RED)
    processor = padding(PROCESSORS["clip"])
    assert isinstance(processor, LlavaImageProcessorPil)
    pixels = Pixels(processor)(image)
    assert pixels[:, 0].abs().max() < 0.02  # the mean, normalised, is 0
    assert pixels[0, 14].min() > 1.5  # red from the left edge to the right


def test_results_come_in_order_with_a_bounded_number_in_advance() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            begun.append(item)
        time.sleep(0.002 * (item % 3))  # the later ones are ready first
        return item

    done = ahead(range(40), work, threads=3, window=6)
    for expected in range(5):
        assert next(done) == expected
    assert max(begun) <= 4 + 6
    assert list(done) == list(range(5, 40))


def test_a_failure_comes_in_its_turn_and_closing_ends_the_work() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise BrokenPicture("three")
        return item

    done = ahead(range(10), work, threads=2, window=4)
    assert [next(done) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BrokenPicture, match="three"):
        next(done)
    early = ahead(iter(range(10**9)), work, threads=2, window=2)
    next(early)
    early.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
