"""Writes the corpus: one file of each kind as the present version writes it, into `tests/corpus/vN`.

Run `python -m tests.corpus.make` once, when a version of a format is about to be left behind, and commit what it
writes; what older versions wrote stays as it is for good.
"""

import os
import shutil
import tempfile
from pathlib import Path

from desktop_app import lesson_file
from desktop_app.settings import AppSettings, GenerateSettings, TrainSettings, save_settings, settings_file
from ml.config import SampleRequest
from ml.events import Frame, Sampled
from ml.export import files
from ml.export.formats import FORMATS
from ml.export.metadata import Layout
from ml.generation import pipeline
from ml.imaging.pixels import film
from ml.registry import model_cards, presets
from ml.registry.local_models import export_model
from ml.system.folder_lock import LOCK_FILE
from ml.tracking.loggers import FOLDER as TENSORBOARD
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config

HERE = Path(__file__).parent
VERSION = 1
SMALL = {"network": "unet", "widths": [8], "patch": 4, "embedding": 8}
STEPS = 4


def write(folder: Path, scratch: Path) -> None:
    """The whole corpus of this version."""
    folder.mkdir()
    _run(folder / "run", few_digits(scratch / "data"))
    _pictures(folder)
    _words(folder)


def _run(folder: Path, data_root: Path) -> None:
    """A short run."""
    config = tiny_config(model=SMALL, data="mnist", steps=STEPS, batch_size=8, optimizer="muon", file_precision="fp16")
    list(train(config, folder, device="cpu", data_root=data_root))
    shutil.rmtree(folder / TENSORBOARD)
    (folder / LOCK_FILE).unlink()


def _pictures(folder: Path) -> None:
    """A picture, sheet, film and file of arrays of each kind, drawn by the run's model."""
    card = model_cards.card(folder / "run" / "model.safetensors")
    assert card
    model = export_model(card, folder / "model.safetensors")
    request = SampleRequest(model=str(model), labels=(3, 8), steps=2, seed=5)
    *frames, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled)
    steps = film([frame for frame in frames if isinstance(frame, Frame)], 2)
    named = done.request.with_changes(model="model.safetensors")
    for suffix in FORMATS:
        kind = FORMATS[suffix].kind()
        layout = Layout(columns=2, scale=2, kind=kind)
        files.save(folder / f"digits{suffix}", done.images, named, layout, steps)


def _words(folder: Path) -> None:
    """Settings, a preset and a lesson."""
    generate = GenerateSettings(prompt="3,8", seed=11, guidance=2.5)
    save_settings(AppSettings(generate=generate, train=TrainSettings(preset="standard", minutes=7), theme="dark"))
    shutil.move(settings_file(), folder / "settings.json")
    (folder / "preset.json").write_text(presets.load("quality").model_dump_json(indent=1), encoding="utf-8")
    words = {"title": "One", "question": "Which?", "answer": "This.", "page": "generate", "hidden": ("Sampler",)}
    lesson = lesson_file.Lesson.model_validate(words | {"generate": generate})
    lesson_file.write(folder / f"lesson{lesson_file.SUFFIX}", lesson)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NOISELOOM_HOME"] = scratch
        write(HERE / f"v{VERSION}", Path(scratch))
