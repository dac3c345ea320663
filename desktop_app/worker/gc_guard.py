"""Garbage is collected by the GUI thread alone, while another thread computes.

Python collects cycles in whichever thread happens to allocate. Where that is the lane, and a dialog or menu is among
them, Qt objects are destroyed in a thread that they do not belong to, which can lock the program up for good.
"""

import gc
import sys

from PySide6.QtCore import QObject, QTimer

EVERY_MS = 500


class GcGuard(QObject):
    """Takes the collecting over from `begin` to `end`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._modules = 0  # when it was settled
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self.collect)

    def begin(self) -> None:
        gc.disable()
        self._timer.start()

    def settle(self) -> None:
        """What is there now stays: looking through all modules again and again would hold the window up."""
        self._modules = len(sys.modules)
        gc.freeze()

    def end(self) -> None:
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    def collect(self) -> None:
        """The oldest generation that is due, as Python would by itself; of modules that have come, nothing."""
        if self._modules and len(sys.modules) > self._modules:
            gc.collect(1)
            self.settle()
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [generation for generation in (0, 1, 2) if counts[generation] > thresholds[generation]]
        if due:
            gc.collect(due[-1])
