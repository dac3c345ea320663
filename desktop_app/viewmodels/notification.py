"""Messages to the person: one at a time lies over its page, and those of the past are kept."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from PySide6.QtCore import QObject, Signal

MAX_PAST = 20

Tone = Literal["error", "warning", "info", "success"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a page ("": of all pages), with remedies as (key, text of a button)."""

    tone: Tone
    title: str
    what_to_do: str = ""
    actions: Sequence[tuple[str, str]] = ()
    details: str = ""
    page: str = ""


class Past(NamedTuple):
    """A message, and when it came."""

    at: datetime
    message: Message


class Messages(QObject):
    """The messages of a session. An error is open until it is closed, any other one until the next of its page."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.past: deque[Past] = deque(maxlen=MAX_PAST)  # newest first
        self._open: list[Message] = []  # newest last

    def add(self, message: Message) -> None:
        """Open a message."""
        self.past.appendleft(Past(datetime.now(), message))
        self.reopen(message)

    def reopen(self, message: Message) -> None:
        """Open a message of the past, on top of those of its page that stay."""
        stays = [
            other
            for other in self._open
            if other.page != message.page or (other.tone == "error" and other.title != message.title)
        ]
        self._open = [*stays, message]
        self.changed.emit()

    def close(self, message: Message) -> None:
        """Close a message; it stays among those of the past."""
        self._open = [other for other in self._open if other != message]
        self.changed.emit()

    def shown(self, page: str) -> Message | None:
        """The message that lies over a page."""
        return next((message for message in reversed(self._open) if message.page in ("", page)), None)

    def waiting(self, page: str) -> Message | None:
        """The newest open message of another page."""
        return next((message for message in reversed(self._open) if message.page not in ("", page)), None)
