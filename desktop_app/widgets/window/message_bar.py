"""The message bar, laid over the foot of a page: what happened, what to do, and a button for the remedy."""

from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QApplication, QBoxLayout, QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import SETTINGS_WIDTH, Space
from desktop_app.widgets.controls.basics import Button, Card, Label, Mark, restyle

Tone = Literal["error", "warning", "info", "success"]
Action = tuple[str, str]  # key, text
SUCCESS_MS = 8000  # for which the message of a success is shown
MAX_WIDTH = 860
ICONS = {
    "error": ("warning-circle-fill", "error"),
    "warning": ("warning-fill", "warning"),
    "info": ("info-fill", "accent"),
    "success": ("check-circle-fill", "ok"),
}


class MessageBar(Card):
    """A bar that is hidden until `show_message`; it never blocks the window, and moves nothing in it.

    It lies over the foot of the widget `over`, beside the column of settings. A success goes by itself, unless the
    pointer or the focus is on it. Signals: `actionTriggered(key)` for a remedy's button, `dismissed()`.
    """

    actionTriggered = Signal(str)
    dismissed = Signal()

    def __init__(self, over: QWidget | None = None) -> None:
        super().__init__("message")
        self._over = over
        if over:
            self.setParent(over)
            over.installEventFilter(self)
        self._success = QTimer(self, singleShot=True, interval=SUCCESS_MS)
        self._success.timeout.connect(self._end_success)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._report = ""
        self._mark = Mark()
        self._title, self._text = Label(kind="title"), Label(kind="muted")
        for label in (self._title, self._text):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details_button = Button("Details", kind="flat", tip="Show technical details for a bug report")
        self._details_button.setCheckable(True)
        self._close = Button(kind="tool", name="Dismiss", tip="Dismiss")
        self._close.setIcon(icon("x-bold", "muted"))
        self._close.setIconSize(QSize(12, 12))
        self._actions = QHBoxLayout()
        self._actions.setSpacing(Space.S)
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setAccessibleName("Details")
        self._details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._details.setFixedHeight(132)
        self._copy = Button("Copy report", "copy", tip="Copy the message and its details")
        self._arrange()
        self._close.clicked.connect(self.dismiss)
        self._details_button.toggled.connect(self._show_details)
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._report))
        self.hide()

    def _arrange(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._text)
        line = QHBoxLayout()
        line.setSpacing(Space.S)
        line.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        self._middle = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._middle.setSpacing(Space.S)
        self._middle.addLayout(words, 1)
        self._middle.addLayout(self._actions)
        line.addLayout(self._middle, 1)
        line.addWidget(self._details_button)
        line.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 8, 10)
        column.setSpacing(Space.S)
        column.addLayout(line)
        column.addWidget(self._details)
        column.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignLeft)

    def show_message(
        self, tone: Tone, title: str, what_to_do: str = "", *, actions: Sequence[Action] = (), details: str = ""
    ) -> None:
        """Show what happened and what to do, in place of the previous message."""
        name, role = ICONS[tone]
        self._mark.set_icon(name, role)
        self._title.setText(title)
        self._text.setText(what_to_do)
        self._text.setVisible(bool(what_to_do))
        self._set_actions(actions)
        self._report = "\n".join(part for part in (title, what_to_do, "", details) if part or details).strip()
        self._details.setPlainText(details)
        self._details_button.setVisible(bool(details))
        self._details_button.setChecked(False)
        self._show_details(False)
        self.setAccessibleName(f"{tone}: {title}")
        self.setAccessibleDescription(what_to_do)
        restyle(self, tone=tone)
        self._success.start() if tone == "success" else self._success.stop()
        self.show()
        self._place()
        self.raise_()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def dismiss(self) -> None:
        """Hide the message."""
        self._success.stop()
        if not self.isHidden():
            self.hide()
            self.dismissed.emit()

    def _end_success(self) -> None:
        focused = QApplication.focusWidget()
        if self.underMouse() or (focused and self.isAncestorOf(focused)):
            self._success.start()
        else:
            self.dismiss()

    def _place(self) -> None:
        """Take the room that the words need, at the foot of the widget below."""
        layout = self.layout()
        if self._over is None or layout is None:
            return
        layout.activate()
        width = min(self._over.width() - SETTINGS_WIDTH - 2 * Space.L, MAX_WIDTH)
        height = layout.totalHeightForWidth(width)
        self.setGeometry(Space.L, self._over.height() - height - Space.S, width, height)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # the details were shown or hidden
            self._place()
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def title(self) -> str:
        return self._title.text()

    def report(self) -> str:
        """The whole message as text, with its details."""
        return self._report

    def action_buttons(self) -> list[Button]:
        items = (self._actions.itemAt(index) for index in range(self._actions.count()))
        return [widget for item in items if item and isinstance(widget := item.widget(), Button)]

    def _set_actions(self, actions: Sequence[Action]) -> None:
        while (item := self._actions.takeAt(0)) is not None:
            if old := item.widget():
                old.hide()
                old.deleteLater()
        for key, text in actions:
            button = Button(text)
            button.clicked.connect(lambda _checked=False, key=key: self.actionTriggered.emit(key))
            self._actions.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        several = len(actions) > 1  # they stand below the words, which are narrow beside them
        direction = QBoxLayout.Direction.TopToBottom if several else QBoxLayout.Direction.LeftToRight
        self._middle.setDirection(direction)
        self._actions.addStretch(1) if several else None

    def _show_details(self, shown: bool) -> None:
        self._details.setVisible(shown)
        self._copy.setVisible(shown)
        self._details_button.setText("Hide details" if shown else "Details")
