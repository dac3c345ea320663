"""A picture says in other programs how it was made, and pictures of theirs are named here."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ml.config import SampleRequest
from ml.export import files
from ml.export.metadata import Layout, Unstamped
from ml.export.other_programs import EXIF, USER_COMMENT, maker, parameters
from ml.system.versions import versions

REQUEST = SampleRequest(labels=(3, 1, 3), seed=7, steps=12, guidance=2.5, model="digits", model_hash="0123456789" * 6)
PARAMETERS = (
    "3, 1\nSteps: 12, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 2.5, Seed: 7, Size: 28x28, "
    f"Model hash: 0123456789, Model: digits, Batch size: 3, Version: Noiseloom {versions()['noiseloom']}"
)
COMFY = '{"3": {"class_type": "KSampler", "inputs": {"seed": 5}}}'


def test_the_text_is_what_automatic1111_writes() -> None:
    assert parameters(REQUEST, Layout(), 28) == PARAMETERS


def test_the_text_follows_prompt_classes_and_seeds_and_names_no_folder() -> None:
    typed = REQUEST.with_changes(
        prompt="a cat\n or a dog", labels=(0,), seeds=(99,), model="/home/ann/my, own.safetensors", model_hash=""
    )
    text = parameters(typed.with_changes(sampler="ddim", spacing="uniform"), Layout(classes=("cat",)), 64)
    prompt, line = text.splitlines()
    assert prompt == "a cat or a dog"
    assert line.startswith("Steps: 12, Sampler: DDIM, CFG scale: 2.5, Seed: 99, Size: 64x64, Model: ")
    assert '"my, own"' in line and "ann" not in text and "Batch" not in text
    named = REQUEST.with_changes(labels=(1, -1))
    assert parameters(named, Layout(classes=("cat", "dog")), 28).startswith("dog\n")


def test_an_exported_png_carries_both_texts(tmp_path: Path) -> None:
    path = tmp_path / "digits.png"
    request = REQUEST.with_changes(prompt="drei „π“ 雑音")
    files.save(path, np.zeros((3, 28, 28), np.uint8), request, Layout())
    with Image.open(path) as image:
        assert image.info["parameters"] == parameters(request, Layout(), 28)
        assert image.info["parameters"].startswith("drei „π“ 雑音\n")
    assert files.read_request(path) == (request, Layout())


def saved(path: Path, kind: str, **chunks: str) -> Path:
    texts = PngImagePlugin.PngInfo()
    for key, text in chunks.items():
        texts.add_text(key, text)
    Image.new("RGB", (8, 8)).save(path, kind, pnginfo=texts)
    return path


@pytest.mark.parametrize(
    ("program", "chunks"),
    [
        ("AUTOMATIC1111", {"parameters": "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"}),
        ("ComfyUI", {"prompt": COMFY, "workflow": "{}"}),
        ("ComfyUI", {"prompt": COMFY, "parameters": "a cat\nSteps: 20"}),
        ("InvokeAI", {"invokeai_metadata": "{}"}),
        ("InvokeAI", {"sd-metadata": "{}", "Dream": "a cat -s 50"}),
    ],
)
def test_a_picture_of_another_program_is_named_in_one_sentence(
    tmp_path: Path, program: str, chunks: dict[str, str]
) -> None:
    path = saved(tmp_path / "cat.png", "PNG", **chunks)
    with pytest.raises(Unstamped) as raised:
        files.read_stamp(path)
    assert raised.value.message == (
        f"cat.png was made with {program}, and can't be generated again here: its model isn't one of Noiseloom's."
    )


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-8"])
def test_the_text_of_a_jpeg_or_webp_is_in_its_exif(tmp_path: Path, kind: str, encoding: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF)[USER_COMMENT] = b"UNICODE\0" + "a cat\nSteps: 20, Seed: 3".encode(encoding)
    path = tmp_path / f"cat.{kind.lower()}"
    Image.new("RGB", (8, 8)).save(path, kind, exif=exif)
    with pytest.raises(Unstamped, match="made with AUTOMATIC1111"):
        files.read_stamp(path)


def test_any_other_picture_names_no_program(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, kind, comment="Steps: none")
        with Image.open(buffer) as image:
            assert maker(image) == ""
    with pytest.raises(Unstamped, match="carries no Noiseloom request"):
        files.read_stamp(saved(tmp_path / "x.png", "PNG", Software="GIMP"))
