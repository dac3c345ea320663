"""Guidance: what both branches make together, in how many calls, and where."""

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import SampleSettings
from ml.diffusion.denoiser import NetworkDenoiser, to_eps
from ml.diffusion.guidance import classifier_free, clip_guided, clipped, conditional, rescaled, thresholded
from ml.diffusion.schedules import Level

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


@pytest.mark.parametrize("w", [0.5, 2.0, 7.5])
def test_guidance_is_linear_between_and_beyond_both_branches_in_one_call(w: float) -> None:
    network = Recorder()
    labels = torch.tensor([1, 2, 3])
    denoise = classifier_free(NetworkDenoiser(network, "x0"), labels, 10, SampleSettings(guidance=w))
    found = denoise(fresh(1), LEVEL)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([10 + w * (k - 10) for k in (1, 2, 3)])
    assert [count for count, *_ in network.calls] == [6]


def test_where_the_class_does_not_count_only_the_other_branch_runs() -> None:
    network = Recorder()
    denoise = classifier_free(NetworkDenoiser(network, "x0"), torch.tensor([1, 2, 3]), 10, SampleSettings(guidance=0.0))
    assert denoise(fresh(1), LEVEL)[:, 0, 0, 0].tolist() == [10, 10, 10]
    assert [count for count, *_ in network.calls] == [3]


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


@pytest.mark.parametrize("w", [0.0, 0.5])
def test_a_class_that_is_to_count_for_less_does_so_at_all_levels(w: float) -> None:
    settings = SampleSettings(guidance=w, guidance_from=2.0, guidance_to=3.0)
    found = classifier_free(NetworkDenoiser(Recorder(), "x0"), torch.tensor([1, 2, 3]), 10, settings)(fresh(1), LEVEL)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([10 + w * (k - 10) for k in (1, 2, 3)])


def test_clipping_is_to_the_range_of_the_data() -> None:
    assert clipped(lambda x, level: 5 * x)(fresh(1), LEVEL).abs().max() == 1


def test_guiding_the_image_is_guiding_the_noise() -> None:
    level, w, x_t = Level(0.5, 0.6, 0.8), 3.0, fresh(1)
    labels, nobody = torch.tensor([1, 2, 3]), torch.tensor([10, 10, 10])
    model = NetworkDenoiser(Recorder(), "eps")
    cond, uncond = (to_eps(model(x_t, level, k), x_t, level) for k in (labels, nobody))
    guided = to_eps(classifier_free(model, labels, 10, SampleSettings(guidance=w))(x_t, level), x_t, level)
    torch.testing.assert_close(guided, uncond + w * (cond - uncond))


def test_rescaling_is_that_of_diffusers() -> None:
    reference: Any = import_module("diffusers.guiders.guider_utils")
    guided, cond = 3 * fresh(1), fresh(2)
    for phi in (0.0, 0.7, 1.0):
        expected = reference.rescale_noise_cfg(guided, cond, guidance_rescale=phi)
        torch.testing.assert_close(rescaled(guided, cond, phi), expected)


def test_rescaled_guidance_has_the_contrast_of_the_conditional_branch() -> None:
    class Loud(nn.Module):
        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            return x * (1 + labels.to(x.dtype).view(-1, 1, 1, 1))

    settings = SampleSettings(guidance=7.5, guidance_rescale=1.0)
    labels, x_t = torch.tensor([1, 2, 3]), fresh(1)
    model = NetworkDenoiser(Loud(), "x0")
    found = classifier_free(model, labels, 0, settings)(x_t, LEVEL)
    torch.testing.assert_close(found.std(dim=(1, 2, 3)), conditional(model, labels)(x_t, LEVEL).std(dim=(1, 2, 3)))


def test_guidance_is_rescaled_by_the_configured_share() -> None:
    class Loud(nn.Module):
        def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            return x * (1 + labels.to(x.dtype).view(-1, 1, 1, 1))

    labels, x_t = torch.tensor([1, 2, 3]), fresh(1)
    model = NetworkDenoiser(Loud(), "x0")

    def contrast(phi: float) -> Tensor:
        settings = SampleSettings(guidance=7.5, guidance_rescale=phi)
        return classifier_free(model, labels, 0, settings)(x_t, LEVEL).std(dim=(1, 2, 3))

    torch.testing.assert_close(contrast(0.3), 0.7 * contrast(0.0) + 0.3 * contrast(1.0))
    assert bool((contrast(0.0) > 2 * contrast(1.0)).all())


def test_dynamic_thresholding_is_that_of_diffusers() -> None:
    diffusers: Any = import_module("diffusers")
    scheduler = diffusers.DDPMScheduler(
        thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=1e6, clip_sample=False
    )
    for loud in (0.3, 3.0):
        found = thresholded(lambda x, level, by=loud: by * x, 0.9)(fresh(1), LEVEL)
        torch.testing.assert_close(found, scheduler._threshold_sample(loud * fresh(1)))
        assert found.abs().max() <= 1


def test_steering_gives_the_mean_of_the_posterior_with_the_text() -> None:
    # x0 ~ N(0, s^2) and p(text | x0) ~ exp(a x0): given x_t, the mean moves by a times the variance that is left.
    s, a, level = 0.5, 0.7, Level(0.5, 0.6, 0.8)
    total = 0.6**2 * s**2 + 0.8**2

    def denoise(x_t: Tensor, level: Level) -> Tensor:
        return level.alpha * s**2 / total * x_t

    steered = clip_guided(denoise, lambda x0: a * x0.flatten(1).sum(dim=1), 2.0)
    with torch.no_grad():
        moved = steered(fresh(1), level) - denoise(fresh(1), level)
    torch.testing.assert_close(moved, torch.full_like(moved, 2 * a * s**2 * 0.8**2 / total))


def test_unsteered_the_estimate_is_the_models_own_and_the_pull_grows_with_its_scale() -> None:
    def refuse(x0: Tensor) -> Tensor:
        raise AssertionError("asked for a gradient")

    own = clip_guided(lambda x, level: 2 * x, refuse, 0.0)(fresh(1), LEVEL)
    assert torch.equal(own, 2 * fresh(1))
    once, thrice = (
        clip_guided(lambda x, level: 2 * x, lambda x0: x0.flatten(1).sum(dim=1), scale)(fresh(1), LEVEL) - own
        for scale in (1.0, 3.0)
    )
    torch.testing.assert_close(3 * once, thrice)
    assert not once.requires_grad and float(once.min()) > 0


@pytest.mark.parametrize("ratio", [0.05, 100.0])
def test_nothing_is_steered_where_there_is_nothing_to_see_or_to_change(ratio: float) -> None:
    level = Level(0.5, 1.0, ratio)

    def refuse(x0: Tensor) -> Tensor:
        raise AssertionError("asked for a gradient")

    assert torch.equal(clip_guided(lambda x, level: 2 * x, refuse, 1.0)(fresh(1), level), 2 * fresh(1))


def test_a_contrast_is_the_same_on_any_number_of_threads() -> None:
    """Far from zero, where rounding shows; images are so large that several threads sum one."""
    guided, cond = (1e4 + torch.randn(8, 3, 128, 128, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    before = torch.get_num_threads()
    found: list[Tensor] = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(rescaled(guided, cond, 0.7))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
