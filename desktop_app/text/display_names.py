"""Display names of presets and data sets."""

from pathlib import Path

from ml.specs import IMAGE_FOLDER, dataset_spec

ACRONYMS = ("cfg", "clip", "ddim", "ddpm")


def preset_title(name: str) -> str:
    """The display name of a preset: `ddpm-attention` is "DDPM attention"."""
    words = " ".join(word.upper() if word in ACRONYMS else word for word in name.split("-"))
    return words[:1].upper() + words[1:]


def data_title(name: str) -> str:
    """The display name of a data set: `folder:/home/me/cats` is "Images in “cats”"."""
    if known := dataset_spec(name):
        return known.title
    folder = name.removeprefix(IMAGE_FOLDER)
    return f"Images in “{Path(folder).name or folder}”" if name.startswith(IMAGE_FOLDER) else name
