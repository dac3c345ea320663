"""Data sets: IDX files, good and damaged, and downloads from a server that misbehaves."""

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.data import cifar10, datasets, mnist, synthetic, synthetic_digits
from ml.data.dataset import DATA_VARIABLE, Dataset, Form, Split, shaped, usual_roots
from ml.errors import BadFile, BadRequest, CannotWrite, DataUnavailable
from ml.events import Progress
from ml.specs import DATASETS
from ml.system import download, paths
from tests.patience import WAIT_S
from tests.support.bad_server import CONTENT, Site

IMAGES = np.arange(12 * 784).reshape(12, 28, 28).astype(np.uint8)
LABELS = (np.arange(12) % 10).astype(np.uint8)


def idx_file(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_mnist(
    raw: Path, images: bytes = idx_file(IMAGES), labels: bytes = idx_file(LABELS), stem: str = "train"
) -> Path:
    raw.mkdir(parents=True, exist_ok=True)
    (raw / f"{stem}-images-idx3-ubyte").write_bytes(images)
    (raw / f"{stem}-labels-idx1-ubyte").write_bytes(labels)
    return raw


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


# Reading


@pytest.mark.parametrize("given", [".", "MNIST", "MNIST/raw"])
def test_a_local_folder_is_found_however_it_is_named(tmp_path: Path, given: str) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    dataset = datasets.load("mnist", tmp_path / given)
    assert dataset.images.dtype == torch.uint8
    assert dataset.labels.dtype == torch.int64
    assert np.array_equal(dataset.images.numpy(), IMAGES[:, None])
    assert dataset.labels.tolist() == LABELS.tolist()
    assert dataset.classes[7] == "7"
    assert len(dataset) == 12


def test_every_data_set_has_a_loader_and_a_title() -> None:
    assert datasets.LOADERS.keys() == DATASETS.keys()


def test_compressed_files_and_the_other_split_are_read(tmp_path: Path) -> None:
    raw = write_mnist(tmp_path, gzip.compress(idx_file(IMAGES)), gzip.compress(idx_file(LABELS)), stem="t10k")
    for path in list(raw.iterdir()):
        path.rename(f"{path}.gz")
    assert np.array_equal(datasets.load("mnist", tmp_path, "test").images.numpy(), IMAGES[:, None])
    with pytest.raises(DataUnavailable, match="train-images"):
        datasets.load("mnist", tmp_path, "train")


def test_the_folder_of_the_environment_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert len(datasets.load("mnist")) == 12


def test_ones_own_folder_is_looked_at_after_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "named"))
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    assert usual_roots() == [tmp_path / "named", tmp_path / "home" / "datasets"]
    write_mnist(paths.user_datasets() / "MNIST" / "raw")
    assert len(datasets.load("mnist")) == 12
    monkeypatch.delenv(DATA_VARIABLE)
    assert usual_roots() == [tmp_path / "home" / "datasets"]


def test_whether_a_split_is_at_hand_is_said_of_that_set_alone(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", stem="t10k")
    assert datasets.is_downloaded("mnist", tmp_path) and not datasets.is_downloaded("mnist", tmp_path, "train")
    assert not datasets.is_downloaded("fashion-mnist", tmp_path) and not datasets.is_downloaded("synthetic", tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "expected", "found"),
    [
        (idx_file(IMAGES)[:-100], idx_file(LABELS), "9408 bytes", "9308 found"),
        (idx_file(IMAGES) + b"x", idx_file(LABELS), "9408 bytes", "more found"),
        (idx_file(IMAGES)[:9], idx_file(LABELS), "header of 16", "9 found"),
        (b"", idx_file(LABELS), "00 00 08 03", "nothing found"),
        (idx_file(LABELS), idx_file(LABELS), "00 00 08 03", "00 00 08 01 found"),
        (idx_file(IMAGES[:, :20]), idx_file(LABELS), "28 x 28", "20 x 28 found"),
        (idx_file(IMAGES[:0]), idx_file(LABELS[:0]), "between 1 and", "0 announced"),
        (b"\0\0\x08\x03" + b"\xff" * 12, idx_file(LABELS), "between 1 and", "announced"),
        (idx_file(IMAGES), idx_file(LABELS[:-1]), "12 labels", "11 found"),
        (idx_file(IMAGES), idx_file(LABELS + 1), "from 0 to 9", "10 found"),
        (np.random.default_rng(1).bytes(5000), idx_file(LABELS), "00 00 08 03", "found"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected_and_found(
    tmp_path: Path, images: bytes, labels: bytes, expected: str, found: str
) -> None:
    write_mnist(tmp_path, images, labels)
    with pytest.raises(BadFile) as caught:
        datasets.load("mnist", tmp_path)
    assert re.search(rf"-ubyte is damaged.*{expected}.*{found}", caught.value.message)
    assert "choose another folder" in caught.value.what_to_do


@pytest.mark.parametrize("damage", [lambda b: b[:-30], lambda b: b"not gzip", lambda b: b[:40] + b"\xff" * 40 + b[80:]])
def test_a_damaged_compressed_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.compress(idx_file(IMAGES))))
    with pytest.raises(BadFile, match=r"train-images-idx3-ubyte\.gz is damaged"):
        mnist.read_idx(path, 3)


def test_what_is_missing_or_unknown_is_said_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"train-images.*folder.*synthetic"):
        datasets.load("mnist", tmp_path / "nowhere")
    with pytest.raises(BadRequest, match=r"'minst'.*mnist, .*cifar10, synthetic, folder:DIR"):
        datasets.load("minst")


@pytest.mark.parametrize("idx_set", mnist.IDX_SETS, ids=lambda idx_set: idx_set.name)
def test_every_set_in_these_files_has_torchvisions_classes(tmp_path: Path, idx_set: mnist.IdxSet) -> None:
    import torchvision.datasets

    write_mnist(tmp_path / idx_set.folder / "raw")
    assert (
        datasets.load(idx_set.name, tmp_path).classes == datasets.load(idx_set.name, tmp_path / idx_set.folder).classes
    )
    theirs = getattr(torchvision.datasets, idx_set.folder).classes
    assert len(idx_set.classes) == 10
    assert idx_set.name == "mnist" or list(idx_set.classes) == theirs  # MNIST's are "0 - zero" there


def test_files_that_are_named_alike_are_not_taken_for_another_set(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    write_mnist(tmp_path / "nameless")
    for place in ("MNIST", "MNIST/raw", "nameless", "."):
        with pytest.raises(DataUnavailable, match=r"Fashion-MNIST is not there.*FashionMNIST.raw lacks"):
            datasets.load("fashion-mnist", tmp_path / place)


def test_sets_are_told_apart_by_their_first_labels(tmp_path: Path) -> None:
    for name, known in (("mnist", mnist.IDX_SETS[0]), ("fashion-mnist", mnist.IDX_SETS[1])):
        labels = np.frombuffer(known.begins["train"] + bytes((0, 1)), np.uint8)
        write_mnist(tmp_path / name / "raw", labels=idx_file(labels))
        other = {"mnist": "fashion-mnist", "fashion-mnist": "mnist"}[name]
        for place in (name, f"{name}/raw"):
            assert datasets.load(name, tmp_path / place).labels.tolist() == labels.tolist()
            with pytest.raises(DataUnavailable, match=rf"{re.escape(place)}.* holds .*MNIST: use {name}\."):
                datasets.load(other, tmp_path / place)
    write_mnist(tmp_path / "MNIST" / "raw", labels=idx_file(labels))  # misnamed
    assert len(datasets.load("fashion-mnist", tmp_path / "MNIST")) == 12


@pytest.mark.parametrize(
    ("name", "place"),
    [("mnist", "mnist"), ("mnist", "MNIST"), ("fashion-mnist", "fashion/raw"), ("fashion-mnist", "Fashion_MNIST"),
     ("kmnist", "kuzushiji-mnist/raw")],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["-ubyte", "-ubyte.gz"])
def test_usual_spellings_are_found(tmp_path: Path, name: str, place: str, suffix: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    pack = gzip.compress if suffix.endswith("gz") else bytes
    for stem, array in (("images.idx3", IMAGES), ("labels.idx1", LABELS)):
        (tmp_path / place / f"train-{stem}{suffix}").write_bytes(pack(idx_file(array)))
    assert len(datasets.load(name, tmp_path)) == len(datasets.load(name, tmp_path / place)) == 12


@pytest.mark.parametrize("side", [16, 28, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_in_the_form_that_is_asked_for(tmp_path: Path, side: int, channels: int) -> None:
    raw = write_mnist(tmp_path, idx_file(IMAGES.cumsum(0, dtype=np.uint8) // 2 + 64))
    dataset = datasets.load("mnist", raw, form=Form(side, channels))
    assert dataset.images.shape == (12, channels, side, side)
    assert dataset.images.dtype == torch.uint8
    assert torch.equal(dataset.images[:, 0], dataset.images[:, -1])
    plain = datasets.load("mnist", raw)
    assert (dataset.images.float().mean((1, 2, 3)) - plain.images.float().mean((1, 2, 3))).abs().max() < 2
    assert channels == 3 or side != 28 or torch.equal(dataset.images, plain.images)


def test_colours_become_the_greys_that_pillow_makes_of_them() -> None:
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (1200, 8, 8, 3), np.uint8)
    given = Dataset("noise", torch.from_numpy(colours).permute(0, 3, 1, 2), torch.zeros(1200).long(), ("noise",))
    with pytest.raises(StopIteration) as finished:
        loading = shaped(given, Form(channels=1))
        while True:
            next(loading)
    grey = finished.value.value.images
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in colours])
    apart = grey[:, 0].numpy().astype(int) - expected
    assert np.abs(apart).max() <= 1 and abs(apart.mean()) < 0.05


def reshaped(images: np.ndarray, form: Form) -> np.ndarray:
    """Grey images (N, H, W) in that form, without their channel."""
    loading = shaped(Dataset("x", torch.from_numpy(images)[:, None], torch.zeros(len(images)).long(), ("x",)), form)
    with pytest.raises(StopIteration) as finished:
        while True:
            next(loading)
    return finished.value.value.images[:, 0].numpy()


def test_small_images_are_the_means_of_large_ones() -> None:
    dots = np.zeros((1, 28, 28), np.uint8)
    dots[:, ::4, ::4] = 255  # which a reader that picks pixels misses, or sees alone
    assert np.abs(reshaped(dots, Form(7))[0, 1:-1, 1:-1] - 255 / 16).max() < 2


def test_an_edge_overshoots_into_nothing_else() -> None:
    edge = np.zeros((1, 28, 28), np.uint8)
    edge[:, :, 14:] = 255
    large = reshaped(edge, Form(56))[0]
    assert large[:, :26].max() < 30 and large[:, 30:].min() > 225


def test_what_memory_cannot_hold_is_refused_with_the_figure() -> None:
    many = Dataset("many", torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(60_000, 1, 28, 28), torch.zeros(1), ())
    with pytest.raises(BadRequest, match=r"60,000 images of 3 x 128 x 128 take 2\.9 GB, more than the 2\.1 GB.*=32"):
        next(shaped(many, Form(128, 3)))
    with pytest.raises(BadRequest, match="1 channel"):
        Form(28, 2)


def test_synthetic_digits_are_drawn_as_large_as_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "COUNT_AND_SEED", {"train": (20, 0)})
    monkeypatch.setattr(synthetic, "_kept", {})
    assert datasets.load("synthetic", form=Form(32, 3)).images.shape == (20, 3, 32, 32)
    assert datasets.load("synthetic").images.shape == (20, 1, 28, 28)


# CIFAR-10


def cifar_records(count: int, seed: int, label: int | None = None) -> bytes:
    records = np.random.default_rng(seed).integers(0, 256, (count, cifar10.RECORD), np.uint8)
    records[:, 0] = np.arange(count) % 10 if label is None else label
    return records.tobytes()


BATCHES = {name: cifar_records(4, seed) for seed, name in enumerate((*cifar10.FILES["train"], *cifar10.FILES["test"]))}


def write_cifar(folder: Path, **others: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (BATCHES | {f"{stem}.bin": content for stem, content in others.items()}).items():
        (folder / name).write_bytes(content)
    return folder


def tar_gz(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


CIFAR_ARCHIVE = tar_gz({f"{cifar10.FOLDER}/{name}": BATCHES[name] for name in reversed(BATCHES)})


@pytest.mark.parametrize("place", ["folder", "itself", "archive"])
def test_cifar_is_read_from_its_folder_and_from_its_archive(tmp_path: Path, place: str) -> None:
    if place == "archive":
        (tmp_path / cifar10.ARCHIVE).write_bytes(CIFAR_ARCHIVE)
    else:
        write_cifar(tmp_path / cifar10.FOLDER)
    dataset = datasets.load("cifar10", tmp_path / cifar10.FOLDER if place == "itself" else tmp_path)
    assert dataset.images.shape == (20, 3, 32, 32)
    assert dataset.labels.tolist() == [0, 1, 2, 3] * 5
    expected = np.frombuffer(BATCHES["data_batch_2.bin"], np.uint8).reshape(4, -1)[1, 1:].reshape(3, 32, 32)
    assert np.array_equal(dataset.images[5].numpy(), expected)
    assert dataset.classes[1] == "automobile"
    assert datasets.load("cifar10", tmp_path, "test", Form(28, 1)).images.shape == (4, 1, 28, 28)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "0 bytes found"),
        (cifar_records(3, 0)[:-1], "9218 bytes found"),
        (cifar_records(2, 0, label=10), "labels from 0 to 9 expected, 10 found"),
        (b"\0" * (cifar10.MAX_FILE + cifar10.RECORD), "10000 records"),
    ],
)
def test_a_damaged_cifar_file_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    write_cifar(tmp_path / cifar10.FOLDER, data_batch_3=content)
    with pytest.raises(BadFile, match=rf"data_batch_3\.bin is damaged.*{why}.*choose another folder"):
        datasets.load("cifar10", tmp_path)


def test_cifar_that_is_not_there_is_said_with_the_next_step(tmp_path: Path) -> None:
    (write_cifar(tmp_path / cifar10.FOLDER) / "data_batch_5.bin").unlink()
    with pytest.raises(DataUnavailable, match=r"neither.*data_batch_5\.bin.*nor cifar-10-binary.*synthetic"):
        datasets.load("cifar10", tmp_path)


def test_an_archive_writes_nowhere_and_only_its_own_files_count(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    members = {"../outside.bin": b"x", f"../{cifar10.FOLDER}/data_batch_1.bin": b"x", "/tmp/data_batch_1.bin": b"x"}
    named = {f"{cifar10.FOLDER}/{name}": content for name, content in BATCHES.items()}
    (root / cifar10.ARCHIVE).write_bytes(tar_gz(members | named))
    assert len(datasets.load("cifar10", root)) == 20
    assert list(tmp_path.iterdir()) == [root]
    assert [path.name for path in root.iterdir()] == [cifar10.ARCHIVE]


def linked() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{cifar10.FOLDER}/test_batch.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (b"not an archive", "a whole .tar.gz expected"),
        (CIFAR_ARCHIVE[:1000], "a whole .tar.gz expected"),
        (CIFAR_ARCHIVE[:500] + b"\xff" * 500 + CIFAR_ARCHIVE[1000:], "expected"),
        (gzip.compress(b"not a tar file" * 100), "a whole .tar.gz expected"),
        (tar_gz({f"{cifar10.FOLDER}/data_batch_1.bin": b"x"}), "test_batch.bin expected in it"),
        (tar_gz({f"{cifar10.FOLDER}/test_batch.bin": b"\0" * (cifar10.MAX_FILE + 1)}), "of at most 30730000 bytes"),
        (linked(), "test_batch.bin expected in it"),
    ],
    ids=["text", "cut", "overwritten", "no tar", "lacking", "too large", "link"],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, archive: bytes, why: str) -> None:
    (tmp_path / cifar10.ARCHIVE).write_bytes(archive)
    with pytest.raises(BadFile, match=rf"cifar-10-binary\.tar\.gz.* is damaged.*{why}"):
        datasets.load("cifar10", tmp_path, "test")


def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "MAX_UNPACKED", 2**20)
    (tmp_path / cifar10.ARCHIVE).write_bytes(tar_gz({"padding": b"\0" * 2**22}))
    with pytest.raises(BadFile, match="unpacks to more than 1048576 bytes"):
        datasets.load("cifar10", tmp_path)


def test_the_real_mnist_is_read_as_torchvision_reads_it(mnist_root: Path) -> None:
    from torchvision.datasets import MNIST

    expected: dict[Split, tuple[int, str]] = {
        "train": (60_000, "6bbc9ace898e44ae57da46a324031adb"),
        "test": (10_000, "2646ac647ad5339dbf082846283269ea"),
    }
    for split, (count, digest) in expected.items():
        dataset = datasets.load("mnist", mnist_root, split)
        assert dataset.images.shape == (count, 1, 28, 28)
        assert md5(idx_file(dataset.images[:, 0].numpy())) == digest
        theirs = MNIST(mnist_root, train=split == "train")
        assert torch.equal(dataset.images[:, 0], theirs.data)
        assert torch.equal(dataset.labels, theirs.targets)


def test_synthetic_digits_are_a_data_set_that_shows_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert synthetic.COUNT_AND_SEED == {"train": (30_000, 0), "test": (5_000, 1)}
    monkeypatch.setattr(synthetic, "COUNT_AND_SEED", {"test": (1200, 1)})  # fewer are drawn in no time
    monkeypatch.setattr(synthetic, "_kept", {})  # drawn by an earlier test, they would be there at once
    steps = []
    loading = datasets.loading("synthetic", split="test")
    try:
        while True:
            steps.append(next(loading))
    except StopIteration as finished:
        dataset: Dataset = finished.value
    assert dataset.images.shape == (1200, 1, 28, 28)
    assert dataset.labels.bincount().tolist() == [120] * 10
    assert torch.equal(dataset.images, synthetic_digits.digits(1200, 1).images)
    assert steps == [Progress("Drawing digits", done, 1200) for done in (500, 1000, 1200)]
    assert datasets.load("synthetic", split="test") is dataset  # the next run has it at once


# Downloading


def fetch(site: Site, path: Path, expected: bytes = CONTENT, **options: float) -> list[Progress]:
    urls = [site.url + "file.gz"]
    return list(download.fetch(urls, path, checksum=md5(expected), pause_s=0, **options))  # type: ignore[arg-type]


def test_a_download_shows_its_progress_and_leaves_only_the_file(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.gz"
    steps = fetch(site, path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert steps[-1] == Progress("Downloading file.gz", len(CONTENT), len(CONTENT))
    assert len(steps) > 3
    assert all(a.done < b.done for a, b in pairwise(steps))


def test_of_a_file_of_unknown_length_it_is_said_how_much_has_come(site: Site, tmp_path: Path) -> None:
    site.tells = False
    steps = fetch(site, tmp_path / "file.gz")
    assert [step.total for step in steps] == [step.done for step in steps] and steps[-1].done == len(CONTENT)


def test_a_broken_connection_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.break_after = [100_000, 50_000]
    steps = fetch(site, tmp_path / "file.gz")
    assert {step.total for step in steps} == {len(CONTENT)}
    assert all(a.done < b.done for a, b in pairwise(steps))
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert site.requests == [None, "bytes=100000-", "bytes=150000-"]


def test_a_cancelled_download_is_gone_on_with_at_the_next_start(site: Site, tmp_path: Path) -> None:
    downloading = download.fetch([site.url + "file.gz"], tmp_path / "file.gz", checksum=md5(CONTENT))
    first = next(downloading)
    downloading.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "file.gz").exists()
    fetch(site, tmp_path / "file.gz")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    assert site.requests[-1] == f"bytes={first.done}-"


def test_a_server_that_cannot_resume_sends_everything_again(site: Site, tmp_path: Path) -> None:
    site.break_after, site.ranges = [100_000], False
    fetch(site, tmp_path / "file.gz")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT and len(site.requests) == 2


@pytest.mark.parametrize("left_over", [b"y" * 1000, CONTENT, CONTENT + b"more"])
def test_a_left_over_part_of_something_else_is_replaced(site: Site, tmp_path: Path, left_over: bytes) -> None:
    (tmp_path / "file.gz.part").write_bytes(left_over)
    fetch(site, tmp_path / "file.gz")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_wrong_checksum_deletes_the_file_and_says_so(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=rf"file\.gz.*checksum \({md5(CONTENT)}.*deleted.*folder.*synthetic"):
        fetch(site, tmp_path / "file.gz", expected=b"something else")
    assert not list(tmp_path.iterdir())


def test_a_missing_page_is_asked_for_once_and_the_next_mirror_used(site: Site, tmp_path: Path) -> None:
    urls = [site.url + "absent", site.url + "file.gz"]
    list(download.fetch(urls, tmp_path / "file.gz", checksum=md5(CONTENT)))
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    with pytest.raises(DataUnavailable, match="404"):
        list(download.fetch(urls[:1], tmp_path / "other", checksum=md5(CONTENT), pause_s=0))
    assert len(site.requests) == 3


def test_a_server_that_stalls_is_given_up_and_what_came_is_kept(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.break_after, site.stalls = [1000] * 3, True
    opened: list[HTTPResponse] = []
    real = download._open

    def open_it(*arguments: Any) -> HTTPResponse:
        opened.append(real(*arguments))
        return opened[-1]

    monkeypatch.setattr(download, "_open", open_it)
    downloading = download.fetch(
        [site.url + "file.gz"], tmp_path / "file.gz", checksum=md5(CONTENT), pause_s=0, timeout_s=WAIT_S
    )
    with pytest.raises(DataUnavailable, match="not answer in time"):
        for progress in downloading:
            connection: Any = opened[-1].fp
            assert connection.raw._sock.gettimeout() == WAIT_S
            if progress.done % 1000 == 0:
                connection.raw._sock.settimeout(0.001)  # the rest of this answer never comes
    assert len(opened) == 3
    assert (tmp_path / "file.gz.part").read_bytes() == CONTENT[:3000]


def test_a_server_that_never_answers_is_given_up(site: Site, tmp_path: Path) -> None:
    site.silent = True
    with pytest.raises(DataUnavailable, match="not answer in time"):
        fetch(site, tmp_path / "file.gz", timeout_s=0.05)
    assert not (tmp_path / "file.gz").exists()


def test_more_than_expected_is_refused_before_it_is_read(site: Site, tmp_path: Path) -> None:
    steps = download.fetch([site.url + "file.gz"], tmp_path / "file.gz", checksum=md5(CONTENT), limit=1000)
    with pytest.raises(DataUnavailable, match="more than the 1000 bytes"):
        next(iter(steps))
    assert not list(tmp_path.iterdir())
    assert len(site.requests) == 1


def test_no_network_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"refused.*Check the network.*folder.*synthetic"):
        list(download.fetch(["http://127.0.0.1:9/x"], tmp_path / "x", checksum="0", pause_s=0))


def test_a_place_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").mkdir()
    with pytest.raises(CannotWrite, match=r"file\.gz\.part"):
        fetch(site, tmp_path / "file.gz")


def test_mnist_is_downloaded_once_and_then_read_from_disk(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stems = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    site.files = {f"{stem}.gz": gzip.compress(idx_file(IMAGES if "images" in stem else LABELS)) for stem in stems}
    listed = [(name, md5(content)) for name, content in site.files.items()]
    monkeypatch.setattr(mnist, "torchvision_source", lambda dataset: ([site.url], listed))
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert len(datasets.load("mnist")) == len(datasets.load("mnist", split="test")) == 12
    assert len(site.requests) == 4
    assert (paths.user_datasets() / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").is_file()


@pytest.mark.parametrize("idx_set", mnist.IDX_SETS, ids=lambda idx_set: idx_set.name)
def test_every_set_has_secure_addresses_and_checksums(idx_set: mnist.IdxSet) -> None:
    mirrors, files = mnist.torchvision_source(idx_set.folder)
    assert [*mirrors, *idx_set.mirrors]
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in (*mirrors, *idx_set.mirrors))
    assert len(files) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", digest) for _, digest in files)


@pytest.fixture
def cifar_site(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A server that has CIFAR-10, and a home without it."""
    site.files = {cifar10.ARCHIVE: CIFAR_ARCHIVE}
    monkeypatch.setattr(cifar10, "MIRRORS", (site.url,))
    monkeypatch.setattr(cifar10, "MD5", md5(CIFAR_ARCHIVE))
    monkeypatch.setattr("ml.system.download.interruptible_sleep", lambda seconds: None)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    return site


def test_cifar_is_downloaded_once_and_gone_on_with(cifar_site: Site) -> None:
    cifar_site.break_after = [20_000]
    assert len(datasets.load("cifar10")) == 20
    assert cifar_site.requests == [None, "bytes=20000-"]
    assert len(datasets.load("cifar10", split="test")) == 4
    assert len(cifar_site.requests) == 2
    assert [path.name for path in paths.user_datasets().iterdir()] == [cifar10.ARCHIVE]


def test_cifar_with_a_wrong_checksum_is_not_kept(cifar_site: Site) -> None:
    cifar_site.files[cifar10.ARCHIVE] = CIFAR_ARCHIVE[:-1] + b"x"
    with pytest.raises(DataUnavailable, match="wrong checksum"):
        datasets.load("cifar10")
    assert not list(paths.user_datasets().iterdir())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist", "cifar10"])
def test_without_a_network_it_is_said_where_the_files_belong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    monkeypatch.setattr("ml.system.download.interruptible_sleep", lambda seconds: None)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataUnavailable, match="Network is unreachable") as caught:
        datasets.load(name)
    folder = paths.user_datasets() if name == "cifar10" else paths.user_datasets() / name_of(name) / "raw"
    assert f"put that file into {folder} yourself" in caught.value.what_to_do


def name_of(name: str) -> str:
    return next(idx_set.folder for idx_set in mnist.IDX_SETS if idx_set.name == name)
