"""The first job: imports, the device, the models and the runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml.cancellation import import_interruptibly
from ml.control import RunControl
from ml.events import Progress
from ml.system.preload import load_libraries

if TYPE_CHECKING:
    from ml.registry.model_cards import ModelCard
    from ml.tracking.run_index import UnfinishedRun


@dataclass(frozen=True, slots=True)
class Ready:
    """The device, the models, and the unfinished runs."""

    device: str
    on_gpu: bool
    models: "tuple[ModelCard, ...]"
    unfinished: "tuple[UnfinishedRun, ...]"
    curves: tuple[Path, ...] = ()  # folders of runs that have a curve
    past: tuple[str, ...] = ()  # RUN@STEP: earlier checkpoints of runs


def warm_up(elsewhere: Sequence[Path], _control: RunControl) -> Iterator[object]:
    """Import torch and Pillow; find the device, the models and the runs, also in the folders `elsewhere`."""
    yield Progress("Loading PyTorch", 0, 0)
    load_libraries("torch")
    import_interruptibly("PIL.Image")
    from ml.registry import model_cards
    from ml.system.device import choose_device
    from ml.tracking import run_index

    device = choose_device()
    on_gpu = device.torch_device.type != "cpu"
    curves = tuple(run_index.runs_with_curves())
    cards = model_cards.cards()
    past = tuple(f"{card.name}@{int(path.stem)}" for card in cards for path in model_cards.snapshots(card.name))
    yield Ready(device.reason, on_gpu, tuple(cards), tuple(run_index.unfinished_runs(elsewhere)), curves, past)
