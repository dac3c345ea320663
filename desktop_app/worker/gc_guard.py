"""Garbage collection in the GUI thread only, while another thread computes.

Python collects cycles in the thread that happens to allocate. If that is the compute thread, and a dialog or menu is
among them, Qt objects are destroyed in a thread that they do not belong to, which can deadlock the program.
"""

import gc
import sys

from PySide6.QtCore import QObject, QTimer

EVERY_MS = 500


class GcGuard(QObject):
    """Collects garbage itself from `begin` to `end`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._modules = 0  # loaded at the last `settle`
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self.collect)

    def begin(self) -> None:
        gc.disable()
        self._timer.start()

    def settle(self) -> None:
        """Exempt everything that exists now: traversing all modules at each collection would delay the window."""
        self._modules = len(sys.modules)
        gc.freeze()

    def end(self) -> None:
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    def collect(self) -> None:
        """Collect the oldest generation that is due, as Python would; newly loaded modules are exempted first."""
        if self._modules and len(sys.modules) > self._modules:
            gc.collect(1)
            self.settle()
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [generation for generation in (0, 1, 2) if counts[generation] > thresholds[generation]]
        if due:
            gc.collect(due[-1])
