"""Networks: shapes, conditioning, and that every weight learns."""

import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models import build
from ml.models.classifier import Classifier, logits_from_features

CONFIGS = {
    "small": ModelConfig(widths=(8, 16), patch=2, embedding=16),
    "attention": ModelConfig(widths=(8, 16, 32), attention=(7, 14), blocks=2, embedding=16),
    "colour": ModelConfig(image_size=32, channels=3, widths=(8, 16), patch=2, embedding=16),
    "tiny": ModelConfig(image_size=16, widths=(8,), num_classes=0, embedding=16),
    "odd": ModelConfig(image_size=28, widths=(8, 8, 8, 8), embedding=16),
    "textbook": ModelConfig(network="textbook", widths=(8, 16, 32), embedding=16),
    "textbook batch norm": ModelConfig(network="textbook", widths=(8, 16), norm="batch", embedding=16),
}


def inputs(config: ModelConfig, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, config.channels, config.image_size, config.image_size, generator=generator)
    return x, torch.linspace(100, 900, count), torch.arange(count) % (config.num_classes + 1)


def stirred(network: nn.Module) -> nn.Module:
    """The network with its zero-initialised layers filled, as after a little training."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_output_has_the_shape_of_the_input(config: ModelConfig) -> None:
    x, time, labels = inputs(config)
    assert build(config).eval()(x, time, labels).shape == x.shape


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_every_weight_learns(config: ModelConfig) -> None:
    network = stirred(build(config)).train()
    x, time, labels = inputs(config, 4)
    network(x, time, labels).square().mean().backward()
    # A table of classes learns only in the rows that were asked for.
    idle = [n for n, p in network.named_parameters() if p.grad is None or (not p.grad.any() and "label" not in n)]
    assert idle == []


@pytest.mark.parametrize("config", [CONFIGS["small"], CONFIGS["textbook"]], ids=["unet", "textbook"])
def test_class_and_time_matter_and_null_is_a_class_of_its_own(config: ModelConfig) -> None:
    network = stirred(build(config))
    x = inputs(config, 1)[0]
    with torch.no_grad():
        outputs = [network(x, torch.tensor([t]), torch.tensor([k])) for t, k in [(500.0, 3), (500.0, 10), (100.0, 3)]]
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    assert (outputs[0] - outputs[2]).abs().max() > 1e-3


@pytest.mark.parametrize("config", [CONFIGS["small"], CONFIGS["attention"], CONFIGS["textbook"]])
def test_one_time_for_all_is_the_same_as_that_time_each(config: ModelConfig) -> None:
    network = stirred(build(config))
    x, _, labels = inputs(config)
    with torch.no_grad():
        once, each = network(x, torch.tensor([300.0]), labels), network(x, torch.full((3,), 300.0), labels)
    torch.testing.assert_close(once, each)


@pytest.mark.parametrize("config", [CONFIGS["small"], CONFIGS["attention"], CONFIGS["textbook"]])
def test_an_image_does_not_see_its_neighbours(config: ModelConfig) -> None:
    network = stirred(build(config))
    x, time, labels = inputs(config)
    with torch.no_grad():
        together, alone = network(x, time, labels), network(x[1:2], time[1:2], labels[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_a_fresh_unet_predicts_nothing() -> None:
    x, time, labels = inputs(CONFIGS["small"])
    assert not build(CONFIGS["small"])(x, time, labels).any()


def test_the_classifier_gives_the_same_logits_by_way_of_its_features() -> None:
    config = ModelConfig(network="judge", widths=(8, 16), embedding=24)
    network = build(config)
    assert isinstance(network, Classifier)
    network.eval()
    x = inputs(config)[0]
    with torch.no_grad():
        features = network.features(x)
        assert features.shape == (3, 24)
        torch.testing.assert_close(logits_from_features(network, features), network(x))
