"""Augmentation as an input of the network: the network learns from it, and draws none of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ml.config import ModelConfig, TrainConfig, validate
from ml.data import augment
from ml.data.dataset import Dataset
from ml.diffusion.schedules import schedule_of
from ml.errors import BadRequest
from ml.models import build
from ml.registry.checkpoint import load_model
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, SNAPSHOTS, STATE_FILE
from ml.system.device import choose_device
from ml.training.config_from_data import fit_to_data
from ml.training.losses import diffusion_loss, noised
from ml.training.objectives.diffusion import DiffusionObjective
from ml.training.run import Run
from tests.support.tiny_model import tiny_config, train_tiny

CPU = torch.device("cpu")
STRONG = {"mirror": True, "augment_share": 0.9}
NETWORKS = {
    "unet": ModelConfig(widths=(8, 16), patch=2, embedding=16),
    "textbook": ModelConfig(network="textbook", widths=(8, 16), embedding=16),
    "shuffle": ModelConfig(network="shuffle", widths=(16, 16), embedding=16),
}


def corner() -> Dataset:
    """64 images of a white square on black, 12 x 12, all in the same place."""
    images = torch.zeros(64, 1, 12, 12, dtype=torch.uint8)
    images[:, :, 1:5, 1:5] = 255
    return Dataset("corner", images, torch.zeros(64).long(), ("square",))


def config_of(model: ModelConfig, **changes: object) -> TrainConfig:
    return tiny_config(model=model.model_dump(), **STRONG, **changes)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_hears_of_an_augmentation_and_of_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    plain = build(NETWORKS[name])
    told = build(NETWORKS[name].with_changes(augment_inputs=augment.INPUTS))
    added = told.load_state_dict(plain.state_dict(), strict=False)
    assert added.missing_keys == ["condition.augmentation.weight"] and not added.unexpected_keys
    with torch.no_grad():
        for parameter in (*told.parameters(), *plain.parameters()):
            parameter.add_(0.05)  # none of them zero, behind which nothing is heard
        x, time, labels = torch.randn(2, 1, 28, 28), torch.tensor([300.0]), torch.tensor([3, 10])
        change = torch.zeros(2, augment.INPUTS)
        expected = plain(x, time, labels)
        assert torch.equal(told(x, time, labels), expected)
        assert torch.equal(told(x, time, labels, change), expected)
        change[0, 1] = 0.5
        heard = told(x, time, labels, change)
    assert not torch.allclose(heard[0], expected[0], atol=1e-4)
    torch.testing.assert_close(heard[1], expected[1])


class Listener(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: tuple[Tensor, ...] = ()

    def forward(self, *given: Tensor) -> Tensor:
        self.given = given
        return given[0]


def test_the_network_is_told_what_was_changed_in_each_image() -> None:
    config = fit_to_data(config_of(ModelConfig(widths=(8,))), corner())
    assert config.model.augment_inputs == augment.INPUTS
    network, x0 = Listener(), torch.randn(40, 1, 12, 12).clamp(-1, 1)
    batch = noised(x0, torch.zeros(40).long(), schedule_of(config.model), config, torch.Generator().manual_seed(0))
    diffusion_loss(network, batch, config)
    changed = augment.augmented(x0, torch.Generator().manual_seed(0), mirror=True, share=0.9)
    assert torch.equal(network.given[3], changed.change)
    assert changed.change.any(dim=1).float().mean() > 0.9
    alpha, sigma = (1 - batch.time / 1000), batch.time / 1000  # flow: the target is eps - x0
    eps = batch.target + changed.x0
    x_t = alpha.view(-1, 1, 1, 1) * changed.x0 + sigma.view(-1, 1, 1, 1) * eps
    torch.testing.assert_close(batch.input, x_t, rtol=0, atol=1e-5)


def test_a_run_without_it_tells_and_stores_nothing() -> None:
    config = fit_to_data(tiny_config(model={"widths": [8]}), corner())
    assert config.model.augment_inputs == 0
    network = Listener()
    batch = noised(
        torch.randn(4, 1, 12, 12), torch.zeros(4).long(), schedule_of(config.model), config, torch.Generator()
    )
    diffusion_loss(network, batch, config)
    assert len(network.given) == 3


def test_held_out_images_are_judged_unchanged(tmp_path: Path) -> None:
    config = fit_to_data(config_of(ModelConfig(widths=(8,), embedding=16)), corner())
    run = Run(config, tmp_path, choose_device("cpu"), corner(), held_out=corner())
    assert run._held_out is not None
    objective, _ = run._held_out
    assert isinstance(objective, DiffusionObjective)
    batch = objective.draw(run.network, torch.arange(64), torch.Generator().manual_seed(0))
    assert not batch.augmentation.any()
    assert run.validate().loss > 0


def test_a_models_file_is_that_of_a_network_without_augmentation(tmp_path: Path) -> None:
    folder = train_tiny(tmp_path / "run", **STRONG, steps=100, batch_size=2)
    header, weights = load_model(folder / MODEL_FILE)
    assert header.model.augment_inputs == 0 and not [name for name in weights if "augmentation" in name]
    assert load_model(folder / SNAPSHOTS / "00000100.safetensors")[0].model == header.model
    saved = TrainConfig.model_validate_json((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    assert saved.model.augment_inputs == augment.INPUTS and saved.mirror
    from safetensors.torch import load_file

    state = load_file(folder / STATE_FILE)
    assert state["ema.condition.augmentation.weight"].shape == (16, augment.INPUTS)
    assert state["ema.condition.augmentation.weight"].any()  # it has been learnt


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"network": "judge", "widths": [8]}, "mirror": True},
        {"codec_from": "autoencoder", "augment_share": 0.1},
        {"teacher_from": "digits", "mirror": True},
    ],
    ids=["judge", "latent", "student"],
)
def test_what_does_not_learn_from_images_themselves_refuses_it(changes: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="are for diffusion models that learn from images themselves"):
        validate(TrainConfig, tiny_config().model_dump() | changes)


@pytest.mark.slow
def test_augmentation_does_not_leak_into_what_is_drawn(tmp_path: Path) -> None:
    model = ModelConfig(image_size=12, num_classes=0, widths=(16, 32), patch=2, embedding=32)
    settings = {"optimizer": "muon", "lr": 4e-3, "steps": 400, "defaults": {"steps": 10, "guidance": 1}}
    told = fit_to_data(config_of(model, **settings).with_changes(augment_share=0.5), corner(), "cpu")
    untold = told.with_changes(model=model.model_dump())
    off: list[np.ndarray] = []
    for config in (told, untold):
        run = Run(config, tmp_path, choose_device("cpu"), corner())
        for _ in range(400):
            run.train_step()
        drawn = run.preview().images.reshape(-1, 12, 12) > 127
        ink = drawn.sum(axis=(1, 2))
        places = [(drawn.sum(axis=axis) * np.arange(12)).sum(axis=1) / ink for axis in (1, 2)]
        off.append(np.hypot(*(place - 2.5 for place in places)))  # pixels from the square's middle, of ten images
    assert off[0].max() < 0.6
    assert (off[1] > 0.5).sum() >= 5
