"""The formula behind a control and the paper it is from: what F1 shows beside the sentence of the tooltip.

x₀ is the image, ε the noise, xₜ their mixture, whose shares are alpha and sigma; a hat marks what the network says, c
is the class and ∅ none. At discrete steps alpha² is written with a bar, as in Ho et al. 2020.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Formula:
    """One line of mathematics or several, and who wrote it first; empty where that is nobody in particular."""

    text: str
    paper: str


DDIM = "Song, Meng, Ermon 2021: DDIM"
DDPM = "Ho, Jain, Abbeel 2020: DDPM"
EDM = "Karras et al. 2022: EDM"
CFG = "Ho, Salimans 2022: classifier-free guidance"
INTERVAL = "Kynkäänniemi et al. 2024: guidance in a limited interval"
IMPROVED = "Nichol, Dhariwal 2021: Improved DDPM"
GUIDED = "Dhariwal, Nichol 2021: classifier guidance; here the classifier is CLIP (Radford et al. 2021)"
SGD = "Robbins, Monro 1951: stochastic approximation"
REPAINT = "Lugmayr et al. 2022: RePaint"

FORMULAS: Mapping[str, Formula] = {
    # by setting, with `setting: value` before `setting`
    "sampler: dpm++": Formula(
        "xₛ = (σₛ/σₜ) xₜ − αₛ (e⁻ʰ − 1) D\nD = x̂₀ + (h/2h′) (x̂₀ − x̂₀′),   ′: step before\nh = ln(αₛ/σₛ) − ln(αₜ/σₜ)",
        "Lu et al. 2022: DPM-Solver++",
    ),
    "sampler: ddim": Formula("xₛ = αₛ x̂₀ + √(σₛ² − s²) ε̂ + s ε,   s = η · DDPM's", DDIM),
    "sampler: euler": Formula("xₛ = xₜ + (s − t) û,   û = ε̂ − x̂₀", "Lipman et al. 2023: flow matching"),
    "sampler: heun": Formula("yₛ = yₜ + (rₛ − rₜ) (ε̂(xₜ) + ε̂(xₛ′))/2\ny = x/α,   r = σ/α,   xₛ′: DDIM's step", EDM),
    "sampler: ddpm": Formula("xₜ₋₁ = (xₜ − βₜ/√(1−ᾱₜ) · ε̂)/√(1−βₜ) + s ε\ns² = βₜ (1−ᾱₜ₋₁)/(1−ᾱₜ)", DDPM),
    "sampler: ddpm-clip": Formula("x̂₀ ← clip(x̂₀, −1, 1),   then as DDPM", DDPM),
    "sampler: student": Formula("xₛ = αₛ x̂₀(xₜ) + σₛ ε,   with fresh noise ε", "Song et al. 2023: consistency models"),
    "sampler": Formula("xₜ → x̂₀(xₜ, t, c) → xₛ,   s < t", DDPM),
    "steps": Formula("T ≥ t₁ > t₂ > … > tₙ > 0\none look of the network at each tᵢ", DDIM),
    "guidance": Formula("ε̂ = ε̂(xₜ, ∅) + w (ε̂(xₜ, c) − ε̂(xₜ, ∅))", CFG),
    "guidance_rescale": Formula("x̂₀ ← x̂₀ (1 − φ + φ r)\nr = std(x̂₀(xₜ, c)) / std(x̂₀)",
                                "Lin et al. 2024: common flaws"),
    "guidance_from": Formula("w  if  from ≤ σ/α ≤ to  or  w < 1,   else 1", INTERVAL),
    "guidance_to": Formula("w  if  from ≤ σ/α ≤ to  or  w < 1,   else 1", INTERVAL),
    "clip_scale": Formula("x̂₀ ← x̂₀ + s (σ²/α) ∇ₓ ln p(words | x̂₀)", GUIDED),
    "repeats": Formula("xₜ = √(ᾱₜ/ᾱₛ) xₛ + √(1 − ᾱₜ/ᾱₛ) ε\nthen the step again", REPAINT),
    "eta": Formula("s = η √((1−ᾱₛ)/(1−ᾱₜ)) √(1 − ᾱₜ/ᾱₛ)", DDIM),
    "clipping": Formula("clipped: x̂₀ ← clip(x̂₀, −1, 1)\n"
                        "thresholded: x̂₀ ← clip(x̂₀, −q, q)/q,\n99.5 % of |x̂₀| are below q ≥ 1",
                        "Saharia et al. 2022: Imagen"),
    "spacing: karras": Formula("σᵢ = (a + i/(n−1) · (b − a))⁷,   a⁷ = σ₁,   b⁷ = σₙ", EDM),
    "spacing": Formula("tᵢ = T · (1 − i/n)", DDIM),
    "sigma_max": Formula("x = σ₁ ε,   σ/α from σ₁ down to 0", EDM),
    "start": Formula("pure noise: one step at σ/α = 1000, then σ₁", "Lin et al. 2024: common flaws"),
    "seed": Formula("ε ~ N(0, 1),   image k from the seed + k", DDPM),
    # of training
    "model.prediction: eps": Formula("L = ‖ε − ε̂(xₜ, t, c)‖²", DDPM),
    "model.prediction: x0": Formula("L = ‖x₀ − x̂₀(xₜ, t, c)‖²", DDPM),
    "model.prediction: v": Formula("v = α ε − σ x₀,   L = ‖v − v̂‖²", "Salimans, Ho 2022: distillation"),
    "model.prediction: flow": Formula("xₜ = (1 − t) x₀ + t ε,   u = ε − x₀,   L = ‖u − û‖²",
                                      "Lipman et al. 2023; Liu et al. 2023: flow matching"),
    "model.prediction: edm": Formula("x̂₀ = a x + b F(c x, ln σ/4),   a, b, c from σ", EDM),
    "schedule: linear": Formula("βₜ from 10⁻⁴ to 0.02,   ᾱₜ = ∏ (1 − βₛ)", DDPM),
    "schedule: cosine": Formula("ᾱₜ = f(t)/f(0)\nf(t) = cos²((t/T + 0.008)/1.008 · π/2)", IMPROVED),
    "schedule: sigmoid": Formula("ᾱₜ = (f(t) − f(T))/(f(0) − f(T))\nf(t) = 1/(1 + e^(6t/T − 3))",
                                 "Jabri, Fleet, Chen 2022"),
    "schedule: flow": Formula("xₜ = (1 − t) x₀ + t ε", "Liu et al. 2023: rectified flow"),
    "schedule: edm": Formula("x = x₀ + σ ε,   ln σ drawn from a normal distribution", EDM),
    "weighting: min-snr": Formula("w(t) = min(SNR(t), 5)/SNR(t),   SNR = α²/σ²", "Hang et al. 2023: min-SNR"),
    "loss: mse": Formula("L = mean (y − ŷ)²", DDPM),
    "loss: huber": Formula("L = d²/2  if  |d| < 1,   else  |d| − 1/2\nd = y − ŷ", "Huber 1964"),
    "optimizer: adamw": Formula("θ ← θ − lr (m̂/(√v̂ + ϵ) + λ θ)", "Loshchilov, Hutter 2019: AdamW"),
    "optimizer: adam": Formula("θ ← θ − lr m̂/(√v̂ + ϵ)", "Kingma, Ba 2015: Adam"),
    "optimizer: muon": Formula("θ ← θ − lr · orthogonalised(momentum)", "Jordan et al. 2024: Muon"),
    "lr_schedule: onecycle": Formula("up to the highest rate and\ndown to nearly 0, as cosines", "Smith, Topin 2018"),
    "lr_schedule: cosine": Formula("lr(k) = lr · (1 + cos(π k/K))/2", "Loshchilov, Hutter 2017: SGDR"),
    "lr_schedule: linear": Formula("lr(k) = lr · (1 − k/K)", ""),
    "lr_schedule: constant": Formula("lr(k) = lr", DDPM),
    "lr": Formula("θ ← θ − lr · (direction that the optimizer gives)", SGD),
    "batch_size": Formula("gradient ≈ (1/B) Σ ∇ L(x₀ᵢ, tᵢ, εᵢ)", SGD),
    "recipe": Formula(
        "average: θ̄ ← β θ̄ + (1 − β) θ,   β = (1 − 1/k)ᵞ⁺¹\nlabels: c ← ∅ with probability p",
        "Karras et al. 2024: power-law EMA; " + CFG,
    ),
    # of the other pages
    "mixing: slerp": Formula("ε = (sin((1−s)θ) ε₁ + sin(sθ) ε₂)/sin θ\ncos θ = ε₁·ε₂/(|ε₁||ε₂|)", "Shoemake 1985"),
    "mixing: lerp": Formula("ε = (1 − s) ε₁ + s ε₂\nshorter than noise should be", ""),
    "task: vary": Formula("xₜ = α x₀ + σ ε,   and on to an image from there", "Meng et al. 2022: SDEdit"),
    "task: complete": Formula("x̂₀ ← m · x̂₀ + (1 − m) · x₀,   m = 1 where marked", REPAINT),
    "task: rebuild": Formula("xₜ = αₜ x̂₀ + σₜ ε̂\nfrom t = 0 up to T, and back with another c", DDIM + ", inversion"),
    "vary_from": Formula("xₜ = α x₀ + σ ε,   σ/α as set here", "Meng et al. 2022: SDEdit"),
    "recognise": Formula("p(c | x) ∝ exp(−k · D(c))\nD(c) = mean over t of (α/σ) ‖x₀ − x̂₀(xₜ, t, c)‖²",
                         "Li et al. 2023: diffusion classifier"),
    "timesteps": Formula("xₜ = √ᾱₜ x₀ + √(1−ᾱₜ) ε,   t = 1 … T", DDPM),
}  # fmt: skip
AXES = ("Rows", "Columns")  # whose value is a setting
CONTROLS: Mapping[str, str] = {  # by the name that a screen reader says
    "Sampler": "sampler",
    "Steps": "steps",
    "Guidance w": "guidance",
    "CLIP scale": "clip_scale",
    "Repeats per step": "repeats",
    "Noise η": "eta",
    "Spacing": "spacing",
    "Start from": "start",
    "Maximum σ": "sigma_max",
    "Guide from σ": "guidance_from",
    "Guide to σ": "guidance_to",
    "Seed": "seed",
    "Noise schedule": "schedule",
    "Predicts": "model.prediction",
    "Loss weighting": "weighting",
    "Loss": "loss",
    "Optimizer": "optimizer",
    "LR schedule": "lr_schedule",
    "Learning rate": "lr",
    "Batch size": "batch_size",
    "Noise mixing": "mixing",
    "Task": "task",
    "Noise σ": "vary_from",
    "Which digit is this?": "recognise",
    "Steps T": "timesteps",
}
