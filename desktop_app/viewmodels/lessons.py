"""Lessons without their widgets: a lesson replaces the settings of its pages, and ending it restores them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop_app import lesson_file
from desktop_app.lesson_file import Lesson, Question
from desktop_app.settings import AppSettings, LessonProgress
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import Explore
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.history import Result
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.undo import SettingsOwner
from ml.config import Description, validate

MOST_REMEMBERED = 200  # lessons whose progress is kept


class Lessons(QObject):
    """Begins, exits and saves lessons, walks through their steps, and replaces the settings of whole pages."""

    changed = Signal()  # a lesson, or a step of one, has begun or ended
    answered = Signal()  # the answer of the step is shown

    def __init__(self, context: AppContext, pages: Mapping[str, SettingsOwner]) -> None:
        super().__init__(context)
        self._context, self._pages = context, pages
        self.lesson: Lesson | None = None
        self.step = 0  # index of the current step
        self.replies: dict[int, str] = {}  # by step, where the answer was shown
        self.came_from = ""  # the page in front when the lesson began
        self._own: dict[str, Description] = {}  # the person's settings of the lesson's pages
        self._shown: dict[str, Result] = {}  # what these pages showed

    # ---- a lesson

    def begin(self, lesson: Lesson) -> None:
        """Begin a lesson in place of the current one, where it was left, or notify which of its models is missing."""
        known = {card.name for card in self._context.models}
        missing = sorted(lesson.model_names - known)
        if missing:
            what = "Import it on the Models page, or ask the lesson's author for it."
            title = f"The lesson “{lesson.title}” needs the model “{missing[0]}”, which isn't installed."
            self._context.notify(Message("error", title, what))
            return
        if self.lesson is None:
            self.came_from = self._context.page
        self._restore_own()
        progress = self._context.lesson_progress.get(lesson.key, LessonProgress())
        left_off = not progress.finished and progress.step < len(lesson.steps)
        self.lesson, self.replies = lesson, dict(progress.replies) if left_off else {}
        self._show(progress.step if left_off else 0)

    def exit(self) -> None:
        """End the lesson, and restore the person's own settings with what was shown for them."""
        if self.lesson:
            self._restore_own()
            self.changed.emit()

    def _restore_own(self) -> None:
        own, self.lesson, self._own = self._own, None, {}
        shown, self._shown = self._shown, {}
        for page, settings in own.items():
            owner, result = self._pages[page], shown.get(page)
            if isinstance(owner, Draw | Explore):
                owner.stop()
            elif isinstance(owner, Generate | Compare) and result and not result.is_shown():
                result.restore()
            self._put(page, settings)

    # ---- its steps

    @property
    def question(self) -> Question | None:
        """The current step."""
        return self.lesson.steps[self.step] if self.lesson else None

    @property
    def page(self) -> str:
        """The page of the current step; empty without a lesson."""
        return self.lesson.page_of(self.step) if self.lesson else ""

    @property
    def finished(self) -> bool:
        """Whether the answers of all steps were shown."""
        return self.lesson is not None and len(self.replies) == len(self.lesson.steps)

    @property
    def score(self) -> tuple[int, int]:
        """How many of the replies so far are right, and how many could be wrong."""
        steps = self.lesson.steps if self.lesson else ()
        found = [steps[k].is_right(reply) for k, reply in self.replies.items() if steps[k].checks]
        return sum(map(bool, found)), len(found)

    @property
    def next_lesson(self) -> Path | None:
        """The lesson after this one in the course that comes with the program."""
        course = lesson_file.bundled()
        keys = [lesson_file.read(path).key for path in course]
        after = keys.index(self.lesson.key) + 1 if self.lesson and self.lesson.key in keys else len(course)
        return course[after] if after < len(course) else None

    def answer(self, reply: str = "") -> None:
        """Take a reply, and show the answer with its settings; raises BadRequest for what is no reply."""
        lesson, question = self.lesson, self.question
        if lesson is None or question is None or self.step in self.replies:
            return
        question.is_right(reply)
        self.replies[self.step] = reply.strip()
        if question.reveals:
            self._put(self.page, self._pages[self.page].settings.with_changes(**question.reveals))
        self._remember()
        self.answered.emit()

    def go(self, step: int) -> None:
        """Go to a step; one that changes nothing keeps what the page shows."""
        lesson = self.lesson
        if lesson is None or not 0 <= step < len(lesson.steps):
            return
        following, page = step == self.step + 1, self.page
        new = lesson.steps[step]
        unchanged = isinstance(new, lesson_file.Step) and not new.changes and lesson.page_of(step) == page
        self._show(step, keep=following and unchanged and step not in self.replies)

    def _show(self, step: int, *, keep: bool = False) -> None:
        lesson = self.lesson
        assert lesson is not None
        self.step = step
        page, question = lesson.page_of(step), lesson.steps[step]
        if page not in self._own:
            self._own[page] = self._pages[page].settings
            history = self._context.history
            index = history.shown_index(page)
            result = None if index is None else history.kept[index].result
            self._shown |= {page: result} if result else {}
        if not keep:
            self._put(page, lesson.settings_of(step, revealed=step in self.replies))
        if not question.asks and not question.answer:
            self.replies[step] = ""  # there is nothing to show
        self._remember()
        self.changed.emit()

    def _remember(self) -> None:
        """Note the progress, as the latest."""
        lesson, kept = self.lesson, self._context.lesson_progress
        assert lesson is not None
        before = kept.pop(lesson.key, LessonProgress())
        kept[lesson.key] = LessonProgress(
            step=self.step,
            steps=len(lesson.steps),
            replies=dict(self.replies),
            finished=self.finished or before.finished,
        )
        while len(kept) > MOST_REMEMBERED:
            del kept[next(iter(kept))]
        self._context.lesson_progress_changed.emit()

    # ---- writing lessons

    def describe(
        self, page: str, title: str, question: str, answer: str, hidden: tuple[str, ...], **more: object
    ) -> Lesson:
        """A lesson with the present settings of a page; raises BadRequest for what a lesson can't hold.

        `more` are other fields of a lesson, such as its later steps, or settings in place of the present ones.
        """
        words = {"title": title, "question": question, "answer": answer, "hidden": hidden}
        return validate(Lesson, {page: self.page_settings(page), **words, "page": page, **more})

    def page_settings(self, page: str) -> dict[str, object]:
        """The present settings of a page, as a lesson file has them."""
        return self._pages[page].settings.model_dump(mode="json")

    def save(self, path: Path, lesson: Lesson) -> None:
        """Write a lesson file."""
        self._context.files.write_by(path, lambda _: lesson_file.write(path, lesson), self._context.notify_saved)

    # ---- settings of whole pages

    def own_settings(self) -> dict[str, Description]:
        """The person's own settings by page, without those of a lesson."""
        found: dict[str, Description] = {page: owner.settings for page, owner in self._pages.items()}
        return found | self._own

    def take_all(self, settings: AppSettings) -> None:
        """Replace the settings of every page; a lesson ends."""
        self.exit()
        for page in self._pages:
            self._put(page, getattr(settings, page))

    def _put(self, page: str, settings: Any) -> None:
        owner = self._pages[page]
        if isinstance(owner, Generate | Compare):
            owner.put(settings)
        else:
            owner.change(**settings.model_dump())
