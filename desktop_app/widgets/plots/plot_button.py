"""The button that exports a plot as SVG, PDF or PNG, or its numbers as CSV."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu

from desktop_app.widgets.controls.basics import Button
from desktop_app.widgets.plots.export import Figure, picture_of, save_plots
from ml.errors import NoiseloomError
from ml.system.files import free_name

FORMATS = (
    (".svg", "Plot (SVG)"),
    (".pdf", "Plot (PDF)"),
    (".png", "Plot (PNG)"),
    (".csv", "Values (CSV)"),
)


class PlotButton(Button):
    """`figures()` returns what to export. Emits `saved(Path)`, or `failed(NoiseloomError)`."""

    saved = Signal(object)
    failed = Signal(object)

    def __init__(self, name: str, figures: Callable[[], Sequence[Figure]]) -> None:
        words = f"Save {name} as an image or as numbers"
        super().__init__(kind="tool", name=f"Export {name}", tip=words)
        self.set_icon("export")
        self._name, self._figures = name, figures
        self.folder: Path | None = None
        self.metadata: Callable[[], Mapping[str, object]] = dict  # of the figures, for the file
        menu = QMenu(self)
        menu.setAccessibleName(f"Export {name}")
        for suffix, text in FORMATS:
            menu.addAction(text, partial(self.export, suffix))
        menu.addSeparator()
        menu.addAction("Copy", self.copy)
        self.setMenu(menu)

    def export(self, suffix: str) -> None:
        """Ask for a file name, and write the plot."""
        suggested = free_name((self.folder or Path.home()) / f"noiseloom-{self._name.replace(' ', '-')}{suffix}")
        words = dict(FORMATS)[suffix]
        name, _ = QFileDialog.getSaveFileName(self, f"Export {self._name}", str(suggested), f"{words} (*{suffix})")
        if name:
            path = Path(name)
            self.export_to(path if path.suffix.lower() == suffix else free_name(path.with_suffix(suffix)))

    def copy(self) -> None:
        """Put the plot on the clipboard."""
        QGuiApplication.clipboard().setImage(picture_of(self._figures()))

    def export_to(self, path: Path) -> None:
        """Write the plot in the format that the suffix names."""
        self.folder = path.parent
        try:
            save_plots(path, self._figures(), self.metadata())
        except NoiseloomError as error:
            self.failed.emit(error)
        else:
            self.saved.emit(path)
