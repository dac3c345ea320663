"""Every file that the program opens: valid ones to begin from, and how it opens them."""

import gzip
import html
import io
import json
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, features

from desktop_app import history_file, lesson_file, model_preview, project_file, settings
from desktop_app.tasks.projects import open_project
from ml.config import SampleRequest
from ml.control import RunControl
from ml.data import cifar10, datasets, survey_cache
from ml.data.image_reader import Unreadable, read, read_grey
from ml.data.survey import ClassCount, LeftOut, Survey, strip
from ml.errors import BadFile
from ml.experiments import comparison_figure
from ml.experiments.axes import Axis
from ml.experiments.cells import Cell
from ml.export import files, npz, other_programs, plot_metadata
from ml.imaging import embedded_png
from ml.imaging.png import text_chunk
from ml.models import openai_clip
from ml.registry import diffusers_folder, import_weights, model_cards
from ml.registry.checkpoint import load_model, load_state, load_state_header
from ml.registry.presets import read_config
from ml.specs import PIPELINE_INDEX
from ml.tracking import preview_history
from ml.tracking.run_folder import RunFolder
from tests.fuzz.mutations import png_repaired
from tests.support.tiny_pipeline import write_pipeline

CORPUS = Path(__file__).parents[1] / "corpus" / "v1"
STAMP = "noiseloom"


def _as_it_is(content: bytes) -> bytes:
    return content


@dataclass(frozen=True)
class Format:
    """A kind of file: what is mutated, what is made of that, where it lies in its folder, and what opens it."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    file: str
    open: Callable[[Path], object]
    wrap: Callable[[bytes], bytes] = _as_it_is
    moves: bool = False  # the file may be put aside

    def place(self, folder: Path, content: bytes) -> Path:
        """Write the file into its folder."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


def _old(*names: str) -> Callable[[], list[bytes]]:
    return cache(lambda: [(CORPUS / name).read_bytes() for name in names])


# ---- models


def _header(*names: str) -> Callable[[], list[bytes]]:
    """The descriptions of model files."""

    def read() -> list[bytes]:
        found = []
        for name in names:
            content = (CORPUS / name).read_bytes()
            (length,) = struct.unpack("<Q", content[:8])
            found.append(json.loads(content[8 : 8 + length])["__metadata__"][STAMP].encode())
        return found

    return cache(read)


def _described(name: str) -> Callable[[bytes], bytes]:
    """A model file with that description in it."""

    def wrap(text: bytes) -> bytes:
        content = (CORPUS / name).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"][STAMP] = text.decode("utf-8", "replace")
        changed = json.dumps(header).encode()
        return struct.pack("<Q", len(changed)) + changed + content[8 + length :]

    return wrap


def _open_model(path: Path) -> None:
    model_cards.card(path)
    load_model(path)


def _open_state(path: Path) -> None:
    load_state_header(path)
    load_state(path)


def _open_weights(path: Path) -> None:
    import_weights.matching_kinds(import_weights.plain_tensors(path), path.name)


@cache
def _torch_files() -> list[bytes]:
    found = []
    weights = {"conv.weight": torch.zeros(4, 2, 3, 3), "conv.bias": torch.ones(4).half(), "n": torch.arange(3)}
    for content in (weights, {"state_dict": weights, "epoch": 3}, torch.nn.Linear(3, 2).state_dict()):
        for new in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=new)
            found.append(buffer.getvalue())
    return found


@cache
def _pipeline() -> dict[str, bytes]:
    """The files of a small pipeline of diffusers, by their names in its folder."""
    with TemporaryDirectory() as name:
        folder = write_pipeline(Path(name) / "pipeline")
        return {file: (folder / file).read_bytes() for file in PIPELINE}


def _of_a_pipeline(file: str) -> Callable[[], list[bytes]]:
    return lambda: [_pipeline()[file]]


def _open_pipeline(path: Path) -> None:
    """With the other files of a good pipeline beside it."""
    folder = path.parent if path.name == PIPELINE_INDEX else path.parents[1]
    for file, content in _pipeline().items():
        if not (folder / file).exists():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(content)
    diffusers_folder.read(folder)


# ---- pictures


def _open_export(path: Path) -> None:
    files.read_pixels(path)
    stamp = files.read_stamp(path)
    embedded_png.pixels_of(stamp.request.source, 1, 28)
    if stamp.comparison:
        comparison_figure.axes_of(stamp.comparison)
        comparison_figure.requests_of(stamp)


@cache
def _foreign() -> list[bytes]:
    """Pictures of other image programs: their text chunks, and the EXIF of a JPEG and a WebP."""
    image, found = Image.new("RGB", (12, 12)), []
    for key in ("parameters", "workflow", "invokeai_metadata"):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", pnginfo=text_chunk("", {key: '{"steps": 3}'}))
        found.append(buffer.getvalue())
    exif = Image.Exif()
    exif.get_ifd(other_programs.EXIF)[other_programs.USER_COMMENT] = b"UNICODE\0" + "a cat\nSteps: 3".encode(
        "utf-16-be"
    )
    for kind in ("JPEG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, kind, exif=exif)
        found.append(buffer.getvalue())
    return found


@cache
def _figure() -> list[bytes]:
    request = SampleRequest(labels=(3,), model="digits")
    cells = [Cell(k, 0, request.with_changes(steps=k + 1), np.zeros((1, 28, 28), np.uint8), 0.1, 1.0) for k in range(2)]
    with TemporaryDirectory() as folder:
        comparison_figure.save(Path(folder) / "x.png", Axis("steps", (1, 2)), None, cells)
        return [(Path(folder) / "x.png").read_bytes()]


def _figure_text() -> list[bytes]:
    with Image.open(io.BytesIO(_figure()[0])) as image:
        return [str(image.info[STAMP]).encode()]


def _in_a_figure(text: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (30, 30)).save(buffer, "PNG", pnginfo=text_chunk(text.decode("latin-1")))
    return buffer.getvalue()


@cache
def _arrays() -> list[bytes]:
    found = []
    for array in (np.zeros((2, 28, 28), np.uint8), np.array("{}"), np.arange(4)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found


def _in_an_npz(array: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("images", "labels", STAMP):
            archive.writestr(f"{name}.npy", array)
    return buffer.getvalue()


def _open_arrays(path: Path) -> None:
    try:
        npz.read_arrays(path)
    finally:
        _open_export(path)


# ---- data


@cache
def _idx() -> list[bytes]:
    images = struct.pack(">IIII", 0x803, 20, 28, 28) + bytes(20 * 784)
    return [images, struct.pack(">II", 0x801, 20) + bytes(range(10)) * 2]


def _gzipped() -> list[bytes]:
    return [gzip.compress(content, mtime=0) for content in _idx()]


def _open_idx(path: Path) -> None:
    """As images with good labels, and as labels with good images."""
    folder, suffix = path.parent, path.suffix
    names = [f"train-{name}-ubyte{suffix}" for name in ("images-idx3", "labels-idx1")]
    good = _gzipped() if suffix else _idx()
    content, errors = path.read_bytes(), []
    for mutated in range(2):
        for k, name in enumerate(names):
            (folder / name).write_bytes(content if k == mutated else good[k])
        try:
            datasets.load("mnist", folder)
        except BadFile as error:
            errors.append(error)
    if errors:
        raise errors[0]


@cache
def _batches() -> list[bytes]:
    return [bytes([3, *bytes(3072)]) * 5]


@cache
def _tars() -> list[bytes]:
    found = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
            for name in ("README", *cifar10.FILES["test"]):
                entry = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
                entry.size = len(_batches()[0])
                archive.addfile(entry, io.BytesIO(_batches()[0]))
        found.append(buffer.getvalue())
    return found


def _open_cifar(path: Path) -> None:
    datasets.load("cifar10", path.parent, "test")


@cache
def _photographs() -> list[bytes]:
    image = Image.fromarray((np.arange(64 * 48 * 3) % 251).astype(np.uint8).reshape(48, 64, 3))
    found = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        for mode in ("RGB", "L", "P") if kind in ("PNG", "GIF", "TIFF") else ("RGB",):
            buffer = io.BytesIO()
            image.convert(mode).save(buffer, kind)
            found.append(buffer.getvalue())
    deep = np.arange(64 * 48).reshape(48, 64)
    for values, kind in ((deep.astype(np.uint16), "PNG"), (deep.astype(np.uint16), "TIFF"), (deep / 9.0, "TIFF")):
        buffer = io.BytesIO()
        Image.fromarray(values if values.dtype == np.uint16 else values.astype(np.float32)).save(buffer, kind)
        found.append(buffer.getvalue())
    if features.check("avif"):
        buffer = io.BytesIO()
        image.save(buffer, "AVIF")
        found.append(buffer.getvalue())
    return found


def _open_folder(path: Path) -> None:
    datasets.load(f"folder:{path.parent}", None)
    with suppress(Unreadable):
        read(path, 16, "RGB", "whole", "#102030")
    read_grey(path, 28)


@cache
def _zips() -> list[bytes]:
    found = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as packed:
            for name in ("a/x.png", "b/x.png", "b/read me.txt"):
                packed.writestr(name, _photographs()[0])
        found.append(buffer.getvalue())
    return found


@cache
def _tars_of_images() -> list[bytes]:
    found = []
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as packed:
            for name in ("a/x.png", f"b/{'long' * 40}.png"):
                entry = tarfile.TarInfo(name)
                entry.size = len(_photographs()[0])
                packed.addfile(entry, io.BytesIO(_photographs()[0]))
        found.append(buffer.getvalue())
    return found


def _open_archive(path: Path) -> None:
    datasets.load(f"folder:{path}", None)


@cache
def _surveys() -> list[bytes]:
    thumbnails = np.zeros((2, 16, 16, 1), np.uint8)
    found = Survey(
        name="folder:x", classes=(ClassCount(name="a", train=2, held_out=0),), sizes=(), side=16, channels=1,
        thumbnail_labels=(0, 0), thumbnail_strip=strip(thumbnails), left_out=(LeftOut(reason="x", count=1),),
    )  # fmt: skip
    return [found.model_dump_json().encode()]


def _open_survey(path: Path) -> None:
    survey_cache.find(path.stem)


def _open_settings(_: Path) -> None:
    settings.load_settings()


def _open_tables(path: Path) -> None:
    """As a run's losses, losses by noise, and losses on held-out images."""
    content, run = path.read_bytes(), RunFolder(path.parent)
    for table in (run.losses, run.noise, run.validation):
        table.path.write_bytes(content)
        assert len(table.read()) == len(table.columns)
        table.remove_after(3)


def _open_previews(path: Path) -> None:
    preview_history.load_previews(path.parents[1], tuple(range(10)), 28)


@cache
def _told() -> list[bytes]:
    """What plots say of themselves: of a run, and of schedules."""
    config = json.loads((CORPUS / "run/config.json").read_bytes())
    told = ({"runs": {"a": config}, "by_noise": True}, {"schedules": {"timesteps": 100, "digit": 3}})
    return [json.dumps({"noiseloom": "0.1.0"} | each).encode() for each in told]


def _plot_svg(told: bytes) -> bytes:
    return (
        b'<svg xmlns="http://www.w3.org/2000/svg"><desc>'
        + html.escape(told.decode("latin-1")).encode()
        + b"</desc></svg>"
    )


def _plot_csv(told: bytes) -> bytes:
    return b'plot,curve,step,value,made by\nLoss,a,1,2,"' + told.replace(b'"', b'""') + b'"\n'


def _plot_pdf(told: bytes) -> bytes:
    packed = zlib.compress(told)
    return b"%PDF-1.4\n7 0 obj\n<<>>\nstream\n" + packed + b"\nendstream\nendobj\n8 0 obj\n<</EF <</F 7 0 R>>>>\n%%EOF"


def _open_plot(path: Path) -> None:
    if told := plot_metadata.read(path):
        plot_metadata.prove(path, told)


def _whole_plots(*wraps: Callable[[bytes], bytes]) -> Callable[[], list[bytes]]:
    return cache(lambda: [wrap(told) for wrap in wraps for told in _told()])


def _entry() -> list[bytes]:
    small = np.zeros((history_file.SIDE, history_file.SIDE, 3), np.uint8)
    entry = history_file.Entry(page="generate", made=1.0, about="7", thumbnail=embedded_png.to_text(small))
    return [entry.model_dump_json().encode()]


def _open_entry(path: Path) -> None:
    """What is damaged is left out; the others are shown."""
    path.with_suffix(".png").write_bytes((CORPUS / "digits.png").read_bytes())
    history_file.read_all()


@cache
def _projects() -> list[bytes]:
    results = [{"file": "results/0.png", "page": "generate", "made": 1.0}]
    models = [{"file": "models/0.safetensors", "card": "models/0.json", "name": "mine"}]
    project = project_file.Project.model_validate({"title": "a", "results": results, "models": models})
    found = (
        ("results/0.png", "digits.png"),
        ("models/0.safetensors", "model.safetensors"),
        ("models/0.json", "model.json"),
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        project_file.write(path, project, [(name, CORPUS / file) for name, file in found], lambda _done, _total: None)
        return [path.read_bytes()]


def _project_text() -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(_projects()[0])) as archive:
        return [archive.read(project_file.CONTENT)]


def _in_a_project(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(project_file.CONTENT, text)
        archive.writestr("results/0.png", (CORPUS / "digits.png").read_bytes())
    return buffer.getvalue()


def _open_project(path: Path) -> None:
    for _ in open_project(path, RunControl()):
        pass


def _picture_row() -> list[bytes]:
    with TemporaryDirectory() as folder:
        model_preview.write(Path(folder) / "x.png", np.zeros((3, 28, 28), np.uint8), "0" * 64)
        return [(Path(folder) / "x.png").read_bytes()]


def _open_picture_row(path: Path) -> None:
    with suppress(OSError):
        model_preview.read(path)


def _open_card(path: Path) -> object:
    model = path.with_suffix(".safetensors")
    shutil.copyfile(CORPUS / "model.safetensors", model)
    return model_cards.card(model)


PIPELINE = (
    PIPELINE_INDEX, diffusers_folder.CONFIG, diffusers_folder.SCHEDULER, diffusers_folder.WEIGHTS,
)  # fmt: skip
PROJECT = f"x{project_file.SUFFIX}"
LESSON = f"x{lesson_file.SUFFIX}"
PREVIEW = "run/previews/00000004.png"
TABLES = ("run/loss.csv", "run/noise.csv", "run/validation.csv")
FORMATS = (
    Format("model", _old("model.safetensors"), "x.safetensors", _open_model),
    Format("model description", _header("model.safetensors"), "x.safetensors", _open_model,
           _described("model.safetensors")),
    Format("training state", _old("run/checkpoint.safetensors"), "x.safetensors", _open_state),
    Format("training state description", _header("run/checkpoint.safetensors"), "x.safetensors", _open_state,
           _described("run/checkpoint.safetensors")),
    Format("model card", _old("model.json"), "x.json", _open_card),
    Format("foreign pt", _torch_files, "x.pt", _open_weights),
    Format("foreign safetensors", _old("model.safetensors"), "x.safetensors", _open_weights),
    Format("clip safetensors", _old("model.safetensors"), "x.safetensors", openai_clip.load),
    Format("clip pt", _torch_files, "x.pt", openai_clip.load),
    *(Format(f"diffusers {file}", _of_a_pipeline(file), f"x/{file}", _open_pipeline) for file in PIPELINE),
    Format("png", _old("digits.png"), "x.png", _open_export),
    Format("png repaired", _old("digits.png"), "x.png", _open_export, png_repaired),
    Format("apng", _old("digits.apng"), "x.apng", _open_export, png_repaired),
    Format("gif", _old("digits.gif"), "x.gif", _open_export),
    Format("webp", _old("digits.webp"), "x.webp", _open_export),
    Format("svg", _old("digits.svg"), "x.svg", _open_export),
    Format("mp4", _old("digits.mp4"), "x.mp4", _open_export),
    Format("npz", _old("digits.npz"), "x.npz", _open_arrays),
    Format("npz arrays", _arrays, "x.npz", _open_arrays, _in_an_npz),
    Format("picture of another program", _foreign, "x.png", files.read_stamp),
    Format("figure", _figure, "x.png", _open_export, png_repaired),
    Format("figure description", _figure_text, "x.png", _open_export, _in_a_figure),
    Format("plot svg", _whole_plots(_plot_svg), "x.svg", _open_plot),
    Format("plot csv", _whole_plots(_plot_csv), "x.csv", _open_plot),
    Format("plot pdf", _whole_plots(_plot_pdf), "x.pdf", _open_plot),
    Format("plot pdf, inside", _told, "x.pdf", _open_plot, _plot_pdf),
    Format("plot png", _told, "x.png", _open_plot, _in_a_figure),
    Format("previews of a run", _old("run/previews/00000004.png"), PREVIEW, _open_previews, png_repaired),
    Format("tables of a run", _old(*TABLES), "table.csv", _open_tables),
    Format("lesson", _old(f"lesson{lesson_file.SUFFIX}"), LESSON, lesson_file.read),
    Format("configuration", _old("preset.json", "run/config.json"), "x.json", read_config),
    Format("settings", _old("settings.json"), "settings.json", _open_settings, moves=True),
    Format("idx", _idx, "x", _open_idx),
    Format("idx gzip", _gzipped, "x.gz", _open_idx),
    Format("idx in gzip", _idx, "x.gz", _open_idx, gzip.compress),
    Format("cifar", _batches, cifar10.FILES["test"][0], _open_cifar),
    Format("cifar archive", lambda: [gzip.compress(tar, mtime=0) for tar in _tars()], cifar10.ARCHIVE, _open_cifar),
    Format("cifar archive, inside", _tars, cifar10.ARCHIVE, _open_cifar, gzip.compress),
    Format("zip of images", _zips, "x.zip", _open_archive),
    Format("tar of images", _tars_of_images, "x.tar", _open_archive),
    Format("tar.gz of images, inside", _tars_of_images, "x.tar.gz", _open_archive, gzip.compress),
    Format("image folder", _photographs, "class/x.png", _open_folder),
    Format("history", _entry, f"history/{0:020}-00000000.json", _open_entry, moves=True),
    Format("project", _projects, PROJECT, _open_project),
    Format("project description", _project_text, PROJECT, _open_project, _in_a_project),
    Format("pictures of a model", _picture_row, "x.png", _open_picture_row, png_repaired),
    Format("survey", _surveys, "cache/surveys/x.json", _open_survey),
)  # fmt: skip
NAMES = {form.name: form for form in FORMATS}
