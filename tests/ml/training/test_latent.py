"""Latent diffusion and text-conditioned diffusion, both trained at a tiny size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import NO_LABEL, ModelConfig, SampleRequest, TrainConfig
from ml.control import RunControl
from ml.data import synthetic_digits
from ml.errors import BadRequest
from ml.events import Frame, Sampled, TrainStep
from ml.generation import loaded_model, pipeline
from ml.models import build
from ml.models.autoencoder import Autoencoder, LatentModel
from ml.models.blocks import CrossAttention
from ml.registry.checkpoint import load_model, load_state
from ml.registry.run_layout import MODEL_FILE, STATE_FILE
from ml.text.tokenizer import vocabulary_size
from ml.training.losses import autoencoder_loss
from ml.training.trainer import train
from tests.support.tiny_model import few_digits, tiny_config

CODER = {"network": "autoencoder", "widths": [8, 16, 16], "latent": 2}
READER = {"network": "clip", "widths": [32, 32], "blocks": 1, "patch": 7, "embedding": 16}


def trained(folder: Path, root: Path, **changes: object) -> Path:
    """The folder of a run that is gone through with, on the digits in `root`."""
    assert list(train(tiny_config(data="mnist", **changes), folder, device="cpu", data_root=root))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_digits(tmp_path_factory.mktemp("digits"), train=2000)


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    return trained(tmp_path_factory.mktemp("latent") / "coder", root, model=CODER, steps=150, kl_weight=0.01)


@pytest.fixture(scope="module")
def latent(coder: Path, root: Path) -> Path:
    return trained(coder.parent / "latent", root, model={"widths": [16, 16], "embedding": 16}, codec_from=str(coder))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    folder = tmp_path_factory.mktemp("told")
    reader = trained(folder / "reader", root, model=READER | {"vocabulary": vocabulary_size()}, steps=5)
    model = {"widths": [8, 16], "patch": 2, "embedding": 16, "attention": [7], "context": 32}
    return trained(folder / "model", root, model=model, reader_from=str(reader))


def images(count: int) -> Tensor:
    return synthetic_digits.digits(count, seed=1).images.float() / 127.5 - 1


def network_of(run: Path) -> torch.nn.Module:
    return loaded_model.load(str(run), "cpu").network


def draw(run: Path, **changes: object) -> tuple[list[Frame], Sampled]:
    request = SampleRequest.model_validate(
        {"model": str(run), "labels": (3, 7), "steps": 3, "seed": 5, "sigma_max": 20} | changes
    )
    *frames, done = pipeline.sample(request, device="cpu")
    assert isinstance(done, Sampled)
    return [frame for frame in frames if isinstance(frame, Frame)], done


# ---- the autoencoder


def coder_of(run: Path) -> Autoencoder:
    header, weights = load_model(run / MODEL_FILE)
    network = Autoencoder(header.model)
    network.load_state_dict(weights)
    return network


@torch.no_grad()
def test_an_autoencoder_packs_images_and_unpacks_them(coder: Path) -> None:
    x, network = images(200), coder_of(coder)
    z = network.encode(x)
    assert z.shape == (200, 2, 7, 7)
    assert float(z.std()) == pytest.approx(1, abs=0.15)
    again = network.decode(z)
    assert again.shape == x.shape
    assert float((again - x).square().mean()) < 0.5 * float((x - x.mean(dim=0)).square().mean())


def test_the_autoencoders_loss_is_the_evidence_bound() -> None:
    """Against torch's own KL divergence of normal distributions."""
    network = build(ModelConfig.model_validate(CODER)).eval()
    assert isinstance(network, Autoencoder)
    x, config = images(4), TrainConfig(steps=1, kl_weight=0.3)
    mean, log_variance = network.posterior(x)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
    found = autoencoder_loss(network, x, noise, config)
    normal = torch.distributions.Normal
    q = normal(mean, (log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(q, normal(torch.tensor(0.0), torch.tensor(1.0))).sum(dim=(1, 2, 3)).mean()
    z = mean + q.scale * noise
    error = (network.reconstruct(z) - x).square().mean()
    torch.testing.assert_close(found, error + 0.3 * kl / x[0].numel())


@torch.no_grad()
def test_the_scale_of_a_latent_follows_its_spread_while_it_trains() -> None:
    network = build(ModelConfig.model_validate(CODER))
    assert isinstance(network, Autoencoder)
    x, config = images(4), TrainConfig(steps=1)
    noise = torch.zeros_like(network.posterior(x).mean)
    autoencoder_loss(network.eval(), x, noise, config)
    assert float(network.scale) == 1
    wanted = 1 / float(network.posterior(x).mean.std())
    autoencoder_loss(network.train(), x, noise, config)
    assert float(network.scale) == pytest.approx(0.99 + 0.01 * wanted) and abs(wanted - 1) > 0.1
    few = x[:1, :, :8, :8]
    for _ in range(1000):
        autoencoder_loss(network, few, noise[:1, :, :2, :2], config)
    assert float(network.encode(few).std()) == pytest.approx(1, abs=0.01)


# ---- diffusion in its latent


def test_a_latent_model_draws_images_and_shows_every_step_decoded(latent: Path) -> None:
    frames, done = draw(latent)
    assert done.images.shape == (2, 28, 28)
    assert [frame.x_t.shape for frame in frames] == [(2, 28, 28)] * 4
    assert np.array_equal(frames[-1].x_t, done.images)


def test_a_latent_model_carries_its_codec_unchanged(coder: Path, latent: Path) -> None:
    network = network_of(latent)
    assert isinstance(network, LatentModel)
    for name, tensor in coder_of(coder).state_dict().items():
        assert torch.equal(tensor, network.codec.state_dict()[name]), name


def test_a_latent_run_is_resumed_to_the_bit_without_its_codecs_file(coder: Path, root: Path, tmp_path: Path) -> None:
    config = tiny_config(model={"widths": [16, 16], "embedding": 16}, codec_from=str(coder), steps=6, data="mnist")
    list(train(config, tmp_path / "whole", device="cpu", data_root=root))
    control = RunControl()
    for event in train(config, tmp_path / "parts", device="cpu", control=control, data_root=root):
        if isinstance(event, TrainStep):
            control.cancel()
    gone = config.with_changes(codec_from="")
    list(train(gone, tmp_path / "parts", device="cpu", resume=True, data_root=root))
    whole, parts = (load_state(tmp_path / name / STATE_FILE)[1] for name in ("whole", "parts"))
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())


def test_a_codec_for_other_images_is_refused(coder: Path, latent: Path, root: Path, tmp_path: Path) -> None:
    for source, size in ((coder, 32), (latent, 28)):
        with pytest.raises(BadRequest, match="is no autoencoder"):
            trained(tmp_path / "x", root, model={"widths": [16, 16], "image_size": size}, codec_from=str(source))


# ---- text-conditioned diffusion


def test_attention_reads_the_words() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(32, 16)
    torch.nn.init.normal_(attention.out.weight)
    x, words = torch.randn(2, 32, 4, 4), torch.randn(2, 5, 16)
    alone = attention(x[:1], words[:1])
    torch.testing.assert_close(attention(x, words)[:1], alone)
    assert not torch.allclose(attention(x[:1], words[1:]), alone)
    torch.testing.assert_close(attention(x, words.flip(1)), attention(x, words))  # a set, as far as attention goes


def test_a_text_conditioned_model_draws_by_words_and_by_labels(told: Path) -> None:
    _, by_label = draw(told)
    asked = {"route": "text", "prompt": "a bold seven", "labels": (NO_LABEL,) * 2}
    _, by_words = draw(told, **asked)
    _, other_words = draw(told, **asked | {"prompt": "a thin three"})
    assert by_label.images.shape == by_words.images.shape == (2, 28, 28)
    assert not np.array_equal(by_words.images, other_words.images)
    assert np.array_equal(draw(told, prompt="seven", labels=(NO_LABEL,), seed=6)[1].images[0], by_label.images[1])
