"""How the files of a folder are understood: classes in order, splits, links, and what is left out by reason."""

import os
import sys
from pathlib import Path

import pytest

from ml.data.folder_scan import FolderScan, ImageFile, arrange, find_files, natural
from ml.errors import DataUnavailable
from tests.support.generators import finished

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights there")


def put(folder: Path, *names: str) -> Path:
    """Empty files, which are not read here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def many(name: str, count: int = 30) -> list[str]:
    return [f"{name}/{k}.png" for k in range(count)]


def scan(folder: Path, damaged: str = "nothing") -> FolderScan:
    """The folder's scan, where files with `damaged` in their names cannot be read."""

    def is_readable(image: ImageFile) -> bool:
        return damaged not in image.relative

    return arrange(finished(find_files(str(folder))), is_readable)


def counts(found: FolderScan) -> dict[str, tuple[int, int]]:
    """Training and held-out images of each class."""
    labels = [[image.label for image in split] for split in (found.train, found.test)]
    return {name: (labels[0].count(k), labels[1].count(k)) for k, name in enumerate(found.classes)}


def reasons(found: FolderScan) -> dict[str, int]:
    return {one.reason: one.count for one in found.left_out}


def test_classes_are_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    found = scan(put(tmp_path, *(f"{k}/x.png" for k in range(1, 13))))
    assert found.classes == tuple(str(k) for k in range(1, 13))
    assert [image.label for image in found.train] == list(range(12))
    assert sorted(["b2", "b10", "a", "10", "9"], key=natural) == ["9", "10", "a", "b2", "b10"]


def test_images_beside_sub_folders_are_a_class_or_are_said_to_be_left_out(tmp_path: Path) -> None:
    one = scan(put(tmp_path / "pets", *many("old", 5), *(f"{k}.png" for k in range(20))))
    assert {name: sum(pair) for name, pair in counts(one).items()} == {"old": 5, "pets": 20}
    assert any("20 images beside the sub-folders" in said for said in one.warnings)
    two = scan(put(tmp_path / "more", *many("cats"), *many("dogs"), "cover.png"))
    assert two.classes == ("cats", "dogs")
    assert reasons(two) == {"images beside the folders of the classes": 1}
    assert two.left_out[0].first == ("cover.png",) and any("1 image beside" in said for said in two.warnings)


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "val"), ("train", "valid"), ("train", "validation")])
@pytest.mark.parametrize("around", ["", "data/"])
def test_folders_that_are_called_train_and_test_are_splits(tmp_path: Path, names: tuple[str, str], around: str) -> None:
    train, test = (f"{around}{name}" for name in names)
    put(tmp_path, *many(f"{train}/cat", 20), *many(f"{train}/dog", 9), *many(f"{test}/dog", 3), *many(f"{test}/ox", 2))
    found = scan(put(tmp_path, f"{around}spare/x.png", f"{test}/y.png"))
    assert counts(found) == {"cat": (20, 0), "dog": (9, 3)}
    assert sum(reasons(found).values()) == 4  # of the ox, the spare one, and the one of no class


def test_one_folder_around_the_classes_is_passed_through(tmp_path: Path) -> None:
    found = scan(put(tmp_path, *many("images/small/cat"), *many("images/small/dog")))
    assert found.classes == ("cat", "dog") and found.train[0].relative.startswith("images/small/cat/")
    assert scan(put(tmp_path / "single", *many("cat/deep/er"))).classes == ("cat",)
    two = scan(put(tmp_path / "two", *(name for part in "ab" for kind in "xyz" for name in many(f"{part}/{kind}", 3))))
    assert two.classes == ("a", "b") and any("6 folders of images" in said for said in two.warnings)


def test_every_class_keeps_a_training_image(tmp_path: Path) -> None:
    alone = [f"{k}/{j}.png" for k in range(40) for j in range(1)]  # a tenth of which the hash would hold out
    found = scan(put(tmp_path, *alone, *many("large", 60)))
    assert len(found.classes) == 41 and all(train for train, _ in counts(found).values())
    assert any("one image each" in said for said in found.warnings)


def test_a_class_that_cannot_be_read_is_not_offered(tmp_path: Path) -> None:
    put(tmp_path, *many("cat"), *many("damaged"), *many("dog"))
    found = scan(tmp_path, damaged="damaged")
    assert found.classes == ("cat", "dog") and {image.label for image in found.train} == {0, 1}
    assert reasons(found) == {"images of a class of which none can be read": 30}
    held_out = scan(tmp_path).test
    saved = next(image.relative for image in held_out if image.relative.startswith("cat/"))
    found = arrange(finished(find_files(str(tmp_path))), lambda image: not image.relative.startswith("cat/") or
                    image.relative == saved)  # fmt: skip
    assert saved in {image.relative for image in found.train} and found.classes[0] == "cat"
    with pytest.raises(DataUnavailable, match="None of the 90 images"):
        scan(tmp_path, damaged=".png")


def test_other_files_are_counted_by_reason(tmp_path: Path) -> None:
    names = ("a.HEIC", "b.heic", "c.txt", ".hidden.png", "d.JFIF", "e.svg", "f")
    found = scan(put(tmp_path, *names))
    assert [image.relative for image in found.train] == ["d.JFIF"]
    assert reasons(found) == {
        "HEIC files": 2, "SVG files": 1,
        "files of other kinds": 2, "hidden files and folders": 1,
    }  # fmt: skip
    with pytest.raises(DataUnavailable, match=r"holds no images.*It holds 1 HEIC files"):
        scan(put(tmp_path / "none", "x.heic"))
    with pytest.raises(DataUnavailable, match=r"is an archive.*Unpack"):
        scan(put(tmp_path, "x.7z") / "x.7z")


@needs_links
def test_links_lead_to_folders_inside_and_in_no_circle(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", *many("cats"), *many("store/x", 20), *many("dogs"))
    put(tmp_path / "private", *many("secret"))
    (mine / "horses").symlink_to(mine / "store" / "x", target_is_directory=True)
    (mine / "cats" / "up").symlink_to(mine, target_is_directory=True)
    (mine / "leak").symlink_to(tmp_path / "private", target_is_directory=True)
    (mine / "gone").symlink_to(mine / "nowhere")
    (mine / "self").symlink_to(mine / "self")
    found = scan(mine)
    assert {name: sum(pair) for name, pair in counts(found).items()} == {
        "cats": 30, "dogs": 30, "horses": 20, "store": 20,
    }  # fmt: skip
    assert reasons(found) == {
        "links that lead in a circle": 1, "links that lead nowhere": 2, "links that lead out of the folder": 1,
    }  # fmt: skip
    assert any(said.startswith("leak leads out of the folder") for said in found.warnings)


@needs_links
def test_two_links_at_each_other_end(tmp_path: Path) -> None:
    put(tmp_path, "a/x.png", "b/x.png")
    (tmp_path / "a" / "to").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "b" / "to").symlink_to(tmp_path / "a", target_is_directory=True)
    found = scan(tmp_path)
    assert sorted(image.relative for image in (*found.train, *found.test)) == [
        "a/to/x.png", "a/x.png", "b/to/x.png", "b/x.png",
    ]  # fmt: skip
    assert reasons(found) == {"links behind links": 2}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_no_unicode_is_a_class_with_a_printable_one(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/x.png", "wb"):
        assert scan(put(tmp_path, "b/x.png")).classes == ("b", "caf?")
