"""A dozen drawings of each of two new signs teach the digits model to draw them, and it keeps its digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import SampleRequest
from ml.data import datasets, own_sets
from ml.evaluation.metrics import memorised
from ml.events import Sampled
from ml.generation import pipeline
from ml.registry.checkpoint import load_header
from ml.registry.run_layout import MODEL_FILE
from ml.specs import OWN_SET
from ml.training.overrides import starting_point
from ml.training.trainer import train
from tests.support.fake_app import FakeApp
from tests.support.hand import Hand

SIGNS, DRAWINGS, OTHERS = ("heart", "lambda"), 12, 500
IMAGES = 25_600  # that two quiet cores train on in less than a minute
ASKED, ASKED_DIGITS = 100, 20  # of each class


class Reader(nn.Module):
    """A small classifier that the program does not know."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(48 * 49, 96), nn.ReLU(), nn.Linear(96, classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.float() / 255)


def reader_of(images: Tensor, labels: Tensor, classes: int) -> Reader:
    """A classifier that was trained on these images (N, 1, 28, 28)."""
    torch.manual_seed(0)
    reader = Reader(classes)
    optimizer = torch.optim.Adam(reader.parameters(), 1e-3)
    for _ in range(3):
        for part in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            F.cross_entropy(reader(images[part]), labels[part]).backward()
            optimizer.step()
    return reader


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_new_signs_are_learnt_from_a_dozen_drawings_each(app: FakeApp, mnist_root: Path, tmp_path: Path) -> None:
    hand = Hand(app.session.draw, seed=5)
    drawn = {sign: np.stack([hand.draw(sign) for _ in range(DRAWINGS + OTHERS)]) for sign in SIGNS}
    for sign in SIGNS:
        for drawing in drawn[sign][:DRAWINGS]:
            own_sets.add("signs", sign, drawing)

    begin = starting_point(None, None, None, "digits")
    changes = {"data": f"{OWN_SET}signs", "keep_classes": True, "minutes": None, "preview_every_s": 1000.0}
    config = begin.with_changes(**changes, steps=IMAGES // begin.batch_size)
    list(train(config, run := tmp_path / "run", device="cpu"))

    header = load_header(run / MODEL_FILE)
    assert header.classes == (*"0123456789", *SIGNS)
    asked = (*(label for label in (10, 11) for _ in range(ASKED)), *(k % 10 for k in range(10 * ASKED_DIGITS)))
    request = SampleRequest(model=str(run), labels=asked, **header.defaults.model_dump())
    *_, sampled = pipeline.sample(request, device="cpu")
    assert isinstance(sampled, Sampled)
    images, wanted = torch.from_numpy(sampled.images)[:, None], torch.tensor(asked)

    mnist = datasets.load("mnist", mnist_root)
    others = torch.from_numpy(np.concatenate([drawn[sign][DRAWINGS:] for sign in SIGNS]))[:, None].repeat(4, 1, 1, 1)
    labels = torch.tensor([10, 11]).repeat_interleave(OTHERS).repeat(4)
    reader = reader_of(torch.cat([mnist.images[:30_000], others]), torch.cat([mnist.labels[:30_000], labels]), 12)
    with torch.no_grad():
        right = reader(images).argmax(dim=1) == wanted
    of_class = {name: float(right[wanted == label].float().mean()) for label, name in enumerate(header.classes)}
    assert min(of_class[sign] for sign in SIGNS) >= 0.95, of_class
    assert float(right[wanted < 10].float().mean()) >= 0.98, of_class
    own = torch.from_numpy(np.concatenate([drawn[sign][:DRAWINGS] for sign in SIGNS]))[:, None]
    assert float(memorised(images[wanted >= 10], own).float().mean()) <= 0.1
