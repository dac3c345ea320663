"""Pipelines of diffusers: the same images from the same noise, there and back, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ml.config import SampleRequest
from ml.errors import BadFile, BadRequest
from ml.events import Pixels, Sampled
from ml.generation import pipeline
from ml.registry import diffusers_folder, local_models, model_cards
from ml.registry.checkpoint import ModelHeader, load_model, save
from ml.registry.diffusers_folder import CONFIG, PICKLED, SCHEDULER, WEIGHTS
from ml.specs import PIPELINE_INDEX
from tests.support.tiny_pipeline import diffusers, make_scheduler, make_unet, save_pipeline

IMAGES, SEED = 3, 7
DDPM, DDIM, DPM = "DDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"
FLOW = "FlowMatchEulerDiscreteScheduler"
CASES: list[tuple[str, int, dict[str, object]]] = [
    (DDPM, 8, {}),
    (DDPM, 6, {"variance_type": "fixed_large", "timestep_spacing": "linspace", "clip_sample": False,
               "prediction_type": "v_prediction"}),
    (DDIM, 6, {}),
    (DDIM, 5, {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
               "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}),
    (DPM, 11, {}),
    (FLOW, 4, {}),
]  # fmt: skip
MORE: list[tuple[str, int, dict[str, object]]] = [
    (DDPM, 40, {"num_train_timesteps": 40, "beta_end": 0.3, "prediction_type": "sample"}),
    (DDPM, 15, {"timestep_spacing": "trailing", "beta_schedule": "squaredcos_cap_v2", "thresholding": True}),
    (DDPM, 100, {"variance_type": "fixed_large"}),
    (DDIM, 7, {"clip_sample": False, "beta_schedule": "scaled_linear", "prediction_type": "sample"}),
    (DDIM, 2, {"clip_sample": False, "prediction_type": "v_prediction"}),
    (DPM, 12, {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "trailing", "thresholding": True}),
    (DPM, 20, {"beta_schedule": "scaled_linear", "prediction_type": "v_prediction"}),
    (FLOW, 7, {"num_train_timesteps": 100}),
]
SCHEDULERS = [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline with DDPM's scheduler."""
    return save_pipeline(tmp_path_factory.mktemp("diffusers") / "tiny", make_unet(), make_scheduler(DDPM))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    shutil.copytree(whole, tmp_path / "tiny")
    return tmp_path / "tiny"


def edit(file: Path, **changes: object) -> None:
    """Change settings in a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def their_images(unet: Any, scheduler: Any, steps: int) -> Pixels:
    """What the pipeline of diffusers draws, each image from a generator of its own."""
    generators = [torch.Generator().manual_seed(SEED + k) for k in range(IMAGES)]
    x = torch.stack([torch.randn(unet.config.in_channels, 8, 8, generator=each) for each in generators])
    scheduler.set_timesteps(steps)
    random = {"generator": generators} if type(scheduler).__name__ == DDPM else {}
    for time in scheduler.timesteps:
        with torch.no_grad():
            x = scheduler.step(unet(x, time).sample, time, x, **random).prev_sample
    return ((x / 2 + 0.5).clamp(0, 1) * 255).round().byte()[:, 0].numpy()


def our_images(found: diffusers_folder.Pipeline, file: Path, steps: int) -> Pixels:
    save(file, found.weights, ModelHeader(model=found.model, defaults=found.defaults))
    settings = found.defaults.with_changes(steps=steps).model_dump()
    request = SampleRequest(**settings, model=str(file), labels=(-1,) * IMAGES, seed=SEED)
    *_, done = pipeline.sample(request, device="cpu", frames=False)
    assert isinstance(done, Sampled)
    return done.images


@pytest.mark.parametrize(("name", "steps", "settings"), SCHEDULERS, ids=lambda value: str(value)[:60])
def test_images_are_those_of_diffusers(name: str, steps: int, settings: dict[str, object], tmp_path: Path) -> None:
    unet, scheduler = make_unet(), make_scheduler(name, **settings)
    found = diffusers_folder.read(save_pipeline(tmp_path / "tiny", unet, scheduler))
    expected = their_images(unet, scheduler, steps)
    drawn = our_images(found, tmp_path / "ours.safetensors", steps)
    assert expected.std() > 20  # they show something
    assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(("name", "steps", "settings"), SCHEDULERS, ids=lambda value: str(value)[:60])
def test_a_model_comes_back_from_diffusers_as_it_went(
    name: str, steps: int, settings: dict[str, object], tmp_path: Path
) -> None:
    found = diffusers_folder.read(save_pipeline(tmp_path / "a", make_unet(), make_scheduler(name, **settings)))
    header = ModelHeader(model=found.model, defaults=found.defaults)
    diffusers_folder.write(tmp_path / "b", header, found.weights)
    back = diffusers_folder.read(tmp_path / "b")
    assert (back.model, back.defaults, back.scheduler) == (found.model, found.defaults, name)
    assert all(torch.equal(back.weights[name], found.weights[name]) for name in found.weights)


def test_diffusers_opens_what_is_exported(tmp_path: Path) -> None:
    unet = make_unet(num_class_embeds=3, attention_head_dim=4)
    found = diffusers_folder.read(save_pipeline(tmp_path / "a", unet, make_scheduler(DDIM)))
    assert found.model.num_classes == 3
    half = {name: tensor.half() for name, tensor in found.weights.items()}
    diffusers_folder.write(tmp_path / "b", ModelHeader(model=found.model, defaults=found.defaults), half)
    package = diffusers()
    loaded = package.UNet2DModel.from_pretrained(tmp_path / "b", subfolder="unet")
    torch.testing.assert_close(dict(loaded.state_dict()), dict(unet.state_dict()), rtol=1e-3, atol=1e-3)
    assert dict(loaded.config)["attention_head_dim"] == 4
    opened = package.DDPMPipeline.from_pretrained(tmp_path / "b")
    assert type(opened.scheduler).__name__ == DDIM and opened.scheduler.config.clip_sample


def test_only_a_network_of_diffusers_goes_there(tmp_path: Path, whole: Path) -> None:
    header, weights = load_model(model_cards.find("digits"))
    with pytest.raises(BadRequest, match="isn't a UNet2DModel"):
        diffusers_folder.write(tmp_path / "x", header, weights)
    found = diffusers_folder.read(whole)
    strange = ModelHeader(model=found.model.with_changes(schedule="sigmoid", beta_range=None), defaults=found.defaults)
    with pytest.raises(BadRequest, match="no scheduler for eps prediction on the sigmoid"):
        diffusers_folder.write(tmp_path / "x", strange, found.weights)
    with pytest.raises(BadRequest, match="exists"):
        diffusers_folder.write(whole, ModelHeader(model=found.model), found.weights)
    assert not (tmp_path / "x").exists()


def test_a_pipeline_becomes_a_model_by_its_folder_or_its_index(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path / "home"))
    folder = folder.rename(folder.with_name("ddpm-v1.5"))
    assert local_models.import_model(folder) == "ddpm-v1.5"
    assert local_models.import_model(folder / PIPELINE_INDEX) == "ddpm-v1.5-2"
    card = model_cards.card(model_cards.find("ddpm-v1.5"))
    assert card and "UNet2DModel with a DDPMScheduler" in card.about and card.header.model.network == "diffusers"
    (folder / WEIGHTS).unlink()
    with pytest.raises(BadFile):
        local_models.import_model(folder)
    assert len(list((tmp_path / "home" / "models").iterdir())) == 4


def test_pickled_weights_and_old_names_are_read(whole: Path, folder: Path) -> None:
    expected = diffusers_folder.read(whole).weights
    weights = load_file(folder / WEIGHTS)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, before in old.items():
        weights = {name.replace(f".{new}.", f".{before}."): tensor for name, tensor in weights.items()}
    assert any(".proj_attn." in name for name in weights)
    (folder / WEIGHTS).unlink()
    torch.save(weights, folder / PICKLED)
    found = diffusers_folder.read(folder).weights
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def spoil(name: str, **changes: object) -> Callable[[Path], None]:
    return lambda folder: edit(folder / name, **changes)


def cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def lose_a_tensor(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["conv_in.bias"]
    save_file(weights, folder / WEIGHTS)


def as_scheduler(name: str, **settings: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        edit(folder / PIPELINE_INDEX, scheduler=["diffusers", name])
        (folder / SCHEDULER).write_text(json.dumps(settings))

    return change


WRONG: list[tuple[str, Callable[[Path], object]]] = [
    (f"tiny has no {PIPELINE_INDEX}", lambda folder: (folder / PIPELINE_INDEX).unlink()),
    (f"tiny has no {CONFIG}", lambda folder: (folder / CONFIG).unlink()),
    (f"tiny has no {SCHEDULER}", lambda folder: (folder / SCHEDULER).unlink()),
    (f"tiny has no {WEIGHTS}", lambda folder: (folder / WEIGHTS).unlink()),
    ("cannot be read", cut),
    (r"conv_in\.bias: expected \(8,\), found nothing", lose_a_tensor),
    ("scheduler PNDMScheduler, which isn't supported", as_scheduler("PNDMScheduler")),
    ("unet.1: Input should be 'UNet2DModel'", spoil(PIPELINE_INDEX, unet=["diffusers", "UNet2DConditionModel"])),
    ("the setting 'vqvae' isn't supported", spoil(PIPELINE_INDEX, vqvae=["diffusers", "VQModel"])),
    ("down_block_types.1: Input should be", spoil(CONFIG, down_block_types=["DownBlock2D", "SkipDownBlock2D"])),
    ("act_fn: Input should be 'silu' or 'swish'", spoil(CONFIG, act_fn="gelu")),
    ("time_embedding_type", spoil(CONFIG, time_embedding_type="learned")),
    ("class_embed_type", spoil(CONFIG, class_embed_type="timestep")),
    ("downsample_type", spoil(CONFIG, downsample_type="resnet")),
    ("the setting 'skip_time_act' isn't supported", spoil(CONFIG, skip_time_act=True)),
    ("in_channels 1 and out_channels 2 differ", spoil(CONFIG, out_channels=2)),
    ("8 x 16 pixels aren't square", spoil(CONFIG, sample_size=[8, 16])),
    ("sample_size", spoil(CONFIG, sample_size=None)),
    ("image_size: Input should be less than or equal to 128", spoil(CONFIG, sample_size=100_000)),
    ("blocks: Input should be less", spoil(CONFIG, layers_per_block=10**9)),
    ("every width must be a multiple of 8", spoil(CONFIG, block_out_channels=[8, 2**40])),
    ("2 widths need as many", spoil(CONFIG, down_block_types=["DownBlock2D"])),
    ("cannot be built", spoil(CONFIG, norm_num_groups=7)),
    ("Fourier", spoil(CONFIG, time_embedding_type="fourier")),
    ("expected", spoil(CONFIG, num_class_embeds=10)),
    ("beta_schedule", spoil(SCHEDULER, beta_schedule="sigmoid")),
    ("trained_betas", spoil(SCHEDULER, trained_betas=[0.1])),
    ("clip_sample_range", spoil(SCHEDULER, clip_sample_range=2.0)),
    ("variance_type", spoil(SCHEDULER, variance_type="learned_range")),
    ("leaves noise", spoil(SCHEDULER, variance_type="fixed_large", timestep_spacing="trailing")),
    ("sample_max_value 2", spoil(SCHEDULER, thresholding=True, sample_max_value=2.0)),
    ("steps_offset", spoil(SCHEDULER, steps_offset=1)),
    ("needs v or x0", spoil(SCHEDULER, rescale_betas_zero_snr=True)),
    ("timesteps", spoil(SCHEDULER, num_train_timesteps=10**7)),
    ("beta_range.1", spoil(SCHEDULER, beta_end=2.0)),
    ("set_alpha_to_one", as_scheduler(DDIM, set_alpha_to_one=False)),
    ("'use_karras_sigmas' isn't supported", as_scheduler(DPM, use_karras_sigmas=True)),
    ("algorithm_type", as_scheduler(DPM, algorithm_type="sde-dpmsolver++")),
    ("lambda_min_clipped", as_scheduler(DPM, lambda_min_clipped=-5.1)),
    ("rescale_betas_zero_snr isn't", as_scheduler(DPM, rescale_betas_zero_snr=True, prediction_type="v_prediction")),
    ("shift", as_scheduler(FLOW, shift=3.0)),
    ("Invalid JSON", lambda folder: (folder / CONFIG).write_text("{" * 100_000)),
    ("larger than any file", lambda folder: (folder / CONFIG).write_text(" " * 2_000_000)),
]


@pytest.mark.parametrize(
    ("words", "change"), WRONG, ids=lambda value: str(value)[:50] if isinstance(value, str) else ""
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    words: str, change: Callable[[Path], object], folder: Path
) -> None:
    change(folder)
    with pytest.raises(BadFile, match=words) as refused:
        diffusers_folder.read(folder)
    assert len(refused.value.message) < 400 and refused.value.what_to_do
