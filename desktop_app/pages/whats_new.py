"""What each version brings: the changelog."""

from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Label, row
from ml import __version__
from ml.system import paths

SIZE = (640, 620)


class WhatsNew(QDialog):
    """Shows CHANGELOG.md."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("What’s new")
        self.resize(*SIZE)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Changes of each version")
        self.text.setOpenLinks(False)
        try:
            self.text.setMarkdown(paths.changelog().read_text(encoding="utf-8"))
        except OSError:
            self.text.setPlainText("The file CHANGELOG.md is missing from this installation.")
        close = Button("Close", kind="primary", tip="Close")
        close.clicked.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.L)
        column.addWidget(Label(f"This is Noiseloom {__version__}", "heading"))
        column.addWidget(self.text, 1)
        column.addLayout(row(1, close))
        close.setFocus()
