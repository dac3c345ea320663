"""One training run: its network, its steps, its reports and its files."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ml.cancellation import cancellable
from ml.config import TrainConfig
from ml.control import RunControl
from ml.data.dataset import Dataset
from ml.distributed import collectives
from ml.errors import BadRequest, Diverged
from ml.evaluation.metrics import Reference
from ml.events import Preview, TrainStep, Validated
from ml.models import build
from ml.models.interruptible import interruptible
from ml.models.weights import for_drawing, to_half
from ml.registry.checkpoint import DataRecord, ModelHeader, StateHeader, save
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, SNAPSHOTS
from ml.specs import DRAWING
from ml.system.device import Device, bf16_is_native, random_numbers, tune
from ml.system.files import atomic, make_folder
from ml.tracking.loss_curve import LossCurve
from ml.tracking.run_folder import RunFolder
from ml.training import previews
from ml.training.ema import PowerEma
from ml.training.loss_by_noise import LossByNoise
from ml.training.lr_schedule import lr_factor
from ml.training.microbatch import Microbatches
from ml.training.objectives.registry import objective_of
from ml.training.optimizers import Learner
from ml.training.rng import ShuffledEpochs
from ml.training.run_state import RunState

LR_REDUCTION = 0.25  # factor of the learning rate at each divergence
NOISE_EVERY_S = 1.0
FIRST_SNAPSHOT = 100  # steps
EMA_HEAD_START = 100  # steps that weights of before count as: of the average 1.6 % after 100 more, 0.1 % after 200
LEAST_BF16 = 16  # images of a batch; with fewer, conversions cost what bfloat16 gains


class Run:
    """The state of one training run; in several processes each has one, and rank 0 alone reports and writes."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        device: Device,
        dataset: Dataset,
        built_on: Mapping[str, dict[str, Tensor]] = MappingProxyType({}),
        held_out: Dataset | None = None,
        data: DataRecord | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.config, self.device = config, device
        self.run_folder = RunFolder(folder)
        where = device.torch_device
        tune()
        if config.model.num_classes < len(dataset.classes) and (config.model.num_classes or not self.is_diffusion):
            none = ", or to 0 for none" if self.is_diffusion else ""
            raise BadRequest(
                f"{dataset.name} has {len(dataset.classes)} classes, the model knows {config.model.num_classes}.",
                f"Set model.num_classes to {len(dataset.classes)}{none}.",
            )
        torch.manual_seed(config.seed)  # the initial weights
        network = build(config.model)
        for name, weights in built_on.items():
            network.get_submodule(name).load_state_dict(weights)
        self.network = interruptible(network.to(where).to(memory_format=torch.channels_last), where)
        self.objective = objective_of(config, dataset, where)
        self.ema = PowerEma(self.network, config.ema_gamma, EMA_HEAD_START if config.begin_with else 0)
        self.learner = Learner(self.network, config)
        self.learners = {"": self.learner, **self.objective.learners}
        unchanged = config.with_changes(mirror=False, augment_share=0)
        self._held_out = (objective_of(unchanged, held_out, where), held_out) if held_out else None
        self.rng = torch.Generator(where).manual_seed(config.seed)
        self.bf16 = config.precision == "bf16" or (
            config.precision == "auto" and config.batch_size >= LEAST_BF16 and bf16_is_native(where)
        )
        on_gpu = where.type == "cuda"
        self._random_numbers: AbstractContextManager[object] = random_numbers if on_gpu else nullcontext()
        self.batches = ShuffledEpochs(config.seed, len(dataset), config.batch_size, where)
        self.microbatches = Microbatches(self.network, self.objective, self.rng, where, bf16=self.bf16)
        self.microbatches.parts = config.accumulate
        self.state = RunState(self.ema, self.learners, self.rng, device)
        self.curve = LossCurve(self.run_folder.losses)
        self.by_noise = LossByNoise(where)
        self.count = len(dataset)
        self.classes = dataset.classes
        self.data = data
        self.reference = reference  # what its images are scored against; None where they are not
        self.step = 0
        self.elapsed_s = 0.0  # at work: without pauses and saving
        self.saved_step = 0
        self.stopped = False  # it ended on purpose
        self.budget_step, self.budget_s = 0, 0.0  # where the budget began: above 0 for one that was added
        self.write_blocked = False  # its folder cannot be written to
        self.lr_reductions = 0  # times that it diverged and continued with a lower learning rate
        self._fresh: list[tuple[float, Tensor, Tensor]] = []  # learning rate, loss and gradient norm, not fetched yet
        self._unreported: list[float] = []
        self._taken_at = 0.0
        self._noise_at = 0.0
        self._last = (0.0, 0.0, 0.0)  # learning rate, gradient norm, images per second

    @property
    def folder(self) -> Path:
        return self.run_folder.path

    @property
    def is_diffusion(self) -> bool:
        """Whether this is a diffusion model, rather than a helper of one, such as a judge or a codec."""
        return self.config.model.network in DRAWING

    @property
    def can_validate(self) -> bool:
        """Whether there are held-out images for the averaged weights."""
        return self._held_out is not None

    @property
    def has_unreported_steps(self) -> bool:
        """Whether there were steps since the last report."""
        return bool(self._fresh or self._unreported)

    @property
    def parts(self) -> int:
        """The number of parts that a batch is computed in."""
        return self.microbatches.parts

    @property
    def lr(self) -> float:
        """The highest learning rate of the run from now on."""
        return self.config.lr * self.learner.share

    def _reduce_lr(self, times: int) -> None:
        """Reduce all learning rates as after that many divergences."""
        self.lr_reductions = times
        for learner in self.learners.values():
            learner.share = LR_REDUCTION**times

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    @property
    def total_steps(self) -> int | None:
        """The step at which the budget is used up, or None if it is a time."""
        steps = self.config.steps
        if self.config.epochs is not None:
            steps = max(1, math.ceil(self.config.epochs * self.count / self.config.batch_size))
        return None if steps is None else self.budget_step + steps

    @property
    def progress(self) -> float:
        """The share of the budget that is used up, 0 to 1."""
        if self.total_steps is not None:
            return (self.step - self.budget_step) / (self.total_steps - self.budget_step)
        return min((self.elapsed_s - self.budget_s) / (60 * (self.config.minutes or math.inf)), 1.0)

    def train_longer(self) -> None:
        """Begin the budget at this step, for a run that had ended; the learning rate rises and falls again over it."""
        self.budget_step, self.budget_s = self.step, self.elapsed_s

    def synchronize_time(self) -> None:
        """Set the elapsed time to that of the slowest process, for a budget in minutes. Raises LostProcess."""
        if self.total_steps is None:
            self.elapsed_s = collectives.maximum(self.elapsed_s)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Add the duration of the block to the elapsed time."""
        began = time.perf_counter()
        yield
        self.elapsed_s += time.perf_counter() - began

    @contextmanager
    def _between_steps(self) -> Iterator[None]:
        """Add the duration of the block to the elapsed time, but not to that of the steps."""
        before = self.elapsed_s
        with self._working():
            yield
        self._taken_at += self.elapsed_s - before

    def train_step(self) -> None:
        """One optimizer step; if it is cancelled, all state is as before.

        Its loss stays on the device, which may still compute it, until `report` or `save`.
        """
        with self._working(), self._random_numbers:
            lr_share = lr_factor(self.config, self.progress)
            undoable = not self.objective.learners  # a step of a critic cannot be undone
            with nullcontext() if undoable else cancellable(RunControl()):
                loss, by_noise = self.microbatches.backward(self.batches.batch(self.step))
            lr = self.config.lr * lr_share
            norm = self.learner.step(lr)
            self.step += 1
            self.ema.update(self.network, self.step)
            if collectives.is_main():
                self.by_noise.sums += by_noise.sums
                self._fresh.append((lr * self.learner.share, loss, norm.detach()))

    def report(self) -> TrainStep:
        """The state of the run since the last report, for its tables too (see `write`). Raises Diverged."""
        self._take_losses()
        losses, self._unreported = self._unreported, []
        remaining = (self.elapsed_s - self.budget_s) * (1 - self.progress) / max(self.progress, 1e-9)
        event = TrainStep(
            self.step,
            self.total_steps,
            sum(losses) / len(losses),
            self.curve.smooth or 0.0,
            *self._last,
            self.elapsed_s,
            max(remaining, 0.0),
            self._loss_by_noise(),
        )
        if event.by_noise:
            self.run_folder.noise.add(event.step, *(f"{loss:.5g}" for loss in event.by_noise))
        return event

    def _loss_by_noise(self) -> tuple[float, ...]:
        """The loss at each noise level since the last report of it; empty within NOISE_EVERY_S of that."""
        if self.elapsed_s - self._noise_at < NOISE_EVERY_S and self.progress < 1:
            return ()
        self._noise_at = self.elapsed_s
        return self.by_noise.take()

    def validate(self) -> Validated:
        """The loss of the averaged weights on held-out images, with the same noise every time."""
        assert self._held_out is not None
        objective, dataset = self._held_out
        with self._between_steps(), self.microbatches.precision():
            count = self.parts if objective.divisible else 1
            loss = previews.held_out_loss(self.ema.network, objective, dataset, self.device.torch_device, count)
        self.run_folder.validation.add(self.step, f"{loss:.6g}")
        return Validated(self.step, loss)

    def _take_losses(self) -> None:
        """Fetch the losses that are still on the device, and add them to the curve. Raises Diverged."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        with self._working():  # waits for the device
            losses: list[float] = torch.stack([loss for _, loss, _ in fresh]).tolist()
            norms: list[float] = torch.stack([norm for _, _, norm in fresh]).tolist()
        rate = len(fresh) * self.config.batch_size / max(self.elapsed_s - self._taken_at, 1e-9)
        self._taken_at = self.elapsed_s
        self._last = (fresh[-1][0], norms[-1], rate)
        first = self.step - len(fresh) + 1
        for step, (lr, *_), loss, norm in zip(range(first, self.step + 1), fresh, losses, norms, strict=True):
            self.curve.add(step, loss, lr, norm, self.elapsed_s, rate)
            self._unreported.append(loss)

    def preview(self) -> Preview:
        """Images from one fixed noise by the averaged weights."""
        with self._between_steps():
            return previews.preview(self.ema.network, self.header(), self.device.torch_device)

    def header(self) -> ModelHeader:
        """The description of the model in its file, which has no weights for augmentation."""
        config = self.config
        return ModelHeader(
            name=config.name,
            model=config.model.with_changes(augment_inputs=0) if config.augments else config.model,
            defaults=config.defaults,
            data=config.data,
            fit=config.fit,
            ground=config.ground,
            classes=self.classes if config.model.num_classes else (),
            teacher=config.teacher_from,
            begun_with=config.begin_with,
            device=self.device.name,
            steps=self.step,
            images=self.step * config.batch_size,
            seconds=round(self.elapsed_s, 1),
        )

    def snapshot(self) -> None:
        """Write the model as it is now, beside those of other steps, for comparison. Raises CannotWrite."""
        is_model = self.reference is not None and self.progress >= 1  # which may be taken back
        path = make_folder(self.folder / SNAPSHOTS) / f"{self.step:08d}.safetensors"
        save(path, self._weights(half=not is_model or self.config.file_precision == "fp16"), self.header())

    def _weights(self, *, half: bool) -> dict[str, Tensor]:
        """The averaged weights of the network that draws."""
        weights = for_drawing(self.ema.network.state_dict())
        return to_half(weights) if half else weights

    @property
    def snapshot_due(self) -> bool:
        """Whether the step is FIRST_SNAPSHOT times a power of 2: a model changes most early on."""
        times = self.step // FIRST_SNAPSHOT
        return self.is_diffusion and times > 0 and self.step % FIRST_SNAPSHOT == 0 and times & (times - 1) == 0

    def save(self) -> None:
        """Write the state to resume from and the model to sample from.

        Raises CannotWrite, and Diverged for weights that are not finite; the old files then stay unchanged.
        """
        self._save_state()
        save(self.folder / MODEL_FILE, self._weights(half=self.config.file_precision == "fp16"), self.header())

    def begin(self) -> None:
        """Write a state to resume from before the first step, so that there always is one. Raises CannotWrite."""
        self._save_state()

    def _save_state(self) -> None:
        self._take_losses()
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise Diverged(f"The weights became NaN or infinite at step {self.step}.")
        self.run_folder.write()  # first, so that the tables have every row up to the state
        with atomic(self.folder / CONFIG_FILE) as path:
            path.write_text(self.config.model_dump_json(indent=1), encoding="utf-8")
        self.state.write(self.folder, self._state_header())
        self.saved_step = self.step

    def _state_header(self) -> StateHeader:
        return StateHeader(
            config=self.config,
            step=self.step,
            images=self.step * self.config.batch_size,
            elapsed_s=self.elapsed_s,
            smooth_loss=self.curve.smooth,
            scale=self.curve.scale,
            since_row=tuple(self.curve.since_row),
            slowed=self.lr_reductions,
            parts=self.parts,
            progress=self.progress,
            data=self.data,
            stopped=self.stopped,
            budget_step=self.budget_step,
            budget_s=self.budget_s,
        )

    def restore(self) -> None:
        """Continue from the folder's checkpoint. Raises BadFile."""
        self._count_from(self.state.read(self.folder))

    def share(self) -> None:
        """Give all processes the state of rank 0. Raises FailedElsewhere, LostProcess."""
        if collectives.size() > 1:
            self._count_from(self.state.share(self._state_header()))

    def _count_from(self, header: StateHeader) -> None:
        self.step, self.elapsed_s, self.saved_step = header.step, header.elapsed_s, header.step
        self.budget_step, self.budget_s = header.budget_step, header.budget_s
        self._reduce_lr(header.slowed)
        self.microbatches.parts = max(self.config.accumulate, header.parts)
        self.curve.smooth, self.curve.scale = header.smooth_loss, header.scale
        self.curve.since_row = [*header.since_row]
        self._taken_at = self.elapsed_s

    def step_back(self) -> None:
        """Go back to the last checkpoint, and continue with a lower learning rate. Raises BadFile, LostProcess."""
        reductions, parts = self.lr_reductions + 1, self.parts
        self._fresh.clear()
        self._unreported.clear()
        self.by_noise.take()
        if collectives.is_main():
            self.restore()
        self._reduce_lr(reductions)
        self.microbatches.parts = parts
        self.share()
