"""Whether a drawing is dear: it waits for a click, where a cheap one goes on by itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard

LIVE_CALLS = 1500  # network calls, as large as those of digits, of a drawing that is cheap: some seconds at most
CALL = 1_580_100 * 28**2  # parameters times pixels of a call for digits
GPU = 20  # times faster than a processor, and that is little


def is_dear(calls: float, card: "ModelCard | None", *, on_gpu: bool) -> bool:
    """Whether so many calls of a model's network take long; a model that is not known yet is taken for digits'."""
    if card:
        calls *= card.parameters * card.header.model.codes[1] ** 2 / CALL
    return calls > LIVE_CALLS * (GPU if on_gpu else 1)
