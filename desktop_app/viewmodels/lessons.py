"""Lessons without their widgets: a lesson replaces the settings of its page, and ending it restores them."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop_app import lesson_file
from desktop_app.lesson_file import Lesson
from desktop_app.settings import AppSettings, GenerateSettings
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.undo import SettingsOwner
from ml.config import Description, validate


class Lessons(QObject):
    """Begins, exits and saves lessons, and replaces the settings of whole pages."""

    changed = Signal()  # a lesson has begun or ended

    def __init__(self, context: AppContext, pages: Mapping[str, SettingsOwner]) -> None:
        super().__init__(context)
        self._context, self._pages = context, pages
        self.lesson: Lesson | None = None
        self._own: Description | None = None  # the person's settings of the lesson's page

    # ---- a lesson

    def begin(self, lesson: Lesson) -> None:
        """Begin a lesson in place of the current one, or notify which of its models is missing."""
        known = {card.name for card in self._context.models}
        missing = sorted(lesson.settings.model_names - known)
        if missing:
            what = "Import it on the Models page, or ask the lesson's author for it."
            title = f"The lesson “{lesson.title}” needs the model “{missing[0]}”, which isn't installed."
            self._context.notify(Message("error", title, what))
            return
        self._restore_own()
        self.lesson, self._own = lesson, self._pages[lesson.page].settings
        self._put(lesson.page, lesson.settings)
        self.changed.emit()

    def exit(self) -> None:
        """End the lesson and restore the person's own settings."""
        if self.lesson:
            self._restore_own()
            self.changed.emit()

    def _restore_own(self) -> None:
        lesson, own = self.lesson, self._own
        self.lesson = self._own = None
        if lesson and own:
            self._put(lesson.page, own)

    def describe(self, page: str, title: str, question: str, answer: str, hidden: tuple[str, ...]) -> Lesson:
        """A lesson with the present settings of a page; raises BadRequest for what a lesson can't hold."""
        settings = self._pages[page].settings.model_dump(mode="json")
        words = {"title": title, "question": question, "answer": answer, "hidden": hidden}
        return validate(Lesson, {**words, "page": page, page: settings})

    def save(self, path: Path, lesson: Lesson) -> None:
        """Write a lesson file."""
        self._context.files.write_by(path, lambda _: lesson_file.write(path, lesson), self._context.notify_saved)

    # ---- settings of whole pages

    def own_settings(self) -> dict[str, Description]:
        """The person's own settings by page, without those of a lesson."""
        found: dict[str, Description] = {page: owner.settings for page, owner in self._pages.items()}
        return found | ({self.lesson.page: self._own} if self.lesson and self._own else {})

    def take_all(self, settings: AppSettings) -> None:
        """Replace the settings of every page; a lesson ends."""
        self.exit()
        for page in self._pages:
            self._put(page, getattr(settings, page))

    def _put(self, page: str, settings: Description) -> None:
        owner = self._pages[page]
        if isinstance(owner, Generate) and isinstance(settings, GenerateSettings):
            owner.put(settings)
        else:
            owner.change(**settings.model_dump())
