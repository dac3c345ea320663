"""Noiseloom's engine: diffusion models, training, sampling, judging. No Qt in here."""

__version__ = "0.1.0"
