"""A diffusion model ready to sample, loaded once."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ml.config import ModelConfig
from ml.diffusion.denoiser import NetworkDenoiser
from ml.errors import BadRequest
from ml.models import build
from ml.models.autoencoder import LatentModel
from ml.models.exact import exact
from ml.models.interruptible import interruptible
from ml.models.optimized import optimize
from ml.models.weights import load_weights
from ml.registry import model_cards
from ml.registry.checkpoint import ModelHeader, file_hash, load_model
from ml.specs import DRAWING, DeviceName
from ml.system.device import choose_device, tune


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A diffusion model ready to sample, with its optimized network where `optimized`."""

    name: str
    header: ModelHeader
    network: torch.nn.Module
    device: torch.device
    hash: str
    optimized: bool = False

    @property
    def config(self) -> ModelConfig:
        return self.header.model

    @cached_property
    def exact(self) -> torch.nn.Module:
        """The network whose output for an image does not depend on the rest of the batch; see `ml.models.exact`."""
        return exact(self.network, self.device)

    @property
    def denoiser(self) -> NetworkDenoiser:
        """The network that samplers call."""
        return NetworkDenoiser(optimize(self.network) if self.optimized else self.exact, self.config.prediction)

    def pixels(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] from what the network works on: themselves, or latents to be decoded."""
        return self.exact.codec.decode(x) if isinstance(self.exact, LatentModel) else x


def load(name: str, device: DeviceName = "auto") -> LoadedModel:
    """The model of that name (see `model_cards.find`), on that device; loaded once while its file does not change."""
    path = model_cards.find(name)
    return _load(name, path, path.stat().st_mtime_ns, device)


@lru_cache(maxsize=4)
def optimized_model(model: LoadedModel) -> LoadedModel:
    """The same model with its optimized network; see `ml.models.optimized`."""
    return replace(model, optimized=True)


@lru_cache(maxsize=4)
def _load(name: str, path: Path, modified: int, device: DeviceName) -> LoadedModel:
    where = choose_device(device).torch_device
    tune()
    header, weights, digest = _read(path)
    if header.model.network not in DRAWING:
        raise BadRequest(
            f"{name!r} is not a diffusion model: it reads images and can't generate them.", "Choose a diffusion model."
        )
    network = build(header.model)
    load_weights(network, weights, str(path))
    network = network.to(where).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return LoadedModel(name, header, interruptible(network, where), where, digest)


def _read(path: Path) -> tuple[ModelHeader, dict[str, Tensor], str]:
    """A model file's header, weights and hash, all of one version, even while a run replaces the file."""
    while True:
        digest = file_hash(path)
        header, weights = load_model(path)
        if file_hash(path) == digest:
            return header, weights, digest
