"""The Train page: look at the data, start a run, watch it learn, and generate with it."""

from pathlib import Path

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.pages.base import Page
from desktop_app.pages.data_view import DataView
from desktop_app.pages.train_longer import TrainLonger
from desktop_app.pages.train_setup import TrainSetup, ask_for_data, ask_for_images
from desktop_app.text.display_names import data_title, run_title
from desktop_app.text.formatting import count, duration, millions
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import FIELD_HEIGHT, Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.controls.rows import Section, Segmented, StatCard
from desktop_app.widgets.images.preview_strip import PreviewStrip
from desktop_app.widgets.images.preview_timeline import PreviewTimeline
from desktop_app.widgets.images.waiting import Waiting
from desktop_app.widgets.plots.loss_by_noise_map import LossByNoiseMap
from desktop_app.widgets.plots.loss_plot import LossPlot
from desktop_app.widgets.plots.score_plot import ScorePlot
from ml.events import Preview, RunFinished, TrainStep, Validated
from ml.specs import NETWORKS, PREDICTIONS
from ml.tracking.metrics_table import curve

LOOKS = (("noise", "Loss by noise level"), ("past", "Preview history"), ("scores", "Scores"))
LOOK_TIPS = (
    "The loss at every noise level, over the run",
    "The denoising of one image at every preview; click an image of a preview to choose it",
    "The scores of 200 images at every doubling of steps, and the checkpoint to keep",
)
VIEWS = (("data", "Data"), ("run", "Training"))
VIEW_TIPS = ("The images of the next run", "The curves and previews of runs")
NOTHING = "–"


class TrainPage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, train: Train, context: AppContext) -> None:
        super().__init__("Train")
        self._context, self._train = context, train
        self.title, self.subtitle = ElidedLabel("", "heading"), ElidedLabel("", "muted")
        self.start_button = Button("Start", "play-fill", kind="primary", tip="Train a new model")
        self.pause_button = Button("Pause", "pause-fill", tip="Pause the run and save its state")
        self.save_button = Button("Save now", "floppy-disk", tip="Save the model now and continue")
        self.stop_button = Button("Stop and keep", "stop-fill", kind="warm", tip="End the run and keep the model")
        self.stats = {
            "step": StatCard("Step", tip="Number of training steps, one batch each"),
            "loss": StatCard("Loss", tip="Mean squared error of the predictions, smoothed over the last steps"),
            "rate": StatCard("Images / s", tip="Training speed on this device"),
            "lr": StatCard("Learning rate", tip="Size of the step that the weights take along the gradient"),
            "norm": StatCard("Gradient norm", tip="Length of the gradient of the last batch"),
            "left": StatCard("Time left", tip="Estimated from the speed so far"),
        }
        self.plot = LossPlot()
        self.starting = Waiting(self.plot, surface="card", ink="muted")
        self.noise_map = LossByNoiseMap()
        self.previews = PreviewStrip()
        self.preview_history = PreviewTimeline()
        self.scores = ScorePlot()
        self.looking = Segmented(LOOKS, name="Lower panel", tips=LOOK_TIPS)
        self.below = QStackedWidget()
        self.data = DataView(train, context)
        self.progress = QWidget()  # of a run
        self.stack = QStackedWidget()
        self.showing = Segmented(VIEWS, name="Data or training", tips=VIEW_TIPS)
        self.preview_section = Section("Previews")
        self.runs = Section("Runs")
        self._run_rows: dict[str, RunRow] = {}
        self._was_active = False
        self.unfinished = Section("Unfinished runs")
        self.longer = TrainLonger(train)
        self.setup = TrainSetup(train, context)
        self.draw_button = Button(
            "Generate with this run", "image", tip="Generate images with the model as trained so far"
        )
        self._arrange()
        self._connect()
        self._view("data")
        self._show_state()
        self._show_unfinished()
        self._show_earlier()

    def _arrange(self) -> None:
        buttons = (self.start_button, self.pause_button, self.save_button, self.stop_button)
        for button in buttons:
            button.setFixedHeight(FIELD_HEIGHT)
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.add_header(self.title, self.subtitle, *buttons)
        self.body.addWidget(self.showing)
        column = QVBoxLayout(self.progress)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addLayout(row(*self.stats.values(), spacing=Space.S))
        column.addWidget(self.plot, 1)
        for widget in (self.noise_map, self.preview_history, self.scores):
            self.below.addWidget(widget)
        self.below.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        column.addLayout(row(self.looking, 1))
        column.addWidget(self.below)
        for widget in (self.data, self.progress):
            self.stack.addWidget(widget)
        self.body.addWidget(self.stack, 1)
        self.preview_section.add(self.previews)
        for widget in (self.preview_section, self.longer, self.runs, self.unfinished, self.setup):
            self.side.addWidget(widget)
        self.side.addStretch(1)
        self.foot.addWidget(self.draw_button)

    def _connect(self) -> None:
        train = self._train
        self.start_button.clicked.connect(train.start)
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.save_button.clicked.connect(train.save_now)
        self.stop_button.clicked.connect(train.stop)
        self.draw_button.clicked.connect(self._draw)
        self.plot.export.metadata = lambda: train.plot_metadata(self.plot.shown())
        self.noise_map.export.metadata = lambda: train.plot_metadata([train.history_of], by_noise=True)
        self.scores.export.metadata = lambda: train.plot_metadata([train.history_of])
        for button in (self.plot.export, self.noise_map.export, self.scores.export):
            button.saved.connect(self._context.notify_saved)
            button.failed.connect(self._context.notify_failed)
        train.state_changed.connect(self._show_state)
        train.changed.connect(self._show_unfinished)
        train.changed.connect(self._show_state)
        train.changed.connect(self._show_earlier)
        train.validated.connect(self._add_validated)
        train.scored.connect(self._show_scores)
        self.scores.keep.connect(train.keep_checkpoint)
        train.begun.connect(self._begin)
        train.stepped.connect(self._add_step)
        train.previewed.connect(self._add_preview)
        train.history_loaded.connect(self._show_remembered)
        train.overlaid.connect(self._overlay)
        train.show_map.connect(lambda: self._look_at("noise"))
        train.renamed.connect(self._rename)
        train.removed.connect(self._remove)
        self.looking.valueChanged.connect(self._look_at)
        self.showing.valueChanged.connect(self._view)
        self.data.actionTriggered.connect(self._act)
        train.data.chosen.connect(self._show_chosen)
        self.previews.slider.valueChanged.connect(self.preview_history.slider.setValue)
        self.preview_history.moved.connect(self.previews.slider.setValue)
        self.previews.cellClicked.connect(self._look_at_digit)

    def _pause_or_resume(self) -> None:
        if self._train.state == "running":
            self._train.pause()
        else:
            self._train.resume()

    def _draw(self) -> None:
        self._train.draw()
        self.pageRequested.emit("generate")

    # ---- the data, or a run

    def look(self) -> None:
        """Look at the data, if they are what is shown."""
        if self.showing.value() == "data" and not self._train.active:
            self._train.data.look()

    def _view(self, what: str) -> None:
        """Show the data, or the progress of runs."""
        self.showing.set_value(what)
        self.stack.setCurrentWidget(self.data if what == "data" else self.progress)
        self.preview_section.setVisible(what == "run")
        if self.isVisible() and self._context.device:
            self.look()

    def _show_chosen(self) -> None:
        """Show data that were just chosen, unless a run is watched."""
        if not self._train.active:
            self._view("data")

    def _act(self, key: str) -> None:
        """Do what a button beside the data says."""
        match key:
            case "download":
                self._train.data.look(download=True)
            case "folder":
                ask_for_data(self, self._train, self._context)
            case "images":
                ask_for_images(self, self._train)
            case _:
                self._train.data.look_again()

    # ---- what is shown

    def _show_state(self) -> None:
        train = self._train
        self.title.set_text(self._headline())
        self.subtitle.set_text(self._subline())
        self.starting.set_words(self._subline() if train.state == "starting" else "")
        if self.start_button.hasFocus() and train.active:  # else Qt passes the focus of a button that goes to the rail
            self.stop_button.setEnabled(True)
            self.stop_button.show()
            self.stop_button.setFocus()
        self.start_button.setVisible(not train.active)
        self.start_button.setEnabled(not train.contradiction)
        self.start_button.setToolTip(train.contradiction or "Train a new model")
        for button in (self.pause_button, self.save_button, self.stop_button):
            button.setVisible(train.active)
        held = train.state in ("pausing", "paused")
        self.pause_button.setText("Resume" if held else "Pause")
        self.pause_button.set_icon("play-fill" if held else "pause-fill")
        self.pause_button.setEnabled(train.state in ("running", "pausing", "paused"))
        self.save_button.setEnabled(train.state == "running")
        self.stop_button.setEnabled(train.active and train.state != "stopping")
        self.draw_button.setEnabled(train.can_draw)
        self._show_scores()
        self.unfinished.setVisible(bool(train.unfinished) and not train.active)
        self.runs.setVisible(bool(self._run_rows))
        self.showing.setVisible(bool(self._run_rows) or bool(train.name))
        if train.active != self._was_active:
            self._was_active = train.active
            self._view("run")
        if not train.active:
            self.stats["left"].set_value(NOTHING)
        if train.state == "starting" and train.last is None:
            self._clear_numbers()

    def _clear_numbers(self) -> None:
        self.plot.set_verdict("")
        self.noise_map.clear()
        self.previews.clear()
        self.preview_history.set_previews([])
        for card in self.stats.values():
            card.set_value(NOTHING)

    def _headline(self) -> str:
        return run_title(self._train.name) if self._train.name else "Train your own model"

    def _subline(self) -> str:
        train = self._train
        end = train.finished
        match train.state:
            case "idle" | "done" | "failed" if train.contradiction:
                return train.contradiction
            case "idle":
                return "Train a network on this device and watch it learn to generate images like these."
            case "starting":
                return f"{train.status or 'Starting'}…"
            case "pausing" | "stopping":
                return "Saving…"
            case "running" if train.status:
                return f"{train.status}…"
            case "paused" if train.write_error:
                return "Waiting for a folder to write to."
            case "paused":
                return f"Paused at step {train.last.step:,}. The run is saved." if train.last else "Paused."
            case "failed":
                return "The run failed. Change the setup, or start again."
            case "done" if end:
                return f"{'Finished' if end.completed else 'Stopped, model kept'}: {self._what_it_reached(end)}"
        return self._what_it_is()

    def _what_it_reached(self, end: RunFinished) -> str:
        """What a run saw, and what it still needs."""
        train, missing = self._train, self._train.missing_minutes
        done = f"{count(end.step, 'step')} in {duration(end.seconds)}, {count(train.images_seen, 'image')} seen"
        if missing:
            return f"{done}. Too early: about {duration(60 * missing)} more."
        return f"{done}; {train.trend()}." if train.trend() else f"{done}."

    def _what_it_is(self) -> str:
        run = self._train.run
        if run is None:
            return ""
        model = run.config.model
        network = f"{NETWORKS[model.network].title} with {millions(run.parameters)} parameters"
        return f"{data_title(run.config.data)} · {network} · predicts the {PREDICTIONS[model.prediction].title}"

    def _begin(self, name: str) -> None:
        before = self._train.before
        self.plot.set_run(name, *(np.empty((3, 0)) if before is None else before))
        by_noise = self._train.before_by_noise
        self.noise_map.set_table(np.empty((2, 0)) if by_noise is None else by_noise)
        self._row(name).set_shown()

    def _row(self, name: str, folder: Path | None = None) -> "RunRow":
        if name not in self._run_rows:
            self._run_rows[name] = RunRow(name, self.plot, folder)
            self._run_rows[name].opened.connect(self._train.load_history)
            self._run_rows[name].button.clicked.connect(lambda: self._view("run"))
            self.runs.add(self._run_rows[name])
            self.runs.show()
            self.showing.show()
        return self._run_rows[name]

    def _show_earlier(self) -> None:
        """Add a row for each earlier run; its curve is read when it is shown."""
        for folder in self._train.curves:
            self._row(folder.name, folder)

    def _overlay(self, folders: list[Path]) -> None:
        for folder in folders:
            self._row(folder.name, folder).button.setChecked(True)
        if folders:
            self._view("run")

    def _remove(self, name: str) -> None:
        if row := self._run_rows.pop(name, None):
            row.hide()
            row.deleteLater()
        self.plot.remove_run(name)
        if not self._train.name:
            self._clear_numbers()
        self.runs.setVisible(bool(self._run_rows))
        if not self._run_rows:
            self._view("data")
            self.showing.hide()

    def _rename(self, old: str, new: str) -> None:
        if old in self._run_rows:
            self._run_rows[new] = self._run_rows.pop(old)
            self.plot.rename_run(old, new)
            self._run_rows[new].rename(new)

    def _add_step(self, event: TrainStep) -> None:
        name = self._train.name
        self.plot.append(name, event.step, event.loss, event.smooth_loss)
        if event.by_noise:
            self.noise_map.append(event.step, event.by_noise)
            self.plot.set_verdict(self._train.trend())
        self.stats["step"].set_label(f"Step of {event.total_steps:,}" if event.total_steps else "Step")
        self.stats["step"].set_value(f"{event.step:,}")
        self.stats["loss"].set_value(f"{event.smooth_loss:.4f}")
        self.stats["rate"].set_value(f"{event.images_per_s:,.0f}")
        self.stats["lr"].set_value(f"{event.lr:.2g}".replace("e-0", "e-"))
        self.stats["norm"].set_value(f"{event.grad_norm:.3g}")
        self.stats["left"].set_value(duration(event.remaining_s))
        self._row(name).set_loss(event.smooth_loss)

    def _add_validated(self, event: Validated) -> None:
        self.plot.add_held_out(self._train.name, event.step, event.loss)

    def _add_preview(self, event: Preview) -> None:
        self.previews.add(event.step, event.images)
        self.preview_history.set_subject(self._train.subject)
        self.preview_history.add(event)

    def _show_remembered(self) -> None:
        self.previews.clear()
        for preview in self._train.previews:
            self.previews.add(preview.step, preview.images)
        self.preview_history.set_subject(self._train.subject)
        self.preview_history.set_previews(self._train.previews)
        by_noise = self._train.by_noise
        if by_noise is not None:
            self.noise_map.set_table(by_noise)

    def _look_at(self, what: str) -> None:
        self.looking.set_value(what)
        widgets = {"noise": self.noise_map, "past": self.preview_history, "scores": self.scores}
        self.below.setCurrentWidget(widgets[what])

    def _show_scores(self) -> None:
        train, best = self._train, self._train.best_scored
        self.scores.set_points(train.scores, best.step if best else 0, train.model_step, can_keep=train.can_keep)

    def _look_at_digit(self, index: int) -> None:
        """Show the denoising of one image in the preview history."""
        self.preview_history.set_digit(index)
        self._look_at("past")

    def _show_unfinished(self) -> None:
        layout = self.unfinished.body_layout
        while (item := layout.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        for run in self._train.unfinished[:3]:
            text = f"{run_title(run.name)} · {100 * run.progress:.0f} % done"
            button = Button(text, "arrow-clockwise", tip=f"Resume at step {run.step:,}")
            button.clicked.connect(lambda _checked=False, run=run: self._train.resume_run(run))
            self.unfinished.add(button)


class RunRow(QWidget):
    """A run in the list beside the plot: its colour, name and loss; a click shows or hides its curve.

    The curve of an earlier run is read from its `folder` at the first click; `opened(folder)` follows.
    """

    opened = Signal(Path)

    def __init__(self, name: str, plot: LossPlot, folder: Path | None = None) -> None:
        super().__init__()
        self._name, self._plot, self._folder = name, plot, folder
        self.button = Button(run_title(name), kind="flat", tip="Show or hide the curve of this run")
        self.button.setCheckable(True)
        self.button.setChecked(folder is None)
        self._dot = _Dot(plot, name)
        self._dot.setEnabled(folder is None)
        self._loss = Label("", "small")
        line = row(self._dot, self.button, 1, self._loss)
        self.setLayout(line)
        self.button.toggled.connect(self._toggled)

    def rename(self, name: str) -> None:
        """Use a new name; the run's folder is renamed with it."""
        self._name = self._dot.run = name
        self._folder = self._folder and self._folder.with_name(name)
        self.button.setText(run_title(name))
        self.button.setAccessibleName(self.button.text())

    def set_loss(self, loss: float) -> None:
        """Show the current smoothed loss."""
        self._loss.setText(f"loss {loss:.4f}")

    def set_shown(self) -> None:
        """Show the curve of an earlier run that was resumed."""
        if self._folder is not None:
            self._folder = None
            self.button.setChecked(True)

    def _toggled(self, shown: bool) -> None:
        if self._folder is not None:
            values = curve(self._folder)
            self._plot.set_run(self._name, *values)
            if values.shape[1]:
                self.set_loss(float(values[2, -1]))
            self.opened.emit(self._folder)
            self._folder = None
        self._plot.set_visible(self._name, shown)
        self._dot.setEnabled(shown)


class _Dot(QWidget):
    """A dot in the colour of a run; hollow while its curve is hidden."""

    def __init__(self, plot: LossPlot, name: str) -> None:
        super().__init__()
        self._plot, self.run = plot, name
        self.setFixedSize(10, 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        known = self._plot.has_run(self.run)
        color = self._plot.color_of(self.run) if known else theme().colors.color("faint")
        painter.setPen(color)
        painter.setBrush(color if self.isEnabled() else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))
