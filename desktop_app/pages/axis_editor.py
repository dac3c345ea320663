"""The editor of one axis of a comparison: which setting, and its values."""

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.compare import VALUES, Compare, Side
from desktop_app.widgets.controls.basics import Label
from desktop_app.widgets.controls.check_list import Checks
from desktop_app.widgets.controls.rows import Choice, ChoiceRow
from ml.experiments.axes import NAMES, TITLES, said

TITLE = {"rows": "Rows", "columns": "Columns"}


MAX_TYPED = 4096  # characters, as a name may have


class AxisEditor(QWidget):
    """A list of settings, and below it the values: typed, or ticked where they are names."""

    def __init__(self, compare: Compare, side: Side) -> None:
        super().__init__()
        self._compare = compare
        self._side: Side = side
        nothing = [("", "nothing")]
        self.field = ChoiceRow(TITLE[side], [*((key, TITLES[key]) for key in VALUES), *nothing],
                               tip=f"What changes along the {side}; all else stays as it is")  # fmt: skip
        self.edit = QLineEdit()
        self.edit.setAccessibleName(f"{TITLE[side]}, values")
        self.edit.setMaxLength(MAX_TYPED)
        self.edit.setToolTip("The values, with commas between them; whole numbers may be ranges like 0-9")
        self.checks = Checks(f"{TITLE[side]}, values", "Tick what is to be compared")
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.XS)
        for widget in (self.field, self.edit, self.checks, self.problem):
            column.addWidget(widget)
        self.field.valueChanged.connect(lambda field: compare.set_field(side, field))
        self.edit.textEdited.connect(self._take)
        self.checks.valuesChanged.connect(lambda values: self._take(", ".join(values)))

    def show_axis(self) -> None:
        """Show what is set."""
        field: str = getattr(self._compare.settings, self._side)
        values = self._compare.values(field)
        names = self._names(field)
        self.field.set_value(field)
        self.edit.setVisible(bool(field) and not names)
        self.checks.setVisible(bool(names))
        if names:
            self.checks.set_choices(names, [value.strip() for value in values.split(",")])
        elif self.edit.text() != values:
            self.edit.setText(values)
        trouble = self._compare.trouble(self._side)
        self.problem.setText(trouble)
        self.problem.setVisible(bool(trouble))
        self.edit.setAccessibleDescription(trouble)

    def _names(self, field: str) -> list[Choice]:
        """What can be ticked; nothing where values are numbers."""
        if field == "model":
            return [(name, said("model", name)) for name in self._compare.comparable_models]
        return list(NAMES.get(field, {}).items())

    def _take(self, text: str) -> None:
        self._compare.set_values(getattr(self._compare.settings, self._side), text)
