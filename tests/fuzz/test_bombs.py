"""Files made with intent: bombs, pickles that would act, archives and links that lead out of their folder."""

import base64
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from desktop_app import lesson_file, project_file
from ml.config import SampleRequest, parse
from ml.data import cifar10, datasets
from ml.errors import BadFile, NoiseloomError
from ml.export.files import read_stamp
from ml.models import openai_clip
from ml.registry import import_weights
from ml.registry.presets import read_config
from tests.fuzz.formats import NAMES
from tests.fuzz.watch import FEW_S, MOST_S, open_one
from tests.patience import WAIT_S

LARGE, MANY = struct.pack(">IIII", 0x803, 60_000, 70, 70), struct.pack(">II", 0x801, 2**26 - 100)
SIDE = 30_000  # of pictures that are nearly a thousand million pixels, black


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(side: int, *more: bytes) -> bytes:
    """A black picture, compressed a thousand times."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side if side <= 4000 else 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_of(size: int) -> bytes:
    return chunk(b"zTXt", b"noiseloom\0\0" + zlib.compress(bytes(size)))


def animated_gif() -> bytes:
    """A thousand pictures of 4000 x 4000, each of which changes one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0x80, 0, 0) + bytes(6)
    picture = b"\x21\xf9\x04\x08\x01\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return screen + picture * 1000 + b";"


def webp(side: int) -> bytes:
    """An animation that claims a canvas of that side."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in range(3)]
    frames[0].save(buffer, "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    content, size = buffer.getvalue(), (side - 1).to_bytes(3, "little")
    assert content[12:16] == b"VP8X"
    return content[:24] + size + size + content[30:]


def npz(shape: tuple[int, ...], content: int) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as file:
        file.write(header.getvalue())
        for _ in range(content // 2**20):
            file.write(bytes(2**20))
    return buffer.getvalue()


def project(files: dict[str, int], text: bytes = b"", directory: int = 0) -> bytes:
    """A project of files of so many zeros, packed, and maybe a list of many more."""
    results = ",".join(f'{{"file":"{name}","page":"generate","made":1}}' for name in files)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(project_file.CONTENT, text or f'{{"results":[{results}]}}'.encode())
        for name, size in files.items():
            archive.writestr(name, bytes(size))
        for number in range(directory):
            archive.writestr(f"{number}", b"")
    return buffer.getvalue()


def zeros(size: int, first: bytes = b"") -> bytes:
    return gzip.compress(first + bytes(size), mtime=0)


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry, content in entries:
            entry.size = entry.size or len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def long_name() -> bytes:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 2**27
    return gzip.compress(entry.tobuf(tarfile.USTAR_FORMAT) + bytes(2**27))


def svg(images: int) -> bytes:
    one = f'<image href="data:image/png;base64,{base64.b64encode(png(3000)).decode()}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg">{one * images}</svg>'.encode()


def entities() -> bytes:
    layers = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(12))
    return f'<!DOCTYPE x [<!ENTITY a0 "ha">{layers}]><svg><metadata>&a12;</metadata></svg>'.encode()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a PNG of 900 million pixels": ("png", lambda: png(SIDE)),
    "a PNG of 16 million": ("png", lambda: png(4000)),
    "a PNG with a text of 60 MB": ("png", lambda: png(30, text_of(6 * 10**7))),
    "a GIF of a thousand large pictures": ("gif", animated_gif),
    "a WebP of 256 million pixels": ("webp", lambda: webp(16_000)),
    "an NPZ that unpacks to 400 MB": ("npz", lambda: npz((400 * 2**20,), 400 * 2**20)),
    "an NPZ that claims a thousand GB": ("npz", lambda: npz((10**6, 1000, 1000), 2**20)),
    "an NPZ of 100 MB": ("npz", lambda: npz((100, 1024, 1024), 100 * 2**20)),
    "an SVG of many large pictures": ("svg", lambda: svg(50)),
    "an SVG that repeats itself": ("svg", entities),
    "an IDX file that unpacks to 300 MB": ("idx gzip", lambda: zeros(3 * 10**8, LARGE)),
    "an IDX file of 64 million labels": ("idx gzip", lambda: zeros(2**26 - 100, MANY)),
    "an archive with a name of 128 MB": ("cifar archive", long_name),
    "a picture of 900 million pixels in a folder": ("image folder", lambda: png(SIDE)),
    "a picture of 12 million pixels in a folder": ("image folder", lambda: png(3500)),
    "a WebP of 256 million pixels in a folder": ("image folder", lambda: webp(16_000)),
    "a lesson of brackets": ("lesson", lambda: b"[" * 900_000),
    "a configuration of a hundred thousand wrong values": (
        "configuration", lambda: b'{"model":{"widths":[' + b'"a",' * 350_000 + b'"a"]}}'
    ),
    "a project that unpacks to 400 MB": ("project", lambda: project({"results/0.png": 4 * 10**8})),
    "a project of ten thousand files": ("project", lambda: project({}, directory=10_000)),
    "a project described in 100 MB": ("project", lambda: project({}, bytes(10**8))),
    "a history of one huge entry": ("history", lambda: b'{"about":"' + b"y" * 10**7 + b'"}'),
    "settings of ten MB": ("settings", lambda: b'{"x":"' + b"y" * 10**7 + b'"}'),
    "a card of ten MB": ("model card", lambda: b'{"title":"' + b"y" * 10**7 + b'"}'),
}  # fmt: skip


@pytest.mark.parametrize(
    "most_s", [FEW_S, pytest.param(MOST_S, marks=pytest.mark.slow)], ids=["in time", "in a second"]
)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_does_not_go_off(bomb: str, most_s: float) -> None:
    name, content = BOMBS[bomb]
    form = NAMES[name]
    open_one(form, form.wrap(form.seeds()[0]))  # what is imported and built once
    open_one(form, content(), most_s)


def test_many_wrong_values_are_not_listed_one_by_one() -> None:
    with pytest.raises(BadFile, match=r"20000[01] values are wrong"):
        parse(SampleRequest, json.dumps({"labels": ["a"] * 90_000, "seeds": [-1] * 110_000}), "x")


# ---- pickles


class Acting:
    """A thing whose pickle calls something."""

    def __init__(self, what: object, *arguments: object) -> None:
        self.what, self.arguments = what, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.what, self.arguments


def as_torch(content: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in (("data.pkl", content), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"archive/{name}", text)
    return buffer.getvalue()


def tuples(depth: int) -> bytes:
    """A dictionary whose key is a tuple of a tuple, twice each, and so on: a few bytes, and endless to hash."""
    return b"\x80\x02}q\x00)q\x01" + b"h\x01h\x01\x86q\x01" * depth + b"K\x01s."


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "deletes": lambda victim: pickle.dumps({"w": Acting(os.remove, str(victim))}, 2),
    "writes": lambda victim: pickle.dumps({"w": Acting(open, str(victim), "w")}, 2),
    "runs a shell": lambda victim: pickle.dumps({"w": Acting(os.system, f"rm {victim}")}, 2),
    "runs code": lambda victim: pickle.dumps({"w": Acting(exec, f"import os; os.remove({str(victim)!r})")}, 2),
    "takes all memory": lambda _: pickle.dumps({"w": Acting(bytearray, 10**10)}, 2),
    "never ends": lambda _: tuples(60),
}


@pytest.mark.parametrize("loader", [import_weights.plain_tensors, openai_clip.load], ids=["model", "CLIP"])
@pytest.mark.parametrize("legacy", [False, True], ids=["archive", "bare"])
@pytest.mark.parametrize("deed", PICKLES)
def test_a_pickle_that_would_act_is_refused(
    tmp_path: Path, deed: str, legacy: bool, loader: Callable[[Path], object]
) -> None:
    victim = tmp_path / "precious.txt"
    victim.write_text("mine")
    content = PICKLES[deed](victim)
    path = tmp_path / "x.pt"
    path.write_bytes(content if legacy else as_torch(content))
    with pytest.raises(BadFile):
        loader(path)
    assert victim.read_text() == "mine"
    form = NAMES["foreign pt"]
    open_one(form, form.seeds()[0])
    open_one(form, path.read_bytes())


def test_a_compressed_file_of_weights_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save({"w": torch.zeros(10**8, dtype=torch.uint8)}, whole)
    packed = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert len(packed.getvalue()) < 10**6
    (tmp_path / "x.pt").write_bytes(packed.getvalue())
    with pytest.raises(BadFile, match="nothing in it was run"):
        import_weights.plain_tensors(tmp_path / "x.pt")


def test_weights_that_are_only_weights_are_read(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 2), "b": torch.arange(4), "c": torch.randn(5).bfloat16(), "d": torch.tensor(True)}
    parameters = {"e": torch.nn.Parameter(torch.ones(2))}
    for new in (True, False):
        torch.save(
            {"state_dict": weights | parameters, "step": 3, "kind": torch.bfloat16, "size": torch.Size([2])},
            tmp_path / "x.pt",
            _use_new_zipfile_serialization=new,
        )
        found = import_weights.plain_tensors(tmp_path / "x.pt")
        assert found.keys() == {*"abcde"} and all(torch.equal(found[name], weights[name]) for name in weights)


# ---- paths


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.REGTYPE])
def test_an_archive_leads_nowhere(tmp_path: Path, kind: bytes) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(cifar10.RECORD))
    entry = tarfile.TarInfo(f"../../{secret.name}" if kind == tarfile.REGTYPE else f"{cifar10.FOLDER}/test_batch.bin")
    entry.type, entry.linkname = kind, str(secret)
    root = tmp_path / "data"
    root.mkdir()
    (root / cifar10.ARCHIVE).write_bytes(gzip.compress(tar((entry, b""))))
    with pytest.raises(BadFile):
        datasets.load("cifar10", root, "test")
    assert [path.name for path in root.iterdir()] == [cifar10.ARCHIVE] and secret.read_bytes() == bytes(cifar10.RECORD)


def test_links_out_of_a_folder_of_images_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for folder in (outside, inside / "a", inside / "b"):
        folder.mkdir(parents=True)
        Image.new("L", (32, 32), 200).save(folder / "x.png")
    (inside / "a" / "link.png").symlink_to(outside / "x.png")
    (inside / "linked").symlink_to(outside)
    (inside / "a" / "up.png").symlink_to(inside / "a" / ".." / ".." / "outside" / "x.png")
    assert datasets.load(f"folder:{inside}").classes == ("a", "b")
    names = [path.name for path in inside.rglob("*.png") if not path.is_symlink()]
    assert len(names) == 2


def test_names_in_an_npz_lead_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "in" / "x.npz"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.npy", b"x")
        archive.writestr("noiseloom.npy", b"x")
    with pytest.raises(BadFile):
        read_stamp(path)
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == ["x.npz"]


@pytest.mark.timeout(WAIT_S)
@pytest.mark.parametrize(
    "name", ["x.png", "x.svg", "x.npz", "x.mp4", "x.pt", "x.safetensors", "x.json", "x.noiseloom-lesson"]
)
def test_a_pipe_under_the_name_of_a_file_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    opens: dict[str, Callable[[Path], object]] = {
        ".json": read_config, ".pt": import_weights.plain_tensors, ".safetensors": import_weights.plain_tensors,
        lesson_file.SUFFIX: lesson_file.read,
    }  # fmt: skip
    with pytest.raises(NoiseloomError):
        opens.get(path.suffix, read_stamp)(path)
