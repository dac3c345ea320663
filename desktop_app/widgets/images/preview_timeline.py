"""The preview history: the denoising of one image at each preview of a run."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout

from desktop_app.text.subject import DIGIT, Subject
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Card, Label, Slider, row
from desktop_app.widgets.images.image_grid import ImageGrid
from ml.events import Preview

STRIP_HEIGHT = 76


class PreviewTimeline(Card):
    """A slider over a run's previews, and the denoising of one of their images.

    A new preview is shown if the slider is at the newest. `moved(index)`: another preview is shown.
    """

    moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Preview history")
        self._previews: list[Preview] = []
        self._digit = 0
        self._subject = DIGIT
        self.title = Label("", "small")
        self.title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider = Slider("Preview in the history")
        self.slider.setToolTip("Go to an earlier preview: the same noise, with the network at that time")
        self.strip = ImageGrid("Denoising steps", framed=False, margin=0, gap=4)
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.strip.setToolTip("The denoising of one image by the network at that preview")
        self.strip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(Space.XS)
        line = row(self.slider, self.title, spacing=Space.M)
        line.setStretch(0, 1)
        column.addWidget(self.strip, 1)
        column.addLayout(line)
        self.slider.valueChanged.connect(self._show)
        self.set_previews([])

    def set_previews(self, previews: list[Preview]) -> None:
        """Show another run's previews, at the newest."""
        self._previews = list(previews)
        self.slider.setRange(0, max(len(previews) - 1, 0))
        self.slider.setValue(max(len(previews) - 1, 0))
        self._show()

    def add(self, preview: Preview) -> None:
        """Add a preview of the run that is shown."""
        follow = self.slider.value() >= len(self._previews) - 1
        self._previews.append(preview)
        self.slider.setRange(0, len(self._previews) - 1)
        if follow:
            self.slider.setValue(len(self._previews) - 1)
        self._show()

    def set_subject(self, subject: Subject) -> None:
        """Say what the previews show."""
        self._subject = subject

    def set_digit(self, index: int) -> None:
        """Show the denoising of a preview's image at an index."""
        self._digit = index
        self._show()

    def shown(self) -> Preview | None:
        """The preview at the slider."""
        return self._previews[self.slider.value()] if self._previews else None

    def _show(self) -> None:
        preview = self.shown()
        self.slider.setEnabled(len(self._previews) > 1)
        if preview is None:
            self.strip.set_empty_text("The denoising at each preview appears here during training")
            self.strip.set_images(None)
            self.title.setText("")
            return
        digit = min(self._digit, len(preview.labels) - 1)
        self.strip.set_images(preview.film[:, digit], len(preview.film))
        label = preview.labels[digit]
        named = 0 <= label < len(self._subject.classes)
        what = self._subject.one(label) if named else f"image {digit + 1}"
        self.title.setText(f"{what} after {preview.step:,} steps")
        self.slider.setAccessibleDescription(self.title.text())
        self.moved.emit(self.slider.value())
