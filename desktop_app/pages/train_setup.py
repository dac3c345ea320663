"""The set-up of a training run: preset, data, time, and what the preset is made of."""

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.text.display_names import (
    DATA,
    DOWNLOADS,
    IMAGES,
    NETWORKS,
    OPTIMIZERS,
    RATES,
    SCHEDULES,
    TARGETS,
    data_title,
    preset_title,
)
from desktop_app.text.formatting import count, duration
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Label
from desktop_app.widgets.controls.rows import ChoiceRow, Section, SliderRow
from ml.config import DRAWING, TrainConfig
from ml.events import Estimate
from ml.training.overrides import setting

DISCRETE = ("linear", "cosine", "sigmoid")
DRAWN_BY = tuple((name, NETWORKS[name]) for name in DRAWING)
LEARNT = tuple((key, words.removeprefix("the ")) for key, words in TARGETS.items())
WEIGHTINGS = (("none", "all noise alike"), ("min-snr", "min-SNR"))
LOSSES = (("mse", "squared error"), ("huber", "Huber"))
MEASURE_DELAY_MS = 700  # after the last change, so that a slider on its way measures nothing
DOWNLOAD, FOLDER, CHOOSE = "download", "folder", "choose"


class TrainSetup(QWidget):
    """Every choice there is before Start; switched off while a run goes on."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        self._measure_soon = QTimer(self, singleShot=True, interval=MEASURE_DELAY_MS)
        self._measure_soon.timeout.connect(self._measure)
        presets = [(name, preset_title(name)) for name in train.preset_names()]
        self.preset = ChoiceRow("Preset", presets, tip="A network with settings that suit it")
        self.data = ChoiceRow("Data", tip="What the model learns to draw")
        self.minutes = SliderRow(
            "Minutes", 0.2, 600, 1, decimals=1, logarithmic=True, slider_max=120, tip="How long to train"
        )
        self.note = Label("", "small")
        self.note.setWordWrap(True)
        self.source = ChoiceRow("Where it is", tip="It is downloaded once and kept, or read from a folder you have")
        self.facts = Label("", "small")
        self.facts.setWordWrap(True)
        self.facts.setToolTip("What is drawn with are averaged weights (EMA); labels are hidden so that guidance works")
        self.facts.setProperty("formula", "recipe")
        main = Section("Set-up")
        for widget in (self.preset, self.note, self.data, self.source, self.minutes):
            main.add(widget)
        self.recipe = Recipe(train)
        details = Section("What it is made of", collapsible=True, expanded=False)
        details.add(self.facts)
        details.add(self.recipe)
        self.details = details
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        column.addWidget(main)
        column.addWidget(details)
        self.preset.valueChanged.connect(lambda name: train.change(preset=name))
        self.data.valueChanged.connect(self._choose_data)
        self.minutes.valueChanged.connect(lambda minutes: train.change(minutes=minutes))
        self.source.valueChanged.connect(self._choose_source)
        train.changed.connect(self.show_settings)
        train.state_changed.connect(self.show_settings)
        self.show_settings()

    def show_settings(self) -> None:
        """Have every control show what is set."""
        train, config = self._train, self._train.config()
        self.preset.set_value(train.settings.preset)
        self.note.setText(f"{config.note}{_length(config)}{_speed(config, train.estimate)}")
        self._show_data()
        self.minutes.set_value(config.minutes or 1)
        self.minutes.setVisible(config.minutes is not None)
        self.facts.setText(describe(config))
        self.recipe.show_settings()
        for widget in (self.preset, self.data, self.source, self.minutes, self.recipe):
            widget.setEnabled(not train.active)
        self._measure_soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._measure_soon.start()

    def _measure(self) -> None:
        if self.isVisible():
            self._train.measure()

    def _show_data(self) -> None:
        name, where = self._train.settings.data, self._train.data_root
        mine = [(name, data_title(name))] if name not in DATA else []
        self.data.set_choices([*DATA.items(), *mine, (CHOOSE, "A folder of images…")], name)
        self.data.combo.setToolTip(name.removeprefix(IMAGES) if mine else "")
        given = [(FOLDER, f"Folder “{where.name or where}”")] if where else []
        download = (DOWNLOAD, f"Download ({DOWNLOADS.get(name)})")
        self.source.set_choices([download, *given, (CHOOSE, "Choose a folder…")], FOLDER if where else DOWNLOAD)
        self.source.combo.setToolTip(str(where) if where else "")
        self.source.setVisible(name in DOWNLOADS)

    def _choose_data(self, name: str) -> None:
        if name != CHOOSE:
            self._train.change(data=name)
        elif not ask_for_images(self, self._train):
            self._show_data()  # as it was

    def _choose_source(self, source: str) -> None:
        if source == DOWNLOAD:
            self._train.use_data_root(None)
        elif source == CHOOSE and not ask_for_data(self, self._train):
            self._show_data()  # as it was


class Recipe(QWidget):
    """The settings of the chosen preset, to be replaced by one's own."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        choices = {
            "model.network": ("Network", DRAWN_BY, "What kind of network removes the noise"),
            "model.prediction": ("Learns", LEARNT, "What the network is asked for; each can be turned into the others"),
            "model.schedule": ("Schedule", tuple(SCHEDULES.items()), "How noise takes over from the image as t grows"),
            "weighting": (
                "Weighting",
                WEIGHTINGS,
                "Which noise levels count more: none, or as min-SNR has it",
            ),
            "loss": ("Loss", LOSSES, "Squared errors, or Huber's, which large errors sway less"),
            "optimizer": ("Optimizer", tuple(OPTIMIZERS.items()), "The rule by which weights follow the gradient"),
            "lr_schedule": ("Rate", tuple(RATES.items()), "How the learning rate goes through the run"),
        }
        self.choices = {key: ChoiceRow(label, options, tip=tip) for key, (label, options, tip) in choices.items()}
        self.lr = SliderRow(
            "Step size", 1e-5, 1e-1, 1e-3, decimals=5, logarithmic=True, tip="The learning rate at its highest"
        )
        self.batch = SliderRow(
            "Batch", 1, 1024, 64, logarithmic=True, slider_max=512, tip="How many images a step learns from"
        )
        self.problem = Label("", "problem")
        self.problem.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for widget in (self.problem, *self.choices.values(), self.lr, self.batch):
            column.addWidget(widget)
        for key, choice in self.choices.items():
            choice.valueChanged.connect(lambda value, key=key: train.set_own(key, value))
        self.lr.valueChanged.connect(lambda value: train.set_own("lr", value))
        self.batch.valueChanged.connect(lambda value: train.set_own("batch_size", round(value)))

    def show_settings(self) -> None:
        """Have every row show what is set, and say where that cannot be trained."""
        preset, own = self._train.preset(), self._train.settings.own
        for key, choice in self.choices.items():
            choice.set_value(str(own.get(key, setting(preset, key))))
        self.lr.set_value(float(own.get("lr", preset.lr)))
        self.batch.set_value(float(own.get("batch_size", preset.batch_size)))
        self.choices["model.network"].setVisible(not (preset.codec_from or preset.reader_from or preset.teacher_from))
        for key in ("model.prediction", "model.schedule", "weighting", "loss"):
            self.choices[key].setVisible(not preset.teacher_from)  # a student is as its teacher
        self.problem.setText(self._train.contradiction)
        self.problem.setVisible(bool(self._train.contradiction))


def ask_for_data(parent: QWidget, train: Train) -> bool:
    """Ask where the chosen data are: a folder of images, or of a data set's files; False where nobody answers."""
    name = train.settings.data
    if name not in DATA:
        return ask_for_images(parent, train)
    title = f"The folder that holds {data_title(name)}"
    folder = QFileDialog.getExistingDirectory(parent, title, str(train.data_root or ""))
    if folder:
        train.use_data_root(Path(folder))
    return bool(folder)


def ask_for_images(parent: QWidget, train: Train) -> bool:
    """Ask for a folder of images to train on; False where nobody answers."""
    name = train.settings.data
    now = name.removeprefix(IMAGES) if name.startswith(IMAGES) else ""
    folder = QFileDialog.getExistingDirectory(parent, "A folder of images, or with one folder of them per class", now)
    if folder:
        train.change(data=f"{IMAGES}{folder}")
    return bool(folder)


def describe(config: TrainConfig) -> str:
    """A configuration in a few lines."""
    model = config.model
    attention = ", with attention" if model.attention else ""
    steps = f", {model.timesteps:,} steps of noise" if model.schedule in DISCRETE else ""
    lines = [
        f"{', '.join(map(str, model.widths))} channels wide{attention}{steps}",
        f"Weights averaged; {config.label_dropout:.0%} of the labels hidden",
    ]
    return "\n".join(lines)


def _length(config: TrainConfig) -> str:
    """How long a recipe goes on that counts no minutes."""
    if config.minutes is not None:
        return ""
    much = count(config.steps, "step") if config.steps else f"{config.epochs:g} times through the data"
    return f" Goes on for {much}; stop and keep it at any time."


def _speed(config: TrainConfig, estimate: Estimate | None) -> str:
    """What was measured of this device."""
    if estimate is None:
        return ""
    if config.minutes is None:
        return f" About {duration(estimate.seconds)} on this device."
    seen = round(60 * config.minutes * estimate.images_per_s, -3)
    return f" About {seen:,.0f} images in that time, on this device." if seen else ""
