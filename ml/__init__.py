"""Noiseloom's engine: diffusion models, training, sampling, judging. No Qt in here."""

import os

# Pydantic would look for plugins in every package that is installed.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
