"""ONNX: ONNX Runtime computes what the model computes, and the Python file beside it draws."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.config import NO_LABEL, SampleRequest
from ml.diffusion.schedules import grid_of, schedule_of
from ml.errors import BadRequest
from ml.evaluation.judge import Judge
from ml.export import onnx_file
from ml.generation.conditioning import condition_of
from ml.generation.denoising_module import DenoisingModule
from ml.generation.loaded_model import LoadedModel, load
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, save
from ml.registry.diffusers_folder import read
from ml.specs import DRAWING
from tests.patience import WAIT_S
from tests.support.tiny_pipeline import make_scheduler, make_unet, save_pipeline

onnx: Any = pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")

FAST = ("shuffle-flow", "latent")


def drawing_models() -> list[Any]:
    names = [card.name for card in model_cards.cards() if card.bundled and card.header.model.network in DRAWING]
    return [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in names]


def check(model: LoadedModel, path: Path, most: float = 1e-4) -> None:
    """Every output at every level of the model's own grid is ours, for a number of images that was not traced."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    channels, side = model.config.codes
    labels = (*range(model.config.num_classes), NO_LABEL)[-3:]
    condition, _ = condition_of(model, SampleRequest(labels=labels, prompt="a bold seven"), slice(None))
    generator = torch.Generator().manual_seed(0)
    for level in grid_of(schedule_of(model.config), model.header.defaults):
        x = level.alpha + level.sigma * torch.randn(len(labels), channels, side, side, generator=generator)
        given = x, torch.tensor(level), condition
        with torch.no_grad():
            expected = DenoisingModule(model)(*given)
        names = ("x", "level", "condition")
        found = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)})
        for ours, theirs in zip(expected, found, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=most)


@pytest.mark.parametrize("name", drawing_models())
def test_onnx_runtime_computes_what_the_model_computes(name: str, tmp_path: Path) -> None:
    model = load(name, "cpu")
    sentence = onnx_file.write(model, tmp_path / "x.onnx")
    proto: Any = onnx.load(tmp_path / "x.onnx")
    onnx.checker.check_model(proto)
    assert proto.doc_string == sentence and sentence.count(". ") == 0
    assert [each.name for each in proto.graph.input] == ["x", "level", "condition"]
    check(model, tmp_path / "x.onnx")


def test_a_model_from_diffusers_is_written_with_and_without_classes(tmp_path: Path) -> None:
    for classes in (3, None):
        folder = tmp_path / f"{classes}"
        flow = make_scheduler("FlowMatchEulerDiscreteScheduler")
        found = read(save_pipeline(folder, make_unet(num_class_embeds=classes), flow))
        header = ModelHeader(model=found.model, defaults=found.defaults.with_changes(steps=4))
        save(folder / "x.safetensors", found.weights, header)
        model = load(str(folder / "x.safetensors"), "cpu")
        onnx_file.write(model, folder / "x.onnx")
        check(model, folder / "x.onnx")
    assert draw(folder / "x.py").shape == (8, 80)


def draw(script: Path, *arguments: str) -> np.ndarray[Any, Any]:
    """Run the Python file where nothing but numpy and ONNX Runtime can be imported; the picture that it writes."""
    blocked = ("torch", "ml", "PIL", "onnx", "safetensors", "scipy")
    run = f"import sys, runpy; sys.modules.update(dict.fromkeys({blocked})); sys.argv[:1] = []; "
    command = [sys.executable, "-c", f"{run} runpy.run_path(sys.argv[0], run_name='__main__')", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, cwd=script.parent)
    assert done.returncode == 0, done.stderr
    picture = next(script.parent.glob(f"{script.stem}.p?m"))
    header, pixels = picture.read_bytes().split(b"\n", 1)
    kind, width, height, most = header.split()
    assert most == b"255"
    shape = (int(height), int(width)) if kind == b"P5" else (int(height), int(width), 3)
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def test_the_python_file_draws_every_digit_that_it_is_asked_for(tmp_path: Path) -> None:
    onnx_file.write(load("shuffle-flow", "cpu"), tmp_path / "digits.onnx")
    assert len((tmp_path / "digits.py").read_text().splitlines()) <= 34
    picture = draw(tmp_path / "digits.py", "20", "5")
    digits = np.stack(np.hsplit(picture, 20))
    verdict = Judge.bundled().judge(digits)
    assert sum(label == k % 10 for k, label in enumerate(verdict.labels)) >= 18


def test_without_noise_the_estimate_is_the_image_itself() -> None:
    model = load("shuffle-flow", "cpu")
    header = model.header.with_changes(model=model.config.with_changes(prediction="x0", schedule="cosine"))
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    (found,) = DenoisingModule(replace(model, header=header))(x, torch.tensor([0.0, 1.0, 0.0]), torch.tensor([3, 4]))
    assert torch.equal(found, x)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["colour", "colour-latent", "text", "student", "unconditional"])
def test_the_python_file_of_every_kind_of_model_draws(name: str, tmp_path: Path) -> None:
    onnx_file.write(load(name, "cpu"), tmp_path / "x.onnx")
    picture = draw(tmp_path / "x.py", "20")
    assert picture.std() > 20
    if name in ("text", "student"):
        verdict = Judge.bundled().judge(np.stack(np.hsplit(picture, 20)))
        assert sum(label == k % 10 for k, label in enumerate(verdict.labels)) >= 18


def test_bad_names_and_a_missing_package_are_said_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("shuffle-flow", "cpu")
    with pytest.raises(BadRequest, match="not a name of an ONNX file"):
        onnx_file.write(model, tmp_path / "x.txt")
    (tmp_path / "data.py").write_text("precious")
    with pytest.raises(BadRequest, match=r"data\.py is in that folder"):
        onnx_file.write(model, tmp_path / "data.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BadRequest, match="needs the package onnx"):
        onnx_file.write(model, tmp_path / "x.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["data.py"]
    assert (tmp_path / "data.py").read_text() == "precious"
