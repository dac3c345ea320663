"""The stack of pages. Each page is made when it is first shown, or before that while the program is idle."""

import time
from collections.abc import Iterator
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QStackedWidget

from desktop_app.pages.base import Page
from desktop_app.pages.registry import PAGES, spec_of
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.train import Train
from desktop_app.window.drag_and_drop import refuse_drops
from desktop_app.worker.compute_thread import JobEnded
from ml.control import RunControl

SLICE_S = 0.005  # longest part of the preparation that runs at once
PREFETCH_MS = 150  # from one page made in advance to the next


class PageStack(QStackedWidget):
    """Makes and shows pages, the first at once. Signals: `pageRequested(key)` and `scaleChosen(scale)` of any page."""

    pageRequested = Signal(str)
    scaleChosen = Signal(int)

    def __init__(self, session: Session, export_folder: Path | None, export_scale: int) -> None:
        super().__init__()
        self._session = session
        self._pages: dict[str, Page] = {}
        self._first = self._add(PAGES[0].key, export_folder, export_scale)
        self._prefetch = QTimer(self, singleShot=True, interval=PREFETCH_MS)
        self._prefetch.timeout.connect(self._make_next)
        self._types = (getattr(module, name) for module in (QtCore, QtGui, QtWidgets) for name in dir(module))
        self._imports = QTimer(self, singleShot=True, interval=0)
        self._imports.timeout.connect(self._import_pages)

    @property
    def made(self) -> dict[str, Page]:
        """The pages made so far, by key."""
        return self._pages

    @property
    def prefetching(self) -> bool:
        """Whether another page will be made in advance."""
        return self._prefetch.isActive()

    def page(self, key: str) -> Page:
        """The page with a key; made on first use."""
        return self._pages.get(key) or self._add(key, self.export_folder, self.export_scale)

    def current(self) -> Page:
        """The page on top."""
        page = self.currentWidget()
        assert isinstance(page, Page)
        return page

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        self.setCurrentWidget(self.page(key))

    @property
    def export_folder(self) -> Path | None:
        """The folder of the last export on the first page, where the save dialogs of a new page open."""
        return self._first.export_folder

    @property
    def export_scale(self) -> int:
        """The width of an image pixel in exported files."""
        return self._first.export_scale

    def set_export_folder(self, folder: Path | None) -> None:
        """Set the export folder of all pages."""
        for page in self._pages.values():
            page.export_folder = folder

    def set_export_scale(self, scale: int) -> None:
        """Set the export scale of all pages."""
        for page in self._pages.values():
            page.set_export_scale(scale)

    def start_prefetch(self) -> None:
        """Import and make the other pages while the program is idle."""
        self._imports.start()

    def stop_prefetch(self) -> None:
        """Make no more pages in advance."""
        for timer in (self._prefetch, self._imports):
            timer.stop()

    def _add(self, key: str, export_folder: Path | None, export_scale: int) -> Page:
        self._pages[key] = page = spec_of(key).view_class()(self._session.pages[key], self._session.context)
        page.export_folder = export_folder
        page.set_export_scale(export_scale)
        page.pageRequested.connect(self.pageRequested)
        page.scaleChosen.connect(self.scaleChosen)
        refuse_drops(page)
        self.addWidget(page)
        return page

    def _import_pages(self) -> None:
        """Import the modules of the pages on the compute thread, so that showing one does not block the window.

        First all of Qt's types are made here, in short slices: PySide makes each on first use, and pyqtgraph uses all
        when it is imported. Done on the compute thread while this thread made widgets, that has crashed the program.
        """
        until = time.monotonic() + SLICE_S
        for _ in self._types:
            if time.monotonic() > until:
                self._imports.start()
                return
        if not self._session.context.closing:
            self._session.context.submit(
                import_pages, lambda event: self._prefetch.start() if isinstance(event, JobEnded) else None
            )

    def _make_next(self) -> None:
        missing = [page.key for page in PAGES if page.key not in self._pages]
        if missing and not self._session.context.closing:
            self.page(missing[0])
            self._prefetch.start()


def import_pages(_control: RunControl) -> Iterator[object]:
    """Import the modules of all pages, and with them pyqtgraph; read the presets."""
    for page in PAGES:
        page.view_class()
    Train.preset_names()
    yield from ()
