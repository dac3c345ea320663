"""Training the judge of a data set: once, since it is kept under a hash of the set."""

import hashlib
import json
import math
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ml.config import ModelConfig, TrainConfig
from ml.data.augment import distort
from ml.data.dataset import Dataset, Form
from ml.distributed import collectives
from ml.errors import BadRequest, Diverged
from ml.evaluation import judge as evaluation
from ml.evaluation.calibration import calibration_error, fit_temperature
from ml.evaluation.judge import Judge
from ml.evaluation.metrics import PER_FEATURE, Reference, real_images
from ml.events import Progress
from ml.registry import judges, model_cards
from ml.registry.checkpoint import ModelHeader, save
from ml.registry.model_cards import Scores
from ml.specs import DRAWING, DeviceName
from ml.system import paths
from ml.system.device import choose_device
from ml.system.files import atomic, make_folder
from ml.training.run import Run

SINGLE_IMAGES = 1000  # that a judge of images without classes tells apart, at most
FEATURES = (64, 32, 16)  # as many as the held-out part allows
TOP_WIDTH, SMALLEST = 128, 4  # channels of the last level, and about its side in pixels
LEAST_IMAGES, OF_SET = 20_000, 300  # a set of 300 images is trained on for 20,000, a larger one for longer:
GROWTH = 2 / 3  # the exponent of that
BATCH = 64
CHECKED = 500  # images classified at a time
LEAST_CALIBRATED = 200  # held-out images from which a temperature is fitted
COPIES_SEED = 3


def reference_for(
    header: ModelHeader, data: str = "", root: Path | None = None, device: DeviceName = "auto"
) -> Generator[Progress, None, Reference]:
    """The real images that a model's are scored against, with their judge, which is trained if there is none yet.

    The data set is `data`, else the one that the model was trained on. Raises BadRequest, BadFile, DataUnavailable,
    CannotWrite, NoDevice, Diverged, and Cancelled.
    """
    if header.model.network not in DRAWING:
        raise BadRequest(f"{header.name!r} draws no images.", "Score a model that does.")
    header = header.with_changes(data=data or header.data)
    data = judges.data_of(header)
    if not data:
        raise BadRequest(f"The file of {header.name!r} does not say what it was trained on.", "Name it: --data ...")
    form = Form(header.model.image_size, header.model.channels, header.fit, header.ground)
    train, test = yield from real_images(data, root, form)
    judge = Judge.bundled(device) if judges.is_of_digits(header) else (yield from judge_of(train, test, form, device))
    return Reference(train, test, judge)


def judge_of(
    train: Dataset, test: Dataset, form: Form, device: DeviceName = "auto"
) -> Generator[Progress, None, Judge]:
    """The judge of a data set in a form, trained and kept if there is none yet.

    Raises BadRequest, CannotWrite, NoDevice, Diverged, and Cancelled.
    """
    yield Progress("Looking for the judge", 0, 0)
    path = paths.user_judges() / f"{content_hash(train, test)}.safetensors"
    card = model_cards.card(path)
    if card is None:
        yield from _train(train, test, form, path, device)
        card = model_cards.card(path)
    assert card is not None
    return evaluation.load(card, device)


def content_hash(*parts: Dataset) -> str:
    """SHA-256 of the classes, sizes, pixels and labels of the parts of a data set, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps([part.name, part.classes, [*part.images.shape]]).encode())
        for tensor in (part.images, part.labels):
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def config_for(train: Dataset, held_out: int) -> TrainConfig:
    """The training of a judge: a level for each halving down to about SMALLEST pixels, and longer on more images."""
    count, channels, side, _ = train.images.shape
    levels = max(2, min(6, round(math.log2(side / SMALLEST)) + 1))
    model = ModelConfig(
        network="judge",
        image_size=side,
        channels=channels,
        num_classes=len(train.classes),
        widths=tuple(max(8, TOP_WIDTH >> level) for level in reversed(range(levels))),
        blocks=2,
        embedding=next((n for n in FEATURES if PER_FEATURE * n <= held_out), FEATURES[-1]),
        dropout=0.2,
    )
    images = LEAST_IMAGES * max(1.0, count / OF_SET) ** GROWTH
    return TrainConfig(
        name="judge", model=model, data=train.name, batch_size=BATCH, steps=round(images / BATCH),
        lr=0.004, weight_decay=0.02, warmup=0.2, augment=True, ema_gamma=15, seed=1,
    )  # fmt: skip


def _train(train: Dataset, test: Dataset, form: Form, path: Path, device: DeviceName) -> Generator[Progress]:
    """Train a judge and keep it, with its accuracy on the held-out images in a card beside it."""
    if len(train) < 2:
        raise BadRequest(f"{train.name} has {len(train)} image to train a judge on.", "Give more images.")
    has_classes = len(train.classes) > 1
    learnt = train if has_classes else _single_images(train)
    config = config_for(learnt, len(test)).with_changes(fit=form.fit, ground=form.ground)
    run = Run(config, path.parent / config.name, choose_device(device), learnt)  # it writes nothing by itself
    what = "Training a judge" if has_classes else "Training a judge of single images"
    assert config.steps is not None
    while run.step < config.steps:
        yield Progress(what, run.step, config.steps)
        run.train_step()
    network = run.ema.network
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise Diverged("The judge's weights became NaN or infinite.", "Look whether the images are sound.")
    held_out = test if has_classes else replace(learnt, images=_copies(learnt.images))
    scores, temperature = _check(network, held_out, run.device.torch_device)
    if collectives.is_main():
        header = run.header().with_changes(classes=learnt.classes if has_classes else ())
        card = Scores(
            title="Judge",
            about=f"Classifies images of {header.data}.",
            scores=scores | {"test_images": len(held_out)},
            temperature=temperature,
        )
        _save(make_folder(path.parent) / path.name, network, header, card)


def _save(path: Path, network: nn.Module, header: ModelHeader, card: Scores) -> None:
    with atomic(path.with_suffix(".json")) as temporary:  # first: a judge without its accuracy is never found
        temporary.write_text(card.model_dump_json(indent=1), encoding="utf-8")
    save(path, network.state_dict(), header)


def _single_images(train: Dataset) -> Dataset:
    """Some images as a class each: exemplar training (Dosovitskiy et al. 2014), whose variants are distorted copies."""
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(COPIES_SEED))[:SINGLE_IMAGES]
    names = tuple(str(k) for k in range(len(chosen)))
    return replace(train, images=train.images[chosen], labels=torch.arange(len(chosen)), classes=names)


def _copies(images: Tensor) -> Tensor:
    """A distorted copy of each image that was not trained on."""
    rng = torch.Generator().manual_seed(COPIES_SEED)
    return torch.cat([_distorted(part, rng) for part in images.split(CHECKED)])


def _distorted(images: Tensor, rng: torch.Generator) -> Tensor:
    return ((distort(images.float() / 127.5 - 1, rng) + 1) * 127.5).round().clamp(0, 255).byte()


def _check(network: nn.Module, held_out: Dataset, device: torch.device) -> tuple[dict[str, float], float]:
    """The accuracy on held-out images, and the temperature that calibrates the confidence.

    It is fitted on every other image, and the calibration error is that of the rest. Of few images it is 1.
    """
    if not len(held_out):
        return {}, 1.0
    logits, labels = _logits(network, held_out, device), held_out.labels
    scores = {"test_accuracy": round(float((logits.argmax(dim=1) == labels).double().mean()), 4)}
    if len(held_out) < LEAST_CALIBRATED:
        return scores, 1.0
    temperature = round(fit_temperature(logits[::2], labels[::2]), 4)
    error = calibration_error((logits[1::2] / temperature).softmax(dim=1), labels[1::2])
    return scores | {"calibration_error": round(error, 4)}, temperature


@torch.no_grad()
def _logits(network: nn.Module, dataset: Dataset, device: torch.device) -> Tensor:
    """What the network says of every image, (N, classes)."""
    return torch.cat([network(part.to(device).float() / 127.5 - 1).cpu() for part in dataset.images.split(CHECKED)])
