"""The Explore page: the forward process, noise schedules, classic questions, and lessons."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QFrame, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from desktop_app import lesson_file
from desktop_app.pages.base import Page
from desktop_app.text.formatting import count
from desktop_app.text.scores import percent
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.explore import QUESTIONS, Explore
from desktop_app.widgets.controls.basics import Button, Card, ElidedLabel, Label, Slider, row
from desktop_app.widgets.controls.rows import ChoiceRow, Section, Segmented, SliderRow
from desktop_app.widgets.images.copy_button import CopyButton
from desktop_app.widgets.images.image_grid import Caption, ImageGrid
from desktop_app.widgets.images.labelled_grid import LabelledGrid
from desktop_app.widgets.plots.plot_button import PlotButton
from desktop_app.widgets.plots.schedule_plots import SchedulePlots
from ml.events import Pixels
from ml.imaging.figure import Head
from ml.imaging.pixels import grid
from ml.specs import DISCRETE, SCHEDULES, lines
from ml.system.files import free_name

if TYPE_CHECKING:
    from ml.evaluation.forward_process import ForwardProcess
    from ml.experiments.questions import Row

TABS = (("forward", "Forward process"), ("schedules", "Schedules"), ("questions", "Questions"))
TAB_TIPS = (
    "How one image turns into noise",
    "How quickly each schedule adds noise",
    "Experiments on classic questions",
)
SUBTITLES = {
    "forward": "Watch an image turn into noise, step by step.",
    "schedules": "The same image and noise under three schedules.",
    "questions": "All rows of an answer start from the same noise.",
}
STRIP_HEIGHT, ROW_HEIGHT, LEAST_TABLE = 132, 96, 212
COPY_SCALE = 4
VERDICT_TIP = (
    "Right: the share of 100 digits that the judge reads as requested. "
    "Variety: how much the images of one digit differ, relative to their contrast, from 0 (identical) to 1"
)
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LABEL_WIDTH, VERDICT_WIDTH = 104, 128


class ExplorePage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, explore: Explore, context: AppContext) -> None:
        super().__init__("Explore")
        self._context, self._explore = context, explore
        self.tabs = Segmented(TABS, name="View", tips=TAB_TIPS)
        self.subtitle = ElidedLabel("", "muted")
        self.forward = ForwardView()
        self.schedules = ScheduleView()
        self.questions = AnswerView()
        self.export = PlotButton("the schedules", self.schedules.plots.figures)
        self.export.metadata = lambda: {"schedules": self._explore.settings.model_dump(mode="json")}
        self.save_answer = Button(
            kind="tool", name="Export the answer", tip="Save the answer as a labelled figure (Ctrl+E)"
        )
        self.save_answer.set_icon("export")
        self.copy_button = CopyButton(self.shown_picture, "Copy what is shown as an image (Ctrl+Shift+C)", small=True)
        self.views = QStackedWidget()
        self._make_settings()
        self._arrange()
        self._connect()
        self.export.setEnabled(False)
        self._show_settings()
        self._show_question()
        self._show_progress()

    def _make_settings(self) -> None:
        explore = self._explore
        self.digits = [Button(str(d), kind="chip", name=f"Digit {d}", tip=f"Show an example of {d}") for d in range(10)]
        for digit, chip in enumerate(self.digits):
            chip.setFixedSize(24, 24)
            chip.clicked.connect(partial(explore.change, digit=digit, picture=None))
        self.another = Button("Another example", "dice-five", tip="Show another example, with new noise")
        self.picture = Button("Open an image…", "image", tip="Add noise to an image of yours")
        self.schedule = ChoiceRow("Noise schedule", [(key, SCHEDULES[key].title) for key in DISCRETE],
                                  tip="How the share of noise grows with t", lines=lines(SCHEDULES))  # fmt: skip
        self.timesteps = SliderRow(
            "Steps T", 10, 4000, 1000, step=10, logarithmic=True, tip="Number of steps of the forward process"
        )
        self.image_section = Section("Image")
        self.image_section.body_layout.addLayout(row(*self.digits, 1, spacing=0))
        for widget in (self.another, self.picture):
            self.image_section.add(widget)
        self.process_section = Section("Process")
        for widget in (self.schedule, self.timesteps):
            self.process_section.add(widget)
        self.question_section = Section("Questions")
        self.ask_buttons: dict[str, Button] = {}
        for name, question in QUESTIONS.items():
            button = Button(question, kind="question", tip="Runs the experiment: 100 digits for each row of the answer")
            button.setCheckable(True)
            button.clicked.connect(partial(explore.ask, name))
            self.ask_buttons[name] = button
            self.question_section.add(button)

        self.lesson_section = Section("Lessons")
        self.lessons = {path: lesson_file.read(path) for path in lesson_file.bundled()}
        self.lesson_buttons = [Button(lesson.title, kind="question") for lesson in self.lessons.values()]
        for path, button in zip(self.lessons, self.lesson_buttons, strict=True):
            button.clicked.connect(partial(self._explore.open_file.emit, path))
            self.lesson_section.add(button)

    def _show_progress(self) -> None:
        """Mark the lessons that are finished, and say how far a person is in the others."""
        for lesson, button in zip(self.lessons.values(), self.lesson_buttons, strict=True):
            progress = self._context.lesson_progress.get(lesson.key)
            finished = progress is not None and progress.finished
            begun = f"{len(progress.replies)} of {len(lesson.steps)} steps done" if progress else "not begun"
            button.set_icon("check-circle-fill" if finished else "graduation-cap")
            button.setAccessibleName(f"{lesson.title}: {'finished' if finished else begun}")
            button.setToolTip(
                f"{'Finished. ' if finished else ''}Open this lesson of {len(lesson.steps)} steps"
                f"{'' if finished or not progress else f', {begun}'}. Your settings come back after it."
            )

    def _arrange(self) -> None:
        self.add_header(
            Label("Explore", "heading"), self.subtitle, self.save_answer, self.export, self.copy_button, self.tabs
        )
        for view in (self.forward, self.schedules, self.questions):
            self.views.addWidget(view)
        self.body.addWidget(self.views, 1)
        for section in (self.image_section, self.process_section, self.question_section, self.lesson_section):
            self.side.addWidget(section)
        self.side.addStretch(1)

    def _connect(self) -> None:
        explore = self._explore
        self.tabs.valueChanged.connect(lambda tab: explore.change(tab=tab))
        self.another.clicked.connect(self._take_another)
        self.picture.clicked.connect(self._choose_picture)
        self.schedule.valueChanged.connect(lambda _name: self._show_noise())
        self.timesteps.valueChanged.connect(lambda value: explore.change(timesteps=round(value)))
        self.questions.stop.clicked.connect(explore.stop)
        self.questions.tryRequested.connect(self._try)
        self.export.saved.connect(self._context.notify_saved)
        self.export.failed.connect(self._context.notify_failed)
        self.save_answer.clicked.connect(self.export_answer)
        self._context.lesson_progress_changed.connect(self._show_progress)
        explore.changed.connect(self._show_settings)
        explore.noised.connect(self._show_noise)
        explore.noising_changed.connect(self._show_waiting)
        explore.answered.connect(self._show_question)
        explore.busy_changed.connect(self._show_question)

    # ---- actions

    def look(self) -> None:
        """Compute what the page shows."""
        self._explore.look()

    def export_shown(self) -> bool:
        tab = self._explore.settings.tab
        if tab == "schedules" and self.export.isEnabled():
            self.export.export(".svg")
        elif tab == "questions" and self._explore.answer:
            self.export_answer()
        else:
            return False
        return True

    def export_answer(self) -> None:
        """Ask for a file, and write the answer."""
        suggested = free_name((self.export_folder or Path.home()) / "noiseloom-answer.png")
        name, _ = QFileDialog.getSaveFileName(self, "Export the answer", str(suggested), "Labelled figure (*.png)")
        if name:
            path = Path(name)
            self.export_folder = path.parent
            path = path if path.suffix.lower() == ".png" else free_name(path.with_suffix(".png"))
            self._explore.export(path, self.export_scale)

    def copy_shown(self) -> None:
        if self.copy_button.isEnabled():
            self.copy_button.copy()

    def shown_picture(self) -> Pixels | None:
        """The images of the tab, for the clipboard."""
        tab = self._explore.settings.tab
        if tab == "questions":
            return self._explore.figure
        images = (self.forward.large if tab == "forward" else self.schedules.table.grid).images()
        return grid(images, 6, scale=8 if tab == "forward" else COPY_SCALE) if len(images) else None

    def _take_another(self) -> None:
        self._explore.change(example=(self._explore.settings.example + 1) % 10_000, picture=None)

    def _choose_picture(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose an image", "", "Images (*.png *.jpg *.jpeg *.gif *.bmp *.webp)"
        )
        if name:
            self._explore.use_picture(Path(name))

    def _try(self, index: int) -> None:
        self._explore.open_row(index)
        self.pageRequested.emit("generate")

    # ---- what is shown

    def _show_tab(self, tab: str) -> None:
        self.tabs.set_value(tab)
        self.subtitle.set_text(SUBTITLES[tab])
        self.views.setCurrentIndex([key for key, _ in TABS].index(tab))
        self.image_section.setVisible(tab != "questions")
        self.process_section.setVisible(tab != "questions")
        self.schedule.setVisible(tab == "forward")
        self.export.setVisible(tab == "schedules")
        self.save_answer.setVisible(tab == "questions")
        self._show_taking()
        self.question_section.setVisible(tab == "questions")

    def _show_settings(self) -> None:
        settings = self._explore.settings
        self.timesteps.set_value(settings.timesteps)
        self._show_tab(settings.tab)
        self._show_outdated()

    def _show_noise(self) -> None:
        explore = self._explore
        if not explore.noisings:
            return
        chosen = next(n for n in explore.noisings if n.schedule == self.schedule.value())
        self.forward.show_film(chosen.film, chosen.times, chosen.alpha_bar, explore.what)
        self.forward.show_strip(chosen.strip, chosen.strip_times)
        self.schedules.show_all(explore.noisings)
        self.export.setEnabled(True)
        self._show_taking()

    def _show_waiting(self) -> None:
        """Say over images of an earlier setting that the new ones are coming."""
        for images in (self.forward.large, self.forward.strip, self.schedules.table.grid):
            images.waiting.set_words("Adding noise…" if self._explore.noising else "")
        self._show_outdated()

    def _show_outdated(self) -> None:
        asking = self._explore.settings.tab == "questions"  # whose answers depend on no settings
        self.outdated.setVisible(self._explore.outdated and not asking)

    def _show_taking(self) -> None:
        """Enable what can be exported and copied."""
        answered = self._explore.answer is not None
        self.save_answer.setEnabled(answered)
        asking = self._explore.settings.tab == "questions"
        self.copy_button.setEnabled(answered if asking else bool(self._explore.noisings))

    def _show_question(self) -> None:
        explore = self._explore
        self._show_taking()
        for name, button in self.ask_buttons.items():
            button.setChecked(name == explore.question)
        if explore.busy:
            progress = explore.progress
            share = f" · {progress.done} of {progress.total}" if progress and progress.total else ""
            self.questions.show_busy(QUESTIONS[explore.question], f"{progress.what.strip() if progress else ''}{share}")
            self.questions.show_rows(explore.rows)
        elif explore.answer:
            of_judge = explore.answer.judge_accuracy
            judge = "" if of_judge is None else f"The judge reads {percent(of_judge)} of real test images right"
            self.questions.show_done(explore.answer.question, judge, explore.conclusion)
            self.questions.show_rows(explore.rows)
        elif explore.rows:
            stopped = f"Stopped after {count(len(explore.rows), 'row')}"
            self.questions.show_done(QUESTIONS[explore.asked], stopped, "")
            self.questions.show_rows(explore.rows)
        else:
            self.questions.show_nothing()


class ForwardView(QWidget):
    """One image at a step of the forward process, with its numbers, and a strip of six steps."""

    def __init__(self) -> None:
        super().__init__()
        self._film: Pixels = np.zeros((0, 1, 1), np.uint8)
        self._times = np.zeros(0, np.int64)
        self._alpha_bar = np.zeros(0)
        self.large = ImageGrid("The image at step t", margin=12)
        self.large.set_empty_text("Preparing an image…")
        self.strip = ImageGrid("Six steps of the forward process", margin=12, gap=44)
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.slider = Slider("Step t")
        self.slider.setToolTip("The step of the forward process, from 0 to T")
        self.numbers = {
            "t": _Number("Step t", "step of the forward process"),
            "image": _Number("√ᾱ", "factor of the image"),
            "noise": _Number("√(1 − ᾱ)", "factor of the noise"),
            "snr": _Number("Signal-to-noise ratio", "ᾱ / (1 − ᾱ)"),
        }
        self.what = Label("", "muted")
        formula = Label("xₜ = √ᾱ · x₀ + √(1 − ᾱ) · ε", "strong")
        formula.setToolTip("x₀ is the image, ε is noise from a normal distribution")
        card = Card()
        column = QVBoxLayout(card)
        column.setContentsMargins(14, Space.M, 14, Space.M)
        column.setSpacing(Space.M)
        column.addWidget(formula)
        for number in self.numbers.values():
            column.addWidget(number)
        column.addStretch(1)
        column.addWidget(self.what)
        card.setFixedWidth(220)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(Space.M)
        line = row(self.large, card, spacing=Space.M)
        line.setStretch(0, 1)
        outer.addLayout(line, 1)
        ends = row(Label("image", "small"), self.slider, Label("noise", "small"))
        ends.setStretch(1, 1)
        outer.addLayout(ends)
        outer.addWidget(self.strip)
        self.slider.setEnabled(False)
        self.slider.valueChanged.connect(self._show)
        self.strip.cellClicked.connect(self._go_to)
        self._strip_times = np.zeros(0, np.int64)

    def show_film(self, film: Pixels, times: np.ndarray, alpha_bar: np.ndarray, what: str) -> None:
        """Show the forward process of an image; the slider keeps its step."""
        fresh = not len(self._film)
        self._film, self._times, self._alpha_bar = film, times, alpha_bar
        self.slider.setEnabled(True)
        self.slider.setRange(0, len(film) - 1)
        self.what.setText(f"The image is {what}.")
        if fresh:
            self.slider.setValue(len(film) * 3 // 10)
        self._show()

    def show_strip(self, strip: Pixels, times: np.ndarray) -> None:
        """Show some steps; a click goes to that step."""
        self._strip_times = times
        self.strip.set_images(strip, len(strip))
        self.strip.set_captions([Caption(f"t = {t:,}") for t in times], keep_room=True)

    def _go_to(self, index: int) -> None:
        self.slider.setValue(int(np.abs(self._times - self._strip_times[index]).argmin()))

    def _show(self) -> None:
        at = self.slider.value()
        t = int(self._times[at])
        alpha_bar = float(self._alpha_bar[t])
        self.large.set_images(self._film[at : at + 1], 1)
        self.numbers["t"].set_value(f"{t:,} of {len(self._alpha_bar):,}")
        self.numbers["image"].set_value(f"{alpha_bar**0.5:.3f}")
        self.numbers["noise"].set_value(f"{(1 - alpha_bar) ** 0.5:.3f}")
        self.numbers["snr"].set_value(short(alpha_bar / (1 - alpha_bar)))
        self.slider.setAccessibleDescription(f"step {t}")


class _Number(QWidget):
    """A number below its name."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self.setToolTip(f"{name}: {tip}")
        self._name, self._value = name, Label("–", "number")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Label(name, "small"))
        column.addWidget(self._value)

    def set_value(self, value: str) -> None:
        self._value.setText(value)
        self.setAccessibleName(f"{self._name}: {value}")

    def value(self) -> str:
        return self._value.text()


class ScheduleView(QWidget):
    """Beta, alpha-bar and log-SNR of all schedules, and a table of the image and its SNR under each."""

    def __init__(self) -> None:
        super().__init__()
        self.plots = SchedulePlots()
        self.table = LabelledGrid("The image at six steps of every schedule, with its signal-to-noise ratio", gap=28)
        self.table.setMinimumHeight(LEAST_TABLE)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(Space.M)
        outer.addWidget(self.plots, 1)
        card = Card()
        column = QVBoxLayout(card)
        column.setContentsMargins(14, Space.M, 14, Space.M)
        column.setSpacing(Space.XS)
        legend = row(spacing=Space.S)
        for name in DISCRETE:
            legend.addWidget(self.plots.key(name))
            legend.addWidget(Label(SCHEDULES[name].title, "strong"))
            legend.addSpacing(Space.S)
        legend.addStretch(1)
        note = ElidedLabel("Below each image: signal-to-noise ratio, ᾱ/(1 − ᾱ)", "muted")
        legend.addWidget(note, 10)
        column.addLayout(legend)
        column.addWidget(self.table, 1)
        outer.addWidget(card, 2)

    def show_all(self, noisings: "Sequence[ForwardProcess]") -> None:
        """The forward process of every schedule."""
        self.plots.show_all(noisings)
        times = noisings[0].strip_times
        self.table.set_heads([Head(SCHEDULES[n.schedule].title) for n in noisings], [Head(f"t = {t:,}") for t in times])
        self.table.grid.set_images(np.concatenate([noising.strip for noising in noisings]), len(times))
        self.table.grid.set_captions([Caption(short(float(n.snr[t]))) for n in noisings for t in times], keep_room=True)


class AnswerView(QWidget):
    """The answer to a question: a row per setting, with its images and the judge's verdict.

    Signal: `tryRequested(index)`, to open a row on the Generate page.
    """

    tryRequested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title, self.status = Label("", "title"), Label("", "muted")
        self.conclusion = Label("", "")
        self.conclusion.setWordWrap(True)
        self.conclusion.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._shown: list[Row] = []
        self.stop = Button("Stop", "stop-fill", tip="Stop the experiment")
        self.empty = Label("Choose a question on the right.", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._rows = QWidget()
        self._column = QVBoxLayout()
        self._column.setSpacing(Space.S)
        inside = QVBoxLayout(self._rows)
        inside.setContentsMargins(0, 0, Space.S, 0)
        inside.setSpacing(Space.M)
        inside.addLayout(self._column)
        inside.addWidget(self.conclusion)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName("The answer")
        scroll.setWidget(self._rows)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        for transparent in (scroll.viewport(), self._rows):
            transparent.setAutoFillBackground(False)
        self._scroll = scroll
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addLayout(row(self.title, self.status, 1, self.stop))
        column.addWidget(self.empty, 1)
        column.addWidget(scroll, 1)

    def show_nothing(self) -> None:
        self._show("", "", "", busy=False)
        self.empty.setText("Choose a question on the right.")
        self.show_rows(())

    def show_busy(self, question: str, status: str) -> None:
        self._show(question, status or "Preparing…", "", busy=True)
        self.empty.setText("Generating 100 digits for each row…")

    def show_done(self, question: str, status: str, conclusion: str) -> None:
        """Show what the rows answer, in words, and how far the judge can be trusted; or that they are not all."""
        self._show(question, status, conclusion, busy=False)

    def show_rows(self, rows: "Sequence[Row]") -> None:
        """Show the rows that are done."""
        if len(rows) < len(self._shown) or any(a is not b for a, b in zip(self._shown, rows, strict=False)):
            self._clear()
        for index in range(len(self._shown), len(rows)):
            self._column.addWidget(self._row(index, rows[index]))
            self._shown.append(rows[index])
        self.empty.setVisible(not rows)
        self._scroll.setVisible(bool(rows))

    def _show(self, question: str, status: str, conclusion: str, *, busy: bool) -> None:
        self.title.setText(question)
        self.status.setText(status)
        self.conclusion.setText(conclusion)
        self.conclusion.setVisible(bool(conclusion))
        self.stop.setVisible(busy)

    def _clear(self) -> None:
        self._shown = []
        while (item := self._column.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()

    def _row(self, index: int, row_done: "Row") -> QWidget:
        label, images, can_try = row_done.label, row_done.images, row_done.request is not None
        verdict = verdict_of(row_done)
        card = Card()
        card.setFixedHeight(ROW_HEIGHT)
        name, outcome = Label(label, "title"), Label(verdict, "muted")
        outcome.setToolTip(VERDICT_TIP if "right" in verdict else "")
        name.setWordWrap(True)
        name.setFixedWidth(LABEL_WIDTH)
        outcome.setWordWrap(True)
        outcome.setFixedWidth(VERDICT_WIDTH)
        grid = ImageGrid(f"Images of {label}", margin=6, gap=4)
        grid.set_images(images, len(images))
        line = row(name, grid, outcome, spacing=Space.M)
        line.setStretch(1, 1)
        line.setContentsMargins(14, Space.S, 14, Space.S)
        if can_try:
            button = Button("Try it", tip="Open this setting on the Generate page", name=f"Try {label}")
            button.clicked.connect(partial(self.tryRequested.emit, index))
            line.addWidget(button)
        card.setLayout(line)
        return card


def verdict_of(row: "Row") -> str:
    """The scores of a row, as counted: `97 of 100 right, variety 0.43`."""
    if row.right is None or row.variety is None:
        return row.verdict
    return f"{round(row.right * row.judged)} of {row.judged} right, variety {row.variety:.2f}"


def short(number: float) -> str:
    """A ratio over many orders of magnitude: 9,999, 12.3, 0.0045, 4·10⁻⁵."""
    if number >= 100:
        return f"{number:,.0f}"
    if 0 < number < 1e-4:
        digits, power = f"{number:.0e}".split("e")
        return f"{digits}·10{str(int(power)).translate(RAISED)}"
    return f"{number:.3g}"
