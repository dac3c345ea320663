"""The Compare page: a grid of two settings on the same noise, and a race between up to four setups."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL.Image import Image
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.pages.axis_editor import AxisEditor
from desktop_app.pages.base import Page
from desktop_app.pages.cell_view import CellView
from desktop_app.pages.race_view import LaneEditor, RaceView
from desktop_app.text.subject import Subject
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.context import AppContext
from desktop_app.widgets.controls.basics import Button, Check, ElidedLabel, Label, row
from desktop_app.widgets.controls.prompt_bar import SeedBox
from desktop_app.widgets.controls.rows import ChoiceRow, Section, Segmented, SliderRow
from desktop_app.widgets.images.image_grid import CAPTION_ROOM, Caption
from desktop_app.widgets.images.labelled_grid import LabelledGrid
from desktop_app.widgets.images.qimage import to_qimage
from desktop_app.widgets.images.timeline import Timeline
from ml.events import Pixels
from ml.experiments.cells import (
    Cell,
    format_scores,
    format_seconds,
    format_sharpness,
    judge_note,
    title,
)
from ml.experiments.comparison_figure import save_race
from ml.imaging.figure import SCALE, tiles
from ml.system.files import free_name

MODES = (("grid", "Grid"), ("race", "Race"))
MODE_TIPS = (
    "Combine every value of one setting with every value of another",
    "Run two to four setups side by side, step by step",
)
SUBTITLES = {
    "grid": "All cells start from the same noise. Times are on this machine, just now.",
    "race": "All lanes start from the same noise. Times are on this machine, just now.",
}
EMPTY = "Press Compare to generate every cell from the same noise"
SCORES = (
    "Right: how many images the judge reads as requested. Sharpness: the differences of neighbouring pixels relative "
    "to the contrast; blur lowers it, noise raises it"
)
COPIED_MS = 1500
ROOMY = (1500, 900)  # page size from which the chosen cells are shown below the grid
CELL_GAP = 12  # pixels around a cell, about
POOR = 0.5  # share of correct images below which a cell shows a warning


class ComparePage(Page):
    """Binds the widgets of the page to `Compare` and its `Race`."""

    def __init__(self, compare: Compare, context: AppContext) -> None:
        super().__init__("Compare")
        self._context, self._compare, self._race = context, compare, compare.race
        self.mode = Segmented(MODES, name="Mode", tips=MODE_TIPS)
        self.subtitle = ElidedLabel("", "muted")
        self.table = LabelledGrid("Cells of the comparison")
        self.table.grid.setToolTip(f"Click a cell to enlarge it, then another one to overlay both. {SCORES}")
        self.table.grid.set_empty_text(EMPTY)
        self.lanes = RaceView(compare.race)
        self.views = QStackedWidget()
        self.cell = CellView(compare)
        self.rows, self.columns = AxisEditor(self._compare, "rows"), AxisEditor(self._compare, "columns")
        self.lane = LaneEditor(compare)
        self._make_settings()
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._arrange()
        self._connect()
        self._show_settings()
        self._show_cells()
        self._show_chosen()
        self._show_busy()

    def _make_settings(self) -> None:
        self.model = ChoiceRow("Model", tip="The network that generates, with its default settings except for the axes")
        self.digits = QLineEdit()
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        self.guidance = Label("", "small")
        self.guidance.setWordWrap(True)
        self.wide = Check(
            "Guide at every step", "Guidance acts at all noise levels, not only in the model's own interval"
        )
        self.each = SliderRow("Per class", 1, 20, 4, tip="Number of images in each cell")
        self.seed = SeedBox(self._compare.settings.seed)
        self.go = Button("Compare", kind="primary", tip="Generate every cell from the same noise")
        self.export_button = Button("Export…", "export", tip="Save a labelled figure (Ctrl+E)")
        self.copy_button = Button("Copy", "copy", tip="Copy a labelled figure (Ctrl+Shift+C)")

    def _arrange(self) -> None:
        self.add_header(Label("Compare", "heading"), self.subtitle, self.mode)
        for view in (self.table, self.lanes):
            self.views.addWidget(view)
        self.body.addWidget(self.views, 1)
        self.under = QVBoxLayout()
        self.body.addLayout(self.under)
        self.axes, common = Section("Axes"), Section("Shared settings")
        for widget in (self.rows, self.columns, self.guidance, self.wide):
            self.axes.add(widget)
        self.digits_label = Label("", "muted")
        self.digits_label.setFixedWidth(self.model.label.width())
        self.digits_label.setBuddy(self.digits)
        self.digits_row = QWidget()
        self.digits_row.setLayout(row(self.digits_label, self.digits))
        for widget in (self.model, self.digits_row, self.problem, self.each, self.seed):
            common.add(widget)
        for widget in (self.cell, self.axes, self.lane, common):
            self.side.addWidget(widget)
        self.side.addStretch(1)
        self.foot.addWidget(self.go)
        self.taking = QWidget()
        taking = row(self.export_button, self.copy_button)
        taking.setStretch(0, 1)
        taking.setStretch(1, 1)
        self.taking.setLayout(taking)
        self.foot.addWidget(self.taking)

    def _connect(self) -> None:
        compare, race = self._compare, self._race
        self.mode.valueChanged.connect(lambda mode: compare.change(mode=mode))
        self.model.valueChanged.connect(lambda name: compare.change(model=name))
        self.digits.textEdited.connect(lambda text: compare.change(digits=text))
        self.wide.toggled.connect(lambda wide: compare.change(wide=wide))
        self.each.valueChanged.connect(lambda value: compare.change(each=round(value)))
        self.seed.seedChanged.connect(lambda seed: compare.change(seed=seed))
        self.go.clicked.connect(self._go)
        self.export_button.clicked.connect(self.export)
        self.copy_button.clicked.connect(self.copy)
        self._copied.timeout.connect(lambda: self._show_copied(copied=False))
        self.table.grid.cellClicked.connect(compare.choose)
        self.cell.taken.connect(lambda: self.pageRequested.emit("generate"))
        compare.changed.connect(self._show_settings)
        for signal in (compare.begun, compare.filled):
            signal.connect(self._show_cells)
        compare.chosen_changed.connect(self._show_chosen)
        race.begun.connect(self._show_busy)
        for signal in (race.begun, race.finished):
            signal.connect(self._show_judge)
        for activity in (compare, race):
            activity.busy_changed.connect(self._show_busy)
        self._context.ready.connect(self._show_settings)

    # ---- actions

    def film(self) -> Timeline | None:
        return None if self._grid else self.lanes.timeline

    def export_shown(self) -> bool:
        if self.export_button.isEnabled():
            self.export()
        return True

    def _go(self) -> None:
        activity = self._compare if self._grid else self._race
        if activity.busy:
            activity.stop()
            return
        self.seed.take_typed()
        self._compare.compare() if activity is self._compare else self._race.start()

    def export(self) -> None:
        """Ask for a file, and write the figure."""
        what = "comparison" if self._grid else "race"
        suggested = free_name((self.export_folder or Path.home()) / f"noiseloom-{what}.png")
        name, _ = QFileDialog.getSaveFileName(self, "Export", str(suggested), "Labelled figure (PNG) (*.png)")
        if name:
            path = Path(name)
            self.export_folder = path.parent
            path = path if path.suffix.lower() == ".png" else free_name(path.with_suffix(".png"))
            if self._grid:
                self._compare.export(path, self.export_scale)
            else:
                draw, lanes, scale = self._figure(), self._race.requests, self.export_scale
                save = lambda _: save_race(path, np.asarray(draw(scale)), lanes, scale)  # noqa: E731
                self._context.files.write_by(path, save, self._context.notify_saved)

    def shown_picture(self) -> Pixels | None:
        return np.asarray(self._figure()(SCALE)) if self.copy_button.isEnabled() else None

    def copy(self) -> None:
        """Copy the figure."""
        QGuiApplication.clipboard().setImage(to_qimage(np.asarray(self._figure()(SCALE))))
        self._show_copied(copied=True)
        self._copied.start()

    def _figure(self) -> Callable[[int], Image]:
        """A function that draws the figure at a scale."""
        lanes = self.lanes
        return self._compare.figure() if self._grid else self._race.figure(lanes.timeline.step, clean=lanes.clean)

    @property
    def _grid(self) -> bool:
        return self._compare.settings.mode == "grid"

    def copy_shown(self) -> None:
        if self.copy_button.isEnabled():
            self.copy()

    def _show_copied(self, *, copied: bool) -> None:
        self.copy_button.setText("Copied" if copied else "Copy")
        self.copy_button.set_icon("check-bold" if copied else "copy")

    # ---- what is shown

    def resizeEvent(self, event: QResizeEvent) -> None:
        """On a large page, the chosen cells are shown enlarged below the grid."""
        super().resizeEvent(event)
        roomy = event.size().width() >= ROOMY[0] and event.size().height() >= ROOMY[1]
        if roomy != (self.under.count() > 0):
            self.cell.place_pictures(self.under if roomy else None)
            self._show_chosen()
        if self._compare.cells:
            QTimer.singleShot(0, self, self._show_cells)  # once the table has its new size

    def _show_settings(self) -> None:
        compare, settings, grid = self._compare, self._compare.settings, self._grid
        self.mode.set_value(settings.mode)
        self._show_judge()
        self.views.setCurrentIndex(0 if grid else 1)
        for widget in (self.cell, self.axes):
            widget.setVisible(grid)
        self.lane.setVisible(not grid)
        self.cell.show_cells()
        on_axis = compare.fields if grid else ()
        self.model.setVisible(grid and "model" not in on_axis)
        self.digits_row.setVisible("label" not in on_axis and bool(compare.subject.classes))
        self._show_subject(compare.subject)
        self.each.setVisible("label" in on_axis)
        self.seed.setVisible("seed" not in on_axis)
        self.model.set_lines(self._context.model_lines())
        self.model.set_choices(self._context.model_choices(compare.models or [settings.model]), settings.model)
        if self.digits.text() != settings.digits:
            self.digits.setText(settings.digits)
            self.digits.setCursorPosition(0)
        self.each.set_value(settings.each)
        self.seed.set_seed(settings.seed)
        self.guidance.setText(compare.guidance_note)
        self.guidance.setVisible(bool(compare.guidance_note))
        self.wide.setVisible("guidance" in on_axis)
        self.wide.setChecked(settings.wide)
        trouble = compare.trouble("digits")
        self.problem.setText(trouble)
        self.problem.setVisible(bool(trouble))
        for editor in (self.rows, self.columns):
            editor.show_axis()
        self.lane.show_lanes()
        self.lanes.show_names()
        self._show_busy()

    def _show_judge(self, *_: object) -> None:
        """Say what the page does, and how far the judge can be trusted."""
        judge = judge_note(self._compare.cells if self._grid else self._race.cells)
        said = f" {judge[0].upper()}{judge[1:]}." if judge else ""
        self.subtitle.set_text(SUBTITLES[self._compare.settings.mode] + said)

    def _show_subject(self, subject: Subject) -> None:
        """Name the classes in the prompt as the models do."""
        name = "Digits" if subject.is_digits else "Classes"
        self.digits_label.setText(name)
        self.digits.setAccessibleName(name)
        example = "7, 0-9, 2026, two or five" if subject.is_digits else subject.prompt(range(2)[: len(subject.classes)])
        self.digits.setToolTip(f"The {name.lower()} in every cell: {example}")

    def _show_busy(self) -> None:
        compare, grid = self._compare, self._grid
        busy = (compare if grid else self._race).busy
        self.table.grid.set_empty_text("Generating the first cell…" if compare.busy else EMPTY)
        self.go.setText("Stop" if busy else "Compare" if grid else "Start race")
        self.go.setAccessibleName(self.go.text())
        self.go.set_kind("warm" if busy else "primary")
        able = bool(self._context.models) and (compare.ready if grid else not compare.trouble("digits"))
        self.go.setEnabled(busy or able)
        self.outdated.setVisible((compare if grid else self._race).outdated)
        shown = bool(compare.cells if grid else self._race.requests and self._race.reached >= 0)
        for button in (self.export_button, self.copy_button):
            button.setEnabled(shown and not busy)

    def _show_cells(self) -> None:
        compare = self._compare
        self.outdated.setVisible(compare.outdated if self._grid else self._race.outdated)
        self._show_judge()
        if compare.rows is None and compare.columns is None:
            self.table.grid.set_images(None)
            self.table.set_heads((), ())
            return
        down, along = compare.shape
        by_place = {compare.index(cell): cell for cell in compare.cells}
        found = [by_place.get(index) for index in range(down * along)]
        self.table.grid.set_images(tiles([cell and cell.images for cell in found], self._cell_room()), along)
        self.table.grid.set_captions([caption(cell) for cell in found], keep_room=True)
        self.table.set_heads(compare.heads(compare.rows, "row"), compare.heads(compare.columns, "column"))
        self.table.grid.setAccessibleName(f"{title(compare.rows, compare.columns)}: {down * along} cells")

    def _cell_room(self) -> tuple[float, float]:
        """The width and height that there is for the images of one cell, above its caption."""
        down, along = self._compare.shape
        room = self.table.grid.size()
        return max(room.width() / along - CELL_GAP, 1), max(room.height() / down - CELL_GAP - CAPTION_ROOM, 1)

    def _show_chosen(self) -> None:
        compare = self._compare
        self.table.grid.set_selected(compare.index(compare.chosen) if compare.chosen else None)
        self.table.grid.set_marked(compare.index(compare.before) if compare.before else None)
        self.cell.show_cells()


def caption(cell: Cell | None) -> Caption:
    """How many images of a cell are right, and how sharp they are; a warning where most are wrong."""
    if cell is None:
        return Caption("")
    parts = (format_scores([cell]), format_sharpness([cell]), format_seconds(cell.seconds))
    words = " · ".join(part.replace(" ", "\u00a0") for part in parts if part)
    return Caption(words, warn=cell.right is not None and cell.right < POOR)
