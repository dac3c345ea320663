"""A person's set of drawings without its widgets: what is in it, and how a model comes to be taught with it."""

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop_app.settings import DEFAULT_MODEL
from desktop_app.tasks import own_set as tasks
from desktop_app.tasks.own_set import Changed, Drawing, OwnSetRead, Removed
from desktop_app.text.formatting import count
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.notification import Message
from desktop_app.worker.compute_thread import Work
from ml.data import own_sets
from ml.errors import BadRequest
from ml.events import Pixels
from ml.specs import IMAGE_FOLDER

ENOUGH = 12  # drawings of a sign, from which a model learns it
USUAL = "drawings"  # the first set
MINE = "my {}"  # the class beside one that the model has already


class OwnSet(QObject):
    """One set at a time, and the class that the next drawing is added to."""

    changed = Signal()
    added = Signal()  # the drawing on the canvas is in the set
    train_on = Signal(str, object)  # the data, and the names of its classes

    def __init__(self, context: AppContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self.name = USUAL
        self.names: tuple[str, ...] = (USUAL,)
        self.class_name = ""
        self.classes: Mapping[str, tuple[Drawing, ...]] = {}
        self._asked: Pixels | None = None  # a drawing whose name is a class of the model
        self._removed: Removed | None = None  # last

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """The drawings of the chosen class."""
        return self.classes.get(self.class_name, ())

    @property
    def status(self) -> str:
        """How many drawings of the class there are, of those that a model needs."""
        if not self.class_name:
            return "Name what you draw: a heart, a letter, or a digit in your own hand."
        number = len(self.drawings)
        if number < ENOUGH:
            return f"{number} of {ENOUGH} drawings of {self.class_name}"
        return f"{count(number, 'drawing')} of {self.class_name}: enough to train"

    def read(self) -> None:
        """Read the set."""
        self._do(partial(tasks.read_set, self.name))

    def choose(self, name: str) -> None:
        """Go to another set, or begin a new one."""
        try:
            self.name = own_sets.checked(name)
        except BadRequest as error:
            self._context.notify_failed(error)
        else:
            self.class_name, self.classes = "", {}
            self.names = (*self.names, *({self.name} - {*self.names}))
            self.read()
        self.changed.emit()

    def choose_class(self, class_name: str) -> None:
        """Choose the class that the next drawing is added to."""
        if class_name != self.class_name:
            self.class_name = class_name
            self.changed.emit()

    def add(self, drawing: Pixels) -> None:
        """Add a drawing to the chosen class; ask first where it is one that the model has already."""
        self.class_name = " ".join(self.class_name.split())
        known = self._context.card(DEFAULT_MODEL)
        if known and self.class_name in known.header.class_names and not self.drawings:
            self._asked = drawing.copy()
            mine = MINE.format(self.class_name)
            actions = (("own-set:replace", f"Replace its {self.class_name}"), ("own-set:beside", f"Add as “{mine}”"))
            what = "Your drawings can take its place, or become a class beside it."
            self._context.notify(Message("info", f"The model has a {self.class_name} already", what, actions))
            return
        self._add(drawing)

    def remove(self, index: int) -> None:
        """Remove a drawing of the chosen class; a message offers to undo it."""
        if index < len(self.drawings):
            self._do(partial(tasks.remove_drawing, self.name, self.drawings[index].path))

    def rename(self, new: str) -> None:
        """Give the chosen class another name."""
        if self.drawings:
            self._do(partial(tasks.rename_class, self.name, self.class_name, new))

    def train(self) -> None:
        """Teach a model the set."""
        classes = [name for name, drawings in self.classes.items() if drawings]
        if classes:
            self.train_on.emit(f"{IMAGE_FOLDER}{own_sets.folder_of(self.name)}", classes)

    def remedy(self, key: str) -> None:
        """Carry out the button of one of this set's messages."""
        if key == "undo" and self._removed:
            self._do(partial(tasks.restore_drawing, self.name, self._removed))
            self._removed = None
        elif self._asked is not None and key in ("replace", "beside"):
            if key == "beside":
                self.class_name = MINE.format(self.class_name)
            self._add(self._asked)
            self._asked = None

    def _add(self, drawing: Pixels) -> None:
        self._do(partial(tasks.add_drawing, self.name, self.class_name, drawing.copy()), self.added.emit)

    def _do(self, task: Work, done: Callable[[], object] = lambda: None) -> None:
        if not self._context.closing:
            self._context.files.run(task, partial(self._on_event, done), "Your set of drawings")

    def _on_event(self, done: Callable[[], object], event: object) -> None:
        if isinstance(event, Changed):
            self.class_name = event.class_name
            done()
        elif isinstance(event, Removed):
            self._removed = event
            title = f"Removed a drawing of {event.path.parent.name}"
            self._context.notify(Message("success", title, "", (("own-set:undo", "Undo"),)))
        elif isinstance(event, OwnSetRead) and event.name == self.name:
            self.classes = event.classes
            self.names = tuple(dict.fromkeys((*event.names, self.name)))
            self.changed.emit()
