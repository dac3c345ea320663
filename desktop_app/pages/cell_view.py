"""The chosen cell of a comparison, overlaid on the cell chosen before."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.compare import Compare
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label
from desktop_app.widgets.images.before_after import BeforeAfter
from ml.experiments.cells import summary
from ml.imaging.figure import tiles

HINTS = (
    "Click a cell to enlarge it, then another one to overlay both.",
    "Click another cell to overlay both.",
)  # by the number of chosen cells


class CellView(QWidget):
    """The chosen cells with their names, and a button that opens the settings of the last one: `taken`."""

    taken = Signal()

    def __init__(self, compare: Compare) -> None:
        super().__init__()
        self._compare = compare
        self.pictures = BeforeAfter()
        self.title = Label("", "title")
        self.lines = [ElidedLabel("", "small"), ElidedLabel("", "small")]
        self.hint = Label("", "small")
        self.hint.setWordWrap(True)
        self.use = Button(
            "Use these settings", "arrow-right", tip="Open the settings of this cell on the Generate page"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addWidget(self.pictures)
        self._column = column
        words = QVBoxLayout()
        words.setSpacing(2)
        for label in (self.title, *self.lines, self.hint):
            words.addWidget(label)
        column.addLayout(words)
        column.addWidget(self.use)
        self.use.clicked.connect(self._take)

    def place_pictures(self, elsewhere: QVBoxLayout | None) -> None:
        """Show the images enlarged in another layout, or here."""
        (elsewhere or self._column).insertWidget(-1 if elsewhere else 0, self.pictures)
        self.pictures.set_large(elsewhere is not None)

    def show_cells(self) -> None:
        """Show the chosen cells, or how to choose one."""
        compare, chosen, before = self._compare, self._compare.chosen, self._compare.before
        shown = [cell for cell in (before, chosen) if cell]
        names = [compare.name(cell) for cell in shown]
        self.pictures.setVisible(bool(shown) and compare.settings.mode == "grid")
        self.pictures.show_pictures(list(tiles([cell.images for cell in shown])) if shown else [], names)
        both = before is not None
        self.title.setText("Left and right cell" if both else names[0] if names else "No cell chosen")
        self.hint.setText(HINTS[len(shown)] if not both else "")
        self.hint.setVisible(not both)
        words = [f"{compare.name(cell)} · {summary([cell])}" if both else summary([cell]) for cell in shown]
        for line, text in zip(self.lines, [*words, "", ""], strict=False):
            line.set_text(text)
            line.setVisible(bool(text))
        self.use.setVisible(chosen is not None)

    def _take(self) -> None:
        self._compare.open_chosen()
        self.taken.emit()
