"""The main window: rail, pages, messages, status bar and shortcuts, and an orderly end."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMainWindow, QMenu, QVBoxLayout, QWidget

from desktop_app import lesson_file, project_file
from desktop_app.lesson_file import Lesson
from desktop_app.pages.base import Page
from desktop_app.pages.generate import GeneratePage
from desktop_app.pages.glossary_dialog import GlossaryDialog
from desktop_app.pages.history_bar import HistoryBar
from desktop_app.pages.lesson_dialog import LessonDialog
from desktop_app.pages.project_dialog import ProjectDialog
from desktop_app.pages.registry import PAGES
from desktop_app.pages.settings_dialog import SettingsDialog
from desktop_app.pages.whats_new import WhatsNew
from desktop_app.settings import AppSettings, save_settings
from desktop_app.text.display_names import run_title
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.updates import Updates
from desktop_app.widgets.window.drop_hint import DropHint
from desktop_app.widgets.window.help_card import explain
from desktop_app.widgets.window.lesson_card import LessonCard
from desktop_app.widgets.window.lesson_sheet import write_sheet
from desktop_app.widgets.window.message_bar import MessageBar
from desktop_app.widgets.window.navigation import NavRail, StatusBar
from desktop_app.widgets.window.tab_order import order_tabs
from desktop_app.widgets.window.tour import Stop, Tour
from desktop_app.window.drag_and_drop import PLOTS, DropTarget
from desktop_app.window.messages import MessageView
from desktop_app.window.page_stack import PageStack
from desktop_app.window.persistence import Persistence
from desktop_app.window.remedies import Remedies
from desktop_app.window.status import Status
from ml import __version__
from ml.errors import BadRequest, CannotWrite
from ml.events import Pixels
from ml.export.formats import FORMATS
from ml.system import paths
from ml.system.files import free_name

SMALLEST = (1024, 700)
NO_GPU_HELP = (
    "PyTorch found no graphics card that it can use. If you have an NVIDIA card, install its driver and "
    f"{'start Noiseloom again' if paths.PACKAGED else 'run python3 launch.py --torch cuda'}. "
    f"Everything works on the CPU too, only slower. {paths.COMMAND} doctor lists what was checked."
)


class MainWindow(QMainWindow):
    """Shows a session; closing the window ends the session first."""

    def __init__(self, session: Session, settings: AppSettings) -> None:
        super().__init__()
        self.session = session
        self._ended = False
        self._glossary: GlossaryDialog | None = None
        self.tour: Tour | None = None
        self._shown_lesson: Lesson | None = None
        self._lesson_pictures: dict[int, dict[bool, Pixels]] = {}  # by step, before and after its answer
        self._interrupted = settings.interrupted
        self.setWindowTitle("Noiseloom")
        self.setMinimumSize(*SMALLEST)
        self.rail = NavRail([(page.key, page.title, page.icon) for page in PAGES])
        self.lesson_card = LessonCard()
        self.status = StatusBar()
        self.pages = PageStack(session, settings.export_folder, settings.export_scale)
        self.generate = self._first_page()
        self.history = HistoryBar(session.context, lambda: self.pages.export_scale)
        self._arrange()
        self.updates = Updates(self, settings)
        self._persistence = Persistence(self, session, self.rail, self.pages, self.updates, settings)
        self._remedies = Remedies(
            self,
            session,
            export=self._export,
            show_page=self.rail.set_page,
            restore_settings=self._persistence.undo_reset,
        )
        self.status_view = Status(session, self.status)
        session.context.use_page(self.rail.page())
        self._connect()
        self._shortcuts()
        self._persistence.restore_window()
        if settings.trouble:
            self.show_message(Message("warning", "Your settings could not be read.", settings.trouble))
        self.setFocus()  # no focus ring before a key is pressed

    # ---- building

    def _first_page(self) -> GeneratePage:
        page = self.pages.page("generate")
        assert isinstance(page, GeneratePage)
        return page

    def _arrange(self) -> None:
        for number, page in enumerate(PAGES, 1):
            self.rail.button(page.key).setToolTip(f"{page.tip} (Ctrl+{number})")
        lesson_tip = "Open a lesson, or save this page as one"
        self._lesson_button = self.rail.add_action("lesson", "Lesson", "graduation-cap", lesson_tip)
        self._help_button = self.rail.add_action("help", "Help", "question", "The glossary, and a tour of the window")
        file_tip = "Open a file, save a project, or search the history"
        self._file_button = self.rail.add_action("file", "File", "folder-open", file_tip)
        self.rail.add_action("settings", "Settings", "gear", "Appearance, folders and reset (Ctrl+,)")
        lesson_room = QVBoxLayout()
        lesson_room.addWidget(self.lesson_card)
        main = QWidget()
        main.setProperty("kind", "page")
        column = QVBoxLayout(main)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(lesson_room)
        column.addWidget(self.pages, 1)
        column.addWidget(self.history)
        self._whole = whole = QWidget()
        outer = QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        line = QHBoxLayout()
        line.setSpacing(0)
        line.addWidget(self.rail)
        line.addWidget(main, 1)
        outer.addLayout(line, 1)
        outer.addWidget(self.status)
        self.setCentralWidget(whole)
        self.drop_hint = DropHint(whole)
        self._drop_target = DropTarget(self, self.drop_hint, lambda: self.rail.page() == "draw")
        self._lesson_room = lesson_room
        self._show_lesson_room()
        self.messages = MessageBar(main)
        self.message_view = MessageView(self.session.context.messages, self.messages, self.status, self.rail.page)

    def _connect(self) -> None:
        session = self.session
        self.rail.pageChanged.connect(self.show_page)
        self.rail.actionTriggered.connect(self._act)
        self.pages.pageRequested.connect(self.rail.set_page)
        self.pages.scaleChosen.connect(self.pages.set_export_scale)
        self._drop_target.dropped.connect(self.open_file)
        card = self.lesson_card
        card.left.connect(session.lessons.exit)
        card.replied.connect(self._reply)
        card.stepRequested.connect(self._go_to_step)
        card.nextRequested.connect(self._open_next_lesson)
        card.sheetRequested.connect(self.save_sheet)
        session.lessons.changed.connect(self._show_lesson)
        session.lessons.answered.connect(self._show_step)
        self.messages.actionTriggered.connect(self._on_remedy)
        self.message_view.pageRequested.connect(self.rail.set_page)
        session.context.ready.connect(self._on_ready)
        session.context.ready.connect(self.pages.start_prefetch, Qt.ConnectionType.SingleShotConnection)
        session.context.closed.connect(self._on_closed)
        for leads_to in (session.opener.opened, session.context.history.restored):
            leads_to.connect(self.rail.set_page)
        session.context.ready.connect(self.updates.look, Qt.ConnectionType.SingleShotConnection)
        self.updates.found.connect(self._on_update)
        self.status.stopRequested.connect(self.stop)
        self.status.deviceClicked.connect(lambda: self.show_message(Message("info", "Running on the CPU", NO_GPU_HELP)))
        for signal in (session.train.begun, session.train.moved):  # so that a crash does not lose the run's name
            signal.connect(lambda *_: save_settings(self.remember()))

    def _shortcuts(self) -> None:
        def on(keys: str | QKeySequence.StandardKey, action: Callable[[], object]) -> None:
            QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WindowShortcut).activated.connect(action)

        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            on(keys, self._generate)
        on("Ctrl+E", self._export)
        on(QKeySequence.StandardKey.Open, self._open)
        on("Ctrl+Shift+C", self._copy)
        for number, page in enumerate(PAGES, 1):
            on(f"Ctrl+{number}", partial(self.rail.set_page, page.key))
        on("Ctrl+.", self.stop)
        on(QKeySequence.StandardKey.Undo, self._undo)
        on("F1", self._explain)
        on("Ctrl+,", self.show_settings)
        on(QKeySequence.StandardKey.Save, self.save_project)
        on("Ctrl+H", self.history.open_dialog)
        on(QKeySequence.StandardKey.Quit, self.close)
        on("Escape", self.messages.dismiss)

    # ---- pages

    def page(self, key: str) -> Page:
        """The page with a key; made on first use."""
        return self.pages.page(key)

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        self.pages.show_page(key)
        self.session.context.use_page(key)
        self.message_view.show_messages()
        self.status_view.show_model()
        self.history.set_page(key)
        self._look()

    def _look(self) -> None:
        """Let the page on top compute what it shows."""
        if self.session.context.device:
            self.pages.current().look()

    def _generate(self) -> None:
        self.rail.set_page("generate")
        self.generate.generate()

    def _undo(self) -> None:
        """Undo what the message says, the last stroke or deletion, or the last change of the settings of the page."""
        page, session = self.rail.page(), self.session
        shown = session.context.messages.shown(page)
        for key, text in shown.actions if shown else ():
            if text == "Undo":
                self._on_remedy(key)
                return
        own = {"generate": session.generate.undo, "draw": session.draw.undo, "models": session.models.undo}
        own.get(page, partial(session.undo.undo, page))()

    def _export(self) -> None:
        if not self.pages.current().export_shown():
            self.rail.set_page("generate")
            self.generate.export()

    def _copy(self) -> None:
        self.pages.current().copy_shown()

    def _open(self) -> None:
        kinds = " ".join(f"*{ending}" for ending in (*FORMATS, *PLOTS, lesson_file.SUFFIX, project_file.SUFFIX))
        name, _ = QFileDialog.getOpenFileName(
            self, "Open a file", str(self.pages.export_folder or ""), f"Noiseloom files ({kinds});;All files (*)"
        )
        if name:
            self.open_file(Path(name))

    def open_file(self, path: Path) -> None:
        """Open a lesson, a project or an exported file; on the Draw page, any image as a drawing."""
        self.session.opener.open(path, as_drawing=self.rail.page() == "draw")

    def stop(self) -> None:
        """Stop the running job; without one, the training, whose model is kept."""
        for activity in self.session.activities:
            if activity.busy:
                activity.stop()
                return
        self.session.train.stop()

    # ---- messages

    def show_message(self, message: Message) -> None:
        """Show a message over all pages."""
        self.session.context.messages.add(message)

    def _on_remedy(self, key: str) -> None:
        self.messages.dismiss()  # first: the remedy may show a message of its own
        self._remedies.run(key)

    # ---- start

    def _on_ready(self) -> None:
        self._offer_to_resume()
        self._look()

    def _offer_to_resume(self) -> None:
        """Once after a start, offer the run that was active when the program ended."""
        name, self._interrupted = self._interrupted, ""
        for run in self.session.train.unfinished:
            if name in (run.name, str(run.folder)):
                title = (
                    f"Training “{run_title(run.name)}” was interrupted at step {run.step:,} "
                    f"({100 * run.progress:.0f} % done)."
                )
                what = "The model is saved. Resume the run now, or later on the Train page."
                self.show_message(Message("info", title, what, ((f"go-on:{run.name}", "Resume"),)))

    # ---- lessons

    def _act(self, key: str) -> None:
        if key == "settings":
            self.show_settings()
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if key == "help":
            button = self._help_button
            menu.addAction("Take the tour", self.start_tour)
            menu.addAction("Glossary", self.show_glossary)
            menu.addAction("Explain a control (F1)", self._explain)
        elif key == "file":
            button = self._file_button
            menu.addAction("Open…\tCtrl+O", self._open)
            menu.addAction("Save a project…\tCtrl+S", self.save_project)
            menu.addSeparator()
            menu.addAction("History…\tCtrl+H", self.history.open_dialog)
        else:
            button = self._lesson_button
            menu.addAction("Starter lessons", partial(self.rail.set_page, "explore"))
            menu.addAction("Open a lesson…", self._open)
            menu.addSeparator()
            menu.addAction("Save this page as a lesson…", self.save_lesson)
            if lesson := self.session.lessons.lesson:
                menu.addAction("Edit this lesson…", partial(self.save_lesson, lesson))
                menu.addAction("Save a sheet to print…", self.save_sheet)
        menu.aboutToHide.connect(button.forget_pointer)
        menu.popup(button.mapToGlobal(button.rect().topRight()))

    def save_project(self) -> ProjectDialog:
        """Ask for results, models and settings, and save them as a project."""
        dialog = ProjectDialog(self, self.session.projects, self.pages.export_folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def save_lesson(self, edited: Lesson | None = None) -> LessonDialog:
        """Ask for questions, and save the page on top with them as a lesson; `edited` is a lesson to begin with."""
        key = edited.page if edited else self.rail.page()
        dialog = LessonDialog(self, self.session.lessons, key, self.page(key), edited)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _show_lesson(self) -> None:
        """Show the page of a lesson without the controls that it hides; without a lesson, show all controls."""
        lessons = self.session.lessons
        if lessons.lesson:
            self.rail.set_page(lessons.page)
        elif self._shown_lesson and lessons.came_from:
            self.rail.set_page(lessons.came_from)
        if lessons.lesson is not self._shown_lesson:
            self._shown_lesson, self._lesson_pictures = lessons.lesson, {}
        for key, page in self.pages.made.items():
            page.hide_controls(lessons.lesson.hidden if lessons.lesson and lessons.page == key else ())
        self._show_step()

    def _show_step(self) -> None:
        """Show the current step of the lesson, with its answer if there was a reply."""
        lessons = self.session.lessons
        closing, finished = "", lessons.finished
        if finished:
            right, checked = lessons.score
            closing = f"Lesson finished · {right} of {checked} right" if checked else "Lesson finished"
        self.lesson_card.show_step(
            lessons.lesson,
            lessons.step,
            lessons.replies.get(lessons.step),
            closing=closing,
            more=finished and lessons.next_lesson is not None,
        )
        self._show_lesson_room()

    def _show_lesson_room(self) -> None:
        self._lesson_room.setContentsMargins(Space.L, 0 if self.lesson_card.isHidden() else Space.M, Space.L, 0)

    def _reply(self, reply: str) -> None:
        self._keep_picture()  # before the answer changes the page
        try:
            self.session.lessons.answer(reply)
        except BadRequest as error:
            self.lesson_card.show_problem(error.message)
        save_settings(self.remember())  # the progress

    def _go_to_step(self, step: int) -> None:
        self._keep_picture()
        self.session.lessons.go(step)

    def _open_next_lesson(self) -> None:
        following = self.session.lessons.next_lesson
        if following:
            self.open_file(following)

    def _keep_picture(self) -> None:
        """Keep what the page of the lesson shows, for the sheet."""
        lessons = self.session.lessons
        picture = self.pages.page(lessons.page).shown_picture() if lessons.lesson else None
        if picture is not None:
            self._lesson_pictures.setdefault(lessons.step, {})[lessons.step in lessons.replies] = picture

    def save_sheet(self) -> None:
        """Ask for a file, and write the open lesson as a PDF to print."""
        lessons, page = self.session.lessons, self.pages.current()
        if lessons.lesson is None:
            return
        self._keep_picture()
        suggested = free_name((page.export_folder or Path.home()) / f"{lesson_file.file_name(lessons.lesson)}.pdf")
        name, _ = QFileDialog.getSaveFileName(self, "Save a sheet to print", str(suggested), "PDF (*.pdf)")
        if not name:
            return
        path = Path(name)
        target = path if path.suffix.lower() == ".pdf" else free_name(path.with_name(path.name + ".pdf"))
        try:
            write_sheet(target, lessons.lesson, lessons.replies, self._lesson_pictures)
        except CannotWrite as error:
            self.session.context.notify_failed(error)
        else:
            self.session.context.notify_saved(target)

    # ---- help

    def _explain(self) -> None:
        card = explain(self)
        if card:
            card.termChosen.connect(self.show_glossary)

    def show_glossary(self, term: str = "") -> GlossaryDialog:
        """Open the glossary, at the entry of a term."""
        if self._glossary is None:
            self._glossary = GlossaryDialog(self)
        self._glossary.show()
        self._glossary.raise_()
        self._glossary.activateWindow()
        if term:
            self._glossary.open_entry(term)
        return self._glossary

    def start_tour(self) -> None:
        """Show the parts of the window one by one, on the Generate page."""
        if self.tour:
            return
        self.rail.set_page("generate")
        page = self.generate
        stops = (
            Stop(
                "Say what to draw",
                "Type a digit, several, or a word such as seven. The chips below it fill in the prompt for you.",
                page.prompt.edit,
            ),
            Stop(
                "Generate",
                "Starts from pure noise and removes it step by step. The seed beside it determines the noise: "
                "the same seed gives the same images.",
                page.prompt.button,
            ),
            Stop(
                "Go back in time",
                "Drag the timeline to any step from noise to image, or press Space to play it. Its switch shows "
                "the noisy image, the network's guess, or both.",
                page.timeline,
            ),
            Stop(
                "Train a model of your own",
                "The Train page teaches a model from digits or from a folder of your images, and shows how it learns.",
                self.rail.button("train"),
            ),
            Stop(
                "Keep what you made",
                "Export saves the grid, or an animation of its denoising. Open the file again to get the same images "
                "back. Lesson and Help on the left have more.",
                page.export_button,
            ),
        )
        self.tour = Tour(self._whole, stops)
        self.tour.ended.connect(self._end_tour)

    def _end_tour(self) -> None:
        self.tour = None

    def start_first_tour(self) -> None:
        """Show the tour of a first start, and remember that it was shown."""
        self.start_tour()
        save_settings(self.remember())

    # ---- settings and end

    def show_settings(self) -> SettingsDialog:
        """Open the Settings dialog."""
        dialog = SettingsDialog(
            self, self.session.context, self.updates, self.pages.export_folder, self.pages.export_scale
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.scaleChosen.connect(self.pages.set_export_scale)
        dialog.exportFolderChosen.connect(self.pages.set_export_folder)
        dialog.resetRequested.connect(self._reset_settings)
        dialog.whatsNewRequested.connect(self.show_whats_new)
        dialog.open()
        return dialog

    def show_whats_new(self) -> WhatsNew:
        """Show what each version brings."""
        dialog = WhatsNew(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _on_update(self, version: str) -> None:
        what = f"This is {__version__}. Get the new one where you got this one; your models, runs and files stay."
        self.show_message(Message("info", f"Noiseloom {version} is available", what))

    def _reset_settings(self) -> None:
        self._persistence.reset()
        self.session.generate.draw_first()
        what = "All models, runs and files are kept."
        self.show_message(Message("info", "Settings were reset", what, (("settings", "Undo"),)))

    def remember(self) -> AppSettings:
        """The settings to save for the next start."""
        return self._persistence.collect()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that the focused widget does not use move the page's timeline."""
        timeline = self.pages.current().film()
        if timeline is None or not timeline.isEnabled():
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Space:
            timeline.toggle_play()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            timeline.go(1 if event.key() == Qt.Key.Key_Right else -1)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab moves through the widgets shown now, in their order on the screen."""
        order_tabs(self)
        return super().focusNextPrevChild(forward)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._ended:
            event.accept()
            return
        event.ignore()
        if not self.session.context.closing:
            save_settings(self.remember())
            self.setEnabled(False)
            self.session.context.close()

    def _on_closed(self) -> None:
        self._ended = True
        self.pages.stop_prefetch()
        self.close()
