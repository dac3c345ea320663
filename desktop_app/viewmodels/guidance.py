"""In which steps guidance acts, in words. The noise levels need torch, which the window has once models are known."""

from typing import TYPE_CHECKING

from ml.config import NO_INTERVAL, SampleSettings
from ml.errors import BadRequest

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard


def acting_steps(card: "ModelCard", settings: SampleSettings) -> int | None:
    """In how many of the steps guidance acts; None for steps that the model does not have."""
    from ml.diffusion import guidance  # not needed before models are known
    from ml.diffusion.schedules import grid_of, schedule_of

    try:
        return guidance.acting_steps(settings, grid_of(schedule_of(card.header.model), settings))
    except BadRequest:
        return None


def interval(settings: SampleSettings) -> str:
    """The noise levels sigma/alpha at which guidance acts: from 1 to 8, or from 0 without an end."""
    to = f" to {settings.guidance_to:g}" if settings.guidance_to < NO_INTERVAL["guidance_to"] else ""
    return f"σ/α from {settings.guidance_from:g}{to}"


def has_interval(settings: SampleSettings) -> bool:
    """Whether there are noise levels outside the interval of guidance."""
    return settings != settings.with_changes(**NO_INTERVAL)
