"""Plots as files carry what they show."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from desktop_app.plot_export import SUFFIXES, Curve, Figure, save_plots
from ml import __version__
from ml.errors import BadRequest
from ml.plot_file import digest

FIGURE = Figure("Loss", "training step", [Curve("run ä", np.arange(3.0), np.array([3.0, 2.0, 1.5]))])
TOLD = {"runs": {"run ä": {"lr": 0.001}}}


def told(path: Path) -> object:
    if path.suffix == ".svg":
        described = ElementTree.parse(path).getroot().find("{http://www.w3.org/2000/svg}desc")
        assert described is not None and described.text
        return json.loads(described.text)
    if path.suffix == ".png":
        with Image.open(path) as image:
            return json.loads(image.info["noiseloom"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == [3.0, 2.0, 1.5] and not any(row["made by"] for row in rows[1:])
    return json.loads(rows[0]["made by"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_plot_tells_how_it_came_about(qtbot: QtBot, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    save_plots(path, [FIGURE], TOLD)
    if suffix == ".pdf":
        assert b"noiseloom.json" in path.read_bytes() or "noiseloom.json".encode("utf-16-be") in path.read_bytes()
    else:
        shown = digest(suffix, path.read_bytes())
        assert told(path) == {"noiseloom": __version__, **TOLD, "shown": shown}


def test_another_ending_is_refused(qtbot: QtBot, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be written"):
        save_plots(tmp_path / "x.bmp", [FIGURE])
