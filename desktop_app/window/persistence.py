"""Settings between two starts: collected from the window and its session, applied to them, and reset."""

import base64

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QWidget

from desktop_app.settings import AppSettings
from desktop_app.theme.controller import theme
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.train import Train
from desktop_app.viewmodels.updates import Updates
from desktop_app.widgets.window.navigation import NavRail
from desktop_app.window.page_stack import PageStack
from ml.system import paths

FIRST_SIZE = (1280, 800)


class Persistence:
    """Collects and applies `AppSettings`."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        rail: NavRail,
        pages: PageStack,
        updates: Updates,
        settings: AppSettings,
    ) -> None:
        self._window, self._session, self._rail, self._pages = window, session, rail, pages
        self._updates = updates
        self._settings = self._before_reset = settings

    def restore_window(self) -> None:
        """Bring back the window's geometry and page."""
        geometry = QByteArray.fromBase64(self._settings.geometry.encode("ascii", "ignore"))  # empty where damaged
        if not self._window.restoreGeometry(geometry):
            self._window.resize(*FIRST_SIZE)
        self._rail.set_page(self._settings.page)

    def collect(self) -> AppSettings:
        """The settings as they are now."""
        return self._settings.with_changes(
            **self._session.lessons.own_settings(),
            lesson_progress=self._session.context.lesson_progress,
            page=self._rail.page(),
            theme=theme().mode,
            reduced_motion=theme().reduced_motion,
            data_root=self._session.context.data_root,
            downloads=paths.chosen_downloads(),
            export_folder=self._pages.export_folder,
            export_scale=self._pages.export_scale,
            update_notice=self._updates.weekly,
            updates_asked_at=self._updates.asked_at,
            geometry=base64.b64encode(self._window.saveGeometry().data()).decode(),
            interrupted=unfinished_run(self._session.train),
        )

    def apply(self, settings: AppSettings) -> None:
        """Set everything but the window's geometry and page."""
        theme().set_mode(settings.theme)
        theme().set_reduced_motion(settings.reduced_motion)
        paths.use_downloads(settings.downloads)
        self._session.context.use_data_root(settings.data_root)
        self._pages.set_export_folder(settings.export_folder)
        self._pages.set_export_scale(settings.export_scale)
        self._updates.set_weekly(settings.update_notice)
        self._session.lessons.take_all(settings)

    def reset(self) -> None:
        """Apply the default settings."""
        self._before_reset = self.collect()
        self.apply(AppSettings())

    def undo_reset(self) -> None:
        """Apply the settings from before the last reset."""
        self.apply(self._before_reset)


def unfinished_run(train: Train) -> str:
    """The name of the active run, or its folder if it is not among the person's runs; empty without one."""
    folder = train.folder if train.active else None
    if folder is None:
        return ""
    return folder.name if folder.parent == paths.user_runs() else str(folder)
