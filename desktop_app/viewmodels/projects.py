"""Projects without their widgets: chosen results, models and settings are saved in one file, and opened."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from desktop_app import history_file, project_file
from desktop_app.lesson_file import is_portable
from desktop_app.project_file import Project
from desktop_app.settings import AppSettings, PageSettings
from desktop_app.tasks.projects import ProjectOpened, open_project
from desktop_app.text.formatting import count
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.history import KeptResult
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.viewmodels.notification import Message

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard


class Projects(QObject):
    """Saves projects, and adds what is in them to the history and the models."""

    def __init__(self, context: AppContext, lessons: Lessons) -> None:
        super().__init__(context)
        self._context, self._lessons = context, lessons
        self._opened: Project | None = None  # last
        self._before: AppSettings | None = None  # the settings that those of the project replaced

    @property
    def results(self) -> list[KeptResult]:
        """The results that can be saved, the latest first."""
        return [kept for kept in reversed(self._context.history.kept) if kept.on_disk]

    @property
    def models(self) -> "list[ModelCard]":
        """The models that can be saved: the person's own."""
        return [card for card in self._context.models if not card.bundled]

    def save(
        self, path: Path, title: str, results: Sequence[KeptResult], models: "Sequence[ModelCard]", *, settings: bool
    ) -> None:
        """Write a project."""
        described = list[dict[str, object]]()
        files = list[tuple[str, Path]]()
        for number, kept in enumerate(results):
            name = f"results/{number}.png"
            files.append((name, history_file.picture(kept.key)))
            said = {"page": kept.page, "made": kept.made, "about": kept.about, "name": kept.name}
            described.append({"file": name, "starred": kept.starred, **said})
        cards = list[dict[str, object]]()
        for number, card in enumerate(models):
            name, beside = f"models/{number}.safetensors", card.path.with_suffix(".json")
            files.append((name, card.path))
            cards.append({"name": card.name, "file": name})
            if beside.is_file():
                cards[-1]["card"] = f"models/{number}.json"
                files.append((f"models/{number}.json", beside))
        pages = self._lessons.own_settings() if settings else {}
        portable = {
            page: own.model_dump() for page, own in pages.items() if isinstance(own, PageSettings) and is_portable(own)
        }
        content = {"title": title, "results": described, "models": cards, "settings": portable}
        write = partial(project_file.write, path, Project.model_validate(content), files)
        self._context.files.write_by(path, write, self._context.notify_saved)

    def open(self, path: Path) -> None:
        """Add the results and models of a project to those that are here."""
        if not self._context.closing:
            self._context.files.run(partial(open_project, path), partial(self._on_opened, path), f"Opening {path.name}")

    def _on_opened(self, path: Path, event: object) -> None:
        if not isinstance(event, ProjectOpened):
            return
        self._opened = event.project
        self._context.history.take(event.results)
        if event.models:
            self._context.refresh()
        renamed = [f"“{old}” is here as “{new}”" for old, new in event.models if old != new]
        added = [count(len(event.results), "new result"), count(len(event.models), "model")]
        said = [f"{' and '.join(added)}; what was here already is not added again.", *(f"{each}." for each in renamed)]
        if event.damaged:
            said.append(f"{count(len(event.damaged), 'part')} could not be read: {', '.join(event.damaged)[:200]}.")
        actions = (("project:settings", "Use its settings"),) if event.project.pages else ()
        tone = "warning" if event.damaged else "success"
        title = f"Opened “{event.project.title or path.stem}”"
        self._context.notify(Message(tone, title, " ".join(said), actions))

    def remedy(self, key: str) -> None:
        """Carry out the button of one of this file's messages."""
        if key == "settings" and self._opened:
            own = self._lessons.own_settings()
            self._before = AppSettings().with_changes(**own)
            self._lessons.take_all(self._before.with_changes(**self._opened.pages))
            what = "Your own settings are a click away."
            self._context.notify(Message("info", "The project's settings are used", what, (("project:back", "Undo"),)))
        elif key == "back" and self._before:
            self._lessons.take_all(self._before)
