"""What F1 shows: a control's sentence, the formula behind it and its paper, in a small card beside the control."""

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QCursor, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QVBoxLayout, QWidget

from desktop_app.text.formulas import AXES, CONTROLS, FORMULAS, Formula
from desktop_app.theme.tokens import Space, formula_font
from desktop_app.widgets.controls.basics import Button, Label
from desktop_app.widgets.controls.rows import ChoiceRow, Segmented

WIDTH, FORMULA_SIZE = 360, 17
GOES_WITH = (QEvent.Type.MouseButtonPress, QEvent.Type.Wheel, QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)


class HelpCard(QFrame):
    """Lies over the window and goes with the next click or key; Escape and F1 do nothing else then."""

    def __init__(self, control: QWidget) -> None:
        super().__init__(control.window())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("kind", "help")
        formula = formula_behind(control)
        self.title = Label(control.accessibleName(), "title")
        self.sentence = Label(control.toolTip(), "")
        self.formula = Label(formula.text if formula else "")
        self.paper = Label(formula.paper if formula else "", "small")
        self.formula.setFont(formula_font(FORMULA_SIZE))
        self.formula.setProperty("kind", "formula")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.L, Space.M, Space.L, Space.M)
        column.setSpacing(Space.S)
        for label in (self.title, self.sentence, self.formula, self.paper):
            label.setWordWrap(label is not self.formula)
            label.setVisible(bool(label.text()))
            column.addWidget(label)
        self._fit()
        self.setAccessibleName(f"Help: {self.title.text()}")
        self.setAccessibleDescription("\n".join(label.text() for label in (self.sentence, self.formula, self.paper)))

    def _fit(self) -> None:
        """As wide as the formula, and as high as the words are at that width."""
        self.formula.ensurePolished()
        inner = max(WIDTH, self.formula.sizeHint().width())
        for label in filter(QLabel.text, (self.title, self.sentence, self.paper)):
            label.ensurePolished()
            label.setFixedSize(inner, label.heightForWidth(inner))
        self.formula.setFixedSize(inner, self.formula.sizeHint().height())
        self.adjustSize()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in GOES_WITH:
            return False
        self.close()
        only_closes = isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_F1, Qt.Key.Key_Escape)
        if only_closes:
            event.accept()
        return only_closes

    def showEvent(self, event: QShowEvent) -> None:
        if app := QApplication.instance():
            app.installEventFilter(self)

    def closeEvent(self, event: QCloseEvent) -> None:
        if app := QApplication.instance():
            app.removeEventFilter(self)


def explain(window: QWidget) -> HelpCard | None:
    """Explain what is under the pointer, or else what has the focus; one with a formula goes first."""
    found = [control for start in _starts(window) if (control := _explained(start))]
    control = next((each for each in found if formula_behind(each)), found[0] if found else None)
    if control is None:
        return None
    card = HelpCard(control)
    card.move(_place(control, card))
    card.show()
    card.raise_()
    return card


def _starts(window: QWidget) -> Iterator[QWidget]:
    yield from filter(None, (window.childAt(window.mapFromGlobal(QCursor.pos())), window.focusWidget()))


def _explained(widget: QWidget | None) -> QWidget | None:
    """The widget itself or the first around it that has something to say."""
    while widget and not widget.toolTip():
        widget = widget.parentWidget()
    return widget


def formula_behind(control: QWidget) -> Formula | None:
    """The formula of a control, or of the part of it that has one."""
    return formula_of(control) or next(filter(None, map(formula_of, control.findChildren(QWidget))), None)


def _place(control: QWidget, card: QWidget) -> QPoint:
    """Below the control, ends at its right; above where there is no room, and within the window in any case."""
    window, low = control.window(), QPoint(control.width() - card.width(), control.height() + Space.XS)
    corner = control.mapTo(window, low)
    if corner.y() + card.height() > window.height():
        corner.setY(control.mapTo(window, QPoint(0, 0)).y() - card.height() - Space.XS)
    return QPoint(min(max(corner.x(), 0), window.width() - card.width()), max(corner.y(), 0))


def formula_of(control: QWidget) -> Formula | None:
    """The formula behind a control as it is set now, behind one button of several; None where there is none."""
    parent, value = control.parentWidget(), ""
    if isinstance(parent, Segmented) and isinstance(control, Button):
        control, value = parent, parent.key_of(control)
    elif isinstance(control, ChoiceRow | Segmented):
        value = control.value()
    name = control.accessibleName()
    setting = control.property("formula") or (value if name in AXES else CONTROLS.get(name, ""))
    return FORMULAS.get(f"{setting}: {value}") or FORMULAS.get(setting)
