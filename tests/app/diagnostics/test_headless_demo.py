"""The real app without hands and without a display, as the launcher starts it: three pictures, and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from ml.export.files import read_request
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parents[3]


def tour(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NOISELOOM_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "desktop_app", "--tour", str(folder)]
    return subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=WAIT_S)


def test_a_first_visit_leaves_a_grid_a_film_and_a_screenshot(tmp_path: Path) -> None:
    done = tour(tmp_path / "out", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    request, _ = read_request(tmp_path / "out" / "digits.png")
    assert request.model == "digits" and set(request.labels) == set(range(10))
    with Image.open(tmp_path / "out" / "denoising.gif") as film:
        assert getattr(film, "n_frames", 1) == request.steps + 1
    with Image.open(tmp_path / "out" / "screenshot.png") as picture:
        assert picture.width >= 1024 and picture.height >= 700
        colours = picture.convert("RGB").getcolors(1_000_000)
        assert colours is None or len(colours) > 100


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = tour(tmp_path / "file" / "out", tmp_path / "home")
    assert done.returncode == 1
    assert "Noiseloom: " in done.stderr and "Traceback" not in done.stderr
