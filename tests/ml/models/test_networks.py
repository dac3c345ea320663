"""Networks: shapes, conditioning, and that every weight learns."""

from importlib import import_module
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models import NETWORKS, build
from ml.models.blocks import Condition, SelfAttention, TimeEmbedding
from ml.models.classifier import Classifier, logits_from_features
from ml.models.shufflenet_unet import channel_shuffle
from ml.text.tokenizer import CONTEXT

CONFIGS = {
    "small": ModelConfig(widths=(8, 16), patch=2, embedding=16),
    "attention": ModelConfig(widths=(8, 16, 32), attention=(7, 14), blocks=2, embedding=16),
    "colour": ModelConfig(image_size=32, channels=3, widths=(8, 16), patch=2, embedding=16),
    "tiny": ModelConfig(image_size=16, widths=(8,), num_classes=0, embedding=16),
    "odd": ModelConfig(image_size=28, widths=(8, 8, 8, 8), embedding=16),
    "every third": ModelConfig(image_size=30, widths=(8, 16, 24), patch=3, attention=(5,), embedding=17),
    "uneven heads": ModelConfig(image_size=16, widths=(104,), attention=(16,), embedding=16),
    "textbook odd": ModelConfig(network="textbook", image_size=30, widths=(8, 8, 16, 16), embedding=16),
    "textbook": ModelConfig(network="textbook", widths=(8, 16, 32), embedding=16),
    "shuffle": ModelConfig(network="shuffle", widths=(16, 32, 48), blocks=2, embedding=16),
    "shuffle odd": ModelConfig(network="shuffle", image_size=30, channels=3, widths=(16, 16), embedding=16),
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


@pytest.mark.parametrize(
    ("patch", "wanted", "found"), [(1, (7,), [7] * 3), (2, (7,), [7] * 2), (1, (28, 14), [28, 14, 14, 28])]
)
def test_attention_is_at_the_resolutions_asked_for(patch: int, wanted: tuple[int, ...], found: list[int]) -> None:
    config = ModelConfig(widths=(8, 8, 8), patch=patch, attention=wanted, embedding=16)
    network, sides = build(config), list[int]()
    for module in network.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_pre_hook(lambda _, given: sides.append(given[0].shape[-1]))
    network(*inputs(config))
    assert sides == found


@pytest.mark.parametrize(("width", "heads"), [(32, 1), (64, 2), (104, 2)])
def test_attention_is_the_softmax_of_every_heads_products(width: int, heads: int) -> None:
    attention = SelfAttention(width)
    nn.init.normal_(attention.out.weight, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, width, 3, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        q, k, v = attention.qkv(attention.norm(x)).flatten(2).chunk(3, dim=1)  # (B, C, H W)
        parts = []
        for qh, kh, vh in zip(q.chunk(heads, 1), k.chunk(heads, 1), v.chunk(heads, 1), strict=True):
            weights = (qh.transpose(1, 2) @ kh / (width / heads) ** 0.5).softmax(dim=2)  # row: from, column: to
            parts.append(vh @ weights.transpose(1, 2))
        expected = x + attention.out(torch.cat(parts, dim=1).view_as(x))
        torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-4)


def test_time_is_embedded_as_by_diffusers() -> None:
    reference: Any = import_module("diffusers.models.embeddings")
    embedding, time = TimeEmbedding(16), torch.tensor([0.0, 1.5, 300.0, 1000.0])
    expected = reference.get_timestep_embedding(time, 16, downscale_freq_shift=0)
    with torch.no_grad():
        torch.testing.assert_close(embedding(time), embedding.mlp(expected), rtol=1e-4, atol=1e-4)


def test_a_few_steps_of_training_reach_every_weight() -> None:
    config = CONFIGS["attention"]
    network = build(config).train()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    x, time, labels = inputs(config, 11)  # every class and the null label
    for _ in range(4):  # zero-initialised layers open one after the other
        optimizer.zero_grad()
        (network(x, time, labels) - x).square().mean().backward()
        optimizer.step()
    assert [name for name, weight in network.named_parameters() if torch.equal(weight, before[name])] == []


def test_every_network_is_in_the_table_and_another_is_an_error() -> None:
    assert set(NETWORKS) == set(get_args(ModelConfig.model_fields["network"].annotation))
    for wrong in ({"network": "transformer"}, {"network": "textbook", "norm": "layer"}):
        with pytest.raises(KeyError):
            build(ModelConfig().model_copy(update=wrong))


def test_channels_are_shuffled_as_by_torch() -> None:
    x = torch.arange(2 * 6 * 4.0).view(2, 6, 2, 2)
    torch.testing.assert_close(channel_shuffle(x), nn.functional.channel_shuffle(x, 2))


def test_the_light_network_has_a_fraction_of_the_weights() -> None:
    light, plain = (
        sum(weight.numel() for weight in build(ModelConfig(network=kind, widths=(64, 128, 256))).parameters())
        for kind in ("shuffle", "textbook")
    )
    assert light < plain / 3


def test_a_mixture_of_one_class_is_that_class_and_mixtures_lie_between() -> None:
    condition, time = Condition(16, 10), torch.tensor([300.0])
    one_hot = nn.functional.one_hot(torch.tensor([3, 10]), 11).float()
    with torch.no_grad():
        torch.testing.assert_close(condition(time, one_hot), condition(time, torch.tensor([3, 10])))
        mixed = condition.label(torch.tensor([3, 10])).mean(dim=0)
        found = condition(time, one_hot.mean(dim=0, keepdim=True))
        torch.testing.assert_close(found[0], nn.functional.silu(condition.time(time)[0] + mixed))


def test_words_that_are_not_there_say_nothing() -> None:
    reader = ModelConfig(network="clip", widths=(32, 32), patch=7, embedding=16, vocabulary=30)
    config = ModelConfig(widths=(8,), patch=2, embedding=16, attention=(14,), context=32, reader=reader)
    network: Any = stirred(build(config))
    heard: list[Tensor] = []
    network.network.register_forward_pre_hook(lambda _, given: heard.append(given[2]))
    tokens = torch.zeros(1, CONTEXT, dtype=torch.long)
    tokens[0, :3] = torch.tensor([2, 5, 29])
    with torch.no_grad():
        network(torch.zeros(1, 1, 28, 28), torch.tensor([300.0]), tokens)
    assert heard[0].shape == (1, CONTEXT, 32)
    assert heard[0][0, :3].abs().sum(dim=1).min() > 0 and not heard[0][0, 3:].any()


def test_a_latent_is_scaled_when_it_is_made_and_back_when_it_is_decoded() -> None:
    network: Any = stirred(build(ModelConfig(network="autoencoder", widths=(8, 16), latent=2)))
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        mean = network.posterior(x).mean
        network.scale.fill_(4.0)
        assert torch.equal(network.encode(x), 4 * mean)
        assert torch.equal(network.decode(4 * mean), network.reconstruct(mean))
