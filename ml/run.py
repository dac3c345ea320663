"""The state of one training run: its steps, what it reports, and all of it on disk."""

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ml import data, library, pipeline, time_machine
from ml.checkpoint import (
    MODEL_FILE,
    SNAPSHOTS,
    STATE_FILE,
    ModelHeader,
    StateHeader,
    agree,
    fit,
    halved,
    load_model,
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save,
)
from ml.config import DRAWING, NO_LABEL, ModelConfig, SampleRequest, TrainConfig
from ml.control import RunControl
from ml.device import Device, bf16_is_fast, tune
from ml.ema import PowerEma
from ml.errors import BadFile, BadRequest, Diverged
from ml.events import Frame, Preview, TrainStep, Validated
from ml.files import atomic, make_folder
from ml.losses import Noised
from ml.models import build
from ml.objectives import objective_of, parts
from ml.optim import Optimizer, lr_factor
from ml.tables import (
    LOSS_COLUMNS,
    LOSS_FILE,
    NOISE_COLUMNS,
    NOISE_FILE,
    NOISE_LEVELS,
    VALIDATION_COLUMNS,
    VALIDATION_FILE,
    Table,
)

CONFIG_FILE = "config.json"
SMOOTHING_STEPS = 100
PREVIEW_SEED = 1
PREVIEW_STEPS = 10  # at most: a preview is a glance, and every one of them holds the training up
NOISE_EVERY_S = 1.0
HELD_OUT_SEED = 7
FIRST_SNAPSHOT = 100  # steps


def preview_labels(model: ModelConfig) -> tuple[int, ...]:
    """What previews are of: one digit of each class, or ten of no class."""
    return tuple(range(min(model.num_classes, 10))) or (NO_LABEL,) * 10


class Run:
    """The state of one training run."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        device: Device,
        dataset: data.Dataset,
        built_on: Mapping[str, dict[str, Tensor]] = MappingProxyType({}),
        held_out: data.Dataset | None = None,
    ) -> None:
        self.config, self.folder, self.device = config, folder, device
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
            fit(network, load_model(library.find(config.teacher_from))[1], config.teacher_from)
        self.network = network.to(where).to(memory_format=torch.channels_last)
        self.ema = PowerEma(self.network, config.ema_gamma)
        self.optimizer = Optimizer(self.network, config)
        self.objective = objective_of(config, dataset, where)
        self._held_out = objective_of(config, held_out, where) if held_out else None
        self._held_out_count = len(held_out) if held_out else 0
        self.rng = torch.Generator(where).manual_seed(config.seed)
        self.bf16 = config.precision == "bf16" or (
            config.precision == "auto" and config.batch_size >= 32 and bf16_is_fast(where)
        )
        self.losses = Table(folder / LOSS_FILE, LOSS_COLUMNS)
        self.noise = Table(folder / NOISE_FILE, NOISE_COLUMNS)
        self.validation = Table(folder / VALIDATION_FILE, VALIDATION_COLUMNS)
        self.by_noise = LossByNoise(where)
        self.count = len(dataset)
        self.step = 0
        self.elapsed_s = 0.0  # at work: without pauses, previews and saving
        self.smooth_loss: float | None = None
        self._order: tuple[int, Tensor] | None = None
        self._fresh: list[Tensor] = []  # losses not fetched yet
        self._unreported: list[float] = []
        self._reported_at = 0.0
        self._noise_at = 0.0
        self._last = (0.0, 0.0)  # learning rate, gradient norm

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
        return self.elapsed_s / (60 * (self.config.minutes or math.inf))

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Counts the time the block takes."""
        began = time.perf_counter()
        yield
        self.elapsed_s += time.perf_counter() - began

    def advance(self) -> None:
        """One optimiser step. Its loss stays on the device, which may still be at it, until `report` or `save`."""
        with self._working():
            self._advance()

    def _advance(self) -> None:
        config = self.config
        loss = self._backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.grad_clip or math.inf)
        lr = config.lr * lr_factor(config, self.progress)
        self.optimizer.step(lr)
        self.network.zero_grad(set_to_none=True)
        self.step += 1
        self.ema.update(self.network, self.step)
        self._last = (lr, self._last[1] if self.has_news else float(norm))  # reading the norm waits for the device
        self._fresh.append(loss)

    def _backward(self) -> Tensor:
        """Gradients of the next batch's mean loss, which is returned; in parts where it is too large to hold at once.

        Chance is drawn for the whole batch, so that the parts change nothing but the order of a sum.
        """
        chosen = self._next_indices()
        count = self.config.accumulate if self.objective.divisible else 1
        total = torch.zeros((), device=self.device.torch_device)
        with self._precision():
            batch = self.objective.draw(self.network, chosen, self.rng)
        for part in parts(batch, count):
            with self._precision():
                losses = self.objective.losses(self.network, part, self.rng)
            mean = losses.mean() * (len(part[0]) / len(chosen))
            mean.backward()
            total += mean.detach()
            if isinstance(part, Noised):
                self.by_noise.add(part.noise, losses.detach())
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
        """The state of the run since the last report, also written to its CSV; raises Diverged."""
        self._take_losses()
        losses, self._unreported = self._unreported, []
        spent = max(self.elapsed_s - self._reported_at, 1e-9)
        rate = len(losses) * self.config.batch_size / spent
        self._reported_at = self.elapsed_s
        remaining = self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9)
        event = TrainStep(
            self.step,
            self.total_steps,
            sum(losses) / len(losses),
            self.smooth_loss or 0.0,
            *self._last,
            rate,
            self.elapsed_s,
            max(remaining, 0.0),
            self._loss_by_noise(),
        )
        seconds, speed = f"{event.elapsed_s:.2f}", f"{event.images_per_s:.1f}"
        self.losses.add(event.step, seconds, event.loss, event.smooth_loss, event.lr, event.grad_norm, speed)
        if event.by_noise:
            self.noise.add(event.step, *(f"{loss:.5g}" for loss in event.by_noise))
        return event

    def _loss_by_noise(self) -> tuple[float, ...]:
        """The loss at each noise level since the last time it was told; nothing where that is not long ago."""
        if self.elapsed_s - self._noise_at < NOISE_EVERY_S and self.progress < 1:
            return ()
        self._noise_at = self.elapsed_s
        return self.by_noise.take()

    def forget_the_future(self) -> None:
        """Take out of the tables what a run that was cut off wrote after its last checkpoint."""
        for table in (self.losses, self.noise, self.validation):
            table.forget_after(self.step)
        time_machine.forget_after(self.folder, self.step)

    @torch.no_grad()
    def validate(self) -> Validated:
        """The averaged weights' loss on images that are not trained on, with the same noise every time."""
        assert self._held_out is not None
        where = self.device.torch_device
        rng = torch.Generator(where).manual_seed(HELD_OUT_SEED)
        chosen = torch.arange(self._held_out_count, device=where)
        with self._precision():
            batch = self._held_out.draw(self.ema.network, chosen, rng)
            loss = float(self._held_out.losses(self.ema.network, batch, rng).mean())
        self.validation.add(self.step, f"{loss:.6g}")
        return Validated(self.step, loss)

    def _take_losses(self) -> None:
        """Fetch the losses that are still on the device, and smooth them; raises Diverged."""
        with self._working():  # here the device catches up
            losses: list[float] = torch.stack(self._fresh).tolist() if self._fresh else []
        for step, loss in enumerate(losses, self.step - len(losses) + 1):
            if not math.isfinite(loss):
                raise self._diverged(f"The loss became {loss} at step {step}.")
            keep = 1 - 1 / min(step, SMOOTHING_STEPS)
            self.smooth_loss = loss if self.smooth_loss is None else keep * self.smooth_loss + (1 - keep) * loss
            self._unreported.append(loss)
        self._fresh.clear()

    def _diverged(self, message: str) -> Diverged:
        lower = f"Start again with a lower learning rate than {self.config.lr:g}."
        saved = os.path.exists(self.folder / STATE_FILE)
        return Diverged(message, f"The last checkpoint in {self.folder} is kept. {lower}" if saved else lower)

    def preview(self) -> Preview:
        """Digits from one fixed noise by the averaged weights, one per class (or ten of no class)."""
        labels = preview_labels(self.config.model)
        quick = self.config.defaults.with_changes(steps=min(self.config.defaults.steps, PREVIEW_STEPS))
        request = SampleRequest(**quick.model_dump(), labels=labels, seed=PREVIEW_SEED)
        model = pipeline.LoadedModel("run", self.header(), self.ema.network, self.device.torch_device, "")
        *frames, _ = pipeline.sample_with(model, request, RunControl())
        film = np.stack([frame.x_t for frame in frames if isinstance(frame, Frame)])
        preview = Preview(self.step, film[-1], labels, film)
        time_machine.keep(self.folder, preview)
        return preview

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
        self._take_losses()
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise self._diverged(f"The weights are no numbers any more at step {self.step}.")
        with atomic(self.folder / CONFIG_FILE) as path:
            path.write_text(self.config.model_dump_json(indent=1), encoding="utf-8")
        state = StateHeader(
            config=self.config,
            step=self.step,
            images=self.step * self.config.batch_size,
            elapsed_s=self.elapsed_s,
            smooth_loss=self.smooth_loss,
            progress=self.progress,
        )
        save(self.folder / STATE_FILE, self._tensors(), state)
        weights = self.ema.network.state_dict()
        if self.config.file_precision == "fp16":
            weights = halved(weights)
        save(self.folder / MODEL_FILE, weights, self.header())

    def _tensors(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""
        tensors = {"rng": self.rng.get_state(), "rng.dropout": self._dropout_rng()}
        tensors |= {f"net.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.network.state_dict().items()}
        for prefix, part in self.optimizer.parts.items():
            tensors |= optimizer_tensors(part, prefix)
        return tensors

    def restore(self) -> None:
        """Go on from the folder's checkpoint; raises BadFile."""
        path = self.folder / STATE_FILE
        state, tensors = load_state(path)
        if state.step:
            self._fill_optimizer()
        expected = self._tensors()
        if "rng" in tensors and tensors["rng"].shape != expected["rng"].shape:
            raise BadFile(
                f"{path} was not saved on this kind of device ({self.device.name}), whose random numbers differ.",
                "Resume it with the --device it was trained on; its model can be sampled everywhere.",
            )
        agree(expected, tensors, str(path))
        self.network.load_state_dict(_under("net.", tensors))
        self.ema.network.load_state_dict(_under("ema.", tensors))
        for prefix, part in self.optimizer.parts.items():
            restore_optimizer(part, tensors, prefix)
        try:
            self.rng.set_state(tensors["rng"])
            self._set_dropout_rng(tensors["rng.dropout"])
        except RuntimeError as error:
            raise BadFile(
                f"{path} cannot be resumed from ({error}).", "Its model can still be sampled; start a new run."
            ) from error
        self.step, self.elapsed_s, self.smooth_loss = state.step, state.elapsed_s, state.smooth_loss
        self._reported_at = self.elapsed_s

    def _fill_optimizer(self) -> None:
        """A step of no length, after which the optimiser's state has the names and shapes of a saved one."""
        for parameter in self.network.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        self.optimizer.step(lr=0.0)
        self.network.zero_grad(set_to_none=True)

    def _dropout_rng(self) -> Tensor:
        where = self.device.torch_device
        return torch.cuda.get_rng_state(where) if where.type == "cuda" else torch.get_rng_state()

    def _set_dropout_rng(self, state: Tensor) -> None:
        where = self.device.torch_device
        torch.cuda.set_rng_state(state, where) if where.type == "cuda" else torch.set_rng_state(state)


class LossByNoise:
    """Adds up losses by how noisy their images were."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, NOISE_LEVELS, device=device)  # of losses, and how many

    def add(self, noise: Tensor, losses: Tensor) -> None:
        """noise in [0, 1] and losses, (B,)."""
        level = (noise * NOISE_LEVELS).long().clamp_(0, NOISE_LEVELS - 1)
        self._sums.index_add_(1, level, torch.stack([losses.float(), torch.ones_like(noise)]))

    def take(self) -> tuple[float, ...]:
        """The mean at each noise level since the last time, nan where there was none; empty where nothing came."""
        sums, counts = self._sums.tolist()
        self._sums.zero_()
        means = (total / count if count else math.nan for total, count in zip(sums, counts, strict=True))
        return tuple(means) if any(counts) else ()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
