"""The list of jobs that run or wait, above the status bar; each can be cancelled."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row

WIDTH, MOST = 340, 12  # rows


class QueuePopup(QFrame):
    """A title and a state for each job; `cancelled(index)`. Closed by a click elsewhere, Escape, or its last job."""

    cancelled = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("kind", "message")
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)  # beyond the round corners
        self.setAccessibleName("Running and waiting")
        self.setFixedWidth(WIDTH)
        self._rows: list[QWidget] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        self._column.setSpacing(Space.XS)
        self._more = Label("", "small")

    def show_jobs(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Show these jobs, as (title, state), the next first."""
        for old in self._rows:
            self._column.removeWidget(old)
            old.hide()
            old.deleteLater()
        self._rows = [self._make_row(index, *job) for index, job in enumerate(jobs[:MOST])]
        for line in self._rows:
            self._column.addWidget(line)
        self._more.setText(f"and {len(jobs) - MOST} more")
        self._more.setVisible(len(jobs) > MOST)
        self._column.addWidget(self._more)
        self.adjustSize()

    def titles(self) -> list[str]:
        """The titles that are shown."""
        return [line.accessibleName() for line in self._rows]

    def cancel_button(self, index: int) -> Button:
        """The button that cancels a job."""
        (button,) = self._rows[index].findChildren(Button)
        return button

    def open_above(self, widget: QWidget) -> None:
        """Open with the right edge at that of a widget, and above it."""
        corner = widget.mapToGlobal(QPoint(widget.width(), 0))
        self.move(corner.x() - self.width(), corner.y() - self.height() - Space.XS)
        self.show()

    def _make_row(self, index: int, title: str, state: str) -> QWidget:
        line = QWidget()
        line.setAccessibleName(title)
        cancel = Button("Cancel", kind="flat", name=f"Cancel: {title}")
        cancel.clicked.connect(lambda: self.cancelled.emit(index))
        parts = row(ElidedLabel(title), 1, Label(state, "small"), cancel)
        line.setLayout(parts)
        return line
