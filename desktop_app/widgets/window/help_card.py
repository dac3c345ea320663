"""F1 help: the description of a control, its formula and the paper, in a card beside the control.

Terms of the glossary are links in it.
"""

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QCursor, QKeyEvent, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QVBoxLayout, QWidget

from desktop_app.text import glossary
from desktop_app.text.formulas import AXES, CONTROLS, FORMULAS
from desktop_app.theme.tokens import Space, formula_font
from desktop_app.widgets.controls.basics import Button, Label
from desktop_app.widgets.controls.rows import ChoiceRow, Segmented
from ml.specs import Formula

WIDTH, FORMULA_SIZE = 360, 17
GOES_WITH = (QEvent.Type.MouseButtonPress, QEvent.Type.Wheel, QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
TO_LINKS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
IN_LINKS = (*TO_LINKS, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class HelpCard(QFrame):
    """A card over the window that the next click or key closes; Escape and F1 only close it.

    Tab goes through its links to the glossary, and Enter follows one. Emits `termChosen(key)`.
    """

    termChosen = Signal(str)

    def __init__(self, control: QWidget) -> None:
        super().__init__(control.window())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("kind", "help")
        formula = formula_behind(control)
        name, sentence, paper = control.accessibleName(), control.toolTip(), formula.paper if formula else ""
        self._focused_before: QWidget | None = None
        self.title, self.sentence = Label(glossary.linked(name), "title"), Label(glossary.linked(sentence))
        self.formula = Label(formula.text if formula else "")
        self.paper = Label(glossary.linked(paper), "small")
        self.formula.setFont(formula_font(FORMULA_SIZE))
        self.formula.setProperty("kind", "formula")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.L, Space.M, Space.L, Space.M)
        column.setSpacing(Space.S)
        for label in self._texts():
            label.setTextFormat(Qt.TextFormat.RichText)
            by_mouse_and_keys = Qt.TextInteractionFlag.LinksAccessibleByMouse
            label.setTextInteractionFlags(by_mouse_and_keys | Qt.TextInteractionFlag.LinksAccessibleByKeyboard)
            label.linkActivated.connect(self._follow)
        for label in (self.title, self.sentence, self.formula, self.paper):
            label.setWordWrap(label is not self.formula)
            label.setVisible(bool(label.text()))
            column.addWidget(label)
        self._fit()
        self.setAccessibleName(f"Help: {name}")
        self.setAccessibleDescription("\n".join((sentence, self.formula.text(), paper)))

    def _fit(self) -> None:
        """Set the width to that of the formula, and the height to that of the text at this width."""
        self.formula.ensurePolished()
        inner = max(WIDTH, self.formula.sizeHint().width())
        for label in filter(QLabel.text, (self.title, self.sentence, self.paper)):
            label.ensurePolished()
            label.setFixedSize(inner, label.heightForWidth(inner))
        self.formula.setFixedSize(inner, self.formula.sizeHint().height())
        self.adjustSize()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in GOES_WITH or self._is_for_links(event):
            return False
        if isinstance(event, QKeyEvent) and event.key() in TO_LINKS and self._with_links():
            if event.type() == QEvent.Type.KeyPress:
                self._focused_before = self.window().focusWidget()
                first = self._with_links()[0]
                first.setFocus(Qt.FocusReason.TabFocusReason)
                first.focusNextPrevChild(True)  # to its first link
            return True
        self.close()
        only_closes = isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_F1, Qt.Key.Key_Escape)
        if only_closes:
            event.accept()
        return only_closes

    def _is_for_links(self, event: QEvent) -> bool:
        """Whether an event goes to the links of the card: a click on it, or a key while one of them has the focus."""
        if isinstance(event, QMouseEvent):
            return self.rect().contains(self.mapFromGlobal(event.globalPosition().toPoint()))
        focused = any(label.hasFocus() for label in self._with_links())
        return isinstance(event, QKeyEvent) and focused and event.key() in IN_LINKS

    def _texts(self) -> tuple[Label, Label, Label]:
        return self.title, self.sentence, self.paper

    def _with_links(self) -> list[Label]:
        return [label for label in self._texts() if "<a " in label.text()]

    def _follow(self, link: str) -> None:
        self.close()
        self.termChosen.emit(link.removeprefix(glossary.SCHEME))

    def showEvent(self, event: QShowEvent) -> None:
        if app := QApplication.instance():
            app.installEventFilter(self)

    def closeEvent(self, event: QCloseEvent) -> None:
        if app := QApplication.instance():
            app.removeEventFilter(self)
        if self._focused_before:
            self._focused_before.setFocus()


def explain(window: QWidget) -> HelpCard | None:
    """Explain the control under the pointer or with the focus; prefer one with a formula."""
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
    """The widget or its closest ancestor with a tooltip."""
    while widget and not widget.toolTip():
        widget = widget.parentWidget()
    return widget


def formula_behind(control: QWidget) -> Formula | None:
    """The formula of a control or of one of its parts."""
    return formula_of(control) or next(filter(None, map(formula_of, control.findChildren(QWidget))), None)


def _place(control: QWidget, card: QWidget) -> QPoint:
    """Below the control, aligned right; above it where there is no room, and always within the window."""
    window, low = control.window(), QPoint(control.width() - card.width(), control.height() + Space.XS)
    corner = control.mapTo(window, low)
    if corner.y() + card.height() > window.height():
        corner.setY(control.mapTo(window, QPoint(0, 0)).y() - card.height() - Space.XS)
    return QPoint(min(max(corner.x(), 0), window.width() - card.width()), max(corner.y(), 0))


def formula_of(control: QWidget) -> Formula | None:
    """The formula of a control at its current value, or of one of its buttons; None without one."""
    parent, value = control.parentWidget(), ""
    if isinstance(parent, Segmented) and isinstance(control, Button):
        control, value = parent, parent.key_of(control)
    elif isinstance(control, ChoiceRow | Segmented):
        value = control.value()
    name = control.accessibleName()
    setting = control.property("formula") or (value if name in AXES else CONTROLS.get(name, ""))
    return FORMULAS.get(f"{setting}: {value}") or FORMULAS.get(setting)
