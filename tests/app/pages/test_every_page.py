"""Every page, filled, as small as the window gets and at its usual size: named, whole, in its place, in order."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGraphicsView,
    QLabel,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop_app.diagnostics import scenes
from desktop_app.diagnostics.scenes import SCENES
from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.settings import AppSettings, CompareSettings, GenerateSettings, TrainSettings
from desktop_app.theme.tokens import SETTINGS_WIDTH
from desktop_app.viewmodels.notification import Message
from desktop_app.widgets.controls.basics import ElidedLabel
from desktop_app.widgets.images.before_after import BeforeAfter
from desktop_app.widgets.images.canvas import Bars, Canvas
from desktop_app.widgets.images.image_grid import ImageGrid
from desktop_app.widgets.images.interpolation_pad import InterpolationPad
from desktop_app.widgets.images.waiting import Waiting
from desktop_app.widgets.window.message_bar import MessageBar
from desktop_app.window.main_window import MainWindow
from ml.training import trainer
from tests.app.conftest import Opener
from tests.patience import WAIT_MS

SIZES = ((1024, 700), (1280, 800))
USED = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QGraphicsView)
LOOKED_AT = (ImageGrid, InterpolationPad, Canvas, Bars, BeforeAfter)
COMBO_EDGES = 34  # padding and caret
ROUNDS = 40  # of events, after which everything has found its place
TAB = Qt.FocusPolicy.TabFocus
pytestmark = pytest.mark.usefixtures("dressed")


@pytest.fixture
def settings() -> AppSettings:
    """The bundled model, few steps, and a run that shows its first previews soon."""
    return AppSettings(
        generate=GenerateSettings(steps=6, rows=2),
        train=TrainSettings(data="synthetic", own={"preview_every_s": 0.001}),
        compare=CompareSettings(values={"steps": "1, 2, 3", "guidance": "1, 2"}),
        reduced_motion=True,
    )


@pytest.fixture
def window(
    opened: Opener, settings: AppSettings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    monkeypatch.setattr(scenes, "TRAINED_STEPS", scenes.PREVIEWS)
    monkeypatch.setattr(trainer, "PREVIEW_PATIENCE", 0)  # a preview after every step
    window = opened(settings)
    with qtbot.waitSignal(window.session.context.ready, timeout=WAIT_MS):
        pass
    yield window
    window.session.train.stop()


def arrange(window: MainWindow, scene: str, qtbot: QtBot) -> None:
    """Bring a scene about, and wait until everything has found its place."""
    for condition in SCENES[scene](window):
        qtbot.waitUntil(lambda condition=condition: bool(condition()), timeout=WAIT_MS)
    window.messages.dismiss()


def resize(window: MainWindow, size: tuple[int, int]) -> None:
    window.resize(*size)
    QApplication.processEvents()
    assert (window.width(), window.height()) == size


def find_nothing(check: Callable[[MainWindow], list[str]], window: MainWindow) -> None:
    """A layout takes a few rounds of events to settle; what is still wrong after that is wrong."""
    for _ in range(ROUNDS):
        if not check(window):
            return
        QApplication.processEvents()
    assert check(window) == [], f"at {window.width()} x {window.height()}"


def seen(window: QWidget) -> list[QWidget]:
    """The widgets of ours that are on the screen; what Qt and pyqtgraph make inside their own is theirs."""

    def foreign(widget: QWidget) -> bool:
        parent = widget.parentWidget()
        inside = isinstance(parent, (QComboBox, QAbstractSpinBox, QGraphicsView, QScrollBar))
        return inside or isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_")

    return [w for w in window.findChildren(QWidget) if w.isVisibleTo(window) and not foreign(w)]


def place(widget: QWidget, window: QWidget) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def called(widget: QWidget) -> str:
    text = getattr(widget, "text", lambda: "")()
    return f"{type(widget).__name__} “{text or widget.accessibleName()}” {widget.width()}x{widget.height()}"


def nameless(window: MainWindow) -> list[str]:
    """What can be used or looked at and says nothing to a screen reader."""
    asked = (w for w in seen(window) if isinstance(w, USED + LOOKED_AT) or w.focusPolicy() != Qt.FocusPolicy.NoFocus)
    return [called(w) for w in asked if not (w.accessibleName() or isinstance(w, QLabel))]  # whose text is its name


def clipped(window: MainWindow) -> list[str]:
    """Texts that are longer than their room."""
    return [called(w) for w in seen(window) if is_clipped(w)]


def is_clipped(widget: QWidget) -> bool:
    if isinstance(widget, ElidedLabel):
        return widget.text() != widget.full_text() and widget.toolTip() != widget.full_text()
    if isinstance(widget, QLabel) and widget.text():
        if widget.wordWrap():
            return widget.heightForWidth(widget.width()) > widget.height()
        return widget.sizeHint().width() > widget.width() or widget.sizeHint().height() > widget.height()
    if isinstance(widget, QAbstractButton) and widget.text():
        return widget.sizeHint().width() > widget.width() or widget.sizeHint().height() > widget.height()
    if isinstance(widget, QComboBox):
        return QFontMetrics(widget.font()).horizontalAdvance(widget.currentText()) > widget.width() - COMBO_EDGES
    if isinstance(widget, QAbstractSpinBox):
        return QFontMetrics(widget.font()).horizontalAdvance(widget.text()) > widget.width() - 4
    return False


def misplaced(window: MainWindow) -> list[str]:
    """What reaches outside of the window or of its parent, or lies over its neighbour."""
    found = []
    for widget in seen(window):
        parent, here = widget.parentWidget() or window, widget.geometry()
        if isinstance(parent.parentWidget(), QScrollArea):  # which may be longer than it, but not wider
            inside = here.left() >= 0 and here.right() <= parent.rect().right()
        else:
            inside = parent.rect().contains(here)
        if not inside:
            found.append(f"{called(widget)} reaches out of {called(parent)}")
    for parent in {w.parentWidget() or window for w in seen(window)}:
        children = [w for w in seen(window) if w.parentWidget() is parent and not w.isWindow()]
        for one, other in itertools.combinations(children, 2):
            laid_over = {MessageBar, Waiting} & {type(one), type(other)}  # on purpose
            if one.geometry().intersects(other.geometry()) and not laid_over:
                found.append(f"{called(one)} lies over {called(other)}")
    return found


def tabbed(window: MainWindow, qtbot: QtBot) -> list[QWidget]:
    """The widgets that Tab goes through, once around."""
    first = window.rail.button(window.rail.page())
    first.setFocus(Qt.FocusReason.TabFocusReason)
    order: list[QWidget] = [first]
    for _ in range(300):
        at = QApplication.focusWidget()
        assert at is not None, called(order[-1])
        qtbot.keyClick(at, Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now is first or now is None:
            break
        order.append(now)
    return order


def region(widget: QWidget, window: MainWindow) -> int:
    """Rail, message, middle, side, history, status: in the order in which one reads them."""
    if window.rail.isAncestorOf(widget):
        return 0
    if window.status.isAncestorOf(widget):
        return 5
    if window.history.isAncestorOf(widget):
        return 4
    if window.messages.isAncestorOf(widget):
        return 1
    page = window.page(window.rail.page())
    return 3 if place(widget, page).left() > page.width() - SETTINGS_WIDTH else 2


def disorder(window: MainWindow, qtbot: QtBot) -> list[str]:
    """Where Tab leaves something out, comes back to a part of the window, or goes up without going right."""
    order = tabbed(window, qtbot)
    wanted = [w for w in seen(window) if w.isEnabled() and w.focusPolicy() & TAB and not isinstance(w, QAbstractButton)]
    wanted += [
        w for w in seen(window) if isinstance(w, QAbstractButton) and w.isEnabled() and w.focusPolicy() & TAB
        and (w.group() is None or not w.group().exclusive() or w.isChecked())
    ]  # fmt: skip
    found = [f"{called(w)} is not reached" for w in wanted if w not in order]
    for before, after in itertools.pairwise(order):
        parts = region(before, window), region(after, window)
        if parts[0] > parts[1]:
            found.append(f"from {called(before)} back to {called(after)}")
        one, other = place(before, window), place(after, window)
        if parts[0] == parts[1] and other.bottom() <= one.top() and other.left() <= one.left():
            found.append(f"from {called(before)} up to {called(after)}")
    return found


@pytest.mark.parametrize("scene", SCENES)
def test_a_filled_page_is_whole_named_and_in_order(window: MainWindow, qtbot: QtBot, scene: str) -> None:
    arrange(window, scene, qtbot)
    for size in SIZES:
        resize(window, size)
        for check in (nameless, clipped, misplaced):
            find_nothing(check, window)
    assert disorder(window, qtbot) == []


@pytest.mark.parametrize("key", PAGE_KEYS)
def test_an_empty_page_and_a_message_are_whole_too(
    opened: Opener, settings: AppSettings, qtbot: QtBot, key: str
) -> None:
    window = opened(settings)  # nothing is known yet, not even PyTorch
    window.rail.set_page(key)
    window.show_message(Message("error", "Something went wrong.", "What to do now is said here, at some length. " * 3,
                                (("export", "Export elsewhere…"),), "details"))  # fmt: skip
    for size in SIZES:
        resize(window, size)
        for check in (nameless, clipped, misplaced):
            find_nothing(check, window)
