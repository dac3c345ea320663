"""OpenAI's CLIP ViT-B/32 (Radford et al. 2021) through open_clip: network, tokenizer and image preprocessing."""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ml.errors import BadFile
from ml.events import Progress
from ml.models.weights import check_weights
from ml.system import download, paths, safe_pickle
from ml.system.torchvision_compat import CLIP, open_clip

NAME = "ViT-B-32"
ARCHITECTURE = "ViT-B-32-quickgelu"  # the activation that OpenAI trained with
FILE = "clip-vit-b-32-openai.safetensors"
URLS = ("https://huggingface.co/timm/vit_base_patch32_clip_224.openai/resolve/main/open_clip_model.safetensors",)
LIMIT = 2**30
OFFLINE = "Or give the path of ViT-B-32's weights, or use the digit CLIP, which needs no download."


class OpenAIClip(nn.Module):
    """Images and sentences as unit vectors of one space."""

    def __init__(self) -> None:
        super().__init__()
        config: dict[str, Any] = open_clip.get_model_config(ARCHITECTURE) or {}
        self.clip = CLIP(**config)
        self.side = config["vision_cfg"]["image_size"]
        for name, values in (("mean", open_clip.OPENAI_DATASET_MEAN), ("std", open_clip.OPENAI_DATASET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    mean: Tensor
    std: Tensor

    def encode_images(self, x: Tensor) -> Tensor:
        """Images (B, 1 or 3, H, W) in [-1, 1] -> unit vectors (B, 512)."""
        size = (self.side, self.side)
        x = F.interpolate((x.expand(-1, 3, -1, -1) + 1) / 2, size, mode="bicubic", antialias=True)
        return self.clip.encode_image((x - self.mean) / self.std, normalize=True)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts -> unit vectors (N, 512)."""
        tokens = open_clip.get_tokenizer(ARCHITECTURE)(list(texts))
        return self.clip.encode_text(tokens.to(self.mean.device), normalize=True)

    @property
    def scale(self) -> Tensor:
        """The factor of similarities before a softmax."""
        return self.clip.logit_scale.exp().clamp(max=100)


def weights_path() -> Path:
    """Where the downloaded weights are kept."""
    return paths.downloads() / FILE


def obtain() -> Iterator[Progress]:
    """Download the weights where they are missing; raises DataUnavailable, CannotWrite."""
    if not weights_path().is_file():
        yield from download.fetch(URLS, weights_path(), checksum="", limit=LIMIT, another_way=OFFLINE)


def load(path: Path) -> OpenAIClip:
    """The network with the weights of a file: safetensors, or a plain state dict of torch's; raises BadFile."""
    weights = _weights(path)
    check_weights(_expected(), weights, str(path))  # before 600 MB are allocated
    clip = OpenAIClip()
    clip.clip.load_state_dict(weights)
    return clip.eval().requires_grad_(False)


@cache
def _expected() -> dict[str, Tensor]:
    with torch.device("meta"):
        return OpenAIClip().clip.state_dict()


def _weights(path: Path) -> dict[str, Tensor]:
    advice = "Give ViT-B-32's weights as open_clip saves them: a .safetensors file, or a state dict."
    if not os.path.isfile(path):
        raise BadFile(f"There is no file {path}.", advice)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = safe_pickle.load(path)  # runs no code from the file
    except Exception as error:  # a wrong or hostile file can fail in any way
        raise BadFile(f"{path} is damaged, or more than weights ({str(error)[:100]}).", advice) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadFile(f"{path} holds no weights.", advice)
    return {str(name).removeprefix("module."): value for name, value in found.items()}
