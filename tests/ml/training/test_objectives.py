"""What networks learn from: the right images, with their labels, distorted, coded and described as asked."""

from typing import get_args

import pytest
import torch
from torch import nn

from ml.config import ModelConfig, TrainConfig
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images, Pictures
from ml.errors import BadRequest
from ml.text import captions, tokenizer
from ml.text.tokenizer import vocabulary_size
from ml.training.objectives.autoencoder import AutoencoderObjective, BlurredBatch
from ml.training.objectives.base import parts
from ml.training.objectives.classifier import ClassifierObjective
from ml.training.objectives.clip import ContrastiveObjective
from ml.training.objectives.diffusion import DiffusionObjective, TextObjective
from ml.training.objectives.distillation import DistillationObjective
from ml.training.objectives.registry import OBJECTIVES, objective_of
from tests.support.tiny_model import TINY, tiny_config

CPU = torch.device("cpu")
CLIP = ModelConfig(network="clip", widths=(32, 32), blocks=1, patch=7, embedding=16, vocabulary=vocabulary_size())
CHOSEN = torch.tensor([7, 2, 9])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Ten images, each of one grey."""
    greys = torch.tensor([0, 255, *range(20, 100, 10)], dtype=torch.uint8)
    return Dataset("few", greys.view(-1, 1, 1, 1).expand(-1, 1, 28, 28), torch.arange(10), tuple("0123456789"))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def config_of(model: ModelConfig = TINY, **changes: object) -> TrainConfig:
    return tiny_config(model=model.model_dump(), **changes)


def test_pixels_become_numbers_from_minus_one_to_one(dataset: Dataset) -> None:
    x0, labels = Images(dataset, CPU)[torch.tensor([1, 0, 5])]
    assert x0[:, 0, 0, 0].tolist() == pytest.approx([1.0, -1.0, 50 / 127.5 - 1]) and labels.tolist() == [1, 0, 5]
    assert x0.shape == (3, 1, 28, 28) and x0.is_contiguous(memory_format=torch.channels_last)


def test_a_network_without_an_objective_is_refused(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(OBJECTIVES) == set(get_args(ModelConfig.model_fields["network"].annotation))
    monkeypatch.setattr("ml.training.objectives.registry.OBJECTIVES", {})
    with pytest.raises(BadRequest, match="no objective for the network 'unet'"):
        objective_of(config_of(), dataset, CPU)


def test_every_kind_of_network_has_an_objective(dataset: Dataset, tiny_run: object) -> None:
    coder = ModelConfig(network="autoencoder", widths=(8, 16), latent=2)
    for config, kind in (
        (config_of(), DiffusionObjective),
        (config_of(ModelConfig(network="judge", widths=(8, 16))), ClassifierObjective),
        (config_of(coder), AutoencoderObjective),
        (config_of(CLIP), ContrastiveObjective),
        (config_of(TINY.with_changes(reader=CLIP)), TextObjective),
        (config_of(teacher_from=str(tiny_run)), DistillationObjective),
    ):
        assert type(objective_of(config, dataset, CPU)) is kind
    assert not ContrastiveObjective.divisible and DiffusionObjective.divisible and ClassifierObjective.divisible


def test_a_batch_falls_into_parts_with_all_that_belongs_to_it() -> None:
    batch = Pictures(torch.arange(5.0), torch.arange(5))
    found = list(parts(batch, 2))
    assert [type(part) for part in found] == [Pictures] * 2
    assert [part[1].tolist() for part in found] == [[0, 1, 2], [3, 4]] == [part[0].tolist() for part in found]
    assert len(list(parts(batch, 9))) == 5


@pytest.mark.parametrize("augment", [False, True])
def test_a_judge_gets_images_and_labels_distorted_with_augment(dataset: Dataset, augment: bool) -> None:
    reading = ClassifierObjective(config_of(augment=augment), dataset, CPU)
    x0, labels = reading.draw(nn.Identity(), CHOSEN, rng())
    plain, own = Images(dataset, CPU)[CHOSEN]
    assert labels.tolist() == own.tolist() == [7, 2, 9]
    assert torch.equal(x0, plain) is not augment


def test_noise_on_latents_has_their_size_and_is_by_chance(dataset: Dataset) -> None:
    for side, size in ((28, 7), (30, 8)):
        coder = ModelConfig(network="autoencoder", image_size=side, widths=(8, 16, 16), latent=3)
        x0, noise = AutoencoderObjective(config_of(coder), dataset, CPU).draw(nn.Identity(), CHOSEN, rng())
        assert isinstance(BlurredBatch(x0, noise), BlurredBatch) and noise.shape == (3, 3, size, size)
        assert noise.std() > 0.5 and len(x0) == 3


def test_a_latent_model_learns_from_latents_of_its_images_that_are_made_once(dataset: Dataset) -> None:
    from ml.models import build
    from ml.models.autoencoder import LatentModel

    codec = ModelConfig(network="autoencoder", widths=(8, 16), latent=2)
    model = ModelConfig(widths=(8, 16), embedding=16, codec=codec)
    network = build(model)
    assert isinstance(network, LatentModel)
    denoising = DiffusionObjective(config_of(model), dataset, CPU)
    latents, labels = denoising._encoded(network, CHOSEN)
    x0, own = Images(dataset, CPU)[CHOSEN]
    torch.testing.assert_close(latents, network.codec.encode(x0), atol=1e-4, rtol=1e-4)
    assert labels.tolist() == own.tolist()
    with torch.no_grad():
        next(network.codec.parameters()).add_(1.0)
    assert torch.equal(denoising._encoded(network, CHOSEN)[0], latents)


def test_captions_are_true_of_their_images(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    said = captions.caption

    def caption(digit: int, bits: int, pick: object) -> captions.Caption:
        asked.append((digit, bits))
        return said(digit, bits, pick)  # type: ignore[arg-type]

    monkeypatch.setattr(captions, "attributes", lambda images, labels: 100 + labels)
    monkeypatch.setattr(captions, "caption", lambda digit, bits, pick: caption(digit, bits - 100, pick))
    telling = TextObjective(config_of(TINY.with_changes(reader=CLIP), label_dropout=1.0), dataset, CPU)
    batch = telling.draw(nn.Identity(), CHOSEN, rng())
    assert asked == [(7, 7), (2, 2), (9, 9)]
    empty_text = tokenizer.tokens([""])[0]
    assert all(torch.equal(row, empty_text) for row in batch.labels)  # all of it is dropped here
    told = TextObjective(config_of(TINY.with_changes(reader=CLIP), label_dropout=0.0), dataset, CPU)
    assert not any(torch.equal(row, empty_text) for row in told.draw(nn.Identity(), CHOSEN, rng()).labels)
    again = told.draw(nn.Identity(), CHOSEN, rng())
    assert torch.equal(again.labels, told.draw(nn.Identity(), CHOSEN, rng()).labels)
    assert not torch.equal(again.labels, told.draw(nn.Identity(), CHOSEN, rng(1)).labels)


def test_a_clip_gets_each_image_with_its_own_label_and_attributes(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captions, "attributes", lambda images, labels: 100 + labels)
    matching = ContrastiveObjective(config_of(CLIP), dataset, CPU)
    batch = matching.draw(nn.Identity(), CHOSEN, rng())
    assert batch.labels.tolist() == [7, 2, 9]
    assert batch.bits.tolist() == [107, 102, 109]
    assert torch.equal(matching._estimated(batch.x0, rng()), batch.x0)  # without a reference model


def test_a_quarter_of_a_clips_captions_has_unknown_words(dataset: Dataset) -> None:
    import random

    matching, pick = ContrastiveObjective(config_of(CLIP), dataset, CPU), random.Random(0)
    encoded = tokenizer.encode("a bold seven")
    read = [matching._with_unknown_words(encoded, pick) for _ in range(2000)]
    foreign = [words for words in read if words != encoded]
    assert 400 < len(foreign) < 600
    for words in foreign:
        unknown = words.count(tokenizer.UNKNOWN) - encoded.count(tokenizer.UNKNOWN)
        assert 1 <= unknown <= 3
        assert tuple(word for word in words if word != tokenizer.UNKNOWN) == encoded
    assert any(words[-1] == tokenizer.UNKNOWN for words in foreign) and any(
        words[0] == tokenizer.UNKNOWN for words in foreign
    )


def test_a_clip_is_trained_on_a_models_estimates(
    dataset: Dataset, tiny_run: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    matching = ContrastiveObjective(config_of(CLIP, estimates_from=str(tiny_run)), dataset, CPU)
    x0 = Images(dataset, CPU)[torch.arange(10)].x0
    seen: list[torch.Tensor] = []
    assert matching.reference_model
    matching.reference_model.network.register_forward_pre_hook(lambda _, asked: seen.append(asked[2]))
    shown = matching._estimated(x0, rng())
    assert torch.equal(shown[5:], x0[5:])  # half of them as they are
    assert not any(torch.equal(a, b) for a, b in zip(shown[:5], x0[:5], strict=True))
    assert [labels.tolist() for labels in seen] == [[10] * 5]  # without telling it what they are
