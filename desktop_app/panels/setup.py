"""The set-up of a training run: preset, data, time, and what the preset is made of."""

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop_app.session.train import Train
from desktop_app.theme import Space
from desktop_app.widgets.basics import Button, Label
from desktop_app.widgets.controls import ChoiceRow, Section, SliderRow
from desktop_app.words import NETWORKS, TARGETS, preset_title
from ml.config import TrainConfig

DATA = (("mnist", "MNIST"), ("synthetic", "Synthetic digits"))


class TrainSetup(QWidget):
    """Every choice there is before Start; switched off while a run goes on."""

    def __init__(self, train: Train) -> None:
        super().__init__()
        self._train = train
        presets = [(name, preset_title(name)) for name in train.preset_names()]
        self.preset = ChoiceRow("Preset", presets, tip="A network with settings that suit it")
        self.data = ChoiceRow("Data", DATA, tip="What the model learns to draw")
        self.minutes = SliderRow(
            "Minutes", 0.2, 600, 1, decimals=1, logarithmic=True, slider_max=120, tip="How long to train"
        )
        self.note = Label("", "small")
        self.note.setWordWrap(True)
        self.folder = Button("", "folder", tip="Use MNIST from a folder instead of downloading it")
        self.facts = Label("", "small")
        self.facts.setWordWrap(True)
        main = Section("Set-up")
        for widget in (self.preset, self.note, self.data, self.folder, self.minutes):
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
        self.folder.clicked.connect(self._choose_folder)
        train.changed.connect(self.show_settings)
        train.state_changed.connect(self.show_settings)
        self.show_settings()

    def show_settings(self) -> None:
        """Have every control show what is set."""
        train, config = self._train, self._train.config()
        self.preset.set_value(train.settings.preset)
        self.note.setText(config.note)
        self.data.set_value(train.settings.data)
        self.folder.setVisible(train.settings.data == "mnist")
        where = train.data_root
        self.folder.setText(f"MNIST in {where.name or where}" if where else "Choose a folder with MNIST…")
        self.folder.setToolTip(
            f"MNIST is read from {where}" if where else "Without a folder, MNIST is downloaded once (11 MB)"
        )
        self.minutes.set_value(config.minutes or 1)
        self.facts.setText(describe(config))
        for widget in (self.preset, self.data, self.folder, self.minutes):
            widget.setEnabled(not train.active)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "The folder that holds MNIST", str(self._train.data_root or ""))
        if folder:
            self._train.use_data_root(Path(folder))


def describe(config: TrainConfig) -> str:
    """A configuration in a few lines."""
    model = config.model
    lines = [
        f"{NETWORKS[model.network]}, widths {', '.join(map(str, model.widths))}",
        f"predicts {TARGETS[model.prediction]}; {model.schedule} schedule",
        f"{config.optimizer} at {config.lr:g}, {config.lr_schedule}; batches of {config.batch_size}",
        f"averaged weights, {config.label_dropout:.0%} of the labels hidden",
    ]
    return "\n".join(lines)
