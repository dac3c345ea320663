"""What F1 shows: a control's sentence, the formula behind it and its paper, in a small card beside the control."""

from collections.abc import Iterator

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from desktop_app.formulas import Formula, formula_of
from desktop_app.theme import Space, formula_font
from desktop_app.widgets.basics import Label

WIDTH, FORMULA_SIZE = 360, 17


class HelpCard(QFrame):
    """Closes with a click anywhere, Escape or F1."""

    def __init__(self, control: QWidget) -> None:
        super().__init__(control.window(), Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_F1, Qt.Key.Key_Escape):
            self.close()
        else:
            super().keyPressEvent(event)


def explain(window: QWidget) -> HelpCard | None:
    """Explain what is under the pointer, or else what has the focus; one with a formula goes first."""
    found = [control for start in _starts(window) if (control := _explained(start))]
    control = next((each for each in found if formula_behind(each)), found[0] if found else None)
    if control is None:
        return None
    card = HelpCard(control)
    card.move(_place(control, card))
    card.show()
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
    """Below the control, ends at its right; above where there is no room, and within the screen in any case."""
    room = control.screen().availableGeometry()
    corner = control.mapToGlobal(QPoint(control.width() - card.width(), control.height() + Space.XS))
    if corner.y() + card.height() > room.bottom():
        corner.setY(control.mapToGlobal(QPoint(0, 0)).y() - card.height() - Space.XS)
    x = min(max(corner.x(), room.left()), room.right() - card.width())
    return QPoint(x, max(corner.y(), room.top()))
