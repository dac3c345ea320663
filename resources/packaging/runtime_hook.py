"""Runs first in the packaged program, before torch is imported."""

import os
import warnings

# TorchScript reads its functions' sources, which are left out. Nothing in the program is such a function, and those
# that torch, torchvision and timm make of theirs when they are imported then stay plain ones.
os.environ["PYTORCH_JIT"] = "0"
warnings.filterwarnings("ignore", "Unable to retrieve source for @torch.jit._overload", UserWarning)
