"""Draws with every sampler and every kind of network, and says of each whether image k of a batch is image k alone.

`python -m tests.exactness FILE.npz` prints a line of JSON: for each case whether every image is the same to the bit
drawn alone and with others, and the hash of all. The images themselves go to the file. What PyTorch may use of the
processor is up to the environment.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.export.metadata import digest
from ml.generation.denoising import steps
from ml.generation.loaded_model import LoadedModel, load
from ml.generation.plan import make_plan
from ml.generation.requests import with_model_defaults
from ml.imaging.pixels import to_uint8
from ml.models import build
from ml.text import captions

COUNT = 10
ALONE = (0, 4, 9)
BUNDLED = ("digits", "student", "unconditional", "latent", "text", "colour", "colour-latent", "shuffle-flow")
SAMPLERS: dict[str, dict[str, object]] = {
    "ddpm": {"sampler": "ddpm", "variance": "beta"},
    "ddpm-clip": {"sampler": "ddpm-clip"},
    "ddim": {"sampler": "ddim", "eta": 0.5},
    "ddim, repeats": {"sampler": "ddim", "repeats": 1},
    "dpm++": {"sampler": "dpm++", "steps": 12},
    "heun": {"sampler": "heun"},
    "euler": {"sampler": "euler"},
    "student": {"sampler": "student"},
    "guidance, rescaled": {"guidance": 3.0, "guidance_rescale": 0.7, "guidance_from": 0.0},
    "dynamic clipping": {"clipping": "dynamic"},
}
FRESH = {
    "textbook": {"network": "textbook", "widths": (16, 32)},
    "textbook, batch norm": {"network": "textbook", "widths": (16, 32), "norm": "batch"},
    "odd widths": {"widths": (8, 24), "embedding": 24},
    "36 pixels, attention": {"widths": (16, 32), "patch": 1, "image_size": 36, "channels": 3, "attention": (18,)},
}


def cases() -> Iterator[tuple[str, LoadedModel, SampleRequest]]:
    """What is drawn, by which model, and what is asked of it."""
    for name in BUNDLED:
        model = load(name, "cpu")
        yield name, model, _request(model)
    digits = load("digits", "cpu")
    for name, changes in SAMPLERS.items():
        yield name, digits, _request(digits, steps=4).with_changes(**changes)
    asked = _request(digits, steps=4)
    corners = [{"seed": 1, "label": 2}, {"seed": 2, "label": 7}, {"seed": 3, "label": NO_LABEL}]
    weights = [(COUNT - k, k, k % 3) for k in range(COUNT)]
    mixed = {"labels": (NO_LABEL,) * COUNT, "corners": corners, "weights": weights}
    yield "between corners", digits, SampleRequest.model_validate(asked.model_dump() | mixed)
    yield "branch", digits, asked.with_changes(parent=asked, branch_at=2, labels=(5,) * COUNT)
    plain = load("unconditional", "cpu")
    yield "steered by CLIP", plain, _request(plain, route="clip", prompt="a bold seven", steps=4, repeats=0)
    for name, changes in FRESH.items():
        config = ModelConfig.model_validate(digits.config.model_dump() | {"patch": 2} | changes)
        yield name, fresh(digits, config), _request(digits, steps=3)


def fresh(model: LoadedModel, config: ModelConfig) -> LoadedModel:
    """A model like that one with such a network, whose weights are drawn at random."""
    torch.manual_seed(0)
    network = build(config).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    return replace(model, header=model.header.model_copy(update={"model": config}), network=network)


def _request(model: LoadedModel, **changes: object) -> SampleRequest:
    classes = model.config.num_classes
    labels = tuple(k % classes if classes else NO_LABEL for k in range(COUNT))
    if model.config.reader:
        labels = tuple(k % len(captions.WORDS) for k in range(COUNT))
        changes = {"route": "text", **changes}
    return with_model_defaults(
        SampleRequest.model_validate({"model": model.name, "labels": labels, "seed": 5, **changes})
    )


@torch.no_grad()
def drawn(model: LoadedModel, request: SampleRequest) -> Tensor:
    """The finished images (N, C, H, W), before they are rounded to 256 values."""
    *_, last = steps(make_plan(model, request))
    return model.pixels(last.x_t)


def main(path: Path) -> None:
    found: dict[str, dict[str, object]] = {}
    images: dict[str, np.ndarray] = {}
    for name, model, request in cases():
        together = drawn(model, request)
        same = all(torch.equal(drawn(model, request.alone(k))[0], together[k]) for k in ALONE)
        few = torch.equal(drawn(model, request.some([2, 7, 5])), together[[2, 7, 5]])
        found[name] = {"same": same and few, "hash": digest(together.numpy())}
        images[name] = to_uint8(together)
    np.savez(path, allow_pickle=False, **images)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
