"""Noiseloom from Python: the examples of the document, the notebook, and what each function takes and refuses."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ml
from ml import load, sample, save, train
from ml.errors import BadRequest
from ml.events import Frame, RunFinished, TrainStep
from ml.export.files import read_request
from ml.registry import model_cards
from tests.patience import WAIT_S
from tests.support.tiny_model import few_digits, few_synthetic, tiny_config

REPO = Path(__file__).resolve().parents[2]
DOCUMENT, NOTEBOOK = REPO / "docs" / "python.md", REPO / "docs" / "noiseloom.ipynb"


def test_importing_the_functions_imports_no_torch() -> None:
    script = "from ml import load, sample, save, train, evaluate\nimport sys\nprint('torch' in sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert done.stdout.strip() == "False"


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(ml.__all__) == ["evaluate", "load", "sample", "save", "train"]
    with pytest.raises(AttributeError, match="no attribute 'smaple'"):
        ml.smaple  # type: ignore[attr-defined]  # noqa: B018


def test_what_is_drawn_is_what_the_request_says_and_is_saved_with_it(tiny_run: Path, tmp_path: Path) -> None:
    model = load(tiny_run, "cpu")
    drawn = sample(model, labels=[3, 1], count=2, seed=5, steps=2)
    assert drawn.images.shape == (4, 28, 28) and drawn.images.dtype == np.uint8
    assert drawn.request.labels == (3, 1, 3, 1) and (drawn.request.seed, drawn.request.steps) == (5, 2)
    assert drawn.request.guidance == model.header.defaults.guidance
    again = sample(str(tiny_run), "3, 1", seed=5, steps=2, device="cpu")
    assert np.array_equal(again.images, drawn.images[:2]) and again.request.prompt == "3, 1"
    save(tmp_path / "x.png", drawn, columns=2, scale=1)
    request, layout = read_request(tmp_path / "x.png")
    assert request == drawn.request and layout.columns == 2
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.info["parameters"].startswith("3, 1\n")


def test_without_a_prompt_every_class_is_drawn_and_each_step_can_be_followed(
    tiny_run: Path, tiny_unconditional: Path
) -> None:
    frames: list[Frame] = []
    drawn = sample(load(tiny_run, "cpu"), steps=2, on_frame=frames.append)
    assert drawn.request.labels == tuple(range(10)) and [frame.step for frame in frames] == [0, 1, 2]
    assert sample(load(tiny_unconditional, "cpu"), count=2, steps=1).request.labels == (-1, -1)


def test_wrong_words_are_refused_in_a_sentence(tiny_run: Path) -> None:
    model = load(tiny_run, "cpu")
    with pytest.raises(BadRequest, match="Both a prompt and labels"):
        sample(model, "3", labels=[3])
    with pytest.raises(BadRequest, match="steps"):
        sample(model, "3", steps=0)
    with pytest.raises(BadRequest, match="There is no model"):
        load("no-such-model")


def test_training_ends_with_a_model_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_synthetic(monkeypatch)
    events: list[object] = []
    finished = train(tiny_config(), tmp_path / "run", device="cpu", steps=3, on_event=events.append)
    assert finished.step == 3 and finished.completed and isinstance(events[-1], RunFinished)
    assert load(finished.model_path, "cpu").config.widths == (8, 16)

    def interrupt(event: object) -> None:
        if isinstance(event, TrainStep):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(), tmp_path / "other", device="cpu", steps=40, on_event=interrupt)
    resumed = train(tiny_config(), tmp_path / "other", device="cpu", resume=True, steps=40)
    assert resumed.step == 40


def test_the_lines_on_a_card_draw_with_its_model(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = model_cards.card(tiny_run / "model.safetensors")
    assert card is not None
    lines = model_cards.python_lines(card.model_copy(update={"name": str(tiny_run)}))
    assert len(lines.splitlines()) == 5
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert "(10, 28, 28)" in capsys.readouterr().out
    assert (tmp_path / "drawn.png").is_file()


def run_together(parts: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run pieces of Python one after another in a folder; what they define."""
    few_synthetic(monkeypatch)
    monkeypatch.setenv("NOISELOOM_DATA", str(few_digits(folder / "data", 300, 200)))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NOISELOOM_HOME", str(folder / "home"))
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, part in enumerate(parts, 1):
        exec(compile(part, f"part {number}", "exec"), names)
    return names


@pytest.mark.slow
def test_the_examples_of_the_document_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python runnable\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    names = run_together(blocks, tmp_path, monkeypatch)
    assert len(blocks) == len(re.findall(r"^```python", text, re.MULTILINE)) == 6
    assert len(names["estimates"]) == 7 and names["losses"] and 0 <= names["report"].accuracy <= 1
    assert (tmp_path / "digits.png").is_file()


@pytest.mark.slow
def test_the_notebook_runs_without_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4 and len(notebook["cells"]) == 10
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names = run_together([cell.replace("STEPS = 400", "STEPS = 30") for cell in cells], tmp_path, monkeypatch)
    assert names["drawn"].images.shape == (10, 28, 28) and names["losses"] and 0 <= names["report"].accuracy <= 1
    with contextlib.closing(names["plot"](names["losses"])) as plotted:
        assert plotted.size == (480, 240) and plotted.getextrema() == (0, 255)
