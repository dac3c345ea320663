"""Training as a generator of events: the same loop for diffusion models and for the judge.

A run's folder holds `config.json`, `checkpoint.safetensors` (to resume exactly), `model.safetensors` (averaged weights,
to sample from), `loss.csv` and TensorBoard's files. Closing the generator, or cancelling, saves before it ends.
"""

import math
import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ml import data, library, pipeline
from ml.checkpoint import (
    MODEL_FILE,
    STATE_FILE,
    ModelHeader,
    StateHeader,
    agree,
    halved,
    load_model,
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save,
)
from ml.config import DRAWING, NO_LABEL, DeviceName, SampleRequest, TrackerName, TrainConfig
from ml.control import RunControl
from ml.device import Device, bf16_is_fast, pick, tune
from ml.ema import PowerEma
from ml.errors import BadFile, BadRequest, Diverged
from ml.events import (
    CheckpointSaved,
    Paused,
    Preview,
    Progress,
    Resumed,
    RunFinished,
    RunStarted,
    Sampled,
    TrainEvent,
    TrainStep,
)
from ml.files import atomic, make_folder
from ml.fitting import fitted, form_for
from ml.loss_table import LossTable
from ml.models import build
from ml.objectives import objective_of
from ml.optim import Optimizer, lr_factor
from ml.settings import read_config
from ml.trackers import following

CONFIG_FILE = "config.json"
REPORT_EVERY_S = 0.1
SMOOTHING_STEPS = 100
PREVIEW_SEED = 1
PREVIEW_STEPS = 10  # at most: a preview is a glance, and every one of them holds the training up
PREVIEW_PATIENCE = 10  # times as long as a preview takes passes before the next


def train(
    config: TrainConfig,
    run_dir: Path,
    *,
    device: DeviceName = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    control: RunControl | None = None,
    track: Sequence[TrackerName] = (),
) -> Iterator[TrainEvent]:
    """Train until the budget is used up or `control` cancels; everything is saved either way.

    What `config` leaves unset of the image's size, channels and classes follows from the data (see `ml.fitting`).
    While paused, `Paused` is yielded at every call: whoever drives the generator chooses how long to wait in between.
    Cancelled while the data are still being read, it ends without `RunFinished`: nothing was begun.
    Raises BadRequest, BadFile, DataUnavailable, CannotWrite, NoDevice, Diverged.
    """
    control = control or RunControl()
    if resume:
        config = _recorded(run_dir, config)
    elif os.path.exists(run_dir / STATE_FILE):  # False for any path; pathlib raises for one that is too long
        raise BadRequest(f"{run_dir} already holds a run.", "Resume it (--resume), or choose another folder.")
    dataset = yield from _dataset(config, data_root, control)
    if dataset is None:
        return
    config = fitted(config, dataset)
    parts = {} if resume else _parts(config)
    if parts:
        own = {name: header.model.model_dump() for name, (header, _) in parts.items()}
        config = config.with_changes(model=config.model.model_dump() | own)
    make_folder(run_dir)
    run = Run(config, run_dir, pick(device), dataset, {name: weights for name, (_, weights) in parts.items()})
    if resume:
        run.restore()
    run.losses.forget_after(run.step)
    with following(run_dir, config, run.step, track) as followers, closing(_loop(run, control)) as events:
        yield RunStarted(config, run_dir, run.device.reason, run.parameters, run.step, run.total_steps)
        for event in events:
            followers.tell(event)
            yield event


Parts = dict[str, tuple[ModelHeader, dict[str, Tensor]]]


def _parts(config: TrainConfig) -> Parts:
    """The models that a model builds on and leaves as they are, by what they are to it; raises BadRequest, BadFile."""
    wanted = {"codec": (config.codec_from, "autoencoder"), "reader": (config.reader_from, "clip")}
    parts: Parts = {}
    for name, (source, network) in wanted.items():
        if not source:
            continue
        header, weights = load_model(library.find(source))
        if header.model.network != network or header.model.image_size != config.model.image_size:
            raise BadRequest(
                f"{source!r} is no {network} for images of {config.model.image_size} pixels.",
                f"Train one on the same data first, and name it in {name}_from.",
            )
        parts[name] = (header, weights)
    return parts


def _recorded(run_dir: Path, asked: TrainConfig) -> TrainConfig:
    """The configuration that the run was started with, with the budget that is asked for now."""
    if not all(os.path.isfile(run_dir / name) for name in (CONFIG_FILE, STATE_FILE)):
        raise BadFile(
            f"{run_dir} holds no run to resume.", "Start one there without --resume, or choose another folder."
        )
    recorded = read_config(run_dir / CONFIG_FILE)
    return recorded.with_changes(steps=asked.steps, epochs=asked.epochs, minutes=asked.minutes)


def _dataset(
    config: TrainConfig, root: Path | None, control: RunControl
) -> Generator[Progress, None, data.Dataset | None]:
    """What to train on; None where `control` cancels before all of it is read."""
    with closing(data.loading(config.data, root, "train", form_for(config.model))) as loading:
        while not control.cancelled:
            try:
                progress = next(loading)
            except StopIteration as finished:
                return finished.value
            yield progress
    return None


def _loop(run: "Run", control: RunControl) -> Generator[TrainEvent]:
    clock = time.perf_counter
    last_report, last_save, next_preview = -math.inf, run.elapsed_s, -math.inf
    worth_saving = True
    try:
        while not control.cancelled and run.progress < 1:
            if control.paused:
                run.save()
                yield CheckpointSaved(run.step, run.folder)
                while control.paused:
                    yield Paused(run.step)
                if control.cancelled:
                    break
                yield Resumed(run.step)
            run.advance()
            if run.elapsed_s - last_report >= REPORT_EVERY_S or run.progress >= 1:
                last_report = run.elapsed_s
                yield run.report()
            command = control.take()
            if command == "save" or run.elapsed_s - last_save >= run.config.save_every_s:
                last_save = run.elapsed_s
                run.save()
                yield CheckpointSaved(run.step, run.folder)
            if run.draws and (command == "preview" or run.elapsed_s >= next_preview):
                began = clock()
                preview = run.preview()
                next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))
                yield preview
        if run.has_news:
            yield run.report()
    except (Diverged, KeyboardInterrupt):
        worth_saving = False  # weights that are no numbers, or from the middle of a step; the last checkpoint is
        raise
    finally:
        if worth_saving:
            run.save()
    if run.draws:
        yield run.preview()
    yield CheckpointSaved(run.step, run.folder)
    yield RunFinished(run.step, run.elapsed_s, run.folder / MODEL_FILE, run.progress >= 1)


class Run:
    """The state of one training run."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        device: Device,
        dataset: data.Dataset,
        parts: Mapping[str, dict[str, Tensor]] = MappingProxyType({}),
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
        for name, weights in parts.items():
            network.get_submodule(name).load_state_dict(weights)
        self.network = network.to(where).to(memory_format=torch.channels_last)
        self.ema = PowerEma(self.network, config.ema_gamma)
        self.optimizer = Optimizer(self.network, config)
        self.objective = objective_of(config, dataset, where)
        self.rng = torch.Generator(where).manual_seed(config.seed)
        self.bf16 = config.precision == "bf16" or (
            config.precision == "auto" and config.batch_size >= 32 and bf16_is_fast(where)
        )
        self.losses = LossTable(folder)
        self.count = len(dataset)
        self.step = 0
        self.elapsed_s = 0.0  # at work: without pauses, previews and saving
        self.smooth_loss: float | None = None
        self._order: tuple[int, Tensor] | None = None
        self._fresh: list[Tensor] = []  # losses not fetched yet
        self._unreported: list[float] = []
        self._reported_at = 0.0
        self._last = (0.0, 0.0)  # learning rate, gradient norm

    @property
    def draws(self) -> bool:
        """Whether this is a diffusion model, rather than one that helps them."""
        return self.config.model.network in DRAWING

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
        chosen = self._next_indices()
        with torch.autocast(self.device.torch_device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.objective.loss(self.network, chosen, self.rng)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.grad_clip or math.inf)
        lr = config.lr * lr_factor(config, self.progress)
        self.optimizer.step(lr)
        self.network.zero_grad(set_to_none=True)
        self.step += 1
        self.ema.update(self.network, self.step)
        self._last = (lr, self._last[1] if self.has_news else float(norm))  # reading the norm waits for the device
        self._fresh.append(loss.detach())

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
        )
        self.losses.add(event)
        return event

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
        classes = self.config.model.num_classes
        labels = tuple(range(min(classes, 10))) or (NO_LABEL,) * 10
        quick = self.config.defaults.with_changes(steps=min(self.config.defaults.steps, PREVIEW_STEPS))
        request = SampleRequest(**quick.model_dump(), labels=labels, seed=PREVIEW_SEED)
        model = pipeline.LoadedModel("run", self.header(), self.ema.network, self.device.torch_device, "")
        for event in pipeline.sample_with(model, request, RunControl(), frames=False):
            if isinstance(event, Sampled):
                return Preview(self.step, event.images, labels)
        raise AssertionError("sampling that nobody cancels ends with its images")

    def header(self) -> ModelHeader:
        """What the model file says of its training."""
        config = self.config
        return ModelHeader(
            name=config.name,
            model=config.model,
            defaults=config.defaults,
            data=config.data,
            device=self.device.name,
            steps=self.step,
            images=self.step * config.batch_size,
            seconds=round(self.elapsed_s, 1),
        )

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


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
