"""The state of one training run: its steps, what it reports, and all of it on disk."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ml.cancellation import cancellable
from ml.config import SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data.dataset import Dataset
from ml.distributed import collectives
from ml.distributed.collectives import Order, Outcome
from ml.errors import BadFile, BadRequest, Diverged, is_out_of_memory
from ml.events import Frame, Preview, TrainStep, Validated
from ml.generation import loaded_model, pipeline
from ml.models import build
from ml.models.interruptible import interruptible
from ml.models.weights import agree, fit, halved
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, StateHeader, load_model, load_state, save
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, SNAPSHOTS, STATE_FILE
from ml.specs import DRAWING
from ml.system.device import Device, bf16_is_native, tune
from ml.system.files import atomic, make_folder
from ml.tracking.loss_curve import LossCurve
from ml.tracking.run_folder import RunFolder
from ml.training.ema import PowerEma
from ml.training.loss_by_noise import LossByNoise
from ml.training.losses import NoisedBatch
from ml.training.lr_schedule import lr_factor
from ml.training.objectives.base import parts
from ml.training.objectives.registry import objective_of
from ml.training.optimizers import Learner, under
from ml.training.previews import PREVIEW_SEED, PREVIEW_STEPS, preview_labels

SLOWER = 0.25  # of the learning rate, each time that the run has diverged
NOISE_EVERY_S = 1.0
HELD_OUT_SEED = 7
FIRST_SNAPSHOT = 100  # steps
LEAST_BF16 = 16  # images of a batch, below which the conversions take what bfloat16 gains


class Run:
    """The state of one training run."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        device: Device,
        dataset: Dataset,
        built_on: Mapping[str, dict[str, Tensor]] = MappingProxyType({}),
        held_out: Dataset | None = None,
    ) -> None:
        self.config, self.device = config, device
        self.place = RunFolder(folder)
        where = device.torch_device
        tune(where)
        if config.model.num_classes < len(dataset.classes) and (config.model.num_classes or not self.draws):
            raise BadRequest(
                f"{dataset.name} has {len(dataset.classes)} classes, the model knows {config.model.num_classes}.",
                f"Set model.num_classes to {len(dataset.classes)}" + (", or to 0 for none." if self.draws else "."),
            )
        torch.manual_seed(config.seed)  # the initial weights
        network = build(config.model)
        for name, weights in built_on.items():
            network.get_submodule(name).load_state_dict(weights)
        if config.teacher_from:
            fit(network, load_model(model_cards.find(config.teacher_from))[1], config.teacher_from)
        self.network = interruptible(network.to(where).to(memory_format=torch.channels_last), where)
        self.objective = objective_of(config, dataset, where)
        self.ema = PowerEma(self.network, config.ema_gamma)
        self.learner = Learner(self.network, config)
        self.learners = {"": self.learner, **self.objective.learners}
        self._held_out = objective_of(config, held_out, where) if held_out else None
        self._held_out_count = len(held_out) if held_out else 0
        self.rng = torch.Generator(where).manual_seed(config.seed)
        self.bf16 = config.precision == "bf16" or (
            config.precision == "auto" and config.batch_size >= LEAST_BF16 and bf16_is_native(where)
        )
        self.curve = LossCurve(self.place.losses)
        self.by_noise = LossByNoise(where)
        self.count = len(dataset)
        self.step = 0
        self.elapsed_s = 0.0  # at work: without pauses and saving
        self.saved_step = 0
        self.stuck = False  # its folder cannot be written in
        self.leaving = False  # because one of several processes is told to stop
        self.slowed = 0  # times that it diverged and went on with a lower learning rate
        self.parts = config.accumulate
        self._order: tuple[int, Tensor] | None = None
        self._fresh: list[tuple[float, Tensor, Tensor]] = []  # learning rate, loss and gradient norm, not fetched yet
        self._unreported: list[float] = []
        self._taken_at = 0.0
        self._noise_at = 0.0
        self._last = (0.0, 0.0, 0.0)  # learning rate, gradient norm, images per second

    @property
    def folder(self) -> Path:
        return self.place.path

    @property
    def draws(self) -> bool:
        """Whether this is a diffusion model, rather than one that helps them."""
        return self.config.model.network in DRAWING

    @property
    def can_validate(self) -> bool:
        """Whether there are images to try the averaged weights on."""
        return self._held_out is not None

    @property
    def has_news(self) -> bool:
        """Whether there were steps since the last report."""
        return bool(self._fresh or self._unreported)

    @property
    def lr(self) -> float:
        """The highest learning rate, as it is by now."""
        return self.config.lr * self.learner.share

    def _slow(self, times: int) -> None:
        """Have everything learn more slowly, as after that many divergences."""
        self.slowed = times
        for learner in self.learners.values():
            learner.share = SLOWER**times

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    @property
    def total_steps(self) -> int | None:
        """The budget in steps, or None if it is a time."""
        if self.config.epochs is not None:
            return max(1, math.ceil(self.config.epochs * self.count / self.config.batch_size))
        return self.config.steps

    @property
    def progress(self) -> float:
        """The share of the budget that is used up, 0 to 1."""
        if self.total_steps is not None:
            return self.step / self.total_steps
        return min(self.elapsed_s / (60 * (self.config.minutes or math.inf)), 1.0)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Counts the time the block takes."""
        began = time.perf_counter()
        yield
        self.elapsed_s += time.perf_counter() - began

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Counts the time the block takes, but not as that of steps."""
        before = self.elapsed_s
        with self._working():
            yield
        self._taken_at += self.elapsed_s - before

    def advance(self) -> None:
        """One optimiser step, which has not been where it is stopped.

        Its loss stays on the device, which may still be at it, until `report` or `save`.
        """
        collectives.order(Order.STEP, self.progress)
        with self._working():
            self._fresh.append(self.advance_at(self.progress))

    def advance_at(self, progress: float) -> tuple[float, Tensor, Tensor]:
        """One optimiser step of all processes, at that progress: its learning rate, loss and gradient norm."""
        alone = not self.objective.learners  # what others have learnt in a step cannot be undone
        with nullcontext() if alone else cancellable(RunControl()):
            loss = self._backward_as_memory_allows()
        lr = self.config.lr * lr_factor(self.config, progress)
        norm = self.learner.step(lr)
        self.step += 1
        self.ema.update(self.network, self.step)
        return lr * self.learner.share, loss, norm.detach()

    def _backward_as_memory_allows(self) -> Tensor:
        """`_backward` of all processes, with the batch in twice as many parts each time that one lacks the memory.

        Gradients and loss are those of the whole batch. Where that fails or is stopped, all is as it was.
        """
        before = [buffer.clone() for buffer in self.network.buffers()], self.rng.get_state(), self._dropout_rng()
        try:
            while True:
                by_noise = LossByNoise(self.device.torch_device)
                loss, outcome, error = self._attempt(by_noise)
                outcome = collectives.settle(outcome, error)
                if outcome is not Outcome.NO_ROOM:
                    break
                self.parts = min(2 * max(self.parts, collectives.size()), self.config.batch_size)
                self._begin_again(*before)
                if self.device.torch_device.type == "cuda":
                    torch.cuda.empty_cache()
            gradients = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
            collectives.total([*gradients, loss, by_noise.sums])
        except Exception:
            self._begin_again(*before)
            raise
        self.leaving = outcome is Outcome.LEAVING
        self.by_noise.sums += by_noise.sums
        return loss

    def _begin_again(self, buffers: list[Tensor], rng: Tensor, dropout_rng: Tensor) -> None:
        """Back to before a step that did not come to its end."""
        self.network.zero_grad(set_to_none=True)
        for buffer, before in zip(self.network.buffers(), buffers, strict=True):
            buffer.copy_(before)
        self.rng.set_state(rng)
        self._set_dropout_rng(dropout_rng)

    def _attempt(self, by_noise: "LossByNoise") -> tuple[Tensor, Outcome, Exception | None]:
        """The loss of `_backward`, and how that went."""
        try:
            return self._backward(by_noise), Outcome.LEAVING if self.leaving else Outcome.FINE, None
        except Exception as error:
            splits = self.objective.divisible and self.parts < self.config.batch_size
            if splits and is_out_of_memory(error):
                return torch.zeros(()), Outcome.NO_ROOM, None  # not the error, which holds on to the memory
            return torch.zeros(()), Outcome.FAILED, error

    def _backward(self, by_noise: "LossByNoise") -> Tensor:
        """Gradients of this process's share of the next batch's mean loss, which is returned; in parts, to fit.

        Chance is drawn for the whole batch, so that shares and parts change nothing but the order of a sum.
        """
        chosen = self._next_indices()
        count = math.ceil(self.parts / collectives.size()) if self.objective.divisible else 1
        total = torch.zeros((), device=self.device.torch_device)
        with self._precision():
            batch = self.objective.draw(self.network, chosen, self.rng)
        share = list(parts(batch, collectives.size()))[collectives.rank()]
        for part in parts(share, count):
            with self._precision():
                losses = self.objective.losses(self.network, part, self.rng)
            mean = losses.mean() * (len(part[0]) / len(chosen))
            mean.backward()
            total += mean.detach()
            if isinstance(part, NoisedBatch):
                by_noise.add(part.noise, losses.detach())
        return total

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.torch_device.type, torch.bfloat16, enabled=self.bf16)

    def _next_indices(self) -> Tensor:
        """The next batch of a walk through shuffled epochs, each with an order that follows from seed and epoch."""
        size, count = self.config.batch_size, self.count
        start = self.step * size
        parts: list[Tensor] = []
        while size > 0:
            epoch, offset = divmod(start, count)
            if self._order is None or self._order[0] != epoch:
                rng = torch.Generator().manual_seed((self.config.seed * 1_000_003 + epoch) % 2**63)
                self._order = (epoch, torch.randperm(count, generator=rng).to(self.device.torch_device))
            part = self._order[1][offset : offset + size]
            parts.append(part)
            start, size = start + len(part), size - len(part)
        return torch.cat(parts)

    def report(self) -> TrainStep:
        """The state of the run since the last report, for its tables too (see `write`); raises Diverged."""
        self._take_losses()
        losses, self._unreported = self._unreported, []
        remaining = self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9)
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
            self.place.noise.add(event.step, *(f"{loss:.5g}" for loss in event.by_noise))
        return event

    def _loss_by_noise(self) -> tuple[float, ...]:
        """The loss at each noise level since the last time it was told; nothing where that is not long ago."""
        if self.elapsed_s - self._noise_at < NOISE_EVERY_S and self.progress < 1:
            return ()
        self._noise_at = self.elapsed_s
        return self.by_noise.take()

    @torch.no_grad()
    def validate(self) -> Validated:
        """The averaged weights' loss on images that are not trained on, with the same noise every time."""
        assert self._held_out is not None
        where = self.device.torch_device
        rng = torch.Generator(where).manual_seed(HELD_OUT_SEED)
        chosen = torch.arange(self._held_out_count, device=where)
        with self._looking(), self._precision():
            batch = self._held_out.draw(self.ema.network, chosen, rng)
            count = self.parts if self.objective.divisible else 1
            losses = [self._held_out.losses(self.ema.network, part, rng).flatten() for part in parts(batch, count)]
        loss = float(torch.cat(losses).mean())
        self.place.validation.add(self.step, f"{loss:.6g}")
        return Validated(self.step, loss)

    def _take_losses(self) -> None:
        """Fetch the losses that are still on the device, and add them to the curve; raises Diverged."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        with self._working():  # here the device catches up
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
        """Digits from one fixed noise by the averaged weights, one per class (or ten of no class)."""
        labels = preview_labels(self.config.model)
        quick = self.config.defaults.with_changes(steps=min(self.config.defaults.steps, PREVIEW_STEPS))
        request = SampleRequest(**quick.model_dump(), labels=labels, seed=PREVIEW_SEED)
        model = loaded_model.LoadedModel("run", self.header(), self.ema.network, self.device.torch_device, "")
        with self._looking():
            *frames, _ = pipeline.sample_with(model, request, RunControl())
        film = np.stack([frame.x_t for frame in frames if isinstance(frame, Frame)])
        return Preview(self.step, film[-1], labels, film)

    def header(self) -> ModelHeader:
        """What the model file says of its training."""
        config = self.config
        return ModelHeader(
            name=config.name,
            model=config.model,
            defaults=config.defaults,
            data=config.data,
            teacher=config.teacher_from,
            device=self.device.name,
            steps=self.step,
            images=self.step * config.batch_size,
            seconds=round(self.elapsed_s, 1),
        )

    def snapshot(self) -> None:
        """Write the model as it is now, beside those of other steps, to be compared with them; raises CannotWrite."""
        weights = halved(self.ema.network.state_dict())
        save(make_folder(self.folder / SNAPSHOTS) / f"{self.step:08d}.safetensors", weights, self.header())

    @property
    def snapshot_due(self) -> bool:
        """At FIRST_SNAPSHOT steps, and whenever they have doubled: early on much changes, later little."""
        times = self.step // FIRST_SNAPSHOT
        return self.draws and times > 0 and self.step % FIRST_SNAPSHOT == 0 and times & (times - 1) == 0

    def save(self) -> None:
        """Write the state to resume from and the model to sample from.

        Raises CannotWrite, and Diverged for weights that are no numbers any more; the old files stay whole.
        """
        self._save_state()
        weights = self.ema.network.state_dict()
        if self.config.file_precision == "fp16":
            weights = halved(weights)
        save(self.folder / MODEL_FILE, weights, self.header())

    def begin(self) -> None:
        """Write a state to resume from before the first step, so that there always is one; raises CannotWrite."""
        self._save_state()

    def _save_state(self) -> None:
        self._take_losses()
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise Diverged(f"The weights are no numbers any more at step {self.step}.")
        self.place.write()  # first, so that the tables hold all there was up to the state
        with atomic(self.folder / CONFIG_FILE) as path:
            path.write_text(self.config.model_dump_json(indent=1), encoding="utf-8")
        save(self.folder / STATE_FILE, self._tensors(), self._state())
        self.saved_step = self.step

    def _state(self) -> StateHeader:
        return StateHeader(
            config=self.config,
            step=self.step,
            images=self.step * self.config.batch_size,
            elapsed_s=self.elapsed_s,
            smooth_loss=self.curve.smooth,
            scale=self.curve.scale,
            since_row=tuple(self.curve.since_row),
            slowed=self.slowed,
            parts=self.parts,
            progress=self.progress,
        )

    def _tensors(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""
        tensors = {"rng": self.rng.get_state(), "rng.dropout": self._dropout_rng()}
        tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.network.state_dict().items()}
        for prefix, learner in self.learners.items():
            tensors |= {f"{prefix}{name}": tensor for name, tensor in learner.tensors().items()}
        return tensors

    def restore(self) -> None:
        """Go on from the folder's checkpoint; raises BadFile."""
        path = self.folder / STATE_FILE
        state, tensors = load_state(path)
        self._clear(state)
        expected = self._tensors()
        if "rng" in tensors and tensors["rng"].shape != expected["rng"].shape:
            raise BadFile(
                f"{path} was not saved on this kind of device ({self.device.name}), whose random numbers differ.",
                "Resume it with the --device it was trained on; its model can be sampled everywhere.",
            )
        agree(expected, tensors, str(path))
        try:
            self._put_back(state, tensors)
        except RuntimeError as error:
            raise BadFile(
                f"{path} cannot be resumed from ({error}).", "Its model can still be sampled; start a new run."
            ) from error

    def share(self) -> None:
        """Have all processes stand where the leader stands; nothing where there are no others. Raises LostProcess."""
        if collectives.size() == 1:
            return
        collectives.order(Order.STATE)
        state = StateHeader.model_validate_json(collectives.told(self._state().model_dump_json().encode()))
        tensors = collectives.spread(self._tensors())
        if not collectives.leads():
            self._clear(state)
            self._put_back(state, tensors)
            torch.manual_seed((state.config.seed + state.step) * collectives.size() + collectives.rank())  # of dropout

    def _clear(self, state: StateHeader) -> None:
        for learner in self.learners.values():
            learner.clear(stepped=state.step > 0)

    def _put_back(self, state: StateHeader, tensors: dict[str, Tensor]) -> None:
        self.ema.network.load_state_dict(under("ema.", tensors))
        for prefix, learner in self.learners.items():
            learner.restore(under(prefix, tensors))
        self.rng.set_state(tensors["rng"])
        self._set_dropout_rng(tensors["rng.dropout"])
        self.step, self.elapsed_s, self.saved_step = state.step, state.elapsed_s, state.step
        self._slow(state.slowed)
        self.parts = max(self.config.accumulate, state.parts)
        self.curve.smooth, self.curve.scale, self.curve.since_row = state.smooth_loss, state.scale, [*state.since_row]
        self._taken_at = self.elapsed_s

    def step_back(self) -> None:
        """Go back to the last checkpoint, and on with a lower learning rate; raises BadFile."""
        slowed, split = self.slowed + 1, self.parts
        self._fresh.clear()
        self._unreported.clear()
        self.by_noise.take()
        self.restore()
        self._slow(slowed)
        self.parts = split
        self.share()

    def _dropout_rng(self) -> Tensor:
        where = self.device.torch_device
        return torch.cuda.get_rng_state(where) if where.type == "cuda" else torch.get_rng_state()

    def _set_dropout_rng(self, state: Tensor) -> None:
        where = self.device.torch_device
        torch.cuda.set_rng_state(state, where) if where.type == "cuda" else torch.set_rng_state(state)
