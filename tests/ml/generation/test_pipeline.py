"""From a request to images: batches, seeds, frames, stopping, and what cannot be drawn."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.config import NO_LABEL, SampleRequest
from ml.control import RunControl
from ml.errors import BadRequest, NoDevice
from ml.events import Frame, Pixels, Sampled, SampleEvent
from ml.generation import loaded_model, pipeline
from ml.registry import model_cards
from ml.registry.checkpoint import file_hash
from ml.specs import SamplerName
from tests.exactness import fresh
from tests.support.tiny_model import tiny_config

SAMPLERS: list[SamplerName] = ["ddpm", "ddpm-clip", "ddim", "dpm++", "heun", "euler", "student"]


def draw(request: SampleRequest, **more: object) -> tuple[Sampled, list[Frame]]:
    events: list[SampleEvent] = list(pipeline.sample(request, device="cpu", **more))  # type: ignore[arg-type]
    assert isinstance(events[-1], Sampled)
    return events[-1], [event for event in events if isinstance(event, Frame)]


def ask(run: Path, **changes: object) -> SampleRequest:
    return SampleRequest.model_validate({"model": str(run), "steps": 3, "labels": (7,), **changes})


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_image_k_of_a_batch_is_image_k_alone(tiny_run: Path, sampler: SamplerName) -> None:
    request = ask(tiny_run, sampler=sampler, eta=0.5, labels=(3, 1, 4, 1, 5, 9, NO_LABEL), seed=10)
    together = draw(request)[0].images
    for k in (0, 3, 6):
        assert np.array_equal(draw(request.alone(k))[0].images[0], together[k])


def test_more_images_than_a_batch_come_in_order_and_are_the_same(tiny_run: Path) -> None:
    labels = tuple(k % 10 for k in range(pipeline.BATCH + 7))
    done, frames = draw(ask(tiny_run, labels=labels, steps=2))
    assert done.images.shape == (len(labels), 28, 28) and done.images.dtype == np.uint8
    assert [frame.first for frame in frames] == [0, 0, 0, 100, 100, 100]
    few = draw(ask(tiny_run, labels=labels[:5], steps=2))[0].images
    assert np.array_equal(done.images[:5], few)
    assert np.array_equal(done.images[102], draw(done.request.alone(102))[0].images[0])


def test_frames_go_from_noise_to_the_images(tiny_run: Path) -> None:
    done, frames = draw(ask(tiny_run, steps=6))
    assert [frame.step for frame in frames] == list(range(7))
    assert [frame.sigma for frame in frames] == sorted((frame.sigma for frame in frames), reverse=True)
    assert frames[-1].sigma == 0 and np.array_equal(frames[-1].x_t, done.images)
    assert frames[0].x_t.std() > 60  # noise
    assert draw(ask(tiny_run, steps=6), frames=False)[1] == []


def test_the_request_comes_back_with_the_models_hash_and_is_then_bound_to_it(tiny_run: Path) -> None:
    done = draw(ask(tiny_run))[0]
    assert len(done.request.model_hash) == 64 and done.network_calls == 3
    assert np.array_equal(draw(done.request)[0].images, done.images)
    with pytest.raises(BadRequest, match="not the one this image was made with"):
        draw(done.request.with_changes(model_hash="0" * 64))


def test_seed_and_label_decide_the_image(tiny_run: Path) -> None:
    images: list[Pixels] = [draw(ask(tiny_run, **more))[0].images for more in ({}, {"seed": 1}, {"labels": (2,)}, {})]
    assert np.array_equal(images[0], images[3])
    assert not np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


def test_cancelling_stops_at_the_next_step(tiny_run: Path) -> None:
    control = RunControl()
    seen: list[SampleEvent] = []
    for event in pipeline.sample(ask(tiny_run, steps=50), device="cpu", control=control):
        seen.append(event)
        if len(seen) == 3:
            control.cancel()
    assert len(seen) == 3


def test_what_a_model_does_not_know_is_refused(tiny_run: Path) -> None:
    with pytest.raises(BadRequest, match=r"knows 0 to 9, not 10"):
        draw(ask(tiny_run, labels=(3, 10)))
    with pytest.raises(BadRequest, match="not a diffusion model"):
        draw(ask(tiny_run, model="judge"))
    with pytest.raises(BadRequest, match="no model 'nothing'"):
        draw(ask(tiny_run, model="nothing"))


def test_a_device_that_is_not_there_is_named(tiny_run: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(NoDevice, match="--device cpu"):
        list(pipeline.sample(ask(tiny_run), device="cuda"))


def test_a_model_that_was_trained_on_is_loaded_anew(tiny_run: Path, tmp_path: Path) -> None:
    import os

    copy = tmp_path / "m.safetensors"
    shutil.copy(model_cards.find(str(tiny_run)), copy)
    first = loaded_model.load(str(copy), "cpu")
    assert loaded_model.load(str(copy), "cpu") is first
    os.utime(copy, (1, 1))
    assert loaded_model.load(str(copy), "cpu") is not first


def test_a_step_tells_noisy_clean_and_noise_of_which_two_make_the_third(tiny_run: Path) -> None:
    request = SampleRequest(model=str(tiny_run), labels=(1, 2), steps=6, clipping="static")
    frames = [event for event in pipeline.sample(request, device="cpu") if isinstance(event, Frame)]
    assert [frame.eps is None for frame in frames] == [False] * 6 + [True]
    for frame in frames[:-1]:
        assert frame.eps is not None and frame.eps.shape == frame.x_t.shape
        x_t, x0, eps = (part / 127.5 - 1 for part in (frame.x_t, frame.x0_hat, frame.eps))
        contrast = max(1.0, math.hypot(frame.alpha, frame.sigma))
        made = (frame.alpha * x0 + frame.sigma * pipeline.EPS_RANGE * eps) / contrast
        seen = (frame.x_t > 0) & (frame.x_t < 255) & (frame.eps > 0) & (frame.eps < 255)
        assert np.abs(made - x_t)[seen].max() < 0.05


def test_a_path_that_only_adds_noise_is_shown_at_the_contrast_of_an_image() -> None:
    digits = loaded_model.load("digits", "cpu")
    config = tiny_config().model.with_changes(schedule="edm", prediction="edm")
    request = SampleRequest(labels=(1, 2), steps=6, sigma_max=80, seed=3)
    frames = [e for e in pipeline.sample_with(fresh(digits, config), request, RunControl()) if isinstance(e, Frame)]
    assert frames[0].sigma > 50 and all(0.2 < frame.x_t.std() / 127.5 < 1 for frame in frames[:3])
    ends = [((frame.x_t == 0) | (frame.x_t == 255)).mean() for frame in frames[:3]]
    assert max(ends) < 0.4  # of a normal distribution, a third lies beyond black and white


def test_samplers_call_the_exact_network_unless_the_optimized_one_is_requested(tiny_run: Path) -> None:
    model = loaded_model.load(str(tiny_run), "cpu")
    assert model.denoiser.network is model.exact is not model.network
    assert loaded_model.optimized_model(model).denoiser.network is not model.exact


def test_a_model_file_that_is_replaced_while_it_is_read_is_read_again(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "m.safetensors", model_cards.find("digits")
    shutil.copy(model_cards.find(str(tiny_run)), path)
    read = loaded_model.load_model

    def replaced(file: Path) -> object:
        """A run writes its next model once this one has been read."""
        monkeypatch.setattr(loaded_model, "load_model", read)
        found = read(file)
        shutil.copy(other, file)
        return found

    monkeypatch.setattr(loaded_model, "load_model", replaced)
    model = loaded_model.load(str(path), "cpu")
    assert (model.hash, model.header) == (file_hash(other), read(other)[0])
