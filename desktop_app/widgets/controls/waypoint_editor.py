"""One stop of a path: its digit, its noise or picture, and what stands around it."""

from collections.abc import Sequence

from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from desktop_app.settings import MAX_STOPS
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Check, row
from desktop_app.widgets.controls.rows import ChoiceRow
from ml.config import NO_LABEL, Corner


class StopEditor(QWidget):
    """Controls for the chosen stop, and for the path as a whole."""

    def __init__(self, pictures: QMenu) -> None:
        super().__init__()
        labels = [(str(NO_LABEL), "any digit"), *((str(d), str(d)) for d in range(10))]
        self.label = ChoiceRow("Stop 1", labels, tip="The digit of the chosen stop; click another stop to choose it")
        self.die = Button(kind="tool", name="Other noise for this stop", tip="Other noise for the chosen stop")
        self.die.set_icon("dice-five")
        self.picture = Button(kind="tool", name="A picture for this stop", tip="Begin this stop from a picture")
        self.picture.setMenu(pictures)
        self.add = Button("Add a stop", "plus", tip=f"One more stop behind the chosen one, {MAX_STOPS} at most")
        self.remove = Button("Remove", "trash", tip="Take the chosen stop out of the path, which has two at least")
        self.closed = Check("Back to the first stop", "The path closes, and the film of it goes on without an end")
        first = row(self.label, self.picture, self.die, spacing=Space.XS)
        first.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(first)
        column.addLayout(row(self.add, self.remove))
        column.addWidget(self.closed)

    def show_stop(self, index: int, stops: Sequence[Corner], closed: bool) -> None:
        """Show one of the stops."""
        self.label.label.setText(f"Stop {index + 1}")
        self.label.set_value(str(stops[index].label))
        self.picture.setIcon(icon("image", "accent" if stops[index].picture else "muted"))
        self.add.setEnabled(len(stops) < MAX_STOPS)
        self.remove.setEnabled(len(stops) > 2)
        blocked = self.closed.blockSignals(True)
        self.closed.setChecked(closed)
        self.closed.blockSignals(blocked)
