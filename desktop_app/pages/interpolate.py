"""The Interpolate page: a pad between four corners, a path through waypoints, and mixtures of classes."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QMenu, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.pages.base import Page
from desktop_app.pages.draw import PICTURES
from desktop_app.text.subject import DIGIT
from desktop_app.theme.controller import theme
from desktop_app.theme.icons import icon
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.interpolate import DOING, MAP, Interpolate
from desktop_app.widgets.controls.basics import Button, Card, ElidedLabel, Label, row
from desktop_app.widgets.controls.export_menu import Entry, entries
from desktop_app.widgets.controls.rows import LABEL_WIDTH, NARROW_LABEL, ChoiceRow, Section, Segmented, SliderRow
from desktop_app.widgets.controls.waypoint_editor import WaypointEditor
from desktop_app.widgets.images.copy_button import CopyButton
from desktop_app.widgets.images.image_grid import Caption, ImageGrid
from desktop_app.widgets.images.interpolation_pad import InterpolationPad
from desktop_app.widgets.images.waiting import Waiting
from ml.events import Pixels
from ml.imaging.pixels import grid
from ml.specs import MIXINGS, titles
from ml.system.files import free_name

MODES = (("pad", "Four corners"), ("path", "Path"), ("classes", "Classes"))
MODE_TIPS = (
    "Blend four images, each with its own noise and class",
    "Walk through a sequence of images",
    "Blend classes on one noise",
)
CORNERS = ("Upper left", "Upper right", "Lower left", "Lower right")
FORMATS = {
    entry.suffix: entry
    for entry in (
        *entries("Animation of the walk", "film"),
        *entries("Strip of the walk", "picture"),
        *entries("Arrays", "arrays"),
    )
}
IMAGE = Entry(".png", "Image at this position (PNG)")
FOOT_HEIGHT, STRIP_HEIGHT, FILM_MS, COPY_SCALE = 38, 96, 120, 8


class InterpolatePage(Page):
    """Binds the widgets of the page to its view-model."""

    def __init__(self, interpolate: Interpolate, context: AppContext) -> None:
        super().__init__("Interpolate")
        self._context, self._interpolate = context, interpolate
        self.mode = Segmented(MODES, name="Mode", tips=MODE_TIPS)
        self.pad = InterpolationPad()
        self.sliders: list[SliderRow] = []  # a share for each class
        self._slid: tuple[str, ...] = ()  # the classes of the sliders
        self.image = ImageGrid("The image at this position", margin=14)
        self.image.set_empty_text("Generating…")
        self.stops = ImageGrid("The waypoints of the path", margin=14)
        self.strip = ImageGrid("The walk", margin=10, gap=4)
        self.strip.setToolTip("Click an image of the walk to enlarge it")
        self.strip.set_empty_text("The walk appears here")
        self.strip.setFixedHeight(STRIP_HEIGHT)
        self.pad_waiting = Waiting(self.pad)
        self.subtitle = ElidedLabel("", "muted")
        self.play = Button("Play the walk", "play-fill", tip="Play the walk as an animation that repeats (Space)")
        self.play.setCheckable(True)
        self._film = QTimer(self, interval=FILM_MS)
        self._at = self._stop = 0  # indices in the walk and in the path
        self._shown: object = None  # the settings without the position, and the models
        self._make_settings()
        self._arrange()
        self._connect()
        self._show_settings()

    def _make_settings(self) -> None:
        self.model = ChoiceRow("Model", tip="The network that generates; it has to be conditioned on classes")
        tips = [mixing.about for mixing in MIXINGS.values()]
        self.mixing = Segmented(titles(MIXINGS), name="Noise mixing", tips=tips)
        self.labels = [ChoiceRow(name, DIGIT.choices, tip="The class of this corner") for name in CORNERS]
        self.dice = [
            Button(kind="tool", name=f"{name}: new noise", tip="New noise for this corner") for name in CORNERS
        ]
        self.pictures = [
            Button(kind="tool", name=f"{name}: image", tip="Use an image for this corner, by inverting it to noise")
            for name in CORNERS
        ]
        for index, (die, picture) in enumerate(zip(self.dice, self.pictures, strict=True)):
            die.set_icon("dice-five")
            picture.setMenu(self._picture_menu(index))
        self.place = [
            SliderRow(name, 0, 1, 0.5, step=0.01, decimals=2, tip=f"Position on the pad, {name.lower()}")
            for name in ("Left to right", "Top to bottom")
        ]
        self.place_section = Section("Position")
        for slider in self.place:
            self.place_section.add(slider)
        self.corner_section, self.mix_section = Section("Corners"), Section("Noise")
        for choice, picture, die in zip(self.labels, self.pictures, self.dice, strict=True):
            choice.label.setFixedWidth(NARROW_LABEL)
            holder = QWidget()
            line = row(choice, picture, die, spacing=Space.XS)
            line.setStretch(0, 1)
            holder.setLayout(line)
            self.corner_section.add(holder)
        self.stop = WaypointEditor(self._picture_menu(None))
        self.stop_section = Section("Waypoints")
        self.stop_section.add(self.stop)
        self.new = Button("New noise everywhere", "dice-five", tip="New noise for every image")
        self.export_button = Button("Export…", "export", tip="Save the walk, or the image at this position (Ctrl+E)")
        self.copy_button = CopyButton(self.shown_picture, "Copy the enlarged image (Ctrl+Shift+C)")

    def _picture_menu(self, corner: int | None) -> QMenu:
        """The menu of images for a corner, or with None for the chosen waypoint."""
        interpolate, menu = self._interpolate, QMenu(self)

        def at() -> int:
            return self._stop if corner is None else corner

        real = menu.addAction("A real digit", lambda: interpolate.use_example(at()))
        drawing = menu.addAction("My drawing", lambda: interpolate.use_drawing(at()))
        file = menu.addAction("Open an image…", lambda: self._open(at()))
        menu.addSeparator()
        clear = menu.addAction("Back to noise", lambda: interpolate.clear_picture(at()))

        def allow() -> None:
            real.setVisible(interpolate.subject.is_digits)
            drawing.setEnabled(interpolate.can_use_drawing and interpolate.takes_pictures)
            for action in (real, file):
                action.setEnabled(interpolate.takes_pictures)
            clear.setEnabled(bool(interpolate.points[at()].picture))

        menu.aboutToShow.connect(allow)
        return menu

    def _open(self, index: int) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose an image", "", PICTURES)
        if name:
            self._interpolate.use_file(index, Path(name))

    def _arrange(self) -> None:
        self.add_header(Label("Interpolate", "heading"), self.subtitle, self.mode)
        mixture, inside, scroll = Card(), QWidget(), QScrollArea()
        self.mixture = QVBoxLayout(inside)
        self.mixture.setContentsMargins(0, 0, Space.S, 0)
        self.mixture.setSpacing(Space.XS)
        self.mixture.addStretch(1)
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName("Shares of the classes")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for transparent in (scroll.viewport(), inside):
            transparent.setAutoFillBackground(False)
        column = QVBoxLayout(mixture)
        column.setContentsMargins(14, Space.M, Space.S, Space.M)
        column.addWidget(scroll)
        self.places = QStackedWidget()
        for place in (self.pad, self.stops, mixture):
            self.places.addWidget(place)
        middle = row(self.places, self.image, spacing=Space.M)
        middle.setStretch(0, 1)
        middle.setStretch(1, 1)
        self.body.addLayout(middle, 1)
        self.body.addWidget(self.strip)
        first = Section("Sampling")
        first.add(self.model)
        self.mix_row = QWidget()
        self.mix_row.setLayout(row(Label("Noise mixing", "muted"), 1, self.mixing))
        self.mix_section.add(self.mix_row)
        self.mix_section.add(self.new)
        for section in (first, self.place_section, self.corner_section, self.stop_section, self.mix_section):
            self.side.addWidget(section)
        self.side.addStretch(1)
        for button in (self.play, self.export_button, self.copy_button):
            button.setFixedHeight(FOOT_HEIGHT)
        self.foot.addWidget(self.play)
        taking = row(self.export_button, self.copy_button)
        taking.setStretch(0, 1)
        self.foot.addLayout(taking)
        menu = QMenu(self)
        menu.setAccessibleName("Export")
        self._walks = [menu.addAction(entry.words, partial(self.export, suffix)) for suffix, entry in FORMATS.items()]
        self._image = menu.addAction(IMAGE.words, self.export_image)
        self.export_button.setMenu(menu)

    def _connect(self) -> None:
        interpolate = self._interpolate
        self.mode.valueChanged.connect(lambda mode: interpolate.change(mode=mode))
        self.pad.moved.connect(lambda x, y: interpolate.change(place=(x, y)))
        for slider in self.place:
            slider.valueChanged.connect(lambda _: interpolate.change(place=tuple(s.value() for s in self.place)))
        self.model.valueChanged.connect(lambda name: interpolate.change(model=name))
        self.mixing.valueChanged.connect(lambda how: interpolate.change(mixing=how))
        for index, (label, die) in enumerate(zip(self.labels, self.dice, strict=True)):
            label.valueChanged.connect(lambda value, index=index: interpolate.set_corner(index, label=int(value)))
            die.clicked.connect(lambda _checked=False, index=index: interpolate.new_noise(index))
        self.new.clicked.connect(interpolate.new_seeds)
        self.stops.cellClicked.connect(self._choose_stop)
        self.strip.cellClicked.connect(self._show_frame)
        self.stop.label.valueChanged.connect(lambda value: interpolate.set_corner(self._stop, label=int(value)))
        self.stop.die.clicked.connect(lambda: interpolate.new_noise(self._stop))
        self.stop.add.clicked.connect(self._add_stop)
        self.stop.remove.clicked.connect(lambda: interpolate.remove_stop(self._stop))
        self.stop.closed.toggled.connect(lambda on: interpolate.change(closed=on))
        self.play.toggled.connect(self._play)
        self._film.timeout.connect(self._next_frame)
        interpolate.changed.connect(self._show_settings)
        interpolate.drawn.connect(self._show_image)
        interpolate.mapped.connect(self._show_map)
        for signal in (interpolate.changed, interpolate.drawn, interpolate.mapped):
            signal.connect(self._show_waiting)
        interpolate.busy_changed.connect(self._show_waiting)
        interpolate.exported.connect(self._context.notify_saved)
        self._context.ready.connect(self._show_settings)

    # ---- actions

    def look(self) -> None:
        """Generate what the page shows."""
        self._interpolate.look()

    def export_shown(self) -> bool:
        if self._interpolate.settings.mode == "classes":
            self.export_image()
        else:
            self.export(next(iter(FORMATS)))
        return True

    def export(self, suffix: str) -> None:
        """Ask for a file, and write the walk."""
        path = self._ask("walk", FORMATS[suffix]) if self._interpolate.loop is not None else None
        if path:
            self._interpolate.export(path, self.export_scale)

    def export_image(self) -> None:
        """Ask for a file, and write the image at this position."""
        path = self._ask("image", IMAGE) if self._interpolate.shown else None
        if path:
            self._interpolate.export_image(path, self.export_scale)

    def _ask(self, what: str, entry: Entry) -> Path | None:
        suggested = free_name((self.export_folder or Path.home()) / f"noiseloom-{what}{entry.suffix}")
        name, _ = QFileDialog.getSaveFileName(self, "Export", str(suggested), entry.filter)
        if not name:
            return None
        self.export_folder = Path(name).parent
        return Path(name) if name.lower().endswith(entry.suffix) else free_name(Path(name).with_suffix(entry.suffix))

    def copy_shown(self) -> None:
        self.copy_button.copy()

    def shown_picture(self) -> Pixels | None:
        images = self.image.images()
        return grid(images, 1, scale=COPY_SCALE) if len(images) else None

    def _choose_stop(self, index: int) -> None:
        self._stop = index
        self.play.setChecked(False)
        self._show_stops()
        self._show_image()

    def _add_stop(self) -> None:
        self._interpolate.add_stop(self._stop)
        self._choose_stop(self._stop + 1)

    def _show_frame(self, index: int) -> None:
        """Enlarge an image of the walk."""
        loop = self._interpolate.loop
        if loop is not None:
            self._at = index % len(loop.images)
            self.image.set_images(loop.images[self._at : self._at + 1], 1)
            self.strip.set_selected(self._at)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays the walk; the arrow keys step through it."""
        walking = self._interpolate.settings.mode != "classes" and self._interpolate.loop is not None
        if walking and event.key() == Qt.Key.Key_Space:
            self.play.toggle()
        elif walking and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.play.setChecked(False)
            self._show_frame(self._at + (1 if event.key() == Qt.Key.Key_Right else -1))
        else:
            super().keyPressEvent(event)

    def _play(self, playing: bool) -> None:
        self.play.setText("Stop the walk" if playing else "Play the walk")
        self.play.set_icon("pause-fill" if playing else "play-fill")
        if playing:
            self._interpolate.keep_walk()
            self._film.start()
        else:
            self._film.stop()
            self.strip.set_selected(None)
            self._show_image()

    def _next_frame(self) -> None:
        if self.isVisible():
            self._show_frame(self._at + 1)

    # ---- what is shown

    def _show_settings(self) -> None:
        settings = self._interpolate.settings
        self.pad.set_place(*settings.place)
        for slider, share in zip(self.place, settings.place, strict=True):
            slider.set_value(share)
        shown = settings.model_copy(update={"place": ()}), self._interpolate.models
        if shown != self._shown:  # not only the position, which changes many times a second
            self._shown = shown
            self._show_all_settings()
        if self.isVisible():
            self._interpolate.look()

    def _show_all_settings(self) -> None:
        interpolate, settings = self._interpolate, self._interpolate.settings
        self.mode.set_value(settings.mode)
        self.places.setCurrentIndex([key for key, _ in MODES].index(settings.mode))
        for widget in (self.place_section, self.corner_section):
            widget.setVisible(settings.mode == "pad")
        self.stop_section.setVisible(settings.mode == "path")
        walks = settings.mode != "classes"
        for widget in (self.mix_row, self.strip, self.play):
            widget.setVisible(walks)
        if not walks:
            self.play.setChecked(False)
        for action in self._walks:
            action.setVisible(walks)
        self._image.setVisible(settings.mode != "path")
        self.mixing.set_value(settings.mixing)
        names = interpolate.models
        self.model.set_lines(self._context.model_lines())
        self.model.set_choices(self._context.model_choices(names or [settings.model]), settings.model)
        for choice, picture, corner in zip(self.labels, self.pictures, interpolate.corners, strict=True):
            choice.set_choices(interpolate.subject.choices)
            choice.set_value(str(corner.label))
            picture.setIcon(icon("image", "accent" if corner.picture else "muted"))
        self._make_sliders()
        for slider, share in zip(self.sliders, interpolate.shares, strict=True):
            slider.set_value(share)
        self._show_stops()
        self.subtitle.set_text(self._saying())
        self._show_image()

    def _make_sliders(self) -> None:
        """A slider for each class of the model."""
        subject = self._interpolate.subject
        names = tuple(f"Digit {name}" if subject.is_digits else name for name in subject.classes)
        names = names[: len(self._interpolate.shares)]
        if names == self._slid:
            return
        for slider in self.sliders:
            slider.hide()
            slider.deleteLater()
        self._slid = names
        self.sliders = [
            SliderRow(name, 0, 1, 0, step=0.01, decimals=2, tip=f"Share of class {subject.name(label)}")
            for label, name in enumerate(names)
        ]
        for label, slider in enumerate(self.sliders):
            words = slider.label.fontMetrics().elidedText(names[label], Qt.TextElideMode.ElideRight, LABEL_WIDTH)
            slider.label.setText(words.replace("&", "&&"))  # a single one would underline a letter
            self.mixture.insertWidget(label, slider)
            slider.valueChanged.connect(partial(self._interpolate.set_share, label))

    def _saying(self) -> str:
        settings, subject = self._interpolate.settings, self._interpolate.subject
        if settings.mode == "path":
            return "From one waypoint to the next, through the noise in between."
        if settings.mode == "pad" and any(corner.picture for corner in self._interpolate.corners):
            return "The images are inverted to noise; images in between come from blends of that noise."
        if settings.mode == "pad":
            return f"Blend two noises and you get {subject.a} in between."
        shares = self._interpolate.shares
        total = sum(shares)
        parts = [f"{subject.name(label)} ({share / total:.0%})" for label, share in enumerate(shares) if share > 0]
        return (
            f"One noise, conditioned on {', '.join(parts)}."
            if parts
            else "One noise, conditioned on all classes equally."
        )

    def _show_waiting(self) -> None:
        """Say at each place what is being drawn for it."""
        awaited, path = self._interpolate.awaited, self._interpolate.settings.mode == "path"
        self.image.waiting.set_words("Drawing…" if ("walk" if path else "image") in awaited else "")
        self.pad_waiting.set_words(f"{DOING['pad']}…" if "pad" in awaited else "")
        for walk in (self.strip, self.stops):
            walk.waiting.set_words(f"{DOING['walk']}…" if "walk" in awaited else "")
        self.outdated.setVisible(self._interpolate.outdated)

    def _show_stops(self) -> None:
        """Show the waypoints, and the settings of the chosen one."""
        stops, images = self._interpolate.stops, self._interpolate.stop_images
        self._stop = min(self._stop, len(stops) - 1)
        self.stop.show_stop(self._stop, stops, self._interpolate.settings.closed, self._interpolate.subject)
        if images is not None and len(images) == len(stops):
            self.stops.set_images(images)
            self.stops.set_captions([Caption(f"waypoint {k + 1}") for k in range(len(stops))], keep_room=True)
            self.stops.set_selected(self._stop)

    def _show_image(self) -> None:
        interpolate, image = self._interpolate, self._interpolate.image
        if interpolate.settings.mode == "path":
            images = interpolate.stop_images
            image = images[self._stop : self._stop + 1] if images is not None and self._stop < len(images) else None
        if image is not None and not self._film.isActive():
            self.image.set_images(image, 1)
            self.strip.set_selected(None)
        self.copy_button.setEnabled(len(self.image.images()) > 0)

    def _show_map(self) -> None:
        self._show_stops()
        interpolate = self._interpolate
        if interpolate.map is not None:
            self.pad.set_picture(grid(interpolate.map, MAP, gap=0, scale=4))
        self.strip.set_images(interpolate.loop.images if interpolate.loop else None)
        if not self._film.isActive():
            self._show_image()
        ready = interpolate.loop is not None
        self.play.setEnabled(ready)
        if theme().reduced_motion:
            self.play.setChecked(False)

    def hideEvent(self, event: object) -> None:
        self.play.setChecked(False)
