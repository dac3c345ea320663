"""The Draw page: draw an image, then vary, complete, rebuild or recognise it."""

import random
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMenu

from desktop_app.pages.base import Page
from desktop_app.pages.own_set import OwnSetSection
from desktop_app.text.subject import DIGIT
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.draw import Draw, Part
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.controls.export_menu import ENTRIES, PICTURE
from desktop_app.widgets.controls.rows import ChoiceRow, Section, Segmented, SliderRow
from desktop_app.widgets.images.canvas import Bars, Canvas
from desktop_app.widgets.images.copy_button import CopyButton
from desktop_app.widgets.images.image_grid import Caption, ImageGrid
from desktop_app.widgets.images.waiting import Waiting
from ml.events import Pixels
from ml.imaging.pixels import grid
from ml.system.files import free_name

TASKS = (("vary", "Vary"), ("complete", "Complete"), ("rebuild", "Rebuild"))
TASK_TIPS = (
    "Add noise to the drawing and denoise it (SDEdit)",
    "Keep the unmarked part and generate the rest (RePaint)",
    "Invert the drawing to noise and regenerate it as each class (DDIM inversion)",
)
TOOLS = (("pen", "pen"), ("eraser", "eraser"), ("mark", "mark"))
TOOL_TIPS = ("Draw", "Erase ink or marks", "Mark the part to complete")
SUBTITLES = {
    "vary": "Adds noise to your drawing, then denoises it.",
    "complete": "Mark a part; the model completes it to fit the rest.",
    "rebuild": "Inverts your drawing to noise, then regenerates it as each class.",
}
VERBS = {"vary": "Vary", "complete": "Complete", "rebuild": "Rebuild"}
MAKE_TIPS = {
    "vary": "Generates nine results, each from different noise",
    "complete": "Generates nine results, each from different noise",
    "rebuild": "Shows the noise, the reconstruction, and every class from the same noise",
}
FOOT_HEIGHT, COPY_SCALE = 38, 4
PICTURES = "Images (*.png *.jpg *.jpeg *.gif *.bmp *.webp)"


class DrawPage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, draw: Draw, context: AppContext) -> None:
        super().__init__("Draw")
        self._context, self._draw = context, draw
        self.canvas = Canvas()
        self.results = ImageGrid("Results", margin=14)
        self.results.set_empty_text("The results appear here")
        self.task = Segmented(TASKS, name="Task", tips=TASK_TIPS)
        self.tool = Segmented(TOOLS, name="Tool", tips=TOOL_TIPS)
        self.subtitle = ElidedLabel("", "muted")
        self.undo = Button(kind="tool", name="Undo", tip="Undo the last stroke or change of settings (Ctrl+Z)")
        self.undo.set_icon("arrow-counter-clockwise")
        self.clear = Button("Clear", tip="Clear the canvas")
        self.example = Button("Random digit", "dice-five", tip="Start from a random digit of the data")
        self.open = Button("Open…", "image", tip="Start from an image file")
        self.model = ChoiceRow("Model", tip="The network that generates; it has to draw images of the canvas's size")
        self.label = ChoiceRow("Turn into", DIGIT.choices, tip="The class to generate")
        self.noise = SliderRow("Noise σ", 0.2, 12, 1, decimals=1, logarithmic=True,
                               tip="Amount of noise added to the drawing; more noise gives freer results")  # fmt: skip
        self.pen = SliderRow("Pen radius", 0.5, 4, 1.3, step=0.1, decimals=1, tip="Radius of the pen in pixels")
        self.half = Button("Mark the lower half", tip="Mark the lower half to complete it")
        self.make = Button("Vary", kind="primary", tip="Generates nine results, each from different noise")
        self.export_button = Button("Export…", "export", tip="Save the results (Ctrl+E)")
        self.copy_button = CopyButton(self.shown_picture, "Copy the results (Ctrl+Shift+C)")
        self.recognise = Button("", "question", tip="Classifies the drawing with the diffusion model itself")
        self.recognise.setProperty("formula", "recognise")
        self.bars = Bars(DIGIT)
        self.verdict = Label("", "small")
        self.verdict.setWordWrap(True)
        self.own_set = OwnSetSection(draw)
        self.waiting: dict[Part, Waiting] = {
            "drawing": Waiting(self.canvas),
            "results": self.results.waiting,
            "recognition": Waiting(self.bars, surface="card", ink="muted"),
        }
        self._arrange()
        self._connect()
        self._show_settings()
        self._show_drawing()
        self._show_busy()

    def _arrange(self) -> None:
        self.outdated.setText("Made from another drawing or with other settings")
        self.add_header(Label("Draw", "heading"), self.subtitle, self.task)
        self.body.addLayout(row(self.tool, self.undo, self.clear, self.example, self.open, 1))
        middle = row(self.canvas, self.results, spacing=Space.M)
        middle.setStretch(0, 1)
        middle.setStretch(1, 1)
        self.body.addLayout(middle, 1)
        drawing, making, knowing = Section("Drawing"), Section("Result"), Section("Recognition")
        sampling = Section("Sampling")
        drawing.add(self.pen)
        sampling.add(self.model)
        for widget in (self.label, self.noise, self.half):
            making.add(widget)
        for widget in (self.recognise, self.bars, self.verdict):
            knowing.add(widget)
        self.making, self.knowing = making, knowing
        self.side.addWidget(drawing)
        self.side.addWidget(self.own_set)
        self.side.addWidget(sampling)
        self.side.addWidget(making)
        self.side.addWidget(knowing)
        self.side.addStretch(1)
        self.make.setFixedHeight(FOOT_HEIGHT)
        self.foot.addWidget(self.make)
        taking = row(self.export_button, self.copy_button)
        taking.setStretch(0, 1)
        self.foot.addLayout(taking)
        menu = QMenu(self)
        menu.setAccessibleName("Export")
        for key, entry in ENTRIES.items():
            menu.addAction(entry.words, partial(self.export, key))
        self.export_button.setMenu(menu)

    def _connect(self) -> None:
        draw = self._draw
        self.canvas.begun.connect(draw.begin_stroke)
        self.canvas.touched.connect(self._dab)
        self.task.valueChanged.connect(self._choose_task)
        self.undo.clicked.connect(draw.undo)
        self.clear.clicked.connect(draw.clear)
        self.example.clicked.connect(lambda: draw.example(random.randrange(10), random.randrange(500)))
        self.open.clicked.connect(self._open)
        self.model.valueChanged.connect(draw.use_model)
        self.label.valueChanged.connect(lambda value: draw.change(label=int(value)))
        self.noise.valueChanged.connect(lambda value: draw.change(vary_from=value))
        self.pen.valueChanged.connect(lambda value: draw.change(pen=value))
        self.half.clicked.connect(draw.mark_half)
        self.make.clicked.connect(self._make_or_stop)
        self.recognise.clicked.connect(draw.recognise)
        draw.own_set.train_on.connect(lambda *_: self.pageRequested.emit("train"))
        draw.changed.connect(self._show_settings)
        draw.drawing_changed.connect(self._show_drawing)
        draw.finished.connect(self._show_results)
        draw.recognised.connect(self._show_verdict)
        draw.busy_changed.connect(self._show_busy)
        draw.exported.connect(self._context.notify_saved)
        self._context.ready.connect(self._show_settings)
        self.results.setToolTip("Click a result to continue drawing on it")
        self.results.cellClicked.connect(draw.take_result)

    # ---- actions

    def look(self) -> None:
        self._draw.own_set.read()

    def _dab(self, x: float, y: float) -> None:
        tool = self.tool.value()
        marking = tool == "mark" or (tool == "eraser" and self._draw.settings.task == "complete")
        self._draw.dab(x, y, marking=marking, erase=tool == "eraser")

    def _choose_task(self, task: str) -> None:
        self._draw.change(task=task)
        self.tool.set_value("mark" if task == "complete" else "pen")

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose an image to draw on", "", PICTURES)
        if name:
            self._draw.load(Path(name))

    def _make_or_stop(self) -> None:
        if self._draw.busy:
            self._draw.stop()
        else:
            self._draw.make()

    def export_shown(self) -> bool:
        shown = self._draw.sampled is not None
        if shown:
            self.export(PICTURE)
        return shown

    def export(self, key: str) -> None:
        """Ask for a file, and write the results."""
        suffix = ENTRIES[key].suffix
        suggested = free_name((self.export_folder or Path.home()) / f"noiseloom-drawing{suffix}")
        name, _ = QFileDialog.getSaveFileName(self, "Export", str(suggested), ENTRIES[key].filter)
        if name:
            path = Path(name)
            self.export_folder = path.parent
            target = path if path.suffix.lower() == suffix else free_name(path.with_suffix(suffix))
            self._draw.export(target, scale=self.export_scale, labelled=ENTRIES[key].labelled)

    def copy_shown(self) -> None:
        self.copy_button.copy()

    def shown_picture(self) -> Pixels | None:
        images = self._draw.images
        return None if images is None else grid(images, self._draw.columns, scale=COPY_SCALE)

    # ---- what is shown

    def _show_settings(self) -> None:
        settings = self._draw.settings
        completing = settings.task == "complete"
        self.task.set_value(settings.task)
        self.subtitle.set_text(SUBTITLES[settings.task])
        names, subject = self._draw.models, self._draw.subject
        self.model.set_lines(self._context.model_lines())
        self.model.set_choices(self._context.model_choices(names or [settings.model]), settings.model)
        self.label.set_choices(subject.choices)
        self.label.set_value(str(settings.label))
        self.canvas.set_hint(f"Draw {subject.a} here" if subject.is_digits else "Draw here")
        self.example.setVisible(subject.is_digits)
        self.recognise.setText("Which digit is this?" if subject.is_digits else "Which class is this?")
        self.recognise.setAccessibleName(self.recognise.text())
        self.bars.set_subject(subject)
        self.knowing.setVisible(self._draw.can_recognise)
        if self._draw.probabilities is None:
            self.verdict.setText("")
        self.noise.set_value(settings.vary_from)
        self.pen.set_value(settings.pen)
        self.noise.setVisible(settings.task == "vary")
        self.label.setVisible(settings.task != "rebuild" and bool(subject.classes))
        self.half.setVisible(completing)
        self.making.setVisible(settings.task != "rebuild")
        self.tool.button("mark").setVisible(completing)
        if self.tool.value() == "mark" and not completing:
            self.tool.set_value("pen")
        self._show_canvas()
        self._show_busy()

    def _show_canvas(self) -> None:
        draw = self._draw
        self.canvas.set_drawing(draw.drawing, draw.mask if draw.settings.task == "complete" else draw.mask * 0)

    def _show_drawing(self) -> None:
        draw = self._draw
        self._show_canvas()
        if draw.probabilities is None:
            self.bars.set_shares(None)
            self.verdict.setText("")
        self._show_busy()

    def _show_results(self) -> None:
        if self._draw.images is not None:
            self.results.set_images(self._draw.images, self._draw.columns)
            self.results.set_captions([Caption(words) for words in self._draw.captions])

    def _show_verdict(self) -> None:
        found = self._draw.probabilities
        if found is not None:
            self.bars.set_shares(found)
            best = self._draw.subject.one(int(found.argmax()))
            self.verdict.setText(f"The model denoises it best when it assumes {best}.")

    def _show_busy(self) -> None:
        draw = self._draw
        for part, waiting in self.waiting.items():
            waiting.set_words(f"{draw.status}…" if draw.waits_on == part else "")
        self.make.setText("Stop" if draw.busy else VERBS[draw.settings.task])
        self.make.setAccessibleName(self.make.text())
        self.make.set_kind("warm" if draw.busy else "primary")
        self.outdated.setVisible(draw.outdated)
        marked = draw.settings.task != "complete" or bool(draw.mask.any())
        self.make.setEnabled(draw.busy or (not draw.empty and marked))
        self.make.setToolTip(MAKE_TIPS[draw.settings.task] if marked else "First mark the part to complete")
        self.recognise.setEnabled(not draw.empty and not draw.busy)
        self.undo.setEnabled(draw.can_undo)
        self.clear.setEnabled(not draw.empty)
        for button in (self.export_button, self.copy_button):
            button.setEnabled(draw.sampled is not None)
