"""The dialog that asks for a name. A refused name stays in its field, with the reason below it."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QLineEdit, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Label, row
from ml.errors import BadRequest

WIDTH = 380


class NameDialog(QDialog):
    """Asks for a name; `named(str)` with one that `check` has not refused by a BadRequest."""

    named = Signal(str)

    def __init__(
        self, parent: QWidget, title: str, name: str, check: Callable[[str], object], verb: str = "Rename"
    ) -> None:
        super().__init__(parent)
        self._check = check
        self.setWindowTitle(title)
        self.setFixedWidth(WIDTH)
        self.edit = QLineEdit(name)
        self.edit.setAccessibleName("Name")
        self.edit.selectAll()
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.ok = Button(verb, kind="primary")
        self.ok.setDefault(True)
        self.cancel = Button("Cancel")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.L)
        column.setSpacing(Space.S)
        column.addWidget(Label(title, "title"))
        column.addWidget(self.edit)
        column.addWidget(self.problem)
        column.addSpacing(Space.S)
        column.addLayout(row(1, self.cancel, self.ok))
        self.edit.textChanged.connect(self.problem.hide)
        self.ok.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)

    def accept(self) -> None:
        try:
            self._check(self.edit.text())
        except BadRequest as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        super().accept()
        self.named.emit(self.edit.text())
