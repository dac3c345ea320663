"""The session builds the context and the pages' view-models, and connects pages to each other."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt

from desktop_app.settings import DEFAULT_MODEL, AppSettings, PageSettings
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import Explore
from desktop_app.viewmodels.file_opener import FileOpener
from desktop_app.viewmodels.file_writer import FileWriter
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.interpolate import Interpolate
from desktop_app.viewmodels.job_runner import JobRunner
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.viewmodels.models import Models
from desktop_app.viewmodels.notification import Message
from desktop_app.viewmodels.projects import Projects
from desktop_app.viewmodels.race import Race
from desktop_app.viewmodels.train import Train
from desktop_app.viewmodels.undo import SettingsOwner, Undo
from desktop_app.worker.engine import Engine, ThreadEngine
from ml.config import SampleSettings

ViewModelFactory = Callable[[AppContext, Any], SettingsOwner]  # from the settings of its page
TEACH_MINUTES = 1.0
P = TypeVar("P")


class Session(QObject):
    """All view-models of a window. Pages emit signals, which the session connects to other pages."""

    def __init__(
        self,
        settings: AppSettings,
        viewmodels: Mapping[str, ViewModelFactory],
        engine: Engine | None = None,
        parent: QObject | None = None,
    ) -> None:
        """`viewmodels` has the view-model of every page by the page's key: `pages.registry.VIEWMODELS`."""
        super().__init__(parent)
        self.context = context = AppContext(engine or ThreadEngine(self), settings.data_root, self)
        context.lesson_progress |= settings.lesson_progress
        interrupted = Path(settings.interrupted)
        if interrupted.is_absolute():
            context.external_runs.append(interrupted)
        self.pages = {page: make(context, getattr(settings, page)) for page, make in viewmodels.items()}
        self.generate, self.draw, self.explore = self._page(Generate), self._page(Draw), self._page(Explore)
        self.interpolate, self.compare = self._page(Interpolate), self._page(Compare)
        self.train, self.models = self._page(Train), self._page(Models)
        self.lessons = Lessons(context, self.pages)
        undone_elsewhere = (self.generate, self.draw, self.models)  # or, of the last one, not at all
        self.undo = Undo(context, {key: page for key, page in self.pages.items() if page not in undone_elsewhere})
        self.opener = FileOpener(
            context,
            generate=self.generate,
            draw=self.draw,
            interpolate=self.interpolate,
            compare=self.compare,
            explore=self.explore,
            train=self.train,
            models=self.models,
            lessons=self.lessons,
        )
        self.projects = Projects(context, self.lessons)
        self.activities: tuple[
            Generate | Draw | Interpolate | Compare | Race | Explore | Models | FileWriter | JobRunner, ...
        ] = (
            self.generate,
            self.draw,
            self.interpolate,
            self.compare,
            self.compare.race,
            self.explore,
            self.models,
            context.files,
            *(page for page in self.pages.values() if isinstance(page, JobRunner) and page is not self.compare),
        )  # in the order in which Stop stops them
        self._taught = ("", "")  # the run that teaches a model drawings, and the prompt for them
        self._connect()

    def _page(self, kind: type[P]) -> P:
        """The view-model of a kind."""
        return next(page for page in self.pages.values() if isinstance(page, kind))

    def models_of(self, page: str) -> list[str]:
        """The names of the models that a page draws with, shows or trains."""
        if page == "train":
            return [self.train.name] if self.train.name else []
        if page == "models":
            return [self.models.settings.chosen]
        settings = self.pages[page].settings if page in self.pages else None
        return sorted(settings.model_names) if isinstance(settings, PageSettings) else []

    def start(self) -> None:
        """Start the engine, which imports torch; the first grid is drawn once the models are known."""
        for begin in (self.generate.draw_first, self.context.history.read):
            self.context.ready.connect(begin, Qt.ConnectionType.SingleShotConnection)
        self.context.engine.start()
        self.context.refresh()

    def _connect(self) -> None:
        generate, draw, interpolate, compare = self.generate, self.draw, self.interpolate, self.compare
        explore, train, models = self.explore, self.train, self.models
        generate.open_in_interpolate.connect(interpolate.use_digit)
        generate.open_in_draw.connect(draw.take_generated)
        draw.own_set.train_on.connect(self._teach)
        draw.drawing_changed.connect(lambda: interpolate.offer_drawing(draw.drawing))
        for page in (compare, explore):
            page.open_in_generate.connect(generate.open)
        models.draw_with.connect(generate.draw_with)
        train.draw_with.connect(self._use_model)
        train.state_changed.connect(self._draw_taught)
        explore.open_file.connect(self.opener.open)
        self.opener.project.connect(self.projects.open)
        self.context.history.reopened.connect(self.opener.reopen)
        models.train_longer.connect(train.offer_longer)
        generate.finished.connect(lambda: models.take_drawn(generate.sampled))
        models.renamed.connect(self._replace_model)
        models.renamed.connect(train.rename)
        models.removed.connect(partial(self._replace_model, new=DEFAULT_MODEL))
        models.removed.connect(train.forget)
        for signal in (train.state_changed, train.moved):
            signal.connect(lambda: models.set_training(train.folder if train.active else None))
        for forget in (self.undo.forget, draw.forget_past):
            self.lessons.changed.connect(forget)
        shown_changed = self.context.history.shown_changed
        for signal in (generate.begun, draw.finished, compare.begun, compare.changed, compare.race.begun):
            signal.connect(shown_changed)
        interpolate.changed.connect(shown_changed)

    def _teach(self, data: str, classes: Sequence[str]) -> None:
        """Train the digits model on more classes for TEACH_MINUTES."""
        if self.train.active:
            what = "Stop it first, or wait until it has finished."
            self.context.notify(Message("warning", "A run is in progress already", what))
            return
        self.train.change(data=data, begin_with=DEFAULT_MODEL, keep_classes=True, minutes=TEACH_MINUTES, own={})
        self.train.start()
        self._taught = (self.train.name, ", ".join(classes)) if self.train.active else ("", "")

    def _draw_taught(self) -> None:
        """Once the model has learnt them, draw the new classes on the Generate page."""
        name, prompt = self._taught
        if name and self.train.name == name and self.train.state == "done":
            self.train.draw()
            see = (("page:generate", "See them"),)
            self.context.notify(Message("success", f"“{name}” has learnt {prompt}", "", see))

    def _use_model(self, name: str, defaults: SampleSettings) -> None:
        """Draw with the model of a run, by its default settings."""
        self.generate.draw_with(name, defaults)
        if name == self._taught[0]:
            self.generate.change(live=False, prompt=self._taught[1])
            self.generate.draw()
            self._taught = ("", "")

    def _replace_model(self, old: str, new: str) -> None:
        """Use another model wherever one was chosen that was renamed or removed."""
        for page in (self.generate, self.interpolate, self.draw, self.compare):
            page.replace_model(old, new)
