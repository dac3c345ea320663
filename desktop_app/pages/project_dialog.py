"""The dialog that saves a project: which results, models and settings are in it."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QDialog, QFileDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from desktop_app.pages.registry import spec_of
from desktop_app.project_file import MAX_MODELS, MAX_RESULTS, MAX_TITLE, SUFFIX
from desktop_app.text.formatting import count, megabytes
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.projects import Projects
from desktop_app.widgets.controls.basics import Button, Check, Label, row
from desktop_app.widgets.images.qimage import to_qimage
from ml.system.files import free_name

SIZE, ICON, MODELS_HEIGHT = QSize(560, 620), 44, 96


class ProjectDialog(QDialog):
    """Asks what to save, and then for the file. At first the starred results are chosen, or without any, all."""

    def __init__(self, parent: QWidget, projects: Projects, folder: Path | None) -> None:
        super().__init__(parent)
        self._projects, self._folder = projects, folder or Path.home()
        self._kept, self._cards = projects.results[:MAX_RESULTS], projects.models[:MAX_MODELS]
        self.setWindowTitle("Save a project")
        self.resize(SIZE)
        self.title = QLineEdit()
        self.title.setAccessibleName("Title")
        self.title.setPlaceholderText("Title")
        self.title.setMaxLength(MAX_TITLE)
        self.results, self.models = QListWidget(), QListWidget()
        self.settings = Check("The settings of all pages", "What names files of this computer stays out")
        self.settings.setChecked(True)
        self.save_button = Button("Save…", "floppy-disk", kind="primary", tip="Choose a file for the project")
        self.cancel = Button("Cancel", tip="Close without saving")
        self._fill()
        self._arrange()
        self.save_button.clicked.connect(self._save)
        self.cancel.clicked.connect(self.reject)
        for which in (self.results, self.models):
            which.itemChanged.connect(lambda _item: self._show_buttons())
        self.settings.toggled.connect(lambda _on: self._show_buttons())
        self._show_buttons()

    def _fill(self) -> None:
        starred = any(kept.starred for kept in self._kept)
        for kept in self._kept:
            icon = QIcon(QPixmap.fromImage(to_qimage(kept.thumbnail)))
            item = QListWidgetItem(icon, f"{kept.title}\n{spec_of(kept.page).title}")
            item.setCheckState(Qt.CheckState.Checked if kept.starred or not starred else Qt.CheckState.Unchecked)
            self.results.addItem(item)
        for card in self._cards:
            item = QListWidgetItem(f"{card.name} · {megabytes(card.size)}")
            item.setCheckState(Qt.CheckState.Unchecked)
            self.models.addItem(item)

    def _arrange(self) -> None:
        for which, name in ((self.results, "Results"), (self.models, "Models and runs")):
            which.setProperty("kind", "classes")
            which.setAccessibleName(name)
        self.results.setIconSize(QSize(ICON, ICON))
        self.models.setMaximumHeight(MODELS_HEIGHT)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.S)
        column.addWidget(Label("Save a project", "heading"))
        intro = Label(
            "One file that opens on any computer with Noiseloom, by Ctrl+O or dropped on its window.", "muted"
        )
        intro.setWordWrap(True)
        column.addWidget(intro)
        column.addWidget(self.title)
        column.addWidget(Label("Results", "section"))
        column.addWidget(self.results, 1)
        if self._cards:
            column.addWidget(Label("Models and runs", "section"))
            column.addWidget(self.models)
        column.addWidget(self.settings)
        self.summary = Label("", "small")
        column.addLayout(row(self.summary, 1, self.cancel, self.save_button))

    def _chosen(self, which: QListWidget) -> list[int]:
        return [k for k in range(which.count()) if which.item(k).checkState() == Qt.CheckState.Checked]

    def _show_buttons(self) -> None:
        results, models = self._chosen(self.results), self._chosen(self.models)
        size = sum(self._cards[k].size for k in models)
        parts = [count(len(results), "result"), f"{count(len(models), 'model')}, {megabytes(size)}" if models else ""]
        self.summary.setText(" · ".join(part for part in parts if part))
        self.save_button.setEnabled(bool(results or models or self.settings.isChecked()))

    def _save(self) -> None:
        title = " ".join(self.title.text().split())
        plain = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")[:40]
        suggested = free_name(self._folder / f"{plain or 'project'}{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(self, "Save the project", str(suggested), f"Project (*{SUFFIX})")
        if name:
            path = Path(name)
            target = path if path.suffix.lower() == SUFFIX else free_name(path.with_name(path.name + SUFFIX))
            results = [self._kept[k] for k in self._chosen(self.results)]
            models = [self._cards[k] for k in self._chosen(self.models)]
            self._projects.save(target, title, results, models, settings=self.settings.isChecked())
            self.accept()
