"""Exported files show exactly the pixels, carry their request, and hostile files are refused with a next step."""

import gc
import hashlib
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ml.config import SampleRequest
from ml.errors import BadFile, BadRequest, CannotWrite
from ml.events import Pixels
from ml.export import files, metadata, npz
from ml.export.base import Export
from ml.export.formats import FORMATS
from ml.export.metadata import Layout, parsed
from ml.imaging.pixels import grid
from ml.imaging.png import KEY
from tests.patience import WAIT_S
from tests.support.full_disk import small_files

REPO = Path(__file__).resolve().parents[3]
REQUEST = SampleRequest(labels=(3, 1, 4, 1, 5), seed=7, steps=4, prompt="drei „π“ 31415", model_hash="ab" * 32)
LAYOUT = Layout(columns=3, scale=2, gap=1, frame_ms=50, first_ms=300, last_ms=700)


@pytest.fixture
def film() -> list[Pixels]:
    """Four steps of five noisy 8 x 8 images, every grey among them."""
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (4, 5, 8, 8), np.uint8))


def picture(images: Pixels) -> Pixels:
    return grid(images, LAYOUT.columns, LAYOUT.gap, LAYOUT.scale)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_back_request_layout_and_pixels(tmp_path: Path, film: list[Pixels], suffix: str) -> None:
    path = tmp_path / f"digits{suffix}"
    files.save(path, film[-1], REQUEST, LAYOUT, film)
    assert files.read_request(path) == (REQUEST, LAYOUT)
    shown = film[-1] if FORMATS[suffix].content in ("sheet", "arrays") else picture(film[-1])
    if suffix != ".mp4":
        found = files.read_pixels(path)
        assert np.array_equal(found, shown if found.ndim == shown.ndim else np.stack([shown] * 3, axis=-1))
    assert {"noiseloom", "torch", "numpy", "python", "cpu"} <= files.read_stamp(path).versions.keys()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".webp", ".apng", ".npz"])
def test_colours_are_kept(tmp_path: Path, suffix: str) -> None:
    film = list(np.random.default_rng(1).integers(0, 256, (2, 5, 8, 8, 3), np.uint8))
    files.save(tmp_path / f"x{suffix}", film[-1], REQUEST, LAYOUT, film)
    shown = film[-1] if FORMATS[suffix].content in ("sheet", "arrays") else picture(film[-1])
    assert np.array_equal(files.read_pixels(tmp_path / f"x{suffix}"), shown)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_a_film_loops_and_rests_at_both_ends(tmp_path: Path, film: list[Pixels], suffix: str) -> None:
    files.save(tmp_path / f"x{suffix}", film[-1], REQUEST, LAYOUT, film)
    times = []
    with Image.open(tmp_path / f"x{suffix}") as image:
        assert image.info["loop"] == 0
        assert getattr(image, "n_frames", 1) == 4
        for step, images in enumerate(film):
            image.seek(step)
            image.load()
            assert np.array_equal(np.array(image.convert("L")), picture(images))
            times.append(image.info["duration"])
    assert [round(t) for t in times] == [300, 50, 50, 700]


def test_other_tools_can_read_the_npz_without_pickle(tmp_path: Path, film: list[Pixels]) -> None:
    files.save(tmp_path / "x.npz", film[0], REQUEST, LAYOUT)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], film[0])
        assert arrays["labels"].dtype == np.int64
        assert arrays["labels"].tolist() == [3, 1, 4, 1, 5]
        assert SampleRequest.model_validate_json(arrays["request"].item()) == REQUEST


def test_an_npz_holds_the_trajectory_if_there_is_one(tmp_path: Path, film: list[Pixels]) -> None:
    files.save(tmp_path / "x.npz", film[-1], REQUEST, LAYOUT, film)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["trajectory"], np.stack(film))


def test_single_digits_carry_the_request_that_makes_them_alone(tmp_path: Path, film: list[Pixels]) -> None:
    paths = files.save_digits(tmp_path / "digits", film[0], REQUEST, scale=2)
    assert [path.name for path in paths][:2] == ["00000-label3-seed7.png", "00001-label1-seed8.png"]
    assert files.read_request(paths[2])[0] == REQUEST.alone(2)
    assert np.array_equal(files.read_pixels(paths[2])[::2, ::2], film[0][2])


def test_digits_that_are_stopped_leave_no_folder(tmp_path: Path, film: list[Pixels]) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.save_digits(tmp_path / "digits", film[0], REQUEST, watch=stop)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").touch()
    with pytest.raises(KeyboardInterrupt):
        files.save_digits(tmp_path / "mine", film[0], REQUEST, watch=stop)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "note.txt"]


@pytest.mark.parametrize("suffix", [suffix for suffix, file_format in FORMATS.items() if file_format.animated])
def test_a_film_that_is_stopped_leaves_nothing(tmp_path: Path, film: list[Pixels], suffix: str) -> None:
    seen = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.save(tmp_path / f"x{suffix}", film[-1], REQUEST, LAYOUT, film, watch)
    assert (2, 4) in seen and (3, 4) not in seen and list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_is_refused_naming_those_there_are(tmp_path: Path, film: list[Pixels]) -> None:
    for name in ("x.avi", "x"):
        with pytest.raises(BadRequest, match=r"\.png, \.svg, \.npz, \.mp4, \.gif, \.webp, \.apng"):
            files.save(tmp_path / name, film[0], REQUEST, LAYOUT, film)
    with pytest.raises(BadRequest, match="no denoising"):
        files.save(tmp_path / "x.gif", film[0], REQUEST, LAYOUT)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_too_large_for_its_format_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((600, 28, 28), np.uint8)
    with pytest.raises(BadRequest, match=r"too large for \.webp"):
        files.save(tmp_path / "x.webp", wide, REQUEST, Layout(columns=600, scale=1), [wide])
    with pytest.raises(BadRequest, match=r"too large for \.png"):
        files.save(tmp_path / "x.png", wide, REQUEST, Layout(scale=64))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_disk_that_takes_no_more_keeps_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"old")
    large = list(np.random.default_rng(0).integers(0, 256, (3, 2, 28, 28), np.uint8))
    with small_files(2000), pytest.raises(CannotWrite) as refused:
        files.save(path, large[-1], SampleRequest(labels=(1, 2)), metadata.Layout(), large)
    assert "another folder" in refused.value.what_to_do
    del refused
    gc.collect(1)  # a writer that was left open would complain now
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path, film: list[Pixels]) -> None:
    with pytest.raises(CannotWrite, match="the folder does not exist"):
        files.save(tmp_path / "no" / "x.png", film[0], REQUEST, LAYOUT)


@pytest.mark.parametrize("suffix", FORMATS)
def test_broken_files_are_refused_with_a_next_step(tmp_path: Path, film: list[Pixels], suffix: str) -> None:
    whole, broken = tmp_path / f"whole{suffix}", tmp_path / f"broken{suffix}"
    files.save(whole, film[-1], REQUEST, LAYOUT, film)
    content = whole.read_bytes()
    rng = np.random.default_rng(2)
    shares = (
        (0.0, 0.01, 0.2) if suffix in (".gif", ".apng") else (0.0, 0.01, 0.2, 0.5, 0.8)
    )  # those begin with the stamp
    parts = [content[: int(len(content) * share)] for share in shares]
    for part in [*parts, rng.bytes(5000), content[:8] + rng.bytes(500)]:
        broken.write_bytes(part)
        with pytest.raises(BadFile) as refusal:
            files.read_request(broken)
        assert broken.name in refusal.value.message
        assert refusal.value.what_to_do
    with pytest.raises(BadFile, match="does not exist"):
        files.read_request(tmp_path / f"gone{suffix}")
    with pytest.raises(BadFile):
        files.read_request(tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_flipped_bytes_never_set_off_anything_but_a_refusal(tmp_path: Path, film: list[Pixels], suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    files.save(path, film[-1], REQUEST, LAYOUT, film)
    content, rng = path.read_bytes(), np.random.default_rng(3)
    answers = set()
    for _ in range(60):
        spoiled = bytearray(content)
        spoiled[int(rng.integers(len(spoiled)))] = int(rng.integers(256))
        path.write_bytes(spoiled)
        for read in (files.read_request, files.read_pixels):
            try:
                read(path)
                answers.add("read")
            except BadFile:
                answers.add("refused")
    assert answers == {"read", "refused"}


def test_images_of_anyone_are_read_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    for arrays, labels in (({}, (-1, -1, -1)), ({"labels": np.array([3, -1, 4])}, (3, -1, 4))):
        np.savez(path, allow_pickle=False, images=images, **arrays)
        found, read = npz.read_arrays(path)
        assert np.array_equal(found, images) and read == labels
    wrong = {
        "float32 labels": {"images": images, "labels": np.ones(3, np.float32)},
        "float64 images": {"images": images / 255},
        r"shape \(8, 8\)": {"images": images[0]},
        r"3 images and labels of shape \(2,\)": {"images": images, "labels": np.array([1, 2])},
        "damaged": {"pictures": images},
    }
    for why, arrays in wrong.items():
        np.savez(path, allow_pickle=False, **arrays)
        with pytest.raises(BadFile, match=why):
            npz.read_arrays(path)


def test_a_stamp_has_the_hash_of_what_is_shown(tmp_path: Path, film: list[Pixels]) -> None:
    for suffix in FORMATS:
        files.save(tmp_path / f"x{suffix}", film[-1], REQUEST, LAYOUT, film)
        shown = film[-1] if FORMATS[suffix].content in ("sheet", "arrays") else picture(film[-1])
        recorded = files.read_stamp(tmp_path / f"x{suffix}").pixels
        assert recorded == hashlib.sha256(shown.tobytes()).hexdigest()


def test_a_walk_is_a_film_whose_last_image_is_shown(film: list[Pixels]) -> None:
    layout = LAYOUT.with_changes(kind="walk", columns=1, scale=1)
    assert np.array_equal(Export(FORMATS[".gif"], film[0], REQUEST, layout).shown(), film[0][-1])


def test_sizes_are_checked_as_they_will_be(film: list[Pixels]) -> None:
    """A grid of two and a half rows has three; a sheet needs room for its words; arrays have no size."""
    layout = Layout(columns=100, scale=1, gap=2)
    FORMATS[".mp4"].check_size(100, 28, layout)
    with pytest.raises(BadRequest, match="3000 x 4110 pixels"):
        FORMATS[".mp4"].check_size(13_601, 28, layout)
    FORMATS[".npz"].check_size(10**6, 28, layout)
    with pytest.raises(BadRequest, match="too large"):
        FORMATS[".png"].check_size(12_500, 28, layout.with_changes(kind="sheet"))
    FORMATS[".png"].check_size(12_500, 28, layout)


def test_an_ordinary_image_carries_no_request(tmp_path: Path) -> None:
    for suffix in (".png", ".gif", ".webp"):
        Image.new("L", (8, 8)).save(tmp_path / f"x{suffix}")
        with pytest.raises(BadFile, match="no Noiseloom request"):
            files.read_request(tmp_path / f"x{suffix}")
    np.savez(tmp_path / "x.npz", images=np.zeros(3))
    with pytest.raises(BadFile):
        files.read_request(tmp_path / "x.npz")


def stamped(path: Path, stamp: str) -> Path:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(KEY, stamp)
    Image.new("L", (8, 8)).save(path, pnginfo=chunks)
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "newer Noiseloom"),
        ({"request": {"labels": [1], "steps": -1}}, "steps"),
        ({"request": {"labels": list(range(10)), "seed": "x"}}, "seed"),
        ({"layout": {"columns": 10**9}}, "columns"),
        ({"request": None}, "request"),
    ],
)
def test_a_wrong_description_is_refused_naming_the_place(tmp_path: Path, change: dict[str, object], why: str) -> None:
    stamp = {"version": 1, "request": {"labels": [1]}, "layout": {}, "unknown": 1}
    assert files.read_request(stamped(tmp_path / "good.png", json.dumps(stamp)))[0].labels == (1,)
    with pytest.raises(BadFile, match=why):
        files.read_request(stamped(tmp_path / "bad.png", json.dumps(stamp | change)))


@pytest.mark.parametrize("stamp", ["{", "{}", "[" * 5000, "{" + " " * 1_000_000 + "}", '{"a":' * 5000])
def test_a_hostile_description_is_refused(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(BadFile):
        files.read_request(stamped(tmp_path / "bad.png", stamp))


def test_a_description_without_end_is_refused_before_it_is_understood() -> None:
    told = '{"version": 1, "request": {"labels": [1]}, "layout": {}'
    assert parsed(Path("x.png"), told + " " * 1000 + "}").request.labels == (1,)
    with pytest.raises(BadFile, match="too much"):
        parsed(Path("x.png"), told + " " * 1_000_000 + "}")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_decompression_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    start = b"\x89PNG\r\n\x1a\n"
    end = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    for side in (9_000, 10_000, 100_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        (tmp_path / "bomb.png").write_bytes(start + header + end)
        with pytest.raises(BadFile, match="far larger"):
            files.read_request(tmp_path / "bomb.png")
    text = chunk(b"zTXt", b"noiseloom\0\0" + zlib.compress(b"{" * 50_000_000))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    (tmp_path / "text.png").write_bytes(start + header + text + end)
    with pytest.raises(BadFile):
        files.read_request(tmp_path / "text.png")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("noiseloom.npy", bytes(50_000_000))
    with pytest.raises(BadFile, match="far larger"):
        files.read_request(tmp_path / "bomb.npz")


def test_a_pickle_in_an_npz_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "x.npz", noiseloom=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(BadFile):
        files.read_request(tmp_path / "x.npz")
    assert not (tmp_path / "sprung").exists()


def test_the_screen_can_load_these_modules_before_torch() -> None:
    modules = ("config", "control", "errors", "events", "export.files", "export.verify", "export.plot_metadata",
               "imaging.pixels", "system.files", "system.paths", "system.versions", "text.prompt_parser")  # fmt: skip
    code = f"import sys, {', '.join(f'ml.{name}' for name in modules)}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True, timeout=WAIT_S
    )
    assert done.stdout.strip() == "False"


def test_a_zero_is_named_as_its_label_and_an_image_without_one_is_not(tmp_path: Path, film: list[Pixels]) -> None:
    request = SampleRequest(labels=(0, -1), seed=7)
    paths = files.save_digits(tmp_path / "digits", film[0][:2], request)
    assert [path.name for path in paths] == ["00000-label0-seed7.png", "00001-seed8.png"]


def test_what_another_program_says_of_an_image_is_no_damage(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "x.gif", comment=b"Created with another program")
    with pytest.raises(metadata.Unstamped, match="no Noiseloom request"):
        files.read_stamp(tmp_path / "x.gif")


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64])
def test_labels_of_anyone_may_be_of_any_integers(tmp_path: Path, kind: type[np.generic]) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 8, 8), np.uint8), labels=np.array([3, 7], kind))
    assert npz.read_arrays(tmp_path / "x.npz")[1] == (3, 7)
