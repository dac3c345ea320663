"""A tiny diffusion model, trained in seconds, for every test that only needs one that works."""

from pathlib import Path

import numpy as np
import pytest

from ml.config import ModelConfig, TrainConfig
from ml.data import synthetic_digits

TINY = ModelConfig(widths=(8, 16), patch=2, embedding=16)


def tiny_config(**changes: object) -> TrainConfig:
    """A run of seconds on synthetic digits."""
    settings: dict[str, object] = {
        "name": "tiny", "model": TINY.model_dump(), "data": "synthetic", "steps": 30, "batch_size": 32, "lr": 2e-3,
        "precision": "fp32", "preview_every_s": 1000, "save_every_s": 1000, "defaults": {"steps": 4},
    }  # fmt: skip
    return TrainConfig.model_validate(settings | changes)


def train_tiny(folder: Path, **changes: object) -> Path:
    """Train one into `folder`."""
    from ml.training.trainer import train

    with pytest.MonkeyPatch.context() as patch:
        few_synthetic(patch)
        for _ in train(tiny_config(**changes), folder, device="cpu"):
            pass
    return folder


def few_synthetic(patch: pytest.MonkeyPatch) -> None:
    """While the patch lasts, the program's own digits are few: thirty thousand take seconds to draw."""
    from ml.data import synthetic

    patch.setattr(synthetic, "COUNT_AND_SEED", {"train": (2000, 0), "test": (500, 1)})
    patch.setattr(synthetic, "_kept", {})


def few_digits(root: Path, train: int = 200, test: int = 50) -> Path:
    """Some synthetic digits in the files of MNIST: read at once, where thirty thousand take seconds to draw."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for split, count, seed in (("train", train, 0), ("t10k", test, 1)):
        digits = synthetic_digits.digits(count, seed)
        images, labels = np.asarray(digits.images)[:, 0], np.asarray(digits.labels).astype(np.uint8)
        for name, array in ((f"{split}-images-idx3-ubyte", images), (f"{split}-labels-idx1-ubyte", labels)):
            header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            (folder / name).write_bytes(header + array.tobytes())
    return root
