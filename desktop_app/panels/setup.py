"""The set-up of a training run: preset, data, time, and what the preset is made of."""

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.session.train import Train
from desktop_app.theme import Space
from desktop_app.widgets.basics import Label
from desktop_app.widgets.controls import ChoiceRow, Section, SliderRow
from desktop_app.words import (
    DATA,
    DOWNLOADS,
    IMAGES,
    NETWORKS,
    OPTIMIZERS,
    RATES,
    SCHEDULES,
    TARGETS,
    count,
    data_title,
    preset_title,
)
from ml.config import TrainConfig

DOWNLOAD, FOLDER, CHOOSE = "download", "folder", "choose"


class TrainSetup(QWidget):
    """Every choice there is before Start; switched off while a run goes on."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
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
        main = Section("Set-up")
        for widget in (self.preset, self.note, self.data, self.source, self.minutes):
            main.add(widget)
        details = Section("What it is made of", collapsible=True, expanded=False)
        details.add(self.facts)
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
        self.note.setText(f"{config.note}{_length(config)}")
        self._show_data()
        self.minutes.set_value(config.minutes or 1)
        self.minutes.setVisible(config.minutes is not None)
        self.facts.setText(describe(config))
        for widget in (self.preset, self.data, self.source, self.minutes):
            widget.setEnabled(not train.active)

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
    lines = [
        f"{NETWORKS[model.network]}, {', '.join(map(str, model.widths))} channels wide{attention}",
        f"Learns {TARGETS[model.prediction]}; {SCHEDULES[model.schedule]} schedule",
        f"{OPTIMIZERS[config.optimizer]}, {config.batch_size} images at a time",
        f"Learning rate {config.lr:g}, {RATES[config.lr_schedule]}",
        f"Weights averaged; {config.label_dropout:.0%} of the labels hidden",
    ]
    return "\n".join(lines)


def _length(config: TrainConfig) -> str:
    """How long a recipe goes on that counts no minutes."""
    if config.minutes is not None:
        return ""
    much = count(config.steps, "step") if config.steps else f"{config.epochs:g} times through the data"
    return f" Goes on for {much}; stop and keep it at any time."
