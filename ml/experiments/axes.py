"""The axes of a comparison, each a setting and its values. Nothing here imports torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ml.config import SampleRequest
from ml.errors import BadRequest
from ml.specs import SETTINGS, TEN_DIGITS
from ml.text.class_names import label_text
from ml.text.prompt_parser import parse_labels

Value = int | float | str
MAX_VALUES = 50  # along an axis
PLAIN: Mapping[str, str] = {  # phrases of pydantic's messages in plain words
    "Input should be": "it should be",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}
PATHLIKE = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting of `ml.specs.SETTINGS` and its values, each of them valid.

    `classes` are the names of labels where those are other than digits.
    """

    field: str
    values: tuple[Value, ...]
    classes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the setting."""
        return "Class" if self.classes else SETTINGS[self.field].title

    @property
    def figure_title(self) -> str:
        """The name of the setting in figures, also in those of before."""
        return "Class" if self.classes else SETTINGS[self.field].in_figures or SETTINGS[self.field].title

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values in a figure."""
        if self.classes:
            return tuple(label_text(int(value), self.classes) for value in self.values)
        return tuple(format_value(self.field, value) for value in self.values)

    @property
    def text(self) -> str:
        """The values as they are typed."""
        return ", ".join(self.names if self.classes else map(str, self.values))


def parse(field: str, text: str, classes: Sequence[str] = TEN_DIGITS) -> Axis:
    """An axis from a list of values like `1, 2, 4`, for whole numbers `0-9`, for labels `ship, cat`; raises BadRequest.

    `classes` are the names of the classes that a label may be of.
    """
    if field not in SETTINGS:
        raise BadRequest(f"There is no setting to compare called {field!r}.", f"Use one of: {', '.join(SETTINGS)}.")
    names = tuple(classes)
    if field == "label" and names and names != TEN_DIGITS[: len(names)]:
        labels = tuple(dict.fromkeys(parse_labels(text, names)))
        if len(labels) > MAX_VALUES:
            raise _too_many(field)
        return Axis(field, labels, names)
    values: dict[Value, None] = {}
    for part in dict.fromkeys(filter(None, map(str.strip, text.split(",")))):
        values |= dict.fromkeys(_value(field, each) for each in _spread(field, part))
        if len(values) > MAX_VALUES:
            raise _too_many(field)
    if not values:
        raise BadRequest(f"{SETTINGS[field].title}: no values.", "Give at least one.")
    return Axis(field, tuple(values))


def format_value(field: str, value: Value) -> str:
    """The name of a value in a figure: `4 steps`, `w = 1.5`, `DDIM`."""
    setting = SETTINGS[field]
    if setting.choices:
        return setting.choices[value].title if value in setting.choices else str(value)
    if field == "model":
        return _model_name(str(value))
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    if field == "steps":
        return f"{shown} step{'s' * (value != 1)}"
    return setting.value.format(shown)


def _model_name(model: str) -> str:
    """`mine` of runs/mine/model.safetensors, and `mine, step 200` of mine@200."""
    run, at, step = model.rpartition("@")
    if at and step.isdecimal():
        return f"{_model_name(run)}, step {int(step):,}"
    if not PATHLIKE.search(model):
        return model
    path = Path(model)
    return path.parent.name if path.stem == "model" else path.stem


def _is_whole(field: str) -> bool:
    return field == "label" or SampleRequest.model_fields[field].annotation is int


def _spread(field: str, part: str) -> list[str]:
    """`0-9` as ten values; any other text unchanged."""
    ends = re.fullmatch(r"(\d{1,16})\s*-\s*(\d{1,16})", part)
    if not (ends and _is_whole(field)):
        return [part]
    first, last = int(ends[1]), int(ends[2])
    if abs(last - first) >= MAX_VALUES:
        raise _too_many(field)
    return [str(value) for value in (range(first, last + 1) if first <= last else range(first, last - 1, -1))]


def _value(field: str, text: str) -> Value:
    fields: dict[str, Any] = {"labels": [text]} if field == "label" else {field: text}
    try:
        request = SampleRequest.model_validate(fields)
    except ValidationError as error:
        why = error.errors()[0]["msg"].split(", unable")[0]
        for words, plain in PLAIN.items():
            why = why.replace(words, plain)
        raise BadRequest(f"{SETTINGS[field].title} cannot be “{text[:40]}”: {why}.", "Correct that value.") from error
    if field == "label" and request.labels[0] < 0:
        raise BadRequest(f"Digit cannot be “{text}”.", "Give digits from 0 on.")
    return request.labels[0] if field == "label" else getattr(request, field)


def _too_many(field: str) -> BadRequest:
    return BadRequest(f"{SETTINGS[field].title}: more than {MAX_VALUES} values.", "Compare fewer at a time.")
