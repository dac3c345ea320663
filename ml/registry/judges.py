"""The judges: the bundled one of digits and those in the user's folder, found by what a model draws."""

from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader
from ml.registry.model_cards import ModelCard
from ml.specs import CIFAR10_FOLDER, DATASETS, DIGITS, TEN_DIGITS
from ml.system import paths
from ml.system.files import modified

BUNDLED = "judge"
GREY_DIGITS = (1, 28)  # channels and side of the images that the bundled judge classifies


def is_of_digits(header: ModelHeader) -> bool:
    """Whether a model draws the ten digits in the form that the bundled judge classifies."""
    config = header.model
    same_classes = config.num_classes <= len(TEN_DIGITS) and (header.classes or TEN_DIGITS) == TEN_DIGITS
    return header.data in DIGITS and (config.channels, config.image_size) == GREY_DIGITS and same_classes


def data_of(header: ModelHeader) -> str:
    """The data set that a model's images are compared with; "" where it is unknown."""
    if is_of_digits(header):
        return "mnist"  # whatever digits it was trained on
    return "cifar10" if header.data == CIFAR10_FOLDER else header.data


def find(header: ModelHeader) -> ModelCard | None:
    """The card of the judge of a model's images: of the same data, form and classes; the newest of several."""
    if is_of_digits(header):
        return model_cards.card(model_cards.bundled_folder() / f"{BUNDLED}.safetensors")
    kept = sorted(paths.user_judges().glob("*.safetensors"), key=modified, reverse=True)
    cards = (model_cards.card(path) for path in kept)
    return next((card for card in cards if card and _suits(card.header, header)), None)


def classes_of(judge: ModelHeader) -> tuple[str, ...]:
    """The classes that a judge tells apart; none for one that tells single images apart and has features alone."""
    return judge.class_names if judge.classes or judge.data in DATASETS else ()


def _suits(judge: ModelHeader, drawn: ModelHeader) -> bool:
    same_classes = not drawn.model.num_classes or drawn.class_names == judge.classes
    return judge.model.network == "judge" and _data(judge) == _data(drawn) and same_classes


def _data(header: ModelHeader) -> tuple[object, ...]:
    """A data set and its form."""
    return data_of(header), header.model.channels, header.model.image_size, header.fit, header.ground
