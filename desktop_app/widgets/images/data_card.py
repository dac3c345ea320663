"""What is in the chosen data: figures, a wall of images as the model will see them, classes, and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.widgets.controls.basics import Button, Card, ElidedLabel, Label, Mark, row
from desktop_app.widgets.controls.class_list import ClassList, Entry
from desktop_app.widgets.controls.rows import StatCard
from desktop_app.widgets.images.image_grid import Pixels
from desktop_app.widgets.images.image_wall import ImageWall
from desktop_app.widgets.window.message_bar import ICONS, Action, Tone

NOTHING = "–"
SLOTS = 1000  # of the progress bar
CLASSES_WIDTH, NARROW_CLASSES, NARROW = 248, 212, 720  # the list of classes; on a card that is narrower than NARROW
NOTES_HEIGHT = 132  # beyond which notes are scrolled
STATS = {
    "images": ("Images", "Number of images to train on"),
    "held_out": ("Held out", "Images that are not trained on, for the loss on unseen images"),
    "classes": ("Classes", "Kinds of image that can be asked for by name"),
    "size": ("Size found", "Width and height of the images, in pixels"),
    "read": ("Read as", "Width and height as the model will see them, in pixels"),
    "left_out": ("Left out", "Number of files that are not trained on; the reasons are below"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about the data; `more` is its tooltip, such as the names of files."""

    tone: Tone
    text: str
    more: str = ""


class DataCard(QWidget):
    """Shows data by its setters.

    Signals: `classChosen(index)`, -1 for all classes; `actionTriggered(key)` of a button.
    """

    classChosen = Signal(int)
    actionTriggered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.stats = {key: StatCard(label, tip=tip) for key, (label, tip) in STATS.items()}
        self.wall = ImageWall("Images of the data")
        self.wall.setToolTip("Images as the model will see them; a click shows the class of an image, or all classes")
        self.panel = _Panel()
        self.stage = QStackedWidget()
        self.caption = ElidedLabel("", "small")
        self.again_link = Button("Look again", kind="link", tip="Read the folder again, after images were added to it")
        self.other_link = Button("Your own images…", kind="link", tip="Train on the images in a folder of yours")
        self.classes = ClassList()
        self.class_card = self._make_class_card()
        self.notes = _Notes()
        for widget in (self.panel, self.wall):
            self.stage.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addLayout(row(*self.stats.values(), spacing=Space.S))
        middle = row(spacing=Space.M)
        middle.addWidget(self.stage, 1)
        middle.addWidget(self.class_card)
        column.addLayout(middle, 1)
        self.foot = QWidget()
        self.foot.setLayout(row(self.caption, 1, self.again_link, self.other_link, spacing=Space.S))
        column.addWidget(self.foot)
        column.addWidget(self.notes)
        self.classes.chosen.connect(self.classChosen)
        self.panel.actionTriggered.connect(self.actionTriggered)
        self.again_link.clicked.connect(lambda: self.actionTriggered.emit("again"))
        self.other_link.clicked.connect(lambda: self.actionTriggered.emit("images"))
        self.clear()

    def _make_class_card(self) -> QWidget:
        card = Card()
        numbers = Label("TRAIN + HELD OUT", "section")
        numbers.setToolTip("Images to train on, and images for the loss on unseen images")
        head = row(Label("CLASS", "section"), 1, numbers, spacing=0)
        head.setContentsMargins(Space.S, 0, Space.S, 0)
        column = QVBoxLayout(card)
        column.setContentsMargins(6, Space.M, 6, 6)
        column.setSpacing(Space.XS)
        column.addLayout(head)
        column.addWidget(self.classes, 1)
        return card

    # ---- what is shown

    def clear(self) -> None:
        """Show neither figures nor images."""
        self.set_stats({key: (label, NOTHING, "") for key, (label, _) in STATS.items()})
        self.wall.show_wall(None)
        self.class_card.hide()
        self.foot.hide()
        self.notes.set_notes(())

    def set_stats(self, stats: Mapping[str, tuple[str, str, str]]) -> None:
        """Show figures, by their keys in STATS: label, value, and tooltip if it is not the usual one."""
        for key, (label, value, tip) in stats.items():
            self.stats[key].set_label(label)
            self.stats[key].set_value(value)
            self.stats[key].setToolTip(tip or STATS[key][1])

    def set_classes(self, whole: Entry, classes: Sequence[Entry]) -> None:
        """List the classes; there is nothing to list where there is one."""
        self.classes.set_entries(whole, classes)
        self.class_card.setVisible(len(classes) > 1)

    def show_wall(self, images: Pixels | None, *, whole: bool) -> None:
        """Show images on the stage; `whole`: there are no others."""
        self.foot.show()
        self.wall.show_wall(images, whole=whole)
        self.stage.setCurrentWidget(self.wall)

    def show_panel(
        self, icon: str, title: str, text: str, actions: Sequence[Action] = (), progress: float | None = None
    ) -> None:
        """Show words on the stage: what is happening or missing, and buttons. `progress` from 0 to 1, -1 if unknown."""
        self.panel.show_words(icon, title, text, actions, progress)
        self.stage.setCurrentWidget(self.panel)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.class_card.setFixedWidth(NARROW_CLASSES if self.width() < NARROW else CLASSES_WIDTH)


class _Panel(Card):
    """An icon, words, a progress bar and buttons, in the middle of the stage."""

    actionTriggered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.mark = Mark(size=40)
        self.title, self.text = Label("", "title"), Label("", "muted")
        for label in (self.title, self.text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(280)
        self.buttons = row()
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.XL)
        column.setSpacing(Space.S)
        column.addStretch(1)
        column.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignHCenter)
        for label in (self.title, self.text):
            column.addWidget(label)
        column.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(Space.XS)
        buttons = row(1, 1)
        buttons.insertLayout(1, self.buttons)
        column.addLayout(buttons)
        column.addStretch(1)

    def show_words(self, icon: str, title: str, text: str, actions: Sequence[Action], progress: float | None) -> None:
        self.mark.set_icon(icon, "faint")
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.bar.setVisible(progress is not None)
        share = progress if progress is not None and progress >= 0 else None
        self.bar.setRange(0, SLOTS if share is not None or theme().reduced_motion else 0)
        self.bar.setValue(round(SLOTS * (share or 0)))
        self._set_actions(actions)

    def action_buttons(self) -> list[Button]:
        items = (self.buttons.itemAt(index) for index in range(self.buttons.count()))
        return [widget for item in items if item and isinstance(widget := item.widget(), Button)]

    def _set_actions(self, actions: Sequence[Action]) -> None:
        old = self.action_buttons()
        if [button.text() for button in old] == [text for _, text in actions]:
            return
        for button in old:
            self.buttons.removeWidget(button)
            button.hide()
            button.deleteLater()
        for key, text in actions:
            button = Button(text)
            button.clicked.connect(lambda _checked=False, key=key: self.actionTriggered.emit(key))
            self.buttons.addWidget(button)


class _Notes(QScrollArea):
    """Sentences below each other, as high as they are, up to NOTES_HEIGHT."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Notes on the data")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = QWidget()
        self._column = QVBoxLayout(self._content)
        self._column.setContentsMargins(0, 0, Space.S, 0)
        self._column.setSpacing(6)
        self.setWidget(self._content)
        self.notes: tuple[Note, ...] = ()

    def set_notes(self, notes: Sequence[Note]) -> None:
        """Show these notes in place of the others."""
        if tuple(notes) != self.notes:
            self.notes = tuple(notes)
            while (item := self._column.takeAt(0)) is not None:
                if widget := item.widget():
                    widget.hide()
                    widget.deleteLater()
            for note in notes:
                self._column.addWidget(_NoteRow(note))
        self.setVisible(bool(notes))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        height = self._column.heightForWidth(max(self.viewport().width(), 1)) if self.notes else 0
        self.setFixedHeight(max(0, min(height, NOTES_HEIGHT)))


class _NoteRow(QWidget):
    def __init__(self, note: Note) -> None:
        super().__init__()
        mark, text = Mark(*ICONS[note.tone], 16), Label(note.text, "small")
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setToolTip(note.more)
        line = row(spacing=Space.S)
        line.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(text, 1)
        self.setLayout(line)
