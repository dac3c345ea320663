"""A button that opens a list of check boxes."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy

from desktop_app.widgets.controls.basics import Button, paint_caret
from desktop_app.widgets.controls.rows import Choice


class _CheckMenu(QMenu):
    """A menu that stays open while entries are ticked."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        action = self.activeAction()
        if action and action.isCheckable():
            action.trigger()
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        action = self.activeAction()
        if event.key() == Qt.Key.Key_Space and action and action.isCheckable():
            action.trigger()
        else:
            super().keyPressEvent(event)


class CheckList(Button):
    """Shows which keys are ticked; `valuesChanged(list)` has them in the order of the list."""

    valuesChanged = Signal(list)

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name=name, tip=tip, kind="question")
        self._choices: Sequence[Choice] = ()
        self._name = name
        self._list = _CheckMenu(self)
        self._list.setAccessibleName(name)
        self.clicked.connect(self._open)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_choices(self, choices: Sequence[Choice], ticked: Iterable[str]) -> None:
        """Set the entries, as (key, text), and which keys are ticked."""
        if tuple(choices) != tuple(self._choices):
            self._choices = tuple(choices)
            self._list.clear()
            for key, text in choices:
                action = self._list.addAction(text.replace("&", "&&"))  # a single one would underline a letter
                action.setCheckable(True)
                action.setData(key)
                action.triggered.connect(lambda _on: self._emit_values())
        keys = set(ticked)
        for action in self._list.actions():
            action.setChecked(action.data() in keys)
        self._show()

    def values(self) -> list[str]:
        return [action.data() for action in self._list.actions() if action.isChecked()]

    def _open(self) -> None:
        self._list.setMinimumWidth(self.width())
        self._list.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _emit_values(self) -> None:
        self._show()
        self.valuesChanged.emit(self.values())

    def _show(self) -> None:
        keys = set(self.values())
        texts = [text for key, text in self._choices if key in keys]
        whole = ", ".join(texts) or "none selected"
        shown = self.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, max(60, self.width() - 44))
        self.setText(shown.replace("&", "&&"))
        self.setAccessibleName(f"{self._name}: {whole}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_caret(self)
