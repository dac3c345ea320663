"""The Settings dialog: appearance, folders and reset. Every change is applied at once."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.updates import Updates
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.controls.export_menu import SCALES
from desktop_app.widgets.controls.rows import Section, Segmented
from ml import __version__
from ml.system import paths

WIDTH, LABEL_WIDTH = 580, 140
THEMES = (("system", "System"), ("light", "Light"), ("dark", "Dark"))
THEME_TIPS = ("Follow the system", "Dark text on a light background", "Light text on a dark background")
MOTIONS = (("play", "On"), ("still", "Off"))
NOTICES = (("off", "Off"), ("weekly", "Weekly"))
NOTICE_TIPS = (
    "Noiseloom opens no connection for this",
    "Ask one address once a week whether there is a newer version; nothing is sent but the request",
)
MOTION_TIPS = ("Animations start when they are ready", "Animations start when you press Play")


class SettingsDialog(QDialog):
    """Signals: `scaleChosen(scale)`, `exportFolderChosen(Path or None)`, `resetRequested()`, `whatsNewRequested()`."""

    scaleChosen = Signal(int)
    exportFolderChosen = Signal(object)
    resetRequested = Signal()
    whatsNewRequested = Signal()

    def __init__(
        self, parent: QWidget, context: AppContext, updates: Updates, export_folder: Path | None, scale: int
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setFixedWidth(WIDTH)
        look = theme()
        self.theme = Segmented(THEMES, look.mode, name="Theme", tips=THEME_TIPS)
        self.motion = Segmented(
            MOTIONS, "still" if look.reduced_motion else "play", name="Autoplay animations", tips=MOTION_TIPS
        )
        self.scale = Segmented([(str(n), f"{n} ×") for n in SCALES], str(scale), name="Export scale",
                               tips=[f"All pages export {n} × {n} pixels per image pixel" for n in SCALES])  # fmt: skip
        self.data = FolderRow("Data sets", "The folder of data sets that you already have, such as MNIST",
                              "Downloaded when needed", context.data_root, context.use_data_root)  # fmt: skip
        self.downloads = FolderRow("Downloads", "The folder for large downloads, such as the weights of OpenAI CLIP",
                                   str(paths.usual_downloads()), paths.chosen_downloads(),
                                   paths.use_downloads)  # fmt: skip
        self.exports = FolderRow("Exports", "The folder in which save dialogs open", "The last folder used",
                                 export_folder, self.exportFolderChosen.emit)  # fmt: skip
        notice = "weekly" if updates.weekly else "off"
        self._can_ask = updates.can_ask
        self.notice = Segmented(NOTICES, notice, name="Update notice", tips=NOTICE_TIPS)
        self.whats_new = Button("What’s new", tip="What each version of Noiseloom brings")
        self.reset = Button("Reset all settings", tip="Restore the default settings of all pages; can be undone")
        self.close_button = Button("Close", kind="primary", tip="Close; all changes are already applied")
        self._arrange()
        self.close_button.setFocus()
        self.theme.valueChanged.connect(look.set_mode)
        self.motion.valueChanged.connect(lambda key: look.set_reduced_motion(key == "still"))
        self.scale.valueChanged.connect(lambda key: self.scaleChosen.emit(int(key)))
        self.notice.valueChanged.connect(lambda key: updates.set_weekly(key == "weekly"))
        self.whats_new.clicked.connect(self.whatsNewRequested)
        self.reset.clicked.connect(self._reset)
        self.close_button.clicked.connect(self.accept)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.L)
        column.addWidget(Label("Settings", "heading"))
        look, folders, versions = Section("Appearance"), Section("Folders"), Section(f"Noiseloom {__version__}")
        for name, widget in (("Theme", self.theme), ("Autoplay animations", self.motion), ("Export scale", self.scale)):
            look.body_layout.addLayout(row(_named(name, widget), widget, 1))
        for folder in (self.data, self.downloads, self.exports):
            folders.add(folder)
        named = _named("Update notice", self.notice)
        if not self._can_ask:
            named.hide()
            self.notice.hide()
        versions.body_layout.addLayout(row(named, self.notice, 1, self.whats_new))
        for section in (look, folders, versions):
            column.addWidget(section)
        column.addSpacing(Space.S)
        column.addLayout(row(self.reset, 1, self.close_button))

    def _reset(self) -> None:
        self.accept()
        self.resetRequested.emit()


class FolderRow(QWidget):
    """A chosen folder, or what is used without one; `chosen` gets the folder, or None after a reset."""

    def __init__(
        self, name: str, tip: str, otherwise: str, folder: Path | None, chosen: Callable[[Path | None], object]
    ) -> None:
        super().__init__()
        self._name, self._otherwise, self._chosen = name, otherwise, chosen
        self._folder = folder
        self.setToolTip(tip)
        self.setAccessibleName(name)
        self.path = ElidedLabel("")
        self.choose = Button("Choose…", "folder-open", name=f"{name}: choose", tip=f"{tip}: choose a folder")
        self.reset = Button(kind="tool", name=f"{name}: reset", tip="Use the default")
        self.reset.set_icon("arrow-counter-clockwise")
        room = self.reset.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(room)
        line = row(_named(name, self.choose), self.path, 1, self.reset, self.choose)
        line.setStretch(1, 100)
        self.setLayout(line)
        self.choose.clicked.connect(self._ask)
        self.reset.clicked.connect(lambda: self._take(None))
        self._show()

    def _ask(self) -> None:
        found = QFileDialog.getExistingDirectory(self, self._name, str(self._folder or ""))
        if found:
            self._take(Path(found))

    def _take(self, folder: Path | None) -> None:
        self._folder = folder
        self._show()
        self._chosen(folder)

    def _show(self) -> None:
        self.path.set_text(str(self._folder) if self._folder else self._otherwise)
        self.path.setProperty("kind", "" if self._folder else "muted")
        self.path.style().polish(self.path)
        self.reset.setVisible(self._folder is not None)


def _named(name: str, widget: QWidget) -> Label:
    label = Label(name, "muted")
    label.setFixedWidth(LABEL_WIDTH)
    label.setBuddy(widget)
    return label
