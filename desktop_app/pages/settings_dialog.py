"""The Settings dialog: the look, where files are and go, and a fresh start. What is changed counts at once."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.session import Session
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Label, row
from desktop_app.widgets.controls.export_menu import SCALES
from desktop_app.widgets.controls.rows import Section, Segmented
from ml.system import paths

WIDTH, LABEL_WIDTH = 540, 96
THEMES = (("system", "System"), ("light", "Light"), ("dark", "Dark"))
THEME_TIPS = ("As the system has it", "Dark on light", "Light on dark")
MOTIONS = (("play", "Play by themselves"), ("still", "Still"))
MOTION_TIPS = ("A film begins when there is something to see", "Nothing moves unless it is asked to")


class SettingsDialog(QDialog):
    """Signals: `scaleChosen(scale)`, `exportFolderChosen(Path or None)`, `forgotten()`."""

    scaleChosen = Signal(int)
    exportFolderChosen = Signal(object)
    forgotten = Signal()

    def __init__(self, parent: QWidget, session: Session, export_folder: Path | None, scale: int) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setFixedWidth(WIDTH)
        train = session.train
        look = theme()
        self.theme = Segmented(THEMES, look.mode, name="Theme", tips=THEME_TIPS)
        self.motion = Segmented(MOTIONS, "still" if look.reduced_motion else "play", name="Films", tips=MOTION_TIPS)
        self.scale = Segmented([(str(n), f"{n} ×") for n in SCALES], str(scale), name="Export scale",
                               tips=[f"On all pages: a pixel is {n} wide in the file" for n in SCALES])  # fmt: skip
        self.data = FolderRow("Data sets", "Where MNIST and the others are, if you have them already",
                              "downloaded when needed, and kept", train.data_root, train.use_data_root)  # fmt: skip
        self.downloads = FolderRow("Downloads", "Where large weights are kept, such as those of OpenAI's CLIP",
                                   str(paths.usual_downloads()), paths.chosen_downloads(),
                                   paths.use_downloads)  # fmt: skip
        self.exports = FolderRow("Exports", "Where a dialog for saving begins", "the last one used", export_folder,
                                 self.exportFolderChosen.emit)  # fmt: skip
        self.forget = Button("Forget everything", tip="All settings of all pages as at the first start; can be undone")
        self.close_button = Button("Close", kind="primary", tip="Everything is applied already")
        self._arrange()
        self.close_button.setFocus()
        self.theme.valueChanged.connect(look.set_mode)
        self.motion.valueChanged.connect(lambda key: look.set_reduced_motion(key == "still"))
        self.scale.valueChanged.connect(lambda key: self.scaleChosen.emit(int(key)))
        self.forget.clicked.connect(self._forget)
        self.close_button.clicked.connect(self.accept)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.L)
        column.addWidget(Label("Settings", "heading"))
        look, folders = Section("Look"), Section("Folders")
        for name, widget in (("Theme", self.theme), ("Films", self.motion), ("Export scale", self.scale)):
            look.body_layout.addLayout(row(_named(name, widget), widget, 1))
        for folder in (self.data, self.downloads, self.exports):
            folders.add(folder)
        column.addWidget(look)
        column.addWidget(folders)
        column.addSpacing(Space.S)
        column.addLayout(row(self.forget, 1, self.close_button))

    def _forget(self) -> None:
        self.accept()
        self.forgotten.emit()


class FolderRow(QWidget):
    """A folder of the person's choice, or what is done without one; `chosen` gets it, or None."""

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
        self.reset = Button(kind="tool", name=f"{name}: reset", tip="Back to how it was at first")
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
