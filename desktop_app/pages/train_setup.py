"""The setup of a training run: preset, data, duration, and the settings of the preset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.pages.image_choices import ImageChoices
from desktop_app.text.display_names import data_title, model_line, model_title, preset_title
from desktop_app.text.formatting import count, duration, two_digits
from desktop_app.theme.tokens import Space
from desktop_app.viewmodels.context import AppContext
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Check, Label
from desktop_app.widgets.controls.rows import ChoiceRow, Section, SliderRow
from ml.config import TrainConfig
from ml.data.archive import SUFFIXES
from ml.events import Estimate
from ml.registry.presets import load
from ml.specs import (
    DATASETS,
    DISCRETE,
    DRAWING,
    IMAGE_FOLDER,
    LOSSES,
    LR_SCHEDULES,
    NETWORKS,
    OPTIMIZERS,
    PREDICTIONS,
    SCHEDULES,
    WEIGHTINGS,
    Spec,
    dataset_spec,
    lines,
    titles,
)
from ml.training.overrides import get_setting

DRAWN_BY = titles({name: NETWORKS[name] for name in DRAWING if not NETWORKS[name].imported})
MEASURE_DELAY_MS = 700  # after the last change, so that a moving slider starts no measurement
DOWNLOAD, FOLDER, CHOOSE, ARCHIVE = "download", "folder", "choose", "archive"
NOTHING = "-"  # no model has that name


class TrainSetup(QWidget):
    """The choices before Start; disabled during a run."""

    def __init__(self, train: Train, context: AppContext) -> None:
        super().__init__()
        self._train, self._context = train, context
        self._measure_soon = QTimer(self, singleShot=True, interval=MEASURE_DELAY_MS)
        self._measure_soon.timeout.connect(self._measure)
        presets = [(name, preset_title(name)) for name in train.preset_names()]
        notes = {name: load(name).note.split(". ")[0] for name, _ in presets}
        self.preset = ChoiceRow("Preset", presets, tip="A network with tuned training settings", lines=notes)
        self.begin_with = BeginWith(train)
        own = {CHOOSE: "Images of yours, in a folder or with one subfolder per class"}
        self.data = ChoiceRow("Data", tip="The images to learn from", lines=lines(DATASETS) | own)
        self.minutes = SliderRow(
            "Minutes", 0.2, 600, 1, decimals=1, logarithmic=True, slider_max=120, tip="Training time in minutes"
        )
        self.note = Label("", "small")
        self.note.setWordWrap(True)
        self.source = ChoiceRow("Source", tip="Download the data once, or read it from a folder")
        self.facts = Label("", "small")
        self.facts.setWordWrap(True)
        self.facts.setToolTip(
            "Generation uses averaged weights (EMA); labels are dropped at random for classifier-free guidance"
        )
        self.facts.setProperty("formula", "recipe")
        main = Section("Setup")
        self.score = Check(
            "Score checkpoints",
            "Draws 200 images at every doubling of steps and scores them with a judge of the data. "
            "It takes no time of the run's minutes, and the run itself stays the same",
        )
        for widget in (self.begin_with, self.preset, self.note, self.data, self.source, self.minutes, self.score):
            main.add(widget)
        self.images = ImageChoices(train)
        self.recipe = Recipe(train)
        details = Section("Architecture and training", collapsible=True, expanded=False)
        details.add(self.facts)
        details.add(self.recipe)
        self.details = details
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.M)
        for widget in (main, self.images, details):
            column.addWidget(widget)
        self.preset.valueChanged.connect(lambda name: train.change(preset=name))
        self.data.valueChanged.connect(self._choose_data)
        self.minutes.valueChanged.connect(lambda minutes: train.change(minutes=minutes))
        self.source.valueChanged.connect(self._choose_source)
        self.score.clicked.connect(lambda on: train.set_own("score", int(on)))
        train.changed.connect(self.show_settings)
        train.state_changed.connect(self.show_settings)
        train.data.changed.connect(self._show_data)
        self.show_settings()

    def show_settings(self) -> None:
        """Show the current settings."""
        train, config = self._train, self._train.config()
        self.preset.set_value(train.settings.preset)
        self.preset.setVisible(not train.settings.begin_with)
        self.begin_with.show_settings()
        if train.active and train.run:
            self.note.setText(train.run.config.note)  # of an automatic preset, why it was chosen so
        else:
            self.note.setText(f"{config.note}{_length(config)}{_speed(config, train.estimate)}")
        self._show_data()
        self.minutes.set_value(config.minutes or 1)
        self.minutes.setVisible(config.minutes is not None)
        self.score.setChecked(config.score)
        self.facts.setText(describe(config))
        self.images.show_settings()
        self.recipe.show_settings()
        choices = (self.begin_with, self.preset, self.data, self.source, self.minutes, self.score)
        for widget in (*choices, self.images.body, self.recipe):
            widget.setEnabled(not train.active)
        self._measure_soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._measure_soon.start()

    def _measure(self) -> None:
        if self.isVisible():
            self._train.measure()

    def _show_data(self) -> None:
        name, where = self._train.settings.data, self._context.data_root
        mine = [(name, data_title(name))] if name not in DATASETS else []
        others = [(CHOOSE, "A folder of images…"), (ARCHIVE, "An archive of images…")]
        self.data.set_choices([*titles(DATASETS), *mine, *others], name)
        self.data.combo.setToolTip(name.removeprefix(IMAGE_FOLDER) if mine else "")
        given = [(FOLDER, f"Folder “{where.name or where}”")] if where else []
        size = DATASETS[name].size if name in DATASETS else ""
        is_here = where is None and self._train.data.survey is not None
        usual = (DOWNLOAD, "On this machine" if is_here else f"Download ({size})")
        self.source.set_choices([usual, *given, (CHOOSE, "Choose a folder…")], FOLDER if where else DOWNLOAD)
        self.source.combo.setToolTip(str(where) if where else "")
        self.source.setVisible(bool(size))

    def _choose_data(self, name: str) -> None:
        ask = {CHOOSE: ask_for_images, ARCHIVE: ask_for_archive}.get(name)
        if ask is None:
            self._train.change(data=name)
        elif not ask(self, self._train):
            self._show_data()  # restores the previous choice

    def _choose_source(self, source: str) -> None:
        if source == DOWNLOAD:
            self._context.use_data_root(None)
        elif source == CHOOSE and not ask_for_data(self, self._train, self._context):
            self._show_data()  # restores the previous choice


class BeginWith(QWidget):
    """The choice of a model whose weights the run begins with, and whether its classes are kept."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        self.model = ChoiceRow("Begin with", tip="A model whose weights go on learning, instead of random weights")
        self.classes = ChoiceRow(
            "Its classes",
            (("replace", "Replaced"), ("keep", "Kept as well")),
            tip="The classes of the data replace those of the model, or stand beside them",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for widget in (self.model, self.classes):
            column.addWidget(widget)
        self.model.valueChanged.connect(lambda name: train.change(begin_with="" if name == NOTHING else name))
        self.classes.valueChanged.connect(lambda kept: train.change(keep_classes=kept == "keep"))

    def show_settings(self) -> None:
        """Show the current settings."""
        train, name = self._train, self._train.settings.begin_with
        gone = [(name, name)] if name and train.base is None else []
        choices = [(NOTHING, "Random weights"), *gone, *((card.name, model_title(card)) for card in train.bases)]
        self.model.set_lines({card.name: model_line(card) for card in train.bases})
        self.model.set_choices(choices, name or NOTHING)
        self.model.disable({card.name: train.why_not_begin(card) for card in train.bases})
        self.classes.set_value("keep" if train.settings.keep_classes else "replace")
        self.classes.setVisible(train.base is not None and train.base.header.model.num_classes > 0)


class Recipe(QWidget):
    """The settings of the chosen preset, each of which can be changed."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        choices: dict[str, tuple[str, Mapping[Any, Spec], str]] = {
            "model.network": ("Network", NETWORKS, "The architecture of the denoising network"),
            "model.prediction": (
                "Predicts",
                PREDICTIONS,
                "What the network predicts; each can be converted into the others",
            ),
            "model.schedule": ("Noise schedule", SCHEDULES, "How the share of noise grows with t"),
            "weighting": (
                "Loss weighting",
                WEIGHTINGS,
                "How much each noise level counts: all equally, or by min-SNR",
            ),
            "loss": ("Loss", LOSSES, "Squared error, or Huber loss, which is less sensitive to large errors"),
            "optimizer": ("Optimizer", OPTIMIZERS, "How the gradient updates the weights"),
            "lr_schedule": ("LR schedule", LR_SCHEDULES, "How the learning rate changes during the run"),
        }
        self.choices = {
            key: ChoiceRow(label, DRAWN_BY if table is NETWORKS else titles(table), tip=tip, lines=lines(table))
            for key, (label, table, tip) in choices.items()
        }
        self.lr = SliderRow(
            "Learning rate", 1e-5, 1e-1, 1e-3, decimals=5, logarithmic=True, tip="The peak learning rate"
        )
        self.batch = SliderRow(
            "Batch size", 1, 1024, 64, logarithmic=True, slider_max=512, tip="Number of images per training step"
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
        """Show the current settings, and why they can't be trained if so."""
        preset, own = self._train.preset(), self._train.settings.own
        for key, choice in self.choices.items():
            choice.set_value(str(own.get(key, get_setting(preset, key))))
        self.lr.set_value(float(own.get("lr", preset.lr)))
        self.batch.set_value(float(own.get("batch_size", preset.batch_size)))
        parts = preset.codec_from or preset.reader_from or preset.teacher_from or preset.begin_with
        self.choices["model.network"].setVisible(not parts)
        for key in ("model.prediction", "model.schedule"):
            self.choices[key].setVisible(not (preset.teacher_from or preset.begin_with))  # those of that model
        for key in ("weighting", "loss"):
            self.choices[key].setVisible(not preset.teacher_from)  # a student has those of its teacher
        self.problem.setText(self._train.contradiction)
        self.problem.setVisible(bool(self._train.contradiction))


def ask_for_data(parent: QWidget, train: Train, context: AppContext) -> bool:
    """Ask for the folder of the chosen data: images, or the files of a data set; False if canceled."""
    name = train.settings.data
    if name not in DATASETS:
        return ask_for_images(parent, train)
    title = f"Choose the folder that contains {data_title(name)}"
    folder = QFileDialog.getExistingDirectory(parent, title, str(context.data_root or ""))
    if folder:
        context.use_data_root(Path(folder))
    return bool(folder)


def ask_for_images(parent: QWidget, train: Train) -> bool:
    """Ask for a folder of images to train on; False if canceled."""
    name = train.settings.data
    now = name.removeprefix(IMAGE_FOLDER) if name.startswith(IMAGE_FOLDER) else ""
    folder = QFileDialog.getExistingDirectory(
        parent, "Choose a folder of images, or a folder with one subfolder per class", now
    )
    if folder:
        train.change(data=f"{IMAGE_FOLDER}{folder}")
    return bool(folder)


def ask_for_archive(parent: QWidget, train: Train) -> bool:
    """Ask for an archive of images to train on; False if canceled."""
    kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    path, _ = QFileDialog.getOpenFileName(parent, "Choose an archive of images", "", f"Archives ({kinds})")
    if path:
        train.change(data=f"{IMAGE_FOLDER}{path}")
    return bool(path)


def describe(config: TrainConfig) -> str:
    """A configuration in a few lines."""
    model = config.model
    attention = ", with attention" if model.attention else ""
    steps = f", {model.timesteps:,} noise steps" if model.schedule in DISCRETE else ""
    lines = [
        f"{', '.join(map(str, model.widths))} channels{attention}{steps}",
        f"Averaged weights; {config.label_dropout:.0%} label dropout",
    ]
    return "\n".join(lines)


def _length(config: TrainConfig) -> str:
    """The length of a run that is not limited by time."""
    if config.minutes is not None or config.automatic:
        return ""
    much = count(config.steps, "step") if config.steps else f"{config.epochs:g} epoch{'s' * (config.epochs != 1)}"
    return f" Trains for {much}; you can stop it at any time and keep the model."


def _speed(config: TrainConfig, estimate: Estimate | None) -> str:
    """The measured speed on this device."""
    if estimate is None:
        return ""
    if config.minutes is None:
        return f" About {duration(estimate.seconds)} on this device."
    seen = two_digits(60 * config.minutes * estimate.images_per_s)
    data = dataset_spec(config.data)
    early = config.readable_after is not None and seen < config.readable_after and data is not None and data.digits
    return f" About {seen:,} images in that time on this device{', which is too early' if early else ''}."
