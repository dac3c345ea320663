"""Drawing and training on a GPU that is not there: fake tensors have a device and a shape, and refuse to mix devices.

What only a real device does is left out: the backward pass, and fetching results. A fake generator of random numbers is
one of the CPU, whose numbers may go anywhere.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode

from ml.config import Corner, ModelConfig, SampleRequest, SampleSettings
from ml.data import device_dataset
from ml.data.dataset import Dataset
from ml.data.device_dataset import Images
from ml.diffusion.denoiser import NetworkDenoiser
from ml.diffusion.guidance import classifier_free
from ml.diffusion.noise import SeededNoise
from ml.diffusion.samplers import run_sampler
from ml.diffusion.schedules import grid_of, schedule_of
from ml.generation import denoising
from ml.generation.conditioning import condition_of
from ml.generation.plan import SamplingPlan
from ml.models import build
from ml.specs import SAMPLERS, SamplerName
from ml.training.loss_by_noise import LossByNoise
from ml.training.objectives import classifier, diffusion
from ml.training.rng import ShuffledEpochs
from tests.support.tiny_model import TINY, tiny_config

GPU = torch.device("cuda", 0)
pytestmark = pytest.mark.slow  # the first fake tensor takes torch seconds of imports


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All tensors are fake, and a random generator of the GPU is one of the CPU that says otherwise."""
    monkeypatch.setattr(device_dataset, "free", lambda _device: 2**30)
    monkeypatch.setattr("torch.autocast.__init__", _no_autocast)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def _no_autocast(self: Any, device_type: str, *_: object, **__: object) -> None:
    """Autocast to bfloat16, which needs the device, is off."""
    self.device, self.fast_dtype, self._enabled, self._cache_enabled = device_type, torch.bfloat16, False, False
    self.custom_backend_name = ""


def on_gpu(config: ModelConfig) -> torch.nn.Module:
    """A network that is made there: fake weights cannot be moved."""
    with torch.device(GPU):
        network = build(config)
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            module.register_buffer(name, torch.empty_like(buffer, device=GPU))
    return network


class Rng(torch.Generator):
    """A generator that is said to be the GPU's."""

    device = GPU  # type: ignore[assignment]


def model() -> Any:
    network = on_gpu(TINY)
    denoiser = NetworkDenoiser(network, TINY.prediction)
    return SimpleNamespace(device=GPU, config=TINY, network=network, denoiser=denoiser, name="tiny")


def digits(count: int = 20) -> Dataset:
    return Dataset(
        "mnist", torch.zeros(count, 1, 28, 28, dtype=torch.uint8), torch.arange(count) % 10, tuple("0123456789")
    )


def test_a_tensor_on_the_wrong_device_is_noticed() -> None:
    with pytest.raises(FakeTensorDeviceMismatchError):
        torch.add(torch.ones(2, device=GPU), torch.ones(2))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_stays_on_the_device(sampler: SamplerName) -> None:
    settings = SampleSettings(
        sampler=sampler, steps=3, guidance=2.0, eta=0.5 if "eta" in SAMPLERS[sampler].uses else 0.0
    )
    labels, drawer = torch.tensor([3, 4], device=GPU), model()
    denoise = classifier_free(drawer.denoiser, labels, torch.tensor(10, device=GPU), settings)
    noise = SeededNoise([1, 2], (1, 28, 28), GPU)
    for step in run_sampler(settings, denoise, noise(), grid_of(schedule_of(TINY), settings), noise):
        assert step.x_t.device == step.x0_hat.device == GPU


@pytest.mark.parametrize("corners", [(), (Corner(seed=1, label=3), Corner(seed=2, label=4))])
def test_a_request_begins_and_is_conditioned_on_the_device(corners: tuple[Corner, ...]) -> None:
    weights = ((0.5, 0.5), (1.0, 0.0)) if corners else ()
    request = SampleRequest(labels=(3, 4), corners=corners, weights=weights, steps=2, mixing="lerp")
    drawer, grid = model(), grid_of(schedule_of(TINY), request)
    condition, null = condition_of(drawer, request, slice(0, 2))
    assert condition.device == null.device == GPU
    noises = torch.zeros(2, 1, 28, 28) if corners else None  # on the CPU, where they are mixed
    plan = SamplingPlan(drawer, request, grid, condition, null, None, None, None, noises, None)
    begin = denoising._first_images(plan, slice(0, 2), denoising._noise(plan, slice(0, 2)))
    assert begin.device == GPU and begin.is_contiguous(memory_format=torch.channels_last)
    assert drawer.denoiser(begin, grid[0], condition).device == GPU


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mirror": True, "augment_share": 0.5},
        {"model.schedule": "cosine", "model.prediction": "v", "weighting": "min-snr"},
        {"model.network": "judge", "augment": True},
    ],
)
def test_a_step_of_training_stays_on_the_device(changes: dict[str, Any]) -> None:
    own = {name.removeprefix("model."): value for name, value in changes.items() if name.startswith("model.")}
    rest = {name: value for name, value in changes.items() if not name.startswith("model.")}
    inputs = {"augment_inputs": 5} if rest.get("augment_share") else {}
    config = tiny_config(model=TINY.model_dump() | own | inputs, optimizer="muon", **rest)
    network = on_gpu(config.model)
    kind = classifier.ClassifierObjective if config.model.network == "judge" else diffusion.DiffusionObjective
    objective = kind(config, digits(), GPU)
    batch: Any = objective.draw(network, ShuffledEpochs(1, 20, 8, GPU).batch(2), Rng())
    losses = objective.losses(network, batch, Rng())
    assert {tensor.device for tensor in (*batch, losses)} == {GPU}
    if kind is diffusion.DiffusionObjective:
        by_noise = LossByNoise(GPU)
        by_noise.add(batch.noise, losses.detach())
        assert by_noise.sums.device == GPU


def test_images_that_leave_too_little_memory_stay_beside_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, size = torch.tensor([1, 3], device=GPU), digits().images.numel()
    for free, where in ((2 * size, "cuda"), (2 * size - 1, "cpu")):
        monkeypatch.setattr(device_dataset, "free", lambda _device, free=free: free)
        images = Images(digits(), GPU)
        assert images.pixels.device.type == where
        x0, labels = images[chosen]
        assert x0.device == labels.device == GPU and x0.shape == (2, 1, 28, 28)
