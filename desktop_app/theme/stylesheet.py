"""The one Qt style sheet, generated from the theme's colours.

Widgets choose a rule by their dynamic property `kind` (set by the helpers in `desktop_app.widgets.controls.basics`).
"""

from dataclasses import asdict
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desktop_app.theme.tokens import Colors

_RULES = Template("""
QWidget { color: $text; }
QMainWindow, QDialog, QWidget[kind="page"] { background: $page; }
QToolTip { background: $card; color: $text; border: 1px solid $border_strong; padding: 5px 8px; }

QFrame[kind="card"], QFrame[kind="stat"] { background: $card; border: 1px solid $border; border-radius: 12px; }
QWidget[kind="side"] { background: $card; border: none; border-left: 1px solid $border; }
QWidget[kind="rail"] { background: $card; border: none; border-right: 1px solid $border; }
QWidget[kind="history"] { background: $card; border: none; border-top: 1px solid $border; }
QWidget[kind="status"] { background: $card; border: none; border-top: 1px solid $border; }

QLabel { background: transparent; border: none; }
QLabel[kind="heading"] { font-size: 18px; font-weight: 700; }
QLabel[kind="title"] { font-weight: 600; }
QLabel[kind="muted"] { color: $muted; }
QLabel[kind="small"] { color: $muted; font-size: 12px; }
QLabel[kind="strong"] { font-size: 12px; font-weight: 600; }
QLabel[kind="problem"] { color: $error; font-size: 12px; }
QFrame[kind="tour"] { background: $card; border: 1px solid $accent; border-radius: 12px; }
QFrame[kind="help"] { background: $card; border: 1px solid $accent; border-radius: 12px; }
QLabel[kind="formula"] { background: $page; border: 1px solid $border; border-radius: 8px; padding: 8px 12px; }
QLabel[kind="number"] { font-size: 18px; font-weight: 700; }
QLabel[kind="section"] { color: $muted; font-size: 11px; font-weight: 700; }

QPushButton { background: $control; border: 1px solid $border; border-radius: 8px; padding: 0 14px;
  font-weight: 600; min-height: 28px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $border; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $faint; }
QPushButton[kind="primary"] { background: $accent; border-color: $accent; color: $on_accent; }
QPushButton[kind="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton[kind="warm"] { background: $warm; border-color: $warm; color: $on_warm; }
QPushButton[kind="warm"]:hover { background: $warm_hover; border-color: $warm_hover; }
QPushButton[kind="warm"]:focus { border: 2px solid $text; }
QPushButton[kind="primary"]:disabled, QPushButton[kind="warm"]:disabled {
  background: $control; border-color: $border; color: $faint; }
QFrame[kind="foot"] QPushButton[kind=""], QFrame[kind="foot"] QPushButton[kind="primary"],
QFrame[kind="foot"] QPushButton[kind="warm"] { min-height: 36px; }
QPushButton[kind="chip"] { font-weight: 400; font-size: 12px; padding: 0; min-height: 22px;
  border-radius: 11px; }
QPushButton[kind="question"] { text-align: left; font-weight: 500; padding: 0 12px; }
QPushButton[kind="question"]:checked { border-color: $accent; }
QPushButton[kind="question"][outcome="right"] { border-color: $ok; color: $text; }
QPushButton[kind="question"][outcome="wrong"] { border-color: $error; color: $text; }
QPushButton[kind="tile"] { background: $card; border-radius: 12px; padding: 0; min-height: 138px; }
QPushButton[kind="tile"]:hover { border-color: $border_strong; }
QPushButton[kind="tile"]:focus { border-color: $accent; }
QPushButton[kind="tile"]:checked { border: 2px solid $accent; }
QPushButton[kind="flat"] { background: transparent; border: 1px solid transparent; padding: 0 6px; min-height: 22px; }
QPushButton[kind="flat"]:hover { background: $hover; }
QPushButton[kind="flat"]:focus { border-color: $accent; }
QPushButton[kind="link"] { background: transparent; border: 1px solid transparent; border-radius: 4px; color: $accent;
  font-weight: 400; padding: 0 4px; min-height: 18px; }
QPushButton[kind="link"]:hover { color: $accent_hover; text-decoration: underline; }
QPushButton[kind="link"]:focus { border-color: $accent; }
QWidget[kind="status"] QPushButton { font-size: 12px; min-height: 18px; }
QPushButton[kind="tool"] { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 0;
  min-width: 26px; max-width: 26px; min-height: 26px; max-height: 26px; }
QPushButton[kind="tool"]:hover { background: $hover; }
QPushButton[kind="tool"]:focus { border-color: $accent; }
QPushButton[kind="section"] { background: transparent; border: 1px solid transparent; border-radius: 4px;
  color: $muted; font-size: 11px; font-weight: 700; padding: 0 4px 0 0; min-height: 22px; text-align: left; }
QPushButton[kind="section"]:hover { color: $text; }
QPushButton[kind="section"]:focus { border-color: $accent; }
QPushButton::menu-indicator { width: 0; height: 0; }

QFrame[kind="segmented"] { background: $page; border: 1px solid $border; border-radius: 8px; }
QPushButton[kind="segment"] { background: transparent; border: 1px solid transparent; border-radius: 6px;
  color: $muted; font-size: 12px; font-weight: 400; padding: 0 9px; min-height: 22px; }
QPushButton[kind="segment"]:hover { color: $text; }
QPushButton[kind="segment"]:checked { background: $hover; color: $text; }
QPushButton[kind="segment"]:focus { border-color: $accent; }
QPushButton[kind="segment"]:disabled { color: $faint; }

QPushButton[kind="page"] { background: transparent; border: 1px solid transparent; border-radius: 10px; padding: 0; }
QPushButton[kind="page"]:hover { background: $control; }
QPushButton[kind="page"]:checked { background: $control; border-color: $border; }
QPushButton[kind="page"]:focus { border-color: $accent; }

QLineEdit, QFrame[kind="field"], QAbstractSpinBox { background: $control; border: 1px solid $border;
  border-radius: 8px; padding: 0 10px; min-height: 28px; selection-background-color: $accent;
  selection-color: $on_accent; }
QLineEdit:hover, QFrame[kind="field"]:hover, QAbstractSpinBox:hover { border-color: $border_strong; }
QLineEdit:focus, QAbstractSpinBox:focus, QFrame[kind="field"][active="true"] { border-color: $accent; }
QLineEdit:disabled, QAbstractSpinBox:disabled { color: $faint; }
QLineEdit[kind="prompt"] { background: $card; border-color: $border_strong; font-size: 14px; padding: 0 12px;
  min-height: 36px; }
QLineEdit[kind="prompt"]:focus { border-color: $accent; }
QLineEdit[kind="bare"] { background: transparent; border: none; padding: 0; min-height: 20px; font-weight: 600; }
QAbstractSpinBox { padding: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: 0; border: none; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { background: transparent; border: none; padding: 0; min-height: 0; }

QComboBox { background: $control; border: 1px solid $border; border-radius: 8px; padding: 0 0 0 10px;
  min-height: 28px; combobox-popup: 0; }
QComboBox:hover { background: $hover; }
QComboBox:focus { border-color: $accent; }
QComboBox:disabled { color: $faint; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView { background: $card; border: 1px solid $border_strong; padding: 4px; outline: none;
  selection-background-color: $accent; selection-color: $on_accent; }
QComboBox QAbstractItemView::item { min-height: 26px; padding: 0 6px; border-radius: 4px; }
QComboBox QAbstractItemView::item:hover { background: $hover; color: $text; }
QComboBox QAbstractItemView::item:selected { background: $accent; color: $on_accent; }

QListView[kind="classes"] { background: transparent; border: 1px solid transparent; border-radius: 8px; outline: none; }
QListView[kind="classes"]:focus { border-color: $accent; }

QMenu { background: $card; border: 1px solid $border_strong; padding: 4px; }
QMenu::item { padding: 5px 22px 5px 12px; border-radius: 4px; }
QMenu::item:selected { background: $hover; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }

QFrame[kind="lesson"] { background: $card; border: 1px solid $accent; border-radius: 12px; }
QFrame[kind="message"] { background: $card; border: 1px solid $border_strong; border-radius: 12px; }
QFrame[kind="message"][tone="error"] { border-color: $error; }
QFrame[kind="message"][tone="warning"] { border-color: $warning; }
QFrame[kind="message"][tone="success"] { border-color: $ok; }
QFrame[kind="message"][tone="info"] { border-color: $accent; }
QPlainTextEdit { background: $page; border: 1px solid $border; border-radius: 8px; padding: 4px;
  selection-background-color: $accent; selection-color: $on_accent; }

QDialog QPlainTextEdit { background: $control; padding: 4px 6px; }
QDialog QPlainTextEdit:focus { border-color: $accent; }

QProgressBar { background: $border; border: none; border-radius: 2px; min-height: 4px; max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }

QGraphicsView { background: transparent; border: none; }
QScrollArea[kind="list"] { border: 1px solid $border; border-radius: 8px; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $border_strong; border-radius: 3px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QCheckBox { spacing: 8px; background: transparent; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $border_strong; border-radius: 4px;
  background: $control; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus { border-color: $accent; }
QListView::indicator { width: 14px; height: 14px; border: 1px solid $border_strong; border-radius: 4px;
  background: $control; }
QListView::indicator:checked { background: $accent; border-color: $accent; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; }
""")


def stylesheet(colors: "Colors") -> str:
    """Fill every rule with the colours."""
    return _RULES.substitute({name: value for name, value in asdict(colors).items() if isinstance(value, str)})
