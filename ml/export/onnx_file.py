"""A diffusion model as ONNX, for ONNX Runtime and other programs, with a Python file that draws with it."""

import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import BadRequest
from ml.system.files import atomic

if TYPE_CHECKING:
    from torch import Tensor

    from ml.generation.loaded_model import LoadedModel

SUFFIX = ".onnx"
OPSET = 17
CONDITION = "condition"
MOST_STEPS = 50  # of the Python file: DDIM gains nothing by more
SCRIPT = '''"""Draws with NAME.onnx by DDIM: python NAME.py [IMAGES] [SEED]. Needs numpy and onnxruntime."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

count, seed = map(int, (*sys.argv[1:3], *("10", "0")[len(sys.argv) - 1 :]))
file = Path(__file__).with_suffix(".onnx")
session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
facts = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
condition = np.array([facts["conditions"][k % len(facts["conditions"])] for k in range(count)])
null = np.array([facts["null"]] * count)
shape, noise = (count, *session.get_inputs()[0].shape[1:]), np.random.default_rng(seed)

def estimate(output, x, level, condition):
    return session.run([output], {"x": np.float32(x), "level": np.float32(level), "condition": condition})[0]

x = facts["start"] * noise.standard_normal(shape)
for (*level, guidance), (_, alpha, sigma, _) in zip(facts["levels"], facts["levels"][1:]):
    x0 = estimate("x0", x, level, condition)
    if guidance != 1:
        x0 = (1 - guidance) * estimate("x0", x, level, null) + guidance * x0
    x0 = x0.clip(-1, 1) if facts["clips"] else x0
    eps = noise.standard_normal(shape) if facts["fresh"] else (x - level[1] * x0) / level[2]
    x = alpha * x0 + sigma * eps
images = np.hstack(estimate(session.get_outputs()[-1].name, x, [0, 1, 0], condition).transpose(0, 2, 3, 1))
pixels = np.uint8(np.round(127.5 * (images.clip(-1, 1) + 1)))
header = f"P{5 if pixels.shape[2] == 1 else 6} {pixels.shape[1]} {pixels.shape[0]} 255\\n"
file.with_suffix(".pgm" if pixels.shape[2] == 1 else ".ppm").write_bytes(header.encode() + pixels.tobytes())
'''


def write(model: "LoadedModel", path: Path) -> str:
    """Write a model to `path`, and a Python file of the same name beside it: both or neither.

    Returns a sentence on its inputs, which is also the file's documentation. Raises BadRequest, CannotWrite.
    """
    if path.suffix != SUFFIX:
        raise BadRequest(f"{path.name} is not a name of an ONNX file.", f"Give it the ending {SUFFIX}.")
    script = path.with_suffix(".py")
    if script.exists() and not path.exists():
        raise BadRequest(f"{script.name} is in that folder already, where the Python file goes.", "Use another name.")
    try:
        onnx: Any = import_module("onnx")
    except ImportError as error:
        raise BadRequest("Writing ONNX needs the package onnx.", "Install it: pip install onnx") from error
    facts, inputs = _facts(model), describe_inputs(model)
    with atomic(path) as temporary, atomic(script) as text:
        _trace(model, temporary)
        proto = onnx.load(temporary)
        if CONDITION not in [each.name for each in proto.graph.input]:  # which a network without classes does not read
            proto.graph.input.append(onnx.helper.make_tensor_value_info(CONDITION, onnx.TensorProto.INT64, ["N"]))
        proto.doc_string = inputs
        onnx.helper.set_model_props(proto, {name: json.dumps(value) for name, value in facts.items()})
        onnx.save(proto, temporary)
        text.write_text(SCRIPT.replace("NAME", path.stem), encoding="utf-8")
    return inputs


def describe_inputs(model: "LoadedModel") -> str:
    """One sentence on the inputs and outputs of a model's file."""
    config = model.config
    channels, side = config.codes
    noisy = "images" if config.codec is None else "latents of images"
    decoded = "" if config.codec is None else ", and image is what it decodes to"
    if config.reader:
        condition = f"condition (N, {_conditions(model)[0].shape[1]}), int64, tokens of a text"
    elif config.num_classes:
        condition = f"condition (N,), int64, labels from 0 to {config.num_classes - 1} or {config.num_classes} for none"
    else:
        condition = "condition (N,), int64, zeros"
    return (
        f"x (N, {channels}, {side}, {side}), float32, are noisy {noisy} alpha x0 + sigma noise; "
        f"level (3,), float32, is t from 0 to 1, alpha and sigma; {condition}; "
        f"x0 is the estimate of the clean {noisy}{decoded}."
    )


def _facts(model: "LoadedModel") -> dict[str, object]:
    """What the Python file reads from the model's: noise levels with their guidance, conditions, and how to sample."""
    from ml.diffusion.schedules import grid_of, schedule_of, start_sigma

    defaults = model.header.defaults
    settings = defaults.with_changes(steps=min(defaults.steps, MOST_STEPS))
    grid = grid_of(schedule_of(model.config), settings)
    conditions, null = _conditions(model)
    guided = model.config.reader is not None or model.config.num_classes > 0
    return {
        "levels": [[level.t, level.alpha, level.sigma, settings.w_at(level.ratio) if guided else 1] for level in grid],
        "start": start_sigma(grid, settings),
        "conditions": conditions.tolist(),
        "null": null.tolist(),
        "clips": settings.clipping != "none" or settings.sampler.endswith("-clip"),
        "fresh": settings.sampler == "student",
    }


def _conditions(model: "LoadedModel") -> "tuple[Tensor, Tensor]":
    """Every class or digit in turn, as the network reads it, and no class."""
    from ml.config import NO_LABEL, SampleRequest
    from ml.generation.conditioning import condition_of
    from ml.text.captions import WORDS

    count = len(WORDS) if model.config.reader else model.config.num_classes
    return condition_of(model, SampleRequest(labels=tuple(range(count)) or (NO_LABEL,)), slice(None))


def _trace(model: "LoadedModel", path: Path) -> None:
    """Write the graph, traced by TorchScript, which needs no package beyond onnx; any number of images fits."""
    import torch

    from ml.generation.denoising_module import DenoisingModule

    conditions, _ = _conditions(model)
    channels, side = model.config.codes
    condition = conditions[[0, -1]]  # two images, so that none of them is taken for a constant
    inputs = torch.zeros(2, channels, side, side), torch.full((3,), 0.5), condition
    names = ["x0", "image"] if model.config.codec else ["x0"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated; its successor needs three packages and twenty seconds
        torch.onnx.export(
            DenoisingModule(model).eval(), inputs, str(path), input_names=["x", "level", CONDITION],
            output_names=names, dynamic_axes={name: {0: "N"} for name in ("x", CONDITION, *names)},
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
