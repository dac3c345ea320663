"""The set-up of a training run: preset, data, time, and what the preset is made of."""

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.session.train import Train
from desktop_app.theme import Space
from desktop_app.widgets.basics import Label
from desktop_app.widgets.controls import ChoiceRow, Section, SliderRow
from desktop_app.words import DATA, NETWORKS, OPTIMIZERS, RATES, SCHEDULES, TARGETS, preset_title
from ml.config import TrainConfig

DOWNLOAD, FOLDER, CHOOSE = "download", "folder", "choose"


class TrainSetup(QWidget):
    """Every choice there is before Start; switched off while a run goes on."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        presets = [(name, preset_title(name)) for name in train.preset_names()]
        self.preset = ChoiceRow("Preset", presets, tip="A network with settings that suit it")
        self.data = ChoiceRow("Data", tuple(DATA.items()), tip="What the model learns to draw")
        self.minutes = SliderRow(
            "Minutes", 0.2, 600, 1, decimals=1, logarithmic=True, slider_max=120, tip="How long to train"
        )
        self.note = Label("", "small")
        self.note.setWordWrap(True)
        self.source = ChoiceRow("Where it is", tip="MNIST is downloaded once and kept, or read from a folder you have")
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
        self.data.valueChanged.connect(lambda name: train.change(data=name))
        self.minutes.valueChanged.connect(lambda minutes: train.change(minutes=minutes))
        self.source.valueChanged.connect(self._choose_source)
        train.changed.connect(self.show_settings)
        train.state_changed.connect(self.show_settings)
        self.show_settings()

    def show_settings(self) -> None:
        """Have every control show what is set."""
        train, config = self._train, self._train.config()
        self.preset.set_value(train.settings.preset)
        self.note.setText(config.note)
        self.data.set_value(train.settings.data)
        self._show_source()
        self.minutes.set_value(config.minutes or 1)
        self.facts.setText(describe(config))
        for widget in (self.preset, self.data, self.source, self.minutes):
            widget.setEnabled(not train.active)

    def _show_source(self) -> None:
        where = self._train.data_root
        given = [(FOLDER, f"Folder “{where.name or where}”")] if where else []
        self.source.set_choices([(DOWNLOAD, "Download (11 MB)"), *given, (CHOOSE, "Choose a folder…")])
        self.source.set_value(FOLDER if where else DOWNLOAD)
        self.source.combo.setToolTip(str(where) if where else "")
        self.source.setVisible(self._train.settings.data == "mnist")

    def _choose_source(self, source: str) -> None:
        if source == DOWNLOAD:
            self._train.use_data_root(None)
        elif source == CHOOSE:
            self._choose_folder()

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "The folder that holds MNIST", str(self._train.data_root or ""))
        if folder:
            self._train.use_data_root(Path(folder))
        else:
            self._show_source()  # as it was


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
