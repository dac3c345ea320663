"""Lessons without their widgets: one is on or none, and what the person had set before comes back after it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal

from desktop_app import lesson_file
from desktop_app.lesson_file import Lesson
from desktop_app.settings import AppSettings, GenerateSettings
from desktop_app.viewmodels.notification import Message
from ml.config import Description, checked

if TYPE_CHECKING:
    from desktop_app.viewmodels.session import Session


class Owner(Protocol):
    """The state of a page, which owns the page's settings."""

    @property
    def settings(self) -> Description: ...

    def change(self, **changes: Any) -> None: ...


class Lessons(QObject):
    """Opens, leaves and saves lessons, and exchanges the settings of pages as a whole."""

    changed = Signal()  # a lesson has begun, or was left

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self.lesson: Lesson | None = None
        self._own: Description | None = None  # the person's settings of the lesson's page

    @property
    def _owners(self) -> dict[str, Owner]:
        session = self._session
        return {
            "generate": session.generate,
            "train": session.train,
            "interpolate": session.interpolate,
            "draw": session.draw,
            "compare": session.compare,
            "explore": session.explore,
            "models": session.library,
        }

    # ---- a lesson

    def on_read(self, event: object) -> None:
        """What came of reading a file."""
        if isinstance(event, Lesson):
            self.begin(event)

    def begin(self, lesson: Lesson) -> None:
        """Show a lesson in place of the one that is on; without a model that it draws with, only tell."""
        known = {card.name for card in self._session.models}
        missing = sorted(lesson.settings.model_names - known)
        if missing:
            what = "Import it on the Models page, or ask who made the lesson for it."
            title = f"The lesson “{lesson.title}” draws with the model {missing[0]}, which is not here."
            self._session.tell(Message("error", title, what))
            return
        self._give_back()
        self.lesson, self._own = lesson, self._owners[lesson.page].settings
        self._put(lesson.page, lesson.settings)
        self.changed.emit()

    def leave(self) -> None:
        """End the lesson: the person's own settings are back."""
        if self.lesson:
            self._give_back()
            self.changed.emit()

    def _give_back(self) -> None:
        lesson, own = self.lesson, self._own
        self.lesson = self._own = None
        if lesson and own:
            self._put(lesson.page, own)

    def describe(self, page: str, title: str, question: str, answer: str, hidden: tuple[str, ...]) -> Lesson:
        """The page as it is now, as a lesson; raises BadRequest naming what it cannot say."""
        settings = self._owners[page].settings.model_dump(mode="json")
        words = {"title": title, "question": question, "answer": answer, "hidden": hidden}
        return checked(Lesson, {**words, "page": page, page: settings})

    def save(self, path: Path, lesson: Lesson) -> None:
        """Write a lesson file, and tell where it went."""
        self._session.files.write_by(path, lambda _: lesson_file.write(path, lesson), self._session.tell_saved)

    # ---- settings as a whole

    def own_settings(self) -> dict[str, Description]:
        """The person's own settings by page: those of a lesson that is on are nobody's."""
        found: dict[str, Description] = {page: owner.settings for page, owner in self._owners.items()}
        return found | ({self.lesson.page: self._own} if self.lesson and self._own else {})

    def take_all(self, settings: AppSettings) -> None:
        """Exchange the settings of every page; a lesson that is on is left."""
        self.leave()
        for page in self._owners:
            self._put(page, getattr(settings, page))

    def _put(self, page: str, settings: Description) -> None:
        if isinstance(settings, GenerateSettings):
            self._session.generate.put(settings)
        else:
            self._owners[page].change(**settings.model_dump())
