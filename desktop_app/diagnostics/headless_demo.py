"""`noiseloom --tour`: generate the first grid, and save it as an image, an animation and a screenshot."""

import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from desktop_app.viewmodels.notification import Message
from desktop_app.window.main_window import MainWindow
from ml.errors import CannotWrite
from ml.system.files import make_folder

DIGITS, FILM, SCREENSHOT = "digits.png", "denoising.gif", "screenshot.png"
LIMIT_S = 300


class Tour(QObject):
    """Exports the first grid, then closes the window. `code` is 0 once all files are written."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        super().__init__(window)
        self._window, self._folder = window, folder
        self._left = {DIGITS, FILM}
        self.code = 1
        generate = window.session.generate
        generate.judged.connect(self._export)
        generate.exported.connect(self._on_exported)
        window.session.context.message.connect(self._on_message)
        QTimer.singleShot(LIMIT_S * 1000, self, lambda: self._give_up(f"no grid was generated within {LIMIT_S} s"))

    def _export(self) -> None:
        try:
            make_folder(self._folder)
        except CannotWrite as error:
            return self._give_up(str(error))
        for name in sorted(self._left):
            self._window.session.generate.export(self._folder / name)
        return None

    def _on_exported(self, path: Path) -> None:
        self._left.discard(path.name)
        if self._left:
            return
        self._window.messages.dismiss()
        self._window.generate.timeline.set_step(self._window.session.generate.trajectory.steps)
        QTimer.singleShot(100, self, self._take_picture)

    def _take_picture(self) -> None:
        if self._window.grab().save(str(self._folder / SCREENSHOT)):
            self.code = 0
            self._window.close()
        else:
            self._give_up(f"{self._folder / SCREENSHOT} can't be written")

    def _on_message(self, message: Message) -> None:
        if message.tone == "error":
            self._give_up(f"{message.title} {message.what_to_do}")

    def _give_up(self, why: str) -> None:
        print(f"Noiseloom: {why}", file=sys.stderr)
        self._window.close()
