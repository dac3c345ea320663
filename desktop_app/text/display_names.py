"""Numbers and names as a person says them."""

from pathlib import Path

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
