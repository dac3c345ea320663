"""Files and folders dropped on the window."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from desktop_app import lesson_file, project_file
from desktop_app.viewmodels.file_opener import is_pipeline
from desktop_app.widgets.window.drop_hint import DropHint
from ml.data.archive import is_archive

PLOTS = (".pdf", ".csv")  # exported plots, beside the image formats


class DropTarget(QObject):
    """Offers to open a file or a folder that is dragged over the window; `dropped(path)` when it is dropped.

    `is_drawing` says whether an image would be opened as a drawing.
    """

    dropped = Signal(object)

    def __init__(self, window: QWidget, hint: DropHint, is_drawing: Callable[[], bool]) -> None:
        super().__init__(window)
        self._hint, self._is_drawing = hint, is_drawing
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            self._on_enter(event)
        elif event.type() == QEvent.Type.DragLeave:
            self._hint.hide()
        elif isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:  # a QDragMoveEvent is one, too
            self._on_drop(event)
        else:
            return False
        return True

    def _on_enter(self, event: QDragEnterEvent) -> None:
        path = dropped_file(event.mimeData())
        if path and event.source() is None:  # an image dragged out of this window has a source
            event.acceptProposedAction()
            self._hint.offer(f"Drop {path.name}", drop_effect(path, drawing=self._is_drawing()))

    def _on_drop(self, event: QDropEvent) -> None:
        self._hint.hide()
        path = dropped_file(event.mimeData())
        if path:
            event.acceptProposedAction()
            self.dropped.emit(path)


def refuse_drops(page: QWidget) -> None:
    """Leave drops on text fields to the window: a file's name isn't a prompt."""
    for edit in page.findChildren(QLineEdit):
        edit.setAcceptDrops(False)


def dropped_file(data: QMimeData) -> Path | None:
    """The first local file or folder in dragged data."""
    return next((Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()), None)


def drop_effect(path: Path, *, drawing: bool) -> str:
    """What happens when a file or a folder is dropped, in a few words."""
    if is_pipeline(path):
        return "Imports the model in it"
    if path.is_dir() or is_archive(path):
        return "Shows the images in it on the Train page, to train a model on"
    if path.suffix.lower() == lesson_file.SUFFIX:
        return "Opens the lesson"
    if path.suffix.lower() == project_file.SUFFIX:
        return "Adds the project's results and models to yours"
    if path.suffix.lower() in PLOTS:
        return "Restores the settings of the plot, and its curves if they are still there"
    if drawing:
        return "Regenerates an image from Noiseloom; opens any other image to draw on"
    return "Regenerates an image from Noiseloom with its settings"
