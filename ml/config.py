"""The shared vocabulary: immutable, validated, versioned descriptions of models, runs and images.

Unknown keys in a saved description are ignored, so that an older program opens a newer file where it
can; a wrong type or a value out of range raises `pydantic.ValidationError`, which `parse` turns into
one readable sentence.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ml.errors import BadFile, BadRequest
from ml.specs import (
    CLIP_MODEL,
    CLIPS,
    DISCRETE,
    DRAWING,
    GROUND_PATTERN,
    GROUNDS,
    PREDICTIONS,
    ROUTES,
    SCHEDULES,
    Clipping,
    FitName,
    LossName,
    LrScheduleName,
    Mixing,
    NetworkName,
    OptimizerName,
    Prediction,
    Route,
    SamplerName,
    ScheduleName,
    Spacing,
    Variance,
    Weighting,
)

NO_LABEL = -1
MAX_IMAGES = 100_000
MAX_PICTURE = 200_000  # characters of a PNG in base64
MAX_BRANCHES = 20  # branches of branches
MAX_PROBLEMS = 1000  # of a file that are examined: a list of a million takes minutes and gigabytes
MAX_LABEL = 2**31
DRAWING_SIDE = 28  # width and height of a drawing, in pixels


def check_ground(ground: str) -> str:
    """The ground behind images, if there is one of that name; raises ValueError."""
    if not re.match(GROUND_PATTERN, ground):
        raise ValueError(f"{ground!r} is no ground: use {', '.join(GROUNDS)}, or a colour as #rrggbb")
    return ground


Seed = Annotated[int, Field(ge=0, lt=2**53)]
Beta = Annotated[float, Field(gt=0, lt=1)]
Label = Annotated[int, Field(ge=-MAX_LABEL, lt=MAX_LABEL)]  # the model has its range
RunName = Annotated[str, Field(max_length=100, pattern=r"^[^/\\\x00]*$", description="no path: a folder's name")]
Ground = Annotated[str, AfterValidator(check_ground)]
Name = Annotated[str, Field(max_length=4096)]  # of data or of a model, or a path
ClassName = Annotated[str, Field(min_length=1, max_length=255)]
C = TypeVar("C", bound="Description")


class Description(BaseModel):
    """Base of everything that is queued, compared, written into files and read back."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def with_changes(self, /, **changes: object) -> Self:
        """A validated copy with some fields replaced; unset fields stay unset."""
        return type(self).model_validate({**self.model_dump(exclude_unset=True), **changes})


def parse(kind: type[C], text: str | bytes, source: str) -> C:
    """Read a description from JSON; raises BadFile naming `source` and the first thing wrong."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        if error.error_count() > MAX_PROBLEMS:
            raise BadFile(f"{source}: {error.error_count()} values are wrong.", "Use another file.") from error
        if any(_is_newer(problem) for problem in error.errors()):
            raise BadFile(f"{source} was written by a newer Noiseloom.", "Update Noiseloom to open it.") from error
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        raise BadFile(f"{source}: {where}: {message}.", "Correct that value, or use another file.") from error


def _is_newer(problem: ErrorDetails) -> bool:
    """Whether a problem is that the version of a description, or of a part of it, is newer than this program."""
    version = problem["input"]
    of_version = problem["loc"][-1:] == ("version",) and problem["type"] == "literal_error"
    return of_version and isinstance(version, int) and version > 1


class UNet2DSettings(Description):
    """The settings of diffusers' `UNet2DModel` that a `ModelConfig` has no field for, under their names there."""

    down_block_types: tuple[Literal["DownBlock2D", "AttnDownBlock2D"], ...] = (
        "DownBlock2D",
        "AttnDownBlock2D",
        "AttnDownBlock2D",
        "AttnDownBlock2D",
    )
    up_block_types: tuple[Literal["UpBlock2D", "AttnUpBlock2D"], ...] = (
        "AttnUpBlock2D",
        "AttnUpBlock2D",
        "AttnUpBlock2D",
        "UpBlock2D",
    )
    mid_block_type: Literal["UNetMidBlock2D"] | None = "UNetMidBlock2D"
    add_attention: bool = Field(default=True, description="in the middle")
    center_input_sample: bool = False
    time_embedding_type: Literal["positional", "fourier"] = "positional"
    time_embedding_dim: int | None = Field(default=None, ge=8, le=4096, description="none: four times the first width")
    freq_shift: int = Field(default=0, ge=0, le=1)
    flip_sin_to_cos: bool = True
    mid_block_scale_factor: float = Field(default=1, gt=0, le=100)
    downsample_padding: Literal[0, 1] = 1
    downsample_type: Literal["conv"] = "conv"
    upsample_type: Literal["conv"] = "conv"
    act_fn: Literal["silu", "swish"] = "silu"
    attention_head_dim: int | None = Field(default=8, ge=1, le=1024, description="none: one head")
    norm_num_groups: int = Field(default=32, ge=1, le=1024)
    attn_norm_num_groups: int | None = Field(default=None, ge=1, le=1024)
    norm_eps: float = Field(default=1e-5, gt=0, le=1)
    resnet_time_scale_shift: Literal["default", "scale_shift"] = "default"


class ModelConfig(Description):
    """The description of a network: enough to build it and to interpret its output."""

    version: Literal[1] = 1
    network: NetworkName = "unet"
    image_size: int = Field(default=28, ge=8, le=128, description="pixels; images are square")
    channels: int = Field(default=1, ge=1, le=4)
    num_classes: int = Field(default=10, ge=0, le=1000, description="0: unconditional; else with a null label too")
    prediction: Prediction = "flow"
    schedule: ScheduleName = "flow"
    timesteps: int = Field(default=1000, ge=10, le=4000, description="T of the discrete schedules")
    zero_snr: bool = Field(default=False, description="discrete: rescaled so that x_T is pure noise (Lin et al. 2024)")
    beta_range: tuple[Beta, Beta] | None = Field(
        default=None, description="linear: first and last beta; none: 0.1/T, 20/T"
    )
    beta_roots: bool = Field(default=False, description="linear: the roots of beta are (Rombach et al. 2022)")
    widths: tuple[int, ...] = Field(default=(32, 64), min_length=1, max_length=6)
    blocks: int = Field(default=1, ge=1, le=8, description="residual blocks per level")
    attention: tuple[int, ...] = Field(
        default=(), max_length=16, description="resolutions (pixels after `patch`) with self-attention"
    )
    patch: int = Field(default=1, ge=1, le=16, description="space-to-depth at the input; 2 turns 1x28x28 into 4x14x14")
    embedding: int = Field(default=128, ge=8, le=1024, description="width of the time-and-class embedding")
    augment_inputs: int = Field(
        default=0, ge=0, le=64, description="numbers that say how a training image was changed; none in a model's file"
    )
    vocabulary: int = Field(default=0, ge=0, le=100_000, description="words of a text tower")
    norm: Literal["group", "batch"] = "group"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    latent: int = Field(default=4, ge=1, le=16, description="channels of an autoencoder's latent")
    context: int = Field(default=0, ge=0, le=1024, description="width of the words that a text-conditioned model reads")
    reader: "ModelConfig | None" = Field(default=None, description="the CLIP whose text tower reads them")
    codec: "ModelConfig | None" = Field(default=None, description="the autoencoder in whose latent the model works")
    unet2d: UNet2DSettings | None = Field(default=None, description="of a network from diffusers")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        if any(width % 8 or not 8 <= width <= 1024 for width in self.widths):
            raise ValueError("every width must be a multiple of 8 between 8 and 1024")
        if self.network == "shuffle" and any(width % 16 for width in self.widths):
            raise ValueError("the widths of a ShuffleNet U-Net must be multiples of 16, since it halves them")
        self._check_unet2d()
        prediction = PREDICTIONS[self.prediction]
        if prediction.discrete and not SCHEDULES[self.schedule].discrete:
            discrete = ", ".join(DISCRETE)
            raise ValueError(f"{self.prediction} prediction needs a variance-preserving schedule ({discrete})")
        if self.zero_snr and not prediction.zero_snr:
            raise ValueError(
                f"{self.prediction} prediction says nothing about the image in pure noise: zero_snr needs v or x0"
            )
        return self

    def _check_unet2d(self) -> None:
        if (self.network == "diffusers") != (self.unet2d is not None):
            raise ValueError(
                "a network from diffusers, and no other, has the settings of a UNet2DModel: import its folder"
            )
        if self.unet2d is None:
            return
        levels = len(self.widths)
        if not levels == len(self.unet2d.down_block_types) == len(self.unet2d.up_block_types):
            raise ValueError(f"{levels} widths need as many down blocks and up blocks")
        if self.image_size % 2 ** (levels - 1):
            raise ValueError(f"image_size {self.image_size} can't be halved {levels - 1} times")

    @property
    def codes(self) -> tuple[int, int]:
        """Channels and side of what the network sees: the images, or the latents of `codec`."""
        if self.codec is None:
            return self.channels, self.image_size
        return self.codec.latent, -(-self.image_size // 2 ** (len(self.codec.widths) - 1))


class SampleSettings(Description):
    """How a model is sampled; SampleRequest adds which images."""

    sampler: SamplerName = "dpm++"
    steps: int = Field(default=10, ge=1, le=4000)
    eta: float = Field(default=0.0, ge=0, le=1, description="0: deterministic DDIM; 1: as noisy as DDPM")
    variance: Variance = Field(default="posterior", description="of DDPM's noise")
    clipping: Clipping = Field(default="none", description="of x0_hat: to [-1, 1], or by dynamic thresholding")
    guidance: float = Field(default=1.5, ge=0, le=15, description="w of eps_u + w (eps_c - eps_u); 1: off")
    guidance_from: float = Field(
        default=0.0, ge=0, le=1e6, description="w above 1 acts only while sigma/alpha is above this ..."
    )
    guidance_rescale: float = Field(default=0.0, ge=0, le=1, description="phi of Lin et al. 2024; 0: off")
    guidance_to: float = Field(default=1e4, ge=0, le=1e6, description="... and below this (Kynkaanniemi et al. 2024)")
    clip: str = Field(default=CLIP_MODEL, max_length=4096, description=f"{', '.join(CLIPS)}, or a file of its weights")
    clip_scale: float = Field(default=5.0, ge=0, le=100, description="how strongly CLIP's gradient steers")
    repeats: int = Field(default=0, ge=0, le=10, description="times that a DDIM or DDPM step is taken back and anew")
    spacing: Spacing = "karras"
    unit_noise: bool = Field(default=False, description="begin in N(0, I), whatever sigma of the first level is")
    sigma_max: float = Field(default=40.0, gt=0.1, le=1000, description="sigma/alpha where flow and karras grids begin")
    sigma_lead: float = Field(default=0.0, ge=0, le=10_000, description="one step at this sigma/alpha first; 0: none")
    sigma_min: float = Field(default=0.02, gt=0, le=1, description="sigma/alpha of a karras grid's last noisy level")

    def w_at(self, ratio: float) -> float:
        """Guidance w at the noise level sigma/alpha: 1 outside its interval (Kynkaanniemi et al. 2024).

        A w below 1 weakens the class. It holds at all levels, since w = 1 outside the interval would restore the class.
        """
        return self.guidance if self.guidance < 1 or self.guidance_from <= ratio <= self.guidance_to else 1.0


NO_INTERVAL: Mapping[str, Any] = {  # guidance acts at all noise levels
    name: SampleSettings.model_fields[name].default for name in ("guidance_from", "guidance_to")
}


def for_route(defaults: SampleSettings, route: Route) -> SampleSettings:
    """A model's default settings with those that the route needs."""
    return defaults.with_changes(**ROUTES[route].settings)


class Corner(Description):
    """An image to interpolate from: the seed of its starting noise, and its label.

    With a `picture`, the noise is the one that DDIM turns into it, and the seed is ignored.
    """

    seed: int = Field(default=0, ge=0, lt=2**53)
    label: int = Field(default=NO_LABEL, ge=NO_LABEL, lt=MAX_LABEL)
    picture: str = Field(default="", max_length=MAX_PICTURE, description="a PNG in base64")


class SampleRequest(SampleSettings):
    """Everything that determines a set of images.

    Image k has the label `labels[k]` (-1: none) and all its noise comes from seed `seed + k`, or from `seeds[k]` where
    those are given, so that image k of a batch is image k alone: `request.alone(k)`.

    With `corners`, image k lies between them: starting noise and label are mixed by `weights[k]`. The noise that steps
    add comes from `seed` for all images, so that neighbours are alike.

    A branch continues its `parent` from step `branch_at`. Up to there it equals its parent, bit for bit. An image whose
    seed differs from its parent's continues from other noise around the estimate of that step.
    """

    version: Literal[1] = 1
    model: str = Field(default="digits", max_length=4096, description="name of a bundled or own model, or a path")
    model_hash: str = Field(default="", max_length=64, description="SHA-256 of the model file; filled in when sampled")
    labels: tuple[Label, ...] = Field(default=(NO_LABEL,), min_length=1, max_length=MAX_IMAGES)
    seed: int = Field(default=2026, ge=0, lt=2**53)
    seeds: tuple[Seed, ...] = Field(default=(), description="of each image, in place of seed, seed + 1, ...")
    prompt: str = Field(default="", max_length=500, description="what the person typed")
    route: Route = Field(default="class", description="how the prompt reaches the model")

    source: str = Field(default="", max_length=MAX_PICTURE, description="an image to begin from: a PNG in base64")
    mask: str = Field(
        default="", max_length=MAX_PICTURE, description="the same size, white where it is to be completed"
    )
    vary_from: float = Field(default=0.0, ge=0, le=1000, description="sigma/alpha the source is noised to; 0: all")
    corners: tuple[Corner, ...] = Field(default=(), max_length=100)
    weights: tuple[tuple[float, ...], ...] = Field(default=(), description="of the corners, for each image")
    mixing: Mixing = Field(default="slerp", description="of starting noises, on the sphere or straight through it")
    parent: "SampleRequest | None" = Field(default=None, description="what this is a branch of")
    branch_at: int = Field(default=0, ge=0, le=100_000, description="the step of the parent from which it continues")

    @model_validator(mode="after")
    def _branch_fits(self) -> Self:
        if self.seeds and len(self.seeds) != len(self.labels):
            raise ValueError(f"{len(self.labels)} images need as many seeds, not {len(self.seeds)}")
        if self.parent and len(self.parent.labels) != len(self.labels):
            raise ValueError(f"a branch of {len(self.parent.labels)} images has as many, not {len(self.labels)}")
        if self.branches > MAX_BRANCHES:
            raise ValueError(f"a branch of a branch of ..., more than {MAX_BRANCHES} times")
        return self

    @model_validator(mode="after")
    def _corners_have_weights(self) -> Self:
        if self.corners and len(self.weights) != len(self.labels):
            raise ValueError(f"{len(self.labels)} images between corners need as many rows of weights")
        for row in self.weights:
            if len(row) != len(self.corners) or min(row, default=-1) < 0 or sum(row) <= 0:
                raise ValueError("weights are 0 or more, one for each corner, and not all 0")
        return self

    @property
    def branches(self) -> int:
        """The number of parents, of parents of parents, ..."""
        return self.parent.branches + 1 if self.parent else 0

    def seed_of(self, k: int) -> int:
        """The seed of image k."""
        return self.seeds[k] if self.seeds else self.seed + k

    def alone(self, k: int) -> Self:
        """The request for image k by itself."""
        parent = self.parent.alone(k) if self.parent else None
        changes: dict[str, object] = {"labels": (self.labels[k],), "parent": parent, "seeds": ()}
        if self.corners:
            return self.with_changes(**changes, weights=(self.weights[k],))
        return self.with_changes(**changes, seed=self.seed_of(k))

    @property
    def unhashed(self) -> Self:
        """The same request without the hash of the model file."""
        return self.with_changes(model_hash="", parent=self.parent.unhashed if self.parent else None)

    def some(self, chosen: Sequence[int]) -> Self:
        """The request for the images with these indices, which may repeat."""
        changes: dict[str, object] = {"labels": [self.labels[k] for k in chosen]}
        changes["parent"] = self.parent.some(chosen) if self.parent else None
        if self.corners:
            return self.with_changes(**changes, weights=[self.weights[k] for k in chosen])
        return self.with_changes(**changes, seeds=[self.seed_of(k) for k in chosen])


class TrainConfig(Description):
    """A whole training run: data, model, optimiser, budget."""

    version: Literal[1] = 1
    name: RunName = "run"
    note: str = Field(default="", max_length=4096, description="one line on what this preset is for")
    model: ModelConfig = ModelConfig()
    defaults: SampleSettings = SampleSettings()
    automatic: bool = Field(
        default=False, description="network, batch, augmentation and length, where unset, follow from images and device"
    )
    data: Name = Field(default="mnist", description="one of ml.data.datasets.names()")
    fit: FitName = Field(default="crop", description="how an image of a folder becomes a square")
    ground: Ground = Field(default="auto", description="behind transparent images of a folder and around whole ones")
    batch_size: int = Field(default=64, ge=1, le=8192)
    accumulate: int = Field(default=1, ge=1, le=1024, description="parts that a batch is worked through in, to fit")
    steps: int | None = Field(default=None, ge=1, le=100_000_000)
    epochs: float | None = Field(default=None, gt=0, le=10_000)
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 30)
    optimizer: OptimizerName = "adamw"
    lr: float = Field(default=2e-4, gt=0, le=1)
    lr_schedule: LrScheduleName = "onecycle"
    warmup: float = Field(default=0.05, ge=0, lt=1, description="fraction of the run spent warming up")
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    grad_clip: float = Field(default=1.0, ge=0, le=1e9, description="0: no clipping")
    ema_gamma: float = Field(
        default=5.0, ge=0, le=1e4, description="power-law EMA (Karras et al. 2024): grows as it runs"
    )
    label_dropout: float = Field(default=0.1, ge=0, le=1)
    loss: LossName = "mse"
    kl_weight: float = Field(
        default=1e-4, ge=0, le=1e6, description="autoencoder: of the KL term beside the squared error"
    )
    begin_with: Name = Field(default="", description="the model whose weights the run begins with; none: random ones")
    keep_classes: bool = Field(
        default=False, description="the classes of that model stay, before those that only the data have"
    )
    classes: tuple[ClassName, ...] = Field(
        default=(), max_length=1000, description="the names of labels 0, 1, ...; none: those of the data"
    )
    codec_from: Name = Field(default="", description="the autoencoder's model, for diffusion in its latent")
    reader_from: Name = Field(default="", description="the CLIP's model, for a text-conditioned diffusion model")
    teacher_from: Name = Field(default="", description="the diffusion model that a few-step student is distilled from")
    teacher_guidance: float = Field(default=0.0, ge=0, le=15, description="w the teacher is guided by; 0: its own")
    estimates_from: Name = Field(
        default="", description="the diffusion model whose estimates a CLIP learns to read too"
    )
    weighting: Weighting = "none"
    time_mean: float = Field(
        default=0.0, ge=-100, le=100, description="flow: logit-normal times, mean of log(sigma/alpha) ..."
    )
    time_std: float = Field(default=1.0, gt=0, le=100, description="... and its standard deviation ...")
    time_uniform: float = Field(default=0.0, ge=0, le=1, description="... save this share, drawn uniformly up to t = 1")
    augment: bool = Field(default=False, description="judge only: small shifts, rotations and scalings")
    mirror: bool = Field(default=False, description="learn from mirrored copies too, without drawing any")
    augment_share: float = Field(
        default=0.0, ge=0, le=1, description="probability of a shift, of a turn and of a scaling; none is drawn"
    )
    images_per_class: int = Field(
        default=0, ge=0, le=10_000, description="at least: where a class has fewer, copies as if drawn again are added"
    )
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    file_precision: Literal["fp32", "fp16"] = Field(default="fp32", description="of the weights in the model's file")
    seed: int = Field(default=0, ge=0, lt=2**53)
    readable_after: int | None = Field(
        default=None, ge=1, description="images seen until nine in ten digits can be read, as measured; None: unknown"
    )
    preview_every_s: float = Field(default=5.0, gt=0, le=1e7)
    save_every_s: float = Field(default=60.0, gt=0, le=1e7)
    score: bool = Field(default=False, description="images are drawn and scored at every doubling of steps")

    @property
    def augments(self) -> bool:
        """Whether training images are changed, which the network gets as an input (Karras et al. 2022, app. F.2)."""
        return self.mirror or self.augment_share > 0

    @model_validator(mode="after")
    def _augmentation_fits(self) -> Self:
        if self.augments and (self.model.network not in DRAWING or self.codec_from or self.teacher_from):
            raise ValueError("mirror and augment_share are for diffusion models that learn from images themselves")
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        if len(given) != 1 and (given or not self.automatic):
            raise ValueError(f"give exactly one of steps, epochs or minutes (found: {', '.join(given) or 'none'})")
        return self


D = TypeVar("D", bound=Description)


def validate(kind: type[D], values: dict[str, Any]) -> D:
    """A description of these values; raises BadRequest naming the first that is wrong."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        message = first["msg"].removeprefix("Value error, ")
        raise BadRequest(f"{where}: {message}.", "Correct that value.") from error
