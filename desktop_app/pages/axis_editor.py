"""The editor of one axis of a comparison: which setting, and its values."""

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.compare import VALUES, Compare, Side
from desktop_app.widgets.controls.basics import Label
from desktop_app.widgets.controls.check_list import CheckList
from desktop_app.widgets.controls.rows import Choice, ChoiceRow
from ml.specs import SETTINGS, lines, titles

TITLE = {"rows": "Rows", "columns": "Columns"}


MAX_TYPED = 4096  # characters


class AxisEditor(QWidget):
    """A choice of setting, and its values: typed numbers or checked names."""

    def __init__(self, compare: Compare, side: Side) -> None:
        super().__init__()
        self._compare = compare
        self._side: Side = side
        own = {key: line for key, line in lines(SETTINGS).items() if key in VALUES}
        self.field = ChoiceRow(TITLE[side], tip=f"The setting that varies along the {side}", lines=own)
        self.edit = QLineEdit()
        self.edit.setAccessibleName(f"{TITLE[side]}, values")
        self.edit.setMaxLength(MAX_TYPED)
        self.edit.setToolTip("Values separated by commas; whole numbers can be ranges such as 0-9")
        self.checks = CheckList(f"{TITLE[side]}, values", "Select the values to compare")
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
        """Show the current settings."""
        field: str = getattr(self._compare.settings, self._side)
        values = self._compare.values(field)
        names = self._names(field)
        titles_of = {key: SETTINGS[key].title for key in VALUES}
        if not self._compare.subject.is_digits:
            titles_of["label"] = "Class"
        self.field.set_choices([*titles_of.items(), ("", "none")])
        self.field.set_value(field)
        self.edit.setVisible(bool(field) and not names)
        self.checks.setVisible(bool(names))
        if names and field == "label":
            self.checks.set_choices(names, map(str, self._compare.picked_classes))
        elif names:
            self.checks.set_choices(names, [value.strip() for value in values.split(",")])
        elif self.edit.text() != values:
            self.edit.setText(values)
        trouble = self._compare.trouble(self._side)
        self.problem.setText(trouble)
        self.problem.setVisible(bool(trouble))
        self.edit.setAccessibleDescription(trouble)

    def _names(self, field: str) -> list[Choice]:
        """The names to select from; empty where values are typed."""
        if field == "label":
            return self._compare.subject.choices[1:] if self._compare.picks_classes else []
        if field == "model":
            return self._compare.model_choices(self._compare.comparable_models)
        return list(titles(SETTINGS[field].choices)) if field else []

    def _take(self, text: str) -> None:
        self._compare.set_values(getattr(self._compare.settings, self._side), text)
