"""Any folder of images as a data set: one class per sub-folder, each image fitted to a square."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ml.data import image_reader, survey_cache
from ml.data.archive import is_archive
from ml.data.dataset import Dataset, Form, Loading, Split, check_memory
from ml.data.folder_scan import HIDDEN, OTHERS, FolderScan, ImageFile, Reasons, arrange, find_files
from ml.data.image_reader import ReadImage, Unreadable, content_hash
from ml.data.survey import ClassCount, FirstLook, SizeCount, Some, Survey, cautions, listed, spread, strip
from ml.errors import DataUnavailable
from ml.events import Pixels, Progress
from ml.specs import IMAGE_FOLDER
from ml.system.paths import COMMAND

SIDES = (16, 128)  # that images of a folder may have of their own
SIDE = 32  # of images that have no side of their own in common
LOOKED_AT = 100  # images, to find out what they have in common
EVERY = 50  # images per Progress
THREADS = min(4, os.cpu_count() or 1)  # Pillow decodes without Python's lock
MOST_SIZES = 20  # that a survey lists
LITTLE = 16  # of 256 levels: an image with fewer is of one colour


@dataclass(frozen=True, slots=True)
class _Look:
    """One file as it was read, or why it was not."""

    file: ImageFile
    image: ReadImage | None
    problem: str
    digest: str  # of the file's content


def load(name: str, split: Split, form: Form) -> Loading:
    """Read one split of the folder `name`, as `folder_scan.arrange` finds it.

    Without `form` the images keep the side they have in common (of 16 to 128 pixels, in steps of 4), else get 32
    pixels, and are grey if all of them are. What cannot be read is left out and counted in the Progress.
    Raises BadRequest, DataUnavailable.
    """
    scan = arrange((yield from find_files(name)), _is_readable)
    files = scan.train if split == "train" else scan.test
    if not files:
        raise DataUnavailable(f"No image of {scan.folder} is held out.", "Add images, or name folders train and test.")
    form = _chosen(scan, form)
    assert form.side
    check_memory(len(files), form.side, form.channels or 3)
    planes = np.empty((len(files), 1 if form.channels == 1 else 3, form.side, form.side), np.uint8)
    labels: list[int] = []
    content = hashlib.sha256()
    grey = form.channels is None
    for looks in _reading(scan, files, form):
        if isinstance(looks, Progress):
            yield looks
            continue
        for look in looks:
            if look.image is not None:
                pixels = look.image.pixels.reshape(form.side, form.side, -1)
                planes[len(labels)] = pixels.transpose(2, 0, 1)
                grey = grey and bool((pixels == pixels[..., :1]).all())
                labels.append(look.file.label)
                content.update(f"{look.file.relative}\0{look.digest}\0".encode("utf-8", "surrogatepass"))
    if split == "train":
        yield Progress(f"Reading {scan.folder.name}", len(files), len(files), _warnings(scan, len(files) - len(labels)))
    if not labels:
        raise DataUnavailable(
            f"None of the {len(files)} images in {scan.folder} can be read.",
            "Check that they open in a viewer, or choose another folder.",
        )
    kept = planes[: len(labels), :1].copy() if grey else planes[: len(labels)]
    return Dataset(
        f"{IMAGE_FOLDER}{scan.folder}",
        torch.from_numpy(kept),
        torch.tensor(labels, dtype=torch.int64),
        scan.classes,
        content.hexdigest(),
    )


def _warnings(scan: FolderScan, unreadable: int) -> tuple[str, ...]:
    """What a person should know who did not look at the survey."""
    missed = [f"{one.count:,} {one.reason}" for one in scan.left_out if one.reason not in (HIDDEN, OTHERS)]
    missed += [f"{unreadable:,} images that cannot be read"] * bool(unreadable)
    said = f"Left out of {scan.folder}: {listed(missed)}. `{COMMAND} data {scan.folder}` names them."
    return (*scan.warnings, *([said] if missed else []))


def survey(name: str, form: Form) -> Generator[Progress, None, Survey]:
    """Describe the folder or archive `name`; one that has not changed is described from what was found the last time.

    Raises BadRequest, DataUnavailable.
    """
    path = Path(name).expanduser().absolute()
    is_packed = is_archive(path) and os.path.isfile(path)  # it is not read through to be known again
    found = None if is_packed else (yield from find_files(name))
    key = survey_cache.key_of(found, form) if found else survey_cache.key_of_archive(path, form)
    known = survey_cache.find(key)
    if known is not None:
        return known
    scan = arrange(found or (yield from find_files(name)), _is_readable)
    survey = yield from _described(scan, _chosen(scan, form))
    survey_cache.keep(key, survey)
    return survey


def examples(name: str, form: Form, label: int, most: int) -> Generator[Progress, None, Pixels]:
    """Read the first training images of a class of the folder `name`, (N, S, S[, 3]).

    Raises BadRequest, DataUnavailable.
    """
    scan = arrange((yield from find_files(name)), _is_readable)
    form = _chosen(scan, form)
    files = [file for file in scan.train if file.label == label][:most]
    found = [look.image.pixels for look in (yield from _all_looks(scan, files, form)) if look.image]
    return np.stack(found) if found else np.zeros((0, 1, 1), np.uint8)


def _first_look(scan: FolderScan, shown: Sequence[ImageFile], form: Form) -> Generator[Progress]:
    """Read the images that are shown, before all others."""
    assert form.side
    looks = [look for look in (yield from _all_looks(scan, shown, form)) if look.image]
    pixels = [look.image.pixels.reshape(form.side, form.side, -1) for look in looks if look.image]
    is_grey = form.channels is None and all((each == each[..., :1]).all() for each in pixels)
    channels = 1 if is_grey else form.channels or 3
    counts = [Counter(file.label for file in files) for files in (scan.train, scan.test)]
    found = Survey(
        name=f"{IMAGE_FOLDER}{scan.folder}",
        classes=_class_counts(scan, *counts),
        sizes=(),
        side=form.side,
        channels=channels,
        fit=form.fit,
        left_out=scan.left_out,
        warnings=scan.warnings,
        thumbnail_labels=tuple(look.file.label for look in looks),
        thumbnail_strip=strip(np.stack([each[..., :channels] for each in pixels])) if pixels else "",
    )
    start = _progress(scan, 0, 0, len(scan.train) + len(scan.test))
    yield FirstLook(start.what, start.done, start.total, survey=found)


def _all_looks(scan: FolderScan, files: Sequence[ImageFile], form: Form) -> Generator[Progress, None, list[_Look]]:
    """All of some files, as they are read."""
    found: list[_Look] = []
    for looks in _reading(scan, files, form):
        if isinstance(looks, Progress):
            yield looks
        else:
            found += looks
    return found


def _class_counts(scan: FolderScan, train: Counter[int], held_out: Counter[int]) -> tuple[ClassCount, ...]:
    return tuple(
        ClassCount(name=name, train=train[label], held_out=held_out[label]) for label, name in enumerate(scan.classes)
    )


def _described(scan: FolderScan, form: Form) -> Generator[Progress, None, Survey]:
    """Read every image once, and count."""
    assert form.side
    files = (*scan.train, *scan.test)
    chosen = [scan.train[index] for index in spread([file.label for file in scan.train])]
    yield from _first_look(scan, chosen, form)
    shown = {file.relative for file in chosen}
    thumbnails: list[tuple[int, Pixels]] = []
    counts: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    first_of: dict[str, bool] = {}  # whether the first file with that content is for training
    reasons, transparent, leaked, grey = Reasons(), 0, 0, form.channels is None
    done = 0
    for looks in _reading(scan, files, form):
        if isinstance(looks, Progress):
            yield looks
            continue
        for look in looks:
            in_train, relative = done < len(scan.train), look.file.relative
            done += 1
            if look.image is None:
                reasons.add(look.problem, relative)
                continue
            image = look.image
            counts[0 if in_train else 1][look.file.label] += 1
            sizes[image.width, image.height] += 1
            transparent += image.transparent
            pixels = image.pixels.reshape(form.side, form.side, -1)
            grey = grey and bool((pixels == pixels[..., :1]).all())
            if look.digest in first_of:
                reasons.add(_DUPLICATE, relative)
                leaked += not in_train and first_of[look.digest]
            first_of.setdefault(look.digest, in_train)
            if min(image.width, image.height) < form.side:
                reasons.add(_SMALLER, relative)
            if int(np.ptp(pixels, axis=(0, 1)).max()) < LITTLE:
                reasons.add(_ONE_COLOUR, relative)
            if in_train and relative in shown:
                thumbnails.append((look.file.label, pixels))
    said = {one.reason: one for one in reasons.listed()}
    duplicates, smaller, one_colour = (_some(said.pop(key, None)) for key in (_DUPLICATE, _SMALLER, _ONE_COLOUR))
    channels = 1 if grey else form.channels or 3
    described = Survey(
        name=f"{IMAGE_FOLDER}{scan.folder}",
        classes=_class_counts(scan, *counts),
        sizes=tuple(SizeCount(width=w, height=h, count=n) for (w, h), n in sizes.most_common(MOST_SIZES)),
        side=form.side,
        channels=channels,
        fit=form.fit,
        transparent=transparent,
        ground=form.ground if transparent or form.fit == "whole" else "",
        left_out=(*scan.left_out, *said.values()),
        duplicates=duplicates,
        smaller=smaller,
        one_colour=one_colour,
        thumbnail_labels=tuple(label for label, _ in thumbnails),
        thumbnail_strip=strip(np.stack([pixels[..., :channels] for _, pixels in thumbnails])) if thumbnails else "",
    )
    return described.with_changes(warnings=(*scan.warnings, *cautions(described, leaked)))


_DUPLICATE, _SMALLER, _ONE_COLOUR = "duplicates", "smaller", "one colour"


def _some(found: Some | None) -> Some:
    return Some(count=found.count, first=found.first) if found else Some()


def _chosen(scan: FolderScan, form: Form) -> Form:
    """The form with the side that images have in common, and the ground, where they are not set."""
    files = (*scan.train, *scan.test)
    some = files[:: len(files) // LOOKED_AT + 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small flaws, which do not matter here
        side = form.side or _own_side(some)
        ground = form.ground if form.ground != "auto" else _own_ground(some, form)
    return replace(form, side=side, ground=ground)


def _own_side(files: Sequence[ImageFile]) -> int:
    """The side that these images have in common, in steps of 4 so that any patch fits it."""
    sizes = {image_reader.size_of(file.source) for file in files} - {None}
    width, height = (sizes.pop() if len(sizes) == 1 else None) or (0, 0)
    return width - width % 4 if width == height and SIDES[0] <= width <= SIDES[1] else SIDE


def _own_ground(files: Sequence[ImageFile], form: Form) -> str:
    """What contrasts with transparent images; around whole opaque ones, what continues their edges."""
    looks = [look.image for look in map(_look_at_small, files) if look.image is not None]
    transparent = [image for image in looks if image.transparent]
    if transparent or form.fit != "whole":
        return image_reader.ground_for([image.brightness for image in transparent])
    return "white" if np.mean([image.edge for image in looks] or [255]) > 127 else "black"


def _look_at_small(file: ImageFile) -> _Look:
    return _look_at(file, Form(SIDES[0]))


def _is_readable(file: ImageFile) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _look_at_small(file).image is not None


def _look_at(file: ImageFile, form: Form) -> _Look:
    try:
        assert form.side
        mode = "L" if form.channels == 1 else "RGB"
        return _Look(file, image_reader.read(file.source, form.side, mode, form.fit, form.ground), "", "")
    except Unreadable as error:
        return _Look(file, None, str(error), "")


def _look_and_hash(file: ImageFile, form: Form) -> _Look:
    look = _look_at(file, form)
    return replace(look, digest=content_hash(file.source)) if look.image else look


def _reading(scan: FolderScan, files: Sequence[ImageFile], form: Form) -> Iterator[Progress | list[_Look]]:
    """Read these files in order, some at a time, with Progress before each part and at the end."""
    unreadable = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(files), EVERY):
            yield _progress(scan, unreadable, first, len(files))
            with warnings.catch_warnings():  # around the threads, which share the filters
                warnings.simplefilter("ignore")  # of small flaws, and of sizes that the reader limits itself
                looks = list(pool.map(lambda file: _look_and_hash(file, form), files[first : first + EVERY]))
            unreadable += sum(look.image is None for look in looks)
            yield looks
    yield _progress(scan, unreadable, len(files), len(files))


def _progress(scan: FolderScan, unreadable: int, done: int, total: int) -> Progress:
    left_out = f" ({unreadable} cannot be read and are left out)" if unreadable else ""
    return Progress(f"Reading {scan.folder.name}{left_out}", done, total)
