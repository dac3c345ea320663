"""No export is ever half there: not where the disk gives out, and not where the program is killed."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desktop_app import lesson_file
from desktop_app.settings import GenerateSettings
from ml.config import SampleRequest
from ml.errors import CannotWrite
from ml.export import files
from ml.export.formats import FORMATS
from ml.export.metadata import Layout
from ml.registry import model_cards
from ml.registry.local_models import export_model
from ml.registry.run_layout import MODEL_FILE
from tests.patience import WAIT_S
from tests.support.full_disk import disk, small_files

REPO = Path(__file__).resolve().parents[3]
REQUEST = SampleRequest(labels=tuple(range(10)) * 4, seed=3)
FILM = [np.random.default_rng(step).integers(0, 255, (40, 28, 28), np.uint8) for step in range(5)]
Writer = Callable[[Path], object]


def images(suffix: str) -> Writer:
    kind = "x_t" if FORMATS[suffix].animated else "images"
    return lambda folder: files.save(folder / f"x{suffix}", FILM[-1], REQUEST, Layout(columns=8, kind=kind), FILM)


def digits(folder: Path) -> object:
    return files.save_digits(folder, FILM[-1], REQUEST, scale=8)


def lesson(folder: Path) -> object:
    long = "?" * 600
    words = {"title": "A", "question": long, "answer": long, "page": "generate", "generate": GenerateSettings()}
    return lesson_file.write(folder / f"x{lesson_file.SUFFIX}", lesson_file.Lesson.model_validate(words))


WRITERS: dict[str, Writer] = {suffix: images(suffix) for suffix in FORMATS}
WRITERS |= {"digits": digits, "lesson": lesson}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Writer:
    return WRITERS[request.param]


def test_an_export_that_grows_too_large_leaves_the_one_before(tmp_path: Path, write: Writer) -> None:
    with small_files(700), pytest.raises(CannotWrite):
        write(tmp_path)
    assert contents(tmp_path) == {}
    write(tmp_path)
    before = contents(tmp_path)
    assert before
    with small_files(700), pytest.raises(CannotWrite, match="larger than this place allows"):
        write(tmp_path)
    assert contents(tmp_path) == before


def test_an_export_to_a_full_disk_leaves_the_one_before(tmp_path: Path, write: Writer) -> None:
    with disk(tmp_path / "disk") as small:
        write(small.path)
        small.fill()
        before = contents(small.path)
        with pytest.raises(CannotWrite, match="the disk is full"):
            write(small.path)
        assert contents(small.path) == before


def test_a_model_and_its_card_are_exported_together_or_not_at_all(tmp_path: Path, tiny_run: Path) -> None:
    card = model_cards.card(tiny_run / MODEL_FILE)
    assert card
    with small_files(10_000), pytest.raises(CannotWrite):
        export_model(card, tmp_path / "copy.safetensors")
    assert contents(tmp_path) == {}


KILLED = """
import sys, signal
from pathlib import Path
import numpy as np
from ml.config import SampleRequest
from ml.export import files
from ml.export.metadata import Layout

folder, suffix = Path(sys.argv[1]), sys.argv[2]
film = list(np.random.default_rng(0).integers(0, 255, (60, 10, 28, 28), np.uint8))

def look(done, total):
    if any(path.stat().st_size for path in folder.glob(".film-*")):
        print("half-written", flush=True)
        signal.pause()

files.save(folder / f"film{suffix}", film[-1], SampleRequest(labels=(3,) * 10), Layout(columns=5), film, look)
print("whole", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "pause"), reason="waits and is killed as Unix does")
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_export_that_is_killed_leaves_the_one_before(tmp_path: Path, suffix: str) -> None:
    film = tmp_path / f"film{suffix}"
    film.write_bytes(b"the one before")
    command = [sys.executable, "-c", KILLED, str(tmp_path), suffix]
    with subprocess.Popen(command, cwd=REPO, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == "half-written\n"
        process.kill()
        assert process.wait(WAIT_S) == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the half-written one has another name
    assert film.read_bytes() == b"the one before"
