"""Colours that everyone can read, icons that follow them, and a switch that needs no restart."""

import itertools

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.theme.controller import Theme, theme
from desktop_app.theme.icons import icon
from desktop_app.theme.stylesheet import stylesheet
from desktop_app.theme.tokens import DARK, LIGHT, Colors
from tests.patience import WAIT_MS

# How the world looks without red or green cones, in linear RGB (Machado et al. 2009, severity 1).
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
WORDS = [
    *itertools.product(("text", "muted"), ("page", "card", "control", "hover")),
    *itertools.product(("accent", "accent_hover", "error", "warning", "ok"), ("card", "page")),
    ("text", "border"),  # of a button that is pressed
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    ("on_warm", "warm"),
    ("on_warm", "warm_hover"),
    ("stage_text", "stage"),
    ("stage_warning", "stage"),
    ("stage_accent", "stage"),
]


def linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    low, high = sorted(float(LUMINANCE @ linear(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("colors", [DARK, LIGHT], ids=["dark", "light"])
def test_words_are_readable(colors: Colors) -> None:
    for words, ground in WORDS:
        assert contrast(getattr(colors, words), getattr(colors, ground)) >= 4.5, (words, ground)


@pytest.mark.parametrize("colors", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", VISION)
def test_curves_can_be_told_apart(colors: Colors, eyes: str) -> None:
    seen = {color: lab(VISION[eyes] @ linear(color)) for color in colors.plots}
    for one, other in itertools.combinations(colors.plots, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (one, other)
    assert all(contrast(color, colors.card) >= 3 for color in colors.plots)


def test_every_rule_has_its_colour() -> None:
    assert "$" not in stylesheet(DARK)
    assert LIGHT.accent in stylesheet(LIGHT)


def test_a_switch_says_so_once_and_dresses_the_application(qapp: QApplication, qtbot: QtBot) -> None:
    def wears(colors: Colors) -> bool:
        return colors.page in qapp.styleSheet() and qapp.palette().window().color().name() == colors.page

    look = Theme()
    look.prepare(qapp)
    look.apply()
    told: list[bool] = []
    look.changed.connect(lambda: told.append(look.dark))
    look.set_mode("dark")
    assert told[-1] is True and look.colors is DARK
    qtbot.waitUntil(lambda: wears(DARK), timeout=WAIT_MS)  # in two turns, where there are windows
    look.set_mode("light")
    assert told[-1] is False
    qtbot.waitUntil(lambda: wears(LIGHT), timeout=WAIT_MS)
    count = len(told)
    look.set_reduced_motion(True)
    look.set_reduced_motion(True)
    assert len(told) == count + 1 and look.reduced_motion
    look.set_mode("system")


def test_icons_take_the_colour_of_the_moment(qapp: QApplication) -> None:
    picture = icon("play-fill")

    def brightest() -> int:
        image = picture.pixmap(QSize(32, 32)).toImage()
        return image.pixelColor(14, 16).lightness()

    theme().set_mode("dark")
    dark = brightest()
    theme().set_mode("light")
    assert dark > 200 and brightest() < 60
