"""The editor of a waypoint: its class, its noise or picture, and its place in the path."""

from collections.abc import Sequence

from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from desktop_app.settings import MAX_STOPS
from desktop_app.text.subject import DIGIT, Subject
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Check, row
from desktop_app.widgets.controls.rows import NARROW_LABEL, ChoiceRow
from ml.config import Corner


class WaypointEditor(QWidget):
    """Controls for the chosen waypoint, and for the path."""

    def __init__(self, pictures: QMenu) -> None:
        super().__init__()
        self.label = ChoiceRow(
            "Waypoint 1", DIGIT.choices, tip="The class of the chosen waypoint; click another waypoint to choose it"
        )
        self.label.label.setFixedWidth(NARROW_LABEL)
        self.die = Button(kind="tool", name="New noise for this waypoint", tip="New noise for this waypoint")
        self.die.set_icon("dice-five")
        self.picture = Button(
            kind="tool", name="Image for this waypoint", tip="Use an image for this waypoint, by inverting it to noise"
        )
        self.picture.setMenu(pictures)
        self.add = Button(
            "Add", "plus", name="Add waypoint", tip=f"Add a waypoint after this one; a path has at most {MAX_STOPS}"
        )
        self.remove = Button("Remove", "trash", tip="Remove this waypoint; a path has at least two")
        self.closed = Check("Close the path", "Return to the first waypoint, so that the animation loops")
        first = row(self.label, self.picture, self.die, spacing=Space.XS)
        first.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(first)
        column.addLayout(row(self.add, self.remove))
        column.addWidget(self.closed)

    def show_stop(self, index: int, stops: Sequence[Corner], closed: bool, subject: Subject) -> None:
        """Show a waypoint of images of a subject."""
        self.label.label.setText(f"Waypoint {index + 1}")
        self.label.set_choices(subject.choices)
        self.label.set_value(str(stops[index].label))
        self.picture.setIcon(icon("image", "accent" if stops[index].picture else "muted"))
        self.add.setEnabled(len(stops) < MAX_STOPS)
        self.remove.setEnabled(len(stops) > 2)
        blocked = self.closed.blockSignals(True)
        self.closed.setChecked(closed)
        self.closed.blockSignals(blocked)
