"""A button that copies a picture to the clipboard and shows for a moment that it has."""

from collections.abc import Callable

from numpy import uint8
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication

from desktop_app.widgets.controls.basics import Button
from desktop_app.widgets.images.qimage import to_qimage

COPIED_MS = 1500


class CopyButton(Button):
    """`picture()` returns the picture to copy, (H, W) grey or (H, W, 3), or None if there is none yet."""

    def __init__(self, picture: Callable[[], NDArray[uint8] | None], tip: str, *, small: bool = False) -> None:
        super().__init__("" if small else "Copy", "copy", kind="tool" if small else "", name="Copy", tip=tip)
        self._picture, self._small = picture, small
        self._back = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._back.timeout.connect(lambda: self._show(copied=False))
        self.clicked.connect(self.copy)

    def copy(self) -> None:
        picture = self._picture()
        if picture is not None:
            QGuiApplication.clipboard().setImage(to_qimage(picture))
            self._show(copied=True)
            self._back.start()

    def _show(self, *, copied: bool) -> None:
        self.setAccessibleName("Copied" if copied else "Copy")
        self.setText("" if self._small else self.accessibleName())
        self.set_icon("check-bold" if copied else "copy")
