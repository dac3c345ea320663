"""The guidance probe: against the network asked directly, and against the sampler that guides with it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.config import NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.diffusion.denoiser import NetworkDenoiser, to_eps
from ml.errors import BadRequest
from ml.evaluation.guidance_probe import FAINT, probe_guidance
from ml.generation import loaded_model
from ml.generation.denoising import steps
from ml.generation.plan import make_plan
from ml.imaging.pixels import to_uint8
from tests.support.gaussians import gaussians

REQUEST = SampleRequest(model="digits", labels=(4,), seed=9, steps=6, guidance=2.0, guidance_to=1e4)


def test_every_step_has_the_noise_with_and_without_the_class() -> None:
    model = loaded_model.load("digits", "cpu")
    network = NetworkDenoiser(model.network, model.config.prediction)
    found = list(probe_guidance(model, REQUEST))
    assert [each.step for each in found] == list(range(6)) and all(each.images.shape == (3, 28, 28) for each in found)
    with torch.no_grad():
        for each, step in zip(found, steps(make_plan(model, REQUEST)), strict=False):
            cond, uncond = (
                to_eps(network(step.x_t, step.level, torch.tensor([label])), step.x_t, step.level) for label in (4, 10)
            )
            guided = to_eps(step.x0_hat, step.x_t, step.level)  # what the sampler went on with
            torch.testing.assert_close(uncond + 2 * (cond - uncond), guided, atol=2e-3, rtol=1e-3)
            assert np.abs(to_uint8(cond / 3)[0].astype(int) - each.images[0]).max() <= 1
            assert np.abs(to_uint8(uncond / 3)[0].astype(int) - each.images[1]).max() <= 1
            assert each.pull == pytest.approx(float((cond - uncond).square().mean().sqrt()), rel=1e-3)


def test_the_difference_is_what_the_class_adds_at_full_contrast() -> None:
    request = REQUEST.with_changes(model="gaussians", labels=(4, 2), steps=5, sigma_max=20.0)
    found = list(probe_guidance(gaussians(), request))
    assert len(found) == 5
    for each, step in zip(found, steps(make_plan(gaussians(), request)), strict=False):
        network = gaussians().denoiser
        cond, uncond = (
            to_eps(network(step.x_t[:1], step.level, torch.tensor([label])), step.x_t[:1], step.level)
            for label in (4, 10)
        )
        apart = cond - uncond  # brighter without a class, so that its noise is darker
        assert float(apart.min()) > 0
        expected = to_uint8(apart / max(float(apart.abs().max()), FAINT))[0]
        assert np.abs(expected.astype(int) - each.images[2]).max() <= 1
        assert each.pull == pytest.approx(float(apart.square().mean().sqrt()), rel=1e-4)
    assert found[-1].images[2].max() == 255 > found[0].images[2].max() > 128  # a faint one is not blown up


def test_outside_its_interval_nothing_is_added() -> None:
    narrow = REQUEST.with_changes(guidance_from=0.5, guidance_to=3.0)
    shares = {each.w for each in probe_guidance(loaded_model.load("digits", "cpu"), narrow)}
    assert shares == {1.0, 2.0}


def test_without_a_class_there_is_nothing_to_see(tiny_unconditional: Path) -> None:
    for model, label in (("digits", NO_LABEL), (str(tiny_unconditional), NO_LABEL)):
        request = REQUEST.with_changes(model=model, labels=(label,))
        with pytest.raises(BadRequest, match="without guidance"):
            next(probe_guidance(loaded_model.load(model, "cpu"), request))


def test_it_stops_when_cancelled() -> None:
    control = RunControl()
    looking = probe_guidance(loaded_model.load("digits", "cpu"), REQUEST, control)
    next(looking)
    control.cancel()
    assert list(looking) == []
