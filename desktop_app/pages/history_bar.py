"""The history at the bottom of the window: results of all pages, of this session and earlier ones."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QKeyEvent, QPixmap
from PySide6.QtWidgets import QMenu, QWidget

from desktop_app import history_file
from desktop_app.pages.history_dialog import HistoryDialog, ask_for_name
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.widgets.controls.basics import Button, row
from desktop_app.widgets.images.history_strip import HistoryStrip, HistoryView
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
        self.strip.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view = HistoryView(self.strip)
        self.search = Button(kind="tool", name="Search the history", tip="Search, name, star or delete results")
        self.search.set_icon("magnifying-glass")
        line = row(self.search, self.view)
        line.setContentsMargins(Space.L, Space.XS, Space.L, Space.XS)
        self.setLayout(line)
        self._history.changed.connect(self._show)
        self.strip.cellClicked.connect(self._history.restore)
        self.strip.cellHovered.connect(self._show_tip)
        self.strip.dragged.connect(self._drag_out)
        self.strip.customContextMenuRequested.connect(self._open_menu)
        self.search.clicked.connect(self.open_dialog)
        self._history.shown_changed.connect(self._mark)
        self._show()

    def set_page(self, page: str) -> None:
        """Mark the result of the page on top."""
        self._page = page
        self._show()

    def open_dialog(self) -> HistoryDialog:
        """Open the list of all results."""
        dialog = HistoryDialog(self.window(), self._history)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        return dialog

    def _show(self) -> None:
        kept = self._history.kept
        starred = {index for index, result in enumerate(kept) if result.starred}
        self.strip.set_history([result.thumbnail for result in kept], self._history.shown_index(self._page), starred)
        self.view.fit()
        self.setVisible(len(kept) > 1)

    def _mark(self) -> None:
        """Mark the result on screen; cheap enough for every change of a slider."""
        self.strip.set_selected(self._history.shown_index(self._page))

    def _show_tip(self, index: int) -> None:
        known = self._history.kept[index].title if 0 <= index < len(self._history.kept) else ""
        usual = "Click a result to reopen it with its settings, right-click it to name, star or delete it"
        self.strip.setToolTip(f"{known}\n{usual}" if known else usual)

    # ---- actions

    def menu_of(self, index: int) -> QMenu:
        """The menu of a result."""
        history, kept = self._history, self._history.kept[index]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open", partial(history.restore, index))
        menu.addAction("Name…", partial(ask_for_name, self.window(), history, index))
        star = "Remove the star" if kept.starred else "Star: keep it beyond the latest results"
        menu.addAction(star, partial(history.star, index, not kept.starred))
        menu.addSeparator()
        menu.addAction("Delete", partial(history.delete, [index]))
        return menu

    def _open_menu(self, position: QPoint) -> None:
        index = self.strip.cell_at(position)
        if index >= 0:
            self.menu_of(index).popup(self.strip.mapToGlobal(position))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete deletes the chosen thumbnail."""
        current = self.strip.current()
        if event.key() == Qt.Key.Key_Delete and self.strip.hasFocus() and current is not None:
            self._history.delete([current])
        else:
            super().keyPressEvent(event)

    def _drag_out(self, index: int) -> None:
        """Drag a result out of the window, as a PNG with its request."""
        kept = self._history.kept[index]
        try:
            path = self._context.files.write_temporary(kept.key[-8:], partial(self._write, index))
        except (NoiseloomError, OSError) as error:
            self._context.notify_failed(error)
            return
        data, drag = QMimeData(), QDrag(self.strip)
        data.setUrls([QUrl.fromLocalFile(str(path))])
        drag.setMimeData(data)
        drag.setPixmap(QPixmap.fromImage(to_qimage(kept.thumbnail)))
        drag.exec(Qt.DropAction.CopyAction)

    def _write(self, index: int, path: Path) -> None:
        """Write a result of this session at the export scale; one of an earlier session as it was kept."""
        kept = self._history.kept[index]
        if kept.result:
            kept.result.write(path, self._scale())
        else:
            shutil.copyfile(history_file.picture(kept.key), path)
