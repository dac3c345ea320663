"""The list of all results in the history, to be searched, named, starred and deleted."""

from PySide6.QtCore import QDateTime, QLocale, QSize, Qt
from PySide6.QtGui import QIcon, QKeySequence, QPixmap, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from desktop_app.pages.name_dialog import NameDialog
from desktop_app.pages.registry import spec_of
from desktop_app.text.formatting import count
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.history import History
from desktop_app.widgets.controls.basics import Button, Check, Label, row
from desktop_app.widgets.images.qimage import to_qimage

SIZE = QSize(620, 560)
ICON = 60
KEY = Qt.ItemDataRole.UserRole


class HistoryDialog(QDialog):
    """Stays open beside the window: a double click opens a result there."""

    def __init__(self, parent: QWidget, history: History) -> None:
        super().__init__(parent)
        self._history = history
        self.setWindowTitle("History")
        self.resize(SIZE)
        self.edit = QLineEdit()
        self.edit.setAccessibleName("Search the history")
        self.edit.setPlaceholderText("Search names, prompts, models and pages")
        self.edit.setClearButtonEnabled(True)
        self.starred = Check("Starred", "Show only starred results")
        self.list = QListWidget()
        self.list.setProperty("kind", "classes")
        self.list.setAccessibleName("Results")
        self.list.setIconSize(QSize(ICON, ICON))
        self.list.setWordWrap(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.summary = Label("", "small")
        self.open_button = Button("Open", kind="primary", tip="Show the result with its settings")
        self.name = Button("Name…", tip="Give the result a name")
        self.star = Button("Star", tip="Keep the result beyond the latest ones")
        self.delete = Button("Delete", tip="Delete the chosen results; Ctrl+Z brings them back")
        self.undo = Button("Undo", kind="link", tip="Bring the results of the last deletion back (Ctrl+Z)")
        self._arrange()
        self._connect()
        self._show()

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.L, Space.L, Space.L, Space.L)
        column.setSpacing(Space.S)
        top = row(self.edit, self.starred)
        top.setStretch(0, 1)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        column.addLayout(row(self.summary, self.undo, 1))
        column.addLayout(row(self.name, self.star, self.delete, 1, self.open_button))

    def _connect(self) -> None:
        self.edit.textChanged.connect(self._show)
        self.starred.toggled.connect(self._show)
        self.list.itemSelectionChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(lambda _item: self._open())
        self.open_button.clicked.connect(self._open)
        self.name.clicked.connect(self._name)
        self.star.clicked.connect(self._star)
        self.delete.clicked.connect(lambda: self._history.delete(self.chosen()))
        self.undo.clicked.connect(self._history.undo_delete)
        for keys, slot in (
            (QKeySequence.StandardKey.Delete, self.delete.click),
            (QKeySequence.StandardKey.Undo, self._history.undo_delete),
        ):
            QShortcut(QKeySequence(keys), self.list, context=Qt.ShortcutContext.WidgetShortcut).activated.connect(slot)
        self._history.changed.connect(self._show)

    def chosen(self) -> list[int]:
        """The indices of the chosen results in the history."""
        keys = {item.data(KEY) for item in self.list.selectedItems()}
        return [index for index, kept in enumerate(self._history.kept) if kept.key in keys]

    # ---- actions

    def _open(self) -> None:
        if chosen := self.chosen():
            self._history.restore(chosen[0])

    def _name(self) -> None:
        if chosen := self.chosen():
            ask_for_name(self, self._history, chosen[0])

    def _star(self) -> None:
        chosen = self.chosen()
        starred = all(self._history.kept[index].starred for index in chosen)
        for key in [self._history.kept[index].key for index in chosen]:
            index = next((k for k, kept in enumerate(self._history.kept) if kept.key == key), None)
            if index is not None:
                self._history.star(index, not starred)

    # ---- what is shown

    def _show(self) -> None:
        """Show what the search finds; the choice is kept."""
        history, locale = self._history, QLocale()
        chosen = {item.data(KEY) for item in self.list.selectedItems()}
        found = history.find(self.edit.text(), starred=self.starred.isChecked())
        self.list.blockSignals(True)
        self.list.clear()
        for kept in (history.kept[index] for index in found):
            when = locale.toString(QDateTime.fromSecsSinceEpoch(int(kept.made)), QLocale.FormatType.ShortFormat)
            star = "★ " if kept.starred else ""
            lines = [f"{star}{kept.title}", kept.about if kept.name else "", f"{spec_of(kept.page).title} · {when}"]
            icon = QIcon(QPixmap.fromImage(to_qimage(kept.thumbnail)))
            item = QListWidgetItem(icon, "\n".join(line for line in lines if line))
            item.setData(KEY, kept.key)
            self.list.addItem(item)
            item.setSelected(kept.key in chosen)
        self.list.blockSignals(False)
        none = "Nothing found" if history.kept else "Nothing here yet"
        self.summary.setText(count(len(found), "result") if found else none)
        self.undo.setVisible(history.can_undo)
        self._show_buttons()

    def _show_buttons(self) -> None:
        chosen = self.chosen()
        for button in (self.open_button, self.name):
            button.setEnabled(len(chosen) == 1)
        for button in (self.star, self.delete):
            button.setEnabled(bool(chosen))
        starred = bool(chosen) and all(self._history.kept[index].starred for index in chosen)
        self.star.setText("Remove star" if starred else "Star")


def ask_for_name(parent: QWidget, history: History, index: int) -> NameDialog:
    """Ask for the name of a result."""
    kept = history.kept[index]

    def rename(name: str) -> None:
        if kept in history.kept:
            history.rename(history.kept.index(kept), name)

    dialog = NameDialog(parent, "Name of the result", kept.name, lambda _name: None)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.named.connect(rename)
    dialog.open()
    return dialog
