"""The card of the chosen model: description, training, sampling defaults and scores."""

import re
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from desktop_app.text.display_names import data_title, model_title
from desktop_app.text.formatting import count, duration, megabytes, millions
from desktop_app.text.scores import groups, measured_on, percent
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.models import Models
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.controls.rows import Section, Segmented
from desktop_app.widgets.images.image_grid import ImageGrid
from ml.specs import NETWORKS, PREDICTIONS, SAMPLERS, SCHEDULES

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

COUNTS = (("100", "100"), ("300", "300"), ("1000", "1,000"))
COUNT_TIPS = ("Quick but rough", "A compromise", "As for the bundled models")
MAX_NAMES = 100  # of classes
PREVIEW_HEIGHT, PREVIEW_COLUMNS = 112, 5
NAME_WIDTH = 86
SLOTS = 1000  # resolution of the progress bar
_QUOTED = re.compile("`([^`]*)`")
UNKNOWN_DATA = "This model's file doesn't say what it was trained on, so there is nothing to compare its images with."
NO_JUDGE = (
    "A judge tells the classes of these images apart. It is trained once, in about a minute for a few thousand images."
)


class ModelDetails(QWidget):
    """Shows a card; the page places the buttons of actions on the model at the foot of the column."""

    def __init__(self, library: Models) -> None:
        super().__init__()
        self._library = library
        self._card: ModelCard | None = None
        self._judge: ModelCard | None = None  # of what it draws
        self._shows: object = ()
        self.preview = ImageGrid("Preview of the chosen model", margin=6, gap=3)
        self.preview.setFixedHeight(PREVIEW_HEIGHT)
        self.title, self.about = Label("", "title"), Label("", "small")
        self.title.setWordWrap(True)
        self.about.setWordWrap(True)
        self.training, self.sampling, self.scores = Section("Training"), Section("Sampling defaults"), Section("Scores")
        self.classes, self.names = Section("Classes"), _wrapped("")
        self.classes.add(self.names)
        self.python, self.lines = Section("From Python"), _wrapped("")
        self.lines.setAccessibleName("Lines of Python")
        self.lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.lines.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy_lines = Button("Copy", "copy", tip="Copy these lines for a Python that has Noiseloom")
        self.python.add(self.lines)
        self.python.body_layout.addLayout(row(1, self.copy_lines))
        self.count = Segmented(COUNTS, str(library.settings.count), name="Images to score", tips=COUNT_TIPS)
        self.evaluate = Button(
            "Score", "gauge", tip="Generate images with this model and let the judge compare them with real ones"
        )
        self.train_judge = Button("Train a judge", "gauge", tip="Train the judge of the images this model learned from")
        self.stop = Button("Stop", "stop-fill", tip="Stop scoring")
        self.progress, self.bar = Label("", "small"), QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of scoring")
        self.draw = Button("Generate", "image", kind="primary", tip="Use this model on the Generate page")
        self.longer = Button("Train longer…", "fast-forward", tip="Add training time to the run of this model")
        self.rename = Button("Rename", tip="Rename this model of yours")
        self.export = Button("Export…", tip="Save a copy of the model, or write it for other programs")
        self.delete = Button("Delete", tip="Move this model of yours to the trash; you can restore it")
        self._arrange()
        self.count.valueChanged.connect(lambda value: library.change(count=int(value)))
        self.copy_lines.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.lines.text()))
        self.evaluate.clicked.connect(library.evaluate)
        self.evaluate.clicked.connect(lambda: QTimer.singleShot(0, self, self._scroll_to_progress))
        self.train_judge.clicked.connect(library.train_judge)
        self.train_judge.clicked.connect(lambda: QTimer.singleShot(0, self, self._scroll_to_progress))
        self.stop.clicked.connect(library.stop)
        library.busy_changed.connect(self._show_busy)
        self.show_card(None)

    def _arrange(self) -> None:
        self._figures = QVBoxLayout()
        self._figures.setSpacing(Space.XS)
        self._count_row = QWidget()
        self._count_row.setLayout(row(Label("Images", "muted"), 1, self.count))
        self.scores.body_layout.addLayout(self._figures)
        for widget in (self._count_row, self.progress, self.bar, self.evaluate, self.train_judge, self.stop):
            self.scores.add(widget)
        words = QVBoxLayout()
        words.setSpacing(Space.XS)
        words.addWidget(self.title)
        words.addWidget(self.about)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.L)
        column.addWidget(self.preview)
        column.addLayout(words)
        for section in (self.scores, self.classes, self.training, self.sampling, self.python):
            column.addWidget(section)

    def show_card(self, card: "ModelCard | None") -> None:
        """Show a model, or None. A card already shown is left unchanged."""
        library = self._library
        judge = library.judge(card) if card else None
        of_it = (library.preview(card) is not None, library.measured(card)) if card else ()
        shows = card, of_it, library.settings.count, judge
        if shows == self._shows:
            return
        self._card, self._shows, self._judge = card, shows, judge
        for widget in (self.preview, self.classes, self.training, self.sampling, self.python, self.scores):
            widget.setVisible(card is not None)
        for button in (self.draw, self.rename, self.export, self.delete):
            button.setEnabled(card is not None)
        self.title.setText(model_title(card) if card else "")
        self.title.setVisible(card is not None)
        self.about.setText(_QUOTED.sub("“\\1”", card.about) if card else "Choose a model to see its card.")
        self.about.setVisible(bool(self.about.text()))
        self.longer.setVisible(False)
        if card is None:
            return
        from ml.registry.model_cards import python_lines  # with pydantic's models, after the window is shown

        draws, images = library.draws(card), library.preview(card)
        self.preview.setVisible(draws)
        self.preview.set_empty_text("Generating…")
        self.preview.set_images(images, PREVIEW_COLUMNS)
        self.draw.setVisible(draws)
        self.longer.setVisible(library.is_run(card))
        for button in (self.rename, self.delete):
            button.setEnabled(not card.bundled)
        self.names.setText(class_list(card))
        self.classes.setVisible(bool(self.names.text()))
        self._fill(self.training.body_layout, training_of(card))
        self._fill(self.sampling.body_layout, sampling_of(card))
        self.sampling.setVisible(draws)
        self.lines.setText(python_lines(card))
        self.python.setVisible(draws)
        self.count.set_value(str(library.settings.count))
        self._show_scores(card)
        self._show_busy()

    def _show_scores(self, card: "ModelCard") -> None:
        _clear(self._figures)
        measured = self._library.measured(card)
        if measured:
            self._figures.addWidget(Label("Just now", "strong"))
            self._add_scores(measured)
            self._figures.addSpacing(Space.S)
            self._figures.addWidget(Label("On its card", "strong"))
        self._add_scores(card.scores)
        if not card.scores and self._library.can_score(card):
            self._figures.addWidget(_wrapped("Not scored yet."))
        if self._library.can_score(card):
            self._figures.addWidget(_wrapped(judge_in_words(self._judge) if self._judge else NO_JUDGE))
        elif self._library.draws(card):
            self._figures.addWidget(_wrapped(UNKNOWN_DATA))
        self.scores.setVisible(self._figures.count() > 0)

    def _add_scores(self, scores: dict[str, Any]) -> None:
        for group in groups(scores):
            if group.title:
                self._figures.addSpacing(Space.XS)
                self._figures.addWidget(Label(group.title[:1].upper() + group.title[1:], "strong"))
            for score in group.scores:
                self._figures.addWidget(Fact(score.name, score.value, score.meaning))
        if what := measured_on(scores):
            self._figures.addWidget(_wrapped(f"Measured on {what}."))

    def _show_busy(self) -> None:
        """Show whether this model is being scored, or can be."""
        card, library = self._card, self._library
        if card is None:
            return
        can, scoring = library.can_score(card), library.is_scoring(card)
        judged = can and self._judge is not None
        self._count_row.setVisible(judged and not scoring)
        self.evaluate.setVisible(judged and not scoring)
        self.train_judge.setVisible(can and not judged and not scoring)
        for button in (self.evaluate, self.train_judge):
            button.setEnabled(not library.busy)
        self.evaluate.setText("Score again" if card.scores else "Score")
        for widget in (self.progress, self.bar, self.stop):
            widget.setVisible(scoring)
        for button in (self.rename, self.delete):
            button.setEnabled(not card.bundled and not library.busy)
        if scoring:
            progress, share = library.progress, library.doing[1]
            far = f" · {progress.done:,} of {progress.total:,}" if progress and progress.total else ""
            self.progress.setText(f"{progress.what if progress else 'Waiting to start'}{far}")
            self.bar.setRange(0, SLOTS)
            self.bar.setValue(round(SLOTS * (share or 0)))

    def _scroll_to_progress(self) -> None:
        around = self.parentWidget()
        while around is not None and not isinstance(around, QScrollArea):
            around = around.parentWidget()
        if around is not None and self.stop.isVisible():
            around.ensureWidgetVisible(self.stop)

    @staticmethod
    def _fill(layout: QVBoxLayout, facts: list[tuple[str, str]]) -> None:
        _clear(layout)
        layout.setSpacing(Space.XS)
        for name, value in facts:
            layout.addWidget(Fact(name, value))


class Fact(QWidget):
    """A name and its value."""

    def __init__(self, name: str, value: str, meaning: str = "") -> None:
        super().__init__()
        self.setAccessibleName(f"{name}: {value}")
        self.setToolTip(meaning)
        title = ElidedLabel(name, "muted")
        shown = ElidedLabel(value)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(Space.S)
        line.addWidget(title)
        line.addStretch(1)
        line.addWidget(shown)


def training_of(card: "ModelCard") -> list[tuple[str, str]]:
    """Facts about a model and its training."""
    header, config = card.header, card.header.model
    facts = [
        ("Name in commands", card.name),
        ("Network", NETWORKS[config.network].title),
        ("Predicts", f"the {PREDICTIONS[config.prediction].title}" if Models.draws(card) else ""),
        ("Noise schedule", SCHEDULES[config.schedule].title if Models.draws(card) else ""),
        ("Parameters", millions(card.parameters)),
        ("Images", f"{config.image_size} × {config.image_size}, {'grey' if config.channels == 1 else 'colour'}"),
        ("Trained on", data_title(header.data)),
        ("Begun with", header.begun_with),
        ("Teacher", header.teacher),
        ("Steps", count(header.steps, "step") if header.steps else ""),
        ("Time", f"{duration(header.seconds)} ({header.device})" if header.seconds else ""),
        ("File", megabytes(card.size)),
    ]
    return [(name, value) for name, value in facts if value]


def judge_in_words(judge: "ModelCard") -> str:
    """What a judge is worth: Judge: 84% of real test images right."""
    from ml.registry.judges import classes_of

    accuracy, count_of = judge.scores.get("test_accuracy"), judge.scores.get("test_images")
    if not isinstance(accuracy, int | float):
        return "No images are held out that would tell how good the judge is."
    if classes_of(judge.header):
        error = judge.scores.get("calibration_error")
        known = f" Its confidence is off by {percent(error)} on average." if isinstance(error, int | float) else ""
        return f"Judge: {percent(accuracy)} of {count(int(count_of or 0), 'real test image')} right.{known}"
    return f"Judge: tells {percent(accuracy)} of distorted copies of single images apart; the images have no classes."


def class_list(card: "ModelCard") -> str:
    """The names of a model's classes, the first MAX_NAMES of them; empty where it has none."""
    names = card.header.class_names
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def sampling_of(card: "ModelCard") -> list[tuple[str, str]]:
    """The default sampling settings of a model."""
    defaults = card.header.defaults
    guided = card.header.model.num_classes and defaults.guidance != 1
    return [
        ("Sampler", SAMPLERS[defaults.sampler].title),
        ("Steps", f"{defaults.steps:,}"),
        ("Guidance", f"{defaults.guidance:g}" if guided else "off"),
    ]


def _wrapped(text: str) -> Label:
    label = Label(text, "small")
    label.setWordWrap(True)
    return label


def _clear(layout: QVBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        if widget := item.widget():
            widget.hide()
            widget.deleteLater()
