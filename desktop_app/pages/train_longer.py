"""Training longer: the length of what is added to a run that has ended, and the button that adds it."""

from math import ceil
from pathlib import Path

from desktop_app.text.display_names import run_title
from desktop_app.text.formatting import duration
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Button, Label
from desktop_app.widgets.controls.rows import Section, SliderRow


class TrainLonger(Section):
    """Shown while a run that has ended is on the page, or was chosen on the Models page."""

    def __init__(self, train: Train) -> None:
        super().__init__("Train longer")
        self._train = train
        self._shown: Path | None = None
        self.what = Label("", "small")
        self.what.setWordWrap(True)
        self.minutes = SliderRow(
            "Minutes", 0.2, 600, 5, decimals=1, logarithmic=True, slider_max=120, tip="Training time that is added"
        )
        self.button = Button(
            "Train longer",
            "fast-forward",
            tip="Go on from the weights of this run; the learning rate rises and falls again",
        )
        for widget in (self.what, self.minutes, self.button):
            self.add(widget)
        self.button.clicked.connect(lambda: train.train_longer(self.minutes.value()))
        train.state_changed.connect(self.show_ended)
        self.show_ended()

    def show_ended(self) -> None:
        """Show the run that can be trained longer, if there is one."""
        folder = self._train.ended
        self.setVisible(folder is not None)
        if folder is None:
            self._shown = None
            return
        missing = self._train.missing_minutes if folder == self._train.folder else None
        needs = f"Its digits can be read after about {duration(60 * missing)} more. " if missing else ""
        self.what.setText(f"{needs}Adds this time to “{run_title(folder.name)}”.")
        if missing and folder != self._shown:
            self.minutes.set_value(ceil(10 * missing) / 10)
        self._shown = folder
