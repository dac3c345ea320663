"""The digit that was clicked: large, with what is known of it and its way out of the noise."""

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop_app.session.generate import Generate, View
from desktop_app.theme import Space
from desktop_app.widgets.basics import Label
from desktop_app.widgets.image_grid import ImageGrid
from ml.config import NO_LABEL

LARGE, STRIP_HEIGHT, STRIP_COUNT = 92, 34, 8


class DigitView(QWidget):
    """Shows image `index` of a trajectory at a step; a hint while none is chosen."""

    def __init__(self, generate: Generate) -> None:
        super().__init__()
        self._generate = generate
        self.large = ImageGrid("Chosen digit", margin=0, gap=0)
        self.large.setFixedSize(LARGE, LARGE)
        self.large.set_empty_text("")
        self.strip = ImageGrid("Its way from noise to image", framed=False, margin=0, gap=3)
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.strip.set_empty_text("")
        self.title, self.text = Label("", "title"), Label("", "small")
        self.text.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(self.title)
        words.addWidget(self.text)
        words.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(Space.M)
        line.addWidget(self.large)
        line.addLayout(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(line)
        column.addWidget(self.strip)
        self.show_digit(None, 0, "noisy")

    def show_digit(self, index: int | None, step: int, view: View) -> None:
        """Show image `index` as it is at `step`; None: nothing is chosen."""
        request = self._generate.request
        images = self._generate.shown(step, view)
        if index is None or request is None or images is None or index >= len(images):
            self.large.set_images(None)
            self.strip.set_images(None)
            self.strip.hide()
            self.title.setText("No digit chosen")
            self.text.setText("Click one to see it large, and its way out of the noise.")
            return
        label = request.labels[index]
        self.large.set_images(images[index : index + 1])
        self.strip.set_images(self._generate.strip(index, view, STRIP_COUNT), STRIP_COUNT)
        self.strip.show()
        self.title.setText("A digit" if label == NO_LABEL else f"Asked for: {label}")
        self.text.setText("\n".join((self._verdict(index), f"seed {request.seed + index}")))

    def _verdict(self, index: int) -> str:
        verdict = self._generate.verdict
        if verdict is None:
            return "the judge has not seen it yet"
        return f"the judge reads {verdict.labels[index]} ({verdict.confidence[index]:.0%})"
