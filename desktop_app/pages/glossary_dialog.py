"""The glossary: every term with its meaning, a search, and links from one entry to others."""

from html import escape

from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QDialog, QLineEdit, QTextBrowser, QVBoxLayout, QWidget

from desktop_app.text import glossary
from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Label, row

SIZE = (620, 560)


class GlossaryDialog(QDialog):
    """Shows the entries that contain what is searched for; it does not block the window."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Glossary")
        self.resize(*SIZE)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a word or a symbol")
        self.search.setAccessibleName("Find a word or a symbol")
        self.search.setClearButtonEnabled(True)
        self.entries = QTextBrowser()
        self.entries.setAccessibleName("Glossary entries")
        self.entries.setOpenLinks(False)
        self.close_button = Button("Close", tip="Close the glossary")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.M)
        column.addWidget(Label("Glossary", "heading"))
        column.addWidget(self.search)
        column.addWidget(self.entries, 1)
        column.addLayout(row(1, self.close_button))
        self.search.textChanged.connect(self._show_entries)
        self.entries.anchorClicked.connect(self._follow)
        self.close_button.clicked.connect(self.accept)
        theme().changed.connect(self._show_entries)
        self._show_entries()

    def open_entry(self, name: str) -> None:
        """Show all entries, beginning with the one whose key is `name`."""
        self.search.clear()
        self.entries.scrollToAnchor(name)

    def shown(self) -> list[glossary.Entry]:
        """The entries that match the search."""
        wanted = self.search.text().strip().casefold()
        return [
            entry for entry in glossary.entries() if wanted in f"{', '.join(entry.names)} {entry.meaning}".casefold()
        ]

    def _follow(self, link: QUrl) -> None:
        self.open_entry(link.toString().removeprefix(glossary.SCHEME))

    def _show_entries(self) -> None:
        colors = theme().colors
        self.entries.document().setDefaultStyleSheet(f"a {{ color: {colors.accent}; text-decoration: none; }}")
        rows = [
            f'<p style="margin: 0 0 10px 0"><a name="{escape(entry.key)}"></a><b>{escape(", ".join(entry.names))}</b>'
            f"<br>{glossary.meaning(entry)}</p>"
            for entry in self.shown()
        ]
        self.entries.setHtml("".join(rows) or "<p>No entry has this. Try another word.</p>")
