"""Numbers and names as a person says them."""

from pathlib import Path


def duration(seconds: float) -> str:
    """14 s, 3 min, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


NETWORKS = {
    "unet": "U-Net",
    "textbook": "Textbook U-Net",
    "shuffle": "ShuffleNet U-Net",
    "judge": "Classifier",
    "clip": "CLIP",
    "autoencoder": "Autoencoder",
}
DATA = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "Kuzushiji-MNIST",
    "cifar10": "CIFAR-10",
    "synthetic": "Synthetic digits",
}
DOWNLOADS = {"mnist": "11 MB", "fashion-mnist": "31 MB", "kmnist": "21 MB", "cifar10": "170 MB"}
IMAGES = "folder:"  # begins the name of a data set that is a folder of images
TARGETS = {
    "eps": "the noise ε",
    "x0": "the clean image x₀",
    "v": "the velocity v",
    "flow": "the flow u",
    "edm": "image and noise mixed as in EDM",
}
SCHEDULES = {"linear": "linear", "cosine": "cosine", "sigmoid": "sigmoid", "flow": "straight-line", "edm": "EDM"}
OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "muon": "Muon"}
RATES = {
    "onecycle": "up and down once",
    "cosine": "falling as a cosine",
    "linear": "falling evenly",
    "constant": "kept",
}
ACRONYMS = ("cfg", "clip", "ddim", "ddpm")


def preset_title(name: str) -> str:
    """The name of a preset as a person reads it: `ddpm-attention` is "DDPM attention"."""
    words = " ".join(word.upper() if word in ACRONYMS else word for word in name.split("-"))
    return words[:1].upper() + words[1:]


def data_title(name: str) -> str:
    """The name of a data set as a person reads it: `folder:/home/me/cats` is "Images in “cats”"."""
    if name.startswith(IMAGES):
        folder = name.removeprefix(IMAGES)
        return f"Images in “{Path(folder).name or folder}”"
    return DATA.get(name, name)


def count(number: int, what: str) -> str:
    """1 step, 2,400 steps."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def millions(number: int) -> str:
    """0.47 M, 295 k."""
    return f"{number / 1e6:.1f} M" if number >= 950_000 else f"{number / 1e3:.0f} k"


def megabytes(size: int) -> str:
    """1.2 MB, 43 MB, 1.5 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"
