"""Controls that a lesson can hide: they stay hidden, whatever their page shows, until the lesson ends."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    _Widget = QWidget
else:
    _Widget = object  # a mixin for classes of Qt, of which a class can inherit only one


class Hideable(_Widget):
    """A widget with two switches: it is visible if its page shows it and no lesson hides it."""

    _shown_by_page, _hidden_by_lesson = True, False

    def setVisible(self, visible: bool) -> None:
        self._shown_by_page = visible
        super().setVisible(visible and not self._hidden_by_lesson)

    def hide_for_lesson(self, hidden: bool) -> None:
        """Hide the control from a student, or show it again if its page shows it."""
        if hidden != self._hidden_by_lesson:
            self._hidden_by_lesson = hidden
            self.setVisible(self._shown_by_page)
