"""Messages to the person, shown in one place of the window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Message:
    """A message, with remedies as (key, text of a button)."""

    tone: Literal["error", "warning", "info", "success"]
    title: str
    what_to_do: str = ""
    actions: Sequence[tuple[str, str]] = ()
    details: str = ""
