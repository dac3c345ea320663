"""What a lesson can take off a page: a control that stays hidden, whatever its page shows, until it is given back."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    _Widget = QWidget
else:
    _Widget = object  # goes before a class of Qt's in the list of bases, of which only one may be Qt's


class Hideable(_Widget):
    """Remembers whether its page wants it seen while a lesson withholds it."""

    _wanted, _withheld = True, False

    def setVisible(self, visible: bool) -> None:
        self._wanted = visible
        super().setVisible(visible and not self._withheld)

    def withhold(self, withheld: bool) -> None:
        """Hide the control from a student, or give it back."""
        if withheld != self._withheld:
            self._withheld = withheld
            self.setVisible(self._wanted)

    @property
    def wanted(self) -> bool:
        """Whether the page shows it, apart from a lesson."""
        return self._wanted
