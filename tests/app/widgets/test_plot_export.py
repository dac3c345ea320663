"""Plots as files carry what they show."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter
from pytestqt.qtbot import QtBot

from desktop_app.widgets.plots.export import (
    ROW,
    SUFFIXES,
    Curve,
    Figure,
    _Axes,
    _legend,
    _log_ticks,
    _range,
    _ticks,
    picture_of,
    save_plots,
)
from ml import __version__
from ml.errors import BadRequest
from ml.export.plot_metadata import digest

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


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (0, 3000, ["0", "1,000", "2,000", "3,000"]),
        (0.31, 0.52, ["0.35", "0.4", "0.45", "0.5"]),
        (-1, 1, ["-1", "-0.5", "0", "0.5", "1"]),
    ],
)
def test_axes_have_some_five_round_numbers(low: float, high: float, words: list[str]) -> None:
    ticks = _ticks(low, high)
    assert [said for _, said in ticks] == words
    assert [float(said.replace(",", "")) for said in words] == pytest.approx([value for value, _ in ticks])


def test_logarithmic_axes_have_powers_of_ten_and_more_where_they_are_short() -> None:
    assert [words for _, words in _log_ticks(-3, 0)] == ["0.001", "0.01", "0.1", "1"]
    assert [words for _, words in _log_ticks(-1, 0)] == ["0.1", "0.2", "0.5", "1"]
    assert [value for value, _ in _log_ticks(-1, 0)] == pytest.approx([-1, np.log10(0.2), np.log10(0.5), 0])
    for low, high in ((0.61, 0.69), (0.45, 0.7)):  # with none of those, or one, in between
        near = _log_ticks(np.log10(low), np.log10(high))
        assert len(near) > 1 and all(low <= float(words) <= high for _, words in near)


def test_what_is_nowhere_or_in_one_place_has_a_range_too() -> None:
    assert _range(np.array([3.0, np.nan, 1.0, np.inf])) == (1, 3)
    assert _range(np.array([2.0, 2.0])) == (1.5, 2.5)
    assert _range(np.array([np.nan])) == (0, 1)


@pytest.mark.parametrize(("logarithmic", "middle"), [(False, 50.5), (True, 10.0)])
def test_small_numbers_lie_at_the_left_and_at_the_bottom(logarithmic: bool, middle: float) -> None:
    line = Curve("a", np.array([0.0, 10.0]), np.array([1.0, 100.0]))
    axes = _Axes(QRectF(100, 10, 200, 80), Figure("Loss", "step", [line], logarithmic=logarithmic))
    across, up = axes.places(np.array([0.0, 5.0, 10.0]), np.array([1.0, middle, 100.0]))
    assert across.tolist() == pytest.approx([100, 200, 300]) and up.tolist() == pytest.approx([90, 50, 10])


def ink(figure: Figure) -> np.ndarray:
    """Which pixels of a figure are painted, at twice its size."""
    image = picture_of([figure])
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return np.asarray((lines.reshape(image.height(), -1, 4)[..., :3] < 250).any(2))


def test_a_curve_is_broken_where_nothing_is_known(qtbot: QtBot) -> None:
    x = np.arange(5.0)
    gap = ink(Figure("", "", [Curve("", x, np.array([1.0, 2.0, np.nan, 2.0, 1.0]))]))
    whole = ink(Figure("", "", [Curve("", x, np.array([1.0, 2.0, 2.0, 2.0, 1.0]))]))
    assert whole.sum() > gap.sum()


def test_many_runs_have_a_legend_of_several_rows(qtbot: QtBot) -> None:
    curves = [Curve(f"a run of many words {k}", np.arange(2.0), np.arange(2.0), color=k) for k in range(5)]
    image = picture_of([figure := Figure("Loss", "step", curves)])
    assert image.width() == 2 * 560 and image.height() == 2 * 360
    painter = QPainter(image)
    end = _legend(painter, QRectF(64, 40, 476, ROW), figure)
    painter.end()
    assert end >= 40 + 3 * ROW
