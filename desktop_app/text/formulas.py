"""The formula of each control, which F1 shows beside its tooltip.

Those of settings and of their values are in `ml.specs`; here are those of the window's own controls.
"""

from collections.abc import Mapping
from typing import Any

from ml.specs import (
    AUGMENTATIONS,
    CFG,
    DDIM,
    DDPM,
    FLAWS,
    LOSSES,
    LR_SCHEDULES,
    MIXINGS,
    OPTIMIZERS,
    PREDICTIONS,
    REPAINT,
    SAMPLERS,
    SCHEDULES,
    SETTINGS,
    SPACINGS,
    WEIGHTINGS,
    Formula,
    Spec,
)

SGD = "Robbins, Monro 1951: stochastic approximation"
CHOICES: Mapping[str, Mapping[Any, Spec]] = {
    "sampler": SAMPLERS,
    "spacing": SPACINGS,
    "mixing": MIXINGS,
    "model.prediction": PREDICTIONS,
    "schedule": SCHEDULES,
    "weighting": WEIGHTINGS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "lr_schedule": LR_SCHEDULES,
}
OWN: Mapping[str, Formula] = {
    "start": Formula("pure noise: one step at σ/α = 1000, then σ₁", FLAWS),
    "lr": Formula("θ ← θ − lr · (direction that the optimizer gives)", SGD),
    "batch_size": Formula("gradient ≈ (1/B) Σ ∇ L(x₀ᵢ, tᵢ, εᵢ)", SGD),
    "recipe": Formula(
        "average: θ̄ ← β θ̄ + (1 − β) θ,   β = (1 − 1/k)ᵞ⁺¹\nlabels: c ← ∅ with probability p",
        "Karras et al. 2024: power-law EMA; " + CFG,
    ),
    "task: vary": Formula("xₜ = α x₀ + σ ε,   and on to an image from there", "Meng et al. 2022: SDEdit"),
    "task: complete": Formula("x̂₀ ← m · x̂₀ + (1 − m) · x₀,   m = 1 where marked", REPAINT),
    "task: rebuild": Formula("xₜ = αₜ x̂₀ + σₜ ε̂\nfrom t = 0 up to T, and back with another c", DDIM + ", inversion"),
    "vary_from": Formula("xₜ = α x₀ + σ ε,   σ/α as set here", "Meng et al. 2022: SDEdit"),
    "recognise": Formula("p(c | x) ∝ exp(−k · D(c))\nD(c) = mean over t of (α/σ) ‖x₀ − x̂₀(xₜ, t, c)‖²",
                         "Li et al. 2023: diffusion classifier"),
    "timesteps": Formula("xₜ = √ᾱₜ x₀ + √(1−ᾱₜ) ε,   t = 1 … T", DDPM),
}  # fmt: skip
FORMULAS: Mapping[str, Formula] = {  # by setting, with `setting: value` before `setting`
    **{f"{setting}: {name}": spec.formula for setting, table in CHOICES.items() for name, spec in table.items()
       if spec.formula},
    **{setting: spec.formula for setting, spec in (*SETTINGS.items(), *AUGMENTATIONS.items()) if spec.formula},
    **OWN,
}  # fmt: skip
AXES = ("Rows", "Columns")  # whose value is a setting
ON_GENERATE = (  # settings of a request that have a control
    "sampler", "steps", "guidance", "clip_scale", "repeats", "eta", "spacing", "sigma_max",
    "guidance_from", "guidance_to", "seed",
)  # fmt: skip
CONTROLS: Mapping[str, str] = {  # by accessible name
    **{SETTINGS[name].title: name for name in ON_GENERATE},
    "Start from": "start",
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
    "Steps T": "timesteps",
}
