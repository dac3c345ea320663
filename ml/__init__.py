"""Noiseloom's engine: diffusion models, training, sampling, judging. No Qt in here.

`from ml import load, sample, save, train, evaluate` is all that a script or a notebook needs; see `ml.api`.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.api import evaluate as evaluate
    from ml.api import load as load
    from ml.api import sample as sample
    from ml.api import save as save
    from ml.api import train as train

# Pydantic would look for plugins in every package that is installed.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
__all__ = ("evaluate", "load", "sample", "save", "train")


def __getattr__(name: str) -> object:
    """The functions of `ml.api`, which is imported with the first of them."""
    if name not in __all__:
        raise AttributeError(f"module 'ml' has no attribute {name!r}")
    return getattr(importlib.import_module("ml.api"), name)
