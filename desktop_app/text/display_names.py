"""Display names of presets and data sets."""

from pathlib import Path

from ml.specs import DATASETS, IMAGE_FOLDER

ACRONYMS = ("cfg", "clip", "ddim", "ddpm")


def preset_title(name: str) -> str:
    """The display name of a preset: `ddpm-attention` is "DDPM attention"."""
    words = " ".join(word.upper() if word in ACRONYMS else word for word in name.split("-"))
    return words[:1].upper() + words[1:]


def data_title(name: str) -> str:
    """The display name of a data set: `folder:/home/me/cats` is "Images in “cats”"."""
    if name.startswith(IMAGE_FOLDER):
        folder = name.removeprefix(IMAGE_FOLDER)
        return f"Images in “{Path(folder).name or folder}”"
    return DATASETS[name].title if name in DATASETS else name
