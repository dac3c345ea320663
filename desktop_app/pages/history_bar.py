"""The history at the bottom of the window: results of all pages."""

from collections.abc import Callable

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QPixmap
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.widgets.images.history_strip import HistoryStrip, HistoryView, thumbnail
from desktop_app.widgets.images.qimage import to_qimage
from ml.errors import NoiseloomError


class HistoryBar(QWidget):
    """A click on a thumbnail reopens its result; a thumbnail dragged out of the window is a PNG at the export scale.

    Hidden while it has fewer than two results.
    """

    def __init__(self, context: AppContext, scale: Callable[[], int]) -> None:
        super().__init__()
        self._context, self._history, self._scale = context, context.history, scale
        self._page = "generate"
        self.setProperty("kind", "history")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.strip = HistoryStrip()
        self.view = HistoryView(self.strip)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.L, Space.XS, Space.L, Space.XS)
        column.addWidget(self.view)
        self._history.changed.connect(self._show)
        self.strip.cellClicked.connect(self._history.restore)
        self.strip.dragged.connect(self._drag_out)
        self._history.shown_changed.connect(self._mark)
        self._show()

    def set_page(self, page: str) -> None:
        """Mark the result of the page on top."""
        self._page = page
        self._show()

    def _show(self) -> None:
        pictures = [thumbnail(result.images) for result in self._history.results]
        self.strip.set_history(pictures, self._history.shown_index(self._page))
        self.view.fit()
        self.setVisible(len(pictures) > 1)

    def _mark(self) -> None:
        """Mark the result on screen; cheap enough for every change of a slider."""
        self.strip.set_selected(self._history.shown_index(self._page))

    def _drag_out(self, index: int) -> None:
        """Drag a result out of the window, as a PNG with its request."""
        result = self._history.results[index]
        try:
            path = result.write_temporary(self._scale())
        except NoiseloomError as error:
            self._context.notify_failed(error)
            return
        data, drag = QMimeData(), QDrag(self.strip)
        data.setUrls([QUrl.fromLocalFile(str(path))])
        drag.setMimeData(data)
        drag.setPixmap(QPixmap.fromImage(to_qimage(thumbnail(result.images))))
        drag.exec(Qt.DropAction.CopyAction)
