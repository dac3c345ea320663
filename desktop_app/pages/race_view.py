"""The race: lanes side by side on one timeline, and the settings of each."""

from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from desktop_app.theme.controller import theme
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.compare import Compare
from desktop_app.viewmodels.race import LEAST, MOST, Race
from desktop_app.widgets.controls.basics import Button, Card, ElidedLabel, Label, row
from desktop_app.widgets.controls.rows import ChoiceRow, Section, Segmented, SliderRow
from desktop_app.widgets.images.image_grid import ImageGrid
from desktop_app.widgets.images.timeline import Timeline
from ml.events import Pixels
from ml.specs import SAMPLERS, lines, titles

LETTERS = "ABCD"
COST = (
    "Evaluations of the network for each image: a guided call evaluates it twice, with the class and without it. "
    "The time is on this machine, just now"
)


class RaceView(QWidget):
    """The lanes and their common timeline."""

    def __init__(self, race: Race) -> None:
        super().__init__()
        self._race = race
        self.lanes = [LaneCard(letter) for letter in LETTERS]
        self.timeline = Timeline()
        for view in ("noise", "all", "xray"):  # these views show one image
            self.timeline.view.button(view).hide()
        self._places = QGridLayout()
        self._places.setSpacing(Space.M)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addLayout(self._places, 1)
        column.addWidget(self.timeline)
        self.timeline.stepChanged.connect(lambda _step: self._show_position())
        self.timeline.viewChanged.connect(lambda _view: self._show_position())
        race.begun.connect(self._begin)
        race.moved.connect(self._move)
        race.finished.connect(lambda _lane: self._show_position())
        race.busy_changed.connect(self._show_busy)

    @property
    def clean(self) -> bool:
        """Whether the clean images are shown: the networks' predictions."""
        return self.timeline.view.value() == "clean"

    def show_names(self) -> None:
        """Show the names of all lanes."""
        count = self._race.count
        wide = count if count < MOST else 2
        for number, lane in enumerate(self.lanes):
            self._places.setColumnStretch(number, int(number < wide))
            self._places.addWidget(lane, number // wide, number % wide)
            lane.setVisible(number < count)
            if number < count:
                lane.set_names(*self._race.name(number))

    def _begin(self) -> None:
        self.show_names()
        for lane in self.lanes:
            lane.grid.set_images(None)
            lane.grid.set_empty_text("Preparing…" if self._race.requests else "Press Start race")
            lane.set_state("")
        self.timeline.begin(self._race.length)

    def _move(self, reached: int) -> None:
        first, following = self.timeline.reached < 0, self.timeline.step >= self.timeline.reached
        for position in range(self.timeline.reached + 1, reached + 1):
            self.timeline.add_step(position, self._race.noise(position))
        if first and self._race.busy and not theme().reduced_motion:
            self.timeline.autoplay()
        elif following and not self.timeline.playing:
            self.timeline.set_step(reached)
        if first:
            self._show_position()

    def _show_position(self) -> None:
        race, position = self._race, self.timeline.step
        for number in range(len(race.requests)):
            images = race.shown(number, position, clean=self.clean)
            if images is not None:
                self.lanes[number].show_images(images)
            self.lanes[number].set_state(*race.standing(number, position))

    def _show_busy(self) -> None:
        if not self._race.busy:
            self.timeline.end()
            for lane in self.lanes:
                lane.grid.set_empty_text("Nothing was generated")


class LaneCard(Card):
    """One lane: its name, its images and its progress."""

    def __init__(self, letter: str) -> None:
        super().__init__()
        self.name, self.more = ElidedLabel("", "title"), ElidedLabel("", "small")
        self.state, self.verdict = ElidedLabel("", "small"), ElidedLabel("", "small")
        self.grid = ImageGrid(f"Lane {letter}", margin=10, gap=3)
        self.grid.setToolTip("The images of this lane at the current step")
        self.setToolTip(COST)
        self.grid.set_empty_text("Press Start race")
        self._letter = Label(letter, "section")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.M, 10, Space.M, 10)
        column.setSpacing(6)
        column.addLayout(row(self._letter, self.name, 1, spacing=Space.S))
        column.addWidget(self.more)
        column.addWidget(self.grid, 1)
        words = QVBoxLayout()
        words.setSpacing(2)
        for label in (self.state, self.verdict):
            words.addWidget(label)
        column.addLayout(words)

    def set_names(self, name: str, more: str) -> None:
        self.name.set_text(name)
        self.more.set_text(more)
        self.setAccessibleName(f"Lane {self._letter.text()}: {name}, {more}")

    def show_images(self, images: Pixels) -> None:
        """Show the images as large as complete rows allow."""
        wide, high, count = self.grid.width(), self.grid.height(), len(images)
        whole = (k for k in range(1, count + 1) if count % k == 0)
        self.grid.set_images(images, max(whole, key=lambda k: min(wide / k, high * k / count)))

    def set_state(self, state: str, verdict: str = "") -> None:
        self.state.set_text(state)
        self.verdict.set_text(verdict)


class LaneEditor(Section):
    """The settings of the chosen lane, and buttons to add and remove lanes."""

    def __init__(self, compare: Compare) -> None:
        super().__init__("Lanes")
        self._race, self._compare = compare.race, compare
        self.which = Segmented([(str(k), letter) for k, letter in enumerate(LETTERS)], name="Lane",
                               tips=[f"The settings of lane {letter}" for letter in LETTERS])  # fmt: skip
        self.add_button = Button(kind="tool", name="Add a lane", tip="Add a lane with the same settings")
        self.add_button.set_icon("plus")
        self.remove_button = Button(kind="tool", name="Remove this lane", tip="Remove this lane from the race")
        self.remove_button.set_icon("trash")
        self.model = ChoiceRow("Model", tip="The network of this lane")
        self.sampler = ChoiceRow(
            "Sampler",
            titles(SAMPLERS),
            tip="The rule for each step from noise to image in this lane",
            lines=lines(SAMPLERS),
        )
        self.steps = SliderRow("Steps", 1, 1000, 10, slider_max=100, tip="Number of denoising steps")
        self.guidance = SliderRow("Guidance w", 0, 15, 1.5, step=0.05, decimals=2, slider_max=5,
                                  tip="Strength of the class; 1 is off")  # fmt: skip
        line = QWidget()
        line.setLayout(row(self.which, 1, self.add_button, self.remove_button, spacing=Space.XS))
        for widget in (line, self.model, self.sampler, self.steps, self.guidance):
            self.add(widget)
        self.which.valueChanged.connect(lambda _lane: self.show_lanes())
        self.add_button.clicked.connect(self._add)
        self.remove_button.clicked.connect(lambda: self._race.remove_lane(self.lane))
        self.model.valueChanged.connect(lambda name: self._set(model=name))
        self.sampler.valueChanged.connect(lambda name: self._set(sampler=name))
        self.steps.valueChanged.connect(lambda value: self._set(steps=round(value)))
        self.guidance.valueChanged.connect(lambda value: self._set(guidance=value))

    @property
    def lane(self) -> int:
        """The number of the chosen lane."""
        return int(self.which.value())

    def show_lanes(self) -> None:
        """Show the current settings."""
        lanes = self._compare.settings.lanes
        for number in range(MOST):
            self.which.button(str(number)).setVisible(number < len(lanes))
        if self.lane >= len(lanes):
            self.which.set_value(str(len(lanes) - 1))
        lane = lanes[self.lane]
        self.add_button.setEnabled(len(lanes) < MOST)
        self.remove_button.setEnabled(len(lanes) > LEAST)
        names = self._compare.models or [lane.model]
        self.model.set_lines(self._compare.model_lines)
        self.model.set_choices(self._compare.model_choices(names), lane.model)
        self.sampler.set_value(lane.sampler)
        self.steps.set_value(lane.steps)
        self.guidance.set_value(lane.guidance)

    def _add(self) -> None:
        self._race.add_lane()
        self.which.set_value(str(len(self._compare.settings.lanes) - 1))
        self.show_lanes()

    def _set(self, **changes: object) -> None:
        self._race.set_lane(self.lane, **changes)
