"""Conversion of uint8 arrays to QImage."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage


def to_qimage(picture: NDArray[np.uint8]) -> QImage:
    """A QImage with its own copy of a picture (H, W) grey or (H, W, 3)."""
    height, width = picture.shape[:2]
    packed = np.ascontiguousarray(picture)
    kind = QImage.Format.Format_Grayscale8 if picture.ndim == 2 else QImage.Format.Format_RGB888
    return QImage(packed.data, width, height, packed.strides[0], kind).copy()
