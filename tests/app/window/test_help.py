"""F1: every formula stands behind a control that exists, and is shown for what is pointed at or has the focus."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from desktop_app import __main__, app
from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.settings import AppSettings, settings_file
from desktop_app.text import glossary
from desktop_app.text.formulas import AXES, CONTROLS, FORMULAS
from desktop_app.widgets.controls.rows import ChoiceRow, Segmented
from desktop_app.widgets.images.image_grid import ImageGrid
from desktop_app.widgets.window.help_card import HelpCard, formula_of
from desktop_app.window.main_window import MainWindow
from tests.app.conftest import Opener
from tests.patience import WAIT_MS

USED = (QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, ImageGrid)


@pytest.fixture(autouse=True)
def _pointer_away() -> None:
    QCursor.setPos(QPoint(0, 0))


def press_f1(window: MainWindow, qtbot: QtBot) -> HelpCard | None:
    """The card that F1 brings up."""
    qtbot.keyClick(window, Qt.Key.Key_F1)
    return next((each for each in window.findChildren(HelpCard) if each.isVisible()), None)


def controls(window: MainWindow) -> list[QWidget]:
    return [control for key in PAGE_KEYS for control in window.page(key).findChildren(QWidget)]


def test_every_formula_has_its_control(window: MainWindow) -> None:
    found, names = set(), set()
    for control in controls(window):
        name = control.accessibleName()
        names.add(name)
        found.add(control.property("formula") or CONTROLS.get(name, ""))
        if isinstance(control, ChoiceRow):
            keys = [control.combo.itemData(index) for index in range(control.combo.count())]
            found |= set(keys) if name in AXES else {f"{CONTROLS.get(name, '')}: {key}" for key in keys}
        if isinstance(control, Segmented):
            found |= {key for key in FORMULAS if key.startswith(f"{CONTROLS.get(name, '')}: ") and key.split(": ")[1]}
    assert set(CONTROLS) | set(AXES) <= names
    assert set(FORMULAS) <= found


def test_every_control_says_in_a_sentence_what_it_does(window: MainWindow) -> None:
    def sentence(widget: QWidget | None) -> str:
        return "" if widget is None or widget.isWindow() else widget.toolTip() or sentence(widget.parentWidget())

    pages = [window.page(key) for key in ("generate", "train", "compare")]
    inside = [control for part in (*pages, window.rail, window.status) for control in part.findChildren(QWidget)]
    used = [
        control for control in inside if isinstance(control, USED) and control.focusPolicy() != Qt.FocusPolicy.NoFocus
    ]
    dumb = [f"{type(each).__name__} {each.accessibleName()}" for each in used if not sentence(each)]
    assert len(used) > 100 and not dumb


def test_the_names_of_settings_are_those_of_formulas() -> None:
    settings = {key.split(": ")[0] for key in FORMULAS}
    assert set(CONTROLS.values()) <= settings
    assert all(
        formula.text.strip() and len(max(formula.text.split("\n"), key=len)) < 56 for formula in FORMULAS.values()
    )


def test_f1_explains_what_has_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    row = window.generate.sampling.guidance
    row.box.setFocus()
    card = press_f1(window, qtbot)
    assert card is not None and card.isVisible()
    assert card.accessibleName() == "Help: Guidance w" and row.toolTip() in card.accessibleDescription()
    assert "w (ε̂(xₜ, c) − ε̂(xₜ, ∅))" in card.formula.text() and "Salimans 2022" in card.paper.text()
    assert window.rect().contains(card.geometry())
    qtbot.keyClick(row.box, Qt.Key.Key_Escape)
    assert not window.findChildren(HelpCard) or not window.findChildren(HelpCard)[0].isVisible()
    card = press_f1(window, qtbot)
    assert card is not None
    qtbot.mouseClick(row.label, Qt.MouseButton.LeftButton)
    assert not any(each.isVisible() for each in window.findChildren(HelpCard))


def test_f1_explains_what_is_under_the_pointer_first(window: MainWindow, qtbot: QtBot) -> None:
    sampling = window.generate.sampling
    sampling.guidance.box.setFocus()
    QCursor.setPos(sampling.steps.label.mapToGlobal(QPoint(4, 4)))
    card = press_f1(window, qtbot)
    assert card is not None and card.accessibleName() == "Help: Steps"
    card.close()
    QCursor.setPos(window.generate.copy_button.mapToGlobal(QPoint(4, 4)))  # which has no formula
    card = press_f1(window, qtbot)
    assert card is not None and card.accessibleName() == "Help: Guidance w"
    card.close()
    window.setFocus()
    card = press_f1(window, qtbot)
    assert card is not None and card.accessibleName() == "Help: Copy" and not card.formula.isVisible()
    card.close()


def test_the_help_of_every_control_with_a_formula_leads_to_the_glossary(window: MainWindow) -> None:
    explained = [control for control in controls(window) if control.toolTip() and formula_of(control)]
    dumb = []
    for control in explained:
        formula = formula_of(control)
        text = f"{control.accessibleName()}. {control.toolTip()}. {formula.paper if formula else ''}"
        dumb += [] if glossary.terms(text) else [text]
    assert len(explained) > 20
    assert dumb == []


def test_a_term_of_the_help_opens_its_entry(window: MainWindow, qtbot: QtBot) -> None:
    box = window.generate.sampling.guidance.box
    box.setFocus()
    card = press_f1(window, qtbot)
    assert card is not None
    qtbot.keyClick(box, Qt.Key.Key_Tab)
    assert card.isVisible() and card.title.hasFocus()
    qtbot.keyClick(card.title, Qt.Key.Key_Return)
    assert not card.isVisible() and window._glossary is not None and window._glossary.isVisible()
    assert box.hasFocus() or window._glossary.isActiveWindow()
    window._glossary.search.setText("ddim")
    dialog = window._glossary
    dialog.close_button.click()
    card = press_f1(window, qtbot)
    assert card is not None
    card.sentence.linkActivated.emit("glossary:guidance")
    assert window._glossary is dialog and dialog.isVisible() and not dialog.search.text()
    dialog.close()


def test_the_tour_begins_on_request_and_points_at_the_page(window: MainWindow, qtbot: QtBot) -> None:
    assert window.tour is None  # not by itself without a screen
    window.rail.set_page("models")
    window.start_tour()
    tour = window.tour
    assert tour is not None and window.rail.page() == "generate"
    window.start_tour()
    assert window.tour is tour
    names = []
    for _ in range(5):
        part = tour.stop.part
        assert part.isVisible() and tour.hole().size().width() > part.width()
        assert not tour.card.geometry().intersects(tour.hole())
        names.append(part.accessibleName())
        if len(names) < 5:
            tour.next.click()
    assert names == ["Prompt", "Generate", "Timeline from noise to image", "Train", "Export…"]
    qtbot.keyClick(tour.next, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.rail.page() == "generate"
    qtbot.keyClick(tour.next, Qt.Key.Key_Escape)
    assert window.tour is None
    window.start_tour()
    assert window.tour is not None and window.tour.stop.title == "Say what to draw"
    window.tour.skip.click()


def test_a_first_start_on_a_screen_begins_with_the_tour_and_no_later_one(
    home: Path, qtbot: QtBot, settings: AppSettings, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[MainWindow] = []
    monkeypatch.setattr(app, "open_window", lambda *_: made.append(opened(settings)) or made[-1])
    monkeypatch.setattr(app, "run", lambda *_: 0)
    monkeypatch.setattr("sys.argv", ["noiseloom"])
    begun: list[None] = []
    monkeypatch.setattr(MainWindow, "start_tour", lambda _window: begun.append(None))
    assert not settings_file().exists()
    monkeypatch.setattr(__main__, "WITHOUT_SCREEN", ())
    __main__.main([])
    qtbot.waitUntil(lambda: bool(begun), timeout=WAIT_MS)
    assert settings_file().exists()  # at once, so that a crash does not bring it again
    for arguments, without_screen, there in (([], (), True), ([], ("offscreen",), False), (["a.png"], (), False)):
        if not there:
            settings_file().unlink(missing_ok=True)
        monkeypatch.setattr(__main__, "WITHOUT_SCREEN", without_screen)
        monkeypatch.setattr(app, "open_window", lambda *_: made[0])
        __main__.main(arguments)
    made[0].session.context.ready.emit()
    assert len(begun) == 1


def test_the_formula_follows_what_is_chosen(window: MainWindow) -> None:
    sampler = window.generate.sampling.sampler
    texts = set()
    for index in range(sampler.combo.count()):
        sampler.combo.setCurrentIndex(index)
        formula = formula_of(sampler)
        assert formula is not None
        texts.add(formula.text)
    assert len(texts) == sampler.combo.count()
    compare = window.page("compare")
    rows = next(row for row in compare.findChildren(ChoiceRow) if row.accessibleName() == "Rows")
    rows.set_value("guidance_rescale")
    assert formula_of(rows) == FORMULAS["guidance_rescale"]
    rows.set_value("model")
    assert formula_of(rows) is None


def test_each_button_of_several_has_its_own_formula(window: MainWindow) -> None:
    draw = window.page("draw")
    task = next(found for found in draw.findChildren(Segmented) if found.accessibleName() == "Task")
    assert formula_of(task.button("rebuild")) == FORMULAS["task: rebuild"]
    assert formula_of(task) == FORMULAS["task: vary"]
