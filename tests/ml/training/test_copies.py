"""Classes that have few images get copies, as if they had been drawn again."""

import pytest
import torch

from ml.data.dataset import Dataset
from ml.errors import BadRequest
from ml.training.copies import PART, with_copies


def few(*counts: int, channels: int = 1, ground: int = 0) -> Dataset:
    """Classes of crosses, each in a place of its own."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    images = torch.full((len(labels), channels, 28, 28), ground, dtype=torch.uint8)
    for k in range(len(labels)):
        images[k, :, 6 + k % 10 : 9 + k % 10, 5:23] = 255 - ground
        images[k, :, 5:23, 12:15] = 255 - ground
    return Dataset("few", images, labels, tuple("abcdefgh"[: len(counts)]))


def copied(dataset: Dataset, least: int, seed: int = 0) -> Dataset:
    events = with_copies(dataset, least, seed)
    while True:
        try:
            event = next(events)
        except StopIteration as finished:
            return finished.value
        assert event.done < event.total


def test_each_class_has_as_many_as_asked_for_or_more() -> None:
    dataset = few(12, 3, 40, 1)
    more = copied(dataset, 30)
    assert torch.bincount(more.labels).tolist() == [36, 30, 40, 30] and more.classes == dataset.classes
    assert torch.equal(more.images[: len(dataset)], dataset.images)
    assert torch.equal(more.labels[: len(dataset)], dataset.labels)
    assert copied(dataset, 0) is dataset and copied(few(5), 5).images.shape[0] == 5
    assert len(copied(few(1, 0), PART + 10)) == PART + 10


def test_copies_are_changed_a_little_and_differ() -> None:
    more = copied(few(2), 200)
    copies = more.images[2:].float()
    assert len(copies.flatten(1).unique(dim=0)) == len(copies)
    for k in (0, 1):
        own, apart = copies[more.labels[2:] == 0].flatten(1), few(2).images.float().flatten(1)
        assert own.shape[0] == 198 and float((own - apart[k]).abs().mean(dim=1).max()) < 80
    ink = copies.mean(dim=(1, 2, 3)) / few(2).images.float().mean()
    assert float(ink.min()) > 0.6 and float(ink.max()) < 1.5
    middle = (copies * torch.arange(28.0)).sum(dim=(1, 2, 3)) / copies.sum(dim=(1, 2, 3))
    assert 0.5 < float(middle.std()) < 2


@pytest.mark.parametrize("ground", [0, 255])
def test_beyond_the_edge_is_the_ground_and_nothing_else(ground: int) -> None:
    edge = torch.ones(28, 28, dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    more = copied(few(1, ground=ground, channels=3), 100)
    assert float((more.images[..., edge].float() - ground).abs().mean()) < 3


def test_the_seed_alone_decides() -> None:
    assert torch.equal(copied(few(3), 20, seed=4).images, copied(few(3), 20, seed=4).images)
    assert not torch.equal(copied(few(3), 20, seed=4).images, copied(few(3), 20, seed=5).images)


def test_more_than_memory_should_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.dataset.MAX_MEMORY", 100 * 28 * 28)
    with pytest.raises(BadRequest, match="more than the"):
        copied(few(2), 101)
