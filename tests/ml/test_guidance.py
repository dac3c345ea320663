"""Guidance: what both branches make together, in how many calls, and where."""

import pytest
import torch
from torch import Tensor, nn

from ml.config import SampleSettings
from ml.denoiser import NetworkDenoiser, to_eps
from ml.guidance import classifier_free, clipped, conditional
from ml.schedules import Level

LEVEL = Level(0.5, 0.5, 0.5)


def fresh(seed: int) -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Recorder(nn.Module):
    """A network that gives each image the number of its label, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, Tensor, Tensor]] = []

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.calls.append((len(x), time, labels))
        return labels.to(x.dtype).view(-1, 1, 1, 1) * torch.ones_like(x)


@pytest.mark.parametrize("w", [0.0, 0.5, 2.0, 7.5])
def test_guidance_is_linear_between_and_beyond_both_branches_in_one_call(w: float) -> None:
    network = Recorder()
    labels = torch.tensor([1, 2, 3])
    denoise = classifier_free(NetworkDenoiser(network, "x0"), labels, 10, SampleSettings(guidance=w))
    found = denoise(fresh(1), LEVEL)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([10 + w * (k - 10) for k in (1, 2, 3)])
    assert [count for count, *_ in network.calls] == [6]


def test_without_guidance_only_the_conditional_branch_runs() -> None:
    network = Recorder()
    labels = torch.tensor([1, 2, 3])
    model = NetworkDenoiser(network, "x0")
    found = classifier_free(model, labels, 10, SampleSettings(guidance=1.0))(fresh(1), LEVEL)
    assert torch.equal(found, conditional(model, labels)(fresh(1), LEVEL))
    assert [count for count, *_ in network.calls] == [3, 3]


@pytest.mark.parametrize(("low", "high", "calls"), [(0.0, 1e4, 6), (2.0, 1e4, 3), (0.0, 0.5, 3), (0.9, 1.1, 6)])
def test_guidance_acts_in_its_interval_of_noise_levels(low: float, high: float, calls: int) -> None:
    network = Recorder()
    settings = SampleSettings(guidance=2.0, guidance_from=low, guidance_to=high)
    classifier_free(NetworkDenoiser(network, "x0"), torch.tensor([1, 2, 3]), 10, settings)(fresh(1), LEVEL)
    assert network.calls[0][0] == calls


def test_clipping_is_to_the_range_of_the_data() -> None:
    assert clipped(lambda x, level: 5 * x)(fresh(1), LEVEL).abs().max() == 1


def test_guiding_the_image_is_guiding_the_noise() -> None:
    level, w, x_t = Level(0.5, 0.6, 0.8), 3.0, fresh(1)
    labels, nobody = torch.tensor([1, 2, 3]), torch.tensor([10, 10, 10])
    model = NetworkDenoiser(Recorder(), "eps")
    cond, uncond = (to_eps(model(x_t, level, k), x_t, level) for k in (labels, nobody))
    guided = to_eps(classifier_free(model, labels, 10, SampleSettings(guidance=w))(x_t, level), x_t, level)
    torch.testing.assert_close(guided, uncond + w * (cond - uncond))
