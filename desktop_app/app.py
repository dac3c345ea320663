"""Building and running the application."""

import signal
import sys
import threading
from functools import partial
from pathlib import Path
from types import TracebackType

from filelock import FileLock
from PySide6.QtCore import QMessageLogContext, QObject, Qt, QTimer, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from desktop_app.pages.registry import VIEWMODELS
from desktop_app.settings import AppSettings
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.session import Session
from desktop_app.window.main_window import MainWindow
from desktop_app.worker.compute_thread import failure
from ml.system import paths
from ml.system.folder_lock import lock_first

SIGNAL_POLL_MS = 250
LOCK_FILE = ".window.lock"  # in the user's folder, held by the first window


class ErrorHooks(QObject):
    """Reports uncaught errors of all threads and of Qt in the message bar."""

    failed = Signal(object)

    def install(self, context: AppContext) -> None:
        """Report errors to `context`, and to standard error."""
        self.failed.connect(context.report)
        sys.excepthook = self._python
        threading.excepthook = lambda args: self._python(args.exc_type, args.exc_value, args.exc_traceback)
        qInstallMessageHandler(self._qt)

    def _python(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or issubclass(kind, KeyboardInterrupt):
            return
        sys.__excepthook__(kind, error, trace)
        self.failed.emit(failure(error))

    def _qt(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        sys.stderr.write(f"Qt: {text}\n")
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            self.failed.emit(failure(RuntimeError(text)))


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication, without its style sheet, which it gets with its first window."""
    app = QApplication.instance()
    app = app if isinstance(app, QApplication) else QApplication(arguments)
    app.setApplicationName("Noiseloom")
    app.setApplicationDisplayName("Noiseloom")
    app.setDesktopFileName("noiseloom")
    app.setWindowIcon(QIcon(str(paths.resources() / "icons" / "noiseloom.png")))
    theme().prepare(app)
    return app


def open_window(settings: AppSettings, file: Path | None = None) -> MainWindow:
    """Show a window on a new session; `file` is opened once the models are known."""
    theme().set_mode(settings.theme)
    theme().set_reduced_motion(settings.reduced_motion)
    paths.use_downloads(settings.downloads)
    session = Session(settings, VIEWMODELS)
    window = MainWindow(session, settings)
    session.setParent(window)
    theme().apply()
    window.show()
    QTimer.singleShot(0, session.start)  # after the first paint
    if file:
        QTimer.singleShot(0, partial(window.open_file, file))  # jobs run in order: after the models are known
    return window


def notice_other_window(context: AppContext) -> FileLock | None:
    """Tell of another window of the program that is open; without one, hold the lock by which the next one tells."""
    lock = lock_first(paths.user_data() / LOCK_FILE)
    if lock is None:
        title = "Noiseloom is open in another window, too"
        what = "Both show the same models and runs. Each has its own history until it is closed; "
        what += "the settings that stay are those of the window that is closed last."
        context.notify(Message("info", title, what))
    return lock


def run(app: QApplication, window: MainWindow) -> int:
    """Run until the window is closed; Ctrl-C in a terminal closes it too."""
    hooks = ErrorHooks()
    hooks.install(window.session.context)
    lock = notice_other_window(window.session.context)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Deferred: a signal handler may run in the middle of painting.
        signal.signal(number, lambda *_: QTimer.singleShot(0, window, window.close))
    ticks = QTimer()
    ticks.timeout.connect(lambda: None)  # Python handles signals only while Python code runs
    ticks.start(SIGNAL_POLL_MS)
    app.setQuitOnLastWindowClosed(False)
    window.session.context.closed.connect(app.quit, Qt.ConnectionType.QueuedConnection)
    code = app.exec()
    if lock:
        lock.release()
    return code
