"""How the images of the next run are read and augmented: size, colours, fit, ground, mirrored and moved copies."""

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog

from desktop_app.viewmodels.train import Train
from desktop_app.widgets.controls.basics import Check
from desktop_app.widgets.controls.rows import ChoiceRow, Section
from ml.specs import AUGMENTATIONS, FITS, GROUNDS, IMAGE_FOLDER, lines, titles

SIDES = (16, 24, 28, 32, 48, 64, 96, 128)
COLOURS = {1: "Grey", 3: "Colour"}
OTHER = "other"  # a ground of one's own
AUGMENTED = {"mirror": 1, "augment_share": 0.12}  # the latter as Karras et al. 2022 have it for CIFAR-10


class ImageChoices(Section):
    """Those choices that have an effect on the chosen data."""

    def __init__(self, train: Train) -> None:
        super().__init__("Images")
        self._train = train
        self.side = ChoiceRow("Size", tip="Width and height of the images that the model learns and draws")
        self.channels = ChoiceRow("Colours", tip="Whether the model learns and draws in colour")
        self.fit = ChoiceRow("Fit", titles(FITS), tip="How an image that is not square becomes one", lines=lines(FITS))
        self.ground = ChoiceRow(
            "Ground", tip="What is behind transparent parts, and around images that are fitted whole"
        )
        self.augmentations = {key: Check(spec.title, spec.about) for key, spec in AUGMENTATIONS.items()}
        for widget in (self.side, self.channels, self.fit, self.ground, *self.augmentations.values()):
            self.add(widget)
        for key, check in self.augmentations.items():
            check.setProperty("formula", key)
            check.clicked.connect(lambda on, key=key: train.set_own(key, AUGMENTED[key] if on else 0))
        self.side.valueChanged.connect(lambda side: train.set_own("model.image_size", int(side) if side else None))
        self.channels.valueChanged.connect(lambda key: train.set_own("model.channels", int(key) if key else None))
        self.fit.valueChanged.connect(lambda fit: train.set_own("fit", fit))
        self.ground.valueChanged.connect(self._choose_ground)
        train.data.changed.connect(self.show_settings)

    def show_settings(self) -> None:
        """Show the current settings."""
        train, choice = self._train, self._train.data.choice
        preset, survey = train.preset(), train.data.survey
        of_base_model = bool(preset.codec_from or preset.reader_from or preset.teacher_from)
        is_folder = choice.name.startswith(IMAGE_FOLDER)
        known = {"side": square(survey.side), "channels": COLOURS[survey.channels]} if survey else {}
        model, given = preset.model, preset.model.model_fields_set
        fixed = {"side": square(model.image_size)} if "image_size" in given else {}
        fixed |= {"channels": COLOURS[model.channels]} if "channels" in given else {}
        sides = {str(side): square(side) for side in (*SIDES, *filter(None, [choice.side]))}
        _show(self.side, train.settings.own.get("model.image_size"), sides, fixed.get("side"), known.get("side"))
        colours = {str(key): text for key, text in COLOURS.items()}
        _show(
            self.channels, train.settings.own.get("model.channels"), colours, fixed.get("channels"),
            known.get("channels"),
        )  # fmt: skip
        self.fit.set_value(choice.fit)
        mine = [] if choice.ground in GROUNDS else [(choice.ground, choice.ground)]
        self.ground.set_choices([*titles(GROUNDS), *mine, (OTHER, "A colour…")], choice.ground)
        for key, check in self.augmentations.items():
            check.setChecked(bool(train.settings.own.get(key, getattr(preset, key))))
            check.setVisible(not (preset.codec_from or preset.teacher_from))
        for row in (self.side, self.channels):
            row.setVisible(not of_base_model)
        self.fit.setVisible(is_folder)
        self.ground.setVisible(is_folder and (survey is None or bool(survey.transparent) or choice.fit == "whole"))
        self.setVisible(is_folder or not (preset.codec_from or preset.teacher_from))

    def _choose_ground(self, ground: str) -> None:
        if ground == OTHER:
            now = self._train.data.choice.ground
            color = QColorDialog.getColor(QColor("white" if now in GROUNDS else now), self, "Choose the ground")
            if not color.isValid():
                self.show_settings()  # restores the previous choice
                return
            ground = color.name()
        self._train.set_own("ground", ground)


def square(side: int) -> str:
    """A size in pixels."""
    return f"{side} × {side}"


def _show(row: ChoiceRow, own: object, choices: dict[str, str], fixed: str | None, found: str | None) -> None:
    """Show the choices after that which is made where a person makes none: the preset's, or else what is found."""
    if fixed:
        usual = f"{fixed} (preset)"
    elif found and own is None:
        usual = f"{found} (found)"
    else:
        usual = "As the images"
    row.set_choices([("", usual), *choices.items()])
    row.set_value("" if own is None else str(own))
