"""`verify` proves every format with the bundled model, and each cell of a grid is the same drawn alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.cli.app import main
from ml.config import SampleRequest
from ml.errors import BadFile
from ml.events import Pixels, Sampled
from ml.export import files as export
from ml.export import metadata
from ml.export.base import Export
from ml.export.formats import FORMATS
from ml.export.verify import compare
from ml.system.versions import versions

ASKED = ["--labels", "0-9", "--count", "2", "--seed", "40", "--steps", "4", "--device", "cpu"]


@pytest.mark.parametrize("name", [f"x{suffix}" for suffix in FORMATS])
def test_every_format_is_proved(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", *ASKED, "--out", str(tmp_path / name)]) == 0
    assert main(["verify", str(tmp_path / name)]) == 0
    assert "the same pixels" in capsys.readouterr().out


def test_a_gif_in_colour_is_proved_by_what_it_records_and_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, others = tmp_path / "x.gif", tmp_path / "y.gif"
    asked = ["--model", "colour", "--labels", "0-2", "--steps", "3", "--device", "cpu"]
    assert main(["sample", *asked, "--out", str(path)]) == 0
    assert main(["verify", str(path)]) == 0
    assert "the same pixels as it records" in capsys.readouterr().out
    assert main(["sample", *asked, "--seed", "99", "--out", str(others)]) == 0
    stamp, images = export.read_stamp(path), drawn(export.read_request(path)[0])
    assert not compare(".gif", stamp, export.read_pixels(others), images).same  # another film under its stamp
    with Image.open(path) as film:
        film.save(tmp_path / "z.gif", save_all=True, comment=b"")
    assert (
        main(["verify", str(tmp_path / "z.gif")]) == 2
    )  # saved anew by another program, without what it says of itself
    assert "carries no Noiseloom request" in capsys.readouterr().err


def test_a_sheet_is_proved_with_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.png"
    assert main(["sample", *ASKED, "--sheet", "--out", str(path)]) == 0
    request, layout = export.read_request(path)
    assert layout.kind == "sheet" and len(layout.readings) == 20 and layout.readings[3].startswith("3, ")
    assert main(["verify", str(path)]) == 0
    for again in ("y.png", "y.svg", "y.mp4", "y.npz"):
        assert main(["export", "--from-image", str(path), "--out", str(tmp_path / again)]) == 0
        assert main(["verify", str(tmp_path / again)]) == 0
    assert np.array_equal(export.read_pixels(tmp_path / "y.png"), export.read_pixels(path))
    assert export.read_request(tmp_path / "y.svg") == (request, layout)
    forged = layout.with_changes(readings=("8, 99%", *layout.readings[1:]))
    export.save(tmp_path / "z.png", drawn(request), request, layout)
    stamp = export.read_stamp(tmp_path / "z.png").model_copy(update={"layout": forged})
    picture = shown(".png", drawn(request), request, layout)
    assert not compare(".png", stamp, picture, drawn(request)).same
    capsys.readouterr()


def drawn(request: SampleRequest) -> Pixels:
    from ml.generation.pipeline import sample

    return next(event for event in sample(request, device="cpu") if isinstance(event, Sampled)).images


def test_any_cell_of_a_grid_is_the_same_drawn_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    assert main(["sample", *ASKED, "--out", str(path)]) == 0
    request, _ = export.read_request(path)
    images = export.read_pixels(path)
    for k in (0, 4, 7, 12, 15, 19):
        assert np.array_equal(drawn(request.alone(k))[0], images[k])


def test_some_images_of_a_request_are_those_images(tiny_run: Path) -> None:
    whole = SampleRequest(model=str(tiny_run), labels=tuple(range(8)), seed=3, steps=3)
    branch = whole.with_changes(parent=whole, branch_at=1, labels=(5,) * 8)
    corners = [{"seed": 1, "label": 2}, {"seed": 2, "label": 7}]
    walk = whole.with_changes(labels=(-1,) * 8, corners=corners, weights=[(8 - k, k) for k in range(8)])
    for request in (whole, branch, walk):
        images, chosen = drawn(request), [6, 0, 6, 3, 1, 2, 4, 7]
        assert np.array_equal(drawn(request.some(chosen)), images[chosen])


def test_a_folder_gets_one_file_for_each_image_that_proves_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "x.npz"
    assert main(["sample", *ASKED, "--out", str(grid)]) == 0
    assert main(["sample", *ASKED, "--out", f"{tmp_path}/digits/"]) == 0
    files = sorted((tmp_path / "digits").iterdir())
    assert len(files) == 20 and files[13].name == "00013-label3-seed53.png"
    images = export.read_pixels(grid)
    for k in (0, 13, 15):
        assert np.array_equal(export.read_pixels(files[k]), images[k])
        assert main(["verify", str(files[k])]) == 0
    capsys.readouterr()


def test_a_file_of_an_array_that_is_no_image_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.npz"
    request = SampleRequest(labels=(1,), steps=2)
    export.save(path, np.zeros((1, 28, 28), np.uint8), request, metadata.Layout())
    with np.load(path) as arrays:
        stamp = arrays["noiseloom"]
    np.savez(path, noiseloom=stamp, images=np.array(["x"]))
    assert main(["verify", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def shown(suffix: str, images: Pixels, request: SampleRequest, layout: metadata.Layout) -> Pixels:
    return Export(FORMATS[suffix], images, request, layout).shown()


def stamped(path: Path, images: Pixels, **versions: str) -> export.Stamp:
    """What a file of these images says of itself, made where these versions are."""
    export.save(path, images, SampleRequest(labels=(1, 2), steps=2), metadata.Layout())
    stamp = export.read_stamp(path)
    return stamp.model_copy(update={"versions": stamp.versions | versions})


ELSEWHERE = {"cpu": "another processor", "instructions": "x86_64 avx2"}


def test_another_processor_may_round_a_pixel_by_one_and_this_one_may_not(tmp_path: Path) -> None:
    made = np.full((2, 28, 28), 100, np.uint8)
    here, there = (stamped(tmp_path / "x.png", made, **versions) for versions in ({}, ELSEWHERE))
    for off, at_home, away in ((0, True, True), (1, False, True), (2, False, False)):
        rounded = made.copy()
        rounded[1, 5, 5] += off
        found = shown(".png", rounded, here.request, here.layout)
        assert compare(".png", here, found, made).same is at_home
        proof = compare(".png", there, found, made)
        assert proof.same is away and ("another processor" in proof.words) is (off == 1)
    older = there.model_copy(update={"versions": {"cpu": versions()["cpu"]}})  # before instructions were recorded
    rounded = made + np.uint8(1)
    assert compare(".png", older, shown(".png", rounded, here.request, here.layout), made).same


def test_a_file_of_other_sizes_is_another_one_wherever_it_was_made(tmp_path: Path) -> None:
    made = np.full((2, 28, 28), 100, np.uint8)
    there = stamped(tmp_path / "x.png", made, **ELSEWHERE)
    assert not compare(".png", there, shown(".png", made[:1], there.request, there.layout), made).same


def test_a_film_of_another_processor_is_judged_by_its_last_picture(tmp_path: Path) -> None:
    made = np.repeat(np.arange(28, dtype=np.uint8)[None, None] * 9, 28, axis=1).repeat(2, axis=0)
    here, there = (stamped(tmp_path / "x.png", made, **versions) for versions in ({}, ELSEWHERE))
    rounded = made + np.uint8(1)
    found = np.repeat(shown(".mp4", made, here.request, here.layout)[..., None], 3, axis=-1)
    assert compare(".mp4", here, found, made).same and compare(".mp4", there, found, made).same
    assert not compare(".mp4", here, found, rounded).same
    proof = compare(".mp4", there, found, rounded)
    assert proof.same and "another processor" in proof.words
    assert not compare(".mp4", there, 255 - found, rounded).same


def test_a_film_of_another_size_than_its_images_is_another_one(tmp_path: Path) -> None:
    made = np.full((2, 28, 28), 100, np.uint8)
    there = stamped(tmp_path / "x.png", made, **ELSEWHERE)
    found = np.repeat(shown(".mp4", made, there.request, there.layout)[..., None], 3, axis=-1)
    larger = np.pad(found, ((0, 16), (0, 16), (0, 0)))
    proof = compare(".mp4", there, larger, made)
    assert not proof.same and "other sizes" in proof.words
    assert not compare(".mp4", there, found[:-8], made).same


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_that_was_made_transparent_is_not_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    Image.new("LA", (28, 28), (9, 255)).save(path, lossless=True)
    assert (export.read_pixels(path) == 9).all()  # opaque
    Image.new("LA", (28, 28), (9, 0)).save(path, lossless=True, exact=True)
    with pytest.raises(BadFile, match="transparent"):
        export.read_pixels(path)
