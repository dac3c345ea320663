"""Any folder of images as data: classes, form, what is held out, and files that are damaged, hostile or elsewhere."""

import itertools
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.data import datasets, image_folder, image_reader
from ml.data.dataset import AS_IT_IS, Dataset, Form, Split
from ml.errors import BadRequest, DataUnavailable
from ml.events import Progress

COLOUR, GREY = (200, 40, 90), (120, 120, 120)


def paint(path: Path, color: object = COLOUR, size: tuple[int, int] = (32, 32), mode: str = "RGB", **save: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **save)  # type: ignore[arg-type]
    return path


def fill(folder: Path, count: int = 30, **options: object) -> Path:
    for k in range(count):
        paint(folder / f"{k:03}.png", **options)  # type: ignore[arg-type]
    return folder


def everything(folder: Path, form: Form = AS_IT_IS) -> Dataset:
    """Both splits together, in the order of the training images first; the training images where none is held out."""
    train = datasets.load(f"folder:{folder}", form=form)
    try:
        test = datasets.load(f"folder:{folder}", split="test", form=form)
    except DataUnavailable:
        return train
    return Dataset(
        train.name, torch.cat([train.images, test.images]), torch.cat([train.labels, test.labels]), train.classes
    )


def test_sub_folders_are_classes_however_deep_their_images(tmp_path: Path) -> None:
    fill(tmp_path / "dogs", 40, color=(9, 9, 200))
    fill(tmp_path / "cats" / "deep" / "er", 40)
    fill(tmp_path / ".hidden", 5)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes" / "read.txt").parent.mkdir()
    (tmp_path / "notes" / "read.txt").write_text("no image")
    paint(tmp_path / "cover.png")
    dataset = everything(tmp_path)
    assert dataset.classes == ("cats", "dogs")
    assert dataset.labels.bincount().tolist() == [40, 40]
    assert dataset.images.shape == (80, 3, 32, 32)
    assert dataset.images[dataset.labels == 1][:, :, 5, 5].unique(dim=0).tolist() == [[9, 9, 200]]
    assert dataset.name == f"folder:{tmp_path}"


def test_a_folder_without_sub_folders_is_one_class(tmp_path: Path) -> None:
    dataset = everything(fill(tmp_path / "cats"))
    assert dataset.classes == ("cats",)
    assert len(dataset) == 30


def test_a_tenth_is_held_out_and_more_images_leave_the_others_where_they_are(tmp_path: Path) -> None:
    for k in range(300):
        paint(tmp_path / f"{k}.png", (k % 256, k // 256, 7), (16, 16))

    def colours(split: Split) -> set[tuple[int, ...]]:
        images = datasets.load(f"folder:{tmp_path}", split=split).images
        return {tuple(color) for color in images[:, :, 0, 0].tolist()}

    train, test = colours("train"), colours("test")
    assert len(train) + len(test) == 300
    assert 15 <= len(test) <= 50
    for k in range(300, 400):
        paint(tmp_path / f"{k}.png", (k % 256, k // 256, 7), (16, 16))
    assert train < colours("train")
    assert test < colours("test")


def test_the_same_names_are_held_out_wherever_the_folder_is(tmp_path: Path) -> None:
    splits = []
    for place in ("here", "there"):
        for k in range(40):
            paint(tmp_path / place / "a" / f"{k}.png", (k, 0, 7), (16, 16))
        images = datasets.load(f"folder:{tmp_path / place}", split="test").images
        splits.append(images[:, 0, 0, 0].tolist())
    assert splits[0] == splits[1] and 0 < len(splits[0]) < 12


def test_what_is_left_out_moves_no_label(tmp_path: Path) -> None:
    for k in range(20):
        paint(tmp_path / "a" / f"{k}.png", (10, 0, 0))
        paint(tmp_path / "b" / f"{k}.png", (200, 0, 0))
    whole = datasets.load(f"folder:{tmp_path}")
    for k in range(10, 20):  # the first by their names
        (tmp_path / "a" / f"{k}.png").write_bytes(b"damaged")
    rest = datasets.load(f"folder:{tmp_path}")
    assert (rest.labels == 0).sum() < (whole.labels == 0).sum() and (rest.labels == 1).sum() == (
        whole.labels == 1
    ).sum()
    for dataset in (whole, rest):
        assert dataset.images[:, 0, 9, 9].tolist() == [10 if label == 0 else 200 for label in dataset.labels]


def test_a_single_image_is_enough(tmp_path: Path) -> None:
    paint(tmp_path / "one.png")
    assert len(datasets.load(f"folder:{tmp_path}")) == 1
    with pytest.raises(DataUnavailable, match="held out"):
        datasets.load(f"folder:{tmp_path}", split="test")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([("L", 120)], 1),
        ([("RGB", GREY)], 1),
        ([("L", 120), ("RGB", COLOUR)], 3),
        ([("1", 1), ("LA", (120, 255)), ("I;16", 30_000)], 1),
        ([("CMYK", (0, 200, 100, 0))], 3),
    ],
)
def test_images_are_grey_only_if_all_of_them_are(tmp_path: Path, made: list[tuple[str, object]], expected: int) -> None:
    for k, (mode, color) in itertools.product(range(5), made):
        paint(tmp_path / f"{mode[0]}{k}.{'tif' if mode == 'CMYK' else 'png'}", color, mode=mode)
    assert everything(tmp_path).images.shape[1] == expected
    assert everything(tmp_path, Form(channels=1)).images.shape[1] == 1
    assert everything(tmp_path, Form(channels=3)).images.shape[1] == 3


@pytest.mark.parametrize(
    ("sizes", "side"),
    [([(48, 48)], 48), ([(16, 16)], 16), ([(128, 128)], 128), ([(30, 30)], 28), ([(200, 200)], 32), ([(8, 8)], 32),
     ([(64, 48)], 32), ([(48, 48), (64, 64)], 32)],
)  # fmt: skip
def test_images_keep_a_side_that_they_have_in_common(tmp_path: Path, sizes: list[tuple[int, int]], side: int) -> None:
    for k, size in itertools.product(range(4), sizes):
        paint(tmp_path / f"{size[0]}-{k}.png", size=size)
    assert datasets.load(f"folder:{tmp_path}").images.shape[2:] == (side, side)
    assert datasets.load(f"folder:{tmp_path}", form=Form(20, 1)).images.shape[1:] == (1, 20, 20)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".bmp", ".gif", ".webp", ".tif"])
def test_every_format_is_cut_to_its_middle(tmp_path: Path, suffix: str) -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = COLOUR
    Image.fromarray(pixels).save(tmp_path / f"x{suffix}")
    image = datasets.load(f"folder:{tmp_path}", form=Form(24)).images[0]
    inside = image[:, 4:-4, 4:-4].permute(1, 2, 0).reshape(-1, 3).int()
    assert (inside - torch.tensor(COLOUR)).abs().max() <= 12  # what JPEG and a palette cost


def test_resizing_averages_instead_of_picking_pixels(tmp_path: Path) -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "board.png")
    image = datasets.load(f"folder:{tmp_path}", form=Form(16)).images
    assert (image.float() - 127.5).abs().max() < 6


def test_transparency_lies_on_white_depth_is_cut_and_photos_stand_upright(tmp_path: Path) -> None:
    paint(tmp_path / "clear" / "x.png", (255, 0, 0, 0), mode="RGBA")
    paint(tmp_path / "deep" / "x.png", 0x8080, mode="I;16")
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    turned = {"turned": (40, ".png"), "turned and large": (800, ".png"), "turned, a scan": (800, ".tif")}
    for name, (side, suffix) in turned.items():
        photo = np.zeros((side, side, 3), np.uint8)
        photo[: side // 2] = 255
        (tmp_path / name).mkdir()
        Image.fromarray(photo).save(tmp_path / name / f"x{suffix}", exif=exif)
    dataset = everything(tmp_path, Form(20, 3))
    images = {dataset.classes[label]: image for label, image in zip(dataset.labels, dataset.images, strict=True)}
    assert images["clear"].unique().tolist() == [255]
    assert images["deep"].unique().tolist() == [128]
    for name in turned:
        assert images[name][:, 2].unique().tolist() == [0]
        assert images[name][:, -2].unique().tolist() == [255]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be so large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "cut.png": lambda good: good.read_bytes()[:60],
    "cut.jpg": lambda good: good.read_bytes()[:20],
    "text.png": lambda _: b"this is no image",
    "nothing.gif": lambda _: b"",
    "large.png": lambda _: bomb(9000, 9000),
    "larger.png": lambda _: bomb(11_000, 11_000),
    "largest.png": lambda _: bomb(2**31 - 1, 2**31 - 1),
    "script.bmp": lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}


def test_files_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    good = fill(tmp_path, 60) / "000.png"
    for name, damage in HOSTILE.items():
        (tmp_path / name).write_bytes(damage(good))
    steps = {split: list(datasets.loading(f"folder:{tmp_path}", None, split)) for split in ("train", "test")}  # type: ignore[arg-type]
    assert len(everything(tmp_path)) == 60
    said = [max((step.what for step in steps[split]), key=len) for split in steps]
    counted = [int(text.split("(")[1].split(" ")[0]) for text in said if "left out" in text]
    assert sum(counted) == len(HOSTILE)
    assert all(step.done <= step.total for step in steps["train"] if step.total)
    (warning,) = steps["train"][-1].warnings
    assert "images that cannot be read" in warning and f"data {tmp_path}" in warning


def test_nothing_but_unreadable_files_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(bomb(60_000, 60_000))
    with pytest.raises(DataUnavailable, match=r"None of the \d images.*can be read.*viewer"):
        datasets.load(f"folder:{tmp_path}")


def test_a_folder_without_images_or_name_or_existence_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataUnavailable, match=r"holds no images \(\.png.*one sub-folder per class"):
        datasets.load(f"folder:{tmp_path}")
    for missing in (tmp_path / "nowhere", tmp_path / "notes.txt"):
        with pytest.raises(DataUnavailable, match=r"There is no folder.*Choose"):
            datasets.load(f"folder:{missing}")
    with pytest.raises(BadRequest, match="folder:DIR"):
        datasets.load("folder:")


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights there")
def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    private = fill(tmp_path / "private", 3)
    mine = fill(tmp_path / "mine", 12)
    (mine / "leak.png").symlink_to(private / "000.png")
    (mine / "leaks").symlink_to(private, target_is_directory=True)
    (mine / "circle").symlink_to(mine, target_is_directory=True)
    (mine / "gone.png").symlink_to(mine / "nothing.png")
    (mine / "again.png").symlink_to(mine / "000.png")
    assert len(everything(mine)) == 13


def test_thousands_of_files_show_their_progress_and_can_be_left(tmp_path: Path) -> None:
    first = paint(tmp_path / "0.png", size=(16, 16))
    for k in range(1, 1200):
        shutil.copy(first, tmp_path / f"{k}.png")
    loading = datasets.loading(f"folder:{tmp_path}")
    assert next(loading) == Progress(f"Looking for images in {tmp_path.name}", 1200, 0)
    reading = [next(loading) for _ in range(5)]
    assert [step.done for step in reading] == [0, 50, 100, 150, 200]
    loading.close()


def test_more_than_memory_should_hold_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 40)
    monkeypatch.setattr("ml.data.dataset.MAX_MEMORY", 10**6)
    monkeypatch.setattr(image_folder, "_reading", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(BadRequest, match=r"images of 3 x 128 x 128 take"):
        datasets.load(f"folder:{tmp_path}", form=Form(128))


def test_an_image_of_more_pixels_than_a_photograph_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reader, "MAX_DECODED", 32 * 32)
    fill(tmp_path, 20)
    paint(tmp_path / "large.png", size=(33, 32))
    assert len(everything(tmp_path)) == 20
