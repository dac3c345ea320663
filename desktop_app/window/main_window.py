"""The window: rail, pages, one place for messages, status bar, shortcuts, and an orderly end."""

import base64
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QByteArray, QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app import lesson_file
from desktop_app.pages.base import Page
from desktop_app.pages.generate import GeneratePanel
from desktop_app.pages.history_bar import HistoryBar
from desktop_app.pages.lesson_dialog import LessonDialog
from desktop_app.pages.settings_dialog import SettingsDialog
from desktop_app.pages.train_setup import ask_for_data
from desktop_app.settings import AppSettings, save_settings
from desktop_app.text.display_names import data_title, preset_title
from desktop_app.text.formatting import duration, megabytes
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.window.drop_hint import DropHint
from desktop_app.widgets.window.help_card import explain
from desktop_app.widgets.window.lesson_card import LessonCard
from desktop_app.widgets.window.message_bar import MessageBar
from desktop_app.widgets.window.navigation import NavRail, StatusBar
from desktop_app.widgets.window.tab_order import order_tabs
from desktop_app.worker.compute_thread import JobEnded
from ml.control import RunControl
from ml.export.files import SUFFIXES
from ml.system import paths

PAGES = (
    ("generate", "Generate", "image"),
    ("train", "Train", "chart-line-up"),
    ("interpolate", "Interpolate", "intersect"),
    ("draw", "Draw", "pencil-simple"),
    ("compare", "Compare", "columns"),
    ("explore", "Explore", "compass"),
    ("models", "Models", "cube"),
)
PAGE_TIPS = {
    "generate": "Draw digits, and watch them come out of the noise",
    "train": "Train a model of your own, and watch it learn",
    "interpolate": "Walk between digits, and mix classes",
    "draw": "Draw a digit, and have it completed, varied, rebuilt or recognised",
    "compare": "Settings side by side, on the same noise",
    "explore": "How noise is added, what is asked most, and lessons",
    "models": "The models that are here: their cards, scores and files",
}
SMALLEST = (1024, 700)
FIRST_SIZE = (1280, 800)
SLICE_S = 0.005  # of what is done little by little
AHEAD_MS = 150  # from one page that is made beforehand to the next
MEMORY_MS = 2000  # between two looks at how much memory is in use
PLOTS = (".pdf", ".csv")  # beside those formats that pictures have, too
NO_GPU_HELP = (
    "No graphics card was found that PyTorch can use. With an NVIDIA card, install its driver and start again"
    f"{'' if paths.PACKAGED else ' with python3 launch.py'}. Without one everything works too, only slower; "
    f"{paths.COMMAND} doctor says what was looked for."
)


class MainWindow(QMainWindow):
    """Shows a session; closing it ends the session first."""

    def __init__(self, session: Session, settings: AppSettings) -> None:
        super().__init__()
        self.session = session
        self._settings = settings
        self._ended = False
        self._cut_short = settings.interrupted
        self._forgotten = settings  # to be taken back
        self.setWindowTitle("Noiseloom")
        self.setMinimumSize(*SMALLEST)
        self.setAcceptDrops(True)
        self.rail = NavRail(PAGES)
        self.messages = MessageBar()
        self.lesson_card = LessonCard()
        self.status = StatusBar()
        self.pages = QStackedWidget()
        self.generate = GeneratePanel(session)
        self.generate.export_folder = settings.export_folder
        self.generate.set_export_scale(settings.export_scale)
        self.generate.scaleChosen.connect(self._export_at)
        self.pages.addWidget(self.generate)
        self._made: dict[str, Page] = {"generate": self.generate}
        self.history = HistoryBar(session, lambda: self.generate.export_scale)
        self._ahead = QTimer(self, singleShot=True, interval=AHEAD_MS)
        self._ahead.timeout.connect(self._make_ahead)
        self._types = (getattr(module, name) for module in (QtCore, QtGui, QtWidgets) for name in dir(module))
        self._imports = QTimer(self, singleShot=True, interval=0)
        self._imports.timeout.connect(self._import_pages)
        self._arrange()
        leave_drops(self.generate)
        self._connect()
        self._shortcuts()
        self._restore()
        self.show_status()
        if settings.trouble:
            self.show_message(Message("warning", "Your settings could not be read.", settings.trouble))
        self.setFocus()  # no ring around a part that nobody chose
        self._memory = QTimer(self, interval=MEMORY_MS)
        self._memory.timeout.connect(self._show_memory)
        self._memory.start()

    # ---- building

    def _arrange(self) -> None:
        for number, (key, tip) in enumerate(PAGE_TIPS.items(), 1):
            self.rail.button(key).setToolTip(f"{tip} (Ctrl+{number})")
        lesson_tip = "Open a lesson, or save this page as one"
        self._lesson_button = self.rail.add_action("lesson", "Lesson", "graduation-cap", lesson_tip)
        self.rail.add_action("settings", "Settings", "gear", "Look, folders and a fresh start (Ctrl+,)")
        message_room = QVBoxLayout()
        message_room.setContentsMargins(Space.L, Space.S, Space.L, 0)
        message_room.setSpacing(Space.S)
        message_room.addWidget(self.messages)
        message_room.addWidget(self.lesson_card)
        page = QWidget()
        page.setProperty("kind", "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(message_room)
        column.addWidget(self.pages, 1)
        column.addWidget(self.history)
        whole = QWidget()
        outer = QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        line = QHBoxLayout()
        line.setSpacing(0)
        line.addWidget(self.rail)
        line.addWidget(page, 1)
        outer.addLayout(line, 1)
        outer.addWidget(self.status)
        self.setCentralWidget(whole)
        self.drop_hint = DropHint(whole)
        self._message_room = message_room
        self._show_message_room()

    def _connect(self) -> None:
        session = self.session
        self.rail.pageChanged.connect(self.show_page)
        self.rail.actionTriggered.connect(self._act)
        self.lesson_card.left.connect(session.lessons.leave)
        session.lessons.changed.connect(self._show_lesson)
        self.messages.actionTriggered.connect(self._remedy)
        self.messages.dismissed.connect(self._show_message_room)
        session.message.connect(self.show_message)
        session.ready.connect(self._on_ready)
        session.ready.connect(self._imports.start, Qt.ConnectionType.SingleShotConnection)
        session.closed.connect(self._on_closed)
        for leads_to in (session.files.opened, session.history.went_back):
            leads_to.connect(self.rail.set_page)
        self.status.stopRequested.connect(self.stop)
        self.status.deviceClicked.connect(
            lambda: self.show_message(Message("info", "Noiseloom computes on the processor.", NO_GPU_HELP))
        )
        for activity in session.activities:
            activity.busy_changed.connect(self.show_status)
        for signal in (session.status_changed, session.train.state_changed):
            signal.connect(self.show_status)
        session.generate.stepped.connect(lambda _step: self.show_status())
        session.generate.changed.connect(self._show_model)
        session.train.stepped.connect(lambda _step: self.show_status())
        for signal in (session.train.begun, session.train.moved):  # a crash is no reason to forget it
            signal.connect(lambda *_: save_settings(self.remember()))

    def _shortcuts(self) -> None:
        def on(keys: str | QKeySequence.StandardKey, action: Callable[[], object]) -> None:
            QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WindowShortcut).activated.connect(action)

        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            on(keys, self._generate)
        on("Ctrl+E", self._export)
        on(QKeySequence.StandardKey.Open, self._open)
        on("Ctrl+Shift+C", self._copy)
        for number, (key, _, _) in enumerate(PAGES, 1):
            on(f"Ctrl+{number}", partial(self.rail.set_page, key))
        on("Ctrl+.", self.stop)
        on(QKeySequence.StandardKey.Undo, self._undo)
        on("F1", partial(explain, self))
        on("Ctrl+,", self.show_settings)
        on(QKeySequence.StandardKey.Quit, self.close)
        on("Escape", self.messages.dismiss)

    def _restore(self) -> None:
        geometry = QByteArray.fromBase64(self._settings.geometry.encode("ascii", "ignore"))  # of what is damaged: none
        if not self.restoreGeometry(geometry):
            self.resize(*FIRST_SIZE)
        self.rail.set_page(self._settings.page)

    # ---- pages

    def page(self, key: str) -> Page:
        """A page by its key, made when first asked for, or before that in a quiet moment: see `_make_ahead`."""
        if key not in self._made:
            self._made[key] = self._make_page(key)
            self.pages.addWidget(self._made[key])
            leave_drops(self._made[key])
        return self._made[key]

    def _make_page(self, key: str) -> Page:
        page = page_class(key)(self.session)
        page.export_folder = self.generate.export_folder
        page.set_export_scale(self.generate.export_scale)
        page.pageRequested.connect(self.rail.set_page)
        return page

    def _import_pages(self) -> None:
        """Have the lane import what the other pages need, which would hold the window up when one is first shown.

        Before that, little by little, all of Qt's types are made here: PySide makes each when it is first asked for,
        and pyqtgraph asks for all, in the lane; there the program has crashed while this thread made widgets.
        """
        until = time.monotonic() + SLICE_S
        for _ in self._types:
            if time.monotonic() > until:
                self._imports.start()
                return
        if not self.session.closing:
            self.session.submit(
                importing_pages, lambda event: self._ahead.start() if isinstance(event, JobEnded) else None
            )

    def _make_ahead(self) -> None:
        """Make one of the pages that nobody has asked for yet, so that the first look at it is no wait."""
        missing = [key for key, _, _ in PAGES if key not in self._made]
        if missing and not self.session.closing:
            self.page(missing[0])
            self._ahead.start()

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        self.pages.setCurrentWidget(self.page(key))
        self.history.set_page(key)
        self._look()

    def _look(self) -> None:
        """Have the page that is looked at compute what it shows."""
        page = self.pages.currentWidget()
        if self.session.device and isinstance(page, Page):
            page.look()

    def _generate(self) -> None:
        self.rail.set_page("generate")
        self.generate.generate()

    def _undo(self) -> None:
        """Take back the last stroke, or the last change of the settings that are looked at."""
        page, session = self.rail.page(), self.session
        own = {"generate": session.generate.undo, "draw": session.draw.undo}
        own.get(page, partial(session.undo.back, page))()

    def _export(self) -> None:
        page = self.pages.currentWidget()
        if isinstance(page, Page) and page.export_shown():
            return
        self.rail.set_page("generate")
        self.generate.export()

    def _copy(self) -> None:
        page = self.pages.currentWidget()
        if isinstance(page, Page):
            page.copy_shown()

    def _open(self) -> None:
        kinds = " ".join(f"*{ending}" for ending in (*SUFFIXES, *PLOTS, lesson_file.SUFFIX))
        name, _ = QFileDialog.getOpenFileName(
            self, "Open a file", str(self.generate.export_folder or ""), f"Files of Noiseloom ({kinds});;All files (*)"
        )
        if name:
            self.open_file(Path(name))

    def open_file(self, path: Path) -> None:
        """Bring back what a file holds; on the Draw page, any picture is one to draw on."""
        self.session.files.open(path, as_drawing=self.rail.page() == "draw")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        path = dropped_file(event.mimeData())
        if path and event.source() is None:  # a picture of our own is on its way out
            event.acceptProposedAction()
            self.drop_hint.offer(f"Drop {path.name}", what_it_brings(path, drawing=self.rail.page() == "draw"))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_hint.hide()
        path = dropped_file(event.mimeData())
        if path:
            event.acceptProposedAction()
            self.open_file(path)

    def stop(self) -> None:
        """Stop what is being done: a drawing first, else the training, which keeps its model."""
        for activity in self.session.activities:
            if activity.busy:
                activity.stop()
                return
        self.session.train.stop()

    # ---- messages

    def show_message(self, message: Message) -> None:
        """Show a message over the page, in place of the one before."""
        self.messages.show_message(
            message.tone, message.title, message.what_to_do, actions=message.actions, details=message.details
        )
        self._show_message_room()

    def _show_message_room(self) -> None:
        shown = not (self.messages.isHidden() and self.lesson_card.isHidden())
        self._message_room.setContentsMargins(Space.L, Space.M if shown else 0, Space.L, 0)

    def _remedy(self, key: str) -> None:
        """What the button of a message does; a new message may follow."""
        self.messages.dismiss()
        train = self.session.train
        name, _, argument = key.partition(":")
        if name == "choose-data":
            if ask_for_data(self, train):
                train.start()
        elif name == "use-synthetic":
            train.change(data="synthetic")
            train.start()
        elif name == "slower":
            train.start_slower()
        elif name == "write-elsewhere":
            folder = QFileDialog.getExistingDirectory(self, "Where the run shall go on", str(Path.home()))
            train.write_to(Path(folder)) if folder else train.tell_stuck()
        elif name == "write-again":
            train.resume()
        elif name == "export":
            self._export()
        elif name == "go-on":
            self.rail.set_page("train")
            for run in train.unfinished:
                if run.name == argument:
                    train.go_on(run)
        elif name == "settings":
            self.take_all(self._forgotten)
        elif name == "models":
            self.session.library.remedy(argument)
        elif name == "show":
            QDesktopServices.openUrl(QUrl.fromLocalFile(argument))

    # ---- status

    def _on_ready(self) -> None:
        self.status.set_device(self.session.device, help_wanted=not self.session.on_gpu)
        self._show_model()
        self._offer_to_go_on()

        self._look()

    def _offer_to_go_on(self) -> None:
        """Once, after a start: the run that was going on when the program ended."""
        name, self._cut_short = self._cut_short, ""
        for run in self.session.train.unfinished:
            if name in (run.name, str(run.folder)):
                what = f"It stands at step {run.step:,}, {run.progress:.0%} of the way."
                actions = ((f"go-on:{run.name}", "Go on"),)
                self.show_message(Message("info", f"The run {preset_title(run.name)} was cut short.", what, actions))

    def _show_model(self) -> None:
        card = self.session.card(self.session.generate.settings.model)
        if card is None:
            self.status.set_model("")
            return
        header = card.header
        trained = f"trained {duration(header.seconds)} on {data_title(header.data)}" if header.seconds else ""
        self.status.set_model(" · ".join(part for part in (card.name, trained) if part))

    def show_status(self) -> None:
        """What is being done, in the status bar."""
        session, train = self.session, self.session.train
        if not session.device:
            self.status.set_device("Loading PyTorch…", ready=False)
        if session.closing:
            self.status.set_job("Saving and closing", stoppable=False)
        elif busy := next((activity for activity in session.activities if activity.busy), None):
            self.status.set_job(*busy.doing)
        elif train.active:
            self.status.set_job(*train_status(self.session))
        elif session.status:
            self.status.set_job(session.status, stoppable=False)
        else:
            self.status.clear_job()

    def _show_memory(self) -> None:
        import psutil  # here, for it is not wanted before the window is there

        self.status.set_memory(f"{megabytes(psutil.Process().memory_info().rss)} in memory")

    # ---- lessons

    def _act(self, key: str) -> None:
        if key == "settings":
            self.show_settings()
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Lessons to begin with", partial(self.rail.set_page, "explore"))
        menu.addAction("Open a lesson…", self._open)
        menu.addSeparator()
        menu.addAction("Save this page as a lesson…", self.save_lesson)
        menu.popup(self._lesson_button.mapToGlobal(self._lesson_button.rect().topRight()))

    def save_lesson(self) -> LessonDialog:
        """Ask for a question, and save the page that is looked at with it."""
        key = self.rail.page()
        dialog = LessonDialog(self, self.session, key, self.page(key))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _show_lesson(self) -> None:
        """Bring the page of a lesson to the front, without what it hides; after it, everything is there."""
        lesson = self.session.lessons.lesson
        if lesson:
            self.rail.set_page(lesson.page)
        for key, page in self._made.items():
            page.withhold(lesson.hidden if lesson and lesson.page == key else ())
        self.lesson_card.show_lesson(lesson)
        self._show_message_room()

    # ---- settings and end

    def show_settings(self) -> SettingsDialog:
        """Open the Settings dialog."""
        dialog = SettingsDialog(self, self.session, self.generate.export_folder, self.generate.export_scale)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.scaleChosen.connect(self._export_at)
        dialog.exportFolderChosen.connect(self._export_to)
        dialog.forgotten.connect(self._forget)
        dialog.open()
        return dialog

    def _export_to(self, folder: Path | None) -> None:
        for page in self._made.values():
            page.export_folder = folder

    def _export_at(self, scale: int) -> None:
        for page in self._made.values():
            page.set_export_scale(scale)

    def _cut_off(self) -> str:
        """The run that goes on: its name, or its folder where it went elsewhere."""
        folder = self.session.train.folder if self.session.train.active else None
        if folder is None:
            return ""
        return folder.name if folder.parent == paths.user_runs() else str(folder)

    def _forget(self) -> None:
        self._forgotten = self.remember()
        self.take_all(AppSettings())
        self.session.generate.draw_first()
        what = "Models, runs and files stay; only what was set on the pages and in the dialog is forgotten."
        actions = (("settings", "Take it back"),)
        self.show_message(Message("info", "All settings are as at the first start", what, actions))

    def take_all(self, settings: AppSettings) -> None:
        """Set everything as it is remembered, but for the window's place and page."""
        theme().set_mode(settings.theme)
        theme().set_reduced_motion(settings.reduced_motion)
        paths.use_downloads(settings.downloads)
        self.session.train.use_data_root(settings.data_root)
        self._export_to(settings.export_folder)
        self._export_at(settings.export_scale)
        self.session.lessons.take_all(settings)

    def remember(self) -> AppSettings:
        """What the next start should know."""
        train = self.session.train
        return self._settings.with_changes(
            **self.session.lessons.own_settings(),
            page=self.rail.page(),
            theme=theme().mode,
            reduced_motion=theme().reduced_motion,
            data_root=train.data_root,
            downloads=paths.chosen_downloads(),
            export_folder=self.generate.export_folder,
            export_scale=self.generate.export_scale,
            geometry=base64.b64encode(self.saveGeometry().data()).decode(),
            interrupted=self._cut_off(),
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that the widget with the focus did not want: the film's, wherever on the page one is."""
        page = self.pages.currentWidget()
        timeline = page.film() if isinstance(page, Page) else None
        if timeline is None or not timeline.isEnabled():
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Space:
            timeline.toggle_play()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            timeline.go(1 if event.key() == Qt.Key.Key_Right else -1)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab: through what there is at this moment, in its order on the screen."""
        order_tabs(self)
        return super().focusNextPrevChild(forward)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._ended:
            event.accept()
            return
        event.ignore()
        if not self.session.closing:
            save_settings(self.remember())
            self.setEnabled(False)
            self.session.close()

    def _on_closed(self) -> None:
        self._ended = True
        for timer in (self._ahead, self._imports):
            timer.stop()
        self.close()


def page_class(key: str) -> Callable[[Session], Page]:
    """The class of a page; imported when asked for, since some need pyqtgraph."""
    match key:
        case "train":
            from desktop_app.pages.train import TrainPanel as Panel
        case "interpolate":
            from desktop_app.pages.interpolate import InterpolatePanel as Panel
        case "draw":
            from desktop_app.pages.draw import DrawPanel as Panel
        case "compare":
            from desktop_app.pages.compare import ComparePanel as Panel
        case "explore":
            from desktop_app.pages.explore import ExplorePanel as Panel
        case "models":
            from desktop_app.pages.models import ModelsPanel as Panel
        case _:
            return GeneratePanel
    return Panel


def importing_pages(_control: RunControl) -> Iterator[object]:
    """Import the pages, and with them pyqtgraph; read the presets."""
    for key, _, _ in PAGES:
        page_class(key)
    Train.preset_names()
    yield from ()


def leave_drops(page: QWidget) -> None:
    """A file that is dropped on a line of text is for the window: its name is no prompt."""
    for edit in page.findChildren(QLineEdit):
        edit.setAcceptDrops(False)


def dropped_file(data: QMimeData) -> Path | None:
    """The first file of what is dragged over the window."""
    return next((Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()), None)


def what_it_brings(path: Path, *, drawing: bool) -> str:
    """What becomes of a file that is dropped, in a few words."""
    if path.suffix.lower() == lesson_file.SUFFIX:
        return "Its lesson begins"
    if path.suffix.lower() in PLOTS:
        return "Its settings come back, and its curves where they are kept"
    if drawing:
        return "What Noiseloom drew is drawn again; any other picture is one to draw on"
    return "What Noiseloom drew is drawn again, with its settings"


def train_status(session: Session) -> tuple[str, float | None]:
    """The training run in a few words, and its progress."""
    train = session.train
    if train.state == "starting":
        return f"Training: {train.status or 'starting'}", None
    if train.state in ("paused", "pausing"):
        return f"Training {preset_title(train.name)} · paused", train.progress
    if train.state == "stopping":
        return f"Training {preset_title(train.name)} · saving", train.progress
    left = f" · {duration(train.last.remaining_s)} left" if train.last else ""
    return f"Training {preset_title(train.name)}{left}", train.progress
