"""The rail of pages on the left and the status line at the bottom."""

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from desktop_app.theme.controller import theme
from desktop_app.theme.icons import icon, paint_icon
from desktop_app.theme.tokens import RAIL_WIDTH, STATUS_HEIGHT, Space, Type, ui_font
from desktop_app.widgets.controls.basics import Button, ElidedLabel, Mark
from desktop_app.widgets.window.remaining_time import RemainingTime

Page = tuple[str, str, str]  # key, word, icon
SLOTS = 1000  # resolution of the progress bar
BAR_WIDTH, JOB_WIDTH = 96, 260  # of the progress bar; least width of the text beside it
NOTICE_WIDTH = 180


class RailButton(Button):
    """A button with an icon above a word."""

    def __init__(self, text: str, icon_name: str, tip: str = "") -> None:
        super().__init__(kind="page", name=text, tip=tip)
        self._text, self._icon_name = text, icon_name
        self.setFixedSize(60, 56)

    def set_face(self, text: str, icon_name: str) -> None:
        self._text, self._icon_name = text, icon_name
        self.setAccessibleName(text)
        self.update()

    def forget_pointer(self) -> None:
        """Look as when the pointer has left, which a menu that was open keeps from the button."""
        self.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(60, 56)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        role = "text" if self.isChecked() else "muted"
        painter = QPainter(self)
        paint_icon(painter, self._icon_name, QRect(0, 9, self.width(), 20), role)
        painter.setFont(ui_font(Type.CAPTION))
        painter.setPen(theme().colors.color(role))
        painter.drawText(QRect(0, 32, self.width(), 16), Qt.AlignmentFlag.AlignCenter, self._text)


class NavRail(QFrame):
    """Pages, one of which is current; arrow keys move between them. `pageChanged(key)`, `actionTriggered(key)`."""

    pageChanged = Signal(str)
    actionTriggered = Signal(str)

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setFixedWidth(RAIL_WIDTH)
        self.setAccessibleName("Pages")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(5, Space.S, 5, Space.S)
        self._column.setSpacing(2)  # so that all buttons fit the smallest window
        self._group = QButtonGroup(self)
        self._pages: dict[str, RailButton] = {}
        for key, word, icon_name in pages:
            button = RailButton(word, icon_name)
            button.setCheckable(True)
            button.toggled.connect(lambda on, key=key: self.pageChanged.emit(key) if on else None)
            self._group.addButton(button)
            self._pages[key] = button
            self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        self.set_page(pages[0][0])

    def page(self) -> str:
        return next(key for key, button in self._pages.items() if button.isChecked())

    def set_page(self, key: str) -> None:
        """Make a page current; emits `pageChanged` if it was not."""
        self._pages[key].setChecked(True)

    def button(self, key: str) -> RailButton:
        return self._pages[key]

    def add_action(self, key: str, word: str, icon_name: str, tip: str = "") -> RailButton:
        """Add a button for an action at the foot of the rail."""
        button = RailButton(word, icon_name, tip)
        button.clicked.connect(lambda: self.actionTriggered.emit(key))
        self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button


class StatusBar(QFrame):
    """Device, model, the running job with its progress, time left and Stop, and the messages of the past."""

    stopRequested = Signal()
    queueRequested = Signal()
    deviceClicked = Signal()
    messagesClicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "status")
        self.setFixedHeight(STATUS_HEIGHT)
        self.setAccessibleName("Status")
        self._dot = Mark("circle-fill", "faint", 9)
        self._device, self._model = ElidedLabel("", "small"), ElidedLabel("", "small")
        self._why = Button("What can I do?", kind="link", tip="Why this device is used, and how to speed it up")
        self._why.hide()
        self._memory = ElidedLabel("", "small")
        self._left = RemainingTime()
        self._job = ElidedLabel("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(BAR_WIDTH)
        self._bar.setAccessibleName("Progress")
        self._stop = Button("Stop", "stop-fill", kind="flat", name="Stop the running job",
                            tip="Stop the running job and keep its results (Ctrl+.)")  # fmt: skip
        self._stop.setIconSize(QSize(15, 11))
        self.queue = Button(kind="link", tip="What runs and what waits; each can be cancelled")
        self._messages = Button(kind="flat", name="Messages", tip="The messages so far")
        self._messages.setIconSize(QSize(15, 13))
        self.set_notice("")
        line = QHBoxLayout(self)
        line.setContentsMargins(14, 0, Space.M, 0)
        line.setSpacing(Space.S)
        for widget in (self._dot, self._device, self._why):
            line.addWidget(widget)
        line.addSpacing(Space.S)
        line.addWidget(self._model)
        line.addSpacing(Space.S)
        line.addWidget(self._memory)
        line.addStretch(1)
        for widget in (self._job, self._bar, self._stop, self.queue, self._messages):
            line.addWidget(widget)
        self.queue.clicked.connect(self.queueRequested)
        self.set_waiting(0)
        self._why.clicked.connect(self.deviceClicked)
        self._stop.clicked.connect(self.stopRequested)
        self._messages.clicked.connect(self.messagesClicked)
        self.clear_job()

    def set_device(self, text: str, *, ready: bool = True, help_wanted: bool = False) -> None:
        """Show the device; `help_wanted` offers an explanation (`deviceClicked`)."""
        self._dot.set_icon("circle-fill", "ok" if ready else "faint")
        self._device.set_text(text)
        self._why.setVisible(help_wanted)

    def set_model(self, text: str) -> None:
        self._model.set_text(text)

    def set_memory(self, text: str) -> None:
        """Show the memory in use."""
        self._memory.set_text(text)
        self._memory.setMinimumWidth(self._memory.sizeHint().width())

    def memory_text(self) -> str:
        return self._memory.full_text()

    def set_job(self, text: str, progress: float | None = None, *, stoppable: bool = True) -> None:
        """Show the running job with its remaining time; `progress` from 0 to 1, None if unknown."""
        left = "" if text.endswith(" left") else self._left.words(text, progress)
        self._job.set_text(f"{text} · {left}" if left else text)
        self._job.setMinimumWidth(min(self._job.sizeHint().width(), JOB_WIDTH))
        self._bar.setRange(0, 0 if progress is None and not theme().reduced_motion else SLOTS)
        self._bar.setValue(round(SLOTS * (progress or 0)))
        for widget in (self._job, self._bar):
            widget.show()
        self._stop.setVisible(stoppable)

    def set_waiting(self, count: int) -> None:
        """Show how many jobs wait behind the running one."""
        self.queue.setText(f"{count} waiting")
        self.queue.setAccessibleName(self.queue.text())
        self.queue.setVisible(count > 0)

    def clear_job(self) -> None:
        for widget in (self._job, self._bar, self._stop):
            widget.hide()

    def set_notice(self, words: str, role: str = "muted") -> None:
        """Show the title of a message of another page; "" for none."""
        shown = self._messages.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, NOTICE_WIDTH)
        self._messages.setText(shown)
        self._messages.setIcon(icon("bell-fill" if words else "bell", role))
        self._messages.setAccessibleName(f"Messages: {words}" if words else "Messages")

    @property
    def messages_button(self) -> Button:
        return self._messages

    def device_text(self) -> str:
        return self._device.full_text()

    def job_text(self) -> str:
        """The running job; empty without one."""
        return "" if self._job.isHidden() else self._job.full_text()

    @property
    def stop_button(self) -> Button:
        return self._stop
