"""Tiny pipelines of diffusers with random weights, by diffusers or without it."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ml.config import ModelConfig, SampleSettings, UNet2DSettings
from ml.models import build
from ml.registry import diffusers_folder
from ml.registry.checkpoint import ModelHeader

TINY_UNET: dict[str, Any] = {
    "sample_size": 8, "in_channels": 1, "out_channels": 1, "block_out_channels": (8, 16), "layers_per_block": 1,
    "norm_num_groups": 4, "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}  # fmt: skip


def diffusers() -> Any:
    """The package; what it says of its types does not fit what it does."""
    package: Any = import_module("diffusers")
    package.utils.logging.disable_progress_bar()
    return package


def write_pipeline(folder: Path) -> Path:
    """Write a tiny pipeline with two classes without diffusers; returns the folder."""
    unet = UNet2DSettings(down_block_types=("AttnDownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4)
    model = ModelConfig(
        network="diffusers", widths=(8,), image_size=8, num_classes=2, unet2d=unet, schedule="linear", prediction="eps"
    )
    defaults = SampleSettings(sampler="ddpm-clip", spacing="leading")
    diffusers_folder.write(folder, ModelHeader(model=model, defaults=defaults), build(model).state_dict())
    return folder


def make_unet(**changes: object) -> Any:
    """A `UNet2DModel` with the same random weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return diffusers().UNet2DModel(**TINY_UNET | changes).eval()


def make_scheduler(name: str, **settings: object) -> Any:
    """A scheduler of that class."""
    return getattr(diffusers(), name)(**settings)


def save_pipeline(folder: Path, unet: Any, scheduler: Any) -> Path:
    """Write both as a pipeline's folder, as diffusers does; returns the folder."""
    pipeline: Callable[..., Any] = diffusers().DDPMPipeline
    pipeline(unet, scheduler).save_pretrained(folder)
    return folder
