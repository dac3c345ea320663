"""Weights of other programs, read as plain tensors and matched with the networks of Noiseloom."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ml.config import ModelConfig, SampleSettings
from ml.errors import BadFile
from ml.models.weights import expected, shape_of
from ml.registry import model_cards, presets
from ml.system import safe_pickle
from ml.system.files import check_regular

PICKLES = (".pt", ".pth", ".ckpt", ".bin")  # PyTorch's own files
NESTED = ("ema", "model_ema", "state_dict", "model_state_dict", "model", "weights")  # keys of nested weights
PREFIXES = ("module.", "_orig_mod.")  # that wrappers put before every name


@dataclass(frozen=True, slots=True)
class Kind:
    """A network of Noiseloom, with the name of a model or preset that uses it."""

    name: str
    model: ModelConfig
    defaults: SampleSettings


def plain_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file, read without running code in it. Raises BadFile."""
    check_regular(path)
    try:
        content = safe_pickle.load(path) if path.suffix.lower() in PICKLES else load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadFile(f"{path.name} cannot be read ({error}).", "Choose another file.") from error
    except Exception as error:  # a wrong or hostile file can raise any error
        raise BadFile(
            f"{path.name} holds more than plain weights, or is damaged; nothing in it was run.",
            "Save the network's state_dict() alone, with torch.save or as .safetensors.",
        ) from error
    tensors = _named(content)
    if not tensors:
        raise BadFile(f"{path.name} holds no named weights.", "Save the network's state_dict() alone.")
    return tensors


def matching_kinds(tensors: dict[str, Tensor], source: str) -> list[Kind]:
    """The networks with exactly these tensors; raises BadFile with the differences from the nearest one."""
    found = {name: shape_of(tensor) for name, tensor in tensors.items()}
    shapes = {kind: _expected(kind.model.model_dump_json()) for kind in kinds()}
    fits = [kind for kind, tensor_shapes in shapes.items() if tensor_shapes == found]
    if fits:
        return fits
    nearest = max(
        shapes,
        key=lambda kind: (len(shapes[kind].items() & found.items()), -abs(len(shapes[kind]) - len(found))),
    )
    closest = shapes[nearest]
    name = next((name for name in closest if found.get(name) != closest[name]), "")
    expects = f"{name} {closest[name]}, found {found.get(name, 'nothing of that name')}" if name else "nothing more"
    raise BadFile(
        f"{source} fits no network that Noiseloom knows. Tensors found: {len(found)}, such as {_example(found)}. "
        f"The nearest network, that of {nearest.name!r}, has {len(closest)}, of which "
        f"{len(closest.items() & found.items())} are the same: expected {expects}.",
        "Use the weights of a network like one of the presets.",
    )


def kinds() -> list[Kind]:
    """The different networks of all models and presets."""
    from_cards = [Kind(card.name, card.header.model, card.header.defaults) for card in model_cards.cards()]
    configs = [presets.load(name) for name in presets.names()]
    whole = [config for config in configs if not (config.codec_from or config.reader_from or config.automatic)]
    from_presets = [Kind(config.name, config.model, config.defaults) for config in whole]
    different: dict[ModelConfig, Kind] = {}
    for kind in (*from_cards, *from_presets):
        different.setdefault(kind.model, kind)
    return list(different.values())


@cache  # building all of them takes seconds
def _expected(config: str) -> dict[str, str]:
    """The tensors of a ModelConfig, given as JSON."""
    model = ModelConfig.model_validate_json(config)
    return {name: shape_of(tensor) for name, tensor in expected(model, "a model").items()}


def _named(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        return {}
    for key in NESTED:
        if isinstance(content.get(key), dict) and (inner := _named(content[key])):
            return inner
    named = {str(name): value for name, value in content.items() if isinstance(value, Tensor) and _is_plain(value)}
    for prefix in PREFIXES:
        if named and all(name.startswith(prefix) for name in named):
            named = {name.removeprefix(prefix): value for name, value in named.items()}
    return named


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def _example(found: dict[str, str]) -> str:
    name = next(iter(found))
    return f"{name[:60]} {found[name]}"
