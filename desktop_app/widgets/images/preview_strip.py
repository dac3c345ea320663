"""A run's previews, all from the same noise, and a slider over them."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Label, Slider, row
from desktop_app.widgets.images.image_grid import ImageGrid, Pixels

MARGIN, GAP = 8, 3
EMPTY_HEIGHT = 96


class PreviewStrip(QWidget):
    """The previews so far; a new one is shown if the slider is at the newest.

    Signals: `previewChanged(step)` with the training step shown, `cellClicked(index)`.
    """

    previewChanged = Signal(int)
    cellClicked = Signal(int)

    def __init__(self, columns: int = 5) -> None:
        super().__init__()
        self._columns = columns
        self._previews: list[tuple[int, Pixels]] = []
        self.grid = ImageGrid("Previews", margin=MARGIN, gap=GAP)
        self.grid.setToolTip("Images generated from the same noise; click one to see its denoising")
        self.grid.set_empty_text("Previews appear here during training")
        self.slider = Slider("Preview")
        self.slider.setToolTip("Go to an earlier preview: the same noise, with the network at that time")
        self.label = Label("", "small")
        self.label.setMinimumWidth(76)
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.XS)
        column.addWidget(self.grid)
        self._way = QWidget()
        line = row(self.slider, self.label)
        line.setStretch(0, 1)
        self._way.setLayout(line)
        column.addWidget(self._way)
        self.slider.valueChanged.connect(self._show)
        self.grid.cellClicked.connect(self.cellClicked)
        self.clear()

    def clear(self) -> None:
        """Remove all previews, for another run."""
        self._previews.clear()
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, 0)
        self._way.hide()
        self.label.setText("")
        self.grid.set_images(None)
        self._fit()

    def add(self, step: int, images: Pixels) -> None:
        """Add a preview of a training step."""
        follow = self.slider.value() >= len(self._previews) - 1
        self._previews.append((step, images))
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(self._previews) - 1)
            if follow:
                self.slider.setValue(len(self._previews) - 1)
        self._way.show()
        self.slider.setEnabled(len(self._previews) > 1)
        self.slider.update()
        if follow:
            self._show(self.slider.value())

    def step(self) -> int | None:
        """The training step of the preview shown."""
        return self._previews[self.slider.value()][0] if self._previews else None

    def count(self) -> int:
        return len(self._previews)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Fit the height of the grid to its rows at this width."""
        images = self.grid.images()
        if not len(images):
            self.grid.setFixedHeight(EMPTY_HEIGHT)
            return
        columns = min(self._columns, len(images))
        cell = (self.width() - 2 * MARGIN - (columns - 1) * GAP) / columns
        rows = -(-len(images) // columns)
        self.grid.setFixedHeight(round(rows * cell * images.shape[1] / images.shape[2] + (rows - 1) * GAP + 2 * MARGIN))

    def _show(self, index: int) -> None:
        step, images = self._previews[index]
        self.grid.set_images(images, min(self._columns, len(images)))
        self._fit()
        self.label.setText(f"step {step:,}")
        self.slider.setAccessibleDescription(self.label.text())
        self.previewChanged.emit(step)
