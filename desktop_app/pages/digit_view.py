"""The chosen image: enlarged, with its facts and its denoising steps."""

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.text.scores import percent
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.trajectory import View
from desktop_app.widgets.controls.basics import Button, Label, row
from desktop_app.widgets.images.decision_meter import DecisionMeter
from desktop_app.widgets.images.image_grid import ImageGrid
from ml.config import NO_LABEL

LARGE, SMALL = 92, 44  # sides of the digit and of its nearest training image ...
ROOMY = 256, 92  # ... and where the column is high
STRIP_HEIGHT, STRIP_COUNT = 34, 8
NO_JUDGE = "No judge of these images yet: the Models page trains one"
UNLIKENED = "Shows the closest training image where the data set is on this computer; training on it downloads it"
BLANK = np.full((STRIP_COUNT, 28, 28), 24, np.uint8)  # the strip of no image


class DigitView(QWidget):
    """Shows image `index` of a trajectory at a step; a hint while none is chosen.

    Emits `stepChosen(step)` when a picture of the strip is clicked, `enlarged()` when the image itself is.
    """

    stepChosen = Signal(int)
    enlarged = Signal()

    def __init__(self, generate: Generate) -> None:
        super().__init__()
        self._generate = generate
        self.large = ImageGrid("Chosen image", margin=0, gap=0)
        self.large.setToolTip("Click to compare noisy image, clean image and noise side by side")
        self.large.cellClicked.connect(lambda _index: self.enlarged.emit())
        self.large.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.large.set_empty_text("")
        self.large.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # a single image has nothing to choose
        self.strip = ImageGrid("Denoising steps", framed=False, margin=0, gap=4, leading=True)
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.strip.setToolTip("Denoising steps: click one to go to it")
        self.strip.set_empty_text("")
        self.strip.cellClicked.connect(self._strip_clicked)
        self.title, self.text = Label("", "title"), Label("", "small")
        self.text.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(self.title)
        words.addWidget(self.text)
        self.nearest = ImageGrid("Closest training image", framed=False, margin=0, gap=0)
        self.nearest.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.nearest.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.nearest.setToolTip("The training image most similar to this one")
        self.likeness = Label("", "small")
        self.likeness.setWordWrap(True)
        for label in (self.text, self.likeness):  # as wide as the column
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.like = QWidget()
        like = row(self.nearest, self.likeness)
        like.setStretch(1, 1)
        self.like.setLayout(like)
        words.addWidget(self.like)
        words.addStretch(1)
        self._line = line = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        line.setSpacing(Space.M)
        line.addWidget(self.large)
        line.addLayout(words, 1)
        self._roomy: bool | None = None
        self.set_roomy(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(line)
        column.addWidget(self.strip)
        self.decided = Label("", "small")
        self.decided.setToolTip("From this step on, the judge reads the final class in the network's guess")
        deciding = QVBoxLayout()
        deciding.setSpacing(2)
        deciding.addWidget(self.decided)
        column.addLayout(deciding)
        self.meter = DecisionMeter()
        self.meter.stepChosen.connect(self.stepChosen)
        deciding.addWidget(self.meter)
        self.branch = Button("Branch here", "git-branch", tip="Continue differently from the current step")
        self.more = Button("More", "dots-three", tip="More actions for this image")
        self.branch_menu, self.more_menu = QMenu(self), QMenu(self)
        self.branch.setMenu(self.branch_menu)
        self.more.setMenu(self.more_menu)
        actions = row(self.branch, self.more)
        actions.setStretch(0, 1)
        column.addLayout(actions)
        self.show_digit(None, 0, "noisy")

    def set_roomy(self, roomy: bool) -> None:
        """Show the digit above the text, as wide as the column, or beside it."""
        if roomy == self._roomy:
            return
        self._roomy = roomy
        large, small = ROOMY if roomy else (LARGE, SMALL)
        self.large.setFixedSize(large, large)
        self.nearest.setFixedSize(small, small)
        down, along = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._line.setDirection(down if roomy else along)
        self.updateGeometry()

    def show_digit(self, index: int | None, step: int, view: View) -> None:
        """Show image `index` at `step`; None while none is chosen."""
        request, subject = self._generate.request, self._generate.shown_subject
        images = self._generate.trajectory.shown(step, view)
        if index is None or request is None or images is None or index >= len(images):
            self.large.set_images(None)
            self.strip.set_images(BLANK, STRIP_COUNT)
            self.strip.setEnabled(False)
            self.title.setText(f"No {subject.noun} chosen")
            how = f"Click {subject.a} to enlarge it and see its denoising steps."
            self.text.setText("\n".join((how, *self._judge())))
            self._show_decision(None, 0)
            self.more.setEnabled(False)
            self._show_nearest(None)
            return
        label = request.labels[index]
        self.large.set_images(images[index : index + 1])
        self.strip.set_images(self._generate.trajectory.strip(index, view, STRIP_COUNT), STRIP_COUNT)
        self.strip.setEnabled(True)
        self.title.setText(f"Any {subject.noun}" if label == NO_LABEL else f"Requested: {subject.name(label)}")
        similarity = self._generate.trajectory.similarity(index, step)
        fits = [] if similarity is None else [f"Prompt match: {similarity:.2f} of 1"]
        self.text.setText("\n".join((*self._verdict(index), f"Seed {request.seed_of(index)}", *fits)))
        self.more.setEnabled(self._generate.can_export)
        self._show_decision(index, step)

        self._generate.find_nearest(index)
        self._show_nearest(index)

    def _show_decision(self, index: int | None, step: int) -> None:
        """Show from which step on the class is decided, where a judge reads the images."""
        for widget in (self.decided, self.meter):
            widget.setVisible(self._generate.is_judged)
        decision = None if index is None else self._generate.trajectory.decision
        self.meter.set_decision(None if decision is None else decision[:, index], self._generate.shown_subject)
        self.meter.set_step(step)
        words = f"Decided: {self.meter.words()}" if decision is not None else "Confidence of the judge, step by step"
        self.decided.setText(words)

    def _show_nearest(self, index: int | None) -> None:
        """The closest training image, to reveal memorization."""
        shown = self._generate.trajectory
        found = None if index is None else shown.nearest.get(index)
        self.like.setVisible(found is not None or (index is not None and shown.no_training_images))
        self.nearest.setVisible(found is not None)
        if found is None:
            self.likeness.setText("Training images aren’t at hand")
            self.likeness.setToolTip(UNLIKENED)
        else:
            self.nearest.set_images(found.image[None])
            self.likeness.setText("Copy of this training image" if found.copied else "Closest training image")
            how = "a copy" if found.copied else "not a copy"
            words = f"The closest training image, at a distance of {found.distance:.2f} (0 to 1): {how}"
            self.nearest.setToolTip(words)
            self.likeness.setToolTip(words)

    def _verdict(self, index: int) -> tuple[str, ...]:
        """What the judge reads, or where one is trained."""
        verdict = self._generate.verdict
        if verdict is None:
            return ("Not judged yet" if self._generate.is_judged else NO_JUDGE,)
        name = self._generate.shown_subject.name(int(verdict.labels[index]))
        return (f"Judge reads {name} ({verdict.confidence[index]:.0%} sure)", *self._judge())

    def _judge(self) -> tuple[str, ...]:
        """How far the judge can be trusted, where it has read the images."""
        verdict = self._generate.verdict
        if verdict is None or verdict.accuracy is None:
            return ()
        return (f"The judge reads {percent(verdict.accuracy)} of real test images right",)

    def _strip_clicked(self, index: int) -> None:
        steps = self._generate.trajectory.strip_steps(STRIP_COUNT)
        if index < len(steps):  # the strip still shows the previous images while the next ones begin
            self.stepChosen.emit(steps[index])
