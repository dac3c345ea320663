"""The message over the page in front, and the list of those of the past."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QMenu

from desktop_app.pages.registry import spec_of
from desktop_app.theme.icons import icon
from desktop_app.viewmodels.notification import Message, Messages, Past
from desktop_app.widgets.window.message_bar import ICONS, MessageBar
from desktop_app.widgets.window.navigation import StatusBar

ENTRY_WIDTH = 420  # of a message in the list


class MessageView(QObject):
    """Shows messages in a bar, each over its page, and in the status bar that another page has one.

    Signal: `pageRequested(key)`, for the page of a message that was chosen in the list.
    """

    pageRequested = Signal(str)

    def __init__(self, messages: Messages, bar: MessageBar, status: StatusBar, page: Callable[[], str]) -> None:
        super().__init__(bar)
        self._messages, self._bar, self._status, self._page = messages, bar, status, page
        self._shown: Message | None = None
        messages.changed.connect(self.show_messages)
        bar.dismissed.connect(self._close)
        status.messagesClicked.connect(self.open_list)
        self.show_messages()

    def show_messages(self) -> None:
        """Show the message of the page in front, and the title of one that waits on another page."""
        shown, waiting = self._messages.shown(self._page()), self._messages.waiting(self._page())
        if shown is None:
            self._shown = None
            self._bar.hide()
        elif shown is not self._shown:
            self._shown = shown
            self._bar.show_message(
                shown.tone, shown.title, shown.what_to_do, actions=shown.actions, details=shown.details
            )
        words = f"{spec_of(waiting.page).title}: {waiting.title}" if waiting else ""
        self._status.set_notice(words, ICONS[waiting.tone][1] if waiting else "muted")

    def open_list(self) -> QMenu:
        """Open the list of past messages, the newest first; the chosen one is shown again on its page."""
        button = self._status.messages_button
        menu = QMenu(button)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName("Messages")
        for past in self._messages.past:
            action = menu.addAction(self._words(past), partial(self._reopen, past.message))
            action.setIcon(icon(*ICONS[past.message.tone]))
        if not self._messages.past:
            menu.addAction("No messages so far").setEnabled(False)
        corner = button.mapToGlobal(button.rect().topRight())
        size = menu.sizeHint()
        corner.setX(corner.x() - size.width())
        corner.setY(corner.y() - size.height())
        menu.popup(corner)
        return menu

    def _words(self, past: Past) -> str:
        """A message in one line of the list."""
        page = f"{spec_of(past.message.page).title} · " if past.message.page else ""
        words = QFontMetrics(self._bar.font()).elidedText(past.message.title, Qt.TextElideMode.ElideRight, ENTRY_WIDTH)
        return f"{past.at:%H:%M} · {page}{words}".replace("&", "&&")

    def _close(self) -> None:
        if self._shown:
            self._messages.close(self._shown)

    def _reopen(self, message: Message) -> None:
        if message.page:
            self.pageRequested.emit(message.page)
        self._shown = None
        self._messages.reopen(message)
