"""The tab order of a window: that of its layouts, also for widgets that are added late."""

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QScrollArea, QWidget


def order_tabs(widget: QWidget) -> None:
    """Order the widgets inside `widget` as they are laid out: from top to bottom, from left to right."""
    for one, other in pairwise(_focusable(widget)):
        QWidget.setTabOrder(one, other)


def _focusable(widget: QWidget) -> Iterator[QWidget]:
    """The focusable widgets in a widget, itself first, in the order of the layouts."""
    if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
        yield widget
    inside = widget.widget() if isinstance(widget, QScrollArea) else None
    if inside is not None:
        yield from _focusable(inside)
    elif (layout := widget.layout()) is not None:
        yield from _laid_out(layout)
    elif widget.focusPolicy() == Qt.FocusPolicy.NoFocus:  # it places its children itself
        for child in widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            yield from _focusable(child)


def _laid_out(layout: QLayout) -> Iterator[QWidget]:
    for item in filter(None, map(layout.itemAt, range(layout.count()))):
        inner, widget = item.layout(), item.widget()
        if inner is not None:
            yield from _laid_out(inner)
        elif widget is not None:
            yield from _focusable(widget)
