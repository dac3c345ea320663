"""One image file: its depth, its transparency and ground, its fit, and files that are too large or damaged."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, features

from ml.data.image_reader import Unreadable, as_drawing, ground_for, read, read_grey
from ml.errors import BadFile

RAMP = np.linspace(0, 1, 32, dtype=np.float32)[None].repeat(32, 0)
EXPECTED = RAMP * 255


def grey(path: Path) -> np.ndarray:
    return read(path, 32, "L").pixels.astype(float)


@pytest.mark.parametrize(
    "values",
    [RAMP, RAMP * 255, RAMP * 5000 - 70, (RAMP * 4095).astype(np.uint16), (RAMP * 65535).astype(np.uint16),
     (RAMP * 10**6).astype(np.int32)],
    ids=["0 to 1", "0 to 255", "its own", "12 bits", "16 bits", "32 bits"],
)  # fmt: skip
def test_deep_images_are_scaled_by_the_range_they_have(tmp_path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert np.abs(grey(tmp_path / "x.tif") - EXPECTED).max() <= 1.5
    if values.dtype == np.uint16:
        Image.fromarray(values).save(tmp_path / "x.png")
        assert np.abs(grey(tmp_path / "x.png") - EXPECTED).max() <= 1.5


@pytest.mark.parametrize("values", [RAMP / 2, RAMP * 250 / 2 + 5, (RAMP * 2048).astype(np.uint16)])
def test_a_dark_image_stays_dark(tmp_path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert np.abs(grey(tmp_path / "x.tif") - EXPECTED / 2).max() <= 5.5


def test_a_tiff_is_scaled_by_the_range_it_states(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 1023
    Image.fromarray((RAMP * 511).astype(np.uint16)).save(tmp_path / "x.tif", tiffinfo=tags)
    assert np.abs(grey(tmp_path / "x.tif") - EXPECTED / 2).max() <= 1.5


def test_twelve_bits_in_a_tiff_are_not_black(tmp_path: Path) -> None:
    strip = bytes((0x00, 0x0F, 0xFF)) * (32 * 16)  # 0, 4095, 0, 4095, ...
    entries = [(256, 4, 32), (257, 4, 32), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
               (278, 4, 32), (279, 4, len(strip))]  # fmt: skip
    directory = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    (tmp_path / "x.tif").write_bytes(
        struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + struct.pack("<H", len(entries)) + directory + bytes(4)
    )
    assert grey(tmp_path / "x.tif")[0, :4].tolist() == [0, 255, 0, 255]


def strokes(path: Path, colour: tuple[int, int, int]) -> Path:
    """A bar on a transparent ground."""
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, 12:20] = (*colour, 255)
    Image.fromarray(pixels).save(path)
    return path


def test_strokes_on_a_transparent_ground_stay_visible(tmp_path: Path) -> None:
    white, black = strokes(tmp_path / "white.png", (255, 255, 255)), strokes(tmp_path / "black.png", (0, 0, 0))
    assert read_grey(white, 32)[16, [2, 16]].tolist() == [0, 255]
    assert read_grey(black, 32)[16, [2, 16]].tolist() == [255, 0]
    for path in (white, black):
        assert as_drawing(path, 32)[16, [2, 16]].tolist() == [0, 255]
    assert read(white, 32, "RGB", ground="#102030").pixels[0, 0].tolist() == [16, 32, 48]
    assert read(black, 32, "L", ground="black").pixels.max() == 0


def test_the_ground_of_many_images_is_one(tmp_path: Path) -> None:
    assert ground_for([]) == ground_for([None, 100.0]) == ground_for([255.0] * 5 + [100.0] * 95) == "white"
    assert ground_for([255.0] * 6 + [100.0] * 94) == "black"
    assert ground_for([255.0] * 6 + [0.0] * 6) == "white"


def test_an_image_is_cropped_or_whole_or_stretched(tmp_path: Path) -> None:
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 90
    pixels[:, 80:] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    rows = {
        fit: read(tmp_path / "x.png", 24, "L", fit, "#ffffff").pixels for fit in ("crop", "whole", "stretch")
    }  # fmt: skip
    assert rows["crop"][12, [4, 12, 19]].tolist() == [90, 90, 90]
    assert rows["stretch"][[1, 12, 22], 12].tolist() == [90, 90, 90] and rows["stretch"][12, [3, 20]].tolist() == [
        0,
        200,
    ]
    assert rows["whole"][[1, 12, 22], 12].tolist() == [255, 90, 255] and rows["whole"][12, [3, 20]].tolist() == [0, 200]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 40, 90)).save(tmp_path / "x.avif")
    assert np.abs(read(tmp_path / "x.avif", 16, "RGB").pixels[8, 8].astype(int) - (200, 40, 90)).max() < 8


def test_a_large_photograph_is_read_and_one_beyond_memory_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 4000), (200, 40, 90)).save(tmp_path / "photo.jpg")
    found = read(tmp_path / "photo.jpg", 32, "RGB")
    assert (found.width, found.height) == (6000, 4000) and found.pixels.shape == (32, 32, 3)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 8000, 7000, 8, 2, 0, 0, 0)
    (tmp_path / "scan.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.raises(Unreadable, match="more than 50 million pixels"):
        read(tmp_path / "scan.png", 32, "RGB")
    with pytest.raises(BadFile, match=r"scan\.png can't be opened.*50 million"):
        read_grey(tmp_path / "scan.png", 28)


@pytest.mark.parametrize("most", [4095, 65535])
def test_colours_of_twelve_bits_in_sixteen_are_as_bright_as_those_of_all(tmp_path: Path, most: int) -> None:
    values = np.zeros((16, 16, 3), ">u2")
    values[:, 8:] = (most, most // 2, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    content = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    pixels = read(tmp_path / "x.png", 16, "RGB").pixels
    assert pixels[8, 15].tolist() == [255, pytest.approx(127, abs=9), 0] and pixels[8, 0].tolist() == [0, 0, 0]
