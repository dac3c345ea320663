"""Where things live: what ships with the program, and what belongs to the person."""

import os
from pathlib import Path

from platformdirs import user_data_path

HOME_VARIABLE = "NOISELOOM_HOME"  # overrides the person's folder, for tests and portable installations


def resources() -> Path:
    """The folder of bundled models, presets and icons: in a checkout, `resources/` beside `ml/`."""
    return Path(__file__).resolve().parent.parent / "resources"


def user_data() -> Path:
    """The person's own folder; it need not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser().absolute() if home else user_data_path("noiseloom", appauthor=False)


def user_runs() -> Path:
    """Training runs, one folder each."""
    return user_data() / "runs"


def user_models() -> Path:
    """Models the person keeps, as .safetensors files."""
    return user_data() / "models"


def user_datasets() -> Path:
    """Downloaded data sets."""
    return user_data() / "datasets"
