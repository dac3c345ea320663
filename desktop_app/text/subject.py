"""What the images of a model show, in words: the noun for one of them, and the names of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desktop_app.text.formatting import count
from ml.config import NO_LABEL
from ml.specs import DIGITS, TEN_DIGITS

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

Choice = tuple[str, str]  # key, text


@dataclass(frozen=True, slots=True)
class Subject:
    """The classes of a model by name, and `noun`: "digit" or "image"."""

    noun: str = "digit"
    classes: tuple[str, ...] = TEN_DIGITS

    @property
    def is_digits(self) -> bool:
        return self.noun == "digit"

    @property
    def a(self) -> str:
        """The noun with its article."""
        return "a digit" if self.is_digits else "an image"

    def name(self, label: int) -> str:
        """The name of a class; "any digit" or "any image" without one."""
        if label == NO_LABEL:
            return f"any {self.noun}"
        return self.classes[label] if label < len(self.classes) else str(label)

    def one(self, label: int) -> str:
        """One image of a class, in a sentence: a 3, “ship”."""
        return f"a {self.name(label)}" if self.is_digits else f"“{self.name(label)}”"

    def names(self, labels: Sequence[int]) -> tuple[str, ...]:
        return tuple(map(self.name, labels))

    def reading(self, label: int, confidence: float) -> str:
        """The class that a judge reads, and its confidence."""
        return f"{self.name(label)} · {confidence:.0%}"

    @property
    def choices(self) -> list[Choice]:
        """The classes for a list, by label, after "any digit" or "any image"."""
        return [(str(label), self.name(label)) for label in (NO_LABEL, *range(len(self.classes)))]

    def prompt(self, labels: Sequence[int]) -> str:
        """Labels as a prompt: 38 or 0-9 for digits, "cat, ship" for other classes."""
        row = tuple(labels)
        if not row:
            return ""
        if not self.is_digits or max(row) >= len(TEN_DIGITS):
            return ", ".join(self.names(row))
        if len(row) > 2 and row == tuple(range(row[0], row[-1] + 1)):
            return f"{row[0]}-{row[-1]}"
        return "".join(map(str, row))

    @property
    def caption_names(self) -> tuple[str, ...]:
        """The names that captions of an exported file need; digits are their numbers."""
        return () if self.is_digits else self.classes

    def counted(self, number: int) -> str:
        """1 digit, 30 digits, 100 images."""
        return count(number, self.noun)


DIGIT = Subject()


def subject_of(card: "ModelCard | None") -> Subject:
    """What a model draws; digits where the model is not known (yet)."""
    if card is None:
        return DIGIT
    header, config = card.header, card.header.model
    if header.data in DIGITS and set(header.classes) <= set(TEN_DIGITS) and config.num_classes <= len(TEN_DIGITS):
        return Subject(classes=header.classes or TEN_DIGITS[: config.num_classes])
    return Subject("image", header.class_names)
