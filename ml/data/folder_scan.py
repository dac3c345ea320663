"""Which files of a folder are images, of which class and split, and which are left out, by reason. No image is read."""

import hashlib
import os
import posixpath
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml.data import archive
from ml.data.archive import Source
from ml.data.survey import MAX_NAMES, LeftOut, are, counted, listed
from ml.errors import BadRequest, DataUnavailable
from ml.events import Progress
from ml.specs import IMAGE_FOLDER

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif",
)  # fmt: skip
UNREAD = {  # images that are counted by their type
    ".heic": "HEIC", ".heif": "HEIC", ".svg": "SVG", ".psd": "Photoshop", ".jxl": "JPEG XL", ".jp2": "JPEG 2000",
    ".ico": "ICO", ".pdf": "PDF", ".dng": "raw", ".cr2": "raw", ".cr3": "raw", ".nef": "raw", ".arw": "raw",
    ".raf": "raw", ".orf": "raw", ".rw2": "raw", ".ppm": "Netpbm", ".pgm": "Netpbm", ".pbm": "Netpbm", ".tga": "TGA",
    ".exr": "OpenEXR", ".hdr": "HDR", ".dcm": "DICOM", ".npy": "NumPy",
}  # fmt: skip
TRAIN_NAMES = {"train", "training"}
TEST_NAMES = {"test", "testing", "val", "valid", "validation"}
HIDDEN, OTHERS = "hidden files and folders", "files of other kinds"  # which are no images that are missed
OTHER_ARCHIVES = (".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
HELD_OUT = 10  # one image of so many is for testing


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file that may be an image."""

    source: Source
    relative: str  # to the folder, with slashes on every system
    size: int  # bytes
    modified: int  # ns
    label: int = -1


class Reasons:
    """What is left out: by reason how many, and the first names."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        self._count[reason] = self._count.get(reason, 0) + 1
        first = self._first.setdefault(reason, [])
        if len(first) < MAX_NAMES:
            first.append(printable(name))

    def listed(self) -> tuple[LeftOut, ...]:
        """All reasons in the order in which they were found."""
        return tuple(
            LeftOut(reason=reason, count=count, first=tuple(self._first[reason]))
            for reason, count in self._count.items()
        )


@dataclass(frozen=True, slots=True)
class FolderScan:
    """The images of a folder, by split, sorted by label and name; `train` has an image of every class."""

    folder: Path
    classes: tuple[str, ...]
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """All files of a folder before they are arranged."""

    folder: Path  # or the archive
    images: tuple[ImageFile, ...]
    left_out: Reasons
    warnings: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name of the folder, or that of the archive without its suffix."""
        return archive.stem(self.folder) if archive.is_archive(self.folder) else self.folder.name


def natural(name: str) -> list[str | int]:
    """The key that sorts names as people count: 2 before 10."""
    return [int(part) if k % 2 else part for k, part in enumerate(re.split(r"(\d+)", name))]


def printable(name: str) -> str:
    """A file's name as Unicode, with "?" for bytes that are none."""
    return name.encode("utf-8", "replace").decode("utf-8")


def find_files(name: str) -> Generator[Progress, None, FoundFiles]:
    """All image files below the folder `name`, or in an archive. Links lead to folders inside alone, and in no circle.

    Raises BadRequest, DataUnavailable; BadFile and CannotWrite for an archive.
    """
    if not name.strip():
        raise BadRequest(
            "The folder of images is not named.", f"Write {IMAGE_FOLDER}DIR, for example {IMAGE_FOLDER}photos."
        )
    folder = Path(name).expanduser().absolute()
    if not os.path.isdir(folder):
        if os.path.isfile(folder) and archive.is_archive(folder):
            return (yield from _in_archive(folder))
        if os.path.isfile(folder) and folder.name.lower().endswith(OTHER_ARCHIVES):
            raise DataUnavailable(f"{folder} is an archive of another kind.", "Unpack it, and choose the folder.")
        raise DataUnavailable(f"There is no folder {folder}.", "Choose a folder of images.")
    walk = _Walk(folder)
    yield from walk.below(folder, "", linked=False)
    warnings = [
        f"{listed(walk.outside)} {'lead' if len(walk.outside) > 1 else 'leads'} out of the folder and "
        f"{are(len(walk.outside))} left out. Copy those images into the folder to use them."
    ] * bool(walk.outside)
    return FoundFiles(folder, tuple(walk.images), walk.left_out, tuple(warnings))


def _in_archive(path: Path) -> Generator[Progress, None, FoundFiles]:
    """All image files in an archive."""
    index = yield from archive.index_of(path, lambda name: _why_unread(name) == "")
    left_out, images, modified = Reasons(), list[ImageFile](), path.stat().st_mtime_ns
    for reason, name in index.left_out:
        left_out.add(reason, name)
    for name in index.others:
        left_out.add(_why_unread(name), name)
    for member in sorted(index.members, key=lambda member: [natural(part) for part in member.name.split("/")]):
        images.append(ImageFile(member.read, member.name, member.size, modified))
    return FoundFiles(path, tuple(images), left_out, ())


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _why_unread(relative: str) -> str:
    """Why a file is no image that is read, by its name alone; "" for one that may be."""
    suffix = os.path.splitext(relative)[1].lower()
    if any(map(_is_hidden, relative.split("/"))):
        return HIDDEN
    if suffix in UNREAD:
        return f"{UNREAD[suffix]} files"
    return "" if suffix in SUFFIXES else OTHERS


class _Walk:
    """Collects the files below a folder, each directory in the order of its names."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._inside = folder, folder.resolve()
        self._seen = 0
        self.images: list[ImageFile] = []
        self.left_out = Reasons()
        self.outside: list[str] = []  # links to folders

    def below(self, place: Path, relative: str, linked: bool) -> Generator[Progress]:
        """Walk through one directory and those below it; `linked`: by way of a link, beyond which no other is taken."""
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: natural(entry.name))
        except OSError:
            self.left_out.add("folders that cannot be read", f"{relative}/")
            return
        folders: list[tuple[Path, str, bool]] = []
        for entry in entries:
            name = f"{relative}/{entry.name}" if relative else entry.name
            if _is_hidden(entry.name):
                self.left_out.add(HIDDEN, name)
            elif entry.is_symlink():
                folders += self._link(Path(entry.path), name, linked)
            elif entry.is_dir():
                folders.append((Path(entry.path), name, linked))
            else:
                self._file(entry, Path(entry.path), name)
            self._seen += not entry.is_dir(follow_symlinks=False)
        yield Progress(f"Looking for images in {self._folder.name}", self._seen, 0)
        for path, name, by_link in folders:
            yield from self.below(path, name, by_link)

    def _link(self, path: Path, name: str, linked: bool) -> list[tuple[Path, str, bool]]:
        """The folder behind a link, if it is one to walk through."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # also a link to itself
            self.left_out.add("links that lead nowhere", name)
            return []
        if not target.is_relative_to(self._inside):
            self.left_out.add("links that lead out of the folder", name)
            if target.is_dir():
                self.outside.append(name)
        elif not target.is_dir():
            self._file(path, path, name)
        elif path.parent.resolve().is_relative_to(target):
            self.left_out.add("links that lead in a circle", name)
        elif linked:
            self.left_out.add("links behind links", name)
        else:
            return [(path, name, True)]
        return []

    def _file(self, entry: "os.DirEntry[str] | Path", path: Path, name: str) -> None:
        try:
            if not entry.is_file():
                self.left_out.add("no regular files", name)
            elif reason := _why_unread(name):
                self.left_out.add(reason, name)
            else:
                status = entry.stat()
                self.images.append(ImageFile(path, name, status.st_size, status.st_mtime_ns))
        except OSError:
            self.left_out.add("files that cannot be read", name)


def arrange(found: FoundFiles, is_readable: Callable[[ImageFile], bool]) -> FolderScan:
    """The files by class and split.

    Each sub-folder is a class. A single folder around the classes is passed through, and folders that are called train
    and test (or val, validation) are the splits. Otherwise a tenth of the files, chosen by their names alone, is held
    out, so that images that are added later leave the others where they are. A class without a training image that can
    be read gets the first of its held-out images that can; a class without any is left out.
    Raises DataUnavailable.
    """
    if not found.images:
        raise DataUnavailable(
            f"{found.folder} holds no images ({', '.join(SUFFIXES)}).{_types(found)}",
            "Choose a folder with images in it, or in one sub-folder per class.",
        )
    left_out, warnings = found.left_out, list(found.warnings)
    base = _around_classes(found.images)
    below = _by_folder(found.images, base)
    train_folders = [name for name in below if name.lower() in TRAIN_NAMES]
    test_folders = [name for name in below if name.lower() in TEST_NAMES]
    if base:
        warnings.append(f"The classes are the folders in {base.rstrip('/')}.")
    if train_folders and test_folders:
        splits = [*train_folders, *test_folders]
        for name in below.keys() - {*splits}:
            for file in below[name]:
                left_out.add(f"images beside {listed(splits)}", file.relative)
        train = _classes(_merged(below, base, train_folders), found.title, left_out, warnings)
        held_out = _of_known(_merged(below, base, test_folders), train, left_out)
        warnings.append(f"Images in {listed(test_folders)} are held out.")
    else:
        classes = _classes(below, found.title, left_out, warnings)
        train, held_out = _split(classes)
    return _labelled(found, train, held_out, left_out, warnings, is_readable)


def _types(found: FoundFiles) -> str:
    counts = [f"{one.count} {one.reason}" for one in found.left_out.listed()]
    return f" It holds {listed(counts)}." if counts else ""


def _by_folder(images: Iterable[ImageFile], base: str) -> dict[str, list[ImageFile]]:
    """Images by the folder in `base` that they are in; "" for `base` itself."""
    groups: dict[str, list[ImageFile]] = {}
    for image in images:
        folder, slash, _ = image.relative.removeprefix(base).partition("/")
        groups.setdefault(folder if slash else "", []).append(image)
    return dict(sorted(groups.items(), key=lambda group: natural(group[0])))


def _around_classes(images: Iterable[ImageFile]) -> str:
    """The folder, with a slash, that is alone around two or more folders of images; "" for the folder itself."""
    base = ""
    while True:
        below = _by_folder(images, base)
        if len(below) != 1 or "" in below:
            return base if len(below.keys() - {""}) > 1 else ""
        base += f"{next(iter(below))}/"


def _merged(below: Mapping[str, list[ImageFile]], base: str, folders: Sequence[str]) -> dict[str, list[ImageFile]]:
    """The images of these splits by class."""
    groups: dict[str, list[ImageFile]] = {}
    for folder in folders:
        for name, images in _by_folder(below[folder], f"{base}{folder}/").items():
            groups.setdefault(name, []).extend(images)
    return dict(sorted(groups.items(), key=lambda group: natural(group[0])))


def _classes(
    groups: Mapping[str, list[ImageFile]], folder: str, left_out: Reasons, warnings: list[str]
) -> dict[str, list[ImageFile]]:
    """The classes. Images beside sub-folders are one named after the folder, unless they are fewer than any other."""
    beside = groups.get("", [])
    classes = {name: images for name, images in groups.items() if name}
    if not classes:
        return {folder: beside}
    if len(beside) >= min(map(len, classes.values())):
        name = folder if folder not in classes else f"{folder} (itself)"
        warnings.append(
            f"{counted(len(beside), 'image')} beside the sub-folders {are(len(beside))} the class "
            f"{name}. Move them into a sub-folder of their own, or away, if that is wrong."
        )
        return dict(sorted({**classes, name: beside}.items(), key=lambda group: natural(group[0])))
    for image in beside:
        left_out.add("images beside the folders of the classes", image.relative)
    if beside:
        warnings.append(
            f"{counted(len(beside), 'image')} beside the folders of the classes {are(len(beside))} left out. "
            "Move them into a folder of a class to use them."
        )
    inner = [_by_folder(images, _prefix(images)).keys() for images in classes.values()]
    if len(classes) > 1 and all(len(folders) > 1 and "" not in folders for folders in inner):
        warnings.append(
            f"{listed(list(classes))} hold {sum(map(len, inner))} folders of images, which are not told apart. "
            "If those are the classes, choose one of the folders above them."
        )
    return classes


def _prefix(images: Sequence[ImageFile]) -> str:
    """The folder that all of a class's images are in, with a slash."""
    return f"{posixpath.commonpath([posixpath.dirname(image.relative) for image in images])}/"


def _of_known(
    groups: Mapping[str, list[ImageFile]], train: Mapping[str, list[ImageFile]], left_out: Reasons
) -> dict[str, list[ImageFile]]:
    """The held-out images of classes that are trained on; of a single class, all of them."""
    if len(train) == 1:
        return {next(iter(train)): [image for images in groups.values() for image in images]}
    for name in groups.keys() - train.keys():
        for image in groups[name]:
            left_out.add("held-out images of no class that is trained on", image.relative)
    return {name: groups.get(name, []) for name in train}


def _split(classes: Mapping[str, list[ImageFile]]) -> tuple[dict[str, list[ImageFile]], dict[str, list[ImageFile]]]:
    """Training and held-out images: of each class a tenth of the files is held out, or by chance all of them."""
    train: dict[str, list[ImageFile]] = {}
    held_out: dict[str, list[ImageFile]] = {}
    for name, images in classes.items():
        train[name] = [image for image in images if not _is_held_out(image.relative)]
        held_out[name] = sorted((image for image in images if _is_held_out(image.relative)), key=_by_name)
    return train, held_out


def _by_name(image: ImageFile) -> str:
    return image.relative


def _is_held_out(relative: str) -> bool:
    """Decided by the name alone, so that images that are added later leave the others where they are."""
    digest = hashlib.sha256(relative.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % HELD_OUT == 0


def _labelled(
    found: FoundFiles,
    train: Mapping[str, list[ImageFile]],
    held_out: Mapping[str, list[ImageFile]],
    left_out: Reasons,
    warnings: list[str],
    is_readable: Callable[[ImageFile], bool],
) -> FolderScan:
    """The classes of which a training image can be read, with their labels."""
    classes: list[str] = []
    splits: tuple[list[ImageFile], list[ImageFile]] = ([], [])
    single: list[str] = []
    lost: list[str] = []
    for name, images in train.items():
        rest = held_out.get(name, [])
        if not any(map(is_readable, images)):
            rescued = next(filter(is_readable, rest), None)
            if rescued is None:
                lost.append(name)
                for image in (*images, *rest):
                    left_out.add("images of a class of which none can be read", image.relative)
                continue
            images, rest = [*images, rescued], [image for image in rest if image is not rescued]
        if len(images) == 1 and not rest:
            single.append(name)
        for split, of_class in zip(splits, (images, rest), strict=True):
            ordered = sorted(of_class, key=_by_name)
            split += [replace(image, label=len(classes)) for image in ordered]
        classes.append(printable(name))
    if not classes:
        raise DataUnavailable(
            f"None of the {len(found.images)} images in {found.folder} can be read.",
            "Check that they open in a viewer, or choose another folder.",
        )
    if lost:
        warnings.append(f"No image of {listed(lost)} can be read: left out as a class.")
    if single:
        warnings.append(f"{listed(single)} {'has' if len(single) == 1 else 'have'} one image each, and none held out.")
    return FolderScan(
        found.folder, tuple(classes), tuple(splits[0]), tuple(splits[1]), left_out.listed(), tuple(warnings)
    )
