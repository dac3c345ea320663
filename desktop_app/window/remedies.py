"""The remedies behind the buttons of messages."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop_app.pages.train_setup import ask_for_data
from desktop_app.viewmodels.session import Session


class Remedies:
    """Runs a message's remedy by its key, "name" or "name:argument"."""

    def __init__(
        self,
        parent: QWidget,
        session: Session,
        *,
        export: Callable[[], object],
        show_page: Callable[[str], object],
        restore_settings: Callable[[], object],
    ) -> None:
        self._parent, self._session, self._show_page = parent, session, show_page
        self._remedies: dict[str, Callable[[str], object]] = {
            "choose-data": lambda _: self._choose_data(),
            "use-synthetic": lambda _: self._use_synthetic(),
            "slower": lambda _: session.train.start_slower(),
            "resume-changed": lambda _: session.train.resume_changed(),
            "write-elsewhere": lambda _: self._write_elsewhere(),
            "write-again": lambda _: session.train.resume(),
            "export": lambda _: export(),
            "go-on": self._resume,
            "settings": lambda _: restore_settings(),
            "models": session.models.remedy,
            "project": session.projects.remedy,
            "history": lambda _: session.context.history.undo_delete(),
            "page": show_page,
            "own-set": session.draw.own_set.remedy,
            "show": lambda folder: QDesktopServices.openUrl(QUrl.fromLocalFile(folder)),
        }

    def run(self, key: str) -> None:
        """Run a remedy; raises KeyError for an unknown one."""
        name, _, argument = key.partition(":")
        self._remedies[name](argument)

    def _choose_data(self) -> None:
        if ask_for_data(self._parent, self._session.train, self._session.context):
            self._session.train.start()

    def _use_synthetic(self) -> None:
        self._session.train.change(data="synthetic")
        self._session.train.start()

    def _write_elsewhere(self) -> None:
        train = self._session.train
        folder = QFileDialog.getExistingDirectory(self._parent, "Choose a folder for the run", str(Path.home()))
        train.write_to(Path(folder)) if folder else train.notify_write_error()

    def _resume(self, name: str) -> None:
        self._show_page("train")
        for run in self._session.train.unfinished:
            if run.name == name:
                self._session.train.resume_run(run)
