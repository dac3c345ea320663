"""The Generate page: the prompt, the grid during denoising, the timeline, and actions on the result."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QAbstractSpinBox, QFileDialog, QLineEdit, QMenu

from desktop_app.pages.base import Page
from desktop_app.pages.digit_view import DigitView
from desktop_app.pages.interpolate import CORNERS
from desktop_app.pages.sampling_settings import SamplingSettings
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.trajectory import PULL, THREE, View
from desktop_app.widgets.controls.basics import Button, row
from desktop_app.widgets.controls.export_menu import DIGITS, ENTRIES, PICTURE, ExportMenu
from desktop_app.widgets.controls.prompt_bar import PromptBar
from desktop_app.widgets.images.image_grid import Caption, ImageGrid, Pixels
from desktop_app.widgets.images.qimage import to_qimage
from desktop_app.widgets.images.timeline import Timeline
from ml.config import NO_LABEL
from ml.events import Sampled
from ml.imaging.pixels import grid
from ml.system.files import free_name

COPY_SCALE = 4
HIGH = 860  # pixels of the page from which the digit is shown larger
COPIED_MS = 1500
DETAILS = ("all", "xray")  # views of one digit
UNGUIDED = "This image is not guided. Give a class in the prompt, or use a model that reads words."


class GeneratePage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, generate: Generate, context: AppContext) -> None:
        super().__init__("Generate")
        self._context, self._generate = context, generate
        settings = self._generate.settings
        self.prompt = PromptBar(settings.prompt, settings.seed)
        self.grid = ImageGrid("Generated images")
        self.grid.setToolTip("Click an image to enlarge it; right-click it for actions")
        self.grid.set_empty_text("Loading the model…")
        self.grid.set_captions([], keep_room=True)
        self.timeline = Timeline()
        self.digit = DigitView(self._generate)
        self.sampling = SamplingSettings(generate, context)
        self.export_button = Button("Export…", "export", tip="Save the grid, or an animation of its denoising (Ctrl+E)")
        self.copy_button = Button("Copy", "copy", tip="Copy the grid as shown (Ctrl+Shift+C)")
        self.copy_button.setEnabled(False)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._view: View = "noisy"
        self._overview: View = "noisy"  # the view before a digit was enlarged
        self._looked_at: int | None = None  # the digit that the view "all" shows
        self._fresh = False  # a trajectory has begun, and the timeline shows the previous one
        self._arrange()
        self._connect()
        self._show_prompt()
        self._show_buttons()

    def _arrange(self) -> None:
        self.body.addWidget(self.prompt)
        self.body.addWidget(self.grid, 1)
        self.body.addWidget(self.timeline)
        self.side.addWidget(self.digit)
        self.side.addWidget(self.sampling)
        self.side.addStretch(1)
        foot = row(self.export_button, self.copy_button)
        foot.setStretch(0, 1)
        foot.setStretch(1, 1)
        self.foot.addLayout(foot)
        self.digit.branch_menu.aboutToShow.connect(self._fill_branch_menu)
        self.digit.more_menu.aboutToShow.connect(self._fill_more_menu)
        self.export_menu = ExportMenu(self)
        self.export_button.setMenu(self.export_menu)
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def _connect(self) -> None:
        generate = self._generate
        self.prompt.textChanged.connect(lambda text: generate.change(prompt=text, live=False))
        self.prompt.submitted.connect(self.generate)
        self.prompt.seedChanged.connect(self._seed_changed)
        self.prompt.stopRequested.connect(generate.stop)
        self.prompt.routeChanged.connect(generate.use_route)
        self.grid.cellClicked.connect(self._choose)
        self.grid.customContextMenuRequested.connect(self._digit_menu)
        self.timeline.stepChanged.connect(lambda _step: self._show_step())
        self.timeline.viewChanged.connect(self._set_view)
        self.digit.stepChosen.connect(self._go_to)
        self.digit.enlarged.connect(self._enlarge)
        self.export_menu.chosen.connect(self.export)
        self.export_menu.scaleChosen.connect(self.scaleChosen)
        self.copy_button.clicked.connect(self.copy)
        self._copied.timeout.connect(partial(self._show_copied, False))
        copy = QShortcut(QKeySequence.StandardKey.Copy, self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copy.activated.connect(self.copy)
        for edit in (self.prompt.edit, self.prompt.seed_box.edit):
            edit.installEventFilter(self)
        generate.changed.connect(self._show_prompt)
        generate.sketched.connect(self._show_sketch)
        generate.returned.connect(self._show_step)
        generate.begun.connect(self._begin)
        generate.stepped.connect(self._add_step)
        generate.judged.connect(self._show_verdicts)
        generate.compared.connect(self._show_compared)
        generate.busy_changed.connect(self._show_buttons)
        generate.finished.connect(self._show_buttons)
        generate.exported.connect(self._context.notify_saved)
        self._context.ready.connect(generate.refresh)

    # ---- actions

    def generate(self) -> None:
        """Generate from the prompt, with numbers that are still being typed."""
        typing = self.focusWidget()
        if isinstance(typing, QAbstractSpinBox):
            typing.interpretText()
        self.prompt.seed_box.take_typed()
        self._generate.draw()

    def film(self) -> Timeline:
        return self.timeline

    def set_export_scale(self, scale: int) -> None:
        super().set_export_scale(scale)
        self.export_menu.set_scale(scale)

    def export(self, key: str = PICTURE) -> None:
        """Ask for a file, and write the grid, its animation, its arrays or its digits."""
        request = self._generate.request
        if request is None or not self._generate.can_export:
            return
        folder = self.export_folder or Path.home()
        if key == DIGITS:
            noun = self._generate.shown_subject.noun
            name = QFileDialog.getExistingDirectory(self, f"Choose a folder for the {noun}s", str(folder))
            if name:
                self.export_folder = Path(name)
                digits = free_name(Path(name) / f"noiseloom-{request.seed}-{noun}s")
                self._generate.export_digits(digits, scale=self.export_scale)
            return
        suffix = ENTRIES[key].suffix
        suggested = free_name(folder / f"noiseloom-{request.seed}{suffix}")
        filters = {entry.filter: entry for entry in ENTRIES.values()}
        offered = ";;".join(sorted(filters, key=lambda shown: filters[shown].key != key))
        name, words = QFileDialog.getSaveFileName(self, "Export", str(suggested), offered)
        chosen = filters.get(words, ENTRIES[key])
        if name:
            self.export_to(with_ending(Path(name), suffix, chosen.suffix), labelled=chosen.labelled)

    def export_to(self, path: Path, *, labelled: bool = False) -> None:
        """Write to `path`; its suffix selects the format."""
        self.export_folder = path.parent
        self._generate.export(path, scale=self.export_scale, view=self._view, labelled=labelled)

    def copy(self) -> None:
        """Copy the grid as shown."""
        picture = self.shown_picture()
        if picture is not None:
            QGuiApplication.clipboard().setImage(to_qimage(picture))
            self._show_copied(True)
            self._copied.start()

    def copy_shown(self) -> None:
        self.copy()

    def shown_picture(self) -> Pixels | None:
        images = self.grid.images()
        return grid(images, self._generate.columns, scale=COPY_SCALE) if len(images) else None

    def _show_copied(self, copied: bool) -> None:
        self.copy_button.setText("Copied" if copied else "Copy")
        self.copy_button.setAccessibleName(self.copy_button.text())
        self.copy_button.set_icon("check-bold" if copied else "copy")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Without a selection in a text field, Ctrl+C copies the grid."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            idle = isinstance(watched, QLineEdit) and not watched.hasSelectedText()
            if idle and event.matches(QKeySequence.StandardKey.Copy):
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def _copy_digit(self, index: int) -> None:
        digit = self.grid.images()[index : index + 1]
        if len(digit):  # the menu may have been opened over a larger grid
            QGuiApplication.clipboard().setImage(to_qimage(grid(digit, 1, scale=10)))

    def _digit_menu(self, position: QPoint) -> None:
        index = self.grid.cell_at(position)
        if index >= 0 and self._view not in DETAILS:
            if self.grid.selected() != index:
                self._choose(index)
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._add_deeds(menu, index)
            self._add_branches(menu.addMenu("Branch here"))
            menu.popup(self.grid.mapToGlobal(position))

    def _fill_branch_menu(self) -> None:
        self.digit.branch_menu.clear()
        self._add_branches(self.digit.branch_menu)

    def _fill_more_menu(self) -> None:
        self.digit.more_menu.clear()
        if (chosen := self._chosen()) is not None:
            self._add_deeds(self.digit.more_menu, chosen)

    def _add_branches(self, menu: QMenu) -> None:
        """The branches from the step under the slider."""
        generate, step, chosen = self._generate, self.timeline.step, self._chosen()
        able, subject = generate.can_branch(step), generate.shown_subject
        noun, here = subject.noun, (chosen or 0, step)
        ways = (
            (f"All {noun}s with the current settings", generate.branch, (step,), True),
            (f"This {noun} in every class", generate.branch_into_classes, here, bool(subject.classes)),
            (f"This {noun} with ten new noises", generate.branch_into_noises, here, True),
        )
        for words, way, arguments, possible in ways:
            action = menu.addAction(f"{words}, from step {step}", partial(self._branch, partial(way, *arguments)))
            action.setEnabled(able and possible and (chosen is not None or len(arguments) == 1))
        if not able:
            menu.addAction("Go back a few steps to branch: this is the last step").setEnabled(False)

    def _branch(self, way: Callable[[], None]) -> None:
        if self._view in DETAILS:
            self.timeline.view.set_value("noisy")
            self._set_view("noisy")
        way()

    def _add_deeds(self, menu: QMenu, index: int) -> None:
        """The actions on one image."""
        menu.addAction(f"Copy this {self._generate.shown_subject.noun}", partial(self._copy_digit, index))
        menu.addAction("Generate only this one", partial(self._generate.draw_alone, index))
        corners = menu.addMenu("Use as a corner")
        corners.setEnabled(self._generate.can_be_corner)
        for corner, words in enumerate(CORNERS):
            corners.addAction(words, partial(self._use_as_corner, index, corner))
        menu.addAction("Open in Draw", partial(self._draw_on, index)).setEnabled(self._generate.can_draw_on)

    def _chosen(self) -> int | None:
        """The chosen digit."""
        return self._looked_at if self._view in DETAILS else self.grid.selected()

    def _use_as_corner(self, index: int, corner: int) -> None:
        if self._generate.use_as_corner(index, corner):
            self.pageRequested.emit("interpolate")

    def _draw_on(self, index: int) -> None:
        if self._generate.use_as_drawing(index):
            self.pageRequested.emit("draw")

    def _seed_changed(self, seed: int) -> None:
        self._generate.change(seed=seed, live=False)
        self._generate.draw()

    def _choose(self, index: int) -> None:
        if self._view in DETAILS:
            return  # the grid shows three images of one digit
        self.grid.set_selected(None if self.grid.selected() == index else index)
        self._show_digit()

    def _go_to(self, step: int) -> None:
        self.timeline.pause()
        self.timeline.set_step(step)

    def _set_view(self, view: View) -> None:
        if view in DETAILS:
            if self._view not in DETAILS:
                self._looked_at = self.grid.selected()
            self.grid.set_selected(None)
        elif self._view in DETAILS:
            self.grid.set_images(None)
            self._view = view
            self._show_step()
            self.grid.set_selected(self._looked_at)
        self._view = view
        self._show_step()

    def _enlarge(self) -> None:
        """Enlarge the chosen digit, or show all digits again."""
        if self._view not in DETAILS:
            self._overview = self._view
        self.timeline.view.button(self._overview if self._view in DETAILS else "all").click()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.digit.set_roomy(event.size().height() >= HIGH)

    # ---- what is shown

    def _begin(self) -> None:
        self._fresh = True
        self.export_menu.set_noun(self._generate.shown_subject.noun)
        request = self._generate.request
        if request and self._looked_at and self._looked_at >= len(request.labels):
            self._looked_at = 0  # the new grid is smaller
        if not len(self.grid.images()):
            self.grid.set_empty_text(f"Generating the first {self._generate.shown_subject.noun}s…")

    def _add_step(self, step: int) -> None:
        frames, first = self._generate.frames, self._fresh
        if first:
            self._show_waiting()
            self._fresh = False
            shown = self._generate.trajectory
            self.grid.set_groups(shown.groups)
            self.timeline.begin(shown.steps)
            self.timeline.set_branch(shown.request.branch_at if shown.request and shown.request.parent else None)
        following = self.timeline.step >= self.timeline.reached  # the slider is at the newest step
        for new in range(self.timeline.reached + 1, step + 1):
            self.timeline.add_step(new, frames[new].sigma / max(frames[0].sigma, 1e-9))
        self.timeline.set_guided(self._generate.trajectory.guided_steps)
        quiet = self._generate.trajectory.live or theme().reduced_motion
        if quiet and following:
            self.timeline.set_step(step)
        elif first:
            self.timeline.autoplay()
        if first:
            self._show_step()

    def _show_sketch(self, sketch: Sampled) -> None:
        """Show a preview in place of the finished images."""
        finished = self.timeline.step >= self.timeline.reached and self._view in ("noisy", "clean")
        if finished and len(sketch.images) == len(self.grid.images()):
            self.grid.set_images(sketch.images, self._generate.columns)
            self.grid.set_captions([], keep_room=True)

    def _show_step(self) -> None:
        if self._view in DETAILS:
            pictures, words = self._detail(self._looked_at or 0, self.timeline.step)
            self.grid.set_images(pictures, len(words))
            self.grid.set_captions([Caption(each) for each in words], keep_room=True)
            self._show_digit()
            return
        images = self._generate.trajectory.shown(self.timeline.step, self._view)
        if images is not None:
            self.grid.set_images(images, self._generate.columns)
            self.copy_button.setEnabled(True)
            self._show_verdicts()

    def _detail(self, index: int, step: int) -> tuple[Pixels | None, tuple[str, ...]]:
        """Three images of one digit, and their captions."""
        shown = self._generate.trajectory
        if self._view == "all":
            return shown.three(index, step), THREE
        self.grid.set_empty_text("Computing the guidance…" if shown.guided else UNGUIDED)
        self._generate.probe_guidance(index)
        rays = shown.probes.get(index)
        if rays is None:
            return None, PULL
        ray = rays.steps[min(step, len(rays.steps) - 1)]
        return ray.images, (*PULL[:2], f"difference: {ray.pull:.0%} of the noise × {ray.w:g}")

    def _show_digit(self) -> None:
        self.digit.show_digit(self._chosen(), self.timeline.step, "noisy" if self._view in DETAILS else self._view)

    def _show_compared(self) -> None:
        """Show what was computed for the chosen digit."""
        if self._view == "xray":
            self._show_step()
        else:
            self._show_digit()

    def _show_verdicts(self) -> None:
        """Show the judge's verdicts under the finished images; where there is no judge, the requested classes."""
        if self._view in DETAILS:
            self._show_digit()
            return
        generate, captions = self._generate, list[Caption]()
        verdict, request, subject = generate.verdict, generate.request, generate.shown_subject
        if verdict and request and self.timeline.step == generate.trajectory.steps:
            captions = [
                Caption(subject.reading(label, confidence), warn=requested not in (NO_LABEL, label))
                for label, confidence, requested in zip(verdict.labels, verdict.confidence, request.labels, strict=True)
            ]
        elif request and not generate.is_judged:
            captions = [Caption("" if label == NO_LABEL else subject.name(label)) for label in request.labels]
        self.grid.set_captions(captions, keep_room=True)
        self._show_digit()

    def _show_prompt(self) -> None:
        generate = self._generate
        if self.prompt.text() != generate.settings.prompt:
            self.prompt.set_text(generate.settings.prompt)
        self.prompt.set_seed(generate.settings.seed)
        self.prompt.set_subject(generate.subject)
        self.prompt.set_route(generate.settings.route, generate.routes)
        if generate.understood:
            self.prompt.set_reading(generate.understood.reading, error=generate.doubtful)
        else:
            self.prompt.set_reading(generate.misunderstood, error=True)
        self.prompt.set_marks(generate.marks)
        self.prompt.set_waiting(generate.waits)
        able = generate.understood is not None
        self.prompt.set_can_generate(able, generate.misunderstood, anyway=generate.doubtful)

    def _show_waiting(self) -> None:
        """Until the first step is there, say over the earlier images what is drawn; a draft is no earlier image."""
        generate = self._generate
        waits = generate.busy and not generate.frames and not generate.trajectory.live
        self.grid.waiting.set_words(f"{generate.doing[0]}…" if waits else "")

    def _show_buttons(self) -> None:
        self._show_waiting()
        self.prompt.set_busy(self._generate.busy)
        self.prompt.set_waiting(self._generate.waits)
        self.export_button.setEnabled(self._generate.can_export)
        if self._generate.busy:
            return
        self.timeline.end()
        if self._generate.waits and not self._generate.request:
            self.grid.set_empty_text("Press Generate. This takes longer than other images, so it waits for you.")
        elif self._generate.request and not self._generate.frames:
            self.grid.set_empty_text("Nothing was generated. Press Generate to try again.")


def with_ending(path: Path, suggested: str, chosen: str) -> Path:
    """The path to write: the format chosen in the dialog counts unless another suffix was typed.

    A name that the dialog has not checked gets a free name, so that no file is overwritten.
    """
    unnamed = path.suffix == "" or (path.suffix == suggested and chosen != suggested)
    return free_name(path.with_suffix(chosen)) if unnamed else path
