"""What a person can choose: every name, its title, its formula and paper, the settings it uses. No torch.

The command line, the lists of the window, its F1 help, the axes of a comparison and the validation of `ml.config` read
these tables. The implementation of each name is in a table of its own: samplers in `ml.diffusion.samplers.SAMPLERS`,
prediction targets in `ml.diffusion.parameterization.PARAMETERIZATIONS`, and so on.

Figures show the titles of samplers, spacings, clippings and settings, and `verify` redraws a figure to compare it:
those titles stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

K = TypeVar("K", bound=str)

SamplerName = Literal["ddpm", "ddpm-clip", "ddim", "ddim-clip", "euler", "dpm++", "heun", "student"]
Prediction = Literal["eps", "x0", "v", "flow", "edm"]
ScheduleName = Literal["linear", "cosine", "sigmoid", "flow", "edm"]
Spacing = Literal["uniform", "trailing", "karras", "leading", "linspace"]
Clipping = Literal["none", "static", "dynamic"]
Variance = Literal["posterior", "beta"]
Mixing = Literal["slerp", "lerp"]
Weighting = Literal["none", "min-snr"]
LossName = Literal["mse", "huber"]
OptimizerName = Literal["adamw", "adam", "muon"]
LrScheduleName = Literal["onecycle", "cosine", "linear", "constant"]
NetworkName = Literal["unet", "textbook", "shuffle", "judge", "clip", "autoencoder", "diffusers"]
Route = Literal["class", "text", "clip"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
FitName = Literal["crop", "whole", "stretch"]
TrackerName = Literal["wandb"]  # beside TensorBoard, which is always written


@dataclass(frozen=True, slots=True)
class Formula:
    """One line of mathematics or several, and its paper; "" where there is none.

    x₀ is the image, ε the noise and xₜ their mixture with the shares alpha and sigma; a hat marks an estimate of the
    network, c is the class and ∅ no class. At discrete steps alpha² is written with a bar, as in Ho et al. 2020.
    """

    text: str
    paper: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One choice: its title in lists, what it does in one sentence, and its formula."""

    title: str
    about: str = ""
    formula: Formula | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec(Spec):
    """A sampler. All use the grid of noise levels, clipping and guidance; `uses` names the settings beyond those."""

    uses: tuple[str, ...] = ()  # fields of SampleSettings, passed to the sampler by name
    calls_per_step: int = 1  # of the network; the last step, to the clean image, takes one
    multistep: bool = False  # passed the step before the first one, where a trajectory is continued


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSpec(Spec):
    """A prediction target; its title goes on after "the"."""

    discrete: bool = False  # only for discrete schedules
    zero_snr: bool = True  # says something about the image in pure noise


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec(Spec):
    """A noise schedule."""

    discrete: bool = False  # variance-preserving, of T steps


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec(Spec):
    """A network."""

    draws: bool = False  # a diffusion model
    imported: bool = False  # its settings come with a file, so that it is not chosen by name


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec(Spec):
    """How a prompt reaches the model."""

    model: str  # the bundled one that it draws with by default
    settings: Mapping[str, object] = field(default_factory=dict[str, object])  # that replace a model's own


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadSpec(Spec):
    """A data set or a model from the network."""

    size: str = ""  # of the download; "": nothing to download


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(DownloadSpec):
    """A data set."""

    classes: tuple[str, ...]  # the names of its labels 0, 1, ...
    digits: bool = False  # that the judge can read


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec(Spec):
    """A setting of a request that can be an axis of a comparison."""

    value: str = "{}"  # how a value is written beside a row of a figure
    in_figures: str = ""  # the title of figures, where it is an older one: `verify` draws those of before again
    choices: Mapping[Any, Spec] = field(default_factory=dict[Any, Spec])  # its values, where they are names


def titles(table: Mapping[K, Spec]) -> tuple[tuple[K, str], ...]:
    """Name and title of each, in order: what a list shows."""
    return tuple((name, spec.title) for name, spec in table.items())


def lines(table: Mapping[K, Spec]) -> dict[str, str]:
    """What each does, in one sentence by its name: the line under its title in a list."""
    return {name: spec.about for name, spec in table.items()}


DDIM = "Song, Meng, Ermon 2021: DDIM"
DDPM = "Ho, Jain, Abbeel 2020: DDPM"
EDM = "Karras et al. 2022: EDM"
CFG = "Ho, Salimans 2022: classifier-free guidance"
INTERVAL = "Kynkäänniemi et al. 2024: guidance in a limited interval"
IMPROVED = "Nichol, Dhariwal 2021: Improved DDPM"
GUIDED = "Dhariwal, Nichol 2021: classifier guidance; here the classifier is CLIP (Radford et al. 2021)"
FLAWS = "Lin et al. 2024: common flaws"
FLOW = "Lipman et al. 2023: flow matching"
REPAINT = "Lugmayr et al. 2022: RePaint"

# ---- sampling

SAMPLERS: Mapping[SamplerName, SamplerSpec] = {
    "dpm++": SamplerSpec(
        "DPM-Solver++ 2M",
        "Second order from the last two estimates: good images in ten steps",
        Formula(
            "xₛ = (σₛ/σₜ) xₜ − αₛ (e⁻ʰ − 1) D\nD = x̂₀ + (h/2h′) (x̂₀ − x̂₀′),   ′: step before\n"
            "h = ln(αₛ/σₛ) − ln(αₜ/σₜ)",
            "Lu et al. 2022: DPM-Solver++",
        ),
        multistep=True,
    ),
    "ddim": SamplerSpec(
        "DDIM",
        "First order; η adds noise at every step",
        Formula("xₛ = αₛ x̂₀ + √(σₛ² − s²) ε̂ + s ε,   s = η · DDPM's", DDIM),
        uses=("eta", "repeats"),
    ),
    "ddim-clip": SamplerSpec(
        "DDIM, clipped",
        "DDIM with estimates clipped to the range of images; the estimated noise stays as it is",
        Formula("xₛ = αₛ clip(x̂₀, −1, 1) + √(σₛ² − s²) ε̂ + s ε\ns = η · DDPM's,   ε̂ from the x̂₀ before", DDIM),
        uses=("eta",),
    ),
    "euler": SamplerSpec(
        "Euler",
        "First order along the flow, without fresh noise",
        Formula("xₛ = xₜ + (s − t) û,   û = ε̂ − x̂₀", FLOW),
        uses=("repeats",),
    ),
    "ddpm": SamplerSpec(
        "DDPM",
        "Fresh noise at every step; takes many steps",
        Formula("xₜ₋₁ = (xₜ − βₜ/√(1−ᾱₜ) · ε̂)/√(1−βₜ) + s ε\ns² = βₜ (1−ᾱₜ₋₁)/(1−ᾱₜ)", DDPM),
        uses=("variance", "repeats"),
    ),
    "ddpm-clip": SamplerSpec(
        "DDPM, clipped",
        "DDPM with estimates clipped to the range of images",
        Formula("x̂₀ ← clip(x̂₀, −1, 1),   then as DDPM", DDPM),
        uses=("variance", "repeats"),
    ),
    "heun": SamplerSpec(
        "Heun",
        "Second order with two network calls per step",
        Formula("yₛ = yₜ + (rₛ − rₜ) (ε̂(xₜ) + ε̂(xₛ′))/2\ny = x/α,   r = σ/α,   xₛ′: DDIM's step", EDM),
        calls_per_step=2,
    ),
    "student": SamplerSpec(
        "Few-step student",
        "Estimate, fresh noise, estimate: for models that are distilled to a few steps",
        Formula("xₛ = αₛ x̂₀(xₜ) + σₛ ε,   with fresh noise ε", "Song et al. 2023: consistency models"),
    ),
}
SPACINGS: Mapping[Spacing, Spec] = {
    "karras": Spec(
        "Karras",
        "Small steps where the image is nearly clean",
        formula=Formula("σᵢ = (a + i/(n−1) · (b − a))⁷,   a⁷ = σ₁,   b⁷ = σₙ", EDM),
    ),
    "uniform": Spec("Even", "The same distance in t between all steps"),
    "trailing": Spec("Even, from the end", "Even steps that begin at the noisiest level, as in few-step models"),
    "leading": Spec("Even, from the start", "Even steps that begin a little below the noisiest level, as in DDIM"),
    "linspace": Spec("Even, to the clean image", "Even steps that end exactly at the least noise"),
}
CLIPPINGS: Mapping[Clipping, Spec] = {
    "none": Spec("not clipped", "Estimates may leave the range of images"),
    "static": Spec("clipped", "Estimates are cut to the range of images"),
    "dynamic": Spec("thresholded", "Estimates are scaled down to the range of images, as in Imagen"),
}
MIXINGS: Mapping[Mixing, Spec] = {
    "slerp": Spec(
        "slerp",
        "Spherical interpolation: the noise keeps its strength, and so do the images in between",
        Formula("ε = (sin((1−s)θ) ε₁ + sin(sθ) ε₂)/sin θ\ncos θ = ε₁·ε₂/(|ε₁||ε₂|)", "Shoemake 1985"),
    ),
    "lerp": Spec(
        "lerp",
        "Linear interpolation: the noise gets weaker in between, and the images fade",
        Formula("ε = (1 − s) ε₁ + s ε₂\nshorter than noise should be", ""),
    ),
}
ROUTES: Mapping[Route, RouteSpec] = {
    "class": RouteSpec("labels", "Classes named in the prompt are used as labels", model="digits"),
    "text": RouteSpec("words", "The model reads the words itself, such as a bold slanted seven", model="text"),
    "clip": RouteSpec(
        "CLIP",
        "CLIP compares every step with the words and steers the model",
        model="unconditional",
        settings={"sampler": "ddpm", "steps": 10, "repeats": 2},
    ),
}
CLIP_MODEL = "digit-clip"
CLIPS: Mapping[str, DownloadSpec] = {
    CLIP_MODEL: DownloadSpec("Digit CLIP"),
    "ViT-B-32": DownloadSpec("OpenAI ViT-B/32", size="600 MB"),
}
_SCALE = Formula("w  if  from ≤ σ/α ≤ to  or  w < 1,   else 1", INTERVAL)
SETTINGS: Mapping[str, SettingSpec] = {
    "steps": SettingSpec(
        "Steps",
        "How many steps lead from noise to image",
        formula=Formula("T ≥ t₁ > t₂ > … > tₙ > 0\none look of the network at each tᵢ", DDIM),
    ),
    "guidance": SettingSpec(
        "Guidance w",
        "How strongly the class is followed",
        formula=Formula("ε̂ = ε̂(xₜ, ∅) + w (ε̂(xₜ, c) − ε̂(xₜ, ∅))", CFG),
        value="w = {}",
    ),
    "sampler": SettingSpec(
        "Sampler", "The rule for each step", formula=Formula("xₜ → x̂₀(xₜ, t, c) → xₛ,   s < t", DDPM), choices=SAMPLERS
    ),
    "model": SettingSpec("Model", "The network that removes the noise"),
    "label": SettingSpec("Digit", "What is drawn", value="digit {}"),
    "seed": SettingSpec(
        "Seed",
        "Which noise the images start from",
        formula=Formula("ε ~ N(0, 1),   image k from the seed + k", DDPM),
        value="seed {}",
    ),
    "eta": SettingSpec(
        "Noise η",
        "How much fresh noise DDIM adds at every step",
        in_figures="Noise eta",
        formula=Formula("s = η √((1−ᾱₛ)/(1−ᾱₜ)) √(1 − ᾱₜ/ᾱₛ)", DDIM),
        value="eta {}",
    ),
    "clipping": SettingSpec(
        "Clipping",
        "Whether estimates stay in the range of images",
        formula=Formula(
            "clipped: x̂₀ ← clip(x̂₀, −1, 1)\nthresholded: x̂₀ ← clip(x̂₀, −q, q)/q,\n99.5 % of |x̂₀| are below q ≥ 1",
            "Saharia et al. 2022: Imagen",
        ),
        choices=CLIPPINGS,
    ),
    "spacing": SettingSpec(
        "Spacing",
        "How the steps are spread from noise to image",
        formula=Formula("tᵢ = T · (1 − i/n)", DDIM),
        choices=SPACINGS,
    ),
    "guidance_rescale": SettingSpec(
        "Rescaled guidance",
        "How much of the contrast that guidance adds is taken back",
        formula=Formula("x̂₀ ← x̂₀ (1 − φ + φ r)\nr = std(x̂₀(xₜ, c)) / std(x̂₀)", FLAWS),
        value="rescaled {}",
    ),
    "guidance_from": SettingSpec("Guide from σ", in_figures="Guide from sigma", formula=_SCALE, value="w from {}"),
    "guidance_to": SettingSpec("Guide to σ", in_figures="Guide to sigma", formula=_SCALE, value="w to {}"),
    "sigma_max": SettingSpec(
        "Maximum σ",
        "The noise level at which the steps begin",
        in_figures="First sigma",
        formula=Formula("x = σ₁ ε,   σ/α from σ₁ down to 0", EDM),
        value="sigma {}",
    ),
    "sigma_min": SettingSpec("Minimum σ", in_figures="Last sigma", value="sigma min {}"),
    "sigma_lead": SettingSpec("Extra first σ", in_figures="Lead sigma", value="sigma lead {}"),
    "repeats": SettingSpec(
        "Repeats per step",
        in_figures="Retakes",
        formula=Formula("xₜ = √(ᾱₜ/ᾱₛ) xₛ + √(1 − ᾱₜ/ᾱₛ) ε\nthen the step again", REPAINT),
        value="repeats {}",
    ),
    "variance": SettingSpec("Variance", value="variance {}"),
    "clip_scale": SettingSpec(
        "CLIP scale",
        in_figures="CLIP's pull",
        formula=Formula("x̂₀ ← x̂₀ + s (σ²/α) ∇ₓ ln p(words | x̂₀)", GUIDED),
        value="pull {}",
    ),
}

# ---- models and training

PREDICTIONS: Mapping[Prediction, PredictionSpec] = {
    "eps": PredictionSpec(
        "noise ε",
        "The noise in the image, as in DDPM; unreliable in pure noise",
        formula=Formula("L = ‖ε − ε̂(xₜ, t, c)‖²", DDPM),
        zero_snr=False,
    ),
    "x0": PredictionSpec(
        "clean image x₀", "The image without its noise", formula=Formula("L = ‖x₀ − x̂₀(xₜ, t, c)‖²", DDPM)
    ),
    "v": PredictionSpec(
        "velocity v",
        "A mixture of noise and image that is reliable at every noise level",
        formula=Formula("v = α ε − σ x₀,   L = ‖v − v̂‖²", "Salimans, Ho 2022: distillation"),
        discrete=True,
    ),
    "flow": PredictionSpec(
        "flow u",
        "The direction from image to noise on a straight path",
        formula=Formula(
            "xₜ = (1 − t) x₀ + t ε,   u = ε − x₀,   L = ‖u − û‖²", "Lipman et al. 2023; Liu et al. 2023: flow matching"
        ),
    ),
    "edm": PredictionSpec(
        "EDM mixture of image and noise",
        "What is left to predict when the input already says a part of the image",
        formula=Formula("x̂₀ = a x + b F(c x, ln σ/4),   a, b, c from σ", EDM),
    ),
}
SCHEDULES: Mapping[ScheduleName, ScheduleSpec] = {
    "linear": ScheduleSpec(
        "linear",
        "The noise of DDPM: the image is gone after half of the steps",
        formula=Formula("βₜ from 10⁻⁴ to 0.02,   ᾱₜ = ∏ (1 − βₛ)", DDPM),
        discrete=True,
    ),
    "cosine": ScheduleSpec(
        "cosine",
        "Keeps more of the image for longer",
        formula=Formula("ᾱₜ = f(t)/f(0)\nf(t) = cos²((t/T + 0.008)/1.008 · π/2)", IMPROVED),
        discrete=True,
    ),
    "sigmoid": ScheduleSpec(
        "sigmoid",
        "Little change at both ends, most in the middle",
        formula=Formula("ᾱₜ = (f(t) − f(T))/(f(0) − f(T))\nf(t) = 1/(1 + e^(6t/T − 3))", "Jabri, Fleet, Chen 2022"),
        discrete=True,
    ),
    "flow": ScheduleSpec(
        "straight-line",
        "Image and noise are mixed in even proportion, as in flow matching",
        formula=Formula("xₜ = (1 − t) x₀ + t ε", "Liu et al. 2023: rectified flow"),
    ),
    "edm": ScheduleSpec(
        "EDM",
        "Noise is added, and the image is not scaled down",
        formula=Formula("x = x₀ + σ ε,   ln σ drawn from a normal distribution", EDM),
    ),
}
DISCRETE: tuple[ScheduleName, ...] = tuple(name for name, spec in SCHEDULES.items() if spec.discrete)
WEIGHTINGS: Mapping[Weighting, Spec] = {
    "none": Spec("uniform", "All noise levels count the same"),
    "min-snr": Spec(
        "min-SNR",
        "Levels with little noise count less, so that none outweighs the others",
        formula=Formula("w(t) = min(SNR(t), 5)/SNR(t),   SNR = α²/σ²", "Hang et al. 2023: min-SNR"),
    ),
}
LOSSES: Mapping[LossName, Spec] = {
    "mse": Spec("squared error", "The mean squared error, as in DDPM", formula=Formula("L = mean (y − ŷ)²", DDPM)),
    "huber": Spec(
        "Huber",
        "Less sensitive to large errors",
        formula=Formula("L = d²/2  if  |d| < 1,   else  |d| − 1/2\nd = y − ŷ", "Huber 1964"),
    ),
}
OPTIMIZERS: Mapping[OptimizerName, Spec] = {
    "adamw": Spec(
        "AdamW",
        "Adam with decoupled weight decay: the usual choice",
        formula=Formula("θ ← θ − lr (m̂/(√v̂ + ϵ) + λ θ)", "Loshchilov, Hutter 2019: AdamW"),
    ),
    "adam": Spec(
        "Adam",
        "A step size for each weight, from its recent gradients",
        formula=Formula("θ ← θ − lr m̂/(√v̂ + ϵ)", "Kingma, Ba 2015: Adam"),
    ),
    "muon": Spec(
        "Muon",
        "Orthogonal steps of the weight matrices: learns faster",
        formula=Formula("θ ← θ − lr · orthogonalised(momentum)", "Jordan et al. 2024: Muon"),
    ),
}
LR_SCHEDULES: Mapping[LrScheduleName, Spec] = {
    "onecycle": Spec(
        "up and down once",
        "Rises to the peak, then falls to nearly 0",
        formula=Formula("up to the highest rate and\ndown to nearly 0, as cosines", "Smith, Topin 2018"),
    ),
    "cosine": Spec(
        "falling as a cosine",
        "Slowly at first, quickly in the middle",
        formula=Formula("lr(k) = lr · (1 + cos(π k/K))/2", "Loshchilov, Hutter 2017: SGDR"),
    ),
    "linear": Spec("falling evenly", "The same amount at every step", formula=Formula("lr(k) = lr · (1 − k/K)", "")),
    "constant": Spec("kept", "The same rate to the end, as in DDPM", formula=Formula("lr(k) = lr", DDPM)),
}
NETWORKS: Mapping[NetworkName, NetworkSpec] = {
    "unet": NetworkSpec("U-Net", "Residual blocks on patches of pixels: the quickest to learn", draws=True),
    "textbook": NetworkSpec("Textbook U-Net", "Every part as in the books; slower", draws=True),
    "shuffle": NetworkSpec("ShuffleNet U-Net", "Very light: few weights and little arithmetic", draws=True),
    "judge": NetworkSpec("Classifier"),
    "clip": NetworkSpec("CLIP"),
    "autoencoder": NetworkSpec("Autoencoder"),
    "diffusers": NetworkSpec("U-Net of diffusers", draws=True, imported=True),
}
AUGMENTATIONS: Mapping[str, Spec] = {  # fields of TrainConfig
    "mirror": Spec(
        "Mirrored copies",
        "Half of the images are mirrored while learning, and none when drawing; not for letters and digits",
        Formula("y = ŷ(xₜ, t, c, a),   a = 1 for a mirrored image\na = 0 when drawing", f"{EDM}, appendix F.2"),
    ),
    "augment_share": Spec(
        "Shifts and turns",
        "The share of images that is shifted, turned or scaled a little while learning; none when drawing",
        Formula("y = ŷ(xₜ, t, c, a),   a: shift, turn, scaling\na = 0 when drawing", f"{EDM}, appendix F.2"),
    ),
}
DRAWING: tuple[NetworkName, ...] = tuple(name for name, spec in NETWORKS.items() if spec.draws)

PIPELINE_INDEX = "model_index.json"  # in the folder of a diffusers pipeline

# ---- data

OWN_SET = "mine:"  # begins the name of a set of drawings that a person made in the program
IMAGE_FOLDER = "folder:"  # begins the name of a data set that is a folder of images
FITS: Mapping[FitName, Spec] = {
    "crop": Spec("Crop to the middle", "The largest square in the middle of each image"),
    "whole": Spec("Whole image", "The whole image on a square ground"),
    "stretch": Spec("Stretch", "The whole image, stretched or squeezed to a square"),
}
GROUNDS: Mapping[str, Spec] = {  # or any colour as #rrggbb
    "auto": Spec("Automatic", "White or black, whichever shows what is drawn"),
    "white": Spec("White", "White behind transparent images and around whole ones"),
    "black": Spec("Black", "Black behind transparent images and around whole ones"),
}
GROUND_PATTERN = rf"({'|'.join(GROUNDS)}|#[0-9a-fA-F]{{6}})\Z"
TEN_DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DATASETS: Mapping[str, DatasetSpec] = {
    "mnist": DatasetSpec("MNIST", "60,000 handwritten digits, grey", classes=TEN_DIGITS, size="11 MB", digits=True),
    "fashion-mnist": DatasetSpec("Fashion-MNIST", "60,000 pieces of clothing, grey", classes=FASHION, size="31 MB"),
    "kmnist": DatasetSpec("Kuzushiji-MNIST", "60,000 old Japanese letters, grey", classes=KUZUSHIJI, size="21 MB"),
    "cifar10": DatasetSpec("CIFAR-10", "50,000 small photos of ten kinds, in colour", classes=CIFAR10, size="170 MB"),
    "synthetic": DatasetSpec(
        "Synthetic digits",
        "Digits drawn by the program, without a download",
        classes=TEN_DIGITS,
        digits=True,
    ),
}
DIGITS = (*(name for name, spec in DATASETS.items() if spec.digits), "")  # "": unknown
CIFAR10_FOLDER = f"{IMAGE_FOLDER}cifar10-images"  # a part of CIFAR-10, which earlier bundled models were trained on


def dataset_spec(name: str) -> DatasetSpec | None:
    """The data set of a model's header; None for a folder of a person's own, and where it is unknown."""
    return DATASETS.get("cifar10" if name == CIFAR10_FOLDER else name)
