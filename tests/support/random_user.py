"""A monkey at the window: random things that a person could do, through Qt's events, the same for the same seed."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)
from shiboken6 import isValid

from desktop_app.pages.registry import PAGE_KEYS
from desktop_app.widgets.images.before_after import BeforeAfter
from desktop_app.widgets.images.canvas import Canvas
from desktop_app.widgets.images.image_grid import ImageGrid
from desktop_app.widgets.images.interpolation_pad import InterpolationPad
from desktop_app.widgets.plots.loss_plot import LossPlot
from desktop_app.window.main_window import MainWindow

Key, Button, Modifier = Qt.Key, Qt.MouseButton, Qt.KeyboardModifier
SIZES = ((1024, 700), (1280, 800), (1600, 1000))
WORDS = ("0-9", "7", "3, 8 and 8", "a bold seven", "ten fours", "", "xyzzy", "1e9", "-5", "0", "100", "2.5", "99999999")
KEYS = (Key.Key_Up, Key.Key_Down, Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End, Key.Key_PageUp,
        Key.Key_PageDown, Key.Key_Space, Key.Key_Return, Key.Key_Tab, Key.Key_Escape, Key.Key_Delete)  # fmt: skip
SHORTCUTS = (
    *((Key.Key_1 + number, Modifier.ControlModifier) for number in range(len(PAGE_KEYS))),
    *((key, Modifier.ControlModifier) for key in (Key.Key_Return, Key.Key_E, Key.Key_O, Key.Key_Period, Key.Key_Z)),
    (Key.Key_Comma, Modifier.ControlModifier),
    (Key.Key_C, Modifier.ControlModifier | Modifier.ShiftModifier),
    (Key.Key_F1, Modifier.NoModifier),
)
KINDS = (QAbstractButton, QAbstractSlider, QComboBox, QAbstractSpinBox, QLineEdit, QPlainTextEdit,
         ImageGrid, Canvas, InterpolationPad, BeforeAfter, LossPlot)  # fmt: skip


class Monkey:
    """`act` does one thing, and tells what; `files` are what it drops on the window."""

    def __init__(self, window: MainWindow, rng: random.Random, files: Sequence[Path]) -> None:
        self.window, self.rng, self.files = window, rng, files
        self._ways: tuple[tuple[int, Callable[[], str]], ...] = (
            (8, self._use), (2, self._shortcut), (2, self._page), (1, self._key), (1, self._drop), (1, self._resize),
        )  # fmt: skip

    def act(self) -> str:
        """One action on what is in front: a menu, a dialog, or the window."""
        popup = QApplication.activePopupWidget()
        if isinstance(popup, QMenu):
            return self._choose(popup)
        if popup is not None:
            return self._press(popup, self.rng.choice((*KEYS[:6], Key.Key_Return, Key.Key_Escape)))
        if QApplication.activeModalWidget():
            return self._use() if self.rng.random() < 0.8 else self._press(self._front(), Key.Key_Escape)
        (way,) = self.rng.choices([way for _, way in self._ways], [weight for weight, _ in self._ways])
        return way()

    def put_away(self) -> None:
        """Close menus and dialogs that were left open."""
        for _ in range(20):
            front = QApplication.activePopupWidget() or QApplication.activeModalWidget()
            if front is None:
                return
            front.close()
            QTest.qWait(1)

    def _front(self) -> QWidget:
        return QApplication.activeModalWidget() or self.window

    def _choose(self, menu: QMenu) -> str:
        actions = [action for action in menu.actions() if action.isEnabled() and not action.isSeparator()]
        if not actions or self.rng.random() < 0.2:
            return self._press(menu, Key.Key_Escape)
        action = self.rng.choice(actions)
        said = f"choose {action.text()!r}"
        QTest.mouseClick(menu, Button.LeftButton, Modifier.NoModifier, menu.actionGeometry(action).center())
        return said

    def _use(self) -> str:
        """Something with one of the widgets that can be used, each kind as likely as the others."""
        there = [widget for widget in self._front().findChildren(QWidget) if usable(widget)]
        kinds = [kind for kind in KINDS if any(isinstance(widget, kind) for widget in there)]
        if not kinds:
            return self._press(self._front(), Key.Key_Escape)
        kind = self.rng.choice(kinds)
        widget = self.rng.choice([widget for widget in there if isinstance(widget, kind)])
        if isinstance(widget, (QLineEdit, QPlainTextEdit, QAbstractSpinBox)) and self.rng.random() < 0.7:
            return self._type(widget)
        if isinstance(widget, QComboBox) or (isinstance(widget, QAbstractSlider) and self.rng.random() < 0.4):
            return self.rng.choice((self._wheel, lambda it: self._press(it, self.rng.choice(KEYS[:8]))))(widget)
        if isinstance(widget, QAbstractButton) or self.rng.random() < 0.3:
            return self._click(widget)
        return self.rng.choice((self._drag, self._wheel, self._click))(widget)

    def _click(self, widget: QWidget) -> str:
        at = self._somewhere(widget)
        right = not isinstance(widget, QAbstractButton) and self.rng.random() < 0.2
        said = f"{'right-' if right else ''}click {called(widget)} at {at.x()}, {at.y()}"
        QTest.mouseClick(widget, Button.RightButton if right else Button.LeftButton, Modifier.NoModifier, at)
        if isValid(widget) and self.rng.random() < 0.1 and not right:
            QTest.mouseDClick(widget, Button.LeftButton, Modifier.NoModifier, at)
            said = f"double {said}"
        return said

    def _drag(self, widget: QWidget) -> str:
        way = [self._somewhere(widget) for _ in range(self.rng.randint(2, 12))]
        said = f"drag over {called(widget)} from {way[0].x()}, {way[0].y()} in {len(way)} moves"
        QTest.mousePress(widget, Button.LeftButton, Modifier.NoModifier, way[0])
        for at in way[1:]:
            if isValid(widget):
                QTest.mouseMove(widget, at)
                QTest.qWait(5)
        if isValid(widget):
            QTest.mouseRelease(widget, Button.LeftButton, Modifier.NoModifier, way[-1])
        return said

    def _wheel(self, widget: QWidget) -> str:
        at, turn = self._somewhere(widget), self.rng.choice((-120, 120)) * self.rng.randint(1, 5)
        said = f"turn the wheel by {turn} over {called(widget)}"
        widget.setFocus()
        QApplication.sendEvent(
            widget,
            QWheelEvent(QPointF(at), QPointF(widget.mapToGlobal(at)), QPoint(0, 0), QPoint(0, turn), Button.NoButton,
                        Modifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False),
        )  # fmt: skip
        return said

    def _type(self, widget: QWidget) -> str:
        said = f"type {(words := self.rng.choice(WORDS))!r} into {called(widget)}"
        widget.setFocus()
        QTest.keyClick(widget, Key.Key_A, Modifier.ControlModifier)
        for letter in words:
            if isValid(widget):
                QTest.keyClicks(widget, letter)
        if isValid(widget) and self.rng.random() < 0.7:
            QTest.keyClick(widget, Key.Key_Return)
        return said

    def _press(self, widget: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Modifier.NoModifier) -> str:
        said = f"press {modifier.name}+{key.name} in {called(widget)}"
        widget.setFocus()
        QTest.keyClick(widget, key, modifier)
        return said

    def _shortcut(self) -> str:
        key, modifier = self.rng.choice(SHORTCUTS)
        return self._press(self.window, Qt.Key(key), modifier)

    def _key(self) -> str:
        return self._press(QApplication.focusWidget() or self.window, self.rng.choice(KEYS))

    def _page(self) -> str:
        return self._click(self.window.rail.button(self.rng.choice(PAGE_KEYS)))

    def _resize(self) -> str:
        size = self.rng.choice(SIZES)
        self.window.resize(*size)
        return f"make the window {size[0]} x {size[1]}"

    def _drop(self) -> str:
        """A file from elsewhere, dropped on the window."""
        file, data = self.rng.choice(self.files), QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(file))])
        at, none = self.window.rect().center(), Modifier.NoModifier
        copy, left = Qt.DropAction.CopyAction, Button.LeftButton
        QApplication.sendEvent(self.window, QDragEnterEvent(at, copy, data, left, none))
        QApplication.sendEvent(self.window, QDropEvent(QPointF(at), copy, data, left, none))
        return f"drop {file.name}"

    def _somewhere(self, widget: QWidget) -> QPoint:
        """A place in the middle of a button, anywhere on the rest."""
        if isinstance(widget, QAbstractButton):
            return widget.rect().center()
        return QPoint(self.rng.randrange(max(widget.width(), 1)), self.rng.randrange(max(widget.height(), 1)))


def usable(widget: QWidget) -> bool:
    """Whether a person could get at it: there, switched on, and in sight at least in part."""
    if not (widget.isVisible() and widget.isEnabled()) or isinstance(widget, QScrollBar):
        return False
    return isinstance(widget, KINDS) and not widget.visibleRegion().isEmpty()


def called(widget: QWidget) -> str:
    text = getattr(widget, "text", lambda: "")()
    return f"{type(widget).__name__} “{widget.accessibleName() or text}”"
