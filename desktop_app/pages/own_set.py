"""The person's own set on the Draw page: add the drawing to it, look at what is in it, and teach a model with it."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt

from desktop_app.pages.name_dialog import NameDialog
from desktop_app.viewmodels.draw import Draw
from desktop_app.widgets.controls.basics import Button, Label, row
from desktop_app.widgets.controls.rows import ChoiceRow, EditableRow, Section
from desktop_app.widgets.images.image_grid import ImageGrid
from ml.data import own_sets

COLUMNS, THUMBNAIL, MARGIN, GAP = 6, 36, 6, 4
NEW = "/new"  # no set has that name


class OwnSetSection(Section):
    """Binds the controls to the view-model of the set."""

    def __init__(self, draw: Draw) -> None:
        super().__init__("My set")
        self._draw, self._set = draw, draw.own_set
        self.name = EditableRow("Name", tip="What you have drawn: a new name, or one that is in the set", most=60)
        self.name.field.setPlaceholderText("heart, λ, …")
        self.choice = ChoiceRow("Set", tip="The set that drawings are added to")
        self.add_button = Button("Add to my set", "plus", tip="Keep the drawing in your set, and clear the canvas")
        self.status = Label("", "small")
        self.status.setWordWrap(True)
        self.drawings = ImageGrid("Drawings in my set", margin=MARGIN, gap=GAP, leading=True)
        self.drawings.setToolTip("Click a drawing to choose it")
        self.remove = Button("Remove", "trash", tip="Remove the chosen drawing from your set")
        self.rename = Button("Rename…", tip="Give all drawings of this name another one")
        self.train = Button("Train on my set", "graduation-cap", tip="")
        self.train.setToolTip("One minute of training on the drawings, beside the digits, from the digits model")
        for widget in (self.choice, self.name, self.add_button, self.status, self.drawings):
            self.add(widget)
        self.body_layout.addLayout(row(self.remove, self.rename, 1))
        self.add(self.train)
        self._connect()
        self.show_set()

    def _connect(self) -> None:
        own = self._set
        self.name.valueChanged.connect(own.choose_class)
        self.choice.valueChanged.connect(self._choose_set)
        self.add_button.clicked.connect(lambda: own.add(self._draw.drawing))
        self.drawings.cellClicked.connect(self._choose)
        self.remove.clicked.connect(self._remove)
        self.rename.clicked.connect(self._rename)
        self.train.clicked.connect(own.train)
        own.changed.connect(self.show_set)
        self._draw.drawing_changed.connect(self._show_buttons)

    def show_set(self) -> None:
        """Show the set, and the class that is chosen."""
        own = self._set
        self.choice.set_choices([*((name, name) for name in own.names), (NEW, "New set…")], own.name)
        self.choice.setVisible(bool(own.classes) or len(own.names) > 1)
        self.name.set_choices(tuple(own.classes), own.class_name)
        self.status.setText(own.status)
        pixels = [drawing.pixels for drawing in own.drawings]
        self.drawings.set_images(np.stack(pixels) if pixels else None, COLUMNS)
        rows = -(-len(pixels) // COLUMNS)
        self.drawings.setFixedHeight(max(1, rows) * (THUMBNAIL + GAP) + 2 * MARGIN)
        self.drawings.setVisible(bool(pixels))
        self._show_buttons()

    def _show_buttons(self) -> None:
        own = self._set
        self.add_button.setEnabled(bool(own.class_name.strip()) and not self._draw.empty)
        chosen = self.drawings.selected()
        self.remove.setVisible(bool(own.drawings))
        self.rename.setVisible(bool(own.drawings))
        self.remove.setEnabled(chosen is not None and chosen < len(own.drawings))
        self.train.setVisible(any(own.classes.values()))

    def _choose(self, index: int) -> None:
        self.drawings.set_selected(None if self.drawings.selected() == index else index)
        self._show_buttons()

    def _remove(self) -> None:
        chosen = self.drawings.selected()
        if chosen is not None:
            self.drawings.set_selected(None)
            self._set.remove(chosen)

    def _rename(self) -> None:
        old = self._set.class_name
        self._ask(f"Rename “{old}”", old, self._set.rename, "Rename")

    def _choose_set(self, name: str) -> None:
        if name == NEW:
            self.choice.set_value(self._set.name)
            self._ask("New set of drawings", "", self._set.choose, "Create")
        else:
            self._set.choose(name)

    def _ask(self, title: str, name: str, done: Callable[[str], object], verb: str) -> None:
        self.naming = NameDialog(self, title, name, own_sets.checked, verb)
        self.naming.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.naming.named.connect(done)
        self.naming.open()
