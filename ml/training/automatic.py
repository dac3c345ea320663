"""The settings that an automatic configuration leaves open, chosen from its images and the speed of the device."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch

from ml.cancellation import check_cancelled
from ml.config import TrainConfig, validate
from ml.distributed import collectives
from ml.errors import is_out_of_memory
from ml.models import build
from ml.specs import DeviceName
from ml.system.device import bf16_is_native, choose_device, tune
from ml.training.optimizers import Learner

WIDTHS = ((32, 64), (48, 96), (64, 128), (96, 192), (128, 256))
GRID = 16  # pixels along the side of the network's first level, about
MINUTES = 20  # of a run whose length is not given, at most
# Training images, with repetitions, from which a network learns to draw what can be recognised; by channels.
ENOUGH = {1: 60_000, 3: 120_000}
LEAST, REPEATS = 20_000, 100  # of them for small data sets: in all, and of each image
MORE = 3  # times enough, after which a run on a fast device ends
OFTEN = 40  # repetitions of each image from which on copies of it are changed
SHARE = 0.12  # of `TrainConfig.augment_share`; as Karras et al. 2022 have it for CIFAR-10
BATCH = 32
STEPS = 2  # that are timed, after one that allocates memory

Speed = Callable[[TrainConfig], float]  # training images in a second


class DataFacts(NamedTuple):
    """The training images: their side in pixels, their channels (1: grey, 3: colour) and their number."""

    side: int
    channels: int
    images: int


def choose(
    config: TrainConfig, facts: DataFacts, device: DeviceName = "auto", speed: Speed | None = None
) -> TrainConfig:
    """The configuration completed with the settings that it leaves unset, and the reasons as its note.

    Network, batch, augmentation and budget follow from the images and from `speed`, which is measured on the device
    where it is not given. What is set stays. Raises BadRequest, NoDevice.
    """
    side, channels, images = facts
    colour = channels == 3
    patch = config.model.patch if "patch" in config.model.model_fields_set else patch_for(side)
    attention = (-(-side // patch // 2),) if colour else ()  # at the second level
    basis = _filled(config, model={"image_size": side, "channels": channels, "patch": patch, "attention": attention})

    enough = max(LEAST, min(ENOUGH[channels], REPEATS * images))
    widths, rate = _widest(basis, enough, speed or partial(images_per_second, device=device))
    budget = {} if _has_budget(config) else {"minutes": float(min(max(1, round(MORE * enough / rate / 60)), MINUTES))}
    seen = _seen(basis.with_changes(**budget), images, rate)
    often = seen > OFTEN * images
    chosen = _filled(
        basis.with_changes(**budget),
        model={"widths": widths},
        batch_size=16 if seen < 40_000 else BATCH if seen < 400_000 else 2 * BATCH,
        time_mean=0.0 if colour else 0.4,
        augment_share=SHARE if often else 0.0,
        mirror=often and colour,
    )
    reasons = _reasons(chosen, facts, rate, seen, choose_device(device).reason)
    return chosen.with_changes(automatic=False, note=reasons)


def patch_for(side: int) -> int:
    """The space-to-depth with which the network's first level has about GRID pixels along its side."""
    return min((patch for patch in range(1, 17) if side % patch == 0), key=lambda patch: abs(side / patch - GRID))


def images_per_second(config: TrainConfig, device: DeviceName = "auto") -> float:
    """Training images in a second in all processes, measured in STEPS steps on noise. Raises BadRequest, NoDevice."""
    where = choose_device(device).torch_device
    tune()
    channels, side = config.model.codes
    network = build(config.model).to(where).to(memory_format=torch.channels_last)
    learner = Learner(network, config)
    x = torch.randn(config.batch_size, channels, side, side, device=where)
    times, labels = torch.full((len(x),), 500.0, device=where), torch.zeros(len(x), dtype=torch.long, device=where)
    began = 0.0
    for step in range(STEPS + 1):
        check_cancelled()
        with torch.autocast(where.type, torch.bfloat16, enabled=config.precision != "fp32" and bf16_is_native(where)):
            loss = (network(x, times, labels).float() - x).square().mean()
        loss.backward()
        learner.step(config.lr)
        loss.item()  # waits for the device
        began = began if step else time.perf_counter()
    return collectives.size() * STEPS * len(x) / (time.perf_counter() - began)


def _filled(config: TrainConfig, model: Mapping[str, object], **settings: object) -> TrainConfig:
    """The configuration with these settings, and those of its model, where it sets none."""
    values = config.model_dump(exclude_unset=True)
    return validate(TrainConfig, {**settings, **values, "model": {**model, **values.get("model", {})}})


def _has_budget(config: TrainConfig) -> bool:
    return (config.steps, config.epochs, config.minutes) != (None, None, None)


def _widest(basis: TrainConfig, enough: int, speed: Speed) -> tuple[tuple[int, ...], float]:
    """The widths of the largest network that memory holds and that learns from `enough` images in its time; its speed.

    The smallest one, where none does.
    """
    seconds = 60 * (basis.minutes or MINUTES)
    found: tuple[tuple[int, ...], float] | None = None
    for widths in (basis.model.widths,) if "widths" in basis.model.model_fields_set else WIDTHS:
        try:
            rate = speed(_filled(basis, model={"widths": widths}, batch_size=BATCH))
        except (RuntimeError, MemoryError) as error:
            if found and is_out_of_memory(error):
                break
            raise
        if found and rate * seconds < enough:
            break
        found = widths, rate
    assert found
    return found


def _seen(config: TrainConfig, images: int, rate: float) -> int:
    """The number of training images of the whole run, with repetitions."""
    if config.minutes is not None:
        return round(60 * config.minutes * rate)
    if config.epochs is not None:
        return round(config.epochs * images)
    return (config.steps or 0) * (config.batch_size if "batch_size" in config.model_fields_set else BATCH)


def _reasons(config: TrainConfig, facts: DataFacts, rate: float, seen: int, device: str) -> str:
    """Why the network, the length and the augmentation were chosen, in three sentences."""
    model = config.model
    widths, grid = " and ".join(map(str, model.widths)), facts.side // model.patch
    kind = "colour" if facts.channels == 3 else "grey"
    network = (
        f"For {kind} images of {facts.side} pixels, a U-Net of {widths} channels that begins at {grid} × {grid}: "
        f"this device ({device}) trains it with about {_about(rate):,} images a second."
    )
    repeats = seen / facts.images
    time = f"In {config.minutes:g} minute{'s' * (config.minutes != 1)}" if config.minutes else "In this run"
    length = (
        f"{time} it sees about {_about(seen):,} images, each of the {facts.images:,} about "
        f"{_about(max(1, repeats)):,} times, "
        f"in batches of {config.batch_size}."
    )
    changes = [
        *(["mirrored"] if config.mirror else []),
        *(["shifted, turned and scaled"] if config.augment_share else []),
    ]
    augmentation = (
        f"Since it sees each so often, copies are {' or '.join(changes)}, which is not drawn."
        if changes
        else "It does not need changed copies of the images."
    )
    return f"{network} {length} {augmentation}"


def _about(number: float) -> int:
    """A number as it is known: with two digits that count."""
    return round(float(f"{number:.2g}"))
