"""A diffusers pipeline's folder, read and written without diffusers: a `UNet2DModel` and its scheduler."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import ConfigDict, Field, JsonValue, model_validator
from torch import Tensor

from ml.config import Description, ModelConfig, SampleSettings, UNet2DSettings, parse
from ml.errors import BadFile, BadRequest
from ml.models.weights import check_weights, expected
from ml.registry import checkpoint, import_weights
from ml.registry.checkpoint import ModelHeader
from ml.specs import PIPELINE_INDEX, Prediction, SamplerName, Spacing
from ml.system.files import atomic_folder, read_short

CONFIG, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
PICKLED = "unet/diffusion_pytorch_model.bin"
PROJECTIONS = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")  # linear layers there
DDPM_STEPS = 100  # by default; the thousand of diffusers would let a preview take minutes
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}  # before diffusers 0.15
PREDICTIONS: Mapping[str, Prediction] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
ANOTHER = "Choose the folder of a pipeline with a UNet2DModel."

D = TypeVar("D", bound="_File")


@dataclass(frozen=True)
class Pipeline:
    """What a folder holds, as a model of Noiseloom."""

    model: ModelConfig
    defaults: SampleSettings
    weights: dict[str, Tensor]
    scheduler: str  # the name of its class


class _File(Description):
    """One of a folder's JSON files. A setting that is not listed here has to be null, false or zero."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _nothing_else(self) -> "_File":
        for name, value in (self.model_extra or {}).items():
            if value and not name.startswith("_"):
                raise ValueError(f"the setting {name[:60]!r} isn't supported")
        return self


class _Index(_File):
    unet: tuple[Literal["diffusers"], Literal["UNet2DModel"]]
    scheduler: tuple[Literal["diffusers"], str]


class _UNet2DFile(UNet2DSettings, _File):
    sample_size: int | tuple[int, int]
    in_channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (224, 448, 672, 896)
    layers_per_block: int = 2
    dropout: float = 0.0
    class_embed_type: None = None
    num_class_embeds: int | None = None
    num_train_timesteps: JsonValue = Field(default=None, description="of a learned embedding of time alone")

    @model_validator(mode="after")
    def _images_are_square(self) -> "_UNet2DFile":
        if isinstance(self.sample_size, tuple) and self.sample_size[0] != self.sample_size[1]:
            raise ValueError("sample_size: images of {} x {} pixels aren't square".format(*self.sample_size))
        if self.in_channels != self.out_channels:
            raise ValueError(f"in_channels {self.in_channels} and out_channels {self.out_channels} differ")
        return self

    def model(self) -> dict[str, object]:
        """The fields of a `ModelConfig`."""
        return {
            "network": "diffusers",
            "image_size": self.sample_size[0] if isinstance(self.sample_size, tuple) else self.sample_size,
            "channels": self.in_channels,
            "num_classes": self.num_class_embeds or 0,
            "widths": self.block_out_channels,
            "blocks": self.layers_per_block,
            "dropout": self.dropout,
            "unet2d": self.model_dump(include=set(UNet2DSettings.model_fields)),
        }


class _Scheduler(_File):
    """The settings of a scheduler, and what they are here."""

    num_train_timesteps: int = 1000

    def model(self) -> dict[str, object]:
        """The fields of a `ModelConfig`."""
        raise NotImplementedError

    def defaults(self) -> dict[str, object]:
        """The fields of a `SampleSettings`."""
        raise NotImplementedError


class _Discrete(_Scheduler):
    beta_start: float = 1e-4
    beta_end: float = 0.02
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    trained_betas: None = None
    prediction_type: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    rescale_betas_zero_snr: bool = False
    thresholding: bool = False
    dynamic_thresholding_ratio: JsonValue = Field(default=0.995, description="has no effect up to sample_max_value 1")
    sample_max_value: float = 1.0
    steps_offset: Literal[0] = 0

    @model_validator(mode="after")
    def _thresholds_at_one(self) -> "_Discrete":
        if self.thresholding and self.sample_max_value != 1:
            raise ValueError(
                f"thresholding up to sample_max_value {self.sample_max_value:g} isn't supported, only up to 1"
            )
        return self

    def model(self) -> dict[str, object]:
        cosine = self.beta_schedule == "squaredcos_cap_v2"
        return {
            "schedule": "cosine" if cosine else "linear",
            "beta_range": None if cosine else (self.beta_start, self.beta_end),
            "beta_roots": self.beta_schedule == "scaled_linear",
            "timesteps": self.num_train_timesteps,
            "zero_snr": self.rescale_betas_zero_snr,
            "prediction": PREDICTIONS[self.prediction_type],
        }


class _Clipping(_Discrete):
    clip_sample: bool = True
    clip_sample_range: float = Field(default=1.0, ge=1, le=1)
    timestep_spacing: Literal["leading", "linspace", "trailing"] = "leading"

    @property
    def clips(self) -> bool:
        return self.clip_sample or self.thresholding

    @property
    def spacing(self) -> str:
        return "uniform" if self.timestep_spacing == "linspace" else self.timestep_spacing


class _Ddpm(_Clipping):
    variance_type: Literal["fixed_small", "fixed_small_log", "fixed_large"] = "fixed_small"

    @model_validator(mode="after")
    def _last_step_is_noiseless(self) -> "_Ddpm":
        if self.variance_type == "fixed_large" and self.timestep_spacing == "trailing":
            raise ValueError("variance_type fixed_large with trailing timesteps leaves noise in the image")
        return self

    def defaults(self) -> dict[str, object]:
        return {
            "sampler": "ddpm-clip" if self.clips else "ddpm",
            "variance": "beta" if self.variance_type == "fixed_large" else "posterior",
            "spacing": self.spacing,
            "steps": min(DDPM_STEPS, self.num_train_timesteps),
        }


class _Ddim(_Clipping):
    set_alpha_to_one: Literal[True] = True

    def defaults(self) -> dict[str, object]:
        steps = min(50, self.num_train_timesteps)
        return {"sampler": "ddim-clip" if self.clips else "ddim", "spacing": self.spacing, "steps": steps}


class _DpmSolver(_Discrete):
    solver_order: Literal[2] = 2
    algorithm_type: Literal["dpmsolver++"] = "dpmsolver++"
    solver_type: Literal["midpoint"] = "midpoint"
    lower_order_final: bool = True
    final_sigmas_type: Literal["zero"] = "zero"
    flow_shift: JsonValue = 1.0
    time_shift_type: JsonValue = None
    lambda_min_clipped: JsonValue = None
    timestep_spacing: Literal["linspace", "trailing"] = "linspace"

    @model_validator(mode="after")
    def _whole_range(self) -> "_DpmSolver":
        if self.lambda_min_clipped not in (None, -math.inf, "-inf"):
            raise ValueError(f"lambda_min_clipped {str(self.lambda_min_clipped)[:20]} isn't supported, only -Infinity")
        if self.rescale_betas_zero_snr:
            raise ValueError("rescale_betas_zero_snr isn't supported with this scheduler")
        return self

    def defaults(self) -> dict[str, object]:
        clipping = "static" if self.thresholding else "none"
        steps = min(20, self.num_train_timesteps)
        return {"sampler": "dpm++", "spacing": self.timestep_spacing, "clipping": clipping, "steps": steps}


class _FlowMatch(_Scheduler):
    shift: float = Field(default=1.0, ge=1, le=1)
    base_shift: JsonValue = None  # and the others of dynamic shifting, which is refused
    max_shift: JsonValue = None
    base_image_seq_len: JsonValue = None
    max_image_seq_len: JsonValue = None
    time_shift_type: JsonValue = None

    def model(self) -> dict[str, object]:
        return {"schedule": "flow", "prediction": "flow", "timesteps": self.num_train_timesteps}

    def defaults(self) -> dict[str, object]:
        return {"sampler": "euler", "spacing": "linspace", "steps": 50, "unit_noise": False}


SCHEDULERS: Mapping[str, type[_Scheduler]] = {
    "DDPMScheduler": _Ddpm,
    "DDIMScheduler": _Ddim,
    "DPMSolverMultistepScheduler": _DpmSolver,
    "FlowMatchEulerDiscreteScheduler": _FlowMatch,
}


def is_pipeline(path: Path) -> bool:
    """Whether a path is a folder, or the index of a pipeline's folder."""
    return os.path.isdir(path) or path.name == PIPELINE_INDEX


def read(path: Path) -> Pipeline:
    """The model in a pipeline's folder, given as the folder or as its index. Nothing in it is run. Raises BadFile."""
    folder = path.parent if path.name == PIPELINE_INDEX else path
    index = _parsed(_Index, folder, PIPELINE_INDEX)
    name = index.scheduler[1]
    if name not in SCHEDULERS:
        raise BadFile(
            f"{folder.name} has the scheduler {name[:60]}, which isn't supported.",
            f"Save the pipeline with one of {', '.join(SCHEDULERS)}.",
        )
    scheduler = _parsed(SCHEDULERS[name], folder, SCHEDULER)
    unet = _parsed(_UNet2DFile, folder, CONFIG)
    if unet.time_embedding_type == "fourier" and isinstance(scheduler, _Discrete):
        raise BadFile(f"{folder.name}: Fourier features of time have no value at step 0 of a {name}.", ANOTHER)
    model = _made(ModelConfig, unet.model() | scheduler.model(), folder)
    defaults = _made(SampleSettings, {"guidance": 1.0, "unit_noise": True} | scheduler.defaults(), folder)
    shapes = expected(model, folder.name)
    found = folder / WEIGHTS if os.path.exists(folder / WEIGHTS) else folder / PICKLED
    if not os.path.exists(found):
        raise BadFile(f"{folder.name} has no {WEIGHTS}.", "Save the pipeline again, whole and without a variant.")
    weights = dict(_ours(*item) for item in import_weights.plain_tensors(found).items())
    check_weights(shapes, weights, found.name)
    return Pipeline(model, defaults, weights, name)


def write(folder: Path, header: ModelHeader, weights: dict[str, Tensor]) -> None:
    """Write a model as a pipeline's folder, which must not exist. Raises BadRequest, CannotWrite."""
    model = header.model
    if model.unet2d is None:
        raise BadRequest(
            f"{header.name!r} isn't a UNet2DModel, so diffusers can't open it.",
            "Export it as ONNX, or train on from a model that was imported from diffusers.",
        )
    if folder.exists():
        raise BadRequest(f"{folder} exists.", "Choose a new name.")
    name, scheduler = _scheduler_of(header)
    unet = model.unet2d.model_dump() | {
        "_class_name": "UNet2DModel", "sample_size": model.image_size, "in_channels": model.channels,
        "out_channels": model.channels, "block_out_channels": model.widths, "layers_per_block": model.blocks,
        "dropout": model.dropout, "num_class_embeds": model.num_classes or None,
    }  # fmt: skip
    pipeline = "DDIMPipeline" if name == "DDIMScheduler" else "DDPMPipeline"
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", name]}
    with atomic_folder(folder) as temporary:
        for file, content in ((PIPELINE_INDEX, index), (CONFIG, unet), (SCHEDULER, scheduler | {"_class_name": name})):
            (temporary / file).parent.mkdir(exist_ok=True)
            (temporary / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        checkpoint.save(temporary / WEIGHTS, dict(_theirs(*item) for item in weights.items()), header)


def _scheduler_of(header: ModelHeader) -> tuple[str, dict[str, object]]:
    """The class of scheduler that samples as the model's defaults do, and its settings."""
    model, defaults = header.model, header.defaults
    if model.schedule == "flow" and model.prediction == "flow":
        return "FlowMatchEulerDiscreteScheduler", {"num_train_timesteps": model.timesteps, "shift": 1.0}
    predictions = {ours: theirs for theirs, ours in PREDICTIONS.items()}
    if model.schedule not in ("linear", "cosine") or model.prediction not in predictions:
        raise BadRequest(
            f"diffusers has no scheduler for {model.prediction} prediction on the {model.schedule} schedule.",
            "Export it as ONNX.",
        )
    first, last = model.beta_range or (0.1 / model.timesteps, 20 / model.timesteps)
    linear = "scaled_linear" if model.beta_roots else "linear"
    settings: dict[str, object] = {
        "num_train_timesteps": model.timesteps, "beta_start": first, "beta_end": last,
        "beta_schedule": "squaredcos_cap_v2" if model.schedule == "cosine" else linear,
        "prediction_type": predictions[model.prediction], "rescale_betas_zero_snr": model.zero_snr,
    }  # fmt: skip
    spacings: dict[Spacing, str] = {"uniform": "linspace", "leading": "leading", "trailing": "trailing"}
    samplers: dict[SamplerName, tuple[str, bool]] = {
        "ddpm": ("DDPMScheduler", False), "ddpm-clip": ("DDPMScheduler", True),
        "ddim": ("DDIMScheduler", False), "ddim-clip": ("DDIMScheduler", True),
    }  # fmt: skip
    if defaults.sampler in samplers:
        name, clips = samplers[defaults.sampler]
        settings |= {"clip_sample": clips, "timestep_spacing": spacings.get(defaults.spacing, "leading")}
        large = name == "DDPMScheduler" and defaults.variance == "beta"
        return name, settings | ({"variance_type": "fixed_large"} if large else {})
    trailing = "trailing" if defaults.spacing == "trailing" else "linspace"
    clips = defaults.clipping == "static"
    return "DPMSolverMultistepScheduler", settings | {"timestep_spacing": trailing, "thresholding": clips}


def _parsed(kind: type[D], folder: Path, name: str) -> D:
    try:
        content = read_short(folder / name)
    except FileNotFoundError as error:
        raise BadFile(f"{folder.name} has no {name}.", ANOTHER) from error
    except OSError as error:
        raise BadFile(f"{name} in {folder.name} cannot be read ({error}).", ANOTHER) from error
    return parse(kind, content, f"{name} in {folder.name}")


def _made(kind: type[Any], values: dict[str, object], folder: Path) -> Any:
    return parse(kind, json.dumps(values), folder.name)


def _ours(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A weight as the network here has it: linear layers of attention as 1 x 1 convolutions."""
    before, dot, last = name.rpartition(".")
    block, _, layer = before.rpartition(".")
    if ".attentions." in name and layer in OLD_NAMES:
        name = f"{block}.{OLD_NAMES[layer]}{dot}{last}"
    convolution = name.endswith(PROJECTIONS) and tensor.ndim == 2
    return name, tensor[:, :, None, None] if convolution else tensor


def _theirs(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    plain = tensor if tensor.dtype == torch.float32 else tensor.float()
    return name, plain[:, :, 0, 0] if name.endswith(PROJECTIONS) else plain
