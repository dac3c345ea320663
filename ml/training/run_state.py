"""The checkpoint of a run: reading, writing and sharing of all that a resumed run needs."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ml.distributed import collectives
from ml.errors import BadFile
from ml.models.weights import check_weights
from ml.registry.checkpoint import StateHeader, load_state, save
from ml.registry.run_layout import STATE_FILE
from ml.system.device import Device
from ml.training.ema import PowerEma
from ml.training.optimizers import Learner, under
from ml.training.rng import dropout_rng, set_dropout_rng


class RunState:
    """The tensors of a run: averaged weights, learners and random states. A StateHeader has its counters."""

    def __init__(self, ema: PowerEma, learners: Mapping[str, Learner], rng: torch.Generator, device: Device) -> None:
        self._ema, self._learners, self._rng, self._device = ema, learners, rng, device

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that a resumed run needs, by name."""
        tensors = {"rng": self._rng.get_state(), "rng.dropout": dropout_rng(self._device.torch_device)}
        tensors |= {f"ema.{name}": tensor for name, tensor in self._ema.network.state_dict().items()}
        for prefix, learner in self._learners.items():
            tensors |= {f"{prefix}{name}": tensor for name, tensor in learner.tensors().items()}
        return tensors

    def write(self, folder: Path, header: StateHeader) -> None:
        """Write the checkpoint of a run's folder. Raises CannotWrite; the old one then stays unchanged."""
        save(folder / STATE_FILE, self.tensors(), header)

    def read(self, folder: Path) -> StateHeader:
        """Restore the checkpoint of a run's folder. Raises BadFile."""
        path = folder / STATE_FILE
        header, tensors = load_state(path)
        self._clear(header)
        expected = self.tensors()
        if "rng" in tensors and tensors["rng"].shape != expected["rng"].shape:
            raise BadFile(
                f"{path} was not saved on this kind of device ({self._device.name}), whose random numbers differ.",
                "Resume it with the --device it was trained on; its model can be sampled everywhere.",
            )
        check_weights(expected, tensors, str(path))
        try:
            self._restore(tensors)
        except RuntimeError as error:
            raise BadFile(
                f"{path} cannot be resumed from ({error}).", "Its model can still be sampled; start a new run."
            ) from error
        return header

    def share(self, header: StateHeader) -> StateHeader:
        """Give all processes the state of rank 0, whose header is returned. Raises FailedElsewhere, LostProcess."""
        header = StateHeader.model_validate_json(collectives.broadcast(header.model_dump_json().encode()))
        tensors = collectives.broadcast_tensors(self.tensors())
        if not collectives.is_main():
            self._clear(header)
            self._restore(tensors)
            seed = header.config.seed + header.step
            torch.manual_seed(seed * collectives.size() + collectives.rank())  # each process has dropout of its own
        return header

    def _clear(self, header: StateHeader) -> None:
        for learner in self._learners.values():
            learner.clear(stepped=header.step > 0)

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self._ema.network.load_state_dict(under("ema.", tensors))
        for prefix, learner in self._learners.items():
            learner.restore(under(prefix, tensors))
        self._rng.set_state(tensors["rng"])
        set_dropout_rng(self._device.torch_device, tensors["rng.dropout"])
