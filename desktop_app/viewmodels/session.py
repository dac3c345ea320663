"""The session builds the context and the pages' view-models, and connects pages to each other."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt

from desktop_app.settings import DEFAULT_MODEL, AppSettings
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.draw import Draw
from desktop_app.viewmodels.explore import Explore
from desktop_app.viewmodels.file_opener import FileOpener
from desktop_app.viewmodels.file_writer import FileWriter
from desktop_app.viewmodels.generate import Generate
from desktop_app.viewmodels.interpolate import Interpolate
from desktop_app.viewmodels.lessons import Lessons
from desktop_app.viewmodels.models import Models
from desktop_app.viewmodels.race import Race
from desktop_app.viewmodels.train import Train
from desktop_app.viewmodels.undo import SettingsOwner, Undo
from desktop_app.worker.engine import Engine, ThreadEngine


class Session(QObject):
    """All view-models of a window. No page knows another one: it emits a signal, which the session connects."""

    def __init__(self, settings: AppSettings, engine: Engine | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context = AppContext(engine or ThreadEngine(self), settings.data_root, self)
        interrupted = Path(settings.interrupted)
        if interrupted.is_absolute():
            context.external_runs.append(interrupted)
        self.generate = Generate(context, settings.generate)
        self.explore = Explore(context, settings.explore)
        self.draw = Draw(context, settings.draw)
        self.interpolate = Interpolate(context, settings.interpolate)
        self.compare = Compare(context, settings.compare)
        self.train = Train(context, settings.train)
        self.models = Models(context, settings.models)
        self.pages: dict[str, SettingsOwner] = {
            "generate": self.generate,
            "train": self.train,
            "interpolate": self.interpolate,
            "draw": self.draw,
            "compare": self.compare,
            "explore": self.explore,
            "models": self.models,
        }
        self.lessons = Lessons(context, self.pages)
        self.undo = Undo(context, {page: self.pages[page] for page in ("interpolate", "explore", "compare", "train")})
        self.opener = FileOpener(
            context,
            generate=self.generate,
            draw=self.draw,
            interpolate=self.interpolate,
            compare=self.compare,
            explore=self.explore,
            train=self.train,
            lessons=self.lessons,
        )
        self.activities: tuple[Generate | Draw | Compare | Race | Explore | Models | FileWriter, ...] = (
            self.generate,
            self.draw,
            self.compare,
            self.compare.race,
            self.explore,
            self.models,
            context.files,
        )  # in the order in which Stop stops them
        self._connect()

    def start(self) -> None:
        """Start the engine, which imports torch; the first grid is drawn once the models are known."""
        self.context.ready.connect(self.generate.draw_first, Qt.ConnectionType.SingleShotConnection)
        self.context.engine.start()
        self.context.refresh()

    def _connect(self) -> None:
        generate, draw, interpolate, compare = self.generate, self.draw, self.interpolate, self.compare
        explore, train, models = self.explore, self.train, self.models
        generate.open_in_interpolate.connect(interpolate.use_digit)
        generate.open_in_draw.connect(draw.take)
        draw.drawing_changed.connect(lambda: interpolate.offer_drawing(draw.drawing))
        for page in (compare, explore):
            page.open_in_generate.connect(generate.open)
        for page in (models, train):
            page.draw_with.connect(generate.use_model)
        explore.open_file.connect(self.opener.open)
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

    def _replace_model(self, old: str, new: str) -> None:
        """Use another model wherever one was chosen that was renamed or removed."""
        for page in (self.generate, self.interpolate, self.compare):
            page.replace_model(old, new)
